// SPDX-License-Identifier: GPL-2.0
/* Send datagrams alternately one per call and many per call, measure the cost
 * of both, and continue with the cheaper method:
 *	udpgso_gain HOST PORT SIZE DATAGRAMS
 */
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

#ifndef SOL_UDP
#define SOL_UDP		17
#endif

#define MAX_CALL	65000	/* bytes */
#define MAX_SEGMENTS	64	/* limit of older kernels */
#define ROUNDS		32	/* of the measurement */

static char data[MAX_CALL];

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *ai;
	int fd, ret;

	ret = getaddrinfo(host, port, &hints, &ai);
	if (ret)
		errx(1, "%s: %s", host, gai_strerror(ret));

	fd = socket(ai->ai_family, ai->ai_socktype, 0);
	if (fd < 0)
		err(1, "socket");
	if (connect(fd, ai->ai_addr, ai->ai_addrlen))
		err(1, "connect");

	freeaddrinfo(ai);
	return fd;
}

/* Returns the CPU time in ns of this thread, in user space and in the kernel.
 */
static long long cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* After an error for one datagram, the following datagrams must still be sent.
 */
static void send_plain(int fd, int size, int n)
{
	while (n--) {
		if (send(fd, data, size, 0) < 0 && errno != ECONNREFUSED &&
		    errno != ENOBUFS)
			err(1, "send");
	}
}

/* Returns -1 if the kernel cannot send segments on this route. Some kernels
 * return EINVAL if the size exceeds the path MTU, and EIO for IPsec or a
 * device without checksum offload. A plain send then shows whether there is
 * another error.
 */
static int send_segments(int fd, int size, int n)
{
	if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)))
		return -1;

	if (send(fd, data, n * size, 0) >= 0 || errno == ECONNREFUSED ||
	    errno == ENOBUFS)
		return 0;

	return -1;
}

static void no_segments(int fd)
{
	int off = 0;

	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &off, sizeof(off));
}

/* Measures both methods. Returns the number of datagrams per call of the
 * cheaper one.
 */
static int measure(int fd, int size, int *left)
{
	int i, n = MAX_CALL / size < MAX_SEGMENTS ? MAX_CALL / size :
						    MAX_SEGMENTS;
	long long plain = 0, segments = 0, start;

	if (n < 2)
		return 1;

	for (i = 0; i < ROUNDS && *left >= 2 * n; i++, *left -= 2 * n) {
		start = cpu_time();
		if (send_segments(fd, size, n)) {
			warn("segments cannot be sent, sending one by one");
			no_segments(fd);
			return 1;
		}
		segments += cpu_time() - start;

		no_segments(fd);
		start = cpu_time();
		send_plain(fd, size, n);
		plain += cpu_time() - start;
	}
	if (!i)
		return 1;

	printf("1 per call: %lld ns per datagram, %d per call: %lld ns\n",
	       plain / i / n, n, segments / i / n);
	return segments < plain ? n : 1;
}

int main(int argc, char **argv)
{
	int fd, size, left, n;

	if (argc != 5)
		errx(1, "usage: %s HOST PORT SIZE DATAGRAMS", argv[0]);

	fd = connect_to(argv[1], argv[2]);
	size = atoi(argv[3]);
	left = atoi(argv[4]);
	if (size < 1 || size > MAX_CALL || left < 0)
		errx(1, "SIZE is 1 to %d", MAX_CALL);

	n = measure(fd, size, &left);
	printf("%d per call\n", n);

	for (; left > 0; left -= n) {
		if (n > left)
			n = left;
		/* The route may change to one on which segments cannot be
		 * sent.
		 */
		if (n == 1 || send_segments(fd, size, n)) {
			no_segments(fd);
			send_plain(fd, size, n);
		}
	}

	return 0;
}
