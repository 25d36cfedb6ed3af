# Two commands do everything on a fresh machine: `make audit` and `make test`. All of them install what they need first.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= auto

.PHONY: audit quick test bench clean
.DEFAULT_GOAL := audit

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[torch,test,bench]'
	touch $@

audit: .venv/installed
	$(BIN)/oracle audit $(ARGS)

# The inner loop: lint, types, and of every op one case of each axis value, in two types.
quick: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n $(JOBS) tests/auditing/test_audit.py::test_case --few --oracle-dtypes float32,bfloat16 $(ARGS)

test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n $(JOBS) --dist worksteal --durations 20 $(ARGS)

bench: .venv/installed
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv oracle-results benchmark-results build *.egg-info
