# Everything this project can be told to do: `make` lists it. Written for the make of macOS (3.81) too.
#
# Each environment is made when first needed, and again when its lock changes. Your pip settings choose the index.

PYTHON ?= python3
VENV := .venv
LINT := .venv-lint
LOCK := .venv-lock

# These variables stay here: `sam build` runs a make of its own, which is to use the environment's Python.
# The layer's package is found as in Lambda: by its folder, not installed.
RUN = @env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u PYTHON -u ARGS PYTHONPATH=layers/gatewayapi $(VENV)/bin/python -m

# sam sends no usage data.
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help demo local test check format bench soak campaign provider event status smoke lock clean

help: ## Show this list
	@echo "make <target>, with what it takes:"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.local-stamp ## Start the stack on this machine, send three messages, show each one's life, take it down
	$(RUN) local.demo $(ARGS)

local: $(VENV)/.local-stamp ## Keep the same stack up until Ctrl-C, and print its endpoints and example commands
	$(RUN) local.live $(ARGS)

test: $(VENV)/.dev-stamp ## Run all tests, as CI does
	$(RUN) pytest --numprocesses auto -m "not e2e" $(ARGS)
	$(RUN) pytest -m e2e $(ARGS)

check: $(VENV)/.dev-stamp $(LINT)/.stamp ## Judge format, style, types, templates and security, without changing anything
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) bandit --quiet --configfile pyproject.toml --recursive layers functions examples simulator local tools
	$(RUN) samcli validate --lint --region eu-west-1 --template-file template.yaml
	$(RUN) samcli validate --lint --region eu-west-1 --template-file examples/consumer/template.yaml
	@$(LINT)/bin/cfn-lint --config-file cfn-lint.yaml
	@$(LINT)/bin/checkov --config-file .checkov.yaml

format: $(VENV)/.dev-stamp ## Format the code, and mend what ruff can mend by itself
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: $(VENV)/.dev-stamp ## Measure CPU, cold starts and calls beside the usual idiom; a few minutes
	$(RUN) benchmarks $(ARGS)

soak: $(VENV)/.dev-stamp ## Send 2,000 messages through faults and killed workers, and count lost and doubled ones
	$(RUN) benchmarks.soak $(ARGS)

campaign: $(VENV)/.dev-stamp ## Send 20,000 messages, and measure latencies beside them and the cost of each
	$(RUN) benchmarks.campaign $(ARGS)

provider: $(VENV)/.local-stamp ## Run the provider's simulator alone; options as ARGS="--port 0 --token …"
	$(RUN) simulator.provider $(ARGS)

event: $(VENV)/.local-stamp ## Stamp a webhook sample with the time and sign it; options as ARGS="…"
	$(RUN) tools.sample $(ARGS)

status: $(VENV)/.local-stamp ## Show a message's life from the table: REFERENCE=… and, for a deployed stack, STACK=…
	@test -n "$$REFERENCE" || { echo "Which message? make status REFERENCE=… [STACK=…]" >&2; exit 2; }
	$(RUN) tools.status --reference "$$REFERENCE" $${STACK:+--stack "$$STACK"} $(ARGS)

smoke: $(VENV)/.local-stamp ## Test a deployed stack's webhook endpoint from outside: STACK=name
	@test -n "$$STACK" || { echo "Which stack? make smoke STACK=name" >&2; exit 2; }
	$(RUN) tools.smoke --stack "$$STACK" $(ARGS)

.PHONY: package
OUT ?= .aws-sam
package: $(VENV)/.local-stamp ## Write OUT/packaged.yaml for plain CloudFormation, with its code in S3: BUCKET=name
	@test -n "$$BUCKET" || { echo "Usage: make package BUCKET=name [OUT=folder]" >&2; exit 2; }
	$(RUN) samcli build --template-file template.yaml --build-dir "$(OUT)/package"
	$(RUN) samcli package --template-file "$(OUT)/package/template.yaml" --s3-bucket "$$BUCKET" \
		--s3-prefix gatewayapi --output-template-file "$(OUT)/packaged.yaml" $(ARGS)

lock: $(LOCK)/.stamp ## Write all locks anew; newer versions only with ARGS=--upgrade
	@for lock in layers/gatewayapi/requirements requirements/pip requirements/local requirements/dev \
		requirements/lint requirements/lock; do \
		echo "$$lock.txt"; \
		$(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command "make lock" $(ARGS) --output-file "$$lock.txt" "$$lock.in" || exit 1; \
	done

clean: ## Remove the environments, the builds and the caches
	rm -rf $(VENV) $(LINT) $(LOCK) .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call create,folder): an empty environment with the locked pip. What make says goes to stderr, so that a target's
# own output can be piped.
define create
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Python 3.11 or newer is needed, and '$(PYTHON)' is" \
		"$$("$(PYTHON)" --version 2>/dev/null || echo 'not found'): name another as in 'make $(MAKECMDGOALS) PYTHON=python3.13'" >&2; \
	exit 1; }
@echo "Making the environment $(1)" >&2
@"$(PYTHON)" -m venv --clear $(1)
$(call install,$(1),requirements/pip.txt)
endef

# $(call install,folder,lock). The lock is complete, so nothing is resolved; and byte code is written when a module is
# first used, as most never are. Both halve the time.
define install
@$(1)/bin/python -m pip install --quiet --quiet --no-input --disable-pip-version-check --no-deps --require-hashes \
	--no-compile --requirement $(2) >&2
endef

$(VENV)/.local-stamp: requirements/pip.txt requirements/local.txt
	$(call create,$(VENV))
	@echo "Installing the local AWS and its tools (once, about a minute)" >&2
	$(call install,$(VENV),requirements/local.txt)
	@touch $@

$(VENV)/.dev-stamp: requirements/dev.txt $(VENV)/.local-stamp
	@echo "Installing the tools for tests and checks (once)" >&2
	$(call install,$(VENV),requirements/dev.txt)
	@touch $@

$(LINT)/.stamp: requirements/pip.txt requirements/lint.txt
	$(call create,$(LINT))
	@echo "Installing the linters of the templates (once)" >&2
	$(call install,$(LINT),requirements/lint.txt)
	@touch $@

$(LOCK)/.stamp: requirements/pip.txt requirements/lock.txt
	$(call create,$(LOCK))
	$(call install,$(LOCK),requirements/lock.txt)
	@touch $@
