// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UDP generic segmentation offload (GSO) for IPv4 and IPv6. This file makes the
 * packets of a UDP_SEGMENT send. It also segments UDP GSO packets for devices
 * that cannot segment them, and for local sockets.
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
#include <net/tcp.h>
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
 * The payload of all page fragments is copied to new pages, and the old pages
 * are released. A MSG_ZEROCOPY completion reports that the payload was copied.
 *
 * Context: process context.
 * Return: 0 if @skb now has room for more page fragments; @err if @err is not
 * -EMSGSIZE, or if the send has no segment size; otherwise the error of
 * skb_copy_ubufs(), for example -ENOMEM.
 */
int udp_gso_make_room(struct sk_buff *skb, const struct inet_cork *cork,
		      int err)
{
	struct ubuf_info *uarg = skb_zcopy(skb);
	bool held = true;

	if (err != -EMSGSIZE || !cork->gso_size)
		return err;

	/* A reference delays the completion until @skb is freed. */
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

/* Returns the maximum number of segments in one GSO packet. The limits of a
 * device without %NETIF_F_GSO_UDP_L4 do not apply, because the core segments
 * the packet, and accepts %UDP_MAX_SEGMENTS segments.
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

/* Returns the bytes of payload in each packet of a send: one segment if the
 * send must be split into datagrams here, or the payload of a GSO packet if the
 * packets can be segmented later.
 */
static unsigned int udp_gso_part_size(const struct sk_buff *skb,
				      const struct inet_cork *cork,
				      unsigned int hlen, bool is_ipv6)
{
	unsigned int size = cork->gso_size;

	/* Segments longer than the path MTU must be fragmented.
	 * ip_do_fragment() and ip6_fragment() do not support GSO packets.
	 */
	if (unlikely(hlen + min(skb->len - hlen, size) > cork->fragsize))
		return size;

	/* Segmentation always writes a UDP checksum, so datagrams without one,
	 * and UDP-Lite, must be split here.
	 */
	if (unlikely(udp_gso_no_check(skb->sk, is_ipv6) ||
		     IS_UDPLITE(skb->sk)))
		return size;

	/* Some devices do not find a UDP header after extension headers. */
	if (unlikely(is_ipv6 &&
		     skb_network_header_len(skb) != sizeof(struct ipv6hdr)))
		return size;

	/* IPsec transforms each datagram separately. */
	if (unlikely(dst_xfrm(skb_dst(skb))))
		return size;

	return size * udp_gso_max_segs(skb, hlen, size, is_ipv6);
}

/* Splits @skb at the socket into datagrams with partial checksums. Datagrams
 * for IPsec are linear. With payload in page fragments, IPsec would allocate
 * pages for the result, or copy the payload first.
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

/* Sets the IPv4 ID to @id, and sets DF if a plain send would set DF. */
static void udp_gso_set_id_df(struct sk_buff *part, u16 id)
{
	struct dst_entry *dst = skb_dst(part);
	struct iphdr *iph = ip_hdr(part);

	iph->id = htons(id);
	if (part->len <= dst4_mtu(dst) && ip_dont_fragment(part->sk, dst))
		iph->frag_off = htons(IP_DF);
}

/* A send has one transmit timestamp, which is taken for the first datagram. */
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
		/* __ip6_append_data() may have checksummed the payload of all
		 * datagrams. This checksum is not valid for one datagram.
		 */
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

/* Returns the part of the truesize of @skb for @len bytes of page fragments. */
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

		/* Each packet gets a part of this page fragment. */
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

/* Sets the header offsets of a packet whose data starts with the network
 * header.
 * @hlen: bytes of network and UDP header
 */
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

	/* The offsets of the headers may exceed 16 bits from here on. They are
	 * set when udp_gso_move_back() has moved the headers back.
	 */
	memmove(skb->data + linear, skb->data, tx->hlen);
	__skb_pull(skb, linear);

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

/* udp_abort() and connect(AF_UNSPEC) release a port that was not bound by
 * bind(). Another socket can get the port during the wait.
 */
static bool udp_gso_is_closed(const struct sock *sk)
{
	return READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN ||
	       READ_ONCE(sk->sk_err) == ECONNABORTED ||
	       !READ_ONCE(inet_sk(sk)->inet_num);
}

static bool udp_gso_can_send(const struct sock *sk)
{
	return udp_gso_has_room(sk, 0) || udp_gso_is_closed(sk);
}

/* io_uring sets TIF_NOTIFY_SIGNAL of a worker to cancel its request. The
 * freezer sets TIF_SIGPENDING instead.
 */
static bool udp_gso_cancelled(void)
{
	return fatal_signal_pending(current) ||
	       (current->flags & PF_IO_WORKER &&
		test_thread_flag(TIF_NOTIFY_SIGNAL));
}

/* Sleeps until the send buffer has room. Returns false if there is no room when
 * @timeo expires, after a fatal signal, if io_uring cancels the request, or if
 * the socket is closed for sending. Other signals do not end the wait, because
 * the rest of the send would be lost. While a signal is pending, the task
 * sleeps in TASK_KILLABLE, in which sock_wfree() does not wake it. In other
 * waits, sock_wfree() wakes it only if more than half of the send buffer is
 * free. The send buffer is therefore also checked at intervals. The freezer may
 * freeze the task during the wait.
 *
 * A corked send sleeps with the socket lock held, so shutdown() waits until the
 * send is complete.
 */
static bool udp_gso_sleep_tx(struct sock *sk, long timeo)
{
	unsigned long end = jiffies + timeo;

	while (!udp_gso_has_room(sk, 0)) {
		if (timeo <= 0 || udp_gso_cancelled() || udp_gso_is_closed(sk))
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

/* Waits for room in the send buffer, until earlier packets have been freed.
 * @tx->rest is not charged during the wait, because it is not sent before the
 * wait ends. If @tx->rest were charged, it could exceed half of the send
 * buffer, and sock_wfree() wakes a sender only if more than half of the send
 * buffer is free.
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

/* Counts the packets that are made next, from @len bytes of payload. A send may
 * exceed the send buffer by at most %UDP_MAX_SEGMENTS packets. If these packets
 * could exceed this limit, waits until the send buffer has room. Returns false
 * if the wait ends without room.
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

/* Restores the original headroom of the last packet. udp_gso_detach_tx() has
 * moved linear payload out of this packet, which has left additional headroom.
 * Each segment of the packet would be allocated with this additional headroom.
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
 * returned to the application, because the application would repeat the
 * complete send.
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
 * @err: error of the previous packet; 0 if that packet was sent
 *
 * If the first packet cannot be sent, nothing is sent and @tx->err is set.
 * Errors of later packets are not returned, because the application would
 * repeat the complete send. UDP_MIB_SNDBUFERRORS is incremented by 1 for each
 * later packet that is dropped with -ENOBUFS. If there is no memory or no room
 * in the send buffer for a later packet, the rest of the send is dropped, and
 * the counter is incremented by the number of datagrams in the rest.
 *
 * A send may exceed the send buffer by at most %UDP_MAX_SEGMENTS packets. If
 * the next packets could exceed this limit, the sender sleeps until the send
 * buffer has room. With MSG_DONTWAIT, the sender does not sleep, and the rest
 * of the send is dropped and counted.
 *
 * Context: process context; may sleep.
 * Return: packet to send; %NULL after the last packet, if the first packet was
 * not sent, or if the rest of the send was dropped.
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
 * @skb: packet with all payload after the network and UDP header, data at the
 *	network header, owned by the socket
 * @cork: parameters of the send; its gso_size is not 0
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * If the payload fits in one segment, @skb is not changed and is sent as a
 * plain datagram. A longer payload cannot be one packet if the segments are
 * longer than the path MTU, have no UDP checksum, have IPv6 extension headers,
 * are for IPsec or UDP-Lite, or are too many or too long for one GSO packet. In
 * these cases @skb is not changed, and the caller sends the packets of
 * udp_gso_first_tx() and udp_gso_next_tx().
 *
 * Otherwise, @skb becomes a GSO packet. The caller writes the checksum of the
 * pseudo header.
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

/* The segments of a GSO packet with one of these destructors get its owner. A
 * tunnel can send a UDP GSO packet that belongs to a TCP socket.
 */
static bool udp_gso_keeps_owner(const struct sk_buff *skb)
{
	return skb->destructor == sock_wfree || skb->destructor == tcp_wfree;
}

/* Takes the owner from the GSO packet, and returns it. skb_segment() has moved
 * an owner with sock_wfree(), and then also the truesize of the GSO packet, to
 * the last segment. Moves the truesize back, because each segment is charged
 * for its own truesize.
 */
static struct sock *udp_gso_take_owner(struct sk_buff *gso_skb,
				       struct sk_buff *tail)
{
	if (tail->destructor == sock_wfree) {
		swap(tail->truesize, gso_skb->truesize);
		return tail->sk;
	}
	if (gso_skb->destructor == tcp_wfree) {
		tail->destructor = tcp_wfree;
		swap(tail->sk, gso_skb->sk);
		gso_skb->destructor = NULL;
		return tail->sk;
	}

	return NULL;
}

/* A TCP socket usually wants the timestamp of its last byte. */
static void udp_gso_keep_owner_tstamp(const struct sk_buff *gso_skb,
				      struct sk_buff *segs)
{
	struct sk_buff *tail = segs->prev;
	bool is_tcp = tail->destructor == tcp_wfree;

	udp_gso_keep_tstamp(gso_skb, is_tcp ? tail : segs);
}

/* @delta: truesize of all segments minus the truesize of the GSO packet, which
 *	is already charged to the socket
 */
static void udp_gso_adjust_charge(struct sock *sk, int delta)
{
	/* A MSG_ZEROCOPY send is charged for complete pages, but segments are
	 * charged for the bytes in their page fragments.
	 */
	if (likely(delta >= 0))
		refcount_add(delta, &sk->sk_wmem_alloc);
	else
		WARN_ON_ONCE(refcount_sub_and_test(-delta,
						   &sk->sk_wmem_alloc));
}

static void udp_gso_complete_segs(struct sk_buff *gso_skb, struct sk_buff *segs)
{
	struct sk_buff *tail = segs->prev;
	struct sock *sk = udp_gso_take_owner(gso_skb, tail);
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
			seg->destructor = tail->destructor;
			delta += seg->truesize;
		}
	}

	if (sk)
		udp_gso_adjust_charge(sk, delta);
}

/* The segments of a CHECKSUM_NONE packet have complete checksums. With
 * CHECKSUM_NONE, __skb_gso_segment() would warn about a missing checksum
 * offload.
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

	/* The fast path does not copy tunnel headers in front of the packet. */
	if (skb_tnl_header_len(skb))
		return UDP_GSO_PATH_TYPE;

	/* The device segments the packet or, with NETIF_F_GSO_PARTIAL, parts of
	 * the packet that have several segments each.
	 */
	if (features & NETIF_F_GSO_PARTIAL ||
	    (features & NETIF_F_GSO_UDP_L4 &&
	     skb->ip_summed == CHECKSUM_PARTIAL))
		return UDP_GSO_PATH_DEVICE;

	/* Each segment would need a reference to the zerocopy completion.
	 * Device memory cannot be read.
	 */
	if (skb_zcopy(skb) || !skb_frags_readable(skb))
		return UDP_GSO_PATH_ZEROCOPY;

	/* The fast path reads the payload at its kernel address, and high
	 * memory may have no kernel address.
	 */
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

/* Returns %NULL and does not change @skb if there is no memory. */
static struct sk_buff *__udp_gso_segment_fast(struct sk_buff *skb,
					      netdev_features_t features,
					      bool is_ipv6)
{
	unsigned int truesize;
	struct sk_buff *segs;
	struct sk_buff tmpl;
	bool sg;

	skb_segment_template(&tmpl, skb);
	if (udp_gso_keeps_owner(skb)) {
		tmpl.sk = skb->sk;
		tmpl.destructor = skb->destructor;
	}

	/* Shared page fragments can change after they are checksummed, so
	 * their payload is copied.
	 */
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
	udp_gso_keep_owner_tstamp(skb, segs);
	udp_gso_mark_csum_done(skb);

	return segs;
}

/**
 * udp_gso_segment_fast - segment a UDP GSO packet on the fast path
 * @skb: packet with network and transport header set, data at the UDP header
 * @features: features of the device that sends the segments
 * @is_ipv6: true for an IPv6 network header, false for IPv4
 *
 * This function writes all headers of a segment at once. The segments do not
 * need __udp_gso_segment() and the segmentation functions of the network and
 * MAC layer.
 *
 * Context: any; does not sleep.
 * Return: list of segments with complete headers, data at the MAC header, the
 * last segment in prev of the first; %NULL if @skb must take the slow path. The
 * result is also %NULL if an allocation fails, because the slow path may still
 * succeed: skb_segment() allocates from other caches and may use the memory
 * reserves.
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
 * skb_segment() makes the segments. This function writes the UDP headers and
 * sets the owners. The callers complete the headers of their own layers.
 *
 * A fraglist packet is segmented into @gso_skb and the sk_buffs of its
 * frag_list. If these sk_buffs do not match the segments any more, or if the
 * packet is untrusted, the packet is converted to a non-fraglist packet first.
 *
 * If the destructor of @gso_skb is sock_wfree() or tcp_wfree(), the owner and
 * the charge of @gso_skb are moved to the segments. The caller frees @gso_skb
 * with consume_skb() as usual. After an error, @gso_skb still has its owner and
 * its charge. After an error with %SKB_GSO_FRAGLIST, the frag_list may have been
 * freed, so the caller can only free @gso_skb.
 *
 * Context: any; does not sleep.
 * Return: list of segments, the last one in prev of the first; %NULL if the
 * device segments the packet; -EINVAL for a packet that is not as described or
 * has fewer than two segments; -ENOMEM.
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
	udp_gso_keep_owner_tstamp(gso_skb, segs);

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
 * udp_gso_segment_rx - segment a received packet for its socket
 * @sk: the receiving socket
 * @skb: packet for which udp_gso_must_segment() returned true, data at the UDP
 *	header; is consumed
 * @ipv4: true for the counters of IPv4, false for the counters of IPv6
 *
 * Context: receive path, in an RCU read-side critical section.
 * Return: list of datagrams, data at the UDP header; %NULL after an error.
 * After an error, sk_drops of @sk and UDP_MIB_INERRORS count gso_segs
 * datagrams, or one datagram if gso_segs is 0 or @skb is a UFO packet.
 */
struct sk_buff *udp_gso_segment_rx(struct sock *sk, struct sk_buff *skb,
				   bool ipv4)
{
	netdev_features_t features = NETIF_F_SG;
	struct sk_buff *segs, *seg;
	unsigned int drops;

	/* A UFO packet is one datagram that has not been fragmented yet. UFO
	 * packets are not supported here.
	 */
	drops = 1;
	if (unlikely(skb_shinfo(skb)->gso_type & SKB_GSO_UDP))
		goto drop;
	drops = max_t(unsigned int, skb_shinfo(skb)->gso_segs, 1);

	/* skb->cb contains struct udp_skb_cb, which starts with inet_skb_parm
	 * or inet6_skb_parm. Segmentation overwrites skb->cb from
	 * SKB_GSO_CB_OFFSET on, so this offset must be after struct udp_skb_cb.
	 */
	BUILD_BUG_ON(sizeof(struct udp_skb_cb) > SKB_GSO_CB_OFFSET);

	/* Leave partial checksums unless the socket uses the checksum, for
	 * encapsulation or IP_CHECKSUM.
	 */
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
