# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash

# fault_program NAME: $WORK/faults/NAME, with the headers of the series.
fault_program() {
	mkdir -p "$WORK/faults"
	logged "build-$1" gcc -O2 -Wall -pthread -isystem "$WORK/build/series/usr/include" \
		-I "$WORK/series/tools/testing/selftests/net" -o "$WORK/faults/$1" "$TOP/tests/kernel/fault-injection/guest/$1.c"
}
