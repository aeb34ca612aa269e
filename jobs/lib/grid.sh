# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # used by ablation.sbatch, which sources this
# A grid of settings, its points by number, and the table of what they reached. Sourced.

grid_refuse() { echo "ablation: $1" >&2; exit 2; }

# read_grid ARGUMENT... : ablation.sbatch's own arguments; what stands after -- goes to barlow pretrain.
read_grid() {
  grid_train='' grid_test='' grid_output='' pretrain_flags=()
  local lambd=0.0051 width=8192 layers=3 batch=2048
  while [ $# -gt 0 ]; do
    if [ "$1" = -- ]; then
      shift
      pretrain_flags=("$@")
      break
    fi
    [ $# -ge 2 ] || grid_refuse "$1 needs a value"
    case $1 in
      --train) grid_train=$2 ;;
      --test) grid_test=$2 ;;
      --output) grid_output=$2 ;;
      --lambd) lambd=$2 ;;
      --width) width=$2 ;;
      --layers) layers=$2 ;;
      --batch-size) batch=$2 ;;
      *) grid_refuse "unknown argument \"$1\"; flags of barlow pretrain come after --" ;;
    esac
    shift 2
  done
  if [ -z "$grid_train" ] || [ -z "$grid_test" ] || [ -z "$grid_output" ]; then
    grid_refuse "give --train DATASET --test DATASET --output FOLDER"
  fi
  IFS=, read -ra grid_lambd <<<"$lambd"
  IFS=, read -ra grid_width <<<"$width"
  IFS=, read -ra grid_layers <<<"$layers"
  IFS=, read -ra grid_batch <<<"$batch"
  local count
  for count in "${grid_layers[@]}"; do
    [[ $count =~ ^[1-9][0-9]?$ ]] || grid_refuse "--layers $count: give numbers from 1 to 99"
  done
  num_points=$((${#grid_lambd[@]} * ${#grid_width[@]} * ${#grid_layers[@]} * ${#grid_batch[@]}))
}

# point NUMBER : sets point_lambd, point_width, point_layers, point_batch and point_name; lambda varies fastest.
point() {
  local rest=$1
  point_lambd=${grid_lambd[rest % ${#grid_lambd[@]}]} rest=$((rest / ${#grid_lambd[@]}))
  point_width=${grid_width[rest % ${#grid_width[@]}]} rest=$((rest / ${#grid_width[@]}))
  point_layers=${grid_layers[rest % ${#grid_layers[@]}]} rest=$((rest / ${#grid_layers[@]}))
  point_batch=${grid_batch[rest]}
  point_name=lambd$point_lambd-width$point_width-layers$point_layers-batch$point_batch
}

# choose_point NUMBER JOBS : the point of this job, and point_flags for barlow pretrain. An array of one job is a point that comes again.
choose_point() {
  local projector layer
  if [ "$1" -ge "$num_points" ] || { [ "$2" -ne "$num_points" ] && [ "$2" -ne 1 ]; }; then
    grid_refuse "the grid has $num_points points and the array $2 jobs: submit it with --array 0-$((num_points - 1))"
  fi
  point "$1"
  projector=$point_width
  for ((layer = 1; layer < point_layers; ++layer)); do projector+=-$point_width; done
  point_flags=(--lambd "$point_lambd" --projector "$projector" --batch-size "$point_batch")
}

# number FILE NAME : the last plain number of that name in a JSON file.
number() { grep -oE "\"$2\": *[0-9.eE+-]+" "$1" | tail -n 1 | grep -oE '[0-9.eE+-]+$'; }

# write_table : the points so far, in Markdown; whoever comes last leaves the whole. A job may be killed at any moment, hence mv.
write_table() {
  local file=$grid_output/ablation.md index run knn linear
  {
    echo "| lambda | width | layers | batch | loss | kNN top-1 % | linear top-1 % |"
    echo "|---|---|---|---|---|---|---|"
    for ((index = 0; index < num_points; ++index)); do
      point "$index"
      run=$grid_output/$point_name
      knn='' linear=''
      if [ -e "$run/evaluation.json" ]; then
        knn=$(grep -oE '"top1": *[0-9.eE+-]+' "$run/evaluation.json" | sed -n 's/.*: *//; 1p')
        linear=$(grep -oE '"top1": *[0-9.eE+-]+' "$run/evaluation.json" | sed -n 's/.*: *//; 2p')
        printf '| %s | %s | %s | %s | %.4g | %.2f | %.2f |\n' "$point_lambd" "$point_width" "$point_layers" "$point_batch" \
          "$(number "$run/metrics.jsonl" loss)" "$knn" "$linear"
      else
        echo "| $point_lambd | $point_width | $point_layers | $point_batch | not yet | | |"
      fi
    done
  } >"$file.$SLURM_JOB_ID"
  mv "$file.$SLURM_JOB_ID" "$file"
}
