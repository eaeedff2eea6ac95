// SPDX-License-Identifier: GPL-2.0-or-later
/* KUnit tests of the virtio header of UDP GSO packets.
 *
 * Each row of a table changes one or two fields of a correct header and has
 * the expected result. Packets have the memory layout of tun, tap, packet
 * sockets and virtio_net: all bytes in the head, or most of them in a page.
 */

#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <linux/virtio_net.h>
#include <net/gso.h>
#include <net/ip.h>

#define TEST_SIZE	1000
#define TEST_PAYLOAD	(3 * TEST_SIZE + 1)
#define TEST_SEGS	4
#define TEST_MAX_HLEN	(ETH_HLEN + sizeof(struct ipv6hdr) +	\
			 sizeof(struct udphdr))
#define TEST_POOL_SIZE	(TEST_MAX_HLEN + U16_MAX)
#define TEST_ALL	U16_MAX

/* Fields that the rows of the tables change */
enum vnet_field {
	NONE, TYPE, FLAGS, START, OFFSET, SIZE, HDR_LEN, PAYLOAD
};

enum vnet_verdict {
	REFUSED,		/* the header is rejected */
	PLAIN,			/* a packet with partial checksum */
	GSO_SKB,			/* a GSO packet */
};

/* csum_start relative to the end of the packet, or to the UDP header */
#define FROM_END(n)	(0x10000 + (n))
#define FROM_UDP(n)	(0x30000 + (n))

struct vnet_change {
	const char *name;
	enum vnet_verdict verdict;
	enum vnet_field field;
	u32 value;
	enum vnet_field field2;
	u32 value2;
};

/* Kinds of packets */
struct vnet_kind {
	bool v6;
	bool eth;
	bool le;
	unsigned int linear;	/* bytes in the head, the rest in a page */
};

struct vnet_hdr_test {
	const struct vnet_kind *kind;
	struct page *pool;
	struct sk_buff *skb;

	/* fields of the header, in native byte order */
	u32 type;
	u32 flags;
	u32 start;
	u32 offset;
	u32 size;
	u32 hdr_len;
	u32 payload;
	unsigned int udp_off;
	unsigned int len;
};

static const struct vnet_change vnet_changes[] = {
	{ "right", GSO_SKB },
	{ "ECN", REFUSED, TYPE, 0x85 },
	{ "type 2", REFUSED, TYPE, 2 },
	{ "type 6", REFUSED, TYPE, 6 },
	{ "type 13", REFUSED, TYPE, 13 },
	{ "type 127", REFUSED, TYPE, 127 },
	{ "no flag", REFUSED, FLAGS, 0 },
	{ "DATA_VALID alone", REFUSED, FLAGS, 2 },
	{ "DATA_VALID too", GSO_SKB, FLAGS, 3 },
	{ "csum_start 0", REFUSED, START, 0 },
	{ "csum_start 19", REFUSED, START, 19 },
	{ "csum_start 20", GSO_SKB, START, 20 },
	{ "csum_start 65535", REFUSED, START, 65535 },
	{ "csum_start at the end", REFUSED, START, FROM_END(0) },
	{ "UDP header cut short", REFUSED, START, FROM_END(7) },
	{ "nothing behind the UDP header", PLAIN, START, FROM_END(8) },
	{ "gso_size behind csum_start", PLAIN, START, FROM_END(1008) },
	{ "gso_size + 1 behind csum_start", GSO_SKB, START, FROM_END(1009) },
	{ "csum_offset 0", REFUSED, OFFSET, 0 },
	{ "csum_offset 5", REFUSED, OFFSET, 5 },
	{ "csum_offset 7", REFUSED, OFFSET, 7 },
	{ "csum_offset of TCP", REFUSED, OFFSET, 16 },
	{ "csum_offset 65534", REFUSED, OFFSET, 65534 },
	{ "csum_offset 65535", REFUSED, OFFSET, 65535 },
	{ "gso_size 0", REFUSED, SIZE, 0 },
	{ "gso_size 1", REFUSED, SIZE, 1 },
	{ "gso_size 23 makes 131", REFUSED, SIZE, 23 },
	{ "gso_size 24 makes 126", GSO_SKB, SIZE, 24 },
	{ "gso_size of payload - 1", GSO_SKB, SIZE, TEST_PAYLOAD - 1 },
	{ "gso_size of payload", PLAIN, SIZE, TEST_PAYLOAD },
	{ "gso_size of payload + 1", PLAIN, SIZE, TEST_PAYLOAD + 1 },
	{ "gso_size 65534", PLAIN, SIZE, 65534 },
	{ "gso_size 65535", REFUSED, SIZE, 65535 },
	{ "hdr_len 0", GSO_SKB, HDR_LEN, 0 },
	{ "hdr_len 65535", GSO_SKB, HDR_LEN, 65535 },
	{ "payload 0", PLAIN, PAYLOAD, 0 },
	{ "payload 1", PLAIN, PAYLOAD, 1 },
	{ "payload of gso_size", PLAIN, PAYLOAD, TEST_SIZE },
	{ "payload of gso_size + 1", GSO_SKB, PAYLOAD, TEST_SIZE + 1 },
	{ "payload 65000", GSO_SKB, PAYLOAD, 65000 },
	{ "1 of 1", PLAIN, SIZE, 1, PAYLOAD, 1 },
	{ "2 of 1", GSO_SKB, SIZE, 1, PAYLOAD, 2 },
	{ "128 of 1", GSO_SKB, SIZE, 1, PAYLOAD, 128 },
	{ "129 of 1", REFUSED, SIZE, 1, PAYLOAD, 129 },
	{ "127 of 511", GSO_SKB, SIZE, 511, PAYLOAD, 127 * 511 },
	{ "127 of 511 and 1", GSO_SKB, SIZE, 511, PAYLOAD, 127 * 511 + 1 },
	{ "128 of 511", GSO_SKB, SIZE, 511, PAYLOAD, 128 * 511 },
	{ "128 of 511 and 1", REFUSED, SIZE, 511, PAYLOAD, 128 * 511 + 1 },
	{ "65000 of 64999", GSO_SKB, SIZE, 64999, PAYLOAD, 65000 },
	{ "65000 of 65000", PLAIN, SIZE, 65000, PAYLOAD, 65000 },
};

/* These headers are accepted. The verdict is the result of segmentation, which
 * rejects a packet with a wrong csum_start.
 */
static const struct vnet_change vnet_bad_starts[] = {
	{ "csum_start 2 early", REFUSED, START, FROM_UDP(-2) },
	{ "csum_start 1 early", REFUSED, START, FROM_UDP(-1) },
	{ "right", GSO_SKB, START, FROM_UDP(0) },
	{ "csum_start 1 late", REFUSED, START, FROM_UDP(1) },
	{ "csum_start 2 late", REFUSED, START, FROM_UDP(2) },
	{ "csum_start 1000 late", REFUSED, START, FROM_UDP(1000) },
};

/* Bytes in the head: the whole packet, all headers as in tap, or fewer bytes,
 * so that headers may have to be pulled from the page.
 */
static const unsigned int vnet_linear[] = {
	TEST_ALL, TEST_MAX_HLEN, ETH_HLEN + 20 + 4, ETH_HLEN,
};

static const void *vnet_hdr_kind_params(const void *prev, char *desc)
{
	static struct vnet_kind kind;
	static unsigned int i;

	i = prev ? i + 1 : 0;
	if (i == 8 * ARRAY_SIZE(vnet_linear))
		return NULL;

	kind.v6 = i & 1;
	kind.eth = i & 2;
	kind.le = i & 4;
	kind.linear = vnet_linear[i / 8];
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s %s linear %u",
		 kind.v6 ? "v6" : "v4", kind.eth ? "tap" : "tun",
		 kind.le ? "le" : "be", kind.linear);
	return &kind;
}

/* The packet */

static void vnet_hdr_put_frame(struct vnet_hdr_test *t)
{
	unsigned int net_off = t->kind->eth ? ETH_HLEN : 0;
	u8 *frame = page_address(t->pool);
	u8 *nh = frame + net_off;
	unsigned int udp_len;

	udp_len = t->len - t->udp_off;
	memset(frame, 0, t->udp_off + sizeof(struct udphdr));
	if (t->kind->eth)
		put_unaligned_be16(t->kind->v6 ? ETH_P_IPV6 : ETH_P_IP,
				   frame + 2 * ETH_ALEN);
	if (t->kind->v6) {
		nh[0] = 0x60;
		put_unaligned_be16(udp_len, nh + 4);
		nh[6] = IPPROTO_UDP;
		nh[7] = 64;
	} else {
		nh[0] = 0x45;
		put_unaligned_be16(t->len - net_off, nh + 2);
		nh[8] = 64;
		nh[9] = IPPROTO_UDP;
		put_unaligned(ip_fast_csum(nh, 5), (__sum16 *)(nh + 10));
	}
	put_unaligned_be16(udp_len, frame + t->udp_off + 4);
}

static void vnet_hdr_drop(struct vnet_hdr_test *t)
{
	kfree_skb(t->skb);
	t->skb = NULL;
}

static void vnet_hdr_make_skb(struct kunit *test)
{
	struct vnet_hdr_test *t = test->priv;
	unsigned int linear;

	vnet_hdr_drop(t);
	vnet_hdr_put_frame(t);
	linear = min(t->len, t->kind->linear);

	t->skb = alloc_skb(NET_SKB_PAD + linear, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->skb);
	skb_reserve(t->skb, NET_SKB_PAD);
	skb_put_data(t->skb, page_address(t->pool), linear);
	if (linear == t->len)
		return;

	get_page(t->pool);
	skb_add_rx_frag(t->skb, 0, t->pool, linear, t->len - linear,
			t->len - linear);
}

/* The virtio header */

static void vnet_hdr_reset(struct vnet_hdr_test *t,
			   const struct vnet_kind *kind)
{
	t->kind = kind;
	t->udp_off = (kind->eth ? ETH_HLEN : 0) +
		     (kind->v6 ? sizeof(struct ipv6hdr) :
				 sizeof(struct iphdr));
	t->type = 5;
	t->flags = 1;
	t->start = FROM_UDP(0);
	t->offset = 6;
	t->size = TEST_SIZE;
	t->hdr_len = t->udp_off + sizeof(struct udphdr);
	t->payload = TEST_PAYLOAD;
}

static void vnet_hdr_set(struct vnet_hdr_test *t, enum vnet_field field,
			 u32 value)
{
	u32 *const fields[] = {
		[TYPE] = &t->type,
		[FLAGS] = &t->flags,
		[START] = &t->start,
		[OFFSET] = &t->offset,
		[SIZE] = &t->size,
		[HDR_LEN] = &t->hdr_len,
		[PAYLOAD] = &t->payload,
	};

	if (field != NONE)
		*fields[field] = value;
}

static void vnet_hdr_change(struct vnet_hdr_test *t,
			    const struct vnet_change *change)
{
	vnet_hdr_set(t, change->field, change->value);
	vnet_hdr_set(t, change->field2, change->value2);
}

/* Sets the packet length and replaces a relative csum_start. */
static void vnet_hdr_resolve_start(struct vnet_hdr_test *t)
{
	t->len = t->udp_off + sizeof(struct udphdr) + t->payload;
	if (t->start >= FROM_UDP(-0x8000))
		t->start = t->udp_off + t->start - FROM_UDP(0);
	else if (t->start >= FROM_END(0))
		t->start = t->len - (t->start - FROM_END(0));
}

static struct virtio_net_hdr vnet_hdr_of(const struct vnet_hdr_test *t)
{
	bool le = t->kind->le;

	return (struct virtio_net_hdr) {
		.flags = t->flags,
		.gso_type = t->type,
		.hdr_len = __cpu_to_virtio16(le, t->hdr_len),
		.gso_size = __cpu_to_virtio16(le, t->size),
		.csum_start = __cpu_to_virtio16(le, t->start),
		.csum_offset = __cpu_to_virtio16(le, t->offset),
	};
}

/* Returns the expected result for any header. */
static enum vnet_verdict vnet_hdr_rule(const struct vnet_hdr_test *t)
{
	unsigned int payload;

	if (t->type != 5 || !(t->flags & 1) || t->offset != 6)
		return REFUSED;
	if (!t->size || t->size == U16_MAX)
		return REFUSED;
	if (t->start < 20 || t->start + 8 > t->len)
		return REFUSED;

	payload = t->len - t->start - 8;
	if (payload > 128 * t->size)
		return REFUSED;
	return payload > t->size ? GSO_SKB : PLAIN;
}

static void vnet_hdr_expect_packet(struct kunit *test, bool gso,
				   const char *name, const char *name2)
{
	const struct vnet_hdr_test *t = test->priv;
	const struct sk_buff *skb = t->skb;
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	u8 headers[TEST_MAX_HLEN];

#define EXPECT(_left, _right)						\
	KUNIT_EXPECT_EQ_MSG(test, _left, _right, "%s, %s", name, name2)

	EXPECT((int)skb->ip_summed, CHECKSUM_PARTIAL);
	EXPECT(skb_checksum_start_offset(skb), t->start);
	EXPECT(skb->csum_offset, t->offset);
	EXPECT(skb_transport_offset(skb), t->start);
	EXPECT(skb->len, t->len);
	KUNIT_EXPECT_GE_MSG(test, skb_headlen(skb), t->start + 8, "%s, %s",
			    name, name2);

	EXPECT(shinfo->gso_size, gso ? t->size : 0);
	EXPECT(shinfo->gso_type,
	       gso ? SKB_GSO_UDP_L4 | SKB_GSO_DODGY : 0);
	EXPECT(shinfo->gso_segs, 0);

	EXPECT(skb_copy_bits(skb, 0, headers, t->udp_off), 0);
	KUNIT_EXPECT_MEMEQ_MSG(test, headers, page_address(t->pool),
			       t->udp_off, "%s, %s", name, name2);
}

static void vnet_hdr_expect(struct kunit *test, enum vnet_verdict verdict,
			    const char *name, const char *name2)
{
	struct vnet_hdr_test *t = test->priv;
	struct virtio_net_hdr hdr = vnet_hdr_of(t);
	int err;

	vnet_hdr_make_skb(test);
	err = virtio_net_hdr_to_skb(t->skb, &hdr, t->kind->le);
	EXPECT(err, verdict == REFUSED ? -EINVAL : 0);
	if (!err)
		vnet_hdr_expect_packet(test, verdict == GSO_SKB, name, name2);
	else
		EXPECT(skb_shinfo(t->skb)->gso_size, 0);
}

/* Tests */

static void vnet_hdr_one_test(struct kunit *test)
{
	struct vnet_hdr_test *t = test->priv;
	const struct vnet_change *change;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vnet_changes); i++) {
		change = &vnet_changes[i];
		vnet_hdr_reset(t, test->param_value);
		vnet_hdr_change(t, change);
		vnet_hdr_resolve_start(t);
		vnet_hdr_expect(test, change->verdict, change->name, "alone");
		KUNIT_EXPECT_EQ_MSG(test, vnet_hdr_rule(t), change->verdict,
				    "%s", change->name);
	}
}

static void vnet_hdr_two_test(struct kunit *test)
{
	struct vnet_hdr_test *t = test->priv;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(vnet_changes); i++) {
		for (j = 0; j < ARRAY_SIZE(vnet_changes); j++) {
			vnet_hdr_reset(t, test->param_value);
			vnet_hdr_change(t, &vnet_changes[i]);
			vnet_hdr_change(t, &vnet_changes[j]);
			vnet_hdr_resolve_start(t);
			vnet_hdr_expect(test, vnet_hdr_rule(t),
					vnet_changes[i].name,
					vnet_changes[j].name);
		}
	}
}

/* A packet that is not a GSO packet may have another csum_offset, or no partial
 * checksum.
 */
static void vnet_hdr_none_test(struct kunit *test)
{
	struct vnet_hdr_test *t = test->priv;
	struct virtio_net_hdr hdr;

	vnet_hdr_reset(t, test->param_value);
	t->type = 0;
	t->size = 0;
	vnet_hdr_resolve_start(t);
	vnet_hdr_expect(test, PLAIN, "type 0", "gso_size 0");

	t->offset = 16;
	t->size = TEST_SIZE;
	vnet_hdr_expect(test, PLAIN, "type 0", "csum_offset 16");

	t->flags = 0;
	hdr = vnet_hdr_of(t);
	vnet_hdr_make_skb(test);
	KUNIT_EXPECT_EQ(test, virtio_net_hdr_to_skb(t->skb, &hdr, t->kind->le),
			0);
	KUNIT_EXPECT_EQ(test, (int)t->skb->ip_summed, CHECKSUM_NONE);
	KUNIT_EXPECT_FALSE(test, skb_is_gso(t->skb));
}

static void vnet_hdr_round_trip_test(struct kunit *test)
{
	struct vnet_hdr_test *t = test->priv;
	struct virtio_net_hdr hdr, got;
	bool le;

	vnet_hdr_reset(t, test->param_value);
	vnet_hdr_resolve_start(t);
	vnet_hdr_expect(test, GSO_SKB, "right", "round trip");
	le = t->kind->le;
	t->hdr_len = skb_headlen(t->skb);
	hdr = vnet_hdr_of(t);

	memset(&got, 0xff, sizeof(got));
	KUNIT_EXPECT_EQ(test, virtio_net_hdr_from_skb(t->skb, &got, le, true,
						      0), 0);
	KUNIT_EXPECT_MEMEQ(test, &got, &hdr, sizeof(hdr));

	t->start += VLAN_HLEN;
	hdr = vnet_hdr_of(t);
	KUNIT_EXPECT_EQ(test, virtio_net_hdr_from_skb(t->skb, &got, le, false,
						      VLAN_HLEN), 0);
	KUNIT_EXPECT_MEMEQ(test, &got, &hdr, sizeof(hdr));
}

/* Segments a packet as the stack does. */
static struct sk_buff *vnet_hdr_segment(const struct vnet_hdr_test *t)
{
	unsigned int mac_len = t->kind->eth ? ETH_HLEN : 0;
	struct sk_buff *skb = t->skb;

	skb->protocol = htons(t->kind->v6 ? ETH_P_IPV6 : ETH_P_IP);
	skb_set_network_header(skb, mac_len);
	skb->mac_len = mac_len;
	return __skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HW_CSUM, true);
}

static void vnet_hdr_expect_segs(struct kunit *test, struct sk_buff *segs)
{
	const struct vnet_hdr_test *t = test->priv;
	unsigned int hlen = t->udp_off + sizeof(struct udphdr);
	unsigned int payload = 0, nr = 0;
	struct sk_buff *seg, *next;

	skb_list_walk_safe(segs, seg, next) {
		nr++;
		payload += seg->len - hlen;
		KUNIT_EXPECT_EQ(test, seg->len - hlen,
				nr < TEST_SEGS ? TEST_SIZE : 1);
		KUNIT_EXPECT_EQ(test, ntohs(udp_hdr(seg)->len),
				seg->len - t->udp_off);
		skb_mark_not_on_list(seg);
		kfree_skb(seg);
	}
	KUNIT_EXPECT_EQ(test, nr, TEST_SEGS);
	KUNIT_EXPECT_EQ(test, payload, TEST_PAYLOAD);
}

static void vnet_hdr_segment_test(struct kunit *test)
{
	struct vnet_hdr_test *t = test->priv;
	const struct vnet_change *change;
	struct sk_buff *segs;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vnet_bad_starts); i++) {
		change = &vnet_bad_starts[i];
		vnet_hdr_reset(t, test->param_value);
		vnet_hdr_change(t, change);
		vnet_hdr_resolve_start(t);
		if (t->start < 20)
			continue;

		vnet_hdr_expect(test, GSO_SKB, change->name, "segmented");
		segs = vnet_hdr_segment(t);
		if (change->verdict == GSO_SKB) {
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
			vnet_hdr_expect_segs(test, segs);
			continue;
		}
		KUNIT_EXPECT_PTR_EQ_MSG(test, segs, ERR_PTR(-EINVAL), "%s",
					change->name);
		if (!IS_ERR(segs))
			kfree_skb_list(segs);
	}
}

/* The GSO type of a packet, and the expected type in the virtio header or the
 * expected error
 */
struct vnet_type {
	const char *name;
	unsigned int gso_type;
	int ret;
	u8 type;
};

static const struct vnet_type vnet_types[] = {
	{ "sent", SKB_GSO_UDP_L4, 0, 5 },
	{ "from a guest", SKB_GSO_UDP_L4 | SKB_GSO_DODGY, 0, 5 },
	{ "list", SKB_GSO_UDP_L4 | SKB_GSO_FRAGLIST, 0, 5 },
	{ "half segmented", SKB_GSO_UDP_L4 | SKB_GSO_PARTIAL, 0, 5 },
	{ "in a tunnel", SKB_GSO_UDP_L4 | SKB_GSO_UDP_TUNNEL, 0, 5 },
	{ "TCP list", SKB_GSO_TCPV4 | SKB_GSO_FRAGLIST, 0, 1 },
	{ "no protocol", SKB_GSO_FRAGLIST, -EINVAL },
	{ "UFO", SKB_GSO_UDP, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(vnet_hdr_type, vnet_types, name);

static void vnet_hdr_type_test(struct kunit *test)
{
	static const struct vnet_kind kind = { .linear = TEST_ALL };
	const struct vnet_type *row = test->param_value;
	struct vnet_hdr_test *t = test->priv;
	struct virtio_net_hdr hdr;

	vnet_hdr_reset(t, &kind);
	vnet_hdr_resolve_start(t);
	vnet_hdr_make_skb(test);
	skb_shinfo(t->skb)->gso_type = row->gso_type;
	skb_shinfo(t->skb)->gso_size = TEST_SIZE;
	KUNIT_ASSERT_EQ(test, virtio_net_hdr_from_skb(t->skb, &hdr, true, false,
						      0), row->ret);
	if (!row->ret)
		KUNIT_EXPECT_EQ(test, hdr.gso_type, row->type);
}

static void vnet_hdr_proto_test(struct kunit *test)
{
	struct virtio_net_hdr hdr = { .gso_type = 5 };
	struct vnet_hdr_test *t = test->priv;

	KUNIT_EXPECT_TRUE(test, virtio_net_hdr_match_proto(htons(ETH_P_IP), 5));
	KUNIT_EXPECT_TRUE(test, virtio_net_hdr_match_proto(htons(ETH_P_IPV6),
							   5));
	KUNIT_EXPECT_FALSE(test, virtio_net_hdr_match_proto(htons(ETH_P_ARP),
							    5));

	t->skb = alloc_skb(1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->skb);
	KUNIT_EXPECT_EQ(test, virtio_net_hdr_set_proto(t->skb, &hdr), 0);
	KUNIT_EXPECT_EQ(test, ntohs(t->skb->protocol), ETH_P_IP);

	/* A protocol that is already set is not changed. */
	t->skb->protocol = htons(ETH_P_IPV6);
	KUNIT_EXPECT_EQ(test, virtio_net_hdr_set_proto(t->skb, &hdr), 0);
	KUNIT_EXPECT_EQ(test, ntohs(t->skb->protocol), ETH_P_IPV6);
}

static int vnet_hdr_test_init(struct kunit *test)
{
	struct vnet_hdr_test *t;
	unsigned int i;
	u8 *data;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;

	test->priv = t;
	t->pool = alloc_pages(GFP_KERNEL | __GFP_COMP,
			      get_order(TEST_POOL_SIZE));
	if (!t->pool)
		return -ENOMEM;

	data = page_address(t->pool);
	for (i = 0; i < TEST_POOL_SIZE; i++)
		data[i] = (i * 0x9e3779b1) >> 24;
	return 0;
}

static void vnet_hdr_test_exit(struct kunit *test)
{
	struct vnet_hdr_test *t = test->priv;

	if (!t)
		return;
	vnet_hdr_drop(t);
	if (t->pool)
		put_page(t->pool);
}

static struct kunit_case vnet_hdr_test_cases[] = {
	KUNIT_CASE_PARAM(vnet_hdr_one_test, vnet_hdr_kind_params),
	KUNIT_CASE_PARAM(vnet_hdr_two_test, vnet_hdr_kind_params),
	KUNIT_CASE_PARAM(vnet_hdr_none_test, vnet_hdr_kind_params),
	KUNIT_CASE_PARAM(vnet_hdr_round_trip_test, vnet_hdr_kind_params),
	KUNIT_CASE_PARAM(vnet_hdr_segment_test, vnet_hdr_kind_params),
	KUNIT_CASE_PARAM(vnet_hdr_type_test, vnet_hdr_type_gen_params),
	KUNIT_CASE(vnet_hdr_proto_test),
	{ }
};

static struct kunit_suite vnet_hdr_test_suite = {
	.name = "virtio_net_hdr",
	.init = vnet_hdr_test_init,
	.exit = vnet_hdr_test_exit,
	.test_cases = vnet_hdr_test_cases,
};

kunit_test_suite(vnet_hdr_test_suite);

MODULE_DESCRIPTION("KUnit tests of the virtio header of UDP GSO packets");
MODULE_LICENSE("GPL");
