#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in namespace N when the taps exist: configures the devices and routes between the inputs and the outputs.
# The destinations are 10.0.K.2 and fd00::K:2. K is 0 for local sockets, 1 to 5 for taps with different offloads, 6 and
# 7 for sockets behind a veth with and without offloads, 8 for a tap behind another router, 9 for a vlan device, 10 for
# vxlan, 11 for gre, 12 for ipip and sit, and 13 for a destination behind NAT.
set -euo pipefail

mac=02:00:00:00:00:01

# route DEV K: prints the routes to both destinations, with permanent neighbours, so that the kernel sends no ARP and no
# ND
route() { route_tunnel "$1" "$2"; neighbours "$1" 0 "$2" 2; }
# neighbours DEV A B C: prints the permanent neighbours 10.A.B.C and fd00::AB:C
neighbours() {
	printf "neigh replace 10.%d.%d.%d dev $1 lladdr $mac nud permanent\n" "$2" "$3" "$4"
	printf "neigh replace fd00::%x%02x:%d dev $1 lladdr $mac nud permanent\n" "$2" "$3" "$4"
}
route_tunnel() { printf 'route add 10.0.%d.2/32 dev %s\nroute add fd00::%x:2/128 dev %s\n' "$2" "$1" "$2" "${3-$1}"; }
# back DEV K: prints the routes to the source addresses. On a device with neighbours, it also prints a permanent
# neighbour for each source address, so that the kernel sends no ARP and no ND.
back() {
	printf 'route add 10.1.%d.9/32 dev %s\nroute add fd00::1%02x:9/128 dev %s\n' "$2" "$1" "$2" "$1"
	[[ $1 == t3 || $1 == t4 ]] || neighbours "$1" 1 "$2" 9
}
up() { local dev; for dev; do printf 'link set %s address %s\nlink set %s up\n' "$dev" $mac "$dev"; done; }
address() { printf 'addr add 10.0.%d.1/32 dev %s\naddr add fd00::%x:1/128 dev %s nodad\n' "$2" "$1" "$2" "$1"; }

for ns in N F M; do
	# The kernel must send no packets of its own (MLD, ND), and no result may depend on time (fragment timeouts,
	# ICMP rate limits).
	# shellcheck disable=SC2016 # expanded by the inner shell
	ip netns exec $ns sh -c '
		cd /proc/sys/net
		for d in default all; do
			echo 1 >ipv6/conf/$d/addr_gen_mode; echo 0 >ipv6/conf/$d/accept_dad; echo 0 >ipv6/conf/$d/accept_ra
			echo 1 >ipv6/conf/$d/forwarding; echo 0 >ipv4/conf/$d/rp_filter
			echo 0 >ipv4/conf/$d/send_redirects
		done
		echo 1 >ipv4/ip_forward; echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit
		echo 3600 >ipv4/ipfrag_time; echo 3600 >ipv6/ip6frag_time; echo 0 >ipv6/auto_flowlabels
		echo 64000000 >ipv4/ipfrag_high_thresh; echo 64000000 >ipv6/ip6frag_high_thresh
		echo 0 >ipv4/tcp_invalid_ratelimit
		for f in ipv4/icmp_msgs_per_sec ipv4/icmp_msgs_burst; do [ ! -e $f ] || echo 1000000 >$f; done'
	ip netns exec $ns nft 'table ip6 quiet { chain out { type filter hook output priority 0;
		icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit,
			nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } drop; }; }'
done

{
	up e1 e2 e3 e4 e5 u e16 e17 t0 t1 t2 t5 t6
	printf 'link set %s up\n' t3 t4 lo
	printf '%s\n' 'link set g8 netns F' 'link set g14 netns M' \
		'link add v6 type veth peer name f6 netns F' 'link add v7 type veth peer name f7 netns F' \
		'link add v13 type veth peer name n13 netns M' \
		'link add link e2 name e9 type vlan id 9' 'link add d0 type dummy' \
		'link add link e4 name m7 type macvtap mode bridge' \
		'link add br0 type bridge' 'link set t5 master br0' 'link set e16 master br0' 'link set e17 master br0' \
		'addr add 10.0.0.2/32 dev lo' 'addr add fd00::2/128 dev lo' \
		'addr add 10.0.250.1/32 dev u' 'addr add fd00::fa:1/128 dev u nodad' \
		'route add 10.0.250.2/32 dev u' 'route add fd00::fa:2/128 dev u'
	neighbours u 0 250 2
	v4='local 10.0.250.1 remote 10.0.250.2' v6='local fd00::fa:1 remote fd00::fa:2'
	printf '%s\n' "link add e10 type vxlan id 7 $v4 dstport 4789 srcport 5000 5001 dev u" \
		"link add x10 type vxlan id 7 $v6 dstport 4789 srcport 5000 5001 dev u" \
		"link add e11 type gre $v4" "link add x11 type ip6gre $v6" "link add e12 type ipip $v4" \
		"link add s12 type sit $v4" "link add x12 type ip6tnl mode any $v6"
	up v6 v7 v13 e9 d0 br0 e10 x10
	printf 'link set m7 up\n'
	printf 'link set %s up\n' e11 x11 e12 s12 x12
	for k in 1 2 3 4 5 9 10; do route e$k $k; address e$k $k; done
	for k in 6 7 13; do route v$k $k; address v$k $k; done
	route v6 8
	route_tunnel e11 11
	route_tunnel e12 12 s12
	for k in {0..22}; do
		dev=e2
		((k > 6 || k == 5)) || dev=t$k
		back "$dev" "$k"
	done
} | ip -batch -

{
	up g8 f6 f7
	printf 'link set lo up\n'
	printf 'addr add %s dev %s\n' 10.0.6.2/32 f6 10.0.7.2/32 f7 'fd00::6:2/128' 'f6 nodad' 'fd00::7:2/128' 'f7 nodad'
	route g8 8
	for k in {0..22}; do back f6 "$k"; done
} | ip -n F -batch -

{
	up g14 n13
	printf 'link set lo up\n'
	route g14 14
	printf 'addr add 10.0.13.3/32 dev n13\naddr add fd00::d:3/128 dev n13 nodad\n'
	for k in {0..22}; do back n13 "$k"; done
} | ip -n M -batch -

ethtool -K e5 sg off >/dev/null
ethtool -K v7 tx off >/dev/null
ip netns exec F ethtool -K f6 gro on >/dev/null
ip netns exec F ethtool -K f6 rx-udp-gro-forwarding on >/dev/null 2>&1 || echo 'no rx-udp-gro-forwarding'
ip netns exec M nft 'table ip nat { chain pre { type nat hook prerouting priority -100; ip daddr 10.0.13.2 dnat to 10.0.14.2; }; };
	table ip6 nat { chain pre { type nat hook prerouting priority -100; ip6 daddr fd00::d:2 dnat to fd00::e:2; }; }'
tc qdisc add dev t6 clsact
tc filter add dev t6 ingress protocol all matchall action csum ip4h udp tcp icmp pipe action mirred egress mirror dev e3 pipe \
	action mirred egress redirect dev e1
