# SPDX-License-Identifier: GPL-2.0
# Compiles the random programs of socket calls, and runs them in a guest.
# shellcheck shell=bash

# Compiles the program. The file is only replaced if it has changed, because another run may execute it.
make_program() {
	local new
	[[ -d $WORK/build/series/usr/include/linux ]] || scripts/build series headers >&2
	need gcc libc6-dev iproute2
	mkdir -p "$WORK/segmented-vs-plain"
	new=$(mktemp "$WORK/segmented-vs-plain/new-XXXXXX")
	logged segmented-vs-plain gcc -O2 -Wall -pthread -isystem "$WORK/build/series/usr/include" \
		-I "$WORK/series/tools/testing/selftests/net/udp_gso" -o "$new" tests/kernel/segmented-vs-plain/guest/main.c
	if cmp -s "$new" "$WORK/segmented-vs-plain/programs"; then rm "$new"; else mv "$new" "$WORK/segmented-vs-plain/programs"; fi
}

# on_guest KERNEL ARGUMENT...: runs the program in a guest. GUEST_LIMIT is the timeout in seconds.
on_guest() {
	local kernel=$1
	shift
	vm/run --kernel "$kernel" --root host --timeout "${GUEST_LIMIT:-900}" -- "$WORK/segmented-vs-plain/programs $*"
}
