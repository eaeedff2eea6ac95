# SPDX-License-Identifier: GPL-2.0
# Each target calls one script; `make help` lists them.

KERNEL ?= series

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## send with and without UDP_SEGMENT on each kernel, print the table
	@bench/all demo

.PHONY: bench
bench: ## measure all rows: tables and plots (SHORT=1: the rows that the tests measure)
	@bench/all $(if $(SHORT),short,full)

.PHONY: bench-check
bench-check: ## measure, hold the series against bench/bounds and the committed figures (SHORT=1)
	@bench/all --check $(if $(SHORT),short,full)

.PHONY: bench-time
bench-time: prep ## segmentation in native time, stock and series in turn on user-mode Linux (PAIRS=N)
	@PAIRS=$(or $(PAIRS),30) bench/pairs

.PHONY: profile
profile: ## instructions by kernel function (CASE=gso-44x1452 FAMILY=4 KERNELS="stock series")
	@bench/profile $(or $(CASE),gso-44x1452) $(or $(FAMILY),4) $(or $(KERNELS),stock series)

.PHONY: test
test: ## all tests (TESTS=TEXT: the jobs with TEXT in their names)
	@tests/run

.PHONY: test-list
test-list: ## the names of the jobs of make test
	@tests/run --list

.PHONY: selftest
selftest: ## one selftest, its own output (T=udpgso_wire.sh CASE=TEXT KERNEL=stock|base|series FLAVOUR=debug)
	@KERNEL='$(KERNEL)' FLAVOUR='$(FLAVOUR)' CASE='$(CASE)' tests/selftest '$(T)'

.PHONY: kunit
kunit: ## the KUnit suites of the series on user-mode Linux (SUITE=NAME)
	@tests/kunit '$(SUITE)'

.PHONY: test-uso
test-uso: build ## guests with a device that segments, against this machine (KERNEL=stock|base|series; root)
	@KERNEL=$(KERNEL) tests/kernel/virtio-uso/run

.PHONY: check
check: prep ## all checks of the series, also those that take long (CHECKS="NAME...": only these)
	@checks/run $(CHECKS)

.PHONY: check-allmod
check-allmod: prep ## every driver that names the feature compiles (allmodconfig, takes long)
	@checks/run allmod

.PHONY: prep
prep: ## the trees: work/stock, work/base, work/series
	@scripts/prep

.PHONY: build
build: prep ## a kernel (KERNEL=stock|base|series)
	@scripts/build $(KERNEL)

.PHONY: shell
shell: build ## an interactive guest (KERNEL=stock|base|series)
	@vm/run --kernel $(KERNEL) --shell

.PHONY: test-plain
test-plain: build ## random programs with UDP_SEGMENT and as plain sends (SEED=N[,N...] PROGRAMS=N KERNEL=...)
	@KERNEL='$(KERNEL)' tests/kernel/segmented-vs-plain/run $(or $(SEED),1) 1 $(or $(PROGRAMS),800)

.PHONY: test-night
test-night: prep ## random tests with seeds made from the date (SEED=YYYYMMDD SEEDS=N ROUNDS=N TIME=S); several hours
	@scripts/build stock
	@scripts/build series
	@SEED='$(SEED)' SEEDS='$(SEEDS)' PROGRAMS='$(PROGRAMS)' ROUNDS='$(ROUNDS)' TIME='$(TIME)' tests/night

.PHONY: test-diff
test-diff: prep ## the same random programs on stock and on series (SEED=N ROUNDS=N, 5,000 operations each; 20 at night)
	@scripts/build stock
	@scripts/build series
	@tests/kernel/stock-vs-series/run $(or $(SEED),1) $(or $(ROUNDS),1)

.PHONY: test-faults
test-faults: prep ## each allocation of a segmented send fails in turn, devices change under senders (debug kernel)
	@scripts/build series debug
	@tests/kernel/fault-injection/run

.PHONY: test-debug
test-debug: ## the selftests on kernels that look for bugs and races (TESTS=TEXT as above)
	@tests/kernel/sanitizers/run

.PHONY: soak
soak: ## senders, receivers, settings at random on the debug kernel (MINUTES=30 SEED=1)
	@tests/kernel/soak/run $(or $(MINUTES),30) $(or $(SEED),1)

.PHONY: trust
trust: ## docs/trust.md: puts in the results of what was run here
	@scripts/trust

.PHONY: port
port: ## the series as commits on your own git tree of 6.12.y (TREE=/path)
	@scripts/port '$(TREE)'

.PHONY: series-mbox
series-mbox: prep ## the mails of a topic, in work/outgoing (TOPIC=1-udp-gso VERSION=2)
	@scripts/series send '$(TOPIC)' $(if $(VERSION),-v$(VERSION))

.PHONY: test-mutants
test-mutants: prep ## small wrong changes to the series: does the test notice that has to? (MUTANTS="NAME...": only these)
	@tests/tools/mutants/run $(MUTANTS)

.PHONY: test-machines
test-machines: prep ## KUnit and selftests on emulated s390x, arm, arm64 with 64 KiB pages; clang, PREEMPT_RT, ... (MACHINES="NAME...")
	@tests/kernel/other-machines/run $(MACHINES)

.PHONY: coverage
coverage: prep ## which lines of the series run in its own tests
	@tests/kernel/coverage/run

.PHONY: fuzz-vnet
fuzz-vnet: prep ## random virtio headers into taps and packet sockets, with KASAN (SEED=N TIME=S KERNEL=..., or REPLAY=FILE)
	@KERNEL='$(KERNEL)' SEED='$(SEED)' TIME='$(TIME)' REPLAY='$(REPLAY)' tests/kernel/fuzz-vnet/run

.PHONY: deb
deb: prep ## Debian packages of the series in work/deb, Debian's own configuration (FLAVOUR=cloud-amd64|amd64 DEBUG_INFO=1)
	@FLAVOUR='$(FLAVOUR)' DEBUG_INFO='$(DEBUG_INFO)' scripts/deb

.PHONY: test-deb
test-deb: prep ## install these packages in a Debian of their own, boot it, use it, remove them (FLAVOUR=...; root)
	@FLAVOUR='$(FLAVOUR)' DEBUG_INFO='$(DEBUG_INFO)' tests/kernel/packages/run

.PHONY: clean
clean: ## what was built; the trees stay
	@rm -rf work/build work/uml-* work/selftests work/passed work/prefix.good
