// SPDX-License-Identifier: GPL-2.0
/* Sends bursts of UDP datagrams to one destination as fast as one thread can
 * and prints the rate.
 *
 * A burst always has the same bytes, so that these methods can be compared:
 *
 *	-s 63888		44 calls of send(), 1452 bytes each
 *	-s 63888 -m		one sendmmsg() with 44 messages
 *	-s 63888 -S 1452	one send(), segmented into 44 datagrams
 *
 * Byte N of a burst depends only on N, so that udpgso_bench_rx -v can check it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>
#include <linux/types.h>

#define BURST_DEFAULT		(44 * 1452)
#define BURST_MAX		1048576
#define MESSAGE_DEFAULT		1452	/* fits an MTU of 1500, v4 and v6 */
#define MESSAGES_MAX		1024	/* UIO_MAXIOV, the limit of sendmmsg */
#define COMPLETION_WAIT_MS	5000
#define NSEC_PER_SEC		1000000000ull

union segment_cmsg {
	char buf[CMSG_SPACE(sizeof(__u16))];
	struct cmsghdr align;
};

struct counters {
	unsigned long calls;
	unsigned long datagrams;
	unsigned long bytes;
};

static int cfg_family = AF_INET;
static const char *cfg_dest;
static unsigned long cfg_port = 8000;
static unsigned long cfg_burst = BURST_DEFAULT;
static unsigned long cfg_message;
static unsigned long cfg_segment;
static unsigned long cfg_seconds;
static unsigned long cfg_bursts;
static unsigned long cfg_warmup;
static long cfg_cpu = -1;
static bool cfg_segment_cmsg;
static bool cfg_sendmmsg;
static bool cfg_zerocopy;
static bool cfg_json;

static unsigned char payload[BURST_MAX];
static struct mmsghdr messages[MESSAGES_MAX];
static struct iovec iovecs[MESSAGES_MAX];
static union segment_cmsg segment_cmsg;
static unsigned int nr_messages;
static unsigned int burst_datagrams;

static struct counters sent;
static unsigned long zerocopy_sent;
static unsigned long zerocopy_completed;
static unsigned long zerocopy_copied;

static void help(const char *name, int status)
{
	fprintf(status ? stderr : stdout,
		"usage: %s [-4|-6] -D ADDRESS [OPTION]...\n"
		"  -4, -6     family (IPv4)\n"
		"  -D ADDR    destination\n"
		"  -p PORT    destination port (8000)\n"
		"  -s BYTES   payload of a burst (%u)\n"
		"  -d BYTES   payload of a message (%u; with -S: as -s)\n"
		"  -S BYTES   segment size of UDP_SEGMENT (0: off)\n"
		"  -g         segment size as control message, not as option\n"
		"  -m         all messages of a burst in one sendmmsg()\n"
		"  -z         MSG_ZEROCOPY\n"
		"  -l SECS    stop after this time\n"
		"  -n BURSTS  stop after this number\n"
		"  -w BURSTS  number of bursts to send first, not counted\n"
		"  -C CPU     run on this processor\n"
		"  -j         one JSON line at the end, no line per second\n"
		"Without -l and -n, it runs until it is interrupted.\n"
		"Output: MB are 10^6 bytes of payload, calls are system\n"
		"calls, msg are datagrams.\n",
		name, BURST_DEFAULT, MESSAGE_DEFAULT);
	exit(status);
}

static unsigned long parse_number(const char *name, const char *arg,
				  unsigned long max)
{
	unsigned long val;
	char *end;

	errno = 0;
	val = strtoul(arg, &end, 0);
	if (errno || end == arg || *end || *arg == '-' || val > max)
		error(1, 0, "-%s %s: a number up to %lu is needed",
		      name, arg, max);
	return val;
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "46C:D:S:d:ghjl:mn:p:s:w:z")) != -1) {
		switch (c) {
		case '4':
		case '6':
			cfg_family = c == '6' ? AF_INET6 : AF_INET;
			break;
		case 'C':
			cfg_cpu = parse_number("C", optarg, CPU_SETSIZE - 1);
			break;
		case 'D':
			cfg_dest = optarg;
			break;
		case 'S':
			cfg_segment = parse_number("S", optarg, USHRT_MAX);
			break;
		case 'd':
			cfg_message = parse_number("d", optarg, USHRT_MAX);
			break;
		case 'g':
			cfg_segment_cmsg = true;
			break;
		case 'h':
			help(argv[0], 0);
			break;
		case 'j':
			cfg_json = true;
			break;
		case 'l':
			cfg_seconds = parse_number("l", optarg, INT_MAX);
			break;
		case 'm':
			cfg_sendmmsg = true;
			break;
		case 'n':
			cfg_bursts = parse_number("n", optarg, LONG_MAX);
			break;
		case 'p':
			cfg_port = parse_number("p", optarg, USHRT_MAX);
			break;
		case 's':
			cfg_burst = parse_number("s", optarg, BURST_MAX);
			break;
		case 'w':
			cfg_warmup = parse_number("w", optarg, LONG_MAX);
			break;
		case 'z':
			cfg_zerocopy = true;
			break;
		default:
			help(argv[0], 1);
		}
	}

	if (optind != argc || !cfg_dest || !cfg_burst)
		help(argv[0], 1);
	if (!cfg_segment && cfg_segment_cmsg)
		error(1, 0, "-g needs a segment size, -S");
	if (!cfg_message)
		cfg_message = cfg_segment ? cfg_burst : MESSAGE_DEFAULT;
	if (cfg_message > cfg_burst)
		cfg_message = cfg_burst;
	if ((cfg_burst - 1) / cfg_message >= MESSAGES_MAX)
		error(1, 0, "more than %u messages in a burst", MESSAGES_MAX);
}

static void pin_to_cpu(void)
{
	cpu_set_t set;

	if (cfg_cpu < 0)
		return;

	CPU_ZERO(&set);
	CPU_SET(cfg_cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		error(1, errno, "processor %ld", cfg_cpu);
}

static void enable(int fd, int level, int name, int val, const char *what)
{
	if (setsockopt(fd, level, name, &val, sizeof(val)))
		error(1, errno, "%s", what);
}

static int connect4(int fd)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(cfg_port),
	};

	if (inet_pton(AF_INET, cfg_dest, &addr.sin_addr) != 1)
		error(1, 0, "%s is not an IPv4 address", cfg_dest);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int connect6(int fd)
{
	struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(cfg_port),
	};

	if (inet_pton(AF_INET6, cfg_dest, &addr.sin6_addr) != 1)
		error(1, 0, "%s is not an IPv6 address", cfg_dest);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int open_socket(void)
{
	int fd, ret;

	fd = socket(cfg_family, SOCK_DGRAM, 0);
	if (fd < 0)
		error(1, errno, "socket");

	ret = cfg_family == AF_INET ? connect4(fd) : connect6(fd);
	if (ret)
		error(1, errno, "connect to %s", cfg_dest);

	if (cfg_segment && !cfg_segment_cmsg)
		enable(fd, SOL_UDP, UDP_SEGMENT, cfg_segment, "UDP_SEGMENT");
	if (cfg_zerocopy)
		enable(fd, SOL_SOCKET, SO_ZEROCOPY, 1, "SO_ZEROCOPY");
	return fd;
}

static unsigned int datagrams_of(unsigned long len)
{
	return cfg_segment ? (len + cfg_segment - 1) / cfg_segment : 1;
}

static void prepare_segment_cmsg(void)
{
	struct msghdr msg = {
		.msg_control = segment_cmsg.buf,
		.msg_controllen = sizeof(segment_cmsg.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	__u16 size = cfg_segment;

	cmsg->cmsg_level = SOL_UDP;
	cmsg->cmsg_type = UDP_SEGMENT;
	cmsg->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(cmsg), &size, sizeof(size));
}

static void prepare_burst(void)
{
	unsigned long off;
	struct msghdr *hdr;
	struct iovec *iov;

	for (off = 0; off < cfg_burst; off++)
		payload[off] = off & 1 ? off : off >> 8;

	prepare_segment_cmsg();
	for (off = 0; off < cfg_burst; off += iov->iov_len) {
		iov = &iovecs[nr_messages];
		iov->iov_base = payload + off;
		iov->iov_len = cfg_burst - off < cfg_message ?
			       cfg_burst - off : cfg_message;

		hdr = &messages[nr_messages++].msg_hdr;
		hdr->msg_iov = iov;
		hdr->msg_iovlen = 1;
		if (cfg_segment_cmsg) {
			hdr->msg_control = segment_cmsg.buf;
			hdr->msg_controllen = sizeof(segment_cmsg.buf);
		}
		burst_datagrams += datagrams_of(iov->iov_len);
	}
}

/* One entry of the error queue reports the completion of a range of calls. */
static bool read_completion(int fd)
{
	char control[CMSG_SPACE(sizeof(struct sock_extended_err)) +
		     CMSG_SPACE(sizeof(struct sockaddr_in6))];
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err *err;
	struct cmsghdr *cmsg;
	__u32 count;

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
		if (errno == EAGAIN)
			return false;
		error(1, errno, "error queue");
	}

	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || msg.msg_flags & MSG_CTRUNC)
		error(1, 0, "error queue: no control message");
	err = (struct sock_extended_err *)CMSG_DATA(cmsg);
	if (err->ee_origin != SO_EE_ORIGIN_ZEROCOPY || err->ee_errno)
		error(1, err->ee_errno, "error queue: origin %u",
		      err->ee_origin);

	count = err->ee_data - err->ee_info + 1;
	zerocopy_completed += count;
	if (err->ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
		zerocopy_copied += count;
	return true;
}

static void wait_for_completion(int fd)
{
	struct pollfd pfd = { .fd = fd };
	int ret;

	ret = poll(&pfd, 1, COMPLETION_WAIT_MS);
	if (ret < 0)
		error(1, errno, "poll");
	if (!ret)
		error(1, 0, "%lu of %lu zerocopy completions are missing",
		      zerocopy_sent - zerocopy_completed, zerocopy_sent);

	while (read_completion(fd))
		;
}

static void wait_for_all_completions(int fd)
{
	while (zerocopy_completed < zerocopy_sent)
		wait_for_completion(fd);
	if (zerocopy_completed > zerocopy_sent)
		error(1, 0, "%lu completions of %lu zerocopy messages",
		      zerocopy_completed, zerocopy_sent);
}

/* A zerocopy send fails with ENOBUFS if too many completions were not read. */
static void make_room(int fd, const char *call)
{
	if (errno != ENOBUFS || zerocopy_completed == zerocopy_sent)
		error(1, errno, "%s", call);

	wait_for_completion(fd);
}

static void check_length(unsigned long len, const struct iovec *iov)
{
	if (len != iov->iov_len)
		error(1, 0, "sent %lu bytes of %lu", len,
		      (unsigned long)iov->iov_len);
}

static ssize_t call_send(int fd, unsigned int i, int flags)
{
	if (cfg_segment_cmsg)
		return sendmsg(fd, &messages[i].msg_hdr, flags);
	return send(fd, iovecs[i].iov_base, iovecs[i].iov_len, flags);
}

static void send_one(int fd, unsigned int i, int flags)
{
	ssize_t ret;

	while ((ret = call_send(fd, i, flags)) < 0)
		make_room(fd, "send");

	check_length(ret, &iovecs[i]);
	sent.calls++;
	zerocopy_sent += cfg_zerocopy;
}

static void send_many(int fd, int flags)
{
	unsigned int done = 0;
	int ret;

	while (done < nr_messages) {
		ret = sendmmsg(fd, messages + done, nr_messages - done, flags);
		if (ret < 0) {
			make_room(fd, "sendmmsg");
			continue;
		}

		sent.calls++;
		zerocopy_sent += cfg_zerocopy ? ret : 0;
		for (; ret; ret--, done++)
			check_length(messages[done].msg_len, &iovecs[done]);
	}
}

static void send_burst(int fd)
{
	int flags = cfg_zerocopy ? MSG_ZEROCOPY : 0;
	unsigned int i;

	if (cfg_sendmmsg) {
		send_many(fd, flags);
	} else {
		for (i = 0; i < nr_messages; i++)
			send_one(fd, i, flags);
	}

	sent.datagrams += burst_datagrams;
	sent.bytes += cfg_burst;
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void print_rate(const struct counters *from, __u64 ns)
{
	double secs = (double)(ns ? ns : 1) / NSEC_PER_SEC;

	printf("udp tx: %8.1f MB/s %9.0f calls/s %9.0f msg/s\n",
	       (sent.bytes - from->bytes) / secs / 1000000,
	       (sent.calls - from->calls) / secs,
	       (sent.datagrams - from->datagrams) / secs);
	fflush(stdout);
}

static void print_json(__u64 ns)
{
	printf("{\"family\": %d", cfg_family == AF_INET ? 4 : 6);
	printf(", \"burst\": %lu", cfg_burst);
	printf(", \"message\": %lu", cfg_message);
	printf(", \"segment\": %lu", cfg_segment);
	printf(", \"sendmmsg\": %s", cfg_sendmmsg ? "true" : "false");
	printf(", \"calls\": %lu", sent.calls);
	printf(", \"datagrams\": %lu", sent.datagrams);
	printf(", \"bytes\": %lu", sent.bytes);
	if (cfg_zerocopy)
		printf(", \"zerocopy\": %lu, \"copied\": %lu",
		       zerocopy_completed, zerocopy_copied);
	printf(", \"ns\": %llu}\n", (unsigned long long)ns);
}

static void warm_up(int fd)
{
	unsigned long i;

	for (i = 0; i < cfg_warmup; i++)
		send_burst(fd);
	wait_for_all_completions(fd);

	memset(&sent, 0, sizeof(sent));
	zerocopy_sent = 0;
	zerocopy_completed = 0;
	zerocopy_copied = 0;
}

/* For exact results, the clock is not read between the sends. */
static void run_counted(int fd)
{
	unsigned long i;

	for (i = 0; i < cfg_bursts; i++)
		send_burst(fd);
}

static void run_timed(int fd, __u64 start)
{
	__u64 end = start + cfg_seconds * NSEC_PER_SEC;
	struct counters last = {};
	unsigned long bursts = 0;
	__u64 then = start, now;

	do {
		send_burst(fd);
		now = now_ns();
		if (now - then >= NSEC_PER_SEC && !cfg_json) {
			print_rate(&last, now - then);
			last = sent;
			then = now;
		}
	} while (++bursts != cfg_bursts && (!cfg_seconds || now < end));
}

static void run(int fd)
{
	const struct counters zero = {};
	__u64 start, ns;

	start = now_ns();
	if (cfg_bursts && !cfg_seconds)
		run_counted(fd);
	else
		run_timed(fd, start);
	wait_for_all_completions(fd);
	ns = now_ns() - start;

	if (cfg_json) {
		print_json(ns);
		return;
	}
	printf("total: %lu datagrams in %.3f s\n", sent.datagrams,
	       (double)ns / NSEC_PER_SEC);
	print_rate(&zero, ns);
	if (cfg_zerocopy)
		printf("zerocopy: %lu completions, %lu of them copied\n",
		       zerocopy_completed, zerocopy_copied);
}

int main(int argc, char **argv)
{
	int fd;

	parse_options(argc, argv);
	pin_to_cpu();
	prepare_burst();
	fd = open_socket();
	warm_up(fd);
	run(fd);
	if (close(fd))
		error(1, errno, "close");
	return 0;
}
