// SPDX-License-Identifier: GPL-2.0
/* Attaches an XDP program to a device until this process is killed. The XDP
 * program passes all frames (XDP_PASS). Prints a line when the XDP program is
 * attached. Exit status 1 means that the device has rejected the XDP program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "udpgro_bpf.h"

int main(int argc, char **argv)
{
	union bpf_attr attr = {
		.link_create.target_fd = argc > 1 ? if_nametoindex(argv[1]) : 0,
		.link_create.attach_type = BPF_XDP,
	};
	struct prog p = {};

	if (argc != 2)
		ksft_exit_fail_msg("usage: veth_xdp DEVICE\n");

	emit_exit(&p, XDP_PASS);
	attr.link_create.prog_fd = prog_load(&p, BPF_PROG_TYPE_XDP, 0);
	if (bpf(BPF_LINK_CREATE, &attr) < 0)
		return 1;

	printf("attached\n");
	fflush(stdout);
	pause();

	return 0;
}
