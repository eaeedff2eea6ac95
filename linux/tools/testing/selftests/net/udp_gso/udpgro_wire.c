// SPDX-License-Identifier: GPL-2.0
/* Reads every packet that a router forwards after GRO.
 *
 * The first namespace sends bursts of frames that this program builds. The
 * second namespace aggregates the frames, changes the packets (NAT, BPF) and
 * forwards them. In the third namespace, a packet socket reads the packets.
 * Lengths, checksums, identification, hop limit, addresses, ports, payload and
 * order of all datagrams are checked. The counter of forwarded packets shows
 * to how many packets GRO has aggregated the burst.
 *
 * udpgro.sh creates the namespaces. The first argument selects how datagrams
 * are aggregated: list (rx-gro-list) or fwd (rx-udp-gro-forwarding).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgro_lib.h"
#include "udpgro_bpf.h"

#define MAX_FRAMES	140
#define FLOWS		2
#define FENCE_DPORT	7001

/* No host has these addresses, so that no replies are sent. */
#define DST4		"198.51.100.99"
#define DST6		"2001:db8:2::99"
#define NAT_SRC4	"198.51.100.77"
#define NAT_SRC6	"2001:db8:2::77"
#define NAT_DPORT	7010
#define NAT_SPORT	6000

static const char *mid_name, *rx_name;
static int rx_netns, capture;
static bool list;		/* false: fwd */

/* Bursts */

enum {
	DF = 1,
	PARTIAL = 2,
	ZERO = 4,		/* checksum that is computed as 0 */
};

struct part {
	int nr;
	int len;
	int flags;
	int flow;
};

struct burst {
	const char *name;
	struct part part[4];
	int packets;		/* after GRO */
	bool base;		/* also run with all devices and NAT rules */
	int lists;		/* with rx-gro-list; 0: as packets */
};

static const struct burst bursts[] = {
	{ "1", { { 1, 100 } }, 1 },
	{ "2", { { 2, 100 } }, 1, true },
	{ "2, DF", { { 2, 100, DF } }, 1 },
	{ "64", { { 64, 100 } }, 1 },
	{ "65", { { 65, 100 } }, 2 },
	{ "64 of 1 byte", { { 64, 1 } }, 1 },
	{ "last is shorter", { { 4, 501 }, { 1, 500 } }, 1, true },
	{ "last is one byte", { { 4, 500 }, { 1, 1 } }, 1 },
	{ "odd lengths", { { 3, 99 }, { 1, 33 } }, 1 },
	{ "last is longer", { { 3, 500 }, { 1, 501 } }, 2 },
	{ "64 KiB", { { 45, 1452 } }, 1, true },
	{ "two flows", { { 3, 100 }, { 3, 300, 0, 1 }, { 1, 7 },
			 { 1, 9, 0, 1 } }, 2, true },
	{ "partial checksums", { { 4, 500, PARTIAL }, { 1, 77, PARTIAL } }, 1, true },
	{ "first 2 partial", { { 2, 500, PARTIAL }, { 2, 500 } }, 1, .lists = 2 },
	{ "last 2 partial", { { 2, 500 }, { 2, 500, PARTIAL } }, 1, .lists = 2 },
	{ "zero checksum in the first", { { 1, 100, ZERO }, { 3, 100 } }, 1 },
	{ "zero checksum in the middle", { { 1, 100 }, { 1, 100, ZERO },
					   { 2, 100 } }, 1, true },
	{ "zero checksum in the last", { { 3, 100 }, { 1, 98, ZERO } }, 1 },
};

static struct dgram sent[MAX_FRAMES];
static int nr_sent;

/* Describes how packets are changed on their path, and the expected values. */
struct spec {
	const char *src[2];	/* by family; NULL: as sent */
	const char *to[2];	/* where the burst is sent to */
	int sport;		/* expected source port of flow 0 */
	int dport;
	int tos;
	bool other_fam;
	bool may_drop;
	bool hops;		/* check all hop limits */
	int ext;		/* bytes of options or extension headers */
	enum tunnel tunnel;	/* tunnel to the router */
};

/* Chooses the last two bytes so that the forwarded checksum is computed as 0.
 */
static const unsigned char *zero_data(const struct dgram *d,
				      const struct spec *spec, int flow)
{
	static unsigned char data[MAX_FRAMES][2048];
	enum family fam = d->fam;
	struct dgram out = *d;
	static struct frame f;
	unsigned char *udp;
	int addr_len = fam == V4 ? 4 : 16;
	__u32 sum;

	memcpy(data[nr_sent], d->data, d->len);
	put16(data[nr_sent] + d->len - 2, 0);
	out.data = data[nr_sent];
	out.src = spec->src[fam];
	out.dst = fam == V4 ? DST4 : DST6;
	out.sport = spec->sport + flow;
	out.dport = spec->dport;
	out.no_csum = true;
	udp = f.ip + frame_build(&f, &out) - d->len - 8;
	sum = csum_bytes(csum_pseudo(udp - 2 * addr_len, addr_len, d->len + 8),
			 udp, d->len + 8);
	put16(data[nr_sent] + d->len - 2, 0xffff - sum);

	return data[nr_sent];
}

static void sent_add(enum family fam, const struct part *p, int *off, int *id,
		     const struct spec *spec)
{
	int i;

	for (i = 0; i < p->nr; i++, nr_sent++) {
		struct dgram *d = &sent[nr_sent];

		*d = (struct dgram) {
			.fam = fam,
			.dst = spec->to[fam],
			.sport = FLOW_PORT + p->flow,
			.dport = PORT,
			.data = payload + *off,
			.len = p->len,
			.ttl = TTL,
			.tos = 0x10,
			.id = *id & 0xffff,
			.label = 0x12345,
			.df = p->flags & DF,
			.partial = p->flags & PARTIAL,
			.tunnel = spec->tunnel,
		};
		if (p->flags & ZERO)
			d->data = zero_data(d, spec, p->flow);
		*off += p->len;
		++*id;
	}
}

static void sent_fill(enum family fam, const struct burst *b,
		      const struct spec *spec)
{
	int id[FLOWS] = { FIRST_ID, 100 }, off = 0, i;

	nr_sent = 0;
	for (i = 0; i < ARRAY_SIZE(b->part); i++)
		sent_add(fam, &b->part[i], &off, &id[b->part[i].flow], spec);
}

/* Checks of the forwarded packets */

struct packet {
	unsigned char buf[1 << 17];
	unsigned char *ip;
	int len;
	bool partial;
};

static struct packet pkt;
static bool first_of_packet;

/* Neighbour discovery and multicast reports are not part of the burst. */
static bool is_unrelated(const unsigned char *ip)
{
	if (ip[0] >> 4 == 4)
		return ip[9] == IPPROTO_ICMP || ip[9] == IPPROTO_IGMP;

	return ip[6] == IPPROTO_ICMPV6 || ip[6] == IPPROTO_HOPOPTS;
}

static bool packet_read(struct packet *p)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = { p->buf, sizeof(p->buf) };
	struct tpacket_auxdata aux = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int ret, proto;

	for (;;) {
		ret = recvmsg(capture, &msg, 0);
		if (ret < 0 && errno == EAGAIN) {
			if (!readable(capture, RX_TIMEOUT_MS))
				return fail("the fence is lost");
			continue;
		}
		if (ret < 0)
			die("read of a packet");
		proto = get16(p->buf + 2 * ETH_ALEN);
		if (proto != ETH_P_IP && proto != ETH_P_IPV6)
			continue;
		if (!is_unrelated(p->buf + ETH_HLEN))
			break;
	}

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_PACKET &&
		    cmsg->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	p->partial = aux.tp_status & TP_STATUS_CSUMNOTREADY;
	p->ip = p->buf + ETH_HLEN;
	p->len = ret - ETH_HLEN;

	return true;
}

/* With rx-gro-list, only cases with spec->hops require that the hop limit of
 * each datagram is decremented. The other cases require this for the first
 * datagram of the burst only.
 */
static bool check_hops(const struct spec *spec, int hops)
{
	if (list && !spec->hops && !first_of_packet && hops == TTL)
		return true;

	return expect_long("hop limit", TTL - 1, hops);
}

static bool check_ip4(const struct dgram *d, const struct spec *spec,
		      int *hlen)
{
	const unsigned char *ip = pkt.ip;

	*hlen = (ip[0] & 0xf) * 4;
	if (*hlen != 20 + spec->ext || csum_bytes(0, ip, *hlen) != 0xffff)
		return fail("wrong IPv4 header of %d bytes", *hlen);

	return expect_long("IPv4 total length", pkt.len, get16(ip + 2)) &&
	       expect_long("IPv4 flags and fragment offset",
			   d->df ? IP_DF_BIT : 0, get16(ip + 6)) &&
	       (spec->other_fam || spec->ext ||
		expect_long("IPv4 ID", d->id, get16(ip + 4))) &&
	       expect_long("TOS", spec->tos, ip[1]) &&
	       check_hops(spec, ip[8]) &&
	       expect_long("protocol", IPPROTO_UDP, ip[9]);
}

static bool check_ip6(const struct dgram *d, const struct spec *spec,
		      int *hlen)
{
	const unsigned char *ip = pkt.ip;
	int nh = spec->ext ? IPPROTO_DSTOPTS : IPPROTO_UDP;

	*hlen = 40 + spec->ext;

	return expect_long("IPv6 payload length", pkt.len - 40,
			   get16(ip + 4)) &&
	       expect_long("version, class, label",
			   0x60000000 | spec->tos << 20 | d->label,
			   get16(ip) << 16 | get16(ip + 2)) &&
	       check_hops(spec, ip[7]) &&
	       expect_long("next header", nh, ip[6]);
}

static bool check_csum(const unsigned char *udp, int len, bool unsegmented,
		       __u32 pseudo)
{
	int check = get16(udp + 6);

	/* In a fraglist GSO packet, the checksum field is that of the first
	 * datagram and is not used.
	 */
	if (unsegmented && list)
		return true;
	if (!check)
		return fail("UDP checksum 0");
	if (pkt.partial)
		return check % 0xffff == pseudo % 0xffff ? true :
		       fail("partial checksum: expected 0x%04x, got 0x%04x",
			    pseudo, check);
	if (csum_bytes(pseudo, udp, len) != 0xffff)
		return fail("wrong UDP checksum 0x%04x", check);

	return true;
}

/* Returns the index of the next datagram of the flow that was not received
 * yet, or -1.
 */
static int find_sent(int flow)
{
	int i;

	for (i = 0; i < nr_sent; i++)
		if (sent[i].len >= 0 && sent[i].sport - FLOW_PORT == flow)
			return i;

	return -1;
}

/* If the device gets GSO packets, a packet may contain several datagrams. */
static bool check_payload(const unsigned char *data, int len, int flow,
			  bool unsegmented)
{
	int first = -1, i;

	do {
		i = find_sent(flow);
		if (i < 0)
			return fail("%d unexpected bytes", len);
		if (first < 0)
			first = i;
		if (len < sent[i].len || (!unsegmented && len != sent[i].len))
			return fail("datagram %d: expected %d bytes, got %d",
				    i + 1, sent[i].len, len);
		if (memcmp(data, sent[i].data, sent[i].len))
			return fail("datagram %d: wrong payload", i + 1);
		data += sent[i].len;
		len -= sent[i].len;
		sent[i].len = -1;
	} while (len > 0);

	return true;
}

static bool check_packet(const struct spec *spec, bool unsegmented)
{
	bool v6 = pkt.ip[0] >> 4 == 6, sent_v6 = sent[0].fam == V6;
	int addr_len = v6 ? 16 : 4, hlen, flow, i;
	const char *src = spec->src[v6], *dst = v6 ? DST6 : DST4;
	unsigned char addrs[32], *udp;
	struct dgram d;

	if (!expect_long("IPv6", sent_v6 != spec->other_fam, v6))
		return false;

	hlen = v6 ? 40 + spec->ext : (pkt.ip[0] & 0xf) * 4;
	udp = pkt.ip + hlen;
	flow = get16(udp) - spec->sport;
	if (flow < 0 || flow >= FLOWS)
		return fail("source port %d", get16(udp));
	i = find_sent(flow);
	if (i < 0)
		return fail("flow %d: unexpected packet of %d bytes", flow,
			    pkt.len);
	d = sent[i];
	first_of_packet = i == 0;

	if (!(v6 ? check_ip6(&d, spec, &hlen) : check_ip4(&d, spec, &hlen)) ||
	    !expect_long("destination port", spec->dport, get16(udp + 2)) ||
	    !expect_long("UDP length", pkt.len - hlen, get16(udp + 4)))
		return false;

	if (!src)
		src = v6 ? TX6 : TX4;
	inet_pton(v6 ? AF_INET6 : AF_INET, src, addrs);
	inet_pton(v6 ? AF_INET6 : AF_INET, dst, addrs + addr_len);
	if (memcmp(pkt.ip + (v6 ? 8 : 12), addrs, 2 * addr_len))
		return fail("wrong addresses");

	return check_csum(udp, pkt.len - hlen, unsegmented,
			  csum_pseudo(addrs, addr_len, pkt.len - hlen)) &&
	       check_payload(udp + 8, pkt.len - hlen - 8, flow, unsegmented);
}

static void fence(enum family fam)
{
	inject_fence(fam, fam == V4 ? DST4 : DST6, FENCE_DPORT);
}

static bool packet_is_fence(void)
{
	int hlen = pkt.ip[0] >> 4 == 6 ? 40 : 20;

	return pkt.len > hlen + 8 &&
	       is_fence(pkt.ip + hlen + 8, pkt.len - hlen - 8);
}

/* Reads packets up to the second fence. Returns the number of packets without
 * the fences.
 */
static int read_packets(enum family fam, const struct spec *spec,
			bool unsegmented)
{
	int fences = 0, nr = 0;

	fence(fam);
	while (packet_read(&pkt)) {
		if (packet_is_fence()) {
			if (++fences == 2)
				break;
			fence(fam);
			continue;
		}
		nr++;
		if (!case_failed)
			check_packet(spec, unsegmented);
	}

	return nr;
}

/* Counters of the forwarding namespace */

static long read_counter(const char *file, const char *line, int column)
{
	char buf[1024], *s, *save;
	FILE *f = fopen(file, "r");
	long val = -1;
	int i;

	if (!f)
		die("%s", file);
	while (fgets(buf, sizeof(buf), f)) {
		if (strncmp(buf, line, strlen(line)))
			continue;
		s = strtok_r(buf, " \t\n", &save);
		for (i = 0; s && i < column; i++)
			s = strtok_r(NULL, " \t\n", &save);
		if (s && s[0] >= '0' && s[0] <= '9')
			val = atol(s);
	}
	fclose(f);

	return val;
}

/* Returns the number of packets, aggregated or not, that the router has passed
 * to an output device.
 */
static long forwarded(enum family fam)
{
	long val;

	enter_netns(peer_netns);
	val = fam == V4 ?
	      read_counter("/proc/thread-self/net/snmp", "Ip: ", 6) :
	      read_counter("/proc/thread-self/net/snmp6", "Ip6OutForwDatagrams",
			   1);
	enter_netns(home_netns);
	if (val < 0)
		die("no counter of forwarded packets");

	return val;
}

/* Devices */

#define ALL_ON	"tx on sg on gso on tx-udp-segmentation on tx-gso-list on"

struct conf {
	const char *name;
	const char *features;	/* of the output device */
	bool gso_fwd;		/* the device gets GSO packets with fwd */
	bool gso_list;		/* the device gets GSO packets with list */
};

static const struct conf confs[] = {
	{ "all on", "gso on", true, true },
	{ "USO and tx-gso-list off", "tx-udp-segmentation off tx-gso-list off" },
	{ "tx-gso-list off", "tx-gso-list off", true, false },
	{ "tx-udp-segmentation off", "tx-udp-segmentation off" },
	{ "tx off", "tx off" },
	{ "sg off", "tx-udp-segmentation off tx-gso-list off sg off" },
	{ "tx off sg off", "tx off sg off" },
	{ "gso off", "gso off", true, true },
};

enum { USO, NO_USO, NO_TX = 4 };

static bool enable_gro(void)
{
	bool known = features(mid_name, "gro0", list ?
			      "rx-gro-list on" : "rx-udp-gro-forwarding on");

	pin_napis();

	return known;
}

static bool conf_set(const struct conf *conf)
{
	static const struct conf *now, *refused;
	static int in_state;	/* 0: not tried, 1: set, -1: failed */

	if (!in_state)
		in_state = enable_gro() ? 1 : -1;
	if (in_state < 0 || conf == refused)
		return fail("the device does not support these features");
	if (conf != now &&
	    (!features(mid_name, "gro1", ALL_ON) ||
	     !features(mid_name, "gro1", conf->features))) {
		refused = conf;
		now = NULL;
		return false;
	}
	now = conf;

	return true;
}

/* Sends a burst, and reads and checks the forwarded packets. */
static void transfer(enum family fam, const struct burst *b,
		     const struct spec *spec, bool unsegmented)
{
	int packets = list && b->lists ? b->lists : b->packets;
	long before = forwarded(fam), lost = 0;
	int nr, i;

	sent_fill(fam, b, spec);
	inject_burst(sent, nr_sent);
	nr = read_packets(fam, spec, unsegmented);
	if (case_failed)
		return;
	for (i = 0; i < nr_sent; i++)
		lost += sent[i].len >= 0;
	if (spec->may_drop && lost == nr_sent)
		return;
	if (!expect_long("lost datagrams", 0, lost) ||
	    !expect_long("packets", unsegmented ? packets : nr_sent, nr))
		return;
	if (!spec->other_fam)
		expect_long("forwarded packets", packets + 2,
			    forwarded(fam) - before);
}

static const struct spec as_sent = {
	.to = { DST4, DST6 },
	.sport = FLOW_PORT,
	.dport = PORT,
	.tos = 0x10,
};

static void run_forward(const struct test_case *tc)
{
	const struct conf *conf = &confs[tc->dev];

	if (conf_set(conf))
		transfer(tc->fam, tc->row, &as_sent,
			 list ? conf->gso_list : conf->gso_fwd);
}

static void run_hops(const struct test_case *tc)
{
	struct spec spec = as_sent;

	spec.hops = true;
	if (conf_set(&confs[tc->dev]))
		transfer(tc->fam, tc->row, &spec, false);
}

/* GRO aggregates tunnel packets before they reach the tunnel device. */

#define SPEC		.to = { DST4, DST6 }, .sport = FLOW_PORT, \
			.dport = PORT, .tos = 0x10

static const struct {
	const char *name;
	struct spec spec;
} tunnels[] = {
	{ "VXLAN", { SPEC, .tunnel = IN_VXLAN } },
	{ "FOU", { SPEC, .tunnel = IN_FOU } },
};

static void setup_tunnels(void)
{
	must_sh("ip -n %s fou add port %d ipproto 4", mid_name, FOU4_PORT);
	must_sh("ip -n %s fou add port %d ipproto 41", mid_name, FOU6_PORT);
	must_sh("ip -n %s -batch - <<- END\n"
		"link add fou4 type ipip local " MID4 " remote " TX4 "\n"
		"link add fou6 type sit local " MID4 " remote " TX4 "\n"
		"link add vxlan0 type vxlan id %d local " MID4 " remote " TX4 " dstport %d\n"
		"link set fou4 addrgenmode none up\n"
		"link set fou6 addrgenmode none up\n"
		"link set vxlan0 address 02:00:00:00:00:05 addrgenmode none up\nEND",
		mid_name, VXLAN_ID, VXLAN_PORT);
}

static void run_tunnel(const struct test_case *tc)
{
	if (conf_set(&confs[NO_USO]))
		transfer(tc->fam, tc->row, &tunnels[tc->dev].spec, false);
}

static void add_tunnels(enum family fam)
{
	int i, j;

	for (j = 0; j < ARRAY_SIZE(tunnels); j++)
		for (i = 0; i < ARRAY_SIZE(bursts); i++)
			if (bursts[i].base && bursts[i].part[0].len <= 1400 &&
			    !(bursts[i].part[0].flags & PARTIAL))
				add_case(run_tunnel, &bursts[i], fam, j,
					 "%s %s: %s", family_name[fam],
					 tunnels[j].name, bursts[i].name);
}

/* NAT */

struct nat {
	const char *name;
	const char *pre[2];	/* rules by family */
	const char *post[2];
	struct spec spec;
};

#define DNAT(to)	"udp dport 7000 dnat to " to
#define SNAT(to)	"udp sport 5000 snat to " to ":6000; " \
			"udp sport 5001 snat to " to ":6001"

static const struct nat nats[] = {
	{ "dnat address", { DNAT(DST4), DNAT(DST6) }, {},
	  { .to = { MID4, MID6 }, .sport = FLOW_PORT, .dport = PORT,
	    .tos = 0x10 } },
	{ "dnat port", { DNAT(":7010"), DNAT(":7010") }, {},
	  { .to = { DST4, DST6 }, .sport = FLOW_PORT, .dport = NAT_DPORT,
	    .tos = 0x10 } },
	{ "snat", {}, { SNAT(NAT_SRC4), SNAT("[" NAT_SRC6 "]") },
	  { .src = { NAT_SRC4, NAT_SRC6 }, .to = { DST4, DST6 },
	    .sport = NAT_SPORT, .dport = PORT, .tos = 0x10 } },
	{ "snat address", {}, { "udp dport 7000 snat to " NAT_SRC4,
				"udp dport 7000 snat to " NAT_SRC6 },
	  { .src = { NAT_SRC4, NAT_SRC6 }, .to = { DST4, DST6 },
	    .sport = FLOW_PORT, .dport = PORT, .tos = 0x10 } },
	{ "dnat and snat", { DNAT(DST4 ":7010"), DNAT("[" DST6 "]:7010") },
	  { SNAT(NAT_SRC4), SNAT("[" NAT_SRC6 "]") },
	  { .src = { NAT_SRC4, NAT_SRC6 }, .to = { MID4, MID6 },
	    .sport = NAT_SPORT, .dport = NAT_DPORT, .tos = 0x10 } },
};

static void nat_set(const struct nat *nat, enum family fam)
{
	const char *post = nat && nat->post[fam] ? nat->post[fam] : "";
	const char *pre = nat && nat->pre[fam] ? nat->pre[fam] : "";
	static const struct nat *now;
	static enum family now_fam;

	if (nat == now && fam == now_fam)
		return;
	now = nat;
	now_fam = fam;
	if (!nat) {
		must_sh("ip netns exec %s nft flush ruleset", mid_name);
		return;
	}
	must_sh("ip netns exec %s nft '"
		"flush ruleset; table %s nat { "
		"chain pre { type nat hook prerouting priority -100; %s; }; "
		"chain post { type nat hook postrouting priority 100; %s; }; }'",
		mid_name, fam == V4 ? "ip" : "ip6", pre, post);
}

struct nat_row {
	const struct nat *nat;
	const struct burst *burst;
};

static void run_nat(const struct test_case *tc)
{
	const struct nat_row *row = tc->row;
	const struct conf *conf = &confs[tc->dev];

	if (!conf_set(conf))
		return;
	nat_set(row->nat, tc->fam);
	transfer(tc->fam, row->burst, &row->nat->spec,
		 list ? conf->gso_list : conf->gso_fwd);
}

/* BPF programs that change offsets and lengths in an aggregated packet. The
 * packet must be forwarded correctly. With may_drop, all of the burst may be
 * dropped instead.
 */

struct edit {
	const char *name;
	void (*build)(struct prog *p, enum family fam, int len);
	struct spec spec;
	bool list_only;
};

static int header_len(enum family fam)
{
	return ETH_HLEN + (fam == V4 ? 20 : 40) + 8;
}

static void call_helper(struct prog *p, int func, int arg)
{
	mov_reg(p, R(1), R(6));
	mov_imm(p, R(2), arg);
	mov_imm(p, R(3), 0);
	call(p, func);
	emit_exit_on_error(p, DROP);
}

static void edit_pull_all(struct prog *p, enum family fam, int len)
{
	call_helper(p, BPF_FUNC_skb_pull_data, header_len(fam) + len);
}

static void edit_pull_part(struct prog *p, enum family fam, int len)
{
	call_helper(p, BPF_FUNC_skb_pull_data,
		    header_len(fam) + sent[0].len + 1);
}

static void edit_pull_headers(struct prog *p, enum family fam, int len)
{
	call_helper(p, BPF_FUNC_skb_pull_data, header_len(fam));
}

/* Overwrites a byte with the same value. This makes the packet writable. */
static void edit_store(struct prog *p, enum family fam, int len)
{
	store_bytes(p, header_len(fam) + sent[0].len, sent[1].data, 1);
}

static void edit_trim(struct prog *p, enum family fam, int len)
{
	call_helper(p, BPF_FUNC_skb_change_tail, header_len(fam) + len - 1);
}

static void adjust_room(struct prog *p, int room)
{
	mov_reg(p, R(1), R(6));
	mov_imm(p, R(2), room);
	mov_imm(p, R(3), BPF_ADJ_ROOM_NET);
	mov_imm(p, R(4), BPF_F_ADJ_ROOM_FIXED_GSO);
	call(p, BPF_FUNC_skb_adjust_room);
	emit_exit_on_error(p, DROP);
}

/* Builds the headers of a datagram. Its length is that of the aggregated
 * packet.
 */
static void gso_headers(struct frame *f, enum family fam, int len)
{
	struct dgram d = sent[0];

	d.fam = fam;
	d.dst = fam == V4 ? DST4 : DST6;
	d.data = payload;
	d.len = len;
	d.no_csum = true;
	frame_build(f, &d);
}

static void edit_room_and_back(struct prog *p, enum family fam, int len)
{
	static struct frame f;

	gso_headers(&f, fam, len);
	adjust_room(p, 8);
	adjust_room(p, -8);
	store_bytes(p, ETH_HLEN, f.ip, fam == V4 ? 20 : 40);
}

/* Adds 8 bytes of IPv4 options or of IPv6 destination options. */
static void edit_options(struct prog *p, enum family fam, int len)
{
	static const unsigned char opts4[8] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	static const unsigned char opts6[8] = { IPPROTO_UDP, 0, 1, 4 };
	static struct frame f;
	unsigned char *ip = f.ip;

	gso_headers(&f, fam, len);
	adjust_room(p, 8);
	if (fam == V4) {
		ip[0] = 0x47;
		put16(ip + 2, get16(ip + 2) + 8);
		put16(ip + 10, 0);
		memcpy(ip + 20, opts4, 8);
		put16(ip + 10, ~csum_bytes(0, ip, 28));
		store_bytes(p, ETH_HLEN, ip, 28);
	} else {
		put16(ip + 4, get16(ip + 4) + 8);
		ip[6] = IPPROTO_DSTOPTS;
		store_bytes(p, ETH_HLEN, ip, 40);
		store_bytes(p, ETH_HLEN + 40, opts6, 8);
	}
}

/* Returns the checksum of the addresses in network byte order, as
 * bpf_l4_csum_replace() needs it.
 */
static __u32 addrs_csum(const struct frame *f, enum family fam)
{
	int sum = fam == V4 ? csum_bytes(0, f->ip + 12, 8) :
			      csum_bytes(0, f->ip + 8, 32);

	return htons(sum);
}

static void edit_proto(struct prog *p, enum family fam, int len)
{
	enum family to = fam == V4 ? V6 : V4;
	static struct frame old, new;
	int hlen = to == V4 ? 20 : 40;

	gso_headers(&old, fam, len);
	gso_headers(&new, to, len);
	call_helper(p, BPF_FUNC_skb_change_proto,
		    htons(to == V4 ? ETH_P_IP : ETH_P_IPV6));
	store_bytes(p, ETH_HLEN, new.ip, hlen);

	mov_reg(p, R(1), R(6));
	mov_imm(p, R(2), ETH_HLEN + hlen + 6);
	mov_imm(p, R(3), 0);
	mov_imm(p, R(4), addrs_csum(&new, to) + 0xffff - addrs_csum(&old, fam));
	mov_imm(p, R(5), BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
	call(p, BPF_FUNC_l4_csum_replace);
	emit_exit_on_error(p, DROP);
}

static const struct edit edits[] = {
	{ "no edit", NULL, { SPEC } },
	{ "pull_data, headers", edit_pull_headers, { SPEC } },
	{ "pull_data, part of the second", edit_pull_part, { SPEC }, true },
	{ "pull_data, all", edit_pull_all, { SPEC } },
	{ "store_bytes, second datagram", edit_store, { SPEC }, true },
	{ "change_tail, -1 byte", edit_trim, { SPEC, .may_drop = true } },
	{ "adjust_room, +8 and -8", edit_room_and_back, { SPEC, .may_drop = true } },
	{ "adjust_room, options", edit_options, { SPEC, .may_drop = true, .ext = 8 } },
	{ "change_proto", edit_proto,
	  { SPEC, .may_drop = true, .other_fam = true } },
};

struct edit_row {
	const struct edit *edit;
	const struct burst *burst;
};

static void run_edit(const struct test_case *tc)
{
	const struct edit_row *row = tc->row;
	int map, prog, link, i, len = 0;
	struct prog p = {};

	if (!conf_set(&confs[tc->dev]))
		return;
	nat_set(NULL, tc->fam);
	sent_fill(tc->fam, row->burst, &row->edit->spec);
	for (i = 0; i < nr_sent; i++)
		len += sent[i].len;

	map = map_create(BPF_MAP_TYPE_ARRAY, sizeof(int));
	gso_only(&p, map);
	if (row->edit->build)
		row->edit->build(&p, tc->fam, len);
	emit_exit(&p, 0);
	prog = prog_load(&p, BPF_PROG_TYPE_SCHED_CLS, 0);

	enter_netns(peer_netns);
	link = prog_link(prog, if_nametoindex("gro0"), BPF_TCX_INGRESS);
	enter_netns(home_netns);
	transfer(tc->fam, row->burst, &row->edit->spec, false);
	if (!case_failed)
		expect_long("datagrams that GRO has aggregated", nr_sent,
			    map_get(map));
	close(link);
	close(prog);
	close(map);
}

static void add_edits(enum family fam)
{
	static const int devs[] = { NO_USO, NO_TX };
	static struct edit_row rows[FAMILIES * 256];
	static int nr;
	int i, j, k;

	for (k = 0; k < ARRAY_SIZE(devs); k++)
		for (j = 0; j < ARRAY_SIZE(edits); j++)
			for (i = 0; i < ARRAY_SIZE(bursts); i++) {
				if (!bursts[i].base || bursts[i].packets > 1 ||
				    (edits[j].list_only && !list))
					continue;
				rows[nr] = (struct edit_row) {
					&edits[j], &bursts[i],
				};
				add_case(run_edit, &rows[nr++], fam, devs[k],
					 "%s %s, %s: %s", family_name[fam],
					 edits[j].name, confs[devs[k]].name,
					 bursts[i].name);
			}
}

/* Cases */

static void add_forward(enum family fam)
{
	int i, j;

	for (j = 0; j < ARRAY_SIZE(confs); j++)
		for (i = 0; i < ARRAY_SIZE(bursts); i++)
			if (bursts[i].base || j == USO || j == NO_USO)
				add_case(run_forward, &bursts[i], fam, j,
					 "%s %s: %s", family_name[fam],
					 confs[j].name, bursts[i].name);
	add_case(run_hops, &bursts[1], fam, NO_USO, "%s hop limit",
		 family_name[fam]);
}

static void add_nat(enum family fam)
{
	static const int devs[] = { NO_USO, NO_TX };
	static struct nat_row rows[FAMILIES * 256];
	static int nr;
	int i, j, k;

	for (k = 0; k < ARRAY_SIZE(devs); k++)
		for (j = 0; j < ARRAY_SIZE(nats); j++)
			for (i = 0; i < ARRAY_SIZE(bursts); i++) {
				if (!bursts[i].base)
					continue;
				rows[nr] = (struct nat_row) {
					&nats[j], &bursts[i],
				};
				add_case(run_nat, &rows[nr++], fam, devs[k],
					 "%s %s, %s: %s", family_name[fam],
					 nats[j].name, confs[devs[k]].name,
					 bursts[i].name);
			}
}

static void setup(void)
{
	must_sh("ip -n %s neigh replace " DST4
		" lladdr 02:00:00:00:00:04 dev gro1", mid_name);
	must_sh("ip -n %s neigh replace " DST6
		" lladdr 02:00:00:00:00:04 dev gro1", mid_name);
	/* Connection tracking entries expire immediately, so that the NAT rules
	 * of the current case apply.
	 */
	must_sh("ip netns exec %s sysctl -wq"
		" net.netfilter.nf_conntrack_udp_timeout=0"
		" net.netfilter.nf_conntrack_udp_timeout_stream=0", mid_name);
	setup_tunnels();
	open_netns(mid_name);
	rx_netns = netns_of(rx_name);
	enter_netns(rx_netns);
	capture = packet_socket("gro1", ETH_P_ALL);
	if (set_int(capture, SOL_PACKET, PACKET_AUXDATA, 1))
		die("PACKET_AUXDATA");
	enter_netns(home_netns);
	payload_init();
	pin_cpu();
}

int main(int argc, char **argv)
{
	enum family fam;

	if (argc < 4 || (strcmp(argv[1], "list") && strcmp(argv[1], "fwd")))
		ksft_exit_fail_msg("usage: udpgro_wire list|fwd MID RX [FILTER]\n");
	list = !strcmp(argv[1], "list");
	mid_name = argv[2];
	rx_name = argv[3];
	setup();

	for (fam = V4; fam <= V6; fam++)
		add_forward(fam);
	for (fam = V4; fam <= V6; fam++)
		add_tunnels(fam);
	for (fam = V4; fam <= V6; fam++)
		add_nat(fam);
	for (fam = V4; fam <= V6; fam++)
		add_edits(fam);

	run_cases(argc > 4 ? argv[4] : NULL);

	return 0;
}
