"""The script of one Slurm allocation: Ray's head on its first node, workers on the others, and the
sweep beside the head.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from cluster.launch import ray_start
from cluster.spec import SlurmJob
from cluster.token import place_of

WARNING_SECONDS = 120
"""How long before the end of its time a sweep is told to stop: it saves, and can be resumed."""

_BODY = """\
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={token}
nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
# Always in a subshell, which becomes `srun`: what ends the one then ends the other.
on() {{
    exec srun --overlap --nodes=1 --ntasks=1 --cpus-per-task={cpus} --nodelist="$1" "${{@:2}}"
}}

# The head's address as another node sees it: its own may be that of loopback.
address=127.0.0.1
if ((${{#nodes[@]}} > 1)); then
    address=$(on "${{nodes[-1]}}" getent ahostsv4 "${{nodes[0]}}" | awk 'NR == 1 {{print $1}}')
fi
port=$({python} -c "import socket; print(socket.create_server(('', 0)).getsockname()[1])")
scratch=/tmp/tuner-$SLURM_JOB_ID

on "${{nodes[0]}}" {head} &
head=$!
until (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; do
    kill -0 "$head" || exit 1
    sleep 1
done
export RAY_ADDRESS=$address:$port
for node in "${{nodes[@]:1}}"; do
    on "$node" {worker} &
done
{python} -m cluster.launch.wait {nodes}
{command} &
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
"""


def script(spec: SlurmJob, name: str, arguments: Sequence[str], log: Path) -> str:
    """What `sbatch` takes.

    Args:
        spec: the allocation.
        name: of the sweep.
        arguments: of the interpreter, on the first node.
        log: what all nodes say.
    """
    options = {
        "job-name": f"tuner-{name}",
        "nodes": spec.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": spec.cpus_per_node,
        "gpus-per-node": spec.gpus_per_node or None,
        "mem": f"{spec.memory_gb}G" if spec.memory_gb else None,
        "time": spec.time,
        "partition": spec.partition,
        "account": spec.account,
        "output": log,
        "open-mode": "append",
        "signal": f"B:TERM@{WARNING_SECONDS}",
    }
    python, cpus, gpus = shlex.quote(spec.python), spec.cpus_per_node, spec.gpus_per_node
    head = ray_start.head(
        python, "@address", port=0, jobs=None, cpus=cpus, gpus=gpus, temporary=Path("@scratch")
    )
    worker = ray_start.worker(python, "@head", cpus=cpus, gpus=gpus)
    body = _BODY.format(
        token=shlex.quote(str(place_of(spec.token_file))),
        python=python,
        cpus=spec.cpus_per_node,
        head=_filled(head),
        worker=_filled(worker),
        nodes=spec.nodes,
        command=shlex.join([spec.python, *arguments]),
    )
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH --{key}={value}" for key, value in options.items() if value is not None),
            "# Written by rnn-tuner; `tuner resume` writes it anew.",
            "set -euo pipefail",
            *spec.setup,
            body,
        ]
    )


_KNOWN_THERE = {
    "=@head": '="$RAY_ADDRESS"',
    "=@address": '="$address"',
    "=@scratch": '="$scratch"',
    "--port=0": '--port="$port"',
}


def _filled(line: Sequence[str]) -> str:
    """A command line with the shell's variables for what is known only there."""
    text = " ".join(line)
    for mark, variable in _KNOWN_THERE.items():
        text = text.replace(mark, variable)
    return text
