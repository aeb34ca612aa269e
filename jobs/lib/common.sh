# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the job scripts share. Sourced by them, from BARLOW_HOME: SLURM runs a copy of the script from elsewhere.
# A script may set barlow_preset (whose programs) and barlow_srun (more options of srun) before.

unset LC_ALL
export LC_NUMERIC=C # 2.4 is not 2,4 to any program below
export BARLOW_HOME # a job that this one submits has another folder of submission

# Words before every program, such as a container's; a site file may set it, and more options of sbatch for a job that follows another.
barlow_wrap=() barlow_sbatch=()
# Names of modules, partitions and interfaces are a site's: BARLOW_SITE is a file of jobs/site or one of your own.
if [ -n "${BARLOW_SITE:-}" ]; then
  trap 'echo "job: a command of BARLOW_SITE=$BARLOW_SITE failed; the last one counts, too" >&2' EXIT
  set +u # modules' shell functions are not all written for it
  # shellcheck source=jobs/site/example.env
  source "$BARLOW_SITE"
  set -u
  trap - EXIT
fi
# Who has built for GPUs only needs no second build: those programs run on CPUs, too.
if [ -z "${barlow_preset:-}" ] && [ ! -x "$BARLOW_HOME/build/cpu-release/bin/barlow" ] && [ -x "$BARLOW_HOME/build/cuda-release/bin/barlow" ]; then
  barlow_preset=cuda-release
fi
barlow_bin=${BARLOW_BIN:-$BARLOW_HOME/build/${barlow_preset:-cpu-release}/bin}
if [ ${#barlow_wrap[@]} -eq 0 ] && [ ! -x "$barlow_bin/barlow" ]; then
  echo "job: no $barlow_bin/barlow; build it first, or set BARLOW_BIN to the folder of barlow and barlow-data" >&2
  exit 2
fi
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # newer SLURMs do not hand it on to srun
# How SLURM's PMIx lets the ranks of a start wait for each other. Left to itself, SLURM 22.05 ends MPI_Init by a tree, and the nodes of that
# tree know neither parent nor child unless slurm.conf sets TreeWidth: no node waits for another, and the first message to a rank that is
# still inside MPI_Init crashes it (Open MPI 4.1 over TCP). A ring is right with any slurm.conf.
export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}

# srun with its options and the container's words; one process per task. A stopped run's tasks leave with 75, one after the other: with
# --kill-on-bad-exit the first to leave would have the others killed, and the step would end with a signal's code instead. A task that
# crashes has the others ended by MPI, through PMIx; --wait is for what is left.
barlow_launch=(srun --mpi="${BARLOW_MPI:-pmix}" --kill-on-bad-exit=0 --wait=60 ${barlow_srun[@]+"${barlow_srun[@]}"})

# launch PROGRAM ARGUMENT... : barlow or barlow-data on the job's tasks. The log says what was run, where, and from which commit.
launch() {
  local program=$1
  shift
  echo "job ${SLURM_JOB_ID:-?} (start $((${SLURM_RESTART_COUNT:-0} + 1))) on ${SLURM_JOB_NODELIST:-?}, barlow" \
    "$(git -C "$BARLOW_HOME" describe --always --dirty 2>/dev/null || echo 'of unknown commit'):" "$program" "$@" >&2
  "${barlow_launch[@]}" "${barlow_wrap[@]}" "$barlow_bin/$program" "$@"
}

# run_folder ARGUMENT... : what barlow pretrain takes as --output: the command line's last, else the configuration file's.
run_folder() {
  local run='' config=''
  while [ $# -gt 0 ]; do
    case $1 in
      --output) run=${2:-} ;;
      --output=*) run=${1#*=} ;;
      --config) config=${2:-} ;;
      --config=*) config=${1#*=} ;;
    esac
    shift
  done
  if [ -z "$run" ] && [ -r "$config" ]; then run=$(sed -nE "s/^\s*output\s*=\s*(\"([^\"]*)\"|'([^']*)').*/\2\3/p" "$config"); fi
  printf '%s\n' "$run"
}

# last_checkpoint RUN : when its newest checkpoint was written, in the file system's seconds; 0 where there is none.
last_checkpoint() {
  { stat --format=%Y "$1/checkpoint.h5" "$1/checkpoint.previous.h5" 2>/dev/null || true; } | sort -n | tail -n 1 | grep . || echo 0
}

# pretrain ARGUMENT... : barlow pretrain on the job's tasks, and its exit code. Where tasks were killed (128 and more: a crash, or SLURM
# ending what is left of a hang) the code is 75 if this start has written a checkpoint: going on from there makes progress. If it has not,
# the same would happen again, for ever, so the code stays. barlow goes by the same rule where it ends a hang itself (--hang-timeout).
# A run that somebody has asked to stop (`barlow stop RUN`, the file RUN/stop) does not come again by itself.
pretrain() {
  local run before code=0
  run=$(run_folder "$@")
  before=$(last_checkpoint "$run")
  launch barlow pretrain "$@" || code=$?
  if [ "$code" -ge 128 ]; then
    if [ "$(last_checkpoint "$run")" -gt "$before" ]; then
      echo "job: tasks were killed (exit code $code) after a new checkpoint in \"$run\": the run goes on from there" >&2
      code=75
    else
      echo "job: tasks were killed (exit code $code) before this start wrote a checkpoint in \"$run\": not started again" >&2
    fi
  fi
  if [ -e "$run/stop" ]; then BARLOW_AGAIN=no; fi
  return "$code"
}

# go_on_later CODE ARGUMENT... : after 75 (a stop with a checkpoint) the job comes again: requeued, or as a job of its own that waits
# for this one (BARLOW_AGAIN=chain, for sites without requeue), or not at all (BARLOW_AGAIN=no). Any other code ends it.
go_on_later() {
  local code=$1 job=$SLURM_JOB_ID
  shift
  [ "$code" -eq 75 ] || exit "$code"
  # One job of an array has the whole array's number, too.
  if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID; fi
  case ${BARLOW_AGAIN:-requeue} in
    requeue) scontrol requeue "$job" ;;
    chain) chain "$job" "$@" ;;
    *) echo "job: stopped with a checkpoint; submit it again to go on" ;;
  esac
  exit 75
}

# What a job that follows asks for, and where SLURM keeps it; what was not asked for is not set.
barlow_chained=(nodes:SLURM_JOB_NUM_NODES ntasks:SLURM_NTASKS ntasks-per-node:SLURM_NTASKS_PER_NODE cpus-per-task:SLURM_CPUS_PER_TASK
  gpus-per-node:SLURM_GPUS_ON_NODE mem:SLURM_MEM_PER_NODE mem-per-cpu:SLURM_MEM_PER_CPU partition:SLURM_JOB_PARTITION
  account:SLURM_JOB_ACCOUNT qos:SLURM_JOB_QOS array:SLURM_ARRAY_TASK_ID)

# asked JOB FORMAT : what squeue says of a job, or nothing.
asked() {
  local answer
  answer=$(squeue --noheader --jobs="$1" --format="$2")
  if [ "$answer" != "(null)" ]; then printf '%s\n' "$answer"; fi
}

# chain JOB ARGUMENT... : the same job again, after this one; what was asked of sbatch on its command line has to be asked again. SLURM does
# not tell a job of all of it: the site's barlow_sbatch is the rest, and comes last, so it also wins.
chain() {
  local job=$1 again=() option name value
  shift
  again=(--dependency="afterany:$job" --job-name="$SLURM_JOB_NAME")
  for option in time:%l constraint:%f reservation:%v; do
    value=$(asked "$job" "${option#*:}")
    if [ -n "$value" ]; then again+=("--${option%%:*}=$value"); fi
  done
  for option in "${barlow_chained[@]}"; do
    name=${option#*:}
    if [ -n "${!name:-}" ]; then again+=("--${option%%:*}=${!name}"); fi
  done
  sbatch "${again[@]}" "${barlow_sbatch[@]}" "$BARLOW_HOME/jobs/${barlow_script:?}.sbatch" "$@"
}
