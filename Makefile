# make rehearse       a whole release on this machine; ARGS="--only test", "--keep-running", "--reset"
# make test           everything that must hold: lint, types, architecture, YAML, tests
# make test-release   the story of a project, release by release (minutes)
# make test-faults    releases cut at one request after the other, in storms, two at once (minutes)
# make test-first-hour  docs/azure.md walked as printed; every piece taken away, named by the doctor, mended as printed, released to (minutes)
# make test-contract  az, databricks, the vendors' SDKs and curl judge the stand-ins (minutes); ARGS=--record writes down who asked what
# make verify-azure   the same in a real subscription and workspace that NAMES=file.toml names (docs/verify-azure.md)
# make test-rules     takes out each rule of docs/rules.md: its test must go red (minutes)
PYTHON ?= python3
ARGS ?=
RUN = .venv/bin/python
# A file's tests share what they set up, so they stay in one process.
SIDE_BY_SIDE = -n 2 --dist loadfile

.PHONY: help rehearse test lint unit test-release test-faults test-first-hour test-contract verify-azure test-rules setup format lock

help:
	@grep -E '^#' Makefile | sed 's/^# //'

setup:
	@$(PYTHON) -m rehearsal.setup

rehearse: setup
	@$(RUN) -m rehearsal $(ARGS)

test: lint unit

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	PYTHONPATH=scripts:library/src:. .venv/bin/lint-imports
	$(RUN) -m rehearsal.pipelines.check

unit: setup
	$(RUN) -m pytest $(SIDE_BY_SIDE)

# Whole releases, one after the other: the first, the second, a failing one, a rollback, a cloned environment, a killed one.
test-release: setup
	$(RUN) -m pytest -m release $(SIDE_BY_SIDE)

# A release is cut at each sixteenth request here; SLIPWAY_CUT_EVERY=1 cuts it at every one, in an hour.
test-faults: setup
	$(RUN) -m pytest -m faults --dist load -n 2 --durations=10

# Every piece of an environment is taken away in turn; mends run in a shell as they are printed, so az has to be there.
test-first-hour: setup
	@$(PYTHON) -m rehearsal.setup contract
	$(RUN) -m pytest -m first_hour tests/first_hour --dist load -n 2 --durations=5

# Clients that were written for the real services, in an environment of their own, in front of the stand-ins.
test-contract:
	@$(PYTHON) -m rehearsal.setup contract
	.venv-contract/bin/python -m pytest -m contract -o filterwarnings=default tests/contract $(ARGS)

# The same tests in Azure, for whoever has a subscription and a workspace: docs/verify-azure.md.
verify-azure:
	@$(PYTHON) -m rehearsal.setup contract
	.venv-contract/bin/python -m pytest -m contract -o filterwarnings=default tests/contract --azure --names "$(NAMES)" $(ARGS)

# Takes the code of each rule out, one after the other, and expects its test to go red.
test-rules: setup
	$(RUN) -m tests.faults.mutations

format: setup
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

# Needs uv. The locks carry hashes and no addresses, so any registry can serve them.
lock:
	cd requirements && for name in release build rehearsal node contract; do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links -q $$name.in -o $$name.txt; \
	done
