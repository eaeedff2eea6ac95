# SPDX-License-Identifier: GPL-2.0
# Arguments for the command line of debug kernels.
# shellcheck shell=bash disable=SC2034

# A busy host may stop the guest for longer than the default timeouts of the watchdogs.
WATCHDOG_ARGS='watchdog_thresh=60 workqueue.watchdog_thresh=120 rcupdate.rcu_cpu_stall_timeout=120'
# Freed pages are unmapped and freed objects are poisoned. slub_debug has no red zones (Z), because KASAN adds its own.
MEMORY_ARGS='debug_pagealloc=on slub_debug=FP kfence.sample_interval=20'
