# make demo    the main job on an embedded model
# make test    every test that needs no heavy peer
# Each makes what it needs first. `make help` lists the other words, CONTRIBUTING.md explains them.

PYTHON ?= python3
VENV ?= .venv
TEST_FLAGS ?=
BENCH_FLAGS ?=
CHECK_FLAGS ?=
RATIOS ?=

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --no-input --quiet --quiet
# Two makes in one checkout take turns where flock exists.
LOCK := $(if $(shell command -v flock),flock .venv.lock,)
# CMake arguments for a Python without headers: see the script.
WITH_HEADERS = headers=$$(tools/python_headers.sh $(1)) && CMAKE_ARGS="$$CMAKE_ARGS $$headers"
CXX_FILES = $(shell find csrc tests/neon -name '*.cpp' -o -name '*.h' -o -name '*.inl')

.DELETE_ON_ERROR:
.PHONY: help build setup demo test test-peers lint ruff mypy clang-format warnings format sanitize neon fuzz bench \
  bench-check bench-baseline record wheel clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: build  ## the main job on an embedded model
	@$(VENV)/bin/paring demo

recipe: build  ## train, prune, distil, quantize, write and run a small network: one page
	@$(RUN) examples/the_whole_recipe.py

setup: build $(VENV)/has-test $(VENV)/has-bench $(VENV)/has-lint  ## build, and every tool of the words below

# The compiler runs for what changed only.
build: $(VENV)/has-build  ## .venv with the package in it; edits of Python need no rebuild
	@test -e $(VENV)/has-package || echo "paring: building (the first time: a minute or two)"
	@$(call WITH_HEADERS,$(RUN)) $(LOCK) $(PIP) install --no-build-isolation --editable .
	@touch $(VENV)/has-package

$(VENV)/has-pip:
	@echo "paring: making $(VENV) with $$($(PYTHON) --version)"
	@$(LOCK) sh -c 'test -e $@ || { $(PYTHON) -m venv $(VENV) && $(PIP) install --upgrade "pip>=25.1" && touch $@; }'

# A dependency group of pyproject.toml.
$(VENV)/has-%: pyproject.toml | $(VENV)/has-pip
	@$(LOCK) $(PIP) install --group $* && touch $@

test: build $(VENV)/has-test $(VENV)/has-bench  ## every test that needs no heavy peer (TEST_FLAGS="-k gemm")
	@$(RUN) -m pytest -m "not peers" $(TEST_FLAGS)

# Without its peer a test skips and says so.
test-peers: build $(VENV)/has-test  ## tests against torch, onnxruntime, compressed-tensors (fetched first)
	@$(MAKE) --no-print-directory $(VENV)/has-peers || echo "paring: some peers cannot be had here; their tests skip"
	@$(RUN) -m pytest -m peers $(TEST_FLAGS)

lint: ruff mypy clang-format warnings  ## these four; `make -k lint` goes on after a failure

ruff: $(VENV)/has-lint  ## style and form of the Python files
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet .

mypy: build $(VENV)/has-lint  ## types of the package, and of _core.pyi against the compiled module
	@$(RUN) -m mypy --no-error-summary
	@$(RUN) -m mypy.stubtest --concise --mypy-config-file pyproject.toml --allowlist tools/stubtest.txt paring._core

clang-format: $(VENV)/has-lint  ## form of the C++ files
	@$(VENV)/bin/clang-format --dry-run --Werror $(CXX_FILES)

warnings: $(VENV)/has-build  ## the C++ files compiled with warnings as errors
	@$(call WITH_HEADERS,$(RUN)) && $(VENV)/bin/cmake -S . -B build/warnings -G Ninja --log-level=WARNING \
	  -D CMAKE_MAKE_PROGRAM=$(abspath $(VENV)/bin/ninja) -D Python_EXECUTABLE=$(abspath $(RUN)) \
	  -D pybind11_DIR=$$($(RUN) -m pybind11 --cmakedir) -D SKBUILD_PROJECT_VERSION=0 \
	  -D PARING_WARNINGS_AS_ERRORS=ON $$headers >/dev/null
	@$(VENV)/bin/cmake --build build/warnings -- --quiet

format: $(VENV)/has-lint  ## let ruff and clang-format rewrite
	$(RUN) -m ruff check --fix --exit-zero .
	$(RUN) -m ruff format .
	$(VENV)/bin/clang-format -i $(CXX_FILES)

# Its own virtual environment and build folder: an address-sanitized module loads only into a preloaded process.
sanitize:  ## kernel tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory VENV=$(VENV)-sanitize sanitized-tests

.PHONY: sanitized-build sanitized-tests
sanitized-build: $(VENV)/has-build $(VENV)/has-test
	@$(call WITH_HEADERS,$(RUN)) $(LOCK) $(PIP) install --no-build-isolation --editable . \
	  -C build-dir=build/sanitize -C cmake.define.PARING_SANITIZE=address,undefined

# Python's own leaks at exit are not ours to find; its allocator would hide overruns.
sanitized-tests: sanitized-build
	@LD_PRELOAD="$$($${CXX:-c++} -print-file-name=libasan.so) $$($${CXX:-c++} -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  PYTHONMALLOC=malloc $(RUN) -m pytest --capture=sys tests/test_fork.py tests/test_*kernel*.py $(TEST_FLAGS)

neon: build $(VENV)/has-test  ## kernels for 64-bit ARM, cross-compiled and run under qemu-aarch64
	@$(RUN) -m pytest -rs --capture=no tests/test_neon.py $(TEST_FLAGS)

# Seconds for each reader.
FUZZ_SECONDS ?= 60

fuzz:  ## every reader of files fuzzed for a minute (FUZZ_SECONDS=600), with the address sanitizer
	@$(MAKE) --no-print-directory VENV=$(VENV)-fuzz fuzzing

# Not editable: atheris sees what runs in ordinary installations only. fuzz/README.md says more.
.PHONY: fuzzing
fuzzing: $(VENV)/has-build
	@if $(MAKE) --no-print-directory $(VENV)/has-fuzz >/dev/null; then \
	  $(call WITH_HEADERS,$(RUN)) && $(LOCK) $(PIP) install --no-build-isolation . -C build-dir=build/fuzz \
	    -C cmake.define.PARING_SANITIZE=address -C cmake.define.PARING_SANITIZER_PRELOADED=ON && \
	  fuzz/run.sh $(RUN) $(FUZZ_SECONDS); \
	else echo "paring: atheris cannot be had here (it wants Linux and Python 3.11 or later): nothing is fuzzed"; fi

bench: build $(VENV)/has-bench  ## kernels beside NumPy (BENCH_FLAGS="-k gemm --benchmark-json=now.json")
	@$(RUN) -m pytest bench/bench_*.py --benchmark-only $(BENCH_FLAGS)

# RATIOS=1 times layers beside NumPy as well, which only tells. CHECK_FLAGS=--all shows every row.
bench-check: build $(VENV)/has-bench  ## counted instructions and the compiler's loops beside bench/baseline.json (RATIOS=1)
	@$(RUN) bench/check.py $(if $(RATIOS),--ratios) $(CHECK_FLAGS)

bench-baseline: build $(VENV)/has-bench  ## write bench/baseline.json (RATIOS=1)
	@$(RUN) bench/check.py --write $(if $(RATIOS),--ratios)

record: build  ## the terminal in the README, recorded anew
	@$(RUN) tools/record_terminal.py --write

wheel: $(VENV)/has-wheel  ## dist/: sdist and wheel, installed outside the checkout and tried
	@rm -rf dist
	@$(call WITH_HEADERS,$(RUN)) $(RUN) -m build --outdir dist .
	@tools/try_package.sh $(PYTHON) dist/*.whl

clean:  ## remove what the words above made, but for .venv
	rm -rf build dist wheelhouse .benchmarks .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
