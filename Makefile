# make lab    set up the course and open it          make lab ARGS="--no-browser --port=8899"
# make test   set up everything and run all tests    make test ARGS="-m browser -q"
# make help   the other targets

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help lab planner resume test soak check exercises reference recordings bench lock

help:
	@echo 'make lab        set up the course and open it; ARGS="..." goes to JupyterLab'
	@echo 'make planner    the same, with the planner open'
	@echo 'make resume     open it where you stopped'
	@echo 'make test       set up everything and run all tests; ARGS="..." goes to pytest'
	@echo 'make soak       the tests of the live lab for half an hour: 1000 clusters, 100 kills'
	@echo 'make check      lint, format and type checks'
	@echo 'make exercises  regenerate exercises/ from solutions/'
	@echo 'make reference  regenerate the pages of reference/ from the lessons'
	@echo 'make recordings make anew what is shown where no live lab can run; on Linux'
	@echo 'make bench      benchmarks; each prints a ratio of two things measured in one run'
	@echo 'make lock       pin the newest versions that pyproject.toml allows'

lab: $(VENV)/lab-ready
	@$(RUN) -m course lab $(ARGS)

planner: $(VENV)/lab-ready
	@$(RUN) -m course planner $(ARGS)

resume: $(VENV)/lab-ready
	@$(RUN) -m course resume $(ARGS)

test: $(VENV)/test-ready
	@$(RUN) -m pytest -n auto --dist loadfile $(ARGS)

soak: $(VENV)/test-ready
	@COURSE_LAB_EXAMPLES=1000 COURSE_LAB_KILLS=100 $(RUN) -m pytest -m lab $(ARGS)

check: $(VENV)/test-ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

exercises: $(VENV)/lab-ready
	@$(RUN) -m course exercises

reference: $(VENV)/lab-ready
	@$(RUN) -m tools.reference

recordings: $(VENV)/lab-ready
	@$(RUN) -m tools.recordings

bench: $(VENV)/test-ready
	@$(RUN) -m tests.bench

lock: $(VENV)/test-ready
	$(RUN) -m pip install --quiet uv
	UV_CUSTOM_COMPILE_COMMAND='make lock' $(VENV)/bin/uv pip compile --quiet --upgrade --universal \
	  --python-version 3.11 --no-emit-index-url --generate-hashes pyproject.toml -o requirements.lock
	UV_CUSTOM_COMPILE_COMMAND='make lock' $(VENV)/bin/uv pip compile --quiet --upgrade --universal \
	  --python-version 3.11 --no-emit-index-url --generate-hashes pyproject.toml --extra test \
	  -c requirements.lock -o requirements-test.lock

# An environment holds its own path: one that was moved is made anew.
ifneq ($(wildcard $(VENV)/made-in),)
ifneq ($(shell cat $(VENV)/made-in),$(CURDIR))
$(info This folder has moved: $(VENV) is made anew.)
$(shell rm -rf $(VENV))
endif
endif

# A stamp file stands for "this lock is installed": a second start installs nothing.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This course needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Install one and name it: make lab PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Could not make a virtual environment. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo '$(CURDIR)' > $(VENV)/made-in

$(VENV)/lab-ready: requirements.lock pyproject.toml apt.txt | $(VENV)/bin/python
	@sh tools/system-packages.sh apt.txt
	@echo "Installing the course into $(VENV) (once; a minute or so) ..."
	@$(RUN) -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(RUN) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test-ready: requirements-test.lock apt-test.txt $(VENV)/lab-ready
	@sh tools/system-packages.sh apt-test.txt
	@echo "Installing what the tests need ..."
	@$(RUN) -m pip install -qq --disable-pip-version-check -r requirements-test.lock
	@touch $@
