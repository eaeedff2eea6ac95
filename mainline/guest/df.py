#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# All datagrams of a segmented send with IP_PMTUDISC_WANT have DF.
# Run in a network namespace of its own: unshare -n python3 df.py
# For: ipv4: set DF by the segment length of a UDP GSO send
import os
import socket
import sys

UDP_SEGMENT = 103
os.system("ip -batch - <<- END\n"
          "link add d0 type veth peer name d1\n"
          "link set d0 addrgenmode none up\n"
          "link set d1 addrgenmode none up\n"
          "addr add 192.0.2.1/24 dev d0\n"
          "neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev d0\nEND")
os.system("ethtool -K d0 tx-udp-segmentation off > /dev/null")
p = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))
p.bind(("d1", 0x800))
p.settimeout(2)
failed = 0
print("TAP version 13\n1..4")
for n, (length, size) in enumerate([(1000, 1000), (1472, 700), (3000, 1000),
                                    (60000, 1472)], 1):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_UDP, UDP_SEGMENT, size)
    s.sendto(bytes(length), ("192.0.2.2", 9))
    df = set()
    while length > 0:
        b = p.recv(2000)
        if b[9] == 17:
            df.add(b[6] >> 6 & 1)
            length -= len(b) - 28
    ok = df == {1}
    failed |= not ok
    print("%s %d segments of %d: DF %s" % ("ok" if ok else "not ok", n, size, df))
sys.exit(failed)
