# Every target does its own set-up; where there is nothing left to set up it takes no time. `make help` lists them.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: demo test lint bench bench-turns soak show-echo show-purge store-faults bench-store faults drops expiry kills clean help

# Whatever the caller's Python is told, this project's is not.
unexport PYTHONPATH PYTHONHOME

PYTHON := .venv/bin/python
ARGS ?=

demo: ## listen to a conversation: no key and no sound card needed, ends by itself
	@scripts/setup.sh demo
	@$(PYTHON) -m voicebotd.demo $(ARGS)

# All parts run even when an earlier one fails, so that one run shows everything; pytest's summary is the last line.
test: ## lint, branch coverage of the pure rooms, all tests; ARGS go to pytest: make test ARGS="-k barge_in"
	@scripts/setup.sh test
	@failed=0; \
	$(MAKE) --no-print-directory lint || failed=1; \
	$(PYTHON) tests/pure_rooms.py || failed=1; \
	$(PYTHON) -m pytest $(ARGS) || failed=1; \
	exit $$failed

lint: ## ruff, mypy --strict, and who may import whom
	@scripts/setup.sh dev
	@failed=0; \
	$(PYTHON) -m ruff check . || failed=1; \
	$(PYTHON) -m ruff format --check . || failed=1; \
	$(PYTHON) -m mypy || failed=1; \
	.venv/bin/lint-imports || failed=1; \
	exit $$failed

bench: ## print what it costs and how long it takes; judges nothing; ARGS="--quick" for a short run
	@scripts/setup.sh test
	@$(PYTHON) tests/bench/run.py $(ARGS)

bench-turns: ## how well turns are taken, in virtual rooms: tables and a PNG; ARGS="--quick" for a minute
	@scripts/setup.sh bench
	@$(PYTHON) tests/bench/turns/run.py $(ARGS)

soak: ## an hour of talk through the audio engine in virtual time: memory, and the pairing of the echo
	@scripts/setup.sh bench
	@$(PYTHON) tests/bench/soak.py $(ARGS)

show-echo: ## two minutes on an open table: the microphone hears the loudspeaker, the box never interrupts itself
	@scripts/setup.sh test
	@$(PYTHON) -m pytest -s tests/system/long/show_open_table.py $(ARGS)

show-purge: ## half of a million turns are purged while the assistant speaks: what it says is whole
	@scripts/setup.sh test
	@$(PYTHON) -m pytest -s tests/system/long/show_purge.py $(ARGS)

store-faults: ## a quarter of an hour of errors at every write and of kill -9: nothing acknowledged may be lost
	@scripts/setup.sh test
	@$(PYTHON) -m pytest -s tests/store/long/show_store_faults.py $(ARGS)

bench-store: ## a million turns: search, list, start and purge, with p50 and p95; ARGS="--turns 50000" for a short run
	@scripts/setup.sh test
	@$(PYTHON) tests/bench/store/run.py $(ARGS)

faults: ## every fault of the link and the service at every moment of a conversation, as a table; ARGS="--quick", ARGS="rst"
	@scripts/setup.sh test
	@$(PYTHON) tests/faults/run.py $(ARGS)

drops: ## two hundred drops at random moments of a conversation: every question is answered once; ARGS="--seed 7"
	@scripts/setup.sh test
	@$(PYTHON) tests/faults/run_drops.py $(ARGS)

expiry: ## ten minutes with sessions that last, ten with sessions that expire every 20 s: the same conversation
	@scripts/setup.sh test
	@$(PYTHON) tests/faults/run_expiry.py $(ARGS)

kills: ## a hundred kill -9 in the middle of booking: nothing that was said is lost, nothing is booked twice
	@scripts/setup.sh test
	@VOICEBOTD_TEST_KILLS=100 $(PYTHON) -m pytest -s tests/system/test_killed_booking.py $(ARGS)

clean: ## remove everything that the targets above made
	@rm -rf .venv build dist ./*.egg-info demo-output bench-output .coverage .coverage.*
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@sed -n 's/^\([a-z-]*\): ## \(.*\)/make \1\t\2/p' Makefile | expand -t 18
