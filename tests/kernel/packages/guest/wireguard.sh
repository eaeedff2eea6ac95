# SPDX-License-Identifier: GPL-2.0
# Tunnels between the two namespaces of `main', which sources this: the kernel's WireGuard, and wireguard-go.
# shellcheck shell=bash disable=SC2154

# keys NAME...: makes a private and a public key for each NAME.
# peer NS DEV NAME OTHER PORT INNER-OTHER ENDPOINT-OTHER: configures DEV in NS with the key of NAME, and with OTHER as
# its peer: INNER-OTHER is allowed in the tunnel, ENDPOINT-OTHER is the outer address. Both use PORT.
keys() { local n; for n; do wg genkey | tee "$tmp/$n" | wg pubkey >"$tmp/$n.pub"; done; }
peer() {
	ip netns exec "$1" wg set "$2" private-key "$tmp/$3" listen-port "$5" \
		peer "$(<"$tmp/$4.pub")" allowed-ips "$6/32" endpoint "$7:$5"
}

in_kernel() {
	keys a b
	ip -n one link add wg0 type wireguard
	ip -n two link add wg0 type wireguard
	peer one wg0 a b 51820 10.9.0.2 192.0.2.2
	peer two wg0 b a 51820 10.9.0.1 192.0.2.1
	ip -n one addr add 10.9.0.1/24 dev wg0
	ip -n two addr add 10.9.0.2/24 dev wg0
	ip -n one link set wg0 up
	ip -n two link set wg0 up
	one ping -c 1 -w 60 10.9.0.2
	xmit wg0 transfer 10.9.0.2 1392
	two wg show wg0
	within "$(wc -l <"$tmp/xmit")" "$BURSTS" "$BURSTS" &&
		within "$(two wg show wg0 transfer | cut -f 2)" "$((BURSTS * SEGMENTS * 1392))" "$((BURSTS * SEGMENTS * 1600))"
}

# Sends a TCP stream through a tunnel of wireguard-go, which uses UDP_SEGMENT if the kernel supports it. The peer is the
# WireGuard of the kernel.
in_program() {
	keys c d
	one strace -f -s 16 -e trace=setsockopt,getsockopt,sendmsg,sendmmsg -o "$tmp/strace" \
		env LOG_LEVEL=verbose wireguard-go -f wg1 >"$tmp/wireguard-go" 2>&1 &
	ip -n two link add wg2 type wireguard
	timeout 60 bash -c 'until [[ -S /run/wireguard/wg1.sock ]]; do sleep 0.2; done'
	peer one wg1 c d 51821 10.10.0.2 192.0.2.2
	peer two wg2 d c 51821 10.10.0.1 192.0.2.1
	ip -n one addr add 10.10.0.1/24 dev wg1
	ip -n two addr add 10.10.0.2/24 dev wg2
	ip -n one link set wg1 mtu 1420 up
	ip -n two link set wg2 up
	one ping -c 1 -w 60 10.10.0.2 || { cat "$tmp/wireguard-go"; tail -n 20 "$tmp/strace"; return 1; }
	two iperf3 -s -1 >"$tmp/server" 2>&1 &
	timeout 60 bash -c 'until ip netns exec two ss -ltn | grep -q :5201; do sleep 0.2; done'
	xmit veth0 one timeout 120 iperf3 -c 10.10.0.2 -n 8M --connect-timeout 20000 || { cat "$tmp/wireguard-go"; return 1; }
	grep -m 3 -E 'cmsg_type=(UDP_SEGMENT|0x67)' "$tmp/strace" || { tail -n 20 "$tmp/strace"; return 1; }
	within "$(grep -cE 'cmsg_type=(UDP_SEGMENT|0x67)' "$tmp/strace")" 10 1000000 &&
		within "$(wc -l <"$tmp/xmit")" 10 1000000
}
