// SPDX-License-Identifier: GPL-2.0
/* Runs in the guest: writes random frames with virtio headers to tun devices
 * and packet sockets.
 *
 *	fuzz-vnet run SETUP SEED FROM TO SECONDS [SHOW]
 *		the inputs FROM to TO-1 of SEED, for at most that many seconds
 *		(0: no limit); prints the inputs from SHOW on
 *	fuzz-vnet replay SETUP FILE		runs and prints the inputs of FILE
 *	fuzz-vnet save SEED FROM TO >FILE	saves these inputs; needs no guest
 *	fuzz-vnet show FILE			prints the inputs of FILE; needs no guest
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* Sent to the host before each input: the number of the input, and the result of
 * the previous input. If the guest panics, the host has the number.
 */
struct record {
	uint64_t n;
	uint64_t digest;
	int32_t ret;
	uint32_t frames;
};

static struct input in;
static uint64_t inputs_digest = 1, outcomes_digest = 1, done;

void die(const char *what)
{
	printf("fuzz-vnet: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Open the virtio-serial port of that name; -1 if there is none */
int port_open(const char *name)
{
	char path[64], has[64];
	FILE *f;
	int i;

	for (i = 0; i < 16; i++) {
		snprintf(path, sizeof(path),
			 "/sys/class/virtio-ports/vport%dp%d/name", i / 8, i % 8);
		f = fopen(path, "r");
		if (!f)
			continue;
		has[0] = 0;
		if (!fgets(has, sizeof(has), f))
			has[0] = 0;
		fclose(f);
		has[strcspn(has, "\n")] = 0;
		snprintf(path, sizeof(path), "/dev/vport%dp%d", i / 8, i % 8);
		if (!strcmp(has, name))
			return open(path, O_WRONLY);
	}
	return -1;
}

static void report(int port, uint64_t n, const struct outcome *before)
{
	struct record r = { n, before->digest, before->ret, before->frames };

	if (port >= 0 && write(port, &r, sizeof(r)) != sizeof(r))
		die("record");
}

/* For the self-test: the number of the input at which an error is injected */
uint64_t hook(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : UINT64_MAX;
}

static void panic(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	if (fd < 0 || write(fd, "c", 1) != 1)
		die("sysrq-trigger");
}

static bool run_input(bool verbose, struct outcome *out)
{
	if (in.n == hook("FUZZ_PANIC_AT"))
		panic();
	net_run(&in, out, verbose);
	inputs_digest = digest(inputs_digest, &in,
			       offsetof(struct input, buf) + in.len);
	outcomes_digest = mix(outcomes_digest, out->digest);
	done++;
	return !net_splats();
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void summary(double start)
{
	double took = seconds() - start;

	printf("%llu inputs in %.1f s, %.0f per second; inputs %016llx, outcomes %016llx\n",
	       (unsigned long long)done, took, done / (took ?: 1),
	       (unsigned long long)inputs_digest,
	       (unsigned long long)outcomes_digest);
	fflush(stdout);
}

static int run(uint64_t seed, uint64_t from, uint64_t to, unsigned int limit,
	       uint64_t show)
{
	double start = seconds(), last_summary = start;
	struct outcome out = { 0 };
	int port = port_open("record");
	bool good = true;
	uint64_t n;

	for (n = from; good && n < to; n++) {
		if (limit && seconds() - start > limit)
			break;
		if (seconds() - last_summary >= 10) {
			summary(start);
			last_summary = seconds();
		}
		generate(seed, n, &in);
		report(port, n, &out);
		good = run_input(n >= show, &out);
	}
	net_finish(&out);
	outcomes_digest = mix(outcomes_digest, out.digest);
	report(port, good ? n : n - 1, &out);
	summary(start);
	net_report();
	return !good;
}

static int replay(const char *path)
{
	int fd = open(path, O_RDONLY), port = port_open("record");
	struct outcome out = { 0 };
	bool good = true;

	if (fd < 0)
		die(path);
	while (good && load_input(fd, &in)) {
		report(port, in.n, &out);
		good = run_input(true, &out);
	}
	if (!done) {
		errno = EINVAL;
		die("no input in the file");
	}
	net_finish(&out);
	summary(seconds() - 1);
	net_report();
	return !good;
}

static int save(uint64_t seed, uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		generate(seed, from, &in);
		if (!save_input(1, &in))
			die("save");
	}
	return 0;
}

static int show(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	while (load_input(fd, &in))
		print_input(&in);
	return 0;
}

/* All other tasks of the guest run before this program. */
static void lower_priority(void)
{
	struct sched_param param = { 0 };

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		die("sched_setscheduler");
}

int main(int argc, char **argv)
{
	uint64_t number[5] = { 0, 0, 0, 0, UINT64_MAX };
	int i, skip = argc > 1 && !strcmp(argv[1], "run") ? 3 : 2;

	for (i = 0; i < 5 && skip + i < argc; i++)
		number[i] = strtoull(argv[skip + i], NULL, 0);
	if (argc == 5 && !strcmp(argv[1], "save"))
		return save(number[0], number[1], number[2]);
	if (argc == 3 && !strcmp(argv[1], "show"))
		return show(argv[2]);
	if (argc < 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	net_setup(argv[2]);
	lower_priority();
	if (!strcmp(argv[1], "replay"))
		return replay(argv[3]);
	return run(number[0], number[1], number[2], number[3], number[4]);
}
