# Everything is done through here: `make` alone prints help.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# Most tests wait for other processes: four at a time keep two cores busy.
TEST_PROCESSES ?= 4
# Slow files first (tests/conftest.py): none of them keeps everybody waiting at the end.
AT_ONCE := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
EXAMPLES ?= 100
CHAOS_ROUNDS ?= 20
SOAK_MINUTES ?= 30
INSTALL := ops/install.sh

.PHONY: help up dev test coverage fuzz chaos soak lint format capacity doctor key migration docs lock timing seed bench watch telemetry clean

help: ## Print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

up: .venv/.run ## Install what is needed and run everything; Ctrl-C stops it
	@exec $(BIN)/python -m ops up $(PROCESSES)

watch: .venv/.run ## Run everything with Prometheus, alerts, exporters and (if installed) Grafana
	@exec $(BIN)/python -m ops watch $(PROCESSES)

dev: .venv/.run ## The same, restarting when a file changes
	@exec $(BIN)/python -m ops up --reload $(PROCESSES)

test: .venv/.dev ## Run all tests (real PostgreSQL, Redis, SMTP, worker processes)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest $(AT_ONCE) $(ARGS)

coverage: .venv/.dev ## Run all tests and tell which lines none of them reached
	@$(BIN)/python -m pytest $(AT_ONCE) --cov --cov-report=term-missing $(ARGS)

fuzz: .venv/.dev ## Ask many questions made of the OpenAPI document: make fuzz EXAMPLES=100
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz -n $(TEST_PROCESSES) $(ARGS)

chaos: .venv/.dev ## Have many accidents (an hour or two): make chaos CHAOS_ROUNDS=10 TESTS=tests/chaos/storm
	@CHAOS_ROUNDS=$(CHAOS_ROUNDS) $(BIN)/python -m pytest $(or $(TESTS),tests/chaos) $(ARGS)

soak: .venv/.dev ## Look whether anything grows under load: make soak SOAK_MINUTES=30
	@SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m tests.chaos.soak

lint: .venv/.dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/vulture

format: .venv/.dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

timing: .venv/.dev ## Measure whether answers' times tell who has an account (some minutes)
	@$(BIN)/python -m tests.timing $(ARGS)

bench: .venv/.dev ## Measure everything, or one: make bench ROW=beside|me|read|login|sign-up|storm|refresh|people|processes|two|growth|lists|relay|start|jobs|memory|ledger|instrumentation|traces
	@$(BIN)/python -m tests.bench $(if $(ROW),--row $(ROW)) $(if $(USERS),--users $(USERS)) \
	  $(if $(JOBS),--jobs $(JOBS)) $(ARGS)

seed: .venv/.run ## Add people to develop with, while `make up` runs: make seed USERS=1000
	@$(BIN)/python -m storage seed $(if $(USERS),--users $(USERS)) $(ARGS)

capacity: .venv/.run ## Say what people need: make capacity USERS=100000 LOGINS=20000 LETTERS=5000 (a day)
	@$(BIN)/python -m ops capacity --users "$(USERS)" --logins-per-day "$(LOGINS)" \
	  --letters-per-day "$(LETTERS)" $(ARGS)

doctor: .venv/.run ## Look at everything of a running installation, say what is wrong
	@$(BIN)/python -m ops doctor

key: .venv/.run ## Print new secrets for .env
	@$(BIN)/python -m ops key

migration: .venv/.run ## Write an empty migration: make migration NAME=add_locale_to_users
	@$(BIN)/python -m storage create "$(NAME)"

docs: .venv/.dev ## Write the generated files: .env.example, docs/*, dashboards
	@$(BIN)/python -m ops env > .env.example
	@$(BIN)/python -m api docs
	@$(BIN)/python -m ops.metrics.page > docs/metrics.md
	@$(BIN)/python -m grafana.generate

telemetry: .venv/.telemetry ## Install what traces and error reports need (docs/tracing.md)

lock: .venv/.dev ## Resolve the dependencies anew
	@$(BIN)/uv pip compile -q pyproject.toml --extra embedded --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o requirements.lock
	@$(BIN)/uv pip compile -q pyproject.toml --extra embedded --extra otel --extra sentry \
	  --extra dev --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  -c requirements.lock -o requirements-dev.lock
	@$(BIN)/python -c 'import tomllib; \
	  extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	  print(*extras["otel"], *extras["sentry"], sep="\n")' | \
	$(BIN)/uv pip compile -q - --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header -c requirements-dev.lock -o requirements-telemetry.lock

clean: ## Remove .venv (not .ostiary: that is data)
	@rm -rf .venv

.venv/.run: requirements.lock $(INSTALL)
	@$(INSTALL) $(PYTHON) requirements.lock && touch $@

.venv/.telemetry: requirements-telemetry.lock .venv/.run
	@$(INSTALL) $(PYTHON) requirements-telemetry.lock && touch $@

.venv/.dev: requirements-dev.lock $(INSTALL)
	@$(INSTALL) $(PYTHON) requirements-dev.lock && touch $@ .venv/.run
