# make help lists what there is to do: every target whose line carries a "##" comment, so a later
#   demo-<name>: $(RUNTIME) ## what it shows
# appears there by itself.

VENV := .venv
BIN := $(VENV)/bin

# The Python that .venv is made with; when empty, the first of CANDIDATES that is new enough and has venv.
PYTHON ?=
CANDIDATES := python3 python3.13 python3.12 python3.11

# Given to every "pip install" as it is, for machines whose packages come from an index of their own.
PIP_ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := torch==2.13.0

# How long `make fuzz` goes on.
FUZZ_MINUTES ?= 60

# Stamps: an installation that went well and is as new as what it was made from. A failed one leaves none.
TORCH_STAMP := $(VENV)/.installed-torch
RUNTIME := $(VENV)/.installed-runtime
TEST := $(VENV)/.installed-test
DOCS := $(VENV)/.installed-docs

# Published models are loaded in the series before, too. It lies beside the packages and not among them, for it needs
# other versions of them: whoever wants it puts its folder first on PYTHONPATH.
SERIES4 := $(VENV)/transformers-4.57
SERIES4_STAMP := $(VENV)/.installed-transformers-4.57

# Asked only when a demo runs. Small models gain nothing from more than a few threads, and accelerate warns when unset.
DEVICE = $(if $(shell nvidia-smi -L 2>/dev/null | grep '^GPU'),gpu,cpu)
THREADS = $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $${OMP_NUM_THREADS:-$$(( n < 8 ? n : 8 ))})
LAUNCH = OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m hf_bionerkd.runs.launcher --config_file recipes/accelerate_configs/$(DEVICE).yaml

# Sets the shell variable "python", or ends the recipe with a message. Running the candidate is the point: a name on
# the PATH may be a shim for a version that is not there, and some systems ship Python without venv.
define find_python
python=; \
for candidate in $(or $(PYTHON),$(CANDIDATES)); do \
	if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		python=$$candidate; break; \
	fi; \
done; \
if [ -z "$$python" ]; then \
	echo 'error: found no Python 3.11 or newer that can make virtual environments; tried: $(or $(PYTHON),$(CANDIDATES)).' >&2; \
	echo 'Install one (on Debian and Ubuntu with the package python3-venv), or name it: make $@ PYTHON=/path/to/python3' >&2; \
	exit 1; \
fi
endef

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  PYTHON=/path/to/python3    the Python that .venv is made with (3.11 or newer)'
	@echo '  PIP_ARGS="…"               extra arguments for every pip install'

.PHONY: demo
demo: $(RUNTIME) ## install, then distil three single-type teachers into one student: the main job, small
	$(LAUNCH) recipes/distill.py resume=true

.PHONY: demo-zhou
demo-zhou: $(RUNTIME) ## correct planted noise in weak labels, then two teachers, one student (Zhou et al. 2021)
	$(LAUNCH) recipes/finetune.py --config recipes/demo_zhou/baseline.yaml resume=true
	$(LAUNCH) recipes/recorrect.py --config recipes/demo_zhou/recorrect_c.yaml resume=true
	$(LAUNCH) recipes/recorrect.py --config recipes/demo_zhou/recorrect_a.yaml resume=true
	$(LAUNCH) recipes/distill.py --config recipes/demo_zhou/distill.yaml resume=true
	$(BIN)/python recipes/noise_report.py --require --output runs/demo_zhou/noise.json \
		--corpus coverage data/demo_zhou/truth/coverage.jsonl data/demo_zhou/coverage runs/demo_zhou/recorrect_c/corpus \
		--corpus accuracy data/demo_zhou/truth/accuracy.jsonl data/demo_zhou/accuracy runs/demo_zhou/recorrect_a/corpus

.PHONY: test
test: $(SERIES4_STAMP) lint ## install what tests need, check style and types, run every test
	$(BIN)/python -m pytest -n 2 --dist loadfile -r s

# Two workers share the time; the kills of runs take that of twenty tests.
.PHONY: fuzz
fuzz: $(TEST) ## give readers, tagger, configuration, cards made input, and kill runs, for an hour (FUZZ_MINUTES=60)
	@tests=$$($(BIN)/python -m pytest tests/fuzz --collect-only -q | grep -c '::'); \
	BIONERKD_FUZZ_SECONDS=$$(( $(FUZZ_MINUTES) * 60 * 2 / (tests + 19) )) $(BIN)/python -m pytest tests/fuzz -n 2

.PHONY: lint
lint: $(TEST) ## check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(TEST) ## put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Nothing is fetched: fonts, scripts and equations lie in the pages. The variable turns a theme's notice off.
.PHONY: docs
docs: $(DOCS) ## install what the documentation needs, build it into site/ without a warning
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo 'built: open site/index.html, or look at it by: $(BIN)/python -m http.server --directory site'

.PHONY: notebooks
notebooks: $(TEST) ## run the notebooks of the documentation anew and keep what they print
	$(BIN)/python docs/generation/notebooks.py

# From an environment of its own, so that nothing that happens to lie in .venv is pinned. Left out are torch's build
# suffix and the GPU libraries, which torch pins itself: both depend on the machine.
.PHONY: constraints
constraints: ## pin again every package that runtime, tests and documentation need
	@$(find_python); \
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; set -e; \
	echo "pinning what $$python installs …"; \
	$$python -m venv "$$folder"; \
	"$$folder/bin/python" -m pip install --quiet $(PIP_ARGS) $(TORCH); \
	"$$folder/bin/python" -m pip install --quiet $(PIP_ARGS) '.[bench,docs,space,test,vectors]'; \
	"$$folder/bin/python" -m pip freeze --exclude hf_bionerkd --exclude setuptools > "$$folder/frozen"; \
	{ \
		echo '# The versions that the project is installed with: runtime, test and documentation packages, on Linux.'; \
		echo '# Regenerate with the oldest Python supported, for which every pin must exist:'; \
		echo '#   make constraints PYTHON=python3.11'; \
		grep -Eiv '^(nvidia|cuda|triton)\b' "$$folder/frozen" | sed 's/^\(torch==[^+]*\)+.*/\1/'; \
	} > "$$folder/constraints"; \
	mv "$$folder/constraints" constraints.txt; \
	wc -l constraints.txt

.PHONY: clean
clean: ## remove build products and caches (.venv, runs/ and data/ stay)
	rm -rf build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hf_bionerkd recipes dataset_scripts docs tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A half-made environment is removed: the next run must not take it for a whole one.
$(BIN)/python:
	@$(find_python); \
	echo "making $(VENV) with $$($$python --version) …"; \
	$$python -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

# Alone and first, by plain pip: together with the rest a resolver may choose a build of several gigabytes.
$(TORCH_STAMP): $(BIN)/python constraints.txt
	@echo 'installing $(TORCH) (once; takes minutes) …'
	@$(PIP) install --quiet $(PIP_ARGS) -c constraints.txt $(TORCH)
	@touch $@

$(RUNTIME): $(TORCH_STAMP) pyproject.toml
	@echo 'installing the package and what it needs …'
	@$(PIP) install --quiet $(PIP_ARGS) -c constraints.txt -e .
	@touch $@

# Holds all of the runtime installation, so that needs no run of its own afterwards.
$(TEST): $(TORCH_STAMP) pyproject.toml
	@echo 'installing the package, what it needs and what tests need …'
	@$(PIP) install --quiet $(PIP_ARGS) -c constraints.txt -e '.[test]'
	@touch $(RUNTIME) $@

$(DOCS): $(TORCH_STAMP) pyproject.toml
	@echo 'installing the package, what it needs and what the documentation needs …'
	@$(PIP) install --quiet $(PIP_ARGS) -c constraints.txt -e '.[docs]'
	@touch $(RUNTIME) $@

$(SERIES4_STAMP): $(BIN)/python tests/transformers-4.57.txt
	@echo 'installing what models are tested in besides …'
	@rm -rf $(SERIES4)
	@$(PIP) install --quiet $(PIP_ARGS) --no-deps --target $(SERIES4) -r tests/transformers-4.57.txt
	@touch $@
