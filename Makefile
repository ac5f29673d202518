# The two commands: `make demo` and `make test`. This file sets up an environment and calls;
# everything also works as plain `snakemake ...` and `seqrec ...` (see README.md).
#
# Settings: EXPERIMENT=paper  NAME=new-name SET='key=value ...'  CORES=4  RETRAIN=stale
#           TRACK='tensorboard'  REPORT=zip  PYTHON=python3.12  PROFILE=gpu (a folder of profiles/)
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
REPORT ?= html
override EXPERIMENT := $(value EXPERIMENT)
override NAME := $(value NAME)
override SET := $(value SET)
override RETRAIN := $(value RETRAIN)
override TRACK := $(value TRACK)
export EXPERIMENT NAME SET RETRAIN TRACK

# Relative, so that a checkout may lie in a folder whose path holds spaces.
BIN := .venv/bin
READY := .venv/.ready
SEQREC = $(BIN)/python -m seqrec
RESULTS = "results/$${NAME:-$$EXPERIMENT}"
# Snakemake silently ignores a profile that does not exist.
PROFILES = $(notdir $(patsubst %/config.yaml,%,$(wildcard profiles/*/config.yaml)))
SNAKEMAKE = $(if $(filter $(PROFILE),$(PROFILES)),,$(error PROFILE=$(PROFILE): no such folder of \
	profiles/; there are: $(PROFILES)))$(BIN)/python -m snakemake --workflow-profile profiles/$(PROFILE) $(if $(CORES),--cores $(CORES))
CONFIG = --config "experiment=$$EXPERIMENT" "name=$$NAME" "set=$$SET" "retrain=$$RETRAIN" \
	"track=$$TRACK"

.PHONY: help demo paper experiment runs tables figures report test test-all benchmark whole readme lint format lock setup clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 14

setup: $(READY) ## create .venv with the locked dependencies and the package

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $(READY)

demo: ## run the demo: every model family on a small simulated dataset, on CPU
	@$(MAKE) --no-print-directory experiment EXPERIMENT=demo

paper: ## reproduce the paper on the datasets that can be obtained
	@$(MAKE) --no-print-directory experiment EXPERIMENT=paper

# Tables and figures are made from the records that exist, even if some runs failed. Missing runs
# are then listed with their reasons, and make ends with an error.
experiment: $(READY) ## run EXPERIMENT (a file of config/) up to tables and figures
	@$(PREPARE)
	@$(RUNS); status=$$?; \
	$(SNAKEMAKE) --nolock tables figures $(CONFIG) --quiet all || status=$$?; \
	for table in $(RESULTS)/tables/*.md; do \
	case $$table in */missing.md) ;; *) cat $$table; echo ;; esac; done; \
	$(SEQREC) missing $(RESULTS) && exit $$status

runs: $(READY) ## train the missing runs of EXPERIMENT
	@$(PREPARE)
	@$(RUNS)

# Mistakes in the experiment or its settings end here.
PREPARE = printf '%s ' "$$EXPERIMENT" "$$SET" | xargs $(SEQREC) prepare $${NAME:+--name "$$NAME"}

# Snakemake only reports what goes wrong; `seqrec status` shows the progress.
RUNS = stale="$${RETRAIN:+$$(test ! -e $(RESULTS)/grid.json || $(SEQREC) stale $(RESULTS))}" || exit; \
	$(SEQREC) status $(RESULTS) -- $(SNAKEMAKE) runs --quiet rules host progress reason \
	$(CONFIG) $${stale:+--forcerun $$stale}

# Without Snakemake's lock, so that they can be made while runs are under way: they read the records
# that exist, and each file is replaced in one step.
tables figures: $(READY) ## make them again from the run records of EXPERIMENT
	@$(PREPARE)
	$(SNAKEMAKE) --nolock $@ $(CONFIG)

# Snakemake's report shows the files that exist, so they are made first.
report: $(READY) ## make one page of all tables and charts from the run records of EXPERIMENT
	@$(PREPARE)
	$(SNAKEMAKE) --nolock evidence $(CONFIG)
	$(SNAKEMAKE) --nolock evidence $(CONFIG) --report $(RESULTS)/report.$(REPORT) \
	--report-stylesheet workflow/report/report.css
	@echo "$(RESULTS)/report.$(REPORT): open it in a browser; it needs no network."

test: $(READY) ## run the fast tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-all: $(READY) ## run all tests, also the slow ones, and those on Slurm if it is installed
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m ''

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

lint: $(READY) ## check style, types and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint

format: $(READY) ## format Python and Snakemake files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# CPU and GPU builds of torch have the same version, which determines their dependencies.
lock: ## pin the versions that a new environment gets today
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --editable '.[dev]'
	{ echo '# Made by `make lock`; a constraints file for pip.'; \
	  .venv-lock/bin/python -m pip freeze --exclude-editable \
	  | sed -E 's/^(torch==[0-9.]+).*/\1/; s/^torch @.*/torch==2.13.0/; /^(nvidia|triton|cuda)/d'; } > requirements.lock
	rm -rf .venv-lock

clean: ## remove the environment (never data or results)
	rm -rf .venv

architecture: $(READY) ## draw docs/architecture.svg from what the modules import
	$(BIN)/python tests/draw_architecture.py
.PHONY: architecture
