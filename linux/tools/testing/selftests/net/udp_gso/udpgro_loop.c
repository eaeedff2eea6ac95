// SPDX-License-Identifier: GPL-2.0
/* Tests sockets that receive GSO packets of UDP_SEGMENT senders on the same
 * host. The packets arrive unsegmented over loopback, veth, macvlan, multicast
 * or tunnels, or are redirected by BPF.
 *
 * A socket with UDP_GRO gets the payload of a send in one message, or in
 * several if a tunnel may have segmented it. Other sockets get single
 * datagrams.
 *
 * udpgro.sh creates the namespaces in which this runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/tcp.h>

#include "udpgro_lib.h"
#include "udpgro_bpf.h"

#ifndef UDP_ENCAP
#define UDP_ENCAP		100
#endif

#ifndef UDP_ENCAP_ESPINUDP
#define UDP_ENCAP_ESPINUDP	2
#endif

#ifndef UDP_NO_CHECK6_RX
#define UDP_NO_CHECK6_RX	102
#endif

#define GROUP4			"239.1.2.3"
#define GROUP6			"ff15::123"

static const char *mid_name, *rx_name;
static int rx_netns;

struct route {
	const char *name;
	const char *local[2];
	const char *peer[2];
	int *netns;		/* of the receiver */
	bool segmented;		/* a send may arrive in several messages */
};

enum { LOOPBACK, VETH_PAIR, MACVLAN, VXLAN, GENEVE, FOU };

static const struct route routes[] = {
	[LOOPBACK] = { "lo", { "127.0.0.1", "::1" }, { "127.0.0.1", "::1" },
		       &home_netns },
	[VETH_PAIR] = { "veth", { TX4, TX6 }, { MID4, MID6 }, &peer_netns },
	[MACVLAN] = { "macvlan", { "10.1.0.1", "fd01::1" },
		      { "10.1.0.2", "fd01::2" }, &rx_netns },
	[VXLAN] = { "vxlan", { "10.2.0.1", "fd02::1" },
		    { "10.2.0.2", "fd02::2" }, &peer_netns },
	[GENEVE] = { "geneve", { "10.3.0.1", "fd03::1" },
		     { "10.3.0.2", "fd03::2" }, &peer_netns },
	[FOU] = { "fou", { "10.4.0.1", "fd04::1" },
		  { "10.4.0.2", "fd04::2" }, &peer_netns, true },
};

struct row {
	const char *name;
	int len;
	int size;
};

static const struct row rows[] = {
	{ "one", 100, 100 },
	{ "two", 200, 100 },
	{ "last is one byte", 501, 100 },
	{ "last is shorter", 1099, 100 },
	{ "128", 12800, 100 },
	{ "64 KiB", 61000, 1200 },
};

/* Sender and receiver */

struct loop {
	const struct route *route;
	enum family fam;
	int tx, fence;
	bool one_flow;		/* GRO may merge data and fence */
	struct addr to;
	struct addr from;
	int fence_port;
};

static struct addr peer_addr(const struct route *route, enum family fam,
			     int port)
{
	return addr_of(fam, route->peer[0], route->peer[1], port);
}

static bool loop_open(struct loop *l, const struct route *route,
		      enum family fam)
{
	struct addr local, fence_local;

	*l = (struct loop) { .route = route, .fam = fam };
	l->to = peer_addr(route, fam, PORT);
	l->tx = udp_socket(socket_domain(fam), 0, 0);
	bind_any(l->tx, socket_domain(fam), &local);
	l->fence = udp_socket(socket_domain(fam), 0, 0);
	bind_any(l->fence, socket_domain(fam), &fence_local);
	l->fence_port = addr_port(&fence_local);
	l->from = addr_of(fam, route->local[0], route->local[1],
			  addr_port(&local));

	return supports_segment(l->tx);
}

static void loop_close(struct loop *l)
{
	close(l->tx);
	close(l->fence);
}

static bool loop_send(struct loop *l, const struct row *row, int mark)
{
	struct gso_send s = {
		.to = &l->to,
		.data = payload,
		.len = row->len,
		.cmsg = row->size,
	};

	if (mark && set_int(l->tx, SOL_SOCKET, SO_MARK, mark))
		die("SO_MARK");

	return expect_ret("send", row->len, gso_send(l->tx, &s));
}

static int receiver(const struct route *route, enum family fam, int port,
		    bool gro)
{
	int fd = udp_rx_socket(*route->netns, fam, port);

	if (!expect_ret("setsockopt UDP_GRO", 0,
			set_int(fd, SOL_UDP, UDP_GRO, gro))) {
		close(fd);
		return -1;
	}

	return fd;
}

/* Checks a message against the payload of the row from offset @off. */
static bool check_message(const struct message *m, const struct row *row,
			  int off, bool gro, bool segmented)
{
	int left = row->len - off;
	int want = left < row->size || gro ? left : row->size;

	if (want > row->size && segmented && m->len < want)
		want = m->len < row->size ? row->size :
		       m->len - m->len % row->size;
	if (left <= 0)
		return fail("unexpected message of %d bytes", m->len);
	if (!expect_long("length", want, m->len) ||
	    !expect_long("size", m->len > row->size ? row->size : 0, m->size))
		return false;
	if (memcmp(m->data, payload + off, m->len))
		return fail("wrong payload from byte %d on", off);

	return true;
}

/* Sends a second fence, because the first one may have overtaken the data. */
static void expect_row(struct loop *l, int fd, const struct row *row, bool gro)
{
	struct addr fence_to = l->to;
	static struct message m;
	int fences = 0, off = 0;

	if (!l->one_flow)
		send_fence(l->fence, &fence_to);
	while (!case_failed) {
		if (!recv_message(fd, &m, sizeof(m.data), 0)) {
			if (!readable(fd, RX_TIMEOUT_MS))
				fail("the fence is lost");
			continue;
		}
		if (is_fence(m.data, m.len)) {
			/* Ignore a delayed fence of an earlier case. */
			if (m.sport != l->fence_port)
				continue;
			if (++fences == 2)
				break;
			send_fence(l->fence, &fence_to);
			continue;
		}
		/* The BPF program may select this socket for other datagrams,
		 * too.
		 */
		if (m.sport != addr_port(&l->from))
			continue;
		check_message(&m, row, off, gro, l->route->segmented);
		off += m.len;
		if (l->one_flow && off == row->len)
			send_fence(l->fence, &fence_to);
	}
	if (!case_failed)
		expect_long("bytes", row->len, off);
}

enum { GRO = 1, CONNECTED = 2, DUAL = 4, CHECKSUM = 8 };

static const char * const kind_name[] = {
	"plain", "UDP_GRO", "plain, connected", "UDP_GRO, connected",
	"plain, dual-stack", "UDP_GRO, dual-stack",
	[CHECKSUM] = "plain, IP_CHECKSUM", "UDP_GRO, IP_CHECKSUM",
};

static void run_path(const struct test_case *tc)
{
	const struct route *route = &routes[tc->dev >> 4];
	int kind = tc->dev & 15, fd;
	bool gro = kind & GRO;
	struct loop l;

	if (!loop_open(&l, route, tc->fam))
		goto out;
	fd = receiver(route, kind & DUAL ? V6 : tc->fam, PORT, gro);
	if (fd < 0)
		goto out;
	/* The kernel computes the checksums of segments for this socket. */
	if (kind & CHECKSUM && set_int(fd, SOL_IP, IP_CHECKSUM, 1))
		die("IP_CHECKSUM");
	if (kind & CONNECTED) {
		/* A connected socket receives the fence only from the address
		 * of the sender.
		 */
		if (connect(fd, &l.from.sa, l.from.len))
			die("connect");
		close(l.fence);
		l.fence = dup(l.tx);
		l.fence_port = addr_port(&l.from);
		l.one_flow = true;
	}
	if (loop_send(&l, tc->row, 0))
		expect_row(&l, fd, tc->row, gro);
	close(fd);
out:
	loop_close(&l);
}

/* Multicast: looped back in this namespace, or sent over veth to the other
 * namespace
 */

static void join(int fd, enum family fam, const char *dev)
{
	struct group_req req = { .gr_interface = if_nametoindex(dev) };
	struct addr a = addr_of(fam, GROUP4, GROUP6, 0);

	memcpy(&req.gr_group, &a.sa, a.len);
	if (setsockopt(fd, fam == V4 ? SOL_IP : SOL_IPV6, MCAST_JOIN_GROUP,
		       &req, sizeof(req)))
		die("MCAST_JOIN_GROUP");
}

static void send_by(int fd, enum family fam, const char *dev)
{
	struct ip_mreqn mreq = { .imr_ifindex = if_nametoindex(dev) };

	if (fam == V4 ? setsockopt(fd, SOL_IP, IP_MULTICAST_IF, &mreq,
				   sizeof(mreq)) :
			set_int(fd, SOL_IPV6, IPV6_MULTICAST_IF,
				mreq.imr_ifindex))
		die("MULTICAST_IF");
}

static void run_multicast(const struct test_case *tc)
{
	static const bool gro[] = { false, true, true, false };
	const struct route *route = &routes[tc->dev];
	struct route group_route = *route;
	struct loop l;
	int fd[4], i;

	group_route.peer[0] = GROUP4;
	group_route.peer[1] = GROUP6;
	if (!loop_open(&l, &group_route, tc->fam))
		goto out;
	send_by(l.tx, tc->fam, "gro0");
	send_by(l.fence, tc->fam, "gro0");
	for (i = 0; i < 4; i++) {
		fd[i] = receiver(route, tc->fam, PORT, gro[i]);
		if (fd[i] < 0)
			goto out;
		enter_netns(*route->netns);
		join(fd[i], tc->fam, "gro0");
		enter_netns(home_netns);
	}

	loop_send(&l, tc->row, 0);
	for (i = 0; i < 4; i++) {
		expect_row(&l, fd[i], tc->row, gro[i]);
		close(fd[i]);
	}
out:
	loop_close(&l);
}

/* A socket for ESP in UDP must get each datagram separately, even with
 * UDP_GRO.
 */
static void run_encap(const struct test_case *tc)
{
	static const struct row row = { "encap", 400, 100 };
	struct loop l;
	int fd, i;

	if (!loop_open(&l, &routes[LOOPBACK], tc->fam))
		goto out;
	fd = receiver(l.route, tc->fam, PORT, tc->dev & GRO);
	if (fd < 0)
		goto out;
	if (set_int(fd, SOL_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP))
		die("UDP_ENCAP");

	/* Datagrams that start with four zero bytes are not ESP and reach the
	 * socket. Other datagrams are dropped.
	 */
	memset(payload, 0, 4);
	memset(payload + 200, 0, 4);
	if (loop_send(&l, &row, 0)) {
		static struct message m;

		send_fence(l.fence, &l.to);
		for (i = 0; i < 2; i++) {
			while (!recv_message(fd, &m, sizeof(m.data), 0))
				if (!readable(fd, RX_TIMEOUT_MS)) {
					fail("datagram %d is lost", i);
					break;
				}
			if (m.len != 100 ||
			    memcmp(m.data, payload + 200 * i, 100))
				fail("datagram %d: %d bytes", i, m.len);
		}
		if (recv_message(fd, &m, sizeof(m.data), 0) &&
		    !is_fence(m.data, m.len))
			fail("unexpected datagram of %d bytes", m.len);
	}
	payload_init();
	close(fd);
out:
	loop_close(&l);
}

/* FOU removes the outer UDP header of each datagram of a send, and resubmits
 * the inner datagram, which has a UDP header directly. The inner checksum must
 * be verified, although the outer checksum is correct.
 */

#define FOU_UDP_PORT	5557
#define RESUBMIT_SEGS	4
#define RESUBMIT_SIZE	100
#define RESUBMIT_BAD	2	/* this datagram has a wrong checksum */

static void run_resubmit(const struct test_case *tc)
{
	static const struct row row = {
		"resubmit", RESUBMIT_SEGS * RESUBMIT_SIZE, RESUBMIT_SIZE,
	};
	const int hlen = sizeof(struct udphdr);
	static struct message m;
	int fd, i, seg = 0;
	struct udphdr uh;
	struct loop l;

	if (!loop_open(&l, &routes[VETH_PAIR], tc->fam))
		goto out;
	fd = receiver(l.route, tc->fam, PORT, false);
	if (fd < 0)
		goto out;
	/* An inner checksum of 0 is valid for this socket. */
	if (tc->fam == V6 && set_int(fd, SOL_UDP, UDP_NO_CHECK6_RX, 1))
		die("UDP_NO_CHECK6_RX");

	for (i = 0; i < RESUBMIT_SEGS; i++) {
		uh = (struct udphdr) {
			.source = htons(FLOW_PORT),
			.dest = htons(PORT),
			.len = htons(RESUBMIT_SIZE),
			.check = i == RESUBMIT_BAD ? htons(0x1234) : 0,
		};
		memcpy(payload + i * RESUBMIT_SIZE, &uh, hlen);
	}
	l.to = peer_addr(l.route, tc->fam, FOU_UDP_PORT);
	loop_send(&l, &row, 0);
	l.to = peer_addr(l.route, tc->fam, PORT);
	send_fence(l.fence, &l.to);
	while (!case_failed) {
		if (!recv_message(fd, &m, sizeof(m.data), 0)) {
			if (!readable(fd, RX_TIMEOUT_MS))
				fail("the fence is lost");
			continue;
		}
		if (is_fence(m.data, m.len))
			break;
		seg += seg == RESUBMIT_BAD;
		if (seg == RESUBMIT_SEGS ||
		    !expect_long("port", FLOW_PORT, m.sport) ||
		    !expect_long("length", RESUBMIT_SIZE - hlen, m.len) ||
		    memcmp(m.data, payload + seg * RESUBMIT_SIZE + hlen, m.len))
			fail("wrong datagram %d", seg);
		seg++;
	}
	if (!case_failed)
		expect_long("datagrams", RESUBMIT_SEGS, seg);
	payload_init();
	close(fd);
out:
	loop_close(&l);
}

/* TCP in VXLAN arrives at a plain UDP socket, not at an encapsulation socket.
 * The socket must get one datagram per TCP segment.
 */

#define OTHER_PORT	4790
#define TCP_SEGS	3
#define TCP_SIZE	500

/* Sends one TCP GSO packet. With TCP_REPAIR, this needs no peer. A packet
 * socket with a virtio header cannot be used: its packets are untrusted
 * (SKB_GSO_DODGY) and are segmented before the tunnel.
 */
static void send_tcp_segments(enum family fam)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(81),
	};
	struct tcp_repair_window window = {
		.snd_wnd = 65535,
		.max_window = 65535,
		.rcv_wnd = 65535,
	};
	const int len = TCP_SEGS * TCP_SIZE;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, fam == V4 ? "10.9.0.2" : "10.10.0.2", &to.sin_addr);
	if (fd < 0 || set_int(fd, IPPROTO_TCP, TCP_REPAIR, 1) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window,
		       sizeof(window)) ||
	    set_int(fd, IPPROTO_TCP, TCP_REPAIR, -1))
		die("TCP_REPAIR");
	expect_ret("send", len, send(fd, payload, len, 0));
	/* Prevent retransmissions and the FIN. */
	if (set_int(fd, IPPROTO_TCP, TCP_REPAIR, 1))
		die("TCP_REPAIR");
	close(fd);
}

static void run_other_tunnel(const struct test_case *tc)
{
	const int hlen = 8 + ETH_HLEN + 20 + 20;	/* VXLAN to TCP */
	static struct message m;
	struct loop l;
	int fd, i = 0;

	if (!loop_open(&l, &routes[VETH_PAIR], tc->fam))
		goto out;
	fd = receiver(l.route, tc->fam, OTHER_PORT, tc->dev & GRO);
	if (fd < 0)
		goto out;

	/* For all other cases, TSO is off on this device. */
	must_sh("ethtool -K gro0 tso on > /dev/null");
	send_tcp_segments(tc->fam);
	must_sh("ethtool -K gro0 tso off > /dev/null");
	l.to = peer_addr(l.route, tc->fam, OTHER_PORT);
	send_fence(l.fence, &l.to);
	while (!case_failed) {
		if (!recv_message(fd, &m, sizeof(m.data), 0)) {
			if (!readable(fd, RX_TIMEOUT_MS))
				fail("the fence is lost");
			continue;
		}
		if (is_fence(m.data, m.len))
			break;
		if (!expect_long("length", hlen + TCP_SIZE, m.len) ||
		    !expect_long("size", 0, m.size))
			break;
		if (memcmp(m.data + hlen, payload + i * TCP_SIZE, TCP_SIZE))
			fail("wrong payload in segment %d", i);
		i++;
	}
	if (!case_failed)
		expect_long("segments", TCP_SEGS, i);
	close(fd);
out:
	loop_close(&l);
}

/* Sockets selected by BPF */

static void prog_attach(int prog, int map, int attach_type)
{
	union bpf_attr attr = {
		.target_fd = map,
		.attach_bpf_fd = prog,
		.attach_type = attach_type,
	};

	if (bpf(BPF_PROG_ATTACH, &attr))
		die("BPF_PROG_ATTACH");
}

/* Emits code that loads the socket of the map to R0. If the map has no socket,
 * the BPF program returns @ret.
 */
static void lookup_socket(struct prog *p, int map, int ret)
{
	emit(p, BPF_ST | BPF_W | BPF_MEM, R(10), 0, -4, 0);
	mov_reg(p, R(2), R(10));
	emit(p, BPF_ALU64 | BPF_ADD | BPF_K, R(2), 0, 0, -4);
	load_map(p, R(1), map);
	call(p, BPF_FUNC_map_lookup_elem);
	emit(p, BPF_JMP | BPF_JNE | BPF_K, R(0), 0, 2, 0);
	emit_exit(p, ret);
}

static void assign_socket(struct prog *p, int map, int ret)
{
	lookup_socket(p, map, ret);
	mov_reg(p, R(7), R(0));
	mov_reg(p, R(1), R(6));
	mov_reg(p, R(2), R(7));
	mov_imm(p, R(3), 0);
	call(p, BPF_FUNC_sk_assign);
	mov_reg(p, R(1), R(7));
	call(p, BPF_FUNC_sk_release);
}

/* A sk_lookup program that selects the socket of the map for all datagrams */
static int lookup_link(int map)
{
	struct prog p = {};
	int prog, link;

	mov_reg(&p, R(6), R(1));
	assign_socket(&p, map, SK_PASS);
	emit_exit(&p, SK_PASS);
	prog = prog_load(&p, BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP);
	link = prog_link(prog, home_netns, BPF_SK_LOOKUP);
	close(prog);

	return link;
}

static int assign_link(int map)
{
	struct prog p = {};
	int prog, link;

	mov_reg(&p, R(6), R(1));
	emit(&p, BPF_LDX | BPF_W | BPF_MEM, R(8), R(6),
	     offsetof(struct __sk_buff, protocol), 0);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, R(8), 0, 3, htons(ETH_P_IP));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, R(8), 0, 2, htons(ETH_P_IPV6));
	emit_exit(&p, 0);
	assign_socket(&p, map, 0);
	emit_exit(&p, 0);
	prog = prog_load(&p, BPF_PROG_TYPE_SCHED_CLS, 0);
	link = prog_link(prog, if_nametoindex("lo"), BPF_TCX_INGRESS);
	close(prog);

	return link;
}

/* The sender sends to another port, to which no socket is bound. */
static void run_assign(const struct test_case *tc)
{
	bool gro = tc->dev & GRO, lookup = tc->dev & 2;
	int fd, map, link;
	struct loop l;

	if (!loop_open(&l, &routes[LOOPBACK], tc->fam))
		goto out;
	fd = receiver(l.route, tc->fam, PORT, gro);
	if (fd < 0)
		goto out;
	l.to = peer_addr(l.route, tc->fam, PORT + 1);
	map = map_create(BPF_MAP_TYPE_SOCKMAP, sizeof(__u64));
	map_put(map, fd);
	link = lookup ? lookup_link(map) : assign_link(map);
	if (loop_send(&l, tc->row, 0))
		expect_row(&l, fd, tc->row, gro);
	close(link);
	close(map);
	close(fd);
out:
	loop_close(&l);
}

/* The data of one socket is redirected to the receive queue of another socket,
 * which returns the data as a byte stream.
 */
static void run_sockmap(const struct test_case *tc)
{
	bool gro = tc->dev & GRO;
	const struct row *row = tc->row;
	int fd, other, map, from, prog, off = 0;
	static struct message m;
	struct prog p = {};
	struct loop l;

	if (!loop_open(&l, &routes[LOOPBACK], tc->fam))
		goto out;
	fd = receiver(l.route, tc->fam, PORT, gro);
	if (fd < 0)
		goto out;
	other = receiver(l.route, tc->fam, PORT + 2, false);
	/* Only a connected socket can be the target. */
	if (connect(other, &l.to.sa, l.to.len))
		die("connect");

	map = map_create(BPF_MAP_TYPE_SOCKMAP, sizeof(__u64));
	from = map_create(BPF_MAP_TYPE_SOCKMAP, sizeof(__u64));

	load_map(&p, R(2), map);
	mov_imm(&p, R(3), 0);
	mov_imm(&p, R(4), BPF_F_INGRESS);
	call(&p, BPF_FUNC_sk_redirect_map);
	emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	prog = prog_load(&p, BPF_PROG_TYPE_SK_SKB, 0);
	prog_attach(prog, from, BPF_SK_SKB_VERDICT);
	map_put(map, other);
	map_put(from, fd);

	loop_send(&l, row, 0);
	while (!case_failed && off < row->len) {
		ssize_t len = recv(other, m.data, sizeof(m.data), 0);

		if (len < 0 && errno == EAGAIN) {
			if (!readable(other, RX_TIMEOUT_MS))
				fail("%d of %d bytes are lost", row->len - off,
				     row->len);
			continue;
		}
		if (len < 0)
			die("recv");
		if (off + len > row->len || memcmp(m.data, payload + off, len))
			fail("wrong payload from byte %d on", off);
		off += len;
	}
	close(prog);
	close(from);
	close(map);
	close(other);
	close(fd);
out:
	loop_close(&l);
}

/* Setup */

static void setup_tunnel_end(const char *ip, int end)
{
	const char *to4 = end == 1 ? MID4 : TX4, *me4 = end == 1 ? TX4 : MID4;

	must_sh("%s -batch - <<- END\n"
		"link add vxlan0 type vxlan id 7 local %s remote %s dstport 4789 dev gro0\n"
		"link add geneve0 type geneve id 7 remote %s dstport 6081\nEND",
		ip, me4, to4, to4);
	must_sh("%s fou add port 5555 ipproto 4", ip);
	must_sh("%s fou add port 5556 ipproto 41", ip);
	must_sh("%s fou add port %d ipproto 17", ip, FOU_UDP_PORT);
	must_sh("%s -6 fou add port %d ipproto 17", ip, FOU_UDP_PORT);
	must_sh("%s -batch - <<- END\n"
		"link add fou4 type ipip local %s remote %s encap fou encap-sport auto encap-dport 5555\n"
		"link add fou6 type sit local %s remote %s encap fou encap-sport auto encap-dport 5556\nEND",
		ip, me4, to4, me4, to4);
	must_sh("%s -batch - <<- END\n"
		"link set vxlan0 addrgenmode none up\n"
		"link set geneve0 addrgenmode none up\n"
		"link set fou4 addrgenmode none up\n"
		"link set fou6 addrgenmode none up\n"
		"addr add 10.2.0.%d/24 dev vxlan0\n"
		"addr add fd02::%d/64 dev vxlan0 nodad\n"
		"addr add 10.3.0.%d/24 dev geneve0\n"
		"addr add fd03::%d/64 dev geneve0 nodad\n"
		"addr add 10.4.0.%d/24 dev fou4\n"
		"addr add fd04::%d/64 dev fou6 nodad\nEND",
		ip, end, end, end, end, end, end);
}

static void setup_paths(void)
{
	char ip[64];

	snprintf(ip, sizeof(ip), "ip -n %s", mid_name);
	must_sh("ip -batch - <<- END\n"
		"link add mv1 link gro0 type macvlan mode bridge\n"
		"link add mv2 link gro0 netns %s type macvlan mode bridge\n"
		"link set mv1 addrgenmode none up\n"
		"addr add 10.1.0.1/24 dev mv1\n"
		"addr add fd01::1/64 dev mv1 nodad\nEND", rx_name);
	must_sh("ip -n %s -batch - <<- END\n"
		"link set mv2 addrgenmode none up\n"
		"addr add 10.1.0.2/24 dev mv2\n"
		"addr add fd01::2/64 dev mv2 nodad\nEND", rx_name);
	setup_tunnel_end("ip", 1);
	setup_tunnel_end(ip, 2);
	must_sh("ip -batch - <<- END\n"
		"link add other4 type vxlan id 9 local %s remote %s dstport %d dev gro0\n"
		"link add other6 type vxlan id 10 local %s remote %s dstport %d dev gro0\n"
		"link set other4 mtu %d up\n"
		"link set other6 mtu %d up\n"
		"addr add 10.9.0.1/24 dev other4\n"
		"addr add 10.10.0.1/24 dev other6\n"
		"neigh add 10.9.0.2 lladdr 2:0:0:0:0:2 dev other4\n"
		"neigh add 10.10.0.2 lladdr 2:0:0:0:0:2 dev other6\nEND",
		TX4, MID4, OTHER_PORT, TX6, MID6, OTHER_PORT,
		TCP_SIZE + 40, TCP_SIZE + 40);
}

/* Resolves neighbours before the first burst. */
static void resolve(const struct route *route, enum family fam)
{
	struct addr to = peer_addr(route, fam, PORT);
	int fd = udp_rx_socket(*route->netns, fam, PORT);
	int tx = udp_socket(socket_domain(fam), 0, 0);

	send_fence(tx, &to);
	if (!readable(fd, RX_TIMEOUT_MS))
		die("no datagram arrives over %s", route->name);
	close(tx);
	close(fd);
}

static void add_paths(enum family fam)
{
	int i, kind, r;

	for (i = 0; i < ARRAY_SIZE(routes); i++)
		for (kind = 0; kind < (fam == V4 ? 6 : 4); kind++)
			for (r = 0; r < ARRAY_SIZE(rows); r++)
				add_case(run_path, &rows[r], fam,
					 i << 4 | kind, "%s %s, %s: %s",
					 family_name[fam], routes[i].name,
					 kind_name[kind], rows[r].name);
}

static void add_others(enum family fam)
{
	int i, r, kind;

	for (r = 0; r < ARRAY_SIZE(rows); r++) {
		const char *f = family_name[fam], *name = rows[r].name;

		add_case(run_multicast, &rows[r], fam, LOOPBACK,
			 "%s multicast loop: %s", f, name);
		add_case(run_multicast, &rows[r], fam, VETH_PAIR,
			 "%s multicast, veth: %s", f, name);
		for (kind = 0; kind < 2; kind++) {
			add_case(run_assign, &rows[r], fam, kind | 2,
				 "%s sk_lookup, %s: %s", f, kind_name[kind],
				 name);
			add_case(run_assign, &rows[r], fam, kind,
				 "%s sk_assign, %s: %s", f, kind_name[kind],
				 name);
			add_case(run_sockmap, &rows[r], fam, kind,
				 "%s sockmap, %s: %s", f, kind_name[kind],
				 name);
		}
	}
	for (kind = 0; kind < 2; kind++)
		add_case(run_encap, NULL, fam, kind, "%s UDP_ENCAP, %s",
			 family_name[fam], kind_name[kind]);
	for (i = LOOPBACK; i <= VETH_PAIR; i++)
		for (kind = CHECKSUM; kind <= (CHECKSUM | GRO); kind++)
			add_case(run_path, &rows[3], fam, i << 4 | kind,
				 "%s %s, %s: %s", family_name[fam],
				 routes[i].name, kind_name[kind], rows[3].name);
	add_case(run_resubmit, NULL, fam, 0, "%s UDP in FOU",
		 family_name[fam]);
	for (kind = 0; kind < 2; kind++)
		add_case(run_other_tunnel, NULL, fam, kind,
			 "%s TCP in VXLAN, plain UDP socket, %s",
			 family_name[fam], kind_name[kind]);
}

int main(int argc, char **argv)
{
	enum family fam;
	int i;

	if (argc < 3)
		ksft_exit_fail_msg("usage: udpgro_loop MID RX [FILTER]\n");
	mid_name = argv[1];
	rx_name = argv[2];
	open_netns(mid_name);
	rx_netns = netns_of(rx_name);
	payload_init();
	pin_cpu();
	pin_napis();
	setup_paths();

	for (fam = V4; fam <= V6; fam++) {
		for (i = 0; i < ARRAY_SIZE(routes); i++)
			resolve(&routes[i], fam);
		add_paths(fam);
		add_others(fam);
	}

	run_cases(argc > 3 ? argv[3] : NULL);

	return 0;
}
