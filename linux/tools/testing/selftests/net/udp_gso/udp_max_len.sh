#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Send the longest UDP datagrams to a device with a longer MTU.

exec "$(dirname "$0")/udp_max_len" "$@"
