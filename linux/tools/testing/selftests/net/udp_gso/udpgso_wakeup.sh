#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgso_wakeup, which creates its own namespaces. Some errors occur only
# with two CPUs.

exec "$(dirname "$0")/udpgso_wakeup" "$@"
