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
# What each part of the environment is there for: the experiments; tests and linters; the site.
READY := .venv/.ready
DEV_READY := .venv/.dev-ready
DOCS_READY := .venv/.docs-ready
SEQREC = "$(BIN)/python" -m seqrec
RESULTS = "results/$${NAME:-$$EXPERIMENT}"
SNAKEMAKE = "$(BIN)/python" -m snakemake --workflow-profile "profiles/$$PROFILE" $${CORES:+--cores "$$CORES"}
PROFILES = $(notdir $(patsubst %/config.yaml,%,$(wildcard profiles/*/config.yaml)))
# What `make lint` looks at: not what users add beside it.
OURS = seqrec tests workflow docs
CONFIG = --config "experiment=$$EXPERIMENT" "name=$$NAME" "set=$$SET" "retrain=$$RETRAIN" \
	"track=$$TRACK"

.PHONY: help demo real paper cost experiment runs tables figures report provenance test test-all benchmark losses accelerator accelerator-tiny growth scale whole reference readme docs lint format lock setup clean architecture terminal

help: ## list the targets
	@grep -E '^[a-z -]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 16

setup: $(READY) ## create .venv with the locked dependencies and the package

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=...")'
	@echo "Setting up .venv with the locked packages. Up to 2.1 GB are fetched, most of it torch with CUDA."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(call INSTALL,.[slurm])
	@touch $@
	@echo "Ready."

# A change of the lock brings these up to date as well.
$(DEV_READY): $(READY)
	@echo "Adding what tests and linters need to .venv: about 0.2 GB."
	@$(call INSTALL,.[dev])
	@touch $@

$(DOCS_READY): $(READY)
	@echo "Adding what the documentation needs to .venv."
	@$(call INSTALL,.[docs])
	@touch $@

# Says which packages of 10 MB and more are fetched; errors are all shown.
INSTALL = bash -o pipefail -c "$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	--constraint requirements.lock --editable '$(1)' | \
	{ grep --line-buffered -E 'Downloading .*\([0-9]{2,}\.[0-9]+ MB\)' || true; }"

demo: override EXPERIMENT := demo
demo: ## run the demo: every model family on a small simulated dataset, on CPU

real: override EXPERIMENT := real
real: ## train three models on MovieLens-100K, which it downloads; minutes on two CPU cores

paper: override EXPERIMENT := paper
paper: cost ## reproduce the paper on the datasets that can be obtained

cost:
	@echo "The paper takes hundreds of CPU-hours, or hours on a GPU: 'seqrec check paper' has the details."
	@echo "Ctrl-C stops it; the same command goes on from there."

experiment: ## run EXPERIMENT (a file of config/) up to tables, figures and the page

# Where runs failed (status 1), all is made from the records that exist, and make ends with what
# failed. Where nothing could be done, or all was told to stop, it ends at once.
demo real paper experiment: $(READY)
	@$(PREPARE)
	@$(RUNS); status=$$?; test $$status -le 1 || exit $$status; \
	$(call REPORT,tables figures) && $(SEQREC) report $(RESULTS) > /dev/null && $(SEQREC) summary $(RESULTS) || exit; \
	test $$status = 0 || { echo; $(SEQREC) missing $(RESULTS) > /dev/null && $(SEQREC) status $(RESULTS); exit 1; }

runs: $(READY) ## train the missing runs of EXPERIMENT
	@$(PREPARE)
	@$(RUNS) && $(SEQREC) summary $(RESULTS)

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

# What Snakemake says is told only where it failed; the log of the failed step, where there is one.
REPORT = said=$$($(SNAKEMAKE) $(1) $(CONFIG) --quiet host progress reason 2>&1) || { \
	printf '%s\n' "$$said" | sed -n '/^Logfile /,/^Exiting /p' | grep -v '^Exiting ' >&2 || printf '%s\n' "$$said" >&2; exit 1; }

# They can be made while runs are under way: they read the records that exist, and each file is
# replaced in one step.
tables figures: $(READY) ## make tables, or figures, again from the run records of EXPERIMENT
	@$(PREPARE)
	@$(call REPORT,$@)
	@$(SEQREC) summary $(RESULTS)

report: $(READY) ## write a page of what EXPERIMENT found, with all tables and charts
	@$(SEQREC) report $(RESULTS)

provenance: $(READY) ## make Snakemake's report of the steps of EXPERIMENT and their times
	@$(PREPARE)
	$(SNAKEMAKE) evidence $(CONFIG)
	$(SNAKEMAKE) evidence $(CONFIG) --report $(RESULTS)/provenance.html

test: $(DEV_READY) ## run the fast tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --max-worker-restart 0

test-all: $(DEV_READY) ## run all tests, also the slow ones, and those on Slurm if it is installed
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --max-worker-restart 0 -m ''

# Run it on a machine that is otherwise idle.
benchmark: data/processed/ml-1m data/processed/beauty ## time training and evaluation against a textbook implementation
	$(BIN)/python tests/benchmarks
	$(BIN)/python tests/benchmarks/losses.py
	$(BIN)/python tests/benchmarks/growth.py

losses: $(READY) ## time every loss, by hand, by autograd and as a textbook writes it, in a minute
	$(BIN)/python tests/benchmarks/losses.py --quick --output results/benchmark/losses-quick.json

growth: $(READY) ## time training steps by number of items, up to ten million, and by length
	$(BIN)/python tests/benchmarks/growth.py

scale: $(READY) ## take logs of up to 100 million interactions all the way, and measure time and memory
	$(BIN)/python tests/benchmarks/scale.py

PEERS = rectools replay recbole

peers: $(READY) data/processed/ml-1m $(PEERS:%=.venv-peers/%/.ready) ## train SASRec of RecTools, RePlay and RecBole beside ours, over an hour; their environments take 5 GB
	$(BIN)/python tests/benchmarks/peer_runs.py

# A library that cannot be installed is left out, and the table says why.
.venv-peers/%/.ready: tests/benchmarks/peers/%.txt
	@mkdir -p .venv-peers && rm -rf .venv-peers/$*
	@$(BIN)/python -m venv .venv-peers/$*
	@echo "Setting up .venv-peers/$*; the log is .venv-peers/$*.log."
	@if .venv-peers/$*/bin/python -m pip install --disable-pip-version-check --progress-bar off \
		--requirement $< > .venv-peers/$*.log 2>&1; then touch $@; else grep '^ERROR' .venv-peers/$*.log >&2; fi

# On a GPU; where it has to be borrowed, docs/explanation/performance.md says how.
accelerator: $(READY) data/processed/ml-1m data/processed/beauty ## measure all that a GPU is wanted for, in at most ten minutes
	$(BIN)/python tests/benchmarks/accelerator --prepare data/accelerator
	$(BIN)/python tests/benchmarks/accelerator --prepared data/accelerator

accelerator-tiny: $(READY) ## try that with small logs and networks, with torch and numpy alone, in a minute
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/python tests/benchmarks/accelerator --prepare "$$folder" --tiny && \
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/accelerator --prepared "$$folder" --bare \
	--output "$$folder/results.json"

whole: $(READY) data/processed/ml-1m data/processed/beauty ## time a part of every run of the paper and estimate the whole
	$(BIN)/python tests/benchmarks/whole.py

data/processed/%: | $(READY)
	$(SEQREC) download $*
	$(SEQREC) preprocess $*

reference: $(READY) ## make tables and figures of all promoted records again
	@$(MAKE) --no-print-directory tables figures EXPERIMENT=reference
	@for grid in results/reference/*/grid.json; do test ! -e "$$grid" || { $(SEQREC) tables "$${grid%/*}" && \
		$(SEQREC) figures "$${grid%/*}"; } > /dev/null || exit; done

readme: reference ## put the reference results and measurements into the README
	$(BIN)/python tests/readme.py

docs: $(DOCS_READY) ## build the documentation into docs/_build/html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html: open it in a browser; it needs no network."

lint: $(DEV_READY) ## check style, types and the workflow
	$(BIN)/ruff check $(OURS)
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint

format: $(DEV_READY) ## format Python and Snakemake files
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

terminal: $(READY) ## draw the end of `make demo` as docs/terminal.svg
	$(BIN)/python tests/draw_terminal.py

architecture: $(READY) ## draw docs/architecture.svg from what the modules import
	$(BIN)/python tests/draw_architecture.py
