#!/usr/bin/env bash
# A real Slurm on one Debian or Ubuntu machine, for tests: three emulated nodes with two pretended
# GPUs each, and no systemd.
#
#   slurm.sh install            Slurm and munge, with apt-get
#   slurm.sh start [--replace]  start it; --replace sets an existing configuration aside until stop
#   slurm.sh stop
#
# It keeps everything under $SEQREC_SLURM (default /tmp/seqrec-slurm), apart from two links in
# /etc/slurm: job steps do not inherit SLURM_CONF, so the configuration must be where they look.
# A configuration that is there already is left alone, and start refuses.
set -euo pipefail

base=${SEQREC_SLURM:-/tmp/seqrec-slurm}
etc=/etc/slurm
files="slurm.conf gres.conf cgroup.conf"
host=$(hostname -s)
nodes="c1 c2 c3"

fail() {
    echo "slurm.sh: $*" >&2
    exit 1
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
        slurmctld slurmd slurm-client munge
}

ours() { # whether a file of /etc/slurm is a link that an earlier start made
    [ "$(readlink "$etc/$1" 2>/dev/null)" = "$base/$1" ]
}

configure() {
    mkdir -p "$base"/{run,state,spool,log,dev}
    for gpu in 0 1; do
        ln -sfn /dev/null "$base/dev/gpu$gpu" # Slurm wants character devices
    done
    [ -s "$base/munge.key" ] || (umask 077 && head -c 128 /dev/urandom > "$base/munge.key")
    {
        cat << CONF
ClusterName=seqrec
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that was requeued is held for as long as a credential lives.
AuthInfo=socket=$base/run/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation=$base/state
SlurmctldPidFile=$base/run/slurmctld.pid
SlurmdPidFile=$base/run/slurmd-%n.pid
SlurmdSpoolDir=$base/spool/%n
SlurmctldLogFile=$base/log/slurmctld.log
SlurmdLogFile=$base/log/slurmd-%n.log
# Not linuxproc, which leaves orphans after a requeue; no cgroups, so memory is not enforced.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,sched_min_interval=0,batch_sched_delay=0,bf_interval=5,defer_batch
GresTypes=gpu
ReturnToService=0
# squeue must know a job for a while after its end, or Snakemake cannot ask how it ended.
MinJobAge=7200
KillWait=5
CompleteWait=0
AccountingStorageType=accounting_storage/none
PartitionName=gpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=100
CONF
        port=17001
        for node in $nodes; do
            echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=8" \
                "RealMemory=64000 Gres=gpu:2 State=UNKNOWN"
            port=$((port + 1))
        done
    } > "$base/slurm.conf"
    echo "Name=gpu File=$base/dev/gpu[0-1]" > "$base/gres.conf"
    echo "CgroupPlugin=cgroup/v1" > "$base/cgroup.conf"
}

start() {
    [ "$(id -u)" = 0 ] || fail "needs root, as Slurm's daemons do."
    command -v slurmctld > /dev/null || fail "Slurm is not installed; run: $0 install"
    for file in $files; do
        if [ -e "$etc/$file" ] && ! ours "$file"; then
            [ "${1:-}" = --replace ] || fail "$etc/$file exists and is left alone." \
                "Give --replace to set it aside until stop."
            mv "$etc/$file" "$etc/$file.before-seqrec"
        fi
    done
    stop_daemons
    rm -rf "$base/state" "$base/spool" "$base/log"
    configure
    mkdir -p "$etc"
    for file in $files; do
        ln -sfn "$base/$file" "$etc/$file"
    done
    munged --socket="$base/run/munge.sock" --key-file="$base/munge.key" --force \
        --pid-file="$base/run/munged.pid" --log-file="$base/log/munged.log" \
        --seed-file="$base/run/munged.seed"
    slurmctld
    for node in $nodes; do
        slurmd -N "$node"
    done
    for _ in $(seq 100); do
        if [ "$(sinfo --noheader --Node --format=%t 2> /dev/null | grep -c '^idle$')" = 3 ]; then
            return
        fi
        sleep 0.1
    done
    sinfo >&2 || true
    fail "the nodes did not come up within 10 s; see $base/log."
}

stop_daemons() {
    for name in slurmctld slurmd-c1 slurmd-c2 slurmd-c3 munged; do
        pid=$(cat "$base/run/$name.pid" 2> /dev/null) || continue
        # A pid file may outlive its daemon: only a process of that name is one.
        case $(cat "/proc/$pid/comm" 2> /dev/null) in
        "${name%-c?}") kill "$pid" && while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done ;;
        esac
        rm -f "$base/run/$name.pid"
    done
}

stop() {
    if ours slurm.conf && [ -e "$base/run/slurmctld.pid" ]; then
        scancel --quiet --me 2> /dev/null || true
        for _ in $(seq 100); do
            [ -n "$(squeue --noheader --format=%t 2> /dev/null | grep -E 'R|CG|PD')" ] || break
            sleep 0.1
        done
    fi
    stop_daemons
    for file in $files; do
        if ours "$file"; then rm "$etc/$file"; fi
        if [ -e "$etc/$file.before-seqrec" ]; then
            mv "$etc/$file.before-seqrec" "$etc/$file"
        fi
    done
}

case ${1:-} in
install) install ;;
start) start "${2:-}" ;;
stop) stop ;;
*) fail "say install, start or stop." ;;
esac
