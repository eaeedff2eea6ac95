/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the driver on the host and the agents in the guests: requests,
 * sending, receiving.
 */
#ifndef USO_H
#define USO_H

#include <sys/time.h>

#include "udpgso_lib.h"

#ifndef UDP_GRO
#define UDP_GRO			104
#endif

#define CALLS_MAX		100
#define CALL_STRIDE		97	/* offset in the payload from call to call */

enum op { OP_HELLO, OP_SHELL, OP_SEND, OP_FENCE, OP_OPEN, OP_READ, OP_END,
	  OP_XDP };

/* A number of send calls with the same lengths, and their destination */
struct traffic {
	enum family fam;
	char to[INET6_ADDRSTRLEN];
	int port;
	int len;
	int size;		/* of a segment */
	int calls;
	int cpu;
	bool gro;		/* the receiver has UDP_GRO */
};

struct request {
	enum op op;
	struct traffic t;
	bool on;
	char text[1024];
};

struct reply {
	int ret;
	int reads;
	long csum_errors;
	char text[2048];
};

/* Returns false when the other end has exited */
static inline bool transfer(int fd, void *data, size_t len, bool out)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = out ? write(fd, data, len) : read(fd, data, len);
		if (n <= 0)
			return false;
	}

	return true;
}

static inline int nr_segments(const struct traffic *t)
{
	return t->len > t->size ? (t->len + t->size - 1) / t->size : 1;
}

static inline struct addr traffic_to(const struct traffic *t)
{
	return addr_of(t->fam, t->to, t->to, t->port);
}

/* Returns the bytes of a call, or the negative errno of the first call that fails */
static inline int send_calls(const struct traffic *t)
{
	int fd = udp_socket(socket_domain(t->fam), IPPROTO_UDP, 0);
	struct addr to = traffic_to(t);
	struct gso_send s = {
		.to = &to,
		.len = t->len,
		.cmsg = t->size,
	};
	int i, ret = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(t->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity to CPU %d", t->cpu);

	for (i = 0; i < t->calls && ret >= 0; i++) {
		s.data = payload + i * CALL_STRIDE;
		ret = gso_send(fd, &s);
	}
	close(fd);

	return ret;
}

static inline void send_one_fence(const struct traffic *t)
{
	int fd = udp_socket(socket_domain(t->fam), IPPROTO_UDP, 0);
	struct addr to = traffic_to(t);

	send_fence(fd, &to);
	close(fd);
}

/* Returns the port, or a negative errno */
static inline int open_receiver(const struct traffic *t, int *fd)
{
	int domain = socket_domain(t->fam);
	struct addr local;

	*fd = udp_socket(domain, IPPROTO_UDP, SOCK_NONBLOCK);
	if (set_int(*fd, SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20))
		die("SO_RCVBUFFORCE");
	if (t->gro && !expect_ret("setsockopt UDP_GRO", 0,
				  set_int(*fd, SOL_UDP, UDP_GRO, 1)))
		return -ENOPROTOOPT;
	bind_any(*fd, domain, &local);

	return addr_port(&local);
}

/* Returns the length, and stores the length of each datagram in *size */
static inline int receive(int fd, unsigned char *buf, int len, int *size)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int ret;

	ret = recvmsg(fd, &msg, MSG_TRUNC);
	*size = ret;
	if (ret < 0)
		return -errno;

	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type == UDP_GRO)
		memcpy(size, CMSG_DATA(cmsg), sizeof(*size));

	return ret;
}

static inline bool is_fence(const unsigned char *data, int len)
{
	return len == sizeof(fence_text) && !memcmp(data, fence_text, len);
}

/* The stream of datagrams that the calls must send */
static inline void stream_start(struct stream *st, const struct traffic *t)
{
	static struct expect exp[CALLS_MAX];
	int i;

	for (i = 0; i < t->calls; i++) {
		exp[i].data = payload + i * CALL_STRIDE;
		exp[i].len = t->len;
		exp[i].size = t->size;
		exp[i].count = nr_segments(t);
		exp[i].last = t->len - (nr_segments(t) - 1) * t->size;
	}
	*st = (struct stream) { .exp = exp, .nr_exp = t->calls };
}

/* Checks the datagrams of a GSO packet */
static inline bool stream_segments(struct stream *st, const unsigned char *data,
				int len, int size)
{
	int n;

	if (!len)
		return fail("an empty datagram");
	if (size <= 0)
		return fail("%d bytes in datagrams of %d", len, size);

	for (; len > 0; data += n, len -= n) {
		n = len < size ? len : size;
		if (!stream_next(st, data, n))
			return false;
	}

	return true;
}

/* Reads all datagrams of the calls. Returns the number of reads, -1 if one is wrong. */
static inline int read_calls(int fd, const struct traffic *t)
{
	long left = (long)t->len * t->calls;
	static unsigned char buf[1 << 17];
	struct stream st;
	int len, size;
	int reads = 0;

	stream_start(&st, t);
	while (left > 0) {
		len = receive(fd, buf, sizeof(buf), &size);
		if (len == -EAGAIN) {
			if (readable(fd, RX_TIMEOUT_MS / 2))
				continue;
			fail("%ld bytes are missing after %d reads", left,
			     reads);
			return -1;
		}
		if (len < 0) {
			errno = -len;
			die("recvmsg");
		}
		if (!stream_segments(&st, buf, len, size))
			return -1;
		left -= len;
		reads++;
	}

	return stream_end(&st) ? reads : -1;
}

/* The fence must be the next datagram */
static inline bool read_fence(int fd)
{
	static unsigned char buf[1 << 17];
	int len, size;

	if (!readable(fd, RX_TIMEOUT_MS / 2))
		return fail("the fence is lost");
	len = receive(fd, buf, sizeof(buf), &size);
	if (!is_fence(buf, len))
		return fail("%d bytes more than were sent", len);

	return true;
}

/* A line has the names, the next one the values */
static inline long snmp_value(FILE *file, const char *proto, const char *name)
{
	char names[1024], values[1024], *n, *v, *np, *vp;

	while (fgets(names, sizeof(names), file)) {
		if (strncmp(names, proto, strlen(proto)))
			continue;
		if (!fgets(values, sizeof(values), file))
			break;
		n = strtok_r(names, " \n", &np);
		v = strtok_r(values, " \n", &vp);
		while (n && v && strcmp(n, name)) {
			n = strtok_r(NULL, " \n", &np);
			v = strtok_r(NULL, " \n", &vp);
		}
		return n && v ? atol(v) : -1;
	}

	return -1;
}

static inline long snmp6_value(FILE *file, const char *name)
{
	char word[64];
	long n;

	while (fscanf(file, "%63s %ld", word, &n) == 2)
		if (!strcmp(word, name))
			return n;

	return -1;
}

/* Datagrams that were dropped for their checksum since the boot */
static inline long csum_errors(enum family fam)
{
	const char *path = fam == V4 ? "/proc/net/snmp" : "/proc/net/snmp6";
	FILE *file = fopen(path, "r");
	long n;

	if (!file)
		die("%s", path);
	n = fam == V4 ? snmp_value(file, "Udp:", "InCsumErrors") :
			snmp6_value(file, "Udp6InCsumErrors");
	if (n < 0)
		die("no InCsumErrors in %s", path);
	fclose(file);

	return n;
}

#endif /* USO_H */
