PYTHON ?= python3
JOBS ?= 2
SECONDS ?= 600
ARGS ?=
CONSTRAINTS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
INSTALL := $(PIP) install $(CONSTRAINTS:%=--constraint %) --editable
INSTALLED := $(VENV)/.installed
FIND_PYTHONS := $(PYTHON) scripts/find_pythons.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help tour test fuzz pythons lowest check tutorials bench format gallery oracles wheel clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tour: $(INSTALLED)  ## see what this project does, in about two minutes
	@$(BIN)/tinygrad-cnn tour $(ARGS)

# One BLAS thread per worker: the workers already share the cores.
test: $(INSTALLED)-test  ## run the tests; make test ARGS="-k conv" runs some
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

fuzz: $(INSTALLED)-test  ## search for what the tests missed, for ten minutes; make fuzz SECONDS=3600 for an hour
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py $(SECONDS) $(JOBS) -- $(ARGS)

pythons:  ## run the tests on each other Python that this machine has
	@own=$$($(PYTHON) -c 'import sys; print("3.%d" % sys.version_info[1])'); \
	found=$$($(FIND_PYTHONS)) || exit 1; \
	for each in $$found; do \
		version=$${each%%=*}; \
		[ $$version = $$own ] || { echo "Tests on Python $$version:"; \
			$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON=$${each#*=}; } || exit 1; \
	done

# On the oldest Python here: of a newer one, old releases of NumPy have no wheel.
lowest:  ## run the tests on the lowest versions that pyproject.toml allows
	@$(PYTHON) scripts/lowest_versions.py > .venv-lowest.txt
	@found=$$($(FIND_PYTHONS) 2>/dev/null | head -n 1); \
	echo "Tests on the lowest versions, with Python $${found%%=*}:"; \
	$(MAKE) --no-print-directory test VENV=.venv-lowest PYTHON=$${found#*=} CONSTRAINTS=.venv-lowest.txt

check: $(INSTALLED)-test  ## lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

tutorials: $(INSTALLED)-notebook  ## run every tutorial as a script, and two as notebooks; make tutorials ARGS="3 6" runs some
	@$(BIN)/python scripts/run_tutorials.py $(ARGS)

bench: $(INSTALLED)-oracles  ## time this engine beside those that are installed
	@$(BIN)/python benchmarks/run.py $(ARGS)

format: $(INSTALLED)-test  ## put the code in the project's format
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

gallery: $(INSTALLED)  ## draw every kind of picture on one page, to look at
	@$(BIN)/python -m viz.samples gallery/kinds.html

oracles: $(INSTALLED)-oracles  ## install autograd, mygrad, scikit-learn, ONNX and PyTorch, which some tests compare with
	@$(MAKE) --no-print-directory $(INSTALLED)-torchvision \
		|| echo "PyTorch cannot be installed here: the tests that compare with it will be skipped."

wheel: $(INSTALLED)  ## build dist/*.whl
	@$(PIP) wheel --no-deps --wheel-dir dist .
	@ls dist/*.whl

clean:  ## remove the environments and everything made
	rm -rf $(VENV) .venv-* dist gallery .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(None if sys.version_info >= (3, 11) else \
		f"tinygrad_cnn needs Python 3.11 or newer, and $(PYTHON) is {v}. Name another: make PYTHON=python3.12 ...")'
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(INSTALL) .
	@touch $@

$(INSTALLED)-%: $(INSTALLED)
	@echo "Installing what [$*] needs into $(VENV) ..."
	@$(INSTALL) '.[$*]'
	@touch $@
