// SPDX-License-Identifier: GPL-2.0
/* Runs in the guest: handles the requests that the driver sends over a virtio-serial port */
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <dirent.h>

#include "uso.h"

#define PORTS		"/sys/class/virtio-ports"

static int receiver = -1;

static int open_port(const char *name)
{
	char path[300], got[32];
	struct dirent *d;
	int fd = -1;
	FILE *file;
	DIR *dir;

	dir = opendir(PORTS);
	if (!dir)
		die(PORTS);
	while (fd < 0 && (d = readdir(dir))) {
		snprintf(path, sizeof(path), PORTS "/%s/name", d->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fscanf(file, "%31s", got) == 1 && !strcmp(got, name)) {
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, O_RDWR);
		}
		fclose(file);
	}
	closedir(dir);
	if (fd < 0)
		die("port %s", name);

	return fd;
}

/* A read returns 0 before the driver has connected, and after it has exited. */
static void wait_for_driver(int fd)
{
	struct pollfd pfd = { .fd = fd };
	int i;

	for (i = 0; i < 20000; i++) {
		if (poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLHUP))
			return;
		usleep(1000);
	}
	die("the driver does not connect");
}

static int shell(const char *cmd, char *out, size_t size)
{
	char line[1100];
	size_t len;
	FILE *file;

	snprintf(line, sizeof(line), "{ %s\n} 2>&1", cmd);
	file = popen(line, "r");
	if (!file)
		die("popen");
	len = fread(out, 1, size - 1, file);
	out[len] = 0;

	return pclose(file);
}

static int load_xdp_pass(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (unsigned long)insns,
		.insn_cnt = 2,
		.license = (unsigned long)"GPL",
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0)
		die("BPF_PROG_LOAD");

	return fd;
}

/* The link keeps the program attached until the descriptor of the link is closed. */
static int set_xdp(bool on)
{
	static int link = -1;
	union bpf_attr attr = {};
	int prog;

	if (!on) {
		close(link);
		return 0;
	}

	prog = load_xdp_pass();
	attr.link_create.prog_fd = prog;
	attr.link_create.target_ifindex = if_nametoindex("eth0");
	attr.link_create.attach_type = BPF_XDP;
	link = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (link < 0)
		return -errno;
	close(prog);

	return 0;
}

static void handle(const struct request *req, struct reply *rep)
{
	const struct traffic *t = &req->t;

	switch (req->op) {
	case OP_HELLO:
		break;
	case OP_SHELL:
		rep->ret = shell(req->text, rep->text, sizeof(rep->text));
		break;
	case OP_SEND:
		rep->ret = send_calls(t);
		break;
	case OP_FENCE:
		send_one_fence(t);
		break;
	case OP_OPEN:
		close(receiver);
		rep->ret = open_receiver(t, &receiver);
		break;
	case OP_READ:
		rep->reads = read_calls(receiver, t);
		break;
	case OP_END:
		rep->ret = read_fence(receiver);
		rep->csum_errors = csum_errors(t->fam);
		break;
	case OP_XDP:
		rep->ret = set_xdp(req->on);
		break;
	}
}

/* The output of fail() is sent in the reply */
int main(void)
{
	int port = open_port("control");
	struct request req;
	struct reply rep;
	FILE *out = stdout;
	size_t size;
	char *text;

	payload_init();
	wait_for_driver(port);
	while (transfer(port, &req, sizeof(req), false)) {
		memset(&rep, 0, sizeof(rep));
		stdout = open_memstream(&text, &size);
		handle(&req, &rep);
		fclose(stdout);
		stdout = out;
		if (!rep.text[0])
			snprintf(rep.text, sizeof(rep.text), "%s", text);
		free(text);
		if (!transfer(port, &rep, sizeof(rep), true))
			break;
	}

	return 0;
}
