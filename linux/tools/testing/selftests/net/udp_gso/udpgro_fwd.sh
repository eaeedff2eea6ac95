#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgro_wire with rx-udp-gro-forwarding in the namespaces of udpgro.sh.

exec "$(dirname "$0")/udpgro.sh" "udpgro_wire fwd" "$@"
