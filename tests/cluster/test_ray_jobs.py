"""A sweep handed to a real Ray job server, and where its token goes: nowhere."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import made
import pytest
import yaml
from command import tuner, write_spec
from heads import Head, head, job_server_missing

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(job_server_missing()), reason=job_server_missing() or ""),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[Head]:
    with head(folder) as running:
        yield running


def write(folder: Path) -> None:
    made.sequences_csv(folder / "rows.csv", num=150)
    override = {"model/hidden_size": [4, 8, 12, 16], "model/layers": 1, "training/epochs": 40}
    search = {"trials": 30, "seed": 3, "scheduler": "none"}
    write_spec(folder / "small.yaml", override=override, search=search)


def command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


def holding(secret: str, place: Path) -> list[str]:
    """The files below a folder that a text stands in."""
    files = [path for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path) for path in files if secret.encode() in path.read_bytes()]


def test_a_sweep_is_submitted_seen_stopped_and_resumed(lab: Head, folder: Path) -> None:
    secret = lab.token_file.read_text()
    write(folder)
    begun = tuner("sweep", "small.yaml", "--cluster", "lab.yaml", "--detach", cwd=folder)
    assert begun.returncode == 0, begun.stderr
    assert f"at {lab.server}" in begun.stdout
    deadline = time.monotonic() + 240
    while "trial 0: COMPLETE" not in (said := tuner("logs", "small", cwd=folder).stdout):
        assert time.monotonic() < deadline, said
        assert secret not in command_lines(), "the token stands on a command line"
        time.sleep(1)
    assert re.search(r"running.*job small-\w+ at", tuner("status", cwd=folder).stdout)
    stopped = tuner("stop", "small", cwd=folder)
    assert stopped.returncode == 0 and "has stopped" in stopped.stdout, stopped.stderr
    assert "`tuner resume small` goes on" in tuner("logs", "small", cwd=folder).stdout
    assert "interrupted" in tuner("status", cwd=folder).stdout
    again = tuner("resume", "small", "--cluster", "lab.yaml", "--detach", cwd=folder)
    assert again.returncode == 0, again.stderr
    said = tuner("logs", "small", "--follow", cwd=folder).stdout
    assert "30 trials (" in said and "best model:" in said, "followed to its end"
    assert "trial 0: COMPLETE" not in said, f"only what was left runs: {said}"
    assert "finished" in tuner("status", cwd=folder).stdout
    for place in (folder / "sweeps", lab.logs):
        assert holding(secret, place) == [], "the token was written down"
    assert secret not in said + begun.stdout + begun.stderr
    assert holding(secret, folder) == [str(lab.token_file)]


def test_without_the_token_nothing_is_answered(lab: Head) -> None:
    for method in ("GET", "POST", "DELETE"):
        for path in ("/api/jobs/", "/api/jobs/small", "/api/version"):
            for headers in ({}, {"Authorization": f"Bearer {'0' * 64}"}):
                body = b"{}" if method == "POST" else None
                asked = urllib.request.Request(
                    lab.server + path, method=method, headers=headers, data=body
                )
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(asked, timeout=10)
                assert refused.value.code == (403 if headers else 401), f"{method} {path}"


def test_a_wrong_token_is_told_and_nothing_submitted(
    lab: Head, folder: Path, tmp_path: Path
) -> None:
    write(tmp_path)
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 64)
    wrong.chmod(0o600)
    spec = yaml.safe_load(lab.file.read_text()) | {"token_file": str(wrong)}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(spec))
    done = tuner("sweep", "small.yaml", "--cluster", "lab.yaml", "--detach", cwd=tmp_path)
    assert done.returncode == 2 and "[cluster/wrong-token]" in done.stderr
    assert "Traceback" not in done.stderr and "0" * 64 not in done.stderr
    assert not (tmp_path / "sweeps").exists(), "it is asked before anything is made"


def test_the_cluster_is_checked(lab: Head, folder: Path) -> None:
    done = tuner("cluster", "check", "lab.yaml", "--json", cwd=folder)
    found = {line["check"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line["state"] for line in found.values()} == {"ok"}
    assert found["nodes"]["found"] == "1 with 2 CPUs and 0 GPUs"
    assert lab.server in found["job server"]["found"] and "token" in found
    assert lab.token_file.read_text() not in done.stdout + done.stderr


def test_only_loopback_listens(lab: Head) -> None:
    """Of the HTTP servers; Ray's own ports ask for the token themselves."""
    port = int(lab.server.rpartition(":")[2])
    listening = [
        line.split()[1].partition(":")[0]
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].partition(":")[2], 16) == port
    ]
    assert listening == ["0100007F"]


def test_the_record_of_a_job_holds_no_token(lab: Head, folder: Path) -> None:
    kept = json.loads((folder / "sweeps" / "small" / "job.json").read_text())
    assert kept["token_file"] == str(lab.token_file)
    assert lab.token_file.read_text() not in json.dumps(kept)
