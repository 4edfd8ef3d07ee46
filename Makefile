# Creates .venv on first use and again whenever pyproject.toml changes; every target works in a fresh clone.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SOURCES := cnnbp tests datasets docs
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install run test slow-test lint format coverage dist docs gallery notebook pictures torch bench parity soak fuzz
.PHONY: browser-test site gradcheck-soak gradcheck-against-torch data-bench data-memory scaling two-hosts

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-25s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## .venv with cnnbp, editable, and its development tools

$(INSTALLED): pyproject.toml
	@.ci/make-venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

run: $(INSTALLED)  ## train on the digits that come with the project
	$(BIN)/cnnbp train configs/digits.yaml

test: $(INSTALLED)  ## the tests, in parallel
	$(BIN)/python -m pytest -q -m "not slow" $(PARALLEL)

slow-test: $(INSTALLED)  ## those that try the same on large networks, on more processes, through whole sessions
	$(BIN)/python -m pytest -q -m slow $(PARALLEL)

browser-test: $(INSTALLED)  ## cnnbp page in Chromium, headless; on Debian root gets it installed
	@.ci/chromium
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[browser]'
	$(BIN)/python -m pytest -q tests/page/test_browser.py

# One release of PyTorch, named: the conventions of the next one may differ, and the figures with them.
torch: $(INSTALLED)
	$(BIN)/python -m pip install -q --disable-pip-version-check torch==2.13.0

parity: torch  ## outputs, gradients and trajectories against PyTorch
	$(BIN)/python -m tests.parity

scaling: $(INSTALLED)  ## the time of a step on one, two and four processes, measured and predicted
	$(BIN)/mpiexec -n 1 $(BIN)/python -m tests.mpi.scaling
	$(BIN)/mpiexec -n 2 $(BIN)/python -m tests.mpi.scaling --paper
	$(BIN)/mpiexec -n 4 $(BIN)/python -m tests.mpi.scaling

two-hosts: $(INSTALLED)  ## training over a cable between two network namespaces; needs root and iproute2
	tests/mpi/two_hosts.sh $(abspath $(BIN))/mpiexec $(abspath $(BIN))/python $$(mktemp -d)/work

bench: torch  ## time and memory of a training step, and the time of training the digits, against PyTorch's
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.memory
	$(BIN)/python -m tests.bench.digits

gradcheck-soak: $(INSTALLED)  ## the gradient checker on correct networks and functions: no false alarm, no mistake missed
	$(BIN)/python -m tests.gradcheck.soak
	$(BIN)/python -m tests.gradcheck.foreign.soak

gradcheck-against-torch: torch  ## the gradient checker beside torch.autograd.gradcheck, with planted bugs
	$(BIN)/python -m tests.gradcheck.against_torch

data-bench: torch  ## images/s beside a PyTorch DataLoader, what a step waits, and an image's time in a large folder
	$(BIN)/python -m tests.data.throughput
	$(BIN)/python -m tests.data.waiting
	$(BIN)/python -m tests.data.growth

data-memory: $(INSTALLED)  ## peak memory of training on folders larger than the cache
	$(BIN)/python -m tests.data.memory

# How many files of each kind; a hundred thousand take some minutes.
CASES := 10000
fuzz: $(INSTALLED)  ## damaged images, configurations and checkpoints are read or refused, and nothing else
	$(BIN)/python -m tests.fuzz --cases $(CASES)

lint: $(INSTALLED)  ## ruff, mypy and the floors of the house
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: $(INSTALLED)  ## kill -9 a run a hundred times, resume it, and compare the bytes
	$(BIN)/python -m tests.training.soak

coverage: $(INSTALLED)  ## the tests' coverage of cnnbp, branch by branch
	$(BIN)/python -m pytest -q $(PARALLEL) --cov --cov-report=term:skip-covered --cov-report=html

docs: $(INSTALLED)  ## run what the documents show, and write down what has changed; the schema and the packed examples, too
	$(BIN)/cnnbp schema >configs/cnnbp.schema.json
	$(BIN)/python -m datasets.pack_examples
	$(BIN)/python -m docs.reference
	$(BIN)/python -m docs.documents

site: $(INSTALLED)  ## the documents and the reference of the public names, as HTML in site/
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[site]'
	$(BIN)/python -W ignore -m docs.site

notebook: $(INSTALLED)  ## run docs/notebook.ipynb in a kernel, and write down what it shows
	$(BIN)/python -m pip install -q --disable-pip-version-check nbclient ipykernel
	$(BIN)/python -m docs.notebook

pictures: $(INSTALLED)  ## docs/pictures: the terminal, drawn from real runs
	$(BIN)/python -m docs.pictures

gallery: $(INSTALLED)  ## plant every bug again, and write down what each looks like
	$(BIN)/python -m docs.gallery

dist: $(INSTALLED)  ## wheel and sdist, each tried in an empty environment
	rm -rf dist
	$(BIN)/python -m build --outdir dist >/dev/null
	.ci/try-dist dist

format: $(INSTALLED)  ## rewrite the sources as lint wants them
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
