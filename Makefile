# Thin doors. Each makes the environment first when it is missing; PYTHON=python3.12 make env chooses another Python.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all

.PHONY: env report study test test-all bench gpu lint clean

env: .venv/ready

.venv/ready: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch .venv/ready

report: env  ## the main job: every table and figure on phantoms, offline; FROM=archive.zip: of that archive, without a run
	$(BIN)/snakemake --cores $(CORES) report $(if $(FROM),--config from='$(FROM)')
	@echo "Open results/$(if $(FROM),from-$$($(BIN)/python -m workflows.archive.given '$(FROM)'),mini)/report/index.html"

test: env  ## behaviour, a file a core at a time
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "not slow" -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

test-all: env
	$(BIN)/python -m pytest tests

study: env  ## the claims with seeds and subjects enough to tell: hours, stage after stage; MINUTES=150 ends a piece
	$(BIN)/python -m workflows.ahead.stages workflows/config/study.yaml --cores $(CORES) $(if $(MINUTES),--minutes $(MINUTES))

bench: env  ## speed beside peers, as ratios within one run, 10 to 15 minutes on 2 cores
	mkdir -p results/bench
	OMP_WAIT_POLICY=$${OMP_WAIT_POLICY:-passive} $(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-json results/bench/speed.json
	$(BIN)/python -m benchmarks.speed results/bench/speed.json

gpu:  ## times of the papers' networks on a CUDA device, and trainings: GPU="--train 300"; needs torch and little more
	$(or $(wildcard $(BIN)/python),$(PYTHON)) -m workflows.gpu $(GPU)

lint: env  ## style, spelling and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflows/rules
	$(BIN)/codespell
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:  ## everything that runs have made; the environment stays
	rm -rf results .snakemake
