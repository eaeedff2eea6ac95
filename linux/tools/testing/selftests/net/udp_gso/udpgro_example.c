// SPDX-License-Identifier: GPL-2.0
/* Receive datagrams at a UDP port and print their number and sizes. If the
 * kernel supports UDP_GRO, each call receives many datagrams:
 *	udpgro_example PORT DATAGRAMS
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_GRO
#define UDP_GRO		104
#endif

#ifndef SOL_UDP
#define SOL_UDP		17
#endif

static int bind_to(const char *port)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	int on = 1;
	int fd;

	fd = socket(AF_INET6, SOCK_DGRAM, 0);	/* also receives IPv4 */
	if (fd < 0)
		err(1, "socket");

	/* Set the option before bind(), so that it applies to all datagrams. */
	if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) &&
	    errno != ENOPROTOOPT)
		err(1, "setsockopt UDP_GRO");

	addr.sin6_port = htons(atoi(port));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "bind");
	return fd;
}

/* Returns the size of the datagrams in the buffer. The last datagram may be
 * shorter.
 */
static int datagram_size(struct msghdr *msg, int len)
{
	struct cmsghdr *cm;
	int size = len;

	for (cm = CMSG_FIRSTHDR(msg); cm; cm = CMSG_NXTHDR(msg, cm))
		if (cm->cmsg_level == SOL_UDP && cm->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(cm), sizeof(size));
	return size;
}

int main(int argc, char **argv)
{
	char control[CMSG_SPACE(sizeof(int))];
	static char buf[65536];		/* avoids truncated datagrams */
	struct iovec iov = { buf, sizeof(buf) };
	int fd, len, pos, size, left;

	if (argc != 3)
		errx(1, "usage: %s PORT DATAGRAMS", argv[0]);

	fd = bind_to(argv[1]);
	printf("listening\n");
	fflush(stdout);

	for (left = atoi(argv[2]); left > 0; ) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		len = recvmsg(fd, &msg, 0);
		if (len < 0)
			err(1, "recvmsg");

		size = datagram_size(&msg, len);
		printf("call:");
		for (pos = 0; !pos || pos < len; pos += size, left--) {
			printf(" %d", size < len - pos ? size : len - pos);
			if (!size)
				size = 1;	/* an empty datagram */
		}
		printf("\n");
	}
	return 0;
}
