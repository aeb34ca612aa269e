#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs that change devices, and runs that stop: gpu_checkpoint.sh FOLDER [DEVICE, cuda]
#   - begun on a processor, gone on with on DEVICE, ended on a processor;
#   - on DEVICE with --deterministic, stopped in the middle of an epoch: the weights of a run that was left alone, bit for bit.
set -euo pipefail
cd "$1"
device=${2:-cuda}
barlow-data synthesize --output moving.h5 --images 64 --classes 4 --size 64x64
# pretrain RUN PRECISION FLAG...
pretrain() {
  local run=$1 precision=$2 rc=0
  shift 2
  barlow pretrain --data moving.h5 --output "$run" --architecture resnet18 --stem small --image-size 32 --projector 128-128 \
    --batch-size 16 --epochs 2 --warmup-epochs 1 --precision "$precision" --quiet "$@" || rc=$?
  [ $rc -eq 75 ] || [ $rc -eq 0 ] || return $rc
}
pretrain moving fp32 --device cpu --stop-after-steps 3
pretrain moving fp32 --device "$device" --stop-after-steps 3
pretrain moving fp32 --device cpu
test -f moving/backbone.safetensors
barlow evaluate knn --device "$device" --train moving.h5 --test moving.h5 --checkpoint moving --k 5
barlow evaluate knn --device cpu --train moving.h5 --test moving.h5 --checkpoint moving --k 5

for precision in fp32 bf16; do
  pretrain "alone-$precision" "$precision" --device "$device" --deterministic
  pretrain "stopped-$precision" "$precision" --device "$device" --deterministic --stop-after-steps 3
  pretrain "stopped-$precision" "$precision" --device "$device" --deterministic
  cmp "alone-$precision/backbone.safetensors" "stopped-$precision/backbone.safetensors"
done
