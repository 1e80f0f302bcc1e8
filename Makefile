# pipework: every target does its own set-up and may be run again.

PYTHON ?= python3
PREFIX ?= /usr/local
DESTDIR ?=

VENV     := .venv
BIN      := $(VENV)/bin
READY    := $(VENV)/.ready
PACKAGES := tests/lab/install-packages
LIB       = $(DESTDIR)$(PREFIX)/lib/pipework

.DEFAULT_GOAL := help
.PHONY: help venv packages lint test test-unit test-vm bench demo install uninstall clean

help:
	@echo "make demo       two network namespaces wired, pinged and removed (root)"
	@echo "make test       every test but those of the VM; installs and starts what they need (root)"
	@echo "make test-unit  the tests that need nothing"
	@echo "make test-vm    the tests of what needs a distribution kernel, in a virtual machine (root)"
	@echo "make lint       ruff and mypy"
	@echo "make bench      how fast, side by side with others (root)"
	@echo "make venv       $(BIN)/pipework for work on this checkout"
	@echo "make install    $(PREFIX)/bin/pipework (root); make uninstall takes it back"
	@echo "make clean      remove what was built here"

venv: $(READY)

# Debian keeps ensurepip in a package of its own.
$(READY): setup.cfg pyproject.toml pipework/__init__.py tests/lab/launcher.sh
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || sh $(PACKAGES) python3 python3-venv
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

packages:
	@sh $(PACKAGES) - <tests/lab/packages.txt

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: packages venv
	$(BIN)/python -m pytest tests/unit tests/integration tests/parity

test-unit: venv
	$(BIN)/python -m pytest tests/unit

bench: packages venv
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) .cache build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find pipework tests -name __pycache__ -type d -prune -exec rm -rf {} +
