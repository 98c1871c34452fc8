# Each target says what it is for: `make help`.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help up down drill report test engine engine-test validate policies bench docs lock format

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: .venv/ready ## Deploy the stack into an AWS on this machine, and show it at work
	@$(BIN)/python -m local up

down: .venv/ready ## End it, and leave nothing behind
	@$(BIN)/python -m local down

drill: .venv/ready ## Break a rotation in it on purpose, and watch it heal; STEP=setSecret for one step of four
	@$(BIN)/python -m local drill --step '$(STEP)'

report: .venv/ready ## Audit a portfolio of sixty secrets in it, and print the report
	@$(BIN)/python -m local report

test: .venv/ready ## The whole bar: format, lint, types, import rules, tests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/ty check --quiet .
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/python -m local.check_own_stack > /dev/null || $(BIN)/python -m local.check_own_stack
	$(BIN)/pytest --quiet --numprocesses 2 --dist worksteal --ignore tests/engine --ignore tests/validators
	@echo "Left out: tests/engine, which needs the real Pulumi engine (make engine-test), and tests/validators (make validate)"

engine: ## Build the Pulumi CLI, once, where Go is installed and no recent pulumi is
	@tests/engine/build.sh

engine-test: .venv/ready engine ## Deploy the stack with the real Pulumi engine, into the embedded AWS
	@$(BIN)/pytest --quiet --numprocesses 2 --dist loadfile tests/engine

validate: .venv/ready ## Hold our output to the validators of others: cfn-lint, parliament, asl-validator, statelint, Event Ruler
	@tests/validators/install.sh "$(CURDIR)/$(BIN)/python"; installed=$$?; \
	$(BIN)/pytest --quiet -rs tests/validators && exit $$installed

policies: .venv/ready ## Hold our own stack, in every environment, to the policy pack
	@$(BIN)/python -m local.check_own_stack

bench: .venv/ready ## Measure against a baseline in the same run; writes .local/bench.json
	@$(BIN)/python -m tests.bench

docs: .venv/ready ## Write the generated parts of the README and docs/ anew
	@$(BIN)/python -m docs.generate

format: .venv/ready ## Format the sources, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: .venv/ready ## Pin the requirements anew, with hashes and without addresses
	$(LOCK) --output-file requirements-dev.txt --extra dev pyproject.toml
	$(LOCK) --output-file requirements.txt --constraint requirements-dev.txt pyproject.toml
	$(LOCK) --output-file policies/requirements.txt --constraint requirements-dev.txt policies/requirements.in

# The stamp is written last: an installation that was cut short starts anew.
.venv/ready: requirements-dev.txt pyproject.toml
	@echo "Installing the locked requirements into .venv (a minute or two, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rotation-guard needs Python 3.11 or later, this is " + sys.version.split()[0] + "; name one: make PYTHON=python3.12 ...")'
	@# Cleared through a link, the environment of another checkout would be gone.
	@if [ -L .venv ]; then echo ".venv is a link to $$(readlink .venv), whose requirements are older than these: run make there, or remove the link"; exit 1; fi
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# Bytecode now and not at every start, but of the 270 MB of pulumi_aws only for what the program imports.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q -j 0 -x '/pulumi_aws/' .venv/lib
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c 'from local import program; program.prepare()'
	@# The policy pack has an environment of its own where it is used alone; here it finds everything in this one.
	@[ -e policies/venv ] || ln -sfn ../.venv policies/venv
	@touch .venv/ready
