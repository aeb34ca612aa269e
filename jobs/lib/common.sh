# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the job scripts share. Sourced by them, from BARLOW_HOME: SLURM runs a copy of the script from elsewhere.

# Names of modules, partitions and interfaces are a site's: BARLOW_SITE is a file of jobs/site or one of your own.
if [ -n "${BARLOW_SITE:-}" ]; then
  # shellcheck source=jobs/site/example.env
  source "$BARLOW_SITE"
fi
barlow_bin=${BARLOW_BIN:-$BARLOW_HOME/build/cpu-release/bin}
if [ ! -x "$barlow_bin/barlow" ]; then
  echo "job: no $barlow_bin/barlow; build it first, or set BARLOW_BIN to the folder of barlow and barlow-data" >&2
  exit 2
fi

# launch COMMAND... : one process per task; if one dies, the others end too.
launch() {
  srun --mpi="${BARLOW_MPI:-pmix}" --kill-on-bad-exit=1 "$@"
}

# go_on_later CODE ARGUMENT... : after a stop on request (75), the job comes again: requeued, or as a job of its own that waits
# for this one (BARLOW_AGAIN=chain, for sites without requeue), or not at all (BARLOW_AGAIN=no). Any other code ends it.
go_on_later() {
  local code=$1
  shift
  [ "$code" -eq 75 ] || exit "$code"
  case ${BARLOW_AGAIN:-requeue} in
    requeue) scontrol requeue "$SLURM_JOB_ID" ;;
    chain) sbatch --dependency="afterany:$SLURM_JOB_ID" "$BARLOW_HOME/jobs/$SLURM_JOB_NAME.sbatch" "$@" ;;
    *) echo "job: stopped with a checkpoint; submit it again to go on" ;;
  esac
  exit 75
}
