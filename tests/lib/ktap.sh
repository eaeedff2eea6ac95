# SPDX-License-Identifier: GPL-2.0
# KTAP for shell tests: source this, call `t` once per test, and `ktap_end` at the end.
# shellcheck shell=bash

ktap_n=0 ktap_failed=0
ktap_log=$(mktemp)
echo 'KTAP version 1'

# t NAME CMD...: runs a test, which passes if the status of CMD is 0. CMD runs in a subshell with `set -e'.
t() {
	local name=$1 rc=0
	shift
	ktap_n=$((ktap_n + 1))
	set +e
	(set -e; "$@") >"$ktap_log" 2>&1 </dev/null
	rc=$?
	set -e
	if ((rc == 0)); then
		echo "ok $ktap_n $name"
	else
		ktap_failed=$((ktap_failed + 1))
		sed 's/^/# /' "$ktap_log"
		echo "not ok $ktap_n $name # status $rc"
	fi
}

# fails PATTERN CMD...: succeeds if the status of CMD is not 0 and the last line of its output matches PATTERN.
fails() {
	local pattern=$1 out rc=0
	shift
	out=$("$@" 2>&1) || rc=$?
	printf '%s\n' "$out"
	((rc != 0)) || { echo "expected a failure of: $*"; return 1; }
	tail -n 1 <<<"$out" | grep -q -E -- "$pattern" || { echo "expected a last line like: $pattern"; return 1; }
}

# prints PATTERN CMD...: succeeds if the status of CMD is 0 and a line of its output matches PATTERN.
prints() {
	local pattern=$1 out
	shift
	out=$("$@" 2>&1) || { echo "$out"; return 1; }
	printf '%s\n' "$out"
	grep -q -E -- "$pattern" <<<"$out" || { echo "expected in the output: $pattern"; return 1; }
}

ktap_end() {
	rm -f "$ktap_log"
	echo "1..$ktap_n"
	((ktap_failed == 0))
}
