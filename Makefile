# Each word makes what it needs: `make demo` and `make test` work in a fresh clone.
#   make demo [ONCE=1]   simulated detector, engine, Tango, EPICS and HTTP; one acquisition, checked
#   make test            check, then all tests          make check   format, lint, types, contracts
#   make wheels          installed from wheels alone, no compiler in reach, on each Python: the demo runs
#   make versions        the unit tests on each Python that is installed beside this one
#   make readers         what reads files in tests from an environment of its own
#   make panels          Taurus, Sardana and PyDM in environments of their own, for the tests of panels
#   make ray             Ray in an environment of its own, for the tests of placing
#   make site            spelling, links, and the documentation as a site in build/site
#   make page            types, lint and tests of the page's modules (needs npm, as nothing else does)
#   make bench, soak     figures; long runs             make docs    generated reference pages
#                        BENCH="repeater writer" BASE=COMMIT: the data plane against an earlier commit's
#   make soak-site       a site on which everything fails at random; DURATION=30m SEED=… REPORT=soak.md
#   make soak-tango MINUTES=10   the Tango server alone: 20 clients poll, 5 subscribe; a line of figures, and what
#                        the same load costs the frame path
#   make release VERSION=0.2.0   checks, tests, version, changelog, wheel, tag; nothing leaves this machine
#   make audit           known faults of the libraries; asks PyPI
#   make mutants         do tests notice changes of the code? MUTANTS="accounting --sample 100"
# PYTHON=… takes another interpreter (3.11 to 3.13), VENV=… another folder, EXTRAS=… what is installed there,
# TESTS=… some tests only, WORKERS=… how many processes run them (most tests wait rather than compute).

VENV   ?= .venv
EXTRAS ?= dev
PYTHON ?= $(firstword $(foreach p,python3.11 python3 python3.12 python3.13,$(shell \
            $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
TESTS  ?= tests
WORKERS ?= 4
SPREAD := --dist loadfile --no-loadscope-reorder
# What needs no engine, on any Python.
UNIT   ?= tests/engine/test_*.py $(addprefix tests/engine/,messages mflow parameters policies sources) \
          $(wildcard tests/*/test_types.py tests/*/test_states.py tests/*/test_names.py)
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore

.PHONY: demo test test-unit check wheels versions readers panels ray site page format bench soak soak-site soak-tango mutants audit docs release clean

demo: $(READY)
	@$(BIN)/repstream demo $(if $(filter-out 0,$(ONCE)),--once) $(DEMO)

test: check
	@$(BIN)/python -m pytest -n $(WORKERS) $(SPREAD) $(TESTS)

test-unit: $(READY)
	@$(BIN)/python -m pytest -n $(WORKERS) $(SPREAD) $(UNIT)

wheels:
	@.ci/wheels "$(PYTHON)"

versions:
	@.ci/versions "$(PYTHON)"

readers:
	@.ci/readers "$(PYTHON)"

panels:
	@.ci/panels "$(PYTHON)"

ray:
	@.ci/ray "$(PYTHON)"

site:
	@.ci/site "$(PYTHON)"

check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

page:
	@cd tests/page/js && npm ci --silent --no-audit --no-fund && npm run --silent check

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	@$(BIN)/python -m benchmarks $(BENCH) $(if $(BASE),--base $(BASE))

soak: $(READY)
	@$(BIN)/python -m pytest -m soak --timeout 0 -s $(TESTS)

soak-tango: $(READY)
	@REPSTREAM_SOAK_MINUTES=$(or $(MINUTES),10) $(BIN)/python -m pytest -m soak --timeout 0 -q -s \
	    tests/soak/test_tango.py -k 'every_last_value or frame_path'

soak-site: $(READY)
	@$(BIN)/python -m tests.soak.site --duration $(or $(DURATION),60s) $(if $(SEED),--seed $(SEED)) \
	  $(if $(REPORT),--report $(REPORT)) $(SOAK)

audit: $(READY)
	@$(BIN)/python -m pip install --quiet --only-binary=:all: pip-audit
	@$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

mutants: $(READY)
	@$(BIN)/python -m pip install --quiet --only-binary=:all: mutmut==3.8.1
	@$(BIN)/python tools/mutants.py $(MUTANTS)

docs: $(READY)
	@$(BIN)/python -m docs.generate

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "repstream needs Python 3.11 or newer; none was found (PYTHON=… names one)"; exit 1; }
	@echo "making $(VENV) with $(PYTHON) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) cannot make environments: install its venv package (python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

release: $(READY)
	@$(BIN)/python tools/release.py "$(VERSION)"

clean:
	rm -rf $(VENV) .venv-3.* .venv-site build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
