#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# A connected UDP socket sends to the address of its last successful connect(),
# also after a corked send to another address and after a refused connect().
# Run in a network namespace of its own: unshare -n python3 flow.py
# For: udp: do not send by the flow of an earlier corked send
#      ipv4: keep the flow of a socket if connect() is refused
import errno
import os
import socket
import sys

A, B, BROADCAST, PORT = "127.0.0.1", "127.0.0.2", "127.255.255.255", 7000
failed = 0
number = 0


def receiver(addr):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((addr, PORT))
    s.setblocking(False)
    return s


def read_all(s):
    got = []
    while True:
        try:
            got.append(s.recv(100))
        except BlockingIOError:
            return got


def check(name, want, got):
    global failed, number
    number += 1
    ok = want == got
    failed |= not ok
    print("%s %d %s" % ("ok" if ok else "not ok", number, name))
    if not ok:
        print("# expected %s, got %s" % (want, got))


def sender(mapped):
    fam = socket.AF_INET6 if mapped else socket.AF_INET
    s = socket.socket(fam, socket.SOCK_DGRAM)
    to = (lambda a: ("::ffff:" + a, PORT)) if mapped else (lambda a: (a, PORT))
    s.connect(to(A))
    s.send(b"first")            # caches the route
    return s, to


def refused(s, to):
    try:
        s.connect(to(BROADCAST))
    except OSError as e:
        return e.errno
    return 0


os.system("ip link set lo up")
print("TAP version 13\n1..8")
a, b, all_ = receiver(A), receiver(B), receiver(BROADCAST)
for mapped in False, True:
    what = "v4-mapped" if mapped else "v4"
    s, to = sender(mapped)
    s.sendto(b"corked", socket.MSG_MORE, to(B))
    s.send(b"")                 # sends the corked datagram
    check(what + " corked send to another address", [b"corked"], read_all(b))
    s.send(b"second")
    s.send(b"third")
    check(what + " sends after it", [[b"first", b"second", b"third"], []],
          [read_all(a), read_all(b)])
    s.close()

    s, to = sender(mapped)
    err = refused(s, to)
    s.send(b"second")           # looks up the route again
    s.send(b"third")
    check(what + " sends after a refused connect()",
          [errno.EACCES, [b"first", b"second", b"third"], []],
          [err, read_all(a), read_all(all_)])
    s.close()

    s, to = sender(mapped)
    s.send(b"corked ", socket.MSG_MORE)
    refused(s, to)
    s.send(b"send")
    check(what + " corked send over a refused connect()",
          [[b"first", b"corked send"], []], [read_all(a), read_all(all_)])
    s.close()
sys.exit(failed)
