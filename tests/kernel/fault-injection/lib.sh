# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash

# build_program NAME: compiles $WORK/fault-injection/NAME with the headers of the series.
build_program() {
	mkdir -p "$WORK/fault-injection"
	logged "build-$1" gcc -O2 -Wall -pthread -isystem "$WORK/build/series/usr/include" \
		-I "$WORK/series/tools/testing/selftests/net/udp_gso" -o "$WORK/fault-injection/$1" "$TOP/tests/kernel/fault-injection/guest/$1.c"
}
