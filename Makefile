# SPDX-License-Identifier: GPL-2.0
# Each target calls a script; `make help` lists the targets.

KERNEL ?= series

TARGETS = $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' Makefile)

.DEFAULT:
	$(error no target `$@'; there are: $(TARGETS))

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## measure sends with and without UDP_SEGMENT on each kernel, print the table
	@bench/all demo

.PHONY: bench
bench: ## measure all rows: tables and plots (SHORT=1: the rows that the tests measure)
	@bench/all $(if $(SHORT),short,full)

.PHONY: bench-check
bench-check: ## measure, compare the series with bench/bounds and the committed figures (SHORT=1)
	@bench/all --check $(if $(SHORT),short,full)

.PHONY: bench-time
bench-time: prep ## measure the native time of segmentation on user-mode Linux of stock and series (PAIRS=N)
	@PAIRS=$(or $(PAIRS),30) bench/pairs

.PHONY: profile
profile: ## instructions by kernel function (CASE=gso-44x1452 FAMILY=4 KERNELS="stock series")
	@bench/profile $(or $(CASE),gso-44x1452) $(or $(FAMILY),4) $(or $(KERNELS),stock series)

.PHONY: test
test: ## all tests; resumes after an interrupt (TESTS=TEXT: only the jobs with TEXT in their names)
	@tests/run

.PHONY: test-list
test-list: ## the names of the jobs of make test
	@tests/run --list

.PHONY: selftest
selftest: ## one selftest, its own output (T=udpgso_wire.sh CASE=TEXT KERNEL=stock|base|series FLAVOUR=debug SLOW_PATH=1)
	@KERNEL='$(KERNEL)' FLAVOUR='$(FLAVOUR)' CASE='$(CASE)' SLOW_PATH='$(SLOW_PATH)' tests/selftest '$(T)'

.PHONY: kunit
kunit: ## the KUnit suites of the series on user-mode Linux (SUITE=NAME)
	@tests/kunit '$(SUITE)'

.PHONY: test-uso
test-uso: build ## test traffic between the host and guests whose device segments (KERNEL=stock|base|series; root)
	@KERNEL=$(KERNEL) tests/kernel/virtio-uso/run

.PHONY: check
check: prep ## all checks of the series, also the slow ones (CHECKS="NAME...": only these)
	@checks/run $(CHECKS)

.PHONY: check-allmod
check-allmod: prep ## compile every driver that names the feature (allmodconfig, slow)
	@checks/run allmod

.PHONY: prep
prep: ## make the trees: work/stock, work/base, work/series
	@scripts/prep

.PHONY: build
build: prep ## build a kernel (KERNEL=stock|base|series)
	@scripts/build $(KERNEL)

.PHONY: shell
shell: build ## an interactive guest (KERNEL=stock|base|series)
	@vm/run --kernel $(KERNEL) --shell

.PHONY: test-plain
test-plain: build ## random programs, with UDP_SEGMENT and as plain sends (SEED=N[,N...] PROGRAMS=N KERNEL=...)
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
test-faults: prep ## each allocation of a segmented send fails in turn; devices change during sends (debug kernel)
	@scripts/build series debug
	@tests/kernel/fault-injection/run

.PHONY: test-debug
test-debug: ## the selftests on debug kernels, for bugs and data races; resumes (TESTS=TEXT as above)
	@tests/kernel/sanitizers/run

.PHONY: soak
soak: ## random senders, receivers and settings on the debug kernel (MINUTES=30 SEED=1)
	@tests/kernel/soak/run $(or $(MINUTES),30) $(or $(SEED),1)

.PHONY: trust
trust: ## update docs/trust.md with the results of the last runs
	@scripts/trust

.PHONY: mainline
mainline: ## stock 7.3 with the fixes of mainline/: the test of each fix fails on stock and passes with the fixes
	@tests/kernel/mainline/run

.PHONY: port
port: ## apply the series to your own git tree of 6.12.y (TREE=/path)
	@scripts/port '$(TREE)'

.PHONY: series-mbox
series-mbox: prep ## write the mails of a topic to work/outgoing (TOPIC=1-udp-gso|mainline/net|... VERSION=2 BASE=COMMIT DRAFT=1)
	@BASE='$(BASE)' scripts/series send '$(TOPIC)' $(if $(VERSION),-v$(VERSION)) $(if $(DRAFT),--draft)

.PHONY: test-mutants
test-mutants: prep ## small wrong changes to the series; each one must make a test fail (MUTANTS="NAME...": only these)
	@tests/tools/mutants/run $(MUTANTS)

.PHONY: test-machines
test-machines: prep ## KUnit and selftests on emulated machines, and with clang, PREEMPT_RT, ... (MACHINES="NAME...": only these)
	@tests/kernel/other-machines/run $(MACHINES)

.PHONY: coverage
coverage: prep ## find the lines of the series that its tests run
	@tests/kernel/coverage/run

.PHONY: fuzz-vnet
fuzz-vnet: prep ## random virtio headers into taps and packet sockets, with KASAN (SEED=N TIME=S KERNEL=..., or REPLAY=FILE)
	@KERNEL='$(KERNEL)' SEED='$(SEED)' TIME='$(TIME)' REPLAY='$(REPLAY)' tests/kernel/fuzz-vnet/run

.PHONY: deb
deb: prep ## Debian packages of the series in work/deb, with Debian's configuration (FLAVOUR=cloud-amd64|amd64 DEBUG_INFO=1)
	@FLAVOUR='$(FLAVOUR)' DEBUG_INFO='$(DEBUG_INFO)' scripts/deb

.PHONY: test-deb
test-deb: prep ## install these packages in a new Debian root, boot it, test it, remove them (FLAVOUR=...; root)
	@FLAVOUR='$(FLAVOUR)' DEBUG_INFO='$(DEBUG_INFO)' tests/kernel/packages/run

.PHONY: clean
clean: ## remove the builds and the cache of passed tests; the trees stay
	@rm -rf work/build work/uml-* work/selftests work/passed work/prefix.good
