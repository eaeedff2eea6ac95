// SPDX-License-Identifier: GPL-2.0
/* Receives and counts the datagrams of udpgso_bench_tx and prints the rate.
 * Optionally verifies the length, the order and every byte of the datagrams.
 *
 * Prints a line that starts with "listening" when the socket is bound, so that
 * a script can start the sender.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>

#define BURST_MAX		1048576
#define RECEIVE_BUFFER		(64 << 20)
#define NSEC_PER_SEC		1000000000ull

#define EXIT_SKIP		4	/* KSFT_SKIP */

struct counters {
	unsigned long calls;
	unsigned long datagrams;
	unsigned long bytes;
};

static int cfg_family = AF_INET;
static const char *cfg_address;
static unsigned long cfg_port = 8000;
static unsigned long cfg_burst;
static unsigned long cfg_datagram;
static unsigned long cfg_seconds = 30;
static unsigned long cfg_bursts;
static long cfg_cpu = -1;
static bool cfg_verify;
static bool cfg_gro;
static bool cfg_json;

static unsigned char buffer[USHRT_MAX + 1];
static unsigned char expected[BURST_MAX];
static unsigned long burst_pos;

static struct counters received;

static void help(const char *name, int status)
{
	fprintf(status ? stderr : stdout,
		"usage: %s [-4|-6] [OPTION]...\n"
		"  -4, -6     family (IPv4)\n"
		"  -b ADDR    local address (any)\n"
		"  -p PORT    local port (8000)\n"
		"  -n BURSTS  stop after this number of bursts; needs -s\n"
		"  -s BYTES   payload of a burst\n"
		"  -S BYTES   payload of each datagram except the last\n"
		"  -v         verify length, order and content; needs -s and -S\n"
		"  -l SECS    stop when nothing arrives for this time (30, 0: never)\n"
		"  -G         UDP_GRO: receive many datagrams in one call\n"
		"  -C CPU     run on this processor\n"
		"  -j         one JSON line at the end, no line per second\n"
		"Status 0: all bursts of -n were received, 1: failure, %d: no UDP_GRO.\n"
		"Without -n, the program runs until the timeout of -l.\n",
		name, EXIT_SKIP);
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

	while ((c = getopt(argc, argv, "46C:GS:b:hjl:n:p:s:v")) != -1) {
		switch (c) {
		case '4':
		case '6':
			cfg_family = c == '6' ? AF_INET6 : AF_INET;
			break;
		case 'C':
			cfg_cpu = parse_number("C", optarg, CPU_SETSIZE - 1);
			break;
		case 'G':
			cfg_gro = true;
			break;
		case 'S':
			cfg_datagram = parse_number("S", optarg, USHRT_MAX);
			break;
		case 'b':
			cfg_address = optarg;
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
		case 'n':
			cfg_bursts = parse_number("n", optarg, LONG_MAX);
			break;
		case 'p':
			cfg_port = parse_number("p", optarg, USHRT_MAX);
			break;
		case 's':
			cfg_burst = parse_number("s", optarg, BURST_MAX);
			break;
		case 'v':
			cfg_verify = true;
			break;
		default:
			help(argv[0], 1);
		}
	}

	if (optind != argc)
		help(argv[0], 1);
	if (cfg_bursts && !cfg_burst)
		error(1, 0, "-n needs the size of a burst, -s");
	if (cfg_verify && (!cfg_burst || !cfg_datagram))
		error(1, 0, "-v needs -s and -S");
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

/* Without privileges the buffer is limited by net.core.rmem_max. */
static void enlarge_buffer(int fd)
{
	int val = RECEIVE_BUFFER;

	if (!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &val, sizeof(val)))
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &val, sizeof(val)))
		error(1, errno, "SO_RCVBUF");
}

static void enable_gro(int fd)
{
	int one = 1;

	if (!setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)))
		return;
	if (errno == ENOPROTOOPT)
		error(EXIT_SKIP, 0, "this kernel has no UDP_GRO");
	error(1, errno, "UDP_GRO");
}

static int bind4(int fd)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(cfg_port),
	};

	if (cfg_address && inet_pton(AF_INET, cfg_address, &addr.sin_addr) != 1)
		error(1, 0, "%s is not an IPv4 address", cfg_address);
	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int bind6(int fd)
{
	struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(cfg_port),
	};

	if (cfg_address &&
	    inet_pton(AF_INET6, cfg_address, &addr.sin6_addr) != 1)
		error(1, 0, "%s is not an IPv6 address", cfg_address);
	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int open_socket(void)
{
	struct timeval patience = { .tv_sec = cfg_seconds };
	int fd, ret;

	fd = socket(cfg_family, SOCK_DGRAM, 0);
	if (fd < 0)
		error(1, errno, "socket");
	enlarge_buffer(fd);
	if (cfg_gro)
		enable_gro(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)))
		error(1, errno, "SO_RCVTIMEO");

	ret = cfg_family == AF_INET ? bind4(fd) : bind6(fd);
	if (ret)
		error(1, errno, "bind to port %lu", cfg_port);
	return fd;
}

/* Fills the expected burst with the same bytes as the sender. */
static void prepare_burst(void)
{
	unsigned long i;

	for (i = 0; i < cfg_burst; i++)
		expected[i] = i & 1 ? i : i >> 8;
}

static void verify(const unsigned char *data, unsigned long len)
{
	unsigned long want = cfg_burst - burst_pos, i;

	if (want > cfg_datagram)
		want = cfg_datagram;
	if (len != want)
		error(1, 0, "datagram %lu: %lu bytes, not %lu",
		      received.datagrams, len, want);

	for (i = 0; i < len; i++) {
		if (data[i] != expected[burst_pos + i])
			error(1, 0, "datagram %lu: byte %lu is %#x, not %#x",
			      received.datagrams, i, data[i],
			      expected[burst_pos + i]);
	}
	burst_pos = (burst_pos + len) % cfg_burst;
}

static void count(const unsigned char *data, unsigned long len)
{
	if (cfg_verify)
		verify(data, len);
	received.datagrams++;
	received.bytes += len;
}

/* Returns the size of aggregated datagrams, or 0 for a single datagram. */
static int gro_size(struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int size;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_UDP || cmsg->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
		if (size <= 0)
			error(1, 0, "UDP_GRO: a size of %d", size);
		return size;
	}
	return 0;
}

static bool receive(int fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {
		.iov_base = buffer,
		.iov_len = sizeof(buffer),
	};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len, off, size;

	len = recvmsg(fd, &msg, 0);
	if (len < 0) {
		if (errno == EAGAIN)
			return false;
		error(1, errno, "recvmsg");
	}

	received.calls++;
	size = gro_size(&msg);
	if (!size || size > len)
		size = len;
	for (off = 0; len - off > size; off += size)
		count(buffer + off, size);
	count(buffer + off, len - off);
	return true;
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void print_rate(const struct counters *from, __u64 ns)
{
	double secs = (double)(ns ? ns : 1) / NSEC_PER_SEC;

	printf("udp rx: %8.1f MB/s %9.0f calls/s %9.0f msg/s\n",
	       (received.bytes - from->bytes) / secs / 1000000,
	       (received.calls - from->calls) / secs,
	       (received.datagrams - from->datagrams) / secs);
	fflush(stdout);
}

static void print_json(__u64 ns)
{
	printf("{\"family\": %d", cfg_family == AF_INET ? 4 : 6);
	printf(", \"gro\": %s", cfg_gro ? "true" : "false");
	printf(", \"verified\": %s", cfg_verify ? "true" : "false");
	printf(", \"calls\": %lu", received.calls);
	printf(", \"datagrams\": %lu", received.datagrams);
	printf(", \"bytes\": %lu", received.bytes);
	printf(", \"ns\": %llu}\n", (unsigned long long)ns);
}

/* The time starts with the first datagram. It does not include the timeout at
 * the end.
 */
static __u64 run(int fd)
{
	unsigned long goal = cfg_bursts * cfg_burst;
	struct counters last = {};
	__u64 start = 0, then = 0, now = 0;

	while ((!goal || received.bytes < goal) && receive(fd)) {
		now = now_ns();
		if (!start) {
			start = now;
			then = now;
		}
		if (now - then >= NSEC_PER_SEC && !cfg_json) {
			print_rate(&last, now - then);
			last = received;
			then = now;
		}
	}
	return now - start;
}

static bool complete(void)
{
	unsigned long goal = cfg_bursts * cfg_burst;

	if (!goal || received.bytes == goal)
		return true;

	fprintf(stderr, "udp rx: %lu bytes in %lu datagrams, not %lu bytes\n",
		received.bytes, received.datagrams, goal);
	return false;
}

int main(int argc, char **argv)
{
	const struct counters zero = {};
	__u64 ns;
	int fd;

	parse_options(argc, argv);
	pin_to_cpu();
	prepare_burst();
	fd = open_socket();

	printf("listening on port %lu\n", cfg_port);
	fflush(stdout);
	ns = run(fd);
	if (cfg_json)
		print_json(ns);
	else
		print_rate(&zero, ns);
	return complete() ? 0 : 1;
}
