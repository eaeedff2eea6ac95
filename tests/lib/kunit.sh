# SPDX-License-Identifier: GPL-2.0
# KUnit: the suites of the series on user-mode Linux, or on a kernel for a guest.
# shellcheck shell=bash

KUNIT_DIR=$WORK/build/kunit

# kunit_py COMMAND ARG...: runs kunit.py for the series with user-mode Linux in $KUNIT_DIR. The objects are in a folder
# of the tree, as with scripts/build, so that ccache can reuse in one tree the objects that it has compiled in another
# tree.
kunit_py() {
	local cc=gcc command=$1 objects=.build-${KUNIT_DIR##*/}
	shift
	! command -v ccache >/dev/null || cc='ccache gcc'
	cd "$WORK/series" || return
	[[ -L $KUNIT_DIR ]] || rm -rf "$KUNIT_DIR"
	mkdir -p "$objects" "$WORK/build"
	ln -sfn "../series/$objects" "$KUNIT_DIR"
	CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 \
		tools/testing/kunit/kunit.py "$command" --build_dir="$objects" --make_options "CC=$cc" "$@" >&2
}

# kunit_build [ARG...]: builds user-mode Linux with the suites. The arguments are those of `kunit.py build'.
# shellcheck disable=SC2120 # tests/kernel/sanitizers/run has arguments
kunit_build() {
	(flock 9 && kunit_py build --jobs="$(nproc)" --kunitconfig="$TOP/configs/kunit.config" "$@") 9>"$WORK/build.lock"
}

# kunit_exec [ARG...]: runs the kernel of kunit_build. A console line that matches a pattern of vm/splats is a failure,
# as in a guest.
# shellcheck disable=SC2120 # tests/tools/mutants/run has arguments
kunit_exec() {
	local rc=0 bad log=$KUNIT_DIR/test.log console=$LOGS/${KUNIT_DIR##*/}-console.log
	rm -f "$log"
	(kunit_py exec --timeout="${KUNIT_TIMEOUT:-300}" "$@") || rc=$?
	sed -E 's/^\[ *[0-9]+\.[0-9]+\] //' "$log" | tee "$console"
	bad=$(grep -m 1 -E -f <(grep -vE '^(#|$)' "$TOP/vm/splats"; echo '^WARNING: '; echo '^BUG: ') \
		"$console" || true)
	if [[ $bad ]]; then
		echo "bad line on the console: $bad" >&2
		return 125
	fi
	return "$rc"
}

# shellcheck disable=SC2119
kunit_run() { kunit_build && kunit_exec; }

# kunit_boot CMD...: runs CMD, which boots a kernel with KUnit in a guest. CMD adds $KUNIT_ARGS to the kernel command
# line and runs $KUNIT_RECORD in the guest, which prints the KTAP. The tests make allocations fail, for which the kernel
# prints stack traces, so a stack trace alone is not a bad console line there.
# shellcheck disable=SC2034 # used by the scripts that source this file
KUNIT_RECORD="dmesg | sed 's/^\\[[^]]*\\] //'" KUNIT_ARGS=log_buf_len=8M
kunit_boot() {
	local splats=$WORK/kunit.splats.$BASHPID
	grep -v 'Call Trace' "$TOP/vm/splats" >"$splats"
	mv "$splats" "$WORK/kunit.splats" # atomic: the guest of another machine may be about to read it
	UDPGSO_SPLATS=$WORK/kunit.splats "$@"
}
