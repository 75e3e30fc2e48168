# Each word makes what it needs: `make demo` and `make test` work in a fresh clone.
#   make demo [ONCE=1]   simulated detector, engine, Tango, EPICS and HTTP; one acquisition, checked
#   make test            check, then all tests          make check   format, lint, types, contracts
#   make bench, soak     figures; long runs             make docs    generated reference pages
# PYTHON=… takes another interpreter (3.11 or newer), VENV=… another folder, TESTS=… some tests only.

VENV   ?= .venv
PYTHON ?= $(firstword $(foreach p,python3.11 python3 python3.12 python3.13,$(shell \
            $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
TESTS  ?= tests
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore

.PHONY: demo test check format bench soak docs clean

demo: $(READY)
	@$(BIN)/repstream demo $(if $(filter-out 0,$(ONCE)),--once) $(DEMO)

test: check
	@$(BIN)/python -m pytest $(TESTS)

check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	@$(BIN)/python -m benchmarks $(BENCH)

soak: $(READY)
	@$(BIN)/python -m pytest -m soak --timeout 0 -s $(TESTS)

docs: $(READY)
	@$(BIN)/python -m docs.generate

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "repstream needs Python 3.11 or newer; none was found (PYTHON=… names one)"; exit 1; }
	@echo "making $(VENV) with $(PYTHON) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) cannot make environments: install its venv package (python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
