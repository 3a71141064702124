"""Target columns of numbers: one for each sequence, complete and varied, from every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.data.card import DataCard, TaskData
from tuner.data.config import DataConfig
from tuner.data.predicting import read_for_prediction
from tuner.data.prepare import prepare
from tuner.data.store import Store
from tuner.errors import DataError

NUMBER = TaskData(kind="sequence", target="number")
ROWS = [f"s{i:02d},{step},{i + step / 10},{i * 2.5}" for i in range(20) for step in range(3)]
HEAD = "id,step,x,y"


def made(folder: Path, rows: list[str] = ROWS, head: str = HEAD, **data: Any) -> DataCard:
    (folder / "rows.csv").write_text("\n".join([head, *rows]))
    section = {"train": "rows.csv", "id": "id", "time": "step", "target": "y", **data}
    return prepare(DataConfig.model_validate(section), NUMBER, folder, folder / "data", 0)


def codes(folder: Path, rows: list[str], **data: Any) -> list[str]:
    with pytest.raises(DataError) as refused:
        made(folder, rows, **data)
    assert not (folder / "data").exists()
    assert all(m.rule and m.where and m.got and m.fix for m in refused.value.mistakes)
    return [m.code for m in refused.value.mistakes]


def test_each_sequence_has_its_number(tmp_path: Path) -> None:
    card = made(tmp_path, test=0.2)
    store = Store.open(tmp_path / "data")
    assert store.target_SC is not None
    expected = [2.5 * int(name[1:]) for name in store.ids]
    assert store.target_SC[:, 0].tolist() == expected
    assert card.features == ("x",), "the answer is no input"
    assert card.layout.targets == ("y",) and card.labels == ()
    train = store.target_SC[store.split_S == 0].astype(np.float64)
    fitted = store.card.fitted(None)
    assert fitted.target_mean[0] == pytest.approx(train.mean())
    assert fitted.target_std[0] == pytest.approx(train.std())


def test_splits_hold_small_and_large_numbers_alike(tmp_path: Path) -> None:
    rows = [f"s{i:03d},0,{i},{i**3}" for i in range(200)]
    made(tmp_path, rows, test=0.25, validation=0.25)
    store = Store.open(tmp_path / "data")
    assert store.target_SC is not None
    decile = np.argsort(np.argsort(store.target_SC[:, 0])) // 20
    for split in (1, 2):
        assert np.bincount(decile[store.split_S == split], minlength=10).tolist() == [5] * 10


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda r: [r[0][:-3], *r[1:]], "data/missing-target"),
        (lambda r: [r[0][:-3] + "7.5", *r[1:]], "data/target-varies"),
        (lambda r: [r[0][:-3] + "many", *r[1:]], "data/not-a-number"),
        (lambda r: [",".join([*row.split(",")[:3], "4"]) for row in r], "data/constant-target"),
    ],
)
def test_what_cannot_be_predicted_is_refused(tmp_path: Path, change: Any, code: str) -> None:
    assert code in codes(tmp_path, change(ROWS))


def test_a_target_must_be_named(tmp_path: Path) -> None:
    assert codes(tmp_path, ROWS, target=None) == ["data/absent-column"]
    assert codes(tmp_path, ROWS, target="z") == ["data/absent-column"]


def test_an_input_that_is_the_answer_is_told(tmp_path: Path) -> None:
    twins = [f"{row},{row.split(',')[3]}" for row in ROWS]
    card = made(tmp_path, twins, head=f"{HEAD},z")
    assert any("data/target-feature" in warning for warning in card.warnings)


def test_prediction_takes_files_with_and_without_the_target(tmp_path: Path) -> None:
    card = made(tmp_path)
    steps = read_for_prediction([tmp_path / "rows.csv"], card.layout, (), warnings=[])
    assert steps.target_SC is not None and steps.target_SC[3, 0] == 7.5
    (tmp_path / "new.csv").write_text("id,step,x\na,0,1\na,1,2\n")
    assert (
        read_for_prediction([tmp_path / "new.csv"], card.layout, (), warnings=[]).target_SC is None
    )


def test_the_archives_own_format_names_its_target(tmp_path: Path) -> None:
    head = ["@problemName made", "@targetLabel true", "@data"]
    lines = [f"{i},{i + 1},{i + 2}:{i % 3},1,2:{i / 4}" for i in range(20)]
    (tmp_path / "rows.ts").write_text("\n".join([*head, *lines]))
    prepare(DataConfig(train="rows.ts"), NUMBER, tmp_path, tmp_path / "data", 0)
    store = Store.open(tmp_path / "data")
    assert store.target_SC is not None
    assert store.target_SC[:, 0].tolist() == [i / 4 for i in range(20)]
    assert store.card.features == ("1", "2")
    lines[3] = lines[3].rpartition(":")[0] + ":much"
    (tmp_path / "rows.ts").write_text("\n".join([*head, *lines]))
    with pytest.raises(DataError, match="data/not-a-number"):
        prepare(DataConfig(train="rows.ts"), NUMBER, tmp_path, tmp_path / "other", 0)
