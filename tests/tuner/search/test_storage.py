"""The study's file: cut anywhere it goes on, and readers never disturb the writer."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from tuner.search.storage import FILE, PREVIOUS, Storage, is_sound, read

DOWN = [StudyDirection.MINIMIZE]


def fill(folder: Path, count: int) -> Storage:
    storage = Storage(folder, DOWN)
    for number in range(count):
        storage.add(create_trial(state=TrialState.RUNNING))
        # As the search does, numbered by the storage.
        storage.mark(number, 1, 0.5)
        storage.finish(number, TrialState.COMPLETE, [number / 10], "{}")
    return storage


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates made outside a study have no number."""
    from optuna.trial import FrozenTrial

    add = Storage.add

    def add_next(self: Storage, trial: FrozenTrial) -> None:
        trial.number = len(self._ids)
        add(self, trial)

    monkeypatch.setattr(Storage, "add", add_next)


pytestmark = pytest.mark.usefixtures("numbered")


def test_reopened_it_holds_what_was_written(tmp_path: Path) -> None:
    fill(tmp_path, 3).close()

    again = Storage(tmp_path, DOWN)

    assert [(t.value, t.intermediate_values) for t in again.trials()] == [
        (0.0, {1: 0.5}),
        (0.1, {1: 0.5}),
        (0.2, {1: 0.5}),
    ]
    again.close()


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    fill(tmp_path / "50% {off} ?x=1#y", 1).close()

    assert (tmp_path / "50% {off} ?x=1#y" / FILE).exists()


def test_a_cut_file_goes_back_to_its_previous_generation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, 3).close()
    whole = (tmp_path / FILE).read_bytes()
    previous = (tmp_path / PREVIOUS).read_bytes()
    random = Random(0)
    cuts = [0, 1, 100, *(random.randrange(len(whole)) for _ in range(9))]
    for cut in cuts:
        (tmp_path / FILE).write_bytes(whole[:cut])
        (tmp_path / PREVIOUS).write_bytes(previous)
        caplog.clear()

        again = Storage(tmp_path, DOWN)

        assert len(again.trials()) >= 1, cut
        assert "previous generation" in caplog.text
        again.close()


def test_without_a_previous_generation_it_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b"SQLite format 3\x00 and no more")

    storage = Storage(tmp_path, DOWN)

    assert storage.trials() == []
    assert "begins anew" in caplog.text
    storage.close()


def test_readers_see_the_trials_while_a_writer_holds_the_file(tmp_path: Path) -> None:
    assert read(tmp_path / "absent") == []
    storage = fill(tmp_path, 2)

    assert [t.number for t in read(tmp_path)] == [0, 1]
    storage.add(create_trial(state=TrialState.RUNNING))
    assert [t.state for t in read(tmp_path)][-1] is TrialState.RUNNING
    storage.close()


def test_a_reader_leaves_a_damaged_file_for_the_writer(tmp_path: Path) -> None:
    fill(tmp_path, 2).close()
    (tmp_path / FILE).write_bytes(b"nothing")

    assert len(read(tmp_path)) >= 1
    assert (tmp_path / FILE).read_bytes() == b"nothing"
    assert not is_sound(tmp_path / FILE)
