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
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: $(READY) ## The main job on embedded data, from prices to an answered request: writes demo-out/
	@$(BIN)/efemera demo --out demo-out

# What Lambda has and the test runner: the serving tests run in it too.
SERVING := .venv-serving/.ready
$(SERVING): lambda_fn/requirements-api.txt infra/requirements-dev.txt
	@test -x .venv-serving/bin/python || $(PYTHON) -m venv .venv-serving
	@.venv-serving/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r lambda_fn/requirements-api.txt
	@.venv-serving/bin/python -m pip install -q --disable-pip-version-check -c infra/requirements-dev.txt pytest hypothesis
	@touch $@

.PHONY: test
test: $(READY) $(SERVING) ## Every test that needs Python only
	$(BIN)/python -m pytest -m "not docker and not sam"

.PHONY: check
check: $(READY) ## Format, lint, types, template
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

.PHONY: bench-large
bench-large: $(READY) ## A million series in a batch, block sizes, scoring: a quarter of an hour and 2 GB of disk
	$(BIN)/python -m tests.bench.batch_large

.PHONY: openapi
openapi: $(READY) ## Write lambda_fn/openapi.json anew, after a change of what the API takes or answers
	$(BIN)/python infra/openapi.py

.PHONY: fuzz
fuzz: $(READY) ## 20,000 requests and events that Hypothesis makes up: each is answered, none with a fault of ours
	EFEMERA_FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest -q tests/lambda_fn/test_fuzz.py

.PHONY: soak
soak: $(READY) ## A minute of 64 parallel clients, then 100,000 requests and the memory they leave
	$(BIN)/python -m tests.bench.soak

.PHONY: lock
lock: $(READY) ## Pin what the pinned packages need, after a change of pyproject.toml
	$(BIN)/pip-compile -q --extra dev --extra yahoo $(PIP_COMPILE) -o infra/requirements-dev.txt pyproject.toml
	sed -i 's/+cpu$$//' infra/requirements-dev.txt
	$(BIN)/pip-compile -q --generate-hashes $(PIP_COMPILE) -o lambda_fn/requirements-api.txt lambda_fn/requirements-api.in
	$(BIN)/pip-compile -q --generate-hashes $(PIP_COMPILE) -o lambda_fn/requirements-batch.txt lambda_fn/requirements-batch.in

# Lambda. SAM lives in an environment of its own, so that its pins never meet the project's.
SAM_VENV := .venv-sam
SAM_READY := $(SAM_VENV)/.ready
SAM := SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam
# For checks only, which ask AWS for nothing: SAM's client wants a region and keys all the same.
OFFLINE := env -u AWS_PROFILE AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none
ARCHITECTURE ?= x86_64
BUILD_DIR ?= .aws-sam/build
# Lambda's own Python, wherever it is: the package then holds bytecode, and a cold start halves its imports.
LAMBDA_PYTHON ?= python3.13

$(SAM_READY): infra/requirements-sam.txt
	@test -x $(SAM_VENV)/bin/python || $(PYTHON) -m venv $(SAM_VENV)
	@echo "installing the SAM CLI (a minute the first time) …"
	@$(SAM_VENV)/bin/python -m pip install -q --disable-pip-version-check -r infra/requirements-sam.txt
	@touch $@

check: check-template

.PHONY: check-template
check-template: $(READY) $(SAM_READY) ## The template: SAM's checks, cfn-lint and tests on what SAM makes of it
	$(OFFLINE) $(SAM) validate
	$(OFFLINE) $(SAM) validate --lint
	@mkdir -p .aws-sam
	$(SAM_VENV)/bin/python infra/translate.py template.yaml > .aws-sam/translated.json
	$(OFFLINE) $(SAM_VENV)/bin/cfn-lint --region us-east-1 --template .aws-sam/translated.json
	$(BIN)/python -m pytest -q -m sam

.PHONY: build
build: $(SAM_READY) ## The functions as Lambda takes them; ARCHITECTURE=arm64 for Graviton
	$(SAM) build --build-dir $(BUILD_DIR) --parameter-overrides Architecture=$(ARCHITECTURE)

# SAM calls these, one for each function. With no .venv-sam (a SAM CLI of your own), any Python with pip does.
.PHONY: build-ApiFunction build-PlanFunction build-BatchFunction build-FinishFunction
build-ApiFunction: KIND := api
build-PlanFunction build-BatchFunction build-FinishFunction: KIND := batch
build-ApiFunction build-PlanFunction build-BatchFunction build-FinishFunction:
	$(or $(wildcard $(SAM_VENV)/bin/python),$(PYTHON)) infra/build_function.py --function $(KIND) --out "$(ARTIFACTS_DIR)" --architecture $(ARCHITECTURE) --lambda-python $(LAMBDA_PYTHON)

.PHONY: test-docker docker-engine
test-docker: docker-engine $(READY) $(SAM_READY) ## The built function in AWS's runtime emulator; needs Docker
	$(BIN)/python -m pytest -m docker

docker-engine:
	@test -n "$$EFEMERA_LAMBDA_BASE" || docker info >/dev/null 2>&1 || \
	  { echo "test-docker needs Docker: start its engine, or set EFEMERA_LAMBDA_BASE to a folder whose 'up' does" >&2; exit 2; }

lock: lock-sam

.PHONY: lock-sam
lock-sam: $(READY)
	$(BIN)/pip-compile -q $(PIP_COMPILE) -o infra/requirements-sam.txt infra/requirements-sam.in
