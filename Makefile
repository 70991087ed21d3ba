# Everything a developer types. `make run` and `make test` need Python 3.11+ and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
UV := .tools/bin/uv
export SHOPFLOOR_EVAL_DATA ?= $(wildcard ../shared/data)

.PHONY: run test test-slow lint bench dev lock clean setup chromium

run: .venv/.base
	@$(BIN)/shopfloor serve $(ARGS)

test: .venv/.dev chromium
	@bash scripts/env.sh hf "$(PYTHON)"
	@$(BIN)/pytest $(ARGS)

test-slow: .venv/.dev chromium
	@for name in hf llama-cpp mlx; do bash scripts/env.sh $$name "$(PYTHON)" || exit 1; done
	@$(BIN)/pytest -m slow --timeout 1500 $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: .venv/.dev
	@$(BIN)/shopfloor bench $(ARGS)

# LangGraph Studio against the same graph
dev: .venv/.dev
	@$(BIN)/langgraph dev --no-browser $(ARGS)

setup: .venv/.dev

chromium: .venv/.dev
	@bash scripts/get-chromium.sh

# Resolves pyproject.toml into requirements/*.txt for every platform
lock: $(UV)
	@bash scripts/lock.sh

$(UV):
	@bash scripts/get-uv.sh "$(PYTHON)"

.venv/.base: requirements/base.txt pyproject.toml | $(UV)
	@bash scripts/setup.sh "$(PYTHON)" base

.venv/.dev: requirements/dev.txt pyproject.toml | $(UV)
	@bash scripts/setup.sh "$(PYTHON)" dev

clean:
	rm -rf .venv .venvs .tools dist build .pytest_cache .ruff_cache
