# make setup   the environment in .venv
# make demo    synthetic captures -> an approved run -> a detector -> EVE lines
# make test    lint, types, layers and every test

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit('netloop needs Python 3.11 to 3.13') if not (3, 11) <= sys.version_info < (3, 14) else None"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	rm -rf demo
	$(BIN)/netloop lab demo/lab --workspace demo/workspace
	$(BIN)/netloop run examples/quickstart.yaml --set data.source=demo/lab --approve auto --workspace demo/workspace
	$(BIN)/netloop detect last demo/lab/web --workspace demo/workspace > demo/eve.json
	@head -n 1 demo/eve.json
	@echo "$$(wc -l < demo/eve.json) flows in demo/eve.json; the report: demo/workspace/runs/*/report.html"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal

clean:
	rm -rf .venv demo
