# Everything a contributor or an operator does from a checkout. Needs Python 3.11 or newer and make.

.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
# More is faster, and lets more tests share the processors with those that measure ratios.
JOBS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup
# Long suites that `test-long` leaves to targets of their own.
OWN_TARGETS := tests/e2e/test_exactly.py tests/e2e/test_redis_loss.py \
	tests/e2e/test_redis_failover.py tests/e2e/test_redis_cluster.py tests/e2e/test_cache_loss.py \
	tests/e2e/test_observed.py tests/grafana tests/crashes tests/backends tests/deploy tests/docs \
	tests/browser
# Programs that traces are sent to by way of trial, each in an environment of its own.
BACKENDS := mlflow phoenix
BACKEND_ENVS := $(BACKENDS:%=.venv-backends/%/.setup)
# Locust, which pins pytest below 10.
LOAD_ENV := .venv-load/.setup
# Playwright, which drives the system's browser, and axe-core, which judges pages.
BROWSER_ENV := $(VENV)/.browser
# What the image installs beyond `runtime.txt`; not the embedded Redis, for its module's licence.
IMAGE_EXTRAS := azure-monitor otlp-grpc parquet semantic
LOCKS := requirements/runtime.txt requirements/dev.txt requirements/image.txt \
	$(BACKENDS:%=requirements/%.txt) requirements/audit.txt requirements/build.txt requirements/deploy.txt requirements/docs.txt requirements/browser.txt requirements/load.txt \
	requirements/bench.txt requirements/litellm.txt
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--python-version 3.11

# Commands are `exec`ed: make passes TERM on to its child, which is then the program and not a shell.

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## make .venv with everything and the spillgate command
	@:

.PHONY: run
run: setup ## start the demo; ARGS="--port 9000" is passed on
	@exec $(BIN)/spillgate demo $(ARGS)

.PHONY: test
test: lint ## lint, then run the tests, in two passes; ARGS="-k limit" is passed on to pytest
	@exec $(BIN)/python -m tests.passes -n $(JOBS) --dist worksteal $(ARGS)

.PHONY: coverage
coverage: setup ## the same tests, and what they cover (takes about twice as long)
	@exec $(BIN)/python -m tests.passes -n $(JOBS) --dist worksteal --cov $(ARGS)

.PHONY: test-long
test-long: setup $(LOAD_ENV) ## run the tests that take a minute and more each (about 10 minutes)
	@exec $(BIN)/pytest -m long -rP -q $(OWN_TARGETS:%=--ignore=%) $(ARGS)

.PHONY: exactly
exactly: setup ## 500 requests, room for 137, four workers: every limit ten times (about 20 minutes)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/e2e/test_exactly.py -k server $(ARGS)

.PHONY: crashes
crashes: setup ## kill a worker at every point between reserving and settling (about 1 minute)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/crashes $(ARGS)

.PHONY: freezes
freezes: setup ## freeze, stop or replace Redis under load, by each policy (about 10 minutes)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/e2e/test_redis_loss.py \
		tests/e2e/test_redis_failover.py tests/e2e/test_cache_loss.py $(ARGS)

.PHONY: cluster
cluster: setup ## three Redis nodes: exactness, and a node lost or frozen (about 15 minutes)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/e2e/test_redis_cluster.py \
		tests/integration/redis tests/e2e/test_exactly.py -k cluster $(ARGS)

.PHONY: mutants
mutants: setup ## remove one safeguard at a time; the tests must notice (about 2 minutes)
	@exec $(BIN)/python tests/mutants/run.py $(ARGS)

.PHONY: observe
observe: setup ## a real Prometheus on a gateway under load: rules, alerts, panels (about 5 minutes)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/e2e/test_observed.py tests/grafana $(ARGS)

.PHONY: dashboards
dashboards: setup ## write Grafana's dashboards anew, after a change of grafana/source
	@exec $(BIN)/python -m grafana.source

.PHONY: pictures
pictures: setup ## draw every dashboard under a mixed load into docs/pictures (about 4 minutes)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/grafana $(ARGS)

.PHONY: sdk-matrix
sdk-matrix: setup ## call through the gateway and without it, with four OpenAI SDKs and Node's
	@exec $(BIN)/python tests/sdk_matrix/run.py --versions 1.109.1 2.33.0 2.54.0 latest --node $(ARGS)

.PHONY: routers
routers: setup ## compare routing strategies over simulated hours (about 6 minutes)
	@exec $(BIN)/python -m app.planner.compare $(ARGS)

.PHONY: eval-cache
eval-cache: setup ## how often the semantic cache answers, and wrongly; PAIRS=file.jsonl for your own
	@exec $(BIN)/python -m tests.evaluation.cache $(if $(PAIRS),--pairs '$(PAIRS)') $(ARGS)

.PHONY: bench
bench: setup ## this gateway beside its peers: a report in docs/benchmarks (about 20 minutes, 1 GB the first time)
	@exec $(BIN)/python -m loadtest.bench $(ARGS)

.PHONY: bench-profile
bench-profile: setup ## where a request's microseconds go, by module (half a minute; needs ptrace)
	@exec $(BIN)/python -m loadtest.bench.profile $(ARGS)

.PHONY: bench-cost
bench-cost: setup ## what a request and a frame cost beside what is noted; ARGS=--set notes it (20 seconds)
	@exec $(BIN)/python -m tests.benchmarks.cost $(ARGS)

.PHONY: soak
soak: setup ## half an hour of streams, leaving clients, large prompts: memory and descriptors
	@exec $(BIN)/python -m loadtest.bench.soak $(ARGS)

.PHONY: bench-memory
bench-memory: setup ## resident memory of each process of a gateway that has just started (1 minute)
	@exec $(BIN)/python -m loadtest.bench.memory $(ARGS)

.PHONY: bench-traces
bench-traces: setup ## what traces cost a request, in processor time (about a minute)
	@exec $(BIN)/python -m tests.benchmarks.traced_requests

.PHONY: bench-cache
bench-cache: setup ## answers from a cache of 50,000: how long they take (about 5 minutes)
	@$(BIN)/python -m tests.benchmarks.answers $(ARGS)
	@exec $(BIN)/python -m tests.benchmarks.cached_requests $(ARGS)

.PHONY: bench-routing
bench-routing: setup ## what a request costs between its admission and the transport (ten seconds)
	@exec $(BIN)/python -m tests.benchmarks.routing

.PHONY: bench-redis
bench-redis: setup ## what a command to Redis costs the event loop, beside redis-py (half a minute)
	@$(BIN)/python -m tests.benchmarks.redis_connection $(ARGS)
	@exec $(BIN)/python -m tests.benchmarks.redis_crowd

.PHONY: bench-metrics
bench-metrics: setup ## what counting a request costs, and a scrape (10 seconds)
	@exec $(BIN)/python -m tests.benchmarks.observed_receipts

.PHONY: bench-edge
bench-edge: setup ## what a request and a frame cost at the client's side (10 seconds)
	@exec $(BIN)/python -m tests.benchmarks.edge

.PHONY: bench-tls
bench-tls: setup ## what TLS costs a request and a connection, over sockets (20 seconds)
	@exec $(BIN)/python -m tests.benchmarks.tls

.PHONY: bench-upstream
bench-upstream: setup ## what a request and a read cost at the upstream's side, beside aiohttp (2 minutes)
	@exec $(BIN)/python -m tests.benchmarks.upstream $(ARGS)

.PHONY: bench-telemetry
bench-telemetry: setup ## what metrics, log lines and traces cost a request of a whole gateway (3 minutes)
	@exec $(BIN)/python -m tests.benchmarks.telemetry

.PHONY: trace-backends
trace-backends: setup $(BACKEND_ENVS) ## send traces to MLflow and Phoenix, and read them there (1.7 GB, 5 minutes the first time)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/backends $(ARGS)

.PHONY: deploy-check
deploy-check: setup .venv-deploy/.setup ## check the files for Docker, Kubernetes, Helm and Azure; start Compose's parts (2 minutes)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/deploy $(ARGS)

.PHONY: sbom
sbom: setup .venv-audit/.setup ## list what is in the image, in build/sbom, and check its licences (a few seconds)
	@$(BIN)/python -m tests.tools.sbom
	@exec $(BIN)/python -m tests.tools.licences >/dev/null

.PHONY: audit
audit: setup .venv-audit/.setup ## ask for known vulnerabilities of what is locked; ARGS=--must-reach where one must be told
	@exec $(BIN)/python -m tests.tools.vulnerabilities $(ARGS)

.PHONY: browser
browser: setup $(BROWSER_ENV) ## the console in a real browser: figures, roles, axe, scripts (about 5 minutes)
	@command -v chromium chromium-browser >/dev/null || { echo 'installing chromium ...'; \
		apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/browser $(ARGS)

.PHONY: reference
reference: setup ## write the pages and the schema that are made from the code anew
	@$(BIN)/python -m tests.tools.configuration_page
	@$(BIN)/python -m tests.tools.admin_api_page
	@$(BIN)/python -m tests.tools.metrics_page
	@$(BIN)/python -m tests.tools.http_page
	@exec $(BIN)/python -m tests.tools.llms_text

.PHONY: docs-check
docs-check: setup ## run every command and read every block of the pages, follow their links (a minute)
	@exec $(BIN)/pytest -q tests/docs tests/architecture/test_documents.py $(ARGS)

.PHONY: docs-sdks
docs-sdks: setup ## run what pages show of LangChain, LlamaIndex, the AI SDK and others (3 minutes the first time)
	@exec $(BIN)/pytest -m long -rP -q -p no:xdist tests/docs $(ARGS)

.PHONY: docs-site
docs-site: setup .venv-docs/.setup ## build the documents as a site, in build/docs-site; a link to nowhere ends it (half a minute)
	@$(BIN)/python -m tests.tools.docs_site
	@.venv-docs/bin/python -m tests.tools.diagrams
	@.venv-docs/bin/zensical build --clean --strict --config-file build/zensical.toml
	@exec $(BIN)/python -m tests.tools.docs_site --check

.PHONY: load
load: setup $(LOAD_ENV) ## users for a minute, a report, a verdict; ARGS="--host URL" for a gateway of yours
	@exec $(BIN)/python -m loadtest.run $(ARGS)

.PHONY: lint
lint: setup ## check style, types and import direction
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache

.PHONY: format
format: setup ## rewrite the code in the project's style
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

.PHONY: lock
lock: setup ## choose versions and hashes anew where needed; ARGS=--upgrade for all
	$(COMPILE) $(ARGS) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) $(ARGS) pyproject.toml --extra embedded --group dev \
		-c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) $(ARGS) pyproject.toml $(IMAGE_EXTRAS:%=--extra %) \
		-c requirements/runtime.txt -o requirements/image.txt
	@for each in $(BACKENDS) audit bench browser build deploy docs litellm load; do $(COMPILE) $(ARGS) \
		requirements/$$each.in -o requirements/$$each.txt || exit 1; done
	@if grep -n '://' $(LOCKS); then echo 'lock files must not name an address' >&2; exit 1; fi

.PHONY: clean
clean: ## remove caches and reports; keeps .venv and .spillgate
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find app loadtest tests -name __pycache__ -type d -prune -exec rm -rf {} +

PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
OLD_PYTHON = $(PYTHON) is missing or older than Python 3.11; name another: make setup PYTHON=python3.12
NO_VENV = $(PYTHON) cannot make $(VENV); on Debian and Ubuntu install python3-venv

# Made again when a lock changes. An environment that is already there is kept if it can be used.
# Locks are complete. Left to look for more, pip takes `coverage[toml]` for another package than the
# `coverage` that is locked, and fails as soon as there is a newer one.
$(STAMP): pyproject.toml requirements/dev.txt
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		$(MAKE) --no-print-directory environment
	@echo 'installing into $(VENV) ...'
	@$(PIP_INSTALL) --require-hashes --no-deps --only-binary :all: -r requirements/dev.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv-audit/.setup .venv-deploy/.setup .venv-docs/.setup $(LOAD_ENV): .venv-%/.setup: requirements/%.txt | $(STAMP)
	@echo 'installing into $(@D) ...'
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes \
		--no-deps --only-binary :all: -r $<
	@touch $@

$(BROWSER_ENV): requirements/browser.txt tests/browser/package-lock.json | $(STAMP)
	@echo 'installing what drives a browser ...'
	@$(PIP_INSTALL) --require-hashes --no-deps --only-binary :all: -r requirements/browser.txt
	@cd tests/browser && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# Made anew when its lock changes.
.venv-backends/%/.setup: requirements/%.txt | $(STAMP)
	@echo 'installing into $(@D) ...'
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes \
		--no-deps --only-binary :all: -r $<
	@touch $@

.PHONY: environment
environment:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo '$(OLD_PYTHON)' >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo '$(NO_VENV)' >&2; exit 1; }
