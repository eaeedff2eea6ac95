#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Send the longest UDP datagrams to a device whose MTU is larger than 65535.

exec "$(dirname "$0")/udp_max_len" "$@"
