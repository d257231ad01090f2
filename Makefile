# The two commands of a newcomer: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo test soak check reference format lock screenshots offline-app clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# A failed installation leaves no marker, so the next call installs again. Compiling every module
# that comes along takes as long as the rest; Python compiles what is used, when it is, and has to
# be let: else every process of the tests compiles TensorFlow anew, for ten seconds.
unexport PYTHONDONTWRITEBYTECODE
PIP := -m pip install --quiet --disable-pip-version-check --no-compile

$(INSTALLED): pyproject.toml requirements/dev.txt
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python $(PIP) -r requirements/dev.txt
	$(BIN)/python $(PIP) --no-deps --editable .
	@touch $@

demo: $(INSTALLED) ## Prepare, train, evaluate, export and predict on generated images
	$(BIN)/lentigo demo --out demo

# The page's tests have processes of their own: after others, a worker died in them without a word.
PAGE := $(wildcard tests/test_web_*.py tests/test_offline_*.py)

test: $(INSTALLED) ## Run the tests (but not the long ones)
	$(BIN)/python -m pytest -m "not soak" -n 2 --dist loadfile $(PAGE:%=--ignore=%)
	$(BIN)/python -m pytest -m "not soak" -n 2 --dist loadfile $(PAGE)

soak: $(INSTALLED) ## Run the tests that take minutes
	$(BIN)/python -m pytest -m soak

check: $(INSTALLED) ## Lint, types, import floors, generated reference, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/python scripts/audit_dependencies.py requirements/dev.txt

reference: $(INSTALLED) ## Write the generated reference pages anew
	$(BIN)/python docs/generate.py

format: $(INSTALLED) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(INSTALLED) ## Resolve requirements/dev.txt anew
	$(BIN)/python -m uv pip compile --universal --python-version 3.11 --quiet --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --group dev --extra train -c requirements/constraints.txt pyproject.toml \
	  -o requirements/dev.txt

screenshots: $(INSTALLED) offline-app ## Take the pictures of the page for the documentation (needs Chromium)
	$(BIN)/python scripts/screenshots.py

offline-app: $(INSTALLED) ## Fetch LiteRT.js (npm), which the offline app runs on
	$(BIN)/python hatch_build.py

clean: ## Remove what make made
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache
