// SPDX-License-Identifier: GPL-2.0
/* Measures the time to segment a UDP GSO packet in software and to free the
 * segments as a driver does. The packets look like those of a send of 44 x 1452
 * bytes: headers in the linear part, payload in large page fragments, owned by a
 * socket. A run is a batch of packets. The result is the median of many runs.
 *
 * Prints "gso_time: CASE FAMILY PICOSECONDS", in picoseconds per segment.
 */

#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/gfp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/ktime.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/sort.h>
#include <linux/udp.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/sock.h>
#include <net/udp.h>

#define SEGMENTS	44
#define SIZE		1452
#define PAYLOAD		(SEGMENTS * SIZE)
#define ORDER		3		/* as in the page fragments of a socket */
#define FRAG		(PAGE_SIZE << ORDER)
#define FRAGS		DIV_ROUND_UP(PAYLOAD, FRAG)
#define BATCH		16		/* packets per run */
#define WARM		50		/* warm-up runs */
#define RUNS		400

struct gso_time_param {
	const char *name;
	netdev_features_t features;
	int family;
};

static const struct gso_time_param gso_time_params[] = {
	{ "time", NETIF_F_SG | NETIF_F_HW_CSUM, 4 },
	{ "time", NETIF_F_SG | NETIF_F_HW_CSUM, 6 },
	{ "time-nocsum", NETIF_F_SG, 4 },
	{ "time-nocsum", NETIF_F_SG, 6 },
};

struct gso_time {
	struct socket *sock;
	struct page *pages[FRAGS];
	struct sk_buff *batch[BATCH];
	u64 runs[RUNS];
};

static void gso_time_desc(const struct gso_time_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s-%dx%d, IPv%d", param->name,
		 SEGMENTS, SIZE, param->family);
}

KUNIT_ARRAY_PARAM(gso_time, gso_time_params, gso_time_desc);

static __sum16 gso_time_push_ip4(struct sk_buff *skb, unsigned int len)
{
	struct iphdr *iph = skb_push(skb, sizeof(*iph));

	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tot_len = htons(skb->len + PAYLOAD);
	iph->id = htons(1);
	iph->ttl = 64;
	iph->protocol = IPPROTO_UDP;
	iph->saddr = htonl(0xc6120001);
	iph->daddr = htonl(0xc6120002);
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
	return ~udp_v4_check(len, iph->saddr, iph->daddr, 0);
}

static __sum16 gso_time_push_ip6(struct sk_buff *skb, unsigned int len)
{
	struct ipv6hdr *iph = skb_push(skb, sizeof(*iph));

	memset(iph, 0, sizeof(*iph));
	iph->version = 6;
	iph->payload_len = htons(len);
	iph->nexthdr = IPPROTO_UDP;
	iph->hop_limit = 64;
	iph->saddr.s6_addr[15] = 1;
	iph->daddr.s6_addr[15] = 2;
	skb->protocol = htons(ETH_P_IPV6);
	return ~udp_v6_check(len, &iph->saddr, &iph->daddr, 0);
}

static void gso_time_add_payload(struct gso_time *t, struct sk_buff *skb)
{
	unsigned int i, len, left = PAYLOAD;

	for (i = 0; i < FRAGS; i++, left -= len) {
		len = min_t(unsigned int, left, FRAG);
		get_page(t->pages[i]);
		skb_add_rx_frag(skb, i, t->pages[i], 0, len, len);
	}
}

static struct sk_buff *gso_time_packet(struct kunit *test, struct gso_time *t,
				       int family)
{
	const unsigned int len = sizeof(struct udphdr) + PAYLOAD;
	struct sk_buff *skb;
	struct udphdr *uh;
	__sum16 check;

	skb = alloc_skb(MAX_HEADER + 128, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, MAX_HEADER + 64);

	uh = skb_push(skb, sizeof(*uh));
	skb_reset_transport_header(skb);
	uh->source = htons(1000);
	uh->dest = htons(8000);
	uh->len = htons(len);
	check = family == 4 ? gso_time_push_ip4(skb, len) :
			      gso_time_push_ip6(skb, len);
	uh->check = check;
	skb_reset_network_header(skb);
	eth_zero_addr(skb_push(skb, ETH_HLEN));
	skb_reset_mac_header(skb);
	eth_hdr(skb)->h_proto = skb->protocol;

	gso_time_add_payload(t, skb);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
	skb_shinfo(skb)->gso_size = SIZE;
	skb_shinfo(skb)->gso_segs = SEGMENTS;
	skb_set_owner_w(skb, t->sock->sk);
	return skb;
}

/* Segments a packet as dev_queue_xmit() does, and frees the segments as a driver
 * does when the device has sent all of them. Returns the number of segments.
 */
static unsigned int gso_time_send(struct sk_buff *skb,
				  netdev_features_t features)
{
	struct sk_buff *segs = skb_gso_segment(skb, features);
	unsigned int n = 0;

	if (IS_ERR_OR_NULL(segs)) {
		kfree_skb(skb);
		return 0;
	}
	consume_skb(skb);
	while (segs) {
		skb = segs;
		segs = skb->next;
		skb_mark_not_on_list(skb);
		napi_consume_skb(skb, 1);
		n++;
	}
	return n;
}

static u64 gso_time_run(struct kunit *test, struct gso_time *t,
			const struct gso_time_param *param)
{
	unsigned int i, n = 0;
	u64 start, ns;

	for (i = 0; i < BATCH; i++)
		t->batch[i] = gso_time_packet(test, t, param->family);

	start = ktime_get_ns();
	for (i = 0; i < BATCH; i++) {
		local_bh_disable();
		n += gso_time_send(t->batch[i], param->features);
		local_bh_enable();
	}
	ns = ktime_get_ns() - start;

	KUNIT_ASSERT_EQ(test, n, BATCH * SEGMENTS);
	return ns;
}

static int gso_time_cmp(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void gso_time_test(struct kunit *test)
{
	const struct gso_time_param *param = test->param_value;
	struct gso_time *t = test->priv;
	unsigned int i;

	for (i = 0; i < WARM; i++)
		gso_time_run(test, t, param);
	for (i = 0; i < RUNS; i++)
		t->runs[i] = gso_time_run(test, t, param);
	KUNIT_EXPECT_EQ(test, sk_wmem_alloc_get(t->sock->sk), 0);

	sort(t->runs, RUNS, sizeof(t->runs[0]), gso_time_cmp, NULL);
	pr_info("gso_time: %s-%dx%d %d %llu\n", param->name, SEGMENTS, SIZE,
		param->family,
		t->runs[RUNS / 2] * 1000 / (BATCH * SEGMENTS));
}

static int gso_time_init(struct kunit *test)
{
	struct gso_time *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
						  IPPROTO_UDP, &t->sock));
	for (i = 0; i < FRAGS; i++) {
		t->pages[i] = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO,
					  ORDER);
		KUNIT_ASSERT_NOT_NULL(test, t->pages[i]);
	}
	return 0;
}

static void gso_time_exit(struct kunit *test)
{
	struct gso_time *t = test->priv;
	unsigned int i;

	for (i = 0; i < FRAGS; i++)
		if (t->pages[i])
			put_page(t->pages[i]);
	if (t->sock)
		sock_release(t->sock);
}

static struct kunit_case gso_time_cases[] = {
	KUNIT_CASE_PARAM(gso_time_test, gso_time_gen_params),
	{}
};

static struct kunit_suite gso_time_suite = {
	.name = "gso_time",
	.init = gso_time_init,
	.exit = gso_time_exit,
	.test_cases = gso_time_cases,
};
kunit_test_suite(gso_time_suite);
