#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run the examples of Documentation/networking/udp_gso.rst. Check that all
# datagrams arrive, and that sender and receiver need as few calls as possible.

DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck disable=SC1091
source "$DIR/../lib.sh"
# shellcheck disable=SC1091
source "$DIR/../../kselftest/ktap_helpers.sh"

readonly CALLS=3
readonly CALL_BYTES=60000	# as in the example: 50 segments of 1200 bytes
readonly PORT=8000

calls_made()
{
	ip netns exec "$NS" nstat -az "$1" | awk -v name="$1" '$1 == name { print $2 }'
}

# send_all FAMILY ADDRESS COUNTER
send_all()
{
	local family=$1 address=$2 counter=$3 receiver before

	before=$(calls_made "$counter")
	ip netns exec "$NS" "$DIR/udpgso_bench_rx" "$family" -p "$PORT" \
		-n "$CALLS" -s "$CALL_BYTES" -S 1200 &>"$OUTPUT" &
	receiver=$!
	busywait "$BUSYWAIT_TIMEOUT" grep -q listening "$OUTPUT"

	head -c $((CALLS * CALL_BYTES)) /dev/zero |
		ip netns exec "$NS" "$DIR/udpgso_example" "$address" "$PORT" &&
		wait "$receiver" &&
		[[ $(($(calls_made "$counter") - before)) -eq $CALLS ]]
}

# receive_all ADDRESS: the last call of the sender sends one shorter datagram.
receive_all()
{
	local address=$1 receiver bytes=$((2 * CALL_BYTES + 700))

	ip netns exec "$NS" timeout 60 "$DIR/udpgro_example" "$PORT" \
		$((2 * CALL_BYTES / 1200 + 1)) &>"$OUTPUT" &
	receiver=$!
	busywait "$BUSYWAIT_TIMEOUT" grep -q listening "$OUTPUT"

	head -c "$bytes" /dev/zero |
		ip netns exec "$NS" "$DIR/udpgso_example" "$address" "$PORT" &&
		wait "$receiver" &&
		[[ $(grep -c '^call:' "$OUTPUT") -eq 3 ]] &&
		[[ $(awk '/^call:/ { for (i = 2; i <= NF; i++) n[$i]++ }
			END { print n[1200] + 0, n[700] + 0 }' "$OUTPUT") == \
			"$((2 * CALL_BYTES / 1200)) 1" ]]
}

# ask ADDRESS BYTES SIZE: request a reply of BYTES in datagrams of SIZE bytes;
# print the numbers of datagrams and bytes that dd has counted
ask()
{
	local count=$((($2 + $3 - 1) / $3))

	# shellcheck disable=SC2016 # expanded by the inner shell
	ip netns exec "$NS" timeout 60 bash -c 'exec 3<>"/dev/udp/$1/$2" &&
		echo "$3 $4" >&3 && dd bs=65536 count="$5" of=/dev/null <&3' \
		-- "$1" "$PORT" "$2" "$3" "$count" 2>&1 |
		sed -nE 's/^([0-9+]+) records in|^([0-9]+) bytes.*/\1\2/p' | paste -sd ' '
}

# reply_all ADDRESS COUNTER: the reply to each of two clients takes one call.
reply_all()
{
	local server before

	before=$(calls_made "$2")
	: >"$OUTPUT"
	ip netns exec "$NS" "$DIR/udpgso_server" "$PORT" 2 &>>"$OUTPUT" &
	server=$!
	busywait "$BUSYWAIT_TIMEOUT" grep -q listening "$OUTPUT"

	{ ask "$1" 12500 1200; ask "$1" 30000 500; } >>"$OUTPUT"
	wait "$server" &&
		grep -qx '0+11 12500' "$OUTPUT" && grep -qx '0+60 30000' "$OUTPUT" &&
		[[ $(($(calls_made "$2") - before)) -eq $((2 + 2)) ]]
}

# arrived PREFIX: print the number of datagrams, including datagrams that were
# dropped because the receive queue was full
arrived()
{
	echo $(($(calls_made "${1}InDatagrams") + $(calls_made "${1}InErrors")))
}

# gain ADDRESS PREFIX [LINE]: all datagrams must arrive, and udpgso_gain must
# print LINE.
gain()
{
	local receiver before left=6000 family=-4

	[[ $2 == Udp ]] || family=-6
	: >"$OUTPUT"
	ip netns exec "$NS" "$DIR/udpgso_bench_rx" "$family" -p "$PORT" \
		-l 60 &>>"$OUTPUT" &
	receiver=$!
	busywait "$BUSYWAIT_TIMEOUT" grep -q listening "$OUTPUT"
	before=$(arrived "$2")
	ip netns exec "$NS" "$DIR/udpgso_gain" "$1" "$PORT" 1000 "$left" \
		>>"$OUTPUT" 2>&1 &&
		[[ $(($(arrived "$2") - before)) -eq $left ]] &&
		grep -q "${3-}" "$OUTPUT"
	left=$?
	kill "$receiver" && wait "$receiver"
	return "$left"
}

run_test()
{
	if "${@:2}"; then
		ktap_test_pass "$1"
	else
		ktap_test_fail "$1"
		sed 's/^/#   /' "$OUTPUT"
		kill %% &>/dev/null
	fi
}

skip_all()
{
	ktap_skip_all "$@"
	exit "$KSFT_SKIP"
}

ktap_print_header
[[ $(id -u) -eq 0 ]] || skip_all "root is needed"
command -v nstat >/dev/null || skip_all "nstat is needed"
setup_ns NS || skip_all "no network namespaces"
OUTPUT=$(mktemp)
trap 'rm -f "$OUTPUT"; cleanup_all_ns' EXIT

ktap_set_plan 8
run_test "IPv4" send_all -4 127.0.0.1 UdpOutDatagrams
run_test "IPv6" send_all -6 ::1 Udp6OutDatagrams
run_test "UDP_GRO, IPv4" receive_all 127.0.0.1
run_test "UDP_GRO, IPv6" receive_all ::1
run_test "answers, IPv4" reply_all 127.0.0.1 UdpOutDatagrams
run_test "answers, IPv6" reply_all ::1 Udp6OutDatagrams
run_test "udpgso_gain, IPv4" gain 127.0.0.1 Udp '^64 per call'
run_test "udpgso_gain, IPv6, fallback allowed" gain ::1 Udp6
ktap_finished
