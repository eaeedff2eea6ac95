// SPDX-License-Identifier: GPL-2.0
/* Tests UDP GSO packets with a virtio header: tun, tap, macvtap, ipvtap and
 * packet sockets.
 *
 * This program implements the other end of a device. It reads the packet that
 * a socket has sent and checks it and its virtio header. It then swaps source
 * and destination and writes the packet back, so that the socket must receive
 * its own datagrams. Some cases write a header with errors.
 *
 * udpgso.sh creates the two namespaces in which this runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "udpgso_lib.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif

#ifndef TUN_F_USO4
#define TUN_F_USO4			0x20
#define TUN_F_USO6			0x40
#endif

#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ		24
#endif

#define OFF_TSO		(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define OFF_ALL		(OFF_TSO | TUN_F_USO4 | TUN_F_USO6)

#define TUN_DEV		"gsotun"
#define TAP_DEV		"gsomvt"
#define TAP_NODE	"/tmp/udpgso_vnet.%d"
#define PEER_MAC	"02:00:00:00:00:63"

#define VNET_LEN	10
#define VNET_MRG_LEN	12
#define RING_FRAME	(2 * 65536)
#define RING_FRAMES	16

/* Devices */

enum kind { TUN, TAP, MACVTAP, IPVTAP, PACKET, RING };

enum {
	BTUN = 1 << TUN,
	BTAP = 1 << TAP,
	BMACVTAP = 1 << MACVTAP,
	BIPVTAP = 1 << IPVTAP,
	BPACKET = 1 << PACKET,
	BRING = 1 << RING,
};

static const struct conf {
	const char *name;
	enum kind kind;
	int hdr_len;		/* of the virtio header; 0: none */
	int offloads;		/* for TUNSETOFFLOAD */
	bool le;
	bool headers;		/* also runs the cases with wrong headers */
	int flags;		/* for TUNSETIFF */
} confs[] = {
	{ "tun uso", TUN, VNET_LEN, OFF_ALL, .headers = true },
	{ "tun uso, long header", TUN, VNET_MRG_LEN, OFF_ALL },
	{ "tun uso, little endian", TUN, VNET_MRG_LEN, OFF_ALL, true },
	{ "tun csum", TUN, VNET_LEN, TUN_F_CSUM },
	{ "tun tso", TUN, VNET_LEN, OFF_TSO },
	{ "tun", TUN, VNET_LEN, 0 },
	{ "tun, no header", TUN, 0, 0 },
	{ "tap uso", TAP, VNET_LEN, OFF_ALL },
	{ "tap uso, long header", TAP, VNET_MRG_LEN, OFF_ALL, .headers = true },
	{ "tap uso, little endian", TAP, VNET_LEN, OFF_ALL, true },
	{ "tun uso, NAPI", TUN, VNET_LEN, OFF_ALL, .flags = IFF_NAPI },
	{ "tap uso, NAPI", TAP, VNET_LEN, OFF_ALL, .flags = IFF_NAPI,
	  .headers = true },
	{ "tap uso, NAPI frags", TAP, VNET_LEN, OFF_ALL,
	  .flags = IFF_NAPI | IFF_NAPI_FRAGS },
	{ "tap csum", TAP, VNET_MRG_LEN, TUN_F_CSUM },
	{ "tap tso", TAP, VNET_LEN, OFF_TSO },
	{ "tap", TAP, VNET_LEN, 0 },
	{ "tap, no header", TAP, 0, 0 },
	{ "macvtap uso", MACVTAP, VNET_LEN, OFF_ALL, .headers = true },
	{ "macvtap uso, long header", MACVTAP, VNET_MRG_LEN, OFF_ALL },
	{ "macvtap uso, little endian", MACVTAP, VNET_LEN, OFF_ALL, true },
	{ "macvtap tso", MACVTAP, VNET_LEN, OFF_TSO },
	{ "macvtap", MACVTAP, VNET_LEN, 0 },
	{ "macvtap, no header", MACVTAP, 0, OFF_ALL },
	{ "ipvtap uso", IPVTAP, VNET_MRG_LEN, OFF_ALL, .headers = true },
	{ "ipvtap", IPVTAP, VNET_LEN, 0 },
	{ "packet", PACKET, VNET_LEN, OFF_ALL, .headers = true },
	{ "packet, long header", PACKET, VNET_MRG_LEN, OFF_ALL },
	{ "packet ring", RING, VNET_LEN, OFF_ALL, .headers = true },
};

static struct wire {
	const struct conf *conf;
	const char *dev;	/* device that the socket sends to */
	const char *far_dev;	/* device whose counters are read */
	int fd;
	int offloads;		/* currently set */
	int mac_len;
	const char *local4, *local6;
	const char *peer4, *peer6;
	unsigned char *ring;	/* RX ring, then TX ring */
	int ring_rx;
	int ring_tx;
} wire;

static const char *peer_name;

/* Returns true if a reader of this end gets GSO packets. */
static bool reads_gso(void)
{
	const int uso = TUN_F_USO4 | TUN_F_USO6;

	return wire.conf->hdr_len && (wire.offloads & TUN_F_CSUM) &&
	       (wire.offloads & uso) == uso;
}

static bool reads_partial(void)
{
	return wire.conf->hdr_len && (wire.offloads & TUN_F_CSUM);
}

static bool is_packet(void)
{
	return wire.conf->kind == PACKET || wire.conf->kind == RING;
}

static bool over_veth(enum kind kind)
{
	return kind != TUN && kind != TAP;
}

static void tap_setup(int fd, const char *name)
{
	const struct conf *conf = wire.conf;
	struct ifreq ifr = {};
	int le = conf->le;

	if (name)
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = (conf->kind == TUN ? IFF_TUN : IFF_TAP) | IFF_NO_PI |
			(conf->hdr_len ? IFF_VNET_HDR : 0) | conf->flags;
	if (ioctl(fd, TUNSETIFF, &ifr))
		die("TUNSETIFF");
	if (conf->hdr_len && (ioctl(fd, TUNSETVNETHDRSZ, &conf->hdr_len) ||
			      ioctl(fd, TUNSETVNETLE, &le)))
		die("size and byte order of the virtio header");
}

static int tun_open(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		die("/dev/net/tun");
	tap_setup(fd, TUN_DEV);
	must_sh("ip -batch - <<- END\n"
		"link set %s addrgenmode none up\n"
		"addr add %s/24 dev %s\n"
		"addr add %s/64 dev %s nodad\nEND",
		TUN_DEV, wire.local4, TUN_DEV, wire.local6, TUN_DEV);

	return fd;
}

/* Creates and opens a device node. The node in /dev cannot be used, because its
 * name is unique in one network namespace only.
 */
static int tap_node_open(void)
{
	unsigned int major, minor;
	char text[256];
	FILE *file;
	int fd;

	snprintf(text, sizeof(text),
		 "ip netns exec %s sh -c 'cat /sys/class/net/%s/tap*/dev'",
		 peer_name, TAP_DEV);
	file = popen(text, "r");
	if (!file || fscanf(file, "%u:%u", &major, &minor) != 2)
		die("number of the tap device");
	pclose(file);

	snprintf(text, sizeof(text), TAP_NODE, getpid());
	if (mknod(text, S_IFCHR | 0600, makedev(major, minor)))
		die("mknod %s", text);
	fd = open(text, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		die("%s", text);
	unlink(text);

	return fd;
}

static int tap_open(void)
{
	bool ipvtap = wire.conf->kind == IPVTAP;
	int fd;

	if (ipvtap)
		must_sh("ip -n %s -batch - <<- END\n"
			"link set gso0 address %s\n"
			"link add link gso0 name %s type ipvtap mode l2\n"
			"link set %s addrgenmode none up\n"
			"addr add %s/32 dev %s\n"
			"addr add %s/128 dev %s nodad\nEND",
			peer_name, PEER_MAC, TAP_DEV, TAP_DEV, wire.peer4,
			TAP_DEV, wire.peer6, TAP_DEV);
	else
		must_sh("ip -n %s -batch - <<- END\n"
			"link add link gso0 name %s address %s type macvtap mode bridge\n"
			"link set %s addrgenmode none up\nEND",
			peer_name, TAP_DEV, PEER_MAC, TAP_DEV);
	fd = tap_node_open();
	tap_setup(fd, NULL);

	return fd;
}

static void ring_open(int fd)
{
	struct tpacket_req req = {
		.tp_block_size = RING_FRAME,
		.tp_block_nr = RING_FRAMES,
		.tp_frame_size = RING_FRAME,
		.tp_frame_nr = RING_FRAMES,
	};

	if (set_int(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2) ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)))
		die("packet rings");

	wire.ring = mmap(NULL, 2 * RING_FRAMES * RING_FRAME,
			 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (wire.ring == MAP_FAILED)
		die("mmap of the rings");
	wire.ring_rx = 0;
	wire.ring_tx = 0;
}

static int packet_open(void)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	bool lng = wire.conf->hdr_len == VNET_MRG_LEN;
	int fd;

	enter_netns(peer_netns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("packet socket");
	sll.sll_ifindex = if_nametoindex("gso0");
	if (set_int(fd, SOL_PACKET, lng ? PACKET_VNET_HDR_SZ : PACKET_VNET_HDR,
		    lng ? VNET_MRG_LEN : 1) ||
	    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20))
		die("options of a packet socket");
	if (wire.conf->kind == RING)
		ring_open(fd);
	if (bind(fd, (void *)&sll, sizeof(sll)))
		die("bind of a packet socket");
	enter_netns(home_netns);

	return fd;
}

static void wire_close(void)
{
	if (!wire.conf)
		return;

	close(wire.fd);
	if (wire.ring)
		munmap(wire.ring, 2 * RING_FRAMES * RING_FRAME);
	if (wire.conf->kind == MACVTAP || wire.conf->kind == IPVTAP)
		must_sh("ip -n %s link del %s", peer_name, TAP_DEV);
	memset(&wire, 0, sizeof(wire));
}

static void wire_addresses(bool veth)
{
	wire.dev = veth ? "gso0" : TUN_DEV;
	wire.local4 = veth ? "192.0.2.1" : "10.77.0.1";
	wire.local6 = veth ? "2001:db8::1" : "fd77::1";
	wire.peer4 = veth ? "192.0.2.99" : "10.77.0.99";
	wire.peer6 = veth ? "2001:db8::99" : "fd77::99";
}

/* No host has the peer addresses. This program sends the replies. */
static void wire_open(const struct conf *conf)
{
	if (wire.conf == conf)
		return;
	wire_close();

	wire.conf = conf;
	wire.mac_len = conf->kind == TUN ? 0 : ETH_HLEN;
	wire_addresses(over_veth(conf->kind));
	wire.far_dev = over_veth(conf->kind) ? TAP_DEV : TUN_DEV;
	switch (conf->kind) {
	case TUN:
	case TAP:
		wire.fd = tun_open();
		break;
	case MACVTAP:
	case IPVTAP:
		wire.fd = tap_open();
		break;
	default:
		wire.fd = packet_open();
	}

	if (conf->kind != TUN)
		must_sh("ip -batch - <<- END\n"
			"neigh replace %s lladdr %s dev %s\n"
			"neigh replace %s lladdr %s dev %s\nEND",
			wire.peer4, PEER_MAC, wire.dev,
			wire.peer6, PEER_MAC, wire.dev);
}

static int set_offloads(int offloads)
{
	if (is_packet()) {
		wire.offloads = offloads;
		return 0;
	}
	if (ioctl(wire.fd, TUNSETOFFLOAD, offloads))
		return -errno;
	wire.offloads = offloads;

	return 0;
}

/* Packets, with the header as it is read and written */

struct frame {
	struct virtio_net_hdr vnet;
	unsigned char more[2];		/* for a longer header */
	int len;
	unsigned char data[RING_FRAME];
};

static struct frame frame, fence_frame;

static unsigned char *frame_ip(struct frame *f)
{
	return f->data + wire.mac_len;
}

static int get16(const unsigned char *p)
{
	return p[0] << 8 | p[1];
}

static void put16(unsigned char *p, int val)
{
	p[0] = val >> 8;
	p[1] = val;
}

/* Without TUNSETVNETLE, the header has native byte order. */
static int from_vnet16(__u16 val)
{
	return wire.conf->le ? le16toh(val) : val;
}

static __u16 to_vnet16(int val)
{
	return wire.conf->le ? htole16(val) : val;
}

static int fill_iov(struct iovec *iov, struct frame *f, int len)
{
	iov[0].iov_base = &f->vnet;
	iov[0].iov_len = wire.conf->hdr_len;
	iov[1].iov_base = f->data;
	iov[1].iov_len = len;

	return 2;
}

static struct tpacket2_hdr *ring_slot(int nr)
{
	return (void *)(wire.ring + nr * RING_FRAME);
}

static int ring_recv(struct frame *f, struct sockaddr_ll *sll)
{
	struct tpacket2_hdr *slot = ring_slot(wire.ring_rx);
	unsigned char *p = (unsigned char *)slot;

	if (!(__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) &
	      TP_STATUS_USER)) {
		errno = EAGAIN;
		return -1;
	}

	f->len = slot->tp_snaplen;
	memcpy(&f->vnet, p + slot->tp_mac - wire.conf->hdr_len,
	       wire.conf->hdr_len);
	memcpy(f->data, p + slot->tp_mac, f->len);
	memcpy(sll, p + TPACKET_ALIGN(sizeof(*slot)), sizeof(*sll));

	__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	wire.ring_rx = (wire.ring_rx + 1) % RING_FRAMES;

	return f->len + wire.conf->hdr_len;
}

/* The kernel advances to the next slot of the TX ring only after a successful
 * send.
 */
static int ring_send(struct frame *f)
{
	struct tpacket2_hdr *slot = ring_slot(RING_FRAMES + wire.ring_tx);
	unsigned char *p = (unsigned char *)slot + TPACKET2_HDRLEN -
			   sizeof(struct sockaddr_ll);
	int ret;

	memcpy(p, &f->vnet, wire.conf->hdr_len);
	memcpy(p + wire.conf->hdr_len, f->data, f->len);
	slot->tp_len = wire.conf->hdr_len + f->len;
	__atomic_store_n(&slot->tp_status, TP_STATUS_SEND_REQUEST,
			 __ATOMIC_RELEASE);
	ret = send(wire.fd, NULL, 0, 0);
	if (ret < 0) {
		ret = -errno;
		__atomic_store_n(&slot->tp_status, TP_STATUS_AVAILABLE,
				 __ATOMIC_RELEASE);
		return ret;
	}
	wire.ring_tx = (wire.ring_tx + 1) % RING_FRAMES;

	return ret;
}

static int packet_recv(struct frame *f, struct sockaddr_ll *sll)
{
	struct iovec iov[2];
	struct msghdr msg = {
		.msg_name = sll,
		.msg_namelen = sizeof(*sll),
		.msg_iov = iov,
	};

	msg.msg_iovlen = fill_iov(iov, f, sizeof(f->data));

	return recvmsg(wire.fd, &msg, 0);
}

static int frame_recv(struct frame *f)
{
	struct sockaddr_ll sll = { .sll_pkttype = PACKET_HOST };
	struct iovec iov[2];
	int ret;

	if (wire.conf->kind == RING)
		ret = ring_recv(f, &sll);
	else if (wire.conf->kind == PACKET)
		ret = packet_recv(f, &sll);
	else
		ret = readv(wire.fd, iov, fill_iov(iov, f, sizeof(f->data)));
	if (ret < 0)
		return ret;

	f->len = ret - wire.conf->hdr_len;
	if (!wire.conf->hdr_len)
		memset(&f->vnet, 0, sizeof(f->vnet));

	return sll.sll_pkttype == PACKET_OUTGOING ? 0 : ret;
}

/* Returns the value that a successful write of the frame returns. */
static int frame_size(const struct frame *f)
{
	if (wire.conf->kind == RING)
		return f->len;

	return f->len + wire.conf->hdr_len;
}

static int frame_send(struct frame *f)
{
	struct iovec iov[2];
	int ret;

	memset(f->more, 0xff, sizeof(f->more));
	if (wire.conf->kind == RING)
		return ring_send(f);
	ret = writev(wire.fd, iov, fill_iov(iov, f, f->len));

	return ret < 0 ? -errno : ret;
}

static bool is_unrelated(struct frame *f)
{
	unsigned char *ip = frame_ip(f);

	if (wire.mac_len && get16(ip - 2) != ETH_P_IP &&
	    get16(ip - 2) != ETH_P_IPV6)
		return true;
	if (ip[0] >> 4 == 4)
		return ip[9] != IPPROTO_UDP;

	return ip[6] != IPPROTO_UDP;
}

/* Reads the next UDP packet. */
static bool wire_recv(struct frame *f)
{
	int ret;

	for (;;) {
		ret = frame_recv(f);
		if (ret < 0 && errno == EAGAIN) {
			if (!readable(wire.fd, RX_TIMEOUT_MS))
				return fail("no fence received");
			continue;
		}
		if (ret < 0)
			return fail("read of a packet: %s", strerror(errno));
		if (ret && !is_unrelated(f))
			return true;
	}
}

static bool is_fence(const struct frame *f)
{
	int len = sizeof(fence_text);

	return f->len > len &&
	       !memcmp(f->data + f->len - len, fence_text, len);
}

static void swap_bytes(unsigned char *a, unsigned char *b, int len)
{
	unsigned char tmp[16];

	memcpy(tmp, a, len);
	memcpy(a, b, len);
	memcpy(b, tmp, len);
}

/* Swaps source and destination, which does not change checksums. */
static void swap_addresses(struct frame *f)
{
	unsigned char *ip = frame_ip(f);
	bool v6 = ip[0] >> 4 == 6;
	unsigned char *udp = ip + (v6 ? 40 : 20);

	if (wire.mac_len)
		swap_bytes(f->data, f->data + ETH_ALEN, ETH_ALEN);
	if (v6)
		swap_bytes(ip + 8, ip + 24, 16);
	else
		swap_bytes(ip + 12, ip + 16, 4);
	swap_bytes(udp, udp + 2, 2);
}

/* Checksums as in RFC 1071 */

static __u32 csum_bytes(__u32 sum, const unsigned char *p, int len)
{
	int i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);

	return sum;
}

/* Source and destination address are adjacent. */
static __u32 csum_pseudo(const unsigned char *ip, int len)
{
	__u32 sum = IPPROTO_UDP + len;

	if (ip[0] >> 4 == 6)
		return csum_bytes(sum, ip + 8, 32);

	return csum_bytes(sum, ip + 12, 8);
}

/* Checks of packets and of their virtio header */

static bool check_ip(const unsigned char *ip, int len, enum family fam,
		     int *hlen)
{
	if (!expect_long("IP version", fam == V6 ? 6 : 4, ip[0] >> 4))
		return false;
	if (fam == V6) {
		*hlen = 40;
		return expect_long("IPv6 payload length", len - 40,
				   get16(ip + 4));
	}
	*hlen = 20;
	if (csum_bytes(0, ip, 20) != 0xffff)
		return fail("wrong IPv4 header checksum");

	return expect_long("IPv4 header length", 5, ip[0] & 0xf) &&
	       expect_long("IPv4 total length", len, get16(ip + 2));
}

static bool check_csum(struct frame *f, const unsigned char *udp, int len)
{
	bool partial = f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	__u32 pseudo = csum_pseudo(frame_ip(f), len);
	__u32 check = get16(udp + 6);

	if (!expect_long("partial checksum", reads_partial(),
			 partial))
		return false;
	if (partial)
		return expect_long("csum_start", udp - f->data,
				   from_vnet16(f->vnet.csum_start)) &&
		       expect_long("csum_offset", 6,
				   from_vnet16(f->vnet.csum_offset)) &&
		       expect_long("partial checksum", pseudo % 0xffff,
				   check % 0xffff);
	if (!check || csum_bytes(pseudo, udp, len) != 0xffff)
		return fail("wrong UDP checksum 0x%04x", check);

	return expect_long("csum_start", 0, from_vnet16(f->vnet.csum_start));
}

static bool check_gso(const struct frame *f, int hlen, int size)
{
	bool gso = f->len - hlen > size;
	int linear = from_vnet16(f->vnet.hdr_len);

	if (!expect_long("gso_type", gso ? VIRTIO_NET_HDR_GSO_UDP_L4 : 0,
			 f->vnet.gso_type) ||
	    !expect_long("gso_size", gso ? size : 0,
			 from_vnet16(f->vnet.gso_size)))
		return false;
	if (gso ? linear < hlen || linear > f->len : linear)
		return fail("hdr_len %d, with %d bytes of headers, %d in total",
			    linear, hlen, f->len);

	return true;
}

static bool check_frame(struct frame *f, enum family fam, int size,
			struct stream *st)
{
	unsigned char *udp, *ip = frame_ip(f);
	int udp_len, hlen;

	if (!check_ip(ip, f->len - wire.mac_len, fam, &hlen))
		return false;
	udp = ip + hlen;
	udp_len = f->len - (udp - f->data);

	return expect_long("UDP length", udp_len, get16(udp + 4)) &&
	       check_csum(f, udp, udp_len) &&
	       check_gso(f, udp + 8 - f->data, size) &&
	       stream_next(st, udp + 8, udp_len - 8);
}

/* Round trip */

struct vnet_flow {
	enum family fam;
	int fd;
	struct addr to;
};

/* Discards packets of a case that has failed. */
static void drain(void)
{
	while (frame_recv(&frame) >= 0 || errno != EAGAIN)
		;
}

static bool flow_open_wire(struct vnet_flow *f, const struct test_case *tc)
{
	struct addr local;
	int domain;

	wire_open(&confs[tc->dev]);
	domain = socket_domain(tc->fam);
	f->fam = tc->fam;
	f->fd = rx_socket(domain, IPPROTO_UDP, &local);
	f->to = addr_of(tc->fam, wire.peer4, wire.peer6, 4242);
	drain();

	return supports_segment(f->fd) &&
	       expect_ret("TUNSETOFFLOAD", 0,
			  set_offloads(wire.conf->offloads));
}

static bool flow_send(struct vnet_flow *f, int len, int size)
{
	struct gso_send s = {
		.to = &f->to,
		.data = payload,
		.len = len,
		.cmsg = size,
	};

	if (!expect_ret("send", len, gso_send(f->fd, &s)))
		return false;
	send_fence(f->fd, &f->to);

	return true;
}

static int segments(int len, int size)
{
	return len > size ? (len + size - 1) / size : 1;
}

static struct expect datagrams(int len, int size)
{
	return (struct expect) {
		.data = payload,
		.len = len,
		.size = size,
		.count = segments(len, size),
	};
}

/* Reads, checks and writes back all packets up to the fence. Also writes back
 * the fence.
 */
static bool reflect(struct vnet_flow *f, int len, int size)
{
	struct expect exp = reads_gso() ? datagrams(len, len) :
					   datagrams(len, size);
	struct stream st = { .exp = &exp, .nr_exp = 1 };
	bool last;

	do {
		if (!wire_recv(&frame))
			return false;
		last = is_fence(&frame);
		if (!last && !case_failed)
			check_frame(&frame, f->fam, size, &st);
		swap_addresses(&frame);
		expect_ret("write", frame_size(&frame), frame_send(&frame));
	} while (!last);

	return !case_failed && stream_end(&st);
}

static bool send_and_reflect(struct vnet_flow *f, int len, int size)
{
	struct expect exp = datagrams(len, size);

	return flow_send(f, len, size) && reflect(f, len, size) &&
	       expect_rx(f->fd, &f->to, &exp, 1);
}

static const struct shape_row {
	const char *name;
	int len;
	int size;
} shape_rows[] = {
	{ "1 byte", 1, 1000 },
	{ "exactly size", 1000, 1000 },
	{ "one byte above size", 1001, 1000 },
	{ "2 segments of 1", 2, 1 },
	{ "128 segments of 1", 128, 1 },
	{ "twice size", 2000, 1000 },
	{ "odd size", 4000, 333 },
	{ "44 segments of 1452", 44 * 1452, 1452 },
	{ "128 segments of 500, last 1 byte", 127 * 500 + 1, 500 },
	{ "128 segments of 500", 128 * 500, 500 },
};

static void test_shape(const struct test_case *tc)
{
	const struct shape_row *row = tc->row;
	struct vnet_flow f;

	if (flow_open_wire(&f, tc))
		send_and_reflect(&f, row->len, row->size);
	close(f.fd);
}

/* TUNSETOFFLOAD. macvtap and ipvtap devices accept any set of known flags. */

static const struct offload_row {
	int offloads;
	int tun_ret;
	int tap_ret;		/* of macvtap and ipvtap devices */
} offload_rows[] = {
	{ OFF_ALL, 0, 0 },
	{ OFF_ALL | TUN_F_TSO_ECN | TUN_F_UFO, 0, 0 },
	{ TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6, 0, 0 },
	{ TUN_F_CSUM | TUN_F_USO4, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_USO6, -EINVAL, 0 },
	{ OFF_TSO | TUN_F_USO4, -EINVAL, 0 },
	{ OFF_TSO | TUN_F_USO6, -EINVAL, 0 },
	{ TUN_F_USO4 | TUN_F_USO6, -EINVAL, 0 },
	{ OFF_TSO, 0, 0 },
	{ TUN_F_CSUM, 0, 0 },
	{ 0, 0, 0 },
	{ OFF_ALL | 0x8000, -EINVAL, -EINVAL },
};

/* Invalid flags must not change the offloads. */
static void test_offload(const struct test_case *tc)
{
	const struct offload_row *row = tc->row;
	struct vnet_flow f;
	int ret;

	if (flow_open_wire(&f, tc)) {
		ret = over_veth(wire.conf->kind) ? row->tap_ret : row->tun_ret;
		expect_ret("TUNSETOFFLOAD", ret, set_offloads(row->offloads));
		send_and_reflect(&f, 3000, 1000);
	}
	close(f.fd);
}

/* Wrong headers */

#define HEADER_LEN	1001
#define HEADER_SIZE	500

enum field {
	ASIS,
	TYPE, FLAGS, START, START_BY, START_END, OFFSET, SIZE, HDR_LEN,
	HDR_LEN_END, TRIM, LEN, ETHERTYPE, VERSION, PROTO
};

enum outcome {
	EARLY,		/* write fails: wrong lengths */
	HEADER,		/* write fails: header does not match */
	AT_GSO,		/* dropped at segmentation; error on packet sockets */
	LATE,		/* dropped by the receiver */
	ONE,		/* received as one datagram */
	MANY,		/* received as several datagrams */
};

static const struct header_row {
	const char *name;
	enum field field;
	int val;
	enum outcome outcome;
	int len;		/* of the payload; 0: HEADER_LEN */
	int kinds;		/* bits of enum kind; 0: all */
} header_rows[] = {
	{ "valid", ASIS, 0, MANY },
	{ "gso_type with ECN", TYPE, 0x85, HEADER },
	{ "gso_type 2", TYPE, 2, HEADER },
	{ "gso_type 6", TYPE, 6, HEADER },
	{ "gso_type of TCP", TYPE, 1, HEADER },
	{ "gso_type none", TYPE, 0, ONE },
	{ "no NEEDS_CSUM", FLAGS, 0, HEADER },
	{ "DATA_VALID, no NEEDS_CSUM", FLAGS, 2, HEADER },
	{ "DATA_VALID and NEEDS_CSUM", FLAGS, 3, MANY },
	{ "csum_start 0", START, 0, HEADER },
	{ "csum_start 19", START, 19, HEADER },
	{ "csum_start - 2", START_BY, -2, AT_GSO, .kinds = ~BTUN },
	{ "csum_start + 2", START_BY, 2, AT_GSO },
	{ "csum_start + 8", START_BY, 8, AT_GSO },
	{ "csum_start 7 before the end", START_END, 7, EARLY },
	{ "csum_start at the end", START_END, 0, EARLY },
	{ "csum_start 60000", START, 60000, EARLY },
	{ "csum_offset 0", OFFSET, 0, HEADER },
	{ "csum_offset 4", OFFSET, 4, HEADER },
	{ "csum_offset of TCP", OFFSET, 16, HEADER },
	{ "csum_offset 60000", OFFSET, 60000, EARLY },
	{ "gso_size 0", SIZE, 0, HEADER },
	{ "gso_size 65535", SIZE, 65535, HEADER },
	{ "gso_size 65534", SIZE, 65534, ONE },
	{ "gso_size of payload", SIZE, 1001, ONE },
	{ "gso_size of payload - 1", SIZE, 1000, MANY },
	{ "payload of gso_size", SIZE, 1000, ONE, 1000 },
	{ "128 segments of 10", SIZE, 10, MANY, 1280 },
	{ "128 segments, last 1 byte", SIZE, 10, MANY, 1271 },
	{ "129 segments, last 1 byte", SIZE, 10, HEADER, 1281 },
	{ "1001 segments of 1", SIZE, 1, HEADER },
	{ "hdr_len 0", HDR_LEN, 0, MANY },
	{ "hdr_len of the packet", HDR_LEN_END, 0, MANY },
	{ "hdr_len over the packet", HDR_LEN_END, -1, EARLY },
	{ "hdr_len 65535", HDR_LEN, 65535, EARLY },
	{ "a byte missing at the end", TRIM, 1, LATE },
	{ "payload missing", TRIM, 1001, LATE },
	{ "UDP header cut short", TRIM, 1002, EARLY },
	{ "Ethernet header cut short", LEN, 13, EARLY,
	  .kinds = ~BTUN },
	{ "no packet", LEN, 0, EARLY },
	{ "wrong EtherType", ETHERTYPE, ETH_P_ARP, AT_GSO, .kinds = ~BTUN },
	{ "unknown IP version", VERSION, 5, LATE, .kinds = ~BTUN },
	{ "other IP version", VERSION, 0, LATE },
	{ "protocol TCP", PROTO, IPPROTO_TCP, AT_GSO },
	{ "protocol UDP-Lite", PROTO, 136, AT_GSO },
};

static void set_proto(unsigned char *ip, int proto)
{
	if (ip[0] >> 4 == 6) {
		ip[6] = proto;
		return;
	}
	ip[9] = proto;
	put16(ip + 10, 0);
	put16(ip + 10, ~csum_bytes(0, ip, 20));
}

static void corrupt(struct frame *f, const struct header_row *row)
{
	struct virtio_net_hdr *vnet = &f->vnet;
	unsigned char *ip = frame_ip(f);
	int start = from_vnet16(vnet->csum_start);
	int val = row->val;

	switch (row->field) {
	case ASIS:
		break;
	case TYPE:
		vnet->gso_type = val;
		break;
	case FLAGS:
		vnet->flags = val;
		break;
	case START:
		vnet->csum_start = to_vnet16(val);
		break;
	case START_BY:
		vnet->csum_start = to_vnet16(start + val);
		break;
	case START_END:
		vnet->csum_start = to_vnet16(f->len - val);
		break;
	case OFFSET:
		vnet->csum_offset = to_vnet16(val);
		break;
	case SIZE:
		vnet->gso_size = to_vnet16(val);
		break;
	case HDR_LEN:
		vnet->hdr_len = to_vnet16(val);
		break;
	case HDR_LEN_END:
		vnet->hdr_len = to_vnet16(f->len - val);
		break;
	case TRIM:
		f->len -= val;
		vnet->hdr_len = 0;
		break;
	case LEN:
		f->len = val;
		vnet->hdr_len = 0;
		break;
	case ETHERTYPE:
		put16(ip - 2, val);
		break;
	case VERSION:
		ip[0] = (val ?: 10 - (ip[0] >> 4)) << 4 | (ip[0] & 0xf);
		break;
	case PROTO:
		set_proto(ip, val);
		break;
	}
}

/* Reads a GSO packet and a fence, and swaps their addresses. */
static bool capture(struct vnet_flow *f, int len)
{
	struct expect exp = datagrams(len, len);
	struct stream st = { .exp = &exp, .nr_exp = 1 };

	if (!flow_send(f, len, HEADER_SIZE) || !wire_recv(&frame))
		return false;
	if (is_fence(&frame))
		return fail("no packet before the fence");
	check_frame(&frame, f->fam, HEADER_SIZE, &st);
	do {
		if (!wire_recv(&fence_frame))
			return false;
	} while (!is_fence(&fence_frame));
	swap_addresses(&frame);
	swap_addresses(&fence_frame);

	return !case_failed;
}

/* Columns of /proc/net/dev */
enum { RX_DROP = 3, RX_FRAME = 5, TX_DROP = 11, COUNTERS = 16 };

static bool parse_counters(const char *line, long *val)
{
	char *p = strchr(line, ':');
	int i;

	if (!p || !strstr(line, wire.far_dev))
		return false;

	p++;
	for (i = 0; i < COUNTERS; i++)
		val[i] = strtol(p, &p, 10);

	return true;
}

static void read_counters(long *val)
{
	bool found = false;
	char line[512];
	FILE *file;

	memset(val, 0, COUNTERS * sizeof(*val));
	if (is_packet())
		return;
	if (over_veth(wire.conf->kind))
		enter_netns(peer_netns);
	file = fopen("/proc/net/dev", "r");
	enter_netns(home_netns);
	while (file && !found && fgets(line, sizeof(line), file))
		found = parse_counters(line, val);
	if (!found)
		die("counters of %s", wire.far_dev);
	fclose(file);
}

/* A tun device counts packets with invalid headers as frame errors. A macvtap
 * or ipvtap device counts all packets that it drops as TX drops.
 */
static void expect_counters(const long *before, const long *after,
			    enum outcome outcome)
{
	enum kind kind = wire.conf->kind;

	expect_long("frame errors", kind == TUN && outcome == HEADER,
		    after[RX_FRAME] - before[RX_FRAME]);
	expect_long("rx drops", 0, after[RX_DROP] - before[RX_DROP]);
	expect_long("tx drops",
		    (kind == MACVTAP || kind == IPVTAP) && outcome <= AT_GSO,
		    after[TX_DROP] - before[TX_DROP]);
}

static int wanted_ret(const struct header_row *row)
{
	if (row->outcome <= HEADER)
		return -EINVAL;
	if (row->outcome == AT_GSO && is_packet())
		return -ENOMEM;

	return frame_size(&frame);
}

static void write_corrupted(struct vnet_flow *f, const struct header_row *row)
{
	long before[COUNTERS], after[COUNTERS];
	int size, len = row->len ?: HEADER_LEN;
	struct expect exp;

	if (!capture(f, len))
		return;
	corrupt(&frame, row);
	size = row->outcome == MANY ? from_vnet16(frame.vnet.gso_size) : len;
	exp = datagrams(len, size);

	read_counters(before);
	expect_ret("write", wanted_ret(row), frame_send(&frame));
	read_counters(after);
	expect_counters(before, after, row->outcome);

	expect_ret("write of the fence", frame_size(&fence_frame),
		   frame_send(&fence_frame));
	expect_rx(f->fd, &f->to, &exp, row->outcome >= ONE);
}

static void test_header(const struct test_case *tc)
{
	struct vnet_flow f;

	if (flow_open_wire(&f, tc))
		write_corrupted(&f, tc->row);
	close(f.fd);
}

/* Cases, by device */

static void add_headers(int dev, enum family fam)
{
	const struct header_row *row;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(header_rows); i++) {
		row = &header_rows[i];
		if (!row->kinds || row->kinds & 1 << confs[dev].kind)
			add_case(test_header, row, fam, dev, "%s %s: header: %s",
				 family_name[fam], confs[dev].name, row->name);
	}
}

static void add_conf(int dev, enum family fam)
{
	const struct conf *conf = &confs[dev];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shape_rows); i++)
		add_case(test_shape, &shape_rows[i], fam, dev, "%s %s: %s",
			 family_name[fam], conf->name, shape_rows[i].name);
	if (!conf->headers)
		return;
	add_headers(dev, fam);
	if (conf->kind == PACKET || conf->kind == RING)
		return;
	for (i = 0; i < ARRAY_SIZE(offload_rows); i++)
		add_case(test_offload, &offload_rows[i], fam, dev,
			 "%s %s: TUNSETOFFLOAD 0x%02x", family_name[fam],
			 conf->name, offload_rows[i].offloads);
}

int main(int argc, char **argv)
{
	unsigned int dev;

	if (argc < 2)
		ksft_exit_fail_msg("usage: udpgso_vnet NETNS [FILTER]\n");

	peer_name = argv[1];
	open_netns(peer_name);
	payload_init();
	pin_cpu();
	for (dev = 0; dev < ARRAY_SIZE(confs); dev++) {
		add_conf(dev, V4);
		add_conf(dev, V6);
	}
	run_cases(argc > 2 ? argv[2] : NULL);

	return 0;
}
