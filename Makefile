# make run        set everything up and run the demo     (ARGS="@127.0.0.1:5353 www.example MX" for the gdns command)
# make test       set everything up and run the tests    (ARGS="-k wire" for pytest)
# PYTHON=python3.12 chooses another interpreter; VENV=... another environment.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

# what the extensions are made of; everything else is used where it stands
SOURCES := $(wildcard gdns/*.pyx gdns/*.pxd gdns/hubs/*.pxd $(wildcard $(patsubst %.pxd,%.py,$(wildcard gdns/*.pxd gdns/hubs/*.pxd))) setup.py pyproject.toml)

.PHONY: run test lint clean

run: $(STAMP)
	$(BIN)/gdns $(if $(ARGS),$(ARGS),demo)

test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)
	$(BIN)/python -m pip install --quiet ruff mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(STAMP): $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable ".[test,cli]"
	touch $@

clean:
	rm -rf build dist *.egg-info $(VENV)
	find . -name "*.so" -not -path "./$(VENV)/*" -delete
