# The one entry to the project. Everything lives in .venv; a step runs again when its lock changes.
#   make run     a fresh checkout to the messenger with sample members on http://127.0.0.1:8000
#   make test    the whole test suite, a cell of every second fault included; ARGS="-k resume -x" goes to pytest
#   make faults  every fault of a cluster at every phase, every planted bug; build/faults.md
#   make bench   every budget, beside the bare limit and others; build/bench.json
#   make check   format, lint, types, the direction of imports
.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
.PHONY: run test faults bench check fmt lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Compiled once, whatever the environment says, and not by each of the hundreds of processes that tests start.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest

run: $(VENV)/.installed
	@exec $(BIN)/subrosa serve --demo

test: $(VENV)/.installed-dev
	@.ci/services
	$(PYTEST) -n 3 --dist worksteal $(ARGS)

faults: $(VENV)/.installed-dev
	@.ci/services
	SUBROSA_CELLS=all $(PYTEST) tests/faults/cluster tests/property/test_planted_bugs.py -n 2 $(ARGS)

# ARGS="--only sends --runs 3" measures less.
bench: $(VENV)/.installed-dev
	@.ci/services
	$(BIN)/python -m tests.bench $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fmt: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

# ARGS=--upgrade takes the newest releases; without it the locked ones stay while they fit.
lock: $(VENV)/.installed-dev
	.ci/lock $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find server client_demo tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed as $(PYTHON); another one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "$(PYTHON) cannot make a virtual environment; Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# No build isolation: setuptools comes from the lock as well, so that nothing is installed unlocked.
$(VENV)/.installed: requirements.lock pyproject.toml $(VENV)/pyvenv.cfg
	@echo "Installing into $(VENV) …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@$(PIP) install --require-hashes --no-build-isolation -r requirements-dev.lock
	@touch $@
