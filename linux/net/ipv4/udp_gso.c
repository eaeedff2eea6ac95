// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UDP generic segmentation offload (GSO) for IPv4 and IPv6: makes the packets
 * of a UDP_SEGMENT send, and segments UDP GSO packets for devices that cannot
 * and for local receivers.
 */

#include <linux/error-injection.h>
#include <linux/skbuff.h>
#include <linux/skbuff_ref.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/dst.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/udp.h>
#include <net/udp_gso.h>
#include <net/udp_gso_walk.h>
#include <trace/events/udp.h>

/**
 * udp_gso_make_room - copy payload so that it needs fewer page fragments
 * @skb: pending packet of the socket, payload in page fragments
 * @cork: parameters of the send
 * @err: error of the function that could not add another page fragment
 *
 * The pages of user space or of files are copied to new pages and released. A
 * MSG_ZEROCOPY completion reports that the payload was copied.
 *
 * Context: process context.
 * Return: 0 if @skb has room for more page fragments now; -ENOMEM; or @err if
 * it is not -EMSGSIZE, or if the send has no segment size.
 */
int udp_gso_make_room(struct sk_buff *skb, const struct inet_cork *cork,
		      int err)
{
	struct ubuf_info *uarg = skb_zcopy(skb);
	bool held = true;

	if (err != -EMSGSIZE || !cork->gso_size)
		return err;

	/* The completion must not be sent before the packet is. */
	if (uarg)
		net_zcopy_get(uarg);
	err = skb_copy_ubufs(skb, skb->sk->sk_allocation);
	if (err)
		net_zcopy_put(uarg);
	else
		skb_zcopy_set(skb, uarg, &held);

	return err;
}
EXPORT_SYMBOL_GPL(udp_gso_make_room);

static void udp_gso_set_type(struct sk_buff *skb, unsigned int size,
			     unsigned int segs)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	shinfo->gso_type = SKB_GSO_UDP_L4;
	shinfo->gso_size = size;
	shinfo->gso_segs = segs;
}

static bool udp_gso_no_check(const struct sock *sk, bool is_ipv6)
{
	return is_ipv6 ? udp_get_no_check6_tx(sk) : sk->sk_no_check_tx;
}

/* The segments that one GSO packet may have. The core segments the packet for a
 * device without %NETIF_F_GSO_UDP_L4, and accepts %UDP_MAX_SEGMENTS.
 */
static unsigned int udp_gso_max_segs(const struct sk_buff *skb,
				     unsigned int hlen, unsigned int size,
				     bool is_ipv6)
{
	const struct net_device *dev = skb_dst(skb)->dev;
	unsigned int segs = UDP_MAX_SEGMENTS, room;

	if (!(dev->features & NETIF_F_GSO_UDP_L4))
		return segs;

	segs = min(segs, READ_ONCE(dev->gso_max_segs));
	room = is_ipv6 ? READ_ONCE(dev->gso_max_size) :
			 READ_ONCE(dev->gso_ipv4_max_size);
	hlen += dev->hard_header_len;
	if (unlikely(skb->len + dev->hard_header_len >= room))
		segs = min(segs, (room - min(room, hlen + 1)) / size);

	return max(segs, 1U);
}

/* The bytes of payload in each packet of a send. A packet that can be segmented
 * later has more than one segment.
 */
static unsigned int udp_gso_part_size(const struct sk_buff *skb,
				      const struct inet_cork *cork,
				      unsigned int hlen, bool is_ipv6)
{
	unsigned int size = cork->gso_size;

	/* IP fragmentation does not support GSO packets. */
	if (unlikely(hlen + min(skb->len - hlen, size) > cork->fragsize))
		return size;

	/* Segmentation always writes a UDP checksum, so datagrams without one,
	 * and UDP-Lite, must be split here.
	 */
	if (unlikely(udp_gso_no_check(skb->sk, is_ipv6) ||
		     IS_UDPLITE(skb->sk)))
		return size;

	/* A device need not find the UDP header behind extension headers. */
	if (unlikely(is_ipv6 &&
		     skb_network_header_len(skb) != sizeof(struct ipv6hdr)))
		return size;

	/* IPsec transforms each datagram. */
	if (unlikely(dst_xfrm(skb_dst(skb))))
		return size;

	return size * udp_gso_max_segs(skb, hlen, size, is_ipv6);
}

/* Segments a packet of the socket, with partial checksums. IPsec would copy
 * payload in page fragments before it writes to it, so segments for IPsec are
 * linear.
 */
static struct sk_buff *udp_gso_segment_tx(struct sk_buff *skb,
					  unsigned int size, bool is_ipv6)
{
	netdev_features_t features = NETIF_F_HW_CSUM;
	struct sk_buff *segs;

	if (!dst_xfrm(skb_dst(skb)))
		features |= NETIF_F_SG;

	skb->protocol = htons(is_ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct udphdr, check);
	udp_gso_set_type(skb, size, 0);

	SKB_GSO_CB(skb)->mac_offset = skb_headroom(skb);
	SKB_GSO_CB(skb)->encap_level = 0;
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	__skb_pull(skb, skb_transport_offset(skb));

	segs = udp_gso_segment_fast(skb, features, is_ipv6);

	return segs ? : __udp_gso_segment(skb, features, is_ipv6);
}

/* Sets the IPv4 ID and DF as a plain send of this datagram would. */
static void udp_gso_set_id_df(struct sk_buff *part, u16 id)
{
	struct dst_entry *dst = skb_dst(part);
	struct iphdr *iph = ip_hdr(part);

	iph->id = htons(id);
	if (part->len <= dst4_mtu(dst) && ip_dont_fragment(part->sk, dst))
		iph->frag_off = htons(IP_DF);
}

/* A send has one transmit timestamp, that of its first datagram. */
static void udp_gso_keep_tstamp(const struct sk_buff *gso_skb,
				struct sk_buff *first)
{
	const struct skb_shared_info *from = skb_shinfo(gso_skb);

	skb_shinfo(first)->tx_flags |= from->tx_flags & SKBTX_ANY_TSTAMP;
	skb_shinfo(first)->tskey = from->tskey;
}

static struct sk_buff *udp_gso_split_tx(struct udp_gso_parts *tx,
					struct sk_buff *skb)
{
	unsigned int size = tx->cork->gso_size;
	struct sk_buff *parts, *part;
	unsigned int segs;

	segs = udp_gso_segs(skb->len - tx->hlen, size);
	if (segs > 1 && tx->part_size > size) {
		udp_gso_set_type(skb, size, segs);
		parts = skb;
	} else if (segs > 1) {
		parts = udp_gso_segment_tx(skb, size, tx->is_ipv6);
		if (IS_ERR(parts))
			return parts;
		consume_skb(skb);
	} else {
		/* ip6_append_data() may have checksummed all payload. */
		skb->ip_summed = CHECKSUM_PARTIAL;
		parts = skb;
	}

	for (part = parts; part; part = part->next) {
		if (!tx->is_ipv6)
			udp_gso_set_id_df(part, tx->id);
		tx->id += udp_gso_segs(part->len - tx->hlen, size);
	}

	return parts;
}

/* The part of the truesize of @skb that @len bytes of page fragments have. */
static unsigned int udp_gso_paged_truesize(const struct sk_buff *skb,
					   unsigned int len)
{
	unsigned int head = SKB_TRUESIZE(skb_end_offset(skb));

	return min(len, skb->truesize - min(skb->truesize, head));
}

/* Moves the first @len bytes of the page fragments of @skb to @front. */
static void udp_gso_move_frags(struct sk_buff *front, struct sk_buff *skb,
			       unsigned int len)
{
	unsigned int truesize = udp_gso_paged_truesize(skb, len);
	struct skb_shared_info *from = skb_shinfo(skb);
	struct skb_shared_info *to = skb_shinfo(front);
	unsigned int moved = 0, nr = 0, size;
	skb_frag_t *frag;

	while (moved < len) {
		frag = &from->frags[nr];
		size = min(skb_frag_size(frag), len - moved);
		to->frags[to->nr_frags++] = *frag;
		moved += size;
		if (size == skb_frag_size(frag)) {
			nr++;
			continue;
		}

		/* Both packets have a part of this page fragment. */
		__skb_frag_ref(frag);
		skb_frag_size_set(&to->frags[to->nr_frags - 1], size);
		skb_frag_off_add(frag, size);
		skb_frag_size_sub(frag, size);
	}
	from->nr_frags -= nr;
	memmove(from->frags, from->frags + nr,
		from->nr_frags * sizeof(*from->frags));

	skb->len -= len;
	skb->data_len -= len;
	skb->truesize -= truesize;
	front->len += len;
	front->data_len += len;
	front->truesize += truesize;
}

/* The packets start with the network header, followed by the UDP header. */
static void udp_gso_set_offsets(struct sk_buff *skb, unsigned int hlen)
{
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, hlen - sizeof(struct udphdr));
}

/* Moves the first @len bytes of the payload of @tx->rest to a new packet with
 * the same headers. The new packet gets the request for a transmit timestamp.
 * Both packets share the zerocopy completion.
 */
static struct sk_buff *udp_gso_detach_tx(struct udp_gso_parts *tx,
					 unsigned int len)
{
	struct sk_buff *skb = tx->rest, *front;
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int linear;

	linear = min(skb_headlen(skb) - tx->hlen, len);
	front = alloc_skb(tx->headroom + tx->hlen + linear,
			  skb->sk->sk_allocation);
	if (!front)
		return NULL;

	skb_copy_header(front, skb);
	skb_reserve(front, tx->headroom);
	skb_put_data(front, skb->data, tx->hlen + linear);
	udp_gso_set_offsets(front, tx->hlen);
	skb_set_owner_w(front, skb->sk);

	memmove(skb->data + linear, skb->data, tx->hlen);
	__skb_pull(skb, linear);
	udp_gso_set_offsets(skb, tx->hlen);

	skb_zcopy_downgrade_managed(skb);
	skb_zcopy_set(front, skb_zcopy(skb), NULL);
	skb_shinfo(front)->flags |= shinfo->flags & SKBFL_SHARED_FRAG;
	udp_gso_move_frags(front, skb, len - linear);

	udp_gso_keep_tstamp(skb, front);
	shinfo->tx_flags &= ~SKBTX_ANY_TSTAMP;
	shinfo->tskey = 0;

	return front;
}

static bool udp_gso_has_room(const struct sock *sk, unsigned int charged)
{
	return sk_wmem_alloc_get(sk) - (int)charged < READ_ONCE(sk->sk_sndbuf);
}

static bool udp_gso_can_send(const struct sock *sk)
{
	return udp_gso_has_room(sk, 0) ||
	       READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN;
}

/* io_uring cancels a request of a worker with a signal. */
static bool udp_gso_cancelled(void)
{
	return fatal_signal_pending(current) ||
	       (current->flags & PF_IO_WORKER && signal_pending(current));
}

/* Sleeps until the send buffer has room; false if it has none after @timeo, or
 * after a fatal signal or shutdown(). Other signals do not end the wait,
 * because the rest of the send would be lost; the freezer, which sends one,
 * may freeze the task while it sleeps. sock_wfree() wakes interruptible waiters
 * only, and only if half of the send buffer is free, so check at intervals.
 *
 * A corked send sleeps with the socket lock held, so that shutdown() waits for
 * it.
 */
static bool udp_gso_sleep_tx(struct sock *sk, long timeo)
{
	unsigned long end = jiffies + timeo;

	while (!udp_gso_has_room(sk, 0)) {
		if (timeo <= 0 || udp_gso_cancelled() ||
		    READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
			return false;

		if (signal_pending(current)) {
			__set_current_state(TASK_KILLABLE |
					    TASK_FREEZABLE_UNSAFE);
			schedule_timeout(1);
		} else {
			wait_event_interruptible_timeout(*sk_sleep(sk),
							 udp_gso_can_send(sk),
							 min_t(long, timeo, HZ));
		}
		timeo = end - jiffies;
	}

	return true;
}

/* Waits until packets that were sent before leave room in the send buffer. The
 * rest of this send does not count: it is not sent before the wait ends, and it
 * may be larger than what must be free before sock_wfree() wakes a sender.
 */
static bool udp_gso_wait_tx(const struct udp_gso_parts *tx)
{
	unsigned int charged = tx->rest->truesize;
	struct sock *sk = tx->rest->sk;
	bool room;

	if (udp_gso_has_room(sk, charged))
		return true;

	WARN_ON_ONCE(refcount_sub_and_test(charged, &sk->sk_wmem_alloc));
	room = udp_gso_sleep_tx(sk, sock_sndtimeo(sk, tx->cork->gso_dontwait));
	refcount_add(charged, &sk->sk_wmem_alloc);

	return room;
}

/* Limits a send to %UDP_MAX_SEGMENTS packets more than the send buffer allows.
 * Returns false if there is no room for the packets of @len bytes of payload.
 */
static bool udp_gso_charge_tx(struct udp_gso_parts *tx, unsigned int len)
{
	unsigned int size = tx->cork->gso_size;
	unsigned int packets;

	packets = tx->part_size > size ? 1 : udp_gso_segs(len, size);
	if (tx->packets + packets > UDP_MAX_SEGMENTS) {
		if (!udp_gso_wait_tx(tx))
			return false;

		tx->packets = 0;
	}
	tx->packets += packets;

	return true;
}

/* udp_gso_detach_tx() has turned linear payload into headroom of the last
 * packet. Each of its segments would be allocated with this headroom, so move
 * the data back.
 */
static void udp_gso_move_back(struct udp_gso_parts *tx, struct sk_buff *skb)
{
	unsigned int len = skb_headroom(skb) - tx->headroom;

	if (!len)
		return;

	memmove(skb->data - len, skb->data, skb_headlen(skb));
	skb->data -= len;
	skb->tail -= len;
	udp_gso_set_offsets(skb, tx->hlen);
}

static struct sk_buff *udp_gso_refill_tx(struct udp_gso_parts *tx)
{
	unsigned int payload = tx->rest->len - tx->hlen;
	unsigned int size = tx->cork->gso_size;
	struct sk_buff *skb, *parts;
	unsigned int len;

	len = tx->part_size > size ? tx->part_size : size * UDP_MAX_SEGMENTS;
	len = min(len, payload);
	if (!udp_gso_charge_tx(tx, len))
		return NULL;

	skb = tx->rest;
	if (len < payload) {
		skb = udp_gso_detach_tx(tx, len);
		if (!skb)
			return NULL;
	} else {
		udp_gso_move_back(tx, skb);
		tx->rest = NULL;
	}

	parts = udp_gso_split_tx(tx, skb);
	if (!IS_ERR(parts))
		return parts;

	tx->lost = udp_gso_segs(len, size);
	kfree_skb(skb);

	return NULL;
}

/* Frees the payload that was not sent. If a packet was sent, no error is
 * returned to the application, because it would repeat the whole send.
 */
static struct sk_buff *udp_gso_abort_tx(struct udp_gso_parts *tx, int err)
{
	struct sk_buff *skb = tx->rest;

	if (skb)
		tx->lost += udp_gso_segs(skb->len - tx->hlen,
					 tx->cork->gso_size);
	kfree_skb(skb);
	kfree_skb_list(tx->parts);
	tx->rest = NULL;
	tx->parts = NULL;

	if (tx->sent)
		SNMP_ADD_STATS(__UDPX_MIB(tx->sk, !tx->is_ipv6),
			       UDP_MIB_SNDBUFERRORS, tx->lost);
	else
		tx->err = err;

	return NULL;
}

/**
 * udp_gso_next_tx - get the next packet of a send of several packets
 * @tx: state of the send, set up by udp_gso_first_tx()
 * @err: error of the packet before, 0 if it was sent
 *
 * If the first packet cannot be sent, nothing is sent and @tx->err is set.
 * Later errors are not returned: the application would send all of it again.
 * UDP_MIB_SNDBUFERRORS counts each packet that is dropped then, and each
 * datagram for which there is no memory or no room in the send buffer.
 *
 * At most %UDP_MAX_SEGMENTS packets more than the send buffer allows exist at a
 * time. Before there are more, the sender sleeps; with MSG_DONTWAIT, the rest
 * of the send is dropped and counted.
 *
 * Context: process context; may sleep.
 * Return: packet to send; %NULL after the last one or after an error.
 */
struct sk_buff *udp_gso_next_tx(struct udp_gso_parts *tx, int err)
{
	struct sk_buff *skb;

	if (unlikely(err)) {
		if (!tx->sent)
			return udp_gso_abort_tx(tx, err);
		if (err == -ENOBUFS)
			SNMP_ADD_STATS(__UDPX_MIB(tx->sk, !tx->is_ipv6),
				       UDP_MIB_SNDBUFERRORS, 1);
	}
	tx->sent = true;

	if (!tx->parts) {
		if (!tx->rest)
			return NULL;
		cond_resched();
		tx->parts = udp_gso_refill_tx(tx);
		if (!tx->parts)
			return udp_gso_abort_tx(tx, 0);
	}

	skb = tx->parts;
	tx->parts = skb->next;
	skb_mark_not_on_list(skb);

	return skb;
}
EXPORT_SYMBOL_GPL(udp_gso_next_tx);

/**
 * udp_gso_first_tx - get the first packet of a send of several packets
 * @tx: state of the send, is initialised
 * @skb: packet for which udp_gso_setup_tx() returned @part_size; is consumed
 * @cork: parameters of the send; must not change before the send is complete
 * @part_size: bytes of payload in each packet
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * Context: process context; may sleep.
 * Return: packet to send; %NULL after an error, which is in @tx->err.
 */
struct sk_buff *udp_gso_first_tx(struct udp_gso_parts *tx, struct sk_buff *skb,
				 const struct inet_cork *cork,
				 unsigned int part_size, bool is_ipv6)
{
	*tx = (struct udp_gso_parts) {
		.sk = skb->sk,
		.rest = skb,
		.cork = cork,
		.part_size = part_size,
		.headroom = skb_headroom(skb),
		.hlen = skb_network_header_len(skb) + sizeof(struct udphdr),
		.id = is_ipv6 ? 0 : ntohs(ip_hdr(skb)->id),
		.is_ipv6 = is_ipv6,
	};

	skb = udp_gso_refill_tx(tx);
	if (!skb)
		return udp_gso_abort_tx(tx, -ENOBUFS);

	tx->parts = skb->next;
	skb_mark_not_on_list(skb);

	return skb;
}
EXPORT_SYMBOL_GPL(udp_gso_first_tx);

/**
 * udp_gso_setup_tx - decide whether a send becomes one packet or several
 * @skb: packet with all payload behind the network and UDP header, data at the
 *	network header, owned by the socket
 * @cork: parameters of the send; its gso_size is not 0
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * Payload of one segment is a plain datagram. More payload makes @skb a GSO
 * packet; the caller writes the checksum of the pseudo header. If the send
 * cannot be one packet (the segments are longer than the path MTU, or have no
 * UDP checksum or IPv6 extension headers, or are for IPsec or UDP-Lite, or there
 * are too many), @skb is not changed: the caller sends the packets of udp_gso_first_tx() and
 * udp_gso_next_tx().
 *
 * Context: process context.
 * Return: 0 if @skb can be sent; otherwise the bytes of payload per packet.
 */
unsigned int udp_gso_setup_tx(struct sk_buff *skb,
			      const struct inet_cork *cork, bool is_ipv6)
{
	unsigned int hlen = skb_network_header_len(skb) + sizeof(struct udphdr);
	unsigned int payload = skb->len - hlen;
	unsigned int size = cork->gso_size;
	unsigned int part_size;

	if (payload <= size)
		return 0;

	part_size = udp_gso_part_size(skb, cork, hlen, is_ipv6);
	if (unlikely(part_size < payload))
		return part_size;

	udp_gso_set_type(skb, size, udp_gso_segs(payload, size));

	return 0;
}
EXPORT_SYMBOL_GPL(udp_gso_setup_tx);

/* The segment size may be untrusted (SKB_GSO_DODGY). */
static bool udp_gso_valid(struct sk_buff *gso_skb)
{
	unsigned int size = skb_shinfo(gso_skb)->gso_size;

	return size &&
	       pskb_may_pull(gso_skb, sizeof(struct udphdr)) &&
	       gso_skb->len - sizeof(struct udphdr) > size;
}

/* @check: checksum of the pseudo header; @csum: its complement, unfolded */
static void udp_gso_set_header(struct sk_buff *seg, __be16 len, __sum16 check,
			       __wsum csum)
{
	struct udphdr *uh = udp_hdr(seg);

	uh->len = len;
	uh->check = check;

	if (likely(seg->ip_summed == CHECKSUM_PARTIAL)) {
		gso_reset_checksum(seg, csum);
		return;
	}

	uh->check = udp_gso_nonzero_check(gso_make_checksum(seg, csum));
}

/* skb_segment() moves the owner and the truesize of the GSO packet to the last
 * segment. Undo the latter: each segment is charged for its own truesize.
 */
static struct sock *udp_gso_take_owner(struct sk_buff *gso_skb,
				       struct sk_buff *tail)
{
	if (tail->destructor != sock_wfree)
		return NULL;

	swap(tail->truesize, gso_skb->truesize);
	return tail->sk;
}

/* @delta: truesize of all segments without that of the GSO packet, for which
 *	the socket is charged already
 */
static void udp_gso_adjust_charge(struct sock *sk, int delta)
{
	/* Spliced pages are charged as whole pages, page fragments are not. */
	if (likely(delta >= 0))
		refcount_add(delta, &sk->sk_wmem_alloc);
	else
		WARN_ON_ONCE(refcount_sub_and_test(-delta,
						   &sk->sk_wmem_alloc));
}

static void udp_gso_complete_segs(struct sk_buff *gso_skb, struct sk_buff *segs)
{
	struct sock *sk = udp_gso_take_owner(gso_skb, segs->prev);
	int delta = -gso_skb->truesize;
	unsigned int seg_len = 0;
	__sum16 check = 0;
	struct sk_buff *seg;
	__wsum csum = 0;
	__be16 len = 0;

	for (seg = segs; seg; seg = seg->next) {
		if (unlikely(seg->len != seg_len)) {
			seg_len = seg->len;
			len = htons(seg_len - skb_transport_offset(seg));
			check = udp_gso_check(udp_hdr(gso_skb), len);
			csum = ~csum_unfold(check);
		}
		udp_gso_set_header(seg, len, check, csum);

		if (sk) {
			seg->sk = sk;
			seg->destructor = sock_wfree;
			delta += seg->truesize;
		}
	}

	if (sk)
		udp_gso_adjust_charge(sk, delta);
}

/* Segments of a CHECKSUM_NONE packet have complete checksums.
 * __skb_gso_segment() would warn of a missing checksum offload.
 */
static void udp_gso_mark_csum_done(struct sk_buff *gso_skb)
{
	if (gso_skb->ip_summed == CHECKSUM_NONE)
		gso_skb->ip_summed = CHECKSUM_UNNECESSARY;
}

static bool udp_gso_needs_csum(const struct sk_buff *skb,
			       netdev_features_t features, bool is_ipv6)
{
	/* Checksum offload applies only to CHECKSUM_PARTIAL packets. */
	return skb->ip_summed != CHECKSUM_PARTIAL ||
	       !can_checksum_protocol(features,
				      htons(is_ipv6 ? ETH_P_IPV6 : ETH_P_IP));
}

/* Selects the fast path, or returns why the packet takes the slow path. */
static enum udp_gso_path udp_gso_select_path(struct sk_buff *skb,
					     netdev_features_t features,
					     bool is_ipv6)
{
	enum udp_gso_path path = udp_gso_walk_path(skb, is_ipv6);

	if (path != UDP_GSO_PATH_FAST)
		return path;

	/* The tunnel headers in front must be copied, too. */
	if (skb_tnl_header_len(skb))
		return UDP_GSO_PATH_TYPE;

	/* The device segments, all of the packet or larger parts of it. */
	if (features & NETIF_F_GSO_PARTIAL ||
	    (features & NETIF_F_GSO_UDP_L4 &&
	     skb->ip_summed == CHECKSUM_PARTIAL))
		return UDP_GSO_PATH_DEVICE;

	/* Each segment would need a reference to the completion. */
	if (skb_zcopy(skb) || !skb_frags_readable(skb))
		return UDP_GSO_PATH_ZEROCOPY;

	/* The payload is read through its kernel address. */
	if (IS_ENABLED(CONFIG_HIGHMEM) &&
	    (!(features & NETIF_F_SG) ||
	     udp_gso_needs_csum(skb, features, is_ipv6)))
		return UDP_GSO_PATH_HIGHMEM;

	/* Only skb_segment() may use the memory reserves. */
	if (skb_pfmemalloc(skb) ||
	    (skb->sk && sk_fullsock(skb->sk) &&
	     sock_flag(skb->sk, SOCK_MEMALLOC)))
		return UDP_GSO_PATH_MEMALLOC;

	if (in_hardirq() || irqs_disabled())
		return UDP_GSO_PATH_IRQ;

	return UDP_GSO_PATH_FAST;
}

/* Returns %NULL if there is no memory; @skb is not changed then. */
static struct sk_buff *__udp_gso_segment_fast(struct sk_buff *skb,
					      netdev_features_t features,
					      bool is_ipv6)
{
	unsigned int truesize;
	struct sk_buff *segs;
	struct sk_buff tmpl;
	bool sg;

	skb_segment_template(&tmpl, skb);
	if (skb->destructor == sock_wfree) {
		tmpl.sk = skb->sk;
		tmpl.destructor = sock_wfree;
	}

	/* Shared page fragments can change after they are checksummed. */
	sg = features & NETIF_F_SG;
	if (udp_gso_needs_csum(skb, features, is_ipv6)) {
		tmpl.ip_summed = CHECKSUM_NONE;
		sg = sg && !skb_has_shared_frag(skb);
	}

	local_bh_disable();
	segs = udp_gso_walk_segments(skb, &tmpl, sg, is_ipv6, &truesize);
	local_bh_enable();
	if (unlikely(!segs))
		return NULL;

	if (tmpl.sk) {
		udp_gso_adjust_charge(tmpl.sk, truesize - skb->truesize);
		skb->destructor = NULL;
		skb->sk = NULL;
	}
	udp_gso_keep_tstamp(skb, segs);
	udp_gso_mark_csum_done(skb);

	return segs;
}

/**
 * udp_gso_segment_fast - segment a UDP GSO packet on the fast path
 * @skb: packet with network and transport header set, data at the UDP header
 * @features: features of the device that sends the segments
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * Does the work of __udp_gso_segment() and of the network and MAC layer: writes
 * all headers of a segment at once.
 *
 * Context: any; does not sleep.
 * Return: list of segments with complete headers, data at the MAC header, the
 * last segment in prev of the first; %NULL if @skb must take the slow path. It
 * is also %NULL if an allocation fails: skb_segment() allocates from other
 * caches and may use the memory reserves.
 */
struct sk_buff *udp_gso_segment_fast(struct sk_buff *skb,
				     netdev_features_t features, bool is_ipv6)
{
	enum udp_gso_path path = udp_gso_select_path(skb, features, is_ipv6);
	struct sk_buff *segs = NULL;

	if (path == UDP_GSO_PATH_FAST) {
		segs = __udp_gso_segment_fast(skb, features, is_ipv6);
		if (unlikely(!segs))
			path = UDP_GSO_PATH_NOMEM;
	}
	trace_udp_gso_segment(skb, path);

	return segs;
}
ALLOW_ERROR_INJECTION(udp_gso_segment_fast, NULL);

/**
 * __udp_gso_segment - segment a UDP GSO packet on the slow path
 * @gso_skb: packet of type %SKB_GSO_UDP_L4, data and csum_start at the UDP
 *	header, whose checksum field has the checksum of the pseudo header; or,
 *	with %SKB_GSO_FRAGLIST, a fraglist packet
 * @features: features of the device that sends the segments
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * skb_segment() makes the segments; this function writes the UDP headers and
 * sets the owners. The callers complete the headers of their own layers. A
 * fraglist packet becomes the sk_buffs of its frag_list, or is converted to a
 * non-fraglist packet first if they do not match the segments any more.
 *
 * If the destructor of @gso_skb is sock_wfree(), the segments take over its
 * owner and its charge; free @gso_skb with consume_skb() as usual. After an
 * error @gso_skb still has both. After an error with %SKB_GSO_FRAGLIST, the
 * frag_list may have been freed: @gso_skb can only be freed then.
 *
 * Context: any; does not sleep.
 * Return: list of segments, the last one in prev of the first; %NULL if the
 * device segments the packet; -EINVAL for a packet that is not as described or
 * has less than two segments; -ENOMEM.
 */
struct sk_buff *__udp_gso_segment(struct sk_buff *gso_skb,
				  netdev_features_t features, bool is_ipv6)
{
	struct skb_shared_info *shinfo;
	struct sk_buff *segs;
	int err;

	if (unlikely(!udp_gso_valid(gso_skb)))
		return ERR_PTR(-EINVAL);

	if (unlikely(skb_shinfo(gso_skb)->gso_type & SKB_GSO_FRAGLIST)) {
		if (udp_gso_list_usable(gso_skb))
			return udp_gso_segment_list(gso_skb, features, is_ipv6);

		err = udp_gso_convert_list(gso_skb, is_ipv6);
		if (err)
			return ERR_PTR(err);
	}

	if (unlikely(skb_checksum_start(gso_skb) !=
		     skb_transport_header(gso_skb)))
		return ERR_PTR(-EINVAL);

	/* Checksum offload applies only to CHECKSUM_PARTIAL packets. */
	if (gso_skb->ip_summed != CHECKSUM_PARTIAL)
		features &= ~(NETIF_F_GSO_UDP_L4 | NETIF_F_CSUM_MASK);

	if (skb_gso_ok(gso_skb, features | NETIF_F_GSO_ROBUST)) {
		shinfo = skb_shinfo(gso_skb);
		shinfo->gso_segs = udp_gso_segs(gso_skb->len -
						sizeof(struct udphdr),
						shinfo->gso_size);
		return NULL;
	}

	__skb_pull(gso_skb, sizeof(struct udphdr));
	segs = skb_segment(gso_skb, features);
	if (IS_ERR(segs))
		return segs;

	udp_gso_complete_segs(gso_skb, segs);
	udp_gso_keep_tstamp(gso_skb, segs);

	udp_gso_mark_csum_done(gso_skb);

	return segs;
}
EXPORT_SYMBOL_GPL(__udp_gso_segment);

/* Sets the fields that the receive path of a socket reads. */
static void udp_gso_prepare_rx(struct sk_buff *seg)
{
	__skb_pull(seg, skb_transport_offset(seg));
	UDP_SKB_CB(seg)->cscov = seg->len;

	/* Segmentation has just computed the checksum. */
	if (seg->ip_summed == CHECKSUM_NONE)
		seg->csum_valid = 1;
}

/**
 * udp_gso_segment_rx - segment a received packet for a socket without UDP_GRO
 * @sk: the receiving socket
 * @skb: GSO packet, data at the UDP header; is consumed
 * @ipv4: true for the counters of IPv4, false for those of IPv6
 *
 * Context: receive path, in an RCU read-side section.
 * Return: list of datagrams, data at the UDP header; %NULL after an error: each
 * datagram is counted as dropped by @sk and by UDP_MIB_INERRORS.
 */
struct sk_buff *udp_gso_segment_rx(struct sock *sk, struct sk_buff *skb,
				   bool ipv4)
{
	netdev_features_t features = NETIF_F_SG;
	struct sk_buff *segs, *seg;
	unsigned int drops;

	/* UFO: one datagram, which was not fragmented yet and is not supported
	 */
	drops = 1;
	if (unlikely(skb_shinfo(skb)->gso_type & SKB_GSO_UDP))
		goto drop;
	drops = max_t(unsigned int, skb_shinfo(skb)->gso_segs, 1);

	/* The cb of the network layer must not be overwritten. */
	BUILD_BUG_ON(sizeof(struct udp_skb_cb) > SKB_GSO_CB_OFFSET);

	/* Leave checksums partial, unless the socket reads them. */
	if (!inet_get_convert_csum(sk))
		features |= NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM;

	__skb_push(skb, -skb_mac_offset(skb));
	segs = __skb_gso_segment(skb, features, false);
	if (IS_ERR_OR_NULL(segs))
		goto drop;

	for (seg = segs; seg; seg = seg->next)
		udp_gso_prepare_rx(seg);

	consume_skb(skb);
	return segs;

drop:
	atomic_add(drops, &sk->sk_drops);
	SNMP_ADD_STATS(__UDPX_MIB(sk, ipv4), UDP_MIB_INERRORS, drops);
	sk_skb_reason_drop(sk, skb, SKB_DROP_REASON_SKB_GSO_SEG);
	return NULL;
}
EXPORT_SYMBOL_GPL(udp_gso_segment_rx);
