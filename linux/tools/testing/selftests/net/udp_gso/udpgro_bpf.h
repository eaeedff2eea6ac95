/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers that assemble BPF programs for the tests of UDP GRO without a
 * compiler.
 */
#ifndef UDPGRO_BPF_H
#define UDPGRO_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "udpgro_lib.h"

#define PROG_INSNS	256
#define R(n)		BPF_REG_##n
#define DROP		2		/* TC_ACT_SHOT */

struct prog {
	struct bpf_insn insn[PROG_INSNS];
	int nr;
};

static inline int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

static inline void emit(struct prog *p, int code, int dst, int src, int off,
			int imm)
{
	if (p->nr == PROG_INSNS)
		ksft_exit_fail_msg("BPF program is too long\n");
	p->insn[p->nr++] = (struct bpf_insn) {
		.code = code,
		.dst_reg = dst,
		.src_reg = src,
		.off = off,
		.imm = imm,
	};
}

static inline void mov_imm(struct prog *p, int dst, int imm)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static inline void mov_reg(struct prog *p, int dst, int src)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static inline void call(struct prog *p, int func)
{
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, func);
}

static inline void emit_exit(struct prog *p, int ret)
{
	mov_imm(p, R(0), ret);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static inline void load_map(struct prog *p, int dst, int map)
{
	emit(p, BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, map);
	emit(p, 0, 0, 0, 0, 0);
}

/* Emits code that returns @ret if the helper before did not return 0. */
static inline void emit_exit_on_error(struct prog *p, int ret)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, R(0), 0, 2, 0);
	emit_exit(p, ret);
}

static inline int map_create(int type, int value_size)
{
	union bpf_attr attr = {
		.map_type = type,
		.key_size = sizeof(int),
		.value_size = value_size,
		.max_entries = 1,
	};
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		die("BPF_MAP_CREATE");

	return fd;
}

static inline int map_get(int map)
{
	int key = 0, val = -1;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (unsigned long)&key,
		.value = (unsigned long)&val,
	};

	if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
		die("BPF_MAP_LOOKUP_ELEM");

	return val;
}

static inline void map_put(int map, __u64 value)
{
	int key = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (unsigned long)&key,
		.value = (unsigned long)&value,
	};

	if (bpf(BPF_MAP_UPDATE_ELEM, &attr))
		die("BPF_MAP_UPDATE_ELEM");
}

static inline int prog_load(const struct prog *p, int type, int attach_type)
{
	static char log[1 << 16];
	union bpf_attr attr = {
		.prog_type = type,
		.expected_attach_type = attach_type,
		.insns = (unsigned long)p->insn,
		.insn_cnt = p->nr,
		.license = (unsigned long)"GPL",
		.log_buf = (unsigned long)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0) {
		printf("# %s\n", log);
		die("BPF_PROG_LOAD");
	}

	return fd;
}

/* Attaches @prog until the link is closed. @target is a device or a file. */
static inline int prog_link(int prog, int target, int attach_type)
{
	union bpf_attr attr = {
		.link_create.prog_fd = prog,
		.link_create.target_fd = target,
		.link_create.attach_type = attach_type,
	};
	int fd = bpf(BPF_LINK_CREATE, &attr);

	if (fd < 0)
		die("BPF_LINK_CREATE");

	return fd;
}

/* Emits code that returns 0 for packets that GRO has not aggregated. For an
 * aggregated packet, the code stores the number of datagrams in the map, and
 * the program continues. R6 is the packet.
 */
static inline void gso_only(struct prog *p, int map)
{
	mov_reg(p, R(6), R(1));
	emit(p, BPF_LDX | BPF_W | BPF_MEM, R(8), R(6),
	     offsetof(struct __sk_buff, gso_segs), 0);
	emit(p, BPF_JMP | BPF_JGT | BPF_K, R(8), 0, 2, 1);
	emit_exit(p, 0);
	emit(p, BPF_ST | BPF_W | BPF_MEM, R(10), 0, -4, 0);
	mov_reg(p, R(2), R(10));
	emit(p, BPF_ALU64 | BPF_ADD | BPF_K, R(2), 0, 0, -4);
	load_map(p, R(1), map);
	call(p, BPF_FUNC_map_lookup_elem);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, R(0), 0, 1, 0);
	emit(p, BPF_STX | BPF_W | BPF_MEM, R(0), R(8), 0, 0);
}

/* Emits code that copies @data to the stack and then to the packet. */
static inline void store_bytes(struct prog *p, int off, const void *data,
			       int len)
{
	int i, size = (len + 7) & ~7;
	unsigned char buf[64] = {};

	memcpy(buf, data, len);
	for (i = 0; i < size; i += 4) {
		int word;

		memcpy(&word, buf + i, 4);
		emit(p, BPF_ST | BPF_W | BPF_MEM, R(10), 0, i - size, word);
	}
	mov_reg(p, R(1), R(6));
	mov_imm(p, R(2), off);
	mov_reg(p, R(3), R(10));
	emit(p, BPF_ALU64 | BPF_ADD | BPF_K, R(3), 0, 0, -size);
	mov_imm(p, R(4), len);
	mov_imm(p, R(5), 0);
	call(p, BPF_FUNC_skb_store_bytes);
	emit_exit_on_error(p, DROP);
}

#endif /* UDPGRO_BPF_H */
