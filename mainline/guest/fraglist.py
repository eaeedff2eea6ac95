#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# A router with rx-gro-list receives bursts of three frames, which GRO
# aggregates. All three have to be forwarded unchanged, or to be received by a
# socket of the router.
#   other hosts: The frames belong to a tunnel between other hosts, and are
#     forwarded with their tunnel headers. In some cases, the router has tunnel
#     devices of its own. Frames from tap have more headroom than those from
#     veth. Without the fix, TCP from veth can crash the kernel: run this
#     program only in the guest.
#   complete: The frames come through a tunnel with checksums that ends on the
#     router. The router computes the outer checksum in software, which sets
#     CHECKSUM_COMPLETE, and GRO on the tunnel device aggregates the frames.
# Run in a network namespace of its own: unshare -n python3 fraglist.py [TEXT]
# With TEXT, only the cases with this text in their names run.
# For: udp, tcp: set the inner transport header of fraglist packets in tunnels
#      udp, tcp: do not keep CHECKSUM_COMPLETE in fraglist packets
import fcntl
import os
import socket
import struct
import subprocess
import sys

SEGMENTS, SIZE = 3, 1000
SPORT, DPORT, OUTER_SPORT, VXLAN_PORT, FOU_PORT = 5000, 7000, 4444, 4789, 5555
TCP, UDP, GRE = 6, 17, 47
# IPv4 and IPv6 addresses of the router, on its input device and on vx1
ROUTER, ROUTER_VX1 = ("192.0.2.1", "2001:db8:1::1"), ("203.0.113.1", "2001:db8:3::1")
# Addresses of the other end of a tunnel, of the sender in the tunnel, and of the
# host behind the router
PEER, SENDER, DEST = (("192.0.2.9", "2001:db8:1::9"), ("203.0.113.9", "2001:db8:3::9"),
                      ("198.51.100.2", "2001:db8:2::2"))
ROUTER_MAC, VX1_MAC, VX2_MAC, OTHER_MAC = ["02:00:00:00:00:0%d" % i for i in range(1, 5)]


def run(command):
    subprocess.run(command, shell=True, check=True)


def ip(lines, force=""):
    subprocess.run("ip %s -batch -" % force, shell=True, input=lines, text=True, check=not force,
                   stderr=subprocess.DEVNULL if force else None)


def aggregate(dev):
    """Let GRO on this device aggregate the frames of a burst."""
    run("ethtool -K %s gro on rx-gro-list on >/dev/null" % dev)
    # /sys/class/net has the devices of the namespace that mounted /sys.
    run("unshare -m sh -c 'mount -t sysfs s /sys && echo 1 >/sys/class/net/%s/threaded'" % dev)


# Packets

def checksum(data):
    data += b"\0" * (len(data) & 1)
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def addr(a):
    return socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a)


def ip_packet(src, dst, proto, ident, payload):
    addrs = addr(src) + addr(dst)
    if ":" in src:
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + addrs + payload
    h = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, 0x4000, 64, proto, 0)
    return h[:10] + struct.pack("!H", checksum(h + addrs)) + addrs + payload


def is_v6(packet):
    return packet[0] >> 4 == 6


def proto_of(packet):
    return packet[6 if is_v6(packet) else 9]


def payload_of(packet):
    return packet[40 if is_v6(packet) else 20:]


def l4_packet(src, dst, proto, ident, header, offset, payload):
    """OFFSET is that of the checksum in HEADER."""
    pseudo = addr(src) + addr(dst) + struct.pack("!II", len(header + payload), proto)
    c = checksum(pseudo + header + payload) or 0xffff
    header = header[:offset] + struct.pack("!H", c) + header[offset + 2:]
    return ip_packet(src, dst, proto, ident, header + payload)


def udp_header(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)


def datagram(proto, src, dst, i):
    payload = bytes((i + j) & 0xff for j in range(SIZE))
    if proto == TCP:
        h = struct.pack("!HHIIBBHHH", SPORT, DPORT, 1 + i * SIZE, 1, 0x50, 0x10, 1000, 0, 0)
        return l4_packet(src, dst, TCP, i, h, 16, payload)
    return l4_packet(src, dst, UDP, i, udp_header(SPORT, DPORT, payload), 6, payload)


def burst(proto, src, dst):
    return [datagram(proto, src, dst, i) for i in range(SEGMENTS)]


def eth(dst, packet):
    mac = bytes.fromhex((dst + OTHER_MAC).replace(":", ""))
    return mac + (b"\x86\xdd" if is_v6(packet) else b"\x08\x00") + packet


def vxlan(vni, dst_mac, packet):
    return struct.pack("!II", 8 << 24, vni << 8) + eth(dst_mac, packet)


def in_udp(src, dst, dport, i, payload, csum):
    h = udp_header(OUTER_SPORT, dport, payload)
    if csum:
        return l4_packet(src, dst, UDP, i, h, 6, payload)
    return ip_packet(src, dst, UDP, i, h + payload)


def in_gre(src, dst, i, packet, csum):
    h = struct.pack("!HH", 0x8000 if csum else 0, 0x86dd if is_v6(packet) else 0x800)
    if csum:
        h += struct.pack("!HH", checksum(h + bytes(4) + packet), 0)
    return ip_packet(src, dst, GRE, i, h + packet)


# The router

def tap():
    fd = os.open("/dev/net/tun", os.O_RDWR)
    # TUNSETIFF with IFF_TAP, IFF_NO_PI and IFF_NAPI
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tap0", 0x2 | 0x1000 | 0x10))
    ip("link set tap0 address %s addrgenmode none up\n" % ROUTER_MAC)
    return lambda frame: os.write(fd, frame)


def veth():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("t0", 0))
    return s.send


def setup():
    # The destination address of forwarded frames is not that of d1, so that d1
    # does not forward them again.
    ip("""
link add t0 type veth peer name r0 address %s
link add d0 type veth peer name d1
link set t0 addrgenmode none up
link set r0 addrgenmode none up
link set d0 addrgenmode none up
link set d1 addrgenmode none up
addr add 192.0.2.1/24 dev r0
addr add 2001:db8:1::1/64 dev r0 nodad
addr add 198.51.100.1/24 dev d0
addr add 2001:db8:2::1/64 dev d0 nodad
neigh add 198.51.100.2 lladdr %s dev d0
neigh add 2001:db8:2::2 lladdr %s dev d0
""" % (ROUTER_MAC, OTHER_MAC, OTHER_MAC))
    run("sysctl -wq net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    # While the sender has TSO on, veth does not pass all packets to GRO.
    run("ethtool -K t0 tso off tx-udp-segmentation off >/dev/null")
    run("ethtool -K d0 tx off tx-udp-segmentation off tx-gso-list off >/dev/null")


def setup_no_device():
    aggregate("r0")
    aggregate("tap0")


def setup_devices():
    setup_no_device()
    ip("link add o4 type vxlan id 1 local %s dstport %d\nlink set o4 up\n"
       "link add o6 type vxlan id 2 local %s dstport %d\nlink set o6 up\n" %
       (ROUTER[0], VXLAN_PORT, ROUTER[1], VXLAN_PORT))
    for option in "-4", "-6":
        subprocess.run("ip %s fou add port %d ipproto 4; ip %s fou add port %d ipproto 41" %
                       (option, FOU_PORT, option, FOU_PORT + 1), shell=True, check=True)


def setup_complete():
    run("ethtool -K r0 gro off >/dev/null")
    ip("link del o4\nlink del o6\n", force="-force")
    ip("""
link add vx1 address %s type vxlan id 1 local %s dstport %d
link set vx1 addrgenmode none up
addr add 203.0.113.1/24 dev vx1
addr add 2001:db8:3::1/64 dev vx1 nodad
link add vx2 address %s type vxlan id 2 local 203.0.113.1 dstport %d
link set vx2 addrgenmode none up
link add gre1 type gre local %s remote %s icsum
link set gre1 addrgenmode none up
""" % (VX1_MAC, ROUTER[0], VXLAN_PORT, VX2_MAC, VXLAN_PORT, ROUTER[0], PEER[0]))
    aggregate("vx1")
    aggregate("gre1")


# Cases: each returns the expected and the received payloads

def send_burst(device, packets):
    # The real-time priority makes the NAPI thread wait until all frames are sent.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    for p in packets:
        send_to[device](eth(ROUTER_MAC, p))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def receive(packets, recv):
    """Read as many packets as are expected."""
    got = []
    try:
        while len(got) < SEGMENTS:
            got += recv()
    except TimeoutError:
        pass
    return [payload_of(p) for p in packets], got


def forwarded():
    p = wire.recv(5000)[14:]
    return [payload_of(p)] if proto_of(p) in (TCP, UDP, GRE, 4, 41) else []


def other_hosts(device, tunnel, outer, fam, proto):
    src, dst = PEER[outer], DEST[outer]
    packets = []
    for i, p in enumerate(burst(proto, SENDER[fam], DEST[fam])):
        if tunnel == "VXLAN":
            p = in_udp(src, dst, VXLAN_PORT, i, vxlan(9, OTHER_MAC, p), False)
        elif tunnel == "FOU":
            p = in_udp(src, dst, FOU_PORT + fam, i, p, False)
        elif tunnel == "GRE":
            p = in_gre(src, dst, i, p, False)
        else:
            p = ip_packet(src, dst, (4, 41)[fam], i, p)
        packets.append(p)
    send_burst(device, packets)
    return receive(packets, forwarded)


def through(tunnel, packets):
    """The packets in a tunnel that ends on the router."""
    if tunnel == "GRE":
        return [in_gre(PEER[0], ROUTER[0], i, p, True) for i, p in enumerate(packets)]
    return [in_udp(PEER[0], ROUTER[0], VXLAN_PORT, i, vxlan(1, VX1_MAC, p), True)
            for i, p in enumerate(packets)]


def conntrack(tunnel, fam, proto):
    packets = burst(proto, SENDER[fam], DEST[fam])
    run("nft 'table inet f { chain f { type filter hook forward priority 0;"
        "ct state invalid drop; }; }'")
    send_burst("veth", through(tunnel, packets))
    result = receive(packets, forwarded)
    run("nft flush ruleset")
    return result


def nested(tunnel, fam, proto):
    packets = burst(proto, SENDER[fam], DEST[fam])
    inner = [in_udp(SENDER[0], ROUTER_VX1[0], VXLAN_PORT, i, vxlan(2, VX2_MAC, p), True)
             for i, p in enumerate(packets)]
    send_burst("veth", through(tunnel, inner))
    return receive(packets, forwarded)


def local(tunnel, fam, proto):
    packets = burst(proto, SENDER[fam], ROUTER_VX1[fam])
    with socket.socket((socket.AF_INET, socket.AF_INET6)[fam], socket.SOCK_DGRAM) as s:
        s.bind((ROUTER_VX1[fam], DPORT))
        s.settimeout(1)
        send_burst("veth", through(tunnel, packets))
        want, got = receive(packets, lambda: [s.recv(5000)])
    return [p[8:] for p in want], got


def all_cases():
    protos = {"UDP": UDP, "TCP": TCP}
    families = [("v%d %s" % ((4, 6)[f], p), f, protos[p]) for f in (0, 1) for p in protos]
    for prepare, where, tunnels in (
            (setup_no_device, ", no tunnel device", ("VXLAN", "GRE", "IP")),
            (setup_devices, "", ("VXLAN", "FOU", "GRE", "IP"))):
        for device in "tap", "veth":
            for tunnel in tunnels:
                for outer in 0, 1:
                    for name, fam, proto in families:
                        yield ("other hosts, %s from %s: %s in v%d%s" %
                               (tunnel, device, name, (4, 6)[outer], where),
                               prepare, other_hosts, device, tunnel, outer, fam, proto)
    for tunnel in "VXLAN", "GRE":
        for name, fam, proto in families:
            for what, function in (("conntrack", conntrack), ("VXLAN inside", nested),
                                   ("socket", local)):
                if function != local or proto == UDP:
                    yield ("complete, %s, %s: %s" % (tunnel, what, name),
                           setup_complete, function, tunnel, fam, proto)


text = sys.argv[1] if len(sys.argv) > 1 else ""
cases = [c for c in all_cases() if text in c[0]]
if not cases:
    sys.exit("no case has `%s' in its name" % text)
print("TAP version 13\n1..%d" % len(cases), flush=True)
setup()
send_to = {"tap": tap(), "veth": veth()}
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
wire.bind(("d1", 3))
wire.settimeout(1)
failed, prepared = False, None
for number, (name, prepare, function, *args) in enumerate(cases, 1):
    if prepare != prepared:
        prepare()
        prepared = prepare
    want, got = function(*args)
    failed |= want != got
    print("%s %d %s" % ("ok" if want == got else "not ok", number, name), flush=True)
    if want != got:
        print("# %d of %d packets, %d of them correct" %
              (len(got), len(want), sum(g in want for g in got)), flush=True)
sys.exit(failed)
