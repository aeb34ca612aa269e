#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The training step fed from packed photographs, decoded here, augmented on the GPU and then by loader threads: gpu_fed.sh FOLDER RESULT.jsonl
# The last lines of the run's metrics, with images_per_second and loader_wait_share, go to the result.
set -euo pipefail
result=$(realpath -m "$2")
cd "$1"
rm -f "$result"
rm -rf fed-device fed-cpu # a finished run would not be measured again
[ -f photos.h5 ] || barlow-data synthesize --output photos.h5 --images 4096 --classes 16 --size 500x375
for side in device cpu; do
  barlow pretrain --data photos.h5 --output "fed-$side" --batch-size 256 --epochs 4 --warmup-epochs 1 --device cuda --augment-on $side \
    --log-every-steps 10 --checkpoint-every-minutes 0
  tail -n 3 "fed-$side/metrics.jsonl" | sed "s/^{/{\"augment_on\": \"$side\", /" >>"$result"
done
