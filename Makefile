# Everything a developer or CI does, one target each. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
DEMO_VENV := .venv-demo
BIN := $(VENV)/bin
PIP_FLAGS := --quiet --disable-pip-version-check
# The index of torch's CPU builds: on Linux the default index serves CUDA builds of several GB.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
WORKERS ?= 2
# Reference implementations that tests compare with, without the training stacks they ask for.
ORACLES := k-diffusion==0.1.1.post1 stable-diffusion-sdkit==2.1.5 clip-anytorch==2.6.0

.DEFAULT_GOAL := help
.PHONY: help install demo demo-engine test test-slow lint types contracts docs docs-check wheel-check check format clean

help: ## List the targets
	@grep -hE '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

install: $(VENV)/.ready ## Set up the virtual environment for development (engine included)

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) --retries 1 --extra-index-url $(TORCH_INDEX) -c constraints.txt torch
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e '.[engine,keyring,dev]'
	$(BIN)/pip install $(PIP_FLAGS) --no-deps $(ORACLES)
	touch $@

$(DEMO_VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/pip install $(PIP_FLAGS) -c constraints.txt -e .
	touch $@

demo: $(DEMO_VENV)/.ready ## A guided tour in a throw-away home: no network, no token, under a minute
	$(DEMO_VENV)/bin/sdkeep demo

$(DEMO_VENV)/.engine: $(DEMO_VENV)/.ready
	$(DEMO_VENV)/bin/pip install $(PIP_FLAGS) --retries 1 --extra-index-url $(TORCH_INDEX) -c constraints.txt torch
	$(DEMO_VENV)/bin/pip install $(PIP_FLAGS) -c constraints.txt -e '.[engine]'
	touch $@

demo-engine: $(DEMO_VENV)/.engine ## The tour with the engine: ends with a picture that anyone can read
	$(DEMO_VENV)/bin/sdkeep demo --engine

test: $(VENV)/.ready ## Run the test suite
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow'

test-slow: $(VENV)/.ready ## Run the slow tests too
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.ready ## Style, mistakes, complexity
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.ready ## Put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.ready ## Types, strictly
	$(BIN)/mypy

contracts: $(VENV)/.ready ## Who may import whom
	$(BIN)/lint-imports

docs: $(VENV)/.ready ## Write the generated pages anew
	$(BIN)/python scripts/reference.py

docs-check: $(VENV)/.ready ## Fail when a generated page is stale
	$(BIN)/python scripts/reference.py --check

wheel-check: $(VENV)/.ready ## Build the wheel, install it in a clean environment elsewhere, use it
	$(BIN)/python scripts/wheel_check.py

check: lint types contracts docs-check test test-slow wheel-check ## Everything CI runs

# Figures depend on the machine: run these when it is quiet. `BENCH=--write` keeps the tables in docs/performance.md.
BENCH ?=
BENCHES := start catalogue convert scan audit transfer identify digests sync adopt merge network demo_picture
.PHONY: $(BENCHES:%=bench-%)

bench: $(BENCHES:%=bench-%) ## Measure everything: an hour, and 12 GB of temporary room

bench-start: ## What starting costs
bench-catalogue: ## A catalogue of 100,000 files
bench-convert: ## Converting 4 GiB beside copying them
bench-scan: ## Scanning 4 GiB beside picklescan
bench-audit: ## Judging 10,000 small files
bench-transfer: ## Fetching 1 GiB beside curl
bench-identify: ## Headers a minute
bench-digests: ## Every digest in one pass
bench-sync: ## 10,000 placed files with nothing to do
bench-adopt: ## First adoption of 10,000 files
bench-merge: ## Merging files of 2 GB beside cp, torch and sd-mecha
bench-demo_picture: ## A picture of the sample model beyond `import torch`
bench-network: ## A step of the denoiser beside diffusers
$(BENCHES:%=bench-%): bench-%: $(VENV)/.ready
	$(BIN)/python benchmarks/$*.py $(BENCH)

clean: ## Remove what the targets made
	rm -rf $(VENV) $(DEMO_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
