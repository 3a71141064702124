"""A team's server: MLflow on PostgreSQL with proxied artifacts, and the studies beside it.

Two sweeps at once: neither loses, doubles or mixes anything.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import made
import postgres
import pytest
from command import ENVIRONMENT, tuner, write_spec
from heads import free_ports

from tuner.tracking.reader import runs
from tuner.tracking.records import Artifact, Metrics, Params, RunStarted, decode

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or ""),
]
NAMES = ("left", "right")


@dataclass(frozen=True)
class Team:
    """The servers, and a folder with a spec for each sweep."""

    database: postgres.Server
    uri: str
    artifacts: Path
    folder: Path

    def expected(self, name: str) -> tuple[set[str], set[tuple[str, ...]], set[tuple[object, ...]]]:
        """Runs, params and points that a sweep recorded, from its outbox."""
        keys, params, points = set(), set(), set()
        path = self.folder / "sweeps" / name / "outbox" / "records.jsonl"
        for line in path.read_bytes().splitlines():
            record = decode(line).record
            if isinstance(record, RunStarted):
                keys.add(record.key)
            elif isinstance(record, Params):
                params |= {(record.key, path, text) for path, text in record.values.items()}
            elif isinstance(record, Metrics):
                points |= {(record.key, n, record.step, v) for n, v in record.values.items()}
        return keys, params, points

    def artifacts_of(self, name: str) -> int:
        path = self.folder / "sweeps" / name / "outbox" / "records.jsonl"
        return sum(isinstance(decode(x).record, Artifact) for x in path.read_bytes().splitlines())


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    made.sequences_csv(folder / "rows.csv", num=120)
    with postgres.postgres() as database, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGUSER", "postgres")
        patch.setitem(ENVIRONMENT, "PGUSER", "postgres")
        for name in ("mlflow", "studies"):
            database.query("postgres", f"create database {name}")
        (port,) = free_ports(1)
        line = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        line += ["--backend-store-uri", f"{database.url}/mlflow", "--workers", "1"]
        line += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                line, env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            uri = f"http://127.0.0.1:{port}"
            _wait(uri, folder / "server.log")
            for name in NAMES:
                write_spec(
                    folder / f"{name}.yaml",
                    search={"trials": 8, "seed": 3, "storage": f"{database.url}/studies"},
                    tracking={"uri": uri},
                )
            yield Team(database, uri, folder / "artifacts", folder)
        finally:
            # All of them at once: some of its workers outlive it.
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(uri: str, log: Path) -> None:
    deadline = time.monotonic() + 240
    while True:
        try:
            urllib.request.urlopen(f"{uri}/version", timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.5)


def test_two_sweeps_at_once_leave_exactly_what_they_recorded(team: Team) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tuner", "sweep", f"{name}.yaml"],
            cwd=team.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in NAMES
    ]
    for process in started:
        _, said = process.communicate(timeout=480)
        assert process.returncode == 0, said
    total_params = total_points = 0
    for name in NAMES:
        keys, params, points = team.expected(name)
        assert keys == {"sweep", *(f"trial-{number:04d}" for number in range(8))}
        found = runs(team.uri, name)
        assert {run.status for run in found} == {"FINISHED"}
        assert len(found) == len(keys) and {run.key for run in found} == keys
        assert {(r.key, p, v) for r in found for p, v in r.params.items()} == params
        by_id = {run.run_id: run.key for run in found}
        ids = ", ".join(f"'{run_id}'" for run_id in by_id)
        rows = team.database.query(
            "mlflow", f"select run_uuid, key, step, value from metrics where run_uuid in ({ids})"
        )
        assert len(rows) == len(points), "none lost, none doubled"
        assert {(by_id[str(r[0])], *r[1:]) for r in rows} == points
        total_params, total_points = total_params + len(params), total_points + len(points)
    count = {
        table: team.database.query("mlflow", f"select count(*) from {table}")[0][0]
        for table in ("runs", "params", "metrics")
    }
    assert count == {"runs": 18, "params": total_params, "metrics": total_points}
    print(count)


def test_both_studies_are_in_the_database_and_nothing_else_is(team: Team) -> None:
    counted = team.database.query(
        "studies",
        "select study_name, count(*) from trials join studies using (study_id) group by study_name",
    )
    assert sorted((str(name).rpartition("-")[0], number) for name, number in counted) == [
        ("left", 8),
        ("right", 8),
    ]
    for name in NAMES:
        assert not (team.folder / "sweeps" / name / "study.db").exists()
        kept = json.loads((team.folder / "sweeps" / name / "study.json").read_text())
        assert kept["name"] in {study for study, _ in counted}
        done = tuner("leaderboard", name, "--format", "json", cwd=team.folder)
        assert len(json.loads(done.stdout)["trials"]) == 8, done.stderr


def test_artifacts_went_through_the_server(team: Team) -> None:
    for name in NAMES:
        found = runs(team.uri, name)
        assert {run.artifact_uri.partition(":")[0] for run in found} == {"mlflow-artifacts"}
    stored = [path for path in team.artifacts.rglob("*") if path.is_file()]
    assert len(stored) >= sum(team.artifacts_of(name) for name in NAMES) > 0


def test_a_database_that_goes_stops_the_sweep_until_it_is_back(team: Team) -> None:
    storage = f"{team.database.url}/studies"
    # Local tracking, as the server's runs are in the same PostgreSQL.
    write_spec(
        team.folder / "late.yaml",
        search={"storage": storage, "trials": 60, "scheduler": "none"},
        override={"model/hidden_size": [4, 8, 12], "model/layers": 1, "training/epochs": 40},
    )
    log = team.folder / "late.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tuner", "sweep", "late.yaml"],
            cwd=team.folder,
            env=ENVIRONMENT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 240
    while "trial 0: COMPLETE" not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    team.database.stop()
    try:
        assert process.wait(timeout=120) == 1
        said = log.read_text()
        assert "database does not answer" in said and "Traceback" not in said
        begun = time.monotonic()
        done = tuner("sweep", "late.yaml", "--name", "later", cwd=team.folder)
        assert done.returncode == 2 and "[search/storage-unreachable]" in done.stderr
        assert "Traceback" not in done.stderr and time.monotonic() - begun < 60
        assert not (team.folder / "sweeps" / "later").exists()
        done = tuner("status", cwd=team.folder)
        assert done.returncode == 0 and "does not answer" in done.stdout, done.stderr
    finally:
        team.database.start()
    done = tuner("resume", "late", cwd=team.folder)
    assert done.returncode == 0 and "60 trials (" in done.stdout, done.stderr
    assert "trial 0: COMPLETE" not in done.stderr, "what had ended is not run again"
