#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the headers of NVIDIA's cuDNN front end, which no distribution packages, from Python's package index into
# build/cudnn-frontend, where CMake looks for them. Needs pip (or python3 -m venv) and unzip or python3.
#   jobs/lib/cudnn_frontend.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
version=1.32.0
target=build/cudnn-frontend
[ ! -f "$target/include/cudnn_frontend.h" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=python3
if ! $python -m pip --version >/dev/null 2>&1; then
  python3 -m venv "$work/venv" || { echo "cudnn_frontend.sh: install python3-pip or python3-venv" >&2; exit 1; }
  python="$work/venv/bin/python3"
fi
"$python" -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "nvidia-cudnn-frontend==$version"
mkdir -p "$target"
"$python" - "$work" "$target" <<'END'
import pathlib, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob("*.whl"))
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(sys.argv[2], [name for name in archive.namelist() if name.startswith("include/")])
END
echo "cuDNN front end $version: $target"
