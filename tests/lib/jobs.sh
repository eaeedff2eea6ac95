# SPDX-License-Identifier: GPL-2.0
# The jobs of tests/run; each runs one program and has tests/lib/ktap judge its record.
# shellcheck shell=bash

SUITE=$WORK/selftests
TALLY=$WORK/tally
NET=tools/testing/selftests/net

# selected NAME: is the job asked for?
# shellcheck disable=SC2053 # TESTS is a glob
selected() { [[ ! ${TESTS:-} || $1 == *$TESTS* ]]; }

# near TEXT <NAMES: up to three of the names that are most like it
near() {
	python3 -c 'import difflib, re, sys
words = {w for line in sys.stdin for w in [line.strip(), *re.split(r"[ :,]+", line.strip())] if w}
print(", ".join(difflib.get_close_matches(sys.argv[1], sorted(words), 3, 0.4)) or "none")' "$1"
}

# into LOG CMD...: CMD with `set -e', which a condition would take from it; its status goes to $rc.
into() {
	local log=$1
	shift
	set +e
	(set -e; "$@") >"$log" 2>"$log.err" </dev/null
	rc=$?
	set -e
}

logname() { printf '%s/test-%s.log' "$LOGS" "${1//[ \/:]/-}"; }

# going_on FILE...: from here on, a job that has passed on this tree of the series, with these files, is not run again.
going_on() { GOING_ON=("$@"); }

# passed_as NAME: where that is kept. The scripts of other jobs do not count, unless this job's names them.
passed_as() {
	local script=${1##* } state
	state=$({
		git -C "$WORK/series" ls-tree -r HEAD | grep -vF -f <(sed "s,^,\t$NET/," "$SUITE/scripts" |
			grep -vF -e "/$script" -f <(grep -os '/[a-z_]*\.sh' "$SUITE/net/$script"))
		git -C "$WORK/series" diff HEAD
		cat "${GOING_ON[@]}"
	} | sha256sum)
	printf '%s/passed/%.16s %s\n' "$WORK" "$state" "$1"
}

# job NAME [OPTION...] -- CMD...: CMD's stdout is KTAP; options go to tests/lib/ktap.
job() {
	local name=$1 options=() rc start=$SECONDS log passed='' tally
	shift
	while [[ $1 != -- ]]; do options+=("$1"); shift; done
	shift
	selected "$name" || return 0
	[[ ! ${LIST-} ]] || { say "$name"; return; }
	log=$(logname "$name")
	[[ ! ${GOING_ON-} ]] || passed=$(passed_as "$name")
	if [[ ! ${TESTS-} && -e $passed ]]; then
		say "--- $name: passed before"
		cat "$passed" >>"$TALLY"
		return
	fi
	say "--- $name"
	into "$log" "$@"
	tally=$(mktemp)
	if "$TOP/tests/lib/ktap" --name "$name" --status "$rc" --skips "$TOP/tests/expect/skips" --tally "$tally" "${options[@]}" "$log"; then
		[[ ! $passed ]] || install -D -m 644 <(cat "$tally"; echo "0 0 0 $((SECONDS - start))") "$passed"
	else
		tail -n 3 "$log.err"
		say "    log: $log"
	fi
	cat "$tally" >>"$TALLY"
	rm "$tally"
	say "    $((SECONDS - start)) s"
}

# What runs beside does not hear an interrupt of the keyboard.
trap 'trap "" TERM; kill 0; exit 130' INT TERM HUP

# beside NAME [OPTION...] -- CMD...: a job while others run, as many as there are processors; what it says comes when it ends.
beside() {
	[[ ! ${LIST-} ]] || { job "$@"; return; }
	while (($(jobs -pr | wc -l) >= $(nproc))); do wait -n || true; done
	(
		out=$(job "$@" 2>&1)
		flock 8
		printf '%s\n' "$out"
	) 8>>"$TALLY" &
}

# must NAME CMD...: what the tests need; it counts only when it fails, and that ends the run.
must() {
	local name=$1 rc start=$SECONDS
	shift
	say "--- $name"
	set +e
	(set -e; "$@") </dev/null
	rc=$?
	set -e
	if ((rc)); then
		echo "FAIL $name: status $rc"
		printf '%s\n' '0 1 0' "FAIL $name: status $rc" >>"$TALLY"
		verdict
		exit 1
	fi
	say "    $((SECONDS - start)) s"
}

# part NAME: the jobs from here on are those of this part, which is recorded by itself.
parts=() started=()
part() {
	parts+=("$1") started+=("$EPOCHSECONDS")
	TALLY=$WORK/tally-$1
	: >"$TALLY"
}

# verdicts: waits for all jobs, records the parts that have passed whole; then as verdict, for all of them. What passed
# before took time, too, beside others.
verdicts() {
	local i tally result before
	wait
	for i in "${!parts[@]}"; do
		tally=$WORK/tally-${parts[i]}
		before=$(awk '{ s += $4 } END { printf "%d", s / n }' "n=$(nproc)" "$tally")
		[[ ${TESTS-} ]] || ! result=$(verdict "$tally") ||
			record "${parts[i]}" "$result" $(($(stat -c %Y "$tally") - started[i] + before))
	done
	verdict "${parts[@]/#/$WORK/tally-}"
}

# verdict [TALLY...]: waits for all jobs; what failed once more, up to 20 of them, the last line, and the status.
verdict() {
	wait
	awk '/^FAIL / { if (++n <= 20) print; next }
		{ p += $1; f += $2; s += $3 }
		END { if (n > 20) printf "and %d more\n", n - 20
			printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit !(p && !f) }' \
		"${@:-$TALLY}" | tee "$LOGS/verdict"
}

# there KERNEL: the names on stdin, for base without the scripts that the series changes.
there() {
	local name
	while read -r name; do
		if [[ $1 == base && $name == *.sh ]] && ! cmp -s "$WORK/base/$NET/$name" "$WORK/series/$NET/$name"; then
			continue
		fi
		echo "$name"
	done
}

# listed VARIABLE...: what these list in the net selftests' Makefile of the series and not in that of base.
listed() {
	local kernel
	for kernel in base series; do
		# shellcheck disable=SC2016 # make expands it
		make -s --no-print-directory -C "$WORK/$kernel/$NET" OUTPUT="$SUITE/net" \
			--eval "udpgso-list: ; @printf '%s\n' $(printf '$(%s) ' "$@")" udpgso-list |
			there "$kernel" | LC_ALL=C sort >"$SUITE/$kernel.list"
	done
	comm -13 "$SUITE/base.list" "$SUITE/series.list"
}

# scripts_of_series: the test scripts that the series adds
scripts_of_series() {
	mkdir -p "$SUITE"
	listed TEST_PROGS
}

# The programs are built with the series' Makefile and headers, and lie beside the scripts as if installed.
build_selftests() {
	"$TOP/scripts/build" series headers
	compile_selftests "$WORK/build/series/usr/include"
}

# compile_selftests HEADERS [ARG...]: into $SUITE, arguments go to make.
compile_selftests() {
	local headers=$1 programs
	shift
	rm -rf "$SUITE"
	mkdir -p "$SUITE/net"
	mapfile -t programs < <(listed TEST_GEN_FILES TEST_GEN_PROGS)
	((${#programs[@]})) || die "the series adds no program to $NET/Makefile"
	logged selftests make -C "$WORK/series/$NET" OUTPUT="$SUITE/net" USERCFLAGS=-Werror \
		KHDR_INCLUDES="-isystem $headers" "$@" "${programs[@]}"
	cp -r "$WORK/series/$NET"/{*.sh,lib} "$SUITE/net/"
	cp -r "$WORK/series/$NET/../kselftest" "$SUITE/"
	listed TEST_PROGS >"$SUITE/scripts"
	[[ -s $SUITE/scripts ]] || die "the series adds no script to $NET/Makefile"
}

# guest KERNEL COMMAND [OPTION...]: in that kernel's guest, beside the selftests; the output is the record.
# Options go to vm/run. Order holds on one CPU alone, a race needs two.
guest() {
	local kernel=$1 command=$2 cpus=1
	shift 2
	[[ $command != *wakeup.sh && $command != *bounded.sh ]] || cpus=2
	cd "$SUITE/net" || return
	"$TOP/vm/run" --kernel "$kernel" --root host --smp "$cpus" --timeout "${GUEST_TIMEOUT:-900}" "$@" -- "$command"
}

# panics KERNEL SCRIPT: is it on the list of those that end in a panic there?
panics() { grep -q "^$1: $2 #" "$TOP/tests/expect/panics"; }

# guest_panics KERNEL COMMAND [OPTION...]: as guest, but one test, that it ends in a panic after others have been reported.
guest_panics() {
	local rc=0 out
	out=$(guest "$@") || rc=$?
	awk '{ print "# " $0 }' <<<"$out"
	printf 'TAP version 13\n1..1\n'
	if ((rc == 125)) && grep -qE '^(not )?ok 1 ' <<<"$out"; then
		echo 'ok 1 panics'
	else
		echo "not ok 1 panics: status $rc"
		return 1
	fi
}

# kunit_py COMMAND ARG...: kunit.py on the series, as user-mode Linux, in $KUNIT_DIR.
KUNIT_DIR=$WORK/build/kunit
kunit_py() {
	local cc=gcc command=$1
	shift
	! command -v ccache >/dev/null || cc='ccache gcc'
	cd "$WORK/series" || return
	tools/testing/kunit/kunit.py "$command" --build_dir="$KUNIT_DIR" --make_options "CC=$cc" "$@" >&2
}

# kunit_build [ARG...]
# shellcheck disable=SC2120 # tests/kernel/sanitizers/run has arguments
kunit_build() {
	(flock 9 && kunit_py build --jobs="$(nproc)" --kunitconfig="$TOP/configs/kunit.config" "$@") 9>"$WORK/build.lock"
}

# kunit_exec [ARG...]: what has been built. A splat on the console is a failure, as it is in a guest.
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
kunit() { kunit_build && kunit_exec; }

# What KUnit has said while a kernel booted is in its log, kunit_boot CMD...: boots one. KUnit lets allocations fail, each
# with a trace of the stack.
# shellcheck disable=SC2034 # used by the scripts that source this file
KUNIT_LOG="dmesg | sed 's/^\\[[^]]*\\] //'" KUNIT_ARGS=log_buf_len=8M
kunit_boot() {
	local splats=$WORK/kunit.splats.$BASHPID
	grep -v 'Call Trace' "$TOP/vm/splats" >"$splats"
	mv "$splats" "$WORK/kunit.splats" # another machine's guest may be about to read it
	UDPGSO_SPLATS=$WORK/kunit.splats "$@"
}

# For debug kernels: a busy host stops the guest for longer than the watchdogs wait by themselves; freed pages are not
# mapped, freed objects poisoned (KASAN has red zones of its own).
# shellcheck disable=SC2034 # used by the scripts that source this file
PATIENT='watchdog_thresh=60 workqueue.watchdog_thresh=120 rcupdate.rcu_cpu_stall_timeout=120'
# shellcheck disable=SC2034
MEMORY='debug_pagealloc=on slub_debug=FP kfence.sample_interval=20'
