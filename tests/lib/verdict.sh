# SPDX-License-Identifier: GPL-2.0
# The result of a run. For each job, the file $TALLY gets a line `PASSED FAILED SKIPPED [SECONDS]' and a line per failed
# test. If the result is from the cache, SECONDS is the time that the job took in the earlier run.
# shellcheck shell=bash

TALLY=$WORK/tally
groups=() group_starts=()

# begin_group NAME: all following jobs belong to this group, which has a separate line in docs/trust.md.
begin_group() {
	groups+=("$1") group_starts+=("$EPOCHSECONDS")
	TALLY=$WORK/tally-$1
	: >"$TALLY"
}

# end_groups: waits for all jobs, records each group whose jobs have all passed, and prints the verdict on all groups.
# The recorded time includes the time of cached jobs in earlier runs, divided by the number of processors.
end_groups() {
	local i tally result earlier
	wait
	check_tests
	for i in "${!groups[@]}"; do
		tally=$WORK/tally-${groups[i]}
		earlier=$(awk '{ s += $4 } END { printf "%d", s / n }' "n=$(nproc)" "$tally")
		[[ ${TESTS-} ]] || ! result=$(verdict "$tally") ||
			record "${groups[i]}" "$result" $(($(stat -c %Y "$tally") - group_starts[i] + earlier))
	done
	verdict "${groups[@]/#/$WORK/tally-}"
}

# verdict [TALLY...]: waits for all jobs; prints the first 20 tests that failed and `N passed, N failed[, N skipped]'.
# The status is 0 if at least one test passed and none failed.
verdict() {
	wait
	awk '/^FAIL / { if (++n <= 20) print; next }
		{ p += $1; f += $2; s += $3 }
		END { if (n > 20) printf "and %d more\n", n - 20
			printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit !(p && !f) }' \
		"${@:-$TALLY}" | tee "$LOGS/verdict"
}
