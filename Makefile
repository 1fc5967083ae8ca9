# make report   draw the figures, verify every claim, write build/report/, whose index.html is the entry
# make test     run the tests
# make lint     check style
# Each works alone on a machine with Python 3.11+ and make: the first one run sets up .venv.

PYTHON ?= python3
BIN := .venv/bin
FIGURES := build/figures
REPORT := build/report

.PHONY: report test lint clean
.DEFAULT_GOAL := report

.venv/.complete: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "metaproof needs Python 3.11 or newer, and $(PYTHON) is older: run 'make PYTHON=/path/to/python3.11'"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

report: .venv/.complete
	$(BIN)/python -m figures --all --out $(FIGURES)
	$(BIN)/python -m paper_checks report --out $(REPORT) --figures $(FIGURES) --junit $(REPORT)/claims.xml

# a file's tests share what they compute, so they stay on one worker
test: .venv/.complete
	$(BIN)/python -m pytest -n 2 --dist loadfile -q

lint: .venv/.complete
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv build
