#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A router does not forward a UDP GSO packet in VXLAN whose outer segments
# exceed the MTU by less than the length of a UDP header. The router has no
# route for ICMP errors to the sender, so the sender does not learn the MTU.
# For: net: gso: count the UDP header behind tunnel headers
set -euo pipefail
tx=tx-$$ mid=mid-$$ rx=rx-$$
trap 'for n in $tx $mid $rx; do ip netns del "$n" 2>/dev/null; done' EXIT
for n in $tx $mid $rx; do ip netns add "$n"; done
ip -n $tx -batch - <<-END
	link add a0 address 02:00:00:00:00:01 type veth peer name a1 address 02:00:00:00:00:02 netns $mid
	link set a0 addrgenmode none up
	addr add 192.0.2.1/24 dev a0
	neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev a0
	route add 198.51.100.0/24 via 192.0.2.2
	link add vx type vxlan id 1 local 192.0.2.1 remote 198.51.100.2 dstport 4789 df set
	link set vx addrgenmode none up
	addr add 203.0.113.1/24 dev vx
	neigh add 203.0.113.2 lladdr 02:00:00:00:00:05 dev vx
END
ip -n $mid -batch - <<-END
	link add b0 address 02:00:00:00:00:03 type veth peer name b1 address 02:00:00:00:00:04 netns $rx
	link set a1 addrgenmode none up
	link set b0 addrgenmode none
	link set b0 mtu 1000 up
	addr add 192.0.2.2/24 dev a1
	addr add 198.51.100.1/24 dev b0
	neigh add 198.51.100.2 lladdr 02:00:00:00:00:04 dev b0
	route add blackhole 192.0.2.1/32
END
ip -n $rx link set b1 addrgenmode none mtu 1500 up
ip netns exec $mid sysctl -wq net.ipv4.ip_forward=1
# an outer segment has 20 + 8 + 8 + 14 + 20 + 8 bytes of headers and the payload
send() { ip netns exec $tx python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 0)
s.setsockopt(socket.SOL_UDP, 103, $1)
s.sendto(bytes(3 * $1), ('203.0.113.2', 9))"; }
# The number of packets that were not forwarded because they exceed the MTU
# shellcheck disable=SC2016 # $n is a variable of awk
refused() {
	ip netns exec $mid awk '/^Ip: F/ { while (++n < NF && $n != "FragFails"); } /^Ip: [0-9]/ { print $n }' /proc/net/snmp
}
fail=0 n=0
echo 'TAP version 13'; echo 1..4
for size in 922 923 926 931; do
	n=$((n + 1)) before=$(refused) want=0
	send $size
	sleep 0.2
	now=$(($(refused) - before))
	((size + 78 <= 1000)) || want=1
	((now == want)) && r=ok || { r='not ok'; fail=1; }
	echo "$r $n outer segments of $((size + 78)) bytes: $now refused, expected $want"
done
exit $fail
