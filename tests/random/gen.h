/* SPDX-License-Identifier: GPL-2.0 */
/* Random programs: operations on two sockets and on the device below them. A seed
 * and the number of a program name it.
 */
#ifndef GEN_H
#define GEN_H

#define MAX_OPS		40
#define MAX_VALS	14

#define TUNNEL6		"2001:db8:1::3"	/* IPsec, tunnel mode */

enum what { SET, CONNECT, SEND, FEATURE, LINK_MTU };

struct op {
	enum what what;
	int sock;		/* 0: IPv4, 1: IPv6 */
	int row;		/* of options or features */
	int val;
	int to;			/* row of destinations; -1: connected */
	int len;
	int size;		/* by cmsg; NO_SIZE: the socket's */
	int pieces;		/* of the iovec */
	int calls;		/* all but the last with MSG_MORE */
	int messages;		/* over 1: by sendmmsg() */
	int flags;
};

struct program {
	struct op ops[MAX_OPS];
	int nr;
	int proto;		/* IPPROTO_UDPLITE: of both sockets */
};

/* Bytes instead of a number; none turns it off */
struct blob {
	unsigned char data[8];
	int len;
};

static const struct blob ip_options = { { 1, 1, 1, 1 }, 4 };
static const struct blob hop_options = { { 0, 0, 1, 4 }, 8 };
static const struct blob dst_options = { { 0, 0, 0x1e, 4, 6, 7, 8 }, 8 };

#define SOCK4	1
#define SOCK6	2

static const struct option {
	const char *name;
	int level, opt;
	int socks;
	int nr;
	int vals[MAX_VALS];
	const struct blob *blob;
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
};

static const char * const device_features[] = {
	"tx-udp-segmentation", "tx-checksum-ip-generic", "tx-scatter-gather",
};

static const struct destination {
	const char *text;
	int socks;
} destinations[] = {
	{ "192.0.2.2", SOCK4 },
	{ "192.0.2.12", SOCK4 },	/* a route with an MTU of 600 */
	{ "192.0.2.13", SOCK4 },	/* 700, locked */
	{ "239.1.1.1", SOCK4 },
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

/* One above, one below, or at a limit of something */
static int gen_near(int n)
{
	int i = gen_below(4);

	return i == 0 ? n - 1 : i == 1 ? n + 1 : n;
}

/* Mostly a few datagrams: the rare long one takes time */
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
	op->messages = gen_one_in(10) ? 2 + gen_below(3) : 1;
	op->flags = gen_one_in(8) ? MSG_ZEROCOPY : 0;
	if (op->messages > 1)
		op->calls = 1;
}

static void gen_op(struct op *op)
{
	static const int mtus[] = { 1280, 1400, 1499, 1500, 1501, 9000 };
	int dice = gen_below(100);

	memset(op, 0, sizeof(*op));
	op->sock = gen_below(2);
	if (dice < 55) {
		op->what = SEND;
		gen_send(op);
	} else if (dice < 82) {
		op->what = SET;
		do {
			op->row = gen_below(ARRAY_SIZE(options));
		} while (!(options[op->row].socks & 1 << op->sock));
		op->val = options[op->row].vals[gen_below(options[op->row].nr)];
	} else if (dice < 88) {
		op->what = CONNECT;
		op->to = gen_one_in(4) ? -1 : gen_destination(op->sock);
	} else if (dice < 95) {
		op->what = FEATURE;
		op->row = gen_below(ARRAY_SIZE(device_features));
		op->val = gen_below(2);
	} else {
		op->what = LINK_MTU;
		op->val = mtus[gen_below(ARRAY_SIZE(mtus))];
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
	for (i = 0; i < p->nr; i++)
		gen_op(&p->ops[i]);
}

static const char *destination_name(int to)
{
	return to < 0 ? "-" : destinations[to].text;
}

static void print_op(FILE *f, const struct op *op)
{
	int v = op->sock ? 6 : 4;

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
	case SEND:
		fprintf(f, "v%d send to %s, %d bytes", v, destination_name(op->to), op->len);
		if (op->size != NO_SIZE)
			fprintf(f, ", cmsg %d", op->size);
		if (op->pieces > 1)
			fprintf(f, ", %d pieces", op->pieces);
		if (op->calls > 1)
			fprintf(f, ", MSG_MORE in %d calls", op->calls);
		if (op->messages > 1)
			fprintf(f, ", sendmmsg of %d", op->messages);
		fprintf(f, "%s\n", op->flags & MSG_ZEROCOPY ? ", MSG_ZEROCOPY" : "");
	}
}

#endif /* GEN_H */
