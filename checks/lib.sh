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

# configure TREE OUT: the common configuration, and the KUnit test where the tree has it.
configure() {
	mkdir -p "$2"
	cat "$TOP/configs/common.config" >"$TMP/config"
	printf '%s\n' CONFIG_KUNIT=y CONFIG_UDP_GSO_KUNIT_TEST=y >>"$TMP/config"
	KCONFIG_ALLCONFIG=$TMP/config logged "check-config-${2##*/}" kmake "$1" "$2" allnoconfig
}
