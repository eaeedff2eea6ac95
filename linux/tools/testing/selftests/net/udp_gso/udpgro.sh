#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run a test of UDP GRO with three namespaces. TX sends the datagrams, MID
# aggregates and forwards them, and RX receives them.
#
# The first argument is the program, with arguments ("udpgro_wire list"). The
# second one is optional: only cases whose name contains this substring are run.
# The addresses below are also in udpgro_lib.h.

cd "$(dirname "$0")" || exit 1
# shellcheck source=../lib.sh
source ../lib.sh

read -ra prog <<< "${1:-udpgro}"
readonly filter=${2:-}

skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit "$ksft_skip"
}

# One batch per namespace: starting ip is slow under emulation.
setup_tx()
{
	ip -n "$TX" -batch - <<-END
		link add gro0 address 02:00:00:00:00:01 type veth \
			peer name gro0 address 02:00:00:00:00:02 netns $MID
		link set gro0 addrgenmode none up
		addr add 192.0.2.1/24 dev gro0
		addr add 2001:db8:1::1/64 dev gro0 nodad
		neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev gro0
		neigh add 2001:db8:1::2 lladdr 02:00:00:00:00:02 dev gro0
		route add default via 192.0.2.2
		route add default via 2001:db8:1::2
	END
}

setup_mid()
{
	ip -n "$MID" -batch - <<-END
		link add gro1 address 02:00:00:00:00:03 type veth \
			peer name gro1 address 02:00:00:00:00:04 netns $RX
		link set gro0 addrgenmode none up
		link set gro1 addrgenmode none up
		addr add 192.0.2.2/24 dev gro0
		addr add 198.51.100.1/24 dev gro1
		addr add 2001:db8:1::2/64 dev gro0 nodad
		addr add 2001:db8:2::1/64 dev gro1 nodad
		neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev gro0
		neigh add 198.51.100.2 lladdr 02:00:00:00:00:04 dev gro1
		neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev gro0
		neigh add 2001:db8:2::2 lladdr 02:00:00:00:00:04 dev gro1
	END
}

setup_rx()
{
	ip -n "$RX" -batch - <<-END
		link set gro1 addrgenmode none up
		addr add 198.51.100.2/24 dev gro1
		addr add 2001:db8:2::2/64 dev gro1 nodad
		neigh add 198.51.100.1 lladdr 02:00:00:00:00:03 dev gro1
		neigh add 2001:db8:2::1 lladdr 02:00:00:00:00:03 dev gro1
		route add default via 198.51.100.1
		route add default via 2001:db8:2::1
	END
}

# While the sender has TSO on, veth does not pass all packets to GRO.
setup_gro()
{
	ip netns exec "$TX" ethtool -K gro0 tso off > /dev/null &&
	ip netns exec "$MID" ethtool -K gro0 gro on > /dev/null &&
	ip netns exec "$MID" bash -e <<-END
		echo 1 > /sys/class/net/gro0/threaded
		sysctl -wq net.ipv4.conf.all.rp_filter=0
		sysctl -wq net.ipv4.conf.default.rp_filter=0
		sysctl -wq net.ipv4.ip_forward=1
		sysctl -wq net.ipv6.conf.all.forwarding=1
	END
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
for tool in ip ethtool tc nft sysctl; do
	command -v "$tool" > /dev/null || skip_all "needs $tool"
done
[ -x "./${prog[0]}" ] || skip_all "${prog[0]} is not built"

trap cleanup_all_ns EXIT
setup_ns TX MID RX || skip_all "no network namespaces"
setup_tx && setup_mid && setup_rx || skip_all "no veth"
setup_gro || skip_all "no NAPI of veth"

ip netns exec "$TX" "./${prog[0]}" "${prog[@]:1}" "$MID" "$RX" ${filter:+"$filter"}
