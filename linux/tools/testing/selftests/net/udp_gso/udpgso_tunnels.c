// SPDX-License-Identifier: GPL-2.0
/* Tests sends with UDP_SEGMENT through tunnels. Checks the received datagrams.
 * Also checks each outer packet if GSO packets are segmented before the lower
 * device.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgso_topo.h"
#include "udpgso_wg.h"

#define TX4	"addr add 10.0.0.1/24 dev d0;"
#define RX4	"addr add 10.0.0.2/24 dev d1;"
#define TX6	"addr add fd00::1/64 dev d0 nodad;"
#define RX6	"addr add fd00::2/64 dev d1 nodad;"
#define L4	" local 10.0.0.1 remote 10.0.0.2 "
#define R4	" local 10.0.0.2 remote 10.0.0.1 "
#define L6	" local fd00::1 remote fd00::2 "
#define R6	" local fd00::2 remote fd00::1 "

#define ENDS	.top = "top", .end = "end", .wire = "d1"

/* The same tunnel device at both ends */
#define TUNNEL4(type, args)						\
	.tx = TX4 "link add top type " type L4 args,			\
	.rx = RX4 "link add end type " type R4 args, ENDS
#define TUNNEL6(type, args)						\
	.tx = TX6 "link add top type " type L6 args,			\
	.rx = RX6 "link add end type " type R6 args, ENDS

#define VTUNNEL4(args)							\
	.tx = TX4 "link add top type vxlan " L4 VXLAN args,		\
	.rx = RX4 "link add end type vxlan " R4 VXLAN1 args, ENDS
#define VTUNNEL6(args)							\
	.tx = TX6 "link add top type vxlan " L6 VXLAN args,		\
	.rx = RX6 "link add end type vxlan " R6 VXLAN1 args, ENDS

#define FOU4(fou, type, args)						\
	.tx = TX4 "fou add " fou ";link add top type " type L4 args,	\
	.rx = RX4 "fou add " fou ";link add end type " type R4 args, ENDS

#define L2TP(args, far)							\
	"l2tp add tunnel tunnel_id 1 peer_tunnel_id 1" far args ";"	\
	"l2tp add session tunnel_id 1 session_id 1 peer_session_id 1 name "

#define S4	" src 10.0.0.1 dst 10.0.0.2 "
#define S6	" src fd00::1 dst fd00::2 "

/* One direction is sufficient. The tunnel carries IPv4 and IPv6. */
#define XFRM_STATE(ends)						\
	"xfrm state add" ends "proto esp spi 1 if_id 1 mode tunnel "	\
	"flag af-unspec enc ecb(cipher_null) \"\";"
#define XFRM_POLICY(ends, dir, any)					\
	"xfrm policy add src " any " dst " any " dir " dir " if_id 1 "	\
	"tmpl" ends "proto esp mode tunnel;"
#define XFRM_SIDE(dev, name, ends, dir)					\
	XFRM_STATE(ends) XFRM_POLICY(ends, dir, "0.0.0.0/0")		\
	XFRM_POLICY(ends, dir, "::/0")					\
	"link add " name " mtu 1400 type xfrm dev " dev " if_id 1"

#define VXLAN	"id 1 dstport 4789 dev d0 "
#define VXLAN1	"id 1 dstport 4789 dev d1 "
#define GENEVE4(near, far, args)					\
	"link add " near " type geneve id 1 remote " far " " args

/* Each direction uses a different key. */
#define MACSEC_SIDE(dev, name, far, tx, rx)				\
	"link add link " dev " name " name " type macsec port 1 encrypt off;" \
	"macsec add " name " tx sa 0 pn 1 on " MACSEC_KEY(tx) ";"	\
	"macsec add " name " rx port 1 address " far ";"		\
	"macsec add " name " rx port 1 address " far			\
	" sa 0 pn 1 on " MACSEC_KEY(rx)
#define MACSEC_KEY(nr)	"key 0" #nr " 000102030405060708090a0b0c0d0e0" #nr

static const struct tunnel {
	struct topo topo;
	bool only4, only6;	/* inner family */
	bool segments;		/* the tunnel device segments */
	bool nested;		/* only the inner tunnel device segments */
} tunnels[] = {
	{ { "vxlan", VTUNNEL4("noudpcsum"),
	    .layers = "eth/ip4/udp0/vxlan/eth" } },
	{ { "vxlan with checksum", VTUNNEL4("udpcsum"),
	    .layers = "eth/ip4/udp/vxlan/eth" } },
	{ { "vxlan over v6", VTUNNEL6("noudp6zerocsumtx"),
	    .layers = "eth/ip6/udp/vxlan/eth" } },
	{ { "vxlan over v6 without checksum",
	    VTUNNEL6("udp6zerocsumtx udp6zerocsumrx"),
	    .layers = "eth/ip6/udp0/vxlan/eth" } },
	{ { "geneve", ENDS,
	    .tx = TX4 GENEVE4("top", "10.0.0.2", "noudpcsum"),
	    .rx = RX4 GENEVE4("end", "10.0.0.1", "noudpcsum"),
	    .layers = "eth/ip4/udp0/geneve/eth" } },
	{ { "geneve with checksum", ENDS,
	    .tx = TX4 GENEVE4("top", "10.0.0.2", "udpcsum"),
	    .rx = RX4 GENEVE4("end", "10.0.0.1", "udpcsum"),
	    .layers = "eth/ip4/udp/geneve/eth" } },
	{ { "geneve over v6", ENDS,
	    .tx = TX6 GENEVE4("top", "fd00::2", ""),
	    .rx = RX6 GENEVE4("end", "fd00::1", ""),
	    .layers = "eth/ip6/udp/geneve/eth" } },
	{ { "bareudp", ENDS,
	    .tx = TX4 "link add top mtu 1472 type bareudp dstport 6635 "
		  "ethertype ipv4",
	    .rx = RX4 "link add end type bareudp dstport 6635 ethertype ipv4",
	    .tx_more = "route add 192.0.2.2/32 "
		       "encap ip dst 10.0.0.2 dev top",
	    .layers = "eth/ip4/udp0/bareudp" }, .only4 = true },
	{ { "bareudp over v6", ENDS,
	    .tx = TX6 "link add top mtu 1452 type bareudp dstport 6635 "
		  "ethertype ipv6",
	    .rx = RX6 "link add end type bareudp dstport 6635 ethertype ipv6",
	    .tx_more = "route add 2001:db8::2/128 "
		       "encap ip6 dst fd00::2 dev top",
	    .layers = "eth/ip6/udp0/bareudp" }, .only6 = true },
	{ { "fou, ipip", FOU4("port 5554 ipproto 4", "ipip",
			      "encap fou encap-dport 5554 noencap-csum"),
	    .layers = "eth/ip4/udp0/fou" }, .only4 = true },
	{ { "fou with checksum, ipip",
	    FOU4("port 5554 ipproto 4", "ipip",
		 "encap fou encap-dport 5554 encap-csum"),
	    .layers = "eth/ip4/udp/fou" }, .only4 = true },
	{ { "fou with checksum, sit",
	    FOU4("port 5555 ipproto 41", "sit",
		 "encap fou encap-dport 5555 encap-csum"),
	    .layers = "eth/ip4/udp/fou" }, .only6 = true },
	{ { "fou with checksum, gre",
	    FOU4("port 5556 ipproto 47", "gre",
		 "encap fou encap-dport 5556 encap-csum"),
	    .layers = "eth/ip4/udp/fou/gre" } },
	{ { "gue, ipip", FOU4("port 5557 gue", "ipip",
			      "encap gue encap-dport 5557 encap-csum"),
	    .layers = "eth/ip4/udp/gue" }, .only4 = true },
	{ { "gue, gre", FOU4("port 5557 gue", "gre",
			     "encap gue encap-dport 5557 noencap-csum"),
	    .layers = "eth/ip4/udp0/gue/gre" } },
	{ { "gre", TUNNEL4("gre", "ttl 64"), .layers = "eth/ip4/gre" } },
	{ { "gre with checksum", TUNNEL4("gre", "ttl 64 csum"),
	    .layers = "eth/ip4/grecsum" } },
	{ { "gretap", TUNNEL4("gretap", "ttl 64"),
	    .layers = "eth/ip4/gre/eth" } },
	{ { "gretap with key and checksum",
	    TUNNEL4("gretap", "key 5 csum"),
	    .layers = "eth/ip4/grecsum/eth" } },
	{ { "ip6gre", TUNNEL6("ip6gre", "encaplimit none"),
	    .layers = "eth/ip6/gre" } },
	{ { "ip6gre with limit and checksum", TUNNEL6("ip6gre", "csum"),
	    .layers = "eth/ip6/dst/grecsum" } },
	{ { "ip6gretap", TUNNEL6("ip6gretap", "encaplimit none"),
	    .layers = "eth/ip6/gre/eth" } },
	{ { "ipip", TUNNEL4("ipip", "ttl 64"), .layers = "eth/ip4" },
	  .only4 = true },
	{ { "sit", TUNNEL4("sit", "ttl 64"), .layers = "eth/ip4" },
	  .only6 = true },
	{ { "ip6tnl", TUNNEL6("ip6tnl", "mode any encaplimit none"),
	    .layers = "eth/ip6" } },
	{ { "ip6tnl with limit", TUNNEL6("ip6tnl", "mode any"),
	    .layers = "eth/ip6/dst" } },
	{ { "xfrm interface", ENDS,
	    .tx = TX4 XFRM_SIDE("d0", "top", S4, "out"),
	    .rx = RX4 XFRM_SIDE("d1", "end", S4, "in"),
	    .layers = "eth/ip4/esp" }, .segments = true },
	{ { "xfrm interface over v6", ENDS,
	    .tx = TX6 XFRM_SIDE("d0", "top", S6, "out"),
	    .rx = RX6 XFRM_SIDE("d1", "end", S6, "in"),
	    .layers = "eth/ip6/esp" }, .segments = true },
	{ { "macsec", ENDS,
	    .tx = MACSEC_SIDE("d0", "top", "02:00:00:00:01:02", 1, 2),
	    .rx = MACSEC_SIDE("d1", "end", "02:00:00:00:01:01", 2, 1),
	    .layers = "eth/macsec" }, .segments = true },
	{ { "l2tp over ip", ENDS,
	    .tx = TX4 L2TP("encap ip", L4) "top",
	    .rx = RX4 L2TP("encap ip", R4) "end",
	    .layers = "eth/ip4/l2tp/eth" }, .segments = true },
	{ { "l2tp over udp", ENDS,
	    .tx = TX4 L2TP("encap udp udp_sport 1701 udp_dport 1701 "
			   "udp_csum on", L4) "top",
	    .rx = RX4 L2TP("encap udp udp_sport 1701 udp_dport 1701 "
			   "udp_csum on", R4) "end",
	    .layers = "eth/ip4/udp/l2tp/eth" }, .segments = true },
	{ { "vxlan in vxlan", ENDS,
	    .tx = TX4 "link add in type vxlan " L4 VXLAN "udpcsum;"
		  "addr add 10.1.0.1/24 dev in;link set in up;"
		  "link add top type vxlan id 2 dstport 4789 noudpcsum "
		  "dev in local 10.1.0.1 remote 10.1.0.2",
	    .rx = RX4 "link add in type vxlan " R4 VXLAN1 "udpcsum;"
		  "addr add 10.1.0.2/24 dev in;link set in up;"
		  "link add end type vxlan id 2 dstport 4789 noudpcsum "
		  "dev in local 10.1.0.2 remote 10.1.0.1",
	    .layers = "eth/ip4/udp/vxlan/eth/ip4/udp0/vxlan/eth" },
	  .nested = true },
	{ { "gre in geneve", ENDS,
	    .tx = TX4 GENEVE4("in", "10.0.0.2", "udpcsum;")
		  "addr add 10.1.0.1/24 dev in;link set in up;"
		  "link add top type gre local 10.1.0.1 remote 10.1.0.2",
	    .rx = RX4 GENEVE4("in", "10.0.0.1", "udpcsum;")
		  "addr add 10.1.0.2/24 dev in;link set in up;"
		  "link add end type gre local 10.1.0.2 remote 10.1.0.1",
	    .layers = "eth/ip4/udp/geneve/eth/ip4/gre" },
	  .nested = true },
	{ { "vlan over vxlan", ENDS,
	    .tx = TX4 "link add in type vxlan " L4 VXLAN "udpcsum;"
		  "link set in up;"
		  "link add link in name top mtu 1446 type vlan id 7",
	    .rx = RX4 "link add in type vxlan " R4 VXLAN1 "udpcsum;"
		  "link set in up;"
		  "link add link in name end mtu 1446 type vlan id 7",
	    .layers = "eth/ip4/udp/vxlan/eth/vlan" } },
	{ { "vxlan over vlan", ENDS,
	    .tx = "link add link d0 name lo7 type vlan id 7;link set lo7 up;"
		  "addr add 10.0.0.1/24 dev lo7;"
		  "link add top type vxlan id 1 dstport 4789 dev lo7 udpcsum"
		  L4,
	    .rx = "link add link d1 name lo7 type vlan id 7;link set lo7 up;"
		  "addr add 10.0.0.2/24 dev lo7;"
		  "link add end type vxlan id 1 dstport 4789 dev lo7 udpcsum"
		  R4,
	    .layers = "vlan/eth/ip4/udp/vxlan/eth" } },
	{ { "vxlan in a bridge", ENDS,
	    .tx = TX4 "link add in type vxlan " L4 VXLAN "udpcsum;"
		  "link add name top type bridge;link set in up master top",
	    .rx = RX4 "link add end type vxlan " R4 VXLAN1 "udpcsum",
	    .layers = "eth/ip4/udp/vxlan/eth" } },
};

/* Features of the tunnel device and of the lower device */
static const struct variant {
	const char *name;
	const char *features;
	bool wire;		/* frames are segments */
	bool top;
} variants[] = {
	{ "all on", "" },
	{ "lower USO off", "tx:d0 uso-", true },
	{ "lower checksum off", "tx:d0 csum-", true },
	{ "lower sg off", "tx:d0 sg-" },
	{ "top USO off", "tx:top uso-", true, true },
	{ "top checksum off", "tx:top csum- tx:d0 csum-", true, true },
};

static int device_mtu(const char *dev)
{
	struct ifreq ifr = {};
	int ret, fd = udp_socket(AF_INET, IPPROTO_UDP, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	ret = ioctl(fd, SIOCGIFMTU, &ifr);
	if (ret)
		die("MTU of %s", dev);
	close(fd);

	return ifr.ifr_mtu;
}

static void test_tunnel(const struct test_case *tc)
{
	const struct variant *v = &variants[tc->dev];
	const struct tunnel *t = tc->row;
	struct ends e;

	if (!topo_open(&e, &t->topo, v->features, tc->fam))
		goto close;
	/* A GSO packet has outer headers for all of its segments together, so
	 * do not check frames.
	 */
	if (!v->wire && !t->segments)
		e.wire = -1;
	e.split_ids = v->top || t->segments || t->nested;
	send_shapes(&e, device_mtu("top"), 0);
close:
	ends_close(&e);
}

/* Inner extension headers. Without them, the lower device would segment. */

static const struct ext_row {
	const char *name;
	const char *layers;
	int opt, len;
	unsigned char val[24];
} ext_rows[] = {
	{ "hop-by-hop options", "/hop", IPV6_HOPOPTS, 8, { 0, 0, 1, 4 } },
	{ "destination options", "/dst", IPV6_DSTOPTS, 8,
	  { 0, 0, 0x1e, 4, 6, 7, 8 } },
	{ "routing header", "/rt", IPV6_RTHDR, 24, { 0, 2, 4 } },
};

static bool set_ext(struct ends *e, const struct ext_row *row)
{
	unsigned char val[24];

	memcpy(val, row->val, sizeof(val));
	if (row->opt == IPV6_RTHDR) {
		memcpy(val + 8, &e->to.v6.sin6_addr, 16);
		enter(RX);
		set_sysctl("ipv6/conf/all/seg6_enabled", "1");
		set_sysctl("ipv6/conf/end/seg6_enabled", "1");
		enter(TX);
	}
	if (setsockopt(e->tx, SOL_IPV6, row->opt, val, row->len))
		die("%s", row->name);
	e->ext = row->layers;

	return true;
}

static const char * const ext_tunnels[] = {
	"gre", "gre with checksum", "ip6gre", "ip6tnl", "ip6tnl with limit",
	"vxlan with checksum", "sit",
};

static const struct tunnel *find_tunnel(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tunnels); i++)
		if (!strcmp(tunnels[i].topo.name, name))
			return &tunnels[i];
	die("no tunnel %s", name);

	return NULL;
}

static void test_ext(const struct test_case *tc)
{
	const struct tunnel *t = find_tunnel(ext_tunnels[tc->dev]);
	const struct ext_row *row = tc->row;
	struct ends e;

	if (topo_open(&e, &t->topo, "", V6) && set_ext(&e, row)) {
		/* extension headers: segmented before the tunnel */
		e.split_ids = true;
		send_shapes(&e, device_mtu("top"), row->len);
	}
	ends_close(&e);
}

/* GSO packets from another namespace that are forwarded into a tunnel */

#define MID4	"addr add 10.0.0.1/24 dev e0;"
#define END4	"addr add 10.0.0.2/24 dev e1;"
#define MID6	"addr add fd00::1/64 dev e0 nodad;"
#define END6	"addr add fd00::2/64 dev e1 nodad;"
#define ROUTED	.routed = true, .out = "out", .end = "end", .wire = "e1"

static const struct topo routed[] = {
	{ "gre", ROUTED, .layers = "eth/ip4/gre",
	  .mid = MID4 "link add out type gre" L4,
	  .rx = END4 "link add end type gre" R4 },
	{ "ip6gre", ROUTED, .layers = "eth/ip6/dst/gre",
	  .mid = MID6 "link add out type ip6gre" L6,
	  .rx = END6 "link add end type ip6gre" R6 },
	{ "ip6tnl", ROUTED, .layers = "eth/ip6/dst",
	  .mid = MID6 "link add out type ip6tnl mode any" L6,
	  .rx = END6 "link add end type ip6tnl mode any" R6 },
	{ "vxlan", ROUTED, .layers = "eth/ip4/udp/vxlan/eth",
	  .mid = MID4 "link add out type vxlan id 1 dstport 4789 "
		       "dev e0 udpcsum" L4,
	  .rx = END4 "link add end type vxlan id 1 dstport 4789 "
		      "dev e1 udpcsum" R4 },
	{ "geneve over v6", ROUTED, .layers = "eth/ip6/udp/geneve/eth",
	  .mid = MID6 GENEVE4("out", "fd00::2", ""),
	  .rx = END6 GENEVE4("end", "fd00::1", "") },
};

static const struct variant routed_variants[] = {
	{ "all on", "" },
	{ "lower USO off", "mid:e0 uso-", true },
	{ "lower checksum off", "mid:e0 csum-", true },
	{ "top USO off", "mid:out uso-", true, true },
};

static bool send_fitting(const struct ends *e, int most)
{
	return send_call(e, payload, 2000, 1000) &&
	       send_call(e, payload, 20001, 1000) &&
	       send_call(e, payload, 10 * most, most);
}

static void test_routed(const struct test_case *tc)
{
	const struct variant *v = &routed_variants[tc->dev];
	struct ends e;
	int mtu;

	if (!topo_open(&e, tc->row, v->features, tc->fam))
		goto close;
	if (!v->wire)
		e.wire = -1;
	e.split_ids = v->top;
	enter(MID);
	mtu = device_mtu("out");
	enter(TX);
	send_fitting(&e, mtu - (tc->fam == V6 ? 48 : 28));
close:
	ends_close(&e);
}

/* WireGuard */

#define WG_MTU		1420

static bool wg_keyed(enum family fam)
{
	struct addr tx = addr_of(fam, "10.0.0.1", "fd00::1", WG_PORT);
	struct addr rx = addr_of(fam, "10.0.0.2", "fd00::2", WG_PORT);

	return ip_in(RX, "link set d1 up;link add end type wireguard;" RX4 RX6) &&
	       wg_set(TX, "top", 0, &rx) && wg_set(RX, "end", 1, &tx);
}

static bool wg_keyed4(void)
{
	return wg_keyed(V4);
}

static bool wg_keyed6(void)
{
	return wg_keyed(V6);
}

static const struct topo wg[] = {
	{ "wireguard", ENDS, .late = wg_keyed4,
	  .tx = TX4 TX6 "link add top type wireguard",
	  .layers = "eth/ip4/udp/wg" },
	{ "wireguard over v6", ENDS, .late = wg_keyed6,
	  .tx = TX4 TX6 "link add top type wireguard",
	  .layers = "eth/ip6/udp/wg" },
};

static int wg_len(int ip_len)
{
	int padded = (ip_len + 15) / 16 * 16;

	return 32 + (padded < WG_MTU ? padded : WG_MTU);
}

/* Each datagram is in a separate, padded packet. The last packet is the fence.
 */
static bool expect_wg_wire(const struct ends *e, int len, int size)
{
	int hlen = e->fam == V6 ? 48 : 28, n, want;
	struct walk w;

	do {
		n = len < size ? len : size;
		want = wg_len(hlen + (n ? n : (int)sizeof(fence_text)));
		for (;;) {
			if (wire_recv(e->wire) < 0) {
				if (!readable(e->wire, RX_TIMEOUT_MS))
					return fail("a packet is missing");
				continue;
			}
			if (!wire_walk(&w, false))
				return false;
			/* packets of 32 bytes are keepalives */
			if (w.opaque && w.len > 32)
				break;
		}
		if (strcmp(w.layers, e->layers))
			return fail("%s: expected %s", w.layers, e->layers);
		if (!expect_long("length of an encrypted packet", want, w.len))
			return false;
		len -= n;
	} while (n);

	return true;
}

static void test_wireguard(const struct test_case *tc)
{
	static const struct {
		int len, size;
	} calls[] = {
		{ 2000, 1000 }, { 20001, 1000 }, { 1000, 1000 },
		{ 5 * 1372, 1372 },
	};
	const struct variant *v = &variants[tc->dev];
	struct gso_send s = { .data = payload };
	struct expect exp = { .data = payload };
	struct ends e;
	size_t i;

	if (!topo_open(&e, tc->row, v->features, tc->fam))
		goto close;
	/* Drain the packets that topo_open() has sent. They are encrypted, so
	 * they cannot be distinguished from a short last segment.
	 */
	send_fence(e.tx, &e.to);
	if (!expect_rx(e.rx, &e.from, NULL, 0))
		goto close;
	drain_wire();
	s.to = &e.to;
	for (i = 0; i < ARRAY_SIZE(calls) && !case_failed; i++) {
		s.len = calls[i].len;
		s.cmsg = calls[i].size;
		exp.len = s.len;
		exp.size = s.cmsg;
		exp.count = (s.len + s.cmsg - 1) / s.cmsg;
		expect_ret("send", s.len, gso_send(e.tx, &s));
		send_fence(e.tx, &e.to);
		expect_rx(e.rx, &e.from, &exp, 1);
		if (v->wire)
			expect_wg_wire(&e, s.len, s.cmsg);
		else
			drain_wire();
	}
close:
	ends_close(&e);
}

/* Multicast through AMT, to a group that the receiver has joined */

#define AMT_PORTS	"relay_port 2268"

static const struct topo amt = {
	"amt", ENDS, .layers = "eth/ip4/udp/amt",
	.tx = TX4 "link add top type amt mode relay local 10.0.0.1 dev d0 "
		  AMT_PORTS,
	.rx = RX4 "link add end type amt mode gateway local 10.0.0.2 dev d1 "
		  "discovery 10.0.0.1 gateway_port 2268 " AMT_PORTS,
};

static bool amt_join(int fd, const struct addr *group)
{
	struct group_req req = {};
	int ret;

	enter(RX);
	req.gr_interface = if_nametoindex("end");
	enter(TX);
	memcpy(&req.gr_group, &group->sa, group->len);
	ret = setsockopt(fd, group->sa.sa_family == AF_INET ? SOL_IP : SOL_IPV6,
			 MCAST_JOIN_GROUP, &req, sizeof(req));

	return expect_ret("join", 0, ret ? -errno : 0);
}

static bool amt_open(struct ends *e, enum family fam)
{
	struct addr from = addr_of(fam, "192.0.2.1", "2001:db8::1", PORT);
	struct addr to = addr_of(fam, "239.1.2.3", "ff0e::123", PORT);
	char c;
	int i;

	memset(e, 0, sizeof(*e));
	e->tx = -1;
	e->rx = -1;
	if (!topo_up(&amt, ""))
		return false;
	e->fam = fam;
	e->from = from;
	e->to = to;
	e->layers = amt.layers;
	e->ext = "";
	e->wire = topo_wire;
	e->split_ids = true;
	bind_device = "top";
	e->tx = bound_socket(TX, &from, 0);
	bind_device = NULL;
	e->rx = bound_socket(RX, &to, SOCK_NONBLOCK);
	if (!supports_segment(e->tx) || !amt_join(e->rx, &to))
		return false;
	/* Wait until a datagram arrives: then relay and gateway are connected
	 * and the gateway has joined the group.
	 */
	for (i = 0; i < 400; i++) {
		send_fence(e->tx, &to);
		if (readable(e->rx, 50))
			break;
	}
	usleep(100000);
	while (recv(e->rx, &c, 1, 0) >= 0)
		;
	drain_wire();

	return i < 400 || fail("no datagram arrives through the tunnel");
}

static void test_amt(const struct test_case *tc)
{
	struct ends e;

	if (amt_open(&e, tc->fam))
		send_fitting(&e, device_mtu("top") - (tc->fam == V6 ? 48 : 28));
	ends_close(&e);
}

static void add_tunnel_cases(const struct tunnel *t)
{
	enum family fam;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(variants); i++) {
		for (fam = t->only6 ? V6 : V4; fam <= (t->only4 ? V4 : V6);
		     fam++)
			add_case(test_tunnel, t, fam, i, "%s: %s %s",
				 t->topo.name, family_name[fam],
				 variants[i].name);
	}
}

int main(int argc, char **argv)
{
	enum family fam;
	size_t i, j;

	topo_init();
	for (i = 0; i < ARRAY_SIZE(tunnels); i++)
		add_tunnel_cases(&tunnels[i]);
	for (i = 0; i < ARRAY_SIZE(ext_tunnels); i++)
		for (j = 0; j < ARRAY_SIZE(ext_rows); j++)
			add_case(test_ext, &ext_rows[j], V6, i, "%s: %s",
				 ext_tunnels[i], ext_rows[j].name);
	for (i = 0; i < ARRAY_SIZE(routed); i++)
		for (j = 0; j < ARRAY_SIZE(routed_variants); j++)
			for (fam = V4; fam <= V6; fam++)
				add_case(test_routed, &routed[i], fam, j,
					 "forwarded into %s: %s %s",
					 routed[i].name, family_name[fam],
					 routed_variants[j].name);
	for (i = 0; i < ARRAY_SIZE(wg); i++)
		for (j = 0; j < ARRAY_SIZE(variants); j++)
			for (fam = V4; fam <= V6; fam++)
				add_case(test_wireguard, &wg[i], fam, j,
					 "%s: %s %s", wg[i].name,
					 family_name[fam], variants[j].name);
	for (fam = V4; fam <= V6; fam++)
		add_case(test_amt, NULL, fam, 0, "amt: %s", family_name[fam]);
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
