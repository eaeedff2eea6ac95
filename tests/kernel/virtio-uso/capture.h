/* SPDX-License-Identifier: GPL-2.0 */
/* Captures and checks frames: the frames that a guest's device sends to or receives
 * from its tap, with their virtio header, and the frames of a tun device of the host.
 */
#ifndef USO_CAPTURE_H
#define USO_CAPTURE_H

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "uso.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif

struct frame {
	struct virtio_net_hdr vnet;
	unsigned char *ip;
	int len;			/* from the IP header on */
	int l2;				/* bytes before it */
	unsigned char buf[1 << 17];
};

static inline int open_tun(const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr))
		die("TUNSETIFF %s", name);

	return fd;
}

static inline int open_capture(const char *dev)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(dev),
	};

	if (fd < 0)
		die("packet socket");
	if (set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1))
		die("PACKET_VNET_HDR");
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20))
		die("SO_RCVBUFFORCE");
	if (bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		die("bind to %s", dev);

	return fd;
}

/* The next frame in that direction */
static inline bool next_frame(int fd, bool outgoing, struct frame *f)
{
	struct sockaddr_ll ll;
	struct iovec iov[] = {
		{ &f->vnet, sizeof(f->vnet) },
		{ f->buf, sizeof(f->buf) },
	};
	struct msghdr msg = {
		.msg_name = &ll,
		.msg_namelen = sizeof(ll),
		.msg_iov = iov,
		.msg_iovlen = 2,
	};
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, MSG_TRUNC);
		if (n < 0)
			return false;
	} while ((ll.sll_pkttype == PACKET_OUTGOING) != outgoing);

	f->l2 = ETH_HLEN;
	f->ip = f->buf + f->l2;
	f->len = n - sizeof(f->vnet) - f->l2;

	return true;
}

static inline bool next_tun_frame(int fd, struct frame *f)
{
	memset(&f->vnet, 0, sizeof(f->vnet));
	f->ip = f->buf;
	f->l2 = 0;
	if (!readable(fd, RX_TIMEOUT_MS / 2))
		return false;
	f->len = read(fd, f->buf, sizeof(f->buf));

	return f->len > 0;
}

/* One's complement sum, folded */
static inline int csum_fold_add(int sum, const void *data, int len)
{
	const unsigned char *p = data;
	unsigned long s = sum;
	int i;

	for (i = 0; i + 1 < len; i += 2)
		s += p[i] << 8 | p[i + 1];
	if (len & 1)
		s += p[len - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);

	return s;
}

static inline int be16(const void *p)
{
	const unsigned char *b = p;

	return b[0] << 8 | b[1];
}

/* The UDP header of a frame to that port, or NULL if it is something else */
static inline unsigned char *udp_of(const struct frame *f, enum family fam,
				    int port)
{
	int hlen = fam == V4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	int proto = f->ip[fam == V4 ? 9 : 6];

	if (f->len < hlen + 8 || f->ip[0] >> 4 != (fam == V4 ? 4 : 6) ||
	    proto != IPPROTO_UDP || be16(f->ip + hlen + 2) != port)
		return NULL;

	return f->ip + hlen;
}

static inline bool check_ip(const struct frame *f, enum family fam)
{
	if (fam == V6)
		return expect_long("IPv6 payload length",
				   f->len - sizeof(struct ip6_hdr),
				   be16(f->ip + 4));

	return expect_long("IPv4 version and header length", 0x45, f->ip[0]) &
	       expect_long("IPv4 length", f->len, be16(f->ip + 2)) &
	       expect_long("IPv4 header checksum", 0xffff,
			   csum_fold_add(0, f->ip, sizeof(struct iphdr)));
}

/* The checksum must be complete, or partial with the correct offsets. */
static inline bool check_udp_csum(const struct frame *f, enum family fam,
				  const unsigned char *udp)
{
	int len = f->ip + f->len - udp, alen = fam == V4 ? 8 : 32, pseudo;

	pseudo = csum_fold_add(IPPROTO_UDP + len, udp - alen, alen);
	if (!(f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
		if (!be16(udp + 6))
			return fail("no UDP checksum");
		return expect_long("UDP checksum", 0xffff,
				   csum_fold_add(pseudo, udp, len));
	}

	return expect_long("partial checksum", pseudo, be16(udp + 6)) &
	       expect_long("csum_start", f->l2 + (udp - f->ip),
			   f->vnet.csum_start) &
	       expect_long("csum_offset", 6, f->vnet.csum_offset);
}

/* Only the virtio header of a GSO packet has a type and a size */
static inline bool check_vnet(const struct frame *f, int len, int size)
{
	bool gso = len > size;

	return expect_long("gso_type", gso ? VIRTIO_NET_HDR_GSO_UDP_L4 : 0,
			   f->vnet.gso_type) &
	       expect_long("gso_size", gso ? size : 0, f->vnet.gso_size) &
	       (!gso || expect_long("NEEDS_CSUM", 1, f->vnet.flags & 1));
}

/* A frame of the traffic: all segments of a call if @gso, else one datagram */
static inline bool check_frame(const struct frame *f, const struct traffic *t,
			       const unsigned char *udp, bool gso,
			       struct stream *st)
{
	int len = f->ip + f->len - udp - 8;

	if (gso && !expect_long("bytes in the frame", t->len, len))
		return false;

	return check_ip(f, t->fam) &
	       expect_long("UDP length", len + 8, be16(udp + 4)) &
	       check_udp_csum(f, t->fam, udp) &
	       check_vnet(f, len, t->size) &
	       stream_segments(st, udp + 8, len, gso ? t->size : len);
}

#endif /* USO_CAPTURE_H */
