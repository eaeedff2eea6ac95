/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers to receive frames with an AF_XDP socket, in copy mode, on queue 0. */
#ifndef UDPGSO_XSK_H
#define UDPGSO_XSK_H

#include <linux/if_xdp.h>
#include <sys/mman.h>

#include "udpgso_topo.h"

#ifndef XDP_USE_SG
#define XDP_USE_SG		16
#endif

#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD		1
#endif

#define XSK_BUFFERS		256	/* also the size of each ring */
#define XSK_BUFFER_SIZE		2048
#define XSK_ROOM		(XSK_BUFFER_SIZE - 256) /* without headroom */

struct xsk_ring {
	__u32 *producer;
	__u32 *consumer;
	void *desc;
	char *map;
	size_t len;
};

struct xsk {
	int fd;
	char *buffers;
	struct xsk_ring fill, rx;
};

static struct xsk xsk_now;	/* used by xsk_recv() */

static inline void xsk_size(int fd, int option)
{
	if (set_int(fd, SOL_XDP, option, XSK_BUFFERS))
		die("AF_XDP: size of ring %d", option);
}

static inline void xsk_map(struct xsk_ring *r, int fd, off64_t pgoff,
			   const struct xdp_ring_offset *off, size_t desc_size)
{
	r->len = off->desc + XSK_BUFFERS * desc_size;
	r->map = mmap64(NULL, r->len, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, fd, pgoff);
	if (r->map == MAP_FAILED)
		die("AF_XDP: ring");
	r->producer = (__u32 *)(r->map + off->producer);
	r->consumer = (__u32 *)(r->map + off->consumer);
	r->desc = r->map + off->desc;
}

static inline void xsk_refill(struct xsk_ring *fill, __u64 addr)
{
	__u64 *desc = fill->desc;
	__u32 at = *fill->producer;

	desc[at % XSK_BUFFERS] = addr - addr % XSK_BUFFER_SIZE;
	__atomic_store_n(fill->producer, at + 1, __ATOMIC_RELEASE);
}

static inline void xsk_rings(struct xsk *x)
{
	struct xdp_umem_reg reg = {
		.addr = (unsigned long)x->buffers,
		.len = XSK_BUFFERS * XSK_BUFFER_SIZE,
		.chunk_size = XSK_BUFFER_SIZE,
	};
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	int i;

	if (setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		die("AF_XDP: buffers");
	xsk_size(x->fd, XDP_UMEM_FILL_RING);
	xsk_size(x->fd, XDP_UMEM_COMPLETION_RING);
	xsk_size(x->fd, XDP_RX_RING);
	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		die("AF_XDP: offsets");
	xsk_map(&x->fill, x->fd, XDP_UMEM_PGOFF_FILL_RING, &off.fr,
		sizeof(__u64));
	xsk_map(&x->rx, x->fd, XDP_PGOFF_RX_RING, &off.rx,
		sizeof(struct xdp_desc));
	for (i = 0; i < XSK_BUFFERS; i++)
		xsk_refill(&x->fill, i * XSK_BUFFER_SIZE);
}

/* The kernel may not have released the queue of the last socket yet. */
static inline void xsk_bind(int fd, const struct sockaddr_xdp *sxdp)
{
	int i;

	for (i = 0; i < READY_TIMEOUT_MS; i++) {
		if (!bind(fd, (void *)sxdp, sizeof(*sxdp)))
			return;
		if (errno != EBUSY)
			break;
		usleep(1000);
	}
	die("AF_XDP: bind");
}

static inline void xsk_open(enum ns ns, const char *dev, int flags)
{
	struct sockaddr_xdp sxdp = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY | flags,
	};
	struct xsk *x = &xsk_now;

	enter(ns);
	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		die("AF_XDP socket");
	x->buffers = mmap(NULL, XSK_BUFFERS * XSK_BUFFER_SIZE,
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (x->buffers == MAP_FAILED)
		die("AF_XDP: memory");
	xsk_rings(x);
	sxdp.sxdp_ifindex = if_nametoindex(dev);
	xsk_bind(x->fd, &sxdp);
	enter(TX);
}

static inline void xsk_close(void)
{
	struct xsk *x = &xsk_now;

	munmap(x->fill.map, x->fill.len);
	munmap(x->rx.map, x->rx.len);
	close(x->fd);
	munmap(x->buffers, XSK_BUFFERS * XSK_BUFFER_SIZE);
}

/* Reads a frame as wire_recv() does. The frame may be in several buffers. */
static inline int xsk_recv(int fd)
{
	struct xsk_ring *rx = &xsk_now.rx;
	struct xdp_desc *descs = rx->desc, *d;
	__u32 at = *rx->consumer;

	if (at == __atomic_load_n(rx->producer, __ATOMIC_ACQUIRE))
		return -EAGAIN;

	frame.len = 0;
	frame.vlan = false;
	do {
		d = &descs[at++ % XSK_BUFFERS];
		if (frame.len + d->len > sizeof(frame.buf))
			die("AF_XDP: frame too long");
		memcpy(frame.buf + frame.len, xsk_now.buffers + d->addr,
		       d->len);
		frame.len += d->len;
		xsk_refill(&xsk_now.fill, d->addr);
	} while (d->options & XDP_PKT_CONTD);
	__atomic_store_n(rx->consumer, at, __ATOMIC_RELEASE);

	return frame.len;
}

/* Number of dropped frames, for example frames too long for one buffer */
static inline long xsk_dropped(void)
{
	struct xdp_statistics stats = {};
	socklen_t len = sizeof(stats);

	if (getsockopt(xsk_now.fd, SOL_XDP, XDP_STATISTICS, &stats, &len))
		die("AF_XDP: statistics");

	return stats.rx_dropped;
}

#endif /* UDPGSO_XSK_H */
