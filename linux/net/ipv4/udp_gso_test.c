// SPDX-License-Identifier: GPL-2.0-or-later
/* KUnit tests of UDP segmentation (SKB_GSO_UDP_L4).
 *
 * Every GSO packet is built from one frame of bytes and passed to the
 * functions that the stack calls. The expected segments are derived from this
 * frame only, and checksums are computed without the code under test.
 */

#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/rcuref.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/dst.h>
#include <net/dst_metadata.h>
#include <net/gso.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/udp.h>
#include <net/udp_gso.h>
#include <net/udp_gso_walk.h>
#include <trace/events/udp.h>

#define TEST_OPT_LEN	8
#define TEST_MAX_HLEN	(VLAN_ETH_HLEN + sizeof(struct ipv6hdr) +	\
			 TEST_OPT_LEN + sizeof(struct udphdr))
#define TEST_MAX_FRAME	(TEST_MAX_HLEN + U16_MAX)
#define TEST_POOL_SIZE	(2 * SZ_64K)
#define TEST_POOL_GAP	13		/* gap between fragments, odd */
#define TEST_POISON	0xa5
#define TEST_MARK	0x5c
#define TEST_TSKEY	0x12345678
#define TEST_TRAILER	72		/* more tailroom than alignment adds */
#define TEST_TX_FLAGS	(SKBTX_HW_TSTAMP | SKBTX_ANY_SW_TSTAMP)
#define TEST_IP_ID	0xfffe		/* the third segment has ID 0 */

/* Geometry of a GSO packet: @full segments of @gso_size bytes, and one segment
 * of @tail bytes unless @tail is 0. The head has @linear bytes of the payload.
 * The rest is in page fragments of @frag bytes each. If @frag is 0, the packet
 * has no page fragments.
 */
struct udp_gso_geo {
	const char *kind;
	unsigned int full;
	unsigned int gso_size;
	unsigned int tail;
	unsigned int linear;
	unsigned int frag;
	bool list;		/* segments except the first in frag_list */
	bool head_frag;		/* heads are page fragments */
	bool pull;		/* IP and UDP header are not in the head */
	bool zcopy;		/* user pages, as with MSG_ZEROCOPY */
	bool shared;		/* SKBFL_SHARED_FRAG: file or spliced pages */
	bool options;		/* IPv4 options, IPv6 destination options */
	bool vlan;		/* the frame has a VLAN tag */
	bool no_df;
};

struct udp_gso_mode {
	const char *name;
	netdev_features_t features;
	netdev_features_t dev_partial;	/* dev->gso_partial_features */
	unsigned int gso_type;		/* besides SKB_GSO_UDP_L4 */
	bool csum_none;			/* CHECKSUM_NONE, not PARTIAL */
	bool rx;			/* not on the transmit path */
	bool clone;			/* the packet has a clone */
	bool reserve;			/* allocated from memory reserves */
};

struct udp_gso_param {
	const struct udp_gso_geo *geo;
	const struct udp_gso_mode *mode;
	bool v6;
};

/* A received packet that cannot be segmented for its socket, and the expected
 * number of drops
 */
struct udp_gso_drop {
	const char *name;
	unsigned int gso_type;		/* besides SKB_GSO_UDP_L4 */
	u16 gso_segs;
	unsigned int want;
};

struct udp_gso_refusal {
	const char *name;
	unsigned int full;
	unsigned int tail;
	unsigned int gso_type;		/* SKB_GSO_UDP_L4 if zero */
	int csum_shift;			/* added to csum_start */
	int end;			/* packet end - udp_off; 0: no change */
};

/* A send and the expected number of datagrams in each of its packets. A GSO
 * packet has at most UDP_MAX_SEGMENTS segments. A device with USO may have a
 * lower limit.
 */
struct udp_gso_tx {
	const char *name;
	unsigned int payload;
	unsigned int gso_size;
	unsigned int part;		/* datagrams per packet; 0: all */
	unsigned int frag;		/* as in struct udp_gso_geo */
	unsigned int max_segs;		/* gso_max_segs of a device with USO */
	unsigned int room;		/* datagrams that gso_max_size allows */
	unsigned int less;		/* subtracted from gso_max_size */
	unsigned int over;		/* bytes over the path MTU */
	bool may_fragment;		/* IP_PMTUDISC_DONT */
	bool df_last;			/* DF only in the last datagram */
	bool no_check;
	bool lite;
	bool xfrm;
};

struct udp_gso_tx_param {
	const struct udp_gso_tx *tx;
	bool v6;
};

/* Payload in many fragments, and the expected result of udp_gso_make_room() */
struct udp_gso_room {
	const char *name;
	unsigned int payload;
	unsigned int frag;
	unsigned int gso_size;
	int err;			/* -EMSGSIZE: no room */
	bool zcopy;
	bool shared;
	int want;
};

/* State that a failure must not change */
struct udp_gso_state {
	struct sk_buff skb;
	struct skb_shared_info shinfo;
	unsigned int headroom;
	unsigned int wmem;
};

struct udp_gso_test {
	struct udp_gso_geo geo;
	const struct udp_gso_mode *mode;
	bool v6;

	u8 *frame;			/* frame that is sent */
	u8 *wire;			/* bytes of a segment */
	u8 want[TEST_MAX_HLEN];		/* expected headers */
	unsigned int net_off;
	unsigned int udp_off;
	unsigned int data_off;
	unsigned int payload;
	unsigned int len;		/* of the frame */
	unsigned int zero_at;		/* offset of segment with checksum 0 */

	struct net_device *dev;
	struct metadata_dst *md;	/* dst of the GSO packets */
	struct rtable rt;		/* route of a send */
	unsigned int mtu;		/* path MTU of rt */
	struct socket *sock;
	void (*destructor)(struct sk_buff *skb);
	unsigned int destroyed;		/* calls of the foreign destructor */
	struct sk_buff *clone;
	struct page *pool;		/* holds all page fragments */
	unsigned int pool_used;
	struct ubuf_info uarg;
	unsigned int completions;	/* zerocopy completions */
	bool copied;			/* the completion reported a copy */
	struct udp_gso_state was;
	int path;			/* last packet's enum udp_gso_path */
	bool failed;			/* an allocation failed */
};

/* One expected segment. */
struct udp_gso_seg {
	unsigned int pos;		/* offset in the payload */
	unsigned int len;
	unsigned int nr;		/* datagrams before it */
	unsigned int gso_segs;		/* of a GSO packet, otherwise 0 or 1 */
};

/* The first TEST_NR_SPLIT_MODES modes are tested with all geometries, because
 * they differ in the code that copies or references the payload. The other
 * modes are tested with few geometries. The first TEST_NR_ALLOC_MODES modes
 * also allocate differently, so they are also tested with failing allocations.
 */
#define TEST_NR_SPLIT_MODES	10
#define TEST_NR_ALLOC_MODES	7

static const struct udp_gso_mode udp_gso_modes[] = {
	{
		.name = "csum",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM,
	}, {
		.name = "no-csum",
		.features = NETIF_F_SG,
	}, {
		.name = "no-csum,no-sg",
	}, {
		.name = "unsummed,cloned",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM,
		.csum_none = true,
		.clone = true,
	}, {
		.name = "csum,reserve",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM,
		.reserve = true,
	}, {
		.name = "no-csum,reserve",
		.features = NETIF_F_SG,
		.reserve = true,
	}, {
		.name = "no-csum,no-sg,reserve",
		.reserve = true,
	}, {
		.name = "csum,no-sg",
		.features = NETIF_F_HW_CSUM,
	}, {
		.name = "csum,untrusted",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM,
		.gso_type = SKB_GSO_DODGY,
	}, {
		.name = "partial",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_GSO_PARTIAL,
		.dev_partial = NETIF_F_GSO_UDP_L4,
	}, {
		.name = "partial,not-udp",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_GSO_PARTIAL,
	}, {
		.name = "csum,cloned",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM,
		.clone = true,
	}, {
		.name = "csum,rx",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM,
		.rx = true,
	}, {
		.name = "unsummed",
		.features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_GSO_UDP_L4,
		.csum_none = true,
	}, {
		.name = "ip-csum",
		.features = NETIF_F_SG | NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM,
	}, {
		.name = "v4-csum",
		.features = NETIF_F_SG | NETIF_F_IP_CSUM,
	}, {
		.name = "v6-csum",
		.features = NETIF_F_SG | NETIF_F_IPV6_CSUM,
	},
};

#define GEO(_kind, _full, _gso_size, _tail, ...) {			\
	.kind = (_kind), .full = (_full), .gso_size = (_gso_size),	\
	.tail = (_tail), ##__VA_ARGS__					\
}

static const struct udp_gso_geo udp_gso_geos[] = {
	GEO("linear", 2, 1, 0),
	GEO("linear", 128, 1, 0),
	GEO("linear", 1, 1452, 1),
	GEO("linear", 2, 1452, 0),
	GEO("linear", 3, 1471, 1470),
	GEO("linear", 43, 1452, 1451),
	GEO("linear", 44, 1452, 0),
	GEO("linear", 127, 513, 1),
	GEO("linear", 1, 65506, 1),
	GEO("linear,options", 3, 1432, 8, .options = true),
	GEO("linear,vlan", 3, 1452, 8, .vlan = true),
	GEO("linear,no-df", 3, 1452, 8, .no_df = true),
	GEO("head_frag", 2, 1000, 1, .head_frag = true),
	GEO("frags-1452", 2, 1452, 0, .frag = 1452),
	GEO("frags-1452", 16, 1452, 1, .frag = 1452),
	GEO("frags-4096", 44, 1452, 0, .frag = 4096),
	GEO("frags-3777", 44, 1452, 1, .frag = 3777),
	GEO("frags-32768", 45, 1452, 0, .frag = 32768),
	GEO("frags-4096,shared", 3, 1452, 1, .frag = 4096, .shared = true),
	GEO("frags-4095", 128, 511, 0, .frag = 4095),
	GEO("frags-91", 1, 1452, 1, .frag = 91),
	GEO("frags-25", 3, 100, 99, .frag = 25),
	GEO("frags-8", 128, 1, 0, .frag = 8),
	GEO("frags-1", 2, 5, 4, .frag = 1),
	GEO("frags-999,options", 3, 1432, 8, .frag = 999, .options = true),
	GEO("frags-999,vlan", 3, 1452, 8, .frag = 999, .vlan = true),
	GEO("1+frags-4096", 44, 1452, 700, .linear = 1, .frag = 4096),
	GEO("1000+frags-3001", 4, 1000, 1, .linear = 1000, .frag = 3001),
	GEO("1501+frags-333", 4, 1000, 0, .linear = 1501, .frag = 333),
	GEO("3999+frags-1", 4, 1000, 0, .linear = 3999, .frag = 1),
	GEO("pull", 8, 1452, 3, .frag = 1021, .pull = true),
	GEO("zcopy", 16, 1452, 7, .frag = 4096, .zcopy = true),
	GEO("77+zcopy", 3, 1452, 0, .linear = 77, .frag = 1111, .zcopy = true),
	GEO("list", 5, 1400, 7, .linear = 1400, .list = true),
	GEO("list,head_frag", 5, 1400, 0, .linear = 1400, .list = true,
	    .head_frag = true),
	GEO("list,frags-701", 5, 1400, 1, .frag = 701, .list = true),
};

static const struct udp_gso_geo udp_gso_count_geos[] = {
	GEO("linear", 128, 511, 0),
	GEO("frags", 128, 511, 0, .frag = 4095),
};

static const struct udp_gso_geo udp_gso_zero_geos[] = {
	GEO("linear", 5, 1001, 0),
	GEO("frags", 4, 1000, 3, .frag = 777),
};

static const struct udp_gso_geo udp_gso_alloc_geos[] = {
	GEO("linear", 2, 1452, 1),
	GEO("3+frags", 2, 1452, 1, .linear = 3, .frag = 1000),
	GEO("pull", 2, 1452, 1, .frag = 1000, .pull = true),
	GEO("zcopy", 2, 1452, 1, .frag = 1000, .zcopy = true),
	GEO("list", 2, 1400, 1, .linear = 1400, .list = true),
	GEO("many", 127, 500, 1, .frag = 4096),
	GEO("large", 3, 5000, 1),
	/* The head of every segment is a separate allocation. */
	GEO("all large", 2, 6000, 5000),
};

static const struct udp_gso_geo udp_gso_length_geos[] = {
	GEO("linear", 2, 1000, 1),
	GEO("options", 2, 1000, 1, .options = true),
	GEO("vlan", 2, 1000, 1, .vlan = true),
};

static const struct udp_gso_drop udp_gso_drops[] = {
	{ "three datagrams", 0, 3, 3 },
	{ "a number that is not known", SKB_GSO_DODGY, 0, 1 },
};

KUNIT_ARRAY_PARAM_DESC(udp_gso_drop, udp_gso_drops, name);

static const struct udp_gso_refusal udp_gso_refusals[] = {
	{ "one byte", 0, 1 },
	{ "one datagram of gso_size", 1, 0 },
	{ "not UDP by type", 2, 1, .gso_type = SKB_GSO_TCPV4 },
	{ "csum_start before the UDP header", 2, 1, .csum_shift = -2 },
	{ "csum_start after the UDP header", 2, 1, .csum_shift = 2 },
	{ "no payload", 2, 1, .end = sizeof(struct udphdr) },
	{ "UDP header cut short", 2, 1, .end = sizeof(struct udphdr) - 1 },
	{ "IP header cut short", 2, 1, .end = -TEST_OPT_LEN - 1 },
};

#define TX(_name, _payload, _gso_size, _part, ...) {			\
	.name = (_name), .payload = (_payload),				\
	.gso_size = (_gso_size), .part = (_part), ##__VA_ARGS__		\
}

static const struct udp_gso_tx udp_gso_txs[] = {
	TX("one byte", 1, 1, 0),
	TX("a byte less than one", 999, 1000, 0),
	TX("one datagram", 1000, 1000, 0),
	TX("a byte more than one", 1001, 1000, 0),
	TX("128 of one byte", 128, 1, 0),
	TX("129 of one byte", 129, 1, 128),
	TX("130 of one byte", 130, 1, 128),
	TX("256 of one byte", 256, 1, 128),
	TX("257 of one byte", 257, 1, 128),
	TX("127 and a byte", 25401, 200, 0, .frag = 4096),
	TX("128", 25600, 200, 0, .frag = 4096),
	TX("128 and a byte", 25601, 200, 128, .frag = 4096),
	TX("129 and a byte", 25801, 200, 128, .frag = 4096),
	TX("129, a byte less", 25799, 200, 128, .frag = 4096),
	TX("256 and a byte", 51201, 200, 128, .frag = 32768),
	TX("the longest", 65507, 1452, 0, .frag = 4096),
	TX("the longest, small ones", 65507, 511, 128, .frag = 32768),
	TX("the longest, of one byte", 65507, 1, 128, .frag = 32768),
	TX("64, max_segs 64", 64000, 1000, 0, .frag = 4096, .max_segs = 64),
	TX("64 and a byte, max_segs 64", 64001, 1000, 64, .frag = 4096,
	   .max_segs = 64),
	TX("65, max_segs 64", 5850, 90, 64, .max_segs = 64),
	TX("129, max_segs 65535", 12900, 100, 128, .max_segs = U16_MAX),
	TX("2, max_segs 1", 2000, 1000, 1, .max_segs = 1),
	TX("3, max_segs 0", 3000, 1000, 1, .max_segs = 0, .room = 44),
	TX("19, room for 19", 19000, 1000, 0, .frag = 4096, .max_segs = 128,
	   .room = 19),
	TX("20, room for 19", 20000, 1000, 19, .frag = 4096, .max_segs = 128,
	   .room = 19),
	TX("19, a byte less room", 19000, 1000, 18, .frag = 4096,
	   .max_segs = 128, .room = 19, .less = 1),
	TX("19, max_segs 7, room for 18", 19000, 1000, 7, .frag = 4096,
	   .max_segs = 7, .room = 18),
	TX("3, room for none", 3001, 1000, 1, .max_segs = 128, .room = 1,
	   .less = 1),
	TX("over the MTU", 4000, 1000, 1, .frag = 4096, .over = 1),
	TX("over the MTU, the last is not", 3999, 1000, 1, .frag = 4096,
	   .over = 1, .df_last = true),
	TX("over the MTU, the last is", 3999, 1000, 1, .frag = 4096,
	   .over = 2),
	TX("over the MTU, may fragment", 3001, 1000, 1, .over = 1,
	   .may_fragment = true),
	TX("one over the MTU", 1000, 1000, 0, .over = 1),
	TX("may fragment", 60000, 1000, 0, .frag = 4096, .may_fragment = true),
	TX("129, may fragment", 129, 1, 128, .may_fragment = true),
	TX("no checksum", 4001, 1000, 1, .frag = 777, .no_check = true),
	TX("no checksum, one", 1000, 1000, 0, .no_check = true),
	TX("no checksum, 300", 300, 1, 1, .no_check = true),
	TX("UDP-Lite", 4000, 1000, 1, .frag = 4096, .lite = true),
	TX("IPsec", 4001, 1000, 1, .frag = 4096, .xfrm = true),
	TX("IPsec, linear", 4000, 1000, 1, .xfrm = true),
	TX("IPsec, 65507 bytes", 65507, 1400, 1, .frag = 4096, .xfrm = true),
};

static const struct udp_gso_room udp_gso_rooms[] = {
	{ "zerocopy", 17000, 1000, 1000, -EMSGSIZE, .zcopy = true },
	{ "page cache", 17000, 1000, 1000, -EMSGSIZE },
	{ "one byte each", 17, 1, 1, -EMSGSIZE, .zcopy = true },
	{ "as much as can be", 65507, 3854, 1452, -EMSGSIZE, .zcopy = true },
	{ "a page and a byte", 4097, 4096, 1000, -EMSGSIZE },
	{ "no pages", 1000, 0, 1000, -EMSGSIZE, .zcopy = true },
	{ "not for want of room", 17000, 1000, 1000, -EFAULT, .zcopy = true,
	  .want = -EFAULT },
	{ "not segmented", 17000, 1000, 0, -EMSGSIZE, .zcopy = true,
	  .want = -EMSGSIZE },
	{ "shared", 17000, 1000, 1000, -EMSGSIZE, .zcopy = true,
	  .shared = true, .want = -EINVAL },
};

static void udp_gso_describe(const struct udp_gso_param *p, char *desc)
{
	const struct udp_gso_geo *geo = p->geo;
	char tail[16] = "";

	if (geo->tail)
		snprintf(tail, sizeof(tail), "+%u", geo->tail);
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s %ux%u%s %s",
		 p->v6 ? "v6" : "v4", geo->kind, geo->full, geo->gso_size,
		 tail, p->mode->name);
}

/* With NETIF_F_GSO_PARTIAL, skb_segment() cannot merge members of a frag_list
 * that have linear data.
 */
static bool udp_gso_applies(const struct udp_gso_param *p)
{
	return !(p->geo->list && p->mode->dev_partial) &&
	       !(p->v6 && !IS_ENABLED(CONFIG_IPV6));
}

/* Combines all geometries and families with the first @nr_modes modes. */
static const void *udp_gso_next(const void *prev, char *desc,
				const struct udp_gso_geo *geos, size_t nr_geos,
				size_t nr_modes)
{
	static struct udp_gso_param p;
	static size_t i;

	for (i = prev ? i + 1 : 0; i < nr_geos * 2 * nr_modes; i++) {
		p.geo = &geos[i / nr_modes / 2];
		p.v6 = i / nr_modes % 2;
		p.mode = &udp_gso_modes[i % nr_modes];
		if (udp_gso_applies(&p)) {
			udp_gso_describe(&p, desc);
			return &p;
		}
	}
	return NULL;
}

static const void *udp_gso_split_params(const void *prev, char *desc)
{
	return udp_gso_next(prev, desc, udp_gso_geos, ARRAY_SIZE(udp_gso_geos),
			    TEST_NR_SPLIT_MODES);
}

static const void *udp_gso_walk_params(const void *prev, char *desc)
{
	return udp_gso_next(prev, desc, udp_gso_geos, ARRAY_SIZE(udp_gso_geos),
			    1);
}

static const void *udp_gso_count_params(const void *prev, char *desc)
{
	return udp_gso_next(prev, desc, udp_gso_count_geos,
			    ARRAY_SIZE(udp_gso_count_geos),
			    ARRAY_SIZE(udp_gso_modes));
}

static const void *udp_gso_zero_params(const void *prev, char *desc)
{
	return udp_gso_next(prev, desc, udp_gso_zero_geos,
			    ARRAY_SIZE(udp_gso_zero_geos),
			    ARRAY_SIZE(udp_gso_modes));
}

static const void *udp_gso_alloc_params(const void *prev, char *desc)
{
	return udp_gso_next(prev, desc, udp_gso_alloc_geos,
			    ARRAY_SIZE(udp_gso_alloc_geos),
			    TEST_NR_ALLOC_MODES);
}

static const void *udp_gso_whole_params(const void *prev, char *desc)
{
	return udp_gso_next(prev, desc, udp_gso_geos, ARRAY_SIZE(udp_gso_geos),
			    1);
}

static const void *udp_gso_length_params(const void *prev, char *desc)
{
	return udp_gso_next(prev, desc, udp_gso_length_geos,
			    ARRAY_SIZE(udp_gso_length_geos),
			    1);
}

static const void *udp_gso_tx_params(const void *prev, char *desc)
{
	static struct udp_gso_tx_param p;
	static size_t i;

	for (i = prev ? i + 1 : 0; i < 2 * ARRAY_SIZE(udp_gso_txs); i++) {
		p.tx = &udp_gso_txs[i / 2];
		p.v6 = i % 2;
		if ((p.v6 && !IS_ENABLED(CONFIG_IPV6)) ||
		    (p.tx->xfrm && !IS_ENABLED(CONFIG_XFRM)))
			continue;
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s",
			 p.v6 ? "v6" : "v4", p.tx->name);
		return &p;
	}
	return NULL;
}

KUNIT_ARRAY_PARAM_DESC(udp_gso_refusal, udp_gso_refusals, name);
KUNIT_ARRAY_PARAM_DESC(udp_gso_room, udp_gso_rooms, name);

/* The frame */

static u32 udp_gso_csum(const u8 *data, unsigned int len, u32 sum)
{
	unsigned int i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get_unaligned_be16(data + i);
	return len & 1 ? sum + (data[len - 1] << 8) : sum;
}

static u16 udp_gso_fold(u32 sum)
{
	while (sum > U16_MAX)
		sum = (sum & U16_MAX) + (sum >> 16);
	return sum;
}

static u32 udp_gso_pseudo_csum(const struct udp_gso_test *t, unsigned int len)
{
	const u8 *nh = t->frame + t->net_off;

	if (t->v6)
		return udp_gso_csum(nh + offsetof(struct ipv6hdr, saddr), 32,
				   IPPROTO_UDP + len);
	return udp_gso_csum(nh + offsetof(struct iphdr, saddr), 8,
			   IPPROTO_UDP + len);
}

static void udp_gso_put_eth(struct udp_gso_test *t)
{
	u8 *type = t->frame + 2 * ETH_ALEN;

	memset(t->frame, TEST_MARK, 2 * ETH_ALEN);
	if (t->geo.vlan) {
		put_unaligned_be16(ETH_P_8021Q, type);
		put_unaligned_be16(42, type + 2);
		type += VLAN_HLEN;
	}
	put_unaligned_be16(t->v6 ? ETH_P_IPV6 : ETH_P_IP, type);
}

static void udp_gso_put_ipv4(struct udp_gso_test *t)
{
	struct iphdr *iph = (struct iphdr *)(t->frame + t->net_off);
	unsigned int ihl = t->udp_off - t->net_off;

	memset(iph, IPOPT_NOOP, ihl);
	iph->version = 4;
	iph->ihl = ihl / 4;
	iph->tos = 0xb8;
	iph->tot_len = htons(t->len - t->net_off);
	iph->id = htons(TEST_IP_ID);
	iph->frag_off = t->geo.no_df ? 0 : htons(IP_DF);
	iph->ttl = 61;
	iph->protocol = IPPROTO_UDP;
	iph->saddr = htonl(0xc0000201);
	iph->daddr = htonl(0xc6336402);
	iph->check = 0;
	put_unaligned_be16(~udp_gso_fold(udp_gso_csum((u8 *)iph, ihl, 0)),
			   &iph->check);
}

static void udp_gso_put_ipv6(struct udp_gso_test *t)
{
	static const u8 opts[TEST_OPT_LEN] = {
		IPPROTO_UDP, 0, IPV6_TLV_PADN, 4,
	};
	struct ipv6hdr *ip6h = (struct ipv6hdr *)(t->frame + t->net_off);

	ip6_flow_hdr(ip6h, 0xb8, htonl(0x54321));
	ip6h->payload_len = htons(t->len - t->net_off - sizeof(*ip6h));
	ip6h->nexthdr = t->geo.options ? NEXTHDR_DEST : IPPROTO_UDP;
	ip6h->hop_limit = 61;
	ipv6_addr_set(&ip6h->saddr, htonl(0x20010db8), 0, 0, htonl(1));
	ipv6_addr_set(&ip6h->daddr, htonl(0x20010db8), 0, htonl(9), htonl(2));
	if (t->geo.options)
		memcpy(ip6h + 1, opts, sizeof(opts));
}

static void udp_gso_put_udp(struct udp_gso_test *t)
{
	unsigned int len = t->len - t->udp_off;
	u8 *uh = t->frame + t->udp_off;

	put_unaligned_be16(40000, uh);
	put_unaligned_be16(443, uh + 2);
	put_unaligned_be16(len, uh + 4);
	put_unaligned_be16(udp_gso_fold(udp_gso_pseudo_csum(t, len)), uh + 6);
}

/* The payload is not periodic, so that a segment with data from a wrong offset
 * does not match.
 */
static void udp_gso_put_payload(struct udp_gso_test *t)
{
	unsigned int i;

	for (i = 0; i < t->payload; i++)
		t->frame[t->data_off + i] = (i * 0x9e3779b1) >> 24;
}

static void udp_gso_put_frame(struct kunit *test, struct udp_gso_test *t)
{
	t->net_off = t->geo.vlan ? VLAN_ETH_HLEN : ETH_HLEN;
	t->udp_off = t->net_off + (t->v6 ? sizeof(struct ipv6hdr) :
					   sizeof(struct iphdr));
	t->udp_off += t->geo.options ? TEST_OPT_LEN : 0;
	t->data_off = t->udp_off + sizeof(struct udphdr);
	t->payload = t->geo.full * t->geo.gso_size + t->geo.tail;
	t->len = t->data_off + t->payload;
	KUNIT_ASSERT_LE(test, t->len, TEST_MAX_FRAME);

	udp_gso_put_eth(t);
	if (t->v6)
		udp_gso_put_ipv6(t);
	else
		udp_gso_put_ipv4(t);
	udp_gso_put_udp(t);
	udp_gso_put_payload(t);
}

/* The GSO packet */

static struct sk_buff *udp_gso_head(struct kunit *test, struct udp_gso_test *t,
				    unsigned int pos, unsigned int len)
{
	unsigned int size = SKB_HEAD_ALIGN(NET_SKB_PAD + len);
	unsigned int headroom = NET_SKB_PAD;
	struct sk_buff *skb;
	void *data;

	if (t->geo.head_frag) {
		data = netdev_alloc_frag(size);
		KUNIT_ASSERT_NOT_NULL(test, data);
		skb = build_skb(data, size);
	} else {
		skb = alloc_skb(NET_SKB_PAD + len, GFP_KERNEL);
	}
	KUNIT_ASSERT_NOT_NULL(test, skb);

	/* Without tailroom, pulling data needs an allocation. */
	if (t->geo.pull)
		headroom = skb_tailroom(skb) - len;
	skb_reserve(skb, headroom);
	skb_put_data(skb, t->frame + pos, len);
	return skb;
}

static void udp_gso_add_frags(struct kunit *test, struct udp_gso_test *t,
			      struct sk_buff *skb, unsigned int pos,
			      unsigned int len)
{
	unsigned int size;

	for (; len; pos += size, len -= size) {
		size = min(len, t->geo.frag);
		KUNIT_ASSERT_LT(test, skb_shinfo(skb)->nr_frags, MAX_SKB_FRAGS);
		KUNIT_ASSERT_LE(test, t->pool_used + size, TEST_POOL_SIZE);

		memcpy(page_address(t->pool) + t->pool_used, t->frame + pos,
		       size);
		get_page(t->pool);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, t->pool,
				t->pool_used, size, size);
		t->pool_used += size + TEST_POOL_GAP;
	}
}

static void udp_gso_add_list(struct kunit *test, struct udp_gso_test *t,
			     struct sk_buff *skb, unsigned int pos,
			     unsigned int len)
{
	struct sk_buff **link = &skb_shinfo(skb)->frag_list;
	unsigned int size;

	for (; len; pos += size, len -= size) {
		size = min(len, t->geo.gso_size);
		*link = udp_gso_head(test, t, pos, t->geo.frag ? 0 : size);
		if (t->geo.frag)
			udp_gso_add_frags(test, t, *link, pos, size);

		skb->len += size;
		skb->data_len += size;
		skb->truesize += (*link)->truesize;
		link = &(*link)->next;
	}
}

static struct sk_buff *udp_gso_alloc(struct kunit *test, struct udp_gso_test *t)
{
	unsigned int pos = t->len;
	struct sk_buff *skb;

	memset(page_address(t->pool), TEST_POISON, TEST_POOL_SIZE);
	t->pool_used = 1;

	if (t->geo.pull)
		pos = t->net_off;
	else if (t->geo.frag || t->geo.list)
		pos = t->data_off + t->geo.linear;
	skb = udp_gso_head(test, t, 0, pos);

	if (t->geo.list) {
		if (t->geo.frag)
			udp_gso_add_frags(test, t, skb, pos, t->geo.gso_size);
		pos = skb->len;
		udp_gso_add_list(test, t, skb, pos, t->len - pos);
	} else {
		udp_gso_add_frags(test, t, skb, pos, t->len - pos);
	}
	return skb;
}

static void udp_gso_set_offload(const struct udp_gso_test *t,
				struct sk_buff *skb)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	shinfo->gso_type = SKB_GSO_UDP_L4 | t->mode->gso_type;
	shinfo->gso_size = t->geo.gso_size;
	shinfo->gso_segs = t->geo.full + !!t->geo.tail;

	skb->ip_summed = t->mode->csum_none ? CHECKSUM_NONE : CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + t->udp_off;
	skb->csum_offset = offsetof(struct udphdr, check);
}

static void udp_gso_set_meta(struct udp_gso_test *t, struct sk_buff *skb)
{
	const u8 *type = t->frame + 2 * ETH_ALEN;

	skb->protocol = htons(get_unaligned_be16(type));
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, t->net_off);
	skb_set_transport_header(skb, t->udp_off);
	skb_reset_mac_len(skb);

	skb->dev = t->dev;
	skb->tstamp = ns_to_ktime(1234567);
	skb->priority = 6;
	skb->mark = TEST_MARK;
	memset(skb->cb, TEST_MARK, SKB_GSO_CB_OFFSET);
	skb_shinfo(skb)->tskey = TEST_TSKEY;
	skb_shinfo(skb)->tx_flags = TEST_TX_FLAGS;
	if (t->geo.shared)
		skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	skb_dst_set(skb, dst_clone(&t->md->dst));
}

static void udp_gso_set_owner(struct udp_gso_test *t, struct sk_buff *skb)
{
	struct sock *sk = t->sock->sk;

	if (t->geo.zcopy) {
		refcount_set(&t->uarg.refcnt, 1);
		skb_zcopy_init(skb, &t->uarg);
	}
	if (t->destructor == sock_wfree) {
		skb_set_owner_w(skb, sk);
	} else if (t->destructor) {
		skb->sk = sk;
		skb->destructor = t->destructor;
	}
}

static struct sk_buff *udp_gso_build(struct kunit *test, struct udp_gso_test *t)
{
	struct sk_buff *skb = udp_gso_alloc(test, t);

	KUNIT_ASSERT_EQ(test, skb->len, t->len);
	udp_gso_set_offload(t, skb);
	udp_gso_set_meta(t, skb);
	udp_gso_set_owner(t, skb);
	skb->pfmemalloc = t->mode->reserve;
	t->completions = 0;
	t->copied = false;
	t->destroyed = 0;
	t->failed = false;

	t->clone = NULL;
	if (t->mode->clone) {
		t->clone = skb_clone(skb, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->clone);
	}
	return skb;
}

static bool udp_gso_offloads_csum(const struct udp_gso_test *t)
{
	return !t->mode->csum_none && t->mode->features &
	       (NETIF_F_HW_CSUM | (t->v6 ? NETIF_F_IPV6_CSUM : NETIF_F_IP_CSUM));
}

/* Returns the expected path of a packet that is not rejected. */
static enum udp_gso_path udp_gso_expected_path(const struct udp_gso_test *t)
{
	if (t->mode->gso_type & SKB_GSO_DODGY)
		return UDP_GSO_PATH_TYPE;
	if (t->geo.list)
		return UDP_GSO_PATH_FRAG_LIST;
	if (t->v6 && t->geo.options)
		return UDP_GSO_PATH_HEADERS;
	if (t->geo.pull)
		return UDP_GSO_PATH_GEOMETRY;
	if (t->mode->dev_partial)
		return UDP_GSO_PATH_DEVICE;
	if (t->geo.zcopy)
		return UDP_GSO_PATH_ZEROCOPY;
	if (IS_ENABLED(CONFIG_HIGHMEM) &&
	    !(udp_gso_offloads_csum(t) && t->mode->features & NETIF_F_SG))
		return UDP_GSO_PATH_HIGHMEM;
	if (t->mode->reserve)
		return UDP_GSO_PATH_MEMALLOC;

	return UDP_GSO_PATH_FAST;
}

static void udp_gso_save_path(void *data, const struct sk_buff *skb, int path)
{
	struct udp_gso_test *t = data;

	t->path = path;
}

/* skb_warn_bad_offload() sets TAINT_WARN, which is never cleared, so only the
 * first warning is found.
 */
static struct sk_buff *udp_gso_segment(struct kunit *test,
				       struct udp_gso_test *t,
				       struct sk_buff *skb)
{
	int warned = test_taint(TAINT_WARN);
	struct sk_buff *segs;

	segs = __skb_gso_segment(skb, t->mode->features, !t->mode->rx);
	KUNIT_EXPECT_EQ(test, test_taint(TAINT_WARN), warned);
	return segs;
}

/* The segments */

#define SEG_ASSERT_EQ(_want, _left, _right)				\
	KUNIT_ASSERT_EQ_MSG(test, _left, _right,			\
			    "in the segment at byte %u", (_want)->pos)

/* Moves @want to the next expected segment, or to the first one if @want is all
 * zero. Returns false after the last segment.
 */
static bool udp_gso_next_seg(const struct udp_gso_test *t,
			     struct udp_gso_seg *want)
{
	unsigned int left;

	if (want->len)
		want->nr += max(want->gso_segs, 1U);
	want->pos += want->len;
	left = t->payload - want->pos;
	want->len = min(left, t->geo.gso_size);

	want->gso_segs = 0;
	if (t->mode->dev_partial && left / t->geo.gso_size > 1) {
		want->gso_segs = left / t->geo.gso_size;
		want->len = want->gso_segs * t->geo.gso_size;
	}
	return left;
}

static void udp_gso_check_meta(struct kunit *test, const struct udp_gso_test *t,
			       const struct udp_gso_seg *want,
			       const struct sk_buff *seg)
{
	const struct skb_shared_info *shinfo = skb_shinfo(seg);
	bool first = !want->pos;

	SEG_ASSERT_EQ(want, seg->len, t->data_off + want->len);
	SEG_ASSERT_EQ(want, skb_mac_offset(seg), 0);
	SEG_ASSERT_EQ(want, skb_network_offset(seg), t->net_off);
	SEG_ASSERT_EQ(want, skb_transport_offset(seg), t->udp_off);
	SEG_ASSERT_EQ(want, seg->mac_len, t->net_off);

	SEG_ASSERT_EQ(want, shinfo->gso_size,
		      want->gso_segs ? t->geo.gso_size : 0);
	if (want->gso_segs) {
		SEG_ASSERT_EQ(want, shinfo->gso_segs, want->gso_segs);
		SEG_ASSERT_EQ(want, shinfo->gso_type,
			      SKB_GSO_UDP_L4 | SKB_GSO_PARTIAL);
	}

	SEG_ASSERT_EQ(want, seg->tstamp, ns_to_ktime(1234567));
	SEG_ASSERT_EQ(want, seg->priority, 6);
	SEG_ASSERT_EQ(want, seg->mark, TEST_MARK);
	SEG_ASSERT_EQ(want, ntohs(seg->protocol),
		      get_unaligned_be16(t->frame + 2 * ETH_ALEN));
	KUNIT_ASSERT_PTR_EQ(test, seg->dev, t->dev);
	KUNIT_ASSERT_PTR_EQ(test, skb_dst(seg), &t->md->dst);
	KUNIT_ASSERT_NULL(test, memchr_inv(seg->cb, TEST_MARK,
					   SKB_GSO_CB_OFFSET));
	SEG_ASSERT_EQ(want, shinfo->tskey, first ? TEST_TSKEY : 0);
	SEG_ASSERT_EQ(want, shinfo->tx_flags & SKBTX_ANY_TSTAMP,
		      first ? TEST_TX_FLAGS : 0);
}

static void udp_gso_want_ipv4(u8 *nh, unsigned int hlen, unsigned int len,
			      unsigned int nr)
{
	u8 *check = nh + offsetof(struct iphdr, check);

	put_unaligned_be16(hlen + len, nh + offsetof(struct iphdr, tot_len));
	put_unaligned_be16(TEST_IP_ID + nr, nh + offsetof(struct iphdr, id));
	put_unaligned_be16(0, check);
	put_unaligned_be16(~udp_gso_fold(udp_gso_csum(nh, hlen, 0)), check);
}

/* Compares all header bytes except the UDP checksum. With NETIF_F_GSO_PARTIAL,
 * a segment contains several datagrams. The length in its IP header is for one
 * datagram, but the length in its UDP header includes the payload of all
 * datagrams.
 */
static void udp_gso_check_headers(struct kunit *test, struct udp_gso_test *t,
				  const struct udp_gso_seg *want)
{
	unsigned int len = want->gso_segs ? t->geo.gso_size : want->len;
	unsigned int hlen = t->udp_off - t->net_off;
	u8 *nh = t->want + t->net_off;
	u8 *uh = t->want + t->udp_off;

	memcpy(t->want, t->frame, t->data_off);
	len += sizeof(struct udphdr);
	if (t->v6)
		put_unaligned_be16(hlen - sizeof(struct ipv6hdr) + len,
				   nh + offsetof(struct ipv6hdr, payload_len));
	else
		udp_gso_want_ipv4(nh, hlen, len, want->nr);

	put_unaligned_be16(sizeof(struct udphdr) + want->len, uh + 4);
	memcpy(uh + 6, t->wire + t->udp_off + 6, 2);
	KUNIT_ASSERT_MEMEQ_MSG(test, t->wire, t->want, t->data_off,
			       "in the segment at byte %u", want->pos);
}

static void udp_gso_check_payload(struct kunit *test,
				  const struct udp_gso_test *t,
				  const struct udp_gso_seg *want)
{
	const u8 *sent = t->frame + t->data_off + want->pos;

	KUNIT_ASSERT_FALSE_MSG(test,
			       memcmp(t->wire + t->data_off, sent, want->len),
			       "payload of the segment at byte %u", want->pos);
}

/* Completes a partial checksum as a device does. */
static void udp_gso_complete_csum(struct udp_gso_test *t, unsigned int len)
{
	u8 *uh = t->wire + t->udp_off;
	u16 check;

	check = ~udp_gso_fold(udp_gso_csum(uh, len, 0));
	put_unaligned_be16(check ?: U16_MAX, uh + 6);
}

static void udp_gso_verify_csum(struct kunit *test, struct udp_gso_test *t,
				const struct udp_gso_seg *want, unsigned int len)
{
	u8 *uh = t->wire + t->udp_off;
	u32 sum;

	KUNIT_ASSERT_NE_MSG(test, get_unaligned_be16(uh + 6), 0,
			    "in the segment at byte %u", want->pos);
	sum = udp_gso_csum(uh, len, udp_gso_pseudo_csum(t, len));
	SEG_ASSERT_EQ(want, udp_gso_fold(sum), U16_MAX);
	if (want->pos == t->zero_at && !want->gso_segs)
		SEG_ASSERT_EQ(want, get_unaligned_be16(uh + 6), U16_MAX);
}

static void udp_gso_check_csum(struct kunit *test, struct udp_gso_test *t,
			       const struct udp_gso_seg *want,
			       const struct sk_buff *seg)
{
	bool offload = udp_gso_offloads_csum(t);
	unsigned int len = seg->len - t->udp_off;

	SEG_ASSERT_EQ(want, (u8)seg->ip_summed,
		      offload ? CHECKSUM_PARTIAL : CHECKSUM_NONE);
	if (offload) {
		SEG_ASSERT_EQ(want, skb_checksum_start_offset(seg), t->udp_off);
		SEG_ASSERT_EQ(want, seg->csum_offset,
			      offsetof(struct udphdr, check));
		udp_gso_complete_csum(t, len);
	}
	udp_gso_verify_csum(test, t, want, len);
}

/* User space may write to the pages at any time. If software computes the
 * checksum, the payload must be a copy. The zerocopy completion must not be
 * sent while a segment has user pages.
 */
static void udp_gso_check_shared(struct kunit *test, struct udp_gso_test *t,
				 const struct udp_gso_seg *want,
				 struct sk_buff *seg)
{
	if (!(t->geo.zcopy || t->geo.shared) || !skb_is_nonlinear(seg))
		return;

	SEG_ASSERT_EQ(want, t->completions, 0);
	KUNIT_ASSERT_PTR_EQ(test, skb_zcopy(seg),
			    t->geo.zcopy ? &t->uarg : NULL);
	SEG_ASSERT_EQ(want, udp_gso_offloads_csum(t), true);
	SEG_ASSERT_EQ(want, skb_has_shared_frag(seg), true);
}

static void udp_gso_check_owner(struct kunit *test,
				const struct udp_gso_test *t,
				const struct sk_buff *seg)
{
	bool owned = t->destructor == sock_wfree;

	KUNIT_ASSERT_PTR_EQ(test, seg->sk, owned ? t->sock->sk : NULL);
	KUNIT_ASSERT_PTR_EQ(test, seg->destructor, owned ? sock_wfree : NULL);
	KUNIT_ASSERT_GE(test, seg->truesize, SKB_TRUESIZE(0) + seg->len);
}

static void udp_gso_check_seg(struct kunit *test, struct udp_gso_test *t,
			      const struct udp_gso_seg *want,
			      struct sk_buff *seg)
{
	udp_gso_check_meta(test, t, want, seg);
	SEG_ASSERT_EQ(want, skb_copy_bits(seg, 0, t->wire, seg->len), 0);
	udp_gso_check_headers(test, t, want);
	udp_gso_check_payload(test, t, want);
	udp_gso_check_csum(test, t, want, seg);
	udp_gso_check_shared(test, t, want, seg);
	udp_gso_check_owner(test, t, seg);
}

static unsigned int udp_gso_wmem(const struct udp_gso_test *t)
{
	return refcount_read(&t->sock->sk->sk_wmem_alloc);
}

static void udp_gso_check_segs(struct kunit *test, struct udp_gso_test *t,
			       struct sk_buff *segs)
{
	struct sk_buff *seg = segs, *last = NULL;
	struct udp_gso_seg want = { };
	unsigned int truesize = 0;

	while (udp_gso_next_seg(t, &want)) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, seg, "no segment at byte %u",
					  want.pos);
		udp_gso_check_seg(test, t, &want, seg);
		truesize += seg->truesize;
		last = seg;
		seg = seg->next;
	}
	KUNIT_ASSERT_NULL(test, seg);
	KUNIT_ASSERT_PTR_EQ(test, segs->prev, last);
	if (t->destructor == sock_wfree)
		KUNIT_ASSERT_EQ(test, udp_gso_wmem(t), truesize + 1);
}

static void udp_gso_check_bytes(struct kunit *test, struct udp_gso_test *t,
				const struct sk_buff *skb)
{
	KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, 0, t->wire, skb->len), 0);
	KUNIT_EXPECT_FALSE(test, memcmp(t->wire, t->frame, skb->len));
}

/* Checks that all references of the packet have been released. */
static void udp_gso_check_released(struct kunit *test, struct udp_gso_test *t)
{
	if (t->clone) {
		udp_gso_check_bytes(test, t, t->clone);
		kfree_skb(t->clone);
	}
	KUNIT_EXPECT_EQ(test, udp_gso_wmem(t), 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(t->pool), 1);
	KUNIT_EXPECT_EQ(test, rcuref_read(&t->md->dst.__rcuref), 1);
	KUNIT_EXPECT_EQ(test, t->completions, t->geo.zcopy);
	KUNIT_EXPECT_EQ(test, t->destroyed,
			t->destructor && t->destructor != sock_wfree);
}

static void udp_gso_complete_segs(struct kunit *test, struct udp_gso_test *t,
				  struct sk_buff *skb, struct sk_buff *segs)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);

	consume_skb(skb);
	/* If the headers were pulled before an allocation failed, the second
	 * attempt takes another path.
	 */
	if (IS_ENABLED(CONFIG_TRACEPOINTS) && !(t->geo.pull && t->failed))
		KUNIT_EXPECT_EQ(test, t->path, udp_gso_expected_path(t));
	udp_gso_check_segs(test, t, segs);
	kfree_skb_list(segs);
	udp_gso_check_released(test, t);
}

static void udp_gso_abandon(struct kunit *test, struct udp_gso_test *t,
			    struct sk_buff *skb)
{
	kfree_skb(skb);
	udp_gso_check_released(test, t);
}

/* Checks that a packet is unchanged */

static void udp_gso_save(struct udp_gso_test *t, const struct sk_buff *skb)
{
	t->was.skb = *skb;
	t->was.shinfo = *skb_shinfo(skb);
	t->was.headroom = skb_headroom(skb);
	t->was.wmem = udp_gso_wmem(t);
}

static void udp_gso_check_same_skb(struct kunit *test,
				   const struct sk_buff *skb,
				   const struct sk_buff *was)
{
	KUNIT_EXPECT_EQ(test, skb->len, was->len);
	KUNIT_EXPECT_EQ(test, skb->truesize, was->truesize);
	KUNIT_EXPECT_EQ(test, skb->mac_header, was->mac_header);
	KUNIT_EXPECT_EQ(test, skb->network_header, was->network_header);
	KUNIT_EXPECT_EQ(test, skb->transport_header, was->transport_header);
	KUNIT_EXPECT_EQ(test, skb->mac_len, was->mac_len);
	KUNIT_EXPECT_EQ(test, (u8)skb->ip_summed, (u8)was->ip_summed);
	KUNIT_EXPECT_EQ(test, skb->csum_start, was->csum_start);
	KUNIT_EXPECT_EQ(test, skb->csum_offset, was->csum_offset);
	KUNIT_EXPECT_EQ(test, skb->tstamp, was->tstamp);
	KUNIT_EXPECT_PTR_EQ(test, skb->sk, was->sk);
	KUNIT_EXPECT_PTR_EQ(test, skb->destructor, was->destructor);
}

static void udp_gso_check_same(struct kunit *test, struct udp_gso_test *t,
			       const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	const struct udp_gso_state *was = &t->was;

	udp_gso_check_same_skb(test, skb, &was->skb);
	KUNIT_EXPECT_EQ(test, skb_headroom(skb), was->headroom);
	KUNIT_EXPECT_EQ(test, shinfo->flags, was->shinfo.flags);
	KUNIT_EXPECT_EQ(test, shinfo->tx_flags, was->shinfo.tx_flags);
	KUNIT_EXPECT_EQ(test, shinfo->tskey, was->shinfo.tskey);
	KUNIT_EXPECT_EQ(test, shinfo->gso_size, was->shinfo.gso_size);
	KUNIT_EXPECT_EQ(test, shinfo->gso_segs, was->shinfo.gso_segs);
	KUNIT_EXPECT_EQ(test, shinfo->gso_type, was->shinfo.gso_type);
	KUNIT_EXPECT_EQ(test, udp_gso_wmem(t), was->wmem);
	KUNIT_EXPECT_EQ(test, t->completions, 0);
	KUNIT_EXPECT_EQ(test, t->destroyed, 0);
	udp_gso_check_bytes(test, t, skb);
}

/* The tests */

static void udp_gso_foreign_destructor(struct sk_buff *skb)
{
	struct udp_gso_test *t = skb->sk->sk_user_data;

	t->destroyed++;
}

static void udp_gso_zcopy_complete(struct sk_buff *skb, struct ubuf_info *uarg,
				   bool success)
{
	struct udp_gso_test *t = container_of(uarg, struct udp_gso_test, uarg);

	t->copied |= !success;
	if (refcount_dec_and_test(&uarg->refcnt))
		t->completions++;
}

static const struct ubuf_info_ops udp_gso_ubuf_ops = {
	.complete = udp_gso_zcopy_complete,
};

static void udp_gso_close(struct udp_gso_test *t)
{
	if (t->sock)
		sock_release(t->sock);
	t->sock = NULL;
}

/* Creating the socket also loads IPv6 if it is a module. */
static void udp_gso_setup(struct kunit *test, struct udp_gso_test *t,
			  const struct udp_gso_geo *geo,
			  const struct udp_gso_mode *mode, bool v6)
{
	udp_gso_close(t);
	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net,
					       v6 ? AF_INET6 : AF_INET,
					       SOCK_DGRAM, IPPROTO_UDP,
					       &t->sock), 0);
	t->sock->sk->sk_user_data = t;
	KUNIT_ASSERT_EQ(test, udp_gso_wmem(t), 1);

	t->geo = *geo;
	t->mode = mode;
	t->v6 = v6;
	t->zero_at = UINT_MAX;
	t->destructor = sock_wfree;
	t->dev->features = mode->features | mode->dev_partial;
	t->dev->gso_partial_features = mode->dev_partial;
	udp_gso_put_frame(test, t);
}

static struct udp_gso_test *udp_gso_setup_param(struct kunit *test)
{
	const struct udp_gso_param *p = test->param_value;
	struct udp_gso_test *t = test->priv;

	udp_gso_setup(test, t, p->geo, p->mode, p->v6);
	return t;
}

static void udp_gso_split(struct kunit *test, struct udp_gso_test *t)
{
	struct sk_buff *skb = udp_gso_build(test, t);

	udp_gso_complete_segs(test, t, skb, udp_gso_segment(test, t, skb));
}

static void udp_gso_split_test(struct kunit *test)
{
	udp_gso_split(test, udp_gso_setup_param(test));
}

/* Segments packets of 2, 3, ... @full segments, all of gso_size bytes. */
static void udp_gso_count_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);
	unsigned int max = t->geo.full;

	for (t->geo.full = 2; t->geo.full <= max; t->geo.full++) {
		udp_gso_put_frame(test, t);
		udp_gso_split(test, t);
	}
}

/* Sets a payload for which the checksum of segment @nr is computed as 0. */
static void udp_gso_put_zero_csum(struct udp_gso_test *t, unsigned int nr)
{
	unsigned int pos = nr * t->geo.gso_size;
	u8 *payload = t->frame + t->data_off + pos;
	unsigned int len;
	u32 sum;

	len = min(t->payload - pos, t->geo.gso_size);
	put_unaligned_be16(0, payload);
	sum = udp_gso_pseudo_csum(t, sizeof(struct udphdr) + len);
	sum = udp_gso_csum(t->frame + t->udp_off, 4, sum);
	sum = udp_gso_csum(payload, len, sum + sizeof(struct udphdr) + len);
	put_unaligned_be16(~udp_gso_fold(sum), payload);
	t->zero_at = pos;
}

static void udp_gso_zero_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);
	unsigned int nr;

	for (nr = 0; nr < t->geo.full + !!t->geo.tail; nr++) {
		udp_gso_put_frame(test, t);
		udp_gso_put_zero_csum(t, nr);
		udp_gso_split(test, t);
	}
}

static void udp_gso_no_owner_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);

	t->destructor = NULL;
	udp_gso_split(test, t);
}

#if IS_BUILTIN(CONFIG_UDP_GSO_KUNIT_TEST) /* tcp_wfree() is not exported */
/* A tunnel can send the data of a TCP socket. The request for a timestamp is
 * moved to the last segment. tcp_wfree() needs a TCP socket, so the segments get
 * another destructor before they are freed.
 */
static void udp_gso_tcp_owner_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);
	struct sk_buff *skb = udp_gso_build(test, t), *segs, *seg;
	unsigned int truesize = 0;

	skb->destructor = tcp_wfree;
	segs = udp_gso_segment(test, t, skb);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
	for (seg = segs; seg; seg = seg->next) {
		KUNIT_EXPECT_TRUE(test, seg->destructor == tcp_wfree);
		KUNIT_EXPECT_EQ(test, skb_shinfo(seg)->tskey,
				seg->next ? 0 : TEST_TSKEY);
		KUNIT_EXPECT_EQ(test, skb_shinfo(seg)->tx_flags &
				SKBTX_ANY_TSTAMP,
				seg->next ? 0 : TEST_TX_FLAGS &
				SKBTX_ANY_TSTAMP);
		seg->destructor = sock_wfree;
		truesize += seg->truesize;
	}
	KUNIT_EXPECT_FALSE(test, skb->destructor);
	KUNIT_EXPECT_EQ(test, udp_gso_wmem(t), truesize + 1);
	consume_skb(skb);
	kfree_skb_list(segs);
	udp_gso_check_released(test, t);
}
#endif

static void udp_gso_foreign_owner_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);
	struct sk_buff *skb, *segs;

	t->destructor = udp_gso_foreign_destructor;
	skb = udp_gso_build(test, t);
	segs = udp_gso_segment(test, t, skb);
	KUNIT_EXPECT_PTR_EQ(test, skb->sk, t->sock->sk);
	KUNIT_EXPECT_PTR_EQ(test, skb->destructor, t->destructor);
	KUNIT_EXPECT_EQ(test, t->destroyed, 0);
	udp_gso_complete_segs(test, t, skb, segs);
}

static void udp_gso_check_uso(struct kunit *test, struct udp_gso_test *t,
			      unsigned int gso_type, u16 gso_segs)
{
	struct sk_buff *skb = udp_gso_build(test, t);

	skb_shinfo(skb)->gso_type |= gso_type;
	udp_gso_save(t, skb);
	skb_shinfo(skb)->gso_segs = gso_segs;
	KUNIT_EXPECT_NULL(test, udp_gso_segment(test, t, skb));
	udp_gso_check_same(test, t, skb);
	udp_gso_abandon(test, t, skb);
}

/* A device with USO gets the packet unchanged, except that gso_segs of an
 * untrusted packet is corrected.
 */
static void udp_gso_whole_test(struct kunit *test)
{
	static const struct udp_gso_mode mode = {
		.features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_FRAGLIST |
			    NETIF_F_GSO_UDP_L4,
	};
	struct udp_gso_test *t = udp_gso_setup_param(test);

	t->mode = &mode;
	udp_gso_check_uso(test, t, 0, t->geo.full + !!t->geo.tail);
	udp_gso_check_uso(test, t, SKB_GSO_DODGY, 0);
	udp_gso_check_uso(test, t, SKB_GSO_DODGY, 1);
	udp_gso_check_uso(test, t, SKB_GSO_DODGY, U16_MAX);
}

static unsigned long udp_gso_rx_errors(const struct sock *sk, bool v6)
{
	return snmp_fold_field(__UDPX_MIB(sk, !v6), UDP_MIB_INERRORS);
}

static void udp_gso_drop(struct kunit *test, struct udp_gso_test *t,
			 const struct udp_gso_drop *d)
{
	struct sk_buff *skb = udp_gso_build(test, t);
	struct sock *sk = t->sock->sk;
	unsigned long errors;

	errors = udp_gso_rx_errors(sk, t->v6);
	skb_shinfo(skb)->gso_type |= d->gso_type;
	skb_shinfo(skb)->gso_segs = d->gso_segs;
	skb->csum_start += 2;
	__skb_pull(skb, t->udp_off);

	KUNIT_EXPECT_NULL(test, udp_gso_segment_rx(sk, skb, !t->v6));
	KUNIT_EXPECT_EQ(test, atomic_read(&sk->sk_drops), d->want);
	KUNIT_EXPECT_EQ(test, udp_gso_rx_errors(sk, t->v6) - errors,
			d->want);
	udp_gso_check_released(test, t);
}

/* Each datagram that is dropped at the socket is counted. If gso_segs is
 * unknown, one drop is counted.
 */
static void udp_gso_drop_test(struct kunit *test)
{
	static const struct udp_gso_geo geo = GEO("linear", 2, 1000, 1);
	struct udp_gso_test *t = test->priv;
	int v6;

	for (v6 = 0; v6 <= IS_ENABLED(CONFIG_IPV6); v6++) {
		udp_gso_setup(test, t, &geo, &udp_gso_modes[0], v6);
		udp_gso_drop(test, t, test->param_value);
	}
}

static void udp_gso_refuse(struct kunit *test, struct udp_gso_test *t,
			   const struct udp_gso_refusal *r)
{
	struct sk_buff *skb;

	if (r->end)
		t->len = t->udp_off + r->end;
	skb = udp_gso_build(test, t);
	skb->csum_start += r->csum_shift;
	if (r->gso_type)
		skb_shinfo(skb)->gso_type = r->gso_type;
	udp_gso_save(t, skb);

	KUNIT_EXPECT_EQ(test, PTR_ERR(udp_gso_segment(test, t, skb)), -EINVAL);
	udp_gso_check_same(test, t, skb);
	udp_gso_abandon(test, t, skb);
}

static void udp_gso_refusal_test(struct kunit *test)
{
	const struct udp_gso_refusal *r = test->param_value;
	struct udp_gso_geo geo = GEO("linear", r->full, 1000, r->tail);
	struct udp_gso_test *t = test->priv;
	int v6, i;

	for (v6 = 0; v6 <= IS_ENABLED(CONFIG_IPV6); v6++) {
		for (i = 0; i < ARRAY_SIZE(udp_gso_modes); i++) {
			udp_gso_setup(test, t, &geo, &udp_gso_modes[i], v6);
			udp_gso_refuse(test, t, r);
		}
	}
}

/* A send */

static unsigned int udp_gso_dst_mtu(const struct dst_entry *dst)
{
	return container_of(dst, struct udp_gso_test, rt.dst)->mtu;
}

static struct dst_ops udp_gso_dst_ops = {
	.mtu = udp_gso_dst_mtu,
};

static void udp_gso_tx_put_dst(struct udp_gso_test *t)
{
	if (t->rt.dst.dev)
		netdev_put(t->rt.dst.dev, &t->rt.dst.dev_tracker);
	t->rt.dst.dev = NULL;
}

static void udp_gso_tx_set_device(struct udp_gso_test *t,
				  const struct udp_gso_tx *tx)
{
	unsigned int size = t->data_off + 1 + tx->room * tx->gso_size;
	struct net_device *dev = t->dev;

	dev->features = 0;
	dev->gso_max_segs = tx->max_segs;
	/* The limit for the other IP version must not be used. */
	dev->gso_max_size = 1;
	dev->gso_ipv4_max_size = 1;
	if (!tx->max_segs && !tx->room)
		return;

	size = tx->room ? size - tx->less : GSO_LEGACY_MAX_SIZE;
	dev->features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_GSO_UDP_L4;
	if (t->v6)
		dev->gso_max_size = size;
	else
		dev->gso_ipv4_max_size = size;
}

static void udp_gso_tx_set_sock(struct sock *sk, const struct udp_gso_tx *tx,
				bool v6)
{
	inet_sk(sk)->pmtudisc = tx->may_fragment ? IP_PMTUDISC_DONT :
						   IP_PMTUDISC_WANT;
	if (tx->lite)
		sk->sk_protocol = IPPROTO_UDPLITE;
	/* The option for the other IP version must not be used. */
	if (v6)
		udp_set_no_check6_tx(sk, tx->no_check);
	sk->sk_no_check_tx = tx->no_check != v6;
	sk->sk_sndbuf = INT_MAX;
}

static void udp_gso_tx_setup(struct kunit *test, struct udp_gso_test *t,
			     const struct udp_gso_tx *tx, bool v6)
{
	static const struct udp_gso_mode mode;
	struct udp_gso_geo geo = {
		.full = tx->payload / tx->gso_size,
		.tail = tx->payload % tx->gso_size,
		.gso_size = tx->gso_size,
		.frag = tx->frag,
		.no_df = tx->may_fragment || tx->over,
	};

	udp_gso_setup(test, t, &geo, &mode, v6);
	udp_gso_tx_set_device(t, tx);
	udp_gso_tx_set_sock(t->sock->sk, tx, v6);
	t->mtu = t->data_off - t->net_off + tx->gso_size - tx->over;
	udp_gso_tx_put_dst(t);
	dst_init(&t->rt.dst, &udp_gso_dst_ops, t->dev, DST_OBSOLETE_NONE,
		 DST_NOCOUNT);
#ifdef CONFIG_XFRM
	/* This pointer is only compared with NULL. */
	t->rt.dst.xfrm = tx->xfrm ? (struct xfrm_state *)t : NULL;
#endif
	t->rt.dst.trailer_len = tx->xfrm ? TEST_TRAILER : 0;
}

/* Builds a packet as a socket does: data is at the network header, and no
 * device is set.
 */
static struct sk_buff *udp_gso_tx_build(struct kunit *test,
					struct udp_gso_test *t)
{
	struct sk_buff *skb = udp_gso_alloc(test, t);

	udp_gso_set_meta(t, skb);
	skb->dev = NULL;
	skb->protocol = 0;
	skb_unset_mac_header(skb);
	__skb_pull(skb, t->net_off);
	udp_gso_set_owner(t, skb);
	skb_dst_drop(skb);
	skb_dst_set(skb, dst_clone(&t->rt.dst));
	return skb;
}

/* Returns a list of all packets, or an ERR_PTR(). */
static struct sk_buff *udp_gso_tx_do(struct udp_gso_test *t,
				     struct sk_buff *skb)
{
	struct inet_cork cork = {
		.gso_size = t->geo.gso_size,
		.gso_dontwait = true,
		.fragsize = t->mtu,
	};
	struct sk_buff *parts = NULL, **tail = &parts;
	struct udp_gso_parts tx;
	unsigned int part_size;

	part_size = udp_gso_setup_tx(skb, &cork, t->v6);
	if (!part_size)
		return skb;

	skb = udp_gso_first_tx(&tx, skb, &cork, part_size, t->v6);
	while (skb) {
		*tail = skb;
		tail = &skb->next;
		skb = udp_gso_next_tx(&tx, 0);
	}

	return tx.err ? ERR_PTR(tx.err) : parts;
}

/* Lengths and IPv4 checksum are set later, when the packet is sent. */
static void udp_gso_tx_check_header(struct kunit *test, struct udp_gso_test *t,
				    const struct udp_gso_tx *tx,
				    const struct udp_gso_seg *want)
{
	bool last = want->pos + want->len == t->payload;
	const u8 *got = t->wire + t->net_off;
	u8 *nh = t->want + t->net_off;
	bool df = !t->geo.no_df;

	memcpy(t->want, t->frame, t->udp_off);
	if (t->v6) {
		memcpy(nh + offsetof(struct ipv6hdr, payload_len),
		       got + offsetof(struct ipv6hdr, payload_len), 2);
	} else {
		df |= last && tx->df_last;
		put_unaligned_be16(TEST_IP_ID + want->nr,
				   nh + offsetof(struct iphdr, id));
		put_unaligned_be16(df ? IP_DF : 0,
				   nh + offsetof(struct iphdr, frag_off));
		memcpy(nh + offsetof(struct iphdr, tot_len),
		       got + offsetof(struct iphdr, tot_len), 2);
		memcpy(nh + offsetof(struct iphdr, check),
		       got + offsetof(struct iphdr, check), 2);
	}
	KUNIT_ASSERT_MEMEQ_MSG(test, got, nh, t->udp_off - t->net_off,
			       "in the packet at byte %u", want->pos);
}

static void udp_gso_tx_check_gso(struct kunit *test,
				 const struct udp_gso_test *t,
				 const struct udp_gso_seg *want,
				 const struct sk_buff *part)
{
	const struct skb_shared_info *shinfo = skb_shinfo(part);
	bool gso = want->gso_segs > 1;

	SEG_ASSERT_EQ(want, shinfo->gso_size, gso ? t->geo.gso_size : 0);
	SEG_ASSERT_EQ(want, shinfo->gso_segs, gso ? want->gso_segs : 0);
	SEG_ASSERT_EQ(want, shinfo->gso_type, gso ? SKB_GSO_UDP_L4 : 0);
	SEG_ASSERT_EQ(want, shinfo->tskey, want->pos ? 0 : TEST_TSKEY);
	SEG_ASSERT_EQ(want, shinfo->tx_flags & SKBTX_ANY_TSTAMP,
		      want->pos ? 0 : TEST_TX_FLAGS);
}

static void udp_gso_tx_check_part(struct kunit *test, struct udp_gso_test *t,
				  const struct udp_gso_tx *tx,
				  const struct udp_gso_seg *want,
				  const struct sk_buff *part)
{
	SEG_ASSERT_EQ(want, part->len, t->data_off - t->net_off + want->len);
	SEG_ASSERT_EQ(want, skb_network_offset(part), 0);
	SEG_ASSERT_EQ(want, skb_transport_offset(part), t->udp_off - t->net_off);
	/* The device needs headroom for its header. */
	SEG_ASSERT_EQ(want, skb_headroom(part) < NET_SKB_PAD + t->net_off,
		      false);
	KUNIT_ASSERT_PTR_EQ(test, skb_dst(part), &t->rt.dst);
	/* For payload in page fragments, IPsec would allocate memory. */
	if (tx->xfrm) {
		SEG_ASSERT_EQ(want, skb_is_nonlinear(part), false);
		SEG_ASSERT_EQ(want, skb_tailroom(part) < TEST_TRAILER, false);
	}
	udp_gso_tx_check_gso(test, t, want, part);
	udp_gso_check_owner(test, t, part);

	SEG_ASSERT_EQ(want, skb_copy_bits(part, 0, t->wire + t->net_off,
					  part->len), 0);
	udp_gso_tx_check_header(test, t, tx, want);
	udp_gso_check_payload(test, t, want);
}

/* Checks all packets. Returns the number of datagrams in them. */
static unsigned int udp_gso_tx_check(struct kunit *test, struct udp_gso_test *t,
				     const struct udp_gso_tx *tx,
				     struct sk_buff *parts)
{
	unsigned int most = tx->part ? tx->part * tx->gso_size : tx->payload;
	struct udp_gso_seg want = { };
	unsigned int truesize = 0;
	struct sk_buff *part;

	for (part = parts; part; part = part->next) {
		want.len = min(most, t->payload - want.pos);
		want.gso_segs = DIV_ROUND_UP(want.len, tx->gso_size);
		KUNIT_ASSERT_GT(test, want.len, 0);
		udp_gso_tx_check_part(test, t, tx, &want, part);
		truesize += part->truesize;
		want.pos += want.len;
		want.nr += want.gso_segs;
	}
	KUNIT_ASSERT_EQ(test, udp_gso_wmem(t), truesize + 1);
	return want.nr;
}

static void udp_gso_tx_check_released(struct kunit *test,
				      struct udp_gso_test *t)
{
	udp_gso_check_released(test, t);
	KUNIT_EXPECT_EQ(test, rcuref_read(&t->rt.dst.__rcuref), 1);
}

static void udp_gso_tx_finish(struct kunit *test, struct udp_gso_test *t,
			      const struct udp_gso_tx *tx,
			      struct sk_buff *parts)
{
	unsigned int all = DIV_ROUND_UP(t->payload, tx->gso_size);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parts);
	KUNIT_EXPECT_EQ(test, udp_gso_tx_check(test, t, tx, parts), all);
	kfree_skb_list(parts);
	udp_gso_tx_check_released(test, t);
}

/* A send that cannot be one packet is split. */
static void udp_gso_tx_test(struct kunit *test)
{
	const struct udp_gso_tx_param *p = test->param_value;
	struct udp_gso_test *t = test->priv;
	struct sk_buff *skb, *parts;

	udp_gso_tx_setup(test, t, p->tx, p->v6);
	skb = udp_gso_tx_build(test, t);
	parts = udp_gso_tx_do(t, skb);
	KUNIT_EXPECT_EQ(test, parts == skb, !p->tx->part);
	udp_gso_tx_finish(test, t, p->tx, parts);
}

static unsigned long udp_gso_tx_errors(const struct udp_gso_test *t)
{
	return snmp_fold_field(__UDPX_MIB(t->sock->sk, !t->v6),
			       UDP_MIB_SNDBUFERRORS);
}

/* Sends of more packets than may exist at a time, with all kinds of payload */
static const struct udp_gso_tx udp_gso_many[] = {
	TX("linear", 65507, 1, 1, .no_check = true),
	TX("fragments", 65507, 1, 1, .frag = 4096, .no_check = true),
	TX("one fragment", 32768, 7, 1, .frag = 32768, .no_check = true),
	TX("small fragments", 3000, 11, 1, .frag = 300, .no_check = true),
	TX("two batches", 256, 1, 1, .no_check = true),
	TX("two batches and a byte", 25700, 100, 1, .frag = 4096, .lite = true),
	TX("over the MTU", 65500, 100, 1, .frag = 4096, .over = 1),
	TX("IPsec", 65507, 50, 1, .frag = 4096, .xfrm = true),
	TX("max_segs 1", 40000, 2, 1, .frag = 4096, .max_segs = 1),
	TX("max_segs 2", 3000, 2, 2, .frag = 4096, .max_segs = 2),
};

KUNIT_ARRAY_PARAM_DESC(udp_gso_many, udp_gso_many, name);

static struct sk_buff *udp_gso_many_start(struct kunit *test,
					  struct udp_gso_test *t,
					  struct udp_gso_parts *tx,
					  struct inet_cork *cork, int sndbuf,
					  bool v6)
{
	const struct udp_gso_tx *p = test->param_value;
	unsigned int part_size;
	struct sk_buff *skb;

	udp_gso_tx_setup(test, t, p, v6);
	t->sock->sk->sk_sndbuf = sndbuf;
	t->geo.zcopy = p->frag;
	t->completions = 0;
	skb = udp_gso_tx_build(test, t);
	*cork = (struct inet_cork) {
		.gso_size = p->gso_size,
		.gso_dontwait = true,
		.fragsize = t->mtu,
	};
	part_size = udp_gso_setup_tx(skb, cork, v6);
	KUNIT_ASSERT_EQ(test, part_size, p->part * p->gso_size);
	return udp_gso_first_tx(tx, skb, cork, part_size, v6);
}

/* Each packet is freed before udp_gso_next_tx() returns the next one, so only
 * the packets of one batch may exist at a time. Only the first packet has the
 * timestamp. There is one zerocopy completion. It is sent after the last packet
 * was freed, or after the payload was copied for IPsec.
 */
static void udp_gso_many_sent(struct kunit *test, bool v6)
{
	const struct udp_gso_tx *p = test->param_value;
	struct udp_gso_test *t = test->priv;
	struct udp_gso_seg want = { };
	struct udp_gso_parts tx;
	struct inet_cork cork;
	unsigned int most;
	struct sk_buff *skb;

	skb = udp_gso_many_start(test, t, &tx, &cork, SOCK_MIN_SNDBUF, v6);
	/* the remaining payload, the detached packet and the packets that it is
	 * segmented into
	 */
	most = 2 * SKB_TRUESIZE(SZ_64K + MAX_HEADER + NET_SKB_PAD) +
	       UDP_MAX_SEGMENTS * SKB_TRUESIZE(MAX_HEADER + 512);
	while (skb) {
		KUNIT_ASSERT_LT(test, udp_gso_wmem(t), most);
		want.len = min(p->part * p->gso_size, t->payload - want.pos);
		want.gso_segs = DIV_ROUND_UP(want.len, p->gso_size);
		udp_gso_tx_check_part(test, t, p, &want, skb);
		/* For IPsec, the payload is copied and the completion is
		 * earlier.
		 */
		KUNIT_ASSERT_TRUE(test, p->xfrm || !t->completions);
		want.pos += want.len;
		want.nr += want.gso_segs;
		kfree_skb(skb);
		skb = udp_gso_next_tx(&tx, 0);
	}
	KUNIT_EXPECT_EQ(test, tx.err, 0);
	KUNIT_EXPECT_EQ(test, want.pos, t->payload);
	udp_gso_tx_check_released(test, t);
}

/* Frees no packet, so the send buffer stays full and the send ends after
 * UDP_MAX_SEGMENTS packets. The datagrams that are not sent are counted.
 */
static void udp_gso_many_queued(struct kunit *test, bool v6)
{
	const struct udp_gso_tx *p = test->param_value;
	unsigned int all = DIV_ROUND_UP(p->payload, p->gso_size);
	struct udp_gso_test *t = test->priv;
	struct sk_buff *skb, *queued = NULL;
	struct udp_gso_parts tx;
	unsigned int sent = 0;
	struct inet_cork cork;
	unsigned long errors;

	skb = udp_gso_many_start(test, t, &tx, &cork, 1, v6);
	errors = udp_gso_tx_errors(t);
	for (; skb; skb = udp_gso_next_tx(&tx, 0)) {
		skb->next = queued;
		queued = skb;
		sent++;
	}
	KUNIT_EXPECT_EQ(test, tx.err, 0);
	KUNIT_EXPECT_EQ(test, sent, UDP_MAX_SEGMENTS);
	KUNIT_EXPECT_EQ(test, udp_gso_tx_errors(t) - errors,
			all - sent * p->part);
	kfree_skb_list(queued);
	udp_gso_tx_check_released(test, t);
}

/* Only an error of the first packet is returned. An error of a later packet is
 * counted if it is -ENOBUFS.
 */
static void udp_gso_many_errors(struct kunit *test, int nth, int err, bool v6)
{
	const struct udp_gso_tx *p = test->param_value;
	unsigned int all = DIV_ROUND_UP(p->payload, p->part * p->gso_size);
	struct udp_gso_test *t = test->priv;
	struct udp_gso_parts tx;
	struct inet_cork cork;
	unsigned long errors;
	struct sk_buff *skb;
	int sent = 0;

	skb = udp_gso_many_start(test, t, &tx, &cork, SOCK_MIN_SNDBUF, v6);
	errors = udp_gso_tx_errors(t);
	while (skb) {
		kfree_skb(skb);
		skb = udp_gso_next_tx(&tx, sent++ == nth ? err : 0);
	}
	KUNIT_EXPECT_EQ(test, sent, nth ? all : 1);
	KUNIT_EXPECT_EQ(test, tx.err, nth ? 0 : err);
	KUNIT_EXPECT_EQ(test, udp_gso_tx_errors(t) - errors,
			nth && err == -ENOBUFS);
	udp_gso_tx_check_released(test, t);
}

static void udp_gso_many_test(struct kunit *test)
{
	int v6;

	for (v6 = 0; v6 <= IS_ENABLED(CONFIG_IPV6); v6++) {
		udp_gso_many_sent(test, v6);
		udp_gso_many_queued(test, v6);
		udp_gso_many_errors(test, 0, -ENOBUFS, v6);
		udp_gso_many_errors(test, 0, -EPERM, v6);
		udp_gso_many_errors(test, 1, -ENOBUFS, v6);
		udp_gso_many_errors(test, 127, -EPERM, v6);
		udp_gso_many_errors(test, 128, -ENOBUFS, v6);
	}
}

static struct sk_buff *udp_gso_room_build(struct kunit *test,
					  struct udp_gso_test *t,
					  const struct udp_gso_room *r)
{
	static const struct udp_gso_mode mode;
	struct udp_gso_geo geo = {
		.full = 1,
		.gso_size = r->payload,
		.frag = r->frag,
		.zcopy = r->zcopy,
	};
	struct sk_buff *skb;

	udp_gso_setup(test, t, &geo, &mode, false);
	skb = udp_gso_build(test, t);
	udp_gso_save(t, skb);
	if (r->shared)
		skb_get(skb);
	return skb;
}

/* Checks that the pages have been released, and that the zerocopy completion is
 * still pending and will report a copy.
 */
static void udp_gso_room_check(struct kunit *test, struct udp_gso_test *t,
			       const struct sk_buff *skb)
{
	unsigned int frags = t->geo.frag ? t->payload : 0;

	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->nr_frags,
			DIV_ROUND_UP(frags, PAGE_SIZE));
	KUNIT_EXPECT_LT(test, skb_shinfo(skb)->nr_frags, MAX_SKB_FRAGS);
	KUNIT_EXPECT_EQ(test, page_ref_count(t->pool), 1);
	KUNIT_EXPECT_PTR_EQ(test, skb_zcopy((struct sk_buff *)skb),
			    t->geo.zcopy ? &t->uarg : NULL);
	KUNIT_EXPECT_EQ(test, t->copied, t->geo.zcopy);
}

/* Many page fragments are replaced by few. After an error they are unchanged.
 */
static void udp_gso_room_test(struct kunit *test)
{
	const struct udp_gso_room *r = test->param_value;
	struct inet_cork cork = { .gso_size = r->gso_size };
	struct udp_gso_test *t = test->priv;
	struct sk_buff *skb;

	skb = udp_gso_room_build(test, t, r);
	KUNIT_EXPECT_EQ(test, udp_gso_make_room(skb, &cork, r->err), r->want);
	udp_gso_check_same(test, t, skb);
	if (r->want)
		KUNIT_EXPECT_FALSE(test, t->copied);
	else
		udp_gso_room_check(test, t, skb);
	if (r->shared)
		kfree_skb(skb);
	udp_gso_abandon(test, t, skb);
}

#ifdef CONFIG_FAILSLAB
/* Each failure prints a stack trace, so lower the console log level. */
static int udp_gso_fail_start(unsigned int nth)
{
	int loglevel = console_loglevel;

	console_loglevel = CONSOLE_LOGLEVEL_QUIET;
	WRITE_ONCE(current->fail_nth, nth);
	return loglevel;
}

/* Returns true if an allocation has failed. */
static bool udp_gso_fail_stop(int loglevel)
{
	bool failed = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	console_loglevel = loglevel;
	return failed;
}

/* Makes allocation @nth fail. Returns false if there were fewer. */
static bool udp_gso_fail(struct kunit *test, struct udp_gso_test *t,
			 unsigned int nth)
{
	struct sk_buff *skb = udp_gso_build(test, t);
	struct sk_buff *segs;
	int loglevel;
	bool failed;

	udp_gso_save(t, skb);
	loglevel = udp_gso_fail_start(nth);
	segs = udp_gso_segment(test, t, skb);
	failed = udp_gso_fail_stop(loglevel);
	if (IS_ERR(segs)) {
		/* A failed pull returns -EINVAL instead of -ENOMEM. */
		if (!t->geo.pull || PTR_ERR(segs) != -EINVAL)
			KUNIT_EXPECT_EQ(test, PTR_ERR(segs), -ENOMEM);
		KUNIT_EXPECT_TRUE(test, failed);
		udp_gso_check_same(test, t, skb);
		t->failed = true;
		segs = udp_gso_segment(test, t, skb);
	}
	/* If the fast path cannot allocate memory, the slow path
	 * (skb_segment()) segments the packet. Only the copy of a cloned head,
	 * which is made before, may fail.
	 */
	if (udp_gso_expected_path(t) == UDP_GSO_PATH_FAST) {
		KUNIT_EXPECT_FALSE(test, t->failed && !t->mode->clone);
		t->path = failed ? UDP_GSO_PATH_FAST : t->path;
	}
	udp_gso_complete_segs(test, t, skb, segs);
	return failed;
}

/* After any failed allocation the packet can still be segmented. */
static void udp_gso_alloc_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);
	unsigned int nth = 1;

	/* The last line of KUnit has no newline, so the console shows it only
	 * when the next message is logged. Log a message before the console log
	 * level is lowered.
	 */
	kunit_info(test, "failing each allocation\n");
	while (udp_gso_fail(test, t, nth))
		nth++;

	/* The fast path may need no allocation: sk_buffs and a page for heads
	 * are cached.
	 */
	if (udp_gso_expected_path(t) != UDP_GSO_PATH_FAST ||
	    t->geo.gso_size > PAGE_SIZE)
		KUNIT_EXPECT_GT(test, nth, 1);
}

static bool udp_gso_tx_fail(struct kunit *test, struct udp_gso_test *t,
			    const struct udp_gso_tx *tx, unsigned int nth)
{
	unsigned int all = DIV_ROUND_UP(t->payload, tx->gso_size);
	struct sk_buff *skb = udp_gso_tx_build(test, t);
	unsigned long errors = udp_gso_tx_errors(t);
	struct sk_buff *parts;
	unsigned int sent;
	int loglevel;
	bool failed;

	loglevel = udp_gso_fail_start(nth);
	parts = udp_gso_tx_do(t, skb);
	failed = udp_gso_fail_stop(loglevel);
	errors = udp_gso_tx_errors(t) - errors;
	if (!IS_ERR(parts)) {
		sent = udp_gso_tx_check(test, t, tx, parts);
		KUNIT_EXPECT_EQ(test, sent + errors, all);
		KUNIT_EXPECT_TRUE(test, failed || sent == all);
		/* All packets of a batch are sent, or none. */
		KUNIT_EXPECT_TRUE(test, sent == all ||
				  sent % UDP_MAX_SEGMENTS == 0);
		t->failed |= sent < all;
		kfree_skb_list(parts);
		udp_gso_tx_check_released(test, t);
		return failed;
	}

	KUNIT_EXPECT_EQ(test, PTR_ERR(parts), -ENOBUFS);
	KUNIT_EXPECT_EQ(test, errors, 0);
	KUNIT_EXPECT_TRUE(test, failed);
	udp_gso_tx_check_released(test, t);
	return failed;
}

/* After a failed allocation, either the send returns an error, or each datagram
 * is sent or counted as lost. No packet is leaked.
 */
static void udp_gso_tx_alloc_test(struct kunit *test)
{
	static const struct udp_gso_tx tx =
		TX("", 30000, 100, 1, .frag = 4096, .no_check = true);
	struct udp_gso_test *t = test->priv;
	unsigned int nth;
	int v6;

	kunit_info(test, "failing each allocation\n");	/* see above */
	for (v6 = 0; v6 <= IS_ENABLED(CONFIG_IPV6); v6++) {
		udp_gso_tx_setup(test, t, &tx, v6);
		/* By default, failslab ignores allocations that may sleep. */
		t->sock->sk->sk_allocation = GFP_ATOMIC;
		t->failed = false;
		for (nth = 1; udp_gso_tx_fail(test, t, &tx, nth); nth++)
			;
		/* At least the sk_buffs of the two detached packets were
		 * allocated.
		 */
		KUNIT_EXPECT_GT(test, nth, 2);
		KUNIT_EXPECT_TRUE(test, t->failed);
	}
}
#else
static void udp_gso_alloc_test(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_FAILSLAB");
}

static void udp_gso_tx_alloc_test(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_FAILSLAB");
}
#endif

/* More packets than the cached head pages of a CPU have room for */
#define TEST_HEADS_PACKETS	128

static bool udp_gso_head_is_pfmemalloc(const struct sk_buff *seg)
{
	return page_is_pfmemalloc(virt_to_page(seg->head));
}

/* Segments a packet. If @set, marks the page of the first head as allocated
 * from memory reserves. Returns whether it was marked before.
 */
static bool udp_gso_mark_head_page(struct kunit *test, struct udp_gso_test *t,
				   bool set)
{
	struct sk_buff *skb = udp_gso_build(test, t);
	struct sk_buff *segs;
	bool was;

	segs = udp_gso_segment(test, t, skb);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
	KUNIT_ASSERT_TRUE(test, segs->head_frag);
	was = udp_gso_head_is_pfmemalloc(segs);
	if (set)
		set_page_pfmemalloc(virt_to_page(segs->head));
	consume_skb(skb);
	kfree_skb_list(segs);

	return was;
}

/* A page from memory reserves must not be reused after it is full. It is
 * released to the page allocator, which clears the mark.
 */
static void udp_gso_heads_test(struct kunit *test)
{
	static const struct udp_gso_geo geo =
		GEO("one", 2, 1000, 1, .frag = 4096);
	struct udp_gso_test *t = test->priv;
	bool marked, full = false;
	int i;

	if (PAGE_SIZE != SZ_4K)
		kunit_skip(test, "heads are not allocated from pages");

	udp_gso_setup(test, t, &geo, &udp_gso_modes[0], false);
	migrate_disable();
	udp_gso_mark_head_page(test, t, true);
	for (i = 0; i < TEST_HEADS_PACKETS; i++) {
		marked = udp_gso_mark_head_page(test, t, false);
		KUNIT_EXPECT_FALSE(test, full && marked);
		full |= !marked;
	}
	KUNIT_EXPECT_TRUE(test, full);
	migrate_enable();
}

/* Copies the current segment to t->wire. Returns the number of descriptors that
 * the segment needs.
 */
static unsigned int udp_gso_walk_one(struct udp_gso_test *t,
				     struct udp_gso_walk *walk)
{
	const struct sk_buff *skb = walk->skb;
	struct udp_gso_slice slice;
	u8 *to = t->wire;
	const u8 *from;
	unsigned int n;

	udp_gso_walk_put_headers(walk, to);
	to += walk->hdr_len;
	for (n = 1; udp_gso_walk_slice(walk, &slice); n++) {
		from = slice.frag < 0 ? skb->data :
		       skb_frag_address(&skb_shinfo(skb)->frags[slice.frag]);
		memcpy(to, from + slice.offset, slice.len);
		to += slice.len;
	}
	return n;
}

static void udp_gso_walk(struct kunit *test, struct udp_gso_test *t,
			 const struct sk_buff *skb)
{
	struct udp_gso_seg want = { };
	struct udp_gso_walk walk;
	unsigned int descs = 0;

	udp_gso_walk_start(&walk, skb);
	while (udp_gso_next_seg(t, &want)) {
		KUNIT_ASSERT_TRUE(test, udp_gso_walk_next(&walk));
		SEG_ASSERT_EQ(&want, walk.len, want.len);
		SEG_ASSERT_EQ(&want, walk.pos, want.pos);
		SEG_ASSERT_EQ(&want, walk.hdr_len, t->data_off);
		descs += udp_gso_walk_one(t, &walk);
		udp_gso_check_headers(test, t, &want);
		udp_gso_check_payload(test, t, &want);
		udp_gso_complete_csum(t, sizeof(struct udphdr) + want.len);
		udp_gso_verify_csum(test, t, &want,
				    sizeof(struct udphdr) + want.len);
	}
	KUNIT_EXPECT_FALSE(test, udp_gso_walk_next(&walk));
	KUNIT_EXPECT_LE(test, descs, udp_gso_walk_max_descs(skb));
}

/* Iterates over the segments of a GSO packet as a driver does. */
static void udp_gso_walk_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);
	struct sk_buff *skb = udp_gso_build(test, t);
	enum udp_gso_path path = udp_gso_expected_path(t);

	skb_reset_mac_header(skb);
	skb_set_network_header(skb, t->net_off);
	skb_set_transport_header(skb, t->udp_off);

	/* The iterator does not read the payload, so the payload may be in user
	 * pages or in high memory.
	 */
	KUNIT_EXPECT_EQ(test, udp_gso_walk_allowed(skb),
			path == UDP_GSO_PATH_FAST ||
			path == UDP_GSO_PATH_ZEROCOPY ||
			path == UDP_GSO_PATH_HIGHMEM);
	if (udp_gso_walk_allowed(skb))
		udp_gso_walk(test, t, skb);

	/* A wrong gso_segs is rejected, because drivers compute the number of
	 * descriptors from it.
	 */
	skb_shinfo(skb)->gso_segs++;
	KUNIT_EXPECT_FALSE(test, udp_gso_walk_allowed(skb));
	skb_shinfo(skb)->gso_segs -= 2;
	KUNIT_EXPECT_FALSE(test, udp_gso_walk_allowed(skb));
	skb_shinfo(skb)->gso_segs++;

	/* the network header of MPLS packets is in front of the IP header */
	skb->protocol = htons(ETH_P_MPLS_UC);
	KUNIT_EXPECT_FALSE(test, udp_gso_walk_allowed(skb));
	udp_gso_abandon(test, t, skb);
}

static void udp_gso_length_test(struct kunit *test)
{
	struct udp_gso_test *t = udp_gso_setup_param(test);
	struct sk_buff *skb = udp_gso_build(test, t);
	unsigned int mac_len = t->data_off + t->geo.gso_size;
	unsigned int len = mac_len - t->net_off;

	KUNIT_EXPECT_TRUE(test, skb_gso_validate_network_len(skb, len));
	KUNIT_EXPECT_FALSE(test, skb_gso_validate_network_len(skb, len - 1));
	KUNIT_EXPECT_TRUE(test, skb_gso_validate_mac_len(skb, mac_len));
	KUNIT_EXPECT_FALSE(test, skb_gso_validate_mac_len(skb, mac_len - 1));
	udp_gso_abandon(test, t, skb);
}

/* Returns whether a device with USO and @csum gets the GSO packet. */
static bool udp_gso_has_uso(struct udp_gso_test *t, struct sk_buff *skb,
			    netdev_features_t csum)
{
	t->dev->features = NETIF_F_SG | NETIF_F_GSO_UDP_L4 | csum;
	t->dev->vlan_features = t->dev->features;

	return netif_skb_features(skb) & NETIF_F_GSO_UDP_L4;
}

/* A device with NETIF_F_IPV6_CSUM need not support extension headers. It must
 * not get GSO packets with extension headers, even if they are CHECKSUM_NONE.
 */
static void udp_gso_features_test(struct kunit *test)
{
	static const struct net_device_ops ops;
	struct udp_gso_test *t = udp_gso_setup_param(test);
	struct sk_buff *skb = udp_gso_build(test, t);
	const netdev_features_t csum = NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM;
	bool found = !t->v6 || !t->geo.options;

	skb_reset_mac_header(skb);
	skb_set_network_header(skb, t->net_off);
	skb_set_transport_header(skb, t->udp_off);
	skb->dev = t->dev;
	t->dev->netdev_ops = &ops;

	KUNIT_EXPECT_EQ(test, udp_gso_has_uso(t, skb, csum), found);
	KUNIT_EXPECT_TRUE(test, udp_gso_has_uso(t, skb, NETIF_F_HW_CSUM));
	skb->ip_summed = CHECKSUM_NONE;
	KUNIT_EXPECT_EQ(test, udp_gso_has_uso(t, skb, csum), found);
	udp_gso_abandon(test, t, skb);
}

/* Checksum state of UDP packets from tunnels */

struct udp_gso_csum_case {
	const char *name;
	unsigned int gso_type;
	unsigned int segs;	/* of the statistics of a tunnel device */
	bool partial;		/* csum_start is in the inner packet */
};

static const struct udp_gso_csum_case udp_gso_csum_cases[] = {
	{ "no GSO", 0, 1 },
	{ "UDP GSO", SKB_GSO_UDP_L4, 5 },
	{ "UDP GSO in a tunnel", SKB_GSO_UDP_L4 | SKB_GSO_UDP_TUNNEL_CSUM, 1,
	  true },
	{ "TCP GSO in a tunnel", SKB_GSO_TCPV4 | SKB_GSO_UDP_TUNNEL_CSUM, 1,
	  true },
};

static void udp_gso_csum_case_to_desc(const struct udp_gso_csum_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(udp_gso_csum, udp_gso_csum_cases, udp_gso_csum_case_to_desc);

static void udp_gso_csum_run(struct kunit *test, bool ipv6)
{
	const struct udp_gso_csum_case *c = test->param_value;
	struct in6_addr saddr = { .s6_addr[15] = 1 };
	struct in6_addr daddr = { .s6_addr[15] = 2 };
	const unsigned int len = 5008;
	struct sk_buff *skb;
	__sum16 check;
	u16 start;

	skb = alloc_skb(128 + len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 128);
	skb_reset_transport_header(skb);
	skb_put_zero(skb, len);
	if (c->gso_type) {
		skb_shinfo(skb)->gso_type = c->gso_type;
		skb_shinfo(skb)->gso_size = 1000;
		skb_shinfo(skb)->gso_segs = 5;
	}
	if (c->partial) {
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = 200;
		skb->csum_offset = 16;
	}
	start = c->partial ? 200 : 128;

	if (ipv6) {
		udp6_set_csum(false, skb, &saddr, &daddr, len);
		check = ~udp_v6_check(len, &saddr, &daddr, 0);
	} else {
		udp_set_csum(false, skb, htonl(1), htonl(2), len);
		check = ~udp_v4_check(len, htonl(1), htonl(2), 0);
	}
	KUNIT_EXPECT_EQ(test, (__force u16)udp_hdr(skb)->check,
			(__force u16)check);
	KUNIT_EXPECT_TRUE(test, skb->ip_summed == CHECKSUM_PARTIAL);
	KUNIT_EXPECT_EQ(test, skb->csum_start, start);
	KUNIT_EXPECT_EQ(test, skb->csum_offset, c->partial ? 16 : 6);
	KUNIT_EXPECT_EQ(test, iptunnel_xmit_pkts(skb), c->segs);
	kfree_skb(skb);
}

static void udp_gso_csum_test(struct kunit *test)
{
	udp_gso_csum_run(test, false);
	if (IS_ENABLED(CONFIG_IPV6))
		udp_gso_csum_run(test, true);
}

static int udp_gso_test_init(struct kunit *test)
{
	struct udp_gso_test *t;
	u8 *frame;
	int err;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	frame = kunit_kzalloc(test, TEST_MAX_FRAME + NET_IP_ALIGN, GFP_KERNEL);
	if (!t || !frame)
		return -ENOMEM;

	test->priv = t;
	t->uarg.ops = &udp_gso_ubuf_ops;
	t->uarg.flags = SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN;
	t->frame = frame + NET_IP_ALIGN;
	t->wire = kunit_kzalloc(test, TEST_MAX_FRAME, GFP_KERNEL);
	t->pool = alloc_pages(GFP_KERNEL | __GFP_COMP,
			      get_order(TEST_POOL_SIZE));
	t->dev = alloc_etherdev(0);
	t->md = metadata_dst_alloc(0, METADATA_IP_TUNNEL, GFP_KERNEL);
	if (!t->wire || !t->pool || !t->dev || !t->md)
		return -ENOMEM;

	err = register_trace_udp_gso_segment(udp_gso_save_path, t);
	return IS_ENABLED(CONFIG_TRACEPOINTS) ? err : 0;
}

static void udp_gso_test_exit(struct kunit *test)
{
	struct udp_gso_test *t = test->priv;

	if (!t)
		return;
	unregister_trace_udp_gso_segment(udp_gso_save_path, t);
	tracepoint_synchronize_unregister();
	udp_gso_close(t);
	if (t->md)
		dst_release(&t->md->dst);
	udp_gso_tx_put_dst(t);
	if (t->dev)
		free_netdev(t->dev);
	if (t->pool)
		put_page(t->pool);
}

static struct kunit_case udp_gso_test_cases[] = {
	KUNIT_CASE_PARAM(udp_gso_split_test, udp_gso_split_params),
	KUNIT_CASE_PARAM(udp_gso_count_test, udp_gso_count_params),
	KUNIT_CASE_PARAM(udp_gso_zero_test, udp_gso_zero_params),
	KUNIT_CASE_PARAM(udp_gso_no_owner_test, udp_gso_alloc_params),
	KUNIT_CASE_PARAM(udp_gso_foreign_owner_test, udp_gso_alloc_params),
#if IS_BUILTIN(CONFIG_UDP_GSO_KUNIT_TEST)
	KUNIT_CASE_PARAM(udp_gso_tcp_owner_test, udp_gso_alloc_params),
#endif
	KUNIT_CASE_PARAM(udp_gso_whole_test, udp_gso_whole_params),
	KUNIT_CASE_PARAM(udp_gso_drop_test, udp_gso_drop_gen_params),
	KUNIT_CASE_PARAM(udp_gso_refusal_test, udp_gso_refusal_gen_params),
	KUNIT_CASE_PARAM(udp_gso_alloc_test, udp_gso_alloc_params),
	KUNIT_CASE_PARAM(udp_gso_tx_test, udp_gso_tx_params),
	KUNIT_CASE(udp_gso_tx_alloc_test),
	KUNIT_CASE_PARAM(udp_gso_many_test, udp_gso_many_gen_params),
	KUNIT_CASE_PARAM(udp_gso_room_test, udp_gso_room_gen_params),
	KUNIT_CASE_PARAM(udp_gso_walk_test, udp_gso_walk_params),
	KUNIT_CASE_PARAM(udp_gso_length_test, udp_gso_length_params),
	KUNIT_CASE_PARAM(udp_gso_features_test, udp_gso_length_params),
	KUNIT_CASE(udp_gso_heads_test),
	KUNIT_CASE_PARAM(udp_gso_csum_test, udp_gso_csum_gen_params),
	{ }
};

static struct kunit_suite udp_gso_test_suite = {
	.name = "udp_gso",
	.init = udp_gso_test_init,
	.exit = udp_gso_test_exit,
	.test_cases = udp_gso_test_cases,
};

kunit_test_suite(udp_gso_test_suite);

MODULE_DESCRIPTION("KUnit tests of UDP segmentation");
MODULE_LICENSE("GPL");
