// SPDX-License-Identifier: GPL-2.0
/* This program runs on the host, makes the guests send and receive, checks the packets on their taps, and prints KTAP.
 * In the names of the cases, "machine" is the host.
 *
 *	drive DIRECTORY GUEST...	DIRECTORY has a socket for each guest
 *	drive probe			checks whether the host supports the test
 */
#include "guests.h"

#define WIRE_PORT	7777
#define MTU_SIZE	1452	/* for full frames with IPv6 */
#define SEGMENTS_MAX	128
#define FRAME_MAX	65535	/* the limit of a packet */

static long host_csum_errors[FAMILIES];
static int host_rx = -1;

/* Traffic */

enum shape_is {
	ALSO_FEW = 1,		/* sent on paths with FEW, too */
	FRAME = 2,		/* len is the length of the frame, not of the payload */
	TWO_PACKETS = 4,		/* split at the socket */
};

static const struct shape {
	const char *name;
	int len;
	int size;
	int segments;		/* counted by hand */
	int is;
} shapes[] = {
	{ "one byte less than a segment", 1199, 1200, 1 },
	{ "one segment", 1200, 1200, 1, ALSO_FEW },
	{ "one byte more than a segment", 1201, 1200, 2, ALSO_FEW },
	{ "exact multiple", 12000, 1200, 10, ALSO_FEW },
	{ "shorter last segment", 12345, 1200, 11, ALSO_FEW },
	{ "last segment one byte less", 11999, 1200, 10 },
	{ "full frames", 44 * MTU_SIZE, MTU_SIZE, 44, ALSO_FEW },
	{ "the largest frame", FRAME_MAX, MTU_SIZE, 46, ALSO_FEW | FRAME },
	{ "one byte more than the largest frame", FRAME_MAX + 1, MTU_SIZE, 46,
	  ALSO_FEW | FRAME | TWO_PACKETS },
	{ "the longest call", UDP4_PAYLOAD_MAX, MTU_SIZE, 46, TWO_PACKETS },
	{ "64 segments", 64 * 1000, 1000, 64, ALSO_FEW },
	{ "65 segments", 64 * 1000 + 1, 1000, 65 },
	{ "127 segments", 127 * 500, 500, 127 },
	{ "128 segments", 128 * 500, 500, 128, ALSO_FEW },
	{ "128 segments of a byte", 128, 1, 128 },
};

enum how {
	USO = 1,		/* tx-udp-segmentation is on in the guest */
	GRO = 2,		/* the receiver has UDP_GRO */
	GSO_FROM = 4,		/* a GSO packet on the sender's tap */
	GSO_TO = 8,		/* a GSO packet on the receiver's tap */
	FEW = 16,		/* only the shapes with ALSO_FEW */
};

struct traffic_path {
	const char *name;
	int from;
	int to;
	enum net net;
	int how;
};

static const struct traffic_path traffic_paths[] = {
	{ "guest to machine, feature off", ON, MACHINE, ROUTED, 0 },
	{ "guest to machine", ON, MACHINE, ROUTED, USO | GSO_FROM },
	{ "guest to machine, UDP_GRO", ON, MACHINE, ROUTED,
	  USO | GSO_FROM | GRO | FEW },
	{ "guest to a tun device of the machine", ON, WIRE, ROUTED,
	  USO | GSO_FROM },
	{ "machine to guest", MACHINE, ON, ROUTED, GSO_TO },
	{ "machine to guest, UDP_GRO", MACHINE, ON, ROUTED, GSO_TO | GRO },
	{ "guest without USO to machine", OFF, MACHINE, ROUTED, 0 },
	{ "guest without USO to a tun device", OFF, WIRE, ROUTED, FEW },
	{ "machine to guest without USO", MACHINE, OFF, ROUTED, 0 },
	{ "machine to guest without USO, UDP_GRO", MACHINE, OFF, ROUTED, GRO },
	{ "routed to a guest", ON, MULTI, ROUTED,
	  USO | GSO_FROM | GSO_TO | FEW },
	{ "guest to guest", ON, MULTI, BRIDGED,
	  USO | GSO_FROM | GSO_TO },
	{ "guest to guest, UDP_GRO", MULTI, ON, BRIDGED,
	  USO | GSO_FROM | GSO_TO | GRO },
	{ "guest to guest, feature off", ON, MULTI, BRIDGED, FEW },
	{ "guest to guest without USO", ON, OFF, BRIDGED,
	  USO | GSO_FROM | FEW },
	{ "guest to guest without USO, UDP_GRO", ON, OFF, BRIDGED,
	  USO | GSO_FROM | GRO | FEW },
	{ "guest without USO to guest", OFF, ON, BRIDGED, FEW },
	{ "two queues, machine to guest", MACHINE, MULTI, ROUTED, GSO_TO | FEW },
	{ "vhost, guest to machine", VHOST, MACHINE, ROUTED,
	  USO | GSO_FROM },
	{ "vhost, machine to guest", MACHINE, VHOST, ROUTED, GSO_TO },
	{ "vhost, machine to guest, UDP_GRO", MACHINE, VHOST, ROUTED,
	  GSO_TO | GRO },
};

static bool is_guest(int who)
{
	return who < GUESTS;
}

static void drain(int g)
{
	static struct frame f;

	while (next_frame(guests[g].tap, true, &f))
		;
}

static int frame_header(enum family fam)
{
	return ETH_HLEN + (fam == V4 ? sizeof(struct iphdr) :
				       sizeof(struct ip6_hdr)) + 8;
}

/* A send that exceeds the limit of a packet is split at the socket. Each shape here is at most two
 * packets.
 */
static bool is_split_at_socket(const struct traffic *t)
{
	return t->len + frame_header(t->fam) > FRAME_MAX || nr_segments(t) > SEGMENTS_MAX;
}

static bool is_one_packet(const struct traffic *t, bool gso)
{
	return gso && t->len > t->size && !is_split_at_socket(t);
}

static bool check_split(int g, bool outgoing, const struct traffic *t)
{
	int frames = 0, bytes = 0;
	static struct frame f;
	unsigned char *udp;

	while (next_frame(guests[g].tap, outgoing, &f)) {
		udp = udp_of(&f, t->fam, t->port);
		if (!udp || is_fence(udp + 8, f.ip + f.len - udp - 8))
			continue;
		frames++;
		bytes += f.ip + f.len - udp - 8;
	}

	return expect_long("packets on the tap", 2 * t->calls, frames) &
	       expect_long("bytes in them", t->calls * t->len, bytes);
}

/* Check all frames of the traffic on a tap */
static bool check_tap(int g, bool outgoing, const struct traffic *t, bool gso)
{
	int want = is_one_packet(t, gso) ? t->calls :
					   t->calls * nr_segments(t);
	static struct frame f;
	unsigned char *udp;
	struct stream st;
	int frames = 0;

	stream_start(&st, t);
	while (!case_failed && next_frame(guests[g].tap, outgoing, &f)) {
		udp = udp_of(&f, t->fam, t->port);
		if (!udp || is_fence(udp + 8, f.ip + f.len - udp - 8))
			continue;
		if (++frames > want ||
		    !check_frame(&f, t, udp, is_one_packet(t, gso), &st))
			break;
	}

	return expect_long("frames on the tap", want, frames) &&
	       stream_end(&st);
}

/* Check all datagrams before the fence. Their checksums must be complete. */
static bool check_wire(const struct traffic *t)
{
	static struct frame f;
	unsigned char *udp;
	struct stream st;

	stream_start(&st, t);
	for (;;) {
		if (!next_tun_frame(wire, &f))
			return fail("the fence does not reach the wire");
		udp = udp_of(&f, t->fam, t->port);
		if (!udp)
			continue;
		if (is_fence(udp + 8, f.ip + f.len - udp - 8))
			break;
		if (!case_failed)
			check_frame(&f, t, udp, false, &st);
	}

	return !case_failed && stream_end(&st);
}

static int open_receiver_at(int who, const struct traffic *t)
{
	if (who == WIRE)
		return WIRE_PORT;
	if (who == MACHINE) {
		close(host_rx);
		return open_receiver(t, &host_rx);
	}

	return guest_traffic(who, OP_OPEN, t)->ret;
}

static int send_from(int who, const struct traffic *t)
{
	return who == MACHINE ? send_calls(t) : guest_traffic(who, OP_SEND, t)->ret;
}

static void send_fence_from(int who, const struct traffic *t)
{
	if (who == MACHINE)
		send_one_fence(t);
	else
		guest_traffic(who, OP_FENCE, t);
}

static int read_from(int who, const struct traffic *t)
{
	return who == MACHINE ? read_calls(host_rx, t) :
			     guest_traffic(who, OP_READ, t)->reads;
}

static bool close_receiver_at(int who, const struct traffic *t)
{
	long *before = who == MACHINE ? &host_csum_errors[t->fam] :
				     &guests[who].csum_errors[t->fam];
	long expected = *before;
	struct reply *rep;
	bool ok;

	if (who == MACHINE) {
		ok = read_fence(host_rx);
		*before = csum_errors(t->fam);
	} else {
		rep = guest_traffic(who, OP_END, t);
		ok = rep->ret;
		*before = rep->csum_errors;
	}

	return ok & expect_long("checksum errors", expected, *before);
}

/* With UDP_GRO, a read returns a GSO packet. Without UDP_GRO, a read returns a datagram. */
static bool check_reads(const struct traffic_path *path, const struct traffic *t, int reads)
{
	int last_tap = path->to == MACHINE ? GSO_FROM : GSO_TO;
	bool gso = is_one_packet(t, path->how & last_tap);
	int each = t->calls * nr_segments(t);

	if (reads < 0)
		return false;
	if (path->how & GRO && !gso)
		return reads <= each || fail("%d reads of %d", reads, each);

	return expect_long("reads", path->how & GRO ? t->calls : each, reads);
}

static bool check_receiver(const struct traffic_path *path, const struct traffic *t)
{
	int reads;

	if (path->to == WIRE) {
		send_fence_from(path->from, t);
		return check_wire(t);
	}

	reads = read_from(path->to, t);
	send_fence_from(path->from, t);

	return close_receiver_at(path->to, t) & check_reads(path, t, reads);
}

static void set_address(const struct traffic_path *path, struct traffic *t)
{
	if (path->to != MACHINE)
		address_of(path->to, t->fam, t->to);
	else
		sprintf(t->to, t->fam == V4 ? "10.77.%d.1" : "fd77:0:0:%d::1",
			path->from);
}

static bool run_traffic(const struct traffic_path *path, struct traffic *t)
{
	int ret;

	set_net(path->net);
	set_address(path, t);
	if (is_guest(path->from)) {
		if (path->from != OFF && !set_uso(path->from, path->how & USO))
			return false;
		drain(path->from);
	}
	if (is_guest(path->to))
		drain(path->to);

	t->gro = path->how & GRO;
	t->port = open_receiver_at(path->to, t);
	if (t->port < 0)
		return false;
	ret = send_from(path->from, t);
	if (!expect_ret("send", t->len, ret) || !check_receiver(path, t))
		return false;

	if (is_split_at_socket(t) && is_guest(path->from) && path->how & GSO_FROM)
		return check_split(path->from, false, t) &&
		       (!is_guest(path->to) || !(path->how & GSO_TO) ||
			check_split(path->to, true, t));

	if (is_guest(path->from) &&
	    !check_tap(path->from, false, t, path->how & GSO_FROM))
		return false;

	return !is_guest(path->to) ||
	       check_tap(path->to, true, t, path->how & GSO_TO);
}

static void test_path(const struct test_case *tc)
{
	const struct shape *s = &shapes[tc->dev];
	const struct traffic_path *path = tc->row;
	struct traffic t = {
		.fam = tc->fam,
		.len = s->is & FRAME ? s->len - frame_header(tc->fam) : s->len,
		.size = s->size,
		.calls = 3,
	};

	if (expect_long("segments", s->segments, nr_segments(&t)) &
	    expect_long("larger than a frame", !!(s->is & TWO_PACKETS),
			t.len + frame_header(t.fam) > FRAME_MAX))
		run_traffic(path, &t);
}

/* A number of calls of the same length */
static bool burst(const struct traffic_path *path, enum family fam, int calls, int cpu)
{
	struct traffic t = {
		.fam = fam,
		.len = 12345,
		.size = 1200,
		.calls = calls,
		.cpu = cpu,
	};

	return run_traffic(path, &t);
}

/* The feature */

/* The default is off on Linux 6.12, and on on Linux 7.3. */
static void test_feature(const struct test_case *tc)
{
	if (set_uso(ON, true) &&
	    feature_is(ON, "tx-udp-segmentation", "on") &&
	    set_uso(ON, false))
		feature_is(ON, "tx-udp-segmentation", "off");
}

static void test_feature_fixed(const struct test_case *tc)
{
	feature_is(OFF, "tx-udp-segmentation", "off [fixed]");
}

/* A change of the features of a guest's device, after which there are still GSO packets (gso) or only
 * single datagrams, and the change that reverts it
 */
static const struct toggle {
	const char *name;
	const char *set;
	const char *undo;
	bool from;		/* the packets that the guest sends, not those that it receives */
	bool gso;
} toggles[] = {
	{ "checksums off disable segmentation", "tx off", "tx on", true },
	{ "scatter-gather off keeps segmentation", "sg off", "sg on", true, true },
	{ "software segmentation off keeps it", "gso off", "gso on",
	  true, true },
	{ "guest receives no GSO packets", "rx-gro-hw off", "rx-gro-hw on" },
	{ "software aggregation off keeps GSO packets", "gro off", "gro on",
	  false, true },
};

static void test_toggle(const struct test_case *tc)
{
	const struct toggle *toggle = tc->row;
	struct traffic_path with, changed;

	if (toggle->from)
		with = (struct traffic_path) { NULL, ON, MACHINE, ROUTED,
				      USO | GSO_FROM };
	else
		with = (struct traffic_path) { NULL, MACHINE, ON, ROUTED, GRO | GSO_TO };
	changed = with;
	if (!toggle->gso)
		changed.how &= ~(GSO_FROM | GSO_TO);

	if (!set_uso(ON, true) || !burst(&with, tc->fam, 3, 0))
		return;
	if (must_guest(ON, "ethtool -K eth0 %s", toggle->set))
		burst(&changed, tc->fam, 3, 0);
	if (must_guest(ON, "ethtool -K eth0 %s tx-udp-segmentation on",
		       toggle->undo) && !case_failed)
		burst(&with, tc->fam, 3, 0);
}

#define TURN		"ethtool -K eth0 tx-udp-segmentation "
#define TURN_OFTEN	"for i in $(seq 200); do " TURN "off; " TURN "on; done " \
			"</dev/null >/dev/null 2>&1"

/* While the feature is turned on and off repeatedly, each datagram arrives */
static void test_toggle_during_sends(const struct test_case *tc)
{
	struct traffic t = {
		.fam = tc->fam,
		.len = 12345,
		.size = 1200,
		.calls = CALLS_MAX,
	};
	static const struct traffic_path path = { NULL, ON, MACHINE };
	int round, ret, reads;

	set_net(ROUTED);
	set_address(&path, &t);
	t.port = open_receiver_at(MACHINE, &t);
	if (!must_guest(ON, "nice -n 19 sh -c '" TURN_OFTEN "' & echo $! >/run/toggle"))
		return;

	for (round = 0; round < 2 && !case_failed; round++) {
		ret = send_from(ON, &t);
		if (!expect_ret("send", t.len, ret))
			break;
		reads = read_from(MACHINE, &t);
		if (reads >= 0)
			expect_long("reads", t.calls * nr_segments(&t), reads);
	}
	must_guest(ON, "kill $(cat /run/toggle) || true");
	guests[ON].segments = -1;
	send_fence_from(ON, &t);
	close_receiver_at(MACHINE, &t);
}

/* The device counts one packet per call, or per datagram without the feature;
 * neighbour discovery may add a few
 */
static void test_counter(const struct test_case *tc)
{
	static const struct traffic_path on = { NULL, ON, MACHINE, ROUTED,
				       USO | GSO_FROM };
	static const struct traffic_path off = { NULL, ON, MACHINE };
	const char *cmd = "cat /sys/class/net/eth0/statistics/tx_packets";
	bool segments = tc->dev;
	long before, packets, want = CALLS_MAX;

	if (!set_uso(ON, segments))
		return;
	before = atol(guest_sh(ON, "%s", cmd)->text);
	if (!burst(segments ? &on : &off, tc->fam, CALLS_MAX, 0))
		return;
	packets = atol(guest_sh(ON, "%s", cmd)->text) - before;
	if (!segments)
		want *= 11;
	if (packets < want || packets > want + 10)
		fail("%ld packets for %d calls, expected %ld", packets,
		     CALLS_MAX, want);
}

static void test_too_many(const struct test_case *tc)
{
	struct traffic t = {
		.fam = tc->fam,
		.len = 128 * 500 + 1,
		.size = 500,
		.calls = 1,
	};

	static const struct traffic_path path = { NULL, ON, WIRE, ROUTED,
				      USO | GSO_FROM };

	run_traffic(&path, &t);
}

static long queue_kicks(int q)
{
	return atol(guest_sh(MULTI, "ethtool -S eth0 | sed -n 's/ *tx%d_kicks: //p'",
			     q)->text);
}

/* Each CPU of the guest uses its own queue. A kick may be for several packets. */
static void test_queues(const struct test_case *tc)
{
	static const struct traffic_path path = { NULL, MULTI, MACHINE, ROUTED,
				      USO | GSO_FROM };
	long kicks[2] = { queue_kicks(0), queue_kicks(1) };
	int cpu = tc->dev;

	if (!burst(&path, tc->fam, CALLS_MAX, cpu))
		return;
	kicks[0] = queue_kicks(0) - kicks[0];
	kicks[1] = queue_kicks(1) - kicks[1];
	if (kicks[cpu] <= kicks[!cpu])
		fail("%ld kicks of queue 0, %ld of queue 1, sent from CPU %d",
		     kicks[0], kicks[1], cpu);
}

static int guest_xdp(bool on)
{
	struct request req = { .op = OP_XDP, .on = on };

	return guest_request(ON, &req)->ret;
}

/* The guest receives no GSO packets while an XDP program is attached. */
static void test_xdp(const struct test_case *tc)
{
	static const struct traffic_path with = { NULL, MACHINE, ON, ROUTED, GSO_TO };
	static const struct traffic_path without = { NULL, MACHINE, ON };

	if (!burst(&with, tc->fam, 3, 0) ||
	    !expect_ret("attach", 0, guest_xdp(true)))
		return;
	burst(&without, tc->fam, 3, 0);
	if (expect_ret("detach", 0, guest_xdp(false)) && !case_failed)
		burst(&with, tc->fam, 3, 0);
}

static void test_no_vhost(const struct test_case *tc)
{
	case_skipped = "this machine has no vhost-net";
}

static bool is_missing(int who)
{
	return is_guest(who) && guests[who].port < 0;
}

static void add_path_cases(const struct traffic_path *path, enum family fam)
{
	unsigned int i;

	if (is_missing(path->from) || is_missing(path->to)) {
		add_case(test_no_vhost, path, fam, 0, "%s, %s", family_name[fam],
			 path->name);
		return;
	}

	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		if (!(path->how & FEW) || shapes[i].is & ALSO_FEW)
			add_case(test_path, path, fam, i, "%s, %s, %s",
				 family_name[fam], path->name, shapes[i].name);
}

static void add_toggle_cases(enum family fam)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(toggles); i++)
		add_case(test_toggle, &toggles[i], fam, 0, "%s, %s",
			 family_name[fam], toggles[i].name);
}

static void add_other_cases(enum family fam)
{
	const char *name = family_name[fam];
	int i;

	add_toggle_cases(fam);
	for (i = 0; i < 2; i++) {
		add_case(test_counter, NULL, fam, i,
			 "%s, packet counter, feature %s", name,
			 i ? "on" : "off");
		add_case(test_queues, NULL, fam, i,
			 "%s, two queues, send from CPU %d", name, i);
	}
	add_case(test_toggle_during_sends, NULL, fam, 0,
		 "%s, turned on and off repeatedly", name);
	add_case(test_too_many, NULL, fam, 0, "%s, 129 segments",
		 name);
	add_case(test_xdp, NULL, fam, 0,
		 "%s, XDP program attached and detached", name);
}

/* Returns 1 and prints the reason if the host does not support the test. */
static int probe(void)
{
	unsigned int offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 |
				TUN_F_USO4 | TUN_F_USO6;
	int fd = udp_socket(AF_INET, IPPROTO_UDP, 0);

	if (set_int(fd, SOL_UDP, UDP_SEGMENT, 0) ||
	    set_int(fd, SOL_UDP, UDP_GRO, 1)) {
		puts("the kernel of this machine lacks UDP_SEGMENT or UDP_GRO");
		return 1;
	}

	fd = open_tun("probe", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	if (ioctl(fd, TUNSETOFFLOAD, offloads)) {
		puts("the taps of this machine's kernel lack UDP segmentation");
		return 1;
	}

	return 0;
}

int main(int argc, char **argv)
{
	enum family fam;
	unsigned int i;
	int g, arg;

	if (argc == 2 && !strcmp(argv[1], "probe"))
		return probe();
	if (argc < 3)
		return KSFT_FAIL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	payload_init();
	open_wire();
	for (g = 0; g < GUESTS; g++) {
		guests[g].port = -1;
		for (arg = 2; arg < argc; arg++)
			if (!strcmp(argv[arg], names[g]))
				open_guest(g, argv[1]);
	}
	for (g = 0; g < GUESTS; g++)
		if (guests[g].port >= 0)
			wait_for_guest(g);

	add_case(test_feature, NULL, V4, 0,
		 "tx-udp-segmentation can be turned on and off");
	add_case(test_feature_fixed, NULL, V4, 0,
		 "tx-udp-segmentation is fixed without the offload");
	for (fam = V4; fam <= V6; fam++) {
		for (i = 0; i < ARRAY_SIZE(traffic_paths); i++)
			add_path_cases(&traffic_paths[i], fam);
		add_other_cases(fam);
	}
	run_cases(NULL);

	return 0;
}
