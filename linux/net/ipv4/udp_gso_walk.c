// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Iterator over the segments of UDP GSO packets. The iterator makes the headers
 * of a segment from a template. It does not copy the payload, but returns the
 * position of the payload in the packet. udp_gso_walk_segments() is the fast
 * path of segmentation. Drivers use the exported functions.
 */

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/skbuff_ref.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/dst.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/udp_gso.h>
#include <net/udp_gso_walk.h>

/* Bytes of the header template for Ethernet, IPv4 or IPv6 without options, and
 * UDP
 */
#define UDP_GSO_WALK_SPAN	(8 * sizeof(u64))

/* Offset of the payload from the head */
static unsigned int udp_gso_walk_payload(const struct sk_buff *skb)
{
	return skb->transport_header + sizeof(struct udphdr);
}

static unsigned int udp_gso_walk_template(const struct sk_buff *skb)
{
	return round_down(skb->mac_header, sizeof(u64));
}

/**
 * udp_gso_walk_path - check whether a packet can be iterated over
 * @skb: UDP GSO packet, all header offsets set
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * Return: %UDP_GSO_PATH_FAST if @skb can be iterated over; otherwise the reason
 * why it cannot.
 */
enum udp_gso_path udp_gso_walk_path(const struct sk_buff *skb, bool is_ipv6)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int payload = udp_gso_walk_payload(skb);
	unsigned int headroom = skb_headroom(skb);

	/* The packet is untrusted, is a fraglist packet, has another GSO type,
	 * or is encapsulated.
	 */
	if (shinfo->gso_type != SKB_GSO_UDP_L4 || skb->encapsulation)
		return UDP_GSO_PATH_TYPE;

	if (shinfo->frag_list)
		return UDP_GSO_PATH_FRAG_LIST;

	/* The headers are too long for the template, or there are IPv6
	 * extension headers.
	 */
	if (payload - udp_gso_walk_template(skb) >
	    UDP_GSO_WALK_HDR * sizeof(u64) ||
	    (is_ipv6 && skb_network_header_len(skb) != sizeof(struct ipv6hdr)))
		return UDP_GSO_PATH_HEADERS;

	/* The headers are not linear, or the lengths or offsets are invalid.
	 * The slow path pulls the headers, or rejects the packet.
	 */
	if (payload > headroom + skb_headlen(skb) || !shinfo->gso_size ||
	    skb->len + headroom - payload <= shinfo->gso_size ||
	    skb->csum_start != skb->transport_header)
		return UDP_GSO_PATH_GEOMETRY;

	if (!is_ipv6 && (ip_hdr(skb)->ihl < 5 ||
			 skb_network_header_len(skb) != ip_hdrlen(skb)))
		return UDP_GSO_PATH_GEOMETRY;

	return UDP_GSO_PATH_FAST;
}

static bool udp_gso_walk_is_ipv6(const struct sk_buff *skb)
{
	return vlan_get_protocol(skb) == htons(ETH_P_IPV6);
}

/* Other protocols, such as MPLS, have a header in front of the IP header. */
static bool udp_gso_walk_is_ipv4(const struct sk_buff *skb)
{
	return vlan_get_protocol(skb) == htons(ETH_P_IP);
}

/**
 * udp_gso_walk_allowed - check whether a driver can iterate over a packet
 * @skb: packet to transmit, data at the MAC header
 *
 * Return: true if the driver can iterate over @skb. If the result is false,
 * ndo_features_check() must clear %NETIF_F_GSO_UDP_L4, so that the core
 * segments the packet.
 */
bool udp_gso_walk_allowed(const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	bool is_ipv6 = udp_gso_walk_is_ipv6(skb);
	unsigned int payload;

	if (!is_ipv6 && !udp_gso_walk_is_ipv4(skb))
		return false;

	if (udp_gso_walk_path(skb, is_ipv6) != UDP_GSO_PATH_FAST)
		return false;

	/* Drivers compute the number of descriptors from gso_segs. */
	payload = skb->len + skb_headroom(skb) - udp_gso_walk_payload(skb);
	return shinfo->gso_segs == udp_gso_segs(payload, shinfo->gso_size);
}
EXPORT_SYMBOL_GPL(udp_gso_walk_allowed);

static void *udp_gso_walk_hdr(struct udp_gso_walk *walk, unsigned int offset)
{
	return (u8 *)walk->hdr + offset - walk->start;
}

/* Sets the header template for segments with @len bytes of payload. Segments of
 * equal length have equal headers, except for the IPv4 ID and the checksums.
 */
static void udp_gso_walk_set_len(struct udp_gso_walk *walk, unsigned int len)
{
	struct udphdr *uh = udp_gso_walk_hdr(walk, walk->transport);
	unsigned int udp_len = len + sizeof(*uh);
	struct ipv6hdr *ip6h;
	struct iphdr *iph;

	walk->len = len;
	uh->check = udp_gso_check(uh, htons(udp_len));
	uh->len = htons(udp_len);
	walk->udp_sum = csum_partial(uh, sizeof(*uh), 0);

	if (walk->is_ipv6) {
		ip6h = udp_gso_walk_hdr(walk, walk->network);
		ip6h->payload_len = htons(udp_len);
		return;
	}

	iph = udp_gso_walk_hdr(walk, walk->network);
	iph->tot_len = htons(udp_len + walk->transport - walk->network);
	iph->id = 0;
	ip_send_check(iph);
	walk->ip_sum = ~iph->check;
}

static void __udp_gso_walk_start(struct udp_gso_walk *walk,
				 const struct sk_buff *skb, bool is_ipv6)
{
	unsigned int payload = udp_gso_walk_payload(skb);
	unsigned int headroom = skb_headroom(skb);

	walk->skb = skb;
	walk->mac = skb->mac_header;
	walk->network = skb->network_header;
	walk->transport = skb->transport_header;
	walk->start = udp_gso_walk_template(skb);
	walk->hdr_len = payload - walk->mac;
	walk->is_ipv6 = is_ipv6;
	walk->span = payload - walk->start <= UDP_GSO_WALK_SPAN ?
		     UDP_GSO_WALK_SPAN : sizeof(walk->hdr);
	memset(walk->hdr, 0, sizeof(walk->hdr));
	memcpy(walk->hdr, skb->head + walk->start, payload - walk->start);
	if (!is_ipv6)
		walk->id = ntohs(ip_hdr(skb)->id);

	walk->left = skb->len + headroom - payload;
	walk->unsliced = 0;
	udp_gso_walk_set_len(walk, skb_shinfo(skb)->gso_size);
	walk->pos = -walk->len;

	walk->frag = -1;
	walk->frag_off = payload - headroom;
	walk->frag_left = skb_headlen(skb) + headroom - payload;
}

/**
 * udp_gso_walk_start - set the iterator in front of the first segment
 * @walk: iterator, is initialised
 * @skb: packet for which udp_gso_walk_allowed() returned true; must not change
 *	while the iterator is used
 */
void udp_gso_walk_start(struct udp_gso_walk *walk, const struct sk_buff *skb)
{
	__udp_gso_walk_start(walk, skb, udp_gso_walk_is_ipv6(skb));
}
EXPORT_SYMBOL_GPL(udp_gso_walk_start);

/**
 * udp_gso_walk_next - advance to the next segment
 * @walk: iterator
 *
 * The caller must get either all slices of every segment, or no slices.
 *
 * Return: false after the last segment.
 */
bool udp_gso_walk_next(struct udp_gso_walk *walk)
{
	if (!walk->left)
		return false;

	walk->pos += walk->len;
	if (unlikely(walk->left < walk->len))
		udp_gso_walk_set_len(walk, walk->left);
	walk->left -= walk->len;
	walk->unsliced = walk->len;

	return true;
}
EXPORT_SYMBOL_GPL(udp_gso_walk_next);

static void udp_gso_walk_put_id(struct udp_gso_walk *walk, void *network)
{
	struct iphdr *iph = network;
	__be16 id;

	if (walk->is_ipv6)
		return;

	id = htons(walk->id++);
	iph->id = id;
	iph->check = ~csum16_add(walk->ip_sum, id);
}

/**
 * udp_gso_walk_put_headers - write the headers of the current segment
 * @walk: iterator
 * @to: buffer of @walk->hdr_len bytes
 *
 * This function writes the MAC, network and UDP header. The UDP checksum field
 * has the checksum of the pseudo header, as with %CHECKSUM_PARTIAL. The
 * function must be called once for each segment, because each call increments
 * the IPv4 ID.
 */
void udp_gso_walk_put_headers(struct udp_gso_walk *walk, void *to)
{
	memcpy(to, udp_gso_walk_hdr(walk, walk->mac), walk->hdr_len);
	udp_gso_walk_put_id(walk, to + walk->network - walk->mac);
}
EXPORT_SYMBOL_GPL(udp_gso_walk_put_headers);

static void udp_gso_walk_next_frag(struct udp_gso_walk *walk)
{
	walk->frag++;
	walk->frag_off = 0;
	walk->frag_left =
		skb_frag_size(&skb_shinfo(walk->skb)->frags[walk->frag]);
}

static __always_inline bool
__udp_gso_walk_slice(struct udp_gso_walk *walk, struct udp_gso_slice *slice)
{
	if (!walk->unsliced)
		return false;

	while (unlikely(!walk->frag_left))
		udp_gso_walk_next_frag(walk);

	slice->frag = walk->frag;
	slice->offset = walk->frag_off;
	slice->len = min(walk->frag_left, walk->unsliced);
	walk->frag_off += slice->len;
	walk->frag_left -= slice->len;
	walk->unsliced -= slice->len;

	return true;
}

/**
 * udp_gso_walk_slice - get the next contiguous payload of the current segment
 * @walk: iterator
 * @slice: is set
 *
 * Return: false if the segment has no more payload.
 */
bool udp_gso_walk_slice(struct udp_gso_walk *walk,
			struct udp_gso_slice *slice)
{
	return __udp_gso_walk_slice(walk, slice);
}
EXPORT_SYMBOL_GPL(udp_gso_walk_slice);

/* The rest of this file is the fast path, which allocates an sk_buff for each
 * segment. The headers are at the same offset from the head as in the GSO
 * packet. The headers are written in complete words, which may overwrite bytes
 * that follow the headers, so write the headers first and then the payload.
 *
 * The functions for one segment are inlined into the three loops of
 * udp_gso_walk_list(). In these loops, @sum is a constant. If @sum is false,
 * @sg is a constant, too.
 */

static __always_inline void udp_gso_walk_head(struct udp_gso_walk *walk,
					      u8 *head)
{
	void *to = head + walk->start;

	if (likely(walk->span == UDP_GSO_WALK_SPAN))
		memcpy(to, walk->hdr, UDP_GSO_WALK_SPAN);
	else
		memcpy(to, walk->hdr, sizeof(walk->hdr));

	udp_gso_walk_put_id(walk, head + walk->network);
}

/* Returns the maximum number of bytes that IPsec appends to the payload. */
static unsigned int udp_gso_walk_tailroom(const struct sk_buff *tmpl)
{
	const struct dst_entry *dst = skb_dst(tmpl);

	return dst ? dst->trailer_len : 0;
}

/* Sizes @tmpl for the next segments and returns how many share that length and
 * the same split between head and fragments.
 */
static unsigned int udp_gso_walk_size_tmpl(struct udp_gso_walk *walk,
					   struct sk_buff *tmpl, bool sg)
{
	unsigned int linear = walk->frag < 0 ? walk->frag_left : 0;
	unsigned int size = min(walk->len, walk->left);
	unsigned int n = walk->left / size;
	unsigned int copy = size, room;

	if (sg && linear < size) {
		n = linear ? 1 : n;
		copy = linear;
	} else if (sg) {
		n = min(n, linear / size);
	}

	room = skb_headroom(tmpl) + walk->hdr_len + copy +
	       udp_gso_walk_tailroom(tmpl);
	skb_segment_resize(tmpl, walk->hdr_len + copy, size - copy,
			   max(room, walk->start + walk->span));
	return n;
}

static __always_inline void
udp_gso_walk_add_frag(const struct udp_gso_walk *walk,
		      struct skb_shared_info *shinfo,
		      const struct udp_gso_slice *slice)
{
	skb_frag_t *to = &shinfo->frags[shinfo->nr_frags++];

	*to = skb_shinfo(walk->skb)->frags[slice->frag];
	skb_frag_off_add(to, slice->offset);
	skb_frag_size_set(to, slice->len);
	__skb_frag_ref(to);
}

static __always_inline const void *
udp_gso_walk_address(const struct udp_gso_walk *walk,
		     const struct udp_gso_slice *slice)
{
	const struct sk_buff *skb = walk->skb;

	if (slice->frag < 0)
		return skb->data + slice->offset;

	return skb_frag_address(&skb_shinfo(skb)->frags[slice->frag]) +
	       slice->offset;
}

/* Copies the payload to @to. If @sum, returns the checksum of the payload, and
 * @to may be %NULL to copy nothing.
 */
static __wsum udp_gso_walk_read(const void *from, void *to, unsigned int len,
				bool sum)
{
	if (!sum) {
		memcpy(to, from, len);
		return 0;
	}

	return to ? csum_partial_copy_nocheck(from, to, len) :
		    csum_partial(from, len, 0);
}

/* If @sg, adds references to the page fragments of the payload to @seg and
 * copies only linear payload. Otherwise, copies all payload. Returns the
 * checksum of the payload if @sum.
 */
static __always_inline __wsum udp_gso_walk_fill(struct udp_gso_walk *walk,
						struct sk_buff *seg,
						bool sg, bool sum)
{
	struct skb_shared_info *shinfo = skb_shinfo(seg);
	u8 *to = seg->data + walk->hdr_len;
	struct udp_gso_slice slice;
	unsigned int done = 0;
	__wsum part, csum = 0;
	const void *from;
	bool refer;

	while (__udp_gso_walk_slice(walk, &slice)) {
		refer = sg && slice.frag >= 0;
		if (refer)
			udp_gso_walk_add_frag(walk, shinfo, &slice);
		if (refer && !sum)
			continue;

		from = udp_gso_walk_address(walk, &slice);
		part = udp_gso_walk_read(from, refer ? NULL : to + done,
					 slice.len, sum);
		if (sum)
			csum = csum_block_add(csum, part, done);
		done += slice.len;
	}
	if (sg)
		shinfo->flags = skb_shinfo(walk->skb)->flags &
				SKBFL_SHARED_FRAG;

	return csum;
}

static __always_inline void udp_gso_walk_segment(struct udp_gso_walk *walk,
						 struct sk_buff *seg,
						 bool sg, bool sum)
{
	__wsum csum;

	udp_gso_walk_next(walk);
	udp_gso_walk_head(walk, seg->head);
	csum = udp_gso_walk_fill(walk, seg, sg, sum);
	if (!sum)
		return;

	csum = csum_add(csum, walk->udp_sum);
	udp_hdr(seg)->check = udp_gso_nonzero_check(csum_fold(csum));
}

static void udp_gso_walk_list(struct udp_gso_walk *walk, struct sk_buff *seg,
			      bool sg, bool sum)
{
	if (sum) {
		for (; seg; seg = seg->next)
			udp_gso_walk_segment(walk, seg, sg, true);
	} else if (sg) {
		for (; seg; seg = seg->next)
			udp_gso_walk_segment(walk, seg, true, false);
	} else {
		for (; seg; seg = seg->next)
			udp_gso_walk_segment(walk, seg, false, false);
	}
}

/* Frees segments for which the owner is not charged yet. */
static void udp_gso_walk_abort(const struct sk_buff *tmpl,
			       struct sk_buff *segs, unsigned int n)
{
	struct sk_buff *seg;

	for (seg = segs; seg; seg = seg->next) {
		seg->destructor = NULL;
		seg->sk = NULL;
	}

	skb_segments_get_refs(tmpl, n);
	kfree_skb_list(segs);
}

/**
 * udp_gso_walk_segments - segment a packet on the fast path
 * @skb: packet for which udp_gso_walk_path() returned %UDP_GSO_PATH_FAST
 * @tmpl: template of skb_segment_template(), with the owner of the segments;
 *	its ip_summed is %CHECKSUM_NONE if the segments need complete checksums
 * @sg: true if segments may have page fragments
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 * @truesize: set to the truesize of all segments, for which the caller charges
 *	the owner
 *
 * Context: bottom halves disabled.
 * Return: list of segments with complete headers, data at the MAC header, the
 * last segment in prev of the first; %NULL if there is no memory.
 */
struct sk_buff *udp_gso_walk_segments(const struct sk_buff *skb,
				      struct sk_buff *tmpl, bool sg,
				      bool is_ipv6, unsigned int *truesize)
{
	bool sum = tmpl->ip_summed == CHECKSUM_NONE;
	struct sk_buff *segs = NULL, **link = &segs;
	struct sk_buff *last = NULL;
	unsigned int n, made = 0;
	struct udp_gso_walk walk;

	*truesize = 0;
	__udp_gso_walk_start(&walk, skb, is_ipv6);
	do {
		n = udp_gso_walk_size_tmpl(&walk, tmpl, sg);
		*link = skb_segments_alloc(tmpl, n, &last);
		if (unlikely(!*link)) {
			udp_gso_walk_abort(tmpl, segs, made);
			return NULL;
		}

		udp_gso_walk_list(&walk, *link, sg, sum);
		link = &last->next;
		made += n;
		*truesize += n * tmpl->truesize;
	} while (walk.left);

	segs->prev = last;
	skb_segments_get_refs(tmpl, made);

	return segs;
}
