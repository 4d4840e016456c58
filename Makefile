# onnxlet. `make` lists what can be done.
.DEFAULT_GOAL := help
.PHONY: help setup run train package deploy invoke logs drift rollback remove emulator test test-fresh test-long test-memory test-emulation test-engines test-pipelines test-training test-kept test-gate test-lambda test-load test-workers test-device test-machine test-faults test-run test-oldest test-old test-libraries test-frameworks test-clients test-page test-browser test-schema test-shap test-deploy test-image test-dist test-docs test-gallery check model gallery pictures coverage harvest old-models autogluon references surface mutations bench dist release docs audit lock clean
.SILENT:
# Images of Python set it. What is imported from an environment made here is compiled once, and not
# again by each of the processes that a suite, a deploy or a bench starts.
unexport PYTHONDONTWRITEBYTECODE

PORT ?= 8080
EXAMPLE ?= house_prices
SECONDS ?= 60
MODELS ?= $(or $(ONNXLET_MODELS),models)
STAGE ?= dev
TARGET ?= lambda
PYTHON_VERSION ?= 3.13
ARCH ?= $(if $(filter image,$(TARGET)),$(shell uname -m),aarch64)
BUNDLE ?= build/$(if $(filter browser,$(TARGET)),site,onnxlet-$(TARGET)-python$(PYTHON_VERSION)-$(ARCH)$(if $(filter image,$(TARGET)),.tar,.zip))
PY := .venv/bin/python
READY := .venv/ready
DEV := .venv/dev
RUN := .venv-run
OLDEST := .venv-oldest
LIBRARIES := .venv-libraries
FRAMEWORKS := .venv-frameworks
BROWSER := .venv-browser
SCHEMATHESIS := .venv-schemathesis
SHAP := .venv-shap
HARVEST := .venv-harvest
DEPLOY := .venv-deploy
EMULATOR := .venv-emulator
DIST := .venv-dist
DOCS := .venv-docs
EMULATOR_PORT ?= 4566
NODE := node_modules/.package-lock.json
# What no older scikit-learn, pandas, NumPy, SciPy or PyArrow changes: graphs and bundles, journals and
# processes, pages. And whole trainings, which one environment is enough for.
NOT_OLDEST := bundle examples graph imported workers record_batches/test_tables_doc.py \
    $(addprefix report/test_,card.py files.py page.py plots.py sentences.py wording.py) \
    $(addprefix score/test_,duckdb.py journal.py s3.py same_bytes.py) \
    $(addprefix train/test_,command.py image_portfolio.py image_training.py interrupting.py portfolio.py refit.py training.py fits.py) \
    tables/test_csv_parts.py test_command_line.py test_progress.py test_spacing.py
# Tests in so many processes, where a suite is beside no other: three for two cores, as many tests
# wait for processes of their own. A file's are in one.
PROCESSES ?= 3
SPREAD := -n $(PROCESSES) --dist loadfile
REFERENCES := $(patsubst requirements/references/%.txt,%,$(wildcard requirements/references/*.txt))
CLIENTS := $(patsubst requirements/clients/%.txt,%,$(wildcard requirements/clients/*.txt))
# What may stand on the command line. One that is misspelt would be passed over without a word.
SAID := ALARM_TOPIC API_KEYS_SSM ARCH ARGS BODY BOUNDARY BUNDLE BURST CONCURRENCY DATA EMULATOR_PORT \
    EXAMPLE EXAMPLES FOLLOW FUNCTION_URL HOURS JSON KEEP LIBRARY LOG_DAYS MEMORY MINUTES MODEL MODELS \
    MODELS_URL NAME OPEN P99_MS PART PORT PROCESSES PYTHON PYTHON_VERSION QUEUE RATE REMOTE SCORE_FROM \
    SCORE_TO SECONDS SHELL SNAPSTART STAGE TARGET TIMEOUT TMPDIR TMP_MB VERSION WARM_MINUTES WORDS
said = $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
meant = $(shell python3 -c "import difflib, sys; print(*difflib.get_close_matches(*sys.argv[1:2], sys.argv[2:], 1))" $(1) $(SAID) 2>/dev/null)
$(foreach name,$(filter-out $(SAID) AWS_% ONNXLET_% PIP_% UV_%,$(said)),\
    $(error $(name): unknown variable; $(or $(patsubst %,did you mean %?,$(call meant,$(name))),there are $(SAID))))
# No rule: a link that is made again is no reason to set up again.
$(if $(shell sh tools/links.sh || echo failed),$(error the links in onnxlet/ can't be made))

help: ## list the commands
	echo "make COMMAND, with"
	grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r command text; do printf '  %-15s %s\n' "$$command" "$$text"; done

setup: $(DEV) ## make the environment in .venv, with all that every command needs

# Remade when a requirement changes; a Python that can't be used says what to install.
$(READY): requirements/run.txt tools/setup.sh
	sh tools/setup.sh

$(DEV): $(READY) requirements/dev.txt
	sh tools/setup.sh .venv requirements/dev.txt dev

run: $(READY) ## train and convert the house prices, prove them, serve on PORT (8080)
	exec $(PY) -m onnxlet demo --models "$(MODELS)" --port $(PORT)

model: $(READY) ## build convert/examples/EXAMPLE.py into MODELS (models)
	$(if $(EXAMPLE),,$(error make model needs EXAMPLE=name, one of docs/gallery.md))
	$(PY) -m onnxlet.convert.examples $(EXAMPLE) --models "$(MODELS)"

gallery: $(READY) ## build all of convert/examples into MODELS (models): docs/gallery.md
	$(PY) -m onnxlet.convert.examples --models "$(MODELS)"

train: .venv/train ## a model of the column TARGET of the table DATA, searched for SECONDS (60), into MODELS (models), as NAME
	$(if $(and $(DATA),$(NAME),$(filter command,$(origin TARGET))),,$(error make train needs DATA=table.csv TARGET=column NAME=model))
	$(PY) -m convert train "$(DATA)" --target "$(TARGET)" --name "$(NAME)" --models "$(MODELS)" --seconds $(SECONDS) $(ARGS)

.venv/train: $(READY) requirements/train.txt
	sh tools/setup.sh .venv requirements/train.txt train

package: $(READY) ## MODELS (models) as one zip, image or site for TARGET (lambda, device, image, browser), PYTHON_VERSION (3.13) and ARCH (aarch64), into build/
	$(PY) -m convert package --models "$(MODELS)" --target $(TARGET) --python $(PYTHON_VERSION) --arch $(ARCH) --out "$(BUNDLE)" $(ARGS)

# With a BUNDLE that was packaged before there is nothing to package. Without npm it says so, with
# all else that is missing.
deploy: $(if $(filter file,$(origin BUNDLE)),$(READY)) $(DEPLOY)/ready ## to AWS, as STAGE (dev): prove the version there, then serve it (docs/how-to/deploy.md)
	if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE); fi
	$(DEPLOY)/bin/python -m tools.deploy up

invoke: $(DEPLOY)/ready ## ask what STAGE serves: BODY='{"instances": …}', or a golden row
	$(DEPLOY)/bin/python -m tools.deploy invoke $(ARGS)

logs: $(DEPLOY)/ready ## the log of STAGE: the last MINUTES (10), with FOLLOW=1 until Ctrl-C
	$(DEPLOY)/bin/python -m tools.deploy logs $(ARGS)

drift: $(DEPLOY)/ready ## what STAGE was asked in the last HOURS (24), added up from its log: drift, expected performance
	$(DEPLOY)/bin/python -m tools.deploy drift $(ARGS)

rollback: $(DEPLOY)/ready ## have STAGE serve the version that was proven before
	$(DEPLOY)/bin/python -m tools.deploy rollback

remove: $(DEPLOY)/ready $(NODE) ## delete all that was deployed as STAGE
	$(DEPLOY)/bin/python -m tools.deploy remove

$(DEPLOY)/ready: requirements/deploy.txt tools/setup.sh
	sh tools/setup.sh $(DEPLOY) requirements/deploy.txt

# No script of a package is run: osls needs none.
$(NODE): package-lock.json
	command -v npm >/dev/null || { echo "error: npm: expected Node.js 20.19 or newer with npm, got none" >&2; \
	    echo "hint: install Node.js 22 (Debian, Ubuntu: apt-get install nodejs npm; macOS: brew install node)" >&2; exit 1; }
	npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	touch $@

emulator: $(EMULATOR)/ready ## AWS on this machine, on EMULATOR_PORT (4566): deploys without an account
	echo "AWS on http://127.0.0.1:$(EMULATOR_PORT), until Ctrl-C. In a second terminal:"
	echo "make deploy OPEN=1 AWS_ENDPOINT_URL=http://127.0.0.1:$(EMULATOR_PORT)"
	BIND_HOST=127.0.0.1 GATEWAY_PORT=$(EMULATOR_PORT) LOG_LEVEL=ERROR exec $(EMULATOR)/bin/ministack

# The emulator runs functions by its own Python: the newest of Lambda's that is there.
$(EMULATOR)/ready: requirements/emulator.txt tools/setup.sh
	PYTHON="$${PYTHON:-python3.13 python3.14 python3.12 python3.11 python3}" sh tools/setup.sh $(EMULATOR) requirements/emulator.txt

# Types are checked beside the tests; mypy keeps what it has found in .mypy_cache.
test: $(DEV) ## the suite, and types; slower suites have targets of their own
	mkdir -p build
	$(PY) -m mypy >build/types.txt 2>&1 & types=$$!; \
	    $(PY) -m pytest $(SPREAD) $(ARGS); tests=$$?; \
	    if wait $$types; then exit $$tests; else cat build/types.txt; exit 1; fi

test-fresh: $(DEV) ## what a newcomer meets: clean copies, empty homes, no cache (slow)
	$(PY) -m pytest -m fresh --timeout 1200 $(ARGS)

test-long: $(DEV) ## the tests that take seconds each
	$(PY) -m pytest $(SPREAD) -m long tests $(ARGS)

test-memory: $(DEV) ## memory that is held and given back, measured (slow)
	$(PY) -m pytest -m memory tests/convert tests/edge tests/function $(ARGS)

test-emulation: $(DEV) ## other processors, emulated: the same bytes as here (Linux, root; slow)
	$(PY) -m pytest -m emulation -rs tests $(ARGS)

test-pipelines: $(DEV) ## every pipeline of the zoo, over HTTP, and other long builds (slow)
	$(PY) -m pytest -m pipelines tests/pipelines tests/convert tests/project $(ARGS)

test-training: $(DEV) ## searches and whole trainings, of tables and of images (slow)
	$(PY) -m pytest $(SPREAD) -m training --timeout 600 tests/convert/train tests/project $(ARGS)

test-kept: $(DEV) ## devices of earlier versions, which this one updates, and which go back (slow)
	$(PY) -m pytest -m kept tests/kept $(ARGS)

test-gate: $(DEV) ## mutate every kind of graph: the parity gate has to notice (slow)
	$(PY) -m pytest -m gate --timeout 1200 -s tests/convert $(ARGS)

test-load: $(DEV) ## ten times what a server takes, and clients that stall or send nonsense (slow)
	$(PY) -m pytest -m load tests/load $(ARGS)

test-workers: $(DEV) ## servers of two processes, in every test that starts one of a device or puts it under load; kills of one (slow)
	$(PY) -m pytest -m workers tests/edge/workers $(ARGS)
	$(PY) -m pytest --workers 2 --long $(SPREAD) --ignore tests/edge/workers --ignore tests/edge/aggregation tests/edge $(ARGS)
	$(PY) -m pytest --workers 2 -m load tests/load $(ARGS)

test-faults: $(DEV) ## kills at random points, and clocks, networks, disks and memory that fail (slow; Linux, root)
	$(PY) -m pytest $(SPREAD) -m faults --timeout 1200 tests/edge tests/convert/score $(ARGS)

test-engines: $(DEV) ## a Dask scheduler and its workers, each a process: fits and parts of tables, kills (slow)
	$(PY) -m pytest $(SPREAD) -m engines --timeout 1200 tests/convert tests/project/test_engines_doc.py $(ARGS)

test-lambda: $(DEV) ## the unpacked bundle on AWS's own runtime, both architectures (Linux)
	$(PY) -m pytest -m lambda_runtime --timeout 600 -rs tests/lambda_runtime $(ARGS)

test-device: $(DEV) ## a bundle's life under real systemd, in a Debian of its own (Linux, root; slow)
	$(PY) -m pytest -m device -rs -s tests/device $(ARGS)

test-machine: $(DEV) ## an arm64 Debian that boots: the README followed, the power cut at random (Linux, root; slow)
	$(PY) -m pytest -m machine --timeout 3000 -rs -s tests/machine $(ARGS)

# Without PyArrow pandas keeps text in another way. And graphs are run by ONNX Runtime's own Python
# package here, as on platforms for which no bundle is made. Families that only take numbers meet
# neither: the pipelines have some of each.
NUMBERS := densities decomposition kernels linear neighbours trees
test-run: export ONNXLET_RUNTIME := package
test-run: $(RUN)/ready ## conversions and front ends in the environment of `make run`, which has no PyArrow
	$(RUN)/bin/python -m pytest --long $(SPREAD) $(NUMBERS:%=--ignore tests/convert/converters/%) tests/convert/converters tests/convert/evidence tests/convert/parity tests/convert/reference tests/convert/sources tests/convert/text_limits tests/function/inputs tests/pipelines $(ARGS)
	$(RUN)/bin/python -m pytest -n $(PROCESSES) -m "gate or pipelines" --ignore tests/pipelines/test_dtypes.py -k "words or letters or text or dates or encoded or movies or reviews or art_" --timeout 600 tests/convert/parity tests/pipelines $(ARGS)

$(RUN)/ready: requirements/test-run.txt tools/setup.sh
	sh tools/setup.sh $(RUN) requirements/test-run.txt

test-oldest: $(OLDEST)/ready ## conversions and pipelines, with the oldest scikit-learn, pandas and NumPy
	$(OLDEST)/bin/python -m pytest -m "not (emulation or engines or faults or fresh or frameworks or gate or memory)" $(NOT_OLDEST:%=--ignore tests/convert/%) tests/convert tests/pipelines $(ARGS)

test-old: $(DEV) ## models that older scikit-learns and AutoGluon fit, each in its own environment
	$(PY) -m pytest -m old tests/old $(ARGS)

$(OLDEST)/ready: requirements/oldest.txt tools/setup.sh
	PYTHON="$${PYTHON:-python3.11 python3.12 python3.13 python3}" sh tools/setup.sh $(OLDEST) requirements/oldest.txt

test-libraries: $(LIBRARIES)/ready ## estimators of other libraries: CatBoost, LightGBM, XGBoost, imbalanced-learn, skrub and more; frames of polars
	$(LIBRARIES)/bin/python -m pytest -m "not gate" -k "lightgbm or xgboost or catboost or polars or libraries" tests/convert/converters tests/convert/evidence/test_catboost_borders.py tests/convert/reference/test_frames_of_polars.py tests/convert/train tests/pipelines $(ARGS)
	$(LIBRARIES)/bin/python -m pytest -m gate -k libraries --timeout 1200 -s tests/convert/parity $(ARGS)

$(LIBRARIES)/ready: requirements/libraries.txt tools/setup.sh
	sh tools/setup.sh $(LIBRARIES) requirements/libraries.txt

test-frameworks: $(FRAMEWORKS)/frameworks ## models that PyTorch, Keras, TensorFlow and boosters export, and published graphs (slow to set up)
	$(FRAMEWORKS)/bin/python -m pytest -m frameworks tests/convert $(ARGS)

$(FRAMEWORKS)/frameworks: requirements/dev.txt requirements/frameworks.in tools/setup.sh
	sh tools/setup.sh $(FRAMEWORKS) requirements/dev.txt
	sh tools/setup.sh $(FRAMEWORKS) requirements/frameworks.in frameworks

test-clients: $(DEV) $(CLIENTS:%=.venv-clients-%/ready) ## other people's clients, over a socket (slow to set up)
	$(PY) -m pytest -m clients tests/clients $(ARGS)

# Some clients lag behind the newest Python: the oldest one that is there is taken.
.venv-clients-%/ready: requirements/clients/%.txt tools/setup.sh
	PYTHON="$${PYTHON:-python3.11 python3.12 python3.13 python3}" sh tools/setup.sh $(@D) $<

test-page: $(BROWSER)/ready ## the page in a real browser, screenshots into build/ (needs chromium)
	$(BROWSER)/bin/python -m pytest -m page $(SPREAD) tests/page $(ARGS)

test-browser: $(BROWSER)/ready ## folders for browsers in a real one: visits, updates, proofs, faults (needs chromium, firefox-esr, npm)
	$(BROWSER)/bin/python -m pytest -m browser $(SPREAD) --timeout 600 tests/browser $(ARGS)

$(BROWSER)/ready: requirements/browser.txt tools/setup.sh
	sh tools/setup.sh $(BROWSER) requirements/browser.txt

test-gallery: $(BROWSER)/ready ## every example: built, asked over a socket, from a bundle, on the page (needs chromium, mosquitto)
	$(BROWSER)/bin/python -m pytest -m gallery --timeout 600 tests/gallery $(ARGS)

pictures: ## the gallery's pictures again, into docs/images/gallery
	$(MAKE) --no-print-directory test-gallery ARGS="-k picture"
	cp build/screenshots/gallery/*.png docs/images/gallery/

test-schema: $(SCHEMATHESIS)/ready ## thousands of requests made up from the server's own OpenAPI document
	$(SCHEMATHESIS)/bin/python -m pytest -m schema -s tests/schema $(ARGS)

$(SCHEMATHESIS)/ready: requirements/schemathesis.txt tools/setup.sh
	sh tools/setup.sh $(SCHEMATHESIS) requirements/schemathesis.txt

test-shap: $(SHAP)/ready ## explanations against the shap package
	$(SHAP)/bin/python -m pytest -m shap tests/function/explanation $(ARGS)

$(SHAP)/ready: requirements/shap.txt tools/setup.sh
	sh tools/setup.sh $(SHAP) requirements/shap.txt

test-deploy: $(DEV) $(DEPLOY)/ready $(EMULATOR)/ready $(NODE) ## deployments against an emulator of AWS, and what lints them
	$(PY) -m pytest -m deploy --timeout 600 tests/deploy $(ARGS)

test-image: $(DEV) ## container images of both architectures, and containers of them (Debian, root; slow)
	$(PY) -m pytest -m image --timeout 900 -rs tests/image $(ARGS)

test-dist: $(DEV) $(DIST)/ready .venv-release/ready ## the wheel in an environment of a user's: shell, script, notebook
	$(PY) -m pytest -m dist tests/dist $(ARGS)

$(DIST)/ready: requirements/dist.txt tools/setup.sh
	sh tools/setup.sh $(DIST) requirements/dist.txt

test-docs: $(DEV) docs ## what README and documents show, run; their site: every page, every link, nothing from elsewhere
	$(PY) -m pytest -m docs tests/project $(ARGS)

check: $(DEV) ## format, lint and types
	$(PY) -m ruff format .
	$(PY) -m ruff check .
	$(PY) -m mypy

coverage: $(LIBRARIES)/ready ## convert every estimator, or those of LIBRARY, and write docs/reference/coverage.md (slow)
	OMP_NUM_THREADS=1 PROCESSES=$(PROCESSES) $(LIBRARIES)/bin/python -W ignore -m tools.evaluation.support $(LIBRARY)

harvest: $(HARVEST)/ready ## build the models of scikit-learn's gallery, or of EXAMPLES; docs/reference/harvest.md (hours)
	OMP_NUM_THREADS=1 $(HARVEST)/bin/python -W ignore -m tools.evaluation.harvest $(EXAMPLES)

old-models: $(DEV) ## fit models by older scikit-learns, build and compare them; docs/reference/old-models.md (slow)
	$(PY) -m tools.evaluation.old_models

autogluon: $(DEV) ## fit predictors by AutoGluon, build and compare them; docs/reference/autogluon.md (slow)
	$(PY) -m tools.evaluation.autogluon

$(HARVEST)/ready: requirements/harvest.txt tools/setup.sh
	sh tools/setup.sh $(HARVEST) requirements/harvest.txt

references: $(REFERENCES:%=.venv-%/ready) ## figures of NannyML, MAPIE, Evidently and SciPy, which tests hold ours against, into tests/references/
	for name in $(REFERENCES); do .venv-$$name/bin/python -W ignore -m tools.evaluation.references.$${name}_figures || exit 1; done

# NannyML is for Python 3.12 at most; pip 23.2, as of older Pythons, can't install Evidently's lock.
$(REFERENCES:%=.venv-%/ready): .venv-%/ready: requirements/references/%.txt tools/setup.sh
	PYTHON="$${PYTHON:-$(if $(filter nannyml,$*),,python3.13) python3.12 python3.11 python3}" sh tools/setup.sh $(@D) $<

surface: $(DEV) ## record the names that others rely on (docs/reference/stability.md), where the changelog names what breaks
	$(PY) -m tests.project.surface

mutations: $(DEV) ## put faults into copies of the checkout, which its tests have to notice (slow); or those of WORDS
	$(PY) -m tools.mutations $(WORDS)

bench: $(DEV) .venv/train ## measure side by side, or one PART, and write docs/reference/benchmarks/
	$(PY) -m bench $(PART)

# The same bytes whenever it is built.
dist: $(DEV) ## the wheel, and the source archive that makes it, into dist/
	rm -rf dist
	$(PY) -m tools.wheel_bill
	SOURCE_DATE_EPOCH=315532800 $(PY) -m hatchling build

release: $(DEV) .venv-release/ready ## of a commit that SHARE=1 .ci/run has passed, VERSION: its commit, its tag, and its files in dist/
	$(if $(filter command,$(origin VERSION)),,$(error make release needs VERSION=1.0.0))
	$(PY) -m tools.release "$(VERSION)"

.venv-release/ready: requirements/release.txt tools/setup.sh
	sh tools/setup.sh .venv-release requirements/release.txt

# Mermaid draws the site's pictures; without npm they stay text.
docs: $(DOCS)/ready ## build the documents as a site, into build/docs
	if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE); fi
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build
	echo "build/docs/index.html; with the search: python3 -m http.server --bind 127.0.0.1 -d build/docs"

$(DOCS)/ready: requirements/docs.txt tools/setup.sh
	sh tools/setup.sh $(DOCS) requirements/docs.txt

audit: $(DEV) ## locked versions against known vulnerabilities, as osv.dev has them (needs a network)
	$(PY) -m tools.audit $(ARGS)

lock: $(READY) ## lock requirements/*.in again, with hashes
	$(PY) -m tools.lock

clean: ## remove everything that was built
	rm -rf .venv .venv-clients-* $(REFERENCES:%=.venv-%) $(RUN) $(OLDEST) $(LIBRARIES) $(FRAMEWORKS) $(BROWSER) $(SCHEMATHESIS) $(SHAP) $(HARVEST) $(DEPLOY) $(EMULATOR) $(DIST) $(DOCS) .venv-release node_modules .serverless models build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
