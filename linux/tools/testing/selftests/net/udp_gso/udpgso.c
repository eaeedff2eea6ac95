// SPDX-License-Identifier: GPL-2.0
/* Tests UDP_SEGMENT as socket option and as control message: valid and invalid
 * values, errors of sends, and the datagrams that the receiver gets.
 *
 * udpgso.sh creates the two namespaces in which this runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgso_lib.h"

enum {
	F4 = 1 << V4,
	F6 = 1 << V6,
	FM = 1 << MAPPED,
	FALL = F4 | F6 | FM,

	DLO = 1 << LO,
	DVETH = 1 << VETH,
	DALL = DLO | DVETH,
};

#define OTHER_SIZE	77	/* option value that a cmsg overrides */

/* The option */

static const struct option_row {
	const char *name;
	int val;
	int ret;
} option_rows[] = {
	{ "1", 1, 0 },
	{ "1472", 1472, 0 },
	{ "65535", 65535, 0 },
	{ "0 turns it off", 0, 0 },
	{ "65536", 65536, -EINVAL },
	{ "-1", -1, -EINVAL },
	{ "INT_MAX", INT_MAX, -EINVAL },
	{ "INT_MIN", INT_MIN, -EINVAL },
};

static void test_option(const struct test_case *tc)
{
	const struct option_row *row = tc->row;
	int fd, before = 1234;

	fd = udp_socket(socket_domain(tc->fam), IPPROTO_UDP, 0);
	expect_ret("getsockopt of a new socket", 0,
		   get_int(fd, SOL_UDP, UDP_SEGMENT));
	expect_ret("setsockopt before", 0,
		   set_int(fd, SOL_UDP, UDP_SEGMENT, before));
	expect_ret("setsockopt", row->ret,
		   set_int(fd, SOL_UDP, UDP_SEGMENT, row->val));
	expect_ret("getsockopt", row->ret ? before : row->val,
		   get_int(fd, SOL_UDP, UDP_SEGMENT));
	close(fd);
}

static void test_option_short(const struct test_case *tc)
{
	__u16 val = 1000;
	int fd, ret;

	fd = udp_socket(socket_domain(tc->fam), IPPROTO_UDP, 0);
	supports_segment(fd);
	ret = setsockopt(fd, SOL_UDP, UDP_SEGMENT, &val, sizeof(val));
	expect_ret("setsockopt of two bytes", -EINVAL, ret ? -errno : 0);
	expect_ret("getsockopt", 0, get_int(fd, SOL_UDP, UDP_SEGMENT));
	close(fd);
}

/* The cmsg */

static const struct cmsg_row {
	const char *name;
	int type;
	int len;
	int ret;
} cmsg_rows[] = {
	{ "two bytes", UDP_SEGMENT, 2, 300 },
	{ "no value", UDP_SEGMENT, 0, -EINVAL },
	{ "one byte", UDP_SEGMENT, 1, -EINVAL },
	{ "an int", UDP_SEGMENT, 4, -EINVAL },
	{ "type UDP_CORK", UDP_CORK, 2, -EINVAL },
	{ "of an unknown type", 999, 2, -EINVAL },
};

static void test_cmsg(const struct test_case *tc)
{
	static const struct expect three = { payload, 300, 100, 3, 100 };
	char control[CMSG_SPACE(sizeof(int))] = {};
	const struct cmsg_row *row = tc->row;
	struct gso_send s = {
		.data = payload,
		.len = 300,
		.cmsg = NO_SIZE,
	};
	static struct gso_msg msg;
	struct cmsghdr *cmsg;
	__u16 size = 100;
	struct flow f;
	ssize_t ret;

	if (!flow_open(&f, tc->fam, LO, false))
		goto out;

	s.to = flow_to(&f);
	fill_msg(&msg, &s);
	msg.hdr.msg_control = control;
	msg.hdr.msg_controllen = CMSG_SPACE(row->len);
	cmsg = (struct cmsghdr *)control;
	cmsg->cmsg_level = SOL_UDP;
	cmsg->cmsg_type = row->type;
	cmsg->cmsg_len = CMSG_LEN(row->len);
	memcpy(CMSG_DATA(cmsg), &size, sizeof(size));

	ret = sendmsg(f.tx, &msg.hdr, 0);
	expect_ret("sendmsg", row->ret, ret < 0 ? -errno : ret);
	flow_expect(&f, &three, row->ret > 0);
out:
	flow_close(&f);
}

/* A cmsg of level IP or IPv6 and a UDP_SEGMENT cmsg must both apply, in either
 * order.
 */
static void test_cmsg_ip(const struct test_case *tc)
{
	char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(2)] = {};
	bool v6 = tc->fam == V6, ip_first = tc->dev;
	struct msghdr rx_msg = {};
	struct gso_send s = {
		.data = payload,
		.len = 300,
		.cmsg = NO_SIZE,
	};
	static struct gso_msg msg;
	struct cmsghdr *cmsg;
	__u16 size = 100;
	struct iovec iov;
	int i, tos = 0x20;
	struct flow f;
	char buf[512];
	ssize_t ret;

	if (!flow_open(&f, tc->fam, LO, false))
		goto out;

	if (set_int(f.rx, v6 ? SOL_IPV6 : SOL_IP,
		    v6 ? IPV6_RECVTCLASS : IP_RECVTOS, 1))
		die("IP_RECVTOS");

	s.to = flow_to(&f);
	fill_msg(&msg, &s);
	msg.hdr.msg_control = control;
	msg.hdr.msg_controllen = sizeof(control);
	cmsg = CMSG_FIRSTHDR(&msg.hdr);
	for (i = 0; i < 2; i++) {
		if (i == ip_first) {
			cmsg->cmsg_level = SOL_UDP;
			cmsg->cmsg_type = UDP_SEGMENT;
			cmsg->cmsg_len = CMSG_LEN(sizeof(size));
			memcpy(CMSG_DATA(cmsg), &size, sizeof(size));
		} else {
			cmsg->cmsg_level = v6 ? SOL_IPV6 : SOL_IP;
			cmsg->cmsg_type = v6 ? IPV6_TCLASS : IP_TOS;
			cmsg->cmsg_len = CMSG_LEN(sizeof(tos));
			memcpy(CMSG_DATA(cmsg), &tos, sizeof(tos));
		}
		cmsg = (void *)cmsg + CMSG_ALIGN(cmsg->cmsg_len);
	}
	ret = sendmsg(f.tx, &msg.hdr, 0);
	expect_ret("sendmsg", 300, ret < 0 ? -errno : ret);
	send_fence(f.fence, &f.fence_to);

	rx_msg.msg_iov = &iov;
	rx_msg.msg_iovlen = 1;
	iov.iov_base = buf;
	iov.iov_len = sizeof(buf);
	for (i = 0; i < 3; i++) {
		int got = 0;

		rx_msg.msg_control = control;
		rx_msg.msg_controllen = sizeof(control);
		if (!readable(f.rx, RX_TIMEOUT_MS))
			die("no datagram");
		if (!expect_long("length of a datagram", 100,
				 recvmsg(f.rx, &rx_msg, 0)))
			goto out;
		cmsg = CMSG_FIRSTHDR(&rx_msg);
		if (cmsg && v6)
			memcpy(&got, CMSG_DATA(cmsg), sizeof(got));
		else if (cmsg)
			got = *CMSG_DATA(cmsg);
		expect_long("traffic class of a datagram", tos, got);
	}
	expect_rx(f.rx, NULL, NULL, 0);
out:
	flow_close(&f);
}

/* Sends: payload length and segment size */

static const struct send_row {
	const char *name;
	int fams;
	int devs;
	int len;
	int size;
	int err;		/* expected errno; 0: success */
	int count;
	int last;
} send_rows[] = {
	{ "no payload", FALL, DALL, 0, 100, 0, 1, 0 },
	{ "1 byte, size 1", FALL, DALL, 1, 1, 0, 1, 1 },
	{ "1 byte", FALL, DALL, 1, 1000, 0, 1, 1 },
	{ "one byte below size", FALL, DALL, 999, 1000, 0, 1, 999 },
	{ "exactly size", FALL, DALL, 1000, 1000, 0, 1, 1000 },
	{ "one byte above size", FALL, DALL, 1001, 1000, 0, 2, 1 },
	{ "twice size", FALL, DALL, 2000, 1000, 0, 2, 1000 },
	{ "short last", FALL, DALL, 2500, 1000, 0, 3, 500 },
	{ "odd size", FALL, DALL, 4000, 333, 0, 13, 4 },

	{ "64 segments", FALL, DALL, 6400, 100, 0, 64, 100 },
	{ "65 segments, last 1 byte", FALL, DALL, 6401, 100, 0, 65, 1 },
	{ "65 segments", FALL, DALL, 6500, 100, 0, 65, 100 },
	{ "127 segments", FALL, DALL, 12700, 100, 0, 127, 100 },
	{ "128 segments, last 1 byte", FALL, DALL, 12701, 100, 0, 128, 1 },
	{ "128 segments", FALL, DALL, 12800, 100, 0, 128, 100 },
	{ "129 segments, last 1 byte", FALL, DALL, 12801, 100, 0, 129, 1 },
	{ "129 segments", FALL, DALL, 12900, 100, 0, 129, 100 },
	{ "128 segments of 1 byte", FALL, DALL, 128, 1, 0, 128, 1 },
	{ "129 segments of 1 byte", FALL, DALL, 129, 1, 0, 129, 1 },
	{ "128 segments of 511", FALL, DALL, 65408, 511, 0, 128, 511 },
	{ "129 segments of 511", FALL, DALL, 65409, 511, 0, 129, 1 },
	{ "256 segments", FALL, DALL, 25600, 100, 0, 256, 100 },
	{ "257 segments, last 1 byte", FALL, DALL, 25601, 100, 0, 257, 1 },
	{ "2000 segments of 1 byte", FALL, DALL, 2000, 1, 0, 2000, 1 },

	{ "44 segments of 1452", FALL, DVETH, 63888, 1452, 0, 44, 1452 },
	{ "longest payload", F4 | FM, DVETH, 65507, 1472, 0, 45, 739 },
	{ "longest payload", F6, DVETH, 65527, 1452, 0, 46, 187 },
	{ "longest payload, size 512", F4 | FM, DALL, 65507, 512, 0, 128, 483 },
	{ "longest payload, size 512", F6, DALL, 65527, 512, 0, 128, 503 },
	{ "longest payload + 1 byte", F4 | FM, DALL, 65508, 512, EMSGSIZE },
	{ "longest payload + 1 byte", F6, DALL, 65528, 512, EMSGSIZE },
	{ "65535 bytes", FALL, DALL, 65535, 1000, EMSGSIZE },
	{ "65536 bytes", FALL, DALL, 65536, 1000, EMSGSIZE },
	{ "100000 bytes", FALL, DALL, 100000, 1000, EMSGSIZE },
	{ "one segment, longest payload", F4 | FM, DLO, 65507, 65507, 0, 1, 65507 },
	{ "one segment, longest payload", F6, DLO, 65488, 65488, 0, 1, 65488 },
	{ "one segment over the MTU", F6, DLO, 65489, 65489, 0, 1, 65489 },
	{ "two segments, longest payload", F4 | FM, DLO, 65507, 65506, 0, 2, 1 },
	{ "two segments, longest payload", F6, DLO, 65527, 65488, 0, 2, 39 },
	{ "size 65535, small payload", FALL, DALL, 1000, 65535, 0, 1, 1000 },
};

enum { BY_OPTION, BY_CMSG, BY_CMSG_OVER_OPTION, METHODS };

static const char * const method_name[] = {
	"option", "cmsg", "cmsg over option",
};

static int send_by(int fd, const struct addr *to, int method, int len, int size)
{
	int option = method == BY_OPTION ? size :
		     method == BY_CMSG ? 0 : OTHER_SIZE;
	struct gso_send s = {
		.to = to,
		.data = payload,
		.len = len,
		.cmsg = method == BY_OPTION ? NO_SIZE : size,
	};

	if (!expect_ret("setsockopt", 0,
			set_int(fd, SOL_UDP, UDP_SEGMENT, option)))
		return 0;

	return gso_send(fd, &s);
}

/* A failed send must not change the socket. The next valid send must work. */
static void expect_unchanged(struct flow *f, const struct addr *to, int option)
{
	static const struct expect two = { payload, 200, 100, 2, 100 };

	if (!flow_expect_none(f))
		return;

	expect_outq_empty(f->tx);
	expect_ret("getsockopt after an error", option,
		   get_int(f->tx, SOL_UDP, UDP_SEGMENT));
	expect_ret("valid send after an error", 200,
		   send_by(f->tx, to, BY_OPTION, 200, 100));
	flow_expect(f, &two, 1);
}

static void send_and_check(struct flow *f, int method,
			   const struct send_row *row)
{
	const struct expect exp = {
		payload, row->len, row->size, row->count, row->last
	};
	int option = method == BY_OPTION ? row->size :
		     method == BY_CMSG ? 0 : OTHER_SIZE;
	int want = row->err ? -row->err : row->len;
	int ret;

	ret = send_by(f->tx, flow_to(f), method, row->len, row->size);
	expect_ret("send", want, ret);
	if (row->err)
		expect_unchanged(f, flow_to(f), option);
	else
		flow_expect(f, &exp, 1);

	if (case_failed)
		fail("%d bytes, segment size %d, %s, %s", row->len, row->size,
		     method_name[method], state_name[f->connected]);
}

static void test_send(const struct test_case *tc)
{
	int connected, method;
	struct flow f;

	for (connected = 0; connected < 2 && !case_failed; connected++) {
		if (!flow_open(&f, tc->fam, tc->dev, connected)) {
			flow_close(&f);
			return;
		}
		for (method = 0; method < METHODS && !case_failed; method++)
			send_and_check(&f, method, tc->row);
		flow_close(&f);
	}
}

/* A cmsg with the value 0 turns the option off for one call only. */
static void test_cmsg_zero(const struct test_case *tc)
{
	static const struct expect exp[] = {
		{ payload, 1000, 0, 1, 1000 },
		{ payload, 1000, 100, 10, 100 },
	};
	struct gso_send s = { .data = payload, .len = 1000 };
	int connected;
	struct flow f;

	for (connected = 0; connected < 2 && !case_failed; connected++) {
		if (flow_open(&f, tc->fam, tc->dev, connected)) {
			expect_ret("setsockopt", 0,
				   set_int(f.tx, SOL_UDP, UDP_SEGMENT, 100));
			s.to = flow_to(&f);
			s.cmsg = 0;
			expect_ret("send, cmsg 0", 1000, gso_send(f.tx, &s));
			s.cmsg = NO_SIZE;
			expect_ret("send, no cmsg", 1000, gso_send(f.tx, &s));
			flow_expect(&f, exp, 2);
		}
		flow_close(&f);
	}
}

/* A send that is too long, or exceeds the MTU with DF, must return EMSGSIZE.
 * This includes sends without checksum, UDP-Lite and IPsec.
 */

enum {
	NO_CHECK = 1,
	LITE = 2,
	XFRM = 4,
	DF = 8,		/* must not be fragmented */
};

#define XFRM_TO4	"203.0.113.2"
#define XFRM_TO6	"2001:db8:3::2"

static const struct refuse_row {
	const char *name;
	int fams;
	int what;
	int len;
	int size;
	int err;
} refuse_rows[] = {
	{ "too long, 1-byte segments", FALL, 0, 65528, 1, EMSGSIZE },
	{ "too long, no checksum", FALL, NO_CHECK, 65528, 1000, EMSGSIZE },
	{ "too long, UDP-Lite", F4 | F6, LITE, 65528, 1000, EMSGSIZE },
	{ "too long, IPsec", FALL, XFRM, 65528, 1000, EMSGSIZE },
	{ "DF, over the MTU, no checksum", FALL, DF | NO_CHECK, 2000, 1473, EMSGSIZE },
	{ "DF, over the MTU, UDP-Lite", F4 | F6, DF | LITE, 2000, 1473, EMSGSIZE },
	{ "DF, over the MTU, IPsec", FALL, DF | XFRM, 2000, 1473, EMSGSIZE },
};

static void set_no_check(const struct flow *f, int val)
{
	int err = set_int(f->tx, SOL_SOCKET, SO_NO_CHECK, val);

	if (!err && f->fam == V6)
		err = set_int(f->tx, SOL_UDP, UDP_NO_CHECK6_TX, val);
	if (err) {
		errno = -err;
		die("no checksum");
	}
}

static void test_refuse(const struct test_case *tc)
{
	static const struct expect plain = { payload, 200, 0, 1, 200 };
	const struct refuse_row *row = tc->row;
	int method, proto = IPPROTO_UDP;
	struct addr good;
	struct flow f;

	if (row->what & XFRM && getenv("UDPGSO_NO_XFRM")) {
		case_skipped = "no xfrm";
		return;
	}
	if (row->what & LITE) {
		if (!has_udplite())
			return;
		proto = IPPROTO_UDPLITE;
	}

	for (method = 0; method < METHODS && !case_failed; method++) {
		if (!flow_open_proto(&f, tc->fam, VETH, false, proto))
			goto close;

		good = f.to;
		if (row->what & XFRM)
			f.to = addr_of(tc->fam, XFRM_TO4, XFRM_TO6,
				       addr_port(&good));
		if (row->what & NO_CHECK)
			set_no_check(&f, 1);
		if (row->what & DF)
			never_fragment(f.tx, tc->fam);
		expect_ret(method_name[method], -row->err,
			   send_by(f.tx, &f.to, method, row->len, row->size));
		if (row->what & NO_CHECK)
			set_no_check(&f, 0);

		if (row->what & LITE) {
			flow_expect_none(&f);
			set_int(f.tx, SOL_UDP, UDP_SEGMENT, 0);
			expect_ret("plain send", 200,
				   send_to(f.tx, &good, payload, 200));
			flow_expect(&f, &plain, 1);
		} else {
			expect_unchanged(&f, &good,
					 get_int(f.tx, SOL_UDP, UDP_SEGMENT));
		}
close:
		flow_close(&f);
	}
}

/* Path MTU: segments of the largest size that is not fragmented, and segments
 * that are one byte larger, which are fragmented or cause an error
 */

static const unsigned char nops[40] = {
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

/* Extension headers: next header, length in units of 8 bytes minus 1, and one
 * option: PadN, or an experimental option that the receiver ignores
 */
static const unsigned char padn_8[8] = { 0, 0, 1, 4 };
static const unsigned char skip_16[16] = { 0, 1, 0x1e, 12 };

static const struct mtu_row {
	const char *name;
	int fams;
	const char *to4, *to6;
	int limit;
	int level, opt;		/* socket option to set */
	const void *val;
	int val_len;		/* 0: use the int below */
	int val_int;
	int dev_mtu;		/* set after connect() */
} mtu_rows[] = {
	{ "of the device", F4 | FM, .limit = 1472 },
	{ "of the device", F6, .limit = 1452 },
	{ "of the device, lowered", F4 | FM, .limit = 1372, .dev_mtu = 1400 },
	{ "of the device, lowered", F6, .limit = 1352, .dev_mtu = 1400 },
	{ "of the route", F4 | FM, "198.51.100.2", NULL, 1272 },
	{ "of the route", F6, NULL, "2001:db8:1::2", 1252 },
	{ "small, of the route", F4 | FM, "198.51.101.2", NULL, 472 },
	{ "of the device, PMTUDISC_PROBE", F4 | FM, "198.51.100.2", NULL, 1472,
	  SOL_IP, IP_MTU_DISCOVER, .val_int = IP_PMTUDISC_PROBE },
	{ "of the device, PMTUDISC_PROBE", F6, NULL, "2001:db8:1::2", 1452,
	  SOL_IPV6, IPV6_MTU_DISCOVER, .val_int = IPV6_PMTUDISC_PROBE },
	{ "of the route, PMTUDISC_DO", F4, "198.51.100.2", NULL, 1272,
	  SOL_IP, IP_MTU_DISCOVER, .val_int = IP_PMTUDISC_DO },
	{ "of the route, PMTUDISC_DONT", F4, "198.51.100.2", NULL, 1272,
	  SOL_IP, IP_MTU_DISCOVER, .val_int = IP_PMTUDISC_DONT },
	{ "of the socket", F6, NULL, NULL, 1252,
	  SOL_IPV6, IPV6_MTU, .val_int = 1300 },
	{ "less 12 bytes of IP options", F4, NULL, NULL, 1460,
	  SOL_IP, IP_OPTIONS, nops, 12 },
	{ "less 40 bytes of IP options", F4, NULL, NULL, 1432,
	  SOL_IP, IP_OPTIONS, nops, 40 },
	{ "less hop-by-hop options", F6, NULL, NULL, 1444,
	  SOL_IPV6, IPV6_HOPOPTS, padn_8, 8 },
	{ "less destination options", F6, NULL, NULL, 1436,
	  SOL_IPV6, IPV6_DSTOPTS, skip_16, 16 },
};

static void set_dev_mtu(int mtu)
{
	must_sh("ip link set dev gso0 mtu %d", mtu);
}

static void mtu_check(struct flow *f, const struct mtu_row *row, int method,
		      bool df)
{
	int err = df ? EMSGSIZE : 0;
	const struct send_row rows[] = {
		{ NULL, 0, 0, 2 * row->limit, row->limit, 0, 2, row->limit },
		{ NULL, 0, 0, row->limit + 1, row->limit, 0, 2, 1 },
		{ NULL, 0, 0, row->limit, row->limit + 1, 0, 1, row->limit },
		{ NULL, 0, 0, row->limit, 65535, 0, 1, row->limit },
		{ NULL, 0, 0, row->limit + 2, row->limit + 1, err, 2, 1 },
		{ NULL, 0, 0, row->limit + 1, row->limit + 1, err, 1 },
		{ NULL, 0, 0, row->limit + 1, 65535, err, 1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows) && !case_failed; i++)
		send_and_check(f, method, &rows[i]);
}

/* Returns whether the row applies to @df. Rows that set PMTU discovery decide
 * themselves whether datagrams may be fragmented.
 */
static bool mtu_row_is_for(const struct mtu_row *row, bool df)
{
	bool dont = row->val_int == IP_PMTUDISC_DONT;

	if ((row->level == SOL_IP && row->opt == IP_MTU_DISCOVER) ||
	    (row->level == SOL_IPV6 && row->opt == IPV6_MTU_DISCOVER))
		return df != dont;

	return true;
}

static void test_mtu(const struct test_case *tc)
{
	const struct mtu_row *row = tc->row;
	int state, connected, method, err;
	bool df;
	struct flow f;

	for (state = 0; state < 4 && !case_failed; state++) {
		connected = state % 2;
		df = state / 2;
		if (!mtu_row_is_for(row, df))
			continue;
		if (!flow_open(&f, tc->fam, VETH, false))
			goto close;

		if (df)
			never_fragment(f.tx, tc->fam);
		if (row->opt) {
			err = setsockopt(f.tx, row->level, row->opt,
					 row->val_len ? row->val :
							&row->val_int,
					 row->val_len ?: (int)sizeof(int));
			if (err)
				die("option %d", row->opt);
		}
		if (row->to4 || row->to6)
			f.to = addr_of(tc->fam, row->to4, row->to6,
				       addr_port(&f.to));
		if (connected)
			flow_connect(&f);
		if (row->dev_mtu)
			set_dev_mtu(row->dev_mtu);

		for (method = 0; method < METHODS && !case_failed; method++)
			mtu_check(&f, row, method, df);

		if (row->dev_mtu)
			set_dev_mtu(paths[VETH].mtu);
close:
		flow_close(&f);
	}
}

static void add_option_cases(enum family fam)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(option_rows); i++)
		add_case(test_option, &option_rows[i], fam, 0, "option: %s %s",
			 family_name[fam], option_rows[i].name);
	add_case(test_option_short, NULL, fam, 0, "option: %s two bytes",
		 family_name[fam]);
}

static void add_cmsg_cases(enum family fam)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmsg_rows); i++)
		add_case(test_cmsg, &cmsg_rows[i], fam, 0, "cmsg: %s %s",
			 family_name[fam], cmsg_rows[i].name);
	add_case(test_cmsg_zero, NULL, fam, LO, "cmsg: %s 0 overrides the option",
		 family_name[fam]);
	if (fam == MAPPED)
		return;
	add_case(test_cmsg_ip, NULL, fam, 0, "cmsg: %s before an IP cmsg",
		 family_name[fam]);
	add_case(test_cmsg_ip, NULL, fam, 1, "cmsg: %s after an IP cmsg",
		 family_name[fam]);
}

static void add_send_cases(enum family fam)
{
	size_t i;
	int dev;

	for (dev = LO; dev <= VETH; dev++)
		for (i = 0; i < ARRAY_SIZE(send_rows); i++)
			if (send_rows[i].fams & (1 << fam) &&
			    send_rows[i].devs & (1 << dev))
				add_case(test_send, &send_rows[i], fam, dev,
					 "send: %s %s %s", family_name[fam],
					 paths[dev].name, send_rows[i].name);
}

static void add_refuse_cases(enum family fam)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refuse_rows); i++)
		if (refuse_rows[i].fams & (1 << fam))
			add_case(test_refuse, &refuse_rows[i], fam, 0,
				 "refuse: %s %s", family_name[fam],
				 refuse_rows[i].name);
}

static void add_mtu_cases(enum family fam)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mtu_rows); i++)
		if (mtu_rows[i].fams & (1 << fam))
			add_case(test_mtu, &mtu_rows[i], fam, 0, "mtu: %s %s",
				 family_name[fam], mtu_rows[i].name);
}

int main(int argc, char **argv)
{
	enum family fam;

	if (argc < 2)
		ksft_exit_fail_msg("usage: %s PEER_NETNS [FILTER]\n", argv[0]);

	open_netns(argv[1]);
	payload_init();
	pin_cpu();

	for (fam = V4; fam < FAMILIES; fam++) {
		add_option_cases(fam);
		add_cmsg_cases(fam);
		add_send_cases(fam);
		add_refuse_cases(fam);
		add_mtu_cases(fam);
	}
	run_cases(argc > 2 ? argv[2] : NULL);

	return 0;
}
