// SPDX-License-Identifier: GPL-2.0
/* Tests GRO for ESP in UDP. If a NAT traversal socket has UDP_GRO, GRO passes
 * ESP packets to decryption, and the decrypted datagrams are aggregated.
 * Without UDP_GRO, the same datagrams arrive one by one. IKE messages reach
 * the socket in both cases.
 *
 * The program builds each packet, with the null cipher and in transport mode.
 * Only packets that are decrypted in GRO pass GRO again and are aggregated.
 *
 * udpgro.sh creates the namespaces in which this runs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgro_lib.h"

#ifndef UDP_ENCAP
#define UDP_ENCAP		100
#endif

#ifndef UDP_ENCAP_ESPINUDP
#define UDP_ENCAP_ESPINUDP	2
#endif

#define ESP_PORT	4500
#define ESP_SPI		0x1000
#define ESP_HLEN	8
#define MAX_FRAMES	80
#define MAX_WANTS	80

/* Bursts */

enum kind {
	ESP,			/* len bytes of UDP payload in ESP */
	RAW,			/* len bytes that start with word */
	UNKNOWN,		/* like ESP, with an unknown SPI */
};

enum { NO_CSUM = 1, BAD_CSUM = 2 };

struct part {
	enum kind kind;
	int nr;
	int len;
	int flags;
	__u32 word;
};

#define IKE(nr, len)		{ RAW, nr, len, 0, 0 }
#define BYTES(len, word)	{ RAW, 1, len, 0, word }

struct burst {
	const char *name;
	struct part part[4];
	int merged[4];		/* lengths of messages with GRO */
	int ike[4];		/* lengths at the ESP socket; -1: empty */
	int fams;
};

/* Without GRO, __xfrm6_udp_encap_rcv() drops ESP packets that are shorter than
 * an IPv6 header.
 */
enum { BOTH, ONLY4, NOT6_PLAIN };

static const struct burst bursts[] = {
	{ "1", { { ESP, 1, 100 } }, { 100 } },
	{ "2", { { ESP, 2, 100 } }, { 200 } },
	{ "64", { { ESP, 64, 100 } }, { 6400 } },
	{ "3 of 1 byte", { { ESP, 3, 1 } }, { 3 }, {}, NOT6_PLAIN },
	{ "3 of 21 bytes", { { ESP, 3, 21 } }, { 63 } },
	{ "10 of 1300", { { ESP, 10, 1300 } }, { 13000 } },
	{ "last is shorter", { { ESP, 3, 500 }, { ESP, 1, 499 } }, { 1999 } },
	{ "longer packet flushes", { { ESP, 2, 500 }, { ESP, 2, 501 } },
	  { 1000, 1002 } },
	{ "no outer checksum", { { ESP, 3, 100, NO_CSUM } }, { 300 }, {},
	  ONLY4 },
	{ "wrong outer checksum", { { ESP, 2, 100 }, { ESP, 1, 100, BAD_CSUM } },
	  { 200 } },
	{ "IKE", { IKE(1, 300) }, {}, { 300 } },
	{ "3 IKE messages", { IKE(3, 300) }, {}, { 300, 300, 300 } },
	{ "IKE, only the non-ESP marker", { IKE(1, 4) }, {}, { 4 } },
	{ "IKE between ESP", { { ESP, 2, 100 }, IKE(1, 108), { ESP, 1, 100 } },
	  { 300 }, { 108 } },
	{ "keepalive", { BYTES(1, 0xff000000), { ESP, 2, 100 } }, { 200 } },
	{ "1 byte, not a keepalive", { BYTES(1, 0xfe000000) }, {}, { 1 } },
	{ "2 bytes, not a keepalive", { BYTES(2, 0xffff0000) }, {}, { 2 } },
	{ "empty", { BYTES(0, 0), { ESP, 2, 100 } }, { 200 }, { -1 } },
	{ "8 bytes, too short for ESP", { BYTES(8, ESP_SPI) }, {}, { 8 } },
	{ "9 bytes, no ESP trailer", { BYTES(9, ESP_SPI), { ESP, 2, 100 } },
	  { 200 } },
	{ "unknown SPI", { { UNKNOWN, 2, 100 }, { ESP, 2, 100 } }, { 200 } },
};

static struct dgram sent[MAX_FRAMES];
static unsigned char sent_data[MAX_FRAMES][2048];
static int nr_sent;

static const char *mid_addr(enum family fam)
{
	return fam == V6 ? MID6 : MID4;
}

static void put32(unsigned char *p, __u32 val)
{
	put16(p, val >> 16);
	put16(p + 2, val);
}

/* Builds a UDP datagram in ESP (transport mode), without IP header. */
static int esp_build(unsigned char *esp, const struct dgram *inner, __u32 spi)
{
	static struct frame f;
	static __u32 seq;
	int len, hlen = inner->fam == V6 ? 40 : 20, pad;

	len = frame_build(&f, inner) - hlen;
	put32(esp, spi);
	put32(esp + 4, ++seq);
	memcpy(esp + ESP_HLEN, f.ip + hlen, len);
	len += ESP_HLEN;
	for (pad = 0; (len + 2) % 4; pad++)
		esp[len++] = pad + 1;
	esp[len++] = pad;
	esp[len++] = IPPROTO_UDP;

	return len;
}

static struct dgram inner_dgram(enum family fam, int sport,
				const unsigned char *data, int len)
{
	return (struct dgram) {
		.fam = fam,
		.dst = mid_addr(fam),
		.sport = sport,
		.dport = PORT,
		.data = data,
		.len = len,
		.ttl = TTL,
	};
}

static struct dgram outer_dgram(enum family fam, const unsigned char *data,
				int len, int id, int flags)
{
	struct dgram d = inner_dgram(fam, ESP_PORT, data, len);

	d.dport = ESP_PORT;
	d.id = id & 0xffff;
	d.no_csum = flags & NO_CSUM;
	d.bad_csum = flags & BAD_CSUM;

	return d;
}

static int raw_build(unsigned char *buf, const struct part *p)
{
	unsigned char word[4];

	put32(word, p->word);
	memcpy(buf, payload, p->len);
	memcpy(buf, word, p->len < 4 ? p->len : 4);

	return p->len;
}

/* Fills sent[]. IDs and payload of the accepted datagrams are consecutive. */
static void sent_fill(enum family fam, const struct burst *b)
{
	int i, n, len, off = 0, id = FIRST_ID;

	nr_sent = 0;
	for (i = 0; i < ARRAY_SIZE(b->part); i++) {
		const struct part *p = &b->part[i];
		bool gets_in = p->kind == ESP && !(p->flags & BAD_CSUM);

		for (n = 0; n < p->nr; n++, nr_sent++) {
			unsigned char *buf = sent_data[nr_sent];
			struct dgram inner = inner_dgram(fam, FLOW_PORT,
							 payload + off, p->len);

			len = p->kind == RAW ? raw_build(buf, p) :
			      esp_build(buf, &inner, p->kind == ESP ?
					ESP_SPI : ESP_SPI + 1);
			sent[nr_sent] = outer_dgram(fam, buf, len, id,
						    p->flags);
			id += gets_in;
			off += gets_in ? p->len : 0;
		}
	}
}

/* Sends a fence in ESP, on the same path as the other datagrams. */
static void fence(enum family fam)
{
	unsigned char buf[256];
	struct dgram inner, outer;

	inner = inner_dgram(fam, FENCE_PORT, (const void *)fence_text,
			    sizeof(fence_text));
	outer = outer_dgram(fam, buf, esp_build(buf, &inner, ESP_SPI), 0, 0);
	inject(&outer);
}

/* Received messages */

struct want {
	int len;
	int size;
};

/* Returns the number of expected messages: aggregated messages with @gro,
 * otherwise single datagrams.
 */
static int nr_wanted(const struct burst *b, bool gro, struct want *want)
{
	int i, n, nr = 0, off = 0, left;

	for (i = 0; i < ARRAY_SIZE(b->part); i++) {
		const struct part *p = &b->part[i];

		for (n = 0; n < p->nr; n++) {
			if (p->kind != ESP || p->flags & BAD_CSUM)
				continue;
			want[nr++] = (struct want) { p->len, 0 };
		}
	}
	if (!gro)
		return nr;

	for (i = 0; i < ARRAY_SIZE(b->merged) && b->merged[i]; i++) {
		left = b->merged[i] - want[off].len;
		want[i] = (struct want) {
			b->merged[i], left ? want[off].len : 0
		};
		for (off++; left > 0; off++)
			left -= want[off].len;
	}

	return i;
}

static struct message msg;

/* Reads the next message that is not a fence. Returns false after the second
 * fence.
 */
static bool next_message(int fd, enum family fam, int *fences)
{
	for (;;) {
		if (!recv_message(fd, &msg, sizeof(msg.data), 0)) {
			if (readable(fd, RX_TIMEOUT_MS))
				continue;
			return fail("the fence is lost");
		}
		if (!is_fence(msg.data, msg.len))
			return true;
		if (++*fences == 2)
			return false;
		fence(fam);
	}
}

static bool expect_message(const struct want *want, const unsigned char *data)
{
	if (want->len != msg.len || want->size != msg.size)
		return fail("expected %d bytes, size %d, got %d, %d", want->len,
			    want->size, msg.len, msg.size);
	if (memcmp(msg.data, data, msg.len))
		return fail("wrong payload");

	return true;
}

static bool expect_inner(int fd, enum family fam, const struct want *want,
			 int nr)
{
	int i = 0, off = 0, fences = 0;

	fence(fam);
	while (next_message(fd, fam, &fences)) {
		if (case_failed)
			continue;
		if (i == nr) {
			fail("unexpected message of %d bytes", msg.len);
			continue;
		}
		if (!expect_long("source port", FLOW_PORT, msg.sport) ||
		    !expect_message(&want[i], payload + off)) {
			fail("message %d of %d", i + 1, nr);
			continue;
		}
		off += want[i++].len;
	}

	return !case_failed && expect_long("messages", nr, i);
}

/* Checks the messages at the ESP socket. All of them have already arrived. */
static bool expect_ike(int fd, const struct burst *b)
{
	int i, n, k = 0;

	for (i = 0; i < ARRAY_SIZE(b->ike) && b->ike[i]; i++) {
		struct want want = { b->ike[i] < 0 ? 0 : b->ike[i], 0 };

		if (!recv_message(fd, &msg, sizeof(msg.data), 0))
			return fail("message %d is missing at the socket",
				    i + 1);
		for (n = k; n < nr_sent && sent[n].len != want.len; n++)
			;
		if (n == nr_sent)
			return fail("no message has %d bytes", want.len);
		k = n + 1;
		if (!expect_message(&want, sent[n].data))
			return fail("wrong message %d at the socket", i + 1);
	}
	if (recv_message(fd, &msg, sizeof(msg.data), 0))
		return fail("%d unexpected bytes at the socket", msg.len);

	return true;
}

/* Sockets: the options may be set in any order */

static const struct mode {
	const char *name;
	bool gro;
	bool gro_first;
} modes[] = {
	{ "UDP_GRO, then UDP_ENCAP", true, true },
	{ "UDP_ENCAP, then UDP_GRO", true, false },
	{ "without UDP_GRO", false, false },
};

static bool set_encap(int fd)
{
	return expect_ret("setsockopt UDP_ENCAP", 0,
			  set_int(fd, SOL_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP));
}

static bool set_gro(int fd, int on)
{
	return expect_ret("setsockopt UDP_GRO", 0,
			  set_int(fd, SOL_UDP, UDP_GRO, on));
}

static int esp_socket(enum family fam, const struct mode *mode)
{
	int fd = udp_rx_socket(peer_netns, fam == V4 ? V4 : V6, ESP_PORT);
	bool ok;

	if (mode->gro_first)
		ok = set_gro(fd, 1) && set_encap(fd);
	else if (mode->gro)
		ok = set_encap(fd) && set_gro(fd, 1);
	else
		ok = set_gro(fd, 1) && set_gro(fd, 0) && set_encap(fd);
	if (ok)
		return fd;
	close(fd);

	return -1;
}

static void run_burst(const struct test_case *tc)
{
	enum family fam = tc->fam == V6 ? V6 : V4;
	const struct mode *mode = &modes[tc->dev];
	const struct burst *b = tc->row;
	struct want want[MAX_WANTS];
	int esp, inner, nr;

	esp = esp_socket(tc->fam, mode);
	if (esp < 0)
		return;
	inner = udp_rx_socket(peer_netns, fam, PORT);
	if (!set_gro(inner, 1))
		goto close;

	nr = nr_wanted(b, mode->gro, want);
	sent_fill(fam, b);
	inject_burst(sent, nr_sent);
	if (expect_inner(inner, fam, want, nr))
		expect_ike(esp, b);
close:
	close(inner);
	close(esp);
}

static void add_state(const char *netns, const char *src, const char *dst)
{
	must_sh("ip -n %s xfrm state add src %s dst %s proto esp spi %d "
		"mode transport enc 'ecb(cipher_null)' '' "
		"encap espinudp %d %d 0.0.0.0", netns, src, dst, ESP_SPI,
		ESP_PORT, ESP_PORT);
}

static void add_bursts(enum family fam, int mode)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(bursts); i++) {
		const struct burst *b = &bursts[i];

		if (fam == V6 && (b->fams == ONLY4 ||
				  (b->fams == NOT6_PLAIN && !modes[mode].gro)))
			continue;
		add_case(run_burst, b, fam, mode, "%s %s: %s", family_name[fam],
			 modes[mode].name, b->name);
	}
}

int main(int argc, char **argv)
{
	enum family fam;
	int mode;

	if (argc < 3)
		ksft_exit_fail_msg("usage: udpgro_esp MID RX [FILTER]\n");
	open_netns(argv[1]);
	add_state(argv[1], TX4, MID4);
	add_state(argv[1], TX6, MID6);
	payload_init();
	pin_cpu();
	pin_napis();

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++)
		for (fam = V4; fam < FAMILIES; fam++)
			add_bursts(fam, mode);

	run_cases(argc > 3 ? argv[3] : NULL);

	return 0;
}
