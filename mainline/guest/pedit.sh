#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# tc pedit pulls a few bytes of the second datagram of a GRO packet into the linear part of the packet. A kernel without
# the fix panics: run this script only in the guest.
# For: net: gso: do not BUG on a frag_list that does not match gso_size
set -euo pipefail
c=pedit-c-$$ r=pedit-r-$$
trap 'for n in $c $r; do ip netns del "$n" 2>/dev/null; done' EXIT
for n in $c $r; do ip netns add "$n"; done
ip -n $c -batch - <<-END
	link add c0 address 02:00:00:00:00:01 type veth peer name r0 address 02:00:00:00:00:02 netns $r
	link set c0 addrgenmode none up
	addr add 192.0.2.2/24 dev c0
	neigh add 192.0.2.1 lladdr 02:00:00:00:00:02 dev c0
	route add default via 192.0.2.1
END
ip -n $r -batch - <<-END
	link set r0 addrgenmode none up
	addr add 192.0.2.1/24 dev r0
	link add d0 type veth peer name d1
	link set d0 addrgenmode none up
	link set d1 addrgenmode none up
	addr add 198.51.100.1/24 dev d0
	neigh add 198.51.100.2 lladdr 02:00:00:00:00:03 dev d0
END
ip netns exec $r sysctl -wq net.ipv4.ip_forward=1
# Without scatter-gather, the datagrams are linear, and GRO appends them to the frag_list of the first one.
ip netns exec $c ethtool -K c0 tx-udp-segmentation off tx-scatter-gather off
ip netns exec $r ethtool -K r0 gro on rx-udp-gro-forwarding on
ip netns exec $r ethtool -K d0 tx-udp-segmentation off tx-gso-list off
ip netns exec $r tc qdisc add dev r0 clsact
ip netns exec $r tc filter add dev r0 ingress protocol ip matchall action pedit munge offset 128 u32 set 0x58585858

echo 'TAP version 13'
echo 1..1
# The bytes that pedit sets are the first four of the second datagram's payload.
ip netns exec $r python3 - <<-END
	import os, socket, subprocess, sys
	p = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))
	p.bind(("d1", 0x800))
	p.settimeout(3)
	subprocess.run(["ip", "netns", "exec", "$c", "python3", "-c", """
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(socket.SOL_UDP, 103, 100)
	s.sendto(bytes(range(37, 37 + 148)) * 2, ('198.51.100.2', 9))
	""".replace("\t", "").strip()], check=True)
	sent = bytes(range(37, 37 + 148)) * 2
	want = [sent[:100], b"XXXX" + sent[104:200], sent[200:]]
	got = []
	while len(got) < 3:
	    try:
	        packet = p.recv(2000)
	    except TimeoutError:
	        break
	    if packet[9] == 17:
	        got.append(packet[28:])
	print("ok 1 three datagrams" if got == want else f"not ok 1 {[len(g) for g in got]}")
	sys.exit(got != want)
END
