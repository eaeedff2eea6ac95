#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Use the benchmark programs as a functional test: with each method to send, all
# datagrams must arrive with the right length, order and bytes.

DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck disable=SC1091
source "$DIR/../lib.sh"
# shellcheck disable=SC1091
source "$DIR/../../kselftest/ktap_helpers.sh"

readonly SENDER=$DIR/udpgso_bench_tx
readonly RECEIVER=$DIR/udpgso_bench_rx
readonly BURSTS=10
readonly FEATURES='tx-udp-segmentation tx-checksumming sg'

# name | bytes per burst | bytes per datagram | sender options | features that are off
readonly CASES=(
	'send                    |63888|1452|                        |'
	'sendmmsg                |63888|1452|-m                      |'
	'zerocopy                |63888|1452|-z                      |'
	'gso                     |63888|1452|-S 1452                 |'
	'gso, short last segment |63000|1452|-S 1452                 |'
	'gso, one byte at the end|62437|1452|-S 1452                 |'
	'gso, two segments       | 2904|1452|-S 1452                 |'
	'gso, 128 segments       |12800| 100|-S 100                  |'
	'gso, one segment        | 1452|1452|-S 1452                 |'
	'gso, control message    |63888|1452|-S 1452 -g              |'
	'gso, sendmmsg           |58080|1452|-S 1452 -d 14520 -m     |'
	'gso, control, sendmmsg  |58080|1452|-S 1452 -d 14520 -m -g  |'
	'gso, zerocopy           |63888|1452|-S 1452 -z              |'
	'gso, software           |63888|1452|-S 1452                 |tx-udp-segmentation'
	'gso, software, zerocopy |63888|1452|-S 1452 -z              |tx-udp-segmentation'
	'gso, no checksum offload|63888|1452|-S 1452                 |tx-checksumming'
	'gso, no scatter-gather  |63888|1452|-S 1452                 |sg'
)

setup()
{
	local address

	[[ $(id -u) -eq 0 ]] || skip_all "root is needed"
	command -v ethtool >/dev/null || skip_all "ethtool is needed"

	setup_ns TX RX || skip_all "no network namespaces"
	trap cleanup EXIT
	OUTPUT=$(mktemp -d)

	ip -n "$TX" link add veth0 mtu 1500 address 02:00:00:00:00:01 \
		type veth peer name veth0 mtu 1500 \
		address 02:00:00:00:00:02 netns "$RX" || skip_all "no veth"
	ip -n "$TX" addr add 192.0.2.1/24 dev veth0
	ip -n "$RX" addr add 192.0.2.2/24 dev veth0
	ip -n "$TX" addr add 2001:db8::1/64 dev veth0 nodad
	ip -n "$RX" addr add 2001:db8::2/64 dev veth0 nodad
	ip -n "$TX" link set veth0 up
	ip -n "$RX" link set veth0 up

	# Packets may be dropped before the neighbour and the carrier are ready.
	for address in 192.0.2.2 2001:db8::2; do
		ip -n "$TX" neigh add "$address" dev veth0 \
			lladdr 02:00:00:00:00:02
	done
	busywait "$BUSYWAIT_TIMEOUT" is_up || ktap_exit_fail_msg "no carrier"
}

is_up()
{
	ip -n "$TX" link show dev veth0 | grep -q 'state UP'
}

skip_all()
{
	ktap_skip_all "$@"
	exit "$KSFT_SKIP"
}

cleanup()
{
	rm -rf "$OUTPUT"
	cleanup_all_ns
}

# set_features OFF...: turn off these features, turn on the others if possible.
set_features()
{
	local feature

	[[ "$*" == "$features_off" ]] && return
	features_off=unknown
	for feature in $FEATURES; do
		ip netns exec "$TX" ethtool -K veth0 "$feature" on
	done &>/dev/null
	for feature in "$@"; do
		ip netns exec "$TX" ethtool -K veth0 "$feature" off || return
	done >/dev/null
	features_off=$*
}

# transfer FAMILY ADDRESS BURST DATAGRAM SENDER-OPTION...
transfer()
{
	local family=$1 address=$2 burst=$3 datagram=$4 receiver
	shift 4

	ip netns exec "$RX" "$RECEIVER" "$family" -n "$BURSTS" -s "$burst" \
		-S "$datagram" -v &>"$OUTPUT/rx" &
	receiver=$!
	busywait "$BUSYWAIT_TIMEOUT" grep -q listening "$OUTPUT/rx"

	if ip netns exec "$TX" "$SENDER" "$family" -D "$address" -n "$BURSTS" \
		-s "$burst" "$@" &>"$OUTPUT/tx"; then
		wait "$receiver"
	else
		kill "$receiver" 2>/dev/null
		wait "$receiver"
		return 1
	fi
}

# test_case FAMILY ADDRESS ROW-OF-CASES
test_case()
{
	local family=$1 address=$2
	local name burst datagram options off

	IFS='|' read -r name burst datagram options off <<<"$3"
	name="ipv${family#-}: ${name%"${name##*[! ]}"}"
	: >"$OUTPUT/rx"
	: >"$OUTPUT/tx"

	# The lists are split into words.
	# shellcheck disable=SC2086
	if set_features $off &&
	   transfer "$family" "$address" $burst $datagram $options; then
		ktap_test_pass "$name"
	else
		ktap_test_fail "$name"
		sed 's/^/#   /' "$OUTPUT/tx" "$OUTPUT/rx"
	fi
}

features_off=unknown
ktap_print_header
setup
ktap_set_plan $((2 * ${#CASES[@]}))
for row in "${CASES[@]}"; do
	test_case -4 192.0.2.2 "$row"
	test_case -6 2001:db8::2 "$row"
done
ktap_finished
