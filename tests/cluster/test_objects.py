"""Sweeps on hosts that share no disk: data and checkpoints go through an object store."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import hosts
import made
import object_store
import pytest
import test_hosts as rig
from hosts import Lab
from object_store import Store

from tuner.results import curve
from tuner.tracking.reader import runs
from tuner.tracking.uri import local_uri

REASON = hosts.why_not() or object_store.missing()
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two hosts of one CPU each; specs and sweeps lie on the head's own disk."""
    with Lab((1, 1)) as made_lab:
        for name in ("specs", "home", "cache", "notes"):
            (made_lab.folder / name).mkdir()
        for host in made_lab.hosts:
            host.environment |= object_store.CREDENTIALS | {
                "TUNER_CACHE": str(made_lab.folder / "cache" / "own"),
                "NOTES": str(made_lab.folder / "notes"),
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        made_lab.hosts[1].alone += [made_lab.folder / n for n in ("specs", "home", "cache")]
        made.sequences_csv(made_lab.folder / "specs" / "rows.csv", num=60)
        (made_lab.folder / "specs" / "mine.py").write_text(rig.MODEL)
        made_lab.start_all()
        yield made_lab


@pytest.fixture(scope="module")
def store(lab: Lab) -> Iterator[Store]:
    """On the head."""
    enter = ("ip", "netns", "exec", lab.head.namespace)
    with object_store.store(lab.folder, lab.head.address, enter) as running:
        yield running


def names(lab: Lab, store: Store, folder: str) -> list[str]:
    """Of the objects below a folder; the store is in another network."""
    code = "import sys; from cluster.storage import ObjectStore; "
    code += "print('\\n'.join(ObjectStore(sys.argv[1]).stamps()))"
    done = lab.run(lab.head, sys.executable, "-c", code, store.uri(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def tuner(lab: Lab, *arguments: str, home: str = "home", **more: str) -> Any:
    own = {"TUNER_HOME": str(lab.folder / home)} | more
    command = [sys.executable, "-m", "tuner", *arguments]
    return lab.run(lab.head, *command, cwd=lab.folder / "specs", timeout=400, **own)


def test_two_ranks_on_hosts_that_share_no_disk(lab: Lab, store: Store) -> None:
    """Data come from the store as well."""
    (lab.folder / "specs" / "rows.csv").rename(lab.folder / "specs" / "moved.csv")
    code = "import sys; from pathlib import Path; from cluster.storage import ObjectStore; "
    code += "ObjectStore(sys.argv[1]).store(Path(sys.argv[2]), 'rows.csv')"
    moved = str(lab.folder / "specs" / "moved.csv")
    done = lab.run(lab.head, sys.executable, "-c", code, store.uri("raw"), moved)
    assert done.returncode == 0, done.stderr
    data = {"train": "s3://lab/raw/rows.csv", "id": "id", "time": "step", "target": "label"}
    two = {"data": data | {"test": 0.2}, "resources": {"workers": 2}}
    file = rig.spec(lab, "apart", epochs=4, search={"trials": 2, "seed": 3}, **two)
    place = lab.cluster_file("s3://lab/sweeps")
    endpoint = {"AWS_ENDPOINT_URL": store.endpoint}
    done = tuner(lab, "sweep", str(file), "--cluster", str(place), **endpoint)
    assert done.returncode == 0, done.stderr
    trained = {path.name.partition("-")[0] for path in (lab.folder / "notes").iterdir()}
    assert trained == {host.address for host in lab.hosts}
    sweep = lab.folder / "home" / "apart"
    assert (sweep / "trials" / "0000" / "best.safetensors").exists(), "fetched for whoever exports"
    assert not list(sweep.glob("trials/*/epoch-*"))
    there = names(lab, store, "sweeps/apart")
    assert {"spec.json", "study.db", "finished.json", "data/steps.arrow"} <= set(there)
    assert {"trials/0000/best.json", "trials/0000/curve.csv"} <= set(there)
    assert not [name for name in there if "epoch-" in name or "seeds" in name or "lease" in name]
    assert {run.status for run in runs(local_uri(lab.folder / "home"), "apart")} == {"FINISHED"}
    # Each host has fetched the data once; the other host's cache is on its own disk.
    cached = [
        p.name for p in (lab.folder / "cache" / "own").iterdir() if not p.name.startswith(".")
    ]
    assert len([name for name in cached if not name.startswith("work-")]) <= 3


def test_what_was_interrupted_goes_on_in_another_home(lab: Lab, store: Store) -> None:
    """As on another machine: all that is known of the sweep lies in the store."""
    (lab.folder / "specs" / "moved.csv").rename(lab.folder / "specs" / "rows.csv")
    search, team = {"trials": 2, "seed": 3}, {"uri": f"sqlite:///{lab.folder}/runs.db"}
    file = rig.spec(lab, "moves", seconds=0.3, epochs=10, search=search, tracking=team)
    place = lab.cluster_file(store.uri("sweeps"))
    output = lab.folder / "moves.txt"
    command = [sys.executable, "-m", "tuner", "sweep", str(file), "--cluster", str(place)]
    first = {"TUNER_HOME": str(lab.folder / "home")}
    process = lab.begin(lab.head, *command, cwd=file.parent, output=output, **first)
    trial = lab.folder / "home" / "moves" / "trials" / "0000"
    rig.wait_for(lambda: process.poll() or len(curve.read(trial).get("epoch", [])) >= 4, 240)
    process.terminate()
    assert process.wait(180) == 143, output.read_text()
    there = names(lab, store, "sweeps/moves")
    assert "study.db" in there and [name for name in there if "epoch-" in name]
    lab.run(lab.head, "rm", "-r", str(lab.folder / "home" / "moves"))
    (lab.folder / "other").mkdir()
    done = tuner(lab, "resume", "moves", "--cluster", str(place), home="other")
    assert done.returncode == 0, done.stderr
    found = curve.read(lab.folder / "other" / "moves" / "trials" / "0000")
    assert found["epoch"] == list(range(1, 11)), "no epoch is told twice"
    board = tuner(lab, "leaderboard", "moves", "--format", "json", home="other").stdout
    assert {trial["state"] for trial in json.loads(board)["trials"]} == {"COMPLETE"}


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("s3://none/sweeps", "storage/no-bucket"),
        ("s3://lab/sweeps?endpoint_override=127.0.0.1:1", "storage/unreachable"),
        ("ftp://lab/sweeps", "storage/uri"),
    ],
)
def test_a_store_that_cannot_serve_is_told_in_seconds(
    lab: Lab, store: Store, uri: str, code: str
) -> None:
    file = rig.spec(lab, "refused")
    place = lab.cluster_file(uri)
    begin = time.monotonic()
    done = tuner(lab, "sweep", str(file), "--cluster", str(place), AWS_ENDPOINT_URL=store.endpoint)
    assert done.returncode == 2 and f"[{code}]" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and time.monotonic() - begin < 60
    assert not (lab.folder / "home" / "refused").exists()


def test_a_node_that_does_not_reach_the_store_is_named(lab: Lab, store: Store) -> None:
    """Its own loopback is not the head's."""
    port = store.host.rpartition(":")[2]
    uri = f"s3://lab/sweeps?endpoint_override=127.0.0.1:{port}&scheme=http"
    place = lab.cluster_file(uri)
    done = tuner(lab, "sweep", str(rig.spec(lab, "refused")), "--cluster", str(place))
    assert done.returncode == 2 and "[cluster/storage]" in done.stderr, done.stderr
    assert f"node {lab.hosts[1].address} gave" in done.stderr
    assert "all nodes must read and write s3://lab/sweeps" in done.stderr
    assert not [name for name in names(lab, store, "sweeps") if "probe" in name]
