// SPDX-License-Identifier: GPL-2.0
/* Tests sends with UDP_SEGMENT through IPsec, with common algorithms. A raw
 * socket reads the decrypted datagrams, so that headers and payload are
 * checked.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgso_topo.h"

#define ENCAP_PORT	4500

#define SHA256	"auth-trunc hmac(sha256) "				\
		"0x000102030405060708090a0b0c0d0e0f"			\
		"101112131415161718191a1b1c1d1e1f 128"
#define CBC	"enc cbc(aes) 0x000102030405060708090a0b0c0d0e0f " SHA256
#define GCM	"aead rfc4106(gcm(aes)) "				\
		"0x000102030405060708090a0b0c0d0e0f10111213 128"
#define NO_CIPHER "enc ecb(cipher_null) \"\""
#define DEFLATE	"comp deflate"
#define ENCAP	" encap espinudp 4500 4500 0.0.0.0"

/* One transform */
struct sa {
	const char *proto;
	const char *mode;
	const char *algo;
};

static const struct topo plain_topo = { "IPsec" };

/* The packets are routed to an xfrm interface, which gets GSO packets. */
static const struct topo xfrm_topo = {
	.tx_more = "addr add 203.0.113.1/24 dev d0;"
		   "addr add 2001:db8:7::1/64 dev d0 nodad;"
		   "link add xi mtu 1400 type xfrm dev d0 if_id 7;"
		   "link set xi addrgenmode none up;"
		   "route add 192.0.2.2 dev xi src 192.0.2.1;"
		   "route add 2001:db8::2 dev xi src 2001:db8::1",
	.rx_more = "addr add 203.0.113.2/24 dev d1;"
		   "addr add 2001:db8:7::2/64 dev d1 nodad;"
		   "link add xi mtu 1400 type xfrm dev d1 if_id 7;"
		   "link set xi addrgenmode none up",
};

/* The router applies IPsec to the packets that it forwards. */
static const struct topo routed_topo = { "IPsec in a router", .routed = true };

/* Packets from the bridge have headroom for VXLAN headers. */
static const struct topo headroom_topo = {
	.routed = true,
	.top = "br0",
	.tx = "link add name br0 type bridge mcast_snooping 0;"
	      "link add vx0 type vxlan id 9 dstport 4789 local 192.0.2.1;"
	      "link set vx0 master br0;link set d0 master br0",
};

static const struct topo routed_xfrm_topo = {
	.routed = true,
	.mid = "addr add 203.0.113.1/24 dev e0;"
	       "addr add 2001:db8:7::1/64 dev e0 nodad;"
	       "link add xi mtu 1400 type xfrm dev e0 if_id 7;"
	       "link set xi addrgenmode none up;"
	       "route add 198.51.100.2 dev xi;"
	       "route add 2001:db8:1::2 dev xi",
	.rx_more = "addr add 203.0.113.2/24 dev e1;"
		   "addr add 2001:db8:7::2/64 dev e1 nodad;"
		   "link add xi mtu 1400 type xfrm dev e1 if_id 7;"
		   "link set xi addrgenmode none up",
};

/* If the kernel has the ESP offload code, this code handles packets that fit
 * the path MTU and whose outermost transform is ESP without UDP. No row has
 * only IPComp in transport mode, because the receiver may then reorder
 * compressed and uncompressed datagrams.
 */
static const struct row {
	const char *name;
	struct sa sas[2];		/* innermost first */
	const struct topo *topo;	/* NULL: plain_topo */
} rows[] = {
	{ "ESP transport, AES-CBC", { { "esp", "transport", CBC } } },
	{ "ESP tunnel, AES-CBC", { { "esp", "tunnel", CBC } } },
	{ "ESP transport, AES-GCM", { { "esp", "transport", GCM } } },
	{ "ESP tunnel, AES-GCM", { { "esp", "tunnel", GCM } } },
	{ "ESP in UDP, transport", { { "esp", "transport", CBC ENCAP } } },
	{ "ESP in UDP, tunnel", { { "esp", "tunnel", GCM ENCAP } } },
	{ "ESP transport, no cipher", { { "esp", "transport", NO_CIPHER } } },
	{ "AH transport", { { "ah", "transport", SHA256 } } },
	{ "AH tunnel", { { "ah", "tunnel", SHA256 } } },
	{ "IPComp tunnel", { { "comp", "tunnel", DEFLATE } } },
	{ "ESP in AH", { { "esp", "transport", GCM },
			 { "ah", "transport", SHA256 } } },
	{ "ESP tunnel in AH", { { "esp", "tunnel", CBC },
				{ "ah", "transport", SHA256 } } },
	{ "IPComp in ESP", { { "comp", "transport", DEFLATE },
			     { "esp", "transport", GCM } } },
	{ "xfrm interface, ESP tunnel", { { "esp", "tunnel", GCM } }, &xfrm_topo },
	{ "xfrm interface, AH tunnel", { { "ah", "tunnel", SHA256 } }, &xfrm_topo },
	{ "xfrm interface, IPComp tunnel", { { "comp", "tunnel", DEFLATE } },
	  &xfrm_topo },
};

/* Rows for test_sizes() */
static const struct row size_rows[] = {
	{ "policy", { { "esp", "tunnel", NO_CIPHER } } },
	{ "xfrm interface", { { "esp", "tunnel", NO_CIPHER } }, &xfrm_topo },
	{ "forwarded, policy", { { "esp", "tunnel", NO_CIPHER } },
	  &routed_topo },
	{ "forwarded, policy, more headroom",
	  { { "esp", "tunnel", NO_CIPHER } }, &headroom_topo },
	{ "forwarded, xfrm interface", { { "esp", "tunnel", NO_CIPHER } },
	  &routed_xfrm_topo },
};

static const char * const features[] = {
	"", "tx:d0 uso-", "tx:d0 uso- csum-", "tx:d0 uso- sg-",
};

static const struct row *row_now;
static int encap_fd[2] = { -1, -1 };

struct lines {
	char buf[2000];
	size_t len;
};

static __printf(2, 3) void add_text(struct lines *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	l->len += vsnprintf(l->buf + l->len, sizeof(l->buf) - l->len, fmt,
			    args);
	va_end(args);
	if (l->len >= sizeof(l->buf))
		ksft_exit_fail_msg("too many lines for ip\n");
}

static bool is_comp(const struct sa *sa)
{
	return !strcmp(sa->proto, "comp");
}

static bool is_routed(const struct row *row)
{
	return row->topo && row->topo->routed;
}

static bool is_device(const struct row *row)
{
	return row->topo == &xfrm_topo || row->topo == &routed_xfrm_topo;
}

static bool is_tunnel(const struct row *row)
{
	return !strcmp(row->sas[0].mode, "tunnel");
}

/* The policy does not apply to the UDP packets that carry ESP. At the receiver,
 * IPComp is optional ("level use"), because IPComp does not compress a packet
 * that would not become shorter.
 */
static void add_family(struct lines *l, const char *dir, const struct row *row,
		       const char *from, const char *to, const char *outer_from,
		       const char *outer_to)
{
	const char *id = is_device(row) ? " if_id 7" : "";
	bool in = !strcmp(dir, "in");
	const struct sa *sa;
	int i;

	for (i = 0; i < 2 && row->sas[i].proto; i++) {
		sa = &row->sas[i];
		add_text(l, "xfrm state add src %s dst %s proto %s spi %d mode %s %s%s;",
			 outer_from, outer_to, sa->proto, i + 1, sa->mode,
			 sa->algo, id);
	}
	add_text(l, "xfrm policy add src %s dst %s proto udp %s dir %s%s", from,
		 to, is_device(row) ? "" : "dport 4242", dir, id);
	for (i = 0; i < 2 && row->sas[i].proto; i++) {
		sa = &row->sas[i];
		add_text(l, " tmpl src %s dst %s proto %s mode %s%s",
			 outer_from, outer_to, sa->proto, sa->mode,
			 is_comp(sa) && in ? " level use" : "");
	}
	add_text(l, ";");
}

/* Destination of the datagrams and outer addresses of IPsec */
struct places {
	const char *to, *outer_from, *outer_to;
};

static const struct places *places_of(const struct row *row, enum family fam)
{
	static const struct places direct[] = {
		{ "192.0.2.2", "192.0.2.1", "192.0.2.2" },
		{ "2001:db8::2", "2001:db8::1", "2001:db8::2" },
	};
	static const struct places device[] = {
		{ "192.0.2.2", "203.0.113.1", "203.0.113.2" },
		{ "2001:db8::2", "2001:db8:7::1", "2001:db8:7::2" },
	};
	static const struct places routed[] = {
		{ "198.51.100.2", "198.51.100.254", "198.51.100.2" },
		{ "2001:db8:1::2", "2001:db8:1::fe", "2001:db8:1::2" },
	};
	static const struct places routed_device[] = {
		{ "198.51.100.2", "203.0.113.1", "203.0.113.2" },
		{ "2001:db8:1::2", "2001:db8:7::1", "2001:db8:7::2" },
	};

	if (is_routed(row))
		return is_device(row) ? &routed_device[fam == V6] :
					&routed[fam == V6];

	return is_device(row) ? &device[fam == V6] : &direct[fam == V6];
}

static bool row_add(enum ns ns, const char *dir, const struct row *row)
{
	const struct places *v4 = places_of(row, V4), *v6 = places_of(row, V6);
	struct lines l = {};

	add_text(&l, "xfrm state flush;xfrm policy flush;");
	add_family(&l, dir, row, "192.0.2.1", v4->to, v4->outer_from,
		   v4->outer_to);
	add_family(&l, dir, row, "2001:db8::1", v6->to, v6->outer_from,
		   v6->outer_to);

	return ip_in(ns, "%s", l.buf);
}

/* Opens the socket that decapsulates ESP in UDP. */
static void open_encap(enum family fam)
{
	struct addr any = addr_of(fam, "0.0.0.0", "::", ENCAP_PORT);
	int fd;

	if (encap_fd[fam == V6] >= 0)
		close(encap_fd[fam == V6]);
	enter(RX);
	fd = udp_socket(any.sa.sa_family, IPPROTO_UDP, 0);
	if ((fam == V6 && set_int(fd, SOL_IPV6, IPV6_V6ONLY, 1)) ||
	    bind(fd, &any.sa, any.len) ||
	    set_int(fd, SOL_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP))
		die("UDP_ENCAP");
	enter(TX);
	encap_fd[fam == V6] = fd;
}

static bool row_up(const struct row *row, const char *feature)
{
	const struct topo *topo = row->topo ? row->topo : &plain_topo;

	if (topo_now != topo) {
		if (!topo_up(topo, ""))
			return false;
		row_now = NULL;
		open_encap(V4);
		open_encap(V6);
	}
	if (row_now != row &&
	    (!row_add(is_routed(row) ? MID : TX, "out", row) ||
	     !row_add(RX, "in", row)))
		return false;
	row_now = row;

	return topo_up(topo, feature);
}

/* Opens a socket that receives datagrams with UDP header and, for IPv4, with IP
 * header.
 */
static int raw_socket(enum family fam)
{
	int fd;

	enter(RX);
	fd = socket(fam == V6 ? AF_INET6 : AF_INET,
		    SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0 || set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20))
		die("raw socket");
	enter(TX);

	return fd;
}

static __u32 pseudo_header(const struct ends *e, int len)
{
	if (e->fam == V6)
		return csum_bytes(csum_pseudo((void *)&e->from.v6.sin6_addr, 16,
					    len),
				 (void *)&e->to.v6.sin6_addr, 16);

	return csum_bytes(csum_pseudo((void *)&e->from.v4.sin_addr, 4, len),
			 (void *)&e->to.v4.sin_addr, 4);
}

/* Checks datagrams up to the fence: lengths, checksums, payload, IDs. */
static bool expect_raw(const struct ends *e, int fd, const struct expect *exp)
{
	struct stream st = { .exp = exp, .nr_exp = 1 };
	int len, first = 0, id = 0, hlen, nr;
	unsigned char *p;

	for (;;) {
		len = recv(fd, frame.buf, sizeof(frame.buf), 0);
		if (len < 0 && errno == EAGAIN && readable(fd, RX_TIMEOUT_MS))
			continue;
		if (len < 0)
			return fail("the fence is lost");
		hlen = e->fam == V6 ? 0 : (frame.buf[0] & 15) * 4;
		id = hlen ? get16(frame.buf + 4) : 0;
		p = frame.buf + hlen;
		len -= hlen;
		if (get16(p + 2) != PORT)
			continue;
		if (is_fence(p + 8, len - 8))
			return stream_end(&st);
		nr = st.nr;
		if (get16(p + 4) != len)
			return fail("UDP length %d of %d", get16(p + 4), len);
		if (csum_bytes(pseudo_header(e, len), p, len) != 0xffff)
			return fail("datagram %d: wrong checksum", nr + 1);
		if (!nr)
			first = id;
		if (hlen && !expect_long("ID", (first + nr) & 0xffff, id))
			return false;
		if (!stream_next(&st, p + 8, len - 8))
			return false;
	}
}

/* Returns the protocol number of the outermost transform in the IP header. */
static int outer_proto(const struct row *row)
{
	const struct sa *sa = row->sas[1].proto ? &row->sas[1] : &row->sas[0];

	if (is_comp(sa))
		return IPPROTO_COMP;
	if (!strcmp(sa->proto, "ah"))
		return IPPROTO_AH;

	return strstr(sa->algo, ENCAP) ? IPPROTO_UDP : IPPROTO_ESP;
}

/* Checks that all datagrams were transformed. With IPComp, it is sufficient if
 * one datagram of a call with 1000 bytes or more per segment was compressed. In
 * tunnel mode, the packet socket also receives the decapsulated packets.
 */
static bool expect_transformed(const struct ends *e, const struct expect *exp)
{
	const unsigned char *ip = frame.buf + ETH_HLEN;
	int want = outer_proto(row_now), proto, transformed = 0;
	bool comp = want == IPPROTO_COMP;

	while (wire_recv(topo_wire) > 0) {
		if (get16(ip - 2) != ETH_P_IP && get16(ip - 2) != ETH_P_IPV6)
			continue;
		proto = e->fam == V6 ? ip[6] : ip[9];
		if (e->fam == V6 && proto == IPPROTO_FRAGMENT)
			proto = ip[40];
		if (proto == IPPROTO_UDP && want != proto && !comp &&
		    !is_tunnel(row_now))
			return fail("a datagram was sent without transform");
		transformed += proto == want;
	}
	if (comp)
		return transformed || exp->size < 1000 ||
		       fail("no datagram was compressed");

	return transformed > exp->count ||
	       fail("%d IPsec packets for %d datagrams", transformed,
		    exp->count);
}

static bool send_and_read(const struct ends *e, int raw, int len, int size)
{
	struct gso_send s = {
		.to = &e->to, .data = payload, .len = len, .cmsg = size,
	};
	struct expect exp = {
		.data = payload,
		.len = len,
		.size = size,
		.count = (len + size - 1) / size,
	};

	if (expect_ret("send", len, gso_send(e->tx, &s))) {
		send_fence(e->tx, &e->to);
		expect_raw(e, raw, &exp);
		expect_rx(e->rx, &e->from, &exp, 1);
		expect_transformed(e, &exp);
	}

	return !case_failed || fail("%d bytes, segment size %d", len, size);
}

static void send_shapes_as(const struct ends *e, int raw, int discover)
{
	/* With IPsec headers, segments of 1400 bytes may exceed the path MTU.
	 * Segments of 9000 bytes always exceed it.
	 */
	static const struct {
		int len, size;
	} shapes[] = {
		{ 2000, 1000 }, { 20001, 1000 }, { 1000, 1000 }, { 1001, 1000 },
		{ 12900, 100 }, { 14000, 1400 }, { 60000, 9000 }, { 30, 1 },
		{ 300, 20 },
	};
	size_t i;

	if (e->fam == V4 && set_int(e->tx, SOL_IP, IP_MTU_DISCOVER, discover))
		die("IP_MTU_DISCOVER");
	for (i = 0; i < ARRAY_SIZE(shapes) && !case_failed; i++)
		if (!send_and_read(e, raw, shapes[i].len, shapes[i].size))
			fail("IP_MTU_DISCOVER %d", discover);
}

static void test_row(const struct test_case *tc)
{
	struct addr from = addr_of(tc->fam, "192.0.2.1", "2001:db8::1", PORT);
	struct addr to = addr_of(tc->fam, "192.0.2.2", "2001:db8::2", PORT);
	struct ends e;
	int raw;

	if (!kernel_supports_segment() || !row_up(tc->row, features[tc->dev]))
		return;
	raw = raw_socket(tc->fam);
	if (ends_open(&e, tc->fam, &from, &to)) {
		drain_wire();
		/* datagrams of IP_PMTUDISC_DONT have IDs */
		send_shapes_as(&e, raw, IP_PMTUDISC_DONT);
		if (tc->fam == V4)
			send_shapes_as(&e, raw, IP_PMTUDISC_WANT);
		expect_outq_empty(e.tx);
	}
	close(raw);
	ends_close(&e);
}

static void send_sizes(const struct ends *e, int raw)
{
	int size;

	for (size = 1; size <= 300; size++)
		if (!send_and_read(e, raw, 10 * size, size))
			return;
}

/* Tests datagrams that are shorter or longer than the headroom of their packet.
 */
static void test_sizes(const struct test_case *tc)
{
	const struct row *row = tc->row;
	struct addr from = addr_of(tc->fam, "192.0.2.1", "2001:db8::1", PORT);
	struct addr to = tc->fam == V6 ?
			 addr_of(V6, "", places_of(row, V6)->to, PORT) :
			 addr_of(V4, places_of(row, V4)->to, "", PORT);
	struct ends e;
	int raw;

	if (!kernel_supports_segment() || !row_up(row, ""))
		return;
	raw = raw_socket(tc->fam);
	if (ends_open(&e, tc->fam, &from, &to)) {
		drain_wire();
		send_sizes(&e, raw);
		expect_outq_empty(e.tx);
	}
	close(raw);
	ends_close(&e);
}

int main(int argc, char **argv)
{
	enum family fam;
	size_t i, j;

	topo_init();
	payload_half_text();
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (j = 0; j < ARRAY_SIZE(features); j++)
			for (fam = V4; fam <= V6; fam++)
				add_case(test_row, &rows[i], fam, j,
					 "%s: %s %s", rows[i].name,
					 family_name[fam],
					 *features[j] ? features[j] : "all on");
	for (i = 0; i < ARRAY_SIZE(size_rows); i++)
		for (fam = V4; fam <= V6; fam++)
			add_case(test_sizes, &size_rows[i], fam, 0,
				 "datagrams of 1 to 300 bytes, %s: %s",
				 size_rows[i].name, family_name[fam]);
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
