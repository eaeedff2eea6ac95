# SPDX-License-Identifier: GPL-2.0
# Shared by the checks; source it after `set -euo pipefail`.
# shellcheck shell=bash disable=SC2034

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
SERIES=$WORK/series
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

note() { printf '%s\n' "$*" >&2; }
kgit() { git -C "$SERIES" "$@"; }

# What a check ends with: summary LIST GOOD BAD: GOOD when the file LIST is empty, else BAD and the list.
summary() {
	if [[ ! -s $1 ]]; then
		say "$2"
		return
	fi
	cat "$1" >&2
	say "$(wc -l <"$1") $3, the first: $(head -n 1 "$1")"
	exit 1
}

need_series() {
	git -C "$WORK/stock" rev-parse -q --verify series >/dev/null && [[ -e $SERIES/Makefile ]] ||
		die "no kernel tree in $SERIES: run \`make prep'"
}

# The paths of all patches, in order.
patches() { find "$TOP/patches" -path '*/[!.]*/*.patch' | LC_ALL=C sort; }

# touched [GLOB...]: files that the series adds or changes.
touched() { kgit diff --name-only --diff-filter=AMR base series -- "$@"; }

# Paths and line numbers differ between two builds, the text of a new warning does not.
normal() { sed -E -e "s,$WORK/(base|series|prefix)/,,g" -e 's/^([^ :]+):[0-9]+(:[0-9]+)?:/\1:/' | LC_ALL=C sort; }

# more BEFORE AFTER: lines that AFTER has more often.
more() { comm -13 <(uniq -c "$1" | awk '{ n = $1; $1 = ""; for (i = 1; i <= n; i++) print i $0 }' | LC_ALL=C sort) \
	<(uniq -c "$2" | awk '{ n = $1; $1 = ""; for (i = 1; i <= n; i++) print i $0 }' | LC_ALL=C sort); }

# kmake TREE OUT ARG...: as scripts/build does, never two builds at once.
kmake() {
	local src=$1 out=$2 cc=gcc
	shift 2
	! command -v ccache >/dev/null || cc='ccache gcc'
	env -u MAKEFLAGS -u MFLAGS LC_ALL=C KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026' \
		flock "$WORK/build.lock" make -C "$src" O="$out" ARCH=x86_64 CC="$cc" -j"$(nproc)" "$@"
}

# configure TREE OUT [ARG...]: the common configuration, and the KUnit test where the tree has it.
configure() {
	mkdir -p "$2"
	cat "$TOP/configs/common.config" >"$TMP/config"
	printf '%s\n' CONFIG_KUNIT=y CONFIG_UDP_GSO_KUNIT_TEST=y >>"$TMP/config"
	KCONFIG_ALLCONFIG=$TMP/config logged "check-config-${2##*/}" kmake "$@" allnoconfig
}

# compile_both NAME SEEN ARG...: the files that the series touches, on base and series, with arguments for make.
# What is said about them goes to $TMP/base and $TMP/series; the log has a line with SEEN for each.
compile_both() {
	local name=$1 seen=$2 kernel file files objects out log
	shift 2
	mapfile -t files < <(touched '*.c' ':!tools' ':!samples' ':!Documentation')
	((${#files[@]})) || { say "no C files touched yet"; exit; }
	# A header alone shows nothing: also the files that tell most about one.
	files+=(net/core/dev.c net/core/gso.c net/core/skbuff.c net/ipv4/udp.c net/ipv6/udp.c)
	mapfile -t files < <(printf '%s\n' "${files[@]}" | LC_ALL=C sort -u)
	count=${#files[@]}
	for kernel in base series; do
		out=$WORK/build/$kernel-$name
		log=$LOGS/check-$name-$kernel.log
		note "$kernel: $count files with $*"
		configure "$WORK/$kernel" "$out" "$@"
		objects=()
		for file in "${files[@]}"; do
			[[ -f $WORK/$kernel/$file ]] || continue
			objects+=("${file%.c}.o")
			rm -f "$out/${file%.c}.o"
		done
		logged "check-$name-$kernel-prepare" kmake "$WORK/$kernel" "$out" "$@" prepare
		kmake "$WORK/$kernel" "$out" -k "$@" "${objects[@]}" >"$log" 2>&1 </dev/null || true
		[[ $(grep -c "^ $seen" "$log") -ge ${#objects[@]} ]] ||
			die "$kernel: $(grep -c "^ $seen" "$log") of ${#objects[@]} files; full log: $log"
		grep -E '(warning|error): ' "$log" | normal >"$TMP/$kernel" || true
	done
}
