// SPDX-License-Identifier: GPL-2.0
/* What a datagram costs from the sender's call to the receiver's: one process
 * sends a burst into another network namespace and reads it there, so that on
 * one processor nothing else runs in between. Takes the options of
 * udpgso_bench_tx that bench/guest uses, and prints the same JSON:
 *	receive [-4|-6] -D ADDR -s BURST -S SIZE|-d SIZE [-G] -w WARM -n BURSTS -j
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/udp.h>

#define PORT	8000
#define ROUTER	"/run/netns/router"

static char buffer[1 << 16];
static unsigned long burst, size, calls;

static void set(int fd, int level, int name, const char *what, int val)
{
	if (setsockopt(fd, level, name, &val, sizeof(val)))
		error(1, errno, "%s", what);
}

/* The receiver's socket lies in the other namespace for good. */
static int receiver(int family, const struct sockaddr *addr, socklen_t len,
		    bool gro)
{
	int here = open("/proc/self/ns/net", O_RDONLY);
	int there = open(ROUTER, O_RDONLY);
	int fd;

	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET))
		error(1, errno, ROUTER);
	fd = socket(family, SOCK_DGRAM, 0);
	if (fd < 0)
		error(1, errno, "socket");
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, "SO_RCVBUFFORCE", 16 << 20);
	if (gro)
		set(fd, IPPROTO_UDP, UDP_GRO, "UDP_GRO", 1);
	if (bind(fd, addr, len))
		error(1, errno, "bind");
	if (setns(here, CLONE_NEWNET))
		error(1, errno, "setns");
	close(here);
	close(there);
	return fd;
}

static void transfer(int tx, int rx, bool gso)
{
	unsigned long step = gso ? burst : size;
	unsigned long pos, got;
	ssize_t n;

	for (pos = 0; pos < burst; pos += step) {
		if (send(tx, buffer, step, 0) != (ssize_t)step)
			error(1, errno, "send");
		calls++;
	}
	for (got = 0; got < burst; got += n) {
		n = recv(rx, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n <= 0)
			error(1, errno, "%lu of %lu bytes arrived", got, burst);
		calls++;
	}
}

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	unsigned long i, warm = 0, bursts = 0;
	bool gso = false, gro = false, ip6 = false;
	const char *dest = NULL;
	struct sockaddr *addr;
	unsigned long long ns;
	socklen_t len;
	int c, rx, tx;

	while ((c = getopt(argc, argv, "46D:GS:d:jn:s:w:")) != -1) {
		switch (c) {
		case '4': case '6': ip6 = c == '6'; break;
		case 'D': dest = optarg; break;
		case 'G': gro = true; break;
		case 'S': gso = true; /* fall through */
		case 'd': size = strtoul(optarg, NULL, 0); break;
		case 'j': break;
		case 'n': bursts = strtoul(optarg, NULL, 0); break;
		case 's': burst = strtoul(optarg, NULL, 0); break;
		case 'w': warm = strtoul(optarg, NULL, 0); break;
		default: return 2;
		}
	}
	addr = ip6 ? (void *)&v6 : (void *)&v4;
	len = ip6 ? sizeof(v6) : sizeof(v4);
	if (!dest || inet_pton(ip6 ? AF_INET6 : AF_INET, dest,
			       ip6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
		error(1, 0, "no address: -D");
	if (!size || !burst || burst > sizeof(buffer) || burst % size || !bursts)
		error(1, 0, "-s, -S or -d, and -n do not go together");

	tx = socket(addr->sa_family, SOCK_DGRAM, 0);
	if (tx < 0)
		error(1, errno, "socket");
	if (gso)
		set(tx, IPPROTO_UDP, UDP_SEGMENT, "UDP_SEGMENT", size);
	rx = receiver(addr->sa_family, addr, len, gro);
	if (connect(tx, addr, len))
		error(1, errno, "connect");

	for (i = 0; i < warm; i++)
		transfer(tx, rx, gso);
	calls = 0;
	ns = now();
	for (i = 0; i < bursts; i++)
		transfer(tx, rx, gso);
	ns = now() - ns;

	printf("{\"calls\": %lu, \"datagrams\": %lu, \"bytes\": %lu, \"ns\": %llu}\n",
	       calls, bursts * (burst / size), bursts * burst, ns);
	return 0;
}
