#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgro_wire with rx-gro-list in the namespaces of udpgro.sh.

exec "$(dirname "$0")/udpgro.sh" "udpgro_wire list" "$@"
