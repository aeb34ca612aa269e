#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to a pre-trained and measured encoder: installs, builds, packs, pre-trains, evaluates, reports.
set -euo pipefail
usage() {
  cat <<'TEXT'
Usage: bash jobs/quickstart.sh [flags]
  --data FOLDER   your own images: FOLDER/CLASS/*.jpg or *.png, or FOLDER/train/CLASS/... and FOLDER/test/CLASS/...
                  (or FOLDER/val). Default: Fashion-MNIST, 60,000 + 10,000 images, from the package
                  dataset-fashion-mnist
  --output DIR    folder of data, run and results (default runs/quickstart); start again to go on after a stop
  --ranks N       MPI ranks on this machine (default 2)
  --no-install    install nothing; INSTALL.md lists what must be there
TEXT
}
refuse() { echo "quickstart: $1" >&2; exit 2; }
say() { printf '\n== %s\n' "$*"; }

images='' output=runs/quickstart ranks=2 install=yes
here=$PWD
while [ $# -gt 0 ]; do
  case $1 in
    --data | --output | --ranks) [ $# -ge 2 ] || refuse "$1 needs a value" ;;
  esac
  case $1 in
    --data) images=$2 && shift 2 ;;
    --output) output=$2 && shift 2 ;;
    --ranks) ranks=$2 && shift 2 ;;
    --no-install) install=no && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && refuse "unknown argument \"$1\"" ;;
  esac
done
[[ $ranks =~ ^[1-9][0-9]*$ ]] || refuse "--ranks $ranks: give a number from 1 up"
[ -z "$images" ] || [ -d "$images" ] || refuse "--data $images: no such folder"
[ -z "$images" ] || images=$(realpath "$images")
cd "$(dirname "$0")/.."
case $output in runs/quickstart | /*) ;; *) output=$here/$output ;; esac
train=$output/train.h5 test=$output/test.h5
sample=/usr/share/datasets/fashion-mnist
from=${images:-$sample}
# What was packed and trained from other images would pass for these images' result.
if [ -e "$train" ]; then
  made_from=$(cat "$output/source" 2>/dev/null || echo "unknown images")
  [ "$made_from" = "$from" ] || refuse "$output holds what was made from $made_from, not from $from: give another --output"
fi
# shellcheck source=jobs/lib/packages.sh
source jobs/lib/packages.sh
# shellcheck source=jobs/lib/recipe.sh
source jobs/lib/recipe.sh

if [ "$install" = yes ]; then
  say "Packages"
  wanted=("${build_packages[@]}")
  [ -n "$images" ] || wanted+=("${sample_packages[@]}")
  install_packages "${wanted[@]}"
fi

say "Build (Release, build/cpu-release)"
cmake --preset cpu-release -DBARLOW_BUILD_TESTS=OFF -DBARLOW_BUILD_BENCH=OFF >/dev/null
cmake --build --preset cpu-release --target barlow barlow-data
barlow=build/cpu-release/bin/barlow
pack=build/cpu-release/bin/barlow-data
mkdir -p "$output"

unset LC_ALL
export LC_NUMERIC=C # 2.4 is not 2,4 to any program below
# Root in a container is common; Open MPI wants to hear it twice.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Open MPI has a slot per core, not per thread, and binds one rank or two to a core each; barlow shares the cores out itself.
launch=(mpirun --oversubscribe --bind-to none -np "$ranks")
started=$SECONDS

say "Data"
[ -d "$from" ] || refuse "$sample is missing: install dataset-fashion-mnist, or give --data FOLDER"
printf '%s\n' "$from" >"$output/source"
if [ -z "$images" ]; then
  [ -e "$train" ] || "$pack" pack $sample --output "$train"
  [ -e "$test" ] || "$pack" pack $sample/t10k-images-idx3-ubyte.gz --output "$test"
  sample_recipe "$ranks"
else
  pack_own_images "$images" "$train" "$test"
  own_recipe "$train" "$ranks"
fi

say "Pre-training on $ranks ranks"
run=$output/run
choose_epochs "$train" "$run"
code=0
"${launch[@]}" "$barlow" pretrain --data "$train" --output "$run" "${recipe[@]}" "${schedule[@]}" || code=$?
if [ $code -eq 75 ]; then echo "Stopped with a checkpoint. The same command goes on."; fi
[ $code -eq 0 ] || exit $code
trained=$SECONDS

if [ -e "$test" ]; then
  say "Evaluation"
  encoder_flags "$run"
  evaluate=("${launch[@]}" "$barlow" evaluate all --train "$train" --test "$test" --quiet)
  "${evaluate[@]}" --checkpoint "$run" --json "$run/evaluation-pretrained.json"
  "${evaluate[@]}" --untrained "${encoder[@]}" --json "$run/evaluation-untrained.json"
  "${evaluate[@]}" --raw-pixels --image-size "$image_size" --json "$run/evaluation-raw-pixels.json"
fi

say "Report"
"$barlow" report "$run"

say "Done: $((SECONDS - started)) s after the build, of which $((trained - started)) s to the end of pre-training"
if [ -e "$test" ]; then
  printf '%-24s %10s %10s\n' "top-1 on the test images" kNN linear
  for row in pretrained untrained raw-pixels; do
    file=$run/evaluation-$row.json
    printf '%-24s %9s%% %9s%%\n' "$row" "$(top1 "$file" 1)" "$(top1 "$file" 2)"
  done
fi
cat <<TEXT
weights    $run/backbone.safetensors   (torchvision's names, without fc; README.md tells how to load them)
metrics    $run/metrics.jsonl
picture    $run/report.html            (open it in a browser)
next       bash jobs/quickstart.sh --data FOLDER --output runs/mine     your own images
           $barlow pretrain --help
TEXT
