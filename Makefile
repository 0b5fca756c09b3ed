# make demo [MASTER=film.mp4]   everything once: master to report, in demo-out/
# make test                     all tests
# make check                    format, lint, types, import contracts, tests
# make clean                    remove what the above made
OUT ?= demo-out
PYTHON_OF_ABR = .venv/bin/python

.PHONY: demo test check install clean help
.DEFAULT_GOAL = help

help:
	@sed -n 's/^# make/make/p' Makefile

install:
	@scripts/install run

demo: install
	@$(PYTHON_OF_ABR) -m abr demo --out "$(OUT)" $(if $(MASTER),--master "$(MASTER)")

test:
	@scripts/install dev
	@scripts/test-tools
	@$(PYTHON_OF_ABR) scripts/test

check:
	@scripts/install dev
	@scripts/test-tools
	@scripts/check

clean:
	rm -rf demo-out dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/node/node_modules .venv
