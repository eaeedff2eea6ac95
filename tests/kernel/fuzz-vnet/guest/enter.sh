#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Makes the namespaces N, F and M of the guest and runs a command in N. The limits of the kernel are so high that no
# result depends on time.
set -e
cd /proc/sys/net
echo 1000000 >core/netdev_max_backlog
echo 100000 >core/netdev_budget
echo 1000000 >core/netdev_budget_usecs
echo 900000 900000 900000 >ipv4/udp_mem
echo 1000000 >ipv4/icmp_msgs_per_sec
echo 1000000 >ipv4/icmp_msgs_burst
# Do not limit the rate of ICMP errors for packets without a route.
echo 0 >ipv4/route/error_cost
for n in N F M; do ip netns add $n; done
cd /
exec ip netns exec N "$@"
