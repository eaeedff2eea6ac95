#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A route to multicast addresses and a route to unicast addresses have equal
# attributes. A multicast datagram has TTL 1 and a unicast datagram TTL 64, in
# either order.
# For: ipv4: do not use a cached route of another type
set -euo pipefail
ns=rt-$$
trap 'ip netns del $ns 2>/dev/null || true' EXIT

send_and_read()	# arguments: the destinations of the two datagrams
{
	ip netns add $ns
	ip -n $ns -batch - <<-END
		link add d0 type veth peer name d1
		link set d0 addrgenmode none up
		link set d1 addrgenmode none up
		addr add 192.0.2.1/32 dev d0
		route add 198.51.100.0/24 dev d0
		route add 224.0.0.0/4 dev d0
		neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev d0
	END
	ip netns exec $ns python3 - "$@" <<-'END'
		import os, socket, sys
		os.sched_setaffinity(0, {0})	# the cache is per CPU
		p = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))
		p.bind(("d1", 0x800))
		p.settimeout(2)
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for to in sys.argv[1:]:
		    s.sendto(b"x", (to, 9))
		    while True:
		        b = p.recv(100)
		        if b[9] == 17:
		            break
		    print(socket.inet_ntoa(b[16:20]), b[8])
	END
	ip netns del $ns
}

fail=0 n=0
check() { n=$((n + 1)); [[ $2 == "$3" ]] && echo "ok $n $1" || { echo "not ok $n $1: $2"; fail=1; }; }
echo 'TAP version 13'; echo 1..2
u=198.51.100.1 m=233.252.0.1
check 'unicast, then multicast' "$(send_and_read $u $m | paste -sd ,)" "$u 64,$m 1"
check 'multicast, then unicast' "$(send_and_read $m $u | paste -sd ,)" "$m 1,$u 64"
exit $fail
