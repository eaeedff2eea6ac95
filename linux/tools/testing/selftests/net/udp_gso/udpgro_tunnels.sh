#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgro_tunnels, which creates its own namespace.

exec "$(dirname "$0")/udpgro_tunnels" "$@"
