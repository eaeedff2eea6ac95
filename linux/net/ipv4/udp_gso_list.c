// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segmentation of UDP fraglist GSO packets (%SKB_GSO_FRAGLIST), for IPv4 and
 * IPv6. GRO has linked the datagrams of a flow in the frag_list of such a
 * packet, and each datagram still has its own headers.
 */

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/udp.h>
#include <net/udp_gso.h>

/**
 * udp_gso_list_usable - check whether a fraglist packet can be segmented into
 * the sk_buffs of its frag_list
 * @gso_skb: packet of type %SKB_GSO_FRAGLIST, data at the UDP header
 *
 * Context: any.
 * Return: true if each sk_buff still contains the datagram that was received in
 * it; false if payload has been moved to another sk_buff, if the length of the
 * network header has changed, or if @gso_skb is untrusted (%SKB_GSO_DODGY).
 */
bool udp_gso_list_usable(const struct sk_buff *gso_skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(gso_skb);

	return !(shinfo->gso_type & SKB_GSO_DODGY) && shinfo->frag_list &&
	       skb_pagelen(gso_skb) ==
	       sizeof(struct udphdr) + shinfo->gso_size &&
	       skb_network_header_len(gso_skb) ==
	       skb_network_header_len(shinfo->frag_list);
}

/* Makes @skb a non-fraglist GSO packet. Writes to its UDP header the length of
 * the header and of all payload, and a partial checksum. @nhoff, @off: offsets
 * of the network and UDP header
 */
static void udp_gso_set_partial(struct sk_buff *skb, int nhoff, int off,
				bool is_ipv6)
{
	const struct ipv6hdr *ip6h = (void *)(skb->data + nhoff);
	const struct iphdr *iph = (void *)(skb->data + nhoff);
	unsigned int len = skb->len - off;
	struct udphdr *uh;

	skb_set_transport_header(skb, off);
	uh = udp_hdr(skb);
	uh->len = htons(len);
	uh->check = is_ipv6 ?
		    ~udp_v6_check(len, &ip6h->saddr, &ip6h->daddr, 0) :
		    ~udp_v4_check(len, iph->saddr, iph->daddr, 0);

	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct udphdr, check);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb_shinfo(skb)->gso_type &= ~SKB_GSO_FRAGLIST;
}

/**
 * udp_gso_convert_list - convert a fraglist packet to a linear GSO packet
 * @gso_skb: packet of type %SKB_GSO_FRAGLIST, data at the UDP header
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * This function is for packets that only skb_segment() can segment, because
 * udp_gso_list_usable() returned false.
 *
 * Context: any; does not sleep.
 * Return: 0; -ENOMEM.
 */
int udp_gso_convert_list(struct sk_buff *gso_skb, bool is_ipv6)
{
	if (skb_linearize_cow(gso_skb))
		return -ENOMEM;

	udp_gso_set_partial(gso_skb, skb_network_offset(gso_skb), 0, is_ipv6);

	return 0;
}

/* The source and the destination address are adjacent. All fields that routers
 * change without NAT are in front of the addresses.
 */
static unsigned int udp_gso_addrs_offset(bool is_ipv6)
{
	return is_ipv6 ? offsetof(struct ipv6hdr, addrs) :
			 offsetof(struct iphdr, addrs);
}

static void *udp_gso_addrs(const struct sk_buff *skb, bool is_ipv6)
{
	return skb_network_header(skb) + udp_gso_addrs_offset(is_ipv6);
}

static unsigned int udp_gso_addrs_len(bool is_ipv6)
{
	return 2 * (is_ipv6 ? sizeof(struct in6_addr) : sizeof(struct in_addr));
}

static bool udp_gso_same_flow(const struct sk_buff *a, const struct sk_buff *b,
			      bool is_ipv6)
{
	return udp_same_ports(udp_hdr(a), udp_hdr(b)) &&
	       !memcmp(udp_gso_addrs(a, is_ipv6), udp_gso_addrs(b, is_ipv6),
		       udp_gso_addrs_len(is_ipv6));
}

/* NAT has changed only the first segment. Copies its addresses and ports to the
 * other segments, and adjusts the checksums of the other segments.
 */
static void udp_gso_copy_flow(struct sk_buff *first, bool is_ipv6)
{
	const unsigned int ports_len = offsetof(struct udphdr, len);
	const unsigned int addrs_len = udp_gso_addrs_len(is_ipv6);
	const void *addrs = udp_gso_addrs(first, is_ipv6);
	const void *ports = udp_hdr(first);
	__wsum addrs_diff, ports_diff;
	struct sk_buff *seg;
	struct udphdr *uh;

	seg = first->next;
	addrs_diff = csum_sub(csum_partial(addrs, addrs_len, 0),
			      csum_partial(udp_gso_addrs(seg, is_ipv6),
					   addrs_len, 0));
	ports_diff = csum_sub(csum_partial(ports, ports_len, 0),
			      csum_partial(udp_hdr(seg), ports_len, 0));

	for (; seg; seg = seg->next) {
		uh = udp_hdr(seg);
		inet_proto_csum_replace_by_diff(&uh->check, seg, addrs_diff,
						true, is_ipv6);
		inet_proto_csum_replace_by_diff(&uh->check, seg, ports_diff,
						false, is_ipv6);
		if (!uh->check)
			uh->check = CSUM_MANGLED_0;

		memcpy(udp_gso_addrs(seg, is_ipv6), addrs, addrs_len);
		memcpy(uh, ports, ports_len);
	}
}

/* Forwarding and NAT have changed the headers of only the first segment. Copies
 * its addresses and ports, and all fields in front of the addresses, such as
 * hop limit and traffic class, to the other segments. The network layer sets
 * the lengths and the IPv4 ID later.
 */
static void udp_gso_copy_headers(struct sk_buff *first, bool is_ipv6)
{
	struct sk_buff *seg;

	if (!udp_gso_same_flow(first, first->next, is_ipv6))
		udp_gso_copy_flow(first, is_ipv6);

	for (seg = first->next; seg; seg = seg->next)
		memcpy(skb_network_header(seg), skb_network_header(first),
		       udp_gso_addrs_offset(is_ipv6));
}

/* Records the checksum of each segment. Outer checksums are computed from these
 * checksums.
 */
static void udp_gso_list_keep_csum(struct sk_buff *segs, bool is_ipv6)
{
	const struct ipv6hdr *ip6h;
	const struct iphdr *iph;
	struct sk_buff *seg;
	__sum16 check;
	int len;

	for (seg = segs; seg; seg = seg->next) {
		ip6h = ipv6_hdr(seg);
		iph = ip_hdr(seg);
		len = seg->len - skb_transport_offset(seg);
		check = is_ipv6 ?
			udp_v6_check(len, &ip6h->saddr, &ip6h->daddr, 0) :
			udp_v4_check(len, iph->saddr, iph->daddr, 0);
		gso_keep_checksum(seg, check);
	}
}

/**
 * udp_gso_segment_list - segment a fraglist GSO packet
 * @gso_skb: packet for which udp_gso_list_usable() returned true
 * @features: features of the device that sends the segments
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * @gso_skb and each sk_buff of the frag_list become one segment each and keep
 * their payload. The checksum of each segment is adjusted for NAT. A partial
 * checksum is completed if the device cannot complete it.
 *
 * Context: any; does not sleep.
 * Return: list of segments; ERR_PTR(-ENOMEM). The first segment is @gso_skb
 * with an additional reference; its prev is the last segment.
 */
struct sk_buff *udp_gso_segment_list(struct sk_buff *gso_skb,
				     netdev_features_t features, bool is_ipv6)
{
	unsigned int size = skb_shinfo(gso_skb)->gso_size;
	struct sk_buff *segs;

	/* skb_segment_list() may complete a partial checksum, which covers the
	 * UDP length. Correct the UDP length before.
	 */
	if (skb_unclone(gso_skb, GFP_ATOMIC))
		return ERR_PTR(-ENOMEM);
	udp_hdr(gso_skb)->len = htons(sizeof(struct udphdr) + size);

	segs = skb_segment_list(gso_skb, features,
				skb_mac_header_len(gso_skb));
	if (IS_ERR(segs))
		return segs;

	udp_gso_copy_headers(segs, is_ipv6);
	if (skb_tnl_header_len(segs))
		udp_gso_list_keep_csum(segs, is_ipv6);

	return segs;
}

/* Returns the offset of the IP header. In packets for a packet socket, the
 * network header may point to a VLAN tag in front of the IP header.
 */
static int udp_gso_find_ip(const struct sk_buff *skb)
{
	int off = skb_mac_offset(skb) + ETH_HLEN;
	const struct vlan_hdr *vh;
	struct vlan_hdr vhdr;
	__be16 proto;

	if (likely(!eth_type_vlan(skb->protocol)))
		return skb_network_offset(skb);

	do {
		vh = skb_header_pointer(skb, off, sizeof(vhdr), &vhdr);
		if (!vh)
			break;
		proto = vh->h_vlan_encapsulated_proto;
		off += VLAN_HLEN;
	} while (eth_type_vlan(proto));

	return off;
}

static int udp_gso_find_udp(const struct sk_buff *skb, int nhoff)
{
	const struct iphdr *iph = (void *)(skb->data + nhoff);
	const struct ipv6hdr *ip6h = (void *)iph;
	int left = skb_headlen(skb) - nhoff;
	__be16 frag_off;
	u8 nexthdr;
	int off;

	if (left >= (int)sizeof(*iph) && iph->version == 4)
		return iph->protocol == IPPROTO_UDP ? nhoff + 4 * iph->ihl :
						      -EINVAL;

	if (left < (int)sizeof(*ip6h))
		return -EINVAL;

	nexthdr = ip6h->nexthdr;
	off = ipv6_skip_exthdr(skb, nhoff + sizeof(*ip6h), &nexthdr, &frag_off);

	return nexthdr == IPPROTO_UDP ? off : -EINVAL;
}

/**
 * udp_gso_list_to_partial - convert a fraglist packet to a non-fraglist packet
 * @skb: packet that is not encapsulated; the network header is at the IP header
 *	or at a VLAN tag in front of it
 *
 * A virtio header describes one partial checksum per GSO packet, so a packet
 * with a virtio header must be a non-fraglist packet. The frag_list stays
 * shared with clones of @skb. A shared head is copied. Packets of other types
 * are not changed.
 *
 * Context: any; does not sleep.
 * Return: 0; -EINVAL if no UDP header is found; -ENOMEM if there is no memory
 * or if the UDP header is truncated.
 */
int udp_gso_list_to_partial(struct sk_buff *skb)
{
	const struct iphdr *iph;
	int nhoff, off;

	if (!(skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST) ||
	    !(skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4))
		return 0;

	nhoff = udp_gso_find_ip(skb);
	off = udp_gso_find_udp(skb, nhoff);
	if (off < 0)
		return -EINVAL;

	if (skb_unclone(skb, GFP_ATOMIC) ||
	    !pskb_may_pull(skb, off + sizeof(struct udphdr)))
		return -ENOMEM;

	iph = (void *)(skb->data + nhoff);
	udp_gso_set_partial(skb, nhoff, off, iph->version == 6);

	return 0;
}
EXPORT_SYMBOL_GPL(udp_gso_list_to_partial);
