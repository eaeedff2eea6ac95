// SPDX-License-Identifier: GPL-2.0
/* Prints the rate of this processor's time stamp counter in kHz. The
 * processor that QEMU emulates uses this counter. A guest that calibrates the
 * counter with emulated timers on a busy host gets a wrong rate.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

struct stamp {
	double ns;
	unsigned long long ticks;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The one of 100 readings that took the least time */
static struct stamp take_stamp(void)
{
	struct stamp best = {};
	double least = 1e18;
	int i;

	for (i = 0; i < 100; i++) {
		double before = now();
		unsigned long long ticks = __rdtsc();
		double after = now();

		if (after - before < least) {
			least = after - before;
			best = (struct stamp){ (before + after) / 2, ticks };
		}
	}
	return best;
}

int main(void)
{
	struct stamp from = take_stamp(), to;

	usleep(100000);
	to = take_stamp();
	return printf("%.0f\n", (to.ticks - from.ticks) * 1e6 / (to.ns - from.ns)) < 0;
}
