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
#include <linux/if_tun.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <linux/virtio_net.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "udpgso_topo.h"
#include "udpgso_wg.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif

#ifndef SO_EE_ORIGIN_ZEROCOPY
#define SO_EE_ORIGIN_ZEROCOPY		5
#endif

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
	{ "no checksum offload", "rx:end gro- tx:top csum-", false },
	{ "no sg", "rx:end gro- tx:top sg-", true },
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
		{ 1001, 1000 }, { 3000, 1000 }, { 4000, 1000 },
		{ 20001, 1000 }, { 4 * most, most }, { 44 * most, most },
		{ 43 * most + 1, most }, { 128 * 500, 500 }, { 128, 1 },
		{ 5 * 999 + 998, 999 },
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
 * not suffice for all messages.
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
	/* The devices are new, so no worker has a large page yet. */
	topo_now = NULL;
	enter_netns(first_ns);
	in_outer = 2 * read_sysctl("core/max_skb_frags");
	set_sysctl("core/high_order_alloc_disable", "1");
	if (topo_open(&e, tc->row, v->features, tc->fam)) {
		if (udp_call(&e, 44 * most, most, true))
			expect_long("outer packets",
				    (44 + in_outer - 1) / in_outer,
				    trace_read().outer);
		expect_outq_empty(e.tx);
	}
	enter_netns(first_ns);
	set_sysctl("core/high_order_alloc_disable", "0");
	enter(TX);
	topo_now = NULL;
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

/* A sender uses any port, because the port of an earlier connection may be in
 * the state TIME_WAIT.
 */
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

/* Frames that were received, to compare them with those of another run */

#define MAX_CAPTURED	512

struct capture {
	int nr;
	struct {
		int len;
		__u64 hash;
	} frames[MAX_CAPTURED];
};

static void capture_add(struct capture *c, int len, __u64 hash)
{
	if (c->nr == MAX_CAPTURED)
		die("more than %d frames", MAX_CAPTURED);
	c->frames[c->nr].len = len;
	c->frames[c->nr++].hash = hash;
}

/* FNV-1a */
static __u64 hash_bytes(const unsigned char *p, int len)
{
	__u64 hash = 0xcbf29ce484222325ULL;
	int i;

	for (i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;

	return hash;
}

static bool frame_ends_with_fence(void)
{
	int len = sizeof(fence_text);

	return frame.len > len &&
	       !memcmp(frame.buf + frame.len - len, fence_text, len);
}

static bool frame_is_mld(void)
{
	return frame.buf[0] >> 4 == 6 && frame.buf[6] == IPPROTO_HOPOPTS &&
	       frame.buf[24] == 0xff;
}

/* Reads the packets at the receiver's WireGuard device up to the fence. If @exp
 * is set, the packets must be valid, with this payload.
 */
static bool capture_inner(struct capture *c, const struct expect *exp)
{
	struct stream st = { .exp = exp, .nr_exp = 1 };
	struct walk w;

	for (;;) {
		if (wire_recv(topo_wire) < 0) {
			if (!readable(topo_wire, RX_TIMEOUT_MS))
				return fail("no frame with the fence received");
			continue;
		}
		if (frame_ends_with_fence())
			break;
		if (frame_is_mld())
			continue;
		capture_add(c, frame.len, hash_bytes(frame.buf, frame.len));
		if (exp && !case_failed && wire_walk(&w, true))
			stream_next(&st, w.data, w.len);
	}

	return !exp || (!case_failed && stream_end(&st));
}

/* Reads the frames with messages or fragments of messages on the outer device
 * of the receiver. Keepalives and handshakes are ignored.
 */
static void capture_outer(struct capture *c, int fd)
{
	const unsigned char *ip = frame.buf + ETH_HLEN, *udp;
	int frag;

	while (wire_recv(fd) >= 0) {
		if (ip[0] >> 4 == 4) {
			frag = get16(ip + 6) & 0x3fff;
			udp = ip + 20;
		} else {
			frag = ip[6] == IPPROTO_FRAGMENT ? get16(ip + 42) : 0;
			udp = ip + 40;
		}
		if (!frag && (get16(udp + 2) != WG_PORT || udp[8] != 4 ||
			      get16(udp + 4) == 8 + 32))
			continue;
		capture_add(c, frame.len, frag);
	}
}

static bool capture_equal(const char *what, const struct capture *a,
			  const struct capture *b)
{
	int i;

	if (!expect_long(what, a->nr, b->nr))
		return false;
	for (i = 0; i < a->nr; i++) {
		if (a->frames[i].len != b->frames[i].len)
			return fail("%s: frame %d: expected %d bytes, got %d",
				    what, i + 1, a->frames[i].len,
				    b->frames[i].len);
		if (a->frames[i].hash != b->frames[i].hash)
			return fail("%s: frame %d of %d differs", what, i + 1,
				    a->nr);
	}

	return true;
}

/* The device then gets separate packets. */
static bool set_offloads(enum ns ns, const char *dev, bool on)
{
	static const char * const names[] = {
		"tx-udp-segmentation", "tx-tcp-segmentation",
		"tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation",
		"tx-tcp6-segmentation",
	};
	bool ok = true;
	size_t i;

	enter(ns);
	for (i = 0; i < ARRAY_SIZE(names) && ok; i++)
		ok = set_feature(dev, names[i], on);
	enter(TX);

	return ok;
}

/* GSO packets with a virtio header, from a tun device or a packet socket */

#define VNET_TUN	"t0"
#define TCP_OPTIONS	12
#define MAX_POKES	3

enum poke_where {
	END, VNET8, VNET8_V4, VNET16, IP8, IP16_V4, IP16_V6, L4_8, L4_16
};

/* @add: @val is added to the value, instead of replacing it */
struct poke {
	enum poke_where where;
	int off;
	int val;
	bool add;
};

#define VNET(_field) offsetof(struct virtio_net_hdr, _field)
#define ALL_TCP_FLAGS 0xd9	/* CWR, ECE, ACK, PSH, FIN */

/* @pokes: changes after the packet has been built with valid headers
 * @valid: each segment must arrive
 * @whole: the packet must be encrypted as a whole
 */
static const struct vnet_row {
	const char *name;
	bool tcp;
	int len;
	int size;
	bool valid, whole;
	int tcp_flags;
	struct poke pokes[MAX_POKES];
} vnet_rows[] = {
	{ "udp", false, 44 * 1300, 1300, true, true },
	{ "udp, short last segment", false, 9 * 1301 + 1, 1301, true, true },
	{ "udp, 2 segments", false, 1301, 1300, true, true },
	{ "udp, 3 segments", false, 3 * 1300, 1300, true, true },
	{ "udp, 128 segments of 1 byte", false, 128, 1, true, true },
	{ "udp, headers not linear", false, 9 * 1300, 1300, true, true, 0,
	  { { VNET16, VNET(hdr_len), 1 } } },
	{ "udp, all linear", false, 9 * 1300, 1300, true, true, 0,
	  { { VNET16, VNET(hdr_len), 9 * 1300 } } },
	{ "tcp", true, 44 * 1300, 1300, true, true, 0x10 },
	{ "tcp, two outer packets", true, 48 * 1340 + 5, 1340, true, true,
	  0x18 },
	{ "tcp, all flags", true, 9 * 1300 + 1, 1300, true, true,
	  ALL_TCP_FLAGS },
	{ "tcp, ECN", true, 9 * 1300 + 1, 1300, true, true, ALL_TCP_FLAGS,
	  { { VNET8, VNET(gso_type), VIRTIO_NET_HDR_GSO_ECN, true } } },
	{ "tcp, headers not linear", true, 9 * 1300, 1300, true, true, 0x10,
	  { { VNET16, VNET(hdr_len), 1 } } },
	{ "tcp, no partial checksum", true, 9 * 1300, 1300, true, true, 0x10,
	  { { VNET8, VNET(flags), 0 }, { L4_16, 16, 0 } } },
	{ "tcp, 2 segments", true, 1301, 1300, true, true, ALL_TCP_FLAGS },
	{ "tcp, 3 segments", true, 3 * 1300, 1300, true, true, 0x10 },

	{ "udp, size 0", false, 9 * 1300, 0 },
	{ "udp, size 1", false, 9 * 1300, 1 },
	{ "udp, size longer than the payload", false, 9 * 1300, 9 * 1300 + 1 },
	{ "udp, size equal to the payload", false, 9 * 1300, 9 * 1300 },
	{ "udp, size 65535", false, 9 * 1300, 65535 },
	{ "udp, segments longer than the MTU", false, 5 * 1500, 1500 },
	{ "udp, segments longer than a page", false, 5 * 5000, 5000 },
	{ "udp, csum_start + 2", false, 9 * 1300, 1300, .pokes = {
	  { VNET16, VNET(csum_start), 2, true } } },
	{ "udp, csum_start - 2", false, 9 * 1300, 1300, .pokes = {
	  { VNET16, VNET(csum_start), -2, true } } },
	{ "udp, csum_start in the payload", false, 9 * 1300, 1300, .pokes = {
	  { VNET16, VNET(csum_start), 200, true } } },
	{ "udp, csum_start 65000", false, 9 * 1300, 1300, .pokes = {
	  { VNET16, VNET(csum_start), 65000 } } },
	{ "udp, csum_offset 16", false, 9 * 1300, 1300, .pokes = {
	  { VNET16, VNET(csum_offset), 16 } } },
	{ "udp, length 0", false, 9 * 1300, 1300, .pokes = {
	  { L4_16, 4, 0 } } },
	{ "udp, length 65535", false, 9 * 1300, 1300, .pokes = {
	  { L4_16, 4, 65535 } } },
	{ "udp, length 7 too small", false, 9 * 1300, 1300, .pokes = {
	  { L4_16, 4, -7, true } } },
	{ "udp, checksum 0", false, 9 * 1300, 1300, .pokes = {
	  { L4_16, 6, 0 } } },
	{ "udp, wrong checksum", false, 9 * 1300, 1300, .pokes = {
	  { L4_16, 6, 77, true } } },
	{ "udp, declared as tcp", false, 9 * 1300, 1300, .pokes = {
	  { VNET8, VNET(gso_type), VIRTIO_NET_HDR_GSO_TCPV4 } } },
	{ "udp, declared as tcp over IPv6", false, 9 * 1300, 1300, .pokes = {
	  { VNET8, VNET(gso_type), VIRTIO_NET_HDR_GSO_TCPV6 },
	  { VNET16, VNET(csum_offset), 16 } } },
	/* IPv6 fragments have random IDs. */
	{ "udp, declared as UFO", false, 9 * 1300, 1300, .pokes = {
	  { VNET8_V4, VNET(gso_type), VIRTIO_NET_HDR_GSO_UDP } } },
	{ "udp, only headers", false, 0, 1300 },
	{ "tcp, declared as udp", true, 9 * 1300, 1300, .pokes = {
	  { VNET8, VNET(gso_type), VIRTIO_NET_HDR_GSO_UDP_L4 },
	  { VNET16, VNET(csum_offset), 6 } } },
	{ "tcp, size 0", true, 9 * 1300, 0 },
	{ "tcp, size 1", true, 9 * 100, 1 },
	{ "tcp, size longer than the payload", true, 9 * 1300, 9 * 1300 + 1 },
	{ "tcp, csum_start + 4", true, 9 * 1300, 1300, .pokes = {
	  { VNET16, VNET(csum_start), 4, true } } },
	{ "tcp, csum_offset 6", true, 9 * 1300, 1300, .pokes = {
	  { VNET16, VNET(csum_offset), 6 } } },
	{ "tcp, header longer than the packet", true, 20, 4, .pokes = {
	  { L4_8, 12, 0xf0 } } },
	{ "tcp, header as long as the packet", true, 28, 4, .pokes = {
	  { L4_8, 12, 0xf0 } } },
	{ "tcp, header longer than a segment", true, 9 * 8, 8, .pokes = {
	  { L4_8, 12, 0xf0 } } },
	{ "tcp, header of 16 bytes", true, 9 * 1300, 1300, .pokes = {
	  { L4_8, 12, 0x40 } } },
	{ "tcp, header of 0 bytes", true, 9 * 1300, 1300, .pokes = {
	  { L4_8, 12, 0 } } },
	{ "tcp, wrong checksum", true, 9 * 1300, 1300, .pokes = {
	  { L4_16, 16, 77, true } } },
	{ "tcp, SYN and URG", true, 9 * 1300, 1300, .tcp_flags = 0x32 },
	{ "udp, IPv4 header of 60 bytes", false, 9 * 1300, 1300, .pokes = {
	  { IP8, 0, 0x4f } } },
	{ "udp, IPv4 header of 16 bytes", false, 9 * 1300, 1300, .pokes = {
	  { IP8, 0, 0x44 } } },
	{ "udp, version 6 in IPv4", false, 9 * 1300, 1300, .pokes = {
	  { IP8, 0, 0x65 } } },
	{ "udp, no DF", false, 9 * 1300, 1300, .pokes = { { IP16_V4, 6, 0 } } },
	{ "udp, fragment", false, 9 * 1300, 1300, .pokes = {
	  { IP16_V4, 6, 0x2003 } } },
	{ "tcp, no DF", true, 9 * 1300, 1300, .pokes = { { IP16_V4, 6, 0 } } },
	{ "udp, IP length too small", false, 9 * 1300, 1300, .pokes = {
	  { IP16_V4, 2, -700, true }, { IP16_V6, 4, -700, true } } },
	{ "udp, IP length shorter than headers", false, 9 * 1300, 1300,
	  .pokes = { { IP16_V4, 2, 22 }, { IP16_V6, 4, 2 } } },
	{ "tcp, IP length too small", true, 9 * 1300, 1300, .pokes = {
	  { IP16_V4, 2, -700, true }, { IP16_V6, 4, -700, true } } },
	{ "udp, IP length too large", false, 9 * 1300, 1300, .pokes = {
	  { IP16_V4, 2, 700, true }, { IP16_V6, 4, 700, true } } },
	{ "udp, protocol tcp", false, 9 * 1300, 1300, .pokes = {
	  { IP16_V4, 8, 64 << 8 | IPPROTO_TCP },
	  { IP16_V6, 6, IPPROTO_TCP << 8 | 64 } } },
	{ "udp, destination options", false, 9 * 1300, 1300, .pokes = {
	  { IP16_V6, 6, IPPROTO_DSTOPTS << 8 | 64 },
	  { IP16_V6, 40, IPPROTO_UDP << 8 } } },
};

struct vnet_packet {
	struct virtio_net_hdr vnet;
	int len;
	unsigned char data[1 << 17];
};

static struct vnet_packet vnet_packet;

static int put_ip(unsigned char *p, enum family fam, int len, int proto,
		  bool routed)
{
	struct addr from = addr_of(fam, routed ? "10.9.0.2" : "192.0.2.1",
				   routed ? "fd09::2" : "2001:db8::1", 0);
	struct addr to = addr_of(fam, "192.0.2.2", "2001:db8::2", 0);

	if (fam == V6) {
		memset(p, 0, 40);
		p[0] = 0x60;
		put16(p + 4, len);
		p[6] = proto;
		p[7] = 64;
		memcpy(p + 8, &from.v6.sin6_addr, 16);
		memcpy(p + 24, &to.v6.sin6_addr, 16);
		return 40;
	}

	memset(p, 0, 20);
	p[0] = 0x45;
	put16(p + 2, 20 + len);
	put16(p + 4, 0xfffe);
	p[6] = 0x40;
	p[8] = 64;
	p[9] = proto;
	memcpy(p + 12, &from.v4.sin_addr, 4);
	memcpy(p + 16, &to.v4.sin_addr, 4);

	return 20;
}

static void poke(struct vnet_packet *p, const struct poke *k, int l4,
		 enum family fam)
{
	unsigned char *vnet = (unsigned char *)&p->vnet, *at = p->data + k->off;
	__u16 val;

	if (((k->where == IP16_V4 || k->where == VNET8_V4) && fam == V6) ||
	    (k->where == IP16_V6 && fam == V4))
		return;
	if (k->where == L4_8 || k->where == L4_16)
		at += l4;
	switch (k->where) {
	case VNET8:
	case VNET8_V4:
		vnet[k->off] = k->val + (k->add ? vnet[k->off] : 0);
		break;
	case VNET16:
		memcpy(&val, vnet + k->off, sizeof(val));
		val = k->val + (k->add ? val : 0);
		memcpy(vnet + k->off, &val, sizeof(val));
		break;
	case IP8:
	case L4_8:
		*at = k->val + (k->add ? *at : 0);
		break;
	default:
		put16(at, k->val + (k->add ? get16(at) : 0));
	}
}

static void vnet_build(struct vnet_packet *p, const struct vnet_row *row,
		       enum family fam, bool routed)
{
	int l4_len = row->tcp ? 20 + TCP_OPTIONS : 8;
	int len = l4_len + row->len, i, ip_len;
	int addrs = fam == V6 ? 8 : 12;
	unsigned char *l4;
	__u32 pseudo;

	ip_len = put_ip(p->data, fam, len, row->tcp ? IPPROTO_TCP : IPPROTO_UDP,
			routed);
	l4 = p->data + ip_len;
	pseudo = csum_bytes(csum_pseudo(p->data + addrs, ip_len - addrs, len) +
			    (row->tcp ? 0xffff - IPPROTO_UDP + IPPROTO_TCP : 0),
			    NULL, 0);
	memset(l4, 0, l4_len);
	put16(l4, PORT + 1);
	put16(l4 + 2, PORT);
	if (row->tcp) {
		memset(l4 + 4, 0xff, 4);	/* sequence number */
		l4[12] = l4_len / 4 << 4;
		l4[13] = row->tcp_flags ? row->tcp_flags : 0x10;
		put16(l4 + 16, pseudo);
		memset(l4 + 20, 1, TCP_OPTIONS);
	} else {
		put16(l4 + 4, len);
		put16(l4 + 6, pseudo);
	}
	memcpy(l4 + l4_len, payload, row->len);

	memset(&p->vnet, 0, sizeof(p->vnet));
	p->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	p->vnet.gso_type = !row->tcp ? VIRTIO_NET_HDR_GSO_UDP_L4 :
			   fam == V6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
				       VIRTIO_NET_HDR_GSO_TCPV4;
	p->vnet.hdr_len = ip_len + l4_len;
	p->vnet.gso_size = row->size;
	p->vnet.csum_start = ip_len;
	p->vnet.csum_offset = row->tcp ? 16 : 6;
	p->len = ip_len + len;
	for (i = 0; i < MAX_POKES && row->pokes[i].where != END; i++)
		poke(p, &row->pokes[i], ip_len, fam);
	if (fam != V6) {
		put16(p->data + 10, 0);
		i = (p->data[0] & 15) * 4;
		put16(p->data + 10, ~csum_bytes(0, p->data, i));
	}
}

static int vnet_tun(void)
{
	struct ifreq ifr = {
		.ifr_name = VNET_TUN,
		.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR,
	};
	int fd;

	set_sysctl("ipv4/ip_forward", "1");
	set_sysctl("ipv6/conf/all/forwarding", "1");
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		die("tun device");
	if (!ip_in(TX, "link set " VNET_TUN " up;"
		   "addr add 10.9.0.1/24 dev " VNET_TUN ";"
		   "addr add fd09::1/64 dev " VNET_TUN " nodad"))
		die("addresses of the tun device");

	return fd;
}

static int vnet_packet_socket(void)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	sll.sll_ifindex = if_nametoindex("top");
	if (fd < 0 || set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1) ||
	    set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20) ||
	    bind(fd, (void *)&sll, sizeof(sll)))
		die("packet socket");

	return fd;
}

static int vnet_write(int fd, struct vnet_packet *p)
{
	struct iovec iov[] = {
		{ &p->vnet, sizeof(p->vnet) }, { p->data, p->len },
	};
	int ret = writev(fd, iov, 2);

	return ret < 0 ? -errno : ret;
}

static void vnet_run(const struct ends *e, int fd, const struct vnet_row *row,
		     bool routed, bool whole, struct capture *c)
{
	struct expect exp = { payload, row->len, row->size };
	struct traced got;
	int ret;

	if (row->size)
		exp.count = (row->len + row->size - 1) / row->size;
	vnet_build(&vnet_packet, row, e->fam, routed);
	c->nr = 0;
	trace_clear();
	ret = vnet_write(fd, &vnet_packet);
	if (row->valid)
		expect_ret("write", sizeof(vnet_packet.vnet) + vnet_packet.len,
			   ret);
	send_fence(e->tx, &e->to);
	if (!capture_inner(c, row->valid ? &exp : NULL) ||
	    (!row->valid && whole))
		return;
	got = trace_read();
	expect_long("GSO packets encrypted as a whole", whole && row->whole,
		    got.packets);
}

/* What arrives must be equal if the packets are segmented before they reach
 * WireGuard.
 */
static void test_vnet(const struct test_case *tc)
{
	static struct capture seen[ARRAY_SIZE(vnet_rows)], c;
	bool routed = tc->dev;
	struct ends e;
	int fd = -1;
	size_t i;

	if (!topo_open(&e, tc->row, "rx:end gro-", tc->fam))
		goto close;
	fd = routed ? vnet_tun() : vnet_packet_socket();
	for (i = 0; i < ARRAY_SIZE(vnet_rows) && !case_failed; i++) {
		vnet_run(&e, fd, &vnet_rows[i], routed, traced, &seen[i]);
		if (case_failed)
			fail("%s", vnet_rows[i].name);
	}
	if (!traced)
		fail("no tracepoint wireguard:wg_gso_encrypt");
	set_offloads(TX, "top", false);
	for (i = 0; i < ARRAY_SIZE(vnet_rows) && !case_failed; i++) {
		vnet_run(&e, fd, &vnet_rows[i], routed, false, &c);
		if (!case_failed)
			capture_equal(vnet_rows[i].name, &c, &seen[i]);
	}
	set_offloads(TX, "top", true);
	if (!routed)
		expect_outq_empty(fd);
close:
	close(fd);
	ends_close(&e);
}

/* Settings of MTU */

static const struct mtu_row {
	const char *name;
	const char *set, *reset;	/* lines for ip in tx */
	int mtu;
	int outer_mtu;			/* at both ends */
} mtu_rows[] = {
	{ "MTU 1280", "link set top mtu 1280", "link set top mtu 1420", 1280 },
	{ "MTU 1419", "link set top mtu 1419", "link set top mtu 1420", 1419 },
	{ "MTU 8920", "link set top mtu 8920", "link set top mtu 1420", 8920,
	  9000 },
	{ "MTU 1299 of the route",
	  "route add 192.0.2.2/32 dev top mtu 1299;"
	  "route add 2001:db8::2/128 dev top mtu 1299",
	  "route del 192.0.2.2/32 dev top;"
	  "route del 2001:db8::2/128 dev top", 1299 },
	{ "outer MTU 1400", "", "", 1420, 1400 },
};

static bool outer_mtu(int mtu)
{
	return ip_in(TX, "link set d0 mtu %d", mtu) &&
	       ip_in(RX, "link set d1 mtu %d", mtu);
}

static void mtu_run(const struct ends *e, int mtu, bool whole, int outer_wire,
		    struct capture *c)
{
	int most = mtu - (e->fam == V6 ? 48 : 28), i, size;
	int page = 4096 - 32 - (e->fam == V6 ? 48 : 28);
	const int sizes[] = {
		most, most - 1, most - 2, most - 12, most - 13, most - 16,
		mtu > 4096 ? page : 700, mtu > 4096 ? page + 1 : 701,
	};

	c->nr = 0;
	while (wire_recv(outer_wire) >= 0)
		;
	for (i = 0; i < (int)ARRAY_SIZE(sizes) && !case_failed; i++) {
		size = sizes[i];
		udp_call(e, 5 * size + 1, size,
			 whole && size <= page);
		udp_call(e, 6 * size, size, whole && size <= page);
	}
	capture_outer(c, outer_wire);
}

static void test_mtu(const struct test_case *tc)
{
	const struct mtu_row *row = &mtu_rows[tc->dev];
	static struct capture whole, off;
	int outer_wire = -1;
	struct ends e;

	if (sysconf(_SC_PAGESIZE) != 4096) {
		case_skipped = "needs pages of 4096 bytes";
		return;
	}
	if (!topo_open(&e, tc->row, "rx:end gro- tx:d0 uso-", tc->fam) ||
	    (row->outer_mtu && !outer_mtu(row->outer_mtu)) ||
	    !ip_in(TX, "%s", row->set))
		goto close;
	outer_wire = wire_open(RX, "d1");
	mtu_run(&e, row->mtu, true, outer_wire, &whole);
	set_offloads(TX, "top", false);
	if (!case_failed)
		mtu_run(&e, row->mtu, false, outer_wire, &off);
	set_offloads(TX, "top", true);
	if (!case_failed)
		capture_equal("frames on the outer device", &off, &whole);
	expect_outq_empty(e.tx);
	ip_in(TX, "%s", row->reset);
	if (row->outer_mtu)
		outer_mtu(MTU);
close:
	close(outer_wire);
	ends_close(&e);
}

/* Packets that GRO has made and that are forwarded */

#define MID4	"addr add 10.0.0.1/24 dev e0;"
#define MID6	"addr add fd00::1/64 dev e0 nodad;"

static const struct topo forward = {
	"forward",
	.mid = MID4 MID6 "link add w0 type wireguard",
	.rx = "addr add 10.0.0.2/24 dev e1;addr add fd00::2/64 dev e1 nodad;"
	      "link add end type wireguard",
	.out = "w0", .end = "end", .wire = "end", .l3 = true, .layers = "",
	.routed = true,
};

static const struct gro_row {
	const char *name, *features;
	int len, size, packets;
	const char *qdisc;	/* sends the packets in bursts */
} gro_rows[] = {
	{ "gro", "tx:d0 uso- mid:d1 gro+ fwd+", 13000, 1300, 1 },
	{ "gro with frag_list", "tx:d0 uso- mid:d1 gro+ fwd+", 44 * 1300, 1300,
	  1 },
	{ "gro, linear", "tx:d0 uso- sg- mid:d1 gro+ fwd+", 13001, 1300, 1 },
	{ "gro, linear, 44 segments", "tx:d0 uso- sg- mid:d1 gro+ fwd+",
	  44 * 1300, 1300, 1 },
	{ "rx-gro-list", "tx:d0 uso- mid:d1 gro+ list+", 13001, 1300, 0 },
	{ "not segmented", "", 44 * 1300, 1300, 1 },
	{ "tcp, not segmented", "", 0, 0, 8 },
	{ "tcp gro", "mid:d1 gro+", 0, 1, 8,
	  "qdisc add dev d0 root netem delay 2ms" },
	{ "tcp gro, linear", "tx:d0 sg- mid:d1 gro+", 0, 1, 8,
	  "qdisc add dev d0 root netem delay 2ms" },
};

static bool forward_up(const char *features)
{
	struct addr mid = addr_of(V6, "", "fd00::1", WG_PORT);
	struct addr rx = addr_of(V6, "", "fd00::2", WG_PORT);
	bool fresh = topo_now != &forward;

	if (!topo_up(&forward, features))
		return false;

	return !fresh || (wg_set(MID, "w0", 0, &rx) &&
			  wg_set(RX, "end", 1, &mid) &&
			  ip_in(TX, "link set d0 mtu 1420") &&
			  ip_in(MID, "link set d1 mtu 1420"));
}

static void tcp_case(enum family fam, const char *to4, const char *to6,
		     int packets, bool (*transfer)(int tx, int rx));

static bool tcp_plain(int tx, int rx)
{
	tcp_transfer(tx, rx);

	return !case_failed;
}

static void test_gro(const struct test_case *tc)
{
	const struct gro_row *row = &gro_rows[tc->dev];
	struct traced got;
	struct ends e;

	if (!forward_up(row->features))
		return;
	set_features("rx:end gro-", false);
	if (!row->len) {
		set_offloads(TX, "d0", !row->size);
		tc_in(TX, "%s", or_none(row->qdisc));
		tcp_case(tc->fam, "198.51.100.2", "2001:db8:1::2",
			 row->packets, tcp_plain);
		return;
	}
	if (topo_open(&e, &forward, row->features, tc->fam)) {
		trace_clear();
		send_call(&e, payload, row->len, row->size);
		got = trace_read();
		if (row->packets && !traced)
			fail("no tracepoint wireguard:wg_gso_encrypt");
		if (row->packets ? got.packets < row->packets : got.packets)
			fail("%d GSO packets encrypted as a whole, %d segments",
			     got.packets, got.segs);
		expect_outq_empty(e.tx);
	}
	ends_close(&e);
}

/* MSG_ZEROCOPY, splice and sendfile */

/* WireGuard encrypts a copy, and the completion reports this. */
static int read_completion(int fd)
{
	struct pollfd pfd = { .fd = fd };
	struct sock_extended_err ee = {};
	char control[512];
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (poll(&pfd, 1, RX_TIMEOUT_MS) != 1 ||
	    recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -1;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		memcpy(&ee, CMSG_DATA(cmsg), sizeof(ee));

	if (ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY ||
	    !(ee.ee_code & SO_EE_CODE_ZEROCOPY_COPIED))
		return -1;

	return ee.ee_data;
}

/* @last: number of the last call */
static bool wait_completions(int fd, int last)
{
	int done = -1;

	while (done < last) {
		done = read_completion(fd);
		if (done < 0)
			return fail("no completion of call %d, or without a copy", last);
	}

	return true;
}

/* The buffer is overwritten after the completion and before the datagrams are
 * read.
 */
static void test_zerocopy(const struct test_case *tc)
{
	const int len = 44 * 1300, size = 1300;
	static unsigned char buf[1 << 16];
	struct gso_send s = {
		.data = buf, .len = len, .cmsg = size, .flags = MSG_ZEROCOPY,
	};
	struct traced got;
	struct ends e;
	int i;

	if (!topo_open(&e, tc->row, variants[tc->dev].features, tc->fam))
		goto close;
	if (set_int(e.tx, SOL_SOCKET, SO_ZEROCOPY, 1))
		die("SO_ZEROCOPY");
	s.to = &e.to;
	for (i = 0; i < 4 && !case_failed; i++) {
		memcpy(buf, payload + i, len);
		trace_clear();
		expect_ret("send", len, gso_send(e.tx, &s));
		if (!wait_completions(e.tx, i))
			break;
		got = trace_read();
		memset(buf, 0xee, len);
		expect_long("GSO packets encrypted as a whole", 1, got.packets);
		expect_call(&e, payload + i, len, size);
	}
	expect_outq_empty(e.tx);
close:
	ends_close(&e);
}

static void test_splice(const struct test_case *tc)
{
	const int len = 11 * 1300, size = 1300;
	struct traced got;
	int pipefd[2];
	struct ends e;

	if (!topo_open(&e, tc->row, variants[tc->dev].features, tc->fam))
		goto close;
	if (pipe(pipefd) || write(pipefd[1], payload, len) != len ||
	    connect(e.tx, &e.to.sa, e.to.len) ||
	    set_int(e.tx, SOL_UDP, UDP_SEGMENT, size))
		die("pipe to the socket");
	trace_clear();
	expect_ret("splice", len, splice(pipefd[0], NULL, e.tx, NULL, len, 0));
	set_int(e.tx, SOL_UDP, UDP_SEGMENT, 0);
	expect_call(&e, payload, len, size);
	got = trace_read();
	expect_long("GSO packets encrypted as a whole", 1, got.packets);
	expect_outq_empty(e.tx);
	close(pipefd[0]);
	close(pipefd[1]);
close:
	ends_close(&e);
}

static bool tcp_receive(int rx, int from, int to)
{
	while (from < to && !case_failed) {
		if (!readable(rx, 6 * RX_TIMEOUT_MS))
			return fail("TCP stops after %d bytes", from);
		from += tcp_read(rx, from);
	}

	return !case_failed;
}

/* The buffer is overwritten after the completion and before the data are read.
 */
static bool tcp_zerocopy(int tx, int rx)
{
	static unsigned char buf[32768];
	int i, ret, at, sent = 0;

	if (set_int(tx, SOL_SOCKET, SO_ZEROCOPY, 1) ||
	    set_int(tx, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20))
		die("SO_ZEROCOPY");
	for (i = 0; i < 16 && !case_failed; i++) {
		memcpy(buf, payload, sizeof(buf));
		for (at = 0; at < (int)sizeof(buf); at += ret) {
			ret = send(tx, buf + at, sizeof(buf) - at,
				   MSG_ZEROCOPY);
			if (ret < 0)
				return fail("send: %s", strerror(errno));
			sent++;
		}
		if (!wait_completions(tx, sent - 1))
			return false;
		memset(buf, 0xee, sizeof(buf));
		tcp_receive(rx, 0, sizeof(buf));
	}

	return !case_failed;
}

static bool tcp_sendfile(int tx, int rx)
{
	int file = memfd_create("udpgso_wireguard", MFD_CLOEXEC), i;
	int got = 0;
	off_t at;

	if (file < 0 || write(file, payload, sizeof(payload)) !=
			(ssize_t)sizeof(payload))
		die("memfd");
	for (i = 0; i < 4 && !case_failed; i++) {
		at = 0;
		got = 0;
		while (got < (int)sizeof(payload) && !case_failed) {
			if (at < (off_t)sizeof(payload) &&
			    sendfile(tx, file, &at, sizeof(payload) - at) < 0 &&
			    errno != EAGAIN)
				return fail("sendfile: %s", strerror(errno));
			if (!readable(rx, 6 * RX_TIMEOUT_MS))
				return fail("TCP stops after %d bytes", got);
			got += tcp_read(rx, got);
		}
	}
	close(file);

	return !case_failed;
}

static void tcp_case(enum family fam, const char *to4, const char *to6,
		     int packets, bool (*transfer)(int tx, int rx))
{
	struct addr from = addr_of(fam, "192.0.2.1", "2001:db8::1", 0);
	struct addr to = addr_of(fam, to4, to6, PORT);
	int tx = tcp_socket(TX, &from), listener = tcp_socket(RX, &to), rx;
	struct traced got;

	rx = tcp_connected(tx, listener, &to);
	if (rx >= 0) {
		drain_wire();
		trace_clear();
		transfer(tx, rx);
		got = trace_read();
		if (!traced)
			fail("no tracepoint wireguard:wg_gso_encrypt");
		if (!case_failed && got.packets < packets)
			fail("%d TCP GSO packets encrypted as a whole",
			     got.packets);
		expect_uncharged(tx);
		while (!case_failed && wire_check())
			;
	}
	close(rx);
	close(tx);
	close(listener);
	/* The last packets of the connection may arrive later. */
	topo_now = NULL;
}

static bool tcp_timestamp(int tx, int rx);

static const struct tcp_send_row {
	const char *name, *features, *qdisc;
	bool (*transfer)(int tx, int rx);
} tcp_send_rows[] = {
	{ "tcp zerocopy", "rx:end gro-", "", tcp_zerocopy },
	{ "tcp sendfile", "rx:end gro-", "", tcp_sendfile },
	{ "tcp timestamp", "rx:end gro-", "", tcp_timestamp },
	{ "tcp zerocopy with loss", "rx:end gro-",
	  "qdisc add dev d0 root netem loss 2%", tcp_zerocopy },
};

static void test_tcp_send(const struct test_case *tc)
{
	const struct tcp_send_row *row = &tcp_send_rows[tc->dev];

	if (!topo_up(tc->row, row->features) || !tc_in(TX, "%s", row->qdisc))
		return;
	tcp_case(tc->fam, "192.0.2.2", "2001:db8::2", 4, row->transfer);
	if (*row->qdisc)
		tc_in(TX, "qdisc del dev d0 root");
}

/* WireGuard in WireGuard */

static bool wg_config(enum ns ns, const char *dev, int me, int port,
		      const struct addr *peer, int flags)
{
	int peers, one, ips, ret;
	struct nl nl;

	enter(ns);
	nl_genl(&nl, WG_GENL_NAME, WG_CMD_SET_DEVICE);
	nl_str(&nl, WGDEVICE_A_IFNAME, dev);
	nl_attr(&nl, WGDEVICE_A_PRIVATE_KEY, wg_keys[me][0], 32);
	nl_u16(&nl, WGDEVICE_A_LISTEN_PORT, port);
	peers = nl_nest(&nl, WGDEVICE_A_PEERS);
	one = nl_nest(&nl, 0);
	nl_attr(&nl, WGPEER_A_PUBLIC_KEY, wg_keys[!me][1], 32);
	nl_u32(&nl, WGPEER_A_FLAGS, flags);
	if (peer) {
		nl_attr(&nl, WGPEER_A_ENDPOINT, &peer->sa, peer->len);
		ips = nl_nest(&nl, WGPEER_A_ALLOWEDIPS);
		wg_allow_all(&nl, AF_INET);
		wg_allow_all(&nl, AF_INET6);
		nl_end(&nl, ips);
	}
	nl_end(&nl, one);
	nl_end(&nl, peers);
	ret = nl_talk(&nl);
	enter(TX);

	return expect_ret("WireGuard peer", 0, ret);
}

static bool wg_nested(void)
{
	struct addr rx = addr_of(V6, "", "fd01::2", WG_PORT + 1);
	struct addr tx = addr_of(V4, "10.1.0.1", "", WG_PORT + 1);

	return wg_keyed4() &&
	       ip_in(RX, "addr add 10.1.0.2/24 dev end;"
		     "addr add fd01::2/64 dev end nodad;link set end up;"
		     "link add last mtu 1340 type wireguard") &&
	       wg_config(TX, "upper", 0, WG_PORT + 1, &rx, 0) &&
	       wg_config(RX, "last", 1, WG_PORT + 1, &tx, 0);
}

static const struct topo nested = {
	"nested",
	.tx = TX4 TX6 "link add top type wireguard;"
	      "addr add 10.1.0.1/24 dev top;addr add fd01::1/64 dev top nodad;"
	      "link set top up;link add upper mtu 1340 type wireguard",
	.late = wg_nested,
	.top = "upper", .end = "last", .wire = "last", .l3 = true, .layers = "",
};

static void test_nested(const struct test_case *tc)
{
	int most = 1340 - (tc->fam == V6 ? 48 : 28);
	struct traced got;
	struct ends e;

	if (topo_open(&e, &nested, tc->dev ? "tx:d0 uso-" : "", tc->fam)) {
		trace_clear();
		send_call(&e, payload, 44 * most, most);
		got = trace_read();
		expect_long("GSO packets encrypted as a whole", 2, got.packets);
		expect_long("their segments", 2 * 44, got.segs);
		send_call(&e, payload, 9 * 500 + 1, 500);
		expect_outq_empty(e.tx);
	}
	ends_close(&e);
	if (!case_failed)
		tcp_case(tc->fam, "192.0.2.2", "2001:db8::2", 16, tcp_plain);
}

/* Changes while another process sends, on another CPU if there are two */

#define CHANGES		6
#define CHANGE_SIZE	1300
#define CHANGE_SEGS	44

static pid_t start_sender(const struct ends *e)
{
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = CHANGE_SEGS * CHANGE_SIZE,
		.cmsg = CHANGE_SIZE,
	};
	pid_t pid = fork();
	cpu_set_t set;

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;

	alarm(0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(!sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (;;)
		if (gso_send(e->tx, &s) < 0)
			usleep(1000);
}

/* Each packet must be a complete segment. Returns the number of packets. */
static int check_segments(int ms)
{
	int i, packets = 0;
	struct walk w;

	while (!case_failed && readable(topo_wire, ms)) {
		if (wire_recv(topo_wire) < 0 || !wire_walk(&w, true) ||
		    w.ignored || w.len != CHANGE_SIZE)
			continue;
		for (i = 0; i < CHANGE_SEGS; i++)
			if (!memcmp(payload + i * CHANGE_SIZE, w.data, w.len))
				break;
		if (i == CHANGE_SEGS)
			fail("packet with unknown payload");
		if (++packets % 128 == 0)
			break;
	}

	return packets;
}

static struct addr change_endpoint(int nr)
{
	return addr_of(nr % 2 ? V6 : V4, "10.0.0.2", "fd00::2", WG_PORT);
}

static bool change_key(int nr)
{
	static const unsigned char none[32];
	struct nl nl;

	enter(TX);
	nl_genl(&nl, WG_GENL_NAME, WG_CMD_SET_DEVICE);
	nl_str(&nl, WGDEVICE_A_IFNAME, "top");
	nl_attr(&nl, WGDEVICE_A_PRIVATE_KEY, nr % 2 ? wg_keys[0][0] : none, 32);

	return expect_ret("private key", 0, nl_talk(&nl));
}

static bool change_roam(int nr)
{
	struct addr rx = change_endpoint(nr);

	return wg_config(TX, "top", 0, WG_PORT, &rx, 0);
}

static bool change_port(int nr)
{
	struct addr rx = change_endpoint(1);

	return wg_config(TX, "top", 0, WG_PORT + 10 + nr % 2, &rx, 0);
}

static bool change_peer(int nr)
{
	struct addr rx = change_endpoint(1);

	return wg_config(TX, "top", 0, WG_PORT, nr % 2 ? &rx : NULL,
			 nr % 2 ? 0 : WGPEER_F_REMOVE_ME);
}

static bool change_up(int nr)
{
	return ip_in(TX, "link set top %s", nr % 2 ? "up" : "down");
}

static bool change_outer_up(int nr)
{
	return ip_in(TX, "link set d0 %s", nr % 2 ? "up" : "down");
}

static bool change_mtu(int nr)
{
	return ip_in(TX, "link set top mtu %d", nr % 2 ? 1420 : 1337);
}

static bool change_uso(int nr)
{
	return set_offloads(TX, "top", nr % 2);
}

static const struct change_row {
	const char *name;
	bool (*change)(int nr);
	bool last;		/* delete the device at the end */
} change_rows[] = {
	{ "key change", change_key },
	{ "endpoint change", change_roam },
	{ "port change", change_port },
	{ "peer removal", change_peer },
	{ "device down", change_up },
	{ "outer device down", change_outer_up },
	{ "MTU change", change_mtu },
	{ "offloads change", change_uso },
	{ "device deleted", change_mtu, true },
};

static void test_change(const struct test_case *tc)
{
	const struct change_row *row = &change_rows[tc->dev];
	int i, packets = 0;
	struct traced got;
	struct ends e;
	pid_t pid;

	set_sysctl("ipv6/conf/all/keep_addr_on_down", "1");
	if (!topo_open(&e, tc->row, "", tc->fam))
		goto close;
	set_sysctl("ipv6/conf/all/keep_addr_on_down", "1");
	if (!ip_in(TX, "addr add 10.0.0.5/24 dev d0"))
		goto close;
	trace_clear();
	pid = start_sender(&e);
	packets += check_segments(200);
	for (i = 0; i < CHANGES && !case_failed; i++) {
		usleep(30000);
		row->change(i);
		packets += check_segments(30);
	}
	if (row->last)
		ip_in(TX, "link del top");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	got = trace_read();
	expect_outq_empty(e.tx);
	while (check_segments(0))
		;
	if (!got.packets || !packets)
		fail("%d GSO packets encrypted as a whole, %d packets received",
		     got.packets, packets);
	if (!row->last && !case_failed && path_ready(&e)) {
		drain_wire();
		while (recv(e.rx, &(char){ 0 }, 1, 0) >= 0)
			;
		send_call(&e, payload, 44 * 1300, 1300);
	}
close:
	topo_now = NULL;
	ends_close(&e);
}

/* Nonces of messages that two CPUs send at the same time: each value is used
 * once, and none is left out. If both peers start a handshake at the same time,
 * there is a second key. Then only the messages of the second key count.
 */

#define MAX_NONCES	(1 << 17)

static void nonce_read(int fd, bool *seen, __u32 *first, __u32 *nr)
{
	const unsigned char *wg = frame.buf + ETH_HLEN + 20 + 8;
	static __u32 key, old_key;
	__u32 key_idx, nonce;

	while (wire_recv(fd) >= 0) {
		if (frame.buf[12] != 8 || frame.buf[13] ||
		    get16(wg - 6) != WG_PORT || wg[0] != 4)
			continue;
		memcpy(&key_idx, wg + 4, sizeof(key_idx));
		memcpy(&nonce, wg + 8, sizeof(nonce));
		if (*nr && key_idx == old_key)
			continue;
		if (!*nr || key_idx != key) {
			old_key = *nr ? key : key_idx ^ 1;
			key = key_idx;
			memset(seen, 0, MAX_NONCES * sizeof(*seen));
			*first = nonce - nonce % 1024;
			*nr = 0;
		}
		if (nonce < *first || nonce - *first >= MAX_NONCES)
			fail("nonce %u: the first message has %u", nonce,
			     *first);
		else if (seen[nonce - *first])
			fail("nonce %u is used twice", nonce);
		else
			seen[nonce - *first] = true;
		++*nr;
		if (case_failed)
			return;
	}
}

static void test_nonces(const struct test_case *tc)
{
	static bool seen[MAX_NONCES];
	__u32 first = 0, nr = 0, i, from, to, used = 0;
	struct gso_send s = {
		.data = payload, .len = 44 * 1300, .cmsg = 1300,
	};
	int outer_wire = -1, j;
	struct ends e;
	pid_t pid;

	memset(seen, 0, sizeof(seen));
	if (!topo_open(&e, tc->row, "rx:end gro- tx:d0 uso-", tc->fam))
		goto close;
	s.to = &e.to;
	outer_wire = wire_open(RX, "d1");
	pid = start_sender(&e);
	for (j = 0; j < 100 && !case_failed; j++) {
		gso_send(e.tx, &s);
		send_to(e.tx, &e.to, payload, 100);
		nonce_read(outer_wire, seen, &first, &nr);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	expect_outq_empty(e.tx);
	nonce_read(outer_wire, seen, &first, &nr);
	for (from = 0; from < MAX_NONCES && !seen[from]; from++)
		;
	for (to = MAX_NONCES; to > from && !seen[to - 1]; to--)
		;
	for (i = from; i < to; i++)
		used += seen[i];
	if (!case_failed && nr < 1000)
		fail("only %u messages", nr);
	if (!case_failed)
		expect_long("messages", to - from, used);
close:
	close(outer_wire);
	topo_now = NULL;
	ends_close(&e);
}

#define TSTAMP_FLAGS (SOF_TIMESTAMPING_TX_SOFTWARE | \
		      SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | \
		      SOF_TIMESTAMPING_OPT_TSONLY)

static int read_timestamps(int fd)
{
	struct msghdr msg = {};
	char control[512];
	int nr;

	for (nr = 0;; nr++) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return nr;
	}
}

/* A timestamp is requested for each call. */
static bool tcp_timestamp(int tx, int rx)
{
	const int len = 60000;
	int i;

	if (set_int(tx, SOL_SOCKET, SO_TIMESTAMPING, TSTAMP_FLAGS) ||
	    set_int(tx, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20))
		die("SO_TIMESTAMPING");
	for (i = 0; i < 8 && !case_failed; i++) {
		expect_ret("send", len, send(tx, payload, len, 0));
		tcp_receive(rx, 0, len);
		expect_uncharged(tx);
		expect_long("timestamps of one call", 1, read_timestamps(tx));
	}

	return !case_failed;
}

static void test_timestamp(const struct test_case *tc)
{
	struct ends e;
	int i;

	if (!topo_open(&e, tc->row, variants[tc->dev].features, tc->fam))
		goto close;
	if (set_int(e.tx, SOL_SOCKET, SO_TIMESTAMPING, TSTAMP_FLAGS))
		die("SO_TIMESTAMPING");
	for (i = 0; i < 3 && !case_failed; i++) {
		struct gso_send s = {
			.to = &e.to,
			.data = payload,
			.len = 44 * 1300,
			.cmsg = 1300,
		};

		expect_ret("send", s.len, gso_send(e.tx, &s));
		expect_outq_empty(e.tx);
		expect_long("timestamps of one call", 1, read_timestamps(e.tx));
	}
close:
	ends_close(&e);
}

/* All messages are dropped by the queueing discipline of the outer device. A
 * tunnel over IPv6 counts them as errors.
 */
static void test_stats_dropped(const struct test_case *tc)
{
	static const char * const features[] = {
		"rx:end gro-", "rx:end gro- tx:top uso-",
	};
	struct gso_send s = {
		.data = payload, .len = 44 * 1300, .cmsg = 1300,
	};
	bool v6 = tc->row == &outer[1];
	struct rtnl_link_stats was, now;
	struct ends e;
	int i;

	for (i = 0; i < 2 && !case_failed; i++) {
		if (topo_open(&e, tc->row, features[i], tc->fam) &&
		    tc_in(TX, "qdisc add dev d0 root pfifo limit 0")) {
			s.to = &e.to;
			was = top_stats();
			expect_ret("send", s.len, gso_send(e.tx, &s));
			expect_outq_empty(e.tx);
			now = top_stats();
			expect_long("packets", 0,
				    now.tx_packets - was.tx_packets);
			expect_long("bytes", 0, now.tx_bytes - was.tx_bytes);
			expect_long("dropped packets", v6 ? 0 : 44,
				    now.tx_dropped - was.tx_dropped);
			expect_long("errors", v6 ? 44 : 0,
				    now.tx_errors - was.tx_errors);
			tc_in(TX, "qdisc del dev d0 root");
		}
		ends_close(&e);
	}
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
	for (fam = V4; fam <= V6; fam++) {
		add_case(test_vnet, &outer[0], fam, 0,
			 "virtio header from a packet socket: %s",
			 family_name[fam]);
		add_case(test_vnet, &outer[0], fam, 1,
			 "virtio header from a tun device: %s",
			 family_name[fam]);
	}
	for (i = 0; i < ARRAY_SIZE(outer); i++)
		for (fam = V4; fam <= V6; fam++) {
			/* Other combinations of families would only repeat. */
			if (fam == (i ? V6 : V4))
				continue;
			for (j = 0; j < 2; j++) {
				add_case(test_zerocopy, &outer[i], fam, j,
					 "zerocopy %s: %s %s", outer[i].name,
					 family_name[fam], variants[j].name);
				add_case(test_splice, &outer[i], fam, j,
					 "splice %s: %s %s", outer[i].name,
					 family_name[fam], variants[j].name);
			}
			for (j = 0; j < ARRAY_SIZE(tcp_send_rows); j++)
				add_case(test_tcp_send, &outer[i], fam, j,
					 "%s %s: %s", tcp_send_rows[j].name,
					 outer[i].name, family_name[fam]);
			for (j = 0; j < ARRAY_SIZE(mtu_rows); j++)
				add_case(test_mtu, &outer[i], fam, j,
					 "%s %s: %s", mtu_rows[j].name,
					 outer[i].name, family_name[fam]);
		}
	for (fam = V4; fam <= V6; fam++)
		for (j = 0; j < ARRAY_SIZE(gro_rows); j++)
			add_case(test_gro, &forward, fam, j,
				 "forwarded, %s: %s", gro_rows[j].name,
				 family_name[fam]);
	for (fam = V4; fam <= V6; fam++)
		for (j = 0; j < 2; j++)
			add_case(test_nested, &nested, fam, j, "nested: %s %s",
				 family_name[fam], variants[j].name);
	for (i = 0; i < ARRAY_SIZE(outer); i++) {
		for (j = 0; j < 2; j++)
			add_case(test_timestamp, &outer[i], V4, j,
				 "timestamp %s: %s", outer[i].name,
				 variants[j].name);
		add_case(test_stats_dropped, &outer[i], V4, 0,
			 "statistics of drops %s", outer[i].name);
	}
	add_case(test_nonces, &outer[0], V4, 0, "nonces");
	for (j = 0; j < ARRAY_SIZE(change_rows); j++)
		add_case(test_change, &outer[0], j % 2 ? V6 : V4, j,
			 "%s while sending", change_rows[j].name);
	add_case(test_no_key, &no_key, V4, 0, "no key");
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
