#!/usr/bin/env bash
# two_hosts.sh MPIEXEC PYTHON WORK: train on two hosts, which are network namespaces with a cable between them, and in one
# process, and compare the bytes; then kill a rank on the other host. WORK is a folder that is not there yet.
# Needs root and iproute2. All traffic stays between the two namespaces.
set -euo pipefail
mpiexec=$1 python=$2 work=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PYTHONPATH=$root
export UCX_TLS=tcp FI_PROVIDER=tcp  # the two hosts are one machine: without this, MPI finds memory that they share

here=cnnbp-a-$$ there=cnnbp-b-$$
cleanup() {
    ip netns del "$here" 2>/dev/null || true
    ip netns del "$there" 2>/dev/null || true
}
trap cleanup EXIT
ip netns add "$here"
ip netns add "$there"
ip link add cable netns "$here" type veth peer name cable netns "$there"
ip -n "$here" address add 10.99.0.1/24 dev cable
ip -n "$there" address add 10.99.0.2/24 dev cable
for host in "$here" "$there"; do
    ip -n "$host" link set lo up
    ip -n "$host" link set cable up
done

# Hydra calls its launcher as `launcher HOST COMMAND…`, as it would call rsh. Each host gets a name of its own, too.
mkdir -p "$work"
cat >"$work/launcher" <<END
#!/bin/sh
case \$1 in 10.99.0.1) host=$here;; *) host=$there;; esac
shift
exec ip netns exec \$host unshare --uts sh -c 'hostname "\$0" && eval "exec \$*"' \$host "\$@"
END
chmod +x "$work/launcher"
printf '10.99.0.1:2\n10.99.0.2:2\n' >"$work/hosts"

"$python" - "$work" <<'END'
import sys
from pathlib import Path
from tests.mpi.jobs import write_job
write_job(Path(sys.argv[1]), "batchnorm")
END
cd "$work"
train() {
    ip netns exec "$here" "$mpiexec" -localhost 10.99.0.1 -launcher rsh -launcher-exec "$work/launcher" -f hosts -n 4 \
        "$python" -m cnnbp train "$@" --no-plots
}
received() { ip netns exec "$there" cat /sys/class/net/cable/statistics/rx_bytes; }

"$python" -m cnnbp train job.yaml train.epochs=20 --run alone --no-plots >alone.txt 2>&1
before=$(received)
train job.yaml train.epochs=20 --run together
bytes=$(($(received) - before))
cmp alone/checkpoints/last.npz together/checkpoints/last.npz
echo "the same bytes on two hosts as in one process; $bytes bytes came over the cable"
((bytes > 200000)) || { echo "that is less than the gradients have: they took another way" >&2; exit 1; }

train job.yaml train.epochs=20 --run killed >killed.txt 2>&1 &
job=$!
until [[ -s killed/metrics.jsonl && $(wc -l <killed/metrics.jsonl) -ge 3 ]]; do sleep 0.05; done
for pid in $(ip netns pids "$there"); do
    if tr '\0' '\n' <"/proc/$pid/environ" | grep -qx PMI_RANK=3; then victim=$pid; fi
done
SECONDS=0 code=0
kill -9 "$victim"
wait "$job" || code=$?
echo "rank 3 on the other host killed: all over after $SECONDS s, exit code $code"
((SECONDS <= 10 && code != 0))
while [[ -n $(ip netns pids "$there") ]]; do  # what mpiexec has ended over there may take a moment to be gone
    ((SECONDS <= 10)) || { echo "there are still processes on the other host" >&2; exit 1; }
    sleep 0.1
done
"$python" -m cnnbp train --resume killed --no-plots >resumed.txt 2>&1
cmp alone/checkpoints/last.npz killed/checkpoints/last.npz
echo "resumed in one process, to the same bytes"
