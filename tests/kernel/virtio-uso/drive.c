// SPDX-License-Identifier: GPL-2.0
/* The machine's end: has guests send and receive, looks at their taps; KTAP.
 *
 *	drive DIRECTORY GUEST...	a socket there is the port of each
 *	drive probe			can this machine do what is needed?
 */
#include "guests.h"

#define WIRE_PORT	7777
#define MTU_SIZE	1452	/* fills a frame of IPv6 */
#define SEGMENTS_MAX	128
#define FRAME_MAX	65535	/* what a device takes at once */

static long host_csum_errors[FAMILIES];
static int host_rx = -1;

/* Traffic */

enum shape_is {
	ALSO_FEW = 1,		/* in the smaller tables too */
	FRAME = 2,		/* len is that of the frame, not the payload */
	SPLIT = 4,		/* more than one packet */
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
	{ "shorter last", 12345, 1200, 11, ALSO_FEW },
	{ "last one byte less", 11999, 1200, 10 },
	{ "full frames", 44 * MTU_SIZE, MTU_SIZE, 44, ALSO_FEW },
	{ "the largest frame", FRAME_MAX, MTU_SIZE, 46, ALSO_FEW | FRAME },
	{ "a byte over the largest frame", FRAME_MAX + 1, MTU_SIZE, 46,
	  ALSO_FEW | FRAME | SPLIT },
	{ "the most bytes", UDP4_PAYLOAD_MAX, MTU_SIZE, 46, SPLIT },
	{ "64 segments", 64 * 1000, 1000, 64, ALSO_FEW },
	{ "65 segments", 64 * 1000 + 1, 1000, 65 },
	{ "127 segments", 127 * 500, 500, 127 },
	{ "128 segments", 128 * 500, 500, 128, ALSO_FEW },
	{ "128 segments of a byte", 128, 1, 128 },
};

enum how {
	SEGMENTS = 1,		/* the guest's feature is on */
	GRO = 2,		/* the receiver asks for UDP_GRO */
	SUPER_FROM = 4,		/* a super-packet on the sender's tap */
	SUPER_TO = 8,		/* on that of the receiver */
	FEW = 16,		/* not with all shapes */
};

struct way {
	const char *name;
	int from;
	int to;
	enum net net;
	int how;
};

static const struct way ways[] = {
	{ "guest to machine, feature off", ON, HOST, ROUTED, 0 },
	{ "guest to machine", ON, HOST, ROUTED, SEGMENTS | SUPER_FROM },
	{ "guest to machine, UDP_GRO", ON, HOST, ROUTED,
	  SEGMENTS | SUPER_FROM | GRO | FEW },
	{ "guest to a wire behind the machine", ON, WIRE, ROUTED,
	  SEGMENTS | SUPER_FROM },
	{ "machine to guest", HOST, ON, ROUTED, SUPER_TO },
	{ "machine to guest, UDP_GRO", HOST, ON, ROUTED, SUPER_TO | GRO },
	{ "guest without to machine", OFF, HOST, ROUTED, 0 },
	{ "guest without to a wire", OFF, WIRE, ROUTED, FEW },
	{ "machine to guest without", HOST, OFF, ROUTED, 0 },
	{ "machine to guest without, UDP_GRO", HOST, OFF, ROUTED, GRO },
	{ "routed to a guest", ON, MULTI, ROUTED,
	  SEGMENTS | SUPER_FROM | SUPER_TO | FEW },
	{ "back to back", ON, MULTI, BRIDGED,
	  SEGMENTS | SUPER_FROM | SUPER_TO },
	{ "back to back, UDP_GRO", MULTI, ON, BRIDGED,
	  SEGMENTS | SUPER_FROM | SUPER_TO | GRO },
	{ "back to back, feature off", ON, MULTI, BRIDGED, FEW },
	{ "back to back, to one without", ON, OFF, BRIDGED,
	  SEGMENTS | SUPER_FROM | FEW },
	{ "back to back, to one without, UDP_GRO", ON, OFF, BRIDGED,
	  SEGMENTS | SUPER_FROM | GRO | FEW },
	{ "back to back, from one without", OFF, ON, BRIDGED, FEW },
	{ "two queues, machine to guest", HOST, MULTI, ROUTED, SUPER_TO | FEW },
	{ "vhost, guest to machine", VHOST, HOST, ROUTED,
	  SEGMENTS | SUPER_FROM },
	{ "vhost, machine to guest", HOST, VHOST, ROUTED, SUPER_TO },
	{ "vhost, machine to guest, UDP_GRO", HOST, VHOST, ROUTED,
	  SUPER_TO | GRO },
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

/* More than a device takes at once is cut at the sender's socket, in two for all shapes */
static bool in_parts(const struct traffic *t)
{
	return t->len + frame_header(t->fam) > FRAME_MAX || nr_segments(t) > SEGMENTS_MAX;
}

static bool goes_whole(const struct traffic *t, bool super)
{
	return super && t->len > t->size && !in_parts(t);
}

static bool check_parts(int g, bool outgoing, const struct traffic *t)
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

/* All frames that a tap has seen of the traffic */
static bool check_tap(int g, bool outgoing, const struct traffic *t, bool super)
{
	int want = goes_whole(t, super) ? t->calls :
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
		    !check_frame(&f, t, udp, goes_whole(t, super), &st))
			break;
	}

	return expect_long("frames on the tap", want, frames) &&
	       stream_end(&st);
}

/* All datagrams up to the fence, with complete checksums */
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

static int open_end(int who, const struct traffic *t)
{
	if (who == WIRE)
		return WIRE_PORT;
	if (who == HOST) {
		close(host_rx);
		return open_receiver(t, &host_rx);
	}

	return ask_traffic(who, OP_OPEN, t)->ret;
}

static int send_from(int who, const struct traffic *t)
{
	return who == HOST ? send_calls(t) : ask_traffic(who, OP_SEND, t)->ret;
}

static void fence_from(int who, const struct traffic *t)
{
	if (who == HOST)
		send_one_fence(t);
	else
		ask_traffic(who, OP_FENCE, t);
}

static int read_end(int who, const struct traffic *t)
{
	return who == HOST ? read_calls(host_rx, t) :
			     ask_traffic(who, OP_READ, t)->reads;
}

static bool close_end(int who, const struct traffic *t)
{
	long *before = who == HOST ? &host_csum_errors[t->fam] :
				     &guests[who].csum_errors[t->fam];
	long before_that = *before;
	struct reply *rep;
	bool ok;

	if (who == HOST) {
		ok = read_fence(host_rx);
		*before = csum_errors(t->fam);
	} else {
		rep = ask_traffic(who, OP_END, t);
		ok = rep->ret;
		*before = rep->csum_errors;
	}

	return ok & expect_long("checksum errors", before_that, *before);
}

/* A super-packet is one read with UDP_GRO; without, each datagram is one */
static bool check_reads(const struct way *w, const struct traffic *t, int reads)
{
	int last_tap = w->to == HOST ? SUPER_FROM : SUPER_TO;
	bool super = goes_whole(t, w->how & last_tap);
	int each = t->calls * nr_segments(t);

	if (reads < 0)
		return false;
	if (w->how & GRO && !super)
		return reads <= each || fail("%d reads of %d", reads, each);

	return expect_long("reads", w->how & GRO ? t->calls : each, reads);
}

static bool receive_end(const struct way *w, const struct traffic *t)
{
	int reads;

	if (w->to == WIRE) {
		fence_from(w->from, t);
		return check_wire(t);
	}

	reads = read_end(w->to, t);
	fence_from(w->from, t);

	return close_end(w->to, t) & check_reads(w, t, reads);
}

static void set_address(const struct way *w, struct traffic *t)
{
	if (w->to != HOST)
		address_of(w->to, t->fam, t->to);
	else
		sprintf(t->to, t->fam == V4 ? "10.77.%d.1" : "fd77:0:0:%d::1",
			w->from);
}

static bool run_traffic(const struct way *w, struct traffic *t)
{
	int ret;

	set_net(w->net);
	set_address(w, t);
	if (is_guest(w->from)) {
		if (w->from != OFF && !set_segments(w->from, w->how & SEGMENTS))
			return false;
		drain(w->from);
	}
	if (is_guest(w->to))
		drain(w->to);

	t->gro = w->how & GRO;
	t->port = open_end(w->to, t);
	if (t->port < 0)
		return false;
	ret = send_from(w->from, t);
	if (!expect_ret("send", t->len, ret) || !receive_end(w, t))
		return false;

	if (in_parts(t) && is_guest(w->from) && w->how & SUPER_FROM)
		return check_parts(w->from, false, t) &&
		       (!is_guest(w->to) || !(w->how & SUPER_TO) ||
			check_parts(w->to, true, t));

	if (is_guest(w->from) &&
	    !check_tap(w->from, false, t, w->how & SUPER_FROM))
		return false;

	return !is_guest(w->to) ||
	       check_tap(w->to, true, t, w->how & SUPER_TO);
}

static void test_way(const struct test_case *tc)
{
	const struct shape *s = &shapes[tc->dev];
	const struct way *w = tc->row;
	struct traffic t = {
		.fam = tc->fam,
		.len = s->is & FRAME ? s->len - frame_header(tc->fam) : s->len,
		.size = s->size,
		.calls = 3,
	};

	if (expect_long("segments", s->segments, nr_segments(&t)) &
	    expect_long("larger than a frame", !!(s->is & SPLIT),
			t.len + frame_header(t.fam) > FRAME_MAX))
		run_traffic(w, &t);
}

/* A number of calls, with something set before */
static bool burst(const struct way *w, enum family fam, int calls, int cpu)
{
	struct traffic t = {
		.fam = fam,
		.len = 12345,
		.size = 1200,
		.calls = calls,
		.cpu = cpu,
	};

	return run_traffic(w, &t);
}

/* The feature */

static void test_can_turn(const struct test_case *tc)
{
	if (feature_is(ON, "tx-udp-segmentation", "off") &&
	    set_segments(ON, true) &&
	    feature_is(ON, "tx-udp-segmentation", "on") &&
	    set_segments(ON, false))
		feature_is(ON, "tx-udp-segmentation", "off");
}

static void test_cannot_turn(const struct test_case *tc)
{
	feature_is(OFF, "tx-udp-segmentation", "off [fixed]");
}

/* A command, where it keeps or loses the super-packets, and back */
static const struct toggle {
	const char *name;
	const char *set;
	const char *undo;
	bool from;		/* of those that the guest sends */
	bool super;
} toggles[] = {
	{ "checksums off take segmentation along", "tx off", "tx on", true },
	{ "scatter-gather off leaves it", "sg off", "sg on", true, true },
	{ "software segmentation off leaves it", "gso off", "gso on",
	  true, true },
	{ "guest takes no super-packets", "rx-gro-hw off", "rx-gro-hw on" },
	{ "software aggregation off leaves super-packets", "gro off", "gro on",
	  false, true },
};

static void test_toggle(const struct test_case *tc)
{
	const struct toggle *toggle = tc->row;
	struct way with, way;

	if (toggle->from)
		with = (struct way) { NULL, ON, HOST, ROUTED,
				      SEGMENTS | SUPER_FROM };
	else
		with = (struct way) { NULL, HOST, ON, ROUTED, GRO | SUPER_TO };
	way = with;
	if (!toggle->super)
		way.how &= ~(SUPER_FROM | SUPER_TO);

	if (!set_segments(ON, true) || !burst(&with, tc->fam, 3, 0))
		return;
	if (must_guest(ON, "ethtool -K eth0 %s", toggle->set))
		burst(&way, tc->fam, 3, 0);
	if (must_guest(ON, "ethtool -K eth0 %s tx-udp-segmentation on",
		       toggle->undo) && !case_failed)
		burst(&with, tc->fam, 3, 0);
}

#define TURN		"ethtool -K eth0 tx-udp-segmentation "
#define TURN_OFTEN	"for i in $(seq 200); do " TURN "off; " TURN "on; done " \
			"</dev/null >/dev/null 2>&1"

/* While it is turned on and off again and again, each datagram arrives */
static void test_toggle_while(const struct test_case *tc)
{
	struct traffic t = {
		.fam = tc->fam,
		.len = 12345,
		.size = 1200,
		.calls = CALLS_MAX,
	};
	static const struct way w = { NULL, ON, HOST };
	int round, ret, reads;

	set_net(ROUTED);
	set_address(&w, &t);
	t.port = open_end(HOST, &t);
	if (!must_guest(ON, "nice -n 19 sh -c '" TURN_OFTEN "' & echo $! >/run/toggle"))
		return;

	for (round = 0; round < 2 && !case_failed; round++) {
		ret = send_from(ON, &t);
		if (!expect_ret("send", t.len, ret))
			break;
		reads = read_end(HOST, &t);
		if (reads >= 0)
			expect_long("reads", t.calls * nr_segments(&t), reads);
	}
	must_guest(ON, "kill $(cat /run/toggle) || true");
	guests[ON].segments = -1;
	fence_from(ON, &t);
	close_end(HOST, &t);
}

/* One packet a call in the device's own count, not one a datagram; neighbour
 * discovery may add a few
 */
static void test_counter(const struct test_case *tc)
{
	static const struct way on = { NULL, ON, HOST, ROUTED,
				       SEGMENTS | SUPER_FROM };
	static const struct way off = { NULL, ON, HOST };
	const char *cmd = "cat /sys/class/net/eth0/statistics/tx_packets";
	bool segments = tc->dev;
	long before, packets, want = CALLS_MAX;

	if (!set_segments(ON, segments))
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

	static const struct way w = { NULL, ON, WIRE, ROUTED,
				      SEGMENTS | SUPER_FROM };

	run_traffic(&w, &t);
}

static long queue_kicks(int q)
{
	return atol(guest_sh(MULTI, "ethtool -S eth0 | sed -n 's/ *tx%d_kicks: //p'",
			     q)->text);
}

/* Each CPU of the guest has a queue; not each packet needs a kick */
static void test_queues(const struct test_case *tc)
{
	static const struct way w = { NULL, MULTI, HOST, ROUTED,
				      SEGMENTS | SUPER_FROM };
	long kicks[2] = { queue_kicks(0), queue_kicks(1) };
	int cpu = tc->dev;

	if (!burst(&w, tc->fam, CALLS_MAX, cpu))
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

	return ask(ON, &req)->ret;
}

/* A program sees frames: no super-packets as long as it is there */
static void test_xdp(const struct test_case *tc)
{
	static const struct way with = { NULL, HOST, ON, ROUTED, SUPER_TO };
	static const struct way without = { NULL, HOST, ON };

	if (!burst(&with, tc->fam, 3, 0) ||
	    !expect_ret("attach", 0, guest_xdp(true)))
		return;
	burst(&without, tc->fam, 3, 0);
	if (expect_ret("detach", 0, guest_xdp(false)) && !case_failed)
		burst(&with, tc->fam, 3, 0);
}

static void test_absent(const struct test_case *tc)
{
	case_skipped = "this machine has no vhost-net";
}

static bool is_absent(int who)
{
	return is_guest(who) && guests[who].port < 0;
}

static void add_way_cases(const struct way *w, enum family fam)
{
	unsigned int i;

	if (is_absent(w->from) || is_absent(w->to)) {
		add_case(test_absent, w, fam, 0, "%s, %s", family_name[fam],
			 w->name);
		return;
	}

	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		if (!(w->how & FEW) || shapes[i].is & ALSO_FEW)
			add_case(test_way, w, fam, i, "%s, %s, %s",
				 family_name[fam], w->name, shapes[i].name);
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
	add_case(test_toggle_while, NULL, fam, 0,
		 "%s, turned on and off again and again", name);
	add_case(test_too_many, NULL, fam, 0, "%s, 129 segments",
		 name);
	add_case(test_xdp, NULL, fam, 0,
		 "%s, XDP program attached and detached", name);
}

/* Status 1 and the reason on stdout */
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

	add_case(test_can_turn, NULL, V4, 0,
		 "tx-udp-segmentation is off and can be turned on");
	add_case(test_cannot_turn, NULL, V4, 0,
		 "tx-udp-segmentation is fixed without the offload");
	for (fam = V4; fam <= V6; fam++) {
		for (i = 0; i < ARRAY_SIZE(ways); i++)
			add_way_cases(&ways[i], fam);
		add_other_cases(fam);
	}
	run_cases(NULL);

	return 0;
}
