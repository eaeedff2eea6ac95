// SPDX-License-Identifier: GPL-2.0
/* Tests that senders are woken up when there is room in the send buffer again.
 *
 * A queue delays the packets, and senders wait with different system calls.
 * Each sender must continue when its datagrams have left the queue. At the end,
 * no packet may be charged to the socket.
 *
 * A GSO packet of 20000 bytes fills the send buffer, so that each send waits
 * for the previous one. Datagrams leave the queue on one CPU while senders go
 * to sleep on another CPU. A watchdog detects a lost wake-up: the sender makes
 * no progress although its socket is writable. This is an error only after
 * LOOKS_LOST observations in a row, because a pause of a virtual machine also
 * delays the sender.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <sys/epoll.h>

#include "udpgso_topo.h"

#define SIZE		1000
#define SENDS		200
#define SNDBUF		8192	/* doubled; less than a GSO packet */
#define LOOK_MS		50
#define LOOKS_LOST	40	/* in a row */
#define LOOKS_STUCK	300
#define WAIT_MS		20000	/* only after a failure */

/* Methods to wait */

enum wait { BLOCK, POLL, LEVEL, EDGE, NR_WAITS };

static const char * const wait_name[] = {
	"blocking", "poll()", "level-triggered epoll", "edge-triggered epoll",
};

struct sender {
	pthread_t thread;
	enum wait wait;
	const struct ends *ends;
	int nr;
	int fd, epoll;
	int len;
	int waits;
	int done;		/* number of sends, read by the watchdog */
	int err;
	int seen, looks, writable;	/* used by the watchdog */
};

static bool stopped;

static void wait_writable(struct sender *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
	struct epoll_event event;

	if (s->wait == POLL)
		poll(&pfd, 1, WAIT_MS);
	else
		epoll_wait(s->epoll, &event, 1, WAIT_MS);
}

static void spread(int nr)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(nr % cpus, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static bool is_stopped(void)
{
	return __atomic_load_n(&stopped, __ATOMIC_RELAXED);
}

/* Threads cannot use send_to(), which has one static message. */
static int sender_send(struct sender *s)
{
	const struct addr *to = &s->ends->to;
	int ret;

	for (;;) {
		ret = sendto(s->fd, payload, s->len, 0, &to->sa, to->len);
		ret = ret < 0 ? -errno : ret;
		if (ret != -EAGAIN || s->wait == BLOCK || is_stopped())
			return ret;
		wait_writable(s);
		s->waits++;
	}
}

static void *sender_run(void *arg)
{
	struct sender *s = arg;
	int i, ret;

	spread(s->nr / NR_WAITS + s->nr);
	for (i = 0; i < SENDS && !is_stopped(); i++) {
		ret = sender_send(s);
		if (ret != s->len) {
			__atomic_store_n(&s->err, ret ? ret : -EIO,
					 __ATOMIC_RELEASE);
			break;
		}
		__atomic_store_n(&s->done, i + 1, __ATOMIC_RELEASE);
	}

	return NULL;
}

static void sender_start(struct sender *s, const struct ends *e, int nr,
			 int len)
{
	const struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	struct epoll_event event = { .events = EPOLLOUT };
	struct addr from = e->from;

	memset(s, 0, sizeof(*s));
	s->nr = nr;
	s->wait = nr % NR_WAITS;
	s->ends = e;
	s->len = len;
	from.v4.sin_port = 0;
	s->fd = udp_socket(from.sa.sa_family, IPPROTO_UDP,
			   s->wait == BLOCK ? 0 : SOCK_NONBLOCK);
	if (bind(s->fd, &from.sa, from.len) ||
	    set_int(s->fd, SOL_SOCKET, SO_SNDBUF, SNDBUF) ||
	    setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		die("socket of a sender");
	if (len > SIZE && set_int(s->fd, SOL_UDP, UDP_SEGMENT, SIZE))
		die("UDP_SEGMENT");

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->wait == EDGE)
		event.events |= EPOLLET;
	if (s->epoll < 0 ||
	    (s->wait >= LEVEL &&
	     epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fd, &event)))
		die("epoll");
	if (pthread_create(&s->thread, NULL, sender_run, s))
		die("thread");
}

/* Returns false if the sender has finished, has failed or is stuck. */
static bool sender_look(struct sender *s)
{
	int done = __atomic_load_n(&s->done, __ATOMIC_ACQUIRE);
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
	int outq = -1;

	if (__atomic_load_n(&s->err, __ATOMIC_ACQUIRE) || done == SENDS)
		return false;

	if (done != s->seen) {
		s->seen = done;
		s->looks = 0;
		s->writable = 0;
		return true;
	}

	s->looks++;
	if (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT))
		s->writable++;
	else
		s->writable = 0;
	if (s->writable < LOOKS_LOST && s->looks < LOOKS_STUCK)
		return true;

	ioctl(s->fd, SIOCOUTQ, &outq);
	fail("sender %d, %s: %s after %d sends, %d bytes charged", s->nr,
	     wait_name[s->wait],
	     s->writable < LOOKS_LOST ? "stuck" : "lost a wake-up", done, outq);

	return false;
}

static void watch(struct sender *senders, int nr)
{
	bool busy = true;
	int i;

	while (busy && !case_failed) {
		usleep(LOOK_MS * 1000);
		for (busy = false, i = 0; i < nr; i++)
			busy |= sender_look(&senders[i]);
	}
}

static void sender_end(struct sender *s, bool delayed)
{
	char what[64];

	snprintf(what, sizeof(what), "sends of sender %d, %s", s->nr,
		 wait_name[s->wait]);
	pthread_join(s->thread, NULL);
	expect_ret("send", 0, s->err);
	expect_long(what, SENDS, s->done);
	if (delayed && s->wait != BLOCK && !s->waits)
		fail("sender %d, %s: did not wait", s->nr,
		     wait_name[s->wait]);
	expect_outq_empty(s->fd);
	close(s->epoll);
	close(s->fd);
}

static const struct topo veth = { "veth" };

/* The queueing discipline sends GSO packets or single datagrams. */
static const struct row {
	const char *name;
	const char *features;
	const char *qdisc;	/* %d is the rate in kbit/s */
	int kbit;		/* 0: no delay */
	int len;
} rows[] = {
	{ "tbf, the queue segments", "",
	  "tbf rate %dkbit burst 4kb limit 16mb", 500000, 20000 },
	{ "tbf, USO off", "tx:d0 uso-",
	  "tbf rate %dkbit burst 40kb limit 16mb", 500000, 20000 },
	{ "tbf, no checksum offload", "tx:d0 csum-",
	  "tbf rate %dkbit burst 40kb limit 16mb", 500000, 20000 },
	{ "tbf, unsegmented", "",
	  "tbf rate %dkbit burst 40kb limit 16mb", 500000, 20000 },
	{ "tbf, two segments", "",
	  "tbf rate %dkbit burst 2kb limit 16mb", 20000, 2 * SIZE },
	{ "tbf, plain sends", "",
	  "tbf rate %dkbit burst 2kb limit 16mb", 8000, SIZE },
	{ "fq, USO off", "tx:d0 uso-",
	  "fq maxrate %dkbit quantum 2000 initial_quantum 2000", 60000, 20000 },
	{ "pfifo, USO off", "tx:d0 uso-", "pfifo limit 10000",
	  0, 20000 },
};

/* Returns the rate of the queue in kbit/s. The senders wait only if the queue
 * is slower than all senders together, so the rate is at most a quarter of the
 * rate of one sender.
 */
static int row_kbit(const struct ends *e, const struct row *row)
{
	const int nr = 64, bits = 8 * row->len;
	const struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = row->len,
		.cmsg = SIZE,
	};
	struct timespec start, end;
	long long ns, kbit;
	int i;

	if (!row->kbit)
		return 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < nr; i++)
		expect_ret("send", row->len, gso_send(e->tx, &s));
	clock_gettime(CLOCK_MONOTONIC, &end);
	ns = (end.tv_sec - start.tv_sec) * 1000000000LL + end.tv_nsec -
	     start.tv_nsec;
	kbit = nr * bits * 1000000LL / ns / 4;

	return kbit < row->kbit ? kbit : row->kbit;
}

static void test_row(const struct test_case *tc)
{
	struct sender senders[2 * NR_WAITS];
	const struct row *row = tc->row;
	struct ends e;
	char queue[96];
	int i;

	if (!topo_open(&e, &veth, row->features, tc->fam))
		goto close;
	snprintf(queue, sizeof(queue), row->qdisc, row_kbit(&e, row));
	if (!tc_in(TX, "qdisc add dev d0 root %s", queue))
		goto close;

	stopped = false;
	for (i = 0; i < (int)ARRAY_SIZE(senders); i++)
		sender_start(&senders[i], &e, i, row->len);
	watch(senders, ARRAY_SIZE(senders));
	__atomic_store_n(&stopped, case_failed, __ATOMIC_RELAXED);
	/* a sender that was not woken up sleeps until the timeout */
	for (i = 0; i < (int)ARRAY_SIZE(senders); i++)
		sender_end(&senders[i], row->kbit);
	tc_in(TX, "qdisc del dev d0 root");
close:
	ends_close(&e);
}

int main(int argc, char **argv)
{
	enum family fam;
	size_t i;

	topo_init();
	printf("# %ld CPUs\n", sysconf(_SC_NPROCESSORS_ONLN));
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (fam = V4; fam <= V6; fam++)
			add_case(test_row, &rows[i], fam, 0, "%s: %s",
				 rows[i].name, family_name[fam]);
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
