# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of the benchmark. Source it after scripts/lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the scripts that source this file

BENCH=$TOP/bench
OUT=$WORK/bench
RUNS=8		# the result is the run with the fewest instructions
MARKS=0x70000000	# the address of the marks of bench/send; no other program has code there

image() { echo "$WORK/build/$1/arch/x86/boot/bzImage"; }

# tree KERNEL: the git tree that the kernel is built from.
tree() {
	local id
	id=$(git -C "$WORK/$1" rev-parse 'HEAD^{tree}')
	[[ ! $(git -C "$WORK/$1" status --porcelain) ]] || id+=' and changes'
	echo "$id"
}

# Only QEMU's TCG has a clock that counts instructions.
need_counting() {
	need gcc libc6-dev ethtool iproute2 nftables wireguard-tools qemu-system-x86 busybox-static python3
	qemu-system-x86_64 -accel help | grep -qx tcg ||
		die "this machine cannot count instructions: its QEMU does not support TCG"
}

# bench/send needs the user-space headers of the series.
build_programs() {
	local major version=1
	mkdir -p "$OUT"
	[[ -d $WORK/build/series/usr/include/linux ]] || "$TOP/scripts/build" series headers
	logged bench-send gcc -O2 -static -Wall -Wextra -Wl,--section-start=.mark="$MARKS" \
		-isystem "$WORK/build/series/usr/include" -o "$OUT/send" "$BENCH/send.c"
	major=$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p')
	((major < 9)) || version=2
	logged bench-count gcc -O2 -shared -fPIC -Wall -Wextra -DPLUGIN_VERSION="$version" \
		-o "$OUT/count.so" "$BENCH/count.c"
}

# method: a hash of everything that the figures depend on, except for the kernel and the rows.
method() {
	{
		qemu-system-x86_64 --version
		gcc --version
		cat "$OUT/send" "$BENCH"/{guest,devices,lib.sh,count.c} "$TOP"/vm/{run,lib.sh,guest/init,guest/main}
	} | sha256sum | cut -d ' ' -f 1
}

# boot KERNEL LIST SEED [OPTION...]: boots and prints the output of bench/guest. The options are those
# of vm/run. The guest's random numbers come from the seed.
boot() {
	local kernel=$1 list=$2 seed=$3 p files=()
	shift 3
	for p in guest devices; do files+=(--file "$BENCH/$p:/bench/$p"); done
	for p in ip tc nft wg chrt; do files+=(--file "$(PATH=$PATH:/usr/sbin:/sbin command -v "$p"):/bench/$p"); done
	"$TOP/vm/run" --kernel "$kernel" --root initramfs --icount --mem 512 --timeout 1800 \
		--file "$OUT/send:/bench/send" --file "$list:/bench/list" \
		--file "$(PATH=$PATH:/usr/sbin:/sbin command -v ethtool):/sbin/ethtool" "${files[@]}" \
		--qemu -seed --qemu "$seed" "$@" -- sh /bench/guest "$RUNS"
}

# counting FILE: options for boot, one per line, to write the instructions per address to FILE.
counting() {
	local mark arg=$OUT/count.so,out=$1
	for mark in begin end 'done'; do
		arg+=,$mark=0x$(nm "$OUT/send" | awk -v m="mark_$mark" '$3 == m { print $1 }')
	done
	printf '%s\n' --qemu -plugin --qemu "$arg"
}

# can_load_plugin: returns whether QEMU loads the plugin. The error message of QEMU goes to stderr.
can_load_plugin() {
	local options
	mapfile -t options < <(counting /dev/null)
	qemu-system-x86_64 -nodefaults -display none -machine none -monitor stdio \
		-plugin "${options[3]}" <<<quit >/dev/null
}
