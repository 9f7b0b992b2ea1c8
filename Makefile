# Needs Python 3.11 or newer, pip and make; the rest comes from PyPI into .venv.
.PHONY: run more test long check lint style types fast bench docs times verify report schemas audit clean
.PHONY: dvc.yaml
.DELETE_ON_ERROR:

BIN := .venv/bin
# dvc's stages, and rules that call programs, find the environment without its activation.
export PATH := $(CURDIR)/$(BIN):$(PATH)
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)

# What hints name.
run verify: export BIOLOOM_CALLED := make run
run: .venv/installed  ## from raw data to predictions and results/report.html
	$(BIN)/snakemake

more: export BIOLOOM_CALLED := make more
more: .venv/installed  ## the tasks of tasks/more, too
	$(BIN)/snakemake --config 'tasks=[tasks, tasks/more]'

# A worker for each core takes tests from the others when it has run out of its own.
PYTEST := $(BIN)/python -m pytest -n logical --dist worksteal

test: .venv/installed-test  ## what is not long
	$(PYTEST) -m "not long"

long: .venv/installed-test  ## a real Slurm, an object store, runs that are killed or compared, pages in a browser
	$(PYTEST) -m long

check: .venv/installed-test .venv/installed-lint  ## before each commit: lint, types and the fast tests
	@$(MAKE) --no-print-directory -j 2 --output-sync=target style types fast

lint: .venv/installed-lint style types
	$(BIN)/snakemake --lint

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check --line-length 100 Snakefile workflow

types:
	$(BIN)/mypy

fast:
	$(PYTEST) -m "not slow"

bench: .venv/installed
	$(BIN)/python -m bench

docs: .venv/installed .venv/installed-docs  ## the site, in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

times:  ## what each job took, the longest first
	@grep -rH --include='*.log' '^took ' logs | sed 's/\.log:took /  /' | sort -t' ' -k3 -g -r

verify: .venv/installed  ## is everything that `make run` left what was made, and current?
	$(BIN)/python scripts/verify.py --lock snakemake.lock
	$(BIN)/dvc status
	$(BIN)/snakemake --dry-run

report: .venv/installed
	$(BIN)/snakemake --until report

schemas: .venv/installed  ## what editors check by: after a change of options or parameters
	$(BIN)/python scripts/schemas.py --folder workflow/schemas

# In an environment of its own, so that what is audited is what users get. What could not be looked
# up is an error, too.
audit:  ## known weaknesses of all packages in constraints.txt; needs the network
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet pip-audit
	build/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

clean:  ## all that runs made, with stored embeddings and checkpoints; keeps downloads and .venv
	rm -rf results logs .snakemake build
	test ! -d .bioloom || find .bioloom -mindepth 1 -maxdepth 1 ! -name downloads -exec rm -rf {} +

# The stages name every file of the tasks that config.yaml names.
dvc.yaml: .venv/installed
	$(BIN)/python scripts/dvc_stages.py --config config.yaml --stages $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "ERROR: no Python 3.11 to 3.13 here" >&2; exit 2; }
	$(PYTHON) -m venv .venv

# pip compiles on one core, which takes longer than all else that it does; here all cores do.
INSTALL = $(BIN)/pip install --quiet --no-compile -c constraints.txt -e
COMPILE = $(BIN)/python -m compileall -qq -j 0 -x /tests/ .venv/lib || true

# An empty stamp file: a second call installs nothing.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) ".[clinical,reads]"
	$(COMPILE)
	touch $@

.venv/installed-%: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) ".[$*]"
	$(COMPILE)
	touch $@
