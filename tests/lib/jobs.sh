# SPDX-License-Identifier: GPL-2.0
# Runs jobs. A job is one program whose stdout is KTAP, from which tests/lib/ktap counts the tests that passed. If the
# environment has TESTS=TEXT, only the jobs with TEXT in their names run. TEXT may have wildcards.
# shellcheck shell=bash

# shellcheck source=tests/lib/cache.sh
. "$TOP/tests/lib/cache.sh"
# shellcheck source=tests/lib/verdict.sh
. "$TOP/tests/lib/verdict.sh"

all_jobs=()

# shellcheck disable=SC2053 # TESTS is a glob
selected() { [[ ! ${TESTS:-} || $1 == *$TESTS* ]]; }

# check_tests: exits with an error if TESTS has selected no job
check_tests() {
	local name
	[[ ${TESTS-} ]] || return 0
	for name in "${all_jobs[@]}"; do ! selected "$name" || return 0; done
	name=$(printf ', %s' "${all_jobs[@]}")
	die "no job has \`$TESTS' in its name; there are: ${name:2}"
}

# near TEXT <NAMES: prints up to three of the names, or of the words in them, that are most similar to TEXT
near() {
	python3 -c 'import difflib, re, sys
words = {w for line in sys.stdin for w in [line.strip(), *re.split(r"[ :,]+", line.strip())] if w}
print(", ".join(difflib.get_close_matches(sys.argv[1], sorted(words), 3, 0.6)) or "none")' "$1"
}

# run_logged LOG CMD...: runs CMD with `set -e', writes its output to LOG and LOG.err, and stores its status in the
# caller's $rc. The status is not tested in a condition, because `set -e' has no effect there.
run_logged() {
	local log=$1
	shift
	set +e
	(set -e; "$@") >"$log" 2>"$log.err" </dev/null
	rc=$?
	set -e
}

log_of_job() { printf '%s/test-%s.log' "$LOGS" "${1//[ \/:]/-}"; }

# expect_options OPTION NAME: prints the options of tests/lib/ktap for the lists of that name, a word on each line. There
# is a list for all targets, and the target may have another one.
expect_options() {
	local file
	for file in "$TOP/tests/expect/$2" "$TARGET_DIR/expect/$2"; do
		[[ ! -e $file ]] || printf '%s\n' "$1" "$file"
	done
}

# job NAME [OPTION...] -- CMD...: runs a job and waits for its end. The options are those of tests/lib/ktap. If
# LIST_ONLY is set, only the name is printed.
job() {
	local name=$1 options rc start=$SECONDS log cached tally
	shift
	mapfile -t options < <(expect_options --skips skips)
	while [[ $1 != -- ]]; do options+=("$1"); shift; done
	shift
	all_jobs+=("$name")
	selected "$name" || return 0
	[[ ! ${LIST_ONLY-} ]] || { say "$name"; return; }
	log=$(log_of_job "$name")
	cached=$(cache_file "$name")
	if [[ ! ${TESTS-} && -e $cached ]]; then
		say "--- $name: passed before with the same inputs"
		cat "$cached" >>"$TALLY"
		return
	fi
	say "--- $name"
	run_logged "$log" "$@"
	tally=$(mktemp)
	if "$TOP/tests/lib/ktap" --name "$name" --status "$rc" --tally "$tally" --errors "$log.err" \
		"${options[@]}" "$log"; then
		cache_store "$cached" "$tally" $((SECONDS - start))
	else
		tail -n 3 "$log.err"
		say "    log: $log"
	fi
	cat "$tally" >>"$TALLY"
	rm "$tally"
	say "    $((SECONDS - start)) s"
}

# Background jobs ignore the SIGINT of the keyboard, so end the parallel jobs with SIGTERM.
trap 'trap "" TERM; kill 0; exit 130' INT TERM HUP

# parallel_job NAME [OPTION...] -- CMD...: runs a job in parallel with other jobs. At most as many jobs run at the same
# time as there are processors. The output is printed when the job has ended.
parallel_job() {
	[[ ! ${LIST_ONLY-} ]] || { job "$@"; return; }
	all_jobs+=("$1")
	selected "$1" || return 0
	while (($(jobs -pr | wc -l) >= $(nproc))); do wait -n || true; done
	(
		out=$(job "$@" 2>&1)
		flock 8
		printf '%s\n' "$out"
	) 8>>"$TALLY" &
}

# require NAME CMD...: runs a step that the jobs need. A step that fails is counted as a failed test and ends the run.
require() {
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
