#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to pre-trained weights: installs, builds, packs images, pre-trains on CPU ranks, evaluates, reports.
#
#   bash jobs/quickstart.sh [--no-install] [--data FOLDER] [--output RUN] [--ranks N]
#
#   --no-install   do not install packages (all of INSTALL.md's list is there)
#   --data FOLDER  your own images: a folder of class folders, or of train/ and test/ (or val/) with class folders in them;
#                  default: Fashion-MNIST, from Debian's package dataset-fashion-mnist
#   --output RUN   the run folder (default runs/quickstart); started again, an unfinished run goes on
#   --ranks N      MPI ranks (default 2)
set -euo pipefail
invoked_from=$PWD
cd "$(dirname "$0")/.."
# shellcheck source=jobs/lib/packages.sh
source jobs/lib/packages.sh
# shellcheck source=jobs/lib/quickstart_steps.sh
source jobs/lib/quickstart_steps.sh

install=yes data='' run=runs/quickstart ranks=2
usage() { sed -n '3,12s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=no ;;
    --data | --output | --ranks)
      [ $# -ge 2 ] || { echo "quickstart: $1 needs a value" >&2; exit 2; }
      case $1 in
        --data) data=$(cd "$invoked_from" && readlink -m -- "$2") ;;
        --output) run=$(cd "$invoked_from" && readlink -m -- "$2") ;;
        --ranks) ranks=$2 ;;
      esac
      shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart: unknown flag $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[[ $ranks =~ ^[1-9][0-9]*$ ]] || { echo "quickstart: --ranks $ranks: give a number of ranks" >&2; exit 2; }
if [ -n "$data" ] && [ ! -d "$data" ]; then echo "quickstart: --data $data: no such folder" >&2; exit 2; fi

start=$SECONDS
packages=("${build_packages[@]}")
[ -n "$data" ] || packages+=("${sample_packages[@]}")
[ "$install" = no ] || install_packages "${packages[@]}"
installed=$SECONDS
build
pack_images "$data" "$run"
pretrain "$run" "$ranks"
evaluate_run "$run" "$ranks"
"$bin/barlow" report "$run"
summarize "$run" $((SECONDS - installed)) $((installed - start))
