# Everything a developer types. `make run` and `make test` need Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/bin/uv
STAMP := $(VENV)/.installed
export SHOPFLOOR_EVAL_DATA ?= $(wildcard ../shared/data)

.PHONY: run test test-slow lint bench dev lock clean setup

run: $(STAMP)
	@$(BIN)/shopfloor serve $(ARGS)

test: $(STAMP)
	@$(BIN)/pytest $(ARGS)

test-slow: $(STAMP)
	@$(BIN)/pytest -m slow --timeout 1500 $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(STAMP)
	@$(BIN)/shopfloor bench $(ARGS)

# LangGraph Studio against the same graph
dev: $(STAMP)
	@$(BIN)/langgraph dev --no-browser $(ARGS)

setup: $(STAMP)

lock: $(UV)
	@bash scripts/lock.sh

$(UV):
	@bash scripts/get-uv.sh "$(PYTHON)"

$(STAMP): requirements/dev.txt pyproject.toml | $(UV)
	@bash scripts/setup.sh "$(PYTHON)"

clean:
	rm -rf $(VENV) .venvs .tools dist build .pytest_cache .ruff_cache
