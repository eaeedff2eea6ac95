// SPDX-License-Identifier: GPL-2.0
/* Checks whether UDP GSO packets from local sockets, in a router and from tun
 * devices are segmented on the fast path or on the slow path.
 *
 * The tracepoint udp:udp_gso_segment reports for each packet that the fast path
 * was used, or the reason why it was not used. The slow path also segments
 * correctly, so other tests do not detect that the fast path is not used.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <sys/prctl.h>

#include "udpgso_topo.h"
#include "udpgso_wg.h"

#ifndef UDP_GRO
#define UDP_GRO		104
#endif

#define LEN		20001	/* 21 datagrams */
#define SIZE		1000

/* The tracepoint, in a separate trace instance */

#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/udpgso_fast"
#define EVENT		INSTANCE "/events/udp/udp_gso_segment/enable"

static const char * const gso_paths[] = {
	"fast", "type", "device", "frag_list", "zerocopy", "headers",
	"geometry", "highmem", "memalloc", "irq", "nomem",
};

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

/* Returns the paths since trace_clear() and their counts, as in "fast 2,
 * zerocopy 1".
 */
static const char *trace_paths(void)
{
	int i, n, nr[ARRAY_SIZE(gso_paths)] = {};
	FILE *file = trace_file("r");
	static char text[256];
	char line[512], *path;

	while (fgets(line, sizeof(line), file)) {
		path = strstr(line, " path=");
		if (!path)
			continue;
		path[strcspn(path, "\n")] = '\0';
		for (i = 0; i < (int)ARRAY_SIZE(gso_paths); i++)
			if (!strcmp(path + 6, gso_paths[i]))
				break;
		if (i == ARRAY_SIZE(gso_paths))
			die("unknown%s", path);
		nr[i]++;
	}
	fclose(file);

	text[0] = '\0';
	for (i = 0, n = 0; i < (int)ARRAY_SIZE(gso_paths); i++)
		if (nr[i])
			n += snprintf(text + n, sizeof(text) - n, "%s%s %d",
				      n ? ", " : "", gso_paths[i], nr[i]);

	return n ? text : "none";
}

/* Methods to pass the payload to the kernel */

static int send_cmsg(const struct ends *e, int len)
{
	struct gso_send s = { &e->to, payload, len, SIZE };

	return gso_send(e->tx, &s);
}

static int send_iovecs(const struct ends *e, int len)
{
	struct gso_send s = { &e->to, payload, len, SIZE, .pieces = 64 };

	return gso_send(e->tx, &s);
}

static int send_corked(const struct ends *e, int len)
{
	int i, off, end, ret = 0;

	for (i = 0; i < 3 && ret >= 0; i++) {
		off = len * i / 3;
		end = len * (i + 1) / 3;

		struct gso_send s = {
			.to = &e->to,
			.data = payload + off,
			.len = end - off,
			.cmsg = i ? NO_SIZE : SIZE,
			.flags = i < 2 ? MSG_MORE : 0,
		};

		ret = gso_send(e->tx, &s);
	}

	return ret < 0 ? ret : len;
}

static int send_spliced(const struct ends *e, int len)
{
	int pipefd[2];
	ssize_t ret;

	if (pipe(pipefd) || write(pipefd[1], payload, len) != len ||
	    connect(e->tx, &e->to.sa, e->to.len) ||
	    set_int(e->tx, SOL_UDP, UDP_SEGMENT, SIZE))
		die("pipe to the socket");
	ret = splice(pipefd[0], NULL, e->tx, NULL, len, 0);
	ret = ret < 0 ? -errno : ret;
	close(pipefd[0]);
	close(pipefd[1]);

	return ret;
}

static int send_zerocopy(const struct ends *e, int len)
{
	struct gso_send s = {
		&e->to, payload, len, SIZE, .flags = MSG_ZEROCOPY,
	};

	if (set_int(e->tx, SOL_SOCKET, SO_ZEROCOPY, 1))
		die("SO_ZEROCOPY");

	return gso_send(e->tx, &s);
}

static int send_with_option(const struct ends *e, int len)
{
	static const unsigned char nops[] = { 1, 1, 1, 1 };

	if (setsockopt(e->tx, SOL_IP, IP_OPTIONS, nops, sizeof(nops)))
		die("IP_OPTIONS");

	return send_cmsg(e, len);
}

static int send_with_most_options(const struct ends *e, int len)
{
	unsigned char nops[40];

	memset(nops, 1, sizeof(nops));
	if (setsockopt(e->tx, SOL_IP, IP_OPTIONS, nops, sizeof(nops)))
		die("IP_OPTIONS");

	return send_cmsg(e, len);
}

static int send_with_dstopts(const struct ends *e, int len)
{
	static const unsigned char pad[] = { 0, 0, 1, 4, 0, 0, 0, 0 };

	if (setsockopt(e->tx, SOL_IPV6, IPV6_DSTOPTS, pad, sizeof(pad)))
		die("IPV6_DSTOPTS");

	return send_cmsg(e, len);
}

/* A receiver with UDP_GRO */
static int send_to_gro(const struct ends *e, int len)
{
	if (set_int(e->rx, SOL_UDP, UDP_GRO, 1))
		die("UDP_GRO");

	return send_cmsg(e, len);
}

/* A child process reads packets from the tun device d0 and writes them to the
 * tun device d1.
 */

static int tun_open(enum ns ns, const char *name)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR,
	};
	int fd;

	enter(ns);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6))
		die("tun device %s", name);
	enter(TX);

	return fd;
}

/* Forks a child process that is killed when its parent ends. Returns true in
 * the child.
 */
static bool fork_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		alarm(0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}

	return !pid;
}

static bool tuns_make(void)
{
	static unsigned char buf[1 << 17];
	int from = tun_open(TX, "d0"), to = tun_open(RX, "d1");
	ssize_t len;

	if (fork_child()) {
		while ((len = read(from, buf, sizeof(buf))) > 0)
			if (write(to, buf, len) != len)
				break;
		_exit(KSFT_FAIL);
	}
	close(from);
	close(to);

	return true;
}

/* An NFQUEUE listener that accepts all packets */

static void queue_talk(int fd, int type, int attr, const void *data, int len)
{
	struct nfgenmsg gen = { .version = NFNETLINK_V0 };
	struct nl nl;

	nl_init(&nl, NETLINK_NETFILTER, NFNL_SUBSYS_QUEUE << 8 | type, 0, &gen,
		sizeof(gen));
	nl.hdr.nlmsg_flags = NLM_F_REQUEST;
	nl_attr(&nl, attr, data, len);
	if (send(fd, nl.buf, nl.hdr.nlmsg_len, 0) < 0)
		die("netlink");
}

static void queue_accept(int fd, const struct nlmsghdr *hdr)
{
	/* first attribute, after struct nfgenmsg */
	struct nfqnl_msg_packet_hdr *packet =
		NLMSG_DATA(hdr) + NLMSG_ALIGN(sizeof(struct nfgenmsg)) +
		NLA_HDRLEN;
	struct nfqnl_msg_verdict_hdr verdict = {
		.verdict = htonl(1 /* NF_ACCEPT */),
		.id = packet->packet_id,
	};

	if (hdr->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
		queue_talk(fd, NFQNL_MSG_VERDICT, NFQA_VERDICT_HDR, &verdict,
			   sizeof(verdict));
}

static bool queue_make(void)
{
	struct nfqnl_msg_config_cmd bind_cmd = { NFQNL_CFG_CMD_BIND };
	struct nfqnl_msg_config_params meta = {
		.copy_mode = NFQNL_COPY_META,
	};
	union {
		struct nlmsghdr hdr;
		char buf[8192];
	} msg;
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		die("netlink");
	queue_talk(fd, NFQNL_MSG_CONFIG, NFQA_CFG_CMD, &bind_cmd,
		   sizeof(bind_cmd));
	queue_talk(fd, NFQNL_MSG_CONFIG, NFQA_CFG_PARAMS, &meta, sizeof(meta));
	if (fork_child()) {
		while (recv(fd, &msg, sizeof(msg), 0) > 0)
			queue_accept(fd, &msg.hdr);
		_exit(KSFT_FAIL);
	}
	close(fd);

	return true;
}

static bool wg_make(void)
{
	struct addr tx = addr_of(V4, "10.0.0.1", "", WG_PORT);
	struct addr rx = addr_of(V4, "10.0.0.2", "", WG_PORT);

	return ip_in(RX, "link set d1 up;addr add 10.0.0.2/24 dev d1;"
		     "link add end type wireguard") &&
	       wg_set(TX, "top", 0, &rx) && wg_set(RX, "end", 1, &tx);
}

/* Paths */

static const struct topo veth = { "veth" };
static const struct topo routed = { "routed", .routed = true };
static const struct topo vlan = {
	"vlan", .top = "top", .end = "end", .wire = "d1",
	.tx = "link add link d0 name top type vlan id 7",
	.rx = "link add link d1 name end type vlan id 7",
};

static const struct topo vlans = {
	"vlan over vlan", .top = "top", .end = "end", .wire = "d1",
	.tx = "link add link d0 name low type vlan id 8;link set low up;"
	      "link add link low name top type vlan id 7",
	.rx = "link add link d1 name low type vlan id 8;link set low up;"
	      "link add link low name end type vlan id 7",
};

static const struct topo bridge = {
	"bridge", .top = "top",
	.tx = "link add top type bridge;link set d0 master top",
};

static const struct topo bond = {
	"bond", .top = "top",
	.tx = "link add top type bond mode active-backup miimon 10;"
	      "link set d0 down;link set d0 master top",
};

static const struct topo macvlan = {
	"macvlan", .top = "top",
	.tx = "link add link d0 name top type macvlan mode bridge",
};

static const struct topo ipvlan = {
	"ipvlan", .top = "top",
	.tx = "link add link d0 name top type ipvlan mode l2",
};

static const struct topo tuns = {
	"tun", .bare = true, .late = tuns_make, .end = "d1", .l3 = true,
};

static const struct topo vxlan = {
	"vxlan", .top = "top", .end = "end", .wire = "d1",
	.tx = "addr add 10.0.0.1/24 dev d0;link add top type vxlan id 1 "
	      "dstport 4789 remote 10.0.0.2 dev d0",
	.rx = "addr add 10.0.0.2/24 dev d1;link add end type vxlan id 1 "
	      "dstport 4789 remote 10.0.0.1 dev d1",
};

static const struct topo wireguard = {
	"wireguard", .late = wg_make, .top = "top", .end = "end", .wire = "d1",
	.tx = "addr add 10.0.0.1/24 dev d0;link add top type wireguard",
};

/* A wireguard socket may use memory reserves (sk_set_memalloc()). This must not
 * change the path of packets of other sockets.
 */
static const struct topo beside_wireguard = {
	"other wireguard socket", .rx_more = "link add wg type wireguard;"
				       "link set wg up",
};

/* If ESP is the only transform, the GSO packet gets an ESP header and is
 * segmented afterwards. If another transform follows, the packet is segmented
 * before the first transform.
 */
#define ESP_ENDS	"src 198.51.100.254 dst 198.51.100.2 proto esp "
#define ESP_STATES							\
	"xfrm state add " ESP_ENDS "spi 1 mode tunnel flag af-unspec "	\
	"enc ecb(cipher_null) \"\";"					\
	"xfrm state add " ESP_ENDS "spi 2 mode transport "		\
	"enc ecb(cipher_null) \"\";"
#define ESP_POLICY4(dir)						\
	"xfrm policy add dst 198.51.100.2/32 dir " dir " tmpl " ESP_ENDS \
	"mode tunnel "
#define ESP_POLICY6(dir)						\
	"xfrm policy add dst 2001:db8:1::2/128 dir " dir " tmpl "	\
	ESP_ENDS "mode tunnel;"
#define ESP_OUTER	"tmpl " ESP_ENDS "mode transport;"

static const struct topo esp = {
	"esp", .routed = true,
	.mid = ESP_STATES ESP_POLICY6("out") ESP_POLICY4("out"),
	.rx = ESP_STATES ESP_POLICY6("in") ESP_POLICY4("in"),
};

static const struct topo esp_twice = {
	"esp twice", .routed = true,
	.mid = ESP_STATES ESP_POLICY4("out") ESP_OUTER,
	.rx = ESP_STATES ESP_POLICY4("in") ESP_OUTER,
};

/* Netfilter rules and queueing disciplines for d0 in tx */

#define HOOK(type)	"table inet t {;chain c {;type filter hook " type	\
			" priority 0;"
#define CT		HOOK("output") "ct state new,established accept;};}"
#define QUEUE		HOOK("output") "udp dport 4242 queue num 0;};}"
#define ROOT		"qdisc add dev d0 root "
#define MIRROR		"qdisc add dev d0 clsact;filter add dev d0 egress "	\
			"matchall action mirred egress mirror dev ifb0"

static const struct topo mirrored = {
	"mirrored", .tx = "link add ifb0 type ifb;link set ifb0 up",
};

static const struct row {
	const char *name;
	const struct topo *topo;
	const char *features;
	const char *paths;
	int (*send)(const struct ends *e, int len);	/* NULL: send_cmsg() */
	int fams;		/* 0: both */
	const char *nft, *tc;
	bool (*start)(void);	/* called after nft and tc */
	int len;		/* 0: LEN */
	bool udp_gro;		/* the receiver has UDP_GRO */
} rows[] = {
	{ "sendmsg", &veth, "tx:d0 uso-", "fast 1" },
	{ "two datagrams", &veth, "tx:d0 uso-", "fast 1", .len = SIZE + 1 },
	{ "one datagram", &veth, "tx:d0 uso-", "none", .len = SIZE },
	{ "65000 bytes", &veth, "tx:d0 uso-", "fast 1", .len = 65000 },
	{ "64 iovecs", &veth, "tx:d0 uso-", "fast 1", send_iovecs },
	{ "corked", &veth, "tx:d0 uso-", "fast 1", send_corked },
	{ "spliced", &veth, "tx:d0 uso-", "fast 1", send_spliced },
	{ "MSG_ZEROCOPY", &veth, "tx:d0 uso-", "zerocopy 1", send_zerocopy },
	{ "IP options", &veth, "tx:d0 uso-", "fast 1", send_with_option, 1 << V4 },
	{ "40 bytes of IP options", &veth, "tx:d0 uso-", "fast 1",
	  send_with_most_options, 1 << V4 },
	{ "destination options", &veth, "tx:d0 uso-", "headers 1",
	  send_with_dstopts, 1 << V6 },

	{ "no checksum offload, sendmsg", &veth, "tx:d0 csum-", "fast 1" },
	{ "no checksum offload, corked", &veth, "tx:d0 csum-", "fast 1",
	  send_corked },
	{ "no checksum offload, spliced", &veth, "tx:d0 csum-", "fast 1",
	  send_spliced },
	{ "no checksum offload, IP options", &veth, "tx:d0 csum-", "fast 1",
	  send_with_option, 1 << V4 },
	{ "no scatter-gather", &veth, "tx:d0 uso- sg-", "fast 1" },
	{ "no scatter-gather, corked", &veth, "tx:d0 uso- sg-", "fast 1",
	  send_corked },
	{ "no checksum, no scatter-gather", &veth, "tx:d0 csum- sg-", "fast 1" },

	{ "segmented for the socket", &veth, "", "fast 1" },
	{ "segmented for the socket, linear", &veth, "tx:d0 sg-", "fast 1" },
	{ "segmented for the socket, spliced", &veth, "", "fast 1", send_spliced },
	{ "unsegmented for UDP_GRO", &veth, "", "none", send_to_gro,
	  .udp_gro = true },

	{ "vlan", &vlan, "tx:d0 uso-", "fast 1" },
	{ "vlan over vlan", &vlans, "tx:d0 uso-", "fast 1" },
	{ "vlan over vlan, IP options", &vlans, "tx:d0 uso-", "fast 1",
	  send_with_option, 1 << V4 },
	{ "bridge", &bridge, "tx:d0 uso-", "fast 1" },
	{ "bond", &bond, "tx:d0 uso-", "fast 1" },
	{ "macvlan", &macvlan, "tx:d0 uso-", "fast 1" },
	{ "ipvlan", &ipvlan, "tx:d0 uso-", "fast 1" },
	{ "vxlan", &vxlan, "tx:d0 uso-", "type 2" },
	{ "wireguard", &wireguard, "", "fast 1" },
	{ "other wireguard socket", &beside_wireguard, "tx:d0 uso-", "fast 1" },
	{ "from a tun device", &tuns, "", "type 1" },

	{ "forwarded unsegmented", &routed, "mid:e0 uso-", "fast 1" },
	{ "forwarded unsegmented, linear", &routed, "tx:d0 sg- mid:e0 uso-",
	  "fast 1" },
	{ "forwarded unsegmented, no checksum offload", &routed, "mid:e0 csum-",
	  "fast 1" },
	{ "forwarded into esp", &esp, "", "type 1" },
	{ "forwarded into esp twice", &esp_twice, "", "fast 1",
	  .fams = 1 << V4 },
	{ "aggregated, forwarded", &routed,
	  "tx:d0 uso- mid:d1 gro+ fwd+ mid:e0 uso-", "fast 2", .len = 4500 },
	{ "aggregated, forwarded, linear", &routed,
	  "tx:d0 uso- sg- mid:d1 gro+ fwd+ mid:e0 uso-", "fast 2",
	  .len = 4500 },
	{ "aggregated, 40001 bytes, forwarded", &routed,
	  "tx:d0 uso- mid:d1 gro+ fwd+ mid:e0 uso-", "fast 1, frag_list 1",
	  .len = 40001 },
	{ "fraglist, forwarded", &routed,
	  "tx:d0 uso- mid:d1 gro+ list+ mid:e0 uso-", "fast 1, type 1" },

	{ "conntrack", &veth, "tx:d0 uso-", "fast 1", .nft = CT },
	{ "nfqueue", &veth, "", "fast 1", .nft = QUEUE, .start = queue_make },
	{ "tbf", &veth, "", "fast 1",
	  .tc = ROOT "tbf rate 400mbit burst 2kb limit 4mb" },
	{ "cake", &veth, "", "fast 1",
	  .tc = ROOT "cake bandwidth 400mbit rtt 10s split-gso" },
	{ "cake, no checksum offload", &veth, "tx:d0 csum-", "fast 1",
	  .tc = ROOT "cake bandwidth 400mbit rtt 10s split-gso" },
	{ "mirrored", &mirrored, "tx:d0 uso- tx:ifb0 uso-", "fast 2",
	  .tc = MIRROR },
};

static bool check_paths(const char *want)
{
	const char *got = trace_paths();

	return !strcmp(want, got) ||
	       fail("paths: expected %s, got %s", want, got);
}

static bool send_row(const struct ends *e, const struct row *row)
{
	int len = row->len ? row->len : LEN;
	struct expect exp = { payload, len, SIZE, (len + SIZE - 1) / SIZE };

	if (row->udp_gro) {
		exp.size = 0;
		exp.count = 1;
	}
	trace_clear();
	if (!expect_ret("send", len,
			row->send ? row->send(e, len) : send_cmsg(e, len)))
		return false;
	send_fence(e->tx, &e->to);

	return expect_rx(e->rx, &e->from, &exp, 1) && check_paths(row->paths);
}

static void test_row(const struct test_case *tc)
{
	const struct row *row = tc->row;
	struct ends e;

	if (!traced) {
		fail("no tracepoint udp:udp_gso_segment");
		return;
	}

	if (topo_open(&e, row->topo, row->features, tc->fam) &&
	    batch(TX, "nft", "-f", row->nft) &&
	    tc_in(TX, "%s", row->tc ? row->tc : "") &&
	    (!row->start || row->start()))
		send_row(&e, row);
	ends_close(&e);
	if (row->nft || row->tc)
		topo_now = NULL;
}

/* Sends over loopback. The packets are segmented for the receiver. */
static void test_lo(const struct test_case *tc)
{
	struct addr a = addr_of(tc->fam, "127.0.0.1", "::1", PORT);
	struct addr b = addr_of(tc->fam, "127.0.0.1", "::1", PORT + 2);
	struct ends e = { .fam = tc->fam, .from = a, .to = b, .wire = -1 };

	if (!traced) {
		fail("no tracepoint udp:udp_gso_segment");
		return;
	}

	if (!topo_up(&veth, ""))
		return;
	e.tx = bound_socket(TX, &a, 0);
	e.rx = bound_socket(TX, &b, SOCK_NONBLOCK);
	send_row(&e, tc->row);
	ends_close(&e);
}

/* With the private flag udp-gso-walk, the dummy driver uses udp_gso_walk_*()
 * and counts each datagram. The core does not segment.
 */
struct sent {
	long bytes, packets;
};

static bool dummy_sent(struct sent *sent)
{
	FILE *file = fopen("/proc/thread-self/net/dev", "r");
	char line[512];
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= sscanf(line, " d0: %*d %*d %*d %*d %*d %*d %*d %*d %ld %ld",
				&sent->bytes, &sent->packets) == 2;
	if (file)
		fclose(file);

	return found || fail("no counters of d0");
}

static bool dummy_up(struct ends *e, const char *features)
{
	topo_now = NULL;
	topo_reset();
	if (!ip_in(TX, "link add d0 type dummy;link set d0 up;"
		   "addr add 192.0.2.1/24 dev d0;"
		   "addr add 2001:db8::1/64 dev d0 nodad;"
		   "neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev d0;"
		   "neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev d0") ||
	    !set_features(features, false))
		return false;
	e->from = addr_of(e->fam, "192.0.2.1", "2001:db8::1", PORT);
	e->to = addr_of(e->fam, "192.0.2.2", "2001:db8::2", PORT);
	e->tx = bound_socket(TX, &e->from, 0);

	return true;
}

static bool walk_set(const char *dev, const char *state)
{
	return (!sh("ethtool --set-priv-flags %s udp-gso-walk %s", dev, state) &&
		!sh("ethtool --show-priv-flags %s | grep -q 'walk *: %s'", dev,
		    state)) ||
	       fail("no private flag udp-gso-walk");
}

/* Packets for which the driver must not use the walk */
struct refused {
	const char *name;
	int (*send)(const struct ends *e, int len);	/* NULL: send_cmsg() */
	int headers;		/* bytes of additional headers */
	const char *ip;
	int fams;		/* 0: both */
};

/* Sends LEN bytes and checks the counters of d0 and the paths. */
static bool walk_send_row(const struct ends *e, int packets,
			  const struct refused *row, const char *paths)
{
	int headers = ETH_HLEN + (e->fam == V4 ? 20 : 40) + 8 + row->headers;
	struct sent before, after;

	trace_clear();

	return dummy_sent(&before) &&
	       expect_ret("send", LEN,
			  row->send ? row->send(e, LEN) : send_cmsg(e, LEN)) &&
	       dummy_sent(&after) &&
	       expect_long("packets", packets, after.packets - before.packets) &&
	       expect_long("bytes", LEN + packets * headers,
			   after.bytes - before.bytes) &&
	       check_paths(paths);
}

static bool walk_send(const struct ends *e, int packets)
{
	static const struct refused none;

	return walk_send_row(e, packets, &none, "none");
}

/* The device d1 uses the walk, too. Both devices still use the walk when they
 * are removed.
 */
static void test_walk(const struct test_case *tc)
{
	struct ends e = { .fam = tc->fam, .tx = -1, .rx = -1, .wire = -1 };
	const int all = (LEN + SIZE - 1) / SIZE;

	if (dummy_up(&e, tc->row) && ip_in(TX, "link add d1 type dummy") &&
	    walk_set("d1", "on") && walk_send(&e, 1) &&
	    walk_set("d0", "on") && walk_send(&e, all) &&
	    walk_set("d0", "off") && walk_send(&e, 1) && walk_set("d0", "on"))
		walk_send(&e, all);
	ends_close(&e);
}

/* Sends a GSO packet with a packet socket and a virtio header. The packet is
 * untrusted (SKB_GSO_DODGY), as one from a virtual machine.
 */
static int send_untrusted(const struct ends *e, int len)
{
	static struct {
		struct virtio_net_hdr vnet;
		struct ethhdr eth;
		unsigned char rest[sizeof(struct ip6_hdr) +
				   sizeof(struct udphdr) + LEN];
	} __attribute__((packed)) f;
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(e->fam == V4 ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = if_nametoindex("d0"),
	};
	int nh_len = e->fam == V4 ? sizeof(struct iphdr) :
				    sizeof(struct ip6_hdr);
	struct ip6_hdr *ip6h = (struct ip6_hdr *)f.rest;
	struct udphdr *uh = (struct udphdr *)(f.rest + nh_len);
	struct iphdr *iph = (struct iphdr *)f.rest;
	int fd, all, ret;

	memset(&f, 0, sizeof(f));
	f.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f.vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	f.vnet.gso_size = SIZE;
	f.vnet.hdr_len = ETH_HLEN + nh_len + sizeof(*uh);
	f.vnet.csum_start = ETH_HLEN + nh_len;
	f.vnet.csum_offset = offsetof(struct udphdr, check);
	f.eth.h_proto = sll.sll_protocol;
	if (e->fam == V4) {
		iph->version = 4;
		iph->ihl = 5;
		iph->tot_len = htons(nh_len + sizeof(*uh) + len);
		iph->ttl = 64;
		iph->protocol = IPPROTO_UDP;
		iph->saddr = e->from.v4.sin_addr.s_addr;
		iph->daddr = e->to.v4.sin_addr.s_addr;
	} else {
		ip6h->ip6_vfc = 6 << 4;
		ip6h->ip6_plen = htons(sizeof(*uh) + len);
		ip6h->ip6_nxt = IPPROTO_UDP;
		ip6h->ip6_hlim = 64;
		ip6h->ip6_src = e->from.v6.sin6_addr;
		ip6h->ip6_dst = e->to.v6.sin6_addr;
	}
	uh->source = htons(PORT);
	uh->dest = htons(PORT);
	uh->len = htons(sizeof(*uh) + len);
	memcpy(uh + 1, payload, len);

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1))
		die("packet socket");
	all = sizeof(f) - sizeof(f.rest) + nh_len + sizeof(*uh) + len;
	ret = sendto(fd, &f, all, 0, (struct sockaddr *)&sll, sizeof(sll));
	ret = ret == all ? len : -errno;
	close(fd);

	return ret;
}

static const struct refused refused[] = {
	{ "tunnel", .headers = 20, .fams = 1 << V4,
	  .ip = "link add top type ipip local 192.0.2.1 remote 192.0.2.2;"
		"link set top up;route add 198.51.100.2 dev top" },
	{ "untrusted", send_untrusted },
};

/* Packets for which the driver must not use the walk are segmented before they
 * reach the driver.
 */
static void test_walk_refused(const struct test_case *tc)
{
	struct ends e = { .fam = tc->fam, .tx = -1, .rx = -1, .wire = -1 };
	const int all = (LEN + SIZE - 1) / SIZE;
	const struct refused *row = tc->row;

	if (dummy_up(&e, "") && walk_set("d0", "on") && walk_send(&e, all) &&
	    ip_in(TX, "%s", row->ip ? row->ip : "")) {
		if (row->ip)
			e.to = addr_of(V4, "198.51.100.2", "", PORT);
		walk_send_row(&e, all, row, "type 1");
	}
	ends_close(&e);
}

int main(int argc, char **argv)
{
	static const struct row lo = { "lo", .paths = "fast 1" };
	enum family fam;
	size_t i;

	topo_init();
	trace_open();
	for (fam = V4; fam <= V6; fam++)
		add_case(test_lo, &lo, fam, 0, "lo: %s", family_name[fam]);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (fam = V4; fam <= V6; fam++)
			if (!rows[i].fams || rows[i].fams & 1 << fam)
				add_case(test_row, &rows[i], fam, 0, "%s: %s",
					 rows[i].name, family_name[fam]);
	for (fam = V4; fam <= V6; fam++) {
		add_case(test_walk, "", fam, 0, "udp-gso-walk: %s",
			 family_name[fam]);
		add_case(test_walk, "tx:d0 sg-", fam, 0, "udp-gso-walk, linear: %s",
			 family_name[fam]);
		for (i = 0; i < ARRAY_SIZE(refused); i++)
			if (!refused[i].fams || refused[i].fams & 1 << fam)
				add_case(test_walk_refused, &refused[i], fam, 0,
					 "udp-gso-walk, %s: %s", refused[i].name,
					 family_name[fam]);
	}
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
