# Set-up and the common jobs. Every target works on a fresh machine with Python 3.11 to 3.13.
#
#   make demo      the whole way once on made-up scenes: runs/demo/report.html
#   make test      the core tests: offline, no GPU, no system package
#   make fuzz      random and damaged ledgers through import, ten minutes (MINUTES=60 SEED=7)
#   make soak      trainings, imports and a server under kills, an hour (MINUTES=180 SEED=7)
#   make bench     speed beside the peers and growth (DATA=DIR PARTS=DIR)
#   make coverage  the core tests, and which lines none of them reaches
#   make audit     known vulnerabilities of these versions (asks pypi.org; fails without an answer)
#   make licences  writes docs/licenses.md; fails where a licence stands in the way
#
# PYTHON=python3.12 picks the interpreter; PIP_FLAGS are handed to pip install, for example
# PIP_FLAGS="--no-index --find-links wheelhouse" where there is no network.

PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt $(PIP_FLAGS)

.PHONY: demo test test-all coverage fuzz soak bench audit licences lint types install dev clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Stamps: an install is repeated only when what it depends on has changed.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e ".[timm,excel,serve]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed

dev: $(VENV)/.dev

demo: install
	$(BIN)/hazardscribe demo --out runs/demo

test: dev
	$(BIN)/python -m pytest -m "not extended"

# Everything; MARK=extended runs only what `make test` leaves out.
MARK ?= extended or not extended
test-all: dev
	$(BIN)/python -m pytest -m "$(MARK)"

# Random and damaged ledgers for ten minutes; every one must end in pairs or in a sentence.
MINUTES ?= 10
SEED ?= 0
fuzz: dev
	HAZARDSCRIBE_FUZZ_MINUTES=$(MINUTES) HAZARDSCRIBE_FUZZ_SEED=$(SEED) \
		$(BIN)/python -m pytest tests/pairs/ledger/test_any_ledger.py -m extended

# Writes benchmarks/results/soak.json.
soak: MINUTES = 60
soak: dev
	$(BIN)/python benchmarks/soak.py --minutes $(MINUTES) --seed $(SEED)

# The main tables of docs/performance.md, to be run where nothing else does. DATA: a folder of pairs with
# English descriptions; PARTS: a visual encoder `vision-cnn` and a language model `llm-en` in it.
RUNS := runs/bench
bench: dev
	@test -d "$(DATA)" -a -d "$(PARTS)" || { echo "make bench DATA=folder PARTS=folder"; exit 2; }
	test -d $(RUNS)/start || $(BIN)/hazardscribe init --vision $(PARTS)/vision-cnn --llm $(PARTS)/llm-en \
		--data $(DATA) --image_size 224 --target '{description_en}' --out $(RUNS)/start
	$(BIN)/python benchmarks/training_speed.py --data $(DATA) --start $(RUNS)/start --steps 10 \
		--repeats 2 --peers ours ours-both trl plain
	$(BIN)/python benchmarks/training_speed.py --data $(DATA) --start $(RUNS)/start --steps 12 \
		--repeats 2 --peers ours trl --precision bfloat16 --name short
	$(BIN)/python benchmarks/training_speed.py --data $(DATA) --start $(RUNS)/start --steps 32 \
		--repeats 1 --peers ours trl-defaults --megapixels 12 --name large --precision bfloat16
	$(BIN)/python benchmarks/training_speed.py --data $(DATA) --start $(RUNS)/start --data-path \
		--repeats 1 --peers ours trl-defaults --megapixels 12 --name large
	$(BIN)/python benchmarks/describing_speed.py --data $(DATA) --model $(RUNS)/start --photos 64 \
		--repeats 2 --peers pipeline pipeline-batched ours ours-bfloat16
	$(BIN)/python benchmarks/products.py
	$(BIN)/python benchmarks/attention.py
	$(BIN)/python benchmarks/sampled_bank.py --texts 10000 100000 1000000 --threads 2
	$(BIN)/python benchmarks/scaling.py --sizes 1000 10000

coverage: dev
	$(BIN)/python -m pytest -m "not extended" --cov --cov-report=term --cov-fail-under=90

# From an environment of its own, so that it does not audit itself.
audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --disable-pip-version-check -q $(PIP_FLAGS) pip-audit
	$(VENV)-audit/bin/pip-audit --strict -r constraints.txt --no-deps --disable-pip

licences: dev
	$(BIN)/python docs/make_licenses.py

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: dev
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs
