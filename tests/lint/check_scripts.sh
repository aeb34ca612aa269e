#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck"; exit 77; }
find . -path ./build -prune -o -name '*.sh' -print0 | xargs -0 shellcheck -x
shellcheck -x .ci/run
