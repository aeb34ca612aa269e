#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A SLURM of its own on this machine, for tests, as root: sandbox.sh start FOLDER NODES | node FOLDER NUMBER | stop FOLDER
# Several slurmd play the nodes; there is no munge, no cgroup and no accounting. `node` brings a node back
# after a failure, as a reboot does: with nothing of its last life.
set -euo pipefail
action=$1 folder=$2
export SLURM_CONF=$folder/slurm.conf
host=$(hostname -s)

# Sets port to the first of 20 on which nobody listens: several of these can be there at once.
find_ports() {
  local at
  for ((port = 26800; port < 32700; port += 20)); do
    for ((at = port; at < port + 20; ++at)); do
      if (: <"/dev/tcp/127.0.0.1/$at") 2>/dev/null; then continue 2; fi
    done
    return 0
  done
  echo "sandbox.sh: no free ports" >&2
  return 1
}

port_of_conf() { sed -n 's/^SlurmctldPort=//p' "$SLURM_CONF"; }

start() {
  local last=$1 node port
  exec 9>"${TMPDIR:-/tmp}/barlow-slurm-sandbox.lock"
  flock 9
  find_ports
  mkdir -p "$folder/state" "$folder/log"
  # Simulated nodes share a host name: each needs shared memory of its own, or Open MPI mixes up their segments.
  cat >"$folder/prolog.sh" <<PROLOG
#!/bin/sh
shared=/dev/shm/barlow_${port}_\$SLURMD_NODENAME
mkdir -p "\$shared"
echo "export OMPI_MCA_btl_vader_backing_directory=\$shared"
PROLOG
  chmod 755 "$folder/prolog.sh"
  cat >"$SLURM_CONF" <<CONF
ClusterName=barlow
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
FirstJobId=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
TmpFS=$folder/tmp.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
TaskProlog=$folder/prolog.sh
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobRequeue=1
MailProg=/bin/true
KillWait=10
SlurmdTimeout=10
ReturnToService=2
NodeName=n[1-$last] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + last))] CPUs=4 RealMemory=4000 Feature=simulated State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  # slurmd looks for cgroups, whatever else is said; asked which sort there is, it would end where there is none.
  printf '%s\n' IgnoreSystemd=yes CgroupPlugin=cgroup/v1 >"$folder/cgroup.conf"
  slurmctld -c 9>&-
  for _ in $(seq 100); do
    if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    sleep 0.1
  done
  exec 9>&- # others see now that these ports are taken
  for node in $(seq "$last"); do boot "$node"; done
}

boot() {
  local node=n$1
  rm -rf "$folder/spool.$node" "$folder/tmp.$node" /dev/shm/barlow_"$(port_of_conf)"_"$node"
  mkdir -p "$folder/spool.$node" "$folder/tmp.$node"
  slurmd -N "$node" || { tail -n 5 "$folder/log/slurmd.$node.log" >&2 && return 1; }
}

stop() {
  local file pid
  for file in "$folder"/slurmd.*.pid "$folder/slurmctld.pid"; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 50); do
      if [ ! -d "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; then break; fi
      sleep 0.1
    done
  done
  rm -rf /dev/shm/barlow_"$(port_of_conf)"_n[0-9]*
}

case $action in
  start) start "$3" ;;
  node) boot "$3" ;;
  stop) stop ;;
  *) exit 2 ;;
esac
