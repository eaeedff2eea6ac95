// SPDX-License-Identifier: GPL-2.0
/* Tests the limits of one call with UDP_SEGMENT.
 *
 * A send that is split at the socket can have up to 65,507 datagrams with IPv4
 * and 65,527 with IPv6. The kernel may create at most 128 segments at a time,
 * and at most 128 packets more than the send buffer allows. A blocking send
 * must wait for room in the send buffer and lose no datagram there. Datagrams
 * that are lost with MSG_DONTWAIT or in a full queue must be counted. Some
 * errors occur only with two CPUs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/net_tstamp.h>
#include <pthread.h>
#include <sys/mount.h>

#include "udpgso_topo.h"

#ifndef UDP_NO_CHECK6_RX
#define UDP_NO_CHECK6_RX	102
#endif

#ifndef SO_EE_CODE_ZEROCOPY_COPIED
#define SO_EE_CODE_ZEROCOPY_COPIED	1
#endif

#define TRUESIZE	2304	/* at most, of a short datagram */
#define SNDBUF		100000	/* doubled by the kernel */
#define BOUND(sndbuf)	(2 * (sndbuf) + (1 << 17) +		\
			 UDP_SEGMENTS_MAX * TRUESIZE)

#define BLOCKED	"qdisc add dev d0 root handle 1: tbf rate 8bit burst 1600 "
#define SLOW	"qdisc add dev d0 root tbf rate 4mbit burst 4kb limit 200mb"
#define OPEN	"qdisc change dev d0 root handle 1: "		\
		"tbf rate 1gbit burst 1mb limit 200mb"
#define CLOSE	"qdisc del dev d0 root"

/* The tracepoint, in a separate trace instance */

#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/udpgso_bounded"
#define EVENT		INSTANCE "/events/udp/udp_gso_segment/enable"

static bool traced;

static void trace_close(void)
{
	rmdir(INSTANCE);
}

static void trace_open(void)
{
	int fd;

	if (mount("tracefs", TRACING, "tracefs", 0, NULL) && errno != EBUSY)
		die("tracefs");
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		die(INSTANCE);
	atexit(trace_close);
	fd = open(EVENT, O_WRONLY);
	traced = fd >= 0 && write(fd, "1", 1) == 1;
	close(fd);
}

static FILE *trace_file(const char *mode)
{
	FILE *file = fopen(INSTANCE "/trace", mode);

	if (!file)
		die("trace");

	return file;
}

/* Returns the largest number of segments of one traced packet. They are created
 * at once, with bottom halves disabled.
 */
static int trace_most_segs(void)
{
	int len, size, most = 0;
	FILE *file = trace_file("r");
	char line[512], *text;

	while (fgets(line, sizeof(line), file)) {
		text = strstr(line, " len=");
		if (!text || sscanf(text, " len=%d gso_size=%d", &len,
				    &size) != 2 || !size)
			continue;
		len -= 8;	/* UDP header */
		if (len > most * size)
			most = (len + size - 1) / size;
	}
	fclose(file);

	return most;
}

/* Counters of Udp, UdpLite, Udp6 or UdpLite6 in the sender's namespace */

static long counter_v4(const char *proto, const char *name)
{
	FILE *file = fopen("/proc/thread-self/net/snmp", "r");
	char names[1024], values[1024], *n, *v, *np, *vp;
	size_t len = strlen(proto);
	long val = -1;

	if (!file)
		die("snmp");
	while (val < 0 && fgets(names, sizeof(names), file) &&
	       fgets(values, sizeof(values), file)) {
		if (strncmp(names, proto, len) || names[len] != ':')
			continue;
		n = strtok_r(names, "\n ", &np);
		v = strtok_r(values, "\n ", &vp);
		while (n && v && strcmp(n, name)) {
			n = strtok_r(NULL, "\n ", &np);
			v = strtok_r(NULL, "\n ", &vp);
		}
		if (n && v)
			val = atol(v);
	}
	fclose(file);

	return val;
}

static long counter(enum family fam, int proto, const char *name)
{
	const char *lite = proto == IPPROTO_UDPLITE ? "Lite" : "";
	char want[64], line[128], got[64];
	long n, val = -1;
	FILE *file;

	if (fam != V6) {
		snprintf(want, sizeof(want), "Udp%s", lite);
		return counter_v4(want, name);
	}

	snprintf(want, sizeof(want), "Udp%s6%s", lite, name);
	file = fopen("/proc/thread-self/net/snmp6", "r");
	if (!file)
		die("snmp6");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld", got, &n) == 2 &&
		    !strcmp(got, want))
			val = n;
	fclose(file);

	return val;
}

struct counts {
	long sent, errors;
};

static struct counts counts_now(enum family fam, int proto)
{
	return (struct counts) {
		.sent = counter(fam, proto, "OutDatagrams"),
		.errors = counter(fam, proto, "SndbufErrors"),
	};
}

static struct counts counts_since(enum family fam, int proto,
				  struct counts was)
{
	struct counts now = counts_now(fam, proto);

	now.sent -= was.sent;
	now.errors -= was.errors;

	return now;
}

/* Conditions under which a send is split at the socket */

static const struct topo veth = { "veth" };
static const struct topo one_seg = {
	"one segment", .tx = "link set d0 gso_max_segs 1",
};

static const struct topo two_segs = {
	"two segments", .tx = "link set d0 gso_max_segs 2",
};

static const struct kind {
	const char *name;
	const struct topo *topo;
	int fams;
	int proto;		/* 0: UDP */
	bool no_check;
	bool ipsec;
	bool small_mtu;
	int len, size;
	bool two_segs;		/* sends packets of two segments */
} kinds[] = {
	{ "no checksum", &veth, 3, .no_check = true, .len = 65507, .size = 1 },
	{ "UDP-Lite", &veth, 3, .proto = IPPROTO_UDPLITE, .len = 65507,
	  .size = 1 },
	{ "IPsec", &veth, 3, .ipsec = true, .len = 65507, .size = 1 },
	{ "over the MTU", &veth, 1, .small_mtu = true, .len = 65507,
	  .size = 41 },
	{ "gso_max_segs 1", &one_seg, 3, .len = 65507, .size = 1 },
	{ "gso_max_segs 2", &two_segs, 3, .len = 65507, .size = 1,
	  .two_segs = true },
};

#define ESP4	"src 192.0.2.1 dst 192.0.2.2 proto esp spi 1"
#define ESP6	"src 2001:db8::1 dst 2001:db8::2 proto esp spi 1"
#define NO_CIPHER	"mode transport enc ecb(cipher_null) \"\";"
#define TMPL	"dir out tmpl proto esp mode transport;"

static bool kind_set(const struct kind *k, bool on)
{
	if (k->ipsec)
		return on ? ip_in(TX, "xfrm state add " ESP4 " " NO_CIPHER
				  "xfrm state add " ESP6 " " NO_CIPHER
				  "xfrm policy add dst 192.0.2.2 " TMPL
				  "xfrm policy add dst 2001:db8::2 " TMPL) :
			    ip_in(TX, "xfrm policy flush;xfrm state flush");
	if (k->small_mtu)
		return ip_in(TX, on ? "route add 192.0.2.2 dev d0 mtu lock 68" :
				      "route del 192.0.2.2");

	return true;
}

static void set_no_check(int fd, enum family fam, int val)
{
	if (fam == V6 ? set_int(fd, SOL_UDP, UDP_NO_CHECK6_TX, val) :
			set_int(fd, SOL_SOCKET, SO_NO_CHECK, val))
		die("no checksum");
}

static int kind_socket(const struct kind *k, const struct ends *e, int sndbuf)
{
	int fd = udp_socket(socket_domain(e->fam),
			    k->proto ? k->proto : IPPROTO_UDP, 0);

	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, sndbuf))
		die("SO_SNDBUFFORCE");
	if (k->no_check)
		set_no_check(fd, e->fam, 1);

	return fd;
}

/* The queue sends at most the first packets, and the sender does not wait. */

static bool expect_bounded(int fd, int sndbuf)
{
	int outq;

	if (ioctl(fd, SIOCOUTQ, &outq))
		die("SIOCOUTQ");
	printf("# %d bytes charged, limit %d\n", outq, BOUND(sndbuf));
	if (outq > BOUND(sndbuf))
		return fail("SIOCOUTQ: %d bytes", outq);

	return true;
}

static void check_blocked_queue(const struct kind *k, const struct ends *e)
{
	int proto = k->proto ? k->proto : IPPROTO_UDP;
	int segs = (k->len + k->size - 1) / k->size;
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = k->len,
		.cmsg = k->size,
		.flags = MSG_DONTWAIT,
	};
	struct counts n;
	int fd, most;

	fd = kind_socket(k, e, SNDBUF);
	n = counts_now(e->fam, proto);
	fclose(trace_file("w"));
	expect_ret("send", k->len, gso_send(fd, &s));
	most = trace_most_segs();
	n = counts_since(e->fam, proto, n);
	printf("# %ld packets sent, %ld lost, %d segments made at once\n",
	       n.sent, n.errors, most);
	expect_bounded(fd, SNDBUF);
	/* without errors, the last packet has one segment if segs is odd */
	if (k->two_segs && n.errors < segs)
		segs += !n.errors && segs & 1;
	expect_long("datagrams sent or counted as lost", segs,
		    n.sent * (k->two_segs ? 2 : 1) + n.errors);
	if (!n.sent)
		fail("nothing has been sent");
	if (!traced)
		fail("no tracepoint udp:udp_gso_segment");
	else if (most > UDP_SEGMENTS_MAX)
		fail("%d segments made at once", most);
	close(fd);
}

static void test_blocked_queue(const struct test_case *tc)
{
	const struct kind *k = tc->row;
	struct ends e;

	if (!kernel_supports_segment() || (k->proto && !has_udplite()))
		return;

	if (topo_open(&e, k->topo, "", tc->fam) && kind_set(k, true) &&
	    tc_in(TX, BLOCKED "limit 200mb")) {
		check_blocked_queue(k, &e);
		tc_in(TX, CLOSE);
		kind_set(k, false);
	}
	ends_close(&e);
}

/* Runs the calling thread on the last CPU. The main thread runs on the CPU that
 * pin_cpu() has selected.
 */
static void use_last_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* The queue sends slowly. The sender waits, because its send buffer has the
 * smallest possible size.
 */

#define SLOW_SNDBUF	2304
#define SLOW_SEGS	3000
#define SLOW_SIZE	10

struct sampler {
	pthread_t thread;
	int fd;
	int peak;
	bool stop;
	const struct addr *other;	/* connect fd to this during the send */
};

static void *sampler_run(void *arg)
{
	struct sampler *s = arg;
	int outq;

	use_last_cpu();
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		if (ioctl(s->fd, SIOCOUTQ, &outq))
			die("SIOCOUTQ");
		if (outq > s->peak)
			s->peak = outq;
		if (s->other && outq &&
		    connect(s->fd, &s->other->sa, s->other->len))
			die("connect");
		usleep(500);
	}

	return NULL;
}

static void check_slow(const struct kind *k, const struct ends *e, bool moved)
{
	static const struct expect exp = {
		payload, SLOW_SEGS * SLOW_SIZE, SLOW_SIZE, SLOW_SEGS, SLOW_SIZE
	};
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = exp.len,
		.cmsg = exp.size,
	};
	struct sampler sampler = { };
	struct addr other = e->to;
	struct counts n;

	sampler.fd = kind_socket(k, e, SLOW_SNDBUF);
	if (moved) {
		if (connect(sampler.fd, &e->to.sa, e->to.len))
			die("connect");
		s.to = NULL;
		/* sin6_port has the same offset. */
		other.v4.sin_port ^= htons(1);
		sampler.other = &other;
	}
	if (pthread_create(&sampler.thread, NULL, sampler_run, &sampler))
		die("thread");
	n = counts_now(e->fam, IPPROTO_UDP);
	expect_ret("send", exp.len, gso_send(sampler.fd, &s));
	n = counts_since(e->fam, IPPROTO_UDP, n);
	__atomic_store_n(&sampler.stop, true, __ATOMIC_RELAXED);
	pthread_join(sampler.thread, NULL);
	printf("# at most %d bytes charged, limit %d\n", sampler.peak,
	       BOUND(SLOW_SNDBUF));
	if (sampler.peak > BOUND(SLOW_SNDBUF))
		fail("SIOCOUTQ: %d bytes", sampler.peak);
	expect_long("packets", SLOW_SEGS / (k->two_segs ? 2 : 1), n.sent);
	expect_long("errors", 0, n.errors);
	expect_outq_empty(sampler.fd);
	tc_in(TX, CLOSE);
	send_fence(e->tx, &e->to);
	expect_rx(e->rx, NULL, &exp, 1);
	close(sampler.fd);
}

static void test_slow(const struct test_case *tc)
{
	const struct kind *k = tc->row;
	struct ends e;

	if (!kernel_supports_segment())
		return;

	if (topo_open(&e, k->topo, "", tc->fam) &&
	    (tc->fam != V6 || !set_int(e.rx, SOL_UDP, UDP_NO_CHECK6_RX, 1)) &&
	    tc_in(TX, SLOW))
		check_slow(k, &e, tc->dev);
	ends_close(&e);
}

/* connect(AF_UNSPEC) in another thread releases the port of the socket. The
 * rest of the send is not sent.
 */

static void check_disconnected(const struct kind *k, const struct ends *e)
{
	static const struct addr none = {
		.sa.sa_family = AF_UNSPEC,
		.len = sizeof(none.sa),
	};
	struct gso_send s = {
		.data = payload,
		.len = SLOW_SEGS * SLOW_SIZE,
		.cmsg = SLOW_SIZE,
	};
	struct sampler sampler = { .other = &none };
	struct counts n;

	sampler.fd = kind_socket(k, e, SLOW_SNDBUF);
	if (connect(sampler.fd, &e->to.sa, e->to.len))
		die("connect");
	if (pthread_create(&sampler.thread, NULL, sampler_run, &sampler))
		die("thread");
	n = counts_now(e->fam, IPPROTO_UDP);
	expect_ret("send", s.len, gso_send(sampler.fd, &s));
	n = counts_since(e->fam, IPPROTO_UDP, n);
	__atomic_store_n(&sampler.stop, true, __ATOMIC_RELAXED);
	pthread_join(sampler.thread, NULL);
	printf("# %ld datagrams sent, %ld lost\n", n.sent, n.errors);
	expect_long("datagrams sent or counted as lost", SLOW_SEGS,
		    n.sent + n.errors);
	if (!n.errors)
		fail("all datagrams have been sent");
	expect_outq_empty(sampler.fd);
	close(sampler.fd);
}

static void test_disconnected(const struct test_case *tc)
{
	const struct kind *k = tc->row;
	struct ends e;

	if (!kernel_supports_segment())
		return;

	if (topo_open(&e, k->topo, "", tc->fam) && tc_in(TX, SLOW)) {
		check_disconnected(k, &e);
		tc_in(TX, CLOSE);
	}
	ends_close(&e);
}

/* Several senders share a socket and get signals. No datagram may be lost. Each
 * sender waits while packets of the other senders are in the queue.
 */

#define SHARED		4

struct sharer {
	pthread_t thread;
	const struct ends *e;
	int fd;
	long ret;
};

static void *sharer_run(void *arg)
{
	struct sharer *s = arg;
	const struct addr *to = &s->e->to;

	use_last_cpu();
	s->ret = sendto(s->fd, payload, SLOW_SEGS * SLOW_SIZE, 0, &to->sa,
			to->len);

	return NULL;
}

static void ignore_signal(int sig)
{
}

static void check_shared(const struct kind *k, const struct ends *e)
{
	const struct timespec wait = { .tv_nsec = 20000000 };
	struct sharer sharers[SHARED];
	struct counts n;
	int i, fd;

	fd = kind_socket(k, e, SLOW_SNDBUF);
	if (set_int(fd, SOL_UDP, UDP_SEGMENT, SLOW_SIZE))
		die("UDP_SEGMENT");
	signal(SIGUSR1, ignore_signal);
	n = counts_now(e->fam, IPPROTO_UDP);
	for (i = 0; i < SHARED; i++) {
		sharers[i] = (struct sharer) { .e = e, .fd = fd };
		if (pthread_create(&sharers[i].thread, NULL, sharer_run,
				   &sharers[i]))
			die("thread");
	}
	nanosleep(&wait, NULL);
	for (i = 0; i < SHARED; i++)
		pthread_kill(sharers[i].thread, SIGUSR1);
	for (i = 0; i < SHARED; i++) {
		pthread_join(sharers[i].thread, NULL);
		expect_long("send", SLOW_SEGS * SLOW_SIZE, sharers[i].ret);
	}
	n = counts_since(e->fam, IPPROTO_UDP, n);
	expect_long("packets", SHARED * SLOW_SEGS, n.sent);
	/* If a signal arrives before the first packet was sent, the kernel
	 * counts an error and restarts the call.
	 */
	if (n.errors > SHARED)
		fail("%ld errors", n.errors);
	expect_outq_empty(fd);
	close(fd);
}

static void test_shared(const struct test_case *tc)
{
	const struct kind *k = tc->row;
	struct ends e;

	if (!kernel_supports_segment())
		return;

	if (topo_open(&e, k->topo, "", tc->fam) && tc_in(TX, SLOW)) {
		check_shared(k, &e);
		tc_in(TX, CLOSE);
	}
	ends_close(&e);
}

/* The queue becomes full during a call and drops the last packets. */

#define FULL_SEGS	1000
#define FULL_SIZE	10
#define FULL_SNDBUF	(64 << 20)

/* Raises the rate. tbf applies it only when another packet is enqueued. */
static void release_queue(const struct ends *e, int fd)
{
	struct addr to = e->to;
	int i, outq, kick;

	to.v4.sin_port = htons(PORT + 1);
	kick = udp_socket(socket_domain(e->fam), IPPROTO_UDP, 0);
	tc_in(TX, OPEN);
	for (i = 0; i < RX_TIMEOUT_MS; i++) {
		send_to(kick, &to, "", 1);
		if (ioctl(fd, SIOCOUTQ, &outq))
			die("SIOCOUTQ");
		if (!outq)
			break;
		usleep(1000);
	}
	close(kick);
	expect_outq_empty(fd);
}

static void check_full(const struct kind *k, const struct ends *e, bool errors)
{
	struct expect exp = { payload, 0, FULL_SIZE, 0, FULL_SIZE };
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = FULL_SEGS * FULL_SIZE,
		.cmsg = FULL_SIZE,
	};
	struct counts n;
	int fd;

	fd = kind_socket(k, e, FULL_SNDBUF);
	if (e->fam == V6 ? set_int(fd, SOL_IPV6, IPV6_RECVERR, errors) :
			   set_int(fd, SOL_IP, IP_RECVERR, errors))
		die("RECVERR");
	n = counts_now(e->fam, IPPROTO_UDP);
	expect_ret("send", s.len, gso_send(fd, &s));
	n = counts_since(e->fam, IPPROTO_UDP, n);
	expect_long("datagrams sent or lost", FULL_SEGS, n.sent + n.errors);
	if (!n.sent || !n.errors)
		fail("%ld sent, %ld lost", n.sent, n.errors);
	release_queue(e, fd);
	exp.count = n.sent;
	exp.len = n.sent * FULL_SIZE;
	send_fence(e->tx, &e->to);
	expect_rx(e->rx, NULL, &exp, 1);

	close(fd);
}

static void test_full(const struct test_case *tc)
{
	const struct kind *k = tc->row;
	struct ends e;

	if (!kernel_supports_segment())
		return;

	if (topo_open(&e, k->topo, "", tc->fam) &&
	    (tc->fam != V6 || !set_int(e.rx, SOL_UDP, UDP_NO_CHECK6_RX, 1)) &&
	    tc_in(TX, BLOCKED "limit 200mb;"
		  "qdisc add dev d0 parent 1:1 pfifo limit 300")) {
		check_full(k, &e, tc->dev);
		tc_in(TX, CLOSE);
	}
	ends_close(&e);
}

/* Each call must cause one timestamp and one MSG_ZEROCOPY notification. The
 * payload of fragmented datagrams is copied during the call, as in plain sends.
 */

static void read_notices(int fd, int *tstamps, int *copies, int *code)
{
	char control[512], data[1];
	struct sock_extended_err ee;
	struct cmsghdr *cmsg;

	for (;;) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (cmsg = CMSG_FIRSTHDR(&msg); cmsg;
		     cmsg = CMSG_NXTHDR(&msg, cmsg)) {
			if ((cmsg->cmsg_level != SOL_IP ||
			     cmsg->cmsg_type != IP_RECVERR) &&
			    (cmsg->cmsg_level != SOL_IPV6 ||
			     cmsg->cmsg_type != IPV6_RECVERR))
				continue;
			memcpy(&ee, CMSG_DATA(cmsg), sizeof(ee));
			*tstamps += ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING;
			if (ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY)
				continue;
			(*copies)++;
			*code = ee.ee_code;
		}
	}
}

static const struct notice_row {
	const char *name;
	const char *route4, *route6;
	bool no_check;
	bool fragments;
	int len, size;
} notice_rows[] = {
	{ "many datagrams", .no_check = true, .len = 60000, .size = 20 },
	{ "over the MTU", "route add 192.0.2.2 dev d0 mtu lock 600",
	  "route add 2001:db8::2 dev d0 mtu lock 1280", .fragments = true,
	  .len = 60000, .size = 1300 },
	{ "over the MTU, no checksum",
	  "route add 192.0.2.2 dev d0 mtu lock 600",
	  "route add 2001:db8::2 dev d0 mtu lock 1280", .no_check = true,
	  .fragments = true, .len = 60000, .size = 1300 },
	{ "over the MTU, many datagrams",
	  "route add 192.0.2.2 dev d0 mtu lock 68", NULL, .no_check = true,
	  .fragments = true, .len = 60000, .size = 100 },
};

static void check_notices(const struct notice_row *row, const struct ends *e)
{
	struct expect exp = {
		.data = payload,
		.len = row->len,
		.size = row->size,
		.count = (row->len + row->size - 1) / row->size,
	};
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = row->len,
		.cmsg = row->size,
		.flags = MSG_ZEROCOPY,
	};
	int tstamps = 0, copies = 0, code = -1;

	if (row->no_check)
		set_no_check(e->tx, e->fam, 1);
	if (set_int(e->tx, SOL_SOCKET, SO_ZEROCOPY, 1) ||
	    set_int(e->tx, SOL_SOCKET, SO_TIMESTAMPING,
		    SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
		    SOF_TIMESTAMPING_OPT_TSONLY))
		die("SO_ZEROCOPY");
	if (!expect_ret("send", s.len, gso_send(e->tx, &s)))
		return;
	if (set_int(e->tx, SOL_SOCKET, SO_TIMESTAMPING, 0))
		die("SO_TIMESTAMPING");
	send_fence(e->tx, &e->to);
	expect_rx(e->rx, NULL, &exp, 1);
	expect_outq_empty(e->tx);
	read_notices(e->tx, &tstamps, &copies, &code);
	expect_long("timestamps", 1, tstamps);
	expect_long("notifications", 1, copies);
	if (row->fragments)
		expect_long("code of the notification",
			    SO_EE_CODE_ZEROCOPY_COPIED, code);
}

static void test_notices(const struct test_case *tc)
{
	const struct notice_row *row = tc->row;
	const char *route = tc->fam == V6 ? row->route6 : row->route4;
	struct ends e;

	if (!kernel_supports_segment())
		return;

	if (topo_open(&e, &veth, "", tc->fam) &&
	    (tc->fam != V6 || !set_int(e.rx, SOL_UDP, UDP_NO_CHECK6_RX, 1)) &&
	    (!route || ip_in(TX, "%s", route))) {
		check_notices(row, &e);
		if (route)
			ip_in(TX, "route del %s", tc->fam == V6 ?
			      "2001:db8::2 dev d0 mtu 1280" : "192.0.2.2");
	}
	ends_close(&e);
}

/* Another thread turns checksums off and on during sends. */

#define RACE_ROUNDS	20
#define RACE_LEN	16000
#define RACE_SIZE	2

struct racer {
	pthread_t thread;
	const struct ends *e;
	bool stop;
};

static void *racer_run(void *arg)
{
	struct racer *r = arg;
	int i;

	use_last_cpu();
	for (i = 0; !__atomic_load_n(&r->stop, __ATOMIC_RELAXED); i++) {
		set_no_check(r->e->tx, r->e->fam, i & 1);
		usleep(100);
	}
	set_no_check(r->e->tx, r->e->fam, 0);

	return NULL;
}

static void check_race(const struct ends *e)
{
	static const struct expect exp = {
		payload, RACE_LEN, RACE_SIZE, RACE_LEN / RACE_SIZE, RACE_SIZE
	};
	struct racer r = { .e = e };
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = exp.len,
		.cmsg = exp.size,
	};
	int i;

	if (pthread_create(&r.thread, NULL, racer_run, &r))
		die("thread");
	for (i = 0; i < RACE_ROUNDS && !case_failed; i++) {
		expect_ret("send", s.len, gso_send(e->tx, &s));
		send_fence(e->tx, &e->to);
		expect_rx(e->rx, NULL, &exp, 1);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(r.thread, NULL);
}

static void test_race(const struct test_case *tc)
{
	struct ends e;

	if (!kernel_supports_segment())
		return;

	if (topo_open(&e, &two_segs, "", tc->fam) &&
	    (tc->fam != V6 || !set_int(e.rx, SOL_UDP, UDP_NO_CHECK6_RX, 1)))
		check_race(&e);
	ends_close(&e);
}

static void add_kinds(enum family fam)
{
	const struct kind *k;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		k = &kinds[i];
		if (!(k->fams & 1 << fam))
			continue;
		add_case(test_blocked_queue, k, fam, 0,
			 "blocked queue: %s %s", family_name[fam],
			 k->name);
		if (k->proto || k->ipsec || k->small_mtu)
			continue;
		add_case(test_slow, k, fam, false, "slow queue: %s %s",
			 family_name[fam], k->name);
		add_case(test_slow, k, fam, true,
			 "slow queue, connect(): %s %s",
			 family_name[fam], k->name);
		if (k->two_segs)
			continue;
		add_case(test_disconnected, k, fam, 0,
			 "slow queue, disconnect: %s %s", family_name[fam],
			 k->name);
		add_case(test_shared, k, fam, 0, "shared socket, signals: %s %s",
			 family_name[fam], k->name);
		add_case(test_full, k, fam, false, "queue overflow: %s %s",
			 family_name[fam], k->name);
		add_case(test_full, k, fam, true,
			 "queue overflow, RECVERR: %s %s",
			 family_name[fam], k->name);
	}
}

int main(int argc, char **argv)
{
	const struct notice_row *row;
	enum family fam;
	size_t i;

	topo_init();
	trace_open();
	for (fam = V4; fam <= V6; fam++) {
		add_kinds(fam);
		for (i = 0; i < ARRAY_SIZE(notice_rows); i++) {
			row = &notice_rows[i];
			if (fam == V4 || row->route6 || !row->route4)
				add_case(test_notices, row, fam, 0,
					 "error queue: %s %s", family_name[fam],
					 row->name);
		}
		add_case(test_race, NULL, fam, 0, "race: %s SO_NO_CHECK changes",
			 family_name[fam]);
	}
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
