/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUZZ_VNET_COUNTERS_H
#define FUZZ_VNET_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

struct outcome;

/* Adds the counters of the current network namespace, which gets the name @ns */
void counters_open(const char *ns);
uint64_t counters_of(int ifindex);
void counters_delta(struct outcome *out, bool verbose);
void counters_report(void);

#endif
