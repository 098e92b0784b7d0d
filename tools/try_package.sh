#!/usr/bin/env bash
# Install a package as a user would, outside the checkout, and try it.
#
#   tools/try_package.sh PYTHON PACKAGE [WHEEL_FOLDER]
#
# PACKAGE is a wheel, or an sdist that is first built into a wheel (kept in WHEEL_FOLDER if that is given). Everything
# happens in a temporary folder with a virtual environment of its own.
set -euo pipefail
python=$1 package=$(realpath "$2") keep=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
[ -z "$keep" ] || { mkdir -p "$keep" && keep=$(realpath "$keep"); }

folder=$(mktemp -d "${TMPDIR:-/tmp}/paring-package.XXXXXX")
trap 'rm -rf "$folder"' EXIT
CMAKE_ARGS="${CMAKE_ARGS:-} $("$here/python_headers.sh" "$python" "$here/../build/python-headers")"
export CMAKE_ARGS
cd "$folder"
"$python" -m venv venv
pip() { venv/bin/python -m pip --disable-pip-version-check --no-input --quiet --quiet "$@"; }
if [[ $package == *.tar.gz ]]; then
  pip wheel --no-deps --wheel-dir wheels "$package"
  [ -z "$keep" ] || cp wheels/*.whl "$keep"
  package=$(echo wheels/*.whl)
fi
pip install "$package"
venv/bin/python -I "$here/smoke.py"
