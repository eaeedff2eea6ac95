#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Receive bursts with the benchmark programs, mostly with UDP_GRO: all datagrams
# must arrive with the right length, order and bytes, and in the expected number
# of calls.

DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck disable=SC1091
source "$DIR/../lib.sh"
# shellcheck disable=SC1091
source "$DIR/../../kselftest/ktap_helpers.sh"

readonly BURSTS=10

# name | bytes per burst | bytes per datagram | receiver | sender | calls
readonly CASES=(
	'segments, UDP_GRO       |63888|1452|-G|-S 1452|10'
	'segments, plain         |63888|1452|  |-S 1452|440'
	'128 segments, UDP_GRO   |12800| 100|-G|-S 100 |10'
	'short last, UDP_GRO     |63000|1452|-G|-S 1452|10'
	'zerocopy, UDP_GRO       |63888|1452|-G|-S 1452 -z|10'
	'sendmmsg, UDP_GRO       |58080|1452|-G|-S 1452 -d 14520 -m|40'
)

skip_all()
{
	ktap_skip_all "$@"
	exit "$KSFT_SKIP"
}

# shellcheck disable=SC2317 # the trap calls it
cleanup()
{
	rm -rf "$OUTPUT"
	cleanup_all_ns
}

# Do not wait for a receiver that has failed.
# shellcheck disable=SC2317 # busywait calls it
listens_or_ended()
{
	grep -q listening "$OUTPUT/rx" || ! kill -0 "$1" 2> /dev/null
}

# transfer FAMILY ADDRESS BURST DATAGRAM RECEIVER-OPTION SENDER-OPTIONS CALLS
transfer()
{
	local receiver

	# The options are split into words.
	# shellcheck disable=SC2086
	ip netns exec "$NS" "$DIR/udpgso_bench_rx" "$1" -j -v -n "$BURSTS" \
		-s $3 -S $4 $5 > "$OUTPUT/rx" 2>&1 &
	receiver=$!
	busywait "$BUSYWAIT_TIMEOUT" listens_or_ended "$receiver"

	# shellcheck disable=SC2086
	ip netns exec "$NS" "$DIR/udpgso_bench_tx" "$1" -D "$2" -n "$BURSTS" \
		-s $3 $6 > "$OUTPUT/tx" 2>&1 || kill "$receiver" 2> /dev/null
	wait "$receiver" && grep -q "\"calls\": $7," "$OUTPUT/rx"
}

# test_case FAMILY ADDRESS ROW-OF-CASES
test_case()
{
	local name burst datagram rx tx calls

	IFS='|' read -r name burst datagram rx tx calls <<< "$3"
	name="ipv${1#-}: ${name%"${name##*[! ]}"}"
	: > "$OUTPUT/rx"
	: > "$OUTPUT/tx"
	if transfer "$1" "$2" "$burst" "$datagram" "$rx" "$tx" "$calls"; then
		ktap_test_pass "$name"
	else
		ktap_test_fail "$name"
		sed 's/^/# /' "$OUTPUT/tx" "$OUTPUT/rx"
	fi
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
setup_ns NS || skip_all "no network namespaces"
OUTPUT=$(mktemp -d)
trap cleanup EXIT

ktap_print_header
ktap_set_plan $((2 * ${#CASES[@]}))
for row in "${CASES[@]}"; do
	test_case -4 127.0.0.1 "$row"
	test_case -6 ::1 "$row"
done
ktap_finished
