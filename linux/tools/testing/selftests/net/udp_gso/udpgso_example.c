// SPDX-License-Identifier: GPL-2.0
/* Send standard input to a UDP port in datagrams of 1200 bytes. If the kernel
 * supports UDP_SEGMENT, each call sends many datagrams:
 *	udpgso_example HOST PORT <FILE
 */
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

#ifndef SOL_UDP
#define SOL_UDP		17
#endif

#define SEGMENT		1200
/* A call can send at most 65507 bytes, with older kernels at most 64 segments.
 */
#define SEGMENTS	50

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

/* Returns the number of bytes per call. On a kernel without UDP GSO, each call
 * sends one datagram.
 */
static size_t call_size(int fd)
{
	int size = SEGMENT;

	if (!setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)))
		return SEGMENT * SEGMENTS;
	if (errno != ENOPROTOOPT)
		err(1, "setsockopt UDP_SEGMENT");
	return SEGMENT;
}

int main(int argc, char **argv)
{
	static char buf[SEGMENT * SEGMENTS];
	size_t size, len;
	int fd;

	if (argc != 3)
		errx(1, "usage: %s HOST PORT <FILE", argv[0]);

	fd = connect_to(argv[1], argv[2]);
	size = call_size(fd);

	/* Only the last datagram of a call may be shorter than the others. */
	while ((len = fread(buf, 1, size, stdin)) > 0) {
		if (send(fd, buf, len, 0) < 0)
			err(1, "send");
	}
	if (ferror(stdin))
		err(1, "read");

	return close(fd);
}
