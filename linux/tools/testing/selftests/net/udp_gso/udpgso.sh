#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run a test of UDP_SEGMENT in a namespace that a veth pair connects to a second
# namespace.
#
# The first argument is the program. The second one is optional: only cases
# whose name contains this substring are run.
# The addresses below are also in the programs and in udpgso_lib.h.

cd "$(dirname "$0")" || exit 1
# shellcheck source=../lib.sh
source ../lib.sh

readonly prog=${1:-udpgso}
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
		link add gso0 type veth peer name gso0 netns $RX
		link set gso0 addrgenmode none up
		addr add 192.0.2.1/24 dev gso0
		addr add 2001:db8::1/64 dev gso0 nodad
	END
}

setup_rx()
{
	ip -n "$RX" -batch - <<-END
		link set gso0 addrgenmode none up
		addr add 192.0.2.2/24 dev gso0
		addr add 2001:db8::2/64 dev gso0 nodad
		addr add 198.51.100.2/32 dev lo
		addr add 198.51.101.2/32 dev lo
		addr add 2001:db8:1::2/128 dev lo nodad
	END
}

# Add routes to the peer with a lower MTU, and routes to the destinations that
# have an xfrm policy.
setup_routes()
{
	ip -n "$TX" -batch - <<-END
		route add 198.51.100.0/24 via 192.0.2.2 mtu 1300
		route add 198.51.101.0/24 via 192.0.2.2 mtu 500
		route add 2001:db8:1::/64 via 2001:db8::2 mtu 1300
		route add 203.0.113.0/24 via 192.0.2.2
		route add 2001:db8:3::/64 via 2001:db8::2
	END
}

setup_xfrm()
{
	local src=$1 dst=$2
	local key=0x000102030405060708090a0b0c0d0e0f10111213

	ip -n "$TX" xfrm state add src "$src" dst "$dst" proto esp spi 1 \
		mode transport aead 'rfc4106(gcm(aes))' "$key" 128 &&
	ip -n "$TX" xfrm policy add src "$src" dst "$dst" dir out \
		tmpl proto esp mode transport
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
for tool in ip ethtool tc; do
	command -v "$tool" > /dev/null || skip_all "needs $tool"
done
[ -x "./$prog" ] || skip_all "$prog is not built"

trap cleanup_all_ns EXIT
setup_ns TX RX || skip_all "no network namespaces"
setup_tx || skip_all "no veth"
setup_rx || skip_all "no addresses"
setup_routes || skip_all "no routes"
if ! setup_xfrm 192.0.2.1 203.0.113.2 ||
   ! setup_xfrm 2001:db8::1 2001:db8:3::2; then
	export UDPGSO_NO_XFRM=1
fi

ip netns exec "$TX" "./$prog" "$RX" ${filter:+"$filter"}
