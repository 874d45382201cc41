# Every command of the project. The work is done in tools/; `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: up down test check format help venv venv-aws

up: venv ## build the cluster of the stack dev on the embedded cloud of this machine
	@.venv/bin/python -m tools.up

down: venv ## destroy it, then stop the embedded cloud
	@.venv/bin/python -m tools.down

test: venv-aws ## run all tests; a part of them: make test TESTS=tests/tools
	@.venv/bin/python -m tools.run_tests $(TESTS)

check: venv-aws ## format, lint and types, as every change must pass them
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

format: venv ## bring the code into its form
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

venv: ## the Python packages, into .venv
	@PYTHON='$(PYTHON)' tools/venv.sh

venv-aws: # the same, and pulumi-aws for tests and checks, into .venv-aws
	@PYTHON='$(PYTHON)' tools/venv.sh aws

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16
