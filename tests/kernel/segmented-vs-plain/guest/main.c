// SPDX-License-Identifier: GPL-2.0
/* Runs random programs of socket calls and prints the result of each operation, the error queues, and the packets
 * that arrive at the other end of a veth.
 *
 *	programs plain SEED[,SEED...] FIRST PROGRAMS
 *	programs trace SEED FIRST PROGRAMS
 *	programs both SEED FIRST PROGRAMS
 *	programs trace|both SEED PROGRAM MASK...
 *
 * plain: runs each program twice: unchanged, and with plain sends of the datagrams instead of each segmented send;
 * KTAP. If the results differ, operations are removed as long as the results still differ, and the remaining
 * operations are printed.
 * trace: prints the results of each program, to be compared with the results on another kernel. Lines with a star are
 * not compared with plain sends. A mask has ten hexadecimal digits, and a bit for each operation that runs.
 * both: prints the results as trace does, and then the results with plain sends.
 *
 * The headers are those of the selftests of the series.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <semaphore.h>

#include "udpgso_topo.h"
#include "udpgso_netlink.h"
#include "gen.h"
#include "wire.h"
#include "send.h"

#define GROUP		25		/* programs per test */
#define CONTEXT		4		/* lines before a difference */
#define MAX_SEGMENTS	1000		/* of a send; more take long */

/* Routes with equal attributes share a nexthop, and with it the cached route. The multicast route has a source address
 * so that it does not share the cached route with unicast datagrams.
 */
static const char tx_setup[] =
	"link set lo up;"
	"link add d0 address 02:00:00:00:00:01 type veth peer name d1 address 02:00:00:00:00:02 netns rx;"
	"link set d0 up;addr add 192.0.2.1/24 dev d0;addr add 2001:db8::1/64 dev d0 nodad;"
	"route add 192.0.2.12/32 dev d0 mtu 600;route add 192.0.2.13/32 dev d0 mtu lock 700;"
	"route add 198.51.100.0/24 dev d0;route add 239.0.0.0/8 dev d0 src 192.0.2.1;"
	"route add 2001:db8::12/128 dev d0 mtu 1300;route add 2001:db8:1::/64 dev d0;"
	"rule add fwmark 7 table 7;rule add from ::/0 fwmark 7 table 7;"
	"route add 192.0.2.0/24 dev d0 mtu 1000 table 7;route add 2001:db8::/64 dev d0 mtu lock 1400 table 7";

static const char * const hosts[] = {
	"192.0.2.2", "192.0.2.12", "192.0.2.13", "198.51.100.2", "198.51.100.3",
	"2001:db8::2", "2001:db8::12", "2001:db8:1::2", "2001:db8:1::3",
};

/* A null cipher, so that lengths and payload can be compared */
#define ESP(src, dst, near, far, spi, mode)							\
	"xfrm state add src " near " dst " far " proto esp spi " spi " mode " mode		\
	" enc ecb(cipher_null) \"\";"								\
	"xfrm policy add dst " dst " dir out tmpl src " near " dst " far " proto esp spi " spi	\
	" mode " mode ";"

static const char xfrm_setup[] =
	ESP("192.0.2.1", "198.51.100.2", "192.0.2.1", "198.51.100.2", "1", "transport")
	ESP("192.0.2.1", "198.51.100.3", "192.0.2.1", "192.0.2.2", "2", "tunnel")
	ESP("2001:db8::1", "2001:db8:1::2", "2001:db8::1", "2001:db8:1::2", "3", "transport")
	ESP("2001:db8::1", "2001:db8:1::3", "2001:db8::1", "2001:db8::2", "4", "tunnel");

static int wire, fence, receivers[2];
static struct addr fence_to;
static bool feature_off[ARRAY_SIZE(device_features)];
static int link_mtu = MTU;
static bool routes_changed, receives_gro;

/* The state that plain sends need to replace segmented ones */
static bool as_plain;
static bool tracing;
static bool segmented;			/* the last send was segmented, or replaces a segmented send */
static bool one_plain_send;			/* one plain send replaces the segmented send */
static int segment_size;			/* of the last send */
static int segment[2], own_mtu[2];
static __u64 headers[2];

static int sink(int family, int port, int proto, bool read)
{
	struct addr any = addr_of(family, "0.0.0.0", "::", port);
	int fd = udp_socket(any.sa.sa_family, proto, 0);

	/* A socket without a reader drops datagrams that exceed its buffer, and the kernel sends no ICMP errors. */
	if (family == V6 && set_int(fd, SOL_IPV6, IPV6_V6ONLY, 1))
		die("IPV6_V6ONLY");
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, read ? 64 << 20 : 1) || bind(fd, &any.sa, any.len))
		die("sink");

	return fd;
}

static int open_wire(void)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

	sll.sll_ifindex = if_nametoindex("d1");
	if (fd < 0 || set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1) ||
	    set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) ||
	    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20) ||
	    bind(fd, (void *)&sll, sizeof(sll)))
		die("packet socket");

	return fd;
}

static void setup(void)
{
	size_t i;

	topo_init();
	set_sysctl("core/netdev_max_backlog", "100000"); /* not of a namespace */
	topo_reset();
	if (!ip_in(TX, "%s", tx_setup) || !ip_in(TX, "%s", xfrm_setup) ||
	    !ip_in(RX, "link set lo up;link set d1 up mtu 9000"))
		die("devices");
	for (i = 0; i < ARRAY_SIZE(hosts); i++)
		if (!ip_in(TX, "neigh add %s lladdr 02:00:00:00:00:02 dev d0", hosts[i]) ||
		    !ip_in(RX, "addr add %s dev d1%s", hosts[i], strchr(hosts[i], ':') ? " nodad" : ""))
			die("neighbours");
	set_sysctl("core/optmem_max", "1000000");
	enter(RX);
	/* If ESP transforms a corked IPv6 datagram, the truesize of a fragment overflows (also on stock). The receiver
	 * then accounts 4 GiB for fragments, and with the default limit it would drop all further fragments.
	 */
	set_sysctl("ipv4/ipfrag_high_thresh", "4398046511104");
	set_sysctl("ipv6/ip6frag_high_thresh", "4398046511104");
	receivers[0] = sink(V4, PORT, IPPROTO_UDP, tracing);
	receivers[1] = sink(V6, PORT, IPPROTO_UDP, tracing);
	sink(V4, PORT, IPPROTO_UDPLITE, false);
	sink(V6, PORT, IPPROTO_UDPLITE, false);
	sink(V4, FENCE_PORT, IPPROTO_UDP, false);
	wire = open_wire();
	enter(TX);
	fence = udp_socket(AF_INET, IPPROTO_UDP, 0);
	fence_to = addr_of(V4, "192.0.2.2", "", FENCE_PORT);
	for (i = 0; i < sizeof(data); i++)
		data[i] = payload[i % sizeof(payload)];
}

static void open_socks(int proto)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct addr any = addr_of(i ? V6 : V4, "0.0.0.0", "::", 5000 + i);

		socks[i] = udp_socket(any.sa.sa_family, proto, 0);
		/* UDP-Lite has no MSG_ZEROCOPY */
		if ((proto == IPPROTO_UDP && set_int(socks[i], SOL_SOCKET, SO_ZEROCOPY, 1)) ||
		    bind(socks[i], &any.sa, any.len))
			die("socket");
		segment[i] = 0;
		own_mtu[i] = 0;
		headers[i] = 0;
	}
}

/* Devices */

static int do_mtu(int mtu)
{
	struct ifreq ifr = { .ifr_name = "d0", .ifr_mtu = mtu };

	if (mtu == link_mtu)
		return 0;
	routes_changed = true;	/* IPv6 routes get the MTU of the device */
	if (ioctl(fence, SIOCSIFMTU, &ifr))
		return -errno;
	link_mtu = mtu;

	return 0;
}

static int do_feature(int row, bool on)
{
	if (feature_off[row] == !on)
		return 0;
	feature_off[row] = !on;

	return set_feature("d0", device_features[row], on) ? 0 : -EIO;
}

static int do_route(int v6, int mtu)
{
	struct rtmsg rtm = {
		.rtm_family = v6 ? AF_INET6 : AF_INET, .rtm_dst_len = v6 ? 128 : 32, .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT, .rtm_scope = v6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	struct addr dst = addr_of(v6 ? V6 : V4, route_hosts[0], route_hosts[1], 0);
	struct nl nl;
	int at;

	nl_init(&nl, NETLINK_ROUTE, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &rtm, sizeof(rtm));
	nl_attr(&nl, RTA_DST, v6 ? (void *)&dst.v6.sin6_addr : (void *)&dst.v4.sin_addr, v6 ? 16 : 4);
	nl_u32(&nl, RTA_OIF, if_nametoindex("d0"));
	at = nl_nest(&nl, RTA_METRICS);
	nl_u32(&nl, RTAX_MTU, mtu);
	nl_end(&nl, at);
	routes_changed = true;

	return nl_talk(&nl);
}

static int do_receive(int v6, bool gro)
{
	receives_gro |= gro;

	return set_int(receivers[v6], SOL_UDP, UDP_GRO, gro);
}

/* Replacing the routes, and flushing the cache of IPv4, removes the MTUs that ICMP has reported. */
static void reset_routes(void)
{
	if (do_route(0, 600) || do_route(1, 1300))
		die("route");
	set_sysctl("ipv4/route/flush", "1");
	routes_changed = false;
}

static void reset_network(void)
{
	size_t i;

	if (do_mtu(MTU))
		die("MTU");
	for (i = 0; i < ARRAY_SIZE(device_features); i++)
		do_feature(i, true);
	if (routes_changed)
		reset_routes();
	for (i = 0; i < 2 && receives_gro; i++)
		do_receive(i, false);
	receives_gro = false;
}

/* An ICMP error that reports an MTU */

static void put_ipv6(unsigned char *p, const char *src, const char *dst, int len, int proto)
{
	p[0] = 6 << 4;
	put16(p + 4, len);
	p[6] = proto;
	p[7] = 64;
	inet_pton(AF_INET6, src, p + 8);
	inet_pton(AF_INET6, dst, p + 24);
}

static void put_ipv4(unsigned char *p, const char *src, const char *dst, int len, int proto)
{
	p[0] = 4 << 4 | 5;
	put16(p + 2, 20 + len);
	p[8] = 64;
	p[9] = proto;
	inet_pton(AF_INET, src, p + 12);
	inet_pton(AF_INET, dst, p + 16);
	put16(p + 10, ~csum_bytes(0, p, 20));
}

static int do_icmp_mtu(int v6, int mtu)
{
	unsigned char frame[256] = {}, *eth = frame + sizeof(struct virtio_net_hdr), *p = eth + ETH_HLEN;
	static const unsigned char macs[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	void (*put_ip)(unsigned char *, const char *, const char *, int, int) = v6 ? put_ipv6 : put_ipv4;
	const char *here = v6 ? "2001:db8::1" : "192.0.2.1", *there = icmp_sources[v6];
	int hlen = v6 ? 40 : 20, proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, len = 8 + hlen + 8;
	unsigned char *icmp = p + hlen, *udp = icmp + 8 + hlen;
	const unsigned char tail[] = { 0, len, 0, proto };

	memcpy(eth, macs, sizeof(macs));
	put16(eth + 12, v6 ? ETH_P_IPV6 : ETH_P_IP);
	put_ip(p, there, here, len, proto);
	icmp[0] = v6 ? 2 : 3;
	icmp[1] = v6 ? 0 : 4;
	put16(icmp + 6, mtu);
	put_ip(icmp + 8, here, there, 1008, IPPROTO_UDP);
	put16(udp, 5000 + v6);
	put16(udp + 2, PORT);
	put16(udp + 4, 1008);
	put16(icmp + 2, ~csum_bytes(v6 ? csum_bytes(csum_bytes(0, p + 8, 32), tail, 4) : 0, icmp, len));
	routes_changed = true;

	return send(wire, frame, p + hlen + len - frame, 0) < 0 ? -errno : 0;
}

/* Options */

static int do_set(const struct op *op)
{
	const struct option *o = &options[op->row];
	const void *val = &op->val;
	int len = sizeof(int), ret, fd = socks[op->sock];

	if (o->kernels_only && (as_plain || !tracing))
		return 0;
	if (o->blob) {
		val = op->val ? o->blob->data : NULL;
		len = op->val ? o->blob->len : 0;
	}
	ret = setsockopt(fd, o->level, o->opt, val, len) ? -errno : 0;
	if (ret)
		return ret;
	if (o->opt == UDP_SEGMENT && o->level == SOL_UDP) {
		segment[op->sock] = op->val;
		if (as_plain)
			set_int(fd, SOL_UDP, UDP_SEGMENT, 0);
	}
	if (o->opt == IPV6_MTU && o->level == SOL_IPV6)
		own_mtu[op->sock] = op->val;
	if (o->blob) {
		headers[op->sock] &= ~(1ULL << op->row);
		headers[op->sock] |= (__u64)op->val << op->row;
	}

	return 0;
}

static int do_connect(const struct op *op)
{
	struct addr to = { .sa.sa_family = AF_UNSPEC, .len = sizeof(to.v4) };
	int v = op->sock ? V6 : V4;

	if (op->to >= 0)
		to = addr_of(v, destinations[op->to].text, destinations[op->to].text, PORT);

	return connect(socks[op->sock], &to.sa, to.len) ? -errno : 0;
}

/* Sends */

/* Sends each datagram with a plain send. Returns an error of the first datagram, but not of a later one: an error of a
 * later datagram does not make a segmented send fail.
 */
static int send_datagrams(const struct op *op, struct gso_send *s, int size)
{
	int ret, first = 0, len = s->len, off;

	s->cmsg = NO_SIZE;
	s->flags = op->flags;
	if (op->flags & MSG_ZEROCOPY)
		s->pieces = 1;	/* the datagram of a long send is in few pieces */
	for (off = 0; off < len; off += s->len) {
		s->len = len - off < size ? len - off : size;
		s->data = data + off;
		ret = send_one(op, s);
		if (!off)
			first = ret;
		if (first < 0)
			return first;
	}

	return len;
}

/* Returns true if the send uses options[row], as a socket option or as a control message. */
static bool has_header(const struct op *op, int row)
{
	size_t i;

	if (!options[row].blob)
		return false;
	for (i = 0; i < ARRAY_SIZE(control_messages); i++)
		if (op->cmsgs & 1 << i && !strcmp(control_messages[i].name, options[row].name))
			return true;

	return headers[op->sock] & 1ULL << row;
}

/* Returns the limit for the payload of a call, from the destination and the options, or 0 without a destination. */
static int max_payload(const struct op *op, const struct addr *to)
{
	int i, most, len = 0;
	bool v6 = false;
	struct addr peer = { .len = sizeof(peer.v6) };

	if (!to && getpeername(socks[op->sock], &peer.sa, &peer.len))
		return 0;
	if (!to)
		to = &peer;
	if (to->sa.sa_family == AF_INET6)
		v6 = !IN6_IS_ADDR_V4MAPPED(&to->v6.sin6_addr);
	for (i = 0; i < (int)ARRAY_SIZE(options); i++)
		if (has_header(op, i) && options[i].level == (v6 ? SOL_IPV6 : SOL_IP))
			len += options[i].blob->len;
	most = v6 ? UDP6_PAYLOAD_MAX : UDP4_PAYLOAD_MAX;

	return most - len;
}

static __u32 first_stamp;		/* ID of the first one of an operation */
static int nr_stamps;

static void show_error(FILE *errors, FILE *notifications, int sock, const struct sock_extended_err *err,
		       const struct addr *name, int len)
{
	char text[INET6_ADDRSTRLEN];
	int v = sock ? 6 : 4;

	if (err->ee_origin == SO_EE_ORIGIN_ZEROCOPY) {
		fprintf(notifications, "  v%d: %u complete, code %d\n", v, err->ee_data - err->ee_info + 1, err->ee_code);
	} else if (err->ee_origin == SO_EE_ORIGIN_TIMESTAMPING) {
		if (!nr_stamps++)
			first_stamp = err->ee_data;
		fprintf(notifications, "  v%d: time stamp %u, id %u, with %d bytes\n", v, err->ee_info,
			err->ee_data - first_stamp, len);
	} else {
		inet_ntop(name->sa.sa_family, name->sa.sa_family == AF_INET ?
			  (void *)&name->v4.sin_addr : (void *)&name->v6.sin6_addr, text, sizeof(text));
		fprintf(errors, "  error queue of v%d: %s, origin %d type %d code %d info %u, to %s port %d, %d bytes\n",
			v, strerror(err->ee_errno), err->ee_origin, err->ee_type, err->ee_code, err->ee_info,
			name->sa.sa_family ? text : "nobody", name->sa.sa_family ? addr_port(name) : 0, len);
	}
}

/* The error queue: errors, and notifications of MSG_ZEROCOPY and time stamps */
static void show_queue(FILE *errors, FILE *notifications, int sock)
{
	char control[512], buf[64];
	struct addr name;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg;
	struct cmsghdr *c;
	int ret;

	for (;;) {
		memset(&name, 0, sizeof(name));
		msg = (struct msghdr) {
			.msg_name = &name.sa, .msg_namelen = sizeof(name.v6), .msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		ret = recvmsg(socks[sock], &msg, MSG_ERRQUEUE | MSG_DONTWAIT | MSG_TRUNC);
		if (ret < 0)
			return;
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
			if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
			    (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
				show_error(errors, notifications, sock, (void *)CMSG_DATA(c), &name, ret);
	}
}

/* Returns true for sends with which plain sends fail, too: IPV6_PMTUDISC_OMIT in an IPv6 tunnel of IPsec, and a splice
 * into IPsec over IPv6, which may be longer than the MTU. @one_send: the splice runs as one send, or kernels are
 * compared, where stock can print a warning for the segmented send, too.
 */
static bool is_excluded(const struct op *op, const struct addr *to, bool one_send)
{
	struct addr peer = { .len = sizeof(peer.v6) }, tunnel = addr_of(V6, "", TUNNEL6, PORT);

	if (!op->sock || (!to && getpeername(socks[op->sock], &peer.sa, &peer.len)))
		return false;
	if (!to)
		to = &peer;
	if (op->method == SPLICE && one_send)
		return !memcmp(&to->v6.sin6_addr, &tunnel.v6.sin6_addr, 8);

	return get_int(socks[op->sock], SOL_IPV6, IPV6_MTU_DISCOVER) == IPV6_PMTUDISC_OMIT &&
	       addr_equal(&tunnel, to);
}

/* Send each message as plain sends of its datagrams. */
static int send_messages_as_datagrams(const struct op *op, struct gso_send *s, int size)
{
	int i, ret = 0, len = s->len;

	for (i = 0; i < op->messages; i++) {
		s->len = len;
		ret = send_datagrams(op, s, size);
		if (ret < 0)
			return i ? i : ret;
	}

	return op->messages > 1 ? op->messages : ret;
}

/* A plain send with a large SO_SNDBUF. A plain send allocates all its fragments before the first one is sent, and a
 * small buffer may not have room for them. This function is used in two cases. A send with more payload than one call
 * may have must fail with EMSGSIZE. A corked datagram that is not longer than the segment size is not segmented; it
 * is fragmented when it is complete.
 */
static int send_with_room(const struct op *op, struct gso_send *s)
{
	int ret, fd = socks[op->sock], room = get_int(fd, SOL_SOCKET, SO_SNDBUF);

	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20))
		die("SO_SNDBUFFORCE");
	ret = send_with_method(op, s);
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, room / 2))
		die("SO_SNDBUFFORCE");

	return ret;
}

static int send_as_plain(const struct op *op, struct gso_send *s, int size)
{
	s->cmsg = NO_SIZE;
	if (!segmented && !join_short_fragments)
		return send_with_method(op, s);

	return one_plain_send ? send_with_room(op, s) : send_messages_as_datagrams(op, s, size);
}

/* Returns true if IPsec drops the first datagram when UDP_CORK is cleared. No call with UDP_CORK returns this error. A plain
 * send without UDP_CORK returns EMSGSIZE. @was: the result of the segmented send
 */
static bool fails_at_uncork(const struct op *op, int ret, int was)
{
	struct addr to = { .len = sizeof(to.v6) };
	const unsigned char *a;

	if (op->what != SEND || op->method != CORK || !segmented || ret != -EMSGSIZE || was < 0)
		return false;
	if (op->to >= 0)
		to = addr_of(op->sock ? V6 : V4, destinations[op->to].text, destinations[op->to].text, PORT);
	/* The address of a connection has precedence. */
	getpeername(socks[op->sock], &to.sa, &to.len);
	if (to.sa.sa_family == AF_INET)
		return !memcmp(&to.v4.sin_addr, "\xc6\x33\x64", 3);	/* 198.51.100.0/24 */
	a = to.v6.sin6_addr.s6_addr;
	if (IN6_IS_ADDR_V4MAPPED(&to.v6.sin6_addr))
		return !memcmp(a + 12, "\xc6\x33\x64", 3);

	return !memcmp(a, "\x20\x01\x0d\xb8\x00\x01\x00\x00", 8);	/* 2001:db8:1::/64 */
}

static bool connected(int sock)
{
	struct addr peer = { .len = sizeof(peer.v6) };

	return !getpeername(socks[sock], &peer.sa, &peer.len);
}

static int do_send(const struct op *op)
{
	int size = op->size == NO_SIZE ? segment[op->sock] : op->size;
	int len = size && op->len / size > MAX_SEGMENTS ? size * MAX_SEGMENTS - 1 : op->len;
	struct gso_send s = {
		.data = data, .len = len, .cmsg = op->size, .pieces = op->pieces, .flags = op->flags,
	};
	struct addr to;
	int ret = 0;

	/* A corked send to another address loses the address of the connection, segmented or not. */
	if (op->to >= 0 && !((op->calls > 1 || op->method == CORK) && connected(op->sock))) {
		const char *text = destinations[op->to].text;

		to = addr_of(op->sock ? V6 : V4, text, text, PORT);
		s.to = &to;
	}
	/* Do not send more pieces than a packet can have fragments. A splice is then several calls, of which only the
	 * first may succeed. A corked datagram with MSG_ZEROCOPY and too many pieces is copied if the socket has a
	 * segment size. Otherwise, the send fails.
	 */
	if (!tracing && size && op->pieces * op->calls > 16 &&
	    (op->method == SPLICE ||
	     (len <= size && op->flags & MSG_ZEROCOPY && (op->calls > 1 || op->method == CORK))))
		return 0;
	segment_size = size;
	segmented = size && len > size;
	join_short_fragments = size && (segmented || op->calls > 1 || op->method == CORK);
	one_plain_send = true;
	if (is_excluded(op, s.to, tracing || !segmented || len > max_payload(op, s.to)))
		return 0;
	if (!as_plain)
		ret = send_with_method(op, &s);
	/* The datagrams of plain sends may have more bytes in total than one call can have. */
	one_plain_send = !segmented || len > max_payload(op, s.to);
	if (as_plain)
		ret = send_as_plain(op, &s, size);

	return ret;
}

static int do_op(const struct op *op)
{
	switch (op->what) {
	case SET:
		return do_set(op);
	case CONNECT:
		return do_connect(op);
	case FEATURE:
		return do_feature(op->row, op->val);
	case LINK_MTU:
		return do_mtu(op->val);
	case ROUTE_MTU:
		return do_route(op->sock, op->val);
	case ICMP_MTU:
		return do_icmp_mtu(op->sock, op->val);
	case RECEIVE:
		return do_receive(op->sock, op->val);
	case SEND:
		return do_send(op);
	}

	return -ENOSYS;
}

/* Threads, which run one at a time. Each has its own page fragment for copied data. The first is the main thread. */

static struct worker {
	sem_t go, done;
	const struct op *op;
	int ret;
} workers[MAX_THREADS];

static void *work(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		sem_wait(&w->go);
		w->ret = do_op(w->op);
		sem_post(&w->done);
	}

	return NULL;
}

static void start_workers(void)
{
	pthread_t thread;
	int i;

	for (i = 1; i < MAX_THREADS; i++)
		if (sem_init(&workers[i].go, 0, 0) || sem_init(&workers[i].done, 0, 0) ||
		    pthread_create(&thread, NULL, work, &workers[i]))
			die("threads");
}

static int do_op_in_thread(const struct op *op)
{
	struct worker *w = &workers[op->thread];

	if (!op->thread)
		return do_op(op);
	w->op = op;
	sem_post(&w->go);
	while (sem_wait(&w->done))
		;

	return w->ret;
}

/* Output */

struct text {
	FILE *f;
	char *text;
	size_t size;
};

static void text_open(struct text *t)
{
	t->f = open_memstream(&t->text, &t->size);
	if (!t->f)
		die("memory");
}

/* Lines that are only compared between kernels get a star, and are omitted in the mode `plain'. */
static void text_put(FILE *f, struct text *t, bool kernels_only)
{
	char *line, *save;

	fclose(t->f);
	if (tracing || !kernels_only)
		for (line = strtok_r(t->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			fprintf(f, "%s%s\n", kernels_only ? "*" : "", line);
	free(t->text);
}

static void show_wire(FILE *f)
{
	static unsigned char frame[MAX_FRAME];
	int len;

	send_fence(fence, &fence_to);
	nr_ids = 0;
	for (;;) {
		len = recv(wire, frame, sizeof(frame), 0);
		if (len > 0 && show_frame(f, frame, len))
			return;
		if (len <= 0 && !readable(wire, RX_TIMEOUT_MS))
			die("the fence is lost");
	}
}

static void show_received(FILE *f, int v6)
{
	static unsigned char buf[1 << 16];
	char control[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg;
	struct cmsghdr *c;
	int ret, size;

	for (;;) {
		msg = (struct msghdr) {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
		};
		ret = recvmsg(receivers[v6], &msg, MSG_DONTWAIT);
		if (ret < 0)
			return;
		size = 0;
		c = CMSG_FIRSTHDR(&msg);
		if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(c), sizeof(size));
		fprintf(f, "  v%d received %d by %d %08x\n", v6 ? 6 : 4, ret, size, hash_bytes(buf, ret));
	}
}

static void show_state(FILE *f, const struct op *op)
{
	int outq = 0;

	if (op->what == SET && !options[op->row].blob)
		fprintf(f, "  is %d\n", get_int(socks[op->sock], options[op->row].level, options[op->row].opt));
	if (op->what != SEND)
		return;
	fprintf(f, "  by %d\n  IPV6_MTU %d\n  UDP-Lite %d\n  SO_NO_CHECK %d\n", segment_size, own_mtu[op->sock],
		get_int(socks[op->sock], SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDPLITE,
		get_int(socks[op->sock], SOL_SOCKET, SO_NO_CHECK) ||
		(op->sock == V6 && get_int(socks[V6], SOL_UDP, UDP_NO_CHECK6_TX)));
	show_received(f, 0);
	show_received(f, 1);
	if (ioctl(socks[op->sock], SIOCOUTQ, &outq) || outq)
		fprintf(f, "  still charged: %d\n", outq);
}

/* Some fragments of a plain send may be sent before it fails. A segmented send that fails must not send any datagram.
 * @was: set to the result when the operation runs with UDP_SEGMENT. When it runs as plain sends, fails_at_uncork()
 * compares this result with that of the plain sends.
 */
static void run_op(FILE *f, const struct op *op, int *was)
{
	struct text frames, errors, notifications, state;
	int i, ret = do_op_in_thread(op);
	bool failed = ret < 0;

	if (!as_plain)
		*was = ret;
	else if (!tracing && fails_at_uncork(op, ret, *was))
		ret = *was;
	print_op(f, op);
	fprintf(f, "  = %d%s%s\n", ret, ret < 0 ? " " : "", ret < 0 ? strerror(-ret) : "");
	if (op->what == SEND) {
		text_open(&frames);
		text_open(&errors);
		text_open(&notifications);
		show_wire(frames.f);
		nr_stamps = 0;
		for (i = 0; i < 2; i++)
			show_queue(errors.f, notifications.f, i);
		text_put(f, &frames, failed && (as_plain || !segmented));
		text_put(f, &errors, segmented && one_plain_send);
		text_put(f, &notifications, true);
	}
	if (!tracing)
		return;
	text_open(&state);
	show_state(state.f, op);
	text_put(f, &state, true);
}

static void run_program(FILE *f, const struct program *p, bool plain)
{
	static int returned[MAX_OPS];
	int i;

	as_plain = plain;
	reset_network();
	open_socks(p->proto);
	for (i = 0; i < p->nr; i++)
		run_op(f, &p->ops[i], &returned[i]);
	close(socks[0]);
	close(socks[1]);
}

/* Returns the output of a run, which the caller frees */
static char *program_text(const struct program *p, bool plain)
{
	struct text t;

	text_open(&t);
	run_program(t.f, p, plain);
	fclose(t.f);

	return t.text;
}

static void print_excerpt(const char *title, const char *text)
{
	size_t n;
	int i;

	printf("# %s:\n", title);
	for (i = 0; *text && i < 24; i++, text += n + !!text[n]) {
		n = strcspn(text, "\n");
		printf("#   %.*s\n", (int)n, text);
	}
	if (*text)
		printf("#   ...\n");
}

/* Print both outputs, from a few lines before the first difference. */
static void print_difference(char *text, char *plain)
{
	char *start[CONTEXT], *t = text;
	int i, off = 0;

	for (i = 0; i < CONTEXT; i++)
		start[i] = text;
	for (i = 0; text[i] && text[i] == plain[i]; i++)
		if (text[i] == '\n') {
			memmove(start, start + 1, sizeof(start) - sizeof(start[0]));
			start[CONTEXT - 1] = text + i + 1;
		}
	off = start[0] - t;
	print_excerpt("with UDP_SEGMENT", text + off);
	print_excerpt("as plain sends", plain + off);
}

/* The output of the last run with a difference is kept, because the next run may have none. */
static bool same_as_plain(const struct program *p, bool print)
{
	static char *was[2];
	char *text = program_text(p, false), *plain = program_text(p, true);
	bool same = !strcmp(text, plain);

	if (!same) {
		free(was[0]);
		free(was[1]);
		was[0] = text;
		was[1] = plain;
	} else {
		free(text);
		free(plain);
	}
	if (print) {
		printf("# %s\n", same ? "There is no difference when it runs again. The first time:" : "What differs:");
		print_difference(was[0], was[1]);
	}

	return same;
}

/* Remove operations as long as there is a difference */
static void shrink(struct program *p)
{
	int i, before;

	do {
		before = p->nr;
		for (i = p->nr - 1; i >= 0; i--) {
			struct program less = *p;

			less.nr--;
			memmove(&less.ops[i], &less.ops[i + 1], (less.nr - i) * sizeof(less.ops[0]));
			if (!same_as_plain(&less, false))
				*p = less;
		}
	} while (p->nr < before);
}

static bool check_program(__u32 seed, int number, int *ops)
{
	struct program p;
	int i;

	gen_program(&p, seed, number);
	*ops += p.nr;
	if (same_as_plain(&p, false))
		return true;

	shrink(&p);
	printf("# seed %u, program %d, the operations that are needed%s:\n", seed, number,
	       p.proto == IPPROTO_UDPLITE ? ", UDP-Lite" : "");
	for (i = 0; i < p.nr; i++) {
		printf("# %2d. ", i + 1);
		print_op(stdout, &p.ops[i]);
	}
	same_as_plain(&p, true);

	return false;
}

/* All groups of a seed. @n: the number of groups so far. Returns the number of groups that differ. */
static int compare_seed(__u32 seed, int from, int programs, int *n)
{
	int first, i = from, ops, bad = 0;
	bool ok;

	while (i < from + programs) {
		first = i;
		ops = 0;
		nr_frames = 0;
		for (ok = true; i < from + programs && i < first + GROUP; i++)
			ok &= check_program(seed, i, &ops);
		printf("%s %d seed %u, programs %d to %d: %d operations, %ld packets\n", ok ? "ok" : "not ok",
		       ++*n, seed, first, i - 1, ops, nr_frames / 2);
		fflush(stdout);
		bad += !ok;
	}

	return bad;
}

static int compare_plain(char *seeds, int from, int programs)
{
	int n = 0, bad = 0, nr_seeds = 1;
	char *seed, *save;

	for (seed = seeds; *seed; seed++)
		nr_seeds += *seed == ',';
	printf("KTAP version 1\n1..%d\n", nr_seeds * ((programs + GROUP - 1) / GROUP));
	for (seed = strtok_r(seeds, ",", &save); seed; seed = strtok_r(NULL, ",", &save))
		bad += compare_seed(strtoul(seed, NULL, 0), from, programs, &n);

	return !!bad;
}

/* Traces: the output of a program starts with its number and mask, the output of an operation with @ and its number */

static void trace_run(const struct program *p, const char *name, __u64 mask, bool plain)
{
	int i, returned = 0;

	printf("program %s%s\n", name, plain ? " plain" : "");
	as_plain = plain;
	reset_network();
	open_socks(p->proto);
	for (i = 0; i < p->nr; i++) {
		if (!(mask & 1ULL << i))
			continue;
		printf("@%d ", i);
		run_op(stdout, &p->ops[i], &returned);
		fflush(stdout);
	}
	close(socks[0]);
	close(socks[1]);
}

static void trace_program(__u32 seed, int number, const char *mask, bool both)
{
	struct program p;
	char name[64];
	int i;

	gen_program(&p, seed, number);
	snprintf(name, sizeof(name), "%d %s", number, mask);
	for (i = 0; i <= both; i++)
		trace_run(&p, name, strtoull(mask, NULL, 16), i);
}

int main(int argc, char **argv)
{
	bool both = argc > 1 && !strcmp(argv[1], "both");
	__u32 seed;
	int i, first;

	if (argc < 5)
		return 2;
	tracing = strcmp(argv[1], "plain");
	setup();
	start_workers();
	first = atoi(argv[3]);
	if (!tracing)
		return compare_plain(argv[2], first, atoi(argv[4]));
	seed = strtoul(argv[2], NULL, 0);
	if (argc == 5 && strlen(argv[4]) < 10)
		for (i = 0; i < atoi(argv[4]); i++)
			trace_program(seed, first + i, "ffffffffff", both);
	else
		for (i = 4; i < argc; i++)
			trace_program(seed, first, argv[i], both);
	printf("complete\n");

	return 0;
}
