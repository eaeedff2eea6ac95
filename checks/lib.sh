# SPDX-License-Identifier: GPL-2.0
# Functions for all checks. Source it after `set -euo pipefail`.
# shellcheck shell=bash disable=SC2034

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
SERIES=$WORK/series
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

note() { printf '%s\n' "$*" >&2; }
kgit() { git -C "$SERIES" "$@"; }

# summary LIST GOOD BAD: ends a check. Prints GOOD if the file LIST is empty, else the list and a line with BAD, and
# fails.
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

# Prints the paths of all patches, in order.
patches() { find "$TOP/patches" -path '*/[!.]*/*.patch' | LC_ALL=C sort; }

# changed_files [GLOB...]: prints the files that the series adds or changes.
changed_files() { kgit diff --name-only --diff-filter=AMR base series -- "$@"; }

# Removes the directory of the tree and the line numbers from warnings, and sorts them, so that the warnings of two
# trees can be compared.
strip_locations() { sed -E -e "s,$WORK/(base|series|prefix)/,,g" -e 's/^([^ :]+):[0-9]+(:[0-9]+)?:/\1:/' | LC_ALL=C sort; }

# new_lines BEFORE AFTER: prints the lines that AFTER has more often than BEFORE.
new_lines() { comm -13 <(uniq -c "$1" | awk '{ n = $1; $1 = ""; for (i = 1; i <= n; i++) print i $0 }' | LC_ALL=C sort) \
	<(uniq -c "$2" | awk '{ n = $1; $1 = ""; for (i = 1; i <= n; i++) print i $0 }' | LC_ALL=C sort); }

# kmake TREE OUT ARG...: runs make. Only one build runs at a time, as in scripts/build.
kmake() {
	local src=$1 out=$2 cc=gcc
	shift 2
	! command -v ccache >/dev/null || cc='ccache gcc'
	env -u MAKEFLAGS -u MFLAGS LC_ALL=C KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026' \
		flock "$WORK/build.lock" make -C "$src" O="$out" ARCH=x86_64 CC="$cc" -j"$(nproc)" "$@"
}

# configure TREE OUT [ARG...]: makes the common configuration, with the KUnit test if the tree has it.
configure() {
	mkdir -p "$2"
	cat "$TOP/configs/common.config" >"$TMP/config"
	printf '%s\n' CONFIG_KUNIT=y CONFIG_UDP_GSO_KUNIT_TEST=y >>"$TMP/config"
	KCONFIG_ALLCONFIG=$TMP/config logged "check-config-${2##*/}" kmake "$@" allnoconfig
}

# compile_both NAME SEEN ARG...: compiles the files that the series changes, on base and on series, with arguments for
# make. Writes the warnings to $TMP/base and $TMP/series. The log must have a line with SEEN for each file.
compile_both() {
	local name=$1 seen=$2 kernel file files objects out log
	shift 2
	mapfile -t files < <(changed_files '*.c' ':!tools' ':!samples' ':!Documentation')
	((${#files[@]})) || { say "the series changes no C files yet"; exit; }
	# Headers are not compiled alone. Therefore also compile files that include most of them.
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
		grep -E '(warning|error): ' "$log" | strip_locations >"$TMP/$kernel" || true
	done
}
