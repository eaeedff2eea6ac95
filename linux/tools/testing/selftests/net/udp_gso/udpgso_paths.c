// SPDX-License-Identifier: GPL-2.0
/* Tests UDP_SEGMENT with all methods to send a payload: several iovecs, cork,
 * sendmmsg(), MSG_ZEROCOPY, splice and io_uring. Also tests timestamps,
 * completions and the accounting of the send buffer.
 *
 * udpgso.sh creates the two namespaces in which this runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/io_uring.h>
#include <linux/net_tstamp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "udpgso_lib.h"

#ifndef SO_EE_ORIGIN_ZEROCOPY
#define SO_EE_ORIGIN_ZEROCOPY	5
#endif

#ifndef SO_EE_CODE_ZEROCOPY_COPIED
#define SO_EE_CODE_ZEROCOPY_COPIED	1
#endif

#define OP_SENDMSG_ZC	48	/* IORING_OP_SENDMSG_ZC, for old headers */

#define ROUND_LEN	60000	/* 43 segments, the last of 1200 bytes */
#define ROUND_SIZE	1400

static const struct expect round_exp = {
	payload, ROUND_LEN, ROUND_SIZE, 43, 1200
};

static void set_size(struct flow *f, int size)
{
	expect_ret("setsockopt UDP_SEGMENT", 0,
		   set_int(f->tx, SOL_UDP, UDP_SEGMENT, size));
}

/* Defaults: no cmsg, one iovec */
static struct gso_send round_send(struct flow *f)
{
	return (struct gso_send) {
		.to = flow_to(f),
		.data = payload,
		.len = ROUND_LEN,
		.cmsg = NO_SIZE,
	};
}

/* Corked */

static const struct cork_row {
	const char *name;
	int fams;
	int option;		/* value set before UDP_CORK */
	int pieces;
	int len;		/* of each */
	int first_cmsg;
	int later_cmsg;
	int later_option;
	int size;		/* segment size used; 0: plain */
	int err;		/* expected errno; 0: success */
	int count;
	int last;
} cork_rows[] = {
	{ "three pieces", 7, 700, 3, 1000, -1, -1, -1, 700, 0, 5, 200 },
	{ "pieces below size", 7, 700, 20, 100, -1, -1, -1, 700, 0, 3, 600 },
	{ "pieces of size", 7, 100, 10, 100, -1, -1, -1, 100, 0, 10, 100 },
	{ "pieces of two sizes", 7, 50, 10, 100, -1, -1, -1, 50, 0, 20, 50 },
	{ "one segment", 7, 1000, 4, 250, -1, -1, -1, 1000, 0, 1, 1000 },
	{ "128 pieces of 1", 7, 1, 128, 1, -1, -1, -1, 1, 0, 128, 1 },
	{ "129 pieces of 1", 7, 1, 129, 1, -1, -1, -1, 1, 0, 129, 1 },
	{ "longest payload", 5, 512, 13, 5039, -1, -1, -1, 512, 0, 128, 483 },
	{ "longest payload", 2, 512, 7, 9361, -1, -1, -1, 512, 0, 128, 503 },
	{ "longest payload + 1 byte", 7, 1000, 2, 40000, -1, -1, -1, 1000, EMSGSIZE },
	{ "option set while corked", 7, 0, 2, 500, -1, -1, 100, 0, 0, 1, 1000 },
	{ "option changed", 7, 100, 2, 500, -1, -1, 300, 100, 0, 10, 100 },
	{ "option cleared", 7, 100, 2, 500, -1, -1, 0, 100, 0, 10, 100 },
	{ "cmsg in first call", 7, 0, 2, 500, 100, -1, -1, 100, 0, 10, 100 },
	{ "cmsg in first call overrides option", 7, 300, 2, 500, 100, -1, -1, 100, 0, 10,
	  100 },
	{ "cmsg 0 in first call", 7, 100, 2, 500, 0, -1, -1, 0, 0, 1, 1000 },
	{ "cmsg in later call", 7, 0, 2, 500, -1, 100, -1, 0, 0, 1, 1000 },
	{ "cmsg in later call, option set", 7, 100, 2, 500, -1, 300, -1, 100, 0, 10,
	  100 },
};

static const char * const cork_name[] = { "UDP_CORK", "MSG_MORE" };

static void cork_pieces(struct flow *f, const struct cork_row *row, bool more)
{
	struct gso_send s = { .to = flow_to(f), .len = row->len };
	int i, want, ret;

	for (i = 0; i < row->pieces && !case_failed; i++) {
		bool last = i == row->pieces - 1;

		s.data = payload + i * row->len;
		s.cmsg = i ? row->later_cmsg : row->first_cmsg;
		s.flags = more && !last ? MSG_MORE : 0;
		want = row->len;
		if (last && row->err && (more || row->err == EMSGSIZE))
			want = -row->err;

		ret = gso_send(f->tx, &s);
		if (!expect_ret("send of a piece", want, ret))
			fail("piece %d of %d", i + 1, row->pieces);
		if (!i && row->later_option != NO_SIZE)
			set_size(f, row->later_option);
	}
}

static void cork_check(struct flow *f, const struct cork_row *row, bool more)
{
	struct expect exp = {
		payload, row->len * row->pieces, row->size, row->count,
		row->last
	};
	static const struct expect two = { payload, 200, 100, 2, 100 };

	set_size(f, row->option);
	if (!more && set_int(f->tx, SOL_UDP, UDP_CORK, 1))
		die("UDP_CORK");
	cork_pieces(f, row, more);
	if (!more && !row->err && !case_failed)
		flow_expect_none(f);
	if (!more)	/* this setsockopt() does not return send errors */
		expect_ret("setsockopt UDP_CORK 0", 0,
			   set_int(f->tx, SOL_UDP, UDP_CORK, 0));
	flow_expect(f, &exp, !row->err);

	set_size(f, 100);
	expect_ret("send after the cork", 200,
		   send_to(f->tx, flow_to(f), payload, 200));
	flow_expect(f, &two, 1);
	if (case_failed)
		fail("%s, %s", cork_name[more], state_name[f->connected]);
}

static void test_cork(const struct test_case *tc)
{
	struct flow f;
	int i;

	for (i = 0; i < 4 && !case_failed; i++) {
		if (flow_open(&f, tc->fam, tc->dev, i & 1))
			cork_check(&f, tc->row, i & 2);
		flow_close(&f);
	}
}

/* close() discards corked data. */
static void test_cork_close(const struct test_case *tc)
{
	struct flow f;

	if (flow_open(&f, tc->fam, tc->dev, false)) {
		struct gso_send s = round_send(&f);

		set_size(&f, ROUND_SIZE);
		s.flags = MSG_MORE;
		expect_ret("send", ROUND_LEN, gso_send(f.tx, &s));
		close(f.tx);
		f.tx = -1;
		flow_expect_none(&f);
	}
	flow_close(&f);
}

/* Several iovecs */

static const int piece_rows[] = { 1, 2, 7, 43, 44, 64, 500, MAX_PIECES };

static void test_pieces(const struct test_case *tc)
{
	struct flow f;

	if (flow_open(&f, tc->fam, tc->dev, false)) {
		struct gso_send s = round_send(&f);

		s.pieces = *(const int *)tc->row;
		s.cmsg = ROUND_SIZE;
		expect_ret("sendmsg", ROUND_LEN, gso_send(f.tx, &s));
		flow_expect(&f, &round_exp, 1);
	}
	flow_close(&f);
}

/* sendmmsg() */

static void test_sendmmsg(const struct test_case *tc)
{
	static const struct expect exp[] = {
		{ payload, 1000, 100, 10, 100 },
		{ payload + 1000, 1000, 300, 4, 100 },
		{ payload + 2000, 1000, 700, 2, 300 },
		{ payload + 3000, 1000, 0, 1, 1000 },
	};
	static const int cmsgs[] = { 100, 300, NO_SIZE, 0 };
	static struct gso_msg msg[4];
	struct mmsghdr hdrs[4] = {};
	struct flow f;
	int i, ret;

	if (!flow_open(&f, tc->fam, tc->dev, false))
		goto out;

	set_size(&f, 700);
	for (i = 0; i < 4; i++) {
		struct gso_send s = {
			.to = flow_to(&f),
			.data = payload + 1000 * i,
			.len = 1000,
			.cmsg = cmsgs[i],
		};

		fill_msg(&msg[i], &s);
		hdrs[i].msg_hdr = msg[i].hdr;
	}
	ret = sendmmsg(f.tx, hdrs, 4, 0);
	expect_ret("sendmmsg", 4, ret < 0 ? -errno : ret);
	for (i = 0; i < 4; i++)
		expect_long("bytes of a message", 1000, hdrs[i].msg_len);
	flow_expect(&f, exp, 4);
out:
	flow_close(&f);
}

/* The second of three messages is invalid, so only the first one is sent. */
static void test_sendmmsg_refused(const struct test_case *tc)
{
	static const int lens[] = { 1000, 65535, 1000 };
	static const struct expect exp = { payload, 1000, 100, 10, 100 };
	static struct gso_msg msg[3];
	struct mmsghdr hdrs[3] = {};
	struct flow f;
	int i, ret;

	if (!flow_open(&f, tc->fam, tc->dev, false))
		goto out;

	for (i = 0; i < 3; i++) {
		struct gso_send s = {
			.to = flow_to(&f),
			.data = payload,
			.len = lens[i],
			.cmsg = 100,
		};

		fill_msg(&msg[i], &s);
		hdrs[i].msg_hdr = msg[i].hdr;
	}
	ret = sendmmsg(f.tx, hdrs, 3, 0);
	expect_ret("sendmmsg", 1, ret < 0 ? -errno : ret);
	ret = sendmmsg(f.tx, hdrs + 1, 2, 0);
	expect_ret("sendmmsg of the invalid message", -EMSGSIZE,
		   ret < 0 ? -errno : ret);
	flow_expect(&f, &exp, 1);
out:
	flow_close(&f);
}

/* The error queue */

struct notice {
	int origin;
	int code;
	int info;
	int data;
};

/* Returns 1, or 0 if the queue is empty. */
static int read_notice(int fd, struct notice *n)
{
	char control[512], data[1];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err ee;
	struct cmsghdr *cmsg;

	memset(n, 0, sizeof(*n));
	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
		if (errno != EAGAIN)
			die("recvmsg of the error queue");
		return 0;
	}

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if ((cmsg->cmsg_level == SOL_IP &&
		     cmsg->cmsg_type == IP_RECVERR) ||
		    (cmsg->cmsg_level == SOL_IPV6 &&
		     cmsg->cmsg_type == IPV6_RECVERR)) {
			memcpy(&ee, CMSG_DATA(cmsg), sizeof(ee));
			n->origin = ee.ee_origin;
			n->code = ee.ee_code;
			n->info = ee.ee_info;
			n->data = ee.ee_data;
		}
	}

	return 1;
}

static bool wait_notice(int fd, struct notice *n)
{
	struct pollfd pfd = { .fd = fd };

	while (!read_notice(fd, n))
		if (poll(&pfd, 1, RX_TIMEOUT_MS) != 1)
			return fail("the error queue is empty");

	return true;
}

/* Zerocopy */

static void expect_completions(int fd, int count)
{
	int next = 0;
	struct notice n;

	while (next < count) {
		if (!wait_notice(fd, &n))
			return;
		if (!expect_long("origin of a completion",
				 SO_EE_ORIGIN_ZEROCOPY, n.origin) ||
		    !expect_long("first call in a completion", next, n.info))
			return;
		next = n.data + 1;
	}
	expect_long("completed calls", count, next);
	if (read_notice(fd, &n))
		fail("unexpected completion, calls %d to %d", n.info, n.data);
}

static const struct zerocopy_row {
	const char *name;
	int len;
	int size;
	int calls;
	int count;
	int last;
} zerocopy_rows[] = {
	{ "one call", ROUND_LEN, ROUND_SIZE, 1, 43, 1200 },
	{ "five calls", ROUND_LEN, ROUND_SIZE, 5, 43, 1200 },
	{ "128 segments", 65408, 511, 2, 128, 511 },
	{ "two segments", 1001, 1000, 2, 2, 1 },
	{ "one segment", 1000, 1000, 2, 1, 1000 },
};

static bool zerocopy_open(struct flow *f, const struct test_case *tc)
{
	if (!flow_open(f, tc->fam, tc->dev, false))
		return false;
	if (set_int(f->tx, SOL_SOCKET, SO_ZEROCOPY, 1))
		die("SO_ZEROCOPY");

	return true;
}

static void test_zerocopy(const struct test_case *tc)
{
	const struct zerocopy_row *row = tc->row;
	struct expect exp = {
		payload, row->len, row->size, row->count, row->last
	};
	struct flow f;
	int i;

	if (zerocopy_open(&f, tc)) {
		struct gso_send s = round_send(&f);

		s.len = row->len;
		s.cmsg = row->size;
		s.flags = MSG_ZEROCOPY;
		for (i = 0; i < row->calls && !case_failed; i++) {
			expect_ret("send", row->len, gso_send(f.tx, &s));
			flow_expect(&f, &exp, 1);
		}
		expect_completions(f.tx, row->calls);
		expect_outq_empty(f.tx);
	}
	flow_close(&f);
}

static const struct copied_row {
	const char *name;
	const char *lacks;	/* feature to turn off */
	int code;
} copied_rows[] = {
	{ "not copied", NULL, 0 },
	{ "copied, no scatter-gather", "sg", SO_EE_CODE_ZEROCOPY_COPIED },
	{ "copied, no checksum offload", "tx-checksum-ip-generic",
	  SO_EE_CODE_ZEROCOPY_COPIED },
};

static void set_feature(const char *feature, const char *state)
{
	if (feature)
		must_sh("ethtool -K gso0 %s %s > /dev/null", feature, state);
}

/* A receiver on the same host is another reason to copy the payload. For the
 * second send, a blackhole qdisc drops the packet before the receiver. The
 * completion then reports only copies that were made before the qdisc.
 */
static void test_zerocopy_copied(const struct test_case *tc)
{
	const struct copied_row *row = tc->row;
	struct notice n;
	struct flow f;

	set_feature(row->lacks, "off");
	if (zerocopy_open(&f, tc)) {
		struct gso_send s = round_send(&f);

		s.cmsg = ROUND_SIZE;
		s.flags = MSG_ZEROCOPY;
		expect_ret("send", ROUND_LEN, gso_send(f.tx, &s));
		flow_expect(&f, &round_exp, 1);
		expect_completions(f.tx, 1);

		must_sh("tc qdisc add dev gso0 root blackhole");
		expect_ret("send", ROUND_LEN, gso_send(f.tx, &s));
		if (wait_notice(f.tx, &n))
			expect_long("code of the completion", row->code,
				    n.code);
		if (read_notice(f.tx, &n))
			fail("a second completion");
		must_sh("tc qdisc del dev gso0 root");
	}
	flow_close(&f);
	set_feature(row->lacks, "on");
}

/* Sends 16 pieces, each from a page of its own. One packet can have all of them
 * as page fragments, because MAX_SKB_FRAGS is at least 17.
 */
static void test_zerocopy_pages(const struct test_case *tc)
{
	static const struct expect exp = { payload, 16000, 1400, 12, 600 };
	long page = sysconf(_SC_PAGESIZE);
	static struct gso_msg msg;
	struct flow f;
	ssize_t ret;
	char *mem;
	int i;

	mem = mmap(NULL, 32 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		die("mmap");

	if (zerocopy_open(&f, tc)) {
		struct gso_send s = round_send(&f);

		s.cmsg = 1400;
		fill_msg(&msg, &s);
		for (i = 0; i < 16; i++) {
			memcpy(mem + 2 * i * page, payload + i * 1000, 1000);
			msg.iov[i].iov_base = mem + 2 * i * page;
			msg.iov[i].iov_len = 1000;
		}
		msg.hdr.msg_iovlen = 16;
		ret = sendmsg(f.tx, &msg.hdr, MSG_ZEROCOPY);
		expect_ret("send", 16000, ret < 0 ? -errno : ret);
		flow_expect(&f, &exp, 1);
		expect_completions(f.tx, 1);
	}
	flow_close(&f);
	munmap(mem, 32 * page);
}

/* Splice */

static void test_sendfile(const struct test_case *tc)
{
	int fd = memfd_create("udpgso", 0);
	struct flow f;
	off_t off = 0;
	ssize_t ret;

	if (fd < 0 || write(fd, payload, ROUND_LEN) != ROUND_LEN)
		die("memfd");

	if (flow_open(&f, tc->fam, tc->dev, true)) {
		set_size(&f, ROUND_SIZE);
		ret = sendfile(f.tx, fd, &off, ROUND_LEN);
		expect_ret("sendfile", ROUND_LEN, ret < 0 ? -errno : ret);
		flow_expect(&f, &round_exp, 1);
	}
	flow_close(&f);
	close(fd);
}

static void test_splice(const struct test_case *tc)
{
	struct flow f;
	ssize_t ret;
	int fd[2];

	if (pipe(fd) || write(fd[1], payload, ROUND_LEN) != ROUND_LEN)
		die("pipe");

	if (flow_open(&f, tc->fam, tc->dev, true)) {
		set_size(&f, ROUND_SIZE);
		ret = splice(fd[0], NULL, f.tx, NULL, ROUND_LEN, 0);
		expect_ret("splice", ROUND_LEN, ret < 0 ? -errno : ret);
		flow_expect(&f, &round_exp, 1);
	}
	flow_close(&f);
	close(fd[0]);
	close(fd[1]);
}

/* io_uring: one submission at a time */

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *ring_map(const struct ring *r, size_t len, off_t off)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			 off);

	if (mem == MAP_FAILED)
		die("mmap of io_uring");

	return mem;
}

static bool ring_open(struct ring *r)
{
	struct io_uring_params p = {};
	void *sq, *cq;

	r->fd = syscall(__NR_io_uring_setup, 4, &p);
	if (r->fd < 0)
		return false;

	sq = ring_map(r, p.sq_off.array + p.sq_entries * sizeof(unsigned int),
		      IORING_OFF_SQ_RING);
	cq = ring_map(r, p.cq_off.cqes +
			 p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	r->sqes = ring_map(r, p.sq_entries * sizeof(struct io_uring_sqe),
			   IORING_OFF_SQES);
	r->sq_tail = sq + p.sq_off.tail;
	r->sq_mask = sq + p.sq_off.ring_mask;
	r->sq_array = sq + p.sq_off.array;
	r->cq_head = cq + p.cq_off.head;
	r->cq_tail = cq + p.cq_off.tail;
	r->cq_mask = cq + p.cq_off.ring_mask;
	r->cqes = cq + p.cq_off.cqes;

	return true;
}

static int ring_wait(struct ring *r)
{
	unsigned int head = *r->cq_head;
	int res;

	while (__atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) == head)
		if (syscall(__NR_io_uring_enter, r->fd, 0, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
	res = r->cqes[head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);

	return res;
}

static int ring_sendmsg(struct ring *r, int op, int fd, struct msghdr *msg)
{
	unsigned int tail = *r->sq_tail, i = tail & *r->sq_mask;
	struct io_uring_sqe *sqe = &r->sqes[i];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)msg;
	sqe->len = 1;
	r->sq_array[i] = i;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) != 1)
		die("io_uring_enter");

	return ring_wait(r);
}

static const struct uring_row {
	const char *name;
	int op;
	int len;
	int ret;
} uring_rows[] = {
	{ "sendmsg", IORING_OP_SENDMSG, ROUND_LEN, ROUND_LEN },
	{ "sendmsg, refused", IORING_OP_SENDMSG, 65535, -EMSGSIZE },
	{ "SENDMSG_ZC", OP_SENDMSG_ZC, ROUND_LEN, ROUND_LEN },
};

static void test_uring(const struct test_case *tc)
{
	const struct uring_row *row = tc->row;
	static struct gso_msg msg;
	struct ring ring;
	struct flow f;

	if (!ring_open(&ring)) {
		case_skipped = "no io_uring";
		return;
	}

	if (flow_open(&f, tc->fam, tc->dev, false)) {
		struct gso_send s = round_send(&f);

		s.len = row->len;
		s.cmsg = ROUND_SIZE;
		fill_msg(&msg, &s);
		expect_ret("completion", row->ret,
			   ring_sendmsg(&ring, row->op, f.tx, &msg.hdr));
		flow_expect(&f, &round_exp, row->ret > 0);
		if (row->op == OP_SENDMSG_ZC)
			expect_ret("notification", 0, ring_wait(&ring));
	}
	flow_close(&f);
	close(ring.fd);
}

/* The send buffer */

static void test_small_sndbuf(const struct test_case *tc)
{
	struct flow f;
	int i;

	if (flow_open(&f, tc->fam, tc->dev, false)) {
		struct gso_send s = round_send(&f);

		set_size(&f, ROUND_SIZE);
		if (set_int(f.tx, SOL_SOCKET, SO_SNDBUF, 1))
			die("SO_SNDBUF");
		for (i = 0; i < 20 && !case_failed; i++) {
			expect_ret("send", ROUND_LEN, gso_send(f.tx, &s));
			flow_expect(&f, &round_exp, 1);
		}
		expect_outq_empty(f.tx);
	}
	flow_close(&f);
}

static bool qdisc_add(const char *what)
{
	if (!sh("tc qdisc add dev gso0 root %s 2> /dev/null", what))
		return true;

	case_skipped = "no such queueing discipline";
	return false;
}

static void qdisc_del(void)
{
	must_sh("tc qdisc del dev gso0 root");
}

/* Sends with a transmit time (SO_TXTIME), which some queueing disciplines
 * support, and with MSG_ZEROCOPY.
 */
static int send_later(struct flow *f, int seconds)
{
	const struct sock_txtime txtime = { .clockid = CLOCK_MONOTONIC };
	struct gso_send s = round_send(f);
	union {
		char buf[CMSG_SPACE(sizeof(__u64))];
		struct cmsghdr align;
	} control = {};
	static struct gso_msg msg;
	struct cmsghdr *cmsg;
	struct timespec now;
	__u64 when;
	ssize_t ret;

	if (setsockopt(f->tx, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)))
		die("SO_TXTIME");
	clock_gettime(CLOCK_MONOTONIC, &now);
	when = (now.tv_sec + seconds) * 1000000000ull;

	fill_msg(&msg, &s);
	msg.hdr.msg_control = control.buf;
	msg.hdr.msg_controllen = sizeof(control.buf);
	cmsg = CMSG_FIRSTHDR(&msg.hdr);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_TXTIME;
	cmsg->cmsg_len = CMSG_LEN(sizeof(when));
	memcpy(CMSG_DATA(cmsg), &when, sizeof(when));
	ret = sendmsg(f->tx, &msg.hdr, MSG_ZEROCOPY);

	return ret < 0 ? -errno : ret;
}

static const struct charged_row {
	const char *name;
	const char *qdisc;
	int delay;		/* seconds, for SO_TXTIME */
} charged_rows[] = {
	{ "GSO packet queued", "fq horizon 600s", 300 },
	{ "segments queued", "tbf rate 1kbit burst 2000 limit 1000000", 0 },
};

/* While packets are queued, they are charged to the socket, and there is no
 * MSG_ZEROCOPY completion.
 */
static void test_charged(const struct test_case *tc)
{
	const struct charged_row *row = tc->row;
	struct notice n;
	struct flow f;
	int outq;

	if (!zerocopy_open(&f, tc))
		goto out;
	if (!qdisc_add(row->qdisc))
		goto out;

	set_size(&f, ROUND_SIZE);
	expect_ret("send", ROUND_LEN, send_later(&f, row->delay));
	if (ioctl(f.tx, SIOCOUTQ, &outq))
		die("SIOCOUTQ");
	if (outq < ROUND_LEN / 2)
		fail("SIOCOUTQ: expected at least %d, got %d", ROUND_LEN / 2,
		     outq);
	if (read_notice(f.tx, &n))
		fail("completion of a packet that is still queued");
	qdisc_del();

	expect_outq_empty(f.tx);
	expect_completions(f.tx, 1);
out:
	flow_close(&f);
}

/* A sender that waits for room in its send buffer must continue when segments
 * have left the queue.
 */
static void test_sender_wakes(const struct test_case *tc)
{
	struct expect exp[20];
	struct flow f;
	int i;

	if (!flow_open(&f, tc->fam, tc->dev, false))
		goto out;
	if (!qdisc_add(tc->row))
		goto out;

	struct gso_send s = round_send(&f);

	set_size(&f, ROUND_SIZE);
	if (set_int(f.tx, SOL_SOCKET, SO_SNDBUF, 1))
		die("SO_SNDBUF");
	for (i = 0; i < 20; i++) {
		exp[i] = round_exp;
		expect_ret("send", ROUND_LEN, gso_send(f.tx, &s));
	}
	flow_expect(&f, exp, 20);
	expect_outq_empty(f.tx);
	qdisc_del();
out:
	flow_close(&f);
}

/* Another task changes the option. Each call must use only one of the two
 * values.
 */

static void flip_size(int fd)
{
	cpu_set_t all;
	int i;

	CPU_ZERO(&all);
	for (i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	sched_setaffinity(0, sizeof(all), &all);

	for (;;) {
		set_int(fd, SOL_UDP, UDP_SEGMENT, 100);
		set_int(fd, SOL_UDP, UDP_SEGMENT, 300);
	}
}

static void test_flip(const struct test_case *tc)
{
	static const struct expect exps[] = {
		{ payload, 2000, 100, 20, 100 },
		{ payload, 2000, 300, 7, 200 },
	};
	struct flow f;
	char byte;
	pid_t pid;
	int i;

	if (!flow_open(&f, tc->fam, tc->dev, true))
		goto out;

	set_size(&f, 100);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		flip_size(f.tx);

	for (i = 0; i < 300 && !case_failed; i++) {
		int len;

		expect_ret("send", 2000, send_to(f.tx, NULL, payload, 2000));
		send_fence(f.fence, &f.fence_to);
		if (!readable(f.rx, RX_TIMEOUT_MS))
			die("no datagram");
		len = recv(f.rx, &byte, 1, MSG_PEEK | MSG_TRUNC);
		expect_rx(f.rx, &f.from, &exps[len == 300], 1);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
out:
	flow_close(&f);
}

/* Timestamps: each call has one timestamp of each type. */

static const struct tstamp_row {
	const char *name;
	int flags;
	int len;
} tstamp_rows[] = {
	{ "sent", SOF_TIMESTAMPING_TX_SOFTWARE, ROUND_LEN },
	{ "queued and sent",
	  SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED, ROUND_LEN },
	{ "sent, one segment", SOF_TIMESTAMPING_TX_SOFTWARE, 1000 },
};

static void expect_tstamps(int fd, int calls, bool sched)
{
	int seen[2][8] = {};
	struct notice n;
	int i, type;

	while (read_notice(fd, &n)) {
		if (n.origin != SO_EE_ORIGIN_TIMESTAMPING ||
		    (n.info != SCM_TSTAMP_SND && n.info != SCM_TSTAMP_SCHED) ||
		    n.data < 0 || n.data >= calls) {
			fail("notice of origin %d, info %d, data %d", n.origin,
			     n.info, n.data);
			return;
		}
		seen[n.info == SCM_TSTAMP_SCHED][n.data]++;
	}

	for (type = 0; type < 2; type++)
		for (i = 0; i < calls; i++)
			if (!expect_long("timestamps of a call",
					 !type || sched, seen[type][i]))
				fail("call %d, %s", i,
				     type ? "queued" : "sent");
}

static void test_tstamp(const struct test_case *tc)
{
	const struct tstamp_row *row = tc->row;
	struct expect exp[3];
	struct flow f;
	int i;

	if (!flow_open(&f, tc->fam, tc->dev, false))
		goto out;

	struct gso_send s = round_send(&f);

	set_size(&f, ROUND_SIZE);
	if (set_int(f.tx, SOL_SOCKET, SO_TIMESTAMPING,
		    row->flags | SOF_TIMESTAMPING_SOFTWARE |
		    SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY))
		die("SO_TIMESTAMPING");
	s.len = row->len;
	for (i = 0; i < 3; i++) {
		exp[i] = round_exp;
		if (row->len < ROUND_LEN)
			exp[i] = (struct expect) { payload, 1000, 0, 1, 1000 };
		expect_ret("send", row->len, gso_send(f.tx, &s));
	}
	flow_expect(&f, exp, 3);
	expect_tstamps(f.tx, 3, row->flags & SOF_TIMESTAMPING_TX_SCHED);
out:
	flow_close(&f);
}

/* Runs test_tstamp() on a device without USO. */
static void test_tstamp_segmented(const struct test_case *tc)
{
	if (sh("ethtool -K gso0 tx-udp-segmentation off > /dev/null 2>&1")) {
		fail("veth has no feature tx-udp-segmentation");
		return;
	}
	test_tstamp(tc);
	must_sh("ethtool -K gso0 tx-udp-segmentation on");
}

/* Multicast: sent over the device, and looped back to two local sockets */

#define GROUP4	"239.255.7.7"
#define GROUP6	"ff15::7:7"

static void join(int fd, enum family fam)
{
	struct group_req req = { .gr_interface = if_nametoindex("gso0") };
	struct addr group = addr_of(fam, GROUP4, GROUP6, 0);

	memcpy(&req.gr_group, &group.sa, group.len);
	if (setsockopt(fd, fam == V4 ? SOL_IP : SOL_IPV6, MCAST_JOIN_GROUP,
		       &req, sizeof(req)))
		die("MCAST_JOIN_GROUP");
}

static void send_to_group(int fd, enum family fam)
{
	struct ip_mreqn mreq = { .imr_ifindex = if_nametoindex("gso0") };
	int err;

	if (fam == V4)
		err = setsockopt(fd, SOL_IP, IP_MULTICAST_IF, &mreq,
				 sizeof(mreq));
	else
		err = set_int(fd, SOL_IPV6, IPV6_MULTICAST_IF,
			      mreq.imr_ifindex);
	if (err)
		die("MULTICAST_IF");
}

static int local_rx(enum family fam, int port)
{
	struct addr any = addr_of(fam, "0.0.0.0", "::", port);
	int fd = udp_socket(socket_domain(fam), IPPROTO_UDP, SOCK_NONBLOCK);

	if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
	    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20) ||
	    bind(fd, &any.sa, any.len))
		die("local receiver");
	join(fd, fam);

	return fd;
}

static void test_multicast(const struct test_case *tc)
{
	int port, local[2];
	struct flow f;

	if (!flow_open(&f, tc->fam, VETH, false))
		goto out;

	port = addr_port(&f.to);
	f.to = addr_of(tc->fam, GROUP4, GROUP6, port);
	f.fence_to = f.to;
	enter_netns(peer_netns);
	join(f.rx, tc->fam);
	enter_netns(home_netns);
	local[0] = local_rx(tc->fam, port);
	local[1] = local_rx(tc->fam, port);
	send_to_group(f.tx, tc->fam);
	send_to_group(f.fence, tc->fam);

	set_size(&f, ROUND_SIZE);
	expect_ret("send", ROUND_LEN,
		   send_to(f.tx, &f.to, payload, ROUND_LEN));
	flow_expect(&f, &round_exp, 1);
	expect_rx(local[0], &f.from, &round_exp, 1);
	expect_rx(local[1], &f.from, &round_exp, 1);
	close(local[0]);
	close(local[1]);
out:
	flow_close(&f);
}

static void add_cases(enum family fam, int dev)
{
	const char *f = family_name[fam], *d = paths[dev].name;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cork_rows); i++)
		if (cork_rows[i].fams & (1 << fam))
			add_case(test_cork, &cork_rows[i], fam, dev,
				 "cork: %s %s %s", f, d, cork_rows[i].name);
	add_case(test_cork_close, NULL, fam, dev, "cork: %s %s closed while corked", f, d);
	for (i = 0; i < ARRAY_SIZE(piece_rows); i++)
		add_case(test_pieces, &piece_rows[i], fam, dev,
			 "pieces: %s %s %d", f, d, piece_rows[i]);
	add_case(test_sendmmsg, NULL, fam, dev, "sendmmsg: %s %s", f, d);
	add_case(test_sendmmsg_refused, NULL, fam, dev,
		 "sendmmsg: %s %s second refused", f, d);
	for (i = 0; i < ARRAY_SIZE(zerocopy_rows); i++)
		add_case(test_zerocopy, &zerocopy_rows[i], fam, dev,
			 "zerocopy: %s %s %s", f, d, zerocopy_rows[i].name);
	add_case(test_zerocopy_pages, NULL, fam, dev,
		 "zerocopy: %s %s 16 pages", f, d);
	add_case(test_sendfile, NULL, fam, dev, "splice: %s %s sendfile", f, d);
	add_case(test_splice, NULL, fam, dev, "splice: %s %s pipe", f, d);
	for (i = 0; i < ARRAY_SIZE(uring_rows); i++)
		add_case(test_uring, &uring_rows[i], fam, dev,
			 "io_uring: %s %s %s", f, d, uring_rows[i].name);
	add_case(test_small_sndbuf, NULL, fam, dev, "sndbuf: %s %s smallest", f,
		 d);
	add_case(test_flip, NULL, fam, dev,
		 "race: %s %s another task sets the option", f, d);
	for (i = 0; i < ARRAY_SIZE(tstamp_rows); i++)
		add_case(test_tstamp, &tstamp_rows[i], fam, dev,
			 "timestamp: %s %s %s", f, d, tstamp_rows[i].name);
}

static void add_veth_cases(enum family fam)
{
	const char *f = family_name[fam];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tstamp_rows); i++)
		add_case(test_tstamp_segmented, &tstamp_rows[i], fam, VETH,
			 "timestamp: %s USO off, %s", f,
			 tstamp_rows[i].name);
	for (i = 0; i < ARRAY_SIZE(copied_rows); i++)
		add_case(test_zerocopy_copied, &copied_rows[i], fam, VETH,
			 "zerocopy: %s %s", f, copied_rows[i].name);
	for (i = 0; i < ARRAY_SIZE(charged_rows); i++)
		add_case(test_charged, &charged_rows[i], fam, VETH,
			 "sndbuf: %s charged, %s", f, charged_rows[i].name);
	add_case(test_sender_wakes, "tbf rate 1gbit burst 20000 limit 4000000",
		 fam, VETH, "sndbuf: %s sender wakes", f);
	if (fam != MAPPED)
		add_case(test_multicast, NULL, fam, VETH, "multicast: %s", f);
}

int main(int argc, char **argv)
{
	enum family fam;
	int dev;

	if (argc < 2)
		ksft_exit_fail_msg("usage: %s PEER_NETNS [FILTER]\n", argv[0]);

	open_netns(argv[1]);
	payload_init();
	pin_cpu();

	for (fam = V4; fam < FAMILIES; fam++) {
		for (dev = LO; dev <= VETH; dev++)
			add_cases(fam, dev);
		add_veth_cases(fam);
	}
	run_cases(argc > 2 ? argv[2] : NULL);

	return 0;
}
