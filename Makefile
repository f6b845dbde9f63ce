# `make app` starts the page, `make test` runs every check. Both set up all that they need.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# Tests run in this many processes, each with a core, a server and a browser of its own.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: app test check unit slow browser foreign screenshots clean

app: $(VENV)/installed
	$(BIN)/python app.py

test: check unit

# Lint, format and types, those of the editor's scripts with TypeScript, which npm fetches.
check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.js.check_types

unit: $(VENV)/installed-dev browser foreign
	$(PYTEST)

# What is worth minutes: full sizes, lost workers. Continuous integration runs it after `test`.
slow: $(VENV)/installed-dev browser foreign
	$(PYTEST) -m slow

# A Chromium for the tests of the page: the system's if there is one.
browser: $(VENV)/installed-dev
	$(BIN)/python tests/install_browser.py

# The readers of other annotation tools, for the tests of what we export to them.
foreign: $(VENV)-foreign/installed

$(VENV)-foreign/installed: tests/foreign/requirements.txt
	$(PYTHON) -m venv $(VENV)-foreign
	$(VENV)-foreign/bin/python -m pip install -q -r tests/foreign/requirements.txt
	touch $@

# Draws the sample pictures and takes the README's pictures of the page.
screenshots: $(VENV)/installed-dev browser
	$(BIN)/python -m tests.screenshots

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -e '.[dev]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) $(VENV)-foreign node_modules build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
