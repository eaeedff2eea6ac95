// SPDX-License-Identifier: GPL-2.0
/* Compares sends with UDP_SEGMENT and plain sends of the same datagrams.
 *
 * Each case runs a list of sends twice, on sockets with the same options: once
 * with UDP_SEGMENT, and once with a plain send per datagram. Return values,
 * error queue and all frames must be equal. If the first plain send fails, the
 * send with UDP_SEGMENT must return the same error and send nothing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgso_topo.h"

#ifndef IPV6_RECVPATHMTU
#define IPV6_RECVPATHMTU	60
#define IPV6_PATHMTU		61
#endif

#ifndef UDPLITE_SEND_CSCOV
#define UDPLITE_SEND_CSCOV	10
#endif

#define LOCAL_PORT		4444
#define IP_DF_BIT		0x4000
#define IP_MF_BIT		0x2000
#define IP_OFFSET_BITS		0x1fff
#define ESP_UDP_PORT		4500

#define MAX_OPS			8
#define MAX_SPREAD		50	/* CONFIG_MAX_SKB_FRAGS is at most 45 */
#define MAX_FRAMES		4096
#define MAX_ERRORS		64

/* Maximum number of page fragments per packet */
static int max_skb_frags = 17;

/* No host has these addresses, so that no replies are sent. */
#define NEIGH	"lladdr 02:00:00:00:01:63 dev d0;"
#define NEIGHS							\
	"neigh add 192.0.2.8 " NEIGH				\
	"neigh add 192.0.2.9 " NEIGH				\
	"neigh add 2001:db8::8 " NEIGH				\
	"neigh add 2001:db8::9 " NEIGH

/* Automatic flow labels differ between sockets. */
static bool no_flow_labels(void)
{
	set_sysctl("ipv6/auto_flowlabels", "0");
	return true;
}

static const struct topo plain_topo = {
	.late = no_flow_labels,
	.tx_more = NEIGHS
		"route add 198.51.100.0/24 via 192.0.2.9 mtu 1300;"
		"route add 198.51.101.0/24 via 192.0.2.9 mtu lock 1300;"
		"route add 2001:db8:1::/64 via 2001:db8::9 mtu 1300;"
		"route add 2001:db8:2::/64 via 2001:db8::9 mtu lock 1300",
};

/* IPsec transforms without encryption, so that the payload can be compared */

#define NO_CIPHER	"enc ecb(cipher_null) \"\""
#define SHA256		"auth-trunc hmac(sha256) "			\
			"0x000102030405060708090a0b0c0d0e0f "		\
			"128"

static const struct xfrm {
	const char *dst4, *dst6, *proto, *mode, *algo;
} xfrms[] = {
	{ "203.0.113.1", "2001:db8:3::1", "esp", "transport", NO_CIPHER },
	{ "203.0.113.2", "2001:db8:3::2", "esp", "tunnel", NO_CIPHER },
	{ "203.0.113.3", "2001:db8:3::3", "esp", "transport",
	  NO_CIPHER " encap espinudp 4500 4500 0.0.0.0" },
	{ "203.0.113.5", "2001:db8:3::5", "ah", "transport", SHA256 },
	{ "203.0.113.6", "2001:db8:3::6", "ah", "tunnel", SHA256 },
	{ "203.0.113.7", "2001:db8:3::7", "comp", "transport",
	  "comp deflate" },
};

#define STATE_AND_POLICY						\
	"xfrm state add %s spi %d reqid %d mode %s %s;"			\
	"xfrm policy add src %s dst %s dir out tmpl %s reqid %d mode %s"

static bool xfrm_add(int nr, const struct xfrm *x, bool v6)
{
	const char *src = v6 ? "2001:db8::1" : "192.0.2.1";
	const char *dst = v6 ? x->dst6 : x->dst4;
	const char *via = !strcmp(x->mode, "transport") ? dst :
			  v6 ? "2001:db8::9" : "192.0.2.9";
	char ends[128];

	snprintf(ends, sizeof(ends), "src %s dst %s proto %s", src, via,
		 x->proto);

	return ip_in(TX, STATE_AND_POLICY, ends, nr, nr, x->mode, x->algo, src,
		     dst, ends, nr, x->mode);
}

/* An xfrm interface whose policy applies two transforms. The core must segment
 * GSO packets before the first transform.
 */
#define XI_STATE(ends, more)						\
	"xfrm state add " ends " proto esp " more " if_id 7 "		\
	"enc ecb(cipher_null) \"\";"
#define XI_POLICY(dst, ends)						\
	"xfrm policy add dst " dst " dir out if_id 7 "			\
	"tmpl " ends " proto esp mode tunnel "				\
	"tmpl " ends " proto esp mode transport;"
#define XI_ENDS4	"src 192.0.2.1 dst 192.0.2.9"
#define XI_ENDS6	"src 2001:db8::1 dst 2001:db8::9"

static bool xfrm_add_device(void)
{
	return ip_in(TX, "link add xi type xfrm dev d0 if_id 7;"
			 "link set xi addrgenmode none up;"
			 XI_STATE(XI_ENDS4, "spi 8 mode tunnel")
			 XI_STATE(XI_ENDS4, "spi 9 mode transport")
			 XI_STATE(XI_ENDS6, "spi 10 mode tunnel")
			 XI_STATE(XI_ENDS6, "spi 11 mode transport")
			 XI_POLICY("203.0.113.4", XI_ENDS4)
			 XI_POLICY("2001:db8:3::4", XI_ENDS6));
}

static bool add_xfrms(void)
{
	int i;

	for (i = 0; i < 2 * (int)ARRAY_SIZE(xfrms); i++)
		if (!xfrm_add(i + 1, &xfrms[i / 2], i % 2))
			return false;

	return xfrm_add_device() && no_flow_labels();
}

static const struct topo xfrm_topo = {
	.late = add_xfrms,
	.tx_more = NEIGHS
		"route add 203.0.113.0/24 via 192.0.2.9;"
		"route add 2001:db8:3::/64 via 2001:db8::9;"
		"route add 203.0.113.4 dev xi src 192.0.2.1;"
		"route add 2001:db8:3::4 dev xi src 2001:db8::1",
};

/* IPsec crypto offload: netdevsim accepts the offload, but does not encrypt. */

#define GCM	"aead rfc4106(gcm(aes)) "				\
		"0x000102030405060708090a0b0c0d0e0f10111213 128 "	\
		"offload dev d0 dir out"
#define GCM_IV_LEN	8
#define GCM_ICV_LEN	16

static const struct xfrm offloads[] = {
	{ "203.0.113.1", "2001:db8:3::1", "esp", "transport", GCM },
	{ "203.0.113.2", "2001:db8:3::2", "esp", "tunnel", GCM },
};

static const char nsim_bus[] = "/sys/bus/netdevsim";
static const int nsim_ids[] = { 4242, 4243 };

static __printf(2, 3) bool nsim_write(const char *name, const char *fmt, ...)
{
	char file[64], text[64];
	va_list args;
	bool ok;
	int fd;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(file, sizeof(file), "%s/%s", nsim_bus, name);
	fd = open(file, O_WRONLY);
	ok = fd >= 0 && write(fd, text, strlen(text)) > 0;
	close(fd);

	return ok;
}

/* netdevsim devices are not removed with the namespace. */
static void nsim_del(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nsim_ids); i++)
		nsim_write("del_device", "%d", nsim_ids[i]);
}

/* Creates a netdevsim device. It is the first one in its namespace, so its name
 * is eth0 before it is renamed.
 */
static bool nsim_add(enum ns ns, int id, const char *name)
{
	enter(ns);
	if (!nsim_write("new_device", "%d 1", id))
		die("netdevsim");

	return ip_in(ns, "link set eth0 name %s;"
		     "link set %s address 02:00:00:00:01:0%d up", name, name,
		     1 + (ns == RX));
}

static unsigned int nsim_index(enum ns ns, const char *name)
{
	unsigned int index;

	enter(ns);
	index = if_nametoindex(name);
	enter(TX);

	return index;
}

static bool add_offloads(void)
{
	static bool at_exit;
	int i;

	if (!at_exit)
		atexit(nsim_del);
	at_exit = true;
	nsim_del();
	if (!nsim_add(TX, nsim_ids[0], "d0") ||
	    !nsim_add(RX, nsim_ids[1], "d1"))
		return false;
	if (!nsim_write("link_device", "%d:%u %d:%u", ns_fd[TX],
			nsim_index(TX, "d0"), ns_fd[RX], nsim_index(RX, "d1")))
		die("link of netdevsim");
	for (i = 0; i < 2 * (int)ARRAY_SIZE(offloads); i++)
		if (!xfrm_add(i + 1, &offloads[i / 2], i % 2))
			return false;

	return no_flow_labels();
}

static const struct topo offload_topo = {
	.bare = true,
	.late = add_offloads,
	.tx_more = NEIGHS
		"route add 203.0.113.0/24 via 192.0.2.9;"
		"route add 2001:db8:3::/64 via 2001:db8::9",
};

/* Without USO, the kernel segments before packets leave the namespace. */
static const char * const features[] = {
	"tx:d0 uso-",
	"tx:d0 uso- csum-",
	"tx:d0 uso- sg-",
};

enum what_route {
	ON_LINK, ROUTED, LOCKED, ESP, ESP_TUNNEL, ESP_UDP, ESP_DEVICE,
	AH, AH_TUNNEL, COMP, OFFLOAD, OFFLOAD_TUNNEL
};

enum {
	R_LINK = 1 << ON_LINK,
	R_CLEAR = 1 << ON_LINK | 1 << ROUTED | 1 << LOCKED,
	R_ESP = 1 << ESP | 1 << ESP_TUNNEL | 1 << ESP_UDP,
	R_OTHERS = 1 << AH | 1 << AH_TUNNEL | 1 << COMP,
	R_OFFLOAD = 1 << OFFLOAD | 1 << OFFLOAD_TUNNEL,
	R_QUEUE = 1 << ESP | 1 << ESP_TUNNEL | 1 << ESP_DEVICE,
};

static const struct {
	const char *name;
	const struct topo *topo;
	const char *to4, *to6;
	const char *features;	/* NULL: all, one after the other */
} routes[] = {
	{ "device's MTU", &plain_topo, "192.0.2.9", "2001:db8::9" },
	{ "route's MTU", &plain_topo, "198.51.100.9", "2001:db8:1::9" },
	{ "locked MTU", &plain_topo, "198.51.101.9", "2001:db8:2::9" },
	{ "ESP", &xfrm_topo, "203.0.113.1", "2001:db8:3::1" },
	{ "ESP tunnel", &xfrm_topo, "203.0.113.2", "2001:db8:3::2" },
	{ "ESP in UDP", &xfrm_topo, "203.0.113.3", "2001:db8:3::3" },
	{ "xfrm device", &xfrm_topo, "203.0.113.4", "2001:db8:3::4" },
	{ "AH", &xfrm_topo, "203.0.113.5", "2001:db8:3::5", "tx:d0 uso-" },
	{ "AH tunnel", &xfrm_topo, "203.0.113.6", "2001:db8:3::6",
	  "tx:d0 uso-" },
	{ "IPComp", &xfrm_topo, "203.0.113.7", "2001:db8:3::7", "tx:d0 uso-" },
	{ "offloaded ESP", &offload_topo, "203.0.113.1", "2001:db8:3::1", "" },
	{ "offloaded ESP tunnel", &offload_topo, "203.0.113.2",
	  "2001:db8:3::2", "" },
};

/* Socket options: level and name per family. v4-mapped sockets use the IPv4
 * options.
 */
struct opt {
	int level4, name4;
	int level6, name6;
	int val;
	const void *data;
	int len;		/* of data */
};

enum { SEND, CORK, PIECES, ZEROCOPY, ZEROCOPY_CORK, SPLICE };

struct op {
	int len;
	int size;		/* 0: plain send in both runs */
	int how;
};

/* Queueing discipline of the device; NULL: the default, which drops nothing */
struct queue {
	const char *set, *open;
};

struct row {
	const char *name;
	int fams;
	struct opt opts[3];
	const struct op *ops;	/* the sends; NULL: see fill_ops() */
	int headers;		/* bytes of additional headers */
	int proto;		/* 0: UDP */
	bool any_id;		/* unconnected sends with DF may have ID 0 */
	bool zerocopy;		/* one op has a notification */
	bool connected;		/* only connected sockets */
	bool no_offload;	/* the kernel may encrypt instead of the device */
	const struct queue *queue;
	int not6;		/* bits of routes not tested with IPv6 */
};

enum { F4 = 1 << V4, F6 = 1 << V6, FM = 1 << MAPPED, FALL = F4 | F6 | FM };

static int row_proto(const struct row *row)
{
	return row->proto ? row->proto : IPPROTO_UDP;
}

/* Results of a run */

struct seen {
	int len;
	unsigned char *ip;
};

struct error {
	struct sock_extended_err ee;
	unsigned int mtu;	/* of IPV6_PATHMTU */
};

static struct run {
	long ret[MAX_OPS];
	int nr_rets;
	struct error errors[MAX_ERRORS];
	int nr_errors;
	struct seen frames[MAX_FRAMES];
	int nr_frames;
	unsigned char data[8 << 20];
	size_t used;
} runs[2];

static bool is_v6(const unsigned char *ip)
{
	return ip[0] >> 4 == 6;
}

static int ip_proto(const unsigned char *ip)
{
	return is_v6(ip) ? ip[6] : ip[9];
}

static bool is_unrelated(const unsigned char *ip)
{
	if (!is_v6(ip))
		return ip[9] == IPPROTO_IGMP || ip[9] == IPPROTO_ICMP;

	return ip[6] == IPPROTO_ICMPV6 ||
	       (ip[6] == IPPROTO_HOPOPTS && ip[40] == IPPROTO_ICMPV6);
}

static bool ends_in_fence(const struct seen *s)
{
	int len = sizeof(fence_text);

	return s->len > len &&
	       !memcmp(s->ip + s->len - len, fence_text, len);
}

/* Returns the offset behind the IPv4 header, or behind the IPv6 header and its
 * extension headers, but not behind a fragment header. @nh is the protocol of
 * the next header.
 */
static int ip_payload(const unsigned char *ip, int *nh)
{
	int off = 40;

	*nh = ip_proto(ip);
	if (!is_v6(ip))
		return (ip[0] & 15) * 4;

	while (*nh == IPPROTO_HOPOPTS || *nh == IPPROTO_DSTOPTS ||
	       *nh == IPPROTO_ROUTING) {
		*nh = ip[off];
		off += (ip[off + 1] + 1) * 8;
	}

	return off;
}

/* Completes a partial checksum. A packet for ESP crypto offload is not changed.
 */
static bool complete_csum(struct seen *s)
{
	int nh, off = ip_payload(s->ip, &nh);
	__u16 sum;

	if (nh == IPPROTO_ESP && topo_now == &offload_topo)
		return true;
	if (nh != IPPROTO_UDP)
		return fail("partial checksum of protocol %d", nh);

	sum = ~csum_bytes(0, s->ip + off, s->len - off);
	put16(s->ip + off + 6, sum ? sum : 0xffff);

	return true;
}

static bool take_frame(struct run *run)
{
	struct seen *s = &run->frames[run->nr_frames];
	int len = frame.len - ETH_HLEN;

	if (run->nr_frames == MAX_FRAMES ||
	    run->used + len > sizeof(run->data))
		return fail("more than %d frames", run->nr_frames);

	s->ip = run->data + run->used;
	s->len = len;
	memcpy(s->ip, frame.buf + ETH_HLEN, len);
	run->used += len;
	run->nr_frames++;

	return !frame.partial || complete_csum(s);
}

static void read_wire(struct run *run)
{
	int proto, ret;

	for (;;) {
		ret = wire_recv(topo_wire);
		if (ret == -EAGAIN) {
			if (!readable(topo_wire, RX_TIMEOUT_MS)) {
				fail("the fence is lost");
				return;
			}
			continue;
		}
		if (ret < 0)
			die("packet socket");
		proto = get16(frame.buf + 12);
		if ((proto != ETH_P_IP && proto != ETH_P_IPV6) ||
		    is_unrelated(frame.buf + ETH_HLEN))
			continue;
		if (!take_frame(run))
			return;
		if (ends_in_fence(&run->frames[run->nr_frames - 1])) {
			run->nr_frames--;
			return;
		}
	}
}

/* Replaces each identification with its number in the order of appearance. */

struct ids {
	unsigned int seen[MAX_FRAMES];
	int nr;
};

static int id_order(struct ids *ids, unsigned int id)
{
	int i;

	for (i = 0; i < ids->nr; i++)
		if (ids->seen[i] == id)
			return i;
	ids->seen[ids->nr] = id;

	return ids->nr++;
}

static bool make_comparable_ip(struct ids *ids, unsigned char *ip, int len,
			       bool any_id);

/* IPsec sequence numbers, IVs and integrity check values differ between the
 * runs and are therefore set to 0. The first bytes behind an IPsec header show
 * what follows: an IP packet in a tunnel, a UDP header, or an ESP header with a
 * small SPI.
 */
static bool make_comparable_inner(struct ids *ids, unsigned char *p, int len,
				  bool any_id)
{
	if (p[0] >> 4 == 4 || p[0] >> 4 == 6)
		return make_comparable_ip(ids + 1, p, len, any_id);

	return true;
}

static bool no_offload;	/* of the row */

/* A payload that is not encrypted begins with the sender's address or ports. */
static bool is_encrypted(const unsigned char *p, int len)
{
	static const unsigned char src6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	static const unsigned char src4[4] = { 192, 0, 2, 1 };

	if (p[0] >> 4 == 4)
		return len < 20 || memcmp(p + 12, src4, sizeof(src4));
	if (p[0] >> 4 == 6)
		return len < 40 || memcmp(p + 8, src6, sizeof(src6));

	return get16(p) != LOCAL_PORT || get16(p + 2) != PORT;
}

static bool make_comparable_esp(struct ids *ids, unsigned char *esp, int len,
				bool any_id)
{
	bool gcm = topo_now == &offload_topo;
	int hlen = 8 + (gcm ? GCM_IV_LEN : 0);

	len -= gcm ? GCM_ICV_LEN : 0;
	if (len < hlen + 8)
		return fail("ESP header in %d bytes", len);
	memset(esp + 4, 0, hlen - 4);
	if (gcm)
		memset(esp + len, 0, GCM_ICV_LEN);
	if (gcm && no_offload && is_encrypted(esp + hlen, len - hlen)) {
		memset(esp + hlen, 0, len - hlen);
		return true;
	}
	if (!get16(esp + hlen))
		return make_comparable_esp(ids, esp + hlen, len - hlen, any_id);

	return make_comparable_inner(ids, esp + hlen, len - hlen, any_id);
}

static bool make_comparable_ah(struct ids *ids, unsigned char *ah, int len,
			       bool any_id)
{
	int hlen = (ah[1] + 2) * 4;

	if (len < hlen + 8)
		return fail("AH header in %d bytes", len);
	memset(ah + 8, 0, hlen - 8);

	return make_comparable_inner(ids, ah + hlen, len - hlen, any_id);
}

static bool make_comparable_ip(struct ids *ids, unsigned char *ip, int len,
			       bool any_id)
{
	int nh, off = ip_payload(ip, &nh);
	unsigned int id;

	if (!is_v6(ip)) {
		if (csum_bytes(0, ip, off) != 0xffff)
			return fail("wrong IPv4 header checksum");
		put16(ip + 10, 0);
		if (any_id && get16(ip + 6) == IP_DF_BIT)
			put16(ip + 4, 0);
		else
			put16(ip + 4, id_order(ids, get16(ip + 4)));
		if (get16(ip + 6) & IP_OFFSET_BITS)
			return true;
	} else if (nh == IPPROTO_FRAGMENT) {
		memcpy(&id, ip + off + 4, 4);
		id = htonl(id_order(ids, id));
		memcpy(ip + off + 4, &id, 4);
		if (get16(ip + off + 2) & ~7)
			return true;
		nh = ip[off];
		off += 8;
	}

	if (nh == IPPROTO_UDP && get16(ip + off + 2) == ESP_UDP_PORT) {
		put16(ip + off + 6, 0);
		nh = IPPROTO_ESP;
		off += 8;
	}
	if (nh == IPPROTO_ESP)
		return make_comparable_esp(ids, ip + off, len - off, any_id);
	if (nh == IPPROTO_AH)
		return make_comparable_ah(ids, ip + off, len - off, any_id);

	return true;
}

struct fragment {
	int hlen;		/* length of the headers */
	unsigned int id;
	int offset;
	bool more;
};

static bool parse_fragment(const struct seen *s, struct fragment *f)
{
	int nh, off = ip_payload(s->ip, &nh);

	if (!is_v6(s->ip)) {
		f->hlen = off;
		f->id = get16(s->ip + 4);
		f->offset = (get16(s->ip + 6) & IP_OFFSET_BITS) * 8;
		f->more = get16(s->ip + 6) & IP_MF_BIT;
		return f->more || f->offset;
	}
	if (nh != IPPROTO_FRAGMENT)
		return false;
	f->hlen = off + 8;
	memcpy(&f->id, s->ip + off + 4, 4);
	f->offset = get16(s->ip + off + 2) & ~7;
	f->more = get16(s->ip + off + 2) & 1;

	return true;
}

/* Joins the fragments of a datagram, because fragment sizes may differ between
 * the runs: plain sends prepare fragments before IPsec makes them longer.
 * Returns the number of frames that were joined, 1 if frame @first is not the
 * first fragment of a datagram.
 */
static int join_fragments(struct run *run, int first)
{
	struct seen *s = &run->frames[first];
	struct fragment f, next;
	unsigned char *ip = s->ip;
	int i, len;

	if (!parse_fragment(s, &f) || f.offset || !f.more)
		return 1;
	next.more = true;
	for (i = first + 1; i < run->nr_frames && next.more; i++) {
		struct seen *frag = &run->frames[i];

		if (!parse_fragment(frag, &next) || next.id != f.id ||
		    next.offset != s->len - f.hlen)
			break;
		len = frag->len - next.hlen;
		memmove(ip + s->len, frag->ip + next.hlen, len);
		s->len += len;
	}
	if (is_v6(ip)) {
		put16(ip + f.hlen - 6, next.more);
		put16(ip + 4, s->len - 40);
		return i - first;
	}
	put16(ip + 6, next.more ? IP_MF_BIT : 0);
	put16(ip + 2, s->len);
	put16(ip + 10, 0);
	put16(ip + 10, ~csum_bytes(0, ip, f.hlen));

	return i - first;
}

static void join_all_fragments(struct run *run)
{
	int from, used, to = 0;

	for (from = 0; from < run->nr_frames; from += used) {
		used = join_fragments(run, from);
		run->frames[to++] = run->frames[from];
	}
	run->nr_frames = to;
}

static bool make_comparable(struct run *run, bool any_id, bool join)
{
	static struct ids ids[2];	/* of outer and inner headers */
	int i;

	ids[0].nr = 0;
	ids[1].nr = 0;
	if (join)
		join_all_fragments(run);
	for (i = 0; i < run->nr_frames; i++)
		if (!make_comparable_ip(ids, run->frames[i].ip,
					run->frames[i].len, any_id))
			return fail("frame %d", i);

	return true;
}

/* Sockets and sends */

static void set_opts(int fd, const struct row *row, enum family fam)
{
	const struct opt *o;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(row->opts); i++) {
		int level, name;

		o = &row->opts[i];
		level = fam == V6 ? o->level6 : o->level4;
		name = fam == V6 ? o->name6 : o->name4;
		if (!name)
			continue;
		if (setsockopt(fd, level, name, o->len ? o->data : &o->val,
			       o->len ? o->len : (int)sizeof(int)))
			die("option %d of level %d", name, level);
	}
}

static int plain_socket(const struct test_case *tc, const struct addr *to,
			bool connected)
{
	const struct row *row = tc->row;
	struct addr local;
	int fd;

	fd = udp_socket(socket_domain(tc->fam), row_proto(row), 0);
	local = addr_of(tc->fam == V4 ? V4 : V6, "0.0.0.0", "::", LOCAL_PORT);
	if (bind(fd, &local.sa, local.len))
		die("bind");
	set_opts(fd, row, tc->fam);
	if (tc->fam != V6 && set_int(fd, SOL_IP, IP_RECVERR, 1))
		die("IP_RECVERR");
	if (tc->fam == V6 && (set_int(fd, SOL_IPV6, IPV6_RECVERR, 1) ||
			      set_int(fd, SOL_IPV6, IPV6_RECVPATHMTU, 1)))
		die("IPV6_RECVERR");
	if (connected && connect(fd, &to->sa, to->len))
		die("connect");

	return fd;
}

static void take_error(struct run *run, struct msghdr *msg)
{
	struct error *e = &run->errors[run->nr_errors];
	struct cmsghdr *cmsg;
	struct {
		struct sockaddr_in6 addr;
		__u32 mtu;
	} path;

	if (run->nr_errors == MAX_ERRORS)
		die("too many errors");
	memset(e, 0, sizeof(*e));
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if ((cmsg->cmsg_level == SOL_IP &&
		     cmsg->cmsg_type == IP_RECVERR) ||
		    (cmsg->cmsg_level == SOL_IPV6 &&
		     cmsg->cmsg_type == IPV6_RECVERR))
			memcpy(&e->ee, CMSG_DATA(cmsg), sizeof(e->ee));
		if (cmsg->cmsg_level == SOL_IPV6 &&
		    cmsg->cmsg_type == IPV6_PATHMTU) {
			memcpy(&path, CMSG_DATA(cmsg), sizeof(path));
			e->mtu = path.mtu;
		}
	}
	run->nr_errors++;
}

static void read_errors(int fd, struct run *run, int flags)
{
	char control[512], buf[2048];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg;

	for (;;) {
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		if (recvmsg(fd, &msg, flags | MSG_DONTWAIT) < 0)
			break;
		take_error(run, &msg);
	}
}

/* Sends parts under a cork. Stops after the first error, because the kernel has
 * then discarded the pending data.
 */
static long send_corked(int fd, const struct addr *to, int len)
{
	int off, ret, piece = 700;

	if (set_int(fd, SOL_UDP, UDP_CORK, 1))
		die("UDP_CORK");
	for (off = 0; off < len; off += piece) {
		if (piece > len - off)
			piece = len - off;
		ret = send_to(fd, to, payload + off, piece);
		if (ret < 0) {
			set_int(fd, SOL_UDP, UDP_CORK, 0);
			return ret;
		}
	}
	ret = set_int(fd, SOL_UDP, UDP_CORK, 0);

	return ret ? ret : len;
}

/* Reads net.core.max_skb_frags, whose default and maximum is
 * CONFIG_MAX_SKB_FRAGS. Only the initial network namespace has this sysctl.
 */
static void read_max_skb_frags(void)
{
	FILE *file = fopen("/proc/sys/net/core/max_skb_frags", "r");

	if (!file)
		return;
	if (fscanf(file, "%d", &max_skb_frags) != 1 ||
	    max_skb_frags >= MAX_SPREAD)
		die("net.core.max_skb_frags");
	fclose(file);
}

/* Copies the payload to pieces that are 8192 bytes apart. If the kernel does
 * not copy them, each piece needs at least one page fragment.
 */
static struct msghdr *spread_pieces(const struct addr *to, int len, int pieces)
{
	static unsigned char pages[MAX_SPREAD][8192];
	struct gso_send s = {
		.to = to,
		.data = payload,
		.len = len,
		.cmsg = NO_SIZE,
		.pieces = pieces,
	};
	static struct gso_msg msg;
	int i;

	fill_msg(&msg, &s);
	for (i = 0; i < pieces; i++) {
		memcpy(pages[i], msg.iov[i].iov_base, msg.iov[i].iov_len);
		msg.iov[i].iov_base = pages[i];
	}

	return &msg.hdr;
}

static long send_pieces(int fd, const struct addr *to, int len, int pieces,
			int flags)
{
	ssize_t ret = sendmsg(fd, spread_pieces(to, len, pieces), flags);

	return ret < 0 ? -errno : ret;
}

static long send_zerocopy_corked(int fd, const struct addr *to, int len)
{
	int ret, half = len / 2;

	if (set_int(fd, SOL_UDP, UDP_CORK, 1))
		die("UDP_CORK");
	ret = send_pieces(fd, to, half, max_skb_frags, MSG_ZEROCOPY);
	if (ret == half)
		ret = send_to(fd, to, payload + half, len - half);
	if (set_int(fd, SOL_UDP, UDP_CORK, 0))
		die("UDP_CORK");

	return ret < 0 ? ret : len;
}

static long send_spliced(int fd, int len)
{
	struct msghdr *msg = spread_pieces(NULL, len, MAX_SPREAD);
	int pipes[2], done = 0;
	ssize_t ret;

	if (pipe(pipes) ||
	    fcntl(pipes[1], F_SETPIPE_SZ, MAX_SPREAD * getpagesize()) < 0 ||
	    vmsplice(pipes[1], msg->msg_iov, msg->msg_iovlen, 0) != len)
		die("vmsplice");
	if (set_int(fd, SOL_UDP, UDP_CORK, 1))
		die("UDP_CORK");
	do {
		ret = splice(pipes[0], NULL, fd, NULL, len - done, 0);
		done += ret;
	} while (ret > 0 && done < len);
	ret = ret < 0 ? -errno : done;
	if (set_int(fd, SOL_UDP, UDP_CORK, 0))
		die("UDP_CORK");
	close(pipes[0]);
	close(pipes[1]);

	return ret;
}

/* There must be one zerocopy notification, which reports that the data was
 * copied.
 */
static void expect_copied(struct run *run)
{
	int i, n = 0;

	for (i = 0; i < run->nr_errors; i++) {
		struct error *e = &run->errors[i];

		if (e->ee.ee_origin == SO_EE_ORIGIN_ZEROCOPY)
			expect_long("code of the notification",
				    SO_EE_CODE_ZEROCOPY_COPIED, e->ee.ee_code);
		else
			run->errors[n++] = *e;
	}
	expect_long("notifications", 1, run->nr_errors - n);
	run->nr_errors = n;
}

static long send_segmented(int fd, const struct addr *to, const struct op *op)
{
	if (set_int(fd, SOL_UDP, UDP_SEGMENT, op->size))
		die("UDP_SEGMENT");

	switch (op->how) {
	case CORK:
		return send_corked(fd, to, op->len);
	case PIECES:
		return send_pieces(fd, to, op->len, MAX_SPREAD, 0);
	case ZEROCOPY:
		return send_pieces(fd, to, op->len, MAX_SPREAD, MSG_ZEROCOPY);
	case ZEROCOPY_CORK:
		return send_zerocopy_corked(fd, to, op->len);
	case SPLICE:
		return send_spliced(fd, op->len);
	default:
		return send_to(fd, to, payload, op->len);
	}
}

static long send_datagrams(int fd, const struct addr *to, const struct op *op)
{
	int size = op->size ? op->size : op->len;
	int off = 0, ret, len;

	do {
		len = op->len - off < size ? op->len - off : size;
		ret = send_to(fd, to, payload + off, len);
		if (ret < 0 && !off)
			return ret;
		off += len;
	} while (off < op->len);

	return op->len;
}

/* tbf sends one packet immediately and the next one after several seconds.
 * pfifo_head_drop has room for three packets. For each additional packet,
 * pfifo_head_drop drops the oldest of the three and returns NET_XMIT_CN.
 */
static const struct queue full_queue = {
	"qdisc add dev d0 root handle 1: tbf rate 1kbit burst 1600 limit 1mb;"
	"qdisc add dev d0 parent 1:1 pfifo_head_drop limit 3",
	/* the higher rate applies when the next packet is enqueued */
	"qdisc change dev d0 root handle 1: tbf rate 1gbit burst 1mb limit 1mb",
};

/* The queue has room only for the last datagram, which is short. */
static const struct queue short_queue = {
	"qdisc add dev d0 root bfifo limit 500",
};

static const char no_queue[] = "qdisc del dev d0 root";

static bool queue_do(const char *what)
{
	return !what || tc_in(TX, "%s", what);
}

static bool run_program(const struct test_case *tc, const struct op *ops,
			const struct addr *to, bool connected, bool segmented,
			struct run *run)
{
	const struct row *row = tc->row;
	int i, fd, fence;
	struct addr fence_to;

	memset(run, 0, offsetof(struct run, data));
	run->used = 0;
	no_offload = row->no_offload;
	fd = plain_socket(tc, to, connected);
	fence = udp_socket(socket_domain(tc->fam), IPPROTO_UDP, 0);
	fence_to = addr_of(tc->fam, "192.0.2.8", "2001:db8::8", PORT);

	if (row->queue && !queue_do(row->queue->set))
		return false;
	for (i = 0; i < MAX_OPS && ops[i].len; i++) {
		run->ret[run->nr_rets++] =
			segmented ? send_segmented(fd, connected ? NULL : to,
						   &ops[i]) :
				    send_datagrams(fd, connected ? NULL : to,
						   &ops[i]);
		read_errors(fd, run, MSG_ERRQUEUE);
		read_errors(fd, run, 0);
	}
	if (row->queue && !queue_do(row->queue->open))
		return false;
	send_fence(fence, &fence_to);
	read_wire(run);
	if (row->queue)
		queue_do(no_queue);
	if (!case_failed)
		expect_outq_empty(fd);
	if (segmented && row->zerocopy) {
		read_errors(fd, run, MSG_ERRQUEUE);
		expect_copied(run);
	}
	close(fd);
	close(fence);

	return !case_failed &&
	       make_comparable(run, row->any_id && !connected,
			       topo_now == &xfrm_topo);
}

/* Comparison */

/* setsockopt(UDP_CORK, 0), which removes the cork, does not return errors of
 * IPsec.
 */
static bool hides_error(const struct op *op, long want, long got)
{
	return op->how == CORK && topo_now == &xfrm_topo &&
	       want == -EMSGSIZE && got == op->len;
}

static bool same_returns(const struct op *ops, const struct run *want,
			 const struct run *got)
{
	char what[32];
	int i;

	for (i = 0; i < want->nr_rets; i++) {
		snprintf(what, sizeof(what), "result of send %d", i + 1);
		if (!hides_error(&ops[i], want->ret[i], got->ret[i]))
			expect_ret(what, want->ret[i], got->ret[i]);
	}

	return !case_failed;
}

static void print_error(const char *whose, const struct error *e)
{
	fail("%s: error queue: errno %d, origin %d, type %d, code %d, info %u, path MTU %u",
	     whose, e->ee.ee_errno, e->ee.ee_origin, e->ee.ee_type,
	     e->ee.ee_code, e->ee.ee_info, e->mtu);
}

static bool same_errors(const struct run *want, const struct run *got)
{
	int i, n = want->nr_errors;

	expect_long("entries in the error queue", n, got->nr_errors);
	for (i = 0; i < n && i < got->nr_errors; i++) {
		if (!memcmp(&want->errors[i], &got->errors[i],
			    sizeof(want->errors[i])))
			continue;
		print_error("plain", &want->errors[i]);
		print_error("segmented", &got->errors[i]);
	}
	for (; i < n; i++)
		print_error("plain", &want->errors[i]);

	return !case_failed;
}

static bool same_frames(const struct run *want, const struct run *got)
{
	int i, j;

	for (i = 0; i < want->nr_frames && i < got->nr_frames; i++) {
		const struct seen *w = &want->frames[i], *g = &got->frames[i];

		if (w->len != g->len)
			return fail("frame %d: plain has %d bytes, segmented %d",
				    i, w->len, g->len);
		for (j = 0; j < w->len; j++)
			if (w->ip[j] != g->ip[j])
				return fail("frame %d, byte %d: %02x, not %02x",
					    i, j, g->ip[j], w->ip[j]);
	}

	return expect_long("frames", want->nr_frames, got->nr_frames);
}

/* Sends with segments below, at, above and far above the path MTU. In some of
 * the sends, the last segment is short.
 */
static void fill_ops(struct op *ops, int limit)
{
	const struct op by_mtu[MAX_OPS] = {
		{ 3 * limit, limit },
		{ 2 * limit + 3, limit + 1 },
		{ limit + 1, limit + 1 },
		{ limit + 1, 65535 },
		{ 40000, 9000 },
		{ 100, 0 },
		{ 2100, limit + 20, CORK },
		{ 2500, 1000, CORK },
	};

	memcpy(ops, by_mtu, sizeof(by_mtu));
}

static bool compare_runs(const struct test_case *tc, const struct op *ops,
			 const struct addr *to, bool connected)
{
	drain_wire();
	if (run_program(tc, ops, to, connected, false, &runs[0]) &&
	    run_program(tc, ops, to, connected, true, &runs[1])) {
		same_returns(ops, &runs[0], &runs[1]);
		same_errors(&runs[0], &runs[1]);
		same_frames(&runs[0], &runs[1]);
	}

	return !case_failed || fail("%s", state_name[connected]);
}

static const char *route_features(int route, int feature)
{
	return routes[route].features ? : features[feature];
}

static void test_row(const struct test_case *tc)
{
	static const int mtus[] = { 1500, 1300 };
	int feature = tc->dev / (int)ARRAY_SIZE(routes);
	int route = tc->dev % (int)ARRAY_SIZE(routes);
	struct addr to = addr_of(tc->fam, routes[route].to4,
				 routes[route].to6, PORT);
	int headers = tc->fam == V6 ? 48 : 28;
	const struct row *row = tc->row;
	struct op ops[MAX_OPS];
	size_t i;

	if (row->proto && !has_udplite())
		return;

	if (routes[route].topo == &offload_topo && access(nsim_bus, F_OK)) {
		case_skipped = "needs netdevsim";
		return;
	}
	if (!kernel_supports_segment() ||
	    !topo_up(routes[route].topo, route_features(route, feature)))
		return;
	if (row->ops) {
		if (row->connected || compare_runs(tc, row->ops, &to, false))
			compare_runs(tc, row->ops, &to, true);
		return;
	}
	for (i = 0; i < 2 * ARRAY_SIZE(mtus); i++) {
		fill_ops(ops, mtus[i / 2] - headers - row->headers);
		if (!compare_runs(tc, ops, &to, i % 2)) {
			fail("segments for a path MTU of %d", mtus[i / 2]);
			return;
		}
	}
}

/* Path MTU */

#define DISCOVER(how) { \
	SOL_IP, IP_MTU_DISCOVER, SOL_IPV6, IPV6_MTU_DISCOVER, how }
#define OPTIONS { SOL_IP, IP_OPTIONS, 0, 0, 0, nops, sizeof(nops) }
#define HOPOPTS { 0, 0, SOL_IPV6, IPV6_HOPOPTS, 0, padn_8, sizeof(padn_8) }
#define DSTOPTS { 0, 0, SOL_IPV6, IPV6_DSTOPTS, 0, padn_8, sizeof(padn_8) }
#define SET6(name, val) { 0, 0, SOL_IPV6, name, val }

static const unsigned char nops[12] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
static const unsigned char padn_8[8] = { 0, 0, 1, 4 };

static const struct row mtu_rows[] = {
	{ "default", FALL },
	{ "DONT", FALL, { DISCOVER(IP_PMTUDISC_DONT) } },
	{ "WANT", FALL, { DISCOVER(IP_PMTUDISC_WANT) } },
	{ "DO", FALL, { DISCOVER(IP_PMTUDISC_DO) }, .any_id = true },
	{ "PROBE", FALL, { DISCOVER(IP_PMTUDISC_PROBE) }, .any_id = true },
	{ "INTERFACE", FALL, { DISCOVER(IP_PMTUDISC_INTERFACE) } },
	/* With OMIT, __xfrm6_output() compares the length of a datagram with
	 * the MTU of the device. The fragments of the datagram therefore have
	 * no room for the headers of an IPv6 IPsec tunnel. The fragments of a
	 * plain send have this room.
	 */
	{ "OMIT", FALL, { DISCOVER(IP_PMTUDISC_OMIT) },
	  .not6 = 1 << ESP_TUNNEL | 1 << AH_TUNNEL },
	{ "DONTFRAG", F6, { SET6(IPV6_DONTFRAG, 1) } },
	{ "DONTFRAG, DO", F6, { SET6(IPV6_DONTFRAG, 1),
				DISCOVER(IPV6_PMTUDISC_DO) } },
	{ "IPV6_MTU 1300", F6, { SET6(IPV6_MTU, 1300) } },
	{ "IPV6_MTU 1300, DO", F6, { SET6(IPV6_MTU, 1300),
				     DISCOVER(IPV6_PMTUDISC_DO) } },
	{ "IPV6_MTU 1300, DONTFRAG", F6, { SET6(IPV6_MTU, 1300),
					   SET6(IPV6_DONTFRAG, 1) } },
	{ "options", F4, { OPTIONS }, .headers = 12 },
	{ "options, DO", F4, { OPTIONS, DISCOVER(IP_PMTUDISC_DO) },
	  .headers = 12, .any_id = true },
	{ "hop-by-hop options", F6, { HOPOPTS }, .headers = 8 },
	{ "hop-by-hop options, DO", F6, { HOPOPTS,
					  DISCOVER(IPV6_PMTUDISC_DO) },
	  .headers = 8 },
	{ "destination options", F6, { DSTOPTS }, .headers = 8 },
	{ "destination options, DO", F6, { DSTOPTS,
					   DISCOVER(IPV6_PMTUDISC_DO) },
	  .headers = 8 },
	{ "destination options, DONTFRAG", F6, { DSTOPTS,
						 SET6(IPV6_DONTFRAG, 1) },
	  .headers = 8 },
};

/* IDs of consecutive sends */
static const struct op id_ops[MAX_OPS] = {
	{ 3000, 1000 },
	{ 3000, 1000 },
	{ 100 },
	{ 128, 1 },
	{ 1000, 1000 },
	{ 65507, 1452 },
	{ 2500, 1000, CORK },
	{ 100 },
};

static const struct row id_rows[] = {
	{ "no DF", F4 | FM, { DISCOVER(IP_PMTUDISC_DONT) }, id_ops },
	{ "DF", F4 | FM, { DISCOVER(IP_PMTUDISC_WANT) }, id_ops },
};

/* Sends of different shapes. Without checksum, with UDP-Lite, over the MTU or
 * with more than 128 segments, a send cannot be one GSO packet.
 */
static const struct op shape_ops[MAX_OPS] = {
	{ 3000, 1000 },
	{ 1000, 1000 },
	{ 2950, 1473 },
	{ 129, 1 },
	{ 12801, 100 },
	{ 65507, 511 },
	{ 2000, 7, CORK },
	{ 100 },
};

/* A send of a single datagram must have the same fragments as a plain send. */
static const struct op single_ops[MAX_OPS] = {
	{ 1453, 1453 },
	{ 2896, 2896 },
	{ 2897, 9000 },
	{ 4340, 9000 },
	{ 5785, 9000 },
	{ 7236, 65535 },
	{ 8972, 8972 },
	{ 65507, 65507 },
};

#define NO_CHECK(val) { SOL_SOCKET, SO_NO_CHECK, SOL_UDP, UDP_NO_CHECK6_TX, val }
#define COVERAGE(val) { \
	IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, \
	IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, val }

static const struct row shape_rows[] = {
	{ "UDP", FALL, {}, shape_ops },
	{ "single datagrams", FALL, {}, single_ops },
	{ "no checksum", FALL, { NO_CHECK(1) }, shape_ops },
	{ "no checksum, DONT", FALL, { NO_CHECK(1),
				       DISCOVER(IP_PMTUDISC_DONT) },
	  shape_ops },
	{ "no checksum, DO", FALL, { NO_CHECK(1), DISCOVER(IP_PMTUDISC_DO) },
	  shape_ops, .any_id = true },
	{ "UDP-Lite", F4 | F6, {}, shape_ops, .proto = IPPROTO_UDPLITE },
	{ "UDP-Lite, 8 bytes covered", F4 | F6, { COVERAGE(8) }, shape_ops,
	  .proto = IPPROTO_UDPLITE },
	{ "UDP-Lite, 500 bytes covered", F4 | F6, { COVERAGE(500) },
	  shape_ops, .proto = IPPROTO_UDPLITE },
};

/* The longest payload of a call */
static const struct row most_rows[] = {
	{ "no options", FALL },
	{ "options", F4 | FM, { OPTIONS }, .headers = 12 },
	{ "hop-by-hop options", F6, { HOPOPTS }, .headers = 8 },
	{ "destination options", F6, { DSTOPTS }, .headers = 8 },
	{ "both options", F6, { HOPOPTS, DSTOPTS }, .headers = 16 },
	{ "both options, UDP-Lite", F6, { HOPOPTS, DSTOPTS }, .headers = 16,
	  .proto = IPPROTO_UDPLITE },
};

/* Packets for crypto offload must fit the path MTU with their ESP headers. */
static const struct op offload_ops[MAX_OPS] = {
	{ 3000, 1000 },
	{ 1000, 1000 },
	{ 60000, 1300 },
	{ 2601, 1300 },
	{ 129, 1 },
	{ 12801, 100 },
	{ 2000, 700, CORK },
	{ 100 },
};

static const struct row offload_rows[] = {
	{ "default", FALL, {}, offload_ops },
	{ "DONT", FALL, { DISCOVER(IP_PMTUDISC_DONT) }, offload_ops },
	{ "DO", FALL, { DISCOVER(IP_PMTUDISC_DO) }, offload_ops,
	  .any_id = true },
	{ "no checksum", FALL, { NO_CHECK(1) }, offload_ops },
	{ "UDP-Lite", F4 | F6, {}, offload_ops, .proto = IPPROTO_UDPLITE },
	/* xfrm_dev_offload_ok() of newer kernels refuses these headers. */
	{ "options", F4, { OPTIONS }, offload_ops, .no_offload = true },
	{ "hop-by-hop options", F6, { HOPOPTS }, offload_ops,
	  .no_offload = true },
};

/* More pieces than a packet can have page fragments */
#define ZEROCOPY_ON { SOL_SOCKET, SO_ZEROCOPY, SOL_SOCKET, SO_ZEROCOPY, 1 }

static const struct op pieces_ops[MAX_OPS] = { { 60000, 1000, PIECES } };
static const struct op zerocopy_ops[MAX_OPS] = { { 60000, 1000, ZEROCOPY } };
static const struct op zerocopy_cork_ops[MAX_OPS] = {
	{ 60000, 1000, ZEROCOPY_CORK },
};

static const struct op splice_ops[MAX_OPS] = { { 60000, 1000, SPLICE } };

static const struct row piece_rows[] = {
	{ "copied", FALL, {}, pieces_ops },
	{ "zerocopy", FALL, { ZEROCOPY_ON }, zerocopy_ops, .zerocopy = true },
	{ "zerocopy, corked", FALL, { ZEROCOPY_ON }, zerocopy_cork_ops,
	  .zerocopy = true },
	{ "spliced", FALL, {}, splice_ops, .connected = true },
};

/* If the queue drops a datagram, the following datagrams are still sent. */
static const struct op queue_ops[MAX_OPS] = { { 10000, 1000 } };
/* If the first datagram is dropped, none of the datagrams is sent. Only an xfrm
 * interface sends the remaining datagrams.
 */
static const struct op short_ops[MAX_OPS] = { { 3100, 1000 } };

static const struct row queue_rows[] = {
	{ "queue drops some", F4 | F6, {}, queue_ops, .queue = &full_queue },
	{ "queue drops some, no checksum", F4 | F6, { NO_CHECK(1) }, queue_ops,
	  .queue = &full_queue },
	{ "queue accepts only the last", F4 | F6, {}, short_ops, .queue = &short_queue },
};

static const struct row split_queue_rows[] = {
	{ "queue accepts only the last, no checksum", F4 | F6, { NO_CHECK(1) }, short_ops,
	  .queue = &short_queue },
};

/* No packet of a send may exceed gso_max_segs or gso_max_size of the device. */

static const struct topo limited_topos[] = {
	{ .tx = "link set d0 gso_max_segs 64" },
	{ .tx = "link set d0 gso_max_segs 1" },
	{ .tx = "link set d0 gso_max_size 20000" },
};

static const struct limit_row {
	const char *name;
	const struct topo *topo;
	int len, size;
	int part;		/* segments per packet */
} limit_rows[] = {
	{ "gso_max_segs 64, 64 segments", &limited_topos[0], 64000, 1000, 64 },
	{ "gso_max_segs 64, 65 segments", &limited_topos[0], 58500, 900, 64 },
	{ "gso_max_segs 64, 128 segments", &limited_topos[0], 64000, 500, 64 },
	{ "gso_max_segs 64, 300 segments", &limited_topos[0], 30000, 100, 64 },
	{ "gso_max_segs 1", &limited_topos[1], 3001, 1000, 1 },
	{ "gso_max_size 20000", &limited_topos[2], 60000, 1000, 19 },
	{ "gso_max_size 20000, one packet", &limited_topos[2], 19000, 1000, 19 },
};

static bool expect_parts(const struct ends *e, const struct limit_row *row)
{
	int most = row->part * row->size, off = 0, len;
	struct walk w;

	for (;;) {
		if (wire_recv(e->wire) < 0) {
			if (!readable(e->wire, RX_TIMEOUT_MS))
				return fail("the fence is lost on the wire");
			continue;
		}
		if (!wire_walk(&w, e->l3))
			return false;
		if (w.ignored)
			continue;
		if (is_fence(w.data, w.len))
			return expect_long("total bytes", row->len, off);
		len = row->len - off < most ? row->len - off : most;
		if (!expect_long("bytes of a packet", len, w.len))
			return false;
		off += len;
	}
}

static void test_limit(const struct test_case *tc)
{
	const struct limit_row *row = tc->row;
	struct gso_send s = {
		.data = payload,
		.len = row->len,
		.cmsg = row->size,
	};
	struct expect exp = {
		.data = payload,
		.len = row->len,
		.size = row->size,
		.count = (row->len + row->size - 1) / row->size,
	};
	struct ends e;

	if (!kernel_supports_segment())
		return;
	if (!topo_open(&e, row->topo, "", tc->fam))
		goto close;
	s.to = &e.to;
	if (expect_ret("send", s.len, gso_send(e.tx, &s))) {
		send_fence(e.tx, &e.to);
		expect_parts(&e, row);
		expect_rx(e.rx, &e.from, &exp, 1);
	}
close:
	ends_close(&e);
}

static void add_limits(void)
{
	enum family fam;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limit_rows); i++)
		for (fam = V4; fam <= V6; fam++)
			add_case(test_limit, &limit_rows[i], fam, 0,
				 "limit: %s %s", family_name[fam],
				 limit_rows[i].name);
}

static void test_most(const struct test_case *tc)
{
	struct addr to = addr_of(tc->fam, routes[0].to4, routes[0].to6, PORT);
	const struct row *row = tc->row;
	int most = (tc->fam == V6 ? 65527 : 65507) - row->headers;
	const struct op ops[MAX_OPS] = { { most, 1000 } };
	const struct op over = { most + 1, 1000 };
	int fd;

	if (row->proto && !has_udplite())
		return;

	if (!kernel_supports_segment() || !topo_up(&plain_topo, features[0]) ||
	    !compare_runs(tc, ops, &to, false))
		return;
	fd = plain_socket(tc, &to, false);
	expect_ret("one more byte", -EMSGSIZE, send_segmented(fd, &to, &over));
	close(fd);
}

static void add_most(void)
{
	enum family fam;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(most_rows); i++)
		for (fam = V4; fam < FAMILIES; fam++)
			if (most_rows[i].fams & (1 << fam))
				add_case(test_most, &most_rows[i], fam, 0,
					 "longest payload: %s %s", family_name[fam],
					 most_rows[i].name);
}

static void add_rows(const char *what, const struct row *rows, size_t nr,
		     int on_routes)
{
	int dev, route, feature;
	enum family fam;
	size_t i;

	for (i = 0; i < nr; i++)
		for (fam = V4; fam < FAMILIES; fam++)
			for (dev = 0; dev < (int)ARRAY_SIZE(features) *
					    (int)ARRAY_SIZE(routes); dev++) {
				route = dev % ARRAY_SIZE(routes);
				feature = dev / ARRAY_SIZE(routes);
				if (fam == V6 && rows[i].not6 & (1 << route))
					continue;
				if (feature && routes[route].features)
					continue;
				if (rows[i].fams & (1 << fam) &&
				    on_routes & (1 << route))
					add_case(test_row, &rows[i], fam, dev,
						 "%s: %s %s, %s, %s", what,
						 family_name[fam],
						 rows[i].name,
						 routes[route].name,
						 route_features(route,
								feature));
			}
}

int main(int argc, char **argv)
{
	read_max_skb_frags();
	topo_init();
	payload_half_text();
	add_rows("MTU", mtu_rows, ARRAY_SIZE(mtu_rows), R_CLEAR);
	add_rows("ID", id_rows, ARRAY_SIZE(id_rows), R_CLEAR);
	add_rows("shape", shape_rows, ARRAY_SIZE(shape_rows), R_LINK);
	add_rows("pieces", piece_rows, ARRAY_SIZE(piece_rows), R_LINK);
	add_most();
	add_limits();
	add_rows("queue", queue_rows, ARRAY_SIZE(queue_rows), R_QUEUE);
	add_rows("queue", split_queue_rows, ARRAY_SIZE(split_queue_rows),
		 R_LINK | R_QUEUE);
	add_rows("ESP", mtu_rows, ARRAY_SIZE(mtu_rows), R_ESP);
	add_rows("ESP", shape_rows, ARRAY_SIZE(shape_rows), R_ESP);
	add_rows("IPsec", mtu_rows, ARRAY_SIZE(mtu_rows), R_OTHERS);
	add_rows("IPsec", shape_rows, ARRAY_SIZE(shape_rows), R_OTHERS);
	add_rows("IPsec", offload_rows, ARRAY_SIZE(offload_rows), R_OFFLOAD);
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
