# Two commands do everything on a new machine with Python ≥ 3.11 and make: `make up` and `make test`.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(BIN)/python -m

unexport PYTHONDONTWRITEBYTECODE  # the tests start a hundred processes: what is compiled once is compiled for all

.PHONY: up test check format lint types imports sim fault bench peers zombie services cronfiles timers compiled wheel clean help

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

$(VENV)/.up: pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing Shike into $(VENV) …"
	@$(RUN) pip install --quiet --disable-pip-version-check --editable '.[cli,server]'
	@touch $@

$(VENV)/.dev: pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing Shike and its tools into $(VENV) …"
	@$(RUN) pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.up

$(VENV)/.bench: pyproject.toml $(VENV)/.dev
	@$(RUN) pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

up: $(VENV)/.up  ## the demo: schedules, delayed runs and retries on one SQLite file
	@$(BIN)/shike up shike.demo:app

test: $(VENV)/.dev  ## all tests, the slow ones too; on every store whose server answers
	$(RUN) pytest -m "not long" -n 2 --dist worksteal

check: $(VENV)/.dev format lint types imports  ## everything a commit has to pass, in ≤ 90 s
	SHIKE_SIM_SEEDS=40 $(RUN) pytest --ignore tests/browser -m "not slow and not servers" -n 2 --dist worksteal --hypothesis-profile check

format: $(VENV)/.dev
	$(BIN)/ruff format --check --quiet .

lint: $(VENV)/.dev
	$(BIN)/ruff check --quiet .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	@$(BIN)/lint-imports --no-logo

sim: $(VENV)/.dev  ## the long simulations: 300 seeds, every fault
	$(RUN) tests.sim --seeds 300 --jobs 2
	$(RUN) tests.sim.railway --seeds 100
	$(RUN) tests.sim.railway --seeds 20 --long

fault: $(VENV)/.dev  ## real processes and servers, really killed; writes docs/faults.md
	@mkdir -p out && rm -f out/faults.jsonl
	SHIKE_FAULT_FIGURES=$(CURDIR)/out/faults.jsonl $(RUN) pytest tests/fault -n 4 --dist worksteal
	$(RUN) tests.fault.real.report out/faults.jsonl

bench: $(VENV)/.bench peers  ## Shike beside its peers, in one run
	$(RUN) benchmarks

PEERS := out/peers out/peers-arq out/peers-events

peers: $(PEERS:=/.done)  ## the peers of the benchmarks, apart: they do not get along with one another

out/%/.done: pyproject.toml
	@test -d out/$* || $(PYTHON) -m venv out/$*
	@out/$*/bin/pip install --quiet --disable-pip-version-check --editable '.[bench-$*]'
	@touch $@

zombie: $(VENV)/.bench peers  ## what becomes of a worker that slept past its lease, here and elsewhere
	$(RUN) benchmarks.zombie

services:        ## the servers, and the browser, that tests talk to: installed where they are missing, started where none answers (apt)
	@bash tests/services.sh

cronfiles:       ## the cron files that Debian's packages install, for the crontab tests (needs apt)
	@mkdir -p out/cron && cd out/cron && apt-get download $(CRON_PACKAGES) >/dev/null && \
	for package in *.deb; do dpkg-deb --extract "$$package" "$${package%%_*}"; done && rm -f *.deb && ls

CRON_PACKAGES := sysstat certbot anacron mdadm ntpsec popularity-contest php-common amavisd-new

timers: $(VENV)/.dev  ## a million random operations on every timer structure: all give the same answers
	$(RUN) tests.unit.timer.differential 1000000
	$(RUN) tests.unit.timer.differential 1000000 --builds

compiled: $(VENV)/.up  ## compile the default timer structure (needs a C compiler); Shike runs without it, too
	$(RUN) shike.timer.native.compile

wheel: $(VENV)/.dev  ## build the wheel, which holds nothing compiled, install it into an empty environment, and use it
	rm -rf dist out/wheel && $(RUN) build --wheel --outdir dist . >/dev/null && ls dist/*-py3-none-any.whl
	$(PYTHON) -m venv out/wheel && out/wheel/bin/pip install --quiet --disable-pip-version-check "$$(ls dist/*.whl)[cli]"
	cd out && wheel/bin/shike --version && wheel/bin/shike cron "0 9 * * mon-fri" --tz Asia/Shanghai --next 2

clean:
	rm -rf $(VENV) dist build out .mypy_cache .ruff_cache .pytest_cache .hypothesis src/shike/timer/native/*.so
