# make demo   a virtual environment, the library, a model trained on real digits, a report
# make test   the same set-up, then linter, types, layers and the whole test suite
# make claims-quick   measures what the recipes claim, at small settings; writes results/
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint claims-quick claims modes benchmarks clean

demo: .venv/installed
	$(BIN)/adversaria train $(DEMO) --out runs/demo-$$(date +%Y%m%d-%H%M%S)

DEMO = wgan-gp --data digits --width 64 --rounds 2000

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: .venv/installed
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/mypy

claims-quick: .venv/installed
	$(BIN)/adversaria zoo verify --all --quick

claims: .venv/installed
	$(BIN)/adversaria zoo verify --all

modes: .venv/installed
	$(BIN)/adversaria zoo modes

benchmarks: .venv/installed
	$(BIN)/python benchmarks/referee.py
	$(BIN)/python benchmarks/ring8.py
	$(BIN)/python benchmarks/quick.py
	$(BIN)/python benchmarks/neighbours.py
	$(BIN)/python benchmarks/distances.py
	$(BIN)/python benchmarks/verdicts.py
	$(BIN)/python benchmarks/calibration.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
