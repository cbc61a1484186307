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
$(SERVING): lambda_fn/api/requirements.txt infra/requirements-dev.txt
	@test -x .venv-serving/bin/python || $(PYTHON) -m venv .venv-serving
	@.venv-serving/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r lambda_fn/api/requirements.txt
	@.venv-serving/bin/python -m pip install -q --disable-pip-version-check -c infra/requirements-dev.txt pytest pytest-xdist hypothesis
	@touch $@

# Tests run on all cores. A worker that has nothing left takes from another's end, so each file stays mostly in one
# worker, with what it has set up. The serving tests run where only Lambda's packages are, and there alone.
WORKERS ?= auto
PARALLEL := -n $(WORKERS) --dist worksteal
ELSEWHERE := not docker and not sam and not browser
SERVED := tests/lambda_fn/model tests/lambda_fn/api
test test-fast: export OMP_NUM_THREADS := 1
.PHONY: test test-fast
test: $(READY) $(SERVING) ## Every test that needs Python only
	.venv-serving/bin/python -m pytest $(PARALLEL) $(SERVED)
	$(BIN)/python -m pytest $(PARALLEL) -m "$(ELSEWHERE)" $(SERVED:%=--ignore=%)

test-fast: $(READY) ## While you edit: of each package the tests that take no seconds, in less than a minute
	$(BIN)/python -m pytest -q $(PARALLEL) -m "$(ELSEWHERE) and not slow" --ignore=tests/infra --ignore=tests/contract

.PHONY: check
check: $(READY) ## Format, lint, types, who imports whom, template, workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p export -p lambda_fn
	$(BIN)/lint-imports --no-cache --no-logo

.PHONY: format
format: $(READY) ## Put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(READY) .venv-sam/.ready ## Every figure of docs/numbers.md, as a ratio to a floor measured in the same run
	$(BIN)/python -m tests.bench

.PHONY: bench-large
bench-large: $(READY) ## A million series in a batch, block sizes, scoring: a quarter of an hour and 2 GB of disk
	$(BIN)/python -m tests.bench.batch_large

.PHONY: openapi
openapi: $(READY) ## Write lambda_fn/api/openapi.json anew, after a change of what the API takes or answers
	$(BIN)/python -m infra.openapi

.PHONY: fuzz
fuzz: $(READY) ## 20,000 requests and events that Hypothesis makes up: each is answered, none with a fault of ours
	EFEMERA_FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest -q tests/lambda_fn/api/test_fuzz.py

.PHONY: soak
soak: $(READY) ## A minute of 64 parallel clients, then 100,000 requests and the memory they leave
	$(BIN)/python -m tests.bench.soak

.PHONY: release
release: $(READY) ## Set VERSION=x.y.z, date the changelog's entry, commit and tag; pushes nothing
	@$(BIN)/python -m infra.new_version $(VERSION)

.PHONY: wheel
wheel: $(READY) ## The package for pip, with the model in it: dist/efemera-….whl
	@rm -rf build/lib # setuptools would pack what is left there of earlier sources
	@$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: lock
lock: $(READY) ## Pin what the pinned packages need, after a change of pyproject.toml
	$(BIN)/pip-compile -q --extra dev --extra yahoo $(PIP_COMPILE) -o infra/requirements-dev.txt pyproject.toml
	sed -i 's/+cpu$$//' infra/requirements-dev.txt
	$(BIN)/pip-compile -q --generate-hashes $(PIP_COMPILE) -o lambda_fn/api/requirements.txt lambda_fn/api/requirements.in
	$(BIN)/pip-compile -q --generate-hashes $(PIP_COMPILE) -o lambda_fn/batch/requirements.txt lambda_fn/batch/requirements.in
	$(BIN)/pip-compile -q --generate-hashes $(PIP_COMPILE) -o lambda_fn/deploy/requirements.txt lambda_fn/deploy/requirements.in

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

# Likewise what looks for weaknesses, 340 MB of it. None of it asks anybody anything, but `make audit`.
AUDIT_VENV := .venv-audit
AUDIT_READY := $(AUDIT_VENV)/.ready
CHECKOV := env -u BC_API_KEY -u PRISMA_API_URL $(AUDIT_VENV)/bin/checkov --config-file infra/checkov.yaml
ZIZMOR := env -u GH_TOKEN -u GITHUB_TOKEN $(AUDIT_VENV)/bin/zizmor --offline --no-progress --quiet --persona pedantic

$(AUDIT_READY): infra/requirements-audit.txt
	@test -x $(AUDIT_VENV)/bin/python || $(PYTHON) -m venv $(AUDIT_VENV)
	@echo "installing checkov, zizmor and pip-audit (half a minute the first time) …"
	@$(AUDIT_VENV)/bin/python -m pip install -q --disable-pip-version-check -r infra/requirements-audit.txt
	@touch $@

check: check-template check-workflows

.PHONY: check-template
check-template: $(READY) $(SAM_READY) $(AUDIT_READY) ## The template: SAM's checks, cfn-lint, checkov and tests on what SAM makes of it
	$(OFFLINE) $(SAM) validate
	$(OFFLINE) $(SAM) validate --lint
	@mkdir -p .aws-sam
	$(SAM_VENV)/bin/python infra/translate.py template.yaml > .aws-sam/translated.json
	$(OFFLINE) $(SAM_VENV)/bin/cfn-lint --region us-east-1 --template .aws-sam/translated.json
	$(CHECKOV) --file .aws-sam/translated.json
	$(BIN)/python -m pytest -q -m sam tests/infra

.PHONY: check-workflows
check-workflows: $(AUDIT_READY) ## The pipelines of .github/workflows: zizmor
	$(ZIZMOR) .github/workflows

.PHONY: audit
audit: $(AUDIT_READY) ## Known weaknesses of every pinned package; asks PyPI, so it is no part of `make check`
	@for lock in lambda_fn/*/requirements.txt infra/requirements-*.txt; do \
	  echo "$$lock"; $(AUDIT_VENV)/bin/pip-audit --progress-spinner off --strict --disable-pip --no-deps -r $$lock || failed=3; \
	done; exit $${failed:-0}

.PHONY: build
build: $(SAM_READY) ## The functions as Lambda takes them; ARCHITECTURE=arm64 for Graviton
	$(SAM) build --build-dir $(BUILD_DIR) --parameter-overrides Architecture=$(ARCHITECTURE)

# SAM calls these, one for each function. `make build` makes .venv-sam, which has what writes a package's SBOM.
OF_API := build-ApiFunction
OF_BATCH := build-PlanFunction build-BatchFunction build-FinishFunction
OF_HOOK := build-HookFunction build-ReleasedFunction
.PHONY: $(OF_API) $(OF_BATCH) $(OF_HOOK)
$(OF_API): KIND := api
$(OF_BATCH): KIND := batch
$(OF_HOOK): KIND := deploy
$(OF_API) $(OF_BATCH) $(OF_HOOK):
	$(or $(wildcard $(SAM_VENV)/bin/python),$(PYTHON)) -m infra.build_function --function $(KIND) --out "$(ARTIFACTS_DIR)" --architecture $(ARCHITECTURE) --lambda-python $(LAMBDA_PYTHON)

# Deployments. An environment is one of samconfig.toml; keys and region are the shell's (AWS_PROFILE, AWS_REGION).
ENV ?= dev
STACK ?= efemera-$(ENV)
DEPLOYED := $(SAM_VENV)/bin/python
ASK = $(DEPLOYED) infra/smoke.py --stack $(STACK)
SMOKE = $(ASK) --expect-digest
REALIGN = $(DEPLOYED) -m infra.realign --stack $(STACK)

# SAM looks for samconfig.toml beside the template, which is a built one here. BUILT=1 takes the packages of an earlier
# `make build`. An API that was rolled back and not changed serves an older model than that of models/, which is said.
.PHONY: deploy deployable
deploy: deployable $(if $(BUILT),$(SAM_READY),build) ## Build and deploy to ENV=dev or prod, ask the API, and roll back if it does not answer well
	@$(REALIGN)
	@was=$$($(REALIGN) --live) || exit; \
	$(SAM) deploy --config-file "$(CURDIR)/samconfig.toml" --config-env $(ENV) --stack-name $(STACK) --template-file $(BUILD_DIR)/template.yaml $(if $(CI),--no-confirm-changeset) \
	  || { $(REALIGN) --after failed; exit 3; }; \
	behind=$$($(REALIGN) --after done); digest=; [ -n "$$behind" ] || digest=--expect-digest; \
	$(ASK) $$digest || { [ $$? = 3 ] || { echo "the deployed API could not be asked, so it was left: make smoke" >&2; exit 2; }; \
	  [ "$$was" != "$$($(REALIGN) --live)" ] || { echo "the API was not changed, so there is nothing to take back" >&2; exit 3; }; \
	  echo "the deployed API does not answer as it should: going back" >&2; \
	  $(DEPLOYED) -m infra.rollback --stack $(STACK) --yes; exit 3; }; \
	[ -z "$$behind" ] || echo "$$behind"

deployable: # the template's Architecture must be the packages'
	@sed -n '/^\[$(ENV)\.deploy\.parameters\]/,/^\[/p' samconfig.toml | grep -q '"Architecture=$(ARCHITECTURE)"' || \
	  { echo "samconfig.toml has no environment $(ENV), or deploys another Architecture there than $(ARCHITECTURE)" >&2; exit 2; }

.PHONY: smoke
smoke: $(SAM_READY) ## Ask the deployed API of ENV (or STACK): health, forecast, refusals, access, latency
	@$(SMOKE)

.PHONY: rollback
rollback: $(SAM_READY) ## Move ENV (or STACK) back to the release before; TO=N to a certain one, YES=1 asks nothing
	@$(DEPLOYED) -m infra.rollback --stack $(STACK) $(if $(TO),--to $(TO)) $(if $(YES),--yes)

.PHONY: destroy
destroy: $(SAM_READY) ## Delete ENV's stack, all but its bucket; SAM asks first
	$(SAM) list stack-outputs --stack-name $(STACK)
	$(SAM) delete --stack-name $(STACK)
	@echo "The bucket (BucketName above) stays, with prices, forecasts and all their versions. To delete it too: in the S3"
	@echo "console \"Empty\", which takes the versions as well, then \"Delete\"."

.PHONY: test-docker docker-engine
test-docker: docker-engine $(READY) $(SAM_READY) ## The built function in AWS's runtime emulator; needs Docker
	$(BIN)/python -m pytest -m docker tests/infra

docker-engine:
	@test -n "$$EFEMERA_LAMBDA_BASE" || docker info >/dev/null 2>&1 || \
	  { echo "test-docker needs Docker: start its engine, or set EFEMERA_LAMBDA_BASE to a folder whose 'up' does" >&2; exit 2; }

.PHONY: test-browser chromium
test-browser: chromium $(READY) ## The page of GET / and GET /docs in a real Chromium, headless
	$(BIN)/python -m pytest -m browser tests/browser

chromium: # from Debian's own packages, where this may install them; curl runs the lines that the pages show
	@{ command -v chromedriver && command -v curl; } >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	  { echo "installing Chromium, its driver and curl …"; apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver curl; } >&2
	@command -v chromedriver >/dev/null && command -v curl >/dev/null && { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || \
	  { echo "test-browser needs Chromium, its driver and curl: install chromium, chromium-driver and curl, or what your system calls them" >&2; exit 2; }

.PHONY: page
page: ## Build lambda_fn/api/page anew from infra/page, after a change there; needs Node.js 20 or newer
	@command -v npm >/dev/null || { echo "page needs Node.js 20 or newer, with npm" >&2; exit 2; }
	cd infra/page && npm ci --ignore-scripts --no-audit --no-fund && npm test && npm run build

lock: lock-sam

.PHONY: lock-sam
lock-sam: $(READY)
	$(BIN)/pip-compile -q $(PIP_COMPILE) -o infra/requirements-sam.txt infra/requirements-sam.in
	$(BIN)/pip-compile -q $(PIP_COMPILE) -o infra/requirements-audit.txt infra/requirements-audit.in
