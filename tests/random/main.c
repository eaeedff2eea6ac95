// SPDX-License-Identifier: GPL-2.0
/* Runs random programs of socket calls and shows, for each operation, what it returned,
 * what the error queue holds and which packets arrived at the far end of a wire.
 *
 *	random SEED FIRST PROGRAMS
 *
 * Each program runs twice: as it is, and with each segmented send replaced by plain sends of its
 * datagrams; KTAP. What differs is made as short as possible and printed.
 *
 * It uses namespaces, devices and checksums of the selftests, beside which it is compiled.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgso_topo.h"
#include "gen.h"
#include "wire.h"

#define GROUP		25		/* programs of a test */
#define DATA_MAX	70000
#define CONTEXT		4
#define MANY		1000		/* datagrams of a send: more take long */

/* Routes with the same attributes share what they cache, multicast or not: so a source. */
static const char tx_setup[] =
	"link set lo up;"
	"link add d0 address 02:00:00:00:00:01 type veth peer name d1 address 02:00:00:00:00:02 netns rx;"
	"link set d0 up;addr add 192.0.2.1/24 dev d0;addr add 2001:db8::1/64 dev d0 nodad;"
	"route add 192.0.2.12/32 dev d0 mtu 600;route add 192.0.2.13/32 dev d0 mtu lock 700;"
	"route add 198.51.100.0/24 dev d0;route add 239.0.0.0/8 dev d0 src 192.0.2.1;"
	"route add 2001:db8::12/128 dev d0 mtu 1300;route add 2001:db8:1::/64 dev d0";

static const char * const hosts[] = {
	"192.0.2.2", "192.0.2.12", "192.0.2.13", "198.51.100.2", "198.51.100.3",
	"2001:db8::2", "2001:db8::12", "2001:db8:1::2", "2001:db8:1::3",
};

/* A cipher that does nothing: lengths and payload can be compared */
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

static unsigned char data[DATA_MAX + MAX_FRAME];
static int wire, fence, socks[2];
static struct addr fence_to;
static bool feature_off[ARRAY_SIZE(device_features)];
static int link_mtu = MTU;

/* What a program has set, for the plain sends that stand for others */
static bool as_plain;
static bool segmented;			/* the last send, or it would have been */
static int segment[2], headers[2];

static void sink(int family, int port, int proto)
{
	struct addr any = addr_of(family, "0.0.0.0", "::", port);
	int fd = udp_socket(any.sa.sa_family, proto, 0);

	/* nobody reads: what does not fit is dropped, and no ICMP is sent */
	if (family == V6 && set_int(fd, SOL_IPV6, IPV6_V6ONLY, 1))
		die("IPV6_V6ONLY");
	if (set_int(fd, SOL_SOCKET, SO_RCVBUF, 1) || bind(fd, &any.sa, any.len))
		die("sink");
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
	sink(V4, PORT, IPPROTO_UDP);
	sink(V6, PORT, IPPROTO_UDP);
	sink(V4, PORT, IPPROTO_UDPLITE);
	sink(V6, PORT, IPPROTO_UDPLITE);
	sink(V4, FENCE_PORT, IPPROTO_UDP);
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
		headers[i] = 0;
	}
}

/* Devices */

static int do_mtu(int mtu)
{
	struct ifreq ifr = { .ifr_name = "d0", .ifr_mtu = mtu };

	if (mtu == link_mtu)
		return 0;
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

static void reset_device(void)
{
	size_t i;

	if (do_mtu(MTU))
		die("MTU");
	for (i = 0; i < ARRAY_SIZE(device_features); i++)
		do_feature(i, true);
}

/* Options */

static int do_set(const struct op *op)
{
	const struct option *o = &options[op->row];
	const void *val = &op->val;
	int len = sizeof(int), ret, fd = socks[op->sock];

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
	if (o->blob) {
		headers[op->sock] &= ~(1 << op->row);
		headers[op->sock] |= op->val << op->row;
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

static int send_pieces(const struct op *op, struct gso_send *s)
{
	int i, ret, off = 0, len = s->len;

	for (i = 1; i <= op->calls; i++) {
		s->len = (long)len * i / op->calls - off;
		s->data = data + off;
		s->flags = op->flags | (i < op->calls ? MSG_MORE : 0);
		ret = gso_send(socks[op->sock], s);
		if (ret < 0)
			return ret;
		off += ret;
	}

	return off;
}

static int send_many(const struct op *op, const struct gso_send *s)
{
	struct mmsghdr msgs[8] = {};
	static struct gso_msg msg;
	int i, ret;

	fill_msg(&msg, s);
	for (i = 0; i < op->messages; i++)
		msgs[i].msg_hdr = msg.hdr;
	ret = sendmmsg(socks[op->sock], msgs, op->messages, op->flags);

	return ret < 0 ? -errno : ret;
}

static int send_as_is(const struct op *op, struct gso_send *s)
{
	return op->messages > 1 ? send_many(op, s) : send_pieces(op, s);
}

/* Only the first datagram can make the send fail. */
static int send_datagrams(const struct op *op, struct gso_send *s, int size)
{
	int ret, first = 0, len = s->len, off;

	s->cmsg = NO_SIZE;
	s->flags = op->flags;
	for (off = 0; off < len; off += s->len) {
		s->len = len - off < size ? len - off : size;
		s->data = data + off;
		ret = gso_send(socks[op->sock], s);
		if (!off)
			first = ret;
		if (first < 0)
			return first;
	}

	return len;
}

/* The bytes that one call may have, by what the destination and the options are; none of it, 0 */
static int longest(const struct op *op, const struct addr *to)
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
		if (headers[op->sock] & 1 << i && (options[i].level == SOL_IPV6) == v6)
			len += options[i].blob->len;
	most = v6 ? UDP6_PAYLOAD_MAX : UDP4_PAYLOAD_MAX;

	return most - len;
}

/* Errors on the queue, to nowhere if f is NULL */
static void show_errors(FILE *f, int sock)
{
	char control[512], text[INET6_ADDRSTRLEN];
	struct sock_extended_err *err;
	struct addr name;
	struct msghdr msg;
	struct cmsghdr *c;
	char buf[64];
	struct iovec iov = { buf, sizeof(buf) };
	int ret;

	for (;;) {
		memset(&msg, 0, sizeof(msg));
		memset(&name, 0, sizeof(name));
		msg.msg_name = &name.sa;
		msg.msg_namelen = sizeof(name.v6);
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		ret = recvmsg(socks[sock], &msg, MSG_ERRQUEUE | MSG_DONTWAIT);
		if (ret < 0)
			return;
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			if ((c->cmsg_level != SOL_IP || c->cmsg_type != IP_RECVERR) &&
			    (c->cmsg_level != SOL_IPV6 || c->cmsg_type != IPV6_RECVERR))
				continue;
			err = (void *)CMSG_DATA(c);
			if (!f || err->ee_origin == SO_EE_ORIGIN_ZEROCOPY)
				continue;
			inet_ntop(name.sa.sa_family, name.sa.sa_family == AF_INET ?
				  (void *)&name.v4.sin_addr : (void *)&name.v6.sin6_addr, text, sizeof(text));
			fprintf(f, "  error queue of v%d: %s, origin %d type %d code %d info %u, to %s port %d, %d bytes\n",
				sock ? 6 : 4, strerror(err->ee_errno), err->ee_origin, err->ee_type,
				err->ee_code, err->ee_info, msg.msg_namelen ? text : "nobody",
				msg.msg_namelen ? addr_port(&name) : 0, ret);
		}
	}
}

/* A difference that is known: IPV6_PMTUDISC_OMIT in an IPv6 tunnel of IPsec */
static bool is_left_out(int sock, const struct addr *to)
{
	struct addr peer = { .len = sizeof(peer.v6) }, tunnel;

	if (!sock || get_int(socks[sock], SOL_IPV6, IPV6_MTU_DISCOVER) != IPV6_PMTUDISC_OMIT)
		return false;
	if (!to && getpeername(socks[sock], &peer.sa, &peer.len))
		return false;
	tunnel = addr_of(V6, "", TUNNEL6, PORT);

	return addr_equal(&tunnel, to ? to : &peer);
}

/* Each message as plain sends of its datagrams */
static int send_each(const struct op *op, struct gso_send *s, int size)
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

static bool connected(int sock)
{
	struct addr peer = { .len = sizeof(peer.v6) };

	return !getpeername(socks[sock], &peer.sa, &peer.len);
}

static int do_send(const struct op *op)
{
	int size = op->size == NO_SIZE ? segment[op->sock] : op->size;
	int len = size && op->len / size > MANY ? size * MANY - 1 : op->len;
	struct gso_send s = {
		.data = data, .len = len, .cmsg = op->size, .pieces = op->pieces, .flags = op->flags,
	};
	struct addr to;
	int ret = 0;
	bool whole;

	/* A corked send to another address than that of the connection changes the latter, with
	 * segments or without.
	 */
	if (op->to >= 0 && !(op->calls > 1 && connected(op->sock))) {
		const char *text = destinations[op->to].text;

		to = addr_of(op->sock ? V6 : V4, text, text, PORT);
		s.to = &to;
	}
	segmented = size && len > size;
	if (is_left_out(op->sock, s.to))
		return 0;
	if (!as_plain)
		ret = send_as_is(op, &s);
	/* One call cannot have as much as several: what it says of that is its own. */
	whole = !segmented || len > longest(op, s.to);
	if (as_plain) {
		s.cmsg = NO_SIZE;
		ret = whole ? send_as_is(op, &s) : send_each(op, &s, size);
	}
	if (whole && segmented)
		show_errors(NULL, op->sock);

	return ret;
}

/* What came of it */

static void show_wire(FILE *f)
{
	static unsigned char frame[MAX_FRAME];
	int len;

	send_fence(fence, &fence_to);
	nr_seen = 0;
	for (;;) {
		len = recv(wire, frame, sizeof(frame), 0);
		if (len > 0 && show_frame(f, frame, len))
			return;
		if (len <= 0 && !readable(wire, RX_TIMEOUT_MS))
			die("the fence is lost");
	}
}

/* A plain send may fail when some of its fragments have left. A segmented one must not. */
static void run_op(FILE *f, const struct op *op)
{
	static FILE *null;
	int ret = 0;

	switch (op->what) {
	case SET:
		ret = do_set(op);
		break;
	case CONNECT:
		ret = do_connect(op);
		break;
	case FEATURE:
		ret = do_feature(op->row, op->val);
		break;
	case LINK_MTU:
		ret = do_mtu(op->val);
		break;
	case SEND:
		ret = do_send(op);
		break;
	}
	print_op(f, op);
	fprintf(f, "  = %d%s%s\n", ret, ret < 0 ? " " : "", ret < 0 ? strerror(-ret) : "");
	if (op->what != SEND)
		return;
	if (!null)
		null = fopen("/dev/null", "w");
	show_wire(ret < 0 && (as_plain || !segmented) ? null : f);
	show_errors(f, 0);
	show_errors(f, 1);
}

/* Returns the text of a run; free it */
static char *run_program(const struct program *p, bool plain)
{
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);
	int i;

	as_plain = plain;
	reset_device();
	open_socks(p->proto);
	for (i = 0; i < p->nr; i++)
		run_op(f, &p->ops[i]);
	close(socks[0]);
	close(socks[1]);
	fclose(f);

	return text;
}

static void print_lines(const char *title, const char *text)
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

/* From a few lines before the first that differ */
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
	print_lines("with UDP_SEGMENT", text + off);
	print_lines("as plain sends", plain + off);
}

/* What differs by chance differs once: it is kept to be printed. */
static bool same_as_plain(const struct program *p, bool print)
{
	static char *was[2];
	char *text = run_program(p, false), *plain = run_program(p, true);
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
		printf("# %s\n", same ? "It did not differ again; when it did:" : "What differs:");
		print_difference(was[0], was[1]);
	}

	return same;
}

/* Without each operation that the difference does not need */
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
	printf("# seed %u, program %d, the shortest that differs%s:\n", seed, number,
	       p.proto == IPPROTO_UDPLITE ? ", UDP-Lite" : "");
	for (i = 0; i < p.nr; i++) {
		printf("# %2d. ", i + 1);
		print_op(stdout, &p.ops[i]);
	}
	same_as_plain(&p, true);

	return false;
}

static int compare_plain(__u32 seed, int from, int programs)
{
	int i, n = 0, ops, bad = 0, groups = (programs + GROUP - 1) / GROUP;
	bool ok;

	printf("KTAP version 1\n1..%d\n", groups);
	for (i = from; n < groups; n++) {
		int first = i;

		ops = 0;
		nr_frames = 0;
		for (ok = true; i < from + programs && i < first + GROUP; i++)
			ok &= check_program(seed, i, &ops);
		printf("%s %d seed %u, programs %d to %d: %d operations, %ld packets\n", ok ? "ok" : "not ok",
		       n + 1, seed, first, i - 1, ops, nr_frames / 2);
		fflush(stdout);
		bad += !ok;
	}

	return !!bad;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	setup();

	return compare_plain(strtoul(argv[1], NULL, 0), atoi(argv[2]), atoi(argv[3]));
}
