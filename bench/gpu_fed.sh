#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The training step fed from packed photographs, decoded here, augmented on the GPU and then by loader threads: gpu_fed.sh FOLDER RESULT.jsonl
# The run's metrics of steps 21 to 60, with images_per_second and loader_wait_share, go to the result: the first steps wait for the first
# images, and after the 64th a checkpoint is written.
set -euo pipefail
result=$(realpath -m "$2")
cd "$1"
rm -f "$result"
rm -rf fed-device fed-cpu # a finished run would not be measured again
[ -f photos.h5 ] || mpirun -n 8 barlow-data synthesize --output photos.h5 --images 16384 --classes 16 --size 500x375
for side in device cpu; do
  barlow pretrain --data photos.h5 --output "fed-$side" --batch-size 256 --epochs 1 --warmup-epochs 0 --device cuda --augment-on $side \
    --log-every-steps 10 --checkpoint-every-minutes 0
  sed -n 3,6p "fed-$side/metrics.jsonl" | sed "s/^{/{\"augment_on\": \"$side\", /" >>"$result"
done
