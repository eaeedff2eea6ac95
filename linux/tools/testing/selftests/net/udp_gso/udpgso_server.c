// SPDX-License-Identifier: GPL-2.0
/* Reply to requests of many clients on one socket. A request has two numbers
 * as text: the length of the reply and the size of its datagrams. If the
 * kernel supports UDP_SEGMENT, each call sends many datagrams:
 *	udpgso_server PORT REQUESTS
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

#ifndef SOL_UDP
#define SOL_UDP		17
#endif

#define MAX_REPLY	65000	/* bytes; limits replies to spoofed requests */
#define MAX_SEGMENTS	64	/* limit of older kernels */

static int bind_to(const char *port)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	int fd;

	fd = socket(AF_INET6, SOCK_DGRAM, 0);	/* also receives IPv4 */
	if (fd < 0)
		err(1, "socket");

	addr.sin6_port = htons(atoi(port));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "bind");
	return fd;
}

/* A kernel without UDP GSO ignores the control message, but returns an error
 * for the option.
 */
static bool can_segment(int fd)
{
	int size = 0;

	return !setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
}

/* The size is set per call, because the path MTUs of the clients differ. */
static ssize_t send_segments(int fd, struct msghdr *msg, uint16_t size)
{
	char control[CMSG_SPACE(sizeof(size))] = {};
	struct cmsghdr *cm;

	msg->msg_control = control;
	msg->msg_controllen = sizeof(control);

	cm = CMSG_FIRSTHDR(msg);
	cm->cmsg_level = SOL_UDP;
	cm->cmsg_type = UDP_SEGMENT;
	cm->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(cm), &size, sizeof(size));

	return sendmsg(fd, msg, 0);
}

/* If a reply cannot be sent, the client must repeat its request, as for a lost
 * reply. The server does not retry, so that other clients do not have to wait.
 */
static void reply(int fd, struct msghdr *msg, size_t len, size_t size,
		  bool segment)
{
	static char data[MAX_REPLY];
	struct iovec iov = { .iov_base = data };
	size_t call = segment ? MAX_SEGMENTS * size : size;
	ssize_t ret;

	msg->msg_iov = &iov;
	msg->msg_iovlen = 1;

	for (; len; len -= iov.iov_len) {
		iov.iov_len = len < call ? len : call;
		ret = segment ? send_segments(fd, msg, size) :
				sendmsg(fd, msg, 0);
		if (ret < 0) {
			warn("reply");
			return;
		}
	}
}

int main(int argc, char **argv)
{
	int fd, requests;
	bool segment;

	if (argc != 3)
		errx(1, "usage: %s PORT REQUESTS", argv[0]);

	fd = bind_to(argv[1]);
	segment = can_segment(fd);
	printf("listening\n");
	fflush(stdout);

	for (requests = atoi(argv[2]); requests; requests--) {
		struct sockaddr_in6 client;
		struct msghdr msg = { .msg_name = &client };
		socklen_t client_len = sizeof(client);
		unsigned int len, size;
		char request[32] = {};

		if (recvfrom(fd, request, sizeof(request) - 1, 0,
			     (struct sockaddr *)&client, &client_len) < 0)
			err(1, "recvfrom");
		if (sscanf(request, "%u %u", &len, &size) != 2 ||
		    len > MAX_REPLY || !size || size > MAX_REPLY)
			continue;
		msg.msg_namelen = client_len;
		reply(fd, &msg, len, size, segment);
	}

	return 0;
}
