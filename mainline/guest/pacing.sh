#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A UDP socket can raise SO_MAX_PACING_RATE again.
# For: net: sock: let SO_MAX_PACING_RATE raise the rate of a UDP socket
set -euo pipefail
ns=pace-$$
trap 'ip netns del $ns 2>/dev/null' EXIT
ip netns add $ns
ip -n $ns -batch - <<-END
	link add d0 type veth peer name d1
	link set d0 addrgenmode none up
	link set d1 addrgenmode none up
	addr add 192.0.2.1/24 dev d0
	neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev d0
END
ip netns exec $ns tc qdisc replace dev d0 root fq
ip netns exec $ns python3 - <<-'END'
	# Compares the times that fq needs to send two bursts. fq keeps the
	# packets of a flow in order, so a burst ends when d1 has received its
	# last packet.
	import socket, sys, time
	p = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))
	p.bind(("d1", 0x800))
	p.settimeout(20)
	def burst(s, rate):
	    s.setsockopt(socket.SOL_SOCKET, 47, rate)	# SO_MAX_PACING_RATE
	    t = time.monotonic()
	    for i in range(20):
	        s.send(bytes(972))
	    n = 0
	    while n < 20:
	        n += p.recv(2000)[9] == 17
	    return time.monotonic() - t
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.connect(("192.0.2.2", 9))
	slow = burst(s, 20000)		# 20 packets of 1014 bytes: about 1 s
	fast = burst(s, 100000000)	# only waits for the last slow packet
	print("TAP version 13\n1..1")
	ok = fast < slow / 4
	print("%s 1 the rate is raised\n# %.2f s, then %.2f s" %
	      ("ok" if ok else "not ok", slow, fast))
	sys.exit(not ok)
END
