#!/usr/bin/env bash
# Build every target the way OSS-Fuzz does, in its container for Python: $OUT gets targets, seeds and dictionaries.
set -euo pipefail
cd "$(dirname "$0")/.."
pip3 install ".[gguf]" -C cmake.define.PARING_SANITIZER_PRELOADED=ON
python3 fuzz/make_corpus.py "$WORK/corpus"
for target in fuzz/fuzz_*.py; do
  name=$(basename "$target" .py)
  compile_python_fuzzer "$target" --add-data tests/data/bad:tests/data/bad
  (cd "$WORK/corpus/${name#fuzz_}" && zip -q "$OUT/${name}_seed_corpus.zip" ./*)
  cp "fuzz/dictionaries/${name#fuzz_}.dict" "$OUT/$name.dict"
done
