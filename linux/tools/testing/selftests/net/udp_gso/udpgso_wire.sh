#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgso_wire in the namespaces of udpgso.sh.

exec "$(dirname "$0")/udpgso.sh" udpgso_wire "$@"
