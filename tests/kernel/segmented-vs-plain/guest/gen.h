/* SPDX-License-Identifier: GPL-2.0 */
/* Generates random programs: operations on two sockets and on their device. A program depends only on a seed and
 * its number.
 */
#ifndef GEN_H
#define GEN_H

#include <linux/net_tstamp.h>

#define MAX_OPS		40
#define MAX_VALS	14
#define MAX_THREADS	3

#define TUNNEL6		"2001:db8:1::3"	/* IPsec, tunnel mode */

enum what { SET, CONNECT, SEND, FEATURE, LINK_MTU, ROUTE_MTU, ICMP_MTU, RECEIVE };

/* The system call that sends */
enum method { SENDMSG, SENDMMSG, CORK, WRITE, SPLICE, URING, URING_ZC, NR_METHODS };

static const char * const method_names[NR_METHODS] = {
	[SENDMMSG] = "sendmmsg", [CORK] = "UDP_CORK", [WRITE] = "write", [SPLICE] = "splice",
	[URING] = "io_uring", [URING_ZC] = "io_uring without copy",
};

struct op {
	enum what what;
	int thread;		/* that runs it */
	int sock;		/* 0: IPv4, 1: IPv6 */
	int row;		/* index of options or device_features */
	int val;
	int to;			/* index of destinations; -1: no address */
	int len;
	int size;		/* UDP_SEGMENT as cmsg; NO_SIZE: the socket's */
	enum method method;
	int pieces;		/* entries of the iovec */
	int calls;		/* all but the last with MSG_MORE, or under UDP_CORK */
	int messages;		/* of sendmmsg() */
	int flags;
	__u32 cmsgs;		/* bits: indices of control_messages */
};

struct program {
	struct op ops[MAX_OPS];
	int nr;
	int proto;		/* of both sockets: IPPROTO_UDP or IPPROTO_UDPLITE */
};

/* The value of an option that is not a number. A value of 0 bytes disables the option. */
struct blob {
	unsigned char data[20];
	int len;
};

static const struct blob ip_options = { { 1, 1, 1, 1 }, 4 };
static const struct blob hop_options = { { 0, 0, 1, 4 }, 8 };
static const struct blob dst_options = { { 0, 0, 0x1e, 4, 6, 7, 8 }, 8 };
static const struct blob the_device = { "d0", 3 };
static const struct blob monotonic = { { 1 }, 8 };	/* struct sock_txtime */

#define SOCK4	1
#define SOCK6	2
#define MARK	7	/* packets with this mark use another routing table */
#define STAMPS	(SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)

static const struct option {
	const char *name;
	int level, opt;
	int socks;
	int nr;
	int vals[MAX_VALS];
	const struct blob *blob;
	bool kernels_only;	/* only used to compare kernels */
} options[] = {
	{ "UDP_SEGMENT", SOL_UDP, UDP_SEGMENT, SOCK4 | SOCK6, 14,
	  { 0, 1, 100, 552, 572, 573, 1000, 1232, 1452, 1472, 1473, 9000, 65535, 65536 } },
	{ "UDP_SEGMENT", SOL_UDP, UDP_SEGMENT, SOCK4 | SOCK6, 6,
	  { 0, 200, 1200, 1400, 2000, -1 } },
	{ "IP_MTU_DISCOVER", SOL_IP, IP_MTU_DISCOVER, SOCK4 | SOCK6, 6, { 0, 1, 2, 3, 4, 5 } },
	{ "IPV6_MTU_DISCOVER", SOL_IPV6, IPV6_MTU_DISCOVER, SOCK6, 6, { 0, 1, 2, 3, 4, 5 } },
	{ "IPV6_DONTFRAG", SOL_IPV6, IPV6_DONTFRAG, SOCK6, 2, { 0, 1 } },
	{ "IPV6_MTU", SOL_IPV6, IPV6_MTU, SOCK6, 4, { 1280, 1300, 1400, 1500 } },
	{ "SO_NO_CHECK", SOL_SOCKET, SO_NO_CHECK, SOCK4 | SOCK6, 2, { 0, 1 } },
	{ "UDP_NO_CHECK6_TX", SOL_UDP, UDP_NO_CHECK6_TX, SOCK6, 2, { 0, 1 } },
	{ "IP_RECVERR", SOL_IP, IP_RECVERR, SOCK4 | SOCK6, 2, { 0, 1 } },
	{ "IPV6_RECVERR", SOL_IPV6, IPV6_RECVERR, SOCK6, 2, { 0, 1 } },
	{ "IP_TOS", SOL_IP, IP_TOS, SOCK4 | SOCK6, 3, { 0, 2, 0xb8 } },
	{ "IPV6_TCLASS", SOL_IPV6, IPV6_TCLASS, SOCK6, 3, { 0, 1, 0x68 } },
	{ "IP_TTL", SOL_IP, IP_TTL, SOCK4 | SOCK6, 2, { 1, 64 } },
	{ "IPV6_UNICAST_HOPS", SOL_IPV6, IPV6_UNICAST_HOPS, SOCK6, 2, { 1, 64 } },
	{ "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, SOCK4 | SOCK6, 2, { 0, 5 } },
	{ "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, SOCK4 | SOCK6, 2, { 40000, 212992 } },
	{ "IP_OPTIONS", SOL_IP, IP_OPTIONS, SOCK4 | SOCK6, 2, { 0, 1 }, &ip_options },
	{ "IPV6_HOPOPTS", SOL_IPV6, IPV6_HOPOPTS, SOCK6, 2, { 0, 1 }, &hop_options },
	{ "IPV6_DSTOPTS", SOL_IPV6, IPV6_DSTOPTS, SOCK6, 2, { 0, 1 }, &dst_options },
	{ "SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE, SOCK4 | SOCK6, 2, { 0, 1 }, &the_device },
	{ "SO_TXTIME", SOL_SOCKET, SO_TXTIME, SOCK4 | SOCK6, 2, { 0, 1 }, &monotonic },
	{ "SO_MARK", SOL_SOCKET, SO_MARK, SOCK4 | SOCK6, 2, { 0, MARK } },
	{ "SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, SOCK4, 2, { 0, 1 } },
	{ "IP_MULTICAST_TTL", SOL_IP, IP_MULTICAST_TTL, SOCK4, 2, { 1, 5 } },
	{ "IPV6_MULTICAST_HOPS", SOL_IPV6, IPV6_MULTICAST_HOPS, SOCK6, 2, { 1, 5 } },
	{ "SO_TIMESTAMPING", SOL_SOCKET, SO_TIMESTAMPING, SOCK4 | SOCK6, 6,
	  { 0, STAMPS, STAMPS | SOF_TIMESTAMPING_OPT_ID, STAMPS | SOF_TIMESTAMPING_TX_SCHED,
	    STAMPS | SOF_TIMESTAMPING_OPT_TSONLY,
	    STAMPS | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY }, .kernels_only = true },
	/* A plain datagram in several packets may exceed the buffer. */
	{ "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, SOCK4 | SOCK6, 2, { 1, 10000 }, .kernels_only = true },
};

/* Control messages in addition to the segment size. A send with an invalid one must fail. */
static const struct control_message {
	const char *name;
	int level, type;
	int socks;
	struct blob data;
} control_messages[] = {
	{ "IP_TOS", SOL_IP, IP_TOS, SOCK4 | SOCK6, { { 0x14 }, 4 } },
	{ "IP_TTL", SOL_IP, IP_TTL, SOCK4 | SOCK6, { { 7 }, 4 } },
	{ "IP_PKTINFO", SOL_IP, IP_PKTINFO, SOCK4, { { 0, 0, 0, 0, 192, 0, 2, 1 }, 12 } },
	{ "IPV6_TCLASS", SOL_IPV6, IPV6_TCLASS, SOCK6, { { 0x15 }, 4 } },
	{ "IPV6_HOPLIMIT", SOL_IPV6, IPV6_HOPLIMIT, SOCK6, { { 9 }, 4 } },
	{ "IPV6_DONTFRAG", SOL_IPV6, IPV6_DONTFRAG, SOCK6, { { 1 }, 4 } },
	{ "IPV6_PKTINFO", SOL_IPV6, IPV6_PKTINFO, SOCK6,
	  { { 0x20, 1, 0xd, 0xb8, [15] = 1 }, 20 } },
	{ "IPV6_DSTOPTS", SOL_IPV6, IPV6_DSTOPTS, SOCK6, { { 0, 0, 0x1e, 4, 1, 2, 3 }, 8 } },
	{ "SO_MARK", SOL_SOCKET, SO_MARK, SOCK4 | SOCK6, { { MARK }, 4 } },
	{ "SCM_TXTIME", SOL_SOCKET, SCM_TXTIME, SOCK4 | SOCK6, { { 1 }, 8 } },
	{ "SO_TIMESTAMPING", SOL_SOCKET, SO_TIMESTAMPING, SOCK4 | SOCK6,
	  { { SOF_TIMESTAMPING_TX_SOFTWARE }, 4 } },
	{ "UDP_SEGMENT of 4 bytes", SOL_UDP, UDP_SEGMENT, SOCK4 | SOCK6, { { 100 }, 4 } },
	{ "UDP_CORK", SOL_UDP, UDP_CORK, SOCK4 | SOCK6, { { 1 }, 4 } },
};

static const char * const device_features[] = {
	"tx-udp-segmentation", "tx-checksum-ip-generic", "tx-scatter-gather", "tx-generic-segmentation",
};

/* The destination whose route gets another MTU, and the sources of ICMP errors that report one */
static const char * const route_hosts[] = { "192.0.2.12", "2001:db8::12" };
static const char * const icmp_sources[] = { "192.0.2.2", "2001:db8::12" };

static const struct destination {
	const char *text;
	int socks;
	bool broadcast;
} destinations[] = {
	{ "192.0.2.2", SOCK4 },
	{ "192.0.2.12", SOCK4 },	/* a route with an MTU of 600 */
	{ "192.0.2.13", SOCK4 },	/* 700, locked */
	{ "239.1.1.1", SOCK4 },
	{ "192.0.2.255", SOCK4, .broadcast = true },
	{ "198.51.100.2", SOCK4 },	/* IPsec, transport mode */
	{ "198.51.100.3", SOCK4 },	/* tunnel mode */
	{ "2001:db8::2", SOCK6 },
	{ "2001:db8::12", SOCK6 },	/* 1300 */
	{ "ff0e::1:1", SOCK6 },
	{ "2001:db8:1::2", SOCK6 },	/* transport mode */
	{ TUNNEL6, SOCK6 },
	{ "::ffff:192.0.2.2", SOCK6 },
	{ "::ffff:192.0.2.12", SOCK6 },
	{ "::ffff:198.51.100.3", SOCK6 },
};

static __u64 gen_state;

/* xorshift64*: the same on each machine */
static __u32 gen_next(void)
{
	gen_state ^= gen_state >> 12;
	gen_state ^= gen_state << 25;
	gen_state ^= gen_state >> 27;

	return (gen_state * 0x2545f4914f6cdd1dULL) >> 32;
}

static int gen_below(int n)
{
	return gen_next() % n;
}

static bool gen_one_in(int n)
{
	return !gen_below(n);
}

static int gen_destination(int sock)
{
	int i;

	do {
		i = gen_below(ARRAY_SIZE(destinations));
	} while (!(destinations[i].socks & 1 << sock));

	return i;
}

/* A destination of connect(). connect() to a broadcast address fails, but changes the old connection, also on stock. So
 * these addresses are not used.
 */
static int gen_peer(int sock)
{
	int i;

	do {
		i = gen_destination(sock);
	} while (destinations[i].broadcast);

	return i;
}

/* Returns N - 1, N or N + 1. */
static int gen_near(int n)
{
	int i = gen_below(4);

	return i == 0 ? n - 1 : i == 1 ? n + 1 : n;
}

/* Returns the length of a send, which mostly has a few datagrams, because long sends take long. */
static int gen_length(int size)
{
	static const int counts[] = { 1, 2, 2, 3, 3, 5, 9, 44, 64, 127, 128, 129, 200 };
	int len;

	switch (gen_below(12)) {
	case 0:
		return gen_below(3);
	case 1:
		len = gen_near(gen_one_in(2) ? 65507 : 65527);
		return gen_one_in(4) ? len : len / 16;
	case 2:
		return gen_below(gen_one_in(4) ? 65536 : 4000);
	default:
		len = gen_near(size * counts[gen_below(ARRAY_SIZE(counts))]);
		return len < 0 || len > 70000 ? gen_below(9000) : len;
	}
}

static void gen_cmsgs(struct op *op)
{
	int row;

	while (gen_one_in(5)) {
		row = gen_below(ARRAY_SIZE(control_messages));
		if (control_messages[row].socks & 1 << op->sock)
			op->cmsgs |= 1 << row;
	}
}

static void gen_send(struct op *op)
{
	static const int sizes[] = {
		1, 100, 500, 552, 572, 573, 1000, 1200, 1232, 1300, 1400,
		1452, 1453, 1472, 1473, 1500, 3000, 9000,
	};
	int size = sizes[gen_below(ARRAY_SIZE(sizes))];

	op->to = gen_one_in(3) ? -1 : gen_destination(op->sock);
	op->size = gen_one_in(3) ? NO_SIZE : gen_one_in(12) ? 0 : size;
	op->len = gen_length(size);
	op->pieces = gen_one_in(4) ? 1 + gen_below(30) : 1;
	op->calls = gen_one_in(6) ? 2 + gen_below(3) : 1;
	op->messages = 1;
	op->flags = gen_one_in(8) ? MSG_ZEROCOPY : 0;
	op->method = gen_one_in(3) ? gen_below(NR_METHODS) : SENDMSG;
	if (op->method == SENDMMSG)
		op->messages = 2 + gen_below(3);
	if (op->method != SENDMSG && op->method != CORK)
		op->calls = 1;
	if (op->method == WRITE || op->method == SPLICE) {
		op->to = -1;
		op->size = NO_SIZE;
		op->flags = 0;
	} else {
		gen_cmsgs(op);
	}
}

static void gen_option(struct op *op)
{
	do {
		op->row = gen_below(ARRAY_SIZE(options));
	} while (!(options[op->row].socks & 1 << op->sock));
	op->val = options[op->row].vals[gen_below(options[op->row].nr)];
}

static void gen_op(struct op *op)
{
	static const int mtus[] = { 1280, 1400, 1499, 1500, 1501, 9000 };
	static const int route_mtus[] = { 1280, 1300, 1499, 1500 };
	int percent = gen_below(100);

	memset(op, 0, sizeof(*op));
	op->sock = gen_below(2);
	op->thread = gen_one_in(3) ? gen_below(MAX_THREADS) : 0;
	if (percent < 55) {
		op->what = SEND;
		gen_send(op);
	} else if (percent < 80) {
		op->what = SET;
		gen_option(op);
	} else if (percent < 86) {
		op->what = CONNECT;
		op->to = gen_one_in(4) ? -1 : gen_peer(op->sock);
	} else if (percent < 92) {
		op->what = FEATURE;
		op->row = gen_below(ARRAY_SIZE(device_features));
		op->val = gen_below(2);
	} else if (percent < 95) {
		op->what = LINK_MTU;
		op->val = mtus[gen_below(ARRAY_SIZE(mtus))];
	} else if (percent < 97) {
		op->what = ROUTE_MTU;
		op->val = route_mtus[gen_below(ARRAY_SIZE(route_mtus))];
	} else if (percent < 99) {
		op->what = ICMP_MTU;
		op->val = route_mtus[gen_below(ARRAY_SIZE(route_mtus) - 1)];
	} else {
		op->what = RECEIVE;
		op->val = gen_below(2);
	}
}

static void gen_program(struct program *p, __u32 seed, __u32 number)
{
	int i;

	gen_state = ((__u64)seed << 32 | number) * 0x9e3779b97f4a7c15ULL + 1;
	for (i = 0; i < 8; i++)
		gen_next();
	p->nr = 10 + gen_below(MAX_OPS - 9);
	p->proto = gen_one_in(10) ? IPPROTO_UDPLITE : IPPROTO_UDP;
	for (i = 0; i < p->nr; i++) {
		gen_op(&p->ops[i]);
		/* UDP-Lite does not support zerocopy */
		if (p->proto == IPPROTO_UDPLITE && p->ops[i].method == URING_ZC)
			p->ops[i].method = URING;
	}
}

static const char *destination_name(int to)
{
	return to < 0 ? "-" : destinations[to].text;
}

static void print_send(FILE *f, const struct op *op)
{
	size_t i;

	fprintf(f, "send to %s, %d bytes", destination_name(op->to), op->len);
	if (op->size != NO_SIZE)
		fprintf(f, ", cmsg %d", op->size);
	for (i = 0; i < ARRAY_SIZE(control_messages); i++)
		if (op->cmsgs & 1 << i)
			fprintf(f, ", cmsg %s", control_messages[i].name);
	if (op->pieces > 1)
		fprintf(f, ", %d pieces", op->pieces);
	if (op->calls > 1)
		fprintf(f, ", in %d calls%s", op->calls, op->method == SENDMSG ? " with MSG_MORE" : "");
	if (op->method != SENDMSG)
		fprintf(f, ", by %s", method_names[op->method]);
	if (op->messages > 1)
		fprintf(f, " of %d", op->messages);
	fprintf(f, "%s\n", op->flags & MSG_ZEROCOPY ? ", MSG_ZEROCOPY" : "");
}

static void print_op(FILE *f, const struct op *op)
{
	int v = op->sock ? 6 : 4;

	if (op->thread)
		fprintf(f, "thread %d: ", op->thread + 1);
	switch (op->what) {
	case SET:
		fprintf(f, "v%d %s %d\n", v, options[op->row].name, op->val);
		break;
	case CONNECT:
		fprintf(f, "v%d connect %s\n", v, destination_name(op->to));
		break;
	case FEATURE:
		fprintf(f, "%s %s\n", device_features[op->row], op->val ? "on" : "off");
		break;
	case LINK_MTU:
		fprintf(f, "mtu %d\n", op->val);
		break;
	case ROUTE_MTU:
		fprintf(f, "mtu %d of the route to %s\n", op->val, route_hosts[op->sock]);
		break;
	case ICMP_MTU:
		fprintf(f, "ICMP reports mtu %d to %s\n", op->val, icmp_sources[op->sock]);
		break;
	case RECEIVE:
		fprintf(f, "v%d receiver UDP_GRO %d\n", v, op->val);
		break;
	case SEND:
		fprintf(f, "v%d ", v);
		print_send(f, op);
	}
}

#endif /* GEN_H */
