# SPDX-License-Identifier: GPL-2.0
# Shared by the benchmark's scripts; source it after scripts/lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the scripts that source this file

BENCH=$TOP/bench
OUT=$WORK/bench
RUNS=8		# of which the one with the fewest instructions counts
MARKS=0x70000000	# where bench/send's marks lie; no other program has code there

image() { echo "$WORK/build/$1/arch/x86/boot/bzImage"; }

# tree KERNEL: the git tree that it is built of.
tree() {
	local id
	id=$(git -C "$WORK/$1" rev-parse 'HEAD^{tree}')
	[[ ! $(git -C "$WORK/$1" status --porcelain) ]] || id+=' and changes'
	echo "$id"
}

# Without TCG, QEMU has no clock that counts instructions.
need_counting() {
	need gcc libc6-dev ethtool iproute2 nftables qemu-system-x86 busybox-static python3
	qemu-system-x86_64 -accel help | grep -qx tcg ||
		die "this machine cannot count instructions: its QEMU has no TCG; there are no figures"
}

# With the series' own headers.
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

# What of the machine and of this folder figures depend on, other than the kernel.
method() {
	{
		qemu-system-x86_64 --version
		gcc --version
		cat "$OUT/send" "$BENCH"/{guest,devices,lib.sh,count.c} "$TOP"/vm/{run,lib.sh,guest/init,guest/main}
	} | sha256sum | cut -d ' ' -f 1
}

# boot KERNEL LIST SEED [OPTION...]: prints what bench/guest does; options go to vm/run. What is random in
# the guest comes from the seed: the same one gives the same figures, but for a boot in many.
boot() {
	local kernel=$1 list=$2 seed=$3 p files=()
	shift 3
	for p in guest devices; do files+=(--file "$BENCH/$p:/bench/$p"); done
	for p in ip tc nft; do files+=(--file "$(PATH=$PATH:/usr/sbin:/sbin command -v "$p"):/bench/$p"); done
	"$TOP/vm/run" --kernel "$kernel" --root initramfs --icount --mem 512 --timeout 1800 \
		--file "$OUT/send:/bench/send" --file "$list:/bench/list" \
		--file "$(PATH=$PATH:/usr/sbin:/sbin command -v ethtool):/sbin/ethtool" "${files[@]}" \
		--qemu -seed --qemu "$seed" "$@" -- sh /bench/guest "$RUNS"
}

# counting FILE: the options with which boot has the instructions of each address in FILE.
counting() {
	local mark arg=$OUT/count.so,out=$1
	for mark in begin end 'done'; do
		arg+=,$mark=0x$(nm "$OUT/send" | awk -v m="mark_$mark" '$3 == m { print $1 }')
	done
	printf '%s\n' --qemu -plugin --qemu "$arg"
}

# can_plug FILE: QEMU is able to load the plugin; what it says else goes to stderr.
can_plug() {
	local options
	mapfile -t options < <(counting /dev/null)
	qemu-system-x86_64 -nodefaults -display none -machine none -monitor stdio \
		-plugin "${options[3]}" <<<quit >/dev/null
}
