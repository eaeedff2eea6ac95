// SPDX-License-Identifier: GPL-2.0
/*
 * Encryption of GSO packets. A GSO packet stays whole until a worker encrypts
 * it. The worker writes a message for each segment to page fragments, without
 * an sk_buff per segment. The result is a UDP GSO packet, the outer packet,
 * whose segments are the messages. If the messages do not fit in one outer
 * packet, the result is several outer packets.
 */

#include "messages.h"
#include "noise.h"
#include "queueing.h"

#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sizes.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/sock.h>
#include <net/tcp.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

#define GSO_GFP (GFP_ATOMIC | __GFP_NOWARN)

/* A message must fit in the smallest page that can be allocated. With larger
 * pages, an outer packet must have room for several messages.
 */
#define GSO_MAX_MESSAGE_LEN min_t(unsigned int, PAGE_SIZE, SZ_16K)

/* The UDP payload of an outer packet. If the length with all headers does not
 * fit in 16 bits, the core segments the packet in software.
 */
#define GSO_MAX_OUTER_LEN (U16_MAX - ETH_HLEN - VLAN_HLEN - \
			   sizeof(struct ipv6hdr) - sizeof(struct udphdr))

/* IPv4 with options and TCP with options */
#define GSO_MAX_HEADERS_LEN (60 + 60)

/* bytes that gso_copy_template() copies at a time */
#define GSO_COPY_LEN 16

/* @skb: GSO packet, data at the IP header
 * @keypair: key of the messages
 * @nonce: nonce of the next message
 * @segs: segments that are left
 * @same: number of the next segments that have the headers in @template
 * @offset: offset of the payload of the next segment
 * @len: bytes of payload in each of the next @same segments
 * @padded_len: bytes of the headers, payload and padding of each of them
 * @size: bytes of payload in each segment; the last one may be shorter
 * @l4: offset of the UDP or TCP header
 * @headers_len: bytes of all headers of a segment
 * @message_len: bytes of the message of a segment with @size bytes of payload
 * @outer_segs: maximum number of messages in an outer packet
 * @id: IPv4 ID of the next segment
 * @id_step: 0 if all segments have the same IPv4 ID, or else 1
 * @pseudo: checksum of the pseudo header without the length
 * @ip_csum: checksum of the IPv4 header without the ID
 * @l4_csum: checksum of the pseudo header and of the UDP or TCP header without
 *	the sequence number
 * @check: offset of the checksum of the inner packet in @template
 * @last_flags: TCP flags that only the last segment has
 * @is_ipv4: the headers have an IPv4 header, not an IPv6 header
 * @is_tcp: the headers have a TCP header, not a UDP header
 * @template: header of the next message and headers of the next segment
 */
struct gso_state {
	const struct sk_buff *skb;
	const struct noise_keypair *keypair;
	u64 nonce;
	unsigned int segs;
	unsigned int same;
	unsigned int offset;
	unsigned int len;
	unsigned int padded_len;
	unsigned int size;
	unsigned int l4;
	unsigned int headers_len;
	unsigned int message_len;
	unsigned int outer_segs;
	u16 id;
	u16 id_step;
	__wsum pseudo;
	__wsum ip_csum;
	__wsum l4_csum;
	unsigned int check;
	__be32 last_flags;
	bool is_ipv4;
	bool is_tcp;
	u8 template[ALIGN(sizeof(struct message_data) + GSO_MAX_HEADERS_LEN,
			  GSO_COPY_LEN)]
		__aligned(__alignof__(struct message_data));
};

static unsigned int gso_message_len(unsigned int len, unsigned int mtu)
{
	return message_data_len(len + wg_packet_padding(len, mtu));
}

static bool gso_is_ipv4(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP);
}

/* Returns 0 for packets that must be segmented before they are encrypted. */
static u8 gso_protocol(const struct sk_buff *skb)
{
	unsigned int type = skb_shinfo(skb)->gso_type & ~SKB_GSO_DODGY;
	unsigned int tcp = gso_is_ipv4(skb) ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;

	if (type == SKB_GSO_UDP_L4)
		return IPPROTO_UDP;
	/* Segmentation rejects packets without DF whose ID is fixed. */
	if (type & SKB_GSO_TCP_FIXEDID && gso_is_ipv4(skb) &&
	    !(ip_hdr(skb)->frag_off & htons(IP_DF)))
		return 0;
	if ((type & ~(SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID)) == tcp)
		return IPPROTO_TCP;

	return 0;
}

/* Checks whether there is an IP header of @len bytes in front of a header of
 * protocol @proto. The lengths of untrusted packets (SKB_GSO_DODGY) may be
 * inconsistent.
 */
static bool gso_ip_header_is_valid(const struct sk_buff *skb, int len, u8 proto)
{
	if (gso_is_ipv4(skb))
		return len >= (int)sizeof(struct iphdr) &&
		       len == ip_hdrlen(skb) && ip_hdr(skb)->protocol == proto;

	return len == sizeof(struct ipv6hdr) &&
	       ipv6_hdr(skb)->nexthdr == proto;
}

/* Pulls the headers of @skb into the linear part and returns their length, or 0
 * if they are not an IP header without IPv6 extension headers, and a UDP or TCP
 * header at csum_start.
 */
static unsigned int gso_pull_headers(struct sk_buff *skb)
{
	int l4 = skb_checksum_start_offset(skb);
	u8 proto = gso_protocol(skb);
	unsigned int len;

	if (!proto || !gso_ip_header_is_valid(skb, l4, proto))
		return 0;

	if (proto == IPPROTO_UDP) {
		if (skb->csum_offset != offsetof(struct udphdr, check) ||
		    !pskb_may_pull(skb, l4 + sizeof(struct udphdr)))
			return 0;
		return l4 + sizeof(struct udphdr);
	}

	if (skb->csum_offset != offsetof(struct tcphdr, check) ||
	    !pskb_may_pull(skb, l4 + sizeof(struct tcphdr)))
		return 0;
	len = __tcp_hdrlen((struct tcphdr *)(skb->data + l4));
	if (len < sizeof(struct tcphdr) || !pskb_may_pull(skb, l4 + len))
		return 0;

	return l4 + len;
}

/**
 * wg_gso_segs - number of segments of a GSO packet that stays whole
 * @skb: GSO packet in wg_xmit()
 * @mtu: MTU inside of the tunnel, 0 if there is none
 *
 * The headers of @skb are pulled into the linear part. Their lengths are checked,
 * because an untrusted packet (SKB_GSO_DODGY) may have any. wg_gso_encrypt()
 * replaces the length fields of the segments.
 *
 * Return: number of segments; 1 if @skb must be segmented by skb_gso_segment().
 */
unsigned int wg_gso_segs(struct sk_buff *skb, unsigned int mtu)
{
	unsigned int size = skb_shinfo(skb)->gso_size;
	unsigned int len, segs;

	if (skb->ip_summed != CHECKSUM_PARTIAL || skb->encapsulation ||
	    skb_network_offset(skb) || skb_shared(skb) ||
	    !skb_frags_readable(skb))
		return 1;

	len = gso_pull_headers(skb);
	if (!len || len >= skb->len ||
	    gso_message_len(len + size, mtu) > GSO_MAX_MESSAGE_LEN)
		return 1;

	segs = DIV_ROUND_UP(skb->len - len, size);

	return segs <= U16_MAX ? segs : 1;
}

static void *gso_l4_header(struct gso_state *gso)
{
	struct message_data *message = (struct message_data *)gso->template;

	return message->encrypted_data + gso->l4;
}

/* The checksum field has the checksum of the pseudo header of all segments. */
static void gso_start_udp(struct gso_state *gso)
{
	const struct udphdr *uh = gso_l4_header(gso);

	gso->headers_len = gso->l4 + sizeof(*uh);
	gso->pseudo = csum_sub(csum_unfold(uh->check),
			       (__force __wsum)uh->len);
}

static void gso_start_tcp(struct gso_state *gso)
{
	unsigned int len = gso->skb->len - gso->l4;
	struct tcphdr *th = gso_l4_header(gso);

	gso->headers_len = gso->l4 + __tcp_hdrlen(th);
	gso->pseudo = csum_sub(csum_unfold(th->check),
			       (__force __wsum)htonl(len));
	gso->last_flags = tcp_flag_word(th) & (TCP_FLAG_FIN | TCP_FLAG_PSH);
	tcp_flag_word(th) &= ~gso->last_flags;
}

static bool gso_start(struct gso_state *gso, const struct sk_buff *skb,
		      const struct noise_keypair *keypair)
{
	struct message_data *message = (struct message_data *)gso->template;
	unsigned int mtu = PACKET_CB(skb)->mtu;
	unsigned int type = skb_shinfo(skb)->gso_type;

	gso->skb = skb;
	gso->keypair = keypair;
	gso->nonce = PACKET_CB(skb)->nonce;
	gso->segs = PACKET_CB(skb)->segs;
	gso->same = 0;
	gso->size = skb_shinfo(skb)->gso_size;
	gso->l4 = skb_checksum_start_offset(skb);
	gso->is_ipv4 = gso_is_ipv4(skb);
	gso->is_tcp = !(type & SKB_GSO_UDP_L4);
	gso->id = gso->is_ipv4 ? ntohs(ip_hdr(skb)->id) : 0;
	gso->id_step = !(type & SKB_GSO_TCP_FIXEDID);

	message->header.type = cpu_to_le32(MESSAGE_DATA);
	message->key_idx = keypair->remote_index;
	skb_copy_from_linear_data(skb, message->encrypted_data,
				  min_t(unsigned int, skb_headlen(skb),
					GSO_MAX_HEADERS_LEN));
	if (gso->is_tcp)
		gso_start_tcp(gso);
	else
		gso_start_udp(gso);
	gso->check = offsetof(struct message_data, encrypted_data) + gso->l4 +
		     skb->csum_offset;

	/* A nonce must never encrypt two messages. */
	if (WARN_ON_ONCE(DIV_ROUND_UP(skb->len - gso->headers_len,
				      gso->size) != gso->segs))
		return false;

	gso->offset = gso->headers_len;
	gso->message_len = gso_message_len(gso->headers_len + gso->size, mtu);

	/* Outer packets of equal length */
	gso->outer_segs = min_t(unsigned int, UDP_MAX_SEGMENTS,
				GSO_MAX_OUTER_LEN / gso->message_len);
	gso->outer_segs = DIV_ROUND_UP(gso->segs,
				       DIV_ROUND_UP(gso->segs,
						    gso->outer_segs));

	return true;
}

static void gso_set_ip_header(struct gso_state *gso, unsigned int len)
{
	struct message_data *message = (struct message_data *)gso->template;
	struct ipv6hdr *ip6h = (struct ipv6hdr *)message->encrypted_data;
	struct iphdr *iph = (struct iphdr *)message->encrypted_data;

	if (!gso->is_ipv4) {
		ip6h->payload_len = htons(len - sizeof(*ip6h));
		return;
	}

	iph->tot_len = htons(len);
	iph->id = 0;
	iph->check = 0;
	gso->ip_csum = csum_partial(iph, gso->l4, 0);
}

/* @len: bytes of UDP header and payload; @csum: checksum of the pseudo header */
static void gso_set_udp_header(struct gso_state *gso, unsigned int len,
			       __wsum csum)
{
	struct udphdr *uh = gso_l4_header(gso);

	uh->len = htons(len);
	uh->check = 0;
	gso->l4_csum = csum_partial(uh, sizeof(*uh), csum);
}

static void gso_set_tcp_header(struct gso_state *gso, __wsum csum)
{
	struct tcphdr *th = gso_l4_header(gso);

	if (gso->offset > gso->headers_len)
		th->cwr = 0;
	if (gso->segs == 1)
		tcp_flag_word(th) |= gso->last_flags;
	th->check = 0;
	gso->l4_csum = csum_sub(csum_partial(th, __tcp_hdrlen(th), csum),
				(__force __wsum)th->seq);
}

/* Writes the headers of the next segment into the template, without the fields
 * that gso_complete_headers() writes. The first and the last segment have
 * headers of their own, the others have the same ones.
 */
static void gso_set_headers(struct gso_state *gso)
{
	bool is_first = gso->offset == gso->headers_len;
	unsigned int ip_len, l4_len;
	__wsum csum;

	gso->same = is_first || gso->segs == 1 ? 1 : gso->segs - 1;
	gso->len = min(gso->size, gso->skb->len - gso->offset);
	ip_len = gso->headers_len + gso->len;
	l4_len = ip_len - gso->l4;
	gso->padded_len = ip_len + wg_packet_padding(ip_len,
						     PACKET_CB(gso->skb)->mtu);

	gso_set_ip_header(gso, ip_len);
	csum = csum_add(gso->pseudo, (__force __wsum)htonl(l4_len));
	if (gso->is_tcp)
		gso_set_tcp_header(gso, csum);
	else
		gso_set_udp_header(gso, l4_len, csum);
}

/* Writes the fields that differ in all segments, without the checksum that
 * gso_set_check() writes.
 */
static void gso_complete_headers(struct gso_state *gso)
{
	struct message_data *message = (struct message_data *)gso->template;
	struct iphdr *iph = (struct iphdr *)message->encrypted_data;

	message->counter = cpu_to_le64(gso->nonce);
	if (gso->is_ipv4) {
		iph->id = htons(gso->id);
		iph->check = csum_fold(csum_add(gso->ip_csum,
						(__force __wsum)iph->id));
	}
}

/* Copies the template to the message at @to. This also overwrites the bytes
 * behind the headers: payload, padding and authentication tag, which are written
 * later.
 */
static void gso_copy_template(const struct gso_state *gso, u8 *to)
{
	unsigned int len = sizeof(struct message_data) + gso->headers_len;
	unsigned int i;

	BUILD_BUG_ON(GSO_COPY_LEN > CHACHA20POLY1305_AUTHTAG_SIZE);

	for (i = 0; i < len; i += GSO_COPY_LEN)
		memcpy(to + i, gso->template + i, GSO_COPY_LEN);
}

/* Writes the checksum of the UDP or TCP header of the message at @to.
 * @csum: checksum of the payload
 */
static void gso_set_check(struct gso_state *gso, u8 *to, __wsum csum)
{
	struct tcphdr *th = gso_l4_header(gso);
	__sum16 check;

	csum = csum_add(csum, gso->l4_csum);
	if (gso->is_tcp)
		csum = csum_add(csum, (__force __wsum)th->seq);
	check = csum_fold(csum);
	if (!check && !gso->is_tcp)
		check = CSUM_MANGLED_0;
	put_unaligned(check, (__sum16 *)(to + gso->check));
}

static void gso_next_segment(struct gso_state *gso)
{
	struct tcphdr *th = gso_l4_header(gso);

	++gso->nonce;
	--gso->segs;
	--gso->same;
	gso->offset += gso->len;
	gso->id += gso->id_step;
	if (gso->is_tcp)
		be32_add_cpu(&th->seq, gso->len);
}

/* Writes the message of the next segment to @to, and returns its length. */
static unsigned int gso_encrypt_segment(struct gso_state *gso, u8 *to)
{
	u8 *plaintext = to + offsetof(struct message_data, encrypted_data);
	unsigned int plain_len;
	__wsum csum;

	if (!gso->same)
		gso_set_headers(gso);
	plain_len = gso->headers_len + gso->len;

	gso_complete_headers(gso);
	gso_copy_template(gso, to);
	csum = skb_copy_and_csum_bits(gso->skb, gso->offset,
				      plaintext + gso->headers_len, gso->len);
	gso_set_check(gso, to, csum);
	if (gso->padded_len > plain_len)
		memset(plaintext + plain_len, 0, gso->padded_len - plain_len);

	chacha20poly1305_encrypt(plaintext, plaintext, gso->padded_len, NULL, 0,
				 gso->nonce, gso->keypair->sending.key);
	gso_next_segment(gso);

	return message_data_len(gso->padded_len);
}

/* Adds the next @len bytes of @pfrag to @skb. */
static void gso_add_frag(const struct gso_state *gso, struct sk_buff *skb,
			 struct page_frag *pfrag, unsigned int len)
{
	unsigned int offset = pfrag->offset, truesize = len;
	unsigned int i = skb_shinfo(skb)->nr_frags;

	/* No other message fits in the rest of the pages. */
	if (pfrag->size - offset - len < gso->message_len)
		truesize = pfrag->size - offset;
	pfrag->offset += truesize;

	if (skb_can_coalesce(skb, i, pfrag->page, offset)) {
		skb_coalesce_rx_frag(skb, i - 1, len, truesize);
		return;
	}
	get_page(pfrag->page);
	skb_add_rx_frag(skb, i, pfrag->page, offset, len, truesize);
}

/* Encrypts the next segments, at most @max, and adds as many messages to @outer
 * as have room in @pfrag. A message is a part of @outer only after it has been
 * encrypted. A message is not longer than a page, so it fits even if there are
 * no pages of a higher order.
 *
 * Returns the number of messages, or 0 if @outer is full, or -ENOMEM.
 */
static int gso_add_messages(struct gso_state *gso, struct sk_buff *outer,
			    struct page_frag *pfrag, unsigned int max)
{
	unsigned int nr_frags = skb_shinfo(outer)->nr_frags;
	u8 *from, *to;
	unsigned int n;

	if (unlikely(!skb_page_frag_refill(gso->message_len, pfrag, GSO_GFP)))
		return -ENOMEM;
	if (unlikely(nr_frags == MAX_SKB_FRAGS &&
		     !skb_can_coalesce(outer, nr_frags, pfrag->page,
				       pfrag->offset)))
		return 0;

	from = page_address(pfrag->page) + pfrag->offset;
	to = from;
	max = min3(max, gso->segs,
		   (pfrag->size - pfrag->offset) / gso->message_len);
	for (n = 0; n < max; n++)
		to += gso_encrypt_segment(gso, to);
	gso_add_frag(gso, outer, pfrag, to - from);

	return n;
}

/* Returns an outer packet with the messages of the next segments. */
static struct sk_buff *gso_encrypt_outer(struct gso_state *gso,
					 struct page_frag *pfrag)
{
	struct skb_shared_info *shinfo;
	unsigned int segs = 0;
	struct sk_buff *outer;
	int n;

	outer = alloc_skb(SKB_HEADER_LEN, GSO_GFP);
	if (unlikely(!outer))
		return NULL;
	skb_reserve(outer, SKB_HEADER_LEN);

	while (segs < gso->outer_segs && gso->segs) {
		n = gso_add_messages(gso, outer, pfrag, gso->outer_segs - segs);
		if (unlikely(n < 0)) {
			kfree_skb(outer);
			return NULL;
		}
		if (!n)
			break;
		segs += n;
	}

	if (likely(segs > 1)) {
		shinfo = skb_shinfo(outer);
		shinfo->gso_type = SKB_GSO_UDP_L4;
		shinfo->gso_size = gso->message_len;
		shinfo->gso_segs = segs;
	}

	return outer;
}

/* Returns the list of all outer packets, with @last set to its last packet. */
static struct sk_buff *gso_encrypt_all(struct gso_state *gso,
				       struct page_frag *pfrag,
				       struct sk_buff **last)
{
	struct sk_buff *list = NULL, **link = &list;

	while (gso->segs) {
		*link = gso_encrypt_outer(gso, pfrag);
		if (unlikely(!*link)) {
			kfree_skb_list(list);
			return NULL;
		}
		*last = *link;
		link = &(*last)->next;
	}

	return list;
}

static u16 gso_outer_segs(const struct sk_buff *outer)
{
	return skb_is_gso(outer) ? skb_shinfo(outer)->gso_segs : 1;
}

/* Sets the metadata of an outer packet that is not the first one. */
static void gso_init_further(struct sk_buff *outer, const struct sk_buff *skb)
{
	*PACKET_CB(outer) = *PACKET_CB(skb);
	PACKET_CB(outer)->segs = gso_outer_segs(outer);
	skb_copy_hash(outer, skb);
	skb_copy_owner_w(outer, skb);
	wg_reset_packet(outer, true);
}

/* The transmit timestamp of a TCP packet is usually that of its last byte. */
static void gso_move_tstamp(struct sk_buff *from, struct sk_buff *to)
{
	skb_shinfo(to)->tx_flags |= skb_shinfo(from)->tx_flags &
				    SKBTX_ANY_TSTAMP;
	skb_shinfo(to)->tskey = skb_shinfo(from)->tskey;
	skb_shinfo(from)->tx_flags &= ~SKBTX_ANY_TSTAMP;
}

/**
 * wg_gso_encrypt - encrypt the segments of a GSO packet
 * @skb: packet for which wg_gso_segs() returned more than 1; in its control
 *	block, nonce is the first of as many nonces as there are segments
 * @keypair: key of the messages
 * @pfrag: memory for the messages of this and of later packets; the caller
 *	releases its page
 *
 * @skb becomes the first outer packet. It may be linked into the transmit queue
 * of the peer by its prev pointer, so it stays the same sk_buff. Further outer
 * packets are added to the list behind @skb, and need no other preparation.
 *
 * Return: true if successful; false if there is no memory, or if the number of
 * segments is not that of the nonces. Then the data of @skb has not changed.
 */
bool wg_gso_encrypt(struct sk_buff *skb, struct noise_keypair *keypair,
		    struct page_frag *pfrag)
{
	struct sk_buff *outer, *further, *last;
	struct gso_state gso;
	unsigned int n = 1;

	/* The hash must be that of the inner packet, as for other packets. */
	skb_get_hash(skb);

	if (unlikely(!gso_start(&gso, skb, keypair)))
		return false;
	outer = gso_encrypt_all(&gso, pfrag, &last);
	if (unlikely(!outer))
		return false;

	for (further = outer->next; further; further = further->next, ++n)
		gso_init_further(further, skb);
	trace_wg_gso_encrypt(skb, n);

	last->next = skb->next;
	skb->next = outer->next;
	PACKET_CB(skb)->segs = gso_outer_segs(outer);
	skb_replace_data(skb, outer);
	if (gso.is_tcp && n > 1)
		gso_move_tstamp(skb, last);

	return true;
}
