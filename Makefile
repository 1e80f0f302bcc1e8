# Every target does its own set-up, and may be run again: what is there already is left as it is.

# The system's own: what root installs should not hang on a Python that somebody has at home.  Else the first in PATH.
SYSTEM := $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && echo /usr/bin/python3)
PYTHON ?= $(or $(SYSTEM),python3)
PREFIX ?= /usr/local

VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
INSTALL := sh tests/lab/install-packages
LIB     := $(PREFIX)/lib/pipework
COMMAND := $(PREFIX)/bin/pipework
SHARE   := $(PREFIX)/share
UNIT    := $(PREFIX)/lib/systemd/system/pipework.service
# What `make install` installs: this folder, or a wheel.
SOURCE  ?= .

# What is tested is what users have: the wheel, installed here as `make install` does it.
TESTED  := $(CURDIR)/.cache/installed
SUITE   := PIPEWORK_INSTALLED=$(TESTED) $(BIN)/python -m tests.suite
# Two that are begun at once wait for each other's set-up.
SET_UP  := mkdir -p .cache && flock .cache/set-up $(MAKE) --no-print-directory
PIP     := -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help venv packages python set-up set-up-vm wheel lint test test-changed test-unit test-vm test-user-mode test-pythons \
    test-hosts set-up-hosts deb soak bench release-check demo install uninstall clean

help:
	@echo "make demo           two network namespaces wired, pinged and removed (root)"
	@echo "make test           all tests but those of the virtual machines; installs and starts what they need (root)"
	@echo "make test-changed   of them those that a change can touch: of the work tree, or SINCE=COMMIT (root)"
	@echo "make test-unit      the tests that need no root"
	@echo "make test-vm        what needs a distribution kernel, in two virtual machines (root)"
	@echo "make test-user-mode each step of the kinds of links that want one, under a user-mode kernel (root)"
	@echo "make test-pythons   unit tests and those of the netlink messages, on every Python that is here (root)"
	@echo "make test-hosts     the README and what differs from host to host, on Debian 13 with its own parts (root)"
	@echo "make soak           the long tests of faults, races and scale, with their figures (root)"
	@echo "make lint           ruff, mypy, shellcheck, the manual page, spelling"
	@echo "make bench          how fast it is, next to others (root)"
	@echo "make release-check  whether HEAD can be released: version, changelog, manual page, wheel, source archive"
	@echo "make venv           $(BIN)/pipework, for work on this checkout"
	@echo "make wheel          dist/*.whl"
	@echo "make deb            dist/*.deb: apt-get install ./dist/pipework_*_all.deb"
	@echo "make install        $(COMMAND) (root); make uninstall takes it back"
	@echo "make clean          remove what was made in this checkout"

# Debian keeps ensurepip, without which there is no pip in a virtual environment, in a package of its own.
python:
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || $(INSTALL) python3 python3-venv

venv: $(READY)

$(READY): setup.cfg pyproject.toml contrib/launcher.py | python
	@echo "Building $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python $(PIP) install --config-settings editable_mode=compat --editable '.[dev]'
	@# Nothing needs setuptools from here on, and it has a hook in the start of every Python.
	@$(BIN)/python $(PIP) uninstall --yes setuptools
	@$(BIN)/python -I contrib/launcher.py $(BIN)/pipework "$(CURDIR)"
	@touch $@

packages:
	@$(INSTALL) - <tests/lab/packages.txt

lint: venv
	@$(INSTALL) shellcheck man-db mandoc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	shellcheck $$(git grep -lIE '^#!/bin/(ba)?sh') contrib/completion/pipework.bash
	sh tests/lint-man contrib/pipework.8
	git ls-files -z | xargs -0 $(BIN)/codespell

wheel: dist/.ready

deb:
	@mkdir -p dist && rm -f dist/*.deb
	@sh contrib/debian/make-deb dist
	@echo "Built $$(ls dist/*.deb)"

dist/.ready: setup.cfg pyproject.toml README.md LICENSE $(shell find pipework -name '*.py') | $(READY)
	@rm -rf build dist/*.whl && mkdir -p dist
	@$(BIN)/python $(PIP) wheel --no-deps --wheel-dir dist .
	@rm -rf build
	@touch $@

$(TESTED)/.ready: dist/.ready Makefile contrib/launcher.py contrib/bundled.py contrib/pipework.service
	@$(MAKE) --no-print-directory install PREFIX=$(TESTED) SOURCE=dist/*.whl
	@touch $@

# All that the tests need and cannot fetch for themselves: their sandboxes and machines have no network.
set-up: packages venv $(TESTED)/.ready
	@$(BIN)/python -m tests.lab.pyroute2_releases

set-up-vm: set-up
	@$(INSTALL) - <tests/vm/packages.txt
	@$(BIN)/python -m tests.vm.kernel

test:
	@$(SET_UP) set-up
	@$(BIN)/python -m tests.hosts.parts
	$(SUITE) tests/unit tests/integration tests/parity

test-changed:
	@$(SET_UP) set-up
	tests=$$($(BIN)/python -m tests.changed $(SINCE)) && $(SUITE) $$tests

test-unit: venv
	$(BIN)/python -m pytest tests/unit

test-vm:
	@$(SET_UP) set-up-vm
	@$(BIN)/python -m tests.vm.machine -- $(BIN)/python -m tests.hosts.parts
	$(SUITE) --machines 2 -m vm tests/vm tests/parity

test-user-mode:
	@$(SET_UP) set-up-vm
	@$(BIN)/python -m tests.vm.user_mode -- $(BIN)/python -m tests.hosts.parts
	$(SUITE) --user-mode 2 -m user_mode tests/vm

test-pythons:
	@$(SET_UP) set-up
	$(PYTHON) -m tests.pythons

# Another Debian.  sid moves: what fails there is told, and fails nothing.
RELEASE ?= trixie
TELL := $(if $(filter sid,$(RELEASE)),--tell)

set-up-hosts: set-up-vm
	@$(INSTALL) debootstrap
	@$(BIN)/python -m tests.hosts $(TELL) --prepare $(RELEASE)

test-hosts:
	@$(SET_UP) set-up-hosts
	$(BIN)/python -m tests.hosts $(TELL) $(RELEASE)

soak:
	@$(SET_UP) set-up
	PIPEWORK_INSTALLED=$(TESTED) PIPEWORK_LAB_KILLS=100 PIPEWORK_LAB_CROWD=50 \
	    tests/lab/sandbox $(BIN)/python -m pytest -m "not vm" -s \
	    tests/integration/test_kills.py tests/integration/test_races.py tests/soak

bench: packages venv $(TESTED)/.ready
	PIPEWORK_INSTALLED=$(TESTED) $(BIN)/python -m tests.bench

release-check: venv
	$(BIN)/python -m tests.release_check

demo: venv
	@command -v ip >/dev/null && command -v ping >/dev/null || $(INSTALL) iproute2 iputils-ping
	@sh contrib/demo.sh $(BIN)/pipework

# Built beside the old one, so that an upgrade that fails leaves that in place.
install: python
	@echo "Installing $(LIB)"
	@mkdir -p "$(PREFIX)/lib" "$(PREFIX)/bin"
	@rm -rf "$(LIB).new"
	@$(PYTHON) -m venv "$(LIB).new"
	@"$(LIB).new/bin/python" $(PIP) install $(SOURCE)
	@rm -rf "$(LIB)" && mv "$(LIB).new" "$(LIB)"
	@"$(LIB)/bin/python" -I contrib/launcher.py "$(COMMAND)" --bundle "$(LIB)/start"
	@install -D -m 644 contrib/pipework.8 "$(SHARE)/man/man8/pipework.8"
	@mkdir -p "$(UNIT:/pipework.service=)"
	@sed 's,/usr/bin/pipework,$(abspath $(COMMAND)),' contrib/pipework.service >"$(UNIT)"
	@install -D -m 644 contrib/completion/pipework.bash "$(SHARE)/bash-completion/completions/pipework"
	@install -D -m 644 contrib/completion/_pipework "$(SHARE)/zsh/site-functions/_pipework"
	@echo "Installed $(COMMAND)"

uninstall:
	rm -rf "$(LIB)" "$(LIB).new"
	rm -f "$(COMMAND)" "$(UNIT)" "$(SHARE)/man/man8/pipework.8" "$(SHARE)/bash-completion/completions/pipework" \
	    "$(SHARE)/zsh/site-functions/_pipework"

clean:
	rm -rf $(VENV) .cache build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find pipework tests -name __pycache__ -type d -prune -exec rm -rf {} +
