# The only two commands a newcomer needs: `make up` and `make test`. Both set up what is missing.
# Options for the command go into ARGS: make up ARGS="--port-base 9000", make test ARGS="tests/users -x"

ARGS ?=
BIN := .venv/bin
READY := .venv/.set-up

.DEFAULT_GOAL := help
.PHONY: help up test faults check format

help:
	@echo "make up       run everything on this machine (ARGS=\"--help\" shows the options)"
	@echo "make test     run the tests on real servers"
	@echo "make faults   run the tests of the gateway's faults at full size, which takes minutes"
	@echo "make check    lint, format, types and import rules"
	@echo "make format   format the code and mend what a linter can mend"

up: $(READY)
	@exec $(BIN)/tidings up $(ARGS)

test: $(READY)
	@scripts/install-rabbitmq.sh
	@exec $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

faults: $(READY)
	@scripts/install-rabbitmq.sh
	@FAULTS=full exec $(BIN)/pytest -s tests/gateway/faults tests/journeys/test_gateway_killed.py $(ARGS)

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Newer than the lock file means: nothing to do, and the next command starts at once.
$(READY): uv.lock pyproject.toml
	@scripts/setup.sh
	@touch $@
