// SPDX-License-Identifier: GPL-2.0
/* Reads and checks every packet of a send with UDP_SEGMENT.
 *
 * The packets are read from a TUN or TAP device, or by a packet socket at the
 * other end of a veth pair. Offloads of the device are on or off. Lengths,
 * checksums, identification, extension headers, payload and order are checked
 * by code that is independent of the kernel.
 *
 * udpgso.sh creates the two namespaces in which this runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/net_tstamp.h>
#include <linux/virtio_net.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "udpgso_lib.h"

#define IP_DF_BIT	0x4000
#define GSO_MAX_SIZE	65536	/* default gso_max_size of a device */

#define TUN_DEV		"gsotun"
#define TNL_DEV		"gsotnl"
#define PEER_MAC	"02:00:00:00:00:63"

/* Devices */

struct conf {
	const char *name;
	enum { TUN, TAP, PAIR } kind;
	const char *features;	/* for ethtool -K */
	bool csum;		/* the device has checksum offload */
	bool uso;		/* the device gets GSO packets */
	bool base;		/* also for test_multiples(), add_tun_cases() */
};

static const struct conf confs[] = {
	{ "tun", TUN, "sg on", false, false, true },
	{ "tun sg off", TUN, "sg off", false, false },
	{ "tun gso off", TUN, "gso off", false, false },
	{ "tun csum", TUN, "sg on tx on", true, false, true },
	{ "tun csum sg off", TUN, "sg off tx on", true, false },
	{ "tun csum off", TUN, "sg on tx off", false, false },
	{ "tap", TAP, "sg on", false, false },
	{ "tap csum", TAP, "sg on tx on", true, false },
	{ "veth", PAIR, "tx off sg off tx-udp-segmentation off", false, false },
	{ "veth sg", PAIR, "tx off sg on tx-udp-segmentation off", false,
	  false },
	{ "veth csum", PAIR, "tx on sg off tx-udp-segmentation off", true,
	  false },
	{ "veth csum sg", PAIR, "tx on sg on tx-udp-segmentation off", true,
	  false },
	{ "veth uso", PAIR, "tx off sg off tx-udp-segmentation on", false,
	  false },
	{ "veth uso sg", PAIR, "tx off sg on tx-udp-segmentation on", false,
	  false },
	{ "veth uso csum", PAIR, "tx on sg off tx-udp-segmentation on", true,
	  true },
	{ "veth uso csum sg", PAIR, "tx on sg on tx-udp-segmentation on", true,
	  true },
};

static struct wire {
	const struct conf *conf;
	const char *dev;
	int fd;
	bool vnet_hdr;
	const char *local4, *local6;
	const char *peer4, *peer6;
	const char *via6;	/* the first hop of a routing header */
} wire;

struct packet {
	unsigned char buf[1 << 17];
	unsigned char *ip;
	int len;
	bool partial;
	int csum_start;		/* offset from ip; -1: unknown */
	int csum_offset;
};

static int tun_open(bool tap, bool vnet_hdr)
{
	struct ifreq ifr = {};
	int fd;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (fd < 0)
		die("/dev/net/tun");

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), TUN_DEV);
	ifr.ifr_flags = (tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI |
			(vnet_hdr ? IFF_VNET_HDR : 0);
	if (ioctl(fd, TUNSETIFF, &ifr))
		die("TUNSETIFF");
	if (ioctl(fd, TUNSETOFFLOAD, vnet_hdr ? TUN_F_CSUM : 0))
		die("TUNSETOFFLOAD");

	return fd;
}

static int packet_open(const char *dev)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int fd;

	enter_netns(peer_netns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("packet socket");

	sll.sll_ifindex = if_nametoindex(dev);
	if (set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1) ||
	    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20) ||
	    bind(fd, (void *)&sll, sizeof(sll)))
		die("packet socket");
	enter_netns(home_netns);

	return fd;
}

static void wire_close(void)
{
	if (!wire.conf)
		return;

	close(wire.fd);
	if (wire.conf->kind == PAIR)
		sh("ethtool -K gso0 %s > /dev/null 2>&1",
		   "tx on sg on tx-udp-segmentation on");
	wire.conf = NULL;
}

/* No host has the peer addresses, so that no replies are sent. */
static bool wire_open(const struct conf *conf)
{
	static const struct conf *refused;
	bool pair = conf->kind == PAIR;

	if (wire.conf == conf)
		return true;
	if (conf == refused)
		return fail("the device does not support these features");
	wire_close();

	wire.conf = conf;
	wire.dev = pair ? "gso0" : TUN_DEV;
	wire.local4 = pair ? "192.0.2.1" : "10.77.0.1";
	wire.local6 = pair ? "2001:db8::1" : "fd77::1";
	wire.peer4 = pair ? "192.0.2.99" : "10.77.0.99";
	wire.peer6 = pair ? "2001:db8::99" : "fd77::99";
	wire.via6 = pair ? "2001:db8::98" : "fd77::98";
	wire.vnet_hdr = !pair && strstr(conf->name, "csum");
	wire.fd = pair ? packet_open("gso0") :
			 tun_open(conf->kind == TAP, wire.vnet_hdr);

	if (!pair)
		must_sh("ip -batch - <<- END\n"
			"link set %s addrgenmode none up\n"
			"addr add %s/24 dev %s\n"
			"addr add %s/64 dev %s nodad\nEND",
			TUN_DEV, wire.local4, TUN_DEV, wire.local6, TUN_DEV);
	if (conf->kind != TUN)
		must_sh("ip -batch - <<- END\n"
			"neigh replace %s lladdr %s dev %s\n"
			"neigh replace %s lladdr %s dev %s\n"
			"neigh replace %s lladdr %s dev %s\nEND",
			wire.peer4, PEER_MAC, wire.dev,
			wire.peer6, PEER_MAC, wire.dev,
			wire.via6, PEER_MAC, wire.dev);
	if (!sh("ethtool -K %s %s > /dev/null 2>&1", wire.dev, conf->features))
		return true;

	wire_close();
	refused = conf;

	return fail("ethtool -K %s %s", wire.dev, conf->features);
}

static int packet_recv(struct packet *p)
{
	struct iovec iov = { p->buf, sizeof(p->buf) };
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct tpacket_auxdata aux = {};
	struct sockaddr_ll sll;
	struct msghdr msg = {
		.msg_name = &sll,
		.msg_namelen = sizeof(sll),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int ret;

	ret = recvmsg(wire.fd, &msg, 0);
	if (ret < 0)
		return ret;

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_PACKET &&
		    cmsg->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));

	p->partial = aux.tp_status & TP_STATUS_CSUMNOTREADY;
	p->csum_start = -1;
	p->ip = p->buf + ETH_HLEN;
	p->len = ret - ETH_HLEN;

	return sll.sll_pkttype == PACKET_OUTGOING ? 0 : ret;
}

static int tun_recv(struct packet *p)
{
	int mac_len = wire.conf->kind == TAP ? ETH_HLEN : 0;
	struct virtio_net_hdr vh = {};
	int off = 0, ret;

	ret = read(wire.fd, p->buf, sizeof(p->buf));
	if (ret < 0)
		return ret;

	if (wire.vnet_hdr) {
		memcpy(&vh, p->buf, sizeof(vh));
		off = sizeof(vh);
		if (vh.gso_type != VIRTIO_NET_HDR_GSO_NONE)
			fail("packet of gso type %d", vh.gso_type);
	}
	p->ip = p->buf + off + mac_len;
	p->len = ret - off - mac_len;
	p->partial = vh.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	p->csum_start = vh.csum_start - mac_len;
	p->csum_offset = vh.csum_offset;

	return ret;
}

/* Reads the next IP packet. */
static bool wire_recv(struct packet *p)
{
	int ret, proto;

	for (;;) {
		ret = wire.conf->kind == PAIR ? packet_recv(p) : tun_recv(p);
		if (ret < 0 && errno == EAGAIN) {
			if (!readable(wire.fd, RX_TIMEOUT_MS))
				return fail("the fence is lost");
			continue;
		}
		if (ret < 0)
			die("read of a packet");
		if (!ret)
			continue;
		if (wire.conf->kind == TUN)
			return true;
		proto = p->ip[-2] << 8 | p->ip[-1];
		if (proto == ETH_P_IP || proto == ETH_P_IPV6)
			return true;
	}
}

/* Checksums as in RFC 1071: 16 bits at a time, big endian, end-around carry */

static __u32 csum_bytes(__u32 sum, const unsigned char *p, int len)
{
	int i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);

	return sum;
}

static __u32 csum_pseudo(const unsigned char *src, const unsigned char *dst,
			 int addr_len, int len)
{
	const unsigned char tail[] = { len >> 8, len, 0, IPPROTO_UDP };

	return csum_bytes(csum_bytes(csum_bytes(0, src, addr_len),
				     dst, addr_len),
			 tail, sizeof(tail));
}

static int get16(const unsigned char *p)
{
	return p[0] << 8 | p[1];
}

/* Checks in addition to lengths and payload */
struct spec {
	const unsigned char *ext;	/* IP options or extension headers */
	int ext_len;
	int first_nh;			/* next header of IPv6, if ext is set */
	const char *via6;		/* address in the IPv6 header */
	int df;				/* 1: set, -1: not set, 0: either */
	bool no_offload;		/* one segment per packet */
	int tunnel;			/* enum tunnel */
};

enum tunnel { NO_TUNNEL, OVER_V4, OVER_V6 };

struct wire_flow {
	enum family fam;
	int tx;
	int fence;
	struct addr local;
	struct addr to;
	struct addr fence_to;
	struct spec spec;
};

static struct packet pkt, first_pkt;

static bool check_ipv4(const unsigned char *ip, int len, int *hlen)
{
	*hlen = (ip[0] & 0xf) * 4;
	if (len < 20 || *hlen < 20 || *hlen > len)
		return fail("IPv4 header of %d bytes in %d bytes", *hlen, len);
	if (!expect_long("IPv4 total length", len, get16(ip + 2)))
		return false;
	if (csum_bytes(0, ip, *hlen) != 0xffff)
		return fail("wrong IPv4 header checksum");

	return expect_long("IPv4 fragment offset", 0,
			   get16(ip + 6) & ~IP_DF_BIT);
}

static bool check_ipv6(const unsigned char *ip, int len)
{
	if (len < 40)
		return fail("IPv6 packet of %d bytes", len);

	return expect_long("IPv6 payload length", len - 40, get16(ip + 4));
}

/* The GRE checksum has no pseudo header. It may be partial. */
static bool check_gre_csum(const unsigned char *gre, int len)
{
	const unsigned char *inner;
	unsigned int sum = 0;

	if (pkt.partial && gre - pkt.ip == pkt.csum_start) {
		pkt.partial = false;
		return expect_long("offset of the GRE checksum", 4,
				   pkt.csum_offset) &&
		       expect_long("partial GRE checksum", 0, get16(gre + 4));
	}
	/* A device that completes the inner checksum makes the checksum of the
	 * inner UDP header and payload the complement of what the checksum
	 * field contains.
	 */
	if (pkt.partial) {
		inner = pkt.ip + pkt.csum_start;
		sum = 0xffff & ~get16(inner + pkt.csum_offset);
		len = inner - gre;
	}
	if (csum_bytes(sum, gre, len) != 0xffff)
		return fail("wrong GRE checksum");

	return true;
}

/* Skips the headers of the tunnel. */
static bool decapsulate(enum tunnel tunnel, unsigned char **ip, int *len)
{
	unsigned char *p = *ip;
	int hlen = 40, nh;

	if (tunnel == OVER_V4) {
		if (!check_ipv4(p, *len, &hlen))
			return false;
		nh = p[9];
	} else {
		if (!check_ipv6(p, *len))
			return false;
		nh = p[6];
		if (nh == IPPROTO_DSTOPTS) {	/* tunnel encapsulation limit */
			nh = p[40];
			hlen += (p[41] + 1) * 8;
		}
	}

	if (nh == IPPROTO_GRE) {
		int flags = get16(p + hlen);

		if (flags & 0x7fff)
			return fail("GRE flags 0x%x", flags);
		if (flags && !check_gre_csum(p + hlen, *len - hlen))
			return false;
		hlen += flags ? 8 : 4;
	} else if (nh != IPPROTO_IPIP && nh != IPPROTO_IPV6) {
		return fail("protocol %d in the tunnel", nh);
	}
	*ip += hlen;
	*len -= hlen;

	return true;
}

static bool check_udp_csum(const struct wire_flow *f, const unsigned char *udp,
			   int len, const unsigned char *src,
			   const unsigned char *dst, int addr_len)
{
	__u32 pseudo = csum_pseudo(src, dst, addr_len, len);
	bool may = wire.conf->csum, must = may && !f->spec.no_offload;
	__u32 check = get16(udp + 6);

	if (pkt.partial ? !may : must)
		return expect_long("partial checksum", may,
				   pkt.partial);

	if (!pkt.partial) {
		if (!check)
			return fail("UDP checksum 0");
		if (csum_bytes(pseudo, udp, len) != 0xffff)
			return fail("wrong UDP checksum 0x%04x", check);
		return true;
	}

	if (pkt.csum_start >= 0 &&
	    (!expect_long("start of the checksum", udp - pkt.ip,
			  pkt.csum_start) ||
	     !expect_long("offset of the checksum", 6, pkt.csum_offset)))
		return false;
	if (check % 0xffff != pseudo % 0xffff)
		return fail("partial checksum: expected 0x%04x, got 0x%04x",
			    pseudo, check);

	return true;
}

/* The IP header must be equal to the IP header of the first datagram of the
 * call, except for length and IPv4 checksum. The IPv4 ID must be that of the
 * first datagram plus @nr.
 */
static bool check_same_ip(const unsigned char *ip, const unsigned char *first,
			  bool v6, int nr)
{
	if (v6) {
		if (memcmp(ip, first, 4) || memcmp(ip + 6, first + 6, 34))
			return fail("IPv6 header differs from the first one");
		return true;
	}
	if (memcmp(ip, first, 2) || memcmp(ip + 6, first + 6, 4) ||
	    memcmp(ip + 12, first + 12, 8))
		return fail("IPv4 header differs from the first one");

	return expect_long("IPv4 identification",
			   (get16(first + 4) + nr) & 0xffff, get16(ip + 4));
}

static const unsigned char *in_addr_bytes(const struct addr *a, int *len)
{
	if (a->sa.sa_family == AF_INET) {
		*len = 4;
		return (void *)&a->v4.sin_addr;
	}
	*len = IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr) ? 4 : 16;

	return a->v6.sin6_addr.s6_addr + 16 - *len;
}

static bool is_unrelated(const unsigned char *ip)
{
	if (ip[0] >> 4 == 4)
		return ip[9] == IPPROTO_IGMP;
	if (ip[6] == IPPROTO_HOPOPTS)		/* MLD has a router alert */
		return ip[40] == IPPROTO_ICMPV6;

	return ip[6] == IPPROTO_ICMPV6;
}

/* Checks one packet. If it is correct, returns true and the UDP datagram. */
static bool check_packet(const struct wire_flow *f, unsigned char *ip, int len,
			 bool plain, unsigned char **udp, int *udp_len)
{
	const struct spec *spec = &f->spec;
	int ext_len = plain ? 0 : spec->ext_len;
	int addr_len, hlen, nh, want_nh;
	const unsigned char *src, *dst;
	bool v6 = ip[0] >> 4 == 6;
	struct addr via;

	src = in_addr_bytes(&f->local, &addr_len);
	dst = in_addr_bytes(plain ? &f->fence_to : &f->to, &addr_len);
	if (!expect_long("IP version", addr_len == 16 ? 6 : 4, ip[0] >> 4))
		return false;

	if (v6) {
		if (!check_ipv6(ip, len))
			return false;
		hlen = 40 + ext_len;
		nh = ip[6];
		want_nh = ext_len ? spec->first_nh : IPPROTO_UDP;
	} else {
		if (!check_ipv4(ip, len, &hlen) ||
		    !expect_long("IPv4 header", 20 + ext_len, hlen))
			return false;
		if (spec->df && !plain &&
		    !expect_long("DF", spec->df > 0,
				 !!(get16(ip + 6) & IP_DF_BIT)))
			return false;
		nh = ip[9];
		want_nh = IPPROTO_UDP;
	}
	if (!expect_long("protocol", want_nh, nh))
		return false;
	if (ext_len && memcmp(ip + hlen - ext_len, spec->ext, ext_len))
		return fail("wrong options or extension headers");

	if (memcmp(ip + (v6 ? 8 : 12), src, addr_len))
		return fail("wrong source address");
	if (spec->via6 && !plain) {
		via = addr_of(V6, NULL, spec->via6, 0);
		if (memcmp(ip + 24, &via.v6.sin6_addr, addr_len))
			return fail("wrong first hop");
	} else if (memcmp(ip + (v6 ? 24 : 16), dst, addr_len)) {
		return fail("wrong destination address");
	}

	*udp = ip + hlen;
	*udp_len = len - hlen;
	if (*udp_len < 8)
		return fail("UDP header in %d bytes", *udp_len);
	if (plain)
		return true;

	return expect_long("source port", addr_port(&f->local), get16(*udp)) &&
	       expect_long("destination port", addr_port(&f->to),
			   get16(*udp + 2)) &&
	       expect_long("UDP length", *udp_len, get16(*udp + 4)) &&
	       check_udp_csum(f, *udp, *udp_len, src, dst, addr_len);
}

static bool is_fence(const unsigned char *ip, int len)
{
	int text_len = sizeof(fence_text);

	return len > text_len &&
	       !memcmp(ip + len - text_len, fence_text, text_len);
}

/* Reads and compares packets up to the fence. */
static bool wire_expect(struct wire_flow *f, const struct expect *exp,
			int nr_exp)
{
	struct stream st = { .exp = exp, .nr_exp = nr_exp };
	unsigned char *ip, *udp;
	int len, udp_len, nr;

	send_fence(f->fence, &f->fence_to);
	while (wire_recv(&pkt)) {
		ip = pkt.ip;
		len = pkt.len;
		if (case_failed) {
			if (is_fence(ip, len))
				break;
			continue;
		}
		if (f->spec.tunnel &&
		    !is_unrelated(ip) &&
		    !decapsulate(f->spec.tunnel, &ip, &len))
			continue;
		if (is_unrelated(ip))
			continue;
		if (is_fence(ip, len)) {
			check_packet(f, ip, len, true, &udp, &udp_len);
			break;
		}
		if (!check_packet(f, ip, len, false, &udp, &udp_len))
			continue;
		nr = st.nr;
		if (!stream_next(&st, udp + 8, udp_len - 8))
			continue;
		if (st.nr == 1) {
			memcpy(first_pkt.buf, ip, len);
			first_pkt.len = len;
			continue;
		}
		check_same_ip(ip, first_pkt.buf, ip[0] >> 4 == 6, nr);
	}

	return !case_failed && stream_end(&st);
}

/* A device with USO gets one GSO packet, or two packets if the send exceeds
 * GSO_MAX_SIZE.
 */
static bool wire_expect_call(struct wire_flow *f, const unsigned char *data,
			     int len, int size)
{
	int hlen = ETH_HLEN + (f->fam == V6 ? 40 : 20) + f->spec.ext_len + 8;
	bool gso = wire.conf->uso && !f->spec.no_offload;
	int most = (GSO_MAX_SIZE - 1 - hlen) / size * size;
	int part = gso && hlen + len >= GSO_MAX_SIZE ? most : len;
	struct expect exp[] = {
		{
			.data = data,
			.len = part,
			.size = gso ? 0 : size,
			.count = gso || !len ? 1 : (len + size - 1) / size,
		}, {
			.data = data + part,
			.len = len - part,
			.count = 1,
		},
	};

	return wire_expect(f, exp, part < len ? 2 : 1);
}

static bool wire_flow_to(struct wire_flow *f, enum family fam,
			 const char *local4, const char *local6,
			 const char *peer4, const char *peer6)
{
	enum family wire_fam = fam == V6 ? V6 : V4;
	int domain = socket_domain(fam);
	struct addr local;

	memset(f, 0, sizeof(*f));
	f->fam = fam;
	f->to = addr_of(fam, peer4, peer6, 4242);
	f->fence_to = addr_of(wire_fam, peer4, peer6, 4242);
	f->fence = udp_socket(socket_domain(wire_fam), IPPROTO_UDP, 0);
	f->tx = udp_socket(domain, IPPROTO_UDP, 0);
	bind_any(f->tx, domain, &local);
	f->local = addr_of(wire_fam, local4, local6, addr_port(&local));

	return supports_segment(f->tx);
}

static bool wire_flow_open(struct wire_flow *f, const struct test_case *tc)
{
	memset(f, 0, sizeof(*f));
	f->tx = -1;
	f->fence = -1;
	if (!wire_open(&confs[tc->dev]))
		return false;

	return wire_flow_to(f, tc->fam, wire.local4, wire.local6, wire.peer4,
			    wire.peer6);
}

static void wire_flow_close(struct wire_flow *f)
{
	close(f->tx);
	close(f->fence);
}

static bool wire_send(struct wire_flow *f, const unsigned char *data, int len,
		      int size)
{
	struct gso_send s = {
		.to = &f->to,
		.data = data,
		.len = len,
		.cmsg = size,
	};

	if (expect_ret("send", len, gso_send(f->tx, &s)) &&
	    wire_expect_call(f, data, len, size))
		return true;

	return fail("%d bytes, segment size %d", len, size);
}

/* Payload lengths and segment sizes */

static const struct shape_row {
	const char *name;
	int len;
	int size;
} shape_rows[] = {
	{ "no payload", 0, 100 },
	{ "1 byte", 1, 1 },
	{ "1 byte, size 1000", 1, 1000 },
	{ "one byte below size", 999, 1000 },
	{ "exactly size", 1000, 1000 },
	{ "one byte above size", 1001, 1000 },
	{ "twice size", 2000, 1000 },
	{ "odd size", 4000, 333 },
	{ "128 segments of 1 byte", 128, 1 },
	{ "3 times size", 3 * 1000, 1000 },
	{ "64 times size", 64 * 500, 500 },
	{ "127 times size", 127 * 500, 500 },
	{ "128 times size", 128 * 500, 500 },
	{ "128 segments, last 1 byte", 127 * 500 + 1, 500 },
	{ "44 segments of 1452", 44 * 1452, 1452 },
	{ "65507 bytes", 65507, 1451 },
	{ "128 segments, 65507 bytes", 65507, 512 },
	{ "size 65535, small payload", 1000, 65535 },
};

static void test_shape(const struct test_case *tc)
{
	const struct shape_row *row = tc->row;
	struct wire_flow f;

	if (wire_flow_open(&f, tc))
		wire_send(&f, payload, row->len, row->size);
	wire_flow_close(&f);
}

static void test_multiples(const struct test_case *tc)
{
	struct wire_flow f;
	int n;

	if (wire_flow_open(&f, tc))
		for (n = 2; n <= UDP_SEGMENTS_MAX; n++)
			if (!wire_send(&f, payload + n, n * 50, 50))
				break;
	wire_flow_close(&f);
}

/* Methods to pass the payload to the kernel */

enum { BY_PIECES, BY_CORK, BY_MORE, BY_ZEROCOPY, BY_SENDFILE, METHODS };

static const char * const method_name[] = {
	"pieces", "cork", "MSG_MORE", "zerocopy", "sendfile"
};

static int send_file(int fd, int len)
{
	int file = memfd_create("udpgso", 0);
	off_t off = 0;
	int ret;

	if (file < 0 || write(file, payload, len) != len)
		die("memfd");
	ret = sendfile(fd, file, &off, len);
	if (ret < 0)
		ret = -errno;
	close(file);

	return ret;
}

static int send_by_method(struct wire_flow *f, int method, int len)
{
	struct gso_send s = {
		.to = &f->to,
		.data = payload,
		.len = len,
		.cmsg = NO_SIZE,
	};
	int i, part = len / 4, ret = 0;

	switch (method) {
	case BY_PIECES:
		s.pieces = 61;
		return gso_send(f->tx, &s);
	case BY_ZEROCOPY:
		if (set_int(f->tx, SOL_SOCKET, SO_ZEROCOPY, 1))
			die("SO_ZEROCOPY");
		s.flags = MSG_ZEROCOPY;
		return gso_send(f->tx, &s);
	case BY_SENDFILE:
		if (connect(f->tx, &f->to.sa, f->to.len))
			die("connect");
		return send_file(f->tx, len);
	}

	if (method == BY_CORK && set_int(f->tx, SOL_UDP, UDP_CORK, 1))
		die("UDP_CORK");
	for (i = 0; i < 4; i++) {
		s.data = payload + i * part;
		s.len = i < 3 ? part : len - 3 * part;
		s.flags = method == BY_MORE && i < 3 ? MSG_MORE : 0;
		ret += gso_send(f->tx, &s);
	}
	if (method == BY_CORK && set_int(f->tx, SOL_UDP, UDP_CORK, 0))
		die("UDP_CORK");

	return ret;
}

static void test_method(const struct test_case *tc)
{
	static const int lens[] = { 60000, 2000, 1001, 1000, 999 };
	int method = *(const int *)tc->row;
	struct wire_flow f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens) && !case_failed; i++) {
		if (wire_flow_open(&f, tc)) {
			set_int(f.tx, SOL_UDP, UDP_SEGMENT, 1000);
			expect_ret(method_name[method], lens[i],
				   send_by_method(&f, method, lens[i]));
			wire_expect_call(&f, payload, lens[i], 1000);
			if (case_failed)
				fail("%d bytes", lens[i]);
		}
		wire_flow_close(&f);
	}
}

/* Checksums that are computed as 0 */

static const struct zero_row {
	const char *name;
	int len;
	int size;
	int nr;			/* number of the segment */
} zero_rows[] = {
	{ "first", 5000, 1000, 0 },
	{ "middle", 5000, 1000, 2 },
	{ "last", 5000, 1000, 4 },
	{ "short last", 4500, 1000, 4 },
	{ "odd last", 4501, 1000, 4 },
	{ "last of two bytes", 4002, 1000, 4 },
	{ "odd first", 4995, 999, 0 },
	{ "single", 1000, 1000, 0 },
	{ "single, shorter than size", 700, 1000, 0 },
};

/* Chooses the first two bytes so that the checksum is computed as 0. */
static void make_zero_csum(const struct wire_flow *f, unsigned char *data,
			   int len)
{
	const int udp_len = len + 8, sport = addr_port(&f->local),
		  dport = addr_port(&f->to);
	const unsigned char udp[] = {
		sport >> 8, sport, dport >> 8, dport, udp_len >> 8, udp_len,
		0, 0
	};
	const unsigned char *src, *dst;
	__u32 sum;
	int addr_len;

	src = in_addr_bytes(&f->local, &addr_len);
	dst = in_addr_bytes(&f->to, &addr_len);
	data[0] = 0;
	data[1] = 0;
	sum = csum_pseudo(src, dst, addr_len, udp_len);
	sum = csum_bytes(sum, udp, sizeof(udp));
	sum = ~csum_bytes(sum, data, len);
	data[0] = sum >> 8;
	data[1] = sum;
}

static void test_zero_csum(const struct test_case *tc)
{
	const struct zero_row *row = tc->row;
	static unsigned char data[8192];
	int off = row->nr * row->size;
	struct wire_flow f;
	int len;

	memcpy(data, payload, sizeof(data));
	len = row->len - off < row->size ? row->len - off : row->size;
	if (wire_flow_open(&f, tc)) {
		make_zero_csum(&f, data + off, len);
		wire_send(&f, data, row->len, row->size);
	}
	wire_flow_close(&f);
}

/* Identification and DF */

static const struct df_row {
	const char *name;
	int discover;
	int df;
} df_rows[] = {
	{ "PMTUDISC_DO", IP_PMTUDISC_DO, 1 },
	{ "PMTUDISC_PROBE", IP_PMTUDISC_PROBE, 1 },
	{ "PMTUDISC_DONT", IP_PMTUDISC_DONT, -1 },
};

static void test_df(const struct test_case *tc)
{
	const struct df_row *row = tc->row;
	int connected, i;
	struct wire_flow f;

	for (connected = 0; connected < 2 && !case_failed; connected++) {
		if (wire_flow_open(&f, tc)) {
			if (set_int(f.tx, SOL_IP, IP_MTU_DISCOVER,
				    row->discover))
				die("IP_MTU_DISCOVER");
			if (connected && connect(f.tx, &f.to.sa, f.to.len))
				die("connect");
			f.spec.df = row->df;
			for (i = 0; i < 3; i++)
				wire_send(&f, payload, 5500, 1000);
		}
		wire_flow_close(&f);
	}
}

/* IPv4 options and IPv6 extension headers */

static const unsigned char nops[40] = {
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

static void test_ip_options(const struct test_case *tc)
{
	int len = *(const int *)tc->row;
	struct wire_flow f;

	if (wire_flow_open(&f, tc)) {
		if (setsockopt(f.tx, SOL_IP, IP_OPTIONS, nops, len))
			die("IP_OPTIONS");
		f.spec.ext = nops;
		f.spec.ext_len = len;
		wire_send(&f, payload, 20000, 1000);
		wire_send(&f, payload, 2 * (1472 - len), 1472 - len);
		wire_send(&f, payload, 500, 1000);
	}
	wire_flow_close(&f);
}

enum { HOP = 1, RTHDR_DST = 2, RTHDR = 4, DST = 8 };

static const int ip_option_rows[] = { 4, 12, 40 };

static const struct ext_row {
	const char *name;
	int what;
} ext_rows[] = {
	{ "hop-by-hop options", HOP },
	{ "destination options", DST },
	{ "routing header", RTHDR },
	{ "all extension headers", HOP | RTHDR_DST | RTHDR | DST },
};

/* The extension headers, in the order that they have in a packet */
static const struct {
	int what;
	int nh;
	int opt;
	int len;
	unsigned char val[40];
} ext_headers[] = {
	{ HOP, IPPROTO_HOPOPTS, IPV6_HOPOPTS, 8, { 0, 0, 1, 4 } },
	{ RTHDR_DST, IPPROTO_DSTOPTS, IPV6_RTHDRDSTOPTS, 16,
	  { 0, 1, 0x1e, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } },
	/* segment routing with one segment left, the final destination */
	{ RTHDR, IPPROTO_ROUTING, IPV6_RTHDR, 40, { 0, 4, 4, 1, 1 } },
	{ DST, IPPROTO_DSTOPTS, IPV6_DSTOPTS, 8, { 0, 0, 0x1e, 4, 6, 7, 8 } },
};

static int set_ext(struct wire_flow *f, int what, unsigned char *ext)
{
	unsigned char *nh = NULL;
	unsigned char val[40];
	struct addr hop;
	size_t i;
	int len = 0;

	hop = addr_of(V6, NULL, wire.via6, 0);
	for (i = 0; i < ARRAY_SIZE(ext_headers); i++) {
		if (!(what & ext_headers[i].what))
			continue;

		memcpy(val, ext_headers[i].val, sizeof(val));
		if (ext_headers[i].what == RTHDR) {
			memcpy(val + 8, &f->to.v6.sin6_addr, 16);
			memcpy(val + 24, &hop.v6.sin6_addr, 16);
			f->spec.via6 = wire.via6;
		}
		if (setsockopt(f->tx, SOL_IPV6, ext_headers[i].opt, val,
			       ext_headers[i].len))
			die("extension header %d", ext_headers[i].nh);

		if (nh)
			*nh = ext_headers[i].nh;
		else
			f->spec.first_nh = ext_headers[i].nh;
		nh = ext + len;
		memcpy(ext + len, val, ext_headers[i].len);
		len += ext_headers[i].len;
	}
	*nh = IPPROTO_UDP;

	return len;
}

static void test_ext(const struct test_case *tc)
{
	const struct ext_row *row = tc->row;
	unsigned char ext[128];
	struct wire_flow f;
	int len;

	if (wire_flow_open(&f, tc)) {
		len = set_ext(&f, row->what, ext);
		f.spec.ext = ext;
		f.spec.ext_len = len;
		f.spec.no_offload = true;
		wire_send(&f, payload, 20000, 1000);
		wire_send(&f, payload, 2 * (1452 - len), 1452 - len);
		wire_send(&f, payload, 1000, 1000);
	}
	wire_flow_close(&f);
}

/* Path MTU learned from ICMP */

#define LEARNED_MTU	1300

static void put16(unsigned char *p, int val)
{
	p[0] = val >> 8;
	p[1] = val;
}

/* Sends a "packet too big" error for the first packet of the last call. */
static void send_too_big(bool v6)
{
	int hlen = v6 ? 40 : 20, quote = v6 ? 1000 : 28, len;
	const unsigned char *was = first_pkt.buf;
	unsigned char buf[2048] = {};
	unsigned char *icmp = buf + hlen;
	__u32 sum = 0;

	len = hlen + 8 + quote;
	icmp[0] = v6 ? 2 : 3;
	icmp[1] = v6 ? 0 : 4;
	put16(icmp + 6, LEARNED_MTU);
	memcpy(icmp + 8, was, quote);
	buf[0] = v6 ? 0x60 : 0x45;
	if (v6) {
		put16(buf + 4, len - hlen);
		buf[6] = IPPROTO_ICMPV6;
		buf[7] = 64;
		memcpy(buf + 8, was + 24, 16);
		memcpy(buf + 24, was + 8, 16);
		sum = csum_pseudo(buf + 8, buf + 24, 16, len - hlen) +
		      IPPROTO_ICMPV6 - IPPROTO_UDP;
	} else {
		put16(buf + 2, len);
		buf[8] = 64;
		buf[9] = IPPROTO_ICMP;
		memcpy(buf + 12, was + 16, 4);
		memcpy(buf + 16, was + 12, 4);
		put16(buf + 10, ~csum_bytes(0, buf, hlen));
	}
	put16(icmp + 2, ~csum_bytes(sum, icmp, len - hlen));

	if (write(wire.fd, buf, len) != len)
		die("write of an ICMP packet");
}

static bool wait_path_mtu(const struct wire_flow *f, int want)
{
	bool v6 = f->fam == V6;
	int i, mtu = 0, fd;

	for (i = 0; i < RX_TIMEOUT_MS; i++) {
		fd = udp_socket(socket_domain(v6 ? V6 : V4), IPPROTO_UDP, 0);
		if (connect(fd, &f->fence_to.sa, f->fence_to.len))
			die("connect");
		mtu = v6 ? get_int(fd, SOL_IPV6, IPV6_MTU) :
			   get_int(fd, SOL_IP, IP_MTU);
		close(fd);
		if (mtu == want)
			return true;
		usleep(1000);
	}

	return expect_long("path MTU", want, mtu);
}

static void test_learned_mtu(const struct test_case *tc)
{
	int limit = LEARNED_MTU - (tc->fam == V6 ? 48 : 28);
	struct gso_send s = { .data = payload };
	struct wire_flow f;
	char peer[2][32];
	int connected;

	for (connected = 0; connected < 2 && !case_failed; connected++) {
		snprintf(peer[0], sizeof(peer[0]), "10.77.0.%d",
			 10 + 2 * tc->fam + connected);
		snprintf(peer[1], sizeof(peer[1]), "fd77::%d",
			 10 + 2 * tc->fam + connected);
		if (!wire_open(&confs[tc->dev]))
			return;
		if (!wire_flow_to(&f, tc->fam, wire.local4, wire.local6,
				  peer[0], peer[1]))
			goto close;
		never_fragment(f.tx, tc->fam);
		if (connected && connect(f.tx, &f.to.sa, f.to.len))
			die("connect");

		wire_send(&f, payload, 4000, limit + 1);
		send_too_big(tc->fam == V6);
		if (!wait_path_mtu(&f, LEARNED_MTU))
			goto close;
		/* clears the error from ICMP */
		get_int(f.tx, SOL_SOCKET, SO_ERROR);

		s.to = &f.to;
		s.len = 4000;
		s.cmsg = limit + 1;
		expect_ret("send over the path MTU", -EMSGSIZE,
			   gso_send(f.tx, &s));
		wire_expect(&f, NULL, 0);
		wire_send(&f, payload, 4000, limit);
		wire_send(&f, payload, limit, limit + 1);
		if (case_failed)
			fail("%s", state_name[connected]);
close:
		wire_flow_close(&f);
	}
}

/* The timestamp is that of the first segment. The error queue returns the
 * timestamp together with a copy of this segment, including its IP header.
 */
static void test_tstamp(const struct test_case *tc)
{
	int nr = 0, flags = SOF_TIMESTAMPING_TX_SOFTWARE |
			    SOF_TIMESTAMPING_SOFTWARE;
	unsigned char data[4096];
	struct wire_flow f;
	int ret;

	if (wire_flow_open(&f, tc)) {
		if (set_int(f.tx, SOL_SOCKET, SO_TIMESTAMPING, flags))
			die("SO_TIMESTAMPING");
		wire_send(&f, payload, 60000, 1400);
		for (;;) {
			ret = recv(f.tx, data, sizeof(data),
				   MSG_ERRQUEUE | MSG_DONTWAIT);
			if (ret < 0)
				break;
			nr++;
			if (expect_long("length of the timestamped packet",
					first_pkt.len, ret) &&
			    memcmp(data, first_pkt.buf, ret))
				fail("not the timestamp of the first segment");
		}
		expect_long("timestamps", 1, nr);
	}
	wire_flow_close(&f);
}

/* Tunnels over the device */

static const struct tunnel_row {
	const char *name;
	const char *args;
	enum tunnel tunnel;
} tunnel_rows[] = {
	{ "gre", "gre local 10.77.0.1 remote 10.77.0.99 ttl 64", OVER_V4 },
	{ "gre with checksum",
	  "gre local 10.77.0.1 remote 10.77.0.99 ttl 64 csum", OVER_V4 },
	{ "ip6gre", "ip6gre local fd77::1 remote fd77::99", OVER_V6 },
	{ "ip6tnl", "ip6tnl mode any local fd77::1 remote fd77::99", OVER_V6 },
};

static void tunnel_send(enum family fam, enum tunnel tunnel)
{
	struct wire_flow f;

	if (wire_flow_to(&f, fam, "10.78.0.1", "fd78::1", "10.78.0.99",
			 "fd78::99")) {
		f.spec.tunnel = tunnel;
		f.spec.no_offload = true;
		wire_send(&f, payload, 20000, 1000);
		wire_send(&f, payload, 44 * 1300, 1300);
		wire_send(&f, payload, 20001, 1000);
		wire_send(&f, payload, 1000, 1000);
	}
	wire_flow_close(&f);
}

/* Discards packets of the removed tunnel device that are not part of a case. */
static void wire_drain(void)
{
	while (read(wire.fd, pkt.buf, sizeof(pkt.buf)) > 0)
		;
}

static void test_tunnel(const struct test_case *tc)
{
	const struct tunnel_row *row = tc->row;

	if (!wire_open(&confs[tc->dev]))
		return;
	if (sh("ip link add %s type %s 2> /dev/null", TNL_DEV, row->args)) {
		case_skipped = "no such tunnel device";
		return;
	}
	must_sh("ip -batch - <<- END\n"
		"link set %s addrgenmode none up\n"
		"addr add 10.78.0.1/24 dev %s\n"
		"addr add fd78::1/64 dev %s nodad\nEND",
		TNL_DEV, TNL_DEV, TNL_DEV);
	tunnel_send(V4, row->tunnel);
	tunnel_send(V6, row->tunnel);
	must_sh("ip link del %s", TNL_DEV);
	wire_drain();
}

/* tx-udp-segmentation requires checksum offload. */

static bool feature_is(const char *val)
{
	if (!sh("ethtool -k gso0 | grep -qw 'tx-udp-segmentation: %s'",
		val))
		return true;

	return fail("tx-udp-segmentation is not %s", val);
}

static void test_feature(const struct test_case *tc)
{
	wire_close();
	feature_is("on");
	must_sh("ethtool -K gso0 tx off > /dev/null");
	feature_is("off");
	must_sh("ethtool -K gso0 tx on > /dev/null");
	feature_is("on");
	if (sh("ethtool -K gso0 tx-udp-segmentation off > /dev/null 2>&1"))
		fail("ethtool -K tx-udp-segmentation off");
	feature_is("off");
	if (sh("ethtool -K gso0 tx-udp-segmentation on > /dev/null 2>&1"))
		fail("ethtool -K tx-udp-segmentation on");
	feature_is("on");
}

static void add_conf_cases(int dev, enum family fam)
{
	static const int methods[] = {
		BY_PIECES, BY_CORK, BY_MORE, BY_ZEROCOPY, BY_SENDFILE
	};
	const char *f = family_name[fam], *d = confs[dev].name;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shape_rows); i++)
		add_case(test_shape, &shape_rows[i], fam, dev, "%s: %s %s", d,
			 f, shape_rows[i].name);
	if (confs[dev].base && fam != MAPPED)
		add_case(test_multiples, NULL, fam, dev,
			 "%s: %s exact multiples, 2 to 128", d, f);
	for (i = 0; i < ARRAY_SIZE(methods); i++)
		add_case(test_method, &methods[i], fam, dev,
			 "%s: %s by %s", d, f,
			 method_name[i]);
	for (i = 0; i < ARRAY_SIZE(zero_rows) && !confs[dev].csum; i++)
		add_case(test_zero_csum, &zero_rows[i], fam, dev,
			 "%s: %s checksum zero, %s", d, f, zero_rows[i].name);
	for (i = 0; i < ARRAY_SIZE(ip_option_rows) && fam == V4; i++)
		add_case(test_ip_options, &ip_option_rows[i], fam, dev,
			 "%s: %s %d bytes of options", d, f,
			 ip_option_rows[i]);
	for (i = 0; i < ARRAY_SIZE(ext_rows) && fam == V6; i++)
		add_case(test_ext, &ext_rows[i], fam, dev, "%s: %s %s", d, f,
			 ext_rows[i].name);
}

static void add_tun_cases(int dev)
{
	const char *d = confs[dev].name;
	enum family fam;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tunnel_rows); i++)
		add_case(test_tunnel, &tunnel_rows[i], V4, dev,
			 "%s: through %s", d, tunnel_rows[i].name);
	if (confs[dev].csum)
		return;

	for (fam = V4; fam < FAMILIES; fam++) {
		for (i = 0; i < ARRAY_SIZE(df_rows) && fam != V6; i++)
			add_case(test_df, &df_rows[i], fam, dev,
				 "%s: %s DF, %s", d, family_name[fam],
				 df_rows[i].name);
		add_case(test_learned_mtu, NULL, fam, dev,
			 "%s: %s learned path MTU", d, family_name[fam]);
		add_case(test_tstamp, NULL, fam, dev,
			 "%s: %s timestamp, first segment", d, family_name[fam]);
	}
}

int main(int argc, char **argv)
{
	size_t dev;

	if (argc < 2)
		ksft_exit_fail_msg("usage: %s PEER_NETNS [FILTER]\n", argv[0]);

	open_netns(argv[1]);
	payload_init();
	pin_cpu();

	add_case(test_feature, NULL, V4, 0, "veth: USO needs checksum offload");
	for (dev = 0; dev < ARRAY_SIZE(confs); dev++) {
		add_conf_cases(dev, V4);
		add_conf_cases(dev, V6);
		if (!dev)
			add_conf_cases(dev, MAPPED);
		if (confs[dev].base)
			add_tun_cases(dev);
	}
	run_cases(argc > 2 ? argv[2] : NULL);

	return 0;
}
