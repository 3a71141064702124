#!/bin/bash
#SBATCH --job-name=tuner-vowels
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=2
#SBATCH --mem=64G
#SBATCH --time=4:00:00
#SBATCH --partition=short
#SBATCH --account=speech
#SBATCH --output=/shared/sweeps/vowels/sweep.log
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
# Written by rnn-tuner; `tuner resume` writes it anew.
set -euo pipefail
module load cuda
source /shared/tuner/bin/activate
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=/home/me/.ray/auth_token
nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
# Always in a subshell, which becomes `srun`: what ends the one then ends the other.
on() {
    exec srun --overlap --nodes=1 --ntasks=1 --cpus-per-task=16 --nodelist="$1" "${@:2}"
}

# The head's address as another node sees it: its own may be that of loopback.
address=127.0.0.1
if ((${#nodes[@]} > 1)); then
    address=$(on "${nodes[-1]}" getent ahostsv4 "${nodes[0]}" | awk 'NR == 1 {print $1}')
fi
port=$(python3 -c "import socket; print(socket.create_server(('', 0)).getsockname()[1])")
scratch=/tmp/tuner-$SLURM_JOB_ID

on "${nodes[0]}" env RAY_health_check_period_ms=2000 RAY_health_check_timeout_ms=4000 RAY_health_check_failure_threshold=4 python3 -m ray.scripts.scripts start --head --block --node-ip-address="$address" --port="$port" --include-dashboard=false --num-cpus=16 --num-gpus=2 --object-store-memory=268435456 --disable-usage-stats --temp-dir="$scratch" &
head=$!
until (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; do
    kill -0 "$head" || exit 1
    sleep 1
done
export RAY_ADDRESS=$address:$port
for node in "${nodes[@]:1}"; do
    on "$node" python3 -m ray.scripts.scripts start --block --address="$RAY_ADDRESS" --num-cpus=16 --num-gpus=2 --object-store-memory=268435456 --disable-usage-stats &
done
python3 -m cluster.launch.wait 4
python3 -m tuner resume vowels --home /shared/sweeps &
sweep=$!
trap 'kill -TERM "$sweep"' TERM
status=0
wait "$sweep" || status=$?
# A signal ends `wait` before it ends the sweep, which still saves.
while kill -0 "$sweep" 2>/dev/null; do
    status=0
    wait "$sweep" || status=$?
done
kill "$head" 2>/dev/null || true
srun --overlap --ntasks-per-node=1 rm -rf "$scratch"
exit "$status"
