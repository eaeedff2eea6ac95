#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# A guest receives UDP GSO packets if guest_uso4 is the only guest GSO feature
# of its device, and if the device has no mergeable receive buffers. Run this
# program on the host, as root:
#	guest_uso4.py KERNEL	boots a guest with KERNEL and sends to it
#	guest_uso4.py receive	the program of the guest
# For: virtio_net: provide large buffers if the device has only one USO feature
import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
TUNSETIFF, TUNSETOFFLOAD = 0x400454ca, 0x400454d0
TAP_NO_PI_VNET_HDR = 0x2 | 0x1000 | 0x4000
CSUM_USO4_USO6 = 0x1 | 0x20 | 0x40
UDP_SEGMENT = 103
HOST, GUEST, PORT, SIZE = "192.0.2.1", "192.0.2.2", 7000, 1400
MAC = "02:55:53:4f:02:01"
# Properties of the device that are off, and the feature bits of guest_uso4,
# and of these properties
OFF = ("mrg_rxbuf", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "guest_uso6")
BITS = (54, 15, 7, 8, 9, 10, 55)
# Datagrams of these lengths end a burst and the guest's program.
END_OF_BURST, END = 1, 2


def ip(line):
    subprocess.run(["ip", *line.split()], check=True)


def receive():
    """Print the feature bits, and the number of datagrams of each burst."""
    device, = pathlib.Path("/sys/bus/virtio/drivers/virtio_net").glob("virtio*")
    name, = (d.name for d in (device / "net").iterdir())
    ip("link set %s up" % name)
    ip("addr add %s/24 dev %s" % (GUEST, name))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind((GUEST, PORT))
    s.settimeout(20)
    features = (device / "features").read_text()
    print("features", *(features[b] for b in BITS), flush=True)
    n = 0
    while (length := len(s.recv(4000))) != END:
        if length == END_OF_BURST:
            print("datagrams", n, flush=True)
            n = 0
        else:
            n += length == SIZE


def skip(reason):
    print("TAP version 13\n1..0 # SKIP", reason)
    sys.exit(0)


def enter_namespace():
    if os.geteuid():
        skip("not run as root")
    # QEMU is downloaded here, if that is necessary, because the namespace has no
    # network.
    qemu = subprocess.run([TOP / "vm/qemu-with-uso"], capture_output=True, check=False, text=True)
    if qemu.returncode:
        skip(qemu.stderr.strip().rpartition("\n")[2])
    os.environ["PATH"] = qemu.stdout.strip() + ":" + os.environ["PATH"]
    os.environ["GUEST_USO4_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])


def tap():
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"tap0", TAP_NO_PI_VNET_HDR))
        fcntl.ioctl(fd, TUNSETOFFLOAD, CSUM_USO4_USO6)
    except OSError as e:
        skip("this machine has no taps with USO: %s" % e)
    ip("link set tap0 addrgenmode none up")
    ip("addr add %s/24 dev tap0" % HOST)
    ip("neigh add %s lladdr %s dev tap0" % (GUEST, MAC))
    return fd


def boot(kernel, fd):
    device = "virtio-net-pci,netdev=net,mac=%s,%s=off" % (MAC, "=off,".join(OFF))
    return subprocess.Popen(
        [TOP / "vm/run", "--kernel", kernel, "--root", "host", "--timeout", "120",
         "--qemu", "-netdev", "--qemu", "tap,id=net,fd=%d" % fd,
         "--qemu", "-device", "--qemu", device,
         "--", "%s receive" % pathlib.Path(__file__).resolve()],
        pass_fds=[fd], stdout=subprocess.PIPE, text=True)


def burst(sock, guest, datagrams):
    sock.setsockopt(socket.SOL_UDP, UDP_SEGMENT, SIZE if datagrams > 1 else 0)
    sock.send(bytes(SIZE * datagrams))
    sock.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 0)
    sock.send(bytes(END_OF_BURST))
    return guest.stdout.readline().strip()


def send(kernel):
    failed = False

    def check(number, name, want, got):
        nonlocal failed
        failed |= want != got
        print("%s %d %s" % ("ok" if want == got else "not ok", number, name), flush=True)
        if want != got:
            print("# expected `%s', got `%s'" % (want, got), flush=True)

    fd = tap()
    print("TAP version 13\n1..4", flush=True)
    guest = boot(kernel, fd)
    check(1, "the device has guest_uso4 only", "features 1 0 0 0 0 0 0",
          guest.stdout.readline().strip())
    # QEMU has enabled USO4 only, which a tap ignores: it sends GSO packets only
    # if USO4 and USO6 are enabled.
    fcntl.ioctl(fd, TUNSETOFFLOAD, CSUM_USO4_USO6)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((GUEST, PORT))
    check(2, "1 datagram", "datagrams 1", burst(sock, guest, 1))
    check(3, "1 GSO packet of 44 datagrams", "datagrams 44", burst(sock, guest, 44))
    sock.send(bytes(END))
    check(4, "the guest ends with status 0", 0, guest.wait())
    return failed


if len(sys.argv) != 2:
    sys.exit("usage: guest_uso4.py KERNEL|receive")
if sys.argv[1] == "receive":
    receive()
elif "GUEST_USO4_NAMESPACE" not in os.environ:
    enter_namespace()
else:
    sys.exit(send(sys.argv[1]))
