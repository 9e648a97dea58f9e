# make run        set everything up and run the demo     (ARGS="@127.0.0.1:5353 www.example MX" for the gdns command)
# make test       set everything up and run the tests    (ARGS="-k wire" for pytest)
# make bench      beside its peers; writes docs/performance.md (ARGS=--quick: under three minutes, to build/)
# make guard      instructions of a look-up, against what they were (ARGS=--update)
# make profile    where the time of one look-up goes
# make sanitize   the C boundary under AddressSanitizer and UBSan (ARGS=--long for everything)
# make fuzz       octets nobody would send, for longer   (ARGS="--seconds 600 --seed 7")
# make chaos      a storm of 20,000 look-ups on each hub  (ARGS="--seed 7")
# make docs       the pages, in docs/_build/html
# make lint       ruff, and mypy --strict
# PYTHON=python3.12 chooses another interpreter; VENV=... another environment.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

# what the extensions are made of; everything else is used where it stands
SOURCES := $(wildcard gdns/*.pyx gdns/*.pxd gdns/hubs/*.pxd $(wildcard $(patsubst %.pxd,%.py,$(wildcard gdns/*.pxd gdns/hubs/*.pxd))) setup.py pyproject.toml)

.PHONY: run test lint sanitize bench guard profile fuzz chaos docs clean

run: $(STAMP)
	$(BIN)/gdns $(if $(ARGS),$(ARGS),demo)

test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)
	$(BIN)/python -m pip install --quiet ruff mypy types-greenlet
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

sanitize: $(STAMP)
	.ci/sanitize $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

guard: $(STAMP)
	$(BIN)/python -m benchmarks.guard $(ARGS)

profile: $(STAMP)
	$(BIN)/python -m benchmarks.profile $(ARGS)

fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet "Cython>=3.1,<4"
	$(BIN)/python -m tests.fuzz $(ARGS)

chaos: $(STAMP)
	$(BIN)/python -m tests.chaos $(ARGS)

docs: $(STAMP)
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'], sep='\n')" \
		| $(BIN)/python -m pip install --quiet --requirement /dev/stdin
	$(BIN)/sphinx-build -W --keep-going -q -b html $(ARGS) docs docs/_build/html

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(STAMP): $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable ".[test,cli]"
	touch $@

clean:
	rm -rf build dist *.egg-info $(VENV)
	find . -name "*.so" -not -path "./$(VENV)/*" -delete
