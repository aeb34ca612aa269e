# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the job scripts share. Sourced by them, from BARLOW_HOME: SLURM runs a copy of the script from elsewhere.
# A script may set barlow_preset (whose programs) and barlow_srun (more options of srun) before.

# Words before every program, such as a container's; a site file may set it.
barlow_wrap=()
# Names of modules, partitions and interfaces are a site's: BARLOW_SITE is a file of jobs/site or one of your own.
if [ -n "${BARLOW_SITE:-}" ]; then
  # shellcheck source=jobs/site/example.env
  source "$BARLOW_SITE"
fi
barlow_bin=${BARLOW_BIN:-$BARLOW_HOME/build/${barlow_preset:-cpu-release}/bin}
if [ ${#barlow_wrap[@]} -eq 0 ] && [ ! -x "$barlow_bin/barlow" ]; then
  echo "job: no $barlow_bin/barlow; build it first, or set BARLOW_BIN to the folder of barlow and barlow-data" >&2
  exit 2
fi
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # newer SLURMs do not hand it on to srun

# srun with its options and the container's words; one process per task, and if one dies, the others end too.
barlow_launch=(srun --mpi="${BARLOW_MPI:-pmix}" --kill-on-bad-exit=1 ${barlow_srun[@]+"${barlow_srun[@]}"})

# launch PROGRAM ARGUMENT... : barlow or barlow-data on the job's tasks. The log says what was run, where, and from which commit.
launch() {
  local program=$1
  shift
  echo "job ${SLURM_JOB_ID:-?} (start $((${SLURM_RESTART_COUNT:-0} + 1))) on ${SLURM_JOB_NODELIST:-?}, barlow" \
    "$(git -C "$BARLOW_HOME" describe --always --dirty 2>/dev/null || echo 'of unknown commit'):" "$program" "$@" >&2
  "${barlow_launch[@]}" "${barlow_wrap[@]}" "$barlow_bin/$program" "$@"
}

# go_on_later CODE ARGUMENT... : after a stop on request (75), the job comes again: requeued, or as a job of its own that waits
# for this one (BARLOW_AGAIN=chain, for sites without requeue), or not at all (BARLOW_AGAIN=no). Any other code ends it.
go_on_later() {
  local code=$1
  shift
  [ "$code" -eq 75 ] || exit "$code"
  case ${BARLOW_AGAIN:-requeue} in
    requeue) scontrol requeue "$SLURM_JOB_ID" ;;
    chain) chain "$@" ;;
    *) echo "job: stopped with a checkpoint; submit it again to go on" ;;
  esac
  exit 75
}

# chain ARGUMENT... : the same job again, after this one; what was asked of sbatch on its command line has to be asked again.
chain() {
  local again=(--dependency="afterany:$SLURM_JOB_ID" --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_NTASKS")
  again+=(--time="$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%l)" --job-name="$SLURM_JOB_NAME")
  if [ -n "${SLURM_CPUS_PER_TASK:-}" ]; then again+=(--cpus-per-task="$SLURM_CPUS_PER_TASK"); fi
  if [ -n "${SLURM_JOB_PARTITION:-}" ]; then again+=(--partition="$SLURM_JOB_PARTITION"); fi
  if [ -n "${SLURM_JOB_ACCOUNT:-}" ]; then again+=(--account="$SLURM_JOB_ACCOUNT"); fi
  if [ -n "${SLURM_GPUS_ON_NODE:-}" ]; then again+=(--gpus-per-node="$SLURM_GPUS_ON_NODE"); fi
  if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then again+=(--array="$SLURM_ARRAY_TASK_ID"); fi
  sbatch "${again[@]}" "$BARLOW_HOME/jobs/${barlow_script:?}.sbatch" "$@"
}
