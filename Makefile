# The commands of this project. `make` lists them. They work with the make of macOS (3.81) too.
#
# Each environment is created when it is first needed, and again when its lock file changes. pip uses your own settings.

PYTHON ?= python3
VENV := .venv
LINT := .venv-lint
LOCK := .venv-lock

# make's variables are removed, because `sam build` starts a make of its own that must use the environment's Python.
# The layer's package is found by its folder, as on Lambda. It is not installed.
RUN = @env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u PYTHON -u ARGS PYTHONPATH=layers/gatewayapi $(VENV)/bin/python -m

# sam sends no usage data.
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help demo local test check format bench soak campaign provider event send status dead-letters redrive \
	person forget opt-out unheard replay smoke screenshot package segments types lock clean

help: ## Show this list
	@echo "make <target> [NAME=value]:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.local-stamp ## Start the stack on this machine, send three messages, show what happens to them
	$(RUN) local.demo $(ARGS)

local: $(VENV)/.local-stamp ## Keep the same stack up until Ctrl-C; ARGS=--help lists the options
	$(RUN) local.serve $(ARGS)

test: $(VENV)/.dev-stamp ## Run all tests, as CI does
	$(RUN) pytest --numprocesses auto $(ARGS)

check: $(VENV)/.dev-stamp $(LINT)/.stamp ## Check format, style, types, templates and security, without changing anything
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) bandit --quiet --configfile pyproject.toml --recursive layers functions examples simulator local tools
	$(RUN) samcli validate --lint --region eu-west-1 --template-file template.yaml
	$(RUN) samcli validate --lint --region eu-west-1 --template-file examples/consumer/template.yaml
	@$(LINT)/bin/cfn-lint --config-file cfn-lint.yaml
	@$(LINT)/bin/checkov --config-file .checkov.yaml

format: $(VENV)/.dev-stamp ## Format the code, and fix what ruff can fix
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: $(VENV)/.dev-stamp ## Measure processor time and cold starts, compared with the usual way; a few minutes
	$(RUN) benchmarks $(ARGS)

soak: $(VENV)/.dev-stamp ## Send 2,000 messages with faulty answers and killed workers, and count lost and repeated ones
	$(RUN) benchmarks.soak $(ARGS)

campaign: $(VENV)/.dev-stamp ## Send 20,000 messages, and measure latencies and processor time meanwhile
	$(RUN) benchmarks.campaign $(ARGS)

provider: $(VENV)/.local-stamp ## Run the provider's simulator with its page, alone; ARGS=--help lists the options
	$(RUN) simulator $(ARGS)

screenshot: $(VENV)/.dev-stamp ## Write docs/phones.png, the picture of the page
	$(RUN) tests.simulator.screenshot

event: $(VENV)/.local-stamp ## Print a webhook sample, signed and with the current time; ARGS=--help lists the options
	$(RUN) tools.sample $(ARGS)

# The commands for a stack take STACK=name and work on AWS and on the local AWS alike: the environment decides. Values
# reach them through the environment, so that the shell does not read them as code.
STACK_OPTION = $${STACK:+--stack "$$STACK"}
# Only from make's command line: a CONFIRM that is left over in the environment must not act.
CONFIRM_OPTION = $(if $(filter command,$(origin CONFIRM)),--confirm "$$CONFIRM")
# $(call need,values,usage)
need = @test -n "$1" || { echo "Usage: make $2" >&2; exit 2; }

send: $(VENV)/.local-stamp ## Put a message on the queue: TO=… TEXT=… [SENDER=…] [REFERENCE=…] [STACK=…]
	$(call need,$${TO:+$$TEXT},send TO=number TEXT=text [SENDER=name] [REFERENCE=reference] [STACK=name])
	$(RUN) tools.send $(STACK_OPTION) --to "$$TO" --text "$$TEXT" $${SENDER:+--sender "$$SENDER"} \
		$${REFERENCE:+--reference "$$REFERENCE"} $(ARGS)

status: $(VENV)/.local-stamp ## Show what happened to a message, and what happens next: REFERENCE=… [STACK=…]
	$(call need,$$REFERENCE,status REFERENCE=reference [STACK=name])
	$(RUN) tools.status $(STACK_OPTION) --reference "$$REFERENCE" $(ARGS)

dead-letters: $(VENV)/.local-stamp ## List the dead-letter queue, with what to do about each message: [STACK=…]
	$(RUN) tools.dead_letters $(STACK_OPTION) $(ARGS)

redrive: $(VENV)/.local-stamp ## Put dead letters back on the queue: [REFERENCE=…] [STACK=…]
	$(RUN) tools.redrive $(STACK_OPTION) $${REFERENCE:+--reference "$$REFERENCE"} $(ARGS)

person: $(VENV)/.local-stamp ## Show every message to a number and every text from it: NUMBER=… [FORMAT=json] [STACK=…]
	$(call need,$$NUMBER,person NUMBER=number [FORMAT=json] [STACK=name])
	$(RUN) tools.person $(STACK_OPTION) --number "$$NUMBER" $${FORMAT:+--format "$$FORMAT"} $(ARGS)

forget: $(VENV)/.local-stamp ## List what is stored of a number, and remove it: NUMBER=… [CONFIRM=yes] [STACK=…]
	$(call need,$$NUMBER,forget NUMBER=number [CONFIRM=yes] [STACK=name])
	$(RUN) tools.forget $(STACK_OPTION) --number "$$NUMBER" $(CONFIRM_OPTION) $(ARGS)

opt-out: $(VENV)/.local-stamp ## Record that a person wants no promotional messages: NUMBER=… [IN=1] | IMPORT=… | EXPORT=… [STACK=…]
	$(call need,$${NUMBER}$${IMPORT}$${EXPORT},opt-out NUMBER=number [IN=1] | IMPORT=file | EXPORT=file [STACK=name])
	$(RUN) tools.opt_out $(STACK_OPTION) $${NUMBER:+--number "$$NUMBER"} $${IN:+--in} \
		$${IMPORT:+--import "$$IMPORT"} $${EXPORT:+--export "$$EXPORT"} $(ARGS)

unheard: $(VENV)/.local-stamp ## List accepted messages without any webhook: [MINUTES=60] [STACK=…]
	$(RUN) tools.unheard $(STACK_OPTION) $${MINUTES:+--minutes "$$MINUTES"} $(ARGS)

replay: $(VENV)/.local-stamp ## Deliver stored events to a consumer again: FROM=… TO=… FUNCTION=… [CONFIRM=yes] [STACK=…]
	$(call need,$${FROM:+$${TO:+$$FUNCTION}},replay FROM=time TO=time FUNCTION=name [CONFIRM=yes] [STACK=name])
	$(RUN) tools.replay $(STACK_OPTION) --from "$$FROM" --to "$$TO" --function "$$FUNCTION" $(CONFIRM_OPTION) $(ARGS)

smoke: $(VENV)/.local-stamp ## Test a deployed stack's webhook endpoint from outside: [STACK=…]
	$(RUN) tools.smoke $(STACK_OPTION) $(ARGS)

OUT ?= .aws-sam
package: $(VENV)/.local-stamp ## Write OUT/packaged.yaml for plain CloudFormation, with its code in S3: BUCKET=name
	$(call need,$$BUCKET,package BUCKET=name [OUT=folder])
	$(RUN) samcli build --template-file template.yaml --build-dir "$(OUT)/package"
	$(RUN) samcli package --template-file "$(OUT)/package/template.yaml" --s3-bucket "$$BUCKET" \
		--s3-prefix gatewayapi --output-template-file "$(OUT)/packaged.yaml" $(ARGS)

segments: $(VENV)/.local-stamp ## Count the SMS segments of a text: TEXT=…
	$(call need,$$TEXT,segments TEXT=text)
	$(RUN) tools.segments --text "$$TEXT" $(ARGS)

types: $(VENV)/.local-stamp ## Write the TypeScript declarations of events/types from the JSON Schemas
	$(RUN) tools.declarations

lock: $(LOCK)/.stamp ## Write all lock files again; newer versions only with ARGS=--upgrade
	@for lock in layers/gatewayapi/requirements requirements/pip requirements/local requirements/dev \
		requirements/lint requirements/lock; do \
		echo "$$lock.txt"; \
		$(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command "make lock" $(ARGS) --output-file "$$lock.txt" "$$lock.in" || exit 1; \
	done

clean: ## Remove the environments, the builds and the caches
	rm -rf $(VENV) $(LINT) $(LOCK) .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call create,folder): create an environment with the locked pip. Messages go to stderr, so that a target's own output
# can be piped.
define create
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Python 3.11 or newer is needed, and '$(PYTHON)' is" \
		"$$("$(PYTHON)" --version 2>/dev/null || echo 'not found'): name another as in 'make $(MAKECMDGOALS) PYTHON=python3.13'" >&2; \
	exit 1; }
@echo "Creating the environment $(1)" >&2
@"$(PYTHON)" -m venv --clear $(1)
$(call install,$(1),requirements/pip.txt)
endef

# $(call install,folder,lock). The lock file is complete, so pip resolves nothing. Byte code is written when a module is
# first used, because most modules never are. Each of them halves the time.
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
