// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the encryption of GSO packets, and of the nonces for it */

#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/net.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "messages.h"
#include "noise.h"
#include "queueing.h"

#define TEST_HEADROOM	128
#define TEST_ORDER	5
#define TEST_LEN	(PAGE_SIZE << TEST_ORDER)
#define TEST_NONCE	0x123456789aULL
#define TEST_ID		0xfffd
#define TEST_SEQ	0xfffff000
#define TEST_KEY_IDX	0x11223344

struct gso_case {
	const char *name;
	bool ipv6;
	bool tcp;
	unsigned int ip_options;
	unsigned int tcp_options;	/* 12 if 0 */
	bool no_options;		/* no TCP options */
	__be32 tcp_flags;		/* ACK if 0 */
	unsigned int type;		/* more bits of gso_type */
	unsigned int size;
	unsigned int payload;
	unsigned int linear;		/* bytes of payload in the head */
	unsigned int frag;		/* bytes per page fragment, 32768 if 0 */
	bool list;			/* a frag_list instead of fragments */
	bool clone;
	unsigned int mtu;		/* 1420 if 0 */
	bool no_mtu;
	unsigned int outer;		/* expected outer packets, 1 if 0 */
};

#define UDP4(_name, _size, _payload, ...)				\
	{ .name = "udp4 " _name, .size = (_size),			\
	  .payload = (_payload), ##__VA_ARGS__ }
#define UDP6(_name, _size, _payload, ...)				\
	{ .name = "udp6 " _name, .size = (_size), .ipv6 = true,		\
	  .payload = (_payload), ##__VA_ARGS__ }
#define TCP4(_name, _size, _payload, ...)				\
	{ .name = "tcp4 " _name, .size = (_size), .tcp = true,		\
	  .payload = (_payload), ##__VA_ARGS__ }
#define TCP6(_name, _size, _payload, ...)				\
	{ .name = "tcp6 " _name, .size = (_size), .tcp = true,		\
	  .ipv6 = true, .payload = (_payload), ##__VA_ARGS__ }
#define ALL_FLAGS (TCP_FLAG_ACK | TCP_FLAG_FIN | TCP_FLAG_PSH | TCP_FLAG_CWR | \
		   TCP_FLAG_ECE)

static const struct gso_case gso_cases[] = {
	UDP4("2 segments", 1392, 1393),
	UDP4("3 segments", 1392, 3 * 1392),
	UDP4("4 segments", 1392, 4 * 1392),
	UDP4("44 segments", 1392, 44 * 1392),
	UDP4("short last", 1392, 43 * 1392 + 1),
	UDP4("odd", 999, 13 * 999 + 997, .linear = 77, .frag = 997),
	UDP4("linear", 1392, 5 * 1392, .linear = 5 * 1392),
	UDP4("options", 1352, 9 * 1352 + 7, .ip_options = 40),
	UDP4("frag_list", 1392, 9 * 1392 + 7, .linear = 1392, .frag = 1392,
	     .list = true),
	UDP4("clone", 1392, 9 * 1392 + 7, .clone = true),
	UDP4("untrusted", 1392, 9 * 1392 + 7, .type = SKB_GSO_DODGY),
	UDP4("one byte", 1, 4),
	UDP4("128 segments", 100, 128 * 100),
	UDP4("mtu 1279", 1251, 9 * 1251 + 3, .mtu = 1279),
	UDP4("mtu 1281", 1251, 9 * 1251 + 3, .mtu = 1281),
	UDP4("longer than mtu", 1392, 9 * 1392 + 300, .mtu = 400),
	UDP4("no mtu", 1392, 9 * 1392 + 300, .no_mtu = true),
	UDP4("message of a page", 4096 - 32 - 28, 5 * (4096 - 32 - 28),
	     .mtu = 9000),
	UDP6("4 segments", 1372, 4 * 1372),
	UDP6("44 segments", 1372, 44 * 1372),
	UDP6("short last", 1372, 43 * 1372 + 1, .frag = 4096, .linear = 1),
	TCP4("2 segments", 1368, 1369, .tcp_flags = ALL_FLAGS),
	TCP4("3 segments", 1368, 3 * 1368, .tcp_flags = ALL_FLAGS),
	TCP4("4 segments", 1368, 4 * 1368),
	TCP4("full", 1368, 65483, .outer = 2),
	TCP4("frags", 1368, 17 * 3777, .frag = 3777, .outer = 2),
	TCP4("frag_list", 1368, 9 * 1368 + 7, .linear = 1368, .frag = 1368,
	     .list = true),
	TCP4("clone", 1368, 65000, .clone = true, .outer = 2),
	TCP4("no options", 1380, 20 * 1380, .no_options = true),
	TCP4("long options", 1300, 20 * 1300, .tcp_options = 40,
	     .ip_options = 40),
	TCP4("flags", 1368, 9 * 1368 + 7, .tcp_flags = ALL_FLAGS),
	TCP4("ecn", 1368, 9 * 1368, .tcp_flags = ALL_FLAGS,
	     .type = SKB_GSO_TCP_ECN),
	TCP4("fixed id", 1368, 9 * 1368 + 7, .type = SKB_GSO_TCP_FIXEDID),
	TCP4("small mss", 88, 300 * 88, .outer = 3),
	TCP6("4 segments", 1348, 4 * 1348),
	TCP6("full", 1348, 65463, .outer = 2),
	TCP6("flags", 1348, 9 * 1348 + 7, .tcp_flags = ALL_FLAGS),
};

static void gso_case_desc(const struct gso_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(gso_encrypt, gso_cases, gso_case_desc);

/* @page: payload of all packets
 * @keypair: key of the messages
 * @sock: its sk_wmem_alloc is charged
 * @wire: buffer for a message
 */
struct gso_test {
	struct page *page;
	struct noise_keypair *keypair;
	struct socket *sock;
	u8 *wire;
};

static unsigned int gso_mtu(const struct gso_case *c)
{
	return c->no_mtu ? 0 : c->mtu ? : 1420;
}

static unsigned int gso_ip_len(const struct gso_case *c)
{
	return c->ipv6 ? sizeof(struct ipv6hdr) :
			 sizeof(struct iphdr) + c->ip_options;
}

static unsigned int gso_l4_len(const struct gso_case *c)
{
	if (!c->tcp)
		return sizeof(struct udphdr);

	return sizeof(struct tcphdr) +
	       (c->no_options ? 0 : c->tcp_options ? : 12);
}

static void gso_put_ipv4(struct sk_buff *skb, const struct gso_case *c)
{
	struct iphdr *iph = skb_put_zero(skb, gso_ip_len(c));

	memset(iph + 1, IPOPT_NOOP, c->ip_options);
	iph->version = 4;
	iph->ihl = gso_ip_len(c) / 4;
	iph->tos = INET_ECN_ECT_0;
	iph->tot_len = htons(gso_ip_len(c) + gso_l4_len(c) + c->payload);
	iph->id = htons(TEST_ID);
	iph->frag_off = htons(IP_DF);
	iph->ttl = 64;
	iph->protocol = c->tcp ? IPPROTO_TCP : IPPROTO_UDP;
	iph->saddr = htonl(0x0a000001);
	iph->daddr = htonl(0x0a000002);
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
}

static void gso_put_ipv6(struct sk_buff *skb, const struct gso_case *c)
{
	struct ipv6hdr *ip6h = skb_put_zero(skb, sizeof(*ip6h));

	ip6_flow_hdr(ip6h, INET_ECN_ECT_0, htonl(0x12345));
	ip6h->payload_len = htons(gso_l4_len(c) + c->payload);
	ip6h->nexthdr = c->tcp ? IPPROTO_TCP : IPPROTO_UDP;
	ip6h->hop_limit = 64;
	ip6h->saddr.s6_addr[15] = 1;
	ip6h->daddr.s6_addr[15] = 2;
	skb->protocol = htons(ETH_P_IPV6);
}

static __sum16 gso_pseudo(const struct sk_buff *skb, const struct gso_case *c)
{
	unsigned int len = gso_l4_len(c) + c->payload;
	u8 proto = c->tcp ? IPPROTO_TCP : IPPROTO_UDP;

	if (c->ipv6)
		return ~csum_ipv6_magic(&ipv6_hdr(skb)->saddr,
					&ipv6_hdr(skb)->daddr, len, proto, 0);

	return ~csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, len,
				  proto, 0);
}

static void gso_put_l4(struct sk_buff *skb, const struct gso_case *c)
{
	void *l4 = skb_put_zero(skb, gso_l4_len(c));
	struct tcphdr *th = l4;
	struct udphdr *uh = l4;

	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	if (!c->tcp) {
		uh->source = htons(1000);
		uh->dest = htons(2000);
		uh->len = htons(sizeof(*uh) + c->payload);
		uh->check = gso_pseudo(skb, c);
		skb->csum_offset = offsetof(struct udphdr, check);
		return;
	}

	tcp_flag_word(th) = c->tcp_flags ? : TCP_FLAG_ACK;
	th->source = htons(1000);
	th->dest = htons(2000);
	th->seq = htonl(TEST_SEQ);
	th->doff = gso_l4_len(c) / 4;
	th->check = gso_pseudo(skb, c);
	memset(th + 1, TCPOPT_NOP, gso_l4_len(c) - sizeof(*th));
	skb->csum_offset = offsetof(struct tcphdr, check);
}

static void gso_put_list(struct kunit *test, struct gso_test *t,
			 struct sk_buff *skb, unsigned int offset,
			 unsigned int len)
{
	struct sk_buff **link = &skb_shinfo(skb)->frag_list, *one;

	while (*link)
		link = &(*link)->next;
	one = alloc_skb(len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, one);
	skb_put_data(one, page_address(t->page) + offset, len);
	*link = one;
	skb->len += len;
	skb->data_len += len;
	skb->truesize += one->truesize;
}

static struct sk_buff *gso_build(struct kunit *test, const struct gso_case *c)
{
	unsigned int offset = c->linear, len;
	struct gso_test *t = test->priv;
	struct sk_buff *skb;

	skb = alloc_skb(TEST_HEADROOM + gso_ip_len(c) + gso_l4_len(c) +
			c->linear, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, TEST_HEADROOM);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, gso_ip_len(c));
	if (c->ipv6)
		gso_put_ipv6(skb, c);
	else
		gso_put_ipv4(skb, c);
	gso_put_l4(skb, c);
	skb_put_data(skb, page_address(t->page), c->linear);

	for (; offset < c->payload; offset += len) {
		len = min(c->frag ? : 32768, c->payload - offset);
		if (c->list) {
			gso_put_list(test, t, skb, offset, len);
			continue;
		}
		KUNIT_ASSERT_LT(test, skb_shinfo(skb)->nr_frags, MAX_SKB_FRAGS);
		get_page(t->page);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, t->page,
				offset, len, len);
	}

	skb_shinfo(skb)->gso_size = c->size;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(c->payload, c->size);
	skb_shinfo(skb)->gso_type = c->type |
		(!c->tcp ? SKB_GSO_UDP_L4 :
		 c->ipv6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4);
	skb_set_owner_w(skb, t->sock->sk);

	return skb;
}

/* Decrypts the message at @offset of @skb, and compares it with the segment
 * that skb_gso_segment() has made. Returns the length of the message.
 */
static unsigned int gso_check_message(struct kunit *test,
				      const struct sk_buff *skb,
				      unsigned int offset,
				      const struct sk_buff *seg, u64 nonce)
{
	const struct gso_case *c = test->param_value;
	unsigned int padded, len, i;
	struct gso_test *t = test->priv;
	struct message_data *message;

	padded = seg->len + wg_packet_padding(seg->len, gso_mtu(c));
	len = message_data_len(padded);
	message = (struct message_data *)t->wire;
	KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, offset, message, len), 0);

	KUNIT_EXPECT_EQ(test, le32_to_cpu(message->header.type), MESSAGE_DATA);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(message->key_idx), TEST_KEY_IDX);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(message->counter), nonce);
	KUNIT_ASSERT_TRUE(test,
			  chacha20poly1305_decrypt(message->encrypted_data,
						   message->encrypted_data,
						   noise_encrypted_len(padded),
						   NULL, 0, nonce,
						   t->keypair->sending.key));
	KUNIT_EXPECT_MEMEQ(test, message->encrypted_data, seg->data, seg->len);
	for (i = seg->len; i < padded; i++)
		KUNIT_EXPECT_EQ(test, message->encrypted_data[i], 0);

	return len;
}

static void gso_check_outer(struct kunit *test, const struct sk_buff *skb,
			    struct sk_buff **seg, u64 *nonce)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int offset = 0, segs = 0, len = 0;

	KUNIT_EXPECT_EQ(test, skb_headlen(skb), 0);
	KUNIT_EXPECT_LT(test, skb->len + sizeof(struct ipv6hdr) +
			sizeof(struct udphdr) + VLAN_ETH_HLEN, 65536);
	KUNIT_EXPECT_GE(test, skb->truesize, skb->len);
	while (offset < skb->len) {
		KUNIT_ASSERT_NOT_NULL(test, *seg);
		len = gso_check_message(test, skb, offset, *seg, (*nonce)++);
		if (shinfo->gso_size && offset + len < skb->len)
			KUNIT_EXPECT_EQ(test, len, shinfo->gso_size);
		offset += len;
		segs++;
		*seg = (*seg)->next;
	}
	KUNIT_EXPECT_EQ(test, offset, skb->len);
	KUNIT_EXPECT_LE(test, segs, UDP_MAX_SEGMENTS);
	if (segs == 1) {
		KUNIT_EXPECT_FALSE(test, skb_is_gso(skb));
		return;
	}
	KUNIT_EXPECT_LE(test, len, shinfo->gso_size);
	KUNIT_EXPECT_EQ(test, shinfo->gso_segs, segs);
	KUNIT_EXPECT_EQ(test, shinfo->gso_type, SKB_GSO_UDP_L4);
}

static void gso_set_cb(struct sk_buff *skb, const struct gso_case *c,
		       unsigned int segs)
{
	PACKET_CB(skb)->nonce = TEST_NONCE;
	PACKET_CB(skb)->mtu = gso_mtu(c);
	PACKET_CB(skb)->segs = segs;
}

static unsigned int gso_wmem(const struct gso_test *t)
{
	return refcount_read(&t->sock->sk->sk_wmem_alloc);
}

static void gso_encrypt_test(struct kunit *test)
{
	const struct gso_case *c = test->param_value;
	struct sk_buff *skb = gso_build(test, c), *copy, *segs, *seg, *out;
	unsigned int outer = 0, truesize = 0;
	struct sk_buff *clone = NULL, mark;
	struct gso_test *t = test->priv;
	struct page_frag pfrag = { };
	u64 nonce = TEST_NONCE;

	copy = skb_copy(skb, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, copy);
	segs = skb_gso_segment(copy, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
	if (c->clone)
		clone = skb_clone(skb, GFP_KERNEL);

	KUNIT_ASSERT_EQ(test, wg_gso_segs(skb, gso_mtu(c)),
			DIV_ROUND_UP(c->payload, c->size));
	gso_set_cb(skb, c, DIV_ROUND_UP(c->payload, c->size));
	skb->next = NULL;
	skb->prev = &mark;
	KUNIT_ASSERT_TRUE(test, wg_gso_encrypt(skb, t->keypair, &pfrag));
	KUNIT_EXPECT_PTR_EQ(test, skb->prev, &mark);

	seg = segs;
	for (out = skb; out; out = out->next) {
		gso_check_outer(test, out, &seg, &nonce);
		KUNIT_EXPECT_PTR_EQ(test, out->sk, t->sock->sk);
		truesize += out->truesize;
		outer++;
	}
	KUNIT_EXPECT_NULL(test, seg);
	KUNIT_EXPECT_EQ(test, outer, c->outer ? : 1);
	KUNIT_EXPECT_EQ(test, gso_wmem(t), 1 + truesize);

	if (clone) {
		KUNIT_EXPECT_EQ(test, clone->len, copy->len);
		KUNIT_EXPECT_EQ(test, skb_copy_bits(clone, 0, t->wire,
						    clone->len), 0);
		KUNIT_EXPECT_MEMEQ(test, t->wire, copy->data, copy->len);
		kfree_skb(clone);
	}
	kfree_skb_list(skb);
	kfree_skb_list(segs);
	kfree_skb(copy);
	if (pfrag.page) {
		KUNIT_EXPECT_EQ(test, page_ref_count(pfrag.page), 1);
		put_page(pfrag.page);
	}
	KUNIT_EXPECT_EQ(test, gso_wmem(t), 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(t->page), 1);
}

static const struct gso_case gso_refused_udp4 =
	UDP4("refused", 1300, 5 * 1300);
static const struct gso_case gso_refused_udp6 =
	UDP6("refused", 1300, 5 * 1300);
static const struct gso_case gso_refused_tcp4 =
	TCP4("refused", 1300, 5 * 1300);

static void gso_spoil_csum(struct sk_buff *skb)
{
	skb->ip_summed = CHECKSUM_NONE;
}

static void gso_spoil_csum_start(struct sk_buff *skb)
{
	skb->csum_start += 2;
}

static void gso_spoil_csum_early(struct sk_buff *skb)
{
	skb->csum_start = skb_headroom(skb) - 20;
}

static void gso_spoil_csum_offset(struct sk_buff *skb)
{
	skb->csum_offset += 2;
}

static void gso_spoil_tunnel(struct sk_buff *skb)
{
	skb_shinfo(skb)->gso_type |= SKB_GSO_UDP_TUNNEL;
}

static void gso_spoil_fraglist(struct sk_buff *skb)
{
	skb_shinfo(skb)->gso_type |= SKB_GSO_FRAGLIST;
}

static void gso_spoil_family(struct sk_buff *skb)
{
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV6;
}

static void gso_spoil_fixed_id(struct sk_buff *skb)
{
	skb_shinfo(skb)->gso_type |= SKB_GSO_TCP_FIXEDID;
	ip_hdr(skb)->frag_off = 0;
}

static void gso_spoil_encapsulation(struct sk_buff *skb)
{
	skb->encapsulation = 1;
}

static void gso_spoil_protocol(struct sk_buff *skb)
{
	ip_hdr(skb)->protocol = IPPROTO_GRE;
}

static void gso_spoil_ihl(struct sk_buff *skb)
{
	ip_hdr(skb)->ihl = 6;
}

static void gso_spoil_doff(struct sk_buff *skb)
{
	tcp_hdr(skb)->doff = 4;
}

static void gso_spoil_extension(struct sk_buff *skb)
{
	ipv6_hdr(skb)->nexthdr = NEXTHDR_DEST;
}

static void gso_spoil_segs(struct sk_buff *skb)
{
	skb_shinfo(skb)->gso_size = 5 * 1300;
}

static void gso_spoil_length(struct sk_buff *skb)
{
	WARN_ON(pskb_trim(skb, 28));
}

/* Packets that must be segmented before they are encrypted */
static const struct {
	const char *name;
	const struct gso_case *from;
	void (*spoil)(struct sk_buff *skb);
} gso_refusals[] = {
	{ "no checksum offload", &gso_refused_udp4, gso_spoil_csum },
	{ "csum_start", &gso_refused_udp4, gso_spoil_csum_start },
	{ "csum_start in front", &gso_refused_udp4, gso_spoil_csum_early },
	{ "csum_offset", &gso_refused_udp4, gso_spoil_csum_offset },
	{ "tunnel", &gso_refused_udp4, gso_spoil_tunnel },
	{ "fraglist", &gso_refused_udp4, gso_spoil_fraglist },
	{ "other family", &gso_refused_tcp4, gso_spoil_family },
	{ "fixed id without DF", &gso_refused_tcp4, gso_spoil_fixed_id },
	{ "encapsulation", &gso_refused_udp4, gso_spoil_encapsulation },
	{ "protocol", &gso_refused_udp4, gso_spoil_protocol },
	{ "ihl", &gso_refused_udp4, gso_spoil_ihl },
	{ "doff", &gso_refused_tcp4, gso_spoil_doff },
	{ "extension header", &gso_refused_udp6, gso_spoil_extension },
	{ "one segment", &gso_refused_udp4, gso_spoil_segs },
	{ "no payload", &gso_refused_udp4, gso_spoil_length },
};

static void gso_refusal_test(struct kunit *test)
{
	struct sk_buff *skb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gso_refusals); i++) {
		skb = gso_build(test, gso_refusals[i].from);
		KUNIT_EXPECT_EQ(test, wg_gso_segs(skb, 1420), 5);
		gso_refusals[i].spoil(skb);
		KUNIT_EXPECT_EQ_MSG(test, wg_gso_segs(skb, 1420), 1,
				    gso_refusals[i].name);
		kfree_skb(skb);
	}
}

/* A message must fit in a page. */
static void gso_page_test(struct kunit *test)
{
	struct gso_case c = UDP4("page", 0, 0);
	struct sk_buff *skb;

	c.size = PAGE_SIZE - message_data_len(0) - sizeof(struct iphdr) -
		 sizeof(struct udphdr);
	c.payload = min(4 * c.size, 65000);
	if (c.payload < 4 * c.size)
		kunit_skip(test, "4 segments of a page exceed 64 KiB");

	skb = gso_build(test, &c);
	KUNIT_EXPECT_EQ(test, wg_gso_segs(skb, 65535), 4);
	skb_shinfo(skb)->gso_size++;
	KUNIT_EXPECT_EQ(test, wg_gso_segs(skb, 65535), 1);
	kfree_skb(skb);
}

/* Nonces */

static void gso_nonce_limit_test(struct kunit *test)
{
	struct gso_test *t = test->priv;
	u64 first, last = REJECT_AFTER_MESSAGES - 1;
	atomic64_t *counter = &t->keypair->sending_counter;

	atomic64_set(counter, last - 44);
	KUNIT_EXPECT_FALSE(test, wg_noise_reserve_nonces(t->keypair, 46,
							 &first));
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(counter), last - 44);
	KUNIT_ASSERT_TRUE(test, wg_noise_reserve_nonces(t->keypair, 45,
							&first));
	KUNIT_EXPECT_EQ(test, first, last - 44);
	KUNIT_EXPECT_FALSE(test, wg_noise_reserve_nonces(t->keypair, 1,
							 &first));
	KUNIT_EXPECT_FALSE(test, wg_noise_reserve_nonces(t->keypair, U16_MAX,
							 &first));
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(counter),
			REJECT_AFTER_MESSAGES);
}

#define NONCE_THREADS	4
#define NONCE_COUNT	50000

/* @used: one bit per nonce
 * @reserved: number of nonces that were reserved
 * @twice: number of nonces that were reserved twice
 */
struct nonce_race {
	struct noise_keypair *keypair;
	unsigned long *used;
	atomic_t reserved, twice, running;
	struct completion done;
};

static int nonce_race_thread(void *data)
{
	struct nonce_race *race = data;
	unsigned int i, n = 1;
	u64 first;

	while (wg_noise_reserve_nonces(race->keypair, n, &first)) {
		for (i = 0; i < n; i++) {
			if (test_and_set_bit(first + i + NONCE_COUNT -
					     REJECT_AFTER_MESSAGES,
					     race->used))
				atomic_inc(&race->twice);
		}
		atomic_add(n, &race->reserved);
		n = n % 47 + 1;
		cond_resched();
	}
	/* No nonces are left for many segments. Reserve the rest. */
	while (wg_noise_reserve_nonces(race->keypair, 1, &first))
		atomic_inc(&race->reserved);
	if (atomic_dec_and_test(&race->running))
		complete(&race->done);

	return 0;
}

static void gso_nonce_race_test(struct kunit *test)
{
	struct gso_test *t = test->priv;
	struct nonce_race race = { .keypair = t->keypair };
	struct task_struct *task;
	unsigned int i;

	race.used = kunit_kcalloc(test, BITS_TO_LONGS(NONCE_COUNT),
				  sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race.used);
	init_completion(&race.done);
	atomic_set(&race.running, NONCE_THREADS);
	atomic64_set(&t->keypair->sending_counter,
		     REJECT_AFTER_MESSAGES - NONCE_COUNT);
	for (i = 0; i < NONCE_THREADS; i++) {
		task = kthread_run(nonce_race_thread, &race, "wg-nonce-%u", i);
		if (IS_ERR(task) && atomic_dec_and_test(&race.running))
			complete(&race.done);
	}
	wait_for_completion(&race.done);

	KUNIT_EXPECT_EQ(test, atomic_read(&race.twice), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&race.reserved), NONCE_COUNT);
	KUNIT_EXPECT_EQ(test,
			(u64)atomic64_read(&t->keypair->sending_counter),
			REJECT_AFTER_MESSAGES);
}

static int gso_test_init(struct kunit *test)
{
	struct gso_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->keypair = kunit_kzalloc(test, sizeof(*t->keypair), GFP_KERNEL);
	t->wire = kunit_kmalloc(test, TEST_LEN, GFP_KERNEL);
	if (!t->keypair || !t->wire)
		return -ENOMEM;
	get_random_bytes(t->keypair->sending.key, NOISE_SYMMETRIC_KEY_LEN);
	t->keypair->remote_index = cpu_to_le32(TEST_KEY_IDX);

	t->page = alloc_pages(GFP_KERNEL | __GFP_COMP, TEST_ORDER);
	if (!t->page)
		return -ENOMEM;
	get_random_bytes(page_address(t->page), TEST_LEN);

	return sock_create_kern(&init_net, PF_INET, SOCK_DGRAM, IPPROTO_UDP,
				&t->sock);
}

static void gso_test_exit(struct kunit *test)
{
	struct gso_test *t = test->priv;

	if (!t)
		return;
	if (t->sock)
		sock_release(t->sock);
	if (t->page)
		put_page(t->page);
}

static struct kunit_case gso_test_cases[] = {
	KUNIT_CASE_PARAM(gso_encrypt_test, gso_encrypt_gen_params),
	KUNIT_CASE(gso_refusal_test),
	KUNIT_CASE(gso_page_test),
	KUNIT_CASE(gso_nonce_limit_test),
	KUNIT_CASE(gso_nonce_race_test),
	{ },
};

static struct kunit_suite gso_test_suite = {
	.name		= "wireguard_gso",
	.init		= gso_test_init,
	.exit		= gso_test_exit,
	.test_cases	= gso_test_cases,
};

kunit_test_suite(gso_test_suite);
