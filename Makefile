# Everything a newcomer types: `make run` and `make test` set up what they need first.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$name -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run test test-browser test-pages test-rest check bench format docs wheel

help:
	@echo "make run      set up and open the dashboard at http://127.0.0.1:8501"
	@echo "make test     set up, run every check and every test"
	@echo "make check    style, types and layers only"
	@echo "make bench    speed and memory against a baseline measured in the same run"
	@echo "make format   mend style where a tool can"
	@echo "make docs     write docs/metrics.md and the JSON Schemas from the definitions"
	@echo "make wheel    build the wheel into dist/"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Rapport needs Python 3.11 or newer; say where it is: make PYTHON=/path/to/python3"; exit 2; }
	@echo "Setting up $(VENV) (a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	@touch $@

run: setup
	$(BIN)/rapport run

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Side by side, since each waits for something of its own: a browser (beside it what fills its time), Streamlit's
# test runner, databases.
BROWSER := tests/browser tests/projects tests/config
PAGES := tests/dashboard tests/snapshots
test: setup
	@$(MAKE) --no-print-directory -j3 check test-browser test-pages test-rest

test-browser: setup
	$(BIN)/python -m pytest $(BROWSER)

test-pages: setup
	$(BIN)/python -m pytest $(PAGES)

test-rest: setup
	$(BIN)/python -m pytest $(addprefix --ignore=,$(BROWSER) $(PAGES))

bench: setup
	$(BIN)/python -m benchmarks

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/python -m dashboard.reference docs/metrics.md
	$(BIN)/rapport schema config/schemas

wheel: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
