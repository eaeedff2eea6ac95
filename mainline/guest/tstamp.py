#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# A fragmented datagram gets one transmit timestamp, also if the MTU is lowered
# before the last part of a corked datagram is sent. ip_do_fragment() and
# ip6_fragment() cannot use the fragment list then, and copy the payload.
# For: net: ip: keep the transmit timestamp request of fragmented packets
import os
import socket
import struct
import sys
import time

SO_TIMESTAMPING, FLAGS = 37, 1 << 1 | 1 << 4 | 1 << 7 | 1 << 11
os.system("ip -batch - <<- END\n"
          "link add d0 type veth peer name d1\n"
          "link set d0 addrgenmode none up\n"
          "link set d1 addrgenmode none up\n"
          "addr add 192.0.2.1/24 dev d0\n"
          "addr add 2001:db8::1/64 dev d0 nodad\n"
          "neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev d0\n"
          "neigh add 2001:db8::2 lladdr 02:00:00:00:00:01 dev d0\nEND")
failed = n = 0
print("TAP version 13\n1..4")
for fam, to in (socket.AF_INET, "192.0.2.2"), (socket.AF_INET6, "2001:db8::2"):
    for how in "send", "lower MTU after MSG_MORE":
        n += 1
        os.system("ip link set d0 mtu 1500")
        s = socket.socket(fam, socket.SOCK_DGRAM)
        if fam == socket.AF_INET:
            s.setsockopt(socket.IPPROTO_IP, 10, 0)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, FLAGS)
        s.connect((to, 9))
        if how == "send":
            s.send(bytes(3000))
        else:   # the fragments exceed the new MTU, so the payload is copied
            s.send(bytes(2000), socket.MSG_MORE)
            os.system("ip link set d0 mtu 1300")
            s.send(bytes(1000))
        time.sleep(0.3)
        got = 0
        try:
            while True:
                s.recvmsg(100, 500, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
                got += 1
        except BlockingIOError:
            pass
        ok = got == 1
        failed |= not ok
        print("%s %d %s: %s: %d timestamps" % ("ok" if ok else "not ok", n,
              "v4" if fam == socket.AF_INET else "v6", how, got))
sys.exit(failed)
