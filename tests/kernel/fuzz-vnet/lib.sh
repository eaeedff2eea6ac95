# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of the fuzzer; source it after scripts/lib.sh.
# shellcheck shell=bash

# shellcheck source=tests/lib/guest-args.sh
. "$TOP/tests/lib/guest-args.sh"

HERE=$TOP/tests/kernel/fuzz-vnet
PROGRAM=$WORK/fuzz-vnet
CRASHES=$WORK/crashes
RECORD=24	# bytes of struct record

make_program() {
	need gcc libc6-dev iproute2 ethtool nftables
	logged fuzz-vnet-build gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-missing-field-initializers -static \
		-o "$PROGRAM" "$HERE"/guest/{main,gen,net,counters}.c
}

# guest KERNEL FLAVOUR SECONDS RECORDS COMMAND...: runs COMMAND in namespace N of a guest with one processor. Before the
# guest writes an input, it writes a record of the input to the file RECORDS. For the self-test, FUZZ_PANIC_AT=N makes
# the kernel panic at input N, and FUZZ_ALTER=N changes a bit of the first frame that input N causes.
guest() {
	local kernel=$1 flavour=$2 limit=$3 records=$4
	shift 4
	: >"$records"
	"$TOP/vm/run" --kernel "$kernel" --flavour "$flavour" --root host --timeout "$limit" \
		--append "$WATCHDOG_ARGS" \
		--qemu -chardev --qemu "file,id=record,path=$records" \
		--qemu -device --qemu virtserialport,chardev=record,name=record -- \
		exec env "FUZZ_PANIC_AT=${FUZZ_PANIC_AT-}" "FUZZ_ALTER=${FUZZ_ALTER-}" "$HERE/guest/enter.sh" "$*"
}

# number FILE INDEX: prints the number of the input that a record is about
number() { od -An -t u8 -j $(($2 * RECORD)) -N 8 "$1" | tr -d ' '; }

# records FILE: prints the number of complete records
records() { echo $(($(stat -c %s "$1") / RECORD)); }

# last_input FILE: prints the number of the last input, or nothing if there was no input
last_input() {
	local n
	n=$(records "$1")
	((n == 0)) || number "$1" $((n - 1))
}

# save_input SEED N: saves that input and the 15 before it, and prints the name of the file.
save_input() {
	local from=$(($2 > 15 ? $2 - 15 : 0))
	mkdir -p "$CRASHES"
	"$PROGRAM" save "$1" "$from" $(($2 + 1)) >"$CRASHES/$1-$2"
	echo "$CRASHES/$1-$2"
}
