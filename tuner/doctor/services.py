"""What must answer: tracking, and Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from tuner.doctor.finding import Finding, Patient
from tuner.errors import Mistake

_RAY_SECONDS = 60.0
_START = """
import json
from cluster.connect import connected
with connected() as connection:
    import ray
    number = ray.get(ray.remote(lambda: 41 + 1).remote(), timeout=30)
    print(json.dumps({"number": number, "cpus": sum(node.cpus for node in connection.nodes())}))
"""


def tracking(patient: Patient) -> Finding:
    """Whether runs can be sent where MLFLOW_TRACKING_URI, or nothing, says."""
    from tuner.tracking.uri import check_uri, reachable, redact

    uri = patient.home.tracking_uri("local")
    mistakes = check_uri(uri) or [m for m in [reachable(uri)] if m is not None]
    found = redact(uri)
    return Finding(check="tracking", found=found, mistake=mistakes[0] if mistakes else None)


def ray(patient: Patient) -> Finding:
    """Starts Ray as a sweep would, runs one task, and stops it: in a process that can be ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", _START],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        answer, said = process.communicate(timeout=_RAY_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        answer, said = "", f"no answer in {_RAY_SECONDS:g} s"
    if process.returncode == 0 and answer:
        cpus = json.loads(answer.splitlines()[-1])["cpus"]
        return Finding(check="ray", found=f"started with {cpus:g} CPUs, ran a task, stopped")
    lines = [line for line in said.splitlines() if line.strip()]
    mistake = Mistake(
        code="doctor/ray",
        rule="Ray must start here and run a task",
        where="this machine",
        got=lines[-1] if lines else f"exit status {process.returncode}",
        fix="Mend what is told above; else look into /tmp/ray/session_latest/logs.",
    )
    return Finding(check="ray", found="it does not work", mistake=mistake)
