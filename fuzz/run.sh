#!/usr/bin/env bash
# Fuzz readers one after the other: run.sh PYTHON SECONDS [READER...]. Corpus and findings stay in build/.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 seconds=$2
shift 2
readers=("$@")
[ ${#readers[@]} -gt 0 ] || readers=(safetensors npz npy index pt gguf onnx)

# The sanitizer and the fuzzer in one library, which must be there before Python is.
LD_PRELOAD=$("$python" -c "import atheris; print(atheris.path())")/asan_with_fuzzer.so
export LD_PRELOAD PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
corpus=build/fuzz-corpus found=build/fuzz-found
mkdir -p "$found"
"$python" fuzz/make_corpus.py "$corpus"
failed=()
for reader in "${readers[@]}"; do
  log=$found/$reader.log
  printf '%-12s' "$reader"
  if "$python" "fuzz/fuzz_$reader.py" "$corpus/$reader" -dict="fuzz/dictionaries/$reader.dict" \
    -max_total_time="$seconds" -timeout=30 -rss_limit_mb=4096 -artifact_prefix="$found/$reader-" >"$log" 2>&1; then
    tail -n 1 "$log"
  else
    failed+=("$reader")
    echo "FAILED, see $log"
    grep -A 6 'Uncaught\|ERROR:\|Test unit' "$log" | tail -n 25 || true
  fi
done
[ ${#failed[@]} -eq 0 ] || { echo "found something in: ${failed[*]}"; exit 1; }
