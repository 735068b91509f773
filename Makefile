# make lab        JupyterLab on a copy of the course (ARGS="03 --no-browser --port=8899")
# make test       every notebook, and every test that needs no real proxy (ARGS="-k race")
# make lint       style, types and floors
# make notebooks  execute all notebooks and write their outputs
# make fidelity   real proxies: in our proxy's place, and beside it (ARGS="-k C4")
# make bench      measurements (ARGS="--json bench.json")
# make binder     build an environment as binder/ says and execute the notebooks in it
# make format     let ruff lay out the code

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
PIP := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip --disable-pip-version-check
NEEDS := pyproject.toml constraints.txt

.PHONY: lab test lint notebooks fidelity bench binder format pins pyodide clean

lab: $(VENV)/.for-lab
	$(BIN)/labkit start $(ARGS)

# A worker for each of two processors where tests compute; two for each where they wait on
# real sockets with time to spare; by itself what measures real time, and what drives a
# browser, for Playwright keeps a loop running in its thread. Files with a marker are
# found by its name: reading all of them takes as long as their tests (tests/test_house.py
# holds that no other file uses one). Pytest says 5 when ARGS chose no test of a part.
TWO := -n 2 --dist loadfile --no-loadscope-reorder
MARKED = $(shell grep -rlE 'mark\.$(1)\b' --include='test_*.py' tests | sort)
LIVE = tests/snippets $(call MARKED,live)
test: $(VENV)/.for-dev
	$(BIN)/python -m pytest $(TWO) --nbval \
		-m "not live and not browser and not binder and not fidelity" \
		notebooks tests $(ARGS) \
		|| [ $$? -eq 5 ]
	$(BIN)/python -m pytest -n 4 --dist loadfile \
		-m "live and not quiet and not real" $(LIVE) $(ARGS) \
		|| [ $$? -eq 5 ]
	$(BIN)/python -m pytest $(TWO) -m quiet $(call MARKED,quiet) $(ARGS) \
		|| [ $$? -eq 5 ]
	$(BIN)/python -m pytest -n 2 -m browser tests/browser $(ARGS) || [ $$? -eq 5 ]

lint: $(VENV)/.for-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: $(VENV)/.for-dev
	$(BIN)/python tools/execute_notebooks.py $(ARGS)

# Real proxies in the place of ours, what the course says to type into them, then what
# docs/fidelity.md says, measured anew: that wants the machine to itself.
fidelity: $(VENV)/.for-bench
	$(BIN)/python -m pytest $(TWO) -m real tests/proxies tests/snippets $(ARGS) \
		|| [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m fidelity tests/fidelity $(ARGS) || [ $$? -eq 5 ]

bench: $(VENV)/.for-bench
	$(BIN)/python -m bench $(ARGS)

binder: $(VENV)/.for-dev
	$(BIN)/python -m pytest -m binder tests $(ARGS)

format: $(VENV)/.for-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins: $(VENV)/.for-dev
	$(BIN)/python tools/pin.py

# WebAssembly for the tests that run the core in it; needs Node and npm.
pyodide: $(VENV)/.for-dev
	$(BIN)/python tools/get_pyodide.py

clean:
	rm -rf $(VENV) .cache build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "labkit needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.for-lab: $(NEEDS) | $(BIN)/python
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.for-dev: $(NEEDS) | $(BIN)/python
	$(PIP) install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.for-lab

$(VENV)/.for-bench: $(NEEDS) | $(BIN)/python
	$(PIP) install --quiet --editable '.[dev,bench]'
	@touch $@ $(VENV)/.for-dev $(VENV)/.for-lab
