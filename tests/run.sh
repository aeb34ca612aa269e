#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds and runs all of them, and ends with a count.
#   tests/run.sh [--no-install]
set -euo pipefail
case ${1:-} in
  '' | --no-install) ;;
  *) sed -n '3,4s/^# *//p' "$0" && exit 2 ;;
esac
cd "$(dirname "$0")/.."
# shellcheck source=jobs/lib/packages.sh
source jobs/lib/packages.sh
if [ "${1:-}" != --no-install ]; then
  install_packages "${build_packages[@]}" "${test_packages[@]}" "${sample_packages[@]}"
  install_packages "${oracle_packages[@]}" || echo "Without ${oracle_packages[*]}: the tests that compare with PyTorch will be skipped."
fi

# The CPU and the CUDA flavour share most of their sources: what one has compiled, the other finds.
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache} CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache}
fi
jobs=$(nproc)
passed=0 failed=0 skipped=0
failures=()

# run_ctest PRESET... : runs a ctest preset and adds its results up from its JUnit file.
run_ctest() {
  local results rc=0
  results=$(mktemp)
  # Four more at once than there are processors: many wait more than they compute.
  ctest --preset "$1" -j $((jobs + 4)) --output-junit "$results" || rc=$?
  count() { grep -oE "$1=\"[0-9]+\"" "$results" | head -1 | grep -oE '[0-9]+' || echo 0; }
  local tests bad skips
  tests=$(count tests) bad=$(count failures) skips=$(( $(count skipped) + $(count disabled) ))
  passed=$((passed + tests - bad - skips)) failed=$((failed + bad)) skipped=$((skipped + skips))
  if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ]; then failed=$((failed + 1)); fi
  [ "$rc" -eq 0 ] || failures+=("ctest --preset $1")
  rm -f "$results"
}

cmake --preset cpu-release -DBARLOW_WERROR=ON >/dev/null
cmake --build --preset cpu-release -j "$jobs"
run_ctest cpu-release

cmake --preset asan >/dev/null
cmake --build --preset asan -j "$jobs" --target unit_tests
run_ctest asan

# A few seconds of fuzzing for every reader of untrusted bytes; tests/fuzz/README.md has the long form.
if ! command -v clang++ >/dev/null; then
  echo "skipped: fuzzing (no clang++ here)"
  skipped=$((skipped + 1))
else
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz -j "$jobs"
  if tests/fuzz/run.py --seconds 4; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1)) failures+=("tests/fuzz/run.py (build/fuzz/findings)")
  fi
fi

# The CUDA flavour needs no GPU to be built; its plans are checked without one, and what needs one is skipped.
test_cuda() {
  local said off
  # AUTO says which library is missing where the preset's ON would end with an error; any other error ends this script.
  said=$(cmake --preset cuda-release -DBARLOW_WITH_CUDA=AUTO -DBARLOW_WERROR=ON)
  if off=$(grep -o 'CUDA flavour: off.*' <<<"$said"); then
    echo "skipped: the $off"
    skipped=$((skipped + 1))
    return
  fi
  cmake --build --preset cuda-release -j "$jobs" --target barlow barlow-data test_cuda check_plans test_op_parity test_op_gradients \
    test_op_contract test_op_views test_gpu_step test_gpu_replay bench_ops bench_step bench_views
  run_ctest cuda-release
  if OUT=build/on-gpu bash bench/on-gpu.sh --rehearse >build/on-gpu.txt; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1)) failures+=("bench/on-gpu.sh --rehearse (build/on-gpu.txt)")
  fi
}
if ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ]; then
  echo "skipped: the CUDA flavour (no nvcc here)"
  skipped=$((skipped + 1))
elif ! bash jobs/lib/cudnn_frontend.sh; then
  echo "skipped: the CUDA flavour (cuDNN's front end cannot be fetched)"
  skipped=$((skipped + 1))
else
  test_cuda
fi

for failure in "${failures[@]}"; do echo "FAILED: $failure"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
