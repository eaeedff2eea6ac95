/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for the tests of UDP GRO: building frames, sending them to a veth
 * device in one burst, and checking received packets.
 *
 * GRO aggregates the frames of one NAPI poll. The NAPI of the receiving veth
 * device therefore runs in a thread on the CPU of the sender, which does not
 * release the CPU while it sends a burst. No test waits for a fixed time. The
 * first fence may be in the same poll as the burst and overtake datagrams, so a
 * second fence is sent when the first fence has arrived.
 */
#ifndef UDPGRO_LIB_H
#define UDPGRO_LIB_H

#include <dirent.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "udpgso_lib.h"

#ifndef UDP_GRO
#define UDP_GRO			104
#endif

/* Set up by udpgro.sh: TX gro0 - gro0 MID gro1 - gro1 RX */
#define TX_MAC			"\x02\x00\x00\x00\x00\x01"
#define MID_MAC			"\x02\x00\x00\x00\x00\x02"
#define TX4			"192.0.2.1"
#define TX6			"2001:db8:1::1"
#define MID4			"192.0.2.2"
#define MID6			"2001:db8:1::2"
#define RX4			"198.51.100.2"
#define RX6			"2001:db8:2::2"

#define PORT			7000	/* of the receiver */
#define FLOW_PORT		5000	/* of the sender, for flow number 0 */
#define FENCE_PORT		4999

#define TTL			9
#define FIRST_ID		0xfffe	/* the ID wraps to 0 in a burst */

#define IP_DF_BIT		0x4000

/* Checksums as in RFC 1071: 16 bits at a time, big endian, end-around carry */

static inline int get16(const unsigned char *p)
{
	return p[0] << 8 | p[1];
}

static inline void put16(unsigned char *p, int val)
{
	p[0] = val >> 8;
	p[1] = val;
}

static inline __u32 csum_bytes(__u32 sum, const void *data, int len)
{
	const unsigned char *p = data;
	int i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);

	return sum;
}

static inline __u32 csum_pseudo(const void *addrs, int addr_len, int len)
{
	const unsigned char tail[] = { len >> 8, len, 0, IPPROTO_UDP };

	return csum_bytes(csum_bytes(0, addrs, 2 * addr_len), tail,
			  sizeof(tail));
}

/* Building frames */

enum tunnel { NO_TUNNEL, IN_VXLAN, IN_FOU };

#define VXLAN_PORT		4789
#define VXLAN_ID		7
#define VXLAN_MAC		"\x02\x00\x00\x00\x00\x05"
#define FOU4_PORT		5555
#define FOU6_PORT		5556

struct dgram {
	enum family fam;
	const char *src;		/* NULL: address of TX */
	const char *dst;
	int sport;
	int dport;
	const unsigned char *data;
	int len;
	int ttl;
	int tos;
	int id;
	int label;			/* IPv6 flow label */
	bool df;
	bool no_csum;
	bool bad_csum;
	bool partial;			/* partial checksum */
	int pad;			/* bytes after the packet */
	enum tunnel tunnel;		/* from TX to MID, over IPv4 */
};

struct frame {
	struct virtio_net_hdr vnet;
	unsigned char eth[ETH_HLEN];
	unsigned char ip[1 << 16];
} __attribute__((packed));

static inline int frame_addrs(unsigned char *to, const struct dgram *d)
{
	int af = socket_domain(d->fam), len = d->fam == V4 ? 4 : 16;
	const char *src = d->src ? d->src : d->fam == V4 ? TX4 : TX6;

	if (inet_pton(af, src, to) != 1 || inet_pton(af, d->dst, to + len) != 1)
		die("addresses %s, %s", src, d->dst);

	return len;
}

static inline int frame_ip4(unsigned char *ip, const struct dgram *d)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = d->tos;
	put16(ip + 2, 28 + d->len);
	put16(ip + 4, d->id);
	put16(ip + 6, d->df ? IP_DF_BIT : 0);
	ip[8] = d->ttl;
	ip[9] = IPPROTO_UDP;
	frame_addrs(ip + 12, d);
	put16(ip + 10, ~csum_bytes(0, ip, 20));

	return 20;
}

static inline int frame_ip6(unsigned char *ip, const struct dgram *d)
{
	ip[0] = 0x60 | d->tos >> 4;
	ip[1] = d->tos << 4 | d->label >> 16;
	put16(ip + 2, d->label);
	put16(ip + 4, 8 + d->len);
	ip[6] = IPPROTO_UDP;
	ip[7] = d->ttl;
	frame_addrs(ip + 8, d);

	return 40;
}

static inline void frame_csum(struct frame *f, const struct dgram *d, int hlen)
{
	int addr_len = d->fam == V4 ? 4 : 16, len = 8 + d->len;
	unsigned char *udp = f->ip + hlen;
	__u32 sum;

	sum = csum_pseudo(udp - 2 * addr_len, addr_len, len);
	if (d->partial) {
		f->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		f->vnet.csum_start = ETH_HLEN + hlen;
		f->vnet.csum_offset = 6;
		put16(udp + 6, sum);
		return;
	}

	sum = ~csum_bytes(sum, udp, len) & 0xffff;
	if (d->bad_csum)
		sum ^= 0x0100;
	put16(udp + 6, sum ? sum : 0xffff);
}

/* Returns the length of the IP packet, with padding. */
static inline int frame_build(struct frame *f, const struct dgram *d)
{
	unsigned char *udp;
	int hlen;

	memset(&f->vnet, 0, sizeof(f->vnet));
	memcpy(f->eth, MID_MAC TX_MAC, 2 * ETH_ALEN);
	put16(f->eth + 2 * ETH_ALEN, d->fam == V4 ? ETH_P_IP : ETH_P_IPV6);

	hlen = d->fam == V4 ? frame_ip4(f->ip, d) : frame_ip6(f->ip, d);
	udp = f->ip + hlen;
	put16(udp, d->sport);
	put16(udp + 2, d->dport);
	put16(udp + 4, 8 + d->len);
	put16(udp + 6, 0);
	memcpy(udp + 8, d->data, d->len);
	if (!d->no_csum)
		frame_csum(f, d, hlen);
	memset(udp + 8 + d->len, 0, d->pad);

	return hlen + 8 + d->len + d->pad;
}

/* Adds tunnel headers without a UDP checksum. Returns the new length. */
static inline int frame_tunnel(unsigned char *to, const struct dgram *d, int len)
{
	static const unsigned char vxlan[] = { 8, 0, 0, 0, 0, 0, VXLAN_ID, 0 };
	static unsigned char data[1 << 16];
	struct dgram outer = {
		.dst = MID4,
		.sport = d->sport,
		.dport = VXLAN_PORT,
		.data = data,
		.id = d->id,
		.ttl = TTL,
		.no_csum = true,
	};
	static struct frame f;

	if (d->tunnel == IN_VXLAN) {
		memcpy(data, vxlan, sizeof(vxlan));
		memcpy(data + sizeof(vxlan), VXLAN_MAC TX_MAC, 2 * ETH_ALEN);
		put16(data + sizeof(vxlan) + 2 * ETH_ALEN,
		      d->fam == V4 ? ETH_P_IP : ETH_P_IPV6);
		outer.len = sizeof(vxlan) + ETH_HLEN;
	} else {
		outer.dport = d->fam == V4 ? FOU4_PORT : FOU6_PORT;
	}
	memcpy(data + outer.len, to, len);
	outer.len += len;
	len = frame_build(&f, &outer);
	memcpy(to, f.ip, len);

	return len;
}

/* Packet sockets */

static inline int packet_socket(const char *dev, int proto)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
		.sll_ifindex = if_nametoindex(dev),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

	if (fd < 0 || set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20) ||
	    set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20) ||
	    bind(fd, (void *)&sll, sizeof(sll)))
		die("packet socket on %s", dev);

	return fd;
}

/* Returns the packet socket that sends the bursts. */
static inline int injector(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;

	fd = packet_socket("gro0", 0);
	if (set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1))
		die("PACKET_VNET_HDR");

	return fd;
}

static inline void inject(const struct dgram *d)
{
	static struct frame f;
	ssize_t len = frame_build(&f, d);

	if (d->tunnel) {
		len = frame_tunnel(f.ip, d, len);
		put16(f.eth + 2 * ETH_ALEN, ETH_P_IP);
	}
	len += sizeof(f.vnet) + ETH_HLEN;
	if (send(injector(), &f, len, 0) != len)
		die("send of a frame");
}

/* Bursts */

static inline void pin_napi(const char *pid)
{
	cpu_set_t set;
	char buf[64];
	FILE *f;

	snprintf(buf, sizeof(buf), "/proc/%.16s/comm", pid);
	f = fopen(buf, "r");
	if (!f)
		return;
	if (fgets(buf, sizeof(buf), f) && !strncmp(buf, "napi/gro", 8)) {
		CPU_ZERO(&set);
		CPU_SET(sched_getcpu(), &set);
		if (sched_setaffinity(atoi(pid), sizeof(set), &set))
			die("sched_setaffinity of %s", buf);
	}
	fclose(f);
}

/* Pins the NAPI threads of the devices gro* to this CPU. Must be called after
 * each change that may create new threads.
 */
static inline void pin_napis(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *de;

	if (!dir)
		die("/proc");
	while ((de = readdir(dir)))
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9')
			pin_napi(de->d_name);
	closedir(dir);
}

static inline void keep_cpu(bool keep)
{
	struct sched_param param = { .sched_priority = keep };

	if (sched_setscheduler(0, keep ? SCHED_FIFO : SCHED_OTHER, &param))
		die("sched_setscheduler");
}

static inline void inject_burst(const struct dgram *d, int nr)
{
	int i;

	keep_cpu(true);
	for (i = 0; i < nr; i++)
		inject(&d[i]);
	keep_cpu(false);
}

static inline void inject_fence(enum family fam, const char *dst, int dport)
{
	const struct dgram d = {
		.fam = fam,
		.dst = dst,
		.sport = FENCE_PORT,
		.dport = dport,
		.data = (const void *)fence_text,
		.len = sizeof(fence_text),
		.ttl = TTL,
	};

	inject(&d);
}

static inline bool is_fence(const void *data, int len)
{
	return len == sizeof(fence_text) && !memcmp(data, fence_text, len);
}

/* Devices and namespaces */

static inline int netns_of(const char *name)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "/var/run/netns/%s", name);
	fd = open(file, O_RDONLY);
	if (fd < 0)
		die("%s", file);

	return fd;
}

/* Sets features of a device. If this is not possible, the running case fails.
 */
static inline bool features(const char *netns, const char *dev,
			    const char *list)
{
	if (!sh("ip netns exec %s ethtool -K %s %s > /dev/null 2>&1", netns,
		dev, list))
		return true;

	return fail("ethtool -K %s %s", dev, list);
}

static inline int udp_rx_socket(int netns, enum family sock_fam, int port)
{
	struct addr any = addr_of(sock_fam, "0.0.0.0", "::", port);
	int fd;

	enter_netns(netns);
	fd = udp_socket(any.sa.sa_family, 0, SOCK_NONBLOCK);
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20) ||
	    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1))
		die("options of the receiver");
	if (bind(fd, &any.sa, any.len))
		die("bind to port %d", port);
	enter_netns(home_netns);

	return fd;
}

/* Receiving */

struct message {
	int len;		/* with MSG_TRUNC: full length */
	int size;		/* from the cmsg; 0: none */
	int flags;
	int sport;
	unsigned char data[1 << 16];
};

static inline int gro_cmsg(struct msghdr *hdr)
{
	struct cmsghdr *cmsg;
	int size = 0;

	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level != SOL_UDP || cmsg->cmsg_type != UDP_GRO)
			continue;
		if (size)
			fail("more than one cmsg");
		if (cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
			fail("cmsg with length %zu", (size_t)cmsg->cmsg_len);
		memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
		if (size <= 0)
			fail("cmsg with value %d", size);
	}

	return size;
}

/* Reads up to @room bytes of the next message. Returns false if there is none.
 */
static inline bool recv_message(int fd, struct message *m, int room, int flags)
{
	struct iovec iov = { m->data, room };
	char control[256];
	struct addr src;
	struct msghdr hdr = {
		.msg_name = &src.sa,
		.msg_namelen = sizeof(src.v6),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	m->len = recvmsg(fd, &hdr, flags);
	if (m->len < 0 && errno == EAGAIN)
		return false;
	if (m->len < 0)
		die("recvmsg");
	m->size = gro_cmsg(&hdr);
	m->flags = hdr.msg_flags;
	m->sport = addr_port(&src);

	return true;
}

#endif /* UDPGRO_LIB_H */
