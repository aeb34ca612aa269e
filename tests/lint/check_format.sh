#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-format decides layout.
set -euo pipefail
command -v clang-format >/dev/null || { echo "skipped: no clang-format"; exit 77; }
find include src data_tools tests bench \( -name '*.hpp' -o -name '*.cpp' \) -print0 | xargs -0 clang-format --dry-run --Werror
