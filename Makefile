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
# Of a profile that is not there, Snakemake says nothing.
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

paper: ## reproduce the paper, with what data can be had
	@$(MAKE) --no-print-directory experiment EXPERIMENT=paper

# Tables and figures of what there is are made whether or not every run succeeded; what is missing
# is listed with its reason, and then the whole ends with an error.
experiment: $(READY) ## run EXPERIMENT (a file of config/), to tables and figures
	@$(CHECK)
	@$(RUNS); status=$$?; \
	$(SNAKEMAKE) --nolock tables figures $(CONFIG) --quiet all || status=$$?; \
	for table in $(RESULTS)/tables/*.md; do \
	case $$table in */missing.md) ;; *) cat $$table; echo ;; esac; done; \
	$(SEQREC) missing $(RESULTS) && exit $$status

runs: $(READY) ## train what EXPERIMENT lacks
	@$(CHECK)
	@$(RUNS)

CHECK = printf '%s ' "$$EXPERIMENT" "$$SET" \
	| xargs $(SEQREC) check $${NAME:+--name "$$NAME"} > /dev/null

# Snakemake is to say what goes wrong; how far the runs are is shown by `seqrec status`.
RUNS = stale="$${RETRAIN:+$$(test ! -e $(RESULTS)/grid.json || $(SEQREC) stale $(RESULTS))}" || exit; \
	$(SEQREC) status $(RESULTS) -- $(SNAKEMAKE) runs --quiet rules host progress reason \
	$(CONFIG) $${stale:+--forcerun $$stale}

# Without Snakemake's lock, which a first training under way has on the grid: they are made from
# what is there, and each file is replaced in one step.
tables figures: $(READY) ## make them again from the run records of EXPERIMENT
	$(SNAKEMAKE) --nolock $@ $(CONFIG)

# Snakemake's report shows what is there, so that is made first.
report: $(READY) ## a page of all tables and charts, from the run records of EXPERIMENT
	$(SNAKEMAKE) --nolock evidence $(CONFIG)
	$(SNAKEMAKE) --nolock evidence $(CONFIG) --report $(RESULTS)/report.$(REPORT) \
	--report-stylesheet workflow/report/report.css
	@echo "$(RESULTS)/report.$(REPORT): open it in a browser; it needs no network."

test: $(READY) ## the fast tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-all: $(READY) ## all tests, the slow ones too, and on Slurm where it is installed
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m ''

# It needs ml-1m and beauty, and a quiet machine.
benchmark: data/processed/ml-1m data/processed/beauty ## time training and evaluation against a textbook implementation
	$(BIN)/python tests/benchmarks
	if command -v nvidia-smi > /dev/null; then $(BIN)/python tests/benchmarks/whole.py; fi

whole: $(READY) data/processed/ml-1m data/processed/beauty ## time a part of every run of the paper, and add up the whole
	$(BIN)/python tests/benchmarks/whole.py

data/processed/%: | $(READY)
	$(SEQREC) download $*
	$(SEQREC) preprocess $*

readme: ## put the reference results and measurements into the README
	$(MAKE) --no-print-directory tables figures EXPERIMENT=reference
	$(BIN)/python tests/readme.py

lint: $(READY) ## style, types and the workflow's own checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint

format: $(READY) ## format Python and Snakemake files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# CPU and GPU builds of torch share a version; their own dependencies follow from it.
lock: ## pin what a new environment installs today
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
