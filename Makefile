# Two commands: `make quickstart` and `make test`. Both make .venv when it is missing or out of date.

PYTHON ?= python3
BIN := .venv/bin
PLUGINS := $(sort $(wildcard plugins/*))
PROJECTS := pyproject.toml $(addsuffix /pyproject.toml,$(PLUGINS)) plugins/nfcore-web/package-lock.json
# Plugins that bring heavy libraries of their own: developers get them, users choose.
EXTRAS := $(addprefix plugins/nfcore-,executorch mesh mlflow openvino ray splats tensorboard wandb)
EDITABLE := $(foreach plugin,$(filter-out $(EXTRAS),$(PLUGINS)),-e $(plugin))
EDITABLE_EXTRAS := $(foreach plugin,$(EXTRAS),-e $(plugin))
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# What the quickstart learns: make quickstart SCENE=path/to/photos. By default the lego of the real scenes that the
# benchmarks use (benchmarks/data.py) where they are there, else a procedural still life.
NFCORE_DATA ?= ../shared/data
SCENE ?= $(wildcard $(NFCORE_DATA)/nerf_synthetic/lego)
# Empty is unset. Without bytecode, which containers often turn off, each process compiles all sources again: a test
# worker's collection then takes 45 CPU seconds instead of 20.
export PYTHONDONTWRITEBYTECODE :=
# Each file's tests in one process, and each plugin's: what they prepare is prepared once (conftest.py).
# One process more than there are cores: a quarter of the time a test waits, for a process or a browser.
PYTEST := $(BIN)/pytest --numprocesses $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1))) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: quickstart test test-fast check docs pictures bench release format clean

quickstart: .venv/users
	$(BIN)/nfcore run quickstart --resume $(if $(SCENE),--scene $(SCENE))

test: .venv/developers
	$(PYTEST)

# The unit lane: nothing that trains, starts processes, converts exports or opens a browser (CONTRIBUTING.md, Tests).
test-fast: .venv/developers
	$(PYTEST) -m "not slow"

check: .venv/developers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The pictures in docs/images, of a quickstart that is done for them; RUN=runs/NAME takes a finished run.
pictures: .venv/docs
	$(BIN)/python docs/screenshots.py $(RUN)

bench: .venv/users
	$(BIN)/python -m benchmarks

# All distributions: sdists and wheels in dist/, checked, then installed in a fresh environment that runs a pipeline,
# and in another one that runs README's commands.
release: .venv/release
	$(BIN)/python -m release
	NFCORE_WHEELS=dist $(BIN)/pytest tests/test_first_minutes.py

format: .venv/developers
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v <= (3, 13); \
	  sys.exit(None if ok else f"nfcore needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

# setuptools is installed first and builds without isolation: one copy of it instead of one for each plugin.
.venv/users: .venv/bin/python constraints.txt $(PROJECTS)
	$(INSTALL) setuptools
	$(INSTALL) --no-build-isolation -e '.[fast]' $(EDITABLE)
	@touch $@

.venv/developers: .venv/users $(wildcard plugins/*/tests/package-lock.json)
	$(INSTALL) --no-build-isolation -e '.[dev]' $(EDITABLE_EXTRAS)
	for folder in plugins/nfcore-mesh plugins/nfcore-webgl; do npm ci --prefix $$folder/tests --ignore-scripts --no-audit --no-fund || exit; done
	@touch $@

.venv/release: .venv/developers
	$(INSTALL) --no-build-isolation -e '.[release]'
	@touch $@

.venv/docs: .venv/developers
	$(INSTALL) --no-build-isolation -e '.[docs]'
	@touch $@
