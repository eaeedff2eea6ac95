/* SPDX-License-Identifier: GPL-2.0 */
/* Sends a message with different system calls. All functions return the result of the call, or a negative errno. */
#ifndef SEND_H
#define SEND_H

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define DATA_MAX	70000
#define PAGE		4096
#define PIECE_PAGES	128	/* enough for the pieces of all calls of a datagram */
#define PIECE_ROOM	(18 * PAGE)	/* at least DATA_MAX; each piece starts at a page */

struct message {
	struct gso_msg gso;
	union {
		char buf[512];
		struct cmsghdr align;
	} control;
};

static unsigned char data[DATA_MAX + MAX_FRAME];
static unsigned char piece_pages[PIECE_PAGES][PIECE_ROOM] __attribute__((aligned(PAGE)));
static int socks[2];

static long or_errno(long ret)
{
	return ret < 0 ? -errno : ret;
}

static void add_cmsg(struct message *m, int level, int type, const void *from, int len)
{
	struct cmsghdr *cmsg = (void *)(m->control.buf + m->gso.hdr.msg_controllen);

	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), from, len);
	m->gso.hdr.msg_controllen += CMSG_SPACE(len);
}

/* No two pieces share a page, so each needs a page fragment of its own. Zerocopy data must not change before it is
 * sent, so there are several sets of pages.
 */
static void copy_pieces_to_pages(struct gso_msg *gso)
{
	static int next;
	int i;

	for (i = 0; i < (int)gso->hdr.msg_iovlen; i++) {
		unsigned char *room = piece_pages[next++ % PIECE_PAGES];

		memcpy(room, gso->iov[i].iov_base, gso->iov[i].iov_len);
		gso->iov[i].iov_base = room;
	}
}

static struct msghdr *message(const struct op *op, const struct gso_send *s)
{
	static struct message m;
	struct gso_send bare = *s;
	__u16 size = s->cmsg;
	int i;

	memset(&m.control, 0, sizeof(m.control));
	bare.cmsg = NO_SIZE;
	fill_msg(&m.gso, &bare);
	if (s->flags & MSG_ZEROCOPY || op->method == SPLICE || op->method == URING_ZC)
		copy_pieces_to_pages(&m.gso);
	m.gso.hdr.msg_control = m.control.buf;
	if (s->cmsg != NO_SIZE)
		add_cmsg(&m, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
	for (i = 0; i < (int)ARRAY_SIZE(control_messages); i++) {
		const struct control_message *c = &control_messages[i];

		if (op->cmsgs & 1 << i)
			add_cmsg(&m, c->level, c->type, c->data.data, c->data.len);
	}
	if (!m.gso.hdr.msg_controllen)
		m.gso.hdr.msg_control = NULL;

	return &m.gso.hdr;
}

static int send_one(const struct op *op, const struct gso_send *s)
{
	return or_errno(sendmsg(socks[op->sock], message(op, s), s->flags));
}

static int send_calls(const struct op *op, struct gso_send *s)
{
	int i, ret, off = 0, len = s->len;

	for (i = 1; i <= op->calls; i++) {
		s->len = (long)len * i / op->calls - off;
		s->data = data + off;
		s->flags = op->flags;
		if (i < op->calls && op->method != CORK)
			s->flags |= MSG_MORE;
		ret = send_one(op, s);
		if (ret < 0)
			return ret;
		off += ret;
	}

	return off;
}

static int send_corked(const struct op *op, struct gso_send *s)
{
	int ret;

	if (set_int(socks[op->sock], SOL_UDP, UDP_CORK, 1))
		die("UDP_CORK");
	ret = send_calls(op, s);
	if (set_int(socks[op->sock], SOL_UDP, UDP_CORK, 0))
		die("UDP_CORK");

	return ret;
}

static int send_mmsg(const struct op *op, const struct gso_send *s)
{
	struct msghdr *msg = message(op, s);
	struct mmsghdr msgs[8] = {};
	int i;

	for (i = 0; i < op->messages; i++)
		msgs[i].msg_hdr = *msg;

	return or_errno(sendmmsg(socks[op->sock], msgs, op->messages, op->flags));
}

static int send_spliced(const struct op *op, const struct gso_send *s)
{
	struct msghdr *msg = message(op, s);
	int pipes[2], ret;

	if (pipe(pipes) || fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20) < 0 ||
	    vmsplice(pipes[1], msg->msg_iov, msg->msg_iovlen, 0) != s->len)
		die("vmsplice");
	ret = or_errno(splice(pipes[0], NULL, socks[op->sock], NULL, s->len, 0));
	close(pipes[0]);
	close(pipes[1]);

	return ret;
}

/* io_uring: one submission at a time, from any thread */

static struct {
	int fd;
	struct io_uring_params p;
	void *sq, *cq;
	struct io_uring_sqe *sqes;
} ring = { -1 };

static void *ring_map(size_t len, off_t off)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, off);

	if (mem == MAP_FAILED)
		die("io_uring");

	return mem;
}

static void ring_open(void)
{
	struct io_uring_params *p = &ring.p;

	if (ring.fd >= 0)
		return;
	ring.fd = syscall(__NR_io_uring_setup, 4, p);
	if (ring.fd < 0)
		die("io_uring");
	ring.sq = ring_map(p->sq_off.array + p->sq_entries * sizeof(__u32), IORING_OFF_SQ_RING);
	ring.cq = ring_map(p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.sqes = ring_map(p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

static __u32 *ring_word(void *mem, __u32 off)
{
	return mem + off;
}

static struct io_uring_cqe ring_wait(void)
{
	__u32 *head = ring_word(ring.cq, ring.p.cq_off.head), mask = *ring_word(ring.cq, ring.p.cq_off.ring_mask);
	struct io_uring_cqe *cqes = ring.cq + ring.p.cq_off.cqes, cqe;

	while (__atomic_load_n(ring_word(ring.cq, ring.p.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		if (syscall(__NR_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
	cqe = cqes[*head & mask];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);

	return cqe;
}

static int send_uring(const struct op *op, const struct gso_send *s)
{
	__u32 *tail, at;
	struct io_uring_cqe cqe;

	ring_open();
	tail = ring_word(ring.sq, ring.p.sq_off.tail);
	at = *tail & *ring_word(ring.sq, ring.p.sq_off.ring_mask);
	ring.sqes[at] = (struct io_uring_sqe) {
		.opcode = op->method == URING ? IORING_OP_SENDMSG : IORING_OP_SENDMSG_ZC,
		.fd = socks[op->sock],
		.addr = (uintptr_t)message(op, s),
		.len = 1,
	};
	ring_word(ring.sq, ring.p.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) != 1)
		die("io_uring_enter");
	cqe = ring_wait();
	if (cqe.flags & IORING_CQE_F_MORE)
		ring_wait();	/* the notification that the pages are free */

	return cqe.res;
}

static int send_with_method(const struct op *op, struct gso_send *s)
{
	struct msghdr *msg;

	switch (op->method) {
	case SENDMMSG:
		return send_mmsg(op, s);
	case CORK:
		return send_corked(op, s);
	case WRITE:
		msg = message(op, s);
		return or_errno(writev(socks[op->sock], msg->msg_iov, msg->msg_iovlen));
	case SPLICE:
		return send_spliced(op, s);
	case URING:
	case URING_ZC:
		return send_uring(op, s);
	default:
		return send_calls(op, s);
	}
}

#endif /* SEND_H */
