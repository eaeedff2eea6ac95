// SPDX-License-Identifier: GPL-2.0
/* Plugin of QEMU that counts how often the instruction at each address runs
 * between the marks mark_begin() and mark_end() of bench/send. It keeps the
 * counts of the run with the fewest instructions, which normally contains no
 * interrupt. mark_done() ends a row.
 *
 *	-plugin FILE,begin=ADDR,end=ADDR,done=ADDR,out=FILE
 * The output has a line "row N" and lines "ADDRESS COUNT" for each row.
 *
 * The declarations below are the part of QEMU's documented plugin interface that
 * is used here. Debian has the header only in QEMU's source package.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGS };

typedef void (*tb_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int cpu, void *data);
typedef void (*exit_cb)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_cb cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_cb cb,
					  int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_cb cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;

/* A translated block. now and least count how often it ran in the current run
 * and in the run with the fewest instructions.
 */
struct block {
	struct block *next;
	uint64_t now, least;
	size_t n;
	uint64_t insns[];
};

static struct block *blocks;
static uint64_t least; /* instructions of the shortest run */
static unsigned int rows;
static FILE *out;
static bool counting;

static void ran(unsigned int cpu, void *data)
{
	struct block *block = data;

	(void)cpu;
	if (counting)
		block->now++;
}

static void write_row(void)
{
	struct block *block;
	size_t i;

	if (!least)
		return;
	fprintf(out, "row %u\n", rows++);
	for (block = blocks; block; block = block->next) {
		for (i = 0; block->least && i < block->n; i++)
			fprintf(out, "%" PRIx64 " %" PRIu64 "\n",
				block->insns[i], block->least);
		block->least = 0;
	}
	least = 0;
}

static void begin(unsigned int cpu, void *data)
{
	struct block *block;

	(void)cpu;
	(void)data;
	for (block = blocks; block; block = block->next)
		block->now = 0;
	counting = true;
}

static void end(unsigned int cpu, void *data)
{
	struct block *block;
	uint64_t total = 0;

	(void)cpu;
	(void)data;
	counting = false;
	for (block = blocks; block; block = block->next)
		total += block->now * block->n;
	if (least && total >= least)
		return;
	least = total;
	for (block = blocks; block; block = block->next)
		block->least = block->now;
}

static void done(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	write_row();
}

static struct mark {
	const char *name;
	exec_cb cb;
	uint64_t address;
} marks[] = { { "begin", begin, 0 }, { "end", end, 0 }, { "done", done, 0 } };

#define MARKS (sizeof(marks) / sizeof(marks[0]))

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	struct block *block;

	(void)id;
	block = calloc(1, sizeof(*block) + n * sizeof(block->insns[0]));
	if (!block)
		abort();
	block->n = n;
	for (i = 0; i < n; i++)
		block->insns[i] = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i));
	block->next = blocks;
	blocks = block;
	for (i = 0; i < MARKS; i++)
		if (block->insns[0] == marks[i].address)
			qemu_plugin_register_vcpu_tb_exec_cb(tb, marks[i].cb, NO_REGS, NULL);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, NO_REGS, block);
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	if (fclose(out))
		perror("plugin");
}

/* begin=ADDR,end=ADDR,done=ADDR,out=FILE */
static bool parse(const char *arg)
{
	const char *value = strchr(arg, '=');
	size_t i;

	if (!value)
		return false;
	if (!strncmp(arg, "out=", 4)) {
		out = fopen(value + 1, "w");
		return out;
	}
	for (i = 0; i < MARKS; i++)
		if (!strncmp(arg, marks[i].name, value - arg))
			marks[i].address = strtoull(value + 1, NULL, 16);
	return true;
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!parse(argv[i]))
			return -1;
	for (i = 0; i < (int)MARKS; i++)
		if (!marks[i].address)
			return -1;
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
