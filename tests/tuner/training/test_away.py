"""A rank whose sweep lies in an object store trains as if it lay on its disk."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import made
import object_store
import pytest
import torch
from object_store import Store

from cluster.storage import ObjectStore
from tuner.copies import Copy
from tuner.errors import LaneBroken
from tuner.training import away, checkpoint
from tuner.training.job import Job
from tuner.training.rank import Rank

pytestmark = pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing() or "")

VALUES = {"training/epochs": 5, "regularization/dropout": 0.3}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with object_store.store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    # Saved when it is told to, however slow the machine.
    monkeypatch.setattr("tuner.training.trial._CHECKPOINT_SECONDS", 1e9)
    for name, value in object_store.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def sweep(store: Store, tmp_path: Path) -> tuple[Copy, Job, ObjectStore]:
    """A sweep's folder and a job in it, as they are sent to a node that has neither."""
    folder = tmp_path / "driver" / tmp_path.name
    folder.mkdir(parents=True)
    data = made.classification(folder)
    (folder / "trials").mkdir()
    copy = Copy(folder, store.uri("sweeps"))
    remote = copy.begin()
    shutil.move(folder, tmp_path / "hidden")
    job = made.job(data, folder / "trials" / "0000", VALUES)
    there = ObjectStore(store.uri(f"sweeps/{tmp_path.name}"))
    return copy, dataclasses.replace(job, remote=remote), there


def names(there: ObjectStore) -> set[str]:
    return {name for name in there.stamps("trials") if "confusion" not in name}


def test_it_ends_with_the_weights_of_one_on_a_disk(
    sweep: tuple[Copy, Job, ObjectStore], tmp_path: Path
) -> None:
    copy, job, there = sweep
    first, second = Rank("cpu", 1), Rank("cpu", 1)
    first.start(job)
    first.epoch(), first.epoch()
    first.save()
    assert {"trials/0000/epoch-00002.json", "trials/0000/.lease"} <= names(there)
    assert second.start(job) == 2, "on another node"
    while not second.epoch().ended:
        pass
    assert names(there) == {"trials/0000/best.json", "trials/0000/best.safetensors"}
    first.save(), first.stop()
    with pytest.raises(LaneBroken, match="another lane has taken this trial up"):
        for _ in range(4):
            first.epoch()
    assert names(there) == {"trials/0000/best.json", "trials/0000/best.safetensors"}
    assert len(list((tmp_path / "cache").glob("[0-9a-f]*"))) == 1, "both read one copy of the data"
    for rank in (first, second):
        rank.leave()
    assert not list((tmp_path / "cache").glob("work-*"))
    shutil.move(tmp_path / "hidden", job.remote.folder)  # type: ignore[union-attr]
    copy.fetch()
    found = checkpoint.read(Path(job.folder), "best")
    whole = Rank("cpu", 1)
    whole.start(dataclasses.replace(job, remote=None, folder=str(tmp_path / "whole")))
    while not whole.epoch().ended:
        pass
    expected = whole.best()
    assert found is not None and expected is not None
    assert all(torch.equal(found.tensors[n], t) for n, t in expected.tensors.items())


def test_data_that_are_not_the_sweeps_are_not_trained_on(
    sweep: tuple[Copy, Job, ObjectStore],
) -> None:
    _, job, there = sweep
    there.write("data/card.json", b"{}")
    with pytest.raises(LaneBroken, match="data in the object store is not what the sweep wrote"):
        Rank("cpu", 1).start(job)


def test_a_store_that_is_away_breaks_the_lane_in_time(
    sweep: tuple[Copy, Job, ObjectStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tune starts another one, which finds the last checkpoint."""
    _, job, _ = sweep
    monkeypatch.setattr(away, "PATIENCE_SECONDS", 0.5)
    assert job.remote is not None
    gone = re.sub(r"%3A\d+", "%3A1", job.remote.uri)
    assert gone != job.remote.uri
    remote = dataclasses.replace(job.remote, uri=gone)
    with pytest.raises(LaneBroken, match="s3://lab/sweeps"):
        Rank("cpu", 1).start(dataclasses.replace(job, remote=remote))
