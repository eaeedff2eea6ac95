// SPDX-License-Identifier: GPL-2.0
/* Tests UDP_GRO: the socket option, which datagrams are aggregated to one
 * message, and how an aggregated message is read.
 *
 * The program builds each datagram of a burst. It compares each received
 * message with the sent payload of the flow: length, content and the size in
 * the control message.
 *
 * udpgro.sh creates the namespaces in which this runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgro_lib.h"

#define MAX_FRAMES	128
#define FLOWS		2
#define OTHER_PORT	(PORT + 1)

/* Bursts */

enum {
	DF = 1,
	SAME_ID = 2,
	SKIP_ID = 4,
	NO_CSUM = 8,
	BAD_CSUM = 16,
	PARTIAL = 32,
	LABEL = 64,
	PAD = 128,
};

struct part {
	int nr;
	int len;
	int flags;
	int flow;
	int ttl;		/* added to TTL */
	int tos;
};

struct want {
	int len;
	int size;
	int flow;
};

enum { BOTH, ONLY4, ONLY6 };

struct burst {
	const char *name;
	struct part part[5];
	struct want want[6];
	int fams;
	bool base;		/* also run with v4-mapped sockets */
};

static const struct burst bursts[] = {
	{ "one", { { 1, 100 } }, { { 100, 0 } } },
	{ "two", { { 2, 100 } }, { { 200, 100 } }, .base = true },
	{ "64 of 1 byte", { { 64, 1 } }, { { 64, 1 } } },
	{ "64", { { 64, 100 } }, { { 6400, 100 } } },
	{ "65", { { 65, 100 } }, { { 6400, 100 }, { 100, 0 } } },
	{ "last is shorter", { { 4, 500 }, { 1, 499 } }, { { 2499, 500 } },
	  .base = true },
	{ "last is one byte", { { 4, 500 }, { 1, 1 } }, { { 2001, 500 } } },
	{ "shorter datagram flushes", { { 3, 500 }, { 3, 200 } },
	  { { 1700, 500 }, { 400, 200 } } },
	{ "longer datagram flushes", { { 3, 500 }, { 1, 501 } },
	  { { 1500, 500 }, { 501, 0 } } },
	{ "500, then 600 bytes", { { 2, 500 }, { 3, 600 } },
	  { { 1000, 500 }, { 1800, 600 } } },
	{ "45 of 1452, 64 KiB", { { 45, 1452 } }, { { 65340, 1452 } } },
	{ "46 of 1452, over 64 KiB", { { 46, 1452 } },
	  { { 65340, 1452 }, { 1452, 0 } } },
	{ "two flows", { { 2, 100 }, { 1, 300, 0, 1 }, { 1, 100 },
			 { 2, 300, 0, 1 } },
	  { { 300, 100 }, { 900, 300, 1 } } },
	{ "two flows, other lengths", { { 2, 100 }, { 2, 300, 0, 1 }, { 1, 101 },
				   { 1, 299, 0, 1 }, { 1, 9, 0, 1 } },
	  { { 200, 100 }, { 101, 0 }, { 899, 300, 1 }, { 9, 0, 1 } } },
	{ "hop limit", { { 3, 100 }, { 2, 100, .ttl = 1 } },
	  { { 300, 100 }, { 200, 100 } } },
	{ "traffic class", { { 3, 100 }, { 2, 100, .tos = 4 } },
	  { { 300, 100 }, { 200, 100 } } },
	{ "ECN", { { 3, 100, .tos = 2 }, { 2, 100, .tos = 3 } },
	  { { 300, 100 }, { 200, 100 } } },
	{ "partial checksums", { { 4, 100, PARTIAL } },
	  { { 400, 100 } } },
	{ "wrong checksum", { { 3, 100 }, { 1, 100, BAD_CSUM } },
	  { { 300, 100 } } },
	{ "all checksums wrong", { { 3, 100, BAD_CSUM } }, { } },
	{ "padded", { { 3, 4, PAD } }, { { 4, 0 }, { 4, 0 }, { 4, 0 } } },
	{ "DF", { { 3, 100 }, { 2, 100, DF } },
	  { { 300, 100 }, { 200, 100 } }, ONLY4 },
	{ "ID skips", { { 2, 100 }, { 2, 100, SKIP_ID } },
	  { { 200, 100 }, { 100, 0 }, { 100, 0 } }, ONLY4 },
	{ "same ID", { { 3, 100, SAME_ID } },
	  { { 100, 0 }, { 100, 0 }, { 100, 0 } }, ONLY4 },
	{ "same ID, DF", { { 3, 100, SAME_ID | DF } }, { { 300, 100 } },
	  ONLY4 },
	{ "no checksum", { { 3, 100, NO_CSUM } },
	  { { 100, 0 }, { 100, 0 }, { 100, 0 } }, ONLY4 },
	{ "flow label", { { 2, 100 }, { 2, 100, LABEL } },
	  { { 200, 100 }, { 200, 100 } }, ONLY6 },
	{ "3 empty datagrams", { { 3, 0 } }, { { 0, 0 }, { 0, 0 }, { 0, 0 } } },
	{ "order kept: empty", { { 2, 100 }, { 1, 0 }, { 2, 100 } },
	  { { 200, 100 }, { 0, 0 }, { 200, 100 } } },
	{ "order kept: no checksum",
	  { { 2, 100 }, { 1, 100, NO_CSUM }, { 2, 100 } },
	  { { 200, 100 }, { 100, 0 }, { 200, 100 } }, ONLY4 },
};

struct sent {
	struct dgram dgram[MAX_FRAMES];
	int nr;
	int off[FLOWS];		/* offset in the payload of the flow */
};

static const unsigned char *flow_data(int flow)
{
	return payload + flow * sizeof(payload) / FLOWS;
}

static void sent_add(struct sent *s, enum family fam, const struct part *p)
{
	bool v4 = fam != V6;
	int i;

	for (i = 0; i < p->nr; i++) {
		struct dgram *d = &s->dgram[s->nr];

		*d = (struct dgram) {
			.fam = v4 ? V4 : V6,
			.dst = v4 ? MID4 : MID6,
			.sport = FLOW_PORT + p->flow,
			.dport = PORT,
			.data = flow_data(p->flow) + s->off[p->flow],
			.len = p->len,
			.ttl = TTL + p->ttl,
			.tos = p->tos,
			.df = p->flags & DF,
			.no_csum = p->flags & NO_CSUM,
			.bad_csum = p->flags & BAD_CSUM,
			.partial = p->flags & PARTIAL,
			.label = p->flags & LABEL ? 0xabcde : 0,
			.pad = p->flags & PAD ? 20 : 0,
		};
		s->nr++;
		if (!(p->flags & BAD_CSUM))
			s->off[p->flow] += p->len;
	}
}

/* Sets the IPv4 IDs. They are consecutive per flow, except with SKIP_ID and
 * SAME_ID.
 */
static void sent_number(struct sent *s, const struct burst *b)
{
	int next[FLOWS] = { FIRST_ID, FIRST_ID + 100 }, i, n, k = 0;

	for (i = 0; i < ARRAY_SIZE(b->part); i++) {
		const struct part *p = &b->part[i];

		for (n = 0; n < p->nr; n++, k++) {
			if (p->flags & SKIP_ID)
				next[p->flow]++;
			s->dgram[k].id = next[p->flow];
			if (!(p->flags & (SAME_ID | BAD_CSUM)))
				next[p->flow]++;
		}
	}
}

static void sent_fill(struct sent *s, enum family fam, const struct burst *b)
{
	int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < ARRAY_SIZE(b->part); i++)
		sent_add(s, fam, &b->part[i]);
	sent_number(s, b);
}

/* Received messages */

static void fence(enum family fam)
{
	inject_fence(fam == V6 ? V6 : V4, fam == V6 ? MID6 : MID4, PORT);
}

/* Reads the next message that is not a fence. Returns false after the second
 * fence.
 */
static bool next_message(int fd, enum family fam, int *fences,
			 struct message *m)
{
	for (;;) {
		if (!recv_message(fd, m, sizeof(m->data), 0)) {
			if (readable(fd, RX_TIMEOUT_MS))
				continue;
			return fail("the fence is lost");
		}
		if (!is_fence(m->data, m->len))
			return true;
		if (++*fences == 2)
			return false;
		fence(fam);
	}
}

struct got {
	int off[FLOWS];
	int nr[FLOWS];
};

static bool check_message(const struct message *m, struct got *got,
			  const struct want *want, int nr_want)
{
	int i, n, flow = m->sport - FLOW_PORT;

	if (flow < 0 || flow >= FLOWS)
		return fail("message from port %d", m->sport);

	n = got->nr[flow]++;
	for (i = 0; i < nr_want; i++)
		if (want[i].flow == flow && !n--)
			break;
	if (i == nr_want)
		return fail("flow %d: unexpected message of %d bytes", flow,
			    m->len);
	if (want[i].len != m->len || want[i].size != m->size)
		return fail("flow %d, message %d: expected length %d, size %d, got %d, %d",
			    flow, got->nr[flow], want[i].len, want[i].size,
			    m->len, m->size);
	if (m->flags & (MSG_TRUNC | MSG_CTRUNC))
		return fail("message is truncated");
	if (memcmp(m->data, flow_data(flow) + got->off[flow], m->len))
		return fail("flow %d, message %d: wrong payload", flow,
			    got->nr[flow]);
	got->off[flow] += m->len;

	return true;
}

static bool expect_messages(int fd, enum family fam, const struct want *want,
			    int nr_want)
{
	static struct message m;
	struct got got = {};
	int fences = 0, nr;

	fence(fam);
	while (next_message(fd, fam, &fences, &m))
		if (!case_failed)
			check_message(&m, &got, want, nr_want);
	nr = got.nr[0] + got.nr[1];

	return !case_failed && expect_long("messages", nr_want, nr);
}

static int nr_wanted(const struct burst *b)
{
	int sum = 0, want = 0, i, flags = 0;

	for (i = 0; i < ARRAY_SIZE(b->part); i++) {
		flags = b->part[i].flags;
		if (!(flags & BAD_CSUM))
			sum += b->part[i].len ? b->part[i].len * b->part[i].nr :
						b->part[i].nr;
	}
	for (i = 0; i < ARRAY_SIZE(b->want) && sum > want; i++)
		want += b->want[i].len ? b->want[i].len : 1;

	return i;
}

/* Features of the device and options of the socket */

static struct mode {
	const char *name;
	bool gro;		/* value of UDP_GRO */
	const char *features;
} modes[] = {
	{ "UDP_GRO", true, "rx-gro-list off rx-udp-gro-forwarding off" },
	{ "UDP_GRO, rx-gro-list", true,
	  "rx-gro-list on rx-udp-gro-forwarding off" },
	{ "UDP_GRO, rx-udp-gro-forwarding", true,
	  "rx-gro-list off rx-udp-gro-forwarding on" },
	{ "plain", false, "rx-gro-list off rx-udp-gro-forwarding off" },
	{ "plain, rx-gro-list", false,
	  "rx-gro-list on rx-udp-gro-forwarding off" },
	{ "plain, rx-udp-gro-forwarding", false,
	  "rx-gro-list off rx-udp-gro-forwarding on" },
};

enum { FRAGLIST = 1, MERGED = 2 };	/* indexes of modes[] */

static const char *mid_name;

/* Each change of features may create a new NAPI thread, which must be pinned.
 */
static bool mode_set(const struct mode *mode)
{
	static const struct mode *now, *refused;

	if (mode == refused)
		return fail("the device does not support these features");
	if (mode == now)
		return true;
	if (!features(mid_name, "gro0", mode->features)) {
		refused = mode;
		return false;
	}
	now = mode;
	pin_napis();

	return true;
}

static int gro_socket_at(int port, enum family fam, bool on)
{
	int fd = udp_rx_socket(peer_netns, fam == V4 ? V4 : V6, port);

	if (expect_ret("setsockopt UDP_GRO 1", 0,
		       set_int(fd, SOL_UDP, UDP_GRO, 1)) &&
	    (on || expect_ret("setsockopt UDP_GRO 0", 0,
			      set_int(fd, SOL_UDP, UDP_GRO, 0))))
		return fd;
	close(fd);

	return -1;
}

static int gro_socket(enum family fam, bool on)
{
	return gro_socket_at(PORT, fam, on);
}

/* Expect single datagrams, even if GRO has aggregated them. */
static int want_singles(const struct sent *s, struct want *want)
{
	int i, nr = 0;

	for (i = 0; i < s->nr; i++) {
		if (s->dgram[i].bad_csum)
			continue;
		want[nr++] = (struct want) {
			.len = s->dgram[i].len,
			.flow = s->dgram[i].sport - FLOW_PORT,
		};
	}

	return nr;
}

static void run_burst(const struct test_case *tc)
{
	const struct mode *mode = &modes[tc->dev];
	const struct burst *b = tc->row;
	struct want singles[MAX_FRAMES];
	static struct sent s;
	int fd;

	if (!mode_set(mode))
		return;
	fd = gro_socket(tc->fam, mode->gro);
	if (fd < 0)
		return;

	sent_fill(&s, tc->fam, b);
	inject_burst(s.dgram, s.nr);
	if (mode->gro)
		expect_messages(fd, tc->fam, b->want, nr_wanted(b));
	else
		expect_messages(fd, tc->fam, singles,
				want_singles(&s, singles));
	close(fd);
}

/* The option */

struct option {
	const char *name;
	int val;
	socklen_t len;
	int ret;
	int get;
};

static const struct option options[] = {
	{ "0", 0, 4, 0, 0 },
	{ "1", 1, 4, 0, 1 },
	{ "2", 2, 4, 0, 1 },
	{ "-1", -1, 4, 0, 1 },
	{ "of 3 bytes", 1, 3, -EINVAL, 0 },
	{ "of 0 bytes", 1, 0, -EINVAL, 0 },
};

static void run_option(const struct test_case *tc)
{
	const struct option *o = tc->row;
	int fd = udp_socket(socket_domain(tc->fam), 0, 0), ret;

	ret = setsockopt(fd, SOL_UDP, UDP_GRO, &o->val, o->len) ? -errno : 0;
	if (expect_ret("setsockopt", o->ret, ret) &&
	    expect_ret("getsockopt", o->get, get_int(fd, SOL_UDP, UDP_GRO)) &&
	    expect_ret("setsockopt 0", 0, set_int(fd, SOL_UDP, UDP_GRO, 0)))
		expect_ret("getsockopt after 0", 0,
			   get_int(fd, SOL_UDP, UDP_GRO));
	close(fd);
}

static void run_getsockopt(const struct test_case *tc)
{
	int fd = udp_socket(socket_domain(tc->fam), 0, 0), val = -1;
	socklen_t len = 2;

	if (expect_ret("setsockopt", 0, set_int(fd, SOL_UDP, UDP_GRO, 1)) &&
	    expect_ret("getsockopt", 0,
		       getsockopt(fd, SOL_UDP, UDP_GRO, &val, &len)))
		expect_long("length", 2, len);
	len = -1;
	expect_ret("getsockopt of -1 bytes", -EINVAL,
		   getsockopt(fd, SOL_UDP, UDP_GRO, &val, &len) ? -errno : 0);
	close(fd);
}

/* Reading: four datagrams of 100 bytes as one message, two of 300 as another */

static const struct burst two_messages = {
	.part = { { 4, 100 }, { 2, 300 } },
};

static int reading_socket(enum family fam)
{
	int fd = mode_set(&modes[0]) ? gro_socket(fam, true) : -1;
	static struct sent s;

	if (fd < 0)
		return fd;
	sent_fill(&s, fam, &two_messages);
	inject_burst(s.dgram, s.nr);
	if (readable(fd, RX_TIMEOUT_MS))
		return fd;
	fail("no message received");
	close(fd);

	return -1;
}

static struct message read_msg;

static bool expect_read(int fd, int room, int flags, int len, int got_flags,
			int size, int off)
{
	int data = len < room ? len : room;

	while (!recv_message(fd, &read_msg, room, flags))
		if (!readable(fd, RX_TIMEOUT_MS))
			return fail("no message received");

	if (!expect_long("length", len, read_msg.len) ||
	    !expect_long("MSG_TRUNC", got_flags, read_msg.flags & MSG_TRUNC) ||
	    !expect_long("size", size, read_msg.size))
		return false;
	if (memcmp(read_msg.data, flow_data(0) + off, data))
		return fail("wrong payload");

	return true;
}

static bool expect_second(int fd)
{
	return expect_read(fd, 1 << 16, 0, 600, 0, 300, 400);
}

static void run_read_whole(const struct test_case *tc)
{
	int fd = reading_socket(tc->fam);

	if (fd >= 0 && expect_read(fd, 400, 0, 400, 0, 100, 0))
		expect_second(fd);
	close(fd);
}

static void run_read_peek(const struct test_case *tc)
{
	int fd = reading_socket(tc->fam);

	if (fd >= 0 && expect_read(fd, 1 << 16, MSG_PEEK, 400, 0, 100, 0) &&
	    expect_read(fd, 150, MSG_PEEK, 150, MSG_TRUNC, 100, 0) &&
	    expect_read(fd, 1 << 16, 0, 400, 0, 100, 0))
		expect_second(fd);
	close(fd);
}

static void run_read_trunc(const struct test_case *tc)
{
	int fd = reading_socket(tc->fam);

	if (fd >= 0 && expect_read(fd, 399, MSG_TRUNC, 400, MSG_TRUNC, 100, 0))
		expect_second(fd);
	close(fd);
}

/* Bytes that do not fit into the buffer are lost. The next message is complete.
 */
static void run_read_small(const struct test_case *tc)
{
	int fd = reading_socket(tc->fam);

	if (fd >= 0 && expect_read(fd, 150, 0, 150, MSG_TRUNC, 100, 0))
		expect_second(fd);
	close(fd);
}

static void run_read_inq(const struct test_case *tc)
{
	int fd = reading_socket(tc->fam), inq = -1;

	if (fd < 0)
		return;
	if (ioctl(fd, FIONREAD, &inq))
		die("FIONREAD");
	expect_long("FIONREAD", 400, inq);
	close(fd);
}

/* recvmsg() has no room for the UDP_GRO control message and sets MSG_CTRUNC. */
static void run_read_no_control(const struct test_case *tc)
{
	struct iovec iov = { read_msg.data, sizeof(read_msg.data) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = reading_socket(tc->fam);

	if (fd < 0)
		return;
	if (expect_ret("recvmsg", 400, recvmsg(fd, &hdr, 0)) &&
	    expect_long("MSG_CTRUNC", MSG_CTRUNC, hdr.msg_flags & MSG_CTRUNC))
		expect_second(fd);
	close(fd);
}

static void run_read_many(const struct test_case *tc)
{
	static const int len[2] = { 400, 600 }, size[2] = { 100, 300 };
	static unsigned char data[2][1024];
	char control[2][64];
	struct mmsghdr msgs[2] = {};
	struct iovec iov[2];
	int i, fd = reading_socket(tc->fam);

	if (fd < 0)
		return;
	for (i = 0; i < 2; i++) {
		iov[i] = (struct iovec) { data[i], sizeof(data[i]) };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_control = control[i];
		msgs[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	/* Block, because the second message may arrive later. */
	fcntl(fd, F_SETFL, 0);
	expect_ret("recvmmsg", 2, recvmmsg(fd, msgs, 2, 0, NULL));
	for (i = 0; i < 2 && !case_failed; i++) {
		expect_long("length", len[i], msgs[i].msg_len);
		expect_long("size", size[i], gro_cmsg(&msgs[i].msg_hdr));
		if (memcmp(data[i], flow_data(0) + 400 * i, len[i]))
			fail("wrong payload");
	}
	close(fd);
}

/* GRO must check UDP_GRO of the connected socket, not of the other socket that
 * is bound to the same port.
 */
static void run_connected(const struct test_case *tc)
{
	static const struct burst both = {
		.part = { { 2, 100 }, { 2, 300, .flow = 1 }, { 1, 100 } },
	};
	static const struct want joined[] = { { 300, 100 } };
	static const struct want single[] = { { 300, 0, 1 }, { 300, 0, 1 } };
	struct addr from = addr_of(tc->fam, TX4, TX6, FLOW_PORT);
	static struct sent s;
	int fd, other;

	if (!mode_set(&modes[0]))
		return;
	fd = gro_socket(tc->fam, true);
	if (fd < 0)
		return;
	if (connect(fd, &from.sa, from.len))
		die("connect");
	other = gro_socket(tc->fam, false);

	sent_fill(&s, tc->fam, &both);
	inject_burst(s.dgram, s.nr);
	expect_messages(other, tc->fam, single, 2);

	/* The socket @other has received both fences, so all messages have
	 * arrived.
	 */
	if (!case_failed && recv_message(fd, &read_msg, 1 << 16, 0)) {
		struct got got = {};

		check_message(&read_msg, &got, joined, 1);
		if (recv_message(fd, &read_msg, 1 << 16, 0))
			fail("unexpected second message of %d bytes",
			     read_msg.len);
	} else if (!case_failed) {
		fail("the connected socket has received nothing");
	}
	close(fd);
	close(other);
}

/* GRO cannot find the socket, because NAT changes the port after GRO. A
 * fraglist GSO packet must be segmented at the socket.
 */
static void run_redirected(const struct test_case *tc)
{
	static const struct burst burst = { .part = { { 4, 100 } } };
	static const struct want merged[] = { { 400, 100 } };
	const struct mode *mode = &modes[tc->dev];
	struct want singles[MAX_FRAMES];
	static struct sent s;
	int fd;

	if (!mode_set(mode))
		return;
	fd = gro_socket_at(OTHER_PORT, tc->fam, true);
	if (fd < 0)
		return;
	must_sh("ip netns exec %s nft 'table %s nat { chain pre { "
		"type nat hook prerouting priority -100; "
		"udp dport %d dnat to :%d; }; }'", mid_name,
		tc->fam == V4 ? "ip" : "ip6", PORT, OTHER_PORT);
	sent_fill(&s, tc->fam, &burst);
	inject_burst(s.dgram, s.nr);
	if (tc->dev == FRAGLIST)
		expect_messages(fd, tc->fam, singles,
				want_singles(&s, singles));
	else
		expect_messages(fd, tc->fam, merged, ARRAY_SIZE(merged));
	must_sh("ip netns exec %s nft flush ruleset", mid_name);
	close(fd);
}

/* Cases */

static const struct {
	const char *name;
	void (*run)(const struct test_case *tc);
} others[] = {
	{ "getsockopt with another length", run_getsockopt },
	{ "read: buffer of the message's length", run_read_whole },
	{ "read: MSG_PEEK", run_read_peek },
	{ "read: MSG_TRUNC", run_read_trunc },
	{ "read: small buffer", run_read_small },
	{ "read: FIONREAD", run_read_inq },
	{ "read: no room for control messages", run_read_no_control },
	{ "read: recvmmsg", run_read_many },
	{ "connected and unconnected, one port", run_connected },
};

static void add_bursts(int mode, enum family fam)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(bursts); i++) {
		const struct burst *b = &bursts[i];

		if (b->fams == (fam == V6 ? ONLY4 : ONLY6) ||
		    (fam == MAPPED && !b->base))
			continue;
		add_case(run_burst, b, fam, mode, "%s %s: %s", family_name[fam],
			 modes[mode].name, b->name);
	}
}

int main(int argc, char **argv)
{
	int i, fam;

	if (argc < 3)
		ksft_exit_fail_msg("usage: udpgro MID RX [FILTER]\n");
	mid_name = argv[1];
	open_netns(argv[1]);
	payload_init();
	pin_cpu();

	for (fam = V4; fam <= V6; fam++)
		for (i = 0; i < ARRAY_SIZE(options); i++)
			add_case(run_option, &options[i], fam, 0,
				 "%s option: %s", family_name[fam],
				 options[i].name);
	for (fam = V4; fam <= V6; fam++)
		for (i = 0; i < ARRAY_SIZE(others); i++)
			add_case(others[i].run, NULL, fam, 0, "%s %s",
				 family_name[fam], others[i].name);
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		for (fam = V4; fam < FAMILIES; fam++)
			add_bursts(i, fam);
	for (i = FRAGLIST; i <= MERGED; i++)
		for (fam = V4; fam <= V6; fam++)
			add_case(run_redirected, NULL, fam, i,
				 "%s %s, redirected", family_name[fam],
				 modes[i].name);

	run_cases(argc > 3 ? argv[3] : NULL);

	return 0;
}
