# SPDX-License-Identifier: GPL-2.0
# What the runners of the fuzzer share; source it after scripts/lib.sh.
# shellcheck shell=bash

HERE=$TOP/tests/kernel/fuzz-vnet
PROGRAM=$WORK/fuzz-vnet
CRASHES=$WORK/crashes
RECORD=24	# bytes of struct record

make_program() {
	need gcc libc6-dev
	logged fuzz-vnet-build gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-missing-field-initializers -static \
		-o "$PROGRAM" "$HERE"/guest/{main,gen,net,counters}.c
}

# guest KERNEL FLAVOUR SECONDS RECORDS COMMAND...: in namespace N of a guest with one processor; what an input did goes
# to the file RECORDS as it happens. For the self test: FUZZ_PANIC_AT=N and FUZZ_ALTER=N let something go wrong at input N.
guest() {
	local kernel=$1 flavour=$2 limit=$3 records=$4
	shift 4
	: >"$records"
	# A busy host stops the guest for longer than the watchdogs wait by themselves.
	"$TOP/vm/run" --kernel "$kernel" --flavour "$flavour" --root host --timeout "$limit" \
		--append 'watchdog_thresh=60 workqueue.watchdog_thresh=120 rcupdate.rcu_cpu_stall_timeout=120' \
		--qemu -chardev --qemu "file,id=record,path=$records" \
		--qemu -device --qemu virtserialport,chardev=record,name=record -- \
		exec env "FUZZ_PANIC_AT=${FUZZ_PANIC_AT-}" "FUZZ_ALTER=${FUZZ_ALTER-}" "$HERE/guest/enter.sh" "$*"
}

# number FILE INDEX: of the input that a record is about.
number() { od -An -t u8 -j $(($2 * RECORD)) -N 8 "$1" | tr -d ' '; }

# records FILE: how many are whole.
records() { echo $(($(stat -c %s "$1") / RECORD)); }

# last_input FILE: the number of the one that was written last; empty if none was.
last_input() {
	local n
	n=$(records "$1")
	((n == 0)) || number "$1" $((n - 1))
}

# keep SEED N: that input and the 15 before it.
keep() {
	local from=$(($2 > 15 ? $2 - 15 : 0))
	mkdir -p "$CRASHES"
	"$PROGRAM" save "$1" "$from" $(($2 + 1)) >"$CRASHES/$1-$2"
	echo "$CRASHES/$1-$2"
}
