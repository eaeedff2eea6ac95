#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run udpgro_esp (ESP in UDP and GRO) in the namespaces of udpgro.sh.

exec "$(dirname "$0")/udpgro.sh" udpgro_esp "$@"
