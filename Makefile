# Two commands do everything from nothing: `make sweep` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: help sweep test test-cluster check bench clean
help:                ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

sweep: $(READY)      ## tune digit classifiers, show the leaderboard, export the best model to best/
	$(BIN)/python examples/digits.py
	$(BIN)/tuner sweep examples/digits.yaml
	$(BIN)/tuner export digits --to best

# Sweeps from end to end take all lanes of a machine, and follow one another.
test: $(READY)       ## the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --ignore tests/end_to_end
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/end_to_end

test-cluster: $(READY) ## sweeps on hosts in network namespaces, Ray Jobs, ssh, Slurm, PostgreSQL; as root
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m cluster -rs tests/cluster

check: $(READY)      ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)      ## the ratios that the README quotes, in short
	for name in $$($(BIN)/python benchmarks/table.py --names); do $(BIN)/python benchmarks/$$name.py --short || exit 1; done
	$(BIN)/python benchmarks/table.py

clean:               ## the environment and caches; sweeps stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
