/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for tests with several namespaces and devices.
 *
 * The sender is in namespace tx, and the receiver is in namespace rx. A router
 * or a bridge may be between them, in namespace mid. A packet socket in rx
 * reads all frames. A parser checks lengths, checksums and IPv4 identifications
 * in all headers of a frame, also inside tunnels. A UDP socket in rx reads the
 * datagrams.
 */
#ifndef UDPGSO_TOPO_H
#define UDPGSO_TOPO_H

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "udpgso_lib.h"

#define PORT		4242
#define WARM_PORT	4243
#define FOU_IPIP_PORT	5554
#define FOU_SIT_PORT	5555
#define FOU_GRE_PORT	5556
#define GUE_PORT	5557
#define L2TP_PORT	1701
#define VXLAN_PORT	4789
#define GENEVE_PORT	6081
#define BAREUDP_PORT	6635
#define BAREUDP6_PORT	6636	/* for a second bareudp device */
#define AMT_PORT	2268
#define WG_PORT		51820

#define READY_TIMEOUT_MS 5000
#define MAX_IDS		8

/* Namespaces */

enum ns { TX, MID, RX, NR_NS };

static const char * const ns_name[] = { "tx", "mid", "rx" };
static int ns_fd[NR_NS] = { -1, -1, -1 };

static inline void enter(enum ns ns)
{
	enter_netns(ns_fd[ns]);
}

static inline void set_sysctl(const char *name, const char *val)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "/proc/sys/net/%s", name);
	fd = open(file, O_WRONLY);
	if (fd < 0 || write(fd, val, strlen(val)) < 0)
		die("sysctl %s", name);
	close(fd);
}

/* Runs @prog in a namespace, with @lines as input. ';' separates the lines.
 * @opt is the option of @prog that names a file of lines.
 */
static inline bool batch(enum ns ns, const char *prog, const char *opt,
			 const char *lines)
{
	int fds[2], status;
	FILE *pipe;
	pid_t pid;

	if (!lines || !*lines)
		return true;

	if (pipe2(fds, O_CLOEXEC))
		die("pipe");
	enter(ns);
	pid = vfork();
	if (pid < 0)
		die("vfork");
	if (!pid) {
		dup2(fds[0], STDIN_FILENO);
		execlp(prog, prog, opt, "-", NULL);
		_exit(127);
	}
	enter(TX);
	close(fds[0]);
	pipe = fdopen(fds[1], "w");
	if (!pipe)
		die("fdopen");
	for (; *lines; lines++)
		fputc(*lines == ';' ? '\n' : *lines, pipe);
	fputc('\n', pipe);
	fclose(pipe);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");

	return !status || fail("%s in %s: status %d", prog, ns_name[ns],
			       WEXITSTATUS(status));
}

static inline __printf(2, 3) bool ip_in(enum ns ns, const char *fmt, ...)
{
	char lines[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(lines, sizeof(lines), fmt, args);
	va_end(args);

	return batch(ns, "ip", "-batch", lines);
}

static inline __printf(2, 3) bool tc_in(enum ns ns, const char *fmt, ...)
{
	char lines[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(lines, sizeof(lines), fmt, args);
	va_end(args);

	return batch(ns, "tc", "-batch", lines);
}

static inline void ns_drop(enum ns ns)
{
	char file[64];

	snprintf(file, sizeof(file), "/run/netns/%s", ns_name[ns]);
	umount2(file, MNT_DETACH);
	close(ns_fd[ns]);
	ns_fd[ns] = -1;
}

static inline void ns_make(enum ns ns)
{
	char file[64];

	if (ns_fd[ns] >= 0)
		ns_drop(ns);
	if (unshare(CLONE_NEWNET))
		die("unshare");

	snprintf(file, sizeof(file), "/run/netns/%s", ns_name[ns]);
	close(open(file, O_CREAT | O_RDONLY, 0444));
	if (mount("/proc/self/ns/net", file, NULL, MS_BIND, NULL))
		die("mount of %s", file);
	ns_fd[ns] = open(file, O_RDONLY | O_CLOEXEC);
	if (ns_fd[ns] < 0)
		die("%s", file);

	set_sysctl("ipv4/conf/all/arp_ignore", "1");
	set_sysctl("ipv6/conf/default/accept_dad", "0");
	/* Repeat MLD reports after 1 ms, so that no report is sent later. */
	set_sysctl("ipv6/conf/default/mldv2_unsolicited_report_interval", "1");
	if (ns == MID) {
		set_sysctl("ipv4/ip_forward", "1");
		set_sysctl("ipv6/conf/all/forwarding", "1");
		return;
	}

	/* Avoid packets that are not part of the test. A router keeps its
	 * link-local address, which it needs for neighbour discovery.
	 */
	set_sysctl("ipv6/conf/default/addr_gen_mode", "1");
	set_sysctl("ipv6/conf/default/accept_ra", "0");
}

/* Creates /run/netns in a private mount namespace, initialises the payload, and
 * pins the test to one CPU.
 */
static inline void topo_init(void)
{
	if (geteuid()) {
		ksft_print_header();
		ksft_exit_skip("needs root\n");
	}
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("no mount namespace");
	if ((mkdir("/run/netns", 0755) && errno != EEXIST) ||
	    mount("tmpfs", "/run/netns", "tmpfs", 0, NULL))
		die("/run/netns");
	payload_init();
	pin_cpu();
}

/* Replaces all namespaces by new ones without devices. */
static inline void topo_reset(void)
{
	enum ns ns;

	for (ns = TX; ns < NR_NS; ns++)
		ns_make(ns);
	enter(TX);
}

/* Device features, with the names that ethtool uses */

static char feature_names[64 * ETH_GSTRING_LEN];
static int nr_features;

static inline int ethtool_ioctl(const char *dev, void *cmd)
{
	struct ifreq ifr = { .ifr_data = cmd };
	int fd, ret;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	ret = ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	close(fd);

	return ret;
}

static inline void read_feature_names(const char *dev)
{
	union {
		struct ethtool_gstrings hdr;
		char buf[sizeof(struct ethtool_gstrings) +
			 sizeof(feature_names)];
	} strings = { .hdr.cmd = ETHTOOL_GSTRINGS };
	struct {
		struct ethtool_sset_info hdr;
		__u32 count;
	} info = {
		.hdr.cmd = ETHTOOL_GSSET_INFO,
		.hdr.sset_mask = 1 << ETH_SS_FEATURES,
	};

	if (ethtool_ioctl(dev, &info) || info.count > 64)
		die("number of features");
	nr_features = info.count;
	strings.hdr.string_set = ETH_SS_FEATURES;
	strings.hdr.len = nr_features;
	if (ethtool_ioctl(dev, &strings))
		die("names of features");
	memcpy(feature_names, strings.buf + sizeof(strings.hdr),
	       nr_features * ETH_GSTRING_LEN);
}

static inline int feature_bit(const char *dev, const char *name)
{
	int i;

	if (!nr_features)
		read_feature_names(dev);
	for (i = 0; i < nr_features; i++)
		if (!strncmp(feature_names + i * ETH_GSTRING_LEN, name,
			     ETH_GSTRING_LEN))
			return i;

	return -1;
}

/* Returns the state of a feature as ethtool -k prints it, without brackets. */
static const char *feature_state(const char *dev, const char *name)
{
	struct {
		struct ethtool_gfeatures hdr;
		struct ethtool_get_features_block block[2];
	} get = { .hdr.cmd = ETHTOOL_GFEATURES, .hdr.size = 2 };
	int bit = feature_bit(dev, name);
	struct ethtool_get_features_block *b;
	bool on, wanted;
	__u32 mask;

	if (bit < 0)
		return "unknown";
	if (ethtool_ioctl(dev, &get))
		return "no device";

	b = &get.block[bit / 32];
	mask = 1U << bit % 32;
	on = b->active & mask;
	wanted = b->requested & mask;
	if (!(b->available & mask) || (b->never_changed & mask))
		return on ? "on fixed" : "off fixed";
	if (on != wanted)
		return wanted ? "off requested on" : "on requested off";

	return on ? "on" : "off";
}

static inline bool expect_feature(enum ns ns, const char *dev,
				  const char *name, const char *want)
{
	const char *got;

	enter(ns);
	got = feature_state(dev, name);
	enter(TX);

	return !strcmp(want, got) || fail("%s of %s: expected %s, got %s",
					  name, dev, want, got);
}

static inline bool set_feature(const char *dev, const char *name, bool on)
{
	struct {
		struct ethtool_sfeatures hdr;
		struct ethtool_set_features_block block[2];
	} set = { .hdr.cmd = ETHTOOL_SFEATURES, .hdr.size = 2 };
	int bit = feature_bit(dev, name);

	if (bit < 0)
		return fail("%s has no feature %s", dev, name);
	set.block[bit / 32].valid = 1U << bit % 32;
	set.block[bit / 32].requested = on ? 1U << bit % 32 : 0;

	return !ethtool_ioctl(dev, &set) || fail("%s of %s", name, dev);
}

/* Turns features on and off, as in "tx:d0 uso- csum- mid:e0 sg-". @back reverts
 * these changes.
 */
static inline bool set_features(const char *text, bool back)
{
	static const struct {
		const char *word, *name;
	} names[] = {
		{ "uso", "tx-udp-segmentation" },
		{ "csum", "tx-checksum-ip-generic" },
		{ "sg", "tx-scatter-gather" },
		{ "gso", "tx-generic-segmentation" },
		{ "enc", "tx-udp_tnl-segmentation" },
		{ "enccsum", "tx-udp_tnl-csum-segmentation" },
		{ "list", "rx-gro-list" },
		{ "fwd", "rx-udp-gro-forwarding" },
		{ "gro", "rx-gro" },
	};
	char buf[256], *word, *save, *colon, *dev = NULL;
	enum ns ns = TX;
	bool ok = true;
	size_t i, n;

	snprintf(buf, sizeof(buf), "%s", text ? text : "");
	for (word = strtok_r(buf, " ", &save); word && ok;
	     word = strtok_r(NULL, " ", &save)) {
		colon = strchr(word, ':');
		if (colon) {
			*colon = '\0';
			for (ns = TX; ns < RX; ns++)
				if (!strcmp(word, ns_name[ns]))
					break;
			dev = colon + 1;
			continue;
		}
		n = strlen(word) - 1;
		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (strlen(names[i].word) == n &&
			    !strncmp(names[i].word, word, n))
				break;
		if (i == ARRAY_SIZE(names) || !dev)
			die("feature %s", word);
		enter(ns);
		ok = set_feature(dev, names[i].name, (word[n] == '+') != back);
		enter(TX);
	}

	return ok;
}

/* Checksums as in RFC 1071: 16 bits at a time, big endian, end-around carry */

static inline __u32 csum_bytes(__u32 sum, const unsigned char *p, int len)
{
	int i;

	for (i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (i < len)
		sum += p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);

	return sum;
}

static inline int get16(const unsigned char *p)
{
	return p[0] << 8 | p[1];
}

static inline void put16(unsigned char *p, int val)
{
	p[0] = val >> 8;
	p[1] = val;
}

/* Frame parser */

struct walk {
	char layers[160];		/* as in "eth/ip4/udp" */
	const unsigned char *data;	/* payload of the innermost datagram */
	int len;
	int ids[MAX_IDS];
	bool df[MAX_IDS];
	int nr_ids;
	bool partial;		/* one checksum is not complete */
	bool ignored;		/* not a packet of the test */
	bool opaque;		/* encrypted, or a fragment */
};

static inline bool walk_eth(struct walk *w, unsigned char *p, int len);
static inline bool walk_l3(struct walk *w, int proto, unsigned char *p,
			   int len);
static inline bool walk_l4(struct walk *w, int proto, unsigned char *p,
			   int len, __u32 pseudo);

static inline bool walk_name(struct walk *w, const char *name)
{
	size_t n = strlen(w->layers);

	snprintf(w->layers + n, sizeof(w->layers) - n, "%s%s", n ? "/" : "",
		 name);

	return true;
}

static inline bool walk_ignore(struct walk *w)
{
	w->ignored = true;

	return true;
}

/* Completes a partial checksum, so that an outer checksum can be verified. */
static inline bool walk_complete(struct walk *w, unsigned char *check,
				 __u32 pseudo, const unsigned char *p, int len)
{
	__u32 sum;

	if (!w->partial || get16(check) % 0xffff != pseudo % 0xffff)
		return false;

	w->partial = false;
	put16(check, 0);
	sum = ~csum_bytes(pseudo, p, len) & 0xffff;
	put16(check, sum ? sum : 0xffff);

	return true;
}

static inline bool walk_ip_any(struct walk *w, unsigned char *p, int len)
{
	return walk_l3(w, len && p[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP, p,
		       len);
}

static inline bool walk_udp_inside(struct walk *w, int port, unsigned char *p,
				   int len)
{
	switch (port) {
	case PORT:
		w->data = p;
		w->len = len;
		return true;
	case FOU_IPIP_PORT:
		return walk_name(w, "fou") &&
		       walk_l4(w, IPPROTO_IPIP, p, len, 0);
	case FOU_SIT_PORT:
		return walk_name(w, "fou") &&
		       walk_l4(w, IPPROTO_IPV6, p, len, 0);
	case FOU_GRE_PORT:
		return walk_name(w, "fou") &&
		       walk_l4(w, IPPROTO_GRE, p, len, 0);
	case GUE_PORT:
		if (len < 4 || p[0] & 0xe0 || len < 4 + (p[0] & 31) * 4)
			return fail("GUE header in %d bytes", len);
		return walk_name(w, "gue") &&
		       walk_l4(w, p[1], p + 4 + (p[0] & 31) * 4,
			       len - 4 - (p[0] & 31) * 4, 0);
	case VXLAN_PORT:
		if (len < 8 || p[0] != 8)
			return fail("VXLAN header in %d bytes", len);
		return walk_name(w, "vxlan") && walk_eth(w, p + 8, len - 8);
	case GENEVE_PORT:
		if (len < 8 || len < 8 + (p[0] & 63) * 4)
			return fail("Geneve header in %d bytes", len);
		walk_name(w, "geneve");
		len -= 8 + (p[0] & 63) * 4;
		if (get16(p + 2) == ETH_P_TEB)
			return walk_eth(w, p + 8 + (p[0] & 63) * 4, len);
		return walk_l3(w, get16(p + 2), p + 8 + (p[0] & 63) * 4, len);
	case BAREUDP_PORT:
	case BAREUDP6_PORT:
		return walk_name(w, "bareudp") && walk_ip_any(w, p, len);
	case AMT_PORT:
		/* Other types are control messages of AMT. */
		if (len < 2 || p[0] != 6)
			return walk_ignore(w);
		return walk_name(w, "amt") && walk_ip_any(w, p + 2, len - 2);
	case L2TP_PORT:
		/* flags and version 3, session ID, L2-specific sublayer */
		if (len < 12 || get16(p) != 3)
			return fail("L2TP header in %d bytes", len);
		return walk_name(w, "l2tp") && walk_eth(w, p + 12, len - 12);
	case WG_PORT:
		if (len < 32 || p[0] != 4)
			return walk_ignore(w);
		w->opaque = true;
		w->data = p;
		w->len = len;
		return walk_name(w, "wg");
	default:
		return walk_ignore(w);
	}
}

static inline bool walk_udp(struct walk *w, unsigned char *p, int len,
			    __u32 pseudo)
{
	int check;

	if (len < 8)
		return fail("UDP header in %d bytes", len);
	if (get16(p + 4) != len)
		return fail("UDP length: expected %d, got %d", len,
			    get16(p + 4));

	check = get16(p + 6);
	walk_name(w, check ? "udp" : "udp0");
	if (!walk_udp_inside(w, get16(p + 2), p + 8, len - 8))
		return false;
	if (!check || w->ignored || csum_bytes(pseudo, p, len) == 0xffff ||
	    walk_complete(w, p + 6, pseudo, p, len))
		return true;

	return fail("%s: wrong UDP checksum 0x%04x", w->layers, check);
}

/* TCP segments that a test has built */
static inline bool walk_tcp(struct walk *w, unsigned char *p, int len,
			    __u32 pseudo)
{
	int hlen = len < 20 ? 0 : (p[12] >> 4) * 4;

	if (hlen < 20 || len < hlen)
		return fail("TCP header of %d bytes in %d bytes", hlen, len);
	if (get16(p + 2) != PORT)
		return walk_ignore(w);

	walk_name(w, "tcp");
	w->data = p + hlen;
	w->len = len - hlen;
	if (csum_bytes(pseudo, p, len) == 0xffff ||
	    walk_complete(w, p + 16, pseudo, p, len))
		return true;

	return fail("%s: wrong TCP checksum 0x%04x", w->layers,
		    get16(p + 16));
}

static inline bool walk_gre(struct walk *w, unsigned char *p, int len)
{
	int flags = len < 4 ? 0xffff : get16(p), hlen = 4;
	bool ok;

	if (flags & 0x4fff)
		return fail("GRE flags 0x%x", flags);
	hlen += flags & 0x8000 ? 4 : 0;
	hlen += flags & 0x2000 ? 4 : 0;
	hlen += flags & 0x1000 ? 4 : 0;
	if (len < hlen)
		return fail("GRE header in %d bytes", len);

	walk_name(w, flags & 0x8000 ? "grecsum" : "gre");
	if (get16(p + 2) == ETH_P_TEB)
		ok = walk_eth(w, p + hlen, len - hlen);
	else
		ok = walk_l3(w, get16(p + 2), p + hlen, len - hlen);
	if (!ok || w->ignored || !(flags & 0x8000) ||
	    csum_bytes(0, p, len) == 0xffff ||
	    walk_complete(w, p + 4, 0, p, len))
		return ok;

	return fail("%s: wrong GRE checksum", w->layers);
}

/* ESP with the null cipher and without authentication */
static inline bool walk_esp(struct walk *w, unsigned char *p, int len)
{
	int trailer = len < 10 ? 2 : 2 + p[len - 2];

	if (len < 8 + trailer)
		return fail("ESP header and trailer in %d bytes", len);

	return walk_name(w, "esp") &&
	       walk_l4(w, p[len - 1], p + 8, len - 8 - trailer, 0);
}

static inline bool walk_l4(struct walk *w, int proto, unsigned char *p,
			   int len, __u32 pseudo)
{
	switch (proto) {
	case IPPROTO_UDP:
		return walk_udp(w, p, len, pseudo);
	case IPPROTO_TCP:
		return walk_tcp(w, p, len, pseudo + 0xffff - IPPROTO_UDP +
						IPPROTO_TCP);
	case IPPROTO_GRE:
		return walk_gre(w, p, len);
	case IPPROTO_ESP:
		return walk_esp(w, p, len);
	case IPPROTO_IPIP:
		return walk_l3(w, ETH_P_IP, p, len);
	case IPPROTO_IPV6:
		return walk_l3(w, ETH_P_IPV6, p, len);
	case 115:
		if (len < 8)
			return fail("L2TP header in %d bytes", len);
		return walk_name(w, "l2tp") && walk_eth(w, p + 8, len - 8);
	default:
		return walk_ignore(w);
	}
}

static inline bool walk_fragment(struct walk *w, const unsigned char *p,
				 int len)
{
	w->opaque = true;
	w->data = p;
	w->len = len;

	return walk_name(w, "frag");
}

static inline __u32 csum_pseudo(const unsigned char *addrs, int addrs_len,
				int len)
{
	const unsigned char tail[] = { len >> 8, len, 0, IPPROTO_UDP };

	return csum_bytes(csum_bytes(0, addrs, addrs_len), tail, sizeof(tail));
}

/* The FOU receiver reduces the IPv4 total length in data that it shares with
 * the packet socket. It does not update the header checksum, so restore the
 * length before the checksum is verified.
 */
static inline void undo_fou(unsigned char *p, int hlen, int len)
{
	int port = len < hlen + 8 || p[9] != IPPROTO_UDP ? 0 :
		   get16(p + hlen + 2), diff = len - get16(p + 2);

	if ((port == GUE_PORT && diff == 12) ||
	    (port >= FOU_IPIP_PORT && port < GUE_PORT && diff == 8))
		put16(p + 2, len);
}

static inline bool walk_ipv4(struct walk *w, unsigned char *p, int len)
{
	int hlen = (p[0] & 15) * 4;

	if (len < 20 || hlen < 20 || len < hlen || p[0] >> 4 != 4)
		return fail("IPv4 header of %d bytes in %d bytes", hlen, len);
	undo_fou(p, hlen, len);
	if (get16(p + 2) != len)
		return fail("IPv4 total length: expected %d, got %d", len,
			    get16(p + 2));
	if (csum_bytes(0, p, hlen) != 0xffff)
		return fail("wrong IPv4 header checksum");

	walk_name(w, hlen > 20 ? "ip4opt" : "ip4");
	if (w->nr_ids < MAX_IDS) {
		w->df[w->nr_ids] = get16(p + 6) & 0x4000;
		w->ids[w->nr_ids++] = get16(p + 4);
	}
	if (get16(p + 6) & 0x3fff)
		return walk_fragment(w, p + hlen, len - hlen);

	return walk_l4(w, p[9], p + hlen, len - hlen,
		       csum_pseudo(p + 12, 8, len - hlen));
}

static inline bool walk_ipv6(struct walk *w, unsigned char *p, int len)
{
	int hlen = 40, nh = p[6];
	const unsigned char *dst;

	if (len < 40 || p[0] >> 4 != 6)
		return fail("IPv6 header in %d bytes", len);
	if (get16(p + 4) != len - 40)
		return fail("IPv6 payload length: expected %d, got %d",
			    len - 40, get16(p + 4));

	walk_name(w, "ip6");
	dst = p + 24;
	while (nh == IPPROTO_HOPOPTS || nh == IPPROTO_DSTOPTS ||
	       nh == IPPROTO_ROUTING) {
		walk_name(w, nh == IPPROTO_HOPOPTS ? "hop" :
			     nh == IPPROTO_DSTOPTS ? "dst" : "rt");
		if (len < hlen + 8 || len < hlen + (p[hlen + 1] + 1) * 8)
			return fail("IPv6 extension header %d in %d bytes",
				    nh, len - hlen);
		/* The first address in a segment routing header is the last
		 * hop.
		 */
		if (nh == IPPROTO_ROUTING && p[hlen + 2] == 4)
			dst = p + hlen + 8;
		nh = p[hlen];
		hlen += (p[hlen + 1] + 1) * 8;
	}
	if (nh == IPPROTO_FRAGMENT)
		return walk_fragment(w, p + hlen, len - hlen);

	return walk_l4(w, nh, p + hlen, len - hlen,
		       csum_bytes(csum_pseudo(p + 8, 16, len - hlen), dst, 16));
}

/* A MACsec frame without encryption: tag, payload, integrity check value */
static inline bool walk_macsec(struct walk *w, unsigned char *p, int len)
{
	if (len < 14 + 2 + 16 || (p[0] & 0x2c) != 0x20)
		return fail("MACsec tag in %d bytes", len);
	len -= 14 + 2 + 16;
	if (p[1] && p[1] != len + 2)
		return fail("MACsec: short length %d of %d", p[1], len + 2);

	return walk_name(w, "macsec") && walk_l3(w, get16(p + 14), p + 16, len);
}

static inline bool walk_l3(struct walk *w, int proto, unsigned char *p,
			   int len)
{
	switch (proto) {
	case ETH_P_IP:
		return walk_ipv4(w, p, len);
	case ETH_P_IPV6:
		return walk_ipv6(w, p, len);
	case ETH_P_8021Q:
	case ETH_P_8021AD:
		if (len < 4)
			return fail("VLAN header in %d bytes", len);
		return walk_name(w, "vlan") &&
		       walk_l3(w, get16(p + 2), p + 4, len - 4);
	case ETH_P_MACSEC:
		return walk_macsec(w, p, len);
	case ETH_P_MPLS_UC:
		if (len < 4 || !(p[2] & 1))
			return fail("MPLS label in %d bytes", len);
		return walk_name(w, "mpls") && walk_ip_any(w, p + 4, len - 4);
	default:
		return walk_ignore(w);
	}
}

static inline bool walk_eth(struct walk *w, unsigned char *p, int len)
{
	if (len < ETH_HLEN)
		return fail("Ethernet header in %d bytes", len);

	return walk_name(w, "eth") &&
	       walk_l3(w, get16(p + 12), p + ETH_HLEN, len - ETH_HLEN);
}

/* A packet socket in rx */

struct frame {
	unsigned char buf[1 << 17];
	int len;
	bool partial;
	bool vlan;
};

static struct frame frame;

static inline int wire_open(enum ns ns, const char *dev)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int fd;

	enter(ns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("packet socket");

	sll.sll_ifindex = if_nametoindex(dev);
	if (set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1) ||
	    set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, ns == RX) ||
	    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20) ||
	    !sll.sll_ifindex || bind(fd, (void *)&sll, sizeof(sll)))
		die("packet socket on %s", dev);
	enter(TX);

	return fd;
}

static inline int wire_recv(int fd)
{
	struct iovec iov = { frame.buf, sizeof(frame.buf) };
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct tpacket_auxdata aux = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	frame.len = recvmsg(fd, &msg, 0);
	if (frame.len < 0)
		return -errno;

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_PACKET &&
		    cmsg->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	frame.partial = aux.tp_status & TP_STATUS_CSUMNOTREADY;
	frame.vlan = aux.tp_status & TP_STATUS_VLAN_VALID;

	return frame.len;
}

/* Parses the last frame. @l3: the device has no link layer header. */
static inline bool wire_walk(struct walk *w, bool l3)
{
	memset(w, 0, sizeof(*w));
	w->partial = frame.partial;
	if (frame.vlan)
		walk_name(w, "vlan");
	if (!(l3 ? walk_ip_any(w, frame.buf, frame.len) :
		   walk_eth(w, frame.buf, frame.len)))
		return false;
	if (w->partial && !w->ignored && !w->opaque)
		return fail("%s: no partial checksum found", w->layers);

	return true;
}

/* A sender and a receiver */

struct ends {
	enum family fam;
	int tx, rx;
	int wire;
	int (*recv)(int fd);	/* reads a frame; NULL: wire_recv() */
	struct addr from, to;
	const char *layers;	/* headers in front of the last IP header */
	const char *ext;	/* headers between IP and UDP */
	bool l3;
	bool unsegmented;	/* one frame per call */
	int segment_len;	/* shorter payloads are not segmented */
	bool no_socket;		/* do not read from rx */
	bool split_ids;		/* outer headers are added per datagram */
};

static const char *bind_device;	/* for sockets in tx */

static inline int bound_socket(enum ns ns, const struct addr *a, int type)
{
	int fd;

	enter(ns);
	fd = udp_socket(a->sa.sa_family, IPPROTO_UDP, type | SOCK_CLOEXEC);
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20) ||
	    set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20))
		die("socket buffers");
	if (ns == TX && bind_device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bind_device,
		       strlen(bind_device)))
		die("SO_BINDTODEVICE %s", bind_device);
	if (bind(fd, &a->sa, a->len))
		die("bind in %s", ns_name[ns]);
	enter(TX);

	return fd;
}

/* Waits until datagrams arrive: carrier, neighbours and keys are ready then. */
static inline bool path_ready(const struct ends *e)
{
	struct addr to = e->to, from = e->from;
	int i, tx, rx, ret;
	bool ready = false;
	char c;

	to.v4.sin_port = htons(WARM_PORT);
	from.v4.sin_port = 0;
	tx = bound_socket(TX, &from, SOCK_NONBLOCK);
	rx = bound_socket(RX, &to, SOCK_NONBLOCK);
	for (i = 0; i < READY_TIMEOUT_MS / 20 && !ready; i++) {
		ret = send_to(tx, &to, "warm", 4);
		ready = ret == 4 && readable(rx, 20);
	}
	while (recv(rx, &c, 1, 0) >= 0)
		;
	close(tx);
	close(rx);

	return ready || fail("no datagram arrives: send returned %d", ret);
}

static inline bool ends_open(struct ends *e, enum family fam,
			     const struct addr *from, const struct addr *to)
{
	memset(e, 0, sizeof(*e));
	e->fam = fam;
	e->from = *from;
	e->to = *to;
	e->layers = "eth";
	e->ext = "";
	e->wire = -1;
	e->tx = bound_socket(TX, from, 0);
	e->rx = bound_socket(RX, to, SOCK_NONBLOCK);

	return supports_segment(e->tx) && path_ready(e);
}

static inline void ends_close(struct ends *e)
{
	close(e->tx);
	close(e->rx);
}

static inline bool is_fence(const unsigned char *p, int len)
{
	return len == sizeof(fence_text) && !memcmp(p, fence_text, len);
}

/* The datagrams of one call have consecutive IPv4 IDs. If outer headers are
 * added per datagram, the kernel may skip outer IDs: the outer IDs must
 * increase, or all be 0 with DF set.
 */
static inline bool ids_grow(const struct walk *w, const struct walk *last,
			    int i)
{
	int step = (w->ids[i] - last->ids[i]) & 0xffff;

	return (step && step < 0x8000) || (w->df[i] && !w->ids[i] && !step);
}

static inline bool expect_ids(const struct ends *e, const struct walk *w,
			      const struct walk *first, const struct walk *last,
			      int nr)
{
	char what[96];
	int i;

	for (i = 0; i < w->nr_ids; i++) {
		bool outer = i < w->nr_ids - 1 || e->fam == V6;

		snprintf(what, sizeof(what),
			 "identification in IPv4 header %d of datagram %d",
			 i + 1, nr + 1);
		if (e->split_ids && outer) {
			if (!ids_grow(w, last, i))
				return fail("%s: %d after %d", what,
					    w->ids[i], last->ids[i]);
		} else if (!expect_long(what, (first->ids[i] + nr) & 0xffff,
					w->ids[i])) {
			return false;
		}
	}

	return true;
}

static inline int frame_recv(const struct ends *e)
{
	return e->recv ? e->recv(e->wire) : wire_recv(e->wire);
}

/* Reads and compares frames up to the fence. */
static inline bool expect_wire(const struct ends *e, const struct expect *exp,
			       int nr_exp)
{
	struct stream st = { .exp = exp, .nr_exp = nr_exp };
	struct walk w, first, last;
	char layers[160];
	int nr;

	snprintf(layers, sizeof(layers), "%s%s%s%s/udp", e->layers,
		 *e->layers ? "/" : "", e->fam == V6 ? "ip6" : "ip4", e->ext);
	for (;;) {
		if (frame_recv(e) < 0) {
			if (!readable(e->wire, RX_TIMEOUT_MS))
				return fail("no frame with the fence received");
			continue;
		}
		if (!wire_walk(&w, e->l3) || w.ignored || w.opaque)
			continue;
		if (is_fence(w.data, w.len))
			break;
		if (case_failed)
			continue;
		if (strcmp(layers, w.layers)) {
			fail("expected %s, got %s", layers, w.layers);
			continue;
		}
		nr = st.nr;
		if (!stream_next(&st, w.data, w.len))
			continue;
		if (st.nr == 1)
			first = w;
		else
			expect_ids(e, &w, &first, &last, nr);
		last = w;
	}

	return !case_failed && stream_end(&st);
}

/* Compares the frames of one call, and the datagrams at the receiver. */
static inline bool expect_call(const struct ends *e,
			       const unsigned char *data, int len, int size)
{
	bool unsegmented = (e->unsegmented || len < e->segment_len) &&
			   len > size;
	struct expect segs = {
		.data = data,
		.len = len,
		.size = size,
		.count = len ? (len + size - 1) / size : 1,
	};
	struct expect one = { .data = data, .len = len, .count = 1 };

	send_fence(e->tx, &e->to);
	if (e->wire >= 0 && !expect_wire(e, unsegmented ? &one : &segs, 1))
		return false;

	return e->no_socket || expect_rx(e->rx, &e->from, &segs, 1);
}

static inline bool send_call(const struct ends *e, const unsigned char *data,
			     int len, int size)
{
	struct gso_send s = {
		.to = &e->to,
		.data = data,
		.len = len,
		.cmsg = size,
	};

	if (expect_ret("send", len, gso_send(e->tx, &s)) &&
	    expect_call(e, data, len, size))
		return true;

	return fail("%d bytes, segment size %d", len, size);
}

/* Sends the same bytes with one plain send per datagram. */
static inline bool send_plain(const struct ends *e, const unsigned char *data,
			      int len, int size)
{
	int off, n;

	for (off = 0; off < len; off += n) {
		n = len - off < size ? len - off : size;
		if (!expect_ret("plain send", n,
				send_to(e->tx, &e->to, data + off, n)))
			return false;
	}

	return true;
}

/* Topologies */

#define MTU		1500

/* Without mid, a veth pair connects d0 in tx and d1 in rx. With mid, one veth
 * pair connects d0 in tx and d1 in mid, and another pair connects e0 in mid and
 * e1 in rx. The ip commands in @tx, @mid and @rx add more devices.
 */
struct topo {
	const char *name;
	const char *tx, *mid, *rx;	/* lines for ip, or NULL */
	bool (*late)(void);		/* more setup, after the lines in tx */
	const char *tx_more, *rx_more;	/* lines after the addresses */
	const char *top;		/* sender's device; NULL: d0 */
	const char *out;		/* router's device to rx; NULL: e0 */
	const char *end;		/* receiver's device; NULL: d1 or e1 */
	const char *wire;		/* device to read frames; NULL: end */
	const char *layers;		/* expected headers; NULL: eth */
	const char *bind;		/* device that the sender is bound to */
	int mtu;			/* of top; 0: MTU */
	bool routed;			/* through mid */
	bool bridged;			/* through a bridge in mid */
	bool bare;			/* do not create the veth pairs */
	bool l3;			/* frames have no Ethernet header */
};

static const struct topo *topo_now;
static const char *topo_features;
static int topo_wire = -1;	/* stays open, because closing is slow */

/* Discards the frames received so far. */
static inline void drain_wire(void)
{
	while (wire_recv(topo_wire) != -EAGAIN)
		;
}

static const char *topo_top(const struct topo *t)
{
	return t->top ? t->top : "d0";
}

static inline bool topo_has_mid(const struct topo *t)
{
	return t->routed || t->bridged || t->mid;
}

static const char *topo_end(const struct topo *t)
{
	return t->end ? t->end : topo_has_mid(t) && !t->bare ? "e1" : "d1";
}

static const char *or_none(const char *lines)
{
	return lines ? lines : "";
}

static const char *pair_lines(char dev, const char *ns, int nr)
{
	static char lines[256];

	snprintf(lines, sizeof(lines),
		 "link add %c0 address 02:00:00:00:0%d:01 type veth "
		 "peer name %c1 address 02:00:00:00:0%d:02 netns %s;"
		 "link set %c0 up;", dev, nr, dev, nr, ns, dev);

	return lines;
}

/* One batch per namespace: starting programs is slow under emulation. */
static inline bool topo_tx(const struct topo *t)
{
	const char *far = topo_has_mid(t) ? "mid" : "rx";
	const char *pair = t->bare ? "" : pair_lines('d', far, 1);
	const char *top = topo_top(t);
	char addresses[1024];

	snprintf(addresses, sizeof(addresses), "link set %s up;"
		 "addr add 192.0.2.1/24 dev %s;"
		 "addr add 2001:db8::1/64 dev %s nodad;%s;%s", top, top, top,
		 or_none(t->tx_more), t->routed ? "route add default via 192.0.2.254;"
			     "route add default via 2001:db8::fe" : "");
	if (!t->late)
		return ip_in(TX, "link set lo up;%s%s;%s", pair,
			     or_none(t->tx), addresses);

	return ip_in(TX, "link set lo up;%s%s", pair, or_none(t->tx)) &&
	       t->late() && ip_in(TX, "%s", addresses);
}

static inline bool topo_mid(const struct topo *t)
{
	static const char bridge[] =
		"link add name brm type bridge;link set brm up;"
		"link set d1 master brm;link set e0 master brm;";
	const char *out = t->out ? t->out : "e0";
	char addresses[256] = "";

	if (t->routed)
		snprintf(addresses, sizeof(addresses),
			 "addr add 192.0.2.254/24 dev d1;"
			 "addr add 2001:db8::fe/64 dev d1 nodad;"
			 "link set %s up;addr add 198.51.100.254/24 dev %s;"
			 "addr add 2001:db8:1::fe/64 dev %s nodad;", out, out,
			 out);

	return ip_in(MID, "link set lo up;%s%s%s%s;%s",
		     t->bare ? "" : pair_lines('e', "rx", 2),
		     t->bare ? "" : "link set d1 up;",
		     t->bridged ? bridge : "", or_none(t->mid), addresses);
}

static inline bool topo_rx(const struct topo *t)
{
	const char *end = topo_end(t);
	const char *far = t->bare ? "" :
			  topo_has_mid(t) ? "link set e1 up;" :
					    "link set d1 up;";

	return ip_in(RX, "link set lo up;%s%s;link set %s up;"
		     "addr add %s/24 dev %s;addr add %s/64 dev %s nodad;%s;%s",
		     far, or_none(t->rx), end,
		     t->routed ? "198.51.100.2" : "192.0.2.2", end,
		     t->routed ? "2001:db8:1::2" : "2001:db8::2", end,
		     or_none(t->rx_more), t->routed ? "route add default via 198.51.100.254;"
				 "route add default via 2001:db8:1::fe" : "");
}

/* Sets up a topology, or only its features if it is already set up. */
static inline bool topo_up(const struct topo *t, const char *features)
{
	const char *was = topo_features;

	if (topo_now == t && was == features)
		return true;
	topo_features = features;
	if (topo_now == t && set_features(was, true) &&
	    set_features(features, false))
		return true;

	topo_now = NULL;
	topo_reset();
	if (topo_wire >= 0)
		close(topo_wire);
	topo_wire = -1;
	if (!topo_tx(t) || (topo_has_mid(t) && !topo_mid(t)) || !topo_rx(t) ||
	    !set_features(features, false))
		return false;
	topo_wire = wire_open(RX, t->wire ? t->wire : topo_end(t));
	topo_now = t;

	return true;
}

static inline bool topo_open(struct ends *e, const struct topo *t,
			     const char *features, enum family fam)
{
	struct addr from, to;

	e->tx = -1;
	e->rx = -1;
	e->wire = -1;
	if (!topo_up(t, features))
		return false;

	from = addr_of(fam, "192.0.2.1", "2001:db8::1", PORT);
	to = addr_of(fam, t->routed ? "198.51.100.2" : "192.0.2.2",
		     t->routed ? "2001:db8:1::2" : "2001:db8::2", PORT);
	bind_device = t->bind;
	if (!ends_open(e, fam, &from, &to))
		return false;
	drain_wire();
	e->wire = topo_wire;
	if (t->layers)
		e->layers = t->layers;
	e->l3 = t->l3;

	return true;
}

/* Sends payloads of several lengths, which must arrive on every path. Segments
 * over the MTU must be rejected.
 */
static inline bool send_shapes(const struct ends *e, int mtu, int options)
{
	int most = mtu - options - (e->fam == V6 ? 48 : 28);
	const struct {
		int len, size;
	} shapes[] = {
		{ 2000, 1000 },
		{ 20001, 1000 },
		{ 1000, 1000 },
		{ 1001, 1000 },
		{ 10 * most, most },
	};
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = 2 * (most + 1),
		.cmsg = most + 1,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		if (!send_call(e, payload + i, shapes[i].len, shapes[i].size))
			return false;

	never_fragment(e->tx, e->fam);
	return expect_ret("send over the MTU", -EMSGSIZE, gso_send(e->tx, &s));
}

#endif /* UDPGSO_TOPO_H */
