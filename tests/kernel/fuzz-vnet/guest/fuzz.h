/* SPDX-License-Identifier: GPL-2.0 */
/* What the generator, the network and the loop have in common. */
#ifndef FUZZ_VNET_H
#define FUZZ_VNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_INPUT	70000
#define MAX_CUTS	3

/* struct virtio_net_hdr(_mrg_rxbuf), which the host's headers know in part */
struct vnet {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};

enum { NEEDS_CSUM = 1, DATA_VALID = 2, RSC_INFO = 4 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_UDP = 3, GSO_TCPV6 = 4, GSO_UDP_L4 = 5,
	GSO_ECN = 0x80 };

/* One write: where to, the pieces it is made of, a header and a frame. */
struct input {
	uint64_t n;
	uint32_t len;
	uint16_t protocol;		/* to tell a packet socket, or 0 */
	uint8_t way;
	uint8_t cuts;
	uint32_t cut[MAX_CUTS];
	uint8_t buf[MAX_INPUT];
};

enum kind { TUN, TAP, MACVTAP, PACKET_ETH, PACKET_IP };

/* A way in: a tun device of its own, or a packet socket on a device. */
struct way {
	const char *name;
	const char *dev;
	enum kind kind;
	int tun_flags;
	int hdr_len;
	int weight;
	bool flood;			/* behind a bridge */
};

extern const struct way ways[];
extern const unsigned int n_ways;

static inline bool has_eth(const struct way *way)
{
	return way->kind != TUN && way->kind != PACKET_IP;
}

/* The destinations that setup.sh makes: 10.0.K.2 and fd00::K:2. */
#define N_DESTS		14
#define TUNNEL_NET	250
#define UDP_PORT	7000		/* and 7001 with UDP_GRO */
#define VXLAN_PORT	4789

static inline uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

uint64_t digest(uint64_t h, const void *data, size_t len);
void generate(uint64_t seed, uint64_t n, struct input *in);
void print_input(const struct input *in);
bool save_input(int fd, const struct input *in);
bool load_input(int fd, struct input *in);

/* What an input led to, all that two kernels have to agree on. */
struct outcome {
	uint64_t digest;
	int64_t ret;
	uint32_t frames;
};

void net_setup(const char *script);
void net_run(const struct input *in, struct outcome *out, bool verbose);
void net_finish(struct outcome *out);
void net_report(void);
unsigned int net_splats(void);
int port_open(const char *name);
uint64_t hook(const char *name);

void die(const char *what) __attribute__((noreturn));

#endif
