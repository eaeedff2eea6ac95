/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for the tests of UDP_SEGMENT: named cases, payload, sockets, sends.
 *
 * No test waits for a fixed time. Each send is followed by a fence: a plain
 * datagram on the same path, sent on the same CPU. All datagrams of the send
 * have arrived when the receiver gets the fence.
 */
#ifndef UDPGSO_LIB_H
#define UDPGSO_LIB_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <linux/types.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../kselftest.h"

#ifndef SOL_UDP
#define SOL_UDP			17
#endif

#ifndef UDP_SEGMENT
#define UDP_SEGMENT		103
#endif

#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX	101
#endif

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE		136
#endif

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY		60
#endif

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY		0x4000000
#endif

#define UDP_SEGMENTS_MAX	128
#define UDP4_PAYLOAD_MAX	65507
#define UDP6_PAYLOAD_MAX	65527

#define MAX_PIECES		1024
#define MAX_CASES		2048
#define RX_TIMEOUT_MS		10000	/* used up only on failure */
#define CASE_TIMEOUT_S		300	/* for slow debug kernels */

#define NO_SIZE			(-1)	/* no option, or no cmsg */

enum family { V4, V6, MAPPED, FAMILIES };

static const char * const family_name[] = { "v4", "v6", "v4-mapped" };
static const char * const state_name[] = { "not connected", "connected" };

/* Cases */

struct test_case {
	void (*run)(const struct test_case *tc);
	const void *row;
	enum family fam;
	int dev;
	char name[96];
};

static struct test_case test_cases[MAX_CASES];
static const char *case_skipped;
static unsigned int nr_cases;
static bool case_failed;

static inline __printf(5, 6)
void add_case(void (*run)(const struct test_case *tc), const void *row,
	      enum family fam, int dev, const char *fmt, ...)
{
	struct test_case *tc = &test_cases[nr_cases++];
	va_list args;

	if (nr_cases > MAX_CASES)
		ksft_exit_fail_msg("more than %d cases\n", MAX_CASES);

	tc->run = run;
	tc->row = row;
	tc->fam = fam;
	tc->dev = dev;
	va_start(args, fmt);
	vsnprintf(tc->name, sizeof(tc->name), fmt, args);
	va_end(args);
}

/* Marks the running case as failed and prints the reason. Always returns false.
 */
static inline __printf(1, 2) bool fail(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");

	case_failed = true;
	return false;
}

static inline bool expect_long(const char *what, long want, long got)
{
	if (want == got)
		return true;

	return fail("%s: expected %ld, got %ld", what, want, got);
}

/* Compares results of system calls: a count or a negative errno. */
static inline bool expect_ret(const char *what, long want, long got)
{
	char buf[2][64];
	int i;

	if (want == got)
		return true;

	for (i = 0; i < 2; i++) {
		long val = i ? got : want;

		if (val < 0)
			snprintf(buf[i], sizeof(buf[i]), "%ld (%s)", val,
				 strerror(-val));
		else
			snprintf(buf[i], sizeof(buf[i]), "%ld", val);
	}

	return fail("%s: expected %s, got %s", what, buf[0], buf[1]);
}

/* Exits after an error of the environment, not of the code under test. */
static inline __printf(1, 2) void die(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	printf("Bail out! ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", strerror(err));
	exit(KSFT_FAIL);
}

static inline __printf(1, 2) int sh(const char *fmt, ...)
{
	char cmd[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, args);
	va_end(args);

	return system(cmd);
}

#define must_sh(...) do {			\
	errno = 0;				\
	if (sh(__VA_ARGS__))			\
		die(__VA_ARGS__);		\
} while (0)

static inline void case_timed_out(int sig)
{
	static const char msg[] = "Bail out! a test case has timed out\n";

	if (write(STDOUT_FILENO, msg, sizeof(msg) - 1) < 0)
		_exit(KSFT_FAIL);
	_exit(KSFT_FAIL);
}

/* Runs the cases whose name contains @filter, or all cases if @filter is NULL.
 */
static inline void run_cases(const char *filter)
{
	unsigned int i, planned = 0;

	for (i = 0; i < nr_cases; i++)
		planned += !filter || strstr(test_cases[i].name, filter);

	signal(SIGALRM, case_timed_out);
	ksft_print_header();
	ksft_set_plan(planned);

	for (i = 0; i < nr_cases; i++) {
		const struct test_case *tc = &test_cases[i];

		if (filter && !strstr(tc->name, filter))
			continue;

		case_skipped = NULL;
		case_failed = false;
		alarm(CASE_TIMEOUT_S);
		tc->run(tc);
		alarm(0);

		if (case_failed)
			ksft_test_result_code(KSFT_FAIL, tc->name, NULL);
		else if (case_skipped)
			ksft_test_result_code(KSFT_SKIP, tc->name, "%s",
					      case_skipped);
		else
			ksft_test_result_code(KSFT_PASS, tc->name, NULL);
	}

	ksft_finished();
}

/* The payload is the output of xorshift32, so that a segment with data from a
 * wrong offset does not match.
 */

static unsigned char payload[1 << 17];

static inline void payload_init(void)
{
	__u32 x = 2463534242u;
	size_t i;

	for (i = 0; i < sizeof(payload); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		payload[i] = x >> 24;
	}
}

/* Makes every second block of 4 KiB compressible. */
static inline void payload_half_text(void)
{
	size_t i;

	for (i = 0; i < sizeof(payload); i++)
		if (!(i & 4096))
			payload[i] = 'a' + payload[i] % 3;
}

/* Loopback and veth keep packets in order only if all are sent on one CPU. */
static inline void pin_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* Addresses */

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static inline struct addr addr_of(enum family fam, const char *v4,
				  const char *v6, int port)
{
	struct addr a = {};
	char mapped[64];

	if (fam == V4) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		a.len = sizeof(a.v4);
		if (inet_pton(AF_INET, v4, &a.v4.sin_addr) != 1)
			die("address %s", v4);
		return a;
	}

	if (fam == MAPPED) {
		snprintf(mapped, sizeof(mapped), "::ffff:%s", v4);
		v6 = mapped;
	}
	a.v6.sin6_family = AF_INET6;
	a.v6.sin6_port = htons(port);
	a.len = sizeof(a.v6);
	if (inet_pton(AF_INET6, v6, &a.v6.sin6_addr) != 1)
		die("address %s", v6);

	return a;
}

static inline int addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->v4.sin_port :
						  a->v6.sin6_port);
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || addr_port(a) != addr_port(b))
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;

	return !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
		       sizeof(a->v6.sin6_addr));
}

/* Sockets */

static inline int socket_domain(enum family fam)
{
	return fam == V4 ? AF_INET : AF_INET6;
}

static inline int set_int(int fd, int level, int name, int val)
{
	return setsockopt(fd, level, name, &val, sizeof(val)) ? -errno : 0;
}

static inline int get_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int val;

	return getsockopt(fd, level, name, &val, &len) ? -errno : val;
}

static inline void never_fragment(int fd, enum family fam)
{
	if (fam == V6 ? set_int(fd, SOL_IPV6, IPV6_MTU_DISCOVER,
				IPV6_PMTUDISC_DO) :
			set_int(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO))
		die("MTU_DISCOVER");
}

static inline int udp_socket(int domain, int proto, int type)
{
	int fd = socket(domain, SOCK_DGRAM | type, proto);

	if (fd < 0)
		die("socket");

	return fd;
}

/* The case is skipped on kernels without UDP-Lite. */
static inline bool has_udplite(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	if (fd < 0) {
		case_skipped = "no UDP-Lite";
		return false;
	}
	close(fd);

	return true;
}

static inline void bind_any(int fd, int domain, struct addr *local)
{
	struct addr any = addr_of(domain == AF_INET ? V4 : V6, "0.0.0.0", "::",
				  0);

	if (bind(fd, &any.sa, any.len))
		die("bind");

	local->len = sizeof(local->v6);
	if (getsockname(fd, &local->sa, &local->len))
		die("getsockname");
}

static inline int rx_socket(int domain, int proto, struct addr *local)
{
	int fd = udp_socket(domain, proto, SOCK_NONBLOCK);

	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20))
		die("SO_RCVBUFFORCE");
	bind_any(fd, domain, local);

	return fd;
}

/* Makes the running case fail on a kernel without UDP_SEGMENT. */
static inline bool supports_segment(int fd)
{
	return expect_ret("setsockopt UDP_SEGMENT 0", 0,
			  set_int(fd, SOL_UDP, UDP_SEGMENT, 0));
}

/* Does the same check with a temporary socket. */
static inline bool kernel_supports_segment(void)
{
	int fd = udp_socket(AF_INET, IPPROTO_UDP, 0);
	bool ok = supports_segment(fd);

	close(fd);

	return ok;
}

/* Sends */

struct gso_send {
	const struct addr *to;		/* NULL if connected */
	const unsigned char *data;
	int len;
	int cmsg;			/* segment size or NO_SIZE */
	int pieces;			/* number of iovecs; 0 means 1 */
	int flags;
};

struct gso_msg {
	struct msghdr hdr;
	struct iovec iov[MAX_PIECES];
	union {
		char buf[CMSG_SPACE(sizeof(__u16))];
		struct cmsghdr align;
	} control;
};

static inline void fill_msg(struct gso_msg *msg, const struct gso_send *s)
{
	int i, off = 0, pieces = s->pieces ? s->pieces : 1;
	struct cmsghdr *cmsg;
	__u16 size;

	memset(&msg->hdr, 0, sizeof(msg->hdr));
	for (i = 0; i < pieces; i++) {
		int end = (long)s->len * (i + 1) / pieces;

		msg->iov[i].iov_base = (void *)(s->data + off);
		msg->iov[i].iov_len = end - off;
		off = end;
	}
	msg->hdr.msg_iov = msg->iov;
	msg->hdr.msg_iovlen = pieces;

	if (s->to) {
		msg->hdr.msg_name = (void *)&s->to->sa;
		msg->hdr.msg_namelen = s->to->len;
	}

	if (s->cmsg == NO_SIZE)
		return;

	memset(&msg->control, 0, sizeof(msg->control));
	msg->hdr.msg_control = msg->control.buf;
	msg->hdr.msg_controllen = sizeof(msg->control.buf);
	cmsg = CMSG_FIRSTHDR(&msg->hdr);
	cmsg->cmsg_level = SOL_UDP;
	cmsg->cmsg_type = UDP_SEGMENT;
	cmsg->cmsg_len = CMSG_LEN(sizeof(size));
	size = s->cmsg;
	memcpy(CMSG_DATA(cmsg), &size, sizeof(size));
}

static inline int gso_send(int fd, const struct gso_send *s)
{
	static struct gso_msg msg;
	ssize_t ret;

	fill_msg(&msg, s);
	ret = sendmsg(fd, &msg.hdr, s->flags);

	return ret < 0 ? -errno : ret;
}

/* Sends without a cmsg; the UDP_SEGMENT option of the socket applies. */
static inline int send_to(int fd, const struct addr *to, const void *data,
			  int len)
{
	struct gso_send s = {
		.to = to,
		.data = data,
		.len = len,
		.cmsg = NO_SIZE,
	};

	return gso_send(fd, &s);
}

/* Receiving */

static const char fence_text[] = "fence after the send of udp segments";

/* The datagrams expected from one call: @data in segments of @size bytes */
struct expect {
	const unsigned char *data;
	int len;
	int size;		/* 0: one datagram */
	int count;		/* counted by hand in the tables */
	int last;		/* length of the last one; 0: any */
};

static inline void send_fence(int fd, const struct addr *to)
{
	int ret = send_to(fd, to, fence_text, sizeof(fence_text));

	if (ret != sizeof(fence_text)) {
		errno = -ret;
		die("send of the fence");
	}
}

static inline bool readable(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1 && (pfd.revents & POLLIN);
}

/* Compares received datagrams with the datagrams that are expected from several
 * calls.
 */
struct stream {
	const struct expect *exp;
	int nr_exp;
	int call;
	int nr;			/* datagrams of this call so far */
	int off;
};

static inline bool stream_next(struct stream *st, const unsigned char *data,
			       int len)
{
	const struct expect *exp;
	int want;

	while (st->call < st->nr_exp && st->nr == st->exp[st->call].count) {
		st->call++;
		st->nr = 0;
		st->off = 0;
	}
	if (st->call == st->nr_exp)
		return fail("unexpected datagram of %d bytes", len);

	exp = &st->exp[st->call];
	want = exp->len - st->off;
	if (exp->size && want > exp->size)
		want = exp->size;
	if (len != want)
		return fail("call %d, datagram %d of %d: expected %d, got %d",
			    st->call, st->nr + 1, exp->count, want, len);
	if (memcmp(exp->data + st->off, data, len))
		return fail("call %d, datagram %d of %d: wrong payload",
			    st->call, st->nr + 1, exp->count);

	st->off += len;
	st->nr++;
	if (st->nr < exp->count)
		return true;

	if (exp->last && len != exp->last)
		return fail("call %d, last datagram: expected %d bytes, got %d",
			    st->call, exp->last, len);
	if (st->off != exp->len)
		return fail("call %d: expected a total of %d bytes, got %d",
			    st->call, exp->len, st->off);

	return true;
}

static inline bool stream_end(const struct stream *st)
{
	int i, got = st->nr, want = 0;

	for (i = 0; i < st->nr_exp; i++) {
		want += st->exp[i].count;
		if (i < st->call)
			got += st->exp[i].count;
	}

	return expect_long("datagrams", want, got);
}

/* Reads and compares datagrams up to the fence. @from may be NULL. */
static inline bool expect_rx(int fd, const struct addr *from,
			     const struct expect *exp, int nr_exp)
{
	struct stream st = { .exp = exp, .nr_exp = nr_exp };
	static unsigned char buf[1 << 16];
	struct addr src;
	char text[64];
	int ret;

	for (;;) {
		src.len = sizeof(src.v6);
		ret = recvfrom(fd, buf, sizeof(buf), MSG_TRUNC, &src.sa,
			       &src.len);
		if (ret < 0 && errno == EAGAIN) {
			if (!readable(fd, RX_TIMEOUT_MS))
				return fail("no fence received");
			continue;
		}
		if (ret < 0)
			die("recvfrom");
		if (ret == sizeof(fence_text) && !memcmp(buf, fence_text, ret))
			break;
		if (!case_failed && from && !addr_equal(from, &src)) {
			inet_ntop(src.sa.sa_family,
				  src.sa.sa_family == AF_INET ?
					(void *)&src.v4.sin_addr :
					(void *)&src.v6.sin6_addr,
				  text, sizeof(text));
			fail("wrong source %s, port %d, expected port %d", text,
			     addr_port(&src), addr_port(from));
		}
		if (!case_failed)
			stream_next(&st, buf, ret);
	}

	return !case_failed && stream_end(&st);
}

/* Waits until no packet is charged to the socket. */
static inline bool expect_outq_empty(int fd)
{
	int i, outq = -1;

	for (i = 0; i < RX_TIMEOUT_MS; i++) {
		if (ioctl(fd, SIOCOUTQ, &outq))
			die("SIOCOUTQ");
		if (!outq)
			return true;
		usleep(1000);
	}

	return fail("SIOCOUTQ: expected 0, got %d", outq);
}

/* Two ends of a path */

struct path {
	const char *name;
	const char *local4;
	const char *local6;
	const char *peer4;
	const char *peer6;
	bool remote;		/* the receiver is in the other namespace */
	int mtu;
};

/* The paths that udpgso.sh sets up */
static const struct path paths[] = {
	{ "lo", "127.0.0.1", "::1", "127.0.0.1", "::1", false, 65536 },
	{ "veth", "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2", true,
	  1500 },
};

enum { LO, VETH };

static int home_netns, peer_netns;

static inline void open_netns(const char *name)
{
	char file[128];

	home_netns = open("/proc/self/ns/net", O_RDONLY);
	if (home_netns < 0)
		die("/proc/self/ns/net");

	snprintf(file, sizeof(file), "/var/run/netns/%s", name);
	peer_netns = open(file, O_RDONLY);
	if (peer_netns < 0)
		die("%s", file);
}

static inline void enter_netns(int fd)
{
	if (setns(fd, CLONE_NEWNET))
		die("setns");
}

struct flow {
	const struct path *path;
	enum family fam;
	int proto;
	bool connected;
	int tx;
	int rx;
	int fence;
	struct addr from;	/* expected source address */
	struct addr to;
	struct addr fence_to;
};

static inline void flow_connect(struct flow *f)
{
	if (connect(f->tx, &f->to.sa, f->to.len))
		die("connect");
	f->connected = true;
}

static inline bool flow_open_proto(struct flow *f, enum family fam, int dev,
				   bool connected, int proto)
{
	int rx_domain = fam == V6 ? AF_INET6 : AF_INET;
	const struct path *path = &paths[dev];
	enum family rx_fam = fam == V6 ? V6 : V4;
	struct addr local, fence_local;

	memset(f, 0, sizeof(*f));
	f->path = path;
	f->fam = fam;
	f->proto = proto;

	if (path->remote)
		enter_netns(peer_netns);
	f->rx = rx_socket(rx_domain, proto, &local);
	if (path->remote)
		enter_netns(home_netns);
	f->to = addr_of(fam, path->peer4, path->peer6, addr_port(&local));
	f->fence_to = addr_of(rx_fam, path->peer4, path->peer6,
			      addr_port(&local));

	f->fence = udp_socket(rx_domain, proto, 0);
	bind_any(f->fence, rx_domain, &fence_local);

	f->tx = udp_socket(socket_domain(fam), proto, 0);
	bind_any(f->tx, socket_domain(fam), &local);
	f->from = addr_of(rx_fam, path->local4, path->local6,
			  addr_port(&local));
	if (connected)
		flow_connect(f);

	return supports_segment(f->tx);
}

static inline bool flow_open(struct flow *f, enum family fam, int dev,
			     bool connected)
{
	return flow_open_proto(f, fam, dev, connected, IPPROTO_UDP);
}

static inline void flow_close(struct flow *f)
{
	close(f->tx);
	close(f->fence);
	close(f->rx);
}

static inline struct addr *flow_to(struct flow *f)
{
	return f->connected ? NULL : &f->to;
}

static inline bool flow_expect(struct flow *f, const struct expect *exp,
			       int nr_exp)
{
	send_fence(f->fence, &f->fence_to);

	return expect_rx(f->rx, &f->from, exp, nr_exp);
}

static inline bool flow_expect_none(struct flow *f)
{
	return flow_expect(f, NULL, 0);
}

#endif /* UDPGSO_LIB_H */
