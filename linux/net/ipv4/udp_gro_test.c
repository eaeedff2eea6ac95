// SPDX-License-Identifier: GPL-2.0-or-later
/* KUnit tests of UDP GRO.
 *
 * Datagrams are passed to GRO. The aggregated packet is changed as in a
 * router, for example by NAT, and segmented. The segments must be equal to the
 * received datagrams with the same change.
 *
 * Expected values are computed from the datagrams only, and checksums are
 * computed without the code under test.
 */

#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/virtio_net.h>
#include <net/gro.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/protocol.h>
#include <net/udp.h>
#include <net/udp_gso.h>
#include <net/udp_tunnel.h>

#define TEST_MAX_DGRAMS	80
#define TEST_MAX_LEN	1536
#define TEST_HEADROOM	64
#define TEST_SPORT	1000
#define TEST_DPORT	2000
#define TEST_NEW_SPORT	0xfffe
#define TEST_NEW_DPORT	53
#define TEST_FOU_PORT	5555
#define TEST_IP_ID	0xfffe		/* the third datagram has ID 0 */

/* How a datagram differs from the others of its flow */
enum udp_gro_quirk {
	PLAIN,
	NO_CHECK,
	OTHER_TTL,
	OTHER_TOS,
	OTHER_SPORT,
	OTHER_DPORT,
	OTHER_ID,
	NO_DF,
	PADDED,
	BAD_LEN,
};

struct udp_gro_dgram {
	unsigned int count;		/* consecutive datagrams */
	unsigned int len;		/* of payload */
	enum udp_gro_quirk quirk;
};

/* @want has the expected number of datagrams in each packet, in order. */
struct udp_gro_flow {
	const char *name;
	struct udp_gro_dgram dgrams[5];
	unsigned int want[5];
	bool v4_only;
};

static const struct udp_gro_flow udp_gro_flows[] = {
	{ "one datagram", { { 1, 700 } }, { 1 } },
	{ "two datagrams", { { 2, 700 } }, { 2 } },
	{ "equal lengths", { { 9, 700 } }, { 9 } },
	{ "odd lengths", { { 9, 701 } }, { 9 } },
	{ "one byte each", { { 9, 1 } }, { 9 } },
	{ "64 datagrams", { { 64, 100 } }, { 64 } },
	{ "65 datagrams", { { 65, 100 } }, { 64, 1 } },
	{ "66 datagrams", { { 66, 100 } }, { 64, 2 } },
	{ "64 KiB", { { 46, 1444 } }, { 45, 1 } },
	{ "shorter last", { { 5, 700 }, { 1, 699 } }, { 6 } },
	{ "shorter in between", { { 5, 700 }, { 1, 1 }, { 3, 700 } },
	  { 6, 3 } },
	{ "two shorter", { { 5, 700 }, { 2, 699 } }, { 6, 1 } },
	{ "longer in between", { { 5, 700 }, { 1, 701 }, { 3, 700 } },
	  { 5, 2, 2 } },
	{ "empty first", { { 1, 0 }, { 3, 700 } }, { 1, 3 } },
	{ "empty in between", { { 3, 700 }, { 1, 0 }, { 3, 700 } },
	  { 3, 1, 3 } },
	{ "no checksum", { { 3, 700, NO_CHECK } }, { 1, 1, 1 } },
	{ "no checksum in between",
	  { { 3, 700 }, { 1, 700, NO_CHECK }, { 3, 700 } }, { 3, 1, 3 } },
	{ "another ttl", { { 3, 700 }, { 2, 700, OTHER_TTL } }, { 3, 2 } },
	{ "another tos", { { 3, 700 }, { 2, 700, OTHER_TOS } }, { 3, 2 } },
	{ "another source port", { { 3, 700 }, { 2, 700, OTHER_SPORT } },
	  { 3, 2 } },
	{ "another destination port", { { 3, 700 }, { 2, 700, OTHER_DPORT } },
	  { 3, 2 } },
	{ "padded in between", { { 3, 700 }, { 1, 18, PADDED }, { 3, 700 } },
	  { 3, 1, 3 } },
	{ "length of another", { { 3, 700 }, { 1, 700, BAD_LEN }, { 3, 700 } },
	  { 3, 1, 3 } },
	{ "may be fragmented", { { 4, 700, NO_DF } }, { 4 }, true },
	{ "gap in the IDs", { { 3, 700, NO_DF }, { 2, 700, OTHER_ID } },
	  { 3, 2 }, true },
};

/* Changes of a packet between GRO and segmentation */
enum udp_gro_event {
	NOTHING,
	HOP,			/* TTL and IP checksum */
	NAT_ADDRS,
	NAT_PORTS,
	NAT_ALL,
	NAT_REPLY,		/* source and destination are swapped */
	PULL,			/* pull, also one byte of the frag_list */
	PULL_ALL,
	UNTRUSTED,
	TO_PARTIAL,		/* convert for a virtio header */
	CLONE,			/* the packet has a clone */
	CLONE_NAT,
	CLONE_PULL_NAT,
};

static const char * const udp_gro_events[] = {
	"nothing", "hop", "addresses", "ports", "addresses and ports", "reply",
	"pull", "pull all", "untrusted", "to partial", "clone", "clone, translated",
	"clone, pulled, translated",
};

/* Memory of a received datagram. skb_gro_receive() merges datagrams in page
 * fragments, and links other datagrams in a frag_list.
 */
enum udp_gro_memory {
	PAGE_HEAD,
	PAGED,			/* only the payload is in a page */
	SLAB_HEAD,
};

static const char * const udp_gro_memories[] = { "", ", paged", ", slab" };

struct udp_gro_param {
	const struct udp_gro_flow *flow;
	enum udp_gro_event event;
	bool v6;
	bool list;
	enum udp_gro_memory memory;
	u8 ip_summed;		/* ip_summed of the datagrams */
	bool no_offload;	/* no offloads at the output device */
};

struct udp_gro_frame {
	unsigned int len;
	unsigned int hlen;	/* length of Ethernet and network header */
	bool merges;		/* GRO may aggregate it */
	u8 data[TEST_MAX_LEN];
};

struct udp_gro_test {
	struct udp_gro_param param;
	struct net_device *dev;
	struct napi_struct napi;
	struct sk_buff_head got;
	struct udp_gro_frame *frames;
	unsigned int nr;
	u8 *read;
};

static unsigned int test_net_hlen(const struct udp_gro_test *t)
{
	return t->param.v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* Checksums, computed byte by byte */

static u32 test_csum(const u8 *p, unsigned int len, u32 sum)
{
	unsigned int i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}

	return sum;
}

static void test_put16(u8 *p, u32 val)
{
	p[0] = val >> 8;
	p[1] = val;
}

static u16 test_get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

/* Sets the checksums. @nh is the network header, @uh the UDP header. */
static void test_set_checks(const struct udp_gro_test *t, u8 *nh, u8 *uh,
			    unsigned int ulen)
{
	u32 sum;

	if (!t->param.v6) {
		test_put16(nh + 10, 0);
		test_put16(nh + 10, ~test_csum(nh, sizeof(struct iphdr), 0));
	}

	test_put16(uh + 6, 0);
	if (t->param.v6)
		sum = test_csum(nh + 8, 32, IPPROTO_UDP + ulen);
	else
		sum = test_csum(nh + 12, 8, IPPROTO_UDP + ulen);
	sum = test_csum(uh, ulen, sum) ^ 0xffff;
	test_put16(uh + 6, sum ?: 0xffff);
}

static void test_ipv4_header(u8 *nh, unsigned int len, unsigned int nr,
			     enum udp_gro_quirk quirk)
{
	bool df = quirk != NO_DF && quirk != OTHER_ID;
	unsigned int id = TEST_IP_ID + nr;

	nh[0] = 0x45;
	nh[1] = quirk == OTHER_TOS ? 0x20 : 0;
	test_put16(nh + 2, len);
	test_put16(nh + 4, quirk == OTHER_ID ? id + 7 : id);
	test_put16(nh + 6, df ? 0x4000 : 0);
	nh[8] = quirk == OTHER_TTL ? 9 : 64;
	nh[9] = IPPROTO_UDP;
	memcpy(nh + 12, "\x0a\x01\x02\x03\x0a\x01\x02\x04", 8);
}

static void test_ipv6_header(u8 *nh, unsigned int len, enum udp_gro_quirk quirk)
{
	nh[0] = 0x60;
	nh[1] = quirk == OTHER_TOS ? 0x40 : 0;
	test_put16(nh + 4, len - sizeof(struct ipv6hdr));
	nh[6] = IPPROTO_UDP;
	nh[7] = quirk == OTHER_TTL ? 9 : 64;
	memcpy(nh + 8, "\x20\x01\x0d\xb8\x00\x01\x00\x00\0\0\0\0\0\0\0\x01", 16);
	memcpy(nh + 24, "\x20\x01\x0d\xb8\x00\x01\x00\x00\0\0\0\0\0\0\0\x02",
	       16);
}

static void test_make_frame(struct udp_gro_test *t, unsigned int len,
			    enum udp_gro_quirk quirk)
{
	struct udp_gro_frame *f = &t->frames[t->nr];
	unsigned int ulen = sizeof(struct udphdr) + len;
	unsigned int nlen = test_net_hlen(t);
	u8 *nh = f->data + ETH_HLEN;
	u8 *uh = nh + nlen;
	unsigned int i;

	f->hlen = ETH_HLEN + nlen;
	f->len = f->hlen + ulen;
	f->merges = quirk != NO_CHECK && quirk != PADDED && quirk != BAD_LEN;
	memset(f->data, 0, sizeof(f->data));
	memset(f->data, 0x02, 2 * ETH_ALEN);
	test_put16(f->data + 12, t->param.v6 ? ETH_P_IPV6 : ETH_P_IP);

	if (t->param.v6)
		test_ipv6_header(nh, nlen + ulen, quirk);
	else
		test_ipv4_header(nh, nlen + ulen, t->nr, quirk);

	test_put16(uh, TEST_SPORT + (quirk == OTHER_SPORT));
	test_put16(uh + 2, TEST_DPORT + (quirk == OTHER_DPORT));
	test_put16(uh + 4, quirk == BAD_LEN ? ulen - 1 : ulen);
	for (i = 0; i < len; i++)
		uh[8 + i] = (t->nr * 131 + i * 7) ^ (i >> 8);

	test_set_checks(t, nh, uh, ulen);
	if (quirk == NO_CHECK)
		test_put16(uh + 6, 0);
	if (quirk == PADDED)
		f->len += 7;

	t->nr++;
}

static struct sk_buff *test_make_skb(struct kunit *test, struct udp_gro_test *t,
				     const struct udp_gro_frame *f)
{
	unsigned int hlen = f->hlen + sizeof(struct udphdr);
	unsigned int linear = t->param.memory == PAGED ? hlen : f->len;
	struct sk_buff *skb;
	struct page *page;

	if (t->param.memory == SLAB_HEAD)
		skb = alloc_skb(TEST_HEADROOM + linear, GFP_ATOMIC);
	else
		skb = napi_alloc_skb(&t->napi, TEST_HEADROOM + linear);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, TEST_HEADROOM);
	skb_put_data(skb, f->data, linear);

	if (f->len > linear) {
		page = alloc_page(GFP_ATOMIC);
		KUNIT_ASSERT_NOT_NULL(test, page);
		memcpy(page_address(page), f->data + linear, f->len - linear);
		skb_add_rx_frag(skb, 0, page, 0, f->len - linear, PAGE_SIZE);
	}

	skb->protocol = eth_type_trans(skb, t->dev);
	skb->ip_summed = t->param.ip_summed;
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->csum = skb_checksum(skb, 0, skb->len, 0);

	return skb;
}

static rx_handler_result_t test_rx(struct sk_buff **pskb)
{
	struct udp_gro_test *t = rcu_dereference((*pskb)->dev->rx_handler_data);

	skb_queue_tail(&t->got, *pskb);
	return RX_HANDLER_CONSUMED;
}

/* Replaces gro_normal_list(), which modules cannot call. */
static void test_normal_list(struct napi_struct *napi)
{
	netif_receive_skb_list(&napi->rx_list);
	INIT_LIST_HEAD(&napi->rx_list);
	napi->rx_count = 0;
}

static void test_receive(struct kunit *test, struct udp_gro_test *t)
{
	unsigned int i;

	local_bh_disable();
	for (i = 0; i < t->nr; i++)
		napi_gro_receive(&t->napi,
				 test_make_skb(test, t, &t->frames[i]));
	napi_gro_flush(&t->napi, false);
	test_normal_list(&t->napi);
	local_bh_enable();
}

/* Changes of the aggregated packet, made as in a router */

static void test_nat_addr(struct udp_gro_test *t, struct sk_buff *skb, bool dst)
{
	struct ipv6hdr *ip6h = ipv6_hdr(skb);
	struct iphdr *iph = ip_hdr(skb);
	struct udphdr *uh = udp_hdr(skb);
	__be32 *old, new[4] = { htonl(0xc0a80000), htonl(0xfffffffe), 0,
				htonl(0x12340000 + dst) };

	if (t->param.v6) {
		old = dst ? ip6h->daddr.s6_addr32 : ip6h->saddr.s6_addr32;
		inet_proto_csum_replace16(&uh->check, skb, old, new, true);
		memcpy(old, new, sizeof(new));
	} else {
		old = dst ? &iph->daddr : &iph->saddr;
		csum_replace4(&iph->check, *old, new[3]);
		inet_proto_csum_replace4(&uh->check, skb, *old, new[3], true);
		*old = new[3];
	}
}

static void test_nat_port(struct sk_buff *skb, bool dst)
{
	__be16 new = htons(dst ? TEST_NEW_DPORT : TEST_NEW_SPORT);
	struct udphdr *uh = udp_hdr(skb);
	__be16 *old = dst ? &uh->dest : &uh->source;

	inet_proto_csum_replace2(&uh->check, skb, *old, new, false);
	*old = new;
}

static void test_nat(struct kunit *test, struct udp_gro_test *t,
		     struct sk_buff *skb, bool addrs, bool ports)
{
	unsigned int hlen = test_net_hlen(t) + sizeof(struct udphdr);
	struct udphdr *uh;

	KUNIT_ASSERT_EQ(test, skb_ensure_writable(skb, hlen), 0);
	uh = udp_hdr(skb);
	if (!uh->check && skb->ip_summed != CHECKSUM_PARTIAL)
		return;

	if (addrs) {
		test_nat_addr(t, skb, false);
		test_nat_addr(t, skb, true);
	}
	if (ports) {
		test_nat_port(skb, false);
		test_nat_port(skb, true);
	}
	if (!uh->check)
		uh->check = CSUM_MANGLED_0;
}

/* Swaps source and destination. The checksums remain valid, because they do not
 * depend on the order of the words.
 */
static void test_swap(struct kunit *test, struct udp_gro_test *t,
		      struct sk_buff *skb)
{
	unsigned int hlen = test_net_hlen(t) + sizeof(struct udphdr);

	KUNIT_ASSERT_EQ(test, skb_ensure_writable(skb, hlen), 0);
	swap(udp_hdr(skb)->source, udp_hdr(skb)->dest);
	if (t->param.v6)
		swap(ipv6_hdr(skb)->saddr, ipv6_hdr(skb)->daddr);
	else
		swap(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr);
}

static void test_hop(struct kunit *test, struct udp_gro_test *t,
		     struct sk_buff *skb)
{
	KUNIT_ASSERT_EQ(test, skb_ensure_writable(skb, test_net_hlen(t)), 0);
	if (t->param.v6)
		ipv6_hdr(skb)->hop_limit--;
	else
		ip_decrease_ttl(ip_hdr(skb));
}

static void test_pull(struct kunit *test, struct sk_buff *skb, bool all)
{
	unsigned int len = skb_pagelen(skb) + 1;

	if (all || len > skb->len)
		len = skb->len;
	KUNIT_ASSERT_TRUE(test, pskb_may_pull(skb, len));
}

/* Checks that a virtio header can describe the packet, and that the header is
 * valid as input.
 */
static void test_to_partial(struct kunit *test, struct udp_gro_test *t,
			    struct sk_buff *skb)
{
	struct virtio_net_hdr hdr;

	KUNIT_ASSERT_EQ(test, udp_gso_list_to_partial(skb), 0);
	if (!skb_is_gso(skb))
		return;

	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_type, SKB_GSO_UDP_L4);
	KUNIT_ASSERT_EQ(test, virtio_net_hdr_from_skb(skb, &hdr, true, true, 0),
			0);
	KUNIT_EXPECT_EQ(test, hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	KUNIT_EXPECT_EQ(test, __virtio16_to_cpu(true, hdr.csum_start),
			test_net_hlen(t));
	KUNIT_EXPECT_EQ(test, __virtio16_to_cpu(true, hdr.csum_offset),
			offsetof(struct udphdr, check));
	KUNIT_EXPECT_EQ(test, hdr.gso_type, VIRTIO_NET_HDR_GSO_UDP_L4);
}

/* NAT is not applied to datagrams without a UDP checksum, here and in
 * test_event_wanted().
 */
static void test_event(struct kunit *test, struct udp_gro_test *t,
		       struct sk_buff *skb)
{
	skb_set_transport_header(skb, test_net_hlen(t));

	switch (t->param.event) {
	case NOTHING:
	case CLONE:
		break;
	case HOP:
		test_hop(test, t, skb);
		break;
	case NAT_ADDRS:
		test_nat(test, t, skb, true, false);
		break;
	case NAT_PORTS:
		test_nat(test, t, skb, false, true);
		break;
	case NAT_ALL:
	case CLONE_NAT:
		test_nat(test, t, skb, true, true);
		break;
	case NAT_REPLY:
		test_swap(test, t, skb);
		break;
	case PULL:
		test_pull(test, skb, false);
		break;
	case PULL_ALL:
		test_pull(test, skb, true);
		break;
	case UNTRUSTED:
		skb_shinfo(skb)->gso_type |= skb_is_gso(skb) ?
					     SKB_GSO_DODGY : 0;
		break;
	case TO_PARTIAL:
		test_to_partial(test, t, skb);
		break;
	case CLONE_PULL_NAT:
		test_pull(test, skb, false);
		test_nat(test, t, skb, true, true);
		break;
	}
}

/* Applies the same change to @data, a copy of the received datagram. */
static void test_event_wanted(struct udp_gro_test *t, u8 *data,
			      const struct udp_gro_frame *f)
{
	u8 *nh = data + ETH_HLEN;
	u8 *uh = data + f->hlen;
	unsigned int ulen = test_get16(uh + 4);
	bool has_csum = test_get16(uh + 6);
	bool addrs = false, ports = false;

	switch (t->param.event) {
	case HOP:
		nh[t->param.v6 ? 7 : 8]--;
		break;
	case NAT_ADDRS:
		addrs = true;
		break;
	case NAT_PORTS:
		ports = true;
		break;
	case NAT_ALL:
	case CLONE_NAT:
	case CLONE_PULL_NAT:
		addrs = true;
		ports = true;
		break;
	case NAT_REPLY:
		swap(*(__be16 *)uh, *(__be16 *)(uh + 2));
		if (t->param.v6)
			swap(*(struct in6_addr *)(nh + 8),
			     *(struct in6_addr *)(nh + 24));
		else
			swap(*(__be32 *)(nh + 12), *(__be32 *)(nh + 16));
		break;
	default:
		break;
	}

	if (addrs && has_csum && t->param.v6) {
		memcpy(nh + 8, "\xc0\xa8\0\0\xff\xff\xff\xfe\0\0\0\0\x12\x34\0",
		       16);
		memcpy(nh + 24, "\xc0\xa8\0\0\xff\xff\xff\xfe\0\0\0\0\x12\x34",
		       15);
		nh[39] = 1;
	} else if (addrs && has_csum) {
		memcpy(nh + 12, "\x12\x34\0\0\x12\x34\0\x01", 8);
	}
	if (ports && has_csum) {
		test_put16(uh, TEST_NEW_SPORT);
		test_put16(uh + 2, TEST_NEW_DPORT);
	}

	if (!f->merges && t->param.event == HOP && !t->param.v6) {
		test_put16(nh + 10, 0);
		test_put16(nh + 10, ~test_csum(nh, sizeof(struct iphdr), 0));
	} else if (f->merges) {
		test_set_checks(t, nh, uh, ulen);
	}
}

static void test_read(struct kunit *test, struct udp_gro_test *t,
		      struct sk_buff *skb, const struct udp_gro_frame *f,
		      unsigned int nr)
{
	u8 want[TEST_MAX_LEN];

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		KUNIT_ASSERT_EQ(test, skb_checksum_help(skb), 0);

	memcpy(want, f->data, sizeof(want));
	test_event_wanted(t, want, f);

	KUNIT_ASSERT_LE(test, skb->len, TEST_MAX_LEN);
	KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, 0, t->read, skb->len), 0);
	KUNIT_EXPECT_EQ_MSG(test, skb->len, f->len, "datagram %u", nr);
	if (!memcmp(t->read, want, f->len))
		return;

	KUNIT_FAIL(test, "datagram %u differs from the one received", nr);
	print_hex_dump(KERN_ERR, "got  ", DUMP_PREFIX_OFFSET, 16, 1, t->read,
		       f->hlen + 16, false);
	print_hex_dump(KERN_ERR, "want ", DUMP_PREFIX_OFFSET, 16, 1, want,
		       f->hlen + 16, false);
}

/* Checks GSO type, number and lengths of the segments, and ip_summed. */
static void test_geometry(struct kunit *test, struct udp_gro_test *t,
			  const struct sk_buff *skb, unsigned int segs,
			  const struct udp_gro_frame *f)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int type = SKB_GSO_UDP_L4;

	if (segs == 1) {
		KUNIT_EXPECT_FALSE(test, skb_is_gso(skb));
		return;
	}

	if (t->param.list)
		type |= SKB_GSO_FRAGLIST;
	KUNIT_EXPECT_EQ(test, shinfo->gso_type, type);
	KUNIT_EXPECT_EQ(test, shinfo->gso_segs, segs);
	KUNIT_EXPECT_EQ(test, shinfo->gso_size,
			f->len - f->hlen - sizeof(struct udphdr));
	KUNIT_EXPECT_TRUE(test, skb->ip_summed == (t->param.list ?
			  CHECKSUM_UNNECESSARY : CHECKSUM_PARTIAL));
}

static struct sk_buff *test_segment(struct kunit *test, struct udp_gro_test *t,
				    struct sk_buff *skb)
{
	netdev_features_t features = NETIF_F_SG | NETIF_F_HW_CSUM;
	struct sk_buff *segs;

	skb_push(skb, ETH_HLEN);
	if (!skb_is_gso(skb))
		return skb;

	if (t->param.no_offload)
		features = 0;
	segs = __skb_gso_segment(skb, features, true);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(segs));
	consume_skb(skb);

	return segs;
}

static void test_packet(struct kunit *test, struct udp_gro_test *t,
			struct sk_buff *skb, unsigned int first,
			unsigned int segs)
{
	struct sk_buff *seg, *next, *clone = NULL;
	unsigned int n = 0;

	test_geometry(test, t, skb, segs, &t->frames[first]);

	if (t->param.event >= CLONE) {
		clone = skb_clone(skb, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, clone);
	}
	test_event(test, t, skb);
	seg = test_segment(test, t, skb);
	skb_list_walk_safe(seg, seg, next) {
		skb_mark_not_on_list(seg);
		if (n < segs)
			test_read(test, t, seg, &t->frames[first + n],
				  first + n);
		consume_skb(seg);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, segs);

	/* The clone must be unchanged. */
	if (clone) {
		t->param.event = NOTHING;
		test_packet(test, t, clone, first, segs);
		t->param.event = CLONE;
	}
}

static void udp_gro_rx_test(struct kunit *test)
{
	const struct udp_gro_param *param = test->param_value;
	const struct udp_gro_flow *flow = param->flow;
	struct udp_gro_test *t = test->priv;
	unsigned int i, j, nr = 0;
	struct sk_buff *skb;

	t->param = *param;
	t->dev->features = NETIF_F_GRO | NETIF_F_SG;
	t->dev->features |= param->list ? NETIF_F_GRO_FRAGLIST :
					  NETIF_F_GRO_UDP_FWD;
	for (i = 0; i < ARRAY_SIZE(flow->dgrams); i++)
		for (j = 0; j < flow->dgrams[i].count; j++)
			test_make_frame(t, flow->dgrams[i].len,
					flow->dgrams[i].quirk);
	KUNIT_ASSERT_LE(test, t->nr, TEST_MAX_DGRAMS);

	test_receive(test, t);

	for (i = 0; i < ARRAY_SIZE(flow->want) && flow->want[i]; i++) {
		skb = skb_dequeue(&t->got);
		KUNIT_ASSERT_NOT_NULL_MSG(test, skb, "packet %u", i);
		t->param.event = param->event;
		test_packet(test, t, skb, nr, flow->want[i]);
		nr += flow->want[i];
	}
	KUNIT_EXPECT_EQ(test, nr, t->nr);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&t->got));
}

static void udp_gro_event_test(struct kunit *test)
{
	udp_gro_rx_test(test);
}

/* If GRO for UDP is not enabled, datagrams are not aggregated, and their
 * checksums are not verified.
 */
static void udp_gro_off_test(struct kunit *test)
{
	struct udp_gro_test *t = test->priv;
	struct sk_buff *skb;
	unsigned int i;

	t->dev->features = NETIF_F_GRO | NETIF_F_SG;
	for (i = 0; i < 5; i++)
		test_make_frame(t, 700, PLAIN);
	test_receive(test, t);
	for (i = 0; i < 5; i++) {
		skb = skb_dequeue(&t->got);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_FALSE(test, skb_is_gso(skb));
		KUNIT_EXPECT_TRUE(test, skb->ip_summed == CHECKSUM_NONE);
		skb_push(skb, ETH_HLEN);
		test_read(test, t, skb, &t->frames[i], i);
		kfree_skb(skb);
	}
}

/* Without a socket, udp_gro_receive() does not aggregate the datagram. */
static void udp_gro_no_tunnel_test(struct kunit *test)
{
	struct udp_gro_test *t = test->priv;
	struct sk_buff *skb;
	LIST_HEAD(head);

	test_make_frame(t, 700, PLAIN);
	local_bh_disable();
	skb = test_make_skb(test, t, &t->frames[0]);
	local_bh_enable();
	memset(NAPI_GRO_CB(skb), 0, sizeof(*NAPI_GRO_CB(skb)));
	skb_gro_pull(skb, test_net_hlen(t));

	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, udp_gro_receive(&head, skb,
						udp_gro_udphdr(skb), NULL));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, NAPI_GRO_CB(skb)->flush, 1);
	kfree_skb(skb);
}

/* Replacements of fou_gro_receive() and fou_gro_complete() */

static u8 test_fou_proto(const struct sk_buff *skb, unsigned int off)
{
	u8 version;

	if (skb_copy_bits(skb, off, &version, sizeof(version)))
		return 0;

	switch (version >> 4) {
	case 4:
		return IPPROTO_IPIP;
	case 6:
		return IPPROTO_IPV6;
	default:
		return IPPROTO_UDP;
	}
}

static struct sk_buff *test_fou_receive(struct sock *sk, struct list_head *head,
					struct sk_buff *skb)
{
	u8 proto = test_fou_proto(skb, skb_gro_offset(skb));
	const struct net_offload *ops;

	NAPI_GRO_CB(skb)->encap_mark = 0;
	NAPI_GRO_CB(skb)->is_fou = 1;
	ops = rcu_dereference(inet_offloads[proto]);

	return call_gro_receive(ops->callbacks.gro_receive, head, skb);
}

static int test_fou_complete(struct sock *sk, struct sk_buff *skb, int nhoff)
{
	const struct net_offload *ops;
	int err;

	ops = rcu_dereference(inet_offloads[test_fou_proto(skb, nhoff)]);
	err = ops->callbacks.gro_complete(skb, nhoff);
	skb_set_inner_mac_header(skb, nhoff);

	return err;
}

static struct socket *test_fou_socket(struct kunit *test, u16 port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET,
						  SOCK_DGRAM, IPPROTO_UDP,
						  &sock));
	udp_sk(sock->sk)->gro_receive = test_fou_receive;
	udp_sk(sock->sk)->gro_complete = test_fou_complete;
	udp_tunnel_encap_enable(sock->sk);
	KUNIT_EXPECT_EQ(test, 0, kernel_bind(sock, (struct sockaddr *)&addr,
					     sizeof(addr)));

	return sock;
}

/* Adds an IPv4 header and a UDP header without checksum. @len_diff is added to
 * the UDP length.
 */
static void test_fou_encap(struct udp_gro_frame *f, int len_diff)
{
	const unsigned int olen = sizeof(struct iphdr) + sizeof(struct udphdr);
	u8 *nh = f->data + ETH_HLEN;

	memmove(nh + olen, nh, f->len - ETH_HLEN);
	memset(nh, 0, olen);
	test_put16(f->data + 12, ETH_P_IP);
	f->len += olen;
	f->hlen += olen;
	test_ipv4_header(nh, f->len - ETH_HLEN, 0, PLAIN);
	test_put16(nh + 10, ~test_csum(nh, sizeof(struct iphdr), 0));
	nh += sizeof(struct iphdr);
	test_put16(nh + 2, TEST_FOU_PORT);
	test_put16(nh + 4, f->len - ETH_HLEN - sizeof(struct iphdr) + len_diff);
}

/* Makes a datagram with 712 bytes of payload, and turns it into a TCP segment
 * with 700 bytes of payload.
 */
static void test_make_tcp(struct udp_gro_test *t)
{
	unsigned int tcp_len = sizeof(struct tcphdr) + 700;
	u8 *nh = t->frames[t->nr].data + ETH_HLEN;
	u8 *th = nh + test_net_hlen(t);
	u32 sum;

	test_make_frame(t, 712, PLAIN);
	nh[t->param.v6 ? 6 : 9] = IPPROTO_TCP;
	memset(th + 4, 0, 16);
	test_put16(th + 6, t->nr * 700);
	test_put16(th + 12, 0x5010);	/* header of 20 bytes, ACK flag */

	if (t->param.v6) {
		sum = test_csum(nh + 8, 32, IPPROTO_TCP + tcp_len);
	} else {
		sum = test_csum(nh + 12, 8, IPPROTO_TCP + tcp_len);
		test_put16(nh + 10, 0);
		test_put16(nh + 10, ~test_csum(nh, sizeof(struct iphdr), 0));
	}
	test_put16(th + 16, ~test_csum(th, tcp_len, sum));
}

static void test_fou_frames(struct udp_gro_test *t, bool v6, bool tcp,
			    int len_diff)
{
	unsigned int i;

	t->param.v6 = v6;
	t->nr = 0;
	for (i = 0; i < 5; i++) {
		if (tcp)
			test_make_tcp(t);
		else
			test_make_frame(t, 700, PLAIN);
		test_fou_encap(&t->frames[i], len_diff);
	}
}

/* Tests aggregation to a fraglist packet inside a tunnel. A router needs the
 * offset of the inner transport header to segment the packet.
 */
static void test_fou_list(struct kunit *test, struct udp_gro_test *t, bool v6,
			  bool tcp, u8 ip_summed)
{
	const int types = SKB_GSO_UDP_TUNNEL | SKB_GSO_IPXIP4 |
			  SKB_GSO_FRAGLIST;
	int type = SKB_GSO_UDP_L4;
	struct sk_buff *skb;

	if (tcp)
		type = v6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;

	t->dev->features = NETIF_F_GRO | NETIF_F_SG | NETIF_F_GRO_FRAGLIST;
	t->param.ip_summed = ip_summed;
	test_fou_frames(t, v6, tcp, 0);
	test_receive(test, t);
	t->param.ip_summed = CHECKSUM_NONE;

	skb = skb_dequeue(&t->got);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_segs, t->nr);
	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_type, types | type);
	KUNIT_EXPECT_TRUE(test, skb->ip_summed == CHECKSUM_UNNECESSARY);
	/* The checksum of the inner packet is verified, too. */
	if (ip_summed == CHECKSUM_COMPLETE)
		KUNIT_EXPECT_TRUE(test, skb->csum_level > 0);
	KUNIT_EXPECT_EQ(test, skb_inner_transport_offset(skb),
			sizeof(struct iphdr) + sizeof(struct udphdr) +
			test_net_hlen(t));
	kfree_skb(skb);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&t->got));
}

/* The tunnel is removed while GRO has packets of the tunnel. The aggregated
 * packet must be dropped. It must not be completed as a UDP GSO packet with the
 * outer header.
 */
static void test_fou_removed(struct kunit *test, struct udp_gro_test *t,
			     bool v6, netdev_features_t feature,
			     struct sock *sk)
{
	unsigned int i;

	t->dev->features = NETIF_F_GRO | NETIF_F_SG | feature;
	test_fou_frames(t, v6, false, 0);

	local_bh_disable();
	for (i = 0; i < t->nr; i++)
		napi_gro_receive(&t->napi,
				 test_make_skb(test, t, &t->frames[i]));
	WRITE_ONCE(udp_sk(sk)->gro_complete, NULL);
	napi_gro_flush(&t->napi, false);
	test_normal_list(&t->napi);
	local_bh_enable();

	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&t->got));
	skb_queue_purge(&t->got);
	WRITE_ONCE(udp_sk(sk)->gro_complete, test_fou_complete);
}

/* An encapsulation socket for the inner port is created while GRO has datagrams
 * to this port. The gro_complete() callback of the socket must not be called
 * for these datagrams, because gro_receive() has not parsed their payload.
 */
static void test_fou_created(struct kunit *test, struct udp_gro_test *t)
{
	const unsigned int hlen = 2 * (sizeof(struct iphdr) +
				       sizeof(struct udphdr));
	struct socket *sock;
	struct sk_buff *skb;
	unsigned int i;
	u8 *payload;

	t->dev->features = NETIF_F_GRO | NETIF_F_SG | NETIF_F_GRO_UDP_FWD;
	test_fou_frames(t, false, false, 0);

	local_bh_disable();
	for (i = 0; i < t->nr; i++)
		napi_gro_receive(&t->napi,
				 test_make_skb(test, t, &t->frames[i]));
	local_bh_enable();
	sock = test_fou_socket(test, TEST_DPORT);
	local_bh_disable();
	napi_gro_flush(&t->napi, false);
	test_normal_list(&t->napi);
	local_bh_enable();
	sock_release(sock);

	skb = skb_dequeue(&t->got);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_segs, t->nr);
	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_type,
			SKB_GSO_UDP_TUNNEL | SKB_GSO_IPXIP4 | SKB_GSO_UDP_L4);
	KUNIT_ASSERT_TRUE(test, pskb_may_pull(skb, hlen + 700));
	payload = t->frames[0].data + ETH_HLEN + hlen;
	KUNIT_EXPECT_MEMEQ(test, skb->data + hlen, payload, 700);
	kfree_skb(skb);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&t->got));
}

/* GRO cannot aggregate datagrams whose UDP header directly follows the UDP
 * header of FOU.
 */
static void test_fou_direct(struct kunit *test, struct udp_gro_test *t,
			    netdev_features_t feature)
{
	const unsigned int hlen = sizeof(struct udphdr);
	struct udp_gro_frame *f;
	struct sk_buff *skb;
	unsigned int i;
	u8 *nh, *uh;

	t->dev->features = NETIF_F_GRO | NETIF_F_SG | feature;
	t->param.v6 = false;
	t->nr = 0;
	for (i = 0; i < 5; i++) {
		f = &t->frames[i];
		test_make_frame(t, 700, PLAIN);
		nh = f->data + ETH_HLEN;
		uh = nh + sizeof(struct iphdr);
		memmove(uh + hlen, uh, f->len - f->hlen);
		f->len += hlen;
		f->hlen += hlen;
		memset(uh, 0, hlen);
		test_put16(uh + 2, TEST_FOU_PORT);
		test_put16(uh + 4, f->len - (uh - f->data));
		test_put16(nh + 2, f->len - ETH_HLEN);
		test_put16(nh + 10, 0);
		test_put16(nh + 10, ~test_csum(nh, sizeof(struct iphdr), 0));
	}
	test_receive(test, t);

	for (i = 0; i < t->nr; i++) {
		skb = skb_dequeue(&t->got);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_FALSE(test, skb_is_gso(skb));
		kfree_skb(skb);
	}
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&t->got));
}

/* A wrong outer UDP length must prevent aggregation, because GRO would
 * overwrite this length.
 */
static void test_fou_length(struct kunit *test, struct udp_gro_test *t, bool v6,
			    int len_diff)
{
	struct sk_buff *skb;
	unsigned int i;

	t->dev->features = NETIF_F_GRO | NETIF_F_SG | NETIF_F_GRO_FRAGLIST;
	test_fou_frames(t, v6, false, len_diff);
	test_receive(test, t);
	for (i = 0; i < t->nr; i++) {
		skb = skb_dequeue(&t->got);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_FALSE(test, skb_is_gso(skb));
		kfree_skb(skb);
	}
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&t->got));
}

static void udp_gro_fou_test(struct kunit *test)
{
	struct udp_gro_test *t = test->priv;
	struct socket *sock = test_fou_socket(test, TEST_FOU_PORT);
	int v6, tcp;

	for (v6 = 0; v6 < 2; v6++) {
		for (tcp = 0; tcp < 2; tcp++) {
			test_fou_list(test, t, v6, tcp, CHECKSUM_NONE);
			test_fou_list(test, t, v6, tcp, CHECKSUM_COMPLETE);
		}
		test_fou_removed(test, t, v6, NETIF_F_GRO_FRAGLIST, sock->sk);
		test_fou_removed(test, t, v6, NETIF_F_GRO_UDP_FWD, sock->sk);
		test_fou_length(test, t, v6, -1);
		test_fou_length(test, t, v6, 1);
	}
	test_fou_created(test, t);
	test_fou_direct(test, t, NETIF_F_GRO_FRAGLIST);
	test_fou_direct(test, t, NETIF_F_GRO_UDP_FWD);
	sock_release(sock);
}

static const u8 udp_gro_ip_summed[] = {
	CHECKSUM_NONE, CHECKSUM_UNNECESSARY, CHECKSUM_COMPLETE,
};

/* Returns the last digit of @n with base @base, and removes it. */
static unsigned int test_digit(unsigned int *n, unsigned int base)
{
	unsigned int digit = *n % base;

	*n /= base;
	return digit;
}

/* Combines all flows with all kinds of memory and checksum states. */
static bool udp_gro_rx_param(struct udp_gro_param *param, unsigned int n)
{
	*param = (struct udp_gro_param){ .event = HOP };
	param->v6 = test_digit(&n, 2);
	param->list = test_digit(&n, 2);
	param->memory = test_digit(&n, ARRAY_SIZE(udp_gro_memories));
	param->ip_summed = udp_gro_ip_summed[test_digit(&n,
					ARRAY_SIZE(udp_gro_ip_summed))];
	if (n >= ARRAY_SIZE(udp_gro_flows))
		return false;

	param->flow = &udp_gro_flows[n];
	return true;
}

/* Combines all values of enum udp_gro_event with the flows of a short table. */
static bool udp_gro_event_param(struct udp_gro_param *param, unsigned int n)
{
	static const struct udp_gro_flow flows[] = {
		{ "odd and shorter", { { 9, 701 }, { 1, 600 } }, { 10 } },
		{ "two of a kind", { { 2, 300 } }, { 2 } },
		{ "one byte shorter", { { 2, 701 }, { 1, 700 } }, { 3 } },
		{ "alone", { { 1, 300, NO_CHECK }, { 2, 300 } }, { 1, 2 } },
	};

	*param = (struct udp_gro_param){ .ip_summed = CHECKSUM_NONE };
	param->v6 = test_digit(&n, 2);
	param->list = test_digit(&n, 2);
	param->memory = test_digit(&n, ARRAY_SIZE(udp_gro_memories));
	param->no_offload = test_digit(&n, 2);
	param->event = test_digit(&n, ARRAY_SIZE(udp_gro_events));
	if (n >= ARRAY_SIZE(flows))
		return false;

	param->flow = &flows[n];
	return true;
}

static const void *
udp_gro_next(const void *prev, char *desc, struct udp_gro_param *param,
	     unsigned int *nr,
	     bool (*get)(struct udp_gro_param *param, unsigned int n))
{
	if (!prev)
		*nr = 0;
	do {
		if (!get(param, (*nr)++))
			return NULL;
	} while (param->flow->v4_only && param->v6);

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %s: %s%s%s, ip_summed %u%s",
		 param->flow->name, udp_gro_events[param->event],
		 param->v6 ? "v6" : "v4", param->list ? ", list" : "",
		 udp_gro_memories[param->memory], param->ip_summed,
		 param->no_offload ? ", no offload" : "");
	return param;
}

static const void *udp_gro_rx_params(const void *prev, char *desc)
{
	static struct udp_gro_param param;
	static unsigned int nr;

	return udp_gro_next(prev, desc, &param, &nr, udp_gro_rx_param);
}

static const void *udp_gro_event_params(const void *prev, char *desc)
{
	static struct udp_gro_param param;
	static unsigned int nr;

	return udp_gro_next(prev, desc, &param, &nr, udp_gro_event_param);
}

static int udp_gro_test_init(struct kunit *test)
{
	struct udp_gro_test *t;
	int err;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	test->priv = t;
	skb_queue_head_init(&t->got);
	t->frames = kunit_kcalloc(test, TEST_MAX_DGRAMS, sizeof(*t->frames),
				  GFP_KERNEL);
	t->read = kunit_kzalloc(test, TEST_MAX_LEN, GFP_KERNEL);
	t->dev = alloc_etherdev(0);
	if (!t->frames || !t->read || !t->dev)
		return -ENOMEM;

	eth_hw_addr_set(t->dev, "\x02\x02\x02\x02\x02\x02");
	netif_napi_add(t->dev, &t->napi, NULL);
	rtnl_lock();
	err = netdev_rx_handler_register(t->dev, test_rx, t);
	rtnl_unlock();

	return err;
}

static void udp_gro_test_exit(struct kunit *test)
{
	struct udp_gro_test *t = test->priv;

	if (!t || !t->dev)
		return;

	skb_queue_purge(&t->got);
	rtnl_lock();
	if (netdev_is_rx_handler_busy(t->dev))
		netdev_rx_handler_unregister(t->dev);
	rtnl_unlock();
	netif_napi_del(&t->napi);
	free_netdev(t->dev);
}

static struct kunit_case udp_gro_test_cases[] = {
	KUNIT_CASE_PARAM(udp_gro_rx_test, udp_gro_rx_params),
	KUNIT_CASE_PARAM(udp_gro_event_test, udp_gro_event_params),
	KUNIT_CASE(udp_gro_off_test),
	KUNIT_CASE(udp_gro_no_tunnel_test),
	KUNIT_CASE(udp_gro_fou_test),
	{ }
};

static struct kunit_suite udp_gro_test_suite = {
	.name = "udp_gro",
	.init = udp_gro_test_init,
	.exit = udp_gro_test_exit,
	.test_cases = udp_gro_test_cases,
};

kunit_test_suite(udp_gro_test_suite);

MODULE_DESCRIPTION("KUnit tests of UDP aggregation");
MODULE_LICENSE("GPL");
