#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A run that begins on a processor goes on on a GPU and ends on a processor: gpu_checkpoint.sh FOLDER
set -euo pipefail
cd "$1"
barlow-data synthesize --output moving.h5 --images 64 --classes 4 --size 64x64
pretrain() {
  local rc=0
  barlow pretrain --data moving.h5 --output moving --architecture resnet18 --stem small --image-size 32 --projector 128-128 \
    --batch-size 16 --epochs 2 --warmup-epochs 1 --precision fp32 --quiet "$@" || rc=$?
  [ $rc -eq 75 ] || [ $rc -eq 0 ] || return $rc
}
pretrain --device cpu --stop-after-steps 3
pretrain --device cuda --stop-after-steps 3
pretrain --device cpu
test -f moving/backbone.safetensors
barlow evaluate knn --device cuda --train moving.h5 --test moving.h5 --checkpoint moving --k 5
barlow evaluate knn --device cpu --train moving.h5 --test moving.h5 --checkpoint moving --k 5
