PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)

# The speaker encoder's weights. Nothing else in the package is read, so its dependencies, one of
# which needs a C compiler, are left out.
ENCODER := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --no-deps resemblyzer

.PHONY: fit test check coverage reliability-quick lint types docs browser bench install install-dev install-bench clean

fit: install  ## the main job, on the built-in synthetic corpus
	$(BIN)/python -m speechnet fit --config configs/quickstart.yaml

test: install-dev  ## every check and every test
	$(MAKE) --jobs=2 --output-sync lint types docs
	$(BIN)/pytest -n auto --dist worksteal

check: install-dev  ## before a commit, in a minute and a half: lint, types and the quick tests
	$(MAKE) --jobs=2 --output-sync lint types
	$(BIN)/pytest -n auto --dist worksteal -m "not slow and not reliability"

coverage: install-dev  ## which lines the tests run
	$(BIN)/coverage erase
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term

reliability-quick: install-dev  ## the campaign in small: kills, flips, fuzz; SIZE=20 makes it long
	SPEECHNET_RELIABILITY=$(or $(SIZE),1) $(BIN)/pytest -n auto --dist worksteal -m reliability tests/reliability

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports

types: install-dev
	$(BIN)/mypy

docs: install-dev  ## the documentation, into docs/_build/index.html
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build

browser:  ## chromium, which tests of the report and the demo drive; for Debian and its kin
	command -v chromium > /dev/null || ($(SUDO) apt-get update --quiet=2 \
		&& $(SUDO) apt-get install --quiet=2 --yes --no-install-recommends chromium fonts-liberation)

bench: install-bench  ## what is claimed about speed, measured; ARGS="--rows 1 2" for some of it
	$(BIN)/python -m benchmarks $(ARGS)

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

install-bench: $(VENV)/.installed-bench

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit('speechnet needs Python 3.11 or newer, this is ' + sys.version if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	$(ENCODER)
	touch $@

$(VENV)/.installed-dev: pyproject.toml requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	$(ENCODER)
	touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) docs/_build docs/reference build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*
