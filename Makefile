# make study: the main job on a shipped study. make test: everything that is tested.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= data/phones-retail
JOBS ?= 2
export OPENBLAS_NUM_THREADS := 1
# Where a machine forbids it, each of hundreds of processes would compile all libraries anew.
export PYTHONDONTWRITEBYTECODE :=
# The last digit of a sum depends on the processor: tests and committed notebooks use the kernels
# that every x86 processor of the last ten years has.
ifeq ($(shell uname -m),x86_64)
export OPENBLAS_CORETYPE := Haswell
export NPY_DISABLE_CPU_FEATURES := X86_V4 AVX512_ICL AVX512_SPR
endif

.PHONY: study test fuzz coverage mutation lab lint notebooks docs docs-links gallery pictures studies benchmark benchmark-quick requirements lowest clean

study: $(VENV)/run.stamp
	@$(BIN)/kalib run $(STUDY)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n $(JOBS)

# 20,000 random client tables and 500 studies, others each time.
fuzz: $(VENV)/test.stamp
	KALIB_PROFILE=fuzz $(BIN)/python -m pytest -n $(JOBS) --dist load tests/tables/test_properties.py

# How much of the package the tests reach, commands and kernels included; half an hour.
coverage: $(VENV)/test.stamp
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 0
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --show-missing --skip-covered --precision 1

# Which changes to the statistics no test notices; a quarter of an hour on one core.
mutation: $(VENV)/test.stamp
	rm -rf mutants
	$(BIN)/mutmut run --max-children 1
	$(BIN)/mutmut results

lab: $(VENV)/run.stamp
	$(BIN)/kalib lab .

lint: $(VENV)/test.stamp
	$(BIN)/ruff check kalib tests benchmarks data docs
	$(BIN)/ruff format --check kalib tests benchmarks data docs
	$(BIN)/mypy
	$(BIN)/lint-imports

# Execute the notebooks in place on their default study; nbval compares with what is stored.
notebooks: $(VENV)/run.stamp
	$(BIN)/python -m kalib.runs.execution

# The documentation, into build/docs; a warning, a link within it that leads nowhere too, is an error.
SPHINX := $(BIN)/sphinx-build -E -W --keep-going -q -c docs
docs: $(VENV)/test.stamp
	$(SPHINX) . build/docs
	@echo build/docs/index.html

# The links to other sites, by asking them.
docs-links: $(VENV)/test.stamp
	$(SPHINX) -b linkcheck . build/links

# The gallery of industries: its tables from the packages that ship them, its notebooks executed.
EXECUTE := nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False
gallery: $(VENV)/test.stamp
	$(BIN)/python benchmarks/real/gallery.py
	$(BIN)/jupyter $(EXECUTE) --log-level WARN docs/gallery/*.ipynb

# The README's pictures, from a run of a shipped study.
pictures: $(VENV)/test.stamp
	$(BIN)/python docs/pictures.py

# Ratios against named peers; the tables in docs are what this prints, with more seeds.
benchmark: $(VENV)/test.stamp
	$(BIN)/python benchmarks/real --quick
	$(BIN)/python benchmarks/dangers.py 2
	$(BIN)/python benchmarks/worlds.py 1
	$(BIN)/python benchmarks/next_survey.py 1
	$(BIN)/python benchmarks/waves.py
	$(BIN)/python benchmarks/visit_list.py
	$(BIN)/python benchmarks/attack_list.py 2
	$(BIN)/python benchmarks/plan.py
	$(BIN)/python benchmarks/digits.py
	$(BIN)/python benchmarks/selection.py
	$(BIN)/python benchmarks/page.py
	$(BIN)/python benchmarks/documents.py
	$(BIN)/python benchmarks/scale.py 1 10
	$(BIN)/python benchmarks/steps.py
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/sizes.py

# The same in little: a change that costs much shows here.
benchmark-quick: $(VENV)/test.stamp
	$(BIN)/python benchmarks/real --quick --only juice
	$(BIN)/python benchmarks/dangers.py 1 sound spatial "one region"
	$(BIN)/python benchmarks/digits.py
	$(BIN)/python benchmarks/scale.py 1
	$(BIN)/python benchmarks/steps.py

# Write the shipped studies' tables anew from their seeded generators.
studies: $(VENV)/test.stamp
	$(BIN)/python -m generators.simulate data
	$(BIN)/python -m generators.waves data

# The versions that `make study` and `make test` install; kept ones stay where they still fit.
COMPILE := uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate pyproject.toml
requirements:
	$(COMPILE) --extra test -o requirements-test.txt
	$(COMPILE) --extra lab --extra scale -c requirements-test.txt -o requirements.txt

# The oldest releases that pyproject.toml allows: the main job, and the tests of the statistics.
LOWEST := .venv-lowest
lowest:
	uv venv --quiet --clear --python $(PYTHON) $(LOWEST)
	uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct -e ".[scale]"
	uv pip install --quiet --python $(LOWEST)/bin/python lxml pytest
	$(LOWEST)/bin/kalib run $(STUDY) --out $(LOWEST)/report
	$(LOWEST)/bin/python -m pytest -o addopts= -q tests/formula tests/wallet

clean:
	rm -rf $(VENV) $(LOWEST) .pytest_cache .mypy_cache .ruff_cache mutants .coverage*

# uv where it is at hand, for speed; pip otherwise.
define install
	$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(BIN)/python -r $(1) && \
	  uv pip install --quiet --python $(BIN)/python --no-deps -e .; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .; \
	fi
endef

$(VENV)/run.stamp: requirements.txt pyproject.toml
	$(call install,requirements.txt)
	@touch $@

$(VENV)/test.stamp: requirements-test.txt pyproject.toml
	$(call install,requirements-test.txt)
	@touch $@ $(VENV)/run.stamp
