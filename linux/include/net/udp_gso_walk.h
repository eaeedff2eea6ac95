/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Iterator over the segments of a UDP GSO packet, for segmentation and for
 * drivers that send the segments without an sk_buff per segment
 */
#ifndef _NET_UDP_GSO_WALK_H
#define _NET_UDP_GSO_WALK_H

#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/udp_gso.h>

/* Size of the header template in words of eight bytes. The headers may include
 * a VLAN tag and IPv4 options.
 */
#define UDP_GSO_WALK_HDR	12

/**
 * enum udp_gso_path - how a UDP GSO packet is segmented
 * @UDP_GSO_PATH_FAST: fast path, udp_gso_segment_fast()
 * @UDP_GSO_PATH_TYPE: the packet is untrusted (%SKB_GSO_DODGY), is a fraglist
 *	packet, has another GSO type besides %SKB_GSO_UDP_L4, is encapsulated,
 *	or has tunnel headers in front of its MAC header
 * @UDP_GSO_PATH_DEVICE: the device segments the packet (%NETIF_F_GSO_UDP_L4),
 *	or parts of the packet with several segments each (%NETIF_F_GSO_PARTIAL)
 * @UDP_GSO_PATH_FRAG_LIST: the packet has a frag_list, but is not a fraglist
 *	packet
 * @UDP_GSO_PATH_ZEROCOPY: the packet has a zerocopy completion, or its payload
 *	is in device memory
 * @UDP_GSO_PATH_HEADERS: the headers are longer than the header template, or
 *	there are IPv6 extension headers
 * @UDP_GSO_PATH_GEOMETRY: the headers are not linear, gso_size is 0, the
 *	payload is not longer than gso_size, csum_start is not at the UDP
 *	header, or the header length (ihl) of the IPv4 header does not match the
 *	header offsets
 * @UDP_GSO_PATH_HIGHMEM: the payload must be copied or checksummed, and may be
 *	in high memory
 * @UDP_GSO_PATH_MEMALLOC: the packet is in the memory reserves (pfmemalloc), or
 *	its socket may use the memory reserves (%SOCK_MEMALLOC)
 * @UDP_GSO_PATH_IRQ: the context is a hardware interrupt, or interrupts are
 *	disabled, so local_bh_enable() must not be called
 * @UDP_GSO_PATH_NOMEM: the fast path could not allocate memory
 *
 * For all values except %UDP_GSO_PATH_FAST, the packet takes the slow path,
 * __udp_gso_segment(), for the reason that the value describes.
 */
enum udp_gso_path {
	UDP_GSO_PATH_FAST,
	UDP_GSO_PATH_TYPE,
	UDP_GSO_PATH_DEVICE,
	UDP_GSO_PATH_FRAG_LIST,
	UDP_GSO_PATH_ZEROCOPY,
	UDP_GSO_PATH_HEADERS,
	UDP_GSO_PATH_GEOMETRY,
	UDP_GSO_PATH_HIGHMEM,
	UDP_GSO_PATH_MEMALLOC,
	UDP_GSO_PATH_IRQ,
	UDP_GSO_PATH_NOMEM,
};

/**
 * struct udp_gso_walk - position in a UDP GSO packet
 * @skb: the packet
 * @len: bytes of payload in the current segment
 * @left: bytes of payload after the current segment
 * @pos: offset of the current segment in the payload of the packet
 * @unsliced: bytes of the current segment that udp_gso_walk_slice() has not
 *	returned yet
 * @hdr_len: bytes of MAC, network and UDP header of a segment
 *
 * The other members are private. They include the offsets of the header
 * template and of the headers, relative to the head of @skb; the page fragment
 * and the offset of the next slice; and the header template of segments with
 * @len bytes.
 */
struct udp_gso_walk {
	const struct sk_buff	*skb;
	unsigned int		len;
	unsigned int		left;
	unsigned int		pos;
	unsigned int		unsliced;
	unsigned int		hdr_len;

	/* private: */
	u16			start;
	u16			span;
	u16			mac;
	u16			network;
	u16			transport;
	bool			is_ipv6;
	u16			id;
	__sum16			ip_sum;
	__wsum			udp_sum;

	int			frag;
	unsigned int		frag_off;
	unsigned int		frag_left;

	u64			hdr[UDP_GSO_WALK_HDR];
};

/**
 * struct udp_gso_slice - contiguous payload of one segment
 * @frag: index of the page fragment; -1 for the linear part
 * @offset: offset from the start of the page fragment, or for the linear part
 *	from skb->data
 * @len: length in bytes
 */
struct udp_gso_slice {
	int			frag;
	unsigned int		offset;
	unsigned int		len;
};

/**
 * udp_gso_walk_max_descs - maximum number of descriptors for a packet
 * @skb: UDP GSO packet, gso_segs set
 *
 * Each segment needs one descriptor for its headers, and one for each slice.
 * The number of slices is highest if no segment ends where a page fragment
 * ends.
 *
 * Return: maximum number of descriptors.
 */
static inline unsigned int udp_gso_walk_max_descs(const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);

	return 2 * shinfo->gso_segs + shinfo->nr_frags;
}

#ifdef CONFIG_INET
bool udp_gso_walk_allowed(const struct sk_buff *skb);
#else
/* Without CONFIG_INET, udp_gso_walk.c is not built, and the compiler removes
 * the calls of the functions below.
 */
static inline bool udp_gso_walk_allowed(const struct sk_buff *skb)
{
	return false;
}
#endif

void udp_gso_walk_start(struct udp_gso_walk *walk, const struct sk_buff *skb);
bool udp_gso_walk_next(struct udp_gso_walk *walk);
void udp_gso_walk_put_headers(struct udp_gso_walk *walk, void *to);
bool udp_gso_walk_slice(struct udp_gso_walk *walk,
			struct udp_gso_slice *slice);

enum udp_gso_path udp_gso_walk_path(const struct sk_buff *skb, bool is_ipv6);
struct sk_buff *udp_gso_walk_segments(const struct sk_buff *skb,
				      struct sk_buff *tmpl, bool sg,
				      bool is_ipv6, unsigned int *truesize);

#endif /* _NET_UDP_GSO_WALK_H */
