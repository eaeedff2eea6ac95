// SPDX-License-Identifier: GPL-2.0
/* The network of the guest: the targets of the inputs, the outputs that are
 * read, and the counters. The guest has one processor, and ksoftirqd has a
 * higher priority than this program. So the kernel has processed all packets of
 * a write when the program continues.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "counters.h"
#include "fuzz.h"

#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ	24
#endif
#ifndef SOL_UDP
#define SOL_UDP			17
#endif
#define UDP_GRO			104
#define ALL_OFFLOADS		0x67	/* checksum, TSO4, TSO6, USO4, USO6 */
#define MAX_OUTPUTS		48
#define MAX_ERRNO		134
#define LAST_HEADER		-2
#define COUNT_EVERY		64

/* An output that is read: a tun device, or a socket */
struct output {
	char name[16];
	int fd;
	int hdr_len;
	bool eth;
	bool udp;
	uint64_t frames;
};

/* The taps that the guest sends to; setup.sh moves some to other namespaces */
static const struct {
	const char *name;
	int hdr_len;
	unsigned int offloads;
} out_taps[] = {
	{ "e1", 0, 0 }, { "e2", 12, ALL_OFFLOADS }, { "e3", 10, 1 },
	{ "e4", 10, 7 }, { "e5", 12, ALL_OFFLOADS }, { "u", 10, ALL_OFFLOADS },
	{ "e16", 10, ALL_OFFLOADS }, { "e17", 0, 0 }, { "g8", 0, 0 },
	{ "g14", 0, 0 },
};

static struct output outputs[MAX_OUTPUTS];
static struct pollfd polls[MAX_OUTPUTS];
static unsigned int n_outputs;
static int target_fd[64];
static int target_ifindex[64];
static bool was_verbose, alter_next;
static unsigned int n_strays;
static int kmsg;
static unsigned long results[64][MAX_ERRNO];

static void must(bool good, const char *what)
{
	if (!good)
		die(what);
}

static void add_output(const char *name, int fd, int hdr_len, bool eth, bool udp)
{
	struct output *output = &outputs[n_outputs];

	must(n_outputs < MAX_OUTPUTS, "too many outputs");
	snprintf(output->name, sizeof(output->name), "%s", name);
	output->fd = fd;
	output->hdr_len = hdr_len;
	output->eth = eth;
	output->udp = udp;
	polls[n_outputs++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* A kernel without USO refuses the flags TUN_F_USO4 and TUN_F_USO6 (0x60). */
static void set_offloads(int fd, unsigned int offloads)
{
	if (ioctl(fd, TUNSETOFFLOAD, offloads))
		must(!ioctl(fd, TUNSETOFFLOAD, offloads & 0x1f),
		     "TUNSETOFFLOAD");
}

static int open_tun(const char *path, const char *name, int flags, int hdr_len,
		    unsigned int offloads)
{
	int fd = open(path, O_RDWR | O_NONBLOCK);
	struct ifreq ifr = { 0 };

	must(fd >= 0, path);
	strcpy(ifr.ifr_name, name);
	ifr.ifr_flags = flags | IFF_NO_PI | (hdr_len ? IFF_VNET_HDR : 0);
	must(!ioctl(fd, TUNSETIFF, &ifr), name);
	if (hdr_len) {
		must(!ioctl(fd, TUNSETVNETHDRSZ, &hdr_len), "TUNSETVNETHDRSZ");
		set_offloads(fd, offloads);
	}
	return fd;
}

static void open_taps(void)
{
	int fd;

	for (unsigned int i = 0; i < sizeof(out_taps) / sizeof(out_taps[0]); i++) {
		fd = open_tun("/dev/net/tun", out_taps[i].name, IFF_TAP,
			      out_taps[i].hdr_len, out_taps[i].offloads);
		add_output(out_taps[i].name, fd, out_taps[i].hdr_len, true, false);
	}
	for (unsigned int i = 0; i < n_targets; i++) {
		const struct target *target = &targets[i];

		if (target->kind != TUN && target->kind != TAP)
			continue;
		target_fd[i] = open_tun("/dev/net/tun", target->dev, target->tun_flags |
				     (target->kind == TAP ? IFF_TAP : IFF_TUN),
				     target->hdr_len, ALL_OFFLOADS);
		add_output(target->dev, target_fd[i], target->hdr_len, target->kind == TAP,
			false);
	}
}

static int open_macvtap(const struct target *target)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex(target->dev));
	fd = open_tun(path, target->dev, IFF_TAP, target->hdr_len, ALL_OFFLOADS);
	add_output(target->dev, fd, target->hdr_len, true, false);
	return fd;
}

static int open_packet(const struct target *target)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1, size = 8 << 20;

	must(fd >= 0, "packet socket");
	addr.sll_ifindex = if_nametoindex(target->dev);
	must(addr.sll_ifindex, target->dev);
	if (target->hdr_len == 10)
		must(!setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, 4),
		     "PACKET_VNET_HDR");
	else
		must(!setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR_SZ,
				 &target->hdr_len, 4), "PACKET_VNET_HDR_SZ");
	must(!setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, 4), "sndbuf");
	must(!bind(fd, (void *)&addr, sizeof(addr)), "bind a packet socket");
	return fd;
}

static void open_targets(void)
{
	for (unsigned int i = 0; i < n_targets; i++) {
		if (targets[i].kind == MACVTAP)
			target_fd[i] = open_macvtap(&targets[i]);
		else if (targets[i].kind > MACVTAP)
			target_fd[i] = open_packet(&targets[i]);
		target_ifindex[i] = if_nametoindex(targets[i].dev);
	}
}

static void open_udp(const char *ns, bool gro)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6,
		.sin6_port = htons(UDP_PORT + gro) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int size = 32 << 20, one = 1;
	char name[16];

	must(fd >= 0, "UDP socket");
	must(!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, 4), "rcvbuf");
	if (gro && setsockopt(fd, SOL_UDP, UDP_GRO, &one, 4))
		printf("no UDP_GRO: %s\n", strerror(errno));
	must(!bind(fd, (void *)&addr, sizeof(addr)), "bind a UDP socket");
	snprintf(name, sizeof(name), "udp%s-%s", gro ? "-gro" : "", ns);
	add_output(name, fd, 0, false, true);
}

static void enter(const char *ns)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY);
	must(fd >= 0 && !setns(fd, CLONE_NEWNET), path);
	close(fd);
}

/* ksoftirqd and the RCU threads must run before this program. */
static void raise_ksoftirqd(void)
{
	must(!system("for p in /proc/[0-9]*; do read -r n <$p/comm; "
		     "case $n in ksoftirqd/*|rcu_*) "
		     "chrt -f -p 50 ${p#/proc/} || exit 1 ;; esac; done"),
	     "chrt");
}

void net_setup(const char *script)
{
	static const char * const namespaces[] = { "N", "F", "M" };

	open_taps();
	must(!system(script), script);
	for (int i = 0; i < 3; i++) {
		enter(namespaces[i]);
		counters_open(namespaces[i]);
		if (i < 2) {
			open_udp(namespaces[i], false);
			open_udp(namespaces[i], true);
		}
	}
	enter("N");
	open_targets();
	raise_ksoftirqd();
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	must(kmsg >= 0 && lseek(kmsg, 0, SEEK_END) >= 0, "/dev/kmsg");
}

/* Returns the number of new kernel messages with level error or a more severe
 * level, which no input may cause. A WARN() makes the kernel panic.
 */
unsigned int net_splats(void)
{
	unsigned int count = 0;
	char line[8192];
	ssize_t len;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[len] = 0;
		if ((atoi(line) & 7) > 3)
			continue;
		printf("on the console: %s", line);
		count++;
	}
	return count;
}

static int pieces(const struct input *in, struct iovec *iov)
{
	uint32_t at = 0;
	int i, n = 0;

	for (i = 0; i <= in->splits; i++) {
		uint32_t stop = i < in->splits ? in->split_at[i] : in->len;

		if (stop > in->len)
			stop = in->len;
		if (stop <= at && n)
			continue;
		iov[n].iov_base = (void *)(in->buf + at);
		iov[n++].iov_len = stop - at;
		at = stop;
	}
	return n;
}

static long write_input(const struct input *in)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6,
		.sll_addr = { 2, 0, 0, 0, 0, 1 } };
	const struct target *target = &targets[in->target];
	struct iovec iov[MAX_SPLITS + 1];
	struct msghdr msg = { .msg_iov = iov };
	long ret;

	msg.msg_iovlen = pieces(in, iov);
	if (target->kind < PACKET_ETH) {
		ret = writev(target_fd[in->target], iov, msg.msg_iovlen);
	} else {
		if (in->protocol) {
			to.sll_ifindex = target_ifindex[in->target];
			to.sll_protocol = htons(in->protocol);
			msg.msg_name = &to;
			msg.msg_namelen = sizeof(to);
		}
		ret = sendmsg(target_fd[in->target], &msg, MSG_DONTWAIT);
	}
	return ret < 0 ? -errno : ret;
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void normalise_ids(int ether, uint8_t *p, int len, int *first);

static void normalise_eth(uint8_t *p, int len, int *first)
{
	int at = ETH_HLEN, ether;

	for (; at <= len; at += 4) {
		ether = get16(p + at - 2);
		if (ether != ETH_P_8021Q && ether != ETH_P_8021AD) {
			normalise_ids(ether, p + at, len - at, first);
			return;
		}
	}
}

/* Handles a packet in the payload of IP: in a tunnel, or in an ICMP error */
static void normalise_payload(int type, uint8_t *p, int len, int *first)
{
	if (len < 16)
		return;
	switch (type) {
	case IPPROTO_ICMPV6:
		if (p[0] >= 128)
			return;
		p[2] = p[3] = 0;
		normalise_ids(ETH_P_IPV6, p + 8, len - 8, first + 1);
		return;
	case IPPROTO_ICMP:
		p[2] = p[3] = 0;
		normalise_ids(ETH_P_IP, p + 8, len - 8, first + 1);
		return;
	case IPPROTO_GRE:
		normalise_ids(get16(p + 2), p + 4, len - 4, first + 1);
		return;
	case IPPROTO_UDP:
		if (get16(p + 2) == VXLAN_PORT)
			normalise_eth(p + 16, len - 16, first + 1);
		return;
	case IPPROTO_IPIP:
		normalise_ids(ETH_P_IP, p, len, first + 1);
		return;
	case IPPROTO_IPV6:
		normalise_ids(ETH_P_IPV6, p, len, first + 1);
		return;
	}
}

static void normalise_v4(uint8_t *p, int len, int *first)
{
	int at = (p[0] & 15) * 4, id = get16(p + 4);

	if (p[12] == 10 && !p[13] && (p[14] != TUNNEL_NET || p[15] == 1)) {
		if (*first < 0)
			*first = id;
		id -= *first;
		p[4] = id >> 8;
		p[5] = id;
		p[10] = p[11] = 0;
	}
	if (at >= 20)
		normalise_payload(p[9], p + at, len - at, first);
}

static void normalise_v6(uint8_t *p, int len, int *first)
{
	int at = 40, type = p[6];

	for (; type == 0 || type == 60 || type == 43; at += 8 + 8 * p[at + 1]) {
		if (at + 8 > len)
			return;
		type = p[at];
	}
	if (at + 8 > len)
		return;
	if (type == IPPROTO_FRAGMENT)
		memset(p + at + 4, 0, 4);
	else
		normalise_payload(type, p + at, len - at, first);
}

/* The kernel chooses random IDs for its own packets. Replace an IPv4 ID by the
 * difference to the first ID at that level of nesting, and clear the ID of an IPv6
 * fragment.
 */
static void normalise_ids(int ether, uint8_t *p, int len, int *first)
{
	if (*first == LAST_HEADER)
		return;
	if (len >= 20 && ether == ETH_P_IP)
		normalise_v4(p, len, first);
	else if (len >= 40 && ether == ETH_P_IPV6)
		normalise_v6(p, len, first);
}

static void print_frame(const struct output *output, const uint8_t *p, long len,
			uint64_t hash, int gro)
{
	struct vnet v = { 0 };
	long i, show = len < 100 ? len : 100;

	printf("  %s: %ld bytes, %016llx", output->name, len - output->hdr_len,
	       (unsigned long long)hash);
	if (gro)
		printf(", UDP_GRO %d", gro);
	if (output->hdr_len) {
		memcpy(&v, p, output->hdr_len);
		printf(", flags %02x gso_type %02x hdr_len %u gso_size %u csum_start %u csum_offset %u",
		       v.flags, v.gso_type, v.hdr_len, v.gso_size,
		       v.csum_start, v.csum_offset);
	}
	printf("\n   ");
	for (i = output->hdr_len; i < show; i++)
		printf(" %02x", p[i]);
	printf("%s\n", show < len ? " ..." : "");
}

static long read_frame(const struct output *output, uint8_t *buf, size_t size, int *gro)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	long len;

	*gro = 0;
	if (!output->udp)
		return read(output->fd, buf, size);
	len = recvmsg(output->fd, &msg, 0);
	cmsg = len < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type == UDP_GRO)
		memcpy(gro, CMSG_DATA(cmsg), sizeof(int));
	return len;
}

static void read_output(struct output *output, struct outcome *out, bool verbose)
{
	static uint8_t buf[2 * MAX_INPUT];
	int first[] = { -1, -1, -1, -1, LAST_HEADER };
	int gro, at;
	uint64_t hash;
	long len;

	while ((len = read_frame(output, buf, sizeof(buf), &gro)) >= 0) {
		if (len && alter_next) {
			buf[len - 1] ^= 1;
			alter_next = false;
		}
		at = output->hdr_len;
		if (output->eth)
			normalise_eth(buf + at, len - at, first);
		else if (!output->udp && len > at)
			normalise_ids(buf[at] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP,
				 buf + at, len - at, first);
		hash = digest(gro, buf, len);
		out->digest = mix(mix(out->digest, output - outputs), hash);
		out->frames++;
		output->frames++;
		if (verbose)
			print_frame(output, buf, len, hash, gro);
	}
	if (errno == EAGAIN)
		return;
	out->digest = mix(out->digest, errno);
	if (verbose)
		printf("  %s: %s\n", output->name, strerror(errno));
}

static void read_outputs(struct outcome *out, bool verbose)
{
	if (poll(polls, n_outputs, 0) <= 0)
		return;
	for (unsigned int i = 0; i < n_outputs; i++) {
		if (polls[i].revents & (POLLIN | POLLERR))
			read_output(&outputs[i], out, verbose);
	}
}

/* Frames that a timer of the guest has sent belong to no input */
static void read_strays(void)
{
	struct outcome out = { 0 };

	read_outputs(&out, n_strays < 3);
	n_strays += out.frames;
}

/* Reading all counters takes ten times as long as the rest, so this is only done
 * for each COUNT_EVERY-th input, and for inputs that are printed.
 */
void net_run(const struct input *in, struct outcome *out, bool verbose)
{
	long ret;

	if (verbose && !was_verbose)
		counters_delta(out, false);
	was_verbose = verbose;
	read_strays();
	if (verbose)
		print_input(in);
	ret = write_input(in);
	*out = (struct outcome){ .digest = mix(in->n, ret), .ret = ret };
	if (verbose)
		printf("  = %ld %s\n", ret, ret < 0 ? strerror(-ret) : "");
	results[in->target][ret < 0 && ret > -MAX_ERRNO ? -ret : 0]++;
	alter_next = in->n == hook("FUZZ_ALTER");
	read_outputs(out, verbose);
	alter_next = false;
	out->digest = mix(out->digest, counters_of(target_ifindex[in->target]));
	if (verbose || in->n % COUNT_EVERY == COUNT_EVERY - 1)
		counters_delta(out, verbose);
}

/* Adds the changes of the counters since they were last read. */
void net_finish(struct outcome *out)
{
	counters_delta(out, false);
}

void net_report(void)
{
	printf("inputs by target, and the results of the writes:\n");
	for (unsigned int i = 0; i < n_targets; i++) {
		printf("  %-20s ok %lu", targets[i].name, results[i][0]);
		for (int e = 1; e < MAX_ERRNO; e++) {
			if (results[i][e])
				printf(", %s %lu", strerrorname_np(e),
				       results[i][e]);
		}
		printf("\n");
	}
	printf("frames by output:\n ");
	for (unsigned int i = 0; i < n_outputs; i++)
		printf(" %s %llu", outputs[i].name,
		       (unsigned long long)outputs[i].frames);
	printf(" not caused by an input %u\n", n_strays);
	counters_report();
}
