/* SPDX-License-Identifier: GPL-2.0 */
/* Prints the packets that arrive at the other end of the veth. GSO packets are segmented and partial checksums are
 * completed first, as a device would do. An IPv4 ID or a fragment ID is printed as a number in the order of first
 * appearance.
 */
#ifndef WIRE_H
#define WIRE_H

#include <linux/virtio_net.h>

#define FENCE_PORT	9
#define FENCE_LEN	(20 + 8 + sizeof(fence_text))
#define MAX_FRAME	(1 << 17)
#define MAX_SEEN	65536

/* If the last fragment of an IPv6 datagram has less than 8 bytes of payload, print it as part of the previous fragment,
 * also inside ESP. A plain send limits each fragment to a multiple of 8 bytes. ip6_fragment() does not limit the last
 * fragment to such a multiple, so it may need one fragment less.
 */
static bool join_short_fragments;
static __u64 seen_ids[MAX_SEEN];
static int nr_ids;
static long nr_frames;

static __u32 hash_bytes(const unsigned char *p, int len)
{
	__u64 hash = len, word;

	for (; len > 0; p += 8, len -= 8) {
		word = 0;
		memcpy(&word, p, len < 8 ? len : 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}

	return hash >> 16;
}

/* IDs are counted per destination, so the IDs of inner and of outer headers of a tunnel are separate. */
static int id_number(const char *dst, __u32 id)
{
	__u64 seen = (__u64)hash_bytes((const void *)dst, strlen(dst)) << 32 | id;
	int i;

	for (i = nr_ids - 1; i >= 0; i--)
		if (seen_ids[i] == seen)
			return i;
	if (nr_ids < MAX_SEEN)
		seen_ids[nr_ids++] = seen;

	return nr_ids - 1;
}

/* One UDP datagram, or the first fragment of one */
static void show_udp(FILE *f, unsigned char *p, int len, __u32 pseudo, bool complete)
{
	int check = get16(p + 6);

	if (!complete) {
		put16(p + 6, 0);
		check = ~csum_bytes(pseudo, p, len) & 0xffff;
		check = check ? check : 0xffff;
	}
	fprintf(f, " udp %d>%d len %d check %04x data %d %08x\n", get16(p), get16(p + 2), get16(p + 4),
		check, len - 8, hash_bytes(p + 8, len - 8));
}

static void show_packet(FILE *f, unsigned char *p, int len, bool complete);
static int show_extensions(char *text, int size, const unsigned char *p, int *hlen);

/* If ESP in tunnel mode contains an IPv6 fragment that is not the first of its datagram, print this fragment without
 * the outer headers: a segmented send and a plain send may have different numbers of fragments. Returns false for all
 * other packets.
 */
static bool show_fragment_inside(FILE *f, unsigned char *p, int len)
{
	int hlen, inside = len < 10 ? 0 : len - 8 - 2 - p[len - 2];
	unsigned char *inner = p + 8;
	char extensions[128];

	if (!join_short_fragments || inside < 48 || p[len - 1] != IPPROTO_IPV6 ||
	    show_extensions(extensions, sizeof(extensions), inner, &hlen) != IPPROTO_FRAGMENT ||
	    !(get16(inner + hlen + 2) & ~7))
		return false;
	show_packet(f, inner, inside, true);
	return true;
}

/* The cipher is null, so the payload can be compared. The sequence number is not compared. */
static void show_esp(FILE *f, unsigned char *p, int len)
{
	int inside = len - 8 - 2 - p[len - 2], nh = p[len - 1];

	if (inside < 8)
		fprintf(f, " esp %d WRONG\n", len);
	else if (nh == IPPROTO_IPIP || nh == IPPROTO_IPV6)
		fprintf(f, " esp %d around\n", len), show_packet(f, p + 8, inside, true);
	else
		fprintf(f, " esp %d protocol %d %08x\n", len, nh, hash_bytes(p + 8, inside));
}

/* The lengths of the fragments are not compared. A plain send leaves room for the overhead of ESP in each fragment. A
 * datagram of a segmented send is fragmented after ESP has been applied, so its fragments need no such room.
 */
static void join_esp(FILE *f, const char *dst, __u32 id, unsigned char *p, int len, int offset, bool more)
{
	static unsigned char packet[MAX_FRAME];
	int number = id_number(dst, id);

	nr_frames++;
	if (offset + len > MAX_FRAME)
		return;
	memcpy(packet + offset, p, len);
	if (!more) {
		fprintf(f, "  %s in fragments, id #%d", dst, number);
		show_esp(f, packet, offset + len);
	}
}

/* The payload of IP. @proto is -1 for a fragment that is not the first. */
static void show_l4(FILE *f, int proto, unsigned char *p, int len, __u32 pseudo, bool complete)
{
	if (proto == IPPROTO_UDP && len >= 8)
		show_udp(f, p, len, pseudo, complete);
	else if (proto == IPPROTO_ESP && len >= 10)
		show_esp(f, p, len);
	else
		fprintf(f, " %d bytes %08x\n", len, hash_bytes(p, len));
	nr_frames++;
}

static __u32 pseudo_sum(const unsigned char *addrs, int addrs_len, int len)
{
	const unsigned char tail[] = { len >> 8, len, 0, IPPROTO_UDP };

	return csum_bytes(csum_bytes(0, addrs, addrs_len), tail, sizeof(tail));
}

static void show_ipv4(FILE *f, unsigned char *p, int len, bool complete)
{
	int hlen = (p[0] & 15) * 4, frag = get16(p + 6), proto = p[9];
	char dst[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, p + 16, dst, sizeof(dst));
	if (proto == IPPROTO_ESP && frag & 0x3fff) {
		join_esp(f, dst, get16(p + 4), p + hlen, len - hlen, (frag & 0x1fff) * 8, frag & 0x2000);
		return;
	}
	if (proto == IPPROTO_ESP && show_fragment_inside(f, p + hlen, len - hlen))
		return;
	fprintf(f, "  ip4 %s%s total %d hlen %d tos %d ttl %d", dst,
		csum_bytes(0, p, hlen) == 0xffff ? "" : " BAD HEADER", get16(p + 2), hlen, p[1], p[8]);
	/* With DF, the ID has no meaning (RFC 6864). */
	if ((frag & 0x7fff) == 0x4000)
		fprintf(f, " DF");
	else
		fprintf(f, " id #%d %s%sat %d", id_number(dst, get16(p + 4)), frag & 0x4000 ? "DF " : "",
			frag & 0x2000 ? "MF " : "", (frag & 0x1fff) * 8);
	if (frag & 0x1fff)
		proto = -1;
	show_l4(f, proto, p + hlen, len - hlen, pseudo_sum(p + 12, 8, len - hlen), complete);
}

/* The extension headers before the fragment header or the payload */
static int show_extensions(char *text, int size, const unsigned char *p, int *hlen)
{
	int nh = p[6], n, at = 0;

	*hlen = 40;
	text[0] = '\0';
	while (nh == IPPROTO_HOPOPTS || nh == IPPROTO_DSTOPTS || nh == IPPROTO_ROUTING) {
		n = (p[*hlen + 1] + 1) * 8;
		at += snprintf(text + at, size - at, " ext %d %08x", nh, hash_bytes(p + *hlen + 1, n - 1));
		nh = p[*hlen];
		*hlen += n;
	}

	return nh;
}

/* An IPv6 fragment that is only printed when the next packet arrives */
static struct {
	unsigned char packet[MAX_FRAME];
	int len;		/* 0: none */
	int hlen, offset;
	__u32 id;
	bool complete;
} kept;

static void show_ipv6(FILE *f, unsigned char *p, int len, bool complete);

/* Print the kept fragment. If the last fragment is printed as part of it, @rest is the payload of the last fragment and
 * @len its length. Otherwise @len is 0.
 */
static void show_kept(FILE *f, const unsigned char *rest, int len)
{
	int n = kept.len;
	bool joined = join_short_fragments;

	if (!n)
		return;
	if (len) {
		memcpy(kept.packet + n, rest, len);
		kept.packet[kept.hlen - 5] &= ~1;	/* no more fragments */
		put16(kept.packet + 4, n - 40 + len);
	}
	kept.len = 0;
	join_short_fragments = false;
	show_ipv6(f, kept.packet, n + len, kept.complete);
	join_short_fragments = joined;
}

/* Print or keep a fragment. Returns true if the caller must not print this packet now. */
static bool keep_fragment(FILE *f, const unsigned char *p, int len, int hlen, int offset, bool more, __u32 id,
			  bool complete)
{
	bool next = kept.len && kept.id == id && kept.offset + kept.len - kept.hlen == offset;

	if (next && !more && len - hlen < 8) {
		show_kept(f, p + hlen, len - hlen);
		return true;
	}
	show_kept(f, NULL, 0);
	if (!join_short_fragments || !offset || !more)
		return false;
	memcpy(kept.packet, p, len);
	kept.len = len;
	kept.hlen = hlen;
	kept.offset = offset;
	kept.id = id;
	kept.complete = complete;

	return true;
}

static void show_ipv6(FILE *f, unsigned char *p, int len, bool complete)
{
	char dst[INET6_ADDRSTRLEN], extensions[128];
	int hlen, nh, offset = 0;
	bool more = false;
	__u32 id = 0;

	inet_ntop(AF_INET6, p + 24, dst, sizeof(dst));
	nh = show_extensions(extensions, sizeof(extensions), p, &hlen);
	if (nh == IPPROTO_FRAGMENT) {
		nh = p[hlen];
		offset = get16(p + hlen + 2) & ~7;
		more = p[hlen + 3] & 1;
		id = get16(p + hlen + 4) << 16 | get16(p + hlen + 6);
		hlen += 8;
	}
	if (nh == IPPROTO_ESP && (offset || more)) {
		join_esp(f, dst, id, p + hlen, len - hlen, offset, more);
		return;
	}
	if (nh == IPPROTO_ESP && show_fragment_inside(f, p + hlen, len - hlen))
		return;
	if (keep_fragment(f, p, len, hlen, offset, more, id, complete))
		return;
	fprintf(f, "  ip6 %s payload %d class %d hops %d%s", dst, get16(p + 4), get16(p) >> 4 & 0xff, p[7],
		extensions);
	if (offset || more)
		fprintf(f, " fragment #%d %sat %d", id_number(dst, id), more ? "MF " : "", offset);
	show_l4(f, offset ? -1 : nh, p + hlen, len - hlen, pseudo_sum(p + 8, 32, len - hlen), complete);
}

static bool is_ipv6(const unsigned char *p)
{
	return p[0] >> 4 == 6;
}

/* All headers and a hash of the payload */
static void show_packet(FILE *f, unsigned char *p, int len, bool complete)
{
	if (is_ipv6(p)) {
		show_ipv6(f, p, len, complete);
		return;
	}
	show_kept(f, NULL, 0);
	show_ipv4(f, p, len, complete);
}

/* The segments of a GSO packet */
static void show_segments(FILE *f, unsigned char *p, int len, int hlen, int size)
{
	static unsigned char seg[MAX_FRAME];
	unsigned char *udp = seg + hlen - 8;
	int i, n, off;

	for (i = 0, off = hlen; off < len; i++, off += n) {
		n = len - off < size ? len - off : size;
		memcpy(seg, p, hlen);
		memcpy(seg + hlen, p + off, n);
		put16(udp + 4, n + 8);
		if (is_ipv6(seg)) {
			put16(seg + 4, hlen - 40 + n);
		} else {
			put16(seg + 2, hlen + n);
			put16(seg + 4, get16(p + 4) + i);
			put16(seg + 10, 0);
			put16(seg + 10, ~csum_bytes(0, seg, hlen - 8));
		}
		show_packet(f, seg, hlen + n, false);
	}
}

/* Returns true for a packet of the program, and false for ICMP, IGMP or MLD of the kernel. */
static bool is_of_test(const unsigned char *p, int len)
{
	if (is_ipv6(p))
		return len >= 48 && p[8] == 0x20 && p[6] != IPPROTO_ICMPV6 &&
		       !(p[6] == IPPROTO_HOPOPTS && p[40] == IPPROTO_ICMPV6);

	return len >= 20 && p[9] != IPPROTO_ICMP && p[9] != IPPROTO_IGMP;
}

/* Print a frame, which starts with its virtio header. Returns true for the fence. */
static bool show_frame(FILE *f, unsigned char *frame, int len)
{
	const struct virtio_net_hdr *vnet = (void *)frame;
	unsigned char *p = frame + sizeof(*vnet) + ETH_HLEN;
	int proto = get16(p - 2), hlen;

	len -= sizeof(*vnet) + ETH_HLEN;
	if ((proto != ETH_P_IP && proto != ETH_P_IPV6) || !is_of_test(p, len))
		return false;
	if (len == FENCE_LEN && !is_ipv6(p) && p[9] == IPPROTO_UDP && get16(p + 22) == FENCE_PORT) {
		show_kept(f, NULL, 0);
		return true;
	}
	if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		show_packet(f, p, len, !(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM));
		return false;
	}
	hlen = vnet->csum_start + 8 - ETH_HLEN;
	if (vnet->gso_type != VIRTIO_NET_HDR_GSO_UDP_L4 || !vnet->gso_size || hlen < 28 || hlen > len)
		fprintf(f, "  a packet of type %d, %d bytes by %d\n", vnet->gso_type, len, vnet->gso_size);
	else
		show_segments(f, p, len, hlen, vnet->gso_size);

	return false;
}

#endif /* WIRE_H */
