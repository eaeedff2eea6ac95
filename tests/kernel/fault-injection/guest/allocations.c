// SPDX-License-Identifier: GPL-2.0
/* Each allocation of a segmented send fails in turn, on each of many paths.
 *
 *	allocations [FILTER]
 *
 * A task makes its own Nth allocation fail (/proc/thread-self/fail-nth). N increases until a send has fewer allocations.
 * Either the send fails with ENOMEM or ENOBUFS and no datagram arrives, or the datagrams that arrive are correct. If
 * datagrams are missing, a counter of drops must have increased. Afterwards SIOCOUTQ is 0, and the socket can send.
 * When the guest ends, a scan of kmemleak checks for leaks.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sys/mman.h>

#include "udpgso_topo.h"

#define MAX_NTH		400
#define TIMEOUT_S	600	/* of a case; the debug kernel is slow, and its host may be busy */
#define DEBUGFS		"/sys/kernel/debug/"

#define ESP(dir, mode)									\
	"xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode " mode		\
	" enc ecb(cipher_null) \"\";"							\
	"xfrm state add src 2001:db8::1 dst 2001:db8::2 proto esp spi 1 mode " mode	\
	" enc ecb(cipher_null) \"\";"							\
	"xfrm policy add src 192.0.2.1 dst 192.0.2.2 proto udp dport 4242 dir " dir	\
	" tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode " mode ";"			\
	"xfrm policy add src 2001:db8::1 dst 2001:db8::2 proto udp dport 4242 dir " dir \
	" tmpl src 2001:db8::1 dst 2001:db8::2 proto esp mode " mode

#define TUNNEL(type)									\
	.top = "top", .end = "end", .mtu = 1400,					\
	.tx = "addr add 10.0.0.1/24 dev d0;link add top mtu 1400 type " type		\
	      " local 10.0.0.1 remote 10.0.0.2",					\
	.rx = "addr add 10.0.0.2/24 dev d1;link add end mtu 1400 type " type		\
	      " local 10.0.0.2 remote 10.0.0.1"

static const struct topo topos[] = {
	{ "veth" },
	{ "vlan", .top = "top", .end = "end",
	  .tx = "link add link d0 name top type vlan id 7",
	  .rx = "link add link d1 name end type vlan id 7" },
	{ "bridge", .top = "top", .tx = "link add top type bridge;link set d0 master top" },
	{ "vxlan", TUNNEL("vxlan id 7 dstport 4789") },
	{ "gretap", TUNNEL("gretap") },
	{ "ESP, transport", .tx_more = ESP("out", "transport"), .rx_more = ESP("in", "transport") },
	{ "ESP, tunnel", .tx_more = ESP("out", "tunnel"), .rx_more = ESP("in", "tunnel") },
	{ "a qdisc that segments and queues", .tx_more = "link set d0 txqueuelen 1000" },
};

#define QUEUE	(&topos[ARRAY_SIZE(topos) - 1])

static const char * const features[] = {
	"", "tx:d0 uso-", "tx:d0 uso- csum-", "tx:d0 uso- csum- sg-",
};

static const char * const feature_text[] = {
	"USO", "software", "no checksum", "no checksum, no sg",
};

enum how { COPY, ZEROCOPY, CORKED, PIECES };

static const struct shape {
	const char *name;
	enum how how;
	int len, size;
	bool veth_only;
} shapes[] = {
	{ "copied", COPY, 9001, 1000 },
	{ "without copy", ZEROCOPY, 9001, 1000 },
	{ "corked", CORKED, 9001, 1000 },
	{ "64 KB", COPY, 65000, 1300, true },
	{ "over the MTU", COPY, 7000, 2000 },
	{ "over 128", COPY, 300, 1, true },
	{ "30 pieces without copy", PIECES, 9001, 1000, true },
};

static char pages[32][2 * 4096] __attribute__((aligned(4096)));

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s", name);
	close(fd);
}

/* Allocations of any kind may fail, but only those of a task that has set fail-nth */
static void prepare_faults(void)
{
	write_file(DEBUGFS "failslab/verbose", "0");
	write_file(DEBUGFS "failslab/ignore-gfp-wait", "N");
	write_file(DEBUGFS "fail_page_alloc/verbose", "0");
	write_file(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	write_file(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
	write_file(DEBUGFS "fail_page_alloc/min-order", "0");
}

static int fail_nth_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("fail-nth");

	return fd;
}

static void set_fail_nth(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	if (pwrite(fail_nth_fd(), text, strlen(text), 0) < 0)
		die("fail-nth");
}

/* Returns true if an allocation has failed since set_fail_nth() */
static bool clear_fail_nth(void)
{
	char text[16] = "";

	if (pread(fail_nth_fd(), text, sizeof(text) - 1, 0) <= 0)
		die("fail-nth");
	set_fail_nth(0);

	return !atoi(text);
}

/* The counters of drops: of devices, of protocols, of qdiscs */

static long sum_devices(void)
{
	long sum = 0, rx, tx, rx_err, tx_err;
	FILE *f = fopen("/proc/thread-self/net/dev", "r");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*[^:]: %*d %*d %ld %ld %*d %*d %*d %*d %*d %*d %ld %ld", &rx_err, &rx, &tx_err,
			   &tx) == 4)
			sum += rx + tx + rx_err + tx_err;
	if (f)
		fclose(f);

	return sum;
}

static bool counts_drops(const char *name)
{
	static const char * const words[] = {
		"Error", "Errors", "Discards", "Fails", "Drops", "NoRoutes",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(name, words[i]))
			return true;

	return false;
}

/* A line "Ip: names" and then a line "Ip: values" */
static long sum_snmp(void)
{
	char names[4096], values[4096], *name, *value, *save[2];
	FILE *f = fopen("/proc/thread-self/net/snmp", "r");
	long sum = 0;

	while (f && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		name = strtok_r(names, " \n", &save[0]);
		value = strtok_r(values, " \n", &save[1]);
		for (; name && value; name = strtok_r(NULL, " \n", &save[0]), value = strtok_r(NULL, " \n", &save[1]))
			if (counts_drops(name))
				sum += atol(value);
	}
	if (f)
		fclose(f);

	return sum;
}

/* Lines of "name value". If @all is set, each line counts an error, as in xfrm_stat. */
static long sum_values(const char *file, bool all)
{
	FILE *f = fopen(file, "r");
	char name[64];
	long sum = 0, value;

	while (f && fscanf(f, "%63s %ld", name, &value) == 2)
		if (all || counts_drops(name))
			sum += value;
	if (f)
		fclose(f);

	return sum;
}

/* tc is slow, so it only runs for the qdisc */
static long sum_queues(void)
{
	FILE *pipe = popen("exec tc -s qdisc show dev d0", "r");
	long sum = 0, n;
	char line[256];

	while (pipe && fgets(line, sizeof(line), pipe))
		if (sscanf(line, " Sent %*d bytes %*d pkt (dropped %ld", &n) == 1)
			sum += n;
	if (pipe)
		pclose(pipe);

	return sum;
}

static long count_drops(const struct topo *t)
{
	long sum = 0;
	enum ns ns;

	for (ns = TX; ns < NR_NS; ns++) {
		enter(ns);
		sum += sum_devices() + sum_snmp() + sum_values("/proc/thread-self/net/snmp6", false) +
		       sum_values("/proc/thread-self/net/xfrm_stat", true);
	}
	enter(TX);

	return sum + (t == QUEUE ? sum_queues() : 0);
}

/* Sends */

/* Corks with MSG_MORE, not with UDP_CORK: no call returns an error that occurs when UDP_CORK is cleared. */
static int send_corked(const struct ends *e, const struct shape *s)
{
	struct gso_send part = { &e->to, payload, s->len / 2, s->size, .flags = MSG_MORE };
	int ret = gso_send(e->tx, &part);

	if (ret < 0)
		return ret;
	part.data += part.len;
	part.len = s->len - part.len;
	part.flags = 0;
	ret = gso_send(e->tx, &part);

	return ret < 0 ? ret : s->len;
}

/* Each piece has its own page, so that the send has more pages than a packet can have fragments. */
static int send_pieces(const struct ends *e, const struct shape *s)
{
	struct gso_send all = { &e->to, payload, s->len, s->size, .pieces = 30 };
	static struct gso_msg msg;
	ssize_t ret;
	int i;

	fill_msg(&msg, &all);
	for (i = 0; i < all.pieces; i++) {
		memcpy(pages[i], msg.iov[i].iov_base, msg.iov[i].iov_len);
		msg.iov[i].iov_base = pages[i];
	}
	ret = sendmsg(e->tx, &msg.hdr, MSG_ZEROCOPY);

	return ret < 0 ? -errno : ret;
}

static int send_shape(const struct ends *e, const struct shape *s)
{
	struct gso_send all = { &e->to, payload, s->len, s->size };

	if (s->how == CORKED)
		return send_corked(e, s);
	if (s->how == PIECES)
		return send_pieces(e, s);
	if (s->how == ZEROCOPY)
		all.flags = MSG_ZEROCOPY;

	return gso_send(e->tx, &all);
}

/* Returns the number of datagrams that have arrived, or -1 if one is wrong or out of order */
static int receive(const struct ends *e, const struct shape *s)
{
	int nr = 0, at = 0, segs = (s->len + s->size - 1) / s->size, ret, len;
	static unsigned char buf[1 << 16];

	for (;;) {
		ret = recv(e->rx, buf, sizeof(buf), 0);
		if (ret < 0 && !readable(e->rx, RX_TIMEOUT_MS)) {
			fail("the fence is lost");
			return -1;
		}
		if (ret < 0)
			continue;
		if (ret == sizeof(fence_text) && !memcmp(buf, fence_text, ret))
			return nr;
		for (; at < segs; at++) {
			len = at < segs - 1 ? s->size : s->len - at * s->size;
			if (ret == len && !memcmp(buf, payload + at * s->size, len))
				break;
		}
		if (at++ == segs) {
			fail("a datagram of %d bytes that was not sent, after %d", ret, nr);
			return -1;
		}
		nr++;
	}
}

static void drain_notices(int fd)
{
	struct msghdr msg = {};

	while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		memset(&msg, 0, sizeof(msg));
}

struct tally {
	int nth, refused, partial, complete;
};

/* Returns false if no allocation failed in this send, so that all have been tested, or if the test case failed. */
static bool test_nth(const struct ends *e, const struct topo *t, const struct shape *s, struct tally *tally)
{
	int segs = (s->len + s->size - 1) / s->size, ret, got;
	long drops = count_drops(t);
	bool failed;

	set_fail_nth(tally->nth + 1);
	ret = send_shape(e, s);
	failed = clear_fail_nth();
	tally->nth += failed;
	send_fence(e->tx, &e->to);
	got = receive(e, s);
	drain_notices(e->tx);
	if (got < 0 || !expect_outq_empty(e->tx))
		return fail("allocation %d: send %d", tally->nth, ret);
	if (!failed)
		return expect_ret("send", s->len, ret) && expect_long("datagrams", segs, got) && false;

	if (ret < 0) {
		tally->refused++;
		if (ret != -ENOMEM && ret != -ENOBUFS)
			expect_ret("send", -ENOMEM, ret);
		if (got)
			fail("a send that failed has sent %d datagrams", got);
	} else if (got == segs) {
		tally->complete++;
	} else {
		tally->partial++;
		expect_ret("send", s->len, ret);
		if (count_drops(t) == drops)
			fail("%d of %d datagrams, but no drop was counted", got, segs);
	}

	return !case_failed || fail("allocation %d: send %d", tally->nth, ret);
}

static void test_allocations(const struct test_case *tc)
{
	const struct shape *s = &shapes[tc->dev >> 4];
	const char *feature = features[tc->dev & 15];
	const struct topo *t = tc->row;
	struct tally tally = {};
	struct ends e;

	alarm(TIMEOUT_S);
	if (!topo_open(&e, t, feature, tc->fam))
		goto close;
	if (set_int(e.tx, SOL_SOCKET, SO_ZEROCOPY, 1))
		die("SO_ZEROCOPY");
	if (t == QUEUE && !tc_in(TX, "qdisc replace dev d0 root tbf rate 100mbit burst 4000 limit 4000000"))
		goto close;
	while (tally.nth < MAX_NTH && test_nth(&e, t, s, &tally))
		;
	if (!case_failed && (!tally.nth || tally.nth == MAX_NTH))
		fail("%d allocations have failed", tally.nth);
	printf("# %d allocations failed: %d sends refused, %d with datagrams dropped, %d complete\n", tally.nth,
	       tally.refused, tally.partial, tally.complete);
	/* A send without a failed allocation */
	if (!case_failed && send_shape(&e, s) == s->len) {
		send_fence(e.tx, &e.to);
		expect_long("datagrams of the last send", (s->len + s->size - 1) / s->size, receive(&e, s));
		drain_notices(e.tx);
		expect_outq_empty(e.tx);
	}
	if (t == QUEUE)
		tc_in(TX, "qdisc del dev d0 root");
close:
	ends_close(&e);
	fflush(stdout);
}

static void add_cases(void)
{
	size_t t, s, f;
	enum family fam;

	for (t = 0; t < ARRAY_SIZE(topos); t++)
		for (f = 0; f < ARRAY_SIZE(features); f++)
			for (s = 0; s < ARRAY_SIZE(shapes); s++)
				for (fam = V4; fam <= V6; fam++) {
					/* Each case takes long, so test fewer shapes and features on other devices. */
					if (t && (shapes[s].veth_only || f == 2))
						continue;
					add_case(test_allocations, &topos[t], fam, s << 4 | f, "%s, %s: %s v%d",
						 topos[t].name, feature_text[f], shapes[s].name, fam == V6 ? 6 : 4);
				}
}

int main(int argc, char **argv)
{
	topo_init();
	prepare_faults();
	/* A page fault must not be the allocation that fails. */
	memset(pages, 1, sizeof(pages));
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	add_cases();
	run_cases(argc > 1 ? argv[1] : NULL);
}
