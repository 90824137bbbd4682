# Every target makes the environment it needs: nothing but python3 (3.11 or later) has to be there.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_FLAGS ?= -q -n auto --dist worksteal
# Offline or mirrored installs: pass pip's own settings through the environment.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

DEMO := datasets/kepler
DEMO_OUT := demo-out

.DEFAULT_GOAL := help
.PHONY: help demo test test-gpu lint docs clean

help:
	@echo "make demo   fit Kepler's planets: the law, the front, and a plot in $(DEMO_OUT)/"
	@echo "make test   run the tests (make test-gpu: with PyTorch, which is large, those of GPU kernels too)"
	@echo "make lint   ruff, mypy and the import contracts"
	@echo "make docs   the documentation as a web site, in build/docs/"
	@echo "make clean  remove the environment and what the other targets wrote"

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit("hypo needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + ": run make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# An editable install: numba keeps its compiled kernels beside the sources.
$(VENV)/core: pyproject.toml | $(VENV)/created
	@echo "installing hypo"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/dev: pyproject.toml | $(VENV)/created
	@echo "installing hypo with its test tools"
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/core

demo: $(VENV)/core
	@$(BIN)/hypo fit $(DEMO)/data.csv --target T --time-limit 20 \
		--out $(DEMO_OUT) --plot

test: $(VENV)/dev
	@$(BIN)/python -m pytest $(PYTEST_FLAGS)

$(VENV)/gpu: pyproject.toml | $(VENV)/created
	@echo "installing hypo with its test tools, PyTorch and Triton, which run the GPU kernels on the processor"
	@$(PIP) install --editable '.[dev,gpu-test]'
	@touch $@ $(VENV)/dev $(VENV)/core

# The order matters: one installation is enough.
test-gpu: $(VENV)/gpu
	@$(MAKE) --no-print-directory test

lint: $(VENV)/dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Warnings are errors (not with --quiet, which would hide them); nothing is fetched. The variable silences the theme's remark on
# the next version of MkDocs.
docs: $(VENV)/dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/tools/mkdocs.yml
	@echo "open build/docs/index.html"

clean:
	rm -rf $(VENV) $(DEMO_OUT) build/docs
