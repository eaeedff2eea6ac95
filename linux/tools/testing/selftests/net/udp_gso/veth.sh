#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Check GRO, TSO, XDP and channels of veth, and which datagrams are aggregated.

DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck disable=SC1091
source "$DIR/../lib.sh"
# shellcheck disable=SC1091
source "$DIR/../../kselftest/ktap_helpers.sh"

readonly DATAGRAMS=10
readonly SIZE=1000

# Name of the case, colon, steps. Each word is a step, see step().
readonly CASES=(
	'default: gro=A:off gro=B:off tso=A:on tso=B:on'
	'GRO on: B:gro=on gro=B:on gro=A:off tso=A:on tso=B:on'
	'GRO on while down: down B:gro=on up gro=B:on gro=A:off'
	'GRO stays on over down and up: B:gro=on down gro=B:on up gro=B:on'
	'XDP: xdp gro=B:off gro=A:off tso=A:off tso=B:on'
	'XDP removed: xdp noxdp gro=B:off tso=A:on tso=B:on'
	'XDP, GRO on: xdp B:gro=on gro=B:on tso=A:off'
	'XDP removed, GRO stays on: B:gro=on xdp noxdp gro=B:on tso=A:on'
	'XDP while down: down xdp gro=B:off up gro=B:off noxdp gro=B:off'
	'XDP, GRO on, down and up: xdp B:gro=on down up gro=B:on'
	'channels: channels=1:1'
	'channels, tx: set=tx:2 channels=1:2'
	'channels, both: set=rx:3,tx:3 channels=3:3'
	'channels, down: down set=rx:3,tx:2 up channels=3:2'
	'channels, combined: no-set=combined:2 channels=1:1'
	'channels, too many: no-set=tx:5 channels=1:1'
	'channels, XDP needs rx for the tx of the peer: A:set=tx:2 no-xdp'
	'channels, XDP, fewer rx: A:set=tx:2 set=rx:2 xdp no-set=rx:1 channels=2:1'
	'channels, XDP, more tx of the peer: set=rx:2 xdp A:no-set=tx:3'
	'channels, XDP, as many rx: set=rx:2 xdp A:set=tx:2'
	'USO, no UDP_GRO: packets=1'
	'USO: gro-socket packets=1'
	'USO off: no-uso gro-socket packets=10'
	'USO off, GRO on, TSO on: no-uso B:gro=on gro-socket packets=10'
	'USO off, GRO on: no-uso A:tso=off B:gro=on gro-socket packets=1'
	'USO off, GRO on, no UDP_GRO: no-uso A:tso=off B:gro=on packets=10'
	'USO off, GRO on while down: no-uso A:tso=off down B:gro=on up gro-socket packets=1'
	'USO off, GRO off again: no-uso A:tso=off B:gro=on B:gro=off gro-socket packets=10'
	'USO off, rx-udp-gro-forwarding: no-uso B:gro=on gro-fwd gro-socket packets=1'
	'USO off, rx-gro-list: no-uso B:gro=on B:rx-gro-list=on packets=1'
	'USO off, channels, GRO on: set=rx:3,tx:3 no-uso A:tso=off B:gro=on gro-socket packets=1'
	'USO off, XDP: no-uso xdp gro-socket packets=10'
	'USO off, XDP, GRO on: no-uso xdp B:gro=on gro-socket packets=1'
	'USO, XDP, GRO on: xdp B:gro=on gro-socket packets=1'
)

skip_all()
{
	ktap_skip_all "$@"
	exit "$KSFT_SKIP"
}

cleanup()
{
	noxdp
	rm -rf "$OUTPUT"
	cleanup_all_ns
}

# on END COMMAND...
on()
{
	local end=$1
	shift
	ip netns exec "${!end}" "$@"
}

new_pair()
{
	ip -n "$A" link del veth0 2> /dev/null
	ip -n "$A" -batch - <<-END
		link add veth0 address 02:00:00:00:00:01 numtxqueues 4 \
			numrxqueues 4 type veth peer name veth0 \
			address 02:00:00:00:00:02 numtxqueues 4 \
			numrxqueues 4 netns $B
		addr add 192.0.2.1/24 dev veth0
	END
	ip -n "$B" addr add 192.0.2.2/24 dev veth0
	on A ethtool -L veth0 rx 1 tx 1 2> /dev/null
	on B ethtool -L veth0 rx 1 tx 1 2> /dev/null
	up
	gro_socket=
}

up()
{
	ip -n "$B" link set veth0 up &&
	ip -n "$A" -batch - <<-END
		link set veth0 up
		neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev veth0
	END
	# Datagrams that are sent before both ends are up are dropped.
	busywait "$BUSYWAIT_TIMEOUT" is_up
}

is_up()
{
	ip -n "$A" link show dev veth0 | grep -q 'state UP' &&
	ip -n "$B" link show dev veth0 | grep -q 'state UP'
}

down()
{
	ip -n "$B" link set veth0 down
}

xdp()
{
	: > "$OUTPUT/xdp"
	ip netns exec "$B" "$DIR/veth_xdp" veth0 > "$OUTPUT/xdp" &
	xdp=$!
	busywait "$BUSYWAIT_TIMEOUT" xdp_tried
	grep -q attached "$OUTPUT/xdp"
}

xdp_tried()
{
	grep -q attached "$OUTPUT/xdp" || ! kill -0 "$xdp" 2> /dev/null
}

noxdp()
{
	[ "$xdp" ] || return 0
	kill "$xdp" 2> /dev/null
	wait "$xdp" 2> /dev/null
	xdp=
}

# feature END NAME: print on or off
feature()
{
	on "$1" ethtool -k veth0 | sed -n "s/^$2: \(on\|off\).*/\1/p"
}

is()
{
	[ "$2" = "$3" ] && return
	echo "# $1: expected $2, got $3"
	return 1
}

channels()
{
	on B ethtool -l veth0 | awk '/^Current/ { now = 1 }
		now && /^RX:/ { rx = $2 } now && /^TX:/ { print rx ":" $2 }'
}

# set_channels END rx:N,tx:N
set_channels()
{
	# The list is split into words.
	# shellcheck disable=SC2086
	on "$1" ethtool -L veth0 ${2//[:,]/ } 2> /dev/null
}

received()
{
	# shellcheck disable=SC2016 # expanded by awk
	on B awk '/^Ip: [0-9]/ { print $4 }' /proc/net/snmp
}

# packets COUNT: one send of ten datagrams must arrive as COUNT packets.
packets()
{
	local before after receiver

	: > "$OUTPUT/rx"
	ip netns exec "$B" "$DIR/udpgso_bench_rx" -n 1 -s $((DATAGRAMS * SIZE)) -S "$SIZE" \
		-v ${gro_socket:+-G} > "$OUTPUT/rx" 2>&1 &
	receiver=$!
	busywait "$BUSYWAIT_TIMEOUT" grep -q listening "$OUTPUT/rx"
	before=$(received)
	on A "$DIR/udpgso_bench_tx" -D 192.0.2.2 -n 1 \
		-s $((DATAGRAMS * SIZE)) -S "$SIZE" > "$OUTPUT/tx" 2>&1 ||
		kill "$receiver"
	wait "$receiver" || { sed 's/^/# /' "$OUTPUT"/?x; return 1; }
	after=$(received)
	is packets "$1" $((after - before))
}

step()
{
	local end=B word=$1

	if [[ $word == [AB]:* ]]; then
		end=${word%%:*}
		word=${word#?:}
	fi
	case $word in
	gro=[AB]:*) is "$word" "${word##*:}" \
		"$(feature "${word:4:1}" generic-receive-offload)" ;;
	tso=[AB]:*) is "$word" "${word##*:}" \
		"$(feature "${word:4:1}" tcp-segmentation-offload)" ;;
	channels=*) is channels "${word#*=}" "$(channels)" ;;
	packets=*) packets "${word#*=}" ;;
	set=*) set_channels "$end" "${word#*=}" ;;
	no-set=*) ! set_channels "$end" "${word#*=}" ;;
	no-xdp) ! xdp ;;
	gro-socket) gro_socket=1 ;;
	gro-fwd) on B ethtool -K veth0 rx-udp-gro-forwarding on ;;
	no-uso) on A ethtool -K veth0 tx-udp-segmentation off ;;
	*=*) on "$end" ethtool -K veth0 "${word%=*}" "${word#*=}" > /dev/null ;;
	*) "$word" ;;
	esac
}

run_case()
{
	local name=${1%%: *} word

	new_pair
	for word in ${1#*: }; do
		if ! step "$word"; then
			echo "# at $word"
			ktap_test_fail "$name"
			noxdp
			return
		fi
	done
	ktap_test_pass "$name"
	noxdp
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
command -v ethtool > /dev/null || skip_all "needs ethtool"
setup_ns A B || skip_all "no network namespaces"
OUTPUT=$(mktemp -d)
xdp=
trap cleanup EXIT

ktap_print_header
ktap_set_plan ${#CASES[@]}
for row in "${CASES[@]}"; do
	[[ $row == *${1-}* ]] && run_case "$row"
done
ktap_finished
