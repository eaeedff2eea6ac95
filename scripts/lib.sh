# SPDX-License-Identifier: GPL-2.0
# Functions for all scripts of this repository. Source it after `set -euo pipefail`.
# shellcheck shell=bash

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=${UDPGSO_WORK:-$TOP/work}
# TARGET: the release of the kernel that the series is applied to. targets/TARGET has its pin, its rules and its
# overrides.
TARGET=${TARGET:-6.12}
TARGET_DIR=$TOP/targets/$TARGET
if [[ $TARGET != 6.12 && ! -e $TARGET_DIR/pin ]]; then
	printf 'error: there is no target %s; the targets are: %s\n' "$TARGET" \
		"$(cd "$TOP/targets" && printf '%s\n' */pin | paste -sd ' ' | sed 's,/pin,,g')" >&2
	exit 1
fi
# shellcheck disable=SC2034 # scripts/prep uses it
STOCK_6_12=$WORK/stock
[[ $TARGET == 6.12 ]] || WORK+=/$TARGET
LOGS=$WORK/logs
mkdir -p "$LOGS"
# shellcheck disable=SC2034 # used by the scripts that source this file
KERNELS=(stock base series)
# The kernels that can be built: mainline is stock with the fixes of mainline/, mainline-fast-path is stock with the RFC
# series of mainline/fast-path.
# shellcheck disable=SC2034
ALL_KERNELS=("${KERNELS[@]}")
[[ $TARGET == 6.12 ]] || ALL_KERNELS+=(mainline mainline-fast-path)

# die TEXT: prints one line on stderr and ends with status 1.
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
say() { printf '%s\n' "$*"; }

# step K N TEXT: prints that step K of N begins.
step() { printf '[%s/%s] %s\n' "$1" "$2" "$3"; }

# logged NAME CMD...: runs CMD with its output in $LOGS/NAME.log. If it fails, prints the last lines and the name of the
# log, and ends.
logged() {
	local log=$LOGS/$1.log rc=0
	shift
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	((rc == 0)) && return
	tail -n 15 "$log" >&2
	die "\`$*' exited with status $rc; full log: $log"
}

# remove_worktree DIR: removes a git worktree. If git was killed while it made the worktree, the worktree stays
# locked, and `git worktree prune' skips locked worktrees.
remove_worktree() {
	rm -rf "$1"
	while kgit worktree remove -f -f "$1" 2>/dev/null; do :; done
	kgit worktree prune
}

# as_root CMD...: runs CMD as root.
as_root() {
	if ((EUID == 0)); then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else die "root is needed for \`$*': run it as root or install sudo"
	fi
}

# need PACKAGE...: installs the Debian packages that are missing. Only one job at a time installs packages.
need() {
	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
		die "this is not a Debian system (no apt): install these packages, or what they provide: $*"
	[[ $(not_installed "$@") ]] || return 0
	(flock 7 && install_missing "$@") 7>>"$LOGS/apt.log" || exit
}

# not_installed PACKAGE...: prints the packages that are not installed.
not_installed() {
	local p
	for p; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) == installed ]] || printf '%s\n' "$p"
	done
}

# The command is printed before it runs.
APT_INSTALL=(apt-get install -y --no-install-recommends)

install_missing() {
	local packages
	mapfile -t packages < <(not_installed "$@")
	((${#packages[@]})) || return 0
	say "installing missing packages: $( ((EUID == 0)) || echo 'sudo ')${APT_INSTALL[*]} ${packages[*]}"
	apt_install "${packages[@]}" && return 0
	as_root apt-get update >>"$LOGS/apt.log" 2>&1 || true
	apt_install "${packages[@]}" ||
		die "missing packages, try \`${APT_INSTALL[*]} ${packages[*]}'; full log: $LOGS/apt.log"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive "${APT_INSTALL[@]}" "$@" >>"$LOGS/apt.log" 2>&1 </dev/null 7>&-
}

# code_hash: prints a hash of the kernel code in work/series, without comments, tests and documentation.
code_hash() { "$TOP/scripts/code-text" "$WORK/series" | git hash-object --stdin | cut -c 1-12; }

# tests_hash NAME: prints a hash of the tests that produce result NAME of docs/trust.tsv: the files of this repository
# that its last field selects, as they are in the working tree, and for all results but `check' and `bench' the tests of
# the series. Comments do not count.
tests_hash() {
	local here series=("tools/testing/selftests/net/udp_gso" "*_test.c")
	read -ra here < <(awk -F '\t' -v name="$1" '$1 == name { print $5 }' "$TOP/docs/trust.tsv") || true
	((${#here[@]})) || die "docs/trust.tsv does not list the tests of $1"
	[[ $1 != check && $1 != bench ]] || series=()
	{
		"$TOP/scripts/code-text" "$TOP" "${here[@]}" &&
			{ ((!${#series[@]})) || "$TOP/scripts/code-text" "$WORK/series" "${series[@]}"; }
	} | git hash-object --stdin | cut -c 1-12
}

# qemu_version: prints `-' if there is none.
qemu_version() {
	local version
	version=$(qemu-system-x86_64 --version 2>/dev/null | sed -nE '1s/.* version ([^ ]+).*/\1/p') || true
	printf '%s\n' "${version:--}"
}

# record NAME RESULT [SECONDS]: writes the result of a run to work/trust/NAME, with date, revision of this repository,
# hash of the code and of the tests, version of QEMU and duration. `make trust' makes docs/trust.md from these files.
record() {
	local revision code tests
	[[ $TARGET == 6.12 ]] || return 0 # the results are about 6.12
	code=$(code_hash) && tests=$(tests_hash "$1") || die "no record of the result of $1"
	mkdir -p "$WORK/trust"
	revision=$(git -C "$TOP" describe --always --exclude='*' --abbrev=12 --dirty 2>/dev/null) || revision=-
	printf '%s\t' "$(date -u +%F)" "$revision" "$code" "$tests" "$(qemu_version)" "${3-$SECONDS}" \
		>"$WORK/trust/$1"
	printf '%s\n' "$2" >>"$WORK/trust/$1"
}
