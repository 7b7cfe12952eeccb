# Two commands matter: `make demo` and `make test`. Both make the virtual environment first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK = 1
export DAGSTER_DISABLE_TELEMETRY = 1

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

setup: $(VENV)/.ready ## make .venv with everything pinned in requirements.lock

# uv does in seconds what pip does in minutes; where it is missing, a private copy is fetched by pip.
$(VENV)/.ready: requirements.lock pyproject.toml requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "customer health needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@set -e; uv="$$(command -v uv || true)"; \
	if [ -z "$$uv" ]; then \
	  test -x .uv/bin/uv || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --require-hashes -r requirements-uv.lock; }; \
	  uv=.uv/bin/uv; \
	fi; \
	"$$uv" venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
	VIRTUAL_ENV=$(VENV) "$$uv" pip sync --quiet --require-hashes --compile-bytecode requirements.lock; \
	VIRTUAL_ENV=$(VENV) "$$uv" pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup-spark: ## Spark in .venv besides, see docs/scaling.md; Java is yours to install
setup-bigquery: ## what compiles the models for BigQuery in .venv besides, for the tests
setup-ducklake: ## DuckLake in .venv besides, see docs/scaling.md
setup-spark setup-bigquery setup-ducklake: setup-%: setup
	@uv="$$(command -v uv || echo .uv/bin/uv)"; \
	VIRTUAL_ENV=$(VENV) "$$uv" pip install --quiet --require-hashes --compile-bytecode -r requirements-$*.lock

demo: setup ## the pretend shop: extract, build, score, push to the sandbox, report
	$(BIN)/health demo

test: setup ## everything that must hold: lint, types, models, behaviour
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --durations 20

fuzz: setup ## the property tests with new random cases, where `make test` repeats its own
	$(BIN)/pytest -n auto --dist loadfile --hypothesis-profile "new cases" $$(grep -l '^from hypothesis' tests/python/test_*.py)

lint: setup ## ruff, mypy, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 $(LINTS)

# Each takes a core for a while, the longest first; each has a parse and an empty warehouse of its own.
LINTS := lint-types lint-features lint-marts lint-fivetran lint-dashboards
SQLFLUFF = mkdir -p target/$@ && DBT_TARGET_PATH=target/$@ DUCKDB_PATH=target/$@/warehouse.duckdb $(BIN)/sqlfluff lint --disable-progress-bar

lint-types: setup
	$(BIN)/mypy

lint-features: setup
	$(SQLFLUFF) models/features models/intermediate

lint-marts: setup
	$(SQLFLUFF) models/history models/marts $(filter-out models/staging/fivetran,$(wildcard models/staging/*)) tests/invariants tests/quality

lint-fivetran: setup
	$(SQLFLUFF) models/staging/fivetran --config models/staging/fivetran/sqlfluff.cfg

lint-dashboards: setup
	$(SQLFLUFF) dashboards --config dashboards/sqlfluff.cfg

format: setup ## let ruff and sqlfluff put things right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix models tests/invariants tests/quality --disable-progress-bar

docs: setup ## guides, glossary, lineage, service levels and dbt's docs as pages in site/
	$(BIN)/health docs

ui: setup ## the operator's console
	$(BIN)/health ui

bench: setup ## what it costs, against a floor measured in the same run
	$(BIN)/python -m benchmarks

parity: setup-spark ## the same shop on DuckDB and on Spark, compared cell by cell
	$(BIN)/python -m benchmarks.parity

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-emit-index-url --no-header -o requirements.lock
	uv pip compile pyproject.toml --extra spark --constraint requirements.lock --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-spark.lock
	uv pip compile pyproject.toml --extra bigquery --constraint requirements.lock --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-bigquery.lock
	grep -o 'duckdb-extension-[^"]*' pyproject.toml | uv pip compile - --constraint requirements.lock --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-ducklake.lock
	echo 'uv==0.13.9' | uv pip compile - --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements-uv.lock

clean: ## remove what builds leave behind, keep data/
	rm -rf target logs .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help setup setup-spark setup-bigquery setup-ducklake demo test fuzz lint $(LINTS) format docs ui bench parity lock clean
