# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of this repository; source it after `set -euo pipefail`.
# shellcheck shell=bash

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=${UDPGSO_WORK:-$TOP/work}
LOGS=$WORK/logs
mkdir -p "$LOGS"
# shellcheck disable=SC2034 # used by the scripts that source this file
KERNELS=(stock base series)

# One clear line on stderr, then a non-zero status.
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
say() { printf '%s\n' "$*"; }

# step K N TEXT: progress of a script with N steps.
step() { printf '[%s/%s] %s\n' "$1" "$2" "$3"; }

# logged NAME CMD...: output goes to $LOGS/NAME.log; a failure names the log and its last lines.
logged() {
	local log=$LOGS/$1.log rc=0
	shift
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	((rc == 0)) && return
	tail -n 15 "$log" >&2
	die "\`$*' exited with status $rc; full log: $log"
}

# no_worktree DIR: removes a worktree of git; one that was killed while it was made stays locked, and prune passes it over.
no_worktree() {
	rm -rf "$1"
	while kgit worktree remove -f -f "$1" 2>/dev/null; do :; done
	kgit worktree prune
}

as_root() {
	if ((EUID == 0)); then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else die "root is needed for \`$*': run it as root or install sudo"
	fi
}

# need PACKAGE...: installs the Debian packages that are missing; one at a time, for jobs that run beside each other.
need() {
	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
		die "this is not a Debian system (no apt): install what provides: $*"
	[[ $(not_installed "$@") ]] || return 0
	(flock 7 && install_missing "$@") 7>>"$LOGS/apt.log" || exit
}

not_installed() {
	local p
	for p; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) == installed ]] || printf '%s\n' "$p"
	done
}

install_missing() {
	local packages
	mapfile -t packages < <(not_installed "$@")
	((${#packages[@]})) || return 0
	say "installing ${packages[*]}"
	apt_install "${packages[@]}" && return 0
	as_root apt-get update >>"$LOGS/apt.log" 2>&1 || true
	apt_install "${packages[@]}" ||
		die "missing packages, try \`apt-get install ${packages[*]}'; full log: $LOGS/apt.log"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "$@" >>"$LOGS/apt.log" 2>&1 </dev/null 7>&-
}

# code: a hash of the series' tree without its tests and texts: of what a kernel is made of.
code() {
	git -C "$WORK/series" ls-tree -r HEAD | grep -vE $'\t(Documentation/|tools/testing/|MAINTAINERS$|.*_test\\.c$)' |
		git hash-object --stdin | cut -c 1-12
}

# record NAME RESULT [SECONDS]: what a run has shown, and of which code; `make trust' puts it into docs/trust.md.
record() {
	mkdir -p "$WORK/trust"
	printf '%s\t%s\t%s\n' "$2" "$(code)" "$((${3-$SECONDS} / 60)) min" >"$WORK/trust/$1"
}
