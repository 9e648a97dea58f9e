# make run        set everything up and run the demo     (ARGS="doctor" for the gdns command)
# make test       set everything up and run the tests    (ARGS="-k wire" for pytest, WORKERS=0 for one process)
# make bench      beside its peers; writes docs/performance.md (ARGS=--quick: under three minutes, to build/)
# make guard      instructions of a look-up, against what they were (ARGS=--update)
# make profile    where the time of one look-up goes
# make coverage   which lines the tests run, in Python and Cython; writes docs/coverage.md (a quarter of an hour)
# make sanitize   the C boundary under AddressSanitizer and UBSan (ARGS=--long for everything)
# make fuzz       octets nobody would send, for longer   (ARGS="--seconds 600 --seed 7")
# make chaos      a storm of 20,000 look-ups on each hub  (ARGS="--seed 7")
# make docs       the pages, in docs/_build/html, and the man page, docs/_build/man/gdns.1
# make lint       ruff, mypy --strict, and the types beside the compiled modules (stubtest)
# make packages   the distributions, each used in an empty environment (ARGS=--all for every Python that is found)
# make changelog  what changes/ would say of the next release (ARGS="--version 0.2.0")
# PYTHON=python3.12 chooses another interpreter; VENV=... another environment.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

# what the extensions are made of; everything else is used where it stands
SOURCES := $(wildcard gdns/*.pyx gdns/*.pxd gdns/hubs/*.pxd $(wildcard $(patsubst %.pxd,%.py,$(wildcard gdns/*.pxd gdns/hubs/*.pxd))) setup.py pyproject.toml)

.PHONY: run test lint coverage sanitize bench guard profile fuzz chaos docs packages changelog clean

run: $(STAMP)
	$(BIN)/gdns $(if $(ARGS),$(ARGS),demo)

# four at a time, for most wait for timeouts; they share the cores: what fails is tried twice more, and named as RERUN
WORKERS ?= 4
test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --reruns 2 --reruns-delay 1 $(ARGS)

lint: $(STAMP)
	$(BIN)/python -m pip install --quiet ruff mypy types-greenlet
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest gdns --mypy-config-file pyproject.toml --concise --ignore-disjoint-bases \
		--allowlist tests/stubtest.allow

packages:
	PYTHON=$(PYTHON) .ci/packages $(ARGS)

changelog: $(STAMP)
	$(BIN)/python -m pip install --quiet towncrier
	$(BIN)/towncrier build --draft $(ARGS)

coverage: $(STAMP)
	.ci/coverage $(ARGS)

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
	$(BIN)/sphinx-build -W --keep-going -q -b man $(ARGS) docs docs/_build/man

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(STAMP): $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable ".[test,cli]"
	touch $@

clean:
	rm -rf build dist *.egg-info $(VENV)
	find . -name "*.so" -not -path "./$(VENV)/*" -delete
