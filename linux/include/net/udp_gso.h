/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP generic segmentation offload: a UDP GSO packet contains the payload of
 * many datagrams of a flow. All datagrams have the same length, except that the
 * last one may be shorter.
 */
#ifndef _NET_UDP_GSO_H
#define _NET_UDP_GSO_H

#include <linux/math.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/inet_sock.h>

/**
 * udp_gso_segs - number of segments of a payload
 * @payload: bytes of UDP payload, without headers
 * @size: bytes of payload in each segment but the last, not 0
 *
 * Return: number of segments, 0 for an empty payload.
 */
static inline unsigned int udp_gso_segs(unsigned int payload,
					unsigned int size)
{
	return DIV_ROUND_UP(payload, size);
}

/**
 * udp_gso_dgram_len - length of the longest datagram of a send
 * @cork: parameters of the send; its gso_size is not 0
 * @len: bytes of the UDP header and of all payload
 *
 * Return: bytes of UDP header and payload in the first datagram.
 */
static inline unsigned int udp_gso_dgram_len(const struct inet_cork *cork,
					     unsigned int len)
{
	return min_t(unsigned int, len,
		     cork->gso_size + sizeof(struct udphdr));
}

/**
 * udp_gso_dgrams - number of datagrams of a send
 * @cork: parameters of the send; its gso_size is not 0
 * @len: bytes of the UDP header and of all payload
 *
 * Return: number of datagrams, 1 for an empty payload.
 */
static inline unsigned int udp_gso_dgrams(const struct inet_cork *cork,
					  unsigned int len)
{
	if (len <= cork->gso_size + sizeof(struct udphdr))
		return 1;

	return udp_gso_segs(len - sizeof(struct udphdr), cork->gso_size);
}

static inline bool udp_same_ports(const struct udphdr *a,
				  const struct udphdr *b)
{
	return a->source == b->source && a->dest == b->dest;
}

/**
 * udp_gso_must_segment - check whether a packet must be segmented for a socket
 * @sk: the receiving socket
 * @skb: the packet
 *
 * GSO packets of a tunnel are segmented unless udp_allow_gso() was called for
 * @sk. All other GSO packets are segmented if @sk has an encap_rcv() function.
 * For sockets without encap_rcv(), fraglist packets are always segmented, and
 * other UDP GSO packets are segmented unless @sk has UDP_GRO.
 *
 * Return: true if udp_gso_segment_rx() must be called before @skb is queued.
 */
static inline bool udp_gso_must_segment(const struct sock *sk,
					const struct sk_buff *skb)
{
	unsigned int type;

	if (likely(!skb_is_gso(skb)))
		return false;

	type = skb_shinfo(skb)->gso_type;
	if (type & (SKB_GSO_UDP_TUNNEL | SKB_GSO_UDP_TUNNEL_CSUM))
		return !udp_test_bit(TUNNEL_GSO, sk);

	/* encap_rcv() handles one datagram per packet. */
	if (READ_ONCE(udp_sk(sk)->encap_rcv))
		return true;

	return type & SKB_GSO_FRAGLIST ||
	       (type & SKB_GSO_UDP_L4 && !udp_test_bit(GRO_ENABLED, sk));
}

/**
 * udp_gro_put_cmsg - report the segment size of a received packet
 * @msg: message that is received
 * @skb: packet with the payload of @msg
 *
 * No control message is written if @skb is one datagram.
 */
static inline void udp_gro_put_cmsg(struct msghdr *msg,
				    const struct sk_buff *skb)
{
	int size = skb_shinfo(skb)->gso_size;

	if (skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4)
		put_cmsg(msg, SOL_UDP, UDP_GRO, sizeof(size), &size);
}

/* Returns the checksum of the pseudo header of a segment. @uh is the UDP header
 * of the GSO packet, with the checksum of its pseudo header. @len is the UDP
 * length of the segment.
 */
static inline __sum16 udp_gso_check(const struct udphdr *uh, __be16 len)
{
	return csum16_add(csum16_sub(uh->check, uh->len), len);
}

/* A computed UDP checksum of 0 is sent as 0xffff: 0 means "no checksum". */
static inline __sum16 udp_gso_nonzero_check(__sum16 check)
{
	return likely(check) ? check : CSUM_MANGLED_0;
}

/**
 * struct udp_gso_parts - state of a send of several packets
 * @sk: the socket
 * @rest: packet with the payload that has not been moved to @parts yet
 * @parts: packets that are sent next
 * @cork: parameters of the send
 * @part_size: bytes of payload in each packet
 * @headroom: bytes in front of the network header
 * @hlen: bytes of network and UDP header
 * @packets: number of packets that were made since the start of the send, or
 *	since the last check that the send buffer has room
 * @lost: number of datagrams for which there was no memory or no room in the
 *	send buffer
 * @id: IPv4 ID of the next datagram
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 * @sent: true after the first packet was sent
 * @err: error of the send if no packet was sent; otherwise 0
 */
struct udp_gso_parts {
	struct sock *sk;
	struct sk_buff *rest;
	struct sk_buff *parts;
	const struct inet_cork *cork;
	unsigned int part_size;
	unsigned int headroom;
	unsigned int hlen;
	unsigned int packets;
	unsigned int lost;
	u16 id;
	bool is_ipv6;
	bool sent;
	int err;
};

int udp_gso_make_room(struct sk_buff *skb, const struct inet_cork *cork,
		      int err);

unsigned int udp_gso_setup_tx(struct sk_buff *skb,
			      const struct inet_cork *cork, bool is_ipv6);

struct sk_buff *udp_gso_first_tx(struct udp_gso_parts *tx, struct sk_buff *skb,
				 const struct inet_cork *cork,
				 unsigned int part_size, bool is_ipv6);

struct sk_buff *udp_gso_next_tx(struct udp_gso_parts *tx, int err);

struct sk_buff *__udp_gso_segment(struct sk_buff *gso_skb,
				  netdev_features_t features, bool is_ipv6);

struct sk_buff *udp_gso_segment_fast(struct sk_buff *skb,
				     netdev_features_t features, bool is_ipv6);

bool udp_gso_list_usable(const struct sk_buff *gso_skb);
int udp_gso_convert_list(struct sk_buff *gso_skb, bool is_ipv6);
struct sk_buff *udp_gso_segment_list(struct sk_buff *gso_skb,
				     netdev_features_t features, bool is_ipv6);

struct sk_buff *udp_gso_segment_rx(struct sock *sk, struct sk_buff *skb,
				   bool ipv4);

int udp_gso_list_to_partial(struct sk_buff *skb);

#endif /* _NET_UDP_GSO_H */
