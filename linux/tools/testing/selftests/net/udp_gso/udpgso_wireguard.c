// SPDX-License-Identifier: GPL-2.0
/* Tests GSO packets that WireGuard encrypts without segmenting them first. The
 * receiver decrypts the messages, and a packet socket at its WireGuard device
 * reads each packet.
 *
 * The tracepoint wireguard:wg_gso_encrypt reports which packets were encrypted
 * as a whole. Everything else must be equal if they were not.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#include "udpgso_topo.h"
#include "udpgso_wg.h"

#define WG_MTU		1420
#define STAGED_MAX	128	/* MAX_STAGED_PACKETS of the driver */

/* The tracepoint, in a separate trace instance */

#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/udpgso_wireguard"
#define EVENT		INSTANCE "/events/wireguard/wg_gso_encrypt/enable"

static bool traced;

static void trace_close(void)
{
	rmdir(INSTANCE);
}

static void trace_open(void)
{
	int fd;

	if (mount("tracefs", TRACING, "tracefs", 0, NULL) && errno != EBUSY)
		die("tracefs");
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		die(INSTANCE);
	atexit(trace_close);
	fd = open(EVENT, O_WRONLY);
	traced = fd >= 0 && write(fd, "1", 1) == 1;
	close(fd);
}

static FILE *trace_file(const char *mode)
{
	FILE *file = fopen(INSTANCE "/trace", mode);

	if (!file)
		die("trace");

	return file;
}

/* Opening the file for writing clears the buffer. */
static void trace_clear(void)
{
	fclose(trace_file("w"));
}

/* @packets: GSO packets that were encrypted as a whole since trace_clear()
 * @segs: their segments
 * @outer: outer packets that were sent for them
 */
struct traced {
	int packets;
	int segs;
	int outer;
};

static struct traced trace_read(void)
{
	struct traced sum = {};
	FILE *file = trace_file("r");
	char line[512], *at;
	int segs, outer;

	while (fgets(line, sizeof(line), file)) {
		at = strstr(line, " segs=");
		if (!at || sscanf(at, " segs=%d outer=%d", &segs, &outer) != 2)
			continue;
		sum.packets++;
		sum.segs += segs;
		sum.outer += outer;
	}
	fclose(file);

	return sum;
}

/* Topologies */

#define TX4	"addr add 10.0.0.1/24 dev d0;"
#define RX4	"addr add 10.0.0.2/24 dev d1;"
#define TX6	"addr add fd00::1/64 dev d0 nodad;"
#define RX6	"addr add fd00::2/64 dev d1 nodad;"

static bool wg_sender(enum family fam)
{
	struct addr rx = addr_of(fam, "10.0.0.2", "fd00::2", WG_PORT);

	return ip_in(RX, "link set d1 up;link add end type wireguard;" RX4 RX6) &&
	       wg_set(TX, "top", 0, &rx);
}

static bool wg_receiver(enum family fam)
{
	struct addr tx = addr_of(fam, "10.0.0.1", "fd00::1", WG_PORT);

	return wg_set(RX, "end", 1, &tx);
}

static bool wg_keyed4(void)
{
	return wg_sender(V4) && wg_receiver(V4);
}

static bool wg_keyed6(void)
{
	return wg_sender(V6) && wg_receiver(V6);
}

static bool wg_sender4(void)
{
	return wg_sender(V4);
}

#define WG(_late)							\
	.tx = TX4 TX6 "link add top type wireguard", .late = (_late),	\
	.top = "top", .end = "end", .wire = "end", .l3 = true, .layers = ""

static const struct topo outer[] = {
	{ "over v4", WG(wg_keyed4) },
	{ "over v6", WG(wg_keyed6) },
};

static const struct topo no_key = { "no key", WG(wg_sender4) };

static const struct variant {
	const char *name, *features;
	bool whole;
} variants[] = {
	{ "outer USO", "rx:end gro-", true },
	{ "no outer USO", "rx:end gro- tx:d0 uso-", true },
	{ "no outer checksum offload", "rx:end gro- tx:d0 csum-", true },
	{ "no outer sg", "rx:end gro- tx:d0 sg-", true },
	{ "turned off", "rx:end gro- tx:top uso-", false },
};

/* Statistics of the sender's WireGuard device */

static struct rtnl_link_stats top_stats(void)
{
	struct rtnl_link_stats stats = {};
	struct ifaddrs *all, *one;

	if (getifaddrs(&all))
		die("getifaddrs");
	for (one = all; one; one = one->ifa_next)
		if (!strcmp(one->ifa_name, "top") && one->ifa_data)
			memcpy(&stats, one->ifa_data, sizeof(stats));
	freeifaddrs(all);

	return stats;
}

/* UDP */

static bool udp_call(const struct ends *e, int len, int size, bool whole)
{
	int segs = (len + size - 1) / size;
	struct traced got;

	whole = whole && segs >= 4;
	trace_clear();
	if (!send_call(e, payload, len, size))
		return false;
	got = trace_read();

	return (expect_long("GSO packets encrypted as a whole", whole,
			    got.packets) &&
		expect_long("their segments", whole ? segs : 0, got.segs)) ||
	       fail("%d bytes, segment size %d", len, size);
}

static void test_udp(const struct test_case *tc)
{
	const struct variant *v = &variants[tc->dev];
	int most = WG_MTU - (tc->fam == V6 ? 48 : 28);
	const struct {
		int len, size;
	} calls[] = {
		{ 3000, 1000 }, { 4000, 1000 }, { 20001, 1000 }, { 4 * most, most },
		{ 44 * most, most }, { 43 * most + 1, most }, { 128 * 500, 500 },
		{ 128, 1 }, { 5 * 999 + 998, 999 },
	};
	struct ends e;
	size_t i;

	if (!topo_open(&e, tc->row, v->features, tc->fam))
		goto close;
	if (v->whole && !traced) {
		fail("no tracepoint wireguard:wg_gso_encrypt");
		goto close;
	}
	for (i = 0; i < ARRAY_SIZE(calls) && !case_failed; i++)
		udp_call(&e, calls[i].len, calls[i].size, v->whole);
	expect_outq_empty(e.tx);
close:
	ends_close(&e);
}

static int first_ns = -1;	/* has the settings that are not per namespace */

static int read_sysctl(const char *name)
{
	char file[128];
	FILE *f;
	int val;

	snprintf(file, sizeof(file), "/proc/sys/net/%s", name);
	f = fopen(file, "r");
	if (!f || fscanf(f, "%d", &val) != 1)
		die("sysctl %s", name);
	fclose(f);

	return val;
}

/* Two messages fit in one page, so the page fragments of one outer packet do
 * not suffice for all messages. The first send uses up the pages of a higher
 * order that the worker has kept.
 */
static void test_small_pages(const struct test_case *tc)
{
	int most = WG_MTU - (tc->fam == V6 ? 48 : 28), in_outer;
	const struct variant *v = &variants[tc->dev];
	struct ends e;

	if (sysconf(_SC_PAGESIZE) != 4096) {
		case_skipped = "needs pages of 4096 bytes";
		return;
	}
	if (topo_open(&e, tc->row, v->features, tc->fam)) {
		enter_netns(first_ns);
		in_outer = 2 * read_sysctl("core/max_skb_frags");
		set_sysctl("core/high_order_alloc_disable", "1");
		enter(TX);
		if (udp_call(&e, 44 * most, most, true) &&
		    udp_call(&e, 44 * most, most, true))
			expect_long("outer packets",
				    (44 + in_outer - 1) / in_outer,
				    trace_read().outer);
		enter_netns(first_ns);
		set_sysctl("core/high_order_alloc_disable", "0");
		enter(TX);
		expect_outq_empty(e.tx);
	}
	ends_close(&e);
}

/* The statistics must be those of separate packets. */
static void test_stats(const struct test_case *tc)
{
	static const char * const features[] = {
		"rx:end gro-", "rx:end gro- tx:top uso-",
	};
	struct rtnl_link_stats was, now;
	__u32 packets[2], bytes[2];
	struct ends e;
	int i;

	for (i = 0; i < 2; i++) {
		if (!topo_open(&e, tc->row, features[i], tc->fam)) {
			ends_close(&e);
			return;
		}
		was = top_stats();
		send_call(&e, payload, 44 * 1300, 1300);
		now = top_stats();
		packets[i] = now.tx_packets - was.tx_packets;
		bytes[i] = now.tx_bytes - was.tx_bytes;
		expect_long("dropped packets", was.tx_dropped, now.tx_dropped);
		expect_long("errors", was.tx_errors, now.tx_errors);
		ends_close(&e);
	}
	/* The fence is the last packet. */
	expect_long("packets", 45, packets[0]);
	expect_long("packets, turned off", packets[0], packets[1]);
	expect_long("bytes, turned off", bytes[0], bytes[1]);
}

/* Without a session key, at most STAGED_MAX segments, and those of one more
 * packet, are kept until the handshake. All others are counted as dropped.
 */
static void test_no_key(const struct test_case *tc)
{
	const int segs = 44, calls = 1000;
	struct gso_send s = {
		.data = payload,
		.len = segs * 1300,
		.cmsg = 1300,
	};
	int i, dropped, received = 0, tx, rx;
	struct rtnl_link_stats stats;
	struct addr from, to;
	char c;

	if (!topo_up(tc->row, ""))
		return;
	from = addr_of(V4, "192.0.2.1", "", PORT);
	to = addr_of(V4, "192.0.2.2", "", PORT);
	tx = bound_socket(TX, &from, 0);
	rx = bound_socket(RX, &to, SOCK_NONBLOCK);
	set_int(rx, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
	s.to = &to;
	for (i = 0; i < calls && !case_failed; i++)
		expect_ret("send", s.len, gso_send(tx, &s));
	stats = top_stats();
	dropped = stats.tx_dropped;
	if (segs * calls - dropped > STAGED_MAX + segs)
		fail("%d segments are staged", segs * calls - dropped);
	expect_outq_empty(tx);

	/* The sender repeats the handshake after 5 s. */
	wg_receiver(V4);
	while (readable(rx, received ? 2000 : 2 * RX_TIMEOUT_MS))
		while (recv(rx, &c, 1, 0) >= 0)
			received++;
	/* Some MLD reports may have been dropped, too. */
	if (received < segs * calls - dropped ||
	    received > segs * calls - dropped + 8)
		fail("%d datagrams: expected %d", received,
		     segs * calls - dropped);
	close(tx);
	close(rx);
	topo_now = NULL;
}

/* TCP */

#define TCP_BYTES	(1024 * 1024)

static const struct tcp_row {
	const char *name, *features, *qdisc;
	int packets;	/* minimum, if losses reduce the congestion window */
	bool tap;
} tcp_rows[] = {
	{ "tcp", "rx:end gro-", "", 8 },
	{ "tcp with tap", "rx:end gro-", "", 8, true },
	{ "tcp with loss", "rx:end gro-",
	  "qdisc add dev d0 root netem loss 2%", 1, true },
	{ "tcp, no outer USO, loss", "rx:end gro- tx:d0 uso-",
	  "qdisc add dev d0 root netem loss 2%", 1, true },
};

static int tcp_socket(enum ns ns, const struct addr *a)
{
	int fd;

	enter(ns);
	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (fd < 0 || bind(fd, &a->sa, a->len))
		die("TCP socket");
	enter(TX);

	return fd;
}

static int tcp_connected(int tx, int listener, const struct addr *to)
{
	if (listen(listener, 1))
		die("listen");
	if (connect(tx, &to->sa, to->len) && errno != EINPROGRESS)
		die("connect");
	if (!readable(listener, RX_TIMEOUT_MS)) {
		fail("no TCP connection");
		return -1;
	}

	return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static int tcp_write(int tx, int at)
{
	int off = at % (int)sizeof(payload), ret;
	int len = sizeof(payload) - off;

	if (len > TCP_BYTES - at)
		len = TCP_BYTES - at;
	ret = send(tx, payload + off, len, MSG_NOSIGNAL);
	if (ret < 0 && errno != EAGAIN)
		die("TCP send");

	return ret < 0 ? 0 : ret;
}

static int tcp_read(int rx, int at)
{
	static unsigned char buf[1 << 16];
	int ret = recv(rx, buf, sizeof(buf), 0), i;

	if (ret < 0 && errno != EAGAIN)
		die("TCP recv");
	for (i = 0; i < ret; i++)
		if (buf[i] != payload[(at + i) % sizeof(payload)]) {
			fail("TCP byte %d differs", at + i);
			break;
		}

	return ret < 0 ? 0 : ret;
}

static void tcp_transfer(int tx, int rx)
{
	int sent = 0, received = 0;

	while (received < TCP_BYTES && !case_failed) {
		struct pollfd fds[] = {
			{ .fd = rx, .events = POLLIN },
			{ .fd = tx, .events = sent < TCP_BYTES ? POLLOUT : 0 },
		};

		if (poll(fds, 2, 6 * RX_TIMEOUT_MS) <= 0) {
			fail("TCP stops after %d bytes", received);
			return;
		}
		if (sent < TCP_BYTES && fds[1].revents)
			sent += tcp_write(tx, sent);
		if (fds[0].revents)
			received += tcp_read(rx, received);
	}
}

static bool expect_uncharged(int fd)
{
	__u32 mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);
	int i;

	for (i = 0; i < RX_TIMEOUT_MS; i++) {
		if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len))
			die("SO_MEMINFO");
		if (!mem[SK_MEMINFO_WMEM_ALLOC])
			return true;
		usleep(1000);
	}

	return fail("sk_wmem_alloc: expected 0, got %u",
		    mem[SK_MEMINFO_WMEM_ALLOC]);
}

/* Returns whether a frame was read. */
static bool wire_check(void)
{
	struct walk w;

	if (wire_recv(topo_wire) < 0)
		return false;
	wire_walk(&w, true);

	return true;
}

static void test_tcp(const struct test_case *tc)
{
	const struct tcp_row *row = &tcp_rows[tc->dev];
	struct addr from, to;
	struct traced got;
	int tx, rx, listener, tap = -1;

	if (!topo_up(tc->row, row->features))
		return;
	if (!traced) {
		fail("no tracepoint wireguard:wg_gso_encrypt");
		return;
	}
	from = addr_of(tc->fam, "192.0.2.1", "2001:db8::1", 0);
	to = addr_of(tc->fam, "192.0.2.2", "2001:db8::2", PORT);
	if (row->tap)
		tap = wire_open(TX, "top");
	tx = tcp_socket(TX, &from);
	listener = tcp_socket(RX, &to);
	rx = tcp_connected(tx, listener, &to);
	if (rx >= 0 && tc_in(TX, "%s", row->qdisc)) {
		drain_wire();
		trace_clear();
		tcp_transfer(tx, rx);
		got = trace_read();
		if (!case_failed && got.packets < row->packets)
			fail("%d TCP GSO packets encrypted as a whole",
			     got.packets);
		expect_uncharged(tx);
		while (!case_failed && wire_check())
			;
	}
	if (*row->qdisc)
		tc_in(TX, "qdisc del dev d0 root");
	close(rx);
	close(tx);
	close(listener);
	close(tap);
}

int main(int argc, char **argv)
{
	enum family fam;
	size_t i, j;

	first_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	topo_init();
	trace_open();
	for (i = 0; i < ARRAY_SIZE(outer); i++) {
		for (j = 0; j < ARRAY_SIZE(variants); j++)
			for (fam = V4; fam <= V6; fam++)
				add_case(test_udp, &outer[i], fam, j,
					 "udp %s: %s %s", outer[i].name,
					 family_name[fam], variants[j].name);
		for (fam = V4; fam <= V6; fam++)
			add_case(test_small_pages, &outer[i], fam, 1,
				 "small pages %s: %s", outer[i].name,
				 family_name[fam]);
		for (fam = V4; fam <= V6; fam++)
			add_case(test_stats, &outer[i], fam, 0,
				 "statistics %s: %s", outer[i].name,
				 family_name[fam]);
		for (j = 0; j < ARRAY_SIZE(tcp_rows); j++)
			for (fam = V4; fam <= V6; fam++)
				add_case(test_tcp, &outer[i], fam, j,
					 "%s %s: %s", tcp_rows[j].name,
					 outer[i].name, family_name[fam]);
	}
	add_case(test_no_key, &no_key, V4, 0, "no key");
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
