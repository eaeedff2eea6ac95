// SPDX-License-Identifier: GPL-2.0
/* Tests UDP GSO packets and BPF: the fields that programs read, the helpers
 * that change packets, generic and native XDP, and AF_XDP.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/lwtunnel.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "udpgso_netlink.h"
#include "udpgso_topo.h"
#include "udpgso_xsk.h"

#define KERN_ENOTSUPP	524

/* Missing in older kernel headers */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47 };

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

/* The data that a BPF program records about UDP GSO packets */
struct record {
	__u32 gso_size;
	__u32 gso_segs;
	__s32 ret;		/* of the helper */
	__u32 count;
};

static int map_make(int type, int value_size)
{
	union bpf_attr attr = {
		.map_type = type,
		.key_size = 4,
		.value_size = value_size,
		.max_entries = 1,
	};
	int fd = sys_bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		die("map");

	return fd;
}

static struct record record_read(int map)
{
	struct record record = {};
	__u32 key = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (unsigned long)&key,
		.value = (unsigned long)&record,
	};

	if (sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr))
		die("map lookup");

	return record;
}

/* BPF programs, assembled one instruction at a time */

struct prog {
	struct bpf_insn insns[128];
	int len;
};

static void emit(struct prog *p, int code, int dst, int src, int off, int imm)
{
	p->insns[p->len++] = (struct bpf_insn) {
		.code = code,
		.dst_reg = dst,
		.src_reg = src,
		.off = off,
		.imm = imm,
	};
}

static void emit_mov(struct prog *p, int dst, int imm)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static void emit_copy(struct prog *p, int dst, int src)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void emit_call(struct prog *p, int helper)
{
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static void emit_map(struct prog *p, int dst, int map)
{
	emit(p, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, map);
	emit(p, 0, 0, 0, 0, 0);
}

static void emit_stack(struct prog *p, int dst, int off)
{
	emit_copy(p, dst, 10);
	emit(p, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, off);
}

/* Stores bytes on the stack. */
static void emit_bytes(struct prog *p, int off, const unsigned char *bytes,
		       int len)
{
	int i;

	for (i = 0; i < len; i++)
		emit(p, BPF_ST | BPF_MEM | BPF_B, 10, 0, off + i, bytes[i]);
}

/* The helper that a program calls for a UDP GSO packet. The result is in
 * register 9.
 */
struct edit {
	int helper;		/* 0: none */
	int args[3];		/* after the skb */
	const unsigned char *bytes;	/* without store_at: replaces args[1] */
	int bytes_len;
	int store_at;		/* not 0: offset at which to store bytes */
	int csum_at;		/* not 0: offset of a checksum to update */
	int csum_diff;		/* difference for csum_at */
};

#define STACK_BYTES	(-48)

/* Emits a jump that is taken if the last helper has failed. emit_end() sets its
 * target. Returns the number of the instruction.
 */
static int emit_unless_failed(struct prog *p)
{
	emit(p, BPF_JMP | BPF_JNE | BPF_K, 9, 0, 0, 0);

	return p->len - 1;
}

static void emit_end(struct prog *p, int from)
{
	emit_copy(p, 9, 0);
	p->insns[from].off = p->len - from - 1;
}

static void emit_store(struct prog *p, const struct edit *d)
{
	int from = emit_unless_failed(p);

	emit_copy(p, 1, 6);
	emit_mov(p, 2, d->store_at);
	emit_stack(p, 3, STACK_BYTES);
	emit_mov(p, 4, d->bytes_len);
	emit_mov(p, 5, 0);
	emit_call(p, BPF_FUNC_skb_store_bytes);
	emit_end(p, from);
}

static void emit_csum(struct prog *p, const struct edit *d)
{
	int from = emit_unless_failed(p);

	emit_copy(p, 1, 6);
	emit_mov(p, 2, d->csum_at);
	emit_mov(p, 3, 0);
	emit_mov(p, 4, d->csum_diff);
	emit_mov(p, 5, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
	emit_call(p, BPF_FUNC_l4_csum_replace);
	emit_end(p, from);
}

static void emit_edit(struct prog *p, const struct edit *d)
{
	if (d->bytes)
		emit_bytes(p, STACK_BYTES, d->bytes, d->bytes_len);
	emit_copy(p, 1, 6);
	emit_mov(p, 2, d->args[0]);
	if (d->bytes && !d->store_at)
		emit_stack(p, 3, STACK_BYTES);
	else
		emit_mov(p, 3, d->args[1]);
	emit_mov(p, 4, d->args[2]);
	emit_call(p, d->helper);
	emit_copy(p, 9, 0);
	if (d->store_at)
		emit_store(p, d);
	if (d->csum_at)
		emit_csum(p, d);
}

static int prog_load(struct prog *p, int type)
{
	static char log[1 << 16];
	union bpf_attr attr = {
		.prog_type = type,
		.insn_cnt = p->len,
		.insns = (unsigned long)p->insns,
		.license = (unsigned long)"GPL",
		.log_buf = (unsigned long)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		die("program: %s", log);

	return fd;
}

/* Loads a program that changes and records UDP GSO packets and passes all
 * packets. A program for BPF_PROG_TYPE_LWT_XMIT drops the packet if the helper
 * has failed.
 */
static int recording_prog(int type, int map, const struct edit *d)
{
	const int size = offsetof(struct __sk_buff, gso_size);
	const int segs = offsetof(struct __sk_buff, gso_segs);
	struct prog p = {};
	int skip, miss;

	emit_copy(&p, 6, 1);
	emit(&p, BPF_LDX | BPF_MEM | BPF_W, 7, 6, size, 0);
	skip = p.len;
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 0, 0);
	emit(&p, BPF_LDX | BPF_MEM | BPF_W, 8, 6, segs, 0);
	emit_mov(&p, 9, 0);
	if (d && d->helper)
		emit_edit(&p, d);

	emit(&p, BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0);
	emit_map(&p, 1, map);
	emit_stack(&p, 2, -4);
	emit_call(&p, BPF_FUNC_map_lookup_elem);
	miss = p.len;
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0, 0);
	emit(&p, BPF_STX | BPF_MEM | BPF_W, 0, 7, 0, 0);
	emit(&p, BPF_STX | BPF_MEM | BPF_W, 0, 8, 4, 0);
	emit(&p, BPF_STX | BPF_MEM | BPF_W, 0, 9, 8, 0);
	emit(&p, BPF_LDX | BPF_MEM | BPF_W, 1, 0, 12, 0);
	emit(&p, BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, 1);
	emit(&p, BPF_STX | BPF_MEM | BPF_W, 0, 1, 12, 0);

	p.insns[miss].off = p.len - miss - 1;

	/* drop the packet if the helper that pushes a header has failed */
	emit_mov(&p, 0, BPF_DROP);
	if (type == BPF_PROG_TYPE_LWT_XMIT) {
		emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 9, 0, 1, 0);
		emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}

	p.insns[skip].off = p.len - skip - 1;
	emit_mov(&p, 0, 0);
	emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

	return prog_load(&p, type);
}

static int prog_link(enum ns ns, const char *dev, int prog, int type, int flags)
{
	union bpf_attr attr = {};
	int fd;

	enter(ns);
	attr.link_create.prog_fd = prog;
	attr.link_create.target_ifindex = if_nametoindex(dev);
	attr.link_create.attach_type = type;
	attr.link_create.flags = flags;
	fd = sys_bpf(BPF_LINK_CREATE, &attr);
	enter(TX);
	if (fd < 0)
		fail("attaching to %s: %s", dev, strerror(-fd));

	return fd;
}

static bool expect_record(int map, int size, int segs, int ret, int count)
{
	struct record record = record_read(map);

	return expect_long("GSO packets", count, record.count) &&
	       (!count || (expect_long("gso_size", size, record.gso_size) &&
			   expect_long("gso_segs", segs, record.gso_segs) &&
			   expect_long("helper", ret, record.ret)));
}

/* Fields that a classifier reads */

static const struct topo pair = { "veth" };

static const struct size_row {
	int len, size, segs;
} size_rows[] = {
	{ 1000, 1000, 0 },
	{ 1001, 1000, 2 },
	{ 2000, 1000, 2 },
	{ 20001, 1000, 21 },
	{ 128 * 400, 400, 128 },
};

static const struct hook {
	const char *name;
	const char *features;
	enum ns ns;
	const char *dev;
	int type;
	bool unsegmented;		/* GSO packets reach this hook */
} hooks[] = {
	{ "egress", "", TX, "d0", TCX_EGRESS, true },
	{ "egress, USO off", "tx:d0 uso-", TX, "d0", TCX_EGRESS,
	  true },
	{ "ingress", "", RX, "d1", TCX_INGRESS, true },
	{ "ingress, sender USO off", "tx:d0 uso-", RX, "d1", TCX_INGRESS,
	  false },
};

static void test_fields(const struct test_case *tc)
{
	const struct hook *h = &hooks[tc->dev];
	int map, prog, link;
	struct ends e;
	size_t i;

	if (!topo_open(&e, &pair, h->features, tc->fam))
		goto close;
	e.unsegmented = !*h->features;
	for (i = 0; i < ARRAY_SIZE(size_rows) && !case_failed; i++) {
		const struct size_row *row = &size_rows[i];

		map = map_make(BPF_MAP_TYPE_ARRAY, sizeof(struct record));
		prog = recording_prog(BPF_PROG_TYPE_SCHED_CLS, map, NULL);
		link = prog_link(h->ns, h->dev, prog, h->type, 0);
		if (link >= 0) {
			send_call(&e, payload, row->len, row->size);
			expect_record(map, row->size, row->segs, 0,
				      row->segs && h->unsegmented);
			close(link);
		}
		close(prog);
		close(map);
	}
close:
	ends_close(&e);
}

/* Changes that need a smaller gso_size, which is not possible for UDP */

static const struct deny_row {
	const char *name;
	enum family fam;
	struct edit edit;
} deny_rows[] = {
	{ "adjust_room, gso_size not fixed", V4,
	  { BPF_FUNC_skb_adjust_room,
	    { 20, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 } } },
	{ "adjust_room, gso_size not fixed", V6,
	  { BPF_FUNC_skb_adjust_room,
	    { 40, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 } } },
};

static void test_deny(const struct test_case *tc)
{
	const struct hook *h = &hooks[tc->dev];
	const struct deny_row *row = tc->row;
	int map, prog, link;
	struct ends e;

	if (!topo_open(&e, &pair, "", tc->fam))
		goto close;
	map = map_make(BPF_MAP_TYPE_ARRAY, sizeof(struct record));
	prog = recording_prog(BPF_PROG_TYPE_SCHED_CLS, map, &row->edit);
	link = prog_link(h->ns, h->dev, prog, h->type, 0);
	e.unsegmented = true;
	if (link >= 0) {
		send_call(&e, payload, 20001, 1000);
		expect_record(map, 1000, 21, -KERN_ENOTSUPP, 1);
		close(link);
	}
	close(prog);
	close(map);
close:
	ends_close(&e);
}

/* The program adds an IPv4 header and does not change gso_size. */

static const struct topo encap = {
	"encap", .wire = "d1",
	.rx = "addr add 10.0.0.2/24 dev d1;"
	      "link add t4 type ipip local 10.0.0.2 remote 10.0.0.1;"
	      "link add t6 type sit local 10.0.0.2 remote 10.0.0.1;"
	      "link set t4 up;link set t6 up",
};

/* Sends a packet that the program changes on egress. */
static void send_changed(const struct ends *e, const struct edit *edit,
			 const struct size_row *row)
{
	int map = map_make(BPF_MAP_TYPE_ARRAY, sizeof(struct record));
	int prog = recording_prog(BPF_PROG_TYPE_SCHED_CLS, map, edit);
	int link = prog_link(TX, "d0", prog, TCX_EGRESS, 0);

	if (link >= 0) {
		send_call(e, payload, row->len, row->size);
		expect_record(map, row->size, row->segs, 0, 1);
		close(link);
	}
	close(prog);
	close(map);
}

/* Builds EtherType and IPv4 header of the complete packet. */
static void make_outer(unsigned char *p, enum family fam, int len)
{
	static const unsigned char start[] = {
		8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0,
		10, 0, 0, 1, 10, 0, 0, 2
	};

	memcpy(p, start, sizeof(start));
	p[11] = fam == V6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	put16(p + 4, 20 + (fam == V6 ? 48 : 28) + len);
	put16(p + 12, ~csum_bytes(0, p + 2, 20));
}

static void test_encap(const struct test_case *tc)
{
	static const struct size_row rows[] = {
		{ 1001, 1000, 2 }, { 2000, 1000, 2 }, { 20001, 1000, 21 },
	};
	const char * const features[] = { "", "tx:d0 uso-" };
	unsigned char outer[22];
	struct edit edit = {
		BPF_FUNC_skb_adjust_room,
		{ 20, BPF_ADJ_ROOM_MAC,
		  BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 },
		outer, sizeof(outer), 12
	};
	struct ends e;
	size_t i;

	if (!topo_open(&e, &encap, features[tc->dev], tc->fam))
		goto close;
	e.unsegmented = !tc->dev;
	e.layers = "eth/ip4";
	for (i = 0; i < ARRAY_SIZE(rows) && !case_failed; i++) {
		make_outer(outer, tc->fam, rows[i].len);
		send_changed(&e, &edit, &rows[i]);
	}
close:
	ends_close(&e);
}

/* The program converts between IPv4 and IPv6. The payload does not change. */

static const struct size_row proto_rows[] = {
	{ 1001, 1000, 2 }, { 2000, 1000, 2 }, { 20001, 1000, 21 },
	{ 128 * 400, 400, 128 },
};

static const struct variant {
	const char *name, *features;
	bool unsegmented;
} proto_variants[] = {
	{ "", "", true },
	{ ", USO off", "tx:d0 uso-" },
	{ ", scatter-gather off", "tx:d0 sg-", true },
	{ ", checksum offload off", "tx:d0 csum-" },
};

static int copy_addrs(unsigned char *p, enum family fam)
{
	struct addr from = addr_of(fam, "192.0.2.1", "2001:db8::1", 0);
	struct addr to = addr_of(fam, "192.0.2.2", "2001:db8::2", 0);

	if (fam == V4) {
		memcpy(p, &from.v4.sin_addr, 4);
		memcpy(p + 4, &to.v4.sin_addr, 4);
		return 8;
	}
	memcpy(p, &from.v6.sin6_addr, 16);
	memcpy(p + 16, &to.v6.sin6_addr, 16);

	return 32;
}

/* Returns the checksum of the addresses in network byte order, as
 * bpf_l4_csum_replace() needs it.
 */
static int addrs_csum(enum family fam)
{
	unsigned char addrs[32];

	return htons(csum_bytes(0, addrs, copy_addrs(addrs, fam)));
}

/* Builds EtherType and header of the complete packet. Returns their length. */
static int make_inet(unsigned char *p, enum family fam, int len)
{
	memset(p, 0, 42);
	if (fam == V6) {
		put16(p, ETH_P_IPV6);
		p[2] = 0x60;
		put16(p + 6, 8 + len);
		p[8] = IPPROTO_UDP;
		p[9] = 64;
		return 10 + copy_addrs(p + 10, fam);
	}

	put16(p, ETH_P_IP);
	p[2] = 0x45;
	put16(p + 4, 28 + len);
	p[10] = 64;
	p[11] = IPPROTO_UDP;
	copy_addrs(p + 14, fam);
	put16(p + 12, ~csum_bytes(0, p + 2, 20));

	return 22;
}

static void test_proto(const struct test_case *tc)
{
	const struct variant *v = &proto_variants[tc->dev];
	enum family to = tc->fam == V4 ? V6 : V4;
	struct addr any = addr_of(V6, "", "::", PORT);
	unsigned char header[42];
	struct edit edit = {
		BPF_FUNC_skb_change_proto,
		{ htons(to == V6 ? ETH_P_IPV6 : ETH_P_IP) },
		header, .store_at = 12,
		.csum_at = ETH_HLEN + (to == V6 ? 40 : 20) + 6,
		.csum_diff = addrs_csum(to) + 0xffff - addrs_csum(tc->fam),
	};
	struct ends e;
	size_t i;

	if (!topo_open(&e, &pair, v->features, tc->fam))
		goto close;
	close(e.rx);
	e.rx = bound_socket(RX, &any, SOCK_NONBLOCK);
	e.from = addr_of(to == V4 ? MAPPED : V6, "192.0.2.1", "2001:db8::1",
			 PORT);
	e.fam = to;
	e.unsegmented = v->unsegmented;
	for (i = 0; i < ARRAY_SIZE(proto_rows) && !case_failed; i++) {
		edit.bytes_len = make_inet(header, to, proto_rows[i].len);
		send_changed(&e, &edit, &proto_rows[i]);
	}
close:
	ends_close(&e);
}

/* A route with a program that pushes a header */

static bool lwt_route(enum family fam, int prog)
{
	struct rtmsg rtm = {
		.rtm_family = fam == V6 ? AF_INET6 : AF_INET,
		.rtm_dst_len = fam == V6 ? 128 : 32,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = fam == V6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	struct addr to = addr_of(fam, "192.0.2.2", "2001:db8::2", 0);
	int encap, xmit;
	struct nl nl;

	nl_init(&nl, NETLINK_ROUTE, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
		&rtm, sizeof(rtm));
	if (fam == V6)
		nl_attr(&nl, RTA_DST, &to.v6.sin6_addr, 16);
	else
		nl_attr(&nl, RTA_DST, &to.v4.sin_addr, 4);
	nl_u32(&nl, RTA_OIF, if_nametoindex("d0"));
	nl_u16(&nl, RTA_ENCAP_TYPE, LWTUNNEL_ENCAP_BPF);
	encap = nl_nest(&nl, RTA_ENCAP);
	xmit = nl_nest(&nl, LWT_BPF_XMIT);
	nl_u32(&nl, LWT_BPF_PROG_FD, prog);
	nl_str(&nl, LWT_BPF_PROG_NAME, "lwt");
	nl_end(&nl, xmit);
	nl_u32(&nl, LWT_BPF_XMIT_HEADROOM, 40);
	nl_end(&nl, encap);

	return expect_ret("route", 0, nl_talk(&nl));
}

static void test_lwt(const struct test_case *tc)
{
	static const struct topo lwt[] = { { "lwt, v4" }, { "lwt, v6" } };
	unsigned char outer[22];
	struct edit edit = {
		BPF_FUNC_lwt_push_encap, { BPF_LWT_ENCAP_IP, 0, 20 },
		outer + 2, 20
	};
	struct gso_send send = {
		.data = payload,
		.len = 20001,
		.cmsg = 1000,
	};
	struct ends e;
	int map, prog;

	make_outer(outer, tc->fam, send.len);
	map = map_make(BPF_MAP_TYPE_ARRAY, sizeof(struct record));
	prog = recording_prog(BPF_PROG_TYPE_LWT_XMIT, map, &edit);
	if (topo_open(&e, &lwt[tc->fam], "", tc->fam) &&
	    lwt_route(tc->fam, prog)) {
		send.to = &e.to;
		gso_send(e.tx, &send);
		send_fence(e.tx, &e.to);
		expect_rx(e.rx, &e.from, NULL, 0);
		expect_record(map, 1000, 21, -KERN_ENOTSUPP, 1);
	}
	close(prog);
	close(map);
	ends_close(&e);
}

/* XDP */

static int xdp_prog(int action)
{
	struct prog p = {};

	emit_mov(&p, 0, action);
	emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

	return prog_load(&p, BPF_PROG_TYPE_XDP);
}

static const struct xdp_row {
	const char *name;
	const char *features;
	int flags;
	bool unsegmented;
} xdp_rows[] = {
	{ "generic XDP", "", XDP_FLAGS_SKB_MODE, true },
	{ "generic XDP, sender USO off", "tx:d0 uso-", XDP_FLAGS_SKB_MODE, false },
	/* with native XDP on d1, d0 has no segmentation offload */
	{ "native XDP", "", XDP_FLAGS_DRV_MODE, false },
};

static void test_xdp_pass(const struct test_case *tc)
{
	const struct xdp_row *row = tc->row;
	int prog, link;
	struct ends e;

	if (!topo_open(&e, &pair, row->features, tc->fam))
		goto close;
	prog = xdp_prog(XDP_PASS);
	link = prog_link(RX, "d1", prog, BPF_XDP, row->flags);
	e.unsegmented = row->unsegmented;
	if (link >= 0) {
		if (row->flags == XDP_FLAGS_DRV_MODE)
			expect_feature(TX, "d0", "tx-udp-segmentation",
				       "off fixed");
		send_shapes(&e, MTU, 0);
		close(link);
	}
	close(prog);
	if (row->flags == XDP_FLAGS_DRV_MODE)
		expect_feature(TX, "d0", "tx-udp-segmentation", "on");
close:
	ends_close(&e);
}

/* XDP_TX sends the frames back unchanged. */
static void test_xdp_tx(const struct test_case *tc)
{
	const struct xdp_row *row = tc->row;
	int prog, link, back;
	struct ends e;

	if (!topo_open(&e, &pair, row->features, tc->fam))
		goto close;
	prog = xdp_prog(XDP_TX);
	link = prog_link(RX, "d1", prog, BPF_XDP, row->flags);
	back = wire_open(TX, "d0");
	if (set_int(back, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1))
		die("PACKET_IGNORE_OUTGOING");
	e.wire = back;
	e.unsegmented = row->unsegmented;
	e.no_socket = true;
	if (link >= 0) {
		send_call(&e, payload, 1000, 1000);
		send_call(&e, payload, 2000, 1000);
		send_call(&e, payload, 20001, 1000);
		close(link);
	}
	close(back);
	close(prog);
close:
	ends_close(&e);
}

/* A program in generic XDP mode redirects frames to an AF_XDP socket. The
 * socket gets a GSO packet as one frame. A frame that is longer than a buffer
 * is dropped, or stored in several buffers if the socket supports this.
 */

static int xsk_prog(int map)
{
	struct prog p = {};

	emit_map(&p, 1, map);
	emit_mov(&p, 2, 0);
	emit_mov(&p, 3, XDP_PASS);
	emit_call(&p, BPF_FUNC_redirect_map);
	emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

	return prog_load(&p, BPF_PROG_TYPE_XDP);
}

static int xsk_map_make(void)
{
	int map = map_make(BPF_MAP_TYPE_XSKMAP, 4);
	__u32 key = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (unsigned long)&key,
		.value = (unsigned long)&xsk_now.fd,
	};

	if (sys_bpf(BPF_MAP_UPDATE_ELEM, &attr))
		die("map of AF_XDP sockets");

	return map;
}

static const struct xsk_row {
	const char *name;
	const char *features;
	int flags;
	bool unsegmented;
	bool full;		/* checksums are complete */
} xsk_rows[] = {
	{ "without XDP_USE_SG", "", 0, true },
	{ "XDP_USE_SG", "", XDP_USE_SG, true },
	{ "sender USO off", "tx:d0 uso-" },
	{ "sender USO off, XDP_USE_SG", "tx:d0 uso-", XDP_USE_SG },
	{ "sender checksum offload off", "tx:d0 csum-", .full = true },
};

static bool xsk_partial;

/* AF_XDP does not report whether a checksum is partial. */
static int xsk_wire_recv(int fd)
{
	frame.partial = xsk_partial;

	return xsk_recv(fd);
}

static void send_to_xsk(const struct ends *e, const struct xsk_row *row,
			int len, int size)
{
	int hlen = ETH_HLEN + (e->fam == V6 ? 48 : 28);
	bool fits = !row->unsegmented || row->flags || len + hlen <= XSK_ROOM;
	long before = xsk_dropped();
	struct gso_send s = {
		.to = &e->to,
		.data = payload,
		.len = len,
		.cmsg = size,
	};

	if (fits) {
		send_call(e, payload, len, size);
	} else {
		expect_ret("send", len, gso_send(e->tx, &s));
		send_fence(e->tx, &e->to);
		expect_wire(e, NULL, 0);
	}
	if (!expect_long("dropped frames", !fits, xsk_dropped() - before))
		fail("%d bytes, segment size %d", len, size);
}

static void test_xsk(const struct test_case *tc)
{
	int most = XSK_ROOM - ETH_HLEN - (tc->fam == V6 ? 48 : 28);
	const struct {
		int len, size;
	} calls[] = {
		{ 1000, 1000 }, { 1001, 1000 }, { most, 1000 },
		{ most + 1, 1000 }, { 20001, 1000 }, { 128 * 400, 400 },
	};
	const struct xsk_row *row = tc->row;
	int map, prog, link;
	struct ends e;
	size_t i;

	if (!topo_open(&e, &pair, row->features, tc->fam))
		goto close;
	xsk_open(RX, "d1", row->flags);
	map = xsk_map_make();
	prog = xsk_prog(map);
	link = prog_link(RX, "d1", prog, BPF_XDP, XDP_FLAGS_SKB_MODE);
	xsk_partial = !row->full;
	e.wire = xsk_now.fd;
	e.recv = xsk_wire_recv;
	e.unsegmented = row->unsegmented;
	e.no_socket = true;
	for (i = 0; i < ARRAY_SIZE(calls) && link >= 0 && !case_failed; i++)
		send_to_xsk(&e, row, calls[i].len, calls[i].size);
	close(link);
	close(prog);
	close(map);
	xsk_close();
close:
	ends_close(&e);
}

int main(int argc, char **argv)
{
	enum family fam;
	size_t i, j;

	topo_init();
	for (fam = V4; fam <= V6; fam++) {
		const char *f = family_name[fam];

		for (i = 0; i < ARRAY_SIZE(hooks); i++)
			add_case(test_fields, NULL, fam, i,
				 "gso_size and gso_segs %s: %s", hooks[i].name,
				 f);
		for (i = 0; i < ARRAY_SIZE(deny_rows); i++)
			for (j = 0; j < ARRAY_SIZE(hooks); j += 2)
				if (deny_rows[i].fam == fam)
					add_case(test_deny, &deny_rows[i], fam,
						 j, "%s %s: %s",
						 deny_rows[i].name,
						 hooks[j].name, f);
		add_case(test_encap, NULL, fam, 0, "adjust_room: %s", f);
		add_case(test_encap, NULL, fam, 1,
			 "adjust_room, USO off: %s", f);
		for (i = 0; i < ARRAY_SIZE(proto_variants); i++)
			add_case(test_proto, NULL, fam, i,
				 "change_proto%s: %s", proto_variants[i].name,
				 f);
		for (i = 0; i < ARRAY_SIZE(xsk_rows); i++)
			add_case(test_xsk, &xsk_rows[i], fam, 0,
				 "AF_XDP, %s: %s", xsk_rows[i].name, f);
		add_case(test_lwt, NULL, fam, 0, "lwt_push_encap: %s", f);
		for (i = 0; i < ARRAY_SIZE(xdp_rows); i++) {
			add_case(test_xdp_pass, &xdp_rows[i], fam, 0,
				 "%s, XDP_PASS: %s", xdp_rows[i].name, f);
			if (xdp_rows[i].flags == XDP_FLAGS_SKB_MODE)
				add_case(test_xdp_tx, &xdp_rows[i], fam, 0,
					 "%s, XDP_TX: %s", xdp_rows[i].name, f);
		}
	}
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}
