"""A lane that was cut off and comes back writes no more into its trial."""

from __future__ import annotations

from pathlib import Path

import made
import pytest

from tuner.errors import LaneBroken
from tuner.training import checkpoint
from tuner.training.lease import Folder, Lease
from tuner.training.rank import Rank


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


def test_the_last_claim_holds(tmp_path: Path) -> None:
    first, second = (Lease(Folder(tmp_path / "trial")) for _ in range(2))
    first.check()
    first.claim(), first.check()
    second.claim(), first.claim()
    second.check()
    with pytest.raises(LaneBroken, match="another lane has taken this trial up"):
        first.check()
    second.end()
    with pytest.raises(LaneBroken):
        second.check()
    assert not list((tmp_path / "trial").iterdir())


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_attempt_that_comes_back_changes_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Saved when it is told to, however slow the machine.
    monkeypatch.setattr("tuner.training.trial._CHECKPOINT_SECONDS", 1e9)
    job = made.job(data, tmp_path / "trial", {"training/epochs": 6})
    cut_off, later = Rank("cpu", 1), Rank("cpu", 1)
    cut_off.start(job)
    cut_off.epoch(), cut_off.epoch()
    cut_off.save()
    assert later.start(job) == 2
    later.epoch()
    later.save()
    cut_off.epoch(), cut_off.epoch()
    before = content(tmp_path / "trial")
    cut_off.save()
    assert content(tmp_path / "trial") == before
    while not later.epoch().ended:
        pass
    after = content(tmp_path / "trial")
    with pytest.raises(LaneBroken, match="another lane"):
        cut_off.epoch(), cut_off.epoch()
    cut_off.stop()
    assert content(tmp_path / "trial") == after, "nor when the trial is over"
    best = checkpoint.read(tmp_path / "trial", "best")
    assert best is not None
