# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with quickstart.sh, which sources this
# What quickstart.sh needs to know about images that it has never seen. Sourced.

# toml_value FILE KEY : a plain value of a TOML file, without quotes.
toml_value() { sed -nE "s/^$2 = \"?([^\"]*)\"?$/\1/p" "$1"; }

# top1 FILE N : top-1 of the N-th protocol of an evaluation, in per cent, two decimals.
top1() { printf '%.2f' "$(sed -nE 's/^ *"top1": *([0-9.eE+-]+).*/\1/p' "$1" | sed -n "$2p")"; }

# pack_own_images FOLDER TRAIN TEST : FOLDER/train and FOLDER/test (or val) if they exist, else all of FOLDER.
pack_own_images() {
  local images=$1 train=$2 test=$3 held_out=''
  if [ -d "$images/train" ]; then
    [ -e "$train" ] || "${launch[@]}" "$pack" pack "$images/train" --shards 1 --output "$train" --on-error skip
    for name in test val; do
      if [ -z "$held_out" ] && [ -d "$images/$name" ]; then held_out=$images/$name; fi
    done
    if [ -n "$held_out" ] && [ ! -e "$test" ]; then
      "${launch[@]}" "$pack" pack "$held_out" --shards 1 --output "$test" --on-error skip
    fi
  elif [ ! -e "$train" ]; then
    "${launch[@]}" "$pack" pack "$images" --shards 1 --output "$train" --on-error skip
  fi
  [ -n "$held_out" ] || echo "No $images/train with test or val beside it: nothing is held out, nothing is evaluated."
}

# info_of SET : what barlow-data says of it, in one line; images_of INFO : how many images that says.
info_of() { "$pack" info "$1" --json | tr -d ' \n'; }
images_of() { sed -E 's/^\{"images":([0-9]+).*/\1/' <<<"$1"; }

# sample_recipe RANKS : sets recipe for Fashion-MNIST, and most_epochs, of which more bring little in minutes.
sample_recipe() {
  local ranks=$1 batch
  most_epochs=$(toml_value jobs/fashion_mnist.toml epochs)
  batch=$(toml_value jobs/fashion_mnist.toml batch-size)
  recipe=(--config jobs/fashion_mnist.toml --batch-size $((batch / ranks * ranks)))
}

# own_recipe TRAIN RANKS : sets recipe by the number and width of TRAIN's images, and most_epochs: 100, or 150,000 images
# of training. A first look in minutes, not the best encoder.
own_recipe() {
  local train=$1 ranks=$2 info num_images side batch size stem
  info=$(info_of "$train")
  num_images=$(images_of "$info")
  side=$(sed -E 's/.*"width":\[[0-9]+,([0-9]+)\].*/\1/' <<<"$info")
  size=224 stem=imagenet batch=64
  if [ "$side" -le 40 ]; then
    size=32 stem=tiny batch=256
  elif [ "$side" -le 128 ]; then
    size=64 stem=tiny batch=128
  fi
  while [ "$batch" -gt "$num_images" ]; do batch=$((batch / 2)); done
  batch=$((batch / ranks * ranks))
  [ "$batch" -ge 2 ] || refuse "$num_images images for $ranks ranks: give more images or fewer ranks"
  most_epochs=$(awk "BEGIN { many = 150000 / $num_images; printf \"%.4g\", many < 100 ? many : 100 }")
  echo "Recipe for $num_images images of up to $side pixels: views of $size, batch $batch"
  recipe=(--architecture resnet18 --stem "$stem" --image-size "$size" --projector 1024-1024-1024
    --batch-size "$batch" --learning-rate-weights 0.3 --learning-rate-biases 0.0574 --weight-decay 1e-4 --lars-eta 0.02 --lars-clip
    --crop-scale-min 0.2)
}

# choose_epochs TRAIN RUN : sets schedule to what RUN was begun with, or else to as much of most_epochs as this machine
# does in training_seconds, by the pace of a few steps; a twenty-fourth of it is warm-up.
training_seconds=320
choose_epochs() {
  local train=$1 run=$2 pace epochs code=0
  if [ -e "$run/config.toml" ]; then
    schedule=(--epochs "$(toml_value "$run/config.toml" epochs)" --warmup-epochs "$(toml_value "$run/config.toml" warmup-epochs)")
    return 0
  fi
  echo "A few steps, to see the pace of this machine"
  rm -rf "$run.pace"
  "${launch[@]}" "$barlow" pretrain --data "$train" --output "$run.pace" "${recipe[@]}" --epochs "$most_epochs" --warmup-epochs 0 \
    --stop-after-steps 7 --log-every-steps 1 --quiet 2>"$run.pace.log" || code=$?
  case $code in 0 | 75) ;; *) cat "$run.pace.log" >&2 && exit $code ;; esac
  # The first two steps prepare what the others use.
  pace=$(sed -nE 's/.*"images_per_second":([0-9.eE+-]+).*/\1/p' "$run.pace/metrics.jsonl" |
    awk 'NR > 2 { seconds += 1 / $1; ++steps } END { if (steps) print steps / seconds }')
  rm -rf "$run.pace" "$run.pace.log"
  epochs=$most_epochs
  if [ -n "$pace" ]; then
    epochs=$(awk "BEGIN { fit = $training_seconds * $pace / $(images_of "$(info_of "$train")"); printf \"%.4g\", fit < $most_epochs ? fit : $most_epochs }")
    printf '%.0f images/s: %s epochs, of at most %s, in about five minutes at most\n' "$pace" "$epochs" "$most_epochs"
  fi
  schedule=(--epochs "$epochs" --warmup-epochs "$(awk "BEGIN { printf \"%.4g\", $epochs / 24 }")")
}

# encoder_flags RUN : sets encoder and image_size to what RUN's config.toml says, for the untrained peer.
encoder_flags() {
  local file=$1/config.toml
  image_size=$(toml_value "$file" image-size)
  encoder=(--architecture "$(toml_value "$file" architecture)" --stem "$(toml_value "$file" stem)"
    --image-size "$image_size")
}
