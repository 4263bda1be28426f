PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
BENCH := .venv-bench
# Benchmarks and test processes share the machine fairly: one thread a library.
export OMP_NUM_THREADS ?= 1

# Tests that share a system stay in one process (tests/conftest.py).
IN_PARALLEL := -n 2 --dist loadgroup

.PHONY: install lock format lint check test test-long unit demo faults bench bench-chunk bench-retrieval bench-extract bench-resolution bench-embed bench-models bench-memory bench-spread bench-encodings bench-search bench-sandbox sweep isolation fuzz clean

install: $(VENV)/.installed

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: $(UV) requirements.lock pyproject.toml
	VIRTUAL_ENV=$(abspath $(VENV)) $(UV) pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	VIRTUAL_ENV=$(abspath $(VENV)) $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q docmill
	touch $@

$(BENCH)/.installed: $(UV) requirements-bench.lock pyproject.toml
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(BENCH)
	VIRTUAL_ENV=$(abspath $(BENCH)) $(UV) pip install --quiet --compile-bytecode --link-mode copy --require-hashes -r requirements-bench.lock
	VIRTUAL_ENV=$(abspath $(BENCH)) $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The lock files pin every package by version and hash (docs/decisions/0001-lock-files.md).
lock: $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group bench pyproject.toml -c requirements.lock -o requirements-bench.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -c requirements.lock -o requirements-image.lock

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -W 'ignore:Got an error checking a consistent migration history' manage.py makemigrations --check --dry-run --skip-checks
	$(BIN)/python manage.py check

# The inner loop: T is any of pytest's arguments, as in make unit T="-k chunk --lf".
unit: install
	$(BIN)/pytest tests/unit $(T)

# What every change passes before it is shown to anybody; of servers it starts one PostgreSQL.
check: lint
	$(BIN)/pytest tests/unit tests/lifecycle -m "not long" $(IN_PARALLEL) $(T)

test: lint
	$(BIN)/pytest tests -m "not long" $(IN_PARALLEL) $(T)

demo: install
	$(BIN)/docmill demo

# The tests that take a minute or more, which 'make test' leaves out.
test-long: install
	$(BIN)/pytest tests -m long $(T)

faults: install
	$(BIN)/python -m tests.faults.run $(if $(SEED),--seed $(SEED)) $(if $(DOCUMENTS),--documents $(DOCUMENTS)) $(if $(LOGS),--logs $(LOGS))

# CORPORA is a folder of *.md and questions.csv as in Chroma's chunking evaluation.
bench-chunk: $(BENCH)/.installed
	@test -n "$(CORPORA)" || { echo "Say where the corpora lie: make bench-chunk CORPORA=DIR"; exit 2; }
	DJANGO_SETTINGS_MODULE=docmill.config.settings $(BENCH)/bin/python -m benchmarks.chunk --corpora "$(CORPORA)" $(if $(MODEL),--model $(MODEL)) --picture docs/images/bench-chunk.png $(if $(JSON),--json "$(JSON)")

# QA is a folder of SQuAD-shaped *.json or *.json.gz; without it only the sets that the benchmark makes itself.
bench-retrieval: $(BENCH)/.installed
	DJANGO_SETTINGS_MODULE=docmill.config.settings $(BENCH)/bin/python -m benchmarks.retrieval $(if $(QA),--qa "$(QA)") $(if $(MODEL),--model $(MODEL)) $(if $(SETS),--sets $(SETS)) $(if $(JSON),--json "$(JSON)")

bench-extract: $(BENCH)/.installed
	$(BENCH)/bin/python -m benchmarks.extract --picture docs/images/extract.png $(if $(DOCUMENTS),--documents "$(DOCUMENTS)") $(if $(PEERS),--peers "$(PEERS)") $(if $(JSON),--json "$(JSON)")

# DOCUMENTS is any folder of files; TEXT is where their texts go.
sweep: install
	@test -n "$(DOCUMENTS)" || { echo "Say where the files lie: make sweep DOCUMENTS=DIR [JSON=FILE] [TEXT=DIR]"; exit 2; }
	$(BIN)/python -m benchmarks.sweep --documents "$(DOCUMENTS)" $(if $(JSON),--json "$(JSON)") $(if $(TEXT),--text "$(TEXT)")

bench-resolution: $(BENCH)/.installed
	$(BENCH)/bin/python -m benchmarks.resolution

# CORPUS is a folder of labelled files, as `tests` in the source package of chardet 5.2: CORPUS/<encoding>[-<language>]/*.
bench-sandbox: install
	$(BIN)/python -m benchmarks.sandbox $(if $(JSON),--json "$(JSON)")

bench-encodings: $(BENCH)/.installed
	$(BENCH)/bin/python -m benchmarks.encodings $(if $(CORPUS),--corpus "$(CORPUS)") $(if $(JSON),--json "$(JSON)")

bench-embed: install
	$(BIN)/python -m benchmarks.embedding $(if $(JSON),--json "$(JSON)")

# Memory, loading and groups of the local models.
bench-models: install
	DJANGO_SETTINGS_MODULE=docmill.config.settings $(BIN)/python -m benchmarks.local_models $(if $(JSON),--json "$(JSON)")

bench-memory: install
	$(BIN)/python -m benchmarks.memory $(if $(JSON),--json "$(JSON)")

bench-spread: install
	$(BIN)/python -m benchmarks.spreading $(if $(JSON),--json "$(JSON)")

# Mutants of every format and coverage-guided inputs; more of them until the MINUTES are over.
fuzz: install
	$(BIN)/python -m tests.fuzz.run $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

# What a taken-over reader can do inside the sandbox, as this user and, run by root, as one that is not root.
isolation: install
	$(BIN)/python -m tests.isolation.run
	$(BIN)/python -m tests.isolation.run --user other

# SIZES are numbers of chunks, 10000,100000 by default.
bench-search: install
	$(BIN)/python -m benchmarks.search $(if $(SIZES),--sizes "$(SIZES)") $(if $(JSON),--json "$(JSON)")

bench: bench-chunk bench-retrieval bench-extract bench-resolution bench-embed bench-models bench-memory bench-spread bench-encodings

clean:
	rm -rf $(VENV) $(BENCH)

# Both need root and Debian's container tools, which they install; elsewhere they say so and end with status 3.
.PHONY: image image-test
image: install
	$(BIN)/python -m tests.image.build $(if $(TARGET),--target "$(TARGET)") $(if $(TAG),--tag "$(TAG)")

image-test: install
	$(BIN)/python -m tests.image.run
