# SPDX-License-Identifier: GPL-2.0
# The random programs, compiled and run in guests.
# shellcheck shell=bash

# A program that runs stays what it is.
make_program() {
	local new
	[[ -d $WORK/build/series/usr/include/linux ]] || scripts/build series headers >&2
	need gcc libc6-dev iproute2
	mkdir -p "$WORK/random"
	new=$(mktemp "$WORK/random/new-XXXXXX")
	logged random gcc -O2 -Wall -pthread -isystem "$WORK/build/series/usr/include" \
		-I "$WORK/series/tools/testing/selftests/net" -o "$new" tests/kernel/segmented-vs-plain/guest/main.c
	if cmp -s "$new" "$WORK/random/random"; then rm "$new"; else mv "$new" "$WORK/random/random"; fi
}

# on_guest KERNEL ARGUMENT...; GUEST_LIMIT: the seconds that it may take
on_guest() {
	local kernel=$1
	shift
	vm/run --kernel "$kernel" --root host --timeout "${GUEST_LIMIT:-900}" -- "$WORK/random/random $*"
}
