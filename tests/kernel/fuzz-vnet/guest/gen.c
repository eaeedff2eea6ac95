// SPDX-License-Identifier: GPL-2.0
/* Generates an input from a seed and a number: a valid frame with its virtio
 * header, in which some values are then changed. The input depends on nothing
 * else, so the two numbers reproduce it on any kernel, and on the host.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <netinet/in.h>

#include "fuzz.h"

#define NAPI		IFF_NAPI
#define FRAGS		(IFF_NAPI | IFF_NAPI_FRAGS)
#define MAX_LAYERS	16

const struct target targets[] = {
	{ "tap",		"t0",	TAP,	0,	10,	8 },
	{ "tap-napi",		"t1",	TAP,	NAPI,	12,	8 },
	{ "tap-frags",		"t2",	TAP,	FRAGS,	12,	6 },
	{ "tun",		"t3",	TUN,	0,	10,	5 },
	{ "tun-napi",		"t4",	TUN,	NAPI,	12,	5 },
	{ "tap-bridge",		"t5",	TAP,	0,	12,	5, true },
	{ "tap-tc",		"t6",	TAP,	0,	10,	5 },
	{ "macvtap",		"m7",	MACVTAP, 0,	12,	5, true },
	{ "packet-plain",	"e1",	PACKET_ETH, 0,	10,	3 },
	{ "packet-full",	"e2",	PACKET_ETH, 0,	12,	3 },
	{ "packet-csum",	"e3",	PACKET_ETH, 0,	10,	3 },
	{ "packet-tso",		"e4",	PACKET_ETH, 0,	10,	3 },
	{ "packet-nosg",	"e5",	PACKET_ETH, 0,	10,	3 },
	{ "packet-veth",	"v6",	PACKET_ETH, 0,	10,	4 },
	{ "packet-veth-nocsum",	"v7",	PACKET_ETH, 0,	10,	3 },
	{ "packet-vlan",	"e9",	PACKET_ETH, 0,	10,	3 },
	{ "packet-vxlan",	"e10",	PACKET_ETH, 0,	10,	3 },
	{ "packet-bridge",	"br0",	PACKET_ETH, 0,	10,	3, true },
	{ "packet-dummy",	"d0",	PACKET_ETH, 0,	10,	1 },
	{ "packet-lo",		"lo",	PACKET_ETH, 0,	10,	2 },
	{ "packet-gre",		"e11",	PACKET_IP, 0,	10,	3 },
	{ "packet-ipip",	"e12",	PACKET_IP, 0,	10,	2 },
};
const unsigned int n_targets = sizeof(targets) / sizeof(targets[0]);

enum layer_kind { ETH, V4, V6, UDP, TCP, OTHER };

struct layer {
	enum layer_kind kind;
	int off;
};

/* A frame that is being built, from the outermost header on */
struct frame {
	uint64_t rng;
	uint8_t *at;
	int len;
	int next_type;			/* offset of the type of the next header */
	bool next_is_ether;		/* the type is an ethertype, not a protocol */
	int layers;
	struct layer layer[MAX_LAYERS];
	int l3, l4, payload;		/* the innermost ones */
	struct vnet vnet;
};

static uint64_t rnd(struct frame *f)
{
	uint64_t z = f->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint32_t below(struct frame *f, uint32_t limit)
{
	return limit ? rnd(f) % limit : 0;
}

static bool one_in(struct frame *f, uint32_t n)
{
	return !below(f, n);
}

uint64_t digest(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t w;

	for (h = mix(h, len); len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = mix(h, w);
	}
	w = 0;
	memcpy(&w, p, len);
	return mix(h, w);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static uint32_t csum_partial(uint32_t s, const uint8_t *p, int len)
{
	for (; len > 1; len -= 2, p += 2)
		s += p[0] << 8 | p[1];
	if (len)
		s += p[0] << 8;
	return (s & 0xffff) + (s >> 16);
}

static uint16_t csum_fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void next(struct frame *f, uint16_t ether, uint8_t proto)
{
	if (f->next_type < 0)
		return;
	if (f->next_is_ether)
		put16(f->at + f->next_type, ether);
	else
		f->at[f->next_type] = proto;
}

static uint8_t *push(struct frame *f, int len)
{
	uint8_t *p = f->at + f->len;

	memset(p, 0, len);
	f->len += len;
	return p;
}

static void add_layer(struct frame *f, enum layer_kind kind)
{
	f->layer[f->layers++] = (struct layer){ kind, f->len };
}

static void push_eth(struct frame *f, uint8_t to)
{
	static const uint8_t mac[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	int tags = one_in(f, 8) ? 1 + one_in(f, 4) : 0;
	uint8_t *p;

	add_layer(f, ETH);
	p = push(f, ETH_HLEN);
	memcpy(p, mac, sizeof(mac));
	p[5] = to;
	f->next_type = f->len - 2;
	f->next_is_ether = true;
	while (tags--) {
		next(f, one_in(f, 4) ? ETH_P_8021AD : ETH_P_8021Q, 0);
		p = push(f, 4);
		p[1] = 9;
		f->next_type = f->len - 2;
	}
}

static void push_v4(struct frame *f, int net, bool own, uint8_t source)
{
	int options = one_in(f, 8) ? 4 * (1 + below(f, 10)) : 0;
	uint8_t *p;

	next(f, ETH_P_IP, IPPROTO_IPIP);
	add_layer(f, V4);
	f->l3 = f->len;
	p = push(f, 20 + options);
	p[0] = 0x45 + options / 4;
	p[1] = one_in(f, 4) ? below(f, 256) : 0;
	put16(p + 4, rnd(f));
	put16(p + 6, one_in(f, 2) ? 0x4000 : 0);
	if (one_in(f, 24))
		put16(p + 6, (one_in(f, 2) ? 0x2000 : 0) | below(f, 4) * 181);
	p[8] = one_in(f, 16) ? 1 + below(f, 2) : 64;
	p[12] = 10;
	p[13] = own ? 0 : 1;
	p[14] = own ? net : source;
	p[15] = 9;
	p[16] = 10;
	p[18] = net;
	p[19] = own ? 1 : 2;
	memset(p + 20, 1, options);	/* NOP */
	f->next_type = f->l3 + 9;
	f->next_is_ether = false;
}

/* Hop-by-hop, destination options, routing with no segments left, fragment */
static void push_extensions(struct frame *f)
{
	static const uint8_t types[] = { 0, 60, 43, 44 };
	int i, type;
	uint8_t *p;

	for (i = 0; i < 4; i++) {
		if (!one_in(f, i == 3 ? 12 : 6))
			continue;
		type = types[i];
		next(f, 0, type);
		f->next_type = f->len;
		p = push(f, 8);
		if (type == 44) {
			put16(p + 2, one_in(f, 2) ? 0 :
			      below(f, 3) * 8 * 90 | one_in(f, 2));
			put16(p + 6, rnd(f));
		} else if (type == 43) {
			p[2] = 4;
		} else {
			p[2] = 1;	/* PadN */
			p[3] = 4;
		}
	}
}

static void push_v6(struct frame *f, int net, bool own, uint8_t source)
{
	uint8_t *p;

	next(f, ETH_P_IPV6, IPPROTO_IPV6);
	add_layer(f, V6);
	f->l3 = f->len;
	p = push(f, 40);
	p[0] = 0x60;
	if (one_in(f, 4))
		put16(p + 1, below(f, 0x1000));
	p[7] = one_in(f, 16) ? 1 + below(f, 2) : 64;
	p[8] = 0xfd;
	p[20] = own ? 0 : 1;
	p[21] = own ? net : source;
	p[23] = 9;
	p[24] = 0xfd;
	p[37] = net;
	p[39] = own ? 1 : 2;
	f->next_type = f->l3 + 6;
	f->next_is_ether = false;
	if (one_in(f, 4))
		push_extensions(f);
}

static void push_ip(struct frame *f, int net, bool own, uint8_t source)
{
	if (one_in(f, 2))
		push_v4(f, net, own, source);
	else
		push_v6(f, net, own, source);
}

static void push_udp(struct frame *f, uint16_t port)
{
	uint8_t *p;

	next(f, 0, IPPROTO_UDP);
	add_layer(f, UDP);
	f->l4 = f->len;
	p = push(f, 8);
	put16(p, 4000 + below(f, 8));
	put16(p + 2, port);
}

static void push_tcp(struct frame *f)
{
	int options = one_in(f, 4) ? 12 : 0;
	uint8_t *p;

	next(f, 0, IPPROTO_TCP);
	add_layer(f, TCP);
	f->l4 = f->len;
	p = push(f, 20 + options);
	put16(p, 4000 + below(f, 8));
	put16(p + 2, UDP_PORT);
	put16(p + 4, rnd(f));
	p[12] = (5 + options / 4) << 4;
	p[13] = one_in(f, 4) ? below(f, 256) : 0x10;
	put16(p + 14, 1000);
	memset(p + 20, 1, options);
}

static void push_l4(struct frame *f)
{
	uint32_t what = below(f, 16);

	if (what < 10) {
		push_udp(f, one_in(f, 8) ? 9999 : UDP_PORT + below(f, 2));
	} else if (what < 15) {
		push_tcp(f);
	} else {
		next(f, 0, below(f, 256));
		add_layer(f, OTHER);
		f->l4 = f->len;
		push(f, 8);
	}
	f->payload = f->len;
}

/* The outer headers for a tunnel that setup.sh configures, which decapsulates the
 * packet
 */
static void push_tunnel(struct frame *f, uint8_t source)
{
	uint8_t *p;

	push_ip(f, TUNNEL_NET, true, source);
	f->at[f->l3 + (f->layer[f->layers - 1].kind == V4 ? 15 : 23)] = 2;
	switch (below(f, 3)) {
	case 0:
		push_udp(f, VXLAN_PORT);
		p = push(f, 8);
		p[0] = 8;
		p[6] = 7;
		push_eth(f, 1);
		break;
	case 1:
		next(f, 0, IPPROTO_GRE);
		add_layer(f, OTHER);
		push(f, 4);
		f->next_type = f->len - 2;
		f->next_is_ether = true;
		break;
	}
}

static void push_payload(struct frame *f, int len)
{
	int room = MAX_INPUT - 64 - f->len, i;
	uint8_t key = rnd(f), *p;

	if (len > room)
		len = room;
	p = push(f, len);
	for (i = 0; i < len; i++)
		p[i] = key + i * 31 + (i >> 8);
}

/* The functions below set lengths and checksums, from the innermost header
 * outwards. The innermost checksum is partial if the virtio header gets
 * NEEDS_CSUM.
 */
static uint32_t pseudo(const struct frame *f, const struct layer *ip, int l4)
{
	const uint8_t *p = f->at + ip->off;
	int len = f->len - l4;

	if (ip->kind == V4)
		return csum_partial(len, p + 12, 8);
	return csum_partial(len, p + 8, 32);
}

static void finish_l4(struct frame *f, int i, bool partial)
{
	const struct layer *l = &f->layer[i];
	uint8_t *p = f->at + l->off;
	uint32_t s = pseudo(f, l - 1, l->off);
	int at = l->kind == UDP ? 6 : 16;

	s += l->kind == UDP ? IPPROTO_UDP : IPPROTO_TCP;
	if (l->kind == UDP)
		put16(p + 4, f->len - l->off);
	put16(p + at, csum_fold(s));
	if (partial)
		return;
	put16(p + at, 0);
	if (l->kind == UDP && i < f->layers - 1 && one_in(f, 2))
		return;
	s = ~csum_fold(csum_partial(csum_fold(s), p, f->len - l->off)) & 0xffff;
	put16(p + at, s ?: 0xffff);
}

static void finish(struct frame *f, bool partial)
{
	int i;

	for (i = f->layers - 1; i >= 0; i--) {
		struct layer *l = &f->layer[i];
		uint8_t *p = f->at + l->off;

		switch (l->kind) {
		case V4:
			put16(p + 2, f->len - l->off);
			put16(p + 10, 0);
			put16(p + 10, ~csum_fold(csum_partial(0, p, (p[0] & 15) * 4)));
			break;
		case V6:
			put16(p + 4, f->len - l->off - 40);
			break;
		case UDP:
		case TCP:
			finish_l4(f, i, partial && i == f->layers - 1);
			break;
		default:
			break;
		}
	}
}

/* The virtio header for the innermost transport header */
static void set_vnet(struct frame *f, uint16_t size, bool partial)
{
	struct layer *l = &f->layer[f->layers - 1];
	struct vnet *v = &f->vnet;

	*v = (struct vnet){ 0 };
	if (l->kind == OTHER)
		return;
	if (partial) {
		v->flags = NEEDS_CSUM;
		v->csum_start = f->l4;
		v->csum_offset = l->kind == UDP ? 6 : 16;
	} else if (one_in(f, 2)) {
		v->flags = DATA_VALID;
	}
	if (!size)
		return;
	v->gso_size = size;
	v->hdr_len = f->payload;
	if (l->kind == UDP)
		v->gso_type = one_in(f, 8) ? GSO_UDP : GSO_UDP_L4;
	else
		v->gso_type = l[-1].kind == V4 ? GSO_TCPV4 : GSO_TCPV6;
	if (l->kind == TCP && one_in(f, 6))
		v->gso_type |= GSO_ECN;
}

/* Returns the length of the payload. *size is the segment size, or 0 if this is no
 * GSO packet.
 */
static int choose_sizes(struct frame *f, uint16_t *size)
{
	uint32_t what = below(f, 100), segments;

	*size = 0;
	if (what < 25)
		return below(f, one_in(f, 4) ? 4 : 1440);
	if (what < 80) {
		*size = 1 + below(f, one_in(f, 2) ? 64 : 1440);
		segments = 1 + below(f, 6);
	} else if (what < 95) {
		*size = 1 + below(f, one_in(f, 4) ? 500 : 16);
		segments = 126 + below(f, 4);
	} else {
		*size = 400 + below(f, 1100);
		segments = 65600 / *size;
	}
	if (one_in(f, 3))
		return *size * segments;
	return *size * segments + below(f, 3) - 1 +
		(one_in(f, 2) ? below(f, *size) : 0);
}

/* A value that is near a limit, or random */
static uint16_t boundary(struct frame *f)
{
	const uint16_t payload = f->len - f->payload;
	const uint16_t values[] = {
		0, 1, 2, 6, 8, 14, 16, 20, 28, 34, 40, 42, 54, 0x7fff, 0x8000,
		0xfffe, 0xffff, 65507, 65527, f->len, f->l3, f->l4, f->payload,
		payload, payload / 2, payload / 127, payload / 128,
		payload / 129, f->len - f->l3, f->len - f->l4,
		f->vnet.gso_size, f->vnet.csum_start, f->vnet.hdr_len,
	};

	if (one_in(f, 6))
		return rnd(f);
	return values[below(f, sizeof(values) / sizeof(values[0]))] +
		(one_in(f, 2) ? 0 : below(f, 5) - 2);
}

static void mutate_vnet(struct frame *f)
{
	static const uint8_t types[] = { GSO_NONE, GSO_TCPV4, GSO_UDP,
		GSO_TCPV6, GSO_UDP_L4, 2, 6, 7 };
	struct vnet *v = &f->vnet;

	switch (below(f, 8)) {
	case 0:
		v->flags ^= 1 << below(f, one_in(f, 2) ? 3 : 8);
		break;
	case 1:
		v->gso_type = types[below(f, 8)] | (one_in(f, 6) ? GSO_ECN : 0);
		break;
	case 2:
		v->gso_type = one_in(f, 2) ? rnd(f) : v->gso_type ^ GSO_ECN;
		break;
	case 3:
		v->hdr_len = boundary(f);
		break;
	case 4:
		v->gso_size = boundary(f);
		break;
	case 5:
		v->csum_start = boundary(f);
		break;
	case 6:
		v->csum_offset = one_in(f, 2) ? boundary(f) : below(f, 24);
		break;
	case 7:
		v->csum_start += below(f, 9) - 4;
		break;
	}
}

/* Change a field of a header. The fields are given by their offsets. */
static void mutate_header(struct frame *f)
{
	static const uint8_t fields[][8] = {
		[ETH]	= { 0, 5, 12, 13, 14, 16, 17, 18 },
		[V4]	= { 0, 2, 3, 6, 7, 9, 10, 8 },
		[V6]	= { 0, 4, 5, 6, 7, 40, 41, 42 },
		[UDP]	= { 2, 3, 4, 5, 6, 7, 0, 1 },
		[TCP]	= { 2, 3, 12, 13, 16, 17, 12, 20 },
		[OTHER]	= { 0, 1, 2, 3, 4, 5, 6, 7 },
	};
	const struct layer *l = &f->layer[below(f, f->layers)];
	int at = l->off + fields[l->kind][below(f, 8)];

	if (at + 1 >= f->len)
		return;
	switch (below(f, 4)) {
	case 0:
		f->at[at] ^= 1 << below(f, 8);
		break;
	case 1:
		f->at[at] = rnd(f);
		break;
	case 2:
		put16(f->at + at, boundary(f));
		break;
	case 3:
		f->at[at] += below(f, 3) - 1;
		break;
	}
}

static void mutate_length(struct frame *f)
{
	const struct layer *l = &f->layer[below(f, f->layers)];
	int len = f->len;

	switch (below(f, 4)) {
	case 0:
		len = l->off + below(f, 24);
		break;
	case 1:
		len += below(f, 9) - 4;
		break;
	case 2:
		len = below(f, f->len + 1);
		break;
	case 3:
		len = boundary(f);
		break;
	}
	if (len < 0 || len > MAX_INPUT - 64)
		return;
	if (len > f->len)
		memset(f->at + f->len, 0xa5, len - f->len);
	f->len = len;
}

static void mutate(struct frame *f)
{
	uint32_t what = below(f, 16);

	if (what < 9)
		mutate_vnet(f);
	else if (what < 13)
		mutate_header(f);
	else if (what < 15)
		mutate_length(f);
	else if (f->len)
		f->at[below(f, f->len)] = rnd(f);
}

static void mutate_some(struct frame *f)
{
	uint32_t what = below(f, 100), count = 0;
	uint8_t *v = (uint8_t *)&f->vnet;

	if (what >= 97) {
		for (size_t i = 0; i < sizeof(f->vnet); i++)
			v[i] = rnd(f);
	}
	if (what >= 65)
		count = 2 + below(f, 4);
	else if (what >= 25)
		count = 1;
	while (count--)
		mutate(f);
}

static uint8_t choose_target(struct frame *f)
{
	uint32_t total = 0, i;

	for (i = 0; i < n_targets; i++)
		total += targets[i].weight;
	total = below(f, total);
	for (i = 0; total >= (uint32_t)targets[i].weight; i++)
		total -= targets[i].weight;
	return i;
}

static void build(struct frame *f, const struct target *target, int index)
{
	bool partial = !one_in(f, 5);
	uint16_t size;
	int payload;

	f->next_type = -1;
	if (has_eth(target))
		push_eth(f, one_in(f, 16) ? 0xff : target->flood ? 3 : 1);
	if (one_in(f, 6))
		push_tunnel(f, index);
	push_ip(f, below(f, N_DESTS), false, index);
	push_l4(f);
	payload = choose_sizes(f, &size);
	push_payload(f, payload > 0 ? payload : 0);
	finish(f, partial);
	set_vnet(f, size, partial);
}

/* Where the iovec splits the write; with IFF_NAPI_FRAGS, each part is a fragment */
static void choose_splits(struct frame *f, struct input *in)
{
	in->splits = one_in(f, 3) ? 1 + below(f, MAX_SPLITS) : 0;
	for (int i = 0; i < in->splits; i++)
		in->split_at[i] = one_in(f, 2) ? below(f, in->len + 1) :
			     below(f, 128);
}

void generate(uint64_t seed, uint64_t n, struct input *in)
{
	struct frame f = { .rng = mix(mix(1, seed), n) };
	const struct target *target;

	memset(in, 0, offsetof(struct input, buf));
	in->n = n;
	in->target = choose_target(&f);
	target = &targets[in->target];
	f.at = in->buf + target->hdr_len;
	build(&f, target, in->target);
	if (target->kind >= PACKET_ETH && one_in(&f, 3))
		in->protocol = f.layer[has_eth(target)].kind == V6 ? ETH_P_IPV6 :
			       ETH_P_IP;
	mutate_some(&f);
	if (one_in(&f, 32))
		in->protocol = rnd(&f);
	memcpy(in->buf, &f.vnet, target->hdr_len);
	in->len = target->hdr_len + f.len;
	if (one_in(&f, 256))
		in->len = below(&f, target->hdr_len + 16);
	choose_splits(&f, in);
}

void print_input(const struct input *in)
{
	const struct target *target = &targets[in->target];
	uint32_t i, show = in->len < 160 ? in->len : 160;
	struct vnet v = { 0 };

	memcpy(&v, in->buf, target->hdr_len);
	printf("input %llu: %s, %u bytes (header %d), protocol %04x, split at",
	       (unsigned long long)in->n, target->name, in->len, target->hdr_len,
	       in->protocol);
	for (i = 0; i < in->splits; i++)
		printf(" %u", in->split_at[i]);
	printf("\n  flags %02x gso_type %02x hdr_len %u gso_size %u csum_start %u csum_offset %u\n ",
	       v.flags, v.gso_type, v.hdr_len, v.gso_size, v.csum_start,
	       v.csum_offset);
	for (i = target->hdr_len; i < show; i++)
		printf(" %02x", in->buf[i]);
	printf("%s\n", show < in->len ? " ..." : "");
}

bool save_input(int fd, const struct input *in)
{
	size_t len = offsetof(struct input, buf) + in->len;

	return write(fd, in, len) == (ssize_t)len;
}

bool load_input(int fd, struct input *in)
{
	size_t head = offsetof(struct input, buf);

	return read(fd, in, head) == (ssize_t)head && in->target < n_targets &&
		in->len <= MAX_INPUT && in->splits <= MAX_SPLITS &&
		read(fd, in->buf, in->len) == in->len;
}
