# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The steps of quickstart.sh. Sourced; the working folder is the project's.

bin=build/cpu-release/bin
fashion_mnist=/usr/share/datasets/fashion-mnist

say() { printf '\n== %s\n' "$*"; }

# on_ranks N COMMAND... : under mpirun, also as root and with more ranks than cores; 75 (stopped, go on) passes through.
on_ranks() {
  local n=$1
  shift
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    mpirun --quiet --oversubscribe --bind-to none -np "$n" "$@"
}

build() {
  say "Building (build/cpu-release)"
  cmake --preset cpu-release -DBARLOW_BUILD_TESTS=OFF -DBARLOW_BUILD_BENCH=OFF >/dev/null
  cmake --build --preset cpu-release -j "$(nproc)"
}

# pack_one SOURCE DATASET : once.
pack_one() {
  [ -e "$2" ] || "$bin/barlow-data" pack "$1" --output "$2"
}

# pack_images FOLDER RUN : RUN/data/{train,test}.h5 and RUN/recipe.toml. An empty FOLDER is Fashion-MNIST.
pack_images() {
  local folder=$1 run=$2 name
  mkdir -p "$run/data"
  say "Packing images into $run/data"
  if [ -z "$folder" ]; then
    pack_one "$fashion_mnist/train-images-idx3-ubyte.gz" "$run/data/train.h5"
    pack_one "$fashion_mnist/t10k-images-idx3-ubyte.gz" "$run/data/test.h5"
    cp jobs/recipes/fashion_mnist.toml "$run/recipe.toml"
  elif [ -d "$folder/train" ]; then
    pack_one "$folder/train" "$run/data/train.h5"
    for name in test val; do
      if [ -d "$folder/$name" ]; then pack_one "$folder/$name" "$run/data/test.h5"; break; fi
    done
    cp jobs/recipes/own_images.toml "$run/recipe.toml"
  else
    pack_one "$folder" "$run/data/train.h5"
    cp jobs/recipes/own_images.toml "$run/recipe.toml"
  fi
}

pretrain() {
  say "Pre-training on $2 ranks"
  on_ranks "$2" "$bin/barlow" pretrain --config "$1/recipe.toml" --data "$1/data/train.h5" --output "$1"
}

# recipe_value KEY : from the run's resolved configuration.
recipe_value() { sed -n "s/^$2 = //p" "$1/config.toml" | tr -d '"'; }

evaluate_run() {
  local run=$1 ranks=$2 evaluate
  if [ ! -e "$run/data/test.h5" ]; then
    say "No test images: evaluation left out (give a folder with train/ and test/)"
    return
  fi
  local size
  size=$(recipe_value "$run" image-size)
  say "Evaluating: pre-trained, untrained, raw pixels"
  evaluate=(on_ranks "$ranks" "$bin/barlow" evaluate all --train "$run/data/train.h5" --test "$run/data/test.h5" --quiet)
  "${evaluate[@]}" --checkpoint "$run" --json "$run/evaluation-pretrained.json"
  "${evaluate[@]}" --untrained --architecture "$(recipe_value "$run" architecture)" --stem "$(recipe_value "$run" stem)" \
    --image-size "$size" --json "$run/evaluation-untrained.json"
  "${evaluate[@]}" --raw-pixels --image-size "$size" --epochs 20 --json "$run/evaluation-pixels.json"
}

# top1 FILE N : per cent, of the file's first or second protocol.
top1() { sed -n 's/^ *"top1": \([0-9.]*\),*$/\1/p' "$1" | sed -n "$2p" | xargs printf '%.2f %%'; }

summarize() {
  local run=$1 seconds=$2 installation=$3 encoder
  say "Done in $((seconds / 60)) min $((seconds % 60)) s after installation ($installation s)"
  if [ -e "$run/data/test.h5" ]; then
    printf '%-14s %10s %10s\n' 'top-1' kNN linear
    for encoder in pretrained untrained pixels; do
      printf '%-14s %10s %10s\n' "$encoder" "$(top1 "$run/evaluation-$encoder.json" 1)" "$(top1 "$run/evaluation-$encoder.json" 2)"
    done
  fi
  cat <<EOF
weights   $run/backbone.safetensors   (torchvision's names; safetensors.torch.load_file reads them)
metrics   $run/metrics.jsonl
picture   $run/report.html            (open it in a browser)
next      $bin/barlow pretrain --help
          bash jobs/quickstart.sh --data YOUR_IMAGES --output runs/mine
EOF
}
