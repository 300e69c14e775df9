# Every verb makes what it needs. `make try` and `make test` are all a newcomer has to know.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := src tests bench examples docs clients
# one process for each core, up to eight; one that has nothing left takes over from the others
SIDE_BY_SIDE ?= -n logical --maxprocesses 8 --dist worksteal

.PHONY: try setup format check test coverage browser editors vscode clients lint-clients fonts site bench clean

try: .venv/base                       ## the main job on the embedded archive
	@$(BIN)/rejoinder reply --home .try -k 3 "Why do people still use Makefiles?"
	@$(BIN)/rejoinder reply --home .try -k 3 --item 202  # a post whose thread was held out: nothing was learned from it
	@$(BIN)/rejoinder complete --home .try "The problem with microservices is"

setup: .venv/dev                      ## a virtual environment with everything for development

format: .venv/dev                     ## rewrite the code in the house's shape, and the map of its modules
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/python docs/_ext/house_map.py

check: .venv/dev                      ## shape, lint, types
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy

test: check browser editors                   ## every check, then every test, side by side; what is skipped is named at the end
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

coverage: .venv/dev browser           ## the tests again, and which lines they ran; nothing depends on the figure
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov=rejoinder --cov-report=term:skip-covered --cov-report=html:.coverage-html

browser: .venv/dev                    ## the Chromium that the tests of the page drive, where there is none; without one they are skipped
	@if [ "$$REJOINDER_NO_BROWSER" = 1 ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium fonts-dejavu-core; then exit 0; fi; \
	$(BIN)/python -m playwright install chromium || echo "no Chromium can be had, so the tests of the page are skipped" >&2

editors:                              ## the editors that the tests of the browser extension write in, by npm; without one they are skipped
	@if [ -f tests/browser_pages/node_modules/.package-lock.json ] || [ "$$REJOINDER_NO_EDITORS" = 1 ] || [ ! -d tests/browser_pages ]; then exit 0; fi; \
	if command -v npm >/dev/null; then cd tests/browser_pages && npm ci --silent --ignore-scripts --no-audit --no-fund || echo "npm cannot fetch the editors, so their tests are skipped" >&2; \
	else echo "no npm, so the tests of editors in the browser are skipped" >&2; fi

vscode:                               ## a VS Code that the tests of its extension write in, from npm (360 MB); without one they are skipped
	sh tests/vscode/fetch.sh

clients: .venv/base                   ## the browser extension for Chromium and Firefox, and the one for VS Code, in clients/dist
	$(BIN)/python clients/browser/pack.py
	$(BIN)/python clients/vscode/vsix.py

lint-clients: clients                 ## what Mozilla's own check says of it; npm fetches that first
	cd clients/browser && npm ci --silent --ignore-scripts --no-audit --no-fund
	clients/browser/node_modules/.bin/web-ext lint --warnings-as-errors --source-dir clients/dist/firefox

fonts: .venv/dev                      ## the open fonts that `bench/letters_ladder.py` draws from, as far as they are missing; no test needs them
	@missing=$$(cd examples && ../$(BIN)/python -m letters.fonts); if [ -z "$$missing" ] || [ "$$REJOINDER_NO_FONTS" = 1 ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing || \
	echo "not all fonts could be installed; the letters ladder uses what is there" >&2; \
	else echo "the letters ladder is short of fonts; what is there is used. For all of them: apt-get install $$missing" >&2; fi

site: .venv/dev                       ## the documentation, with the tour run anew, in docs/_build/site
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/site

bench: .venv/dev                      ## import and reply, measured on this machine
	$(BIN)/python bench/import_speed.py
	$(BIN)/python bench/reply_latency.py

clean:
	rm -rf .venv .try docs/_build .mypy_cache .pytest_cache .ruff_cache .coverage .coverage-html

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rejoinder needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv

# the lock file pins what was tested; pyproject.toml states what may be used
.venv/base: .venv/bin/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

.venv/dev: .venv/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@
