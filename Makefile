# One definition of each command, used by people, pre-commit and continuous integration.

PYTHON3 ?= python3
PY := .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run demo smoke test soak check lint types format messages imports \
	migrations assets lock bench docs clean test-setup messages-check docs-check

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: Python and npm packages, assets, messages
	@$(PYTHON3) devtools/setup.py

test-setup:
	@$(PYTHON3) devtools/setup.py --tests

run: demo ## the same as demo

demo: setup ## a portal with sample data, one real agent and simulated computers
	@$(PY) -m devtools.demo $(ARGS)

smoke: setup ## the main job without a browser, on a free port, in under a minute
	@$(PY) -m devtools.smoke $(ARGS)

test: test-setup ## all tests of this tier; ARGS="-k word" chooses
	@$(PY) -m devtools.run_tests $(ARGS)

soak: test-setup ## the long tests: many kills, races and fuzzing
	@$(PY) -m devtools.run_tests --tier soak $(ARGS)

check: lint types imports migrations messages-check assets docs-check test ## every check

lint: setup ## rules and format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: setup ## put source files into the common format
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

types: setup ## strict types, the agent once more for Python 3.10
	@$(PY) -m devtools.checks types

imports: setup ## who may import whom
	@$(PY) -m devtools.checks imports

migrations: setup ## no model was changed without a migration
	@$(PY) -m devtools.checks migrations

messages: setup ## collect texts for translation into the catalogues
	@$(PY) -m devtools.messages update

messages-check: setup
	@$(PY) -m devtools.messages check

assets: setup ## bundle scripts and style sheets (setup does it when they changed)

lock: setup ## write the hash-locked requirements; ARGS=--upgrade for newer versions
	@$(PY) -m devtools.lock $(ARGS)

bench: setup ## measure, as a table and JSON
	@$(PY) -m devtools.benchmarks $(ARGS)

docs: setup ## write docs/protocol.md and the JSON Schemas
	@$(PY) -m devtools.protocol_docs

docs-check: setup
	@$(PY) -m devtools.protocol_docs --check

clean: ## remove everything that was made here
	@rm -rf .venv build admin_site/frontend/node_modules admin_site/frontend/dist \
		.import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find admin_site client_agent -name '*.mo' -delete
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
