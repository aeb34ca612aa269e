#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that needs a GPU, in one command: tests, then benches with PyTorch in the same run, then whole runs; or the parts that are
# named. Each step has its own time limit; results and the log are under $OUT as they are made; the last line counts. Without a
# GPU every step starts, says that it skips, and the count says so (--rehearse makes that a success).
#   [OUT=FOLDER] [PROGRAMS=FOLDER] [RUN=COMMAND] bench/on-gpu.sh [--rehearse] [tests] [benches] [whole_runs]
# RUN is put before every program, for a machine where they need a wrapper to start.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
rehearse=no parts=()
for word in "$@"; do
  case $word in
    --rehearse) rehearse=yes ;;
    tests | benches | whole_runs) parts+=("$word") ;;
    *)
      echo "on-gpu.sh: $word: not one of --rehearse, tests, benches, whole_runs" >&2
      exit 2
      ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(tests benches whole_runs)
OUT=${OUT:-build/on-gpu}
PROGRAMS=$(realpath -m "${PROGRAMS:-build/cuda-release}")
mkdir -p "$OUT"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
read -ra run <<<"${RUN:-}"
export PATH="$PROGRAMS/bin:$PROGRAMS/tests:$PATH"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none BARLOW_CACHE="$work/cache" BARLOW_TEST_DEVICE=cuda
passed=0 failed=0 skipped=0

# step NAME SECONDS COMMAND... : exit code 77 counts as skipped, with the reason that the program gives.
step() {
  local name=$1 limit=$2 rc=0 begin=$SECONDS
  shift 2
  echo "== $name: $*"
  timeout -k 5 "$limit" "${run[@]}" "$@" || rc=$?
  case $rc in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
  echo "== rc=$rc, $((SECONDS - begin)) s: $name"
}

# to FILE COMMAND... : keeps what a bench prints.
to() {
  local file=$1
  shift
  "$@" | tee -a "$OUT/$file"
  return "${PIPESTATUS[0]}"
}
export -f to
export OUT

# RUN may be what finds these, too.
has_gpu=yes
"${run[@]}" nvidia-smi -L >/dev/null 2>&1 || has_gpu=no
# What has no way of its own to say that there is no GPU.
on_gpu() {
  if [ $has_gpu = no ]; then
    echo "== skipped, no GPU: $1"
    skipped=$((skipped + 1))
  else
    step "$@"
  fi
}

# A time limit over all of it may cut the end: what counts most comes first, and what several ranks do on one GPU, by turns and slowly, last.
tests() {
  step "operations against double precision" 180 test_op_parity
  step "gradients against finite differences" 120 test_op_gradients
  step "what operations promise" 60 test_op_contract
  step "views against the processor's, bit for bit" 120 test_op_views
  step "ten steps, 1 rank" 120 mpirun -n 1 test_gpu_step
  step "ten steps replayed, 1 rank" 120 mpirun -n 1 test_gpu_replay
  on_gpu "checkpoints: from CPU to GPU and back, and deterministic resumes" 300 bash bench/gpu_checkpoint.sh "$work"
  # Calls that are refused are how CUDA's libraries find things out, such as whether memory is page-locked; ours are checked anyway.
  if "${run[@]}" compute-sanitizer --version >/dev/null 2>&1; then
    on_gpu "compute-sanitizer, operations" 300 compute-sanitizer --report-api-errors no --error-exitcode 1 test_op_contract
  else
    echo "== skipped, no compute-sanitizer"
    skipped=$((skipped + 1))
  fi
  for ranks in 2 4; do
    for kind in nccl mpi; do
      BARLOW_TEST_COLLECTIVES=$kind step "ten steps, $ranks ranks on one GPU, $kind" 180 mpirun -n $ranks test_gpu_step
    done
    [ $ranks = 2 ] || continue
    BARLOW_TEST_COLLECTIVES=nccl step "ten steps replayed, 2 ranks on one GPU, nccl" 240 mpirun -n 2 test_gpu_replay
  done
}

benches() {
  rm -f "$OUT"/*.jsonl "$OUT/result.json" "$OUT/versions.txt" # of an earlier run, maybe of another commit
  on_gpu "versions" 60 bash -c "barlow --version | tee $OUT/versions.txt"
  local steps="--precision bf16 --warmup 5 --iters 20"
  step_and_peer 256
  on_gpu "PyTorch compiled, batch 256" 300 bash -c "to step.jsonl python3 bench/peer_torch.py $steps --batch 256 --compile"
  on_gpu "PyTorch synchronised norms, batch 256" 120 bash -c "to step.jsonl python3 bench/peer_torch.py $steps --batch 256 --sync-batch-norm"
  collect
  on_gpu "operations, bf16" 120 bash -c 'to ops.jsonl bench_ops --device cuda --precision bf16 --images 512 --iters 10 --loss'
  on_gpu "step fed from HDF5, batch 256" 300 bash bench/gpu_fed.sh "$work" "$OUT/fed.jsonl"
  for batch in 32 512 64 128; do
    step_and_peer $batch
    collect
  done
  on_gpu "operations, fp16" 120 bash -c 'to ops.jsonl bench_ops --device cuda --precision fp16 --images 512 --iters 10'
  for batch in 16 32 256; do
    for graph in --no-cuda-graph --cuda-graph; do
      on_gpu "step, batch $batch, $graph" 90 bash -c "to graph.jsonl bench_step --device cuda $steps --batch $batch $graph"
    done
  done
  for size in 224 96; do
    on_gpu "views, $size pixels" 90 bash -c "to views.jsonl bench_views --device cuda --images 256 --image-size $size"
  done
  collect
}
step_and_peer() {
  on_gpu "step, batch $1" 150 bash -c "to step.jsonl bench_step --device cuda $steps --batch $1"
  on_gpu "PyTorch, batch $1" 120 bash -c "to step.jsonl python3 bench/peer_torch.py $steps --batch $1"
}
# All that has been measured so far.
collect() {
  on_gpu "one result file" 60 bash -c "python3 bench/collect.py $OUT >$OUT/result.json"
}

# Many starts, each of seconds: last.
whole_runs() {
  for test in ranks resume elastic augment_on nonfinite profile; do
    on_gpu "whole runs, $test" 180 python3 tests/system/pretrain/test_$test.py barlow barlow-data mpirun
  done
}

main() {
  "${run[@]}" barlow --version 2>/dev/null || echo "barlow does not start here"
  "${run[@]}" nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no GPU here"
  local part
  for part in "${parts[@]}"; do "$part"; done
  echo "$passed passed, $failed failed, $skipped skipped"
  [ $failed -eq 0 ] && { [ $rehearse = yes ] || [ $has_gpu = yes ]; }
}
main > >(tee "$OUT/log.txt") 2>&1
