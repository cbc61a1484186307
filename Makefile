# The commands of the project; CI runs the same ones. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where the machine's default index has only the CUDA build of torch, name the CPU index here (see the README).
TORCH_INDEX ?=
PIP_COMPILE := --strip-extras --allow-unsafe --unsafe-package pip --no-emit-index-url --no-emit-find-links --no-header

.PHONY: help
help: ## List these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: $(READY) ## Make .venv with everything that training, tests and checks need

$(READY): pyproject.toml infra/requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Efemera needs Python 3.11 or newer; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing PyTorch, then the rest (a few minutes the first time) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r infra/requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: $(READY) ## The main job on embedded data, from prices to an answered request: writes demo-out/
	@$(BIN)/efemera demo --out demo-out

.PHONY: test
test: $(READY) ## Every test that needs Python only
	$(BIN)/python -m pytest -m "not docker"

.PHONY: check
check: $(READY) ## Format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p export -p lambda_fn

.PHONY: format
format: $(READY) ## Put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(READY) ## Every figure of the README, as a ratio to a floor measured in the same run
	$(BIN)/python -m tests.bench

.PHONY: lock
lock: $(READY) ## Pin what the pinned packages need, after a change of pyproject.toml
	$(BIN)/pip-compile -q --extra dev $(PIP_COMPILE) -o infra/requirements-dev.txt pyproject.toml
	sed -i 's/+cpu$$//' infra/requirements-dev.txt
	$(BIN)/pip-compile -q --generate-hashes $(PIP_COMPILE) -o lambda_fn/requirements-api.txt lambda_fn/requirements-api.in
