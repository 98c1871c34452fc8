# Each target says what it is for: `make help`.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help up down drill report check test engine engine-test validate policies bench screenshots transcripts docs lock format release

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: .venv/ready ## Deploy the stack into an AWS on this machine, and show it at work
	@$(BIN)/python -m local up

down: .venv/ready ## End it, and leave nothing behind
	@$(BIN)/python -m local down

drill: .venv/ready ## Break a rotation in it on purpose, and watch it heal; STEP=setSecret for one step of four
	@$(BIN)/python -m local drill --step '$(STEP)'

report: .venv/ready ## Audit a portfolio of secrets in it, print the report, and write it as a page
	@$(BIN)/python -m local report

check: .venv/compiled ## An answer in a minute: all but the functions, what deploys locally, the command line, and mutations
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/ty check --quiet .
	$(PYTEST) --numprocesses 2 --dist worksteal tests/domain tests/components tests/contracts tests/plugin tests/policies tests/examples \
	--deselect tests/policies/test_mutations.py --deselect tests/policies/test_public_mutations.py \
	--deselect tests/contracts/test_permissions.py

test: .venv/compiled ## The whole bar: format, lint, types, import rules, tests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/ty check --quiet .
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/python -m local.check_own_stack > /dev/null || $(BIN)/python -m local.check_own_stack
	@# Three processes for two cores: tests of deployments wait for most of their time.
	$(PYTEST) --numprocesses 3 --dist worksteal --ignore tests/engine --ignore tests/validators --ignore tests/browser
	@echo "Left out: tests/engine, which needs the real Pulumi engine (make engine-test), and tests/validators and tests/browser (make validate)"

engine: ## Build the Pulumi CLI and its YAML language host, once, where Go is installed and no recent pulumi is
	@tests/engine/build.sh
	@tests/engine/typescript/install.sh

engine-test: .venv/compiled engine ## Deploy the stack with the real Pulumi engine, into the embedded AWS
	@$(PYTEST) --numprocesses 2 --dist loadfile tests/engine

validate: .venv/ready ## Hold our output to the validators of others: cfn-lint, parliament, asl-validator, statelint, Event Ruler, axe
	@tests/validators/install.sh "$(CURDIR)/$(BIN)/python"; installed=$$?; \
	$(PYTEST) -rs tests/validators tests/browser && exit $$installed

policies: .venv/ready ## Hold our own stack, in every environment, to the policy pack
	@$(BIN)/python -m local.check_own_stack

screenshots: .venv/ready ## Take the pictures of the HTML report for the README, in Chromium
	@tests/validators/install.sh "$(CURDIR)/$(BIN)/python" > /dev/null; $(BIN)/python -m tests.browser.screenshots

bench: .venv/ready ## Measure against a baseline in the same run; writes .local/bench.json
	@$(BIN)/python -m tests.bench

transcripts: .venv/ready ## Run the commands on a deployment of their own, and write docs/transcripts.md
	@$(BIN)/python -m docs.transcripts

docs: .venv/ready ## Write the generated parts of the README and docs/ anew
	@$(BIN)/python -m docs.generate

format: .venv/ready ## Format the sources, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

release: .venv/ready ## Build what a release consists of into dist/, if versions and changelog agree: VERSION=0.2.0
	@rm -rf dist && mkdir dist
	@$(BIN)/python -m docs.release_notes '$(VERSION)' > dist/notes.md
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@tar -czf dist/rotation-guard-policies-$(VERSION).tar.gz --exclude venv --exclude __pycache__ policies

# With bytecode on disk: each worker and each process of the embedded AWS would compile everything anew.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --quiet
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
IMPORTED = aws_lambda_powertools boto3 botocore click google grpc hypercorn ministack pulumi rich typer yaml

.venv/compiled: .venv/ready
	@# The 270 MB of pulumi_aws are left out: most of it is never imported.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q -j 0 -x '/pulumi_aws/' .venv/lib
	@touch .venv/compiled

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: .venv/ready ## Pin the requirements anew, with hashes and without addresses
	$(LOCK) --output-file requirements-dev.txt --extra dev pyproject.toml
	$(LOCK) --output-file requirements.txt --constraint requirements-dev.txt --extra pulumi pyproject.toml
	$(LOCK) --output-file policies/requirements.txt --constraint requirements-dev.txt policies/requirements.in

# The stamp is written last: an installation that was cut short starts anew.
.venv/ready: requirements-dev.txt pyproject.toml
	@echo "Installing the locked requirements into .venv (half a minute, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rotation-guard needs Python 3.11 or later, this is " + sys.version.split()[0] + "; name one: make PYTHON=python3.12 ...")'
	@# Cleared through a link, the environment of another checkout would be gone.
	@if [ -L .venv ]; then echo ".venv is a link to $$(readlink .venv), whose requirements are older than these: run make there, or remove the link"; exit 1; fi
	@$(PYTHON) -m venv --clear .venv
	@awk '/^[a-z]/ { is_uv = /^uv==/ } is_uv' requirements-dev.txt > .venv/uv.txt
	@$(PIP) install --no-compile --require-hashes --requirement .venv/uv.txt
	@# uv installs the rest in a tenth of pip's time. It does not read pip's configuration: where that names a registry, pip does.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements-dev.txt 2> .venv/uv.log \
	|| $(PIP) install --no-compile --require-hashes --requirement requirements-dev.txt || { cat .venv/uv.log; exit 1; }
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@# Bytecode now and not at every start, but only of what `make up` imports.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q -j 0 $$($(BIN)/python -c 'import sys, sysconfig; site = sysconfig.get_path("purelib"); print(*(site + "/" + name for name in sys.argv[1:]))' $(IMPORTED))
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c 'from local.deploy import program; program.prepare()'
	@# The policy pack and the plugin have environments of their own where they are used; here they find all in this one.
	@for folder in policies plugin; do [ -e $$folder/venv ] || ln -sfn ../.venv $$folder/venv; done
	@touch .venv/ready
