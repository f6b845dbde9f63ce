# `make app` starts the page, `make test` runs every check. Both set up all that they need.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# Tests run in this many processes, each with a core, a server and a browser of its own.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: app test check unit slow soak browser foreign loaders screenshots space lock clean

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
slow: $(VENV)/installed-dev browser foreign loaders
	$(PYTEST) -m slow

# Load, kills, full disks, damaged pictures and bad requests; takes minutes (docs/proof.md).
soak: $(VENV)/installed-dev browser
	$(BIN)/python -m tests.soak

# A Chromium for the tests of the page: the system's if there is one.
browser: $(VENV)/installed-dev
	$(BIN)/python tests/install_browser.py

# The readers of other annotation tools, for the tests of what we export to them.
foreign: $(VENV)-foreign/installed

# What loads exports for training in Ultralytics and anomalib, and Quantus, beside the packages of
# $(VENV).
loaders: $(VENV)-loaders/installed

$(VENV)-loaders/installed: tests/foreign/loaders.txt $(VENV)/installed-dev
	$(PYTHON) -m venv $(VENV)-loaders
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
		> "$$($(VENV)-loaders/bin/python -c 'import site; print(site.getsitepackages()[0])')/lrpseg.pth"
	$(VENV)-loaders/bin/python -m pip install -q --no-deps -r tests/foreign/loaders.txt
	touch $@

$(VENV)-foreign/installed: tests/foreign/requirements.txt
	$(PYTHON) -m venv $(VENV)-foreign
	$(VENV)-foreign/bin/python -m pip install -q -r tests/foreign/requirements.txt
	touch $@

# Draws the sample pictures and takes the README's pictures of the page.
screenshots: $(VENV)/installed-dev browser
	$(BIN)/python -m tests.screenshots

# The folder for a Hugging Face Space, tried as the Hub would run it. `make space INDEX=` takes PyTorch
# as PyPI has it: for a GPU, and where no other index can be reached.
space: $(VENV)/installed
	$(BIN)/python -m space.trial $(if $(filter undefined,$(origin INDEX)),,--index "$(INDEX)")

# Pins what a Space installs, at today's versions. PyTorch itself pins the libraries of its CUDA build.
lock: $(VENV)/installed-dev
	mkdir -p build
	$(BIN)/uv pip compile pyproject.toml space/hub.txt --upgrade --no-annotate --quiet \
		--custom-compile-command 'make lock' --output-file build/lock.txt \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28
	grep -vE '^(cuda-|nvidia-|triton==)' build/lock.txt > space/requirements.txt

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
	rm -rf $(VENV) $(VENV)-foreign $(VENV)-loaders node_modules build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
