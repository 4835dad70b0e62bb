# Targets: demo, test, test-cluster, ui, docs, bench, faults, faults-cluster. Each first creates the environment if there is none.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready
CLUSTER_READY := .venv-cluster/ready
# How much of the benchmark's full workload: make bench SIZE=1
SIZE ?= 0.2
PEERS := .venv-bench/ready

# The environments have no bytecode until a process has written it: without it, each process takes three seconds longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-cluster ui docs bench faults faults-cluster clean

demo: $(READY)
	@$(BIN)/market-pipeline demo

# Tests of one file stay with one worker as far as possible, since they share what was costly to make.
test: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/pytest -q -n 2 --dist worksteal

# Several hosts, Postgres, an S3 server and Ray on this machine: their tests wait more than they compute. As root, for
# only root makes hosts.
test-cluster: $(CLUSTER_READY)
	@.venv-cluster/bin/pytest -q -n 3 --dist loadfile market_pipeline_tests/cluster

ui: $(READY)
	@$(BIN)/market-pipeline ui

docs: $(READY)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file .ci/mkdocs.yml
	@echo "site    site/index.html; with its search: python3 -m http.server --directory site --bind 127.0.0.1"

bench: $(READY) $(PEERS)
	@$(BIN)/python benchmarks/bench.py --size $(SIZE) --peers .venv-bench/bin/python --write docs/benchmarks.md

# The share of the full campaign, and further options: make faults SIZE=1 MORE="--resume --minutes 90"
faults: SIZE = 0.01
faults: $(READY)
	@$(BIN)/python -W ignore -m benchmarks.faults --size $(SIZE) --write $(MORE)

# As root, for only root makes hosts.
faults-cluster: $(CLUSTER_READY)
	@.venv-cluster/bin/python -W ignore -m benchmarks.cluster --write

$(PEERS): benchmarks/peers.lock $(READY)
	@echo "Creating the environment of the packages to compare with in .venv-bench (once, about three minutes) ..."
	@$(BIN)/python -m venv --clear .venv-bench
	@.venv-bench/bin/pip install --disable-pip-version-check -q --require-hashes -r benchmarks/peers.lock
	@touch $@

# The locks name every package, so pip resolves nothing. It compiles nothing either: Python compiles what it imports.
define environment
@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and none was found. Install one, or set its path: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
@echo "Creating the environment in $(@D) (once, about two minutes) ..."
@$(PYTHON) -m venv --clear $(@D)
@$(@D)/bin/pip install --disable-pip-version-check -q --no-deps --no-compile --require-hashes -r $<
@$(@D)/bin/pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
@touch $@
endef

$(READY): requirements.lock pyproject.toml
	$(environment)

$(CLUSTER_READY): requirements-cluster.lock pyproject.toml
	$(environment)

clean:
	rm -rf .venv .venv-cluster .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis
