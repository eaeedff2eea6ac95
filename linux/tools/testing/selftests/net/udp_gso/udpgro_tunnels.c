// SPDX-License-Identifier: GPL-2.0
/* Forwards fraglist GSO packets (rx-gro-list) to devices that add headers or
 * need the checksums of the segments.
 *
 * The program builds a burst of frames and sends the burst to a router, which
 * aggregates the frames. The input device is veth, where frames have little
 * headroom, or a tap device, where frames have more headroom. The route leads
 * through the device under test to a tap device without offloads. The program
 * reads each frame from this tap device and checks the payload and the lengths
 * and checksums of all outer and inner headers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>

#include "udpgso_topo.h"

#include <linux/if_tun.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <linux/virtio_net.h>

#define SIZE		1000	/* payload of each segment except the last */
#define LAST		501
#define SEGMENTS	3
#define TRIES		20	/* to get one packet after GRO */
#define WAIT_MS		2000
#define QUEUE		5

#define MAC_IN		{ 0x02, 0, 0, 0, 0, 0x11 }
#define MAC_FROM	{ 0x02, 0, 0, 0, 0, 0x10 }

/* In these lines, @ is the device name and # is the number of the row. */
#define L4	" local 10.0.0.1 remote 10.0.0.# "
#define L6	" local fd00::1 remote fd00::# "
#define GRE(type, ends, args)	"link add @ type " type ends args
#define VXLAN(ends, args)						\
	"link add @ type vxlan id # dstport 4789 dev w0" ends args
#define GENEVE(remote, args)						\
	"link add @ type geneve id # remote " remote " " args
#define FOU(type, args)							\
	"link add @ type " type L4 "encap " args
#define L2TP(encap)							\
	"l2tp add tunnel tunnel_id # peer_tunnel_id # encap " encap L4 ";" \
	"l2tp add session tunnel_id # session_id # peer_session_id # name @"
#define BAREUDP(port, type)						\
	"link add @ mtu 1400 type bareudp dstport " port " ethertype " type
#define XFRM_TMPL(src, dst, any)					\
	"xfrm policy add src " any " dst " any " dir out if_id # "	\
	"tmpl src " src " dst " dst " proto esp mode tunnel;"
#define XFRM(src, dst)							\
	"xfrm state add src " src " dst " dst " proto esp spi # if_id # " \
	"mode tunnel flag af-unspec enc ecb(cipher_null) \"\";"		\
	XFRM_TMPL(src, dst, "0.0.0.0/0") XFRM_TMPL(src, dst, "::/0")	\
	"link add @ mtu 1400 type xfrm dev w0 if_id #"
#define SEG6	"encap seg6 mode encap segs fd00::# dev w0"

static const struct row {
	const char *name;
	const char *lines;	/* for ip */
	const char *layers;	/* headers before the inner IP header */
	bool only4, only6;	/* inner family */
	bool l2;		/* the device needs a neighbour */
	bool uncounted4;	/* the IPv4 forward counter does not count it */
	const char *route4, *route6;	/* NULL: dev @ */
} rows[] = {
	{ "no tunnel", "", "eth", .route4 = "via 10.0.0.#",
	  .route6 = "via fd00::#" },
	{ "vlan", "link add link w0 name @ type vlan id #", "eth/vlan",
	  .l2 = true },
	{ "macvlan", "link add link w0 name @ type macvlan", "eth",
	  .l2 = true },
	{ "ipip", GRE("ipip", L4, "ttl 64"), "eth/ip4", .only4 = true },
	{ "sit", GRE("sit", L4, "ttl 64"), "eth/ip4", .only6 = true },
	{ "ip6tnl", GRE("ip6tnl", L6, "mode any encaplimit none"),
	  "eth/ip6" },
	{ "ip6tnl with limit", GRE("ip6tnl", L6, "mode any"),
	  "eth/ip6/dst" },
	{ "gre", GRE("gre", L4, "ttl 64"), "eth/ip4/gre" },
	{ "gre with checksum", GRE("gre", L4, "ttl 64 ocsum"),
	  "eth/ip4/grecsum" },
	{ "gretap", GRE("gretap", L4, "ttl 64"), "eth/ip4/gre/eth",
	  .l2 = true },
	{ "gretap with key and checksum",
	  GRE("gretap", L4, "key 5 ttl 64 csum"), "eth/ip4/grecsum/eth",
	  .l2 = true },
	{ "ip6gre", GRE("ip6gre", L6, "encaplimit none"), "eth/ip6/gre" },
	{ "ip6gre with limit and checksum", GRE("ip6gre", L6, "csum"),
	  "eth/ip6/dst/grecsum" },
	{ "ip6gretap", GRE("ip6gretap", L6, "encaplimit none"),
	  "eth/ip6/gre/eth", .l2 = true },
	{ "vxlan", VXLAN(L4, "noudpcsum"), "eth/ip4/udp0/vxlan/eth",
	  .l2 = true },
	{ "vxlan with checksum", VXLAN(L4, "udpcsum"),
	  "eth/ip4/udp/vxlan/eth", .l2 = true },
	{ "vxlan over v6", VXLAN(L6, "noudp6zerocsumtx"),
	  "eth/ip6/udp/vxlan/eth", .l2 = true },
	{ "vxlan over v6 without checksum", VXLAN(L6, "udp6zerocsumtx"),
	  "eth/ip6/udp0/vxlan/eth", .l2 = true },
	{ "geneve", GENEVE("10.0.0.#", "noudpcsum"),
	  "eth/ip4/udp0/geneve/eth", .l2 = true },
	{ "geneve with checksum", GENEVE("10.0.0.#", "udpcsum"),
	  "eth/ip4/udp/geneve/eth", .l2 = true },
	{ "geneve over v6", GENEVE("fd00::#", ""),
	  "eth/ip6/udp/geneve/eth", .l2 = true },
	{ "bareudp", BAREUDP("6635", "ipv4"), "eth/ip4/udp0/bareudp", .only4 = true,
	  .route4 = "encap ip dst 10.0.0.# dev @" },
	{ "bareudp over v6", BAREUDP("6636", "ipv6"), "eth/ip6/udp0/bareudp",
	  .only6 = true, .route6 = "encap ip6 dst fd00::# dev @" },
	{ "fou, ipip", FOU("ipip", "fou encap-dport 5554 noencap-csum"),
	  "eth/ip4/udp0/fou", .only4 = true },
	{ "fou with checksum, ipip",
	  FOU("ipip", "fou encap-dport 5554 encap-csum"),
	  "eth/ip4/udp/fou", .only4 = true },
	{ "fou with checksum, sit",
	  FOU("sit", "fou encap-dport 5555 encap-csum"),
	  "eth/ip4/udp/fou", .only6 = true },
	{ "fou with checksum, gre",
	  FOU("gre", "fou encap-dport 5556 encap-csum"),
	  "eth/ip4/udp/fou/gre" },
	{ "gue with checksum, ipip",
	  FOU("ipip", "gue encap-dport 5557 encap-csum"),
	  "eth/ip4/udp/gue", .only4 = true },
	{ "gue, gre", FOU("gre", "gue encap-dport 5557 noencap-csum"),
	  "eth/ip4/udp0/gue/gre" },
	{ "gue with checksum, gre with checksum",
	  FOU("gre", "gue encap-dport 5557 encap-csum csum"),
	  "eth/ip4/udp/gue/grecsum" },
	{ "l2tp over ip", L2TP("ip"), "eth/ip4/l2tp/eth", .l2 = true },
	{ "l2tp over udp",
	  L2TP("udp udp_sport 1701 udp_dport 1701 udp_csum on"),
	  "eth/ip4/udp/l2tp/eth", .l2 = true },
	{ "mpls", "", "eth/mpls",
	  .route4 = "encap mpls 100 via inet 10.0.0.#",
	  .route6 = "encap mpls 100 via inet6 fd00::#" },
	{ "seg6", "", "eth/ip6/rt", .route4 = SEG6, .route6 = SEG6,
	  .uncounted4 = true },
	{ "xfrm interface", XFRM("10.0.0.1", "10.0.0.#"), "eth/ip4/esp" },
	{ "xfrm interface over v6", XFRM("fd00::1", "fd00::#"),
	  "eth/ip6/esp" },
	{ "vti", "xfrm state add src 10.0.0.1 dst 10.0.0.# proto esp spi # "
	  "mode tunnel flag af-unspec enc ecb(cipher_null) \"\";"
	  "xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out mark # "
	  "tmpl src 10.0.0.1 dst 10.0.0.# proto esp mode tunnel;"
	  "link add @ mtu 1400 type vti" L4 "key #", "eth/ip4/esp",
	  .only4 = true },
	{ "gre with checksum in vxlan with checksum",
	  "link add @i type vxlan id # dstport 4789 dev w0" L4 "udpcsum;"
	  "link set @i up;addr add 10.#.0.1/24 dev @i;"
	  "neigh add 10.#.0.2 lladdr 02:00:00:00:00:99 dev @i;"
	  "link add @ type gre local 10.#.0.1 remote 10.#.0.2 ttl 64 csum",
	  "eth/ip4/udp/vxlan/eth/ip4/grecsum" },
	{ "vlan over vxlan",
	  "link add @i type vxlan id # dstport 4789 dev w0" L4 "udpcsum;"
	  "link set @i up;link add link @i name @ type vlan id 7",
	  "eth/ip4/udp/vxlan/eth/vlan", .l2 = true },
};

/* The device that receives the frames */
static const struct input {
	const char *name;
	bool tap;
	bool watched;		/* a packet socket gets clones */
	bool partial;		/* frames have partial checksums */
} inputs[] = {
	{ "veth", },
	{ "veth, partial", .partial = true },
	{ "veth, partial, packet socket", .partial = true, .watched = true },
	{ "tap", .tap = true },
	{ "tap, partial", .tap = true, .partial = true },
};

static int veth_fd, tap_fd, wire_fd, watch_fd = -1, queue_fd;
static char row_up[ARRAY_SIZE(rows)];

/* The router */

static int tap_make(const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		die("tap %s", name);

	return fd;
}

/* Binds the named thread to the CPU of this program. Returns false if there is
 * no such thread.
 */
static bool pin_thread(const char *name)
{
	char file[300], comm[32];
	struct dirent *entry;
	bool found = false;
	cpu_set_t set;
	FILE *f;
	DIR *proc;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	proc = opendir("/proc");
	if (!proc)
		die("/proc");
	while (!found && (entry = readdir(proc))) {
		snprintf(file, sizeof(file), "/proc/%s/comm", entry->d_name);
		f = fopen(file, "r");
		if (!f)
			continue;
		found = fgets(comm, sizeof(comm), f) &&
			!strncmp(comm, name, strlen(name)) &&
			!sched_setaffinity(atoi(entry->d_name), sizeof(set),
					   &set);
		fclose(f);
	}
	closedir(proc);

	return found;
}

/* The NAPI thread has the CPU of this program and lower priority. It runs only
 * while this program sleeps, so that one poll gets all frames of a burst.
 */
static void use_thread(const char *dev)
{
	char file[64], name[32];
	int fd;

	snprintf(file, sizeof(file), "/sys/class/net/%s/threaded", dev);
	fd = open(file, O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		die("%s", file);
	close(fd);
	snprintf(name, sizeof(name), "napi/%s-", dev);
	if (!pin_thread(name))
		die("no thread %s", name);
}

static int packet_socket(const char *dev, int proto)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
		.sll_ifindex = if_nametoindex(dev),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&sll, sizeof(sll)))
		die("packet socket on %s", dev);

	return fd;
}

static void router_make(void)
{
	static const char * const tso[] = {
		"tx-tcp-segmentation", "tx-tcp-ecn-segmentation",
		"tx-tcp-mangleid-segmentation", "tx-tcp6-segmentation",
	};
	struct sched_param param = { .sched_priority = 1 };
	size_t i;

	ns_make(TX);
	enter(TX);
	if (mount("sysfs", "/sys", "sysfs", 0, NULL))
		die("/sys");
	set_sysctl("ipv4/ip_forward", "1");
	set_sysctl("ipv6/conf/all/forwarding", "1");
	set_sysctl("ipv6/conf/default/addr_gen_mode", "1");

	tap_fd = tap_make("t0", IFF_NAPI | IFF_VNET_HDR);
	wire_fd = tap_make("w0", 0);
	if (!ip_in(TX, "link set lo up;"
		   "link add i0 type veth peer name i1 "
		   "address 02:00:00:00:00:11;"
		   "link set t0 address 02:00:00:00:00:11;"
		   "link set i0 up;link set i1 up;link set t0 up;"
		   "link set w0 up;addr add 10.0.0.1/24 dev w0;"
		   "addr add fd00::1/64 dev w0 nodad;"
		   "addr add 192.0.2.1/24 dev i1;"
		   "addr add 2001:db8::1/64 dev i1 nodad"))
		die("devices");
	for (i = 0; i < ARRAY_SIZE(tso); i++)
		if (!set_feature("i0", tso[i], false))
			die("%s", tso[i]);
	if (!set_feature("i1", "rx-gro", true) ||
	    !set_feature("i1", "rx-gro-list", true) ||
	    !set_feature("t0", "rx-gro-list", true))
		die("rx-gro-list");
	use_thread("i1");
	use_thread("t0");
	veth_fd = packet_socket("i0", 0);
	if (set_int(veth_fd, SOL_PACKET, PACKET_VNET_HDR, 1))
		die("PACKET_VNET_HDR");
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		die("SCHED_FIFO");
}

/* Copies lines and replaces @ and #. */
static void fill_in(char *to, size_t size, const char *from, int nr)
{
	size_t n = 0;

	for (; *from; from++) {
		if (*from == '@')
			n += snprintf(to + n, size - n, "x%d", nr);
		else if (*from == '#')
			n += snprintf(to + n, size - n, "%d", nr);
		else
			n += snprintf(to + n, size - n, "%c", *from);
		if (n >= size)
			die("lines of row %d", nr);
	}
	to[n] = '\0';
}

static bool row_make(const struct row *row, int nr)
{
	const char *route4 = row->route4 ? row->route4 : "dev @";
	const char *route6 = row->route6 ? row->route6 : "dev @";
	char text[2048], lines[2048];
	int n;

	n = snprintf(text, sizeof(text),
		     "neigh add 10.0.0.# lladdr 02:00:00:00:00:99 dev w0;"
		     "neigh add fd00::# lladdr 02:00:00:00:00:99 dev w0;%s;",
		     row->lines);
	if (*row->lines)
		n += snprintf(text + n, sizeof(text) - n, "link set @ up;");
	if (row->l2)
		n += snprintf(text + n, sizeof(text) - n,
			      "neigh add 198.51.100.# "
			      "lladdr 02:00:00:00:00:99 dev @;"
			      "neigh add 2001:db8:1::# "
			      "lladdr 02:00:00:00:00:99 dev @;");
	if (!row->only6)
		n += snprintf(text + n, sizeof(text) - n,
			      "route add 198.51.100.#/32 %s;", route4);
	if (!row->only4)
		n += snprintf(text + n, sizeof(text) - n,
			      "route add 2001:db8:1::#/128 %s;", route6);
	fill_in(lines, sizeof(lines), text, nr);

	return batch(TX, "ip", "-batch", lines);
}

/* Creates the devices once. If this fails, all cases of the row fail. */
static bool row_ready(const struct row *row)
{
	int i = row - rows;

	if (!row_up[i])
		row_up[i] = row_make(row, 100 + i) ? 'y' : 'n';

	return row_up[i] == 'y' || fail("no device");
}

/* Frames */

struct burst {
	enum family fam;
	int proto;
	bool partial;
	int nr;			/* of the destination address */
	int sport;
};

static void build_ip(const struct burst *b, unsigned char *p, int len, int i)
{
	char text[64];

	if (b->fam == V4) {
		p[0] = 0x45;
		put16(p + 2, len);
		put16(p + 4, 0x1000 + i);
		p[8] = 64;
		p[9] = b->proto;
		snprintf(text, sizeof(text), "198.51.100.%d", b->nr);
		inet_pton(AF_INET, "192.0.2.2", p + 12);
		inet_pton(AF_INET, text, p + 16);
		put16(p + 10, ~csum_bytes(0, p, 20));
		return;
	}

	p[0] = 0x60;
	put16(p + 4, len - 40);
	p[6] = b->proto;
	p[7] = 64;
	snprintf(text, sizeof(text), "2001:db8:1::%d", b->nr);
	inet_pton(AF_INET6, "2001:db8::2", p + 8);
	inet_pton(AF_INET6, text, p + 24);
}

static __u32 burst_pseudo(const struct burst *b, const unsigned char *ip,
			  int len)
{
	return (b->fam == V4 ? csum_pseudo(ip + 12, 8, len) :
			       csum_pseudo(ip + 8, 32, len)) +
	       0xffff - IPPROTO_UDP + b->proto;
}

/* Returns the length, including a virtio header in front of the frame. */
static int build_frame(const struct burst *b, unsigned char *buf, int i)
{
	const unsigned char to[] = MAC_IN, from[] = MAC_FROM;
	struct virtio_net_hdr *vh = (void *)buf;
	int thlen = b->proto == IPPROTO_UDP ? 8 : 20;
	int nhlen = b->fam == V4 ? 20 : 40;
	int size = i < SEGMENTS - 1 ? SIZE : LAST;
	unsigned char *eth = buf + sizeof(*vh);
	unsigned char *ip = eth + ETH_HLEN, *th = ip + nhlen, *check;
	int check_offset = b->proto == IPPROTO_UDP ? 6 : 16;
	__u32 pseudo, seq = 1000 + i * SIZE, sum;
	int len = thlen + size;

	memset(buf, 0, th + thlen - buf);
	memcpy(eth, to, 6);
	memcpy(eth + 6, from, 6);
	put16(eth + 12, b->fam == V4 ? ETH_P_IP : ETH_P_IPV6);
	build_ip(b, ip, nhlen + len, i);

	put16(th, b->sport);
	put16(th + 2, PORT);
	if (b->proto == IPPROTO_UDP) {
		put16(th + 4, len);
	} else {
		put16(th + 4, seq >> 16);
		put16(th + 6, seq);
		put16(th + 10, 1);
		th[12] = 5 << 4;
		th[13] = 0x10;
		put16(th + 14, 1000);
	}
	memcpy(th + thlen, payload + b->sport + i * SIZE, size);

	pseudo = burst_pseudo(b, ip, len);
	check = th + check_offset;
	if (b->partial) {
		vh->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vh->csum_start = th - eth;
		vh->csum_offset = check_offset;
		put16(check, csum_bytes(pseudo, NULL, 0));
	} else {
		sum = ~csum_bytes(pseudo, th, len) & 0xffff;
		put16(check, sum ? sum : 0xffff);
	}

	return sizeof(*vh) + ETH_HLEN + nhlen + len;
}

static bool send_burst(const struct burst *b, bool tap)
{
	static unsigned char buf[2048];
	int i, len;

	for (i = 0; i < SEGMENTS; i++) {
		len = build_frame(b, buf, i);
		if (write(tap ? tap_fd : veth_fd, buf, len) != len)
			return fail("write of a frame: %s", strerror(errno));
	}

	return true;
}

/* Checks of the forwarded segments */

/* Returns the number of packets that the router has forwarded. */
static long forwarded(enum family fam)
{
	const char *name = fam == V4 ? "snmp" : "snmp6";
	char file[64], line[512];
	long nr[6] = { -1 };
	FILE *f;

	snprintf(file, sizeof(file), "/proc/thread-self/net/%s", name);
	f = fopen(file, "r");
	if (!f)
		die("%s", file);
	while (fgets(line, sizeof(line), f))
		if (fam == V4 ? sscanf(line, "Ip: %ld %ld %ld %ld %ld %ld",
				       &nr[0], &nr[1], &nr[2], &nr[3], &nr[4],
				       &nr[5]) == 6 :
				sscanf(line, "Ip6OutForwDatagrams %ld",
				       &nr[5]) == 1)
			break;
	fclose(f);

	return nr[5];
}

static bool tap_recv(int timeout_ms)
{
	if (!readable(wire_fd, timeout_ms))
		return false;
	memset(&frame, 0, offsetof(struct frame, buf));
	frame.len = read(wire_fd, frame.buf, sizeof(frame.buf));
	frame.partial = false;
	frame.vlan = false;

	return frame.len > 0;
}

struct want {
	const char *layers;
	int sport;
	int nr;			/* segments */
	int last;		/* length of the last one */
};

static bool expect_segment(const struct want *want, const struct walk *w,
			   int i)
{
	int len = i < want->nr - 1 ? SIZE : want->last;

	if (strcmp(want->layers, w->layers))
		return fail("expected %s, got %s", want->layers, w->layers);
	if (i >= want->nr)
		return fail("unexpected segment of %d bytes", w->len);
	if (w->len != len)
		return fail("segment %d: expected %d bytes, got %d", i + 1,
			    len, w->len);
	if (memcmp(w->data, payload + want->sport + i * SIZE, len))
		return fail("segment %d: wrong payload", i + 1);

	return true;
}

/* Checks all segments, and that no other segment follows. */
static bool expect_segments(const struct want *want)
{
	struct walk w;
	int i = 0;

	while (tap_recv(i < want->nr ? WAIT_MS : 0)) {
		if (!wire_walk(&w, false)) {
			i++;
			continue;
		}
		if (!w.ignored && w.data)
			expect_segment(want, &w, i++);
	}

	return !case_failed && expect_long("segments", want->nr, i);
}

static void drain_tap(void)
{
	while (tap_recv(0))
		;
}

/* Cases: a row and a family. tc->dev encodes input device and protocol. */

static int case_proto(const struct test_case *tc)
{
	return tc->dev % 2 ? IPPROTO_TCP : IPPROTO_UDP;
}

static const struct input *case_input(const struct test_case *tc)
{
	return &inputs[tc->dev / 2];
}

/* Due to other activity on the CPU, GRO may aggregate a burst to two packets.
 * The burst is then repeated.
 */
static bool aggregated(const struct burst *b, const struct input *input,
		       bool (*next)(void *arg), void *arg)
{
	long nr = 0, before;
	int i;

	for (i = 0; i < TRIES && nr != 1; i++) {
		drain_tap();
		before = forwarded(b->fam);
		if (!send_burst(b, input->tap) || !next(arg))
			return false;
		nr = forwarded(b->fam) - before;
	}

	return expect_long("packets after GRO", 1, nr);
}

static bool next_segments(void *arg)
{
	return expect_segments(arg);
}

/* Segmentation must not change the clone that the packet socket receives. */
static void expect_clone(const struct burst *b)
{
	int nhlen = b->fam == V4 ? 20 : 40, len;
	unsigned char *ip = frame.buf + ETH_HLEN;

	while ((len = recv(watch_fd, frame.buf, sizeof(frame.buf),
			   MSG_DONTWAIT)) > 0) {
		if (get16(ip - 2) != (b->fam == V4 ? ETH_P_IP : ETH_P_IPV6) ||
		    get16(ip + nhlen) != b->sport)
			continue;
		len -= ETH_HLEN + nhlen;
		if (b->fam == V4)
			expect_long("IPv4 length of the clone", len + nhlen,
				    get16(ip + 2));
		if (b->proto == IPPROTO_UDP)
			expect_long("UDP length of the clone", len,
				    get16(ip + nhlen + 4));
	}
}

static void test_row(const struct test_case *tc)
{
	static int sport = 10000;
	const struct input *input = case_input(tc);
	const struct row *row = tc->row;
	struct burst b = {
		.fam = tc->fam,
		.proto = case_proto(tc),
		.partial = input->partial,
		.nr = 100 + (row - rows),
		.sport = sport++,
	};
	char layers[160];
	struct want want = {
		.layers = layers,
		.sport = b.sport,
		.nr = SEGMENTS,
		.last = LAST,
	};

	if (!row_ready(row))
		return;
	if (input->watched)
		watch_fd = packet_socket("i1", ETH_P_ALL);
	snprintf(layers, sizeof(layers), "%s/%s/%s", row->layers,
		 tc->fam == V4 ? "ip4" : "ip6",
		 b.proto == IPPROTO_UDP ? "udp" : "tcp");
	if (row->uncounted4 && tc->fam == V4) {
		drain_tap();
		if (send_burst(&b, input->tap))
			expect_segments(&want);
	} else {
		aggregated(&b, input, next_segments, &want);
	}
	if (input->watched) {
		expect_clone(&b);
		close(watch_fd);
	}
}

/* A packet socket reads packets with a virtio header. They are sent again. */

static const struct reinject {
	const char *name;
	const char *layers;
	int nr;			/* of the destination address */
	bool vlan;		/* the packet has its VLAN tag in the data */
} reinjects[] = {
	{ "untagged", "eth", 100 },
	{ "inline VLAN tag", "eth/vlan", 99, true },
};

struct reinjection {
	const struct reinject *r;
	struct want want;
};

static bool vlan_ready(void)
{
	static bool made;

	if (made)
		return true;
	made = set_feature("i1", "tx-vlan-hw-insert", false) &&
	       ip_in(TX, "link add link i1 name i1.7 type vlan id 7;"
		     "link set i1.7 up;"
		     "neigh add 198.51.100.99 lladdr 02:00:00:00:00:99 dev i1.7;"
		     "neigh add 2001:db8:1::99 lladdr 02:00:00:00:00:99 dev i1.7;"
		     "route add 198.51.100.99/32 dev i1.7;"
		     "route add 2001:db8:1::99/128 dev i1.7");

	return made || fail("no VLAN device");
}

static int vnet_socket(const char *dev, int proto)
{
	int fd = packet_socket(dev, proto);

	if (set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1))
		die("PACKET_VNET_HDR");

	return fd;
}

/* Returns the length of the next packet with source port @sport, or 0. */
static int read_vnet(const struct reinject *r, unsigned char *buf, int size,
		     int sport)
{
	unsigned char *ip = buf + sizeof(struct virtio_net_hdr) + ETH_HLEN +
			    (r->vlan ? 4 : 0);
	int len;

	while ((len = recv(watch_fd, buf, size, MSG_DONTWAIT)) > 0)
		if (get16(ip - 2) == ETH_P_IP ? get16(ip + 20) == sport :
						get16(ip - 2) == ETH_P_IPV6 &&
						get16(ip + 40) == sport)
			return len;

	return 0;
}

static bool next_reinjected(void *arg)
{
	static unsigned char buf[1 << 16];
	const struct reinjection *ri = arg;
	int fd, len;

	/* The packet socket must not change the forwarded packet. The
	 * forwarded segments arrive before the packet is read.
	 */
	if (!ri->r->vlan && !expect_segments(&ri->want))
		return false;
	do {
		if (!readable(watch_fd, WAIT_MS))
			return fail("no packet to read");
		len = read_vnet(ri->r, buf, sizeof(buf), ri->want.sport);
	} while (!len);
	fd = vnet_socket("w0", 0);
	if (write(fd, buf, len) != len)
		fail("write of %d bytes: %s", len, strerror(errno));
	close(fd);

	return !case_failed && expect_segments(&ri->want);
}

static void test_reinject(const struct test_case *tc)
{
	static int sport = 15000;
	const struct reinject *r = tc->row;
	const struct input *input = case_input(tc);
	struct burst b = {
		.fam = tc->fam,
		.proto = IPPROTO_UDP,
		.partial = input->partial,
		.nr = r->nr,
		.sport = sport++,
	};
	char layers[160];
	struct reinjection ri = {
		.r = r,
		.want = {
			.layers = layers,
			.sport = b.sport,
			.nr = SEGMENTS,
			.last = LAST,
		},
	};

	if (r->vlan ? !vlan_ready() : !row_ready(&rows[0]))
		return;
	snprintf(layers, sizeof(layers), "%s/%s/udp", r->layers,
		 tc->fam == V4 ? "ip4" : "ip6");
	watch_fd = vnet_socket(r->vlan || !input->tap ? "i1" : "t0", ETH_P_ALL);
	aggregated(&b, input, next_reinjected, &ri);
	close(watch_fd);
}

/* A netfilter queue (NFQUEUE) gets GSO packets or segments. */

static const struct verdict {
	const char *name;
	bool gso;		/* gets GSO packets */
	int more;		/* bytes of payload to add or (< 0) remove */
	int nr, last;		/* expected segments */
} verdicts[] = {
	{ "segments", .nr = 3, .last = LAST },
	{ "GSO packets", true, 0, 3, LAST },
	{ "appends a byte", true, 1, 3, LAST + 1 },
	{ "appends 600 bytes", true, 600, 4, LAST + 600 - SIZE },
	{ "removes 600 bytes", true, -600, 2, SIZE + LAST - 600 },
	{ "shortened to one segment", true, -SIZE - LAST, 0, 0 },
};

struct queue_msg {
	struct nlmsghdr nlh;
	struct nfgenmsg nfg;
	char attrs[1 << 17];
};

static struct queue_msg queue_msg;

static void queue_msg_start(int type)
{
	queue_msg.nlh = (struct nlmsghdr) {
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
		.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type,
		.nlmsg_flags = NLM_F_REQUEST,
	};
	queue_msg.nfg = (struct nfgenmsg) {
		.nfgen_family = AF_UNSPEC,
		.version = NFNETLINK_V0,
		.res_id = htons(QUEUE),
	};
}

static void queue_msg_put(int type, const void *data, int len)
{
	struct nlattr *nla = (void *)&queue_msg + queue_msg.nlh.nlmsg_len;

	nla->nla_type = type;
	nla->nla_len = NLA_HDRLEN + len;
	memcpy((char *)nla + NLA_HDRLEN, data, len);
	queue_msg.nlh.nlmsg_len += NLA_ALIGN(nla->nla_len);
}

static void queue_msg_send(void)
{
	int len = queue_msg.nlh.nlmsg_len;

	if (send(queue_fd, &queue_msg, len, 0) != len)
		die("message to the queue");
}

static void queue_open(bool gso)
{
	struct nfqnl_msg_config_params params = {
		.copy_range = htonl(0xffff),
		.copy_mode = NFQNL_COPY_PACKET,
	};
	struct nfqnl_msg_config_cmd bind = { .command = NFQNL_CFG_CMD_BIND };
	__u32 flag = htonl(NFQA_CFG_F_GSO), flags = gso ? flag : 0;

	queue_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			  NETLINK_NETFILTER);
	if (queue_fd < 0)
		die("netlink socket");
	queue_msg_start(NFQNL_MSG_CONFIG);
	queue_msg_put(NFQA_CFG_CMD, &bind, sizeof(bind));
	queue_msg_send();
	queue_msg_start(NFQNL_MSG_CONFIG);
	queue_msg_put(NFQA_CFG_PARAMS, &params, sizeof(params));
	queue_msg_put(NFQA_CFG_FLAGS, &flags, sizeof(flags));
	queue_msg_put(NFQA_CFG_MASK, &flag, sizeof(flag));
	queue_msg_send();
}

/* Appends or removes payload at the end of a packet. Appended bytes are those
 * that follow in payload[].
 */
static int queue_edit(unsigned char *ip, int len, int more, int sport)
{
	bool v4 = ip[0] >> 4 == 4;
	unsigned char *th = ip + (v4 ? 20 : 40);
	bool udp = ip[v4 ? 9 : 6] == IPPROTO_UDP;
	int hlen = th - ip + (udp ? 8 : 20);

	if (more > 0)
		memcpy(ip + len, payload + sport + len - hlen, more);
	len += more;
	if (v4) {
		put16(ip + 2, len);
		put16(ip + 10, 0);
		put16(ip + 10, ~csum_bytes(0, ip, 20));
	} else {
		put16(ip + 4, len - 40);
	}
	if (udp)
		put16(th + 4, len - (th - ip));

	return len;
}

/* Handles one message of the queue. Returns true if it was a packet. */
static bool queue_reply(const struct verdict *v, int sport)
{
	static struct queue_msg in;
	struct nfqnl_msg_verdict_hdr hdr = { .verdict = htonl(NF_ACCEPT) };
	static unsigned char packet[1 << 17];
	const struct nlattr *nla;
	int off, len = 0;

	if (!readable(queue_fd, WAIT_MS))
		return false;
	if (recv(queue_fd, &in, sizeof(in), 0) < 0)
		die("recv from the queue");
	if (in.nlh.nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
		return fail("type 0x%x from the queue", in.nlh.nlmsg_type);

	for (off = NLMSG_LENGTH(sizeof(in.nfg));
	     off < (int)in.nlh.nlmsg_len; off += NLA_ALIGN(nla->nla_len)) {
		nla = (void *)&in + off;
		if (nla->nla_type == NFQA_PACKET_HDR)
			memcpy(&hdr.id, nla + 1, sizeof(hdr.id));
		if (nla->nla_type != NFQA_PAYLOAD)
			continue;
		len = nla->nla_len - NLA_HDRLEN;
		memcpy(packet, nla + 1, len);
	}

	queue_msg_start(NFQNL_MSG_VERDICT);
	queue_msg_put(NFQA_VERDICT_HDR, &hdr, sizeof(hdr));
	if (v->more) {
		len = queue_edit(packet, len, v->more, sport);
		queue_msg_put(NFQA_PAYLOAD, packet, len);
	}
	queue_msg_send();

	return true;
}

static bool next_verdict(const struct verdict *v, const struct want *want)
{
	int i, nr = v->gso ? 1 : SEGMENTS;

	for (i = 0; i < nr; i++)
		if (!queue_reply(v, want->sport))
			return fail("%d packets in the queue", i);

	return expect_segments(want);
}

static void test_queue(const struct test_case *tc)
{
	static int sport = 20000;
	const struct verdict *v = tc->row;
	const struct input *input = case_input(tc);
	struct burst b = {
		.fam = tc->fam,
		.proto = case_proto(tc),
		.partial = input->partial,
		.nr = 100,
		.sport = sport++,
	};
	char layers[160];
	struct want want = {
		.layers = layers,
		.sport = b.sport,
		.nr = v->nr,
		.last = v->last,
	};
	static bool ruled;

	if (!row_ready(&rows[0]))
		return;
	if (!ruled && !batch(TX, "nft", "-f", "table inet q {;chain c {;"
			     "type filter hook forward priority 0;"
			     "meta l4proto 6 queue num 5;"
			     "meta l4proto 17 queue num 5;};}"))
		return;
	ruled = true;
	snprintf(layers, sizeof(layers), "eth/%s/%s",
		 tc->fam == V4 ? "ip4" : "ip6",
		 b.proto == IPPROTO_UDP ? "udp" : "tcp");
	queue_open(v->gso);
	drain_tap();
	if (send_burst(&b, input->tap))
		next_verdict(v, &want);
	close(queue_fd);
}

/* These devices copy packets, which is not possible with fraglist GSO packets.
 */

static void test_amt(const struct test_case *tc)
{
	if (ip_in(TX, "link add amt0 type amt mode relay local 10.0.0.1 "
		  "dev w0 relay_port 2268"))
		expect_feature(TX, "amt0", "tx-gso-list", "off fixed");
}

static void test_prp(const struct test_case *tc)
{
	/* t0 and w0 cannot be slaves, because the rows have created devices on
	 * top of them.
	 */
	if (ip_in(TX, "link add d0 type dummy;link add d1 type dummy;"
		  "link add prp0 type hsr slave1 d0 slave2 d1 proto 1"))
		expect_feature(TX, "prp0", "tx-gso-list", "off fixed");
}

int main(int argc, char **argv)
{
	const struct reinject *r;
	const struct verdict *v;
	const struct row *row;
	int fam, in;

	topo_init();
	router_make();

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++)
		for (fam = V4; fam <= V6; fam++) {
			if (fam == V4 ? row->only6 : row->only4)
				continue;
			for (in = 0; in < 2 * (int)ARRAY_SIZE(inputs); in++)
				add_case(test_row, row, fam, in,
					 "%s: %s %s from %s", row->name,
					 family_name[fam],
					 in % 2 ? "TCP" : "UDP",
					 inputs[in / 2].name);
		}

	for (r = reinjects; r < reinjects + ARRAY_SIZE(reinjects); r++)
		for (fam = V4; fam <= V6; fam++)
			for (in = 0; in < (int)ARRAY_SIZE(inputs); in++)
				if (!inputs[in].watched)
					add_case(test_reinject, r, fam, 2 * in,
						 "AF_PACKET reinjection, %s: %s from %s",
						 r->name, family_name[fam],
						 inputs[in].name);

	add_case(test_amt, NULL, V4, 0, "amt has no tx-gso-list");
	add_case(test_prp, NULL, V4, 0, "prp has no tx-gso-list");

	/* These cases must be the last ones, because the nftables rule queues
	 * all later packets.
	 */
	for (v = verdicts; v < verdicts + ARRAY_SIZE(verdicts); v++)
		for (fam = V4; fam <= V6; fam++)
			for (in = 0; in < 2 * (int)ARRAY_SIZE(inputs); in++)
				if (!inputs[in / 2].watched)
					add_case(test_queue, v, fam, in,
						 "NFQUEUE, %s: %s %s from %s",
						 v->name, family_name[fam],
						 in % 2 ? "TCP" : "UDP",
						 inputs[in / 2].name);

	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
