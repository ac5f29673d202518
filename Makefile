# `make help` lists the commands; begin with `make demo`. They set up .venv and call `snakemake ...`
# and `seqrec ...`, which also work on their own.
#
# Settings: EXPERIMENT=paper  NAME=new-name SET='key=value ...'  CORES=4  RETRAIN=stale
#           TRACK='tensorboard'  PYTHON=python3.12  PROFILE=gpu (a folder of profiles/)
#
# Values reach the shell as variables of its environment, word for word: nothing in them is
# expanded or run.

PYTHON ?= python3
PROFILE ?= default
CORES ?=
EXPERIMENT ?= demo
NAME ?=
SET ?=
RETRAIN ?=
TRACK ?=
override PROFILE := $(value PROFILE)
override CORES := $(value CORES)
override EXPERIMENT := $(value EXPERIMENT)
override NAME := $(value NAME)
override SET := $(value SET)
override RETRAIN := $(value RETRAIN)
override TRACK := $(value TRACK)
export PROFILE CORES EXPERIMENT NAME SET RETRAIN TRACK

# Relative, so that a checkout may lie in a folder whose path holds spaces.
BIN := .venv/bin
READY := .venv/.ready
SEQREC = "$(BIN)/python" -m seqrec
RESULTS = "results/$${NAME:-$$EXPERIMENT}"
SNAKEMAKE = "$(BIN)/python" -m snakemake --workflow-profile "profiles/$$PROFILE" $${CORES:+--cores "$$CORES"}
PROFILES = $(notdir $(patsubst %/config.yaml,%,$(wildcard profiles/*/config.yaml)))
# What `make lint` looks at: not what users add beside it.
OURS = seqrec tests workflow docs
CONFIG = --config "experiment=$$EXPERIMENT" "name=$$NAME" "set=$$SET" "retrain=$$RETRAIN" \
	"track=$$TRACK"

.PHONY: help demo paper experiment runs tables figures report provenance test test-all benchmark whole readme docs lint format lock setup clean architecture

help: ## list the targets
	@grep -E '^[a-z -]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 16

setup: $(READY) ## create .venv with the locked dependencies and the package

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $(READY)

demo: ## run the demo: every model family on a small simulated dataset, on CPU
	@$(MAKE) --no-print-directory experiment EXPERIMENT=demo
	@echo "Next: 'make report$${NAME:+ NAME=$$NAME}' puts all of it on one page, results/$${NAME:-demo}/report.html, to open in a" \
	"browser; docs/quickstart.md goes on from there."

paper: ## reproduce the paper on the datasets that can be obtained
	@$(MAKE) --no-print-directory experiment EXPERIMENT=paper

# Where runs failed (status 1), tables and figures are made from the records that exist, and make
# ends with what failed. Where nothing could be done, or all was told to stop, it ends at once.
experiment: $(READY) ## run EXPERIMENT (a file of config/) up to tables and figures
	@$(PREPARE)
	@$(RUNS); status=$$?; test $$status -le 1 || exit $$status; \
	$(SNAKEMAKE) tables figures $(CONFIG) --quiet all || exit; \
	for table in $(RESULTS)/tables/results/*.md; do cat "$$table"; echo; done; \
	if test $$status = 0; then $(SEQREC) missing $(RESULTS); \
	else $(SEQREC) missing $(RESULTS) > /dev/null && $(SEQREC) status $(RESULTS); exit 1; fi

runs: $(READY) ## train the missing runs of EXPERIMENT
	@$(PREPARE)
	@$(RUNS)

# Mistakes in the experiment or its settings end here. Snakemake silently ignores a profile that does
# not exist.
PREPARE = test -e "profiles/$$PROFILE/config.yaml" || { \
	echo "PROFILE=$$PROFILE: no such folder of profiles/; there are: $(PROFILES)" >&2; exit 2; }; \
	printf '%s ' "$$EXPERIMENT" "$$SET" | xargs $(SEQREC) prepare $${NAME:+--name "$$NAME"}

# Snakemake only reports what goes wrong; `seqrec status` shows the progress. It ends when make ($PPID)
# is gone, even by `kill -9`.
RUNS = stale="$${RETRAIN:+$$(test ! -e $(RESULTS)/grid.json || $(SEQREC) stale $(RESULTS))}" || exit; \
	SEQREC_ENDS_WITH=$$PPID $(SEQREC) status $(RESULTS) -- $(SNAKEMAKE) runs --quiet rules host progress reason \
	$(CONFIG) $${stale:+--forcerun $$stale}

# They can be made while runs are under way: they read the records that exist, and each file is
# replaced in one step.
tables figures: $(READY) ## make tables, or figures, again from the run records of EXPERIMENT
	@$(PREPARE)
	@$(SNAKEMAKE) $@ $(CONFIG) --quiet all
	@cat "$$(ls -t $(RESULTS)/logs/*$@.log | head -n 1)"

report: $(READY) ## write a page of what EXPERIMENT found, with all tables and charts
	@$(SEQREC) report $(RESULTS)

provenance: $(READY) ## make Snakemake's report of the steps of EXPERIMENT and their times
	@$(PREPARE)
	$(SNAKEMAKE) evidence $(CONFIG)
	$(SNAKEMAKE) evidence $(CONFIG) --report $(RESULTS)/provenance.html

test: $(READY) ## run the fast tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --max-worker-restart 0

test-all: $(READY) ## run all tests, also the slow ones, and those on Slurm if it is installed
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --max-worker-restart 0 -m ''

# Run it on a machine that is otherwise idle.
benchmark: data/processed/ml-1m data/processed/beauty ## time training and evaluation against a textbook implementation
	$(BIN)/python tests/benchmarks
	if command -v nvidia-smi > /dev/null; then $(BIN)/python tests/benchmarks/whole.py; fi

whole: $(READY) data/processed/ml-1m data/processed/beauty ## time a part of every run of the paper and estimate the whole
	$(BIN)/python tests/benchmarks/whole.py

data/processed/%: | $(READY)
	$(SEQREC) download $*
	$(SEQREC) preprocess $*

readme: ## put the reference results and measurements into the README
	$(MAKE) --no-print-directory tables figures EXPERIMENT=reference
	$(BIN)/python tests/readme.py

docs: .venv/.docs-ready ## build the documentation into docs/_build/html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html: open it in a browser; it needs no network."

.venv/.docs-ready: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[docs]'
	@touch $@

lint: $(READY) ## check style, types and the workflow
	$(BIN)/ruff check $(OURS)
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint

format: $(READY) ## format Python and Snakemake files
	$(BIN)/ruff check --fix $(OURS)
	$(BIN)/ruff format $(OURS)
	$(BIN)/snakefmt Snakefile workflow

# CPU and GPU builds of torch have the same version, which determines their dependencies.
lock: ## pin the versions that a new environment gets today
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --editable '.[dev,docs]'
	{ echo '# Made by `make lock`; a constraints file for pip.'; \
	  .venv-lock/bin/python -m pip freeze --exclude-editable \
	  | sed -E 's/^(torch==[0-9.]+).*/\1/; s/^torch @.*/torch==2.13.0/; /^(nvidia|triton|cuda)/d'; } > requirements.lock
	rm -rf .venv-lock

clean: ## remove the environment (never data or results)
	rm -rf .venv

architecture: $(READY) ## draw docs/architecture.svg from what the modules import
	$(BIN)/python tests/draw_architecture.py
