// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UDP generic receive offload (GRO) for IPv4 and IPv6: aggregates the datagrams
 * of a flow into one packet, which __udp_gso_segment() can segment again.
 */

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/gro.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/udp.h>
#include <net/udp_gso.h>

/* Limits the truesize of packets of small datagrams. */
#define UDP_GRO_MAX_SEGMENTS	64

/* Segmentation writes a checksum into each datagram, and does not restore
 * padding after the UDP payload. Datagrams without checksum, with padding or
 * without payload are not aggregated.
 */
static bool udp_gro_mergeable(const struct sk_buff *skb,
			      const struct udphdr *uh)
{
	unsigned int len = ntohs(uh->len);

	return !NAPI_GRO_CB(skb)->flush && uh->check &&
	       len > sizeof(*uh) && len == skb_gro_len(skb);
}

/* Returns the packet of the same flow, and clears same_flow of the packets in
 * front of it in the list. The offset of the UDP header is compared because it
 * is different in packets with another number of tunnel headers.
 */
static struct sk_buff *udp_gro_find(struct list_head *head,
				    const struct udphdr *uh, int offset)
{
	struct sk_buff *p;

	list_for_each_entry(p, head, list) {
		if (!NAPI_GRO_CB(p)->same_flow)
			continue;

		if (skb_transport_offset(p) == offset &&
		    udp_same_ports(uh, udp_hdr(p)))
			return p;

		NAPI_GRO_CB(p)->same_flow = 0;
	}

	return NULL;
}

static int udp_gro_add_to_list(struct sk_buff *p, struct sk_buff *skb)
{
	/* Segmentation copies these fields of the first datagram to all
	 * segments.
	 */
	if (skb->ip_summed != p->ip_summed || skb->csum_level != p->csum_level)
		return -EINVAL;

	skb_set_network_header(skb, skb_gro_receive_network_offset(skb));
	return skb_gro_receive_list(p, skb);
}

/**
 * udp_gro_receive_segment - add a datagram to the packet of its flow
 * @head: list of packets that GRO aggregates
 * @skb: datagram for which udp_gro_prepare() returned true, checksum verified
 * @uh: UDP header of @skb
 *
 * A datagram that cannot be aggregated completes the packet of its flow, so the
 * order of the datagrams of a flow is kept.
 *
 * Context: GRO, in an RCU read-side critical section.
 * Return: packet that is complete, or %NULL.
 */
struct sk_buff *udp_gro_receive_segment(struct list_head *head,
					struct sk_buff *skb,
					const struct udphdr *uh)
{
	unsigned int len = ntohs(uh->len);
	struct sk_buff *p;
	unsigned int size;
	int err;

	p = udp_gro_find(head, uh, skb_gro_offset(skb));

	if (!udp_gro_mergeable(skb, uh)) {
		NAPI_GRO_CB(skb)->flush = 1;
		return p;
	}

	skb_gro_pull(skb, sizeof(*uh));
	if (!p)
		return NULL;

	size = ntohs(udp_hdr(p)->len);
	if (len > size || gro_receive_network_flush(uh, udp_hdr(p), p) ||
	    NAPI_GRO_CB(skb)->is_flist != NAPI_GRO_CB(p)->is_flist)
		return p;

	if (NAPI_GRO_CB(skb)->is_flist)
		err = udp_gro_add_to_list(p, skb);
	else
		err = skb_gro_receive(p, skb);

	/* Only the last datagram of a packet may be shorter. */
	if (err || len < size || NAPI_GRO_CB(p)->count >= UDP_GRO_MAX_SEGMENTS)
		return p;

	return NULL;
}
EXPORT_SYMBOL_GPL(udp_gro_receive_segment);

/**
 * udp_gro_complete_segment - complete a non-fraglist packet
 * @skb: packet whose checksum field has the checksum of the pseudo header
 * @nhoff: offset of the UDP header from data, in bytes
 *
 * Context: GRO.
 * Return: 0.
 */
int udp_gro_complete_segment(struct sk_buff *skb, int nhoff)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	skb->csum_start = skb->data + nhoff - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
	skb->ip_summed = CHECKSUM_PARTIAL;

	shinfo->gso_segs = NAPI_GRO_CB(skb)->count;
	shinfo->gso_type |= SKB_GSO_UDP_L4;

	if (skb->encapsulation)
		skb->inner_transport_header = skb->transport_header;

	return 0;
}

/**
 * udp_gro_complete_list - complete a fraglist packet
 * @skb: the packet
 * @nhoff: offset of the UDP header from data, in bytes
 *
 * Each datagram keeps its checksum, which GRO has verified.
 *
 * Context: GRO.
 * Return: 0.
 */
int udp_gro_complete_list(struct sk_buff *skb, int nhoff)
{
	struct udphdr *uh = (struct udphdr *)(skb->data + nhoff);
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	uh->len = htons(skb->len - nhoff);
	shinfo->gso_segs = NAPI_GRO_CB(skb)->count;
	shinfo->gso_type |= SKB_GSO_UDP_L4 | SKB_GSO_FRAGLIST;

	skb_gro_list_checksum_verified(skb);

	if (skb->encapsulation)
		skb->inner_transport_header = skb->transport_header;

	return 0;
}
EXPORT_SYMBOL_GPL(udp_gro_complete_list);
