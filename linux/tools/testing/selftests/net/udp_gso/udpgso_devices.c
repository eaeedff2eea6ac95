// SPDX-License-Identifier: GPL-2.0
/* Tests sends with UDP_SEGMENT through stacked virtual devices, with features
 * of the upper and the lower device on or off, and through a router and a
 * bridge. Frames and received datagrams are checked.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/if_team.h>
#include <linux/openvswitch.h>

#include "udpgso_netlink.h"
#include "udpgso_topo.h"

#define USO	"tx-udp-segmentation"

/* State of the feature tx-udp-segmentation */

static const struct state_row {
	const char *name;
	const char *lines;
	const char *dev;
	const char *features;
	const char *want;
} state_rows[] = {
	{ "lo", "", "lo", "", "on" },
	{ "dummy", "link add x type dummy", "x", "", "on" },
	{ "veth", "link add x type veth peer name y", "x", "", "on" },
	{ "ifb", "link add x type ifb", "x", "", "on" },
	{ "bridge", "link add x type bridge;link add y type dummy;"
	  "link set y master x", "x", "", "on" },
	{ "bond", "link add x type bond;link add y type dummy;"
	  "link set y master x", "x", "", "on" },
	{ "bond without ports", "link add x type bond", "x", "",
	  "off requested on" },
	{ "bond, port without USO", "link add x type bond;"
	  "link add y type dummy;link set y master x", "x", "tx:y uso-",
	  "off requested on" },
	{ "bond, port without checksum offload", "link add x type bond;"
	  "link add y type dummy;link set y master x", "x", "tx:y csum-",
	  "off requested on" },
	{ "bond, one port of two without USO", "link add x type bond;"
	  "link add y type dummy;link set y master x;link add z type dummy;"
	  "link set z master x", "x", "tx:y uso-", "on" },
	{ "team", "link add x type team;link add y type dummy;"
	  "link set y master x", "x", "", "on" },
	{ "team without ports", "link add x type team", "x", "",
	  "off requested on" },
	{ "vlan over veth", "link add y type veth peer name z;"
	  "link add link y name x type vlan id 7", "x", "", "on" },
	{ "vlan over veth without USO", "link add y type veth peer name z;"
	  "link add link y name x type vlan id 7", "x", "tx:y uso-", "on" },
	{ "vlan over veth without checksum offload",
	  "link add y type veth peer name z;"
	  "link add link y name x type vlan id 7", "x", "tx:y csum-",
	  "off requested on" },
	{ "vlan over dummy", "link add y type dummy;"
	  "link add link y name x type vlan id 7", "x", "",
	  "off requested on" },
	{ "vxlan", "link add x type vxlan id 1 dstport 4789 local 127.0.0.1",
	  "x", "", "on" },
	{ "geneve", "link add x type geneve id 1 remote 127.0.0.2", "x", "",
	  "on" },
	{ "bareudp", "link add x type bareudp dstport 6635 ethertype ipv4",
	  "x", "", "on" },
	{ "gre", "link add x type gre local 127.0.0.1 remote 127.0.0.2", "x",
	  "", "on" },
	{ "gretap", "link add x type gretap remote 127.0.0.2", "x", "", "on" },
	{ "ip6gre", "link add x type ip6gre local ::1 remote ::2", "x", "",
	  "on" },
	{ "ipip", "link add x type ipip local 127.0.0.1 remote 127.0.0.2",
	  "x", "", "on" },
	{ "sit", "link add x type sit local 127.0.0.1 remote 127.0.0.2", "x",
	  "", "on" },
	{ "ip6tnl", "link add x type ip6tnl local ::1 remote ::2", "x", "",
	  "on" },
	{ "wireguard", "link add x type wireguard", "x", "", "on" },
	{ "xfrm", "link add x type xfrm if_id 1", "x", "", "on" },
	{ "netkit", "link add x type netkit", "x", "", "on" },
	{ "macsec", "link add y type dummy;link add link y name x type macsec",
	  "x", "", "off fixed" },
	{ "amt", "link add y type dummy;addr add 10.0.0.1 dev y;"
	  "link add x type amt mode relay local 10.0.0.1 dev y "
	  "relay_port 2268", "x", "",
	  "off requested on" },
	{ "macvlan", "link add y type dummy;"
	  "link add link y name x type macvlan", "x", "", "on fixed" },
	{ "macvlan over a device without USO", "link add y type dummy;"
	  "link add link y name x type macvlan", "x", "tx:y uso-",
	  "on fixed" },
	{ "macvtap", "link add y type dummy;"
	  "link add link y name x type macvtap", "x", "", "on fixed" },
	{ "ipvlan", "link add y type dummy;"
	  "link add link y name x type ipvlan", "x", "", "on fixed" },
	{ "ipvtap", "link add y type dummy;"
	  "link add link y name x type ipvtap", "x", "", "on fixed" },
	{ "erspan", "link add x type erspan seq key 1 erspan_ver 1", "x", "",
	  "off fixed" },
};

static void test_state(const struct test_case *tc)
{
	const struct state_row *row = tc->row;

	topo_now = NULL;
	topo_reset();
	if (!ip_in(TX, "%s", row->lines) || !set_features(row->features, false) ||
	    !expect_feature(TX, row->dev, USO, row->want) ||
	    strcmp(row->want, "on"))
		return;

	set_feature(row->dev, USO, false);
	expect_feature(TX, row->dev, USO, "off");
	set_feature(row->dev, USO, true);
	expect_feature(TX, row->dev, USO, "on");
	if (strcmp(feature_state(row->dev, "tx-checksum-ip-generic"), "on"))
		return;

	/* the feature requires checksum offload, but not scatter-gather */
	set_feature(row->dev, "tx-checksum-ip-generic", false);
	expect_feature(TX, row->dev, USO, "off requested on");
	set_feature(row->dev, "tx-checksum-ip-generic", true);
	expect_feature(TX, row->dev, USO, "on");
	if (strcmp(feature_state(row->dev, "tx-scatter-gather"), "on"))
		return;

	set_feature(row->dev, "tx-scatter-gather", false);
	expect_feature(TX, row->dev, USO, "on");
}

/* Device stacks on top of d0 at the sender and of d1 at the receiver */

#define SLAVES		"link set d0 down;link set d0 master top;"	\
			"link set f0 master top"
#define PAIR2		"link add f0 type veth peer name f1 netns rx;"

/* Sets the mode of a team device with generic netlink, before ports are added.
 */
static bool team_mode(const char *dev, const char *mode)
{
	struct nl nl;
	int list, item;

	nl_genl(&nl, TEAM_GENL_NAME, TEAM_CMD_OPTIONS_SET);
	nl_u32(&nl, TEAM_ATTR_TEAM_IFINDEX, if_nametoindex(dev));
	list = nl_nest(&nl, TEAM_ATTR_LIST_OPTION);
	item = nl_nest(&nl, TEAM_ATTR_ITEM_OPTION);
	nl_str(&nl, TEAM_ATTR_OPTION_NAME, "mode");
	nl_u8(&nl, TEAM_ATTR_OPTION_TYPE, 5 /* string */);
	nl_str(&nl, TEAM_ATTR_OPTION_DATA, mode);
	nl_end(&nl, item);
	nl_end(&nl, list);

	/* -ESRCH means that no process listens to the event */
	return expect_ret("team mode", -ESRCH, nl_talk(&nl));
}

static bool team_ports(void)
{
	return ip_in(TX, "link add top type team") &&
	       team_mode("top", "roundrobin") &&
	       ip_in(TX, "link set d0 down;link set d0 master top");
}

static void ovs_nl(struct nl *nl, const char *family, int cmd, const char *dev)
{
	struct ovs_header ovs = { dev ? if_nametoindex(dev) : 0 };

	nl_genl(nl, family, cmd);
	nl_add(nl, &ovs, sizeof(ovs));
}

static void ovs_key(struct nl *nl, int attr, __u32 port)
{
	struct ovs_key_ethernet eth = {};
	int at = nl_nest(nl, attr);

	nl_u32(nl, OVS_KEY_ATTR_IN_PORT, port);
	nl_attr(nl, OVS_KEY_ATTR_ETHERNET, &eth, sizeof(eth));
	nl_end(nl, at);
}

/* Adds a flow that forwards all packets from one port to the other. */
static bool ovs_flow(__u32 from, __u32 to)
{
	struct nl nl;
	int at;

	ovs_nl(&nl, OVS_FLOW_FAMILY, OVS_FLOW_CMD_NEW, "top");
	nl.hdr.nlmsg_flags |= NLM_F_CREATE;
	ovs_key(&nl, OVS_FLOW_ATTR_KEY, from);
	ovs_key(&nl, OVS_FLOW_ATTR_MASK, -1);
	at = nl_nest(&nl, OVS_FLOW_ATTR_ACTIONS);
	nl_u32(&nl, OVS_ACTION_ATTR_OUTPUT, to);
	nl_end(&nl, at);

	return expect_ret("flow", 0, nl_talk(&nl));
}

/* Creates a switch with the local port 0 and the device as port 1. */
static bool ovs_ports(void)
{
	struct nl nl;

	ovs_nl(&nl, OVS_DATAPATH_FAMILY, OVS_DP_CMD_NEW, NULL);
	nl_str(&nl, OVS_DP_ATTR_NAME, "top");
	nl_u32(&nl, OVS_DP_ATTR_UPCALL_PID, 0);
	if (!expect_ret("switch", 0, nl_talk(&nl)))
		return false;

	ovs_nl(&nl, OVS_VPORT_FAMILY, OVS_VPORT_CMD_NEW, "top");
	nl_str(&nl, OVS_VPORT_ATTR_NAME, "d0");
	nl_u32(&nl, OVS_VPORT_ATTR_TYPE, OVS_VPORT_TYPE_NETDEV);
	nl_u32(&nl, OVS_VPORT_ATTR_UPCALL_PID, 0);

	return expect_ret("port", 0, nl_talk(&nl)) && ovs_flow(0, 1) &&
	       ovs_flow(1, 0);
}

static const struct topo stacks[] = {
	{ "veth" },
	{ "vlan", .top = "top", .end = "end", .wire = "d1",
	  .layers = "vlan/eth",
	  .tx = "link add link d0 name top type vlan id 7",
	  .rx = "link add link d1 name end type vlan id 7" },
	{ "vlan over vlan", .top = "top", .end = "end", .wire = "d1",
	  .layers = "vlan/eth/vlan",
	  .tx = "link add link d0 name s type vlan id 8 protocol 802.1ad;"
		"link set d0 mtu 1504;link set s up mtu 1504;"
		"link add link s name top mtu 1500 type vlan id 7",
	  .rx = "link add link d1 name s type vlan id 8 protocol 802.1ad;"
		"link set d1 mtu 1504;link set s up mtu 1504;"
		"link add link s name end mtu 1500 type vlan id 7" },
	{ "bridge", .top = "top",
	  .tx = "link add top type bridge;link set d0 master top" },
	{ "vlan over bridge", .top = "top", .end = "end", .wire = "d1",
	  .layers = "vlan/eth",
	  .tx = "link add name bri type bridge;link set d0 master bri;"
		"link set bri up;link add link bri name top type vlan id 7",
	  .rx = "link add link d1 name end type vlan id 7" },
	{ "bond, active-backup", .top = "top", .end = "end",
	  .tx = PAIR2 "link add top type bond mode active-backup miimon 10;"
		SLAVES,
	  .rx = "link add end type bridge;link set d1 master end;"
		"link set f1 up master end" },
	{ "bond, round robin", .top = "top", .end = "end",
	  .tx = PAIR2 "link add top type bond mode balance-rr miimon 10;"
		SLAVES,
	  .rx = "link add end type bond mode balance-rr miimon 10;"
		"link set d1 down;link set d1 master end;"
		"link set f1 master end" },
	{ "team", .top = "top", .late = team_ports },
	{ "openvswitch", .top = "top", .late = ovs_ports },
	{ "macvlan", .top = "top",
	  .tx = "link add link d0 name top type macvlan mode bridge" },
	{ "macvlan, both ends", .top = "top", .end = "end", .wire = "end",
	  .tx = "link add link d0 name top type macvlan mode vepa",
	  .rx = "link add link d1 name end type macvlan mode private" },
	{ "macvtap", .top = "top",
	  .tx = "link add link d0 name top type macvtap mode bridge" },
	{ "lower device of macvtap",
	  .tx = "link add link d0 name tap type macvtap;link set tap up" },
	{ "ipvlan l2", .top = "top",
	  .tx = "link add link d0 name top type ipvlan mode l2" },
	{ "ipvlan l3", .top = "top", .bind = "top",
	  .tx = "addr add 192.0.2.9/24 dev d0;"
		"addr add 2001:db8::9/64 dev d0 nodad;"
		"neigh add 192.0.2.2 lladdr 02:00:00:00:01:02 dev d0;"
		"neigh add 2001:db8::2 lladdr 02:00:00:00:01:02 dev d0;"
		"link add link d0 name top type ipvlan mode l3" },
	{ "vrf", .bind = "vr",
	  .tx = "link add vr type vrf table 10;link set vr up;"
		"link set d0 master vr" },
	{ "netkit", .bare = true, .top = "d0", .end = "d1",
	  .tx = "link add d0 type netkit;"
		"link set nk0 netns rx name d1" },
};

/* Features of the sender's device and of the lower device */
static const struct variant {
	const char *name;
	const char *features;
	bool unsegmented;
	bool top;
} variants[] = {
	{ "all on", "", true },
	{ "lower USO off", "tx:d0 uso-", false },
	{ "lower checksum off", "tx:d0 csum-", false },
	{ "lower sg off", "tx:d0 sg-", true },
	{ "lower sg, checksum off", "tx:d0 sg- csum-", false },
	{ "top USO off", "tx:top uso-", false, true },
	{ "top checksum off", "tx:top csum-", false, true },
	{ "top sg off", "tx:top sg-", true, true },
};

static void test_stack(const struct test_case *tc)
{
	const struct variant *v = &variants[tc->dev];
	const struct topo *t = tc->row;
	struct ends e;

	if (topo_open(&e, t, v->features, tc->fam)) {
		e.unsegmented = v->unsegmented;
		send_shapes(&e, MTU, 0);
	}
	ends_close(&e);
}

/* Forwarding: tx, d0, d1, mid, e0, e1, rx */

static const struct topo routed = { "routed", .routed = true };
static const struct topo bridged = { "bridged", .bridged = true };

static const struct variant hops[] = {
	{ "all on", "", true },
	{ "first hop USO off", "tx:d0 uso-", false },
	{ "first hop checksum off", "tx:d0 csum-", false },
	{ "second hop USO off", "mid:e0 uso-", false },
	{ "second hop checksum off", "mid:e0 csum-", false },
	{ "second hop sg off", "mid:e0 sg-", true },
	{ "second hop sg, checksum off", "mid:e0 sg- csum-", false },
};

static void test_hops(const struct test_case *tc)
{
	const struct variant *v = &hops[tc->dev];
	struct ends e;

	if (topo_open(&e, tc->row, v->features, tc->fam)) {
		e.unsegmented = v->unsegmented;
		send_shapes(&e, MTU, 0);
	}
	ends_close(&e);
}

/* IPv4 options, which a device with USO supports, and IPv6 extension headers,
 * which it does not support
 */

static const struct ext_row {
	const char *name;
	enum family fam;
	const char *layers;
	int level, opt, len;
	unsigned char val[40];
} ext_rows[] = {
	{ "options", V4, "opt", SOL_IP, IP_OPTIONS, 4, { 1, 1, 1, 1 } },
	{ "hop-by-hop options", V6, "/hop", SOL_IPV6, IPV6_HOPOPTS, 8,
	  { 0, 0, 1, 4 } },
	{ "destination options", V6, "/dst", SOL_IPV6, IPV6_DSTOPTS, 8,
	  { 0, 0, 0x1e, 4, 6, 7, 8 } },
	/* segment routing, no segments left; segment 0 is the destination */
	{ "routing header", V6, "/rt", SOL_IPV6, IPV6_RTHDR, 24,
	  { 0, 2, 4, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0,
	    0, 0, 0, 0, 0, 0, 0, 2 } },
};

static void set_ext(struct ends *e, const struct ext_row *row)
{
	unsigned char val[40];

	memcpy(val, row->val, sizeof(val));
	if (row->opt == IPV6_RTHDR && row->fam == V6)
		memcpy(val + 8, &e->to.v6.sin6_addr, 16);
	if (setsockopt(e->tx, row->level, row->opt, val, row->len))
		die("%s", row->name);
	e->ext = row->layers;
}

static const char * const ext_features[] = { "", "mid:e0 uso-", "tx:d0 uso-" };

static void test_ext(const struct test_case *tc)
{
	const struct ext_row *row = tc->row;
	struct ends e;

	if (!topo_open(&e, &routed, ext_features[tc->dev], row->fam))
		goto close;
	if (row->opt == IPV6_RTHDR && row->fam == V6) {
		enter(RX);
		set_sysctl("ipv6/conf/all/seg6_enabled", "1");
		set_sysctl("ipv6/conf/e1/seg6_enabled", "1");
		enter(TX);
	}

	set_ext(&e, row);
	/* devices can segment packets with IPv4 options */
	e.unsegmented = row->fam == V4 && !tc->dev;
	send_shapes(&e, MTU, row->len);
close:
	ends_close(&e);
}

/* A hop with a smaller MTU must cause the same ICMP errors and fragments as for
 * plain sends.
 */

#define SMALL_MTU	1300

static const struct topo small_mtu = {
	"small MTU", .routed = true, .mid = "link set e0 mtu 1300",
};

static const char * const small_features[] = {
	"", "tx:d0 uso-", "mid:e0 uso- csum- sg-",
};

static int path_mtu(const struct ends *e)
{
	int mtu, fd = udp_socket(e->to.sa.sa_family, IPPROTO_UDP, 0);

	if (connect(fd, &e->to.sa, e->to.len))
		die("connect");
	mtu = e->fam == V6 ? get_int(fd, SOL_IPV6, IPV6_MTU) :
			     get_int(fd, SOL_IP, IP_MTU);
	close(fd);

	return mtu;
}

static void test_too_big(const struct test_case *tc)
{
	int most = SMALL_MTU - (tc->fam == V6 ? 48 : 28);
	struct gso_send s = {
		.data = payload,
		.len = 5 * (most + 1),	/* all 5 segments exceed the MTU */
	};
	struct ends e;

	/* discard learned path MTUs */
	topo_now = NULL;
	if (!topo_open(&e, &small_mtu, small_features[tc->dev], tc->fam))
		goto close;

	expect_long("path MTU", MTU, path_mtu(&e));
	never_fragment(e.tx, tc->fam);
	s.to = &e.to;
	s.cmsg = most + 1;
	expect_ret("first send", s.len, gso_send(e.tx, &s));
	send_fence(e.tx, &e.to);
	if (!expect_rx(e.rx, &e.from, NULL, 0) ||
	    !expect_long("learned path MTU", SMALL_MTU, path_mtu(&e)))
		goto close;

	get_int(e.tx, SOL_SOCKET, SO_ERROR);	/* clears the ICMP error */
	expect_ret("second send", -EMSGSIZE, gso_send(e.tx, &s));
	ends_close(&e);
	if (!topo_open(&e, &small_mtu, small_features[tc->dev], tc->fam))
		goto close;
	e.unsegmented = !tc->dev;
	send_call(&e, payload, 10 * most, most);
close:
	ends_close(&e);
}

/* Stores the lengths of all frames up to the fence. Returns their number. */
static int frame_lengths(const struct ends *e, int *lens, int max)
{
	struct walk w;
	int nr = 0;

	for (;;) {
		if (wire_recv(e->wire) < 0) {
			if (!readable(e->wire, RX_TIMEOUT_MS))
				return fail("the fence is lost on the wire");
			continue;
		}
		if (!wire_walk(&w, e->l3) || w.ignored)
			continue;
		if (!w.opaque && is_fence(w.data, w.len))
			return nr;
		if (nr < max)
			lens[nr++] = frame.len;
	}
}

static void test_fragments(const struct test_case *tc)
{
	static const struct expect exp = { payload, 20001, 1400, 15 };
	int lens[2][100] = {}, nr[2] = {}, i;
	struct ends e;

	if (!topo_open(&e, &small_mtu, small_features[tc->dev], V4))
		goto close;
	if (set_int(e.tx, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT))
		die("IP_MTU_DISCOVER");

	for (i = 0; i < 2 && !case_failed; i++) {
		struct gso_send s = { &e.to, payload, exp.len, exp.size };

		if (i)
			send_plain(&e, payload, exp.len, exp.size);
		else
			expect_ret("send", exp.len, gso_send(e.tx, &s));
		send_fence(e.tx, &e.to);
		nr[i] = frame_lengths(&e, lens[i], ARRAY_SIZE(lens[i]));
		expect_rx(e.rx, &e.from, &exp, 1);
	}
	expect_long("frames of the plain sends", 29, nr[1]);
	expect_long("frames", nr[1], nr[0]);
	for (i = 0; i < nr[1] && !case_failed; i++)
		expect_long("length of a frame", lens[1][i], lens[0][i]);
close:
	ends_close(&e);
}

/* NAT of local sends: another source address and port */

#define SNAT(ip, to)							\
	"table " ip " nat {;chain c {;type nat hook postrouting "	\
	"priority 100;udp dport 4242 snat to " to ";};};"

static const struct topo nat = {
	"NAT", .tx_more = "addr add 192.0.2.9/24 dev d0;"
			  "addr add 2001:db8::9/64 dev d0 nodad",
};

/* tc->row: headers between IP and UDP; NULL: none */
static void test_nat(const struct test_case *tc)
{
	const struct variant *v = &variants[tc->dev];
	const struct ext_row *ext = tc->row;
	struct ends e;

	if (!topo_open(&e, &nat, v->features, tc->fam) ||
	    !batch(TX, "nft", "-f", SNAT("ip", "192.0.2.9:6000")
		   SNAT("ip6", "[2001:db8::9]:6000")))
		goto close;
	if (ext)
		set_ext(&e, ext);
	e.from = addr_of(tc->fam, "192.0.2.9", "2001:db8::9", 6000);
	e.unsegmented = v->unsegmented && (!ext || tc->fam == V4);
	send_shapes(&e, MTU, ext ? ext->len : 0);
	batch(TX, "nft", "-f", "flush ruleset");
close:
	ends_close(&e);
}

/* Frames that a dummy device gets */

static const struct variant dummies[] = {
	{ "all on", "", true },
	{ "USO off", "tx:d0 uso-", false },
	{ "checksum off", "tx:d0 csum-", false },
	{ "sg off", "tx:d0 sg-", true },
};

static void test_dummy(const struct test_case *tc)
{
	struct ends e = {
		.fam = tc->fam,
		.layers = "eth",
		.ext = "",
		.unsegmented = dummies[tc->dev].unsegmented,
		.no_socket = true,
		.tx = -1, .rx = -1, .wire = -1,
	};

	topo_now = NULL;
	topo_reset();
	bind_device = NULL;
	if (!ip_in(TX, "link add d0 type dummy;link set d0 up;"
		   "addr add 192.0.2.1/24 dev d0;"
		   "addr add 2001:db8::1/64 dev d0 nodad;"
		   "neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev d0;"
		   "neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev d0") ||
	    !set_features(dummies[tc->dev].features, false))
		return;
	e.from = addr_of(tc->fam, "192.0.2.1", "2001:db8::1", PORT);
	e.to = addr_of(tc->fam, "192.0.2.2", "2001:db8::2", PORT);
	e.tx = bound_socket(TX, &e.from, 0);
	e.wire = wire_open(TX, "d0");
	if (supports_segment(e.tx))
		send_shapes(&e, MTU, 0);
	close(e.wire);
	ends_close(&e);
}

static void add_stack_cases(const struct topo *t)
{
	enum family fam;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(variants); i++) {
		/* skip if there is no upper device or its USO is "on fixed" */
		if (variants[i].top && (!t->top || strstr(t->name, "vlan,") ||
					strstr(t->name, "macv") ||
					strstr(t->name, "ipvlan") ||
					!strcmp(t->top, "d0")))
			continue;
		/* with two ports, test only some variants */
		if (strstr(t->name, "round") && !variants[i].unsegmented &&
		    !variants[i].top)
			continue;
		for (fam = V4; fam <= V6; fam++)
			add_case(test_stack, t, fam, i, "%s: %s %s", t->name,
				 family_name[fam], variants[i].name);
	}
}

static void add_hop_cases(enum family fam)
{
	const char *f = family_name[fam];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(hops); i++) {
		add_case(test_hops, &routed, fam, i, "forwarded: %s %s", f,
			 hops[i].name);
		add_case(test_hops, &bridged, fam, i, "bridged: %s %s", f,
			 hops[i].name);
	}
	for (i = 0; i < ARRAY_SIZE(small_features); i++)
		add_case(test_too_big, NULL, fam, i,
			 "forwarded: %s too big, %s", f,
			 *small_features[i] ? small_features[i] : "all on");
	for (i = 0; i < ARRAY_SIZE(variants) && !variants[i].top; i++) {
		add_case(test_nat, NULL, fam, i, "NAT: %s %s", f,
			 variants[i].name);
		for (j = 0; j < ARRAY_SIZE(ext_rows); j++)
			if (ext_rows[j].fam == fam &&
			    ext_rows[j].opt != IPV6_RTHDR)
				add_case(test_nat, &ext_rows[j], fam, i,
					 "NAT: %s %s, %s", f, ext_rows[j].name,
					 variants[i].name);
	}
	for (i = 0; i < ARRAY_SIZE(dummies); i++)
		add_case(test_dummy, NULL, fam, i, "dummy: %s %s", f,
			 dummies[i].name);
}

int main(int argc, char **argv)
{
	size_t i, j;

	topo_init();
	for (i = 0; i < ARRAY_SIZE(state_rows); i++)
		add_case(test_state, &state_rows[i], V4, 0, "feature: %s",
			 state_rows[i].name);
	for (i = 0; i < ARRAY_SIZE(stacks); i++)
		add_stack_cases(&stacks[i]);
	for (i = 0; i < ARRAY_SIZE(ext_rows); i++)
		for (j = 0; j < ARRAY_SIZE(ext_features); j++)
			add_case(test_ext, &ext_rows[i], ext_rows[i].fam, j,
				 "forwarded: %s, %s", ext_rows[i].name,
				 *ext_features[j] ? ext_features[j] : "all on");
	add_hop_cases(V4);
	add_hop_cases(V6);
	for (i = 0; i < ARRAY_SIZE(small_features); i++)
		add_case(test_fragments, NULL, V4, i, "forwarded: fragments, %s",
			 *small_features[i] ? small_features[i] : "all on");
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
