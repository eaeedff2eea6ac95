# SPDX-License-Identifier: GPL-2.0
# Each target calls one script; `make help` lists them.

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: prep
prep: ## the trees: work/stock, work/base, work/series
	@scripts/prep
