#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgso_wakeup, which creates its own namespaces. Some errors can only be
# seen with two CPUs.

exec "$(dirname "$0")/udpgso_wakeup" "$@"
