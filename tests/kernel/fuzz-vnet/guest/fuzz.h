/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the generator, the network and the main loop */
#ifndef FUZZ_VNET_H
#define FUZZ_VNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_INPUT	70000
#define MAX_SPLITS	3

/* struct virtio_net_hdr_mrg_rxbuf. A header of 10 bytes has no num_buffers. */
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

/* A write: its target, a virtio header and a frame, and where the iovec splits
 * them.
 */
struct input {
	uint64_t n;
	uint32_t len;
	uint16_t protocol;		/* for a packet socket, or 0 */
	uint8_t target;
	uint8_t splits;
	uint32_t split_at[MAX_SPLITS];
	uint8_t buf[MAX_INPUT];
};

enum kind { TUN, TAP, MACVTAP, PACKET_ETH, PACKET_IP };

/* The target of a write: a tun device, or a packet socket on a device */
struct target {
	const char *name;
	const char *dev;
	enum kind kind;
	int tun_flags;
	int hdr_len;
	int weight;
	bool flood;			/* use an unknown address, which a bridge floods */
};

extern const struct target targets[];
extern const unsigned int n_targets;

static inline bool has_eth(const struct target *target)
{
	return target->kind != TUN && target->kind != PACKET_IP;
}

/* The destinations that setup.sh configures: 10.0.K.2 and fd00::K:2 */
#define N_DESTS		14
#define TUNNEL_NET	250
#define UDP_PORT	7000		/* the socket at 7001 has UDP_GRO */
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

/* The result of an input, which must be the same on two kernels */
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
