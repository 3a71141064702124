"""A job on a Ray cluster, through its job server: it runs on the head, and needs no login there.

Spoken with over its REST interface: Ray's own client would import all of Ray, three seconds for
each `tuner status`. The server's side is the extra `cluster` (`ray[default]`), on the head only.
"""

from __future__ import annotations

import http.client
import json
import shlex
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cluster.jobs.job import Job, Phase
from cluster.launch.ssh import is_here, login, tunnel
from cluster.refused import Refused
from cluster.spec import ExistingRay, SshHosts
from cluster.token import place_of, read_token

STOP_SECONDS = 60
"""Ray itself gives a job three, which is less than a sweep needs to write its checkpoints."""
_SECONDS, _SUBMIT_SECONDS = 10.0, 60.0
"""A busy head takes long to start what watches over a job, and answers only then."""
_PHASES = {"PENDING": Phase.WAITING, "RUNNING": Phase.RUNNING}


def job_server(cluster: ExistingRay | SshHosts) -> Job:
    """The place of jobs that a cluster takes, with no job in it yet."""
    token_file = str(cluster.token_file or "")
    if isinstance(cluster, ExistingRay):
        return Job(kind="ray", id="", place=cluster.jobs, token_file=token_file)
    server = f"http://127.0.0.1:{cluster.jobs_port}"
    via = "" if is_here(cluster.first) else login(cluster, cluster.first)
    return Job(kind="ray", id="", place=server, via=via, token_file=token_file)


def version(server: Job) -> str:
    """The server's Ray version.

    Raises:
        Refused: it does not answer, or not to this token.
    """
    return str(_ask(server, "GET", "/api/version")["ray_version"])


def submit(
    server: Job,
    command: Sequence[str],
    *,
    name: str,
    environment: Mapping[str, str],
) -> Job:
    """Hands the command to a job server; the shell replaces itself, so that signals reach it.

    Args:
        server: of the cluster.
        command: as the head knows it.
        name: of the job; unique on the cluster.
        environment: what the command gets beside the head's own; anybody with the token can read
            it, so no secrets.

    Raises:
        Refused: the server does not answer, or refuses.
    """
    variables = {**environment, "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
    body = {
        "entrypoint": f"exec {shlex.join(command)}",
        "submission_id": name,
        "runtime_env": {"env_vars": variables},
    }
    answer = _ask(server, "POST", "/api/jobs/", body, _SUBMIT_SECONDS)
    return replace(server, id=answer["submission_id"])


def phase(job: Job) -> Phase:
    """How far a job is."""
    answer = _ask(job, "GET", f"/api/jobs/{job.id}")
    return _PHASES.get(answer["status"], Phase.ENDED)


def log(job: Job) -> str:
    """All that the job has said so far."""
    answer = _ask(job, "GET", f"/api/jobs/{job.id}/logs")
    return str(answer["logs"])


def stop(job: Job) -> None:
    """Asks a job to stop in order; the server kills what has not after `STOP_SECONDS`."""
    _ask(job, "POST", f"/api/jobs/{job.id}/stop")


def _ask(
    server: Job,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    seconds: float = _SECONDS,
) -> dict[str, Any]:
    """One request to a job server, through a tunnel if it is on another host's loopback.

    Raises:
        Refused: no answer, no leave, or no such job.
    """
    if not server.via:
        return _ask_at(server.place, server, method, path, body, seconds)
    with tunnel(server.via, int(server.place.rpartition(":")[2])) as near:
        return _ask_at(near, server, method, path, body, seconds)


def _ask_at(
    address: str,
    server: Job,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    seconds: float,
) -> dict[str, Any]:
    file = Path(server.token_file) if server.token_file else None
    request = urllib.request.Request(
        address.rstrip("/") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {read_token(file)}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            said: dict[str, Any] = json.loads(answer.read() or b"{}")
            return said
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise Refused(
                "a job server must be asked with its cluster's token",
                f"a token that it refuses, from {place_of(file)}",
                "Copy the token file of the cluster's head.",
                code="cluster/wrong-token",
                where=str(server.place),
            ) from None
        lines = error.read().decode("utf-8", "replace").strip().splitlines()
        raise Refused(
            "the job server must take what it is asked",
            f"HTTP {error.code}: {lines[-1] if lines else error.reason}",
            "See the cluster's dashboard at the same address.",
            code="cluster/job",
            where=str(server.place),
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Refused(
            "the job server must answer",
            str(getattr(error, "reason", error)),
            "Start the head with `pip install 'rnn-tuner[cluster]'` and its dashboard on; from "
            "another machine reach it by `ssh -N -L 8265:127.0.0.1:8265 HEAD`.",
            code="cluster/job-server",
            where=str(server.place),
        ) from None
