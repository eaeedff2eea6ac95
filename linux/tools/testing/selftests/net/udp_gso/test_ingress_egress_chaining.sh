#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Check that packets which a filter redirects from ingress to the egress of
# another device also pass the filters at that egress. Single and segmented
# datagrams must arrive with the right length, order and bytes.

DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck disable=SC1091
source "$DIR/../lib.sh"
# shellcheck disable=SC1091
source "$DIR/../../kselftest/ktap_helpers.sh"

readonly BURSTS=10

# name | bytes per burst | sender options
readonly CASES=(
	'single datagrams    | 1000|'
	'segments            |10000|-S 1000'
	'segments, short last| 9500|-S 1000'
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

# dev0 of A is connected to dev0 of MID, and dev0 of B to dev1 of MID. MID has
# no addresses.
setup()
{
	ip -n "$MID" -batch - <<-END &&
		link add dev0 type veth peer name dev0 \
			address 02:00:00:00:00:01 netns $A
		link add dev1 type veth peer name dev0 \
			address 02:00:00:00:00:02 netns $B
		link set dev0 addrgenmode none up
		link set dev1 addrgenmode none up
	END
	ip -n "$A" -batch - <<-END &&
		addr add 192.0.2.1/24 dev dev0
		addr add 2001:db8::1/64 dev dev0 nodad
		link set dev0 up
		neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev dev0
		neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev dev0
	END
	ip -n "$B" -batch - <<-END &&
		addr add 192.0.2.2/24 dev dev0
		addr add 2001:db8::2/64 dev dev0 nodad
		link set dev0 up
	END
	tc -n "$MID" -batch - <<-END
		qdisc add dev dev0 clsact
		qdisc add dev dev1 clsact
		filter add dev dev0 ingress matchall action mirred egress redirect dev dev1
		filter add dev dev1 egress matchall action ok
	END
}

# Datagrams that are sent before the devices are up are dropped.
is_up()
{
	[ "$(ip -n "$MID" link show up | grep -c 'dev[01]@.*state UP')" -eq 2 ] &&
	ip -n "$A" link show dev dev0 | grep -q 'state UP'
}

# Print the bytes that the egress filter of dev1 has counted.
filtered()
{
	tc -s -n "$MID" filter show dev dev1 egress |
		sed -n 's/.*Sent \([0-9]*\) bytes.*/\1/p'
}

# transfer FAMILY ADDRESS BURST SENDER-OPTIONS
transfer()
{
	local receiver before

	before=$(filtered)
	ip netns exec "$B" "$DIR/udpgso_bench_rx" "$1" -v -n "$BURSTS" \
		-s "$3" -S 1000 > "$OUTPUT/rx" 2>&1 &
	receiver=$!
	busywait "$BUSYWAIT_TIMEOUT" grep -q listening "$OUTPUT/rx"

	# The options are split into words.
	# shellcheck disable=SC2086
	ip netns exec "$A" "$DIR/udpgso_bench_tx" "$1" -D "$2" -n "$BURSTS" \
		-s "$3" $4 > "$OUTPUT/tx" 2>&1 || kill "$receiver"
	wait "$receiver" && [ $(($(filtered) - before)) -ge $((BURSTS * $3)) ]
}

# test_case FAMILY ADDRESS ROW-OF-CASES
test_case()
{
	local name burst options

	IFS='|' read -r name burst options <<< "$3"
	name="ipv${1#-}: ${name%"${name##*[! ]}"}"
	: > "$OUTPUT/rx"
	: > "$OUTPUT/tx"
	if transfer "$1" "$2" $((burst)) "$options"; then
		ktap_test_pass "$name"
	else
		ktap_test_fail "$name"
		sed 's/^/# /' "$OUTPUT/tx" "$OUTPUT/rx"
	fi
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
setup_ns A MID B || skip_all "no network namespaces"
OUTPUT=$(mktemp -d)
trap cleanup EXIT
setup || skip_all "no veth or no filters"
busywait "$BUSYWAIT_TIMEOUT" is_up

ktap_print_header
ktap_set_plan $((2 * ${#CASES[@]}))
for row in "${CASES[@]}"; do
	test_case -4 192.0.2.2 "$row"
	test_case -6 2001:db8::2 "$row"
done
ktap_finished
