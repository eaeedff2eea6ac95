#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgso_wireguard, which creates its own namespaces.

exec "$(dirname "$0")/udpgso_wireguard" "$@"
