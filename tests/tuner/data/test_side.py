"""What stands beside each sequence: read once, checked to be constant, fitted on training rows."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.config import TrialConfig, make_task
from tuner.data import png
from tuner.data.picture import Picture
from tuner.data.pictures import fitted
from tuner.data.predicting import read_for_prediction
from tuner.data.store import Store
from tuner.errors import DataError

SECTION = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
FUSED = {"features": ["x", "y"], "static": ["age"], "picture": {"path": "photo", "height": 4}}
Rows = list[dict[str, str]]


def prepared(folder: Path, task: dict[str, Any] | None = None, **data: Any) -> Store:
    if not (folder / "rows.csv").exists():
        made.fused_csv(folder / "rows.csv")
    section = SECTION | FUSED | data
    task = task or made.CLASSIFICATION
    return Store.open(made.prepared(folder, task, {k: v for k, v in section.items() if v}))


def refused(folder: Path, task: dict[str, Any] | None = None, **data: Any) -> dict[str, str]:
    """Code → where and what."""
    with pytest.raises(DataError) as wrong:
        prepared(folder, task, **data)
    assert all(m.rule and m.where and m.got and m.fix for m in wrong.value.mistakes)
    assert not (folder / "data").exists()
    return {m.code: f"{m.where} | {m.got}" for m in wrong.value.mistakes}


def changed(folder: Path, change: Callable[[Rows], None]) -> None:
    """The made rows, changed."""
    made.fused_csv(folder / "rows.csv")
    with (folder / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    made.write_rows(folder / "rows.csv", rows)


def task_of(store: Store, fold: int | None = None, **values: Any) -> Any:
    config = TrialConfig.from_values(values, made.CLASSIFICATION)
    return make_task(made.CLASSIFICATION, config, store.card, fold)


def test_numbers_and_pixels_stand_once_for_each_sequence(tmp_path: Path) -> None:
    store = prepared(tmp_path)
    assert store.side_SX is not None and store.side_SX.shape == (61, 1 + 4 * 64 * 3)
    assert store.values_NF.shape[1] == 2 and store.card.features == ("x", "y")
    with (tmp_path / "rows.csv").open(newline="") as file:
        first = {row["id"]: row for row in reversed(list(csv.DictReader(file)))}
    for sequence, name in enumerate(store.ids):
        row = first[name]
        assert store.side_SX[sequence, 0] == np.float32(row["age"])
        pixels_HWC = png.decode(Path(row["photo"]).read_bytes())
        expected = fitted(pixels_HWC, Picture(height=4, width=64)).ravel()
        np.testing.assert_array_equal(store.side_SX[sequence, 1:], expected)
    files = [Path(file.path).name for file in store.card.files]
    assert sorted(files) == ["0.png", "1.png", "rows.csv"], "each picture is read once"


def test_scales_are_fitted_on_training_sequences_each_counted_once(tmp_path: Path) -> None:
    store = prepared(tmp_path, validation={"folds": 3}, clip={"sigma": 1.0})
    assert store.side_SX is not None
    for fold, train_S in ((None, store.split_S == 0), (1, store.fold_S != 1)):
        ages_S = store.side_SX[train_S, 0].astype(float)
        found = store.card.fitted(fold).side
        assert found is not None and len(found.mean) == 1
        assert found.mean[0] == pytest.approx(ages_S.mean())
        assert found.std[0] == pytest.approx(ages_S.std())
        batch = task_of(store, fold).batch(store, np.arange(61))
        expected = np.clip((store.side_SX[:, 0] - ages_S.mean()) / ages_S.std(), -1, 1)
        np.testing.assert_allclose(batch.side[:, 0], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(batch.side[:, 1:], store.side_SX[:, 1:])
    plain = task_of(store, **{"data/scaling": "none"}).batch(store, np.arange(61))
    assert plain.side[:, 0].max() > 10


def test_texts_and_tokens_have_numbers_beside_them(tmp_path: Path) -> None:
    made.questions_csv(tmp_path / "rows.csv")
    rows = list(csv.DictReader((tmp_path / "rows.csv").open(newline="")))
    numbered = [row | {"asked": i} for i, row in enumerate(rows)]
    made.write_rows(tmp_path / "rows.csv", numbered)
    data: dict[str, Any] = {"train": "rows.csv", "text": "text", "target": "kind"}
    data |= {"static": ["asked"], "tokens": "subword"}
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, data))
    assert store.side_SX is not None and store.token_N is not None
    assert store.side_SX[:, 0].tolist() == list(range(60))
    task = task_of(store)
    assert task.shape.vocabulary and task.shape.side.numbers == 1
    tokens = [
        {"id": row["kind"] + str(i), "token": token, "asked": i, "kind": row["kind"]}
        for i, row in enumerate(rows)
        for token in row["text"].split()
    ]
    (tmp_path / "given").mkdir()
    made.write_rows(tmp_path / "given" / "rows.csv", tokens)
    data |= {"text": "token", "id": "id", "tokens": "given"}
    given = Store.open(made.prepared(tmp_path / "given", made.CLASSIFICATION, data))
    assert given.side_SX is not None and given.side_SX[:, 0].tolist() == list(range(60))


def test_what_differs_only_beside_it_is_no_copy(tmp_path: Path) -> None:
    rows = [{"text": "how much", "size": i, "kind": "ab"[i % 2]} for i in range(60)]
    made.write_rows(tmp_path / "rows.csv", rows)
    data = {"train": "rows.csv", "text": "text", "target": "kind"}
    made.prepared(tmp_path, made.CLASSIFICATION, data | {"static": ["size"]})
    alone = data | {"train": str(tmp_path / "rows.csv")}
    with pytest.raises(DataError, match="data/shared-rows"):
        made.prepared(tmp_path / "alone", made.CLASSIFICATION, alone)


def test_what_varies_or_is_no_number_is_refused(tmp_path: Path) -> None:
    places: list[int] = []

    def spoil(rows: Rows) -> None:
        place = next(i for i, row in enumerate(rows) if row["id"] == rows[i + 2]["id"])
        rows[place + 1]["age"] = "99"
        rows[place + 2]["photo"] = next(
            row["photo"] for row in rows if row["photo"] != rows[place]["photo"]
        )
        places.append(place)

    changed(tmp_path, spoil)
    age, photo = (f"line {places[0] + more}" for more in (3, 4))
    assert age in refused(tmp_path, picture=None)["data/static-varies"]
    assert photo in refused(tmp_path, static=None)["data/static-varies"]

    def word(rows: Rows) -> None:
        rows[1]["age"] = "old"

    changed(tmp_path, word)
    assert "'old'" in refused(tmp_path)["data/not-a-number"]


def test_a_missing_number_is_refused_or_filled(tmp_path: Path) -> None:
    def empty(rows: Rows) -> None:
        for row in rows:
            if row["id"] in ("s000", "s003"):
                row["age"] = ""

    changed(tmp_path, empty)
    assert "missing" in refused(tmp_path)["data/missing-value"]
    store = prepared(tmp_path, missing="mean")
    batch = task_of(store).batch(store, np.arange(61))
    assert batch.side[[0, 3], 0].tolist() == [0, 0] and batch.side[1, 0] != 0
    (tmp_path / "zero").mkdir()
    (tmp_path / "zero" / "rows.csv").write_text((tmp_path / "rows.csv").read_text())
    zero = prepared(tmp_path / "zero", missing="zero")
    assert zero.side_SX is not None and zero.side_SX[0, 0] == 0


def test_pictures_that_are_absent_are_refused(tmp_path: Path) -> None:
    def lose(rows: Rows) -> None:
        rows[0]["photo"] = "nowhere.png"

    changed(tmp_path, lose)
    assert "nowhere.png" in refused(tmp_path)["data/missing"]

    def leave(rows: Rows) -> None:
        rows[4]["photo"] = ""

    changed(tmp_path, leave)
    assert "line 6" in refused(tmp_path)["data/missing-picture"]
    absent = refused(tmp_path, static=["agee"], picture={"path": "image"})
    assert "no column 'image'" in absent["data/absent-column"]


def test_pictures_that_would_fill_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.data.side.MAX_DECODED", 61 * 4 * 4 * 64 * 3 - 1)
    assert "61 sequences" in refused(tmp_path)["data/pictures"]


@pytest.mark.parametrize("static", ["x", "label", "id"])
def test_what_means_something_else_is_refused(tmp_path: Path, static: str) -> None:
    found = refused(tmp_path, static=[static])
    assert found.keys() <= {"data/static", "data/target-feature"} and static in str(found)


def test_tasks_that_read_no_second_input_say_so(tmp_path: Path) -> None:
    control = {"name": "control"}
    assert "data/covariates" in refused(tmp_path, control, picture=None)
    found = refused(tmp_path, {"name": "captioning"}, static=None)
    assert "data/picture" in found, "its pictures are the sequences"


def test_a_picture_alone_is_the_sequence(tmp_path: Path) -> None:
    made.pictures_csv(tmp_path / "rows.csv")
    data: dict[str, Any] = {"train": "rows.csv", "target": "caption", "duplicates": "warn"}
    rows = list(csv.DictReader((tmp_path / "rows.csv").open(newline="")))
    kinds = [row | {"caption": "two" if "and" in row["caption"] else "one"} for row in rows]
    made.write_rows(tmp_path / "rows.csv", [row | {"age": i} for i, row in enumerate(kinds)])
    data |= {"picture": {"height": 8, "width": 12}, "static": ["age"]}
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, data))
    shape = task_of(store).shape
    assert shape.picture == (8, 12, 3) and shape.side.numbers == 1 and shape.side.picture is None


def test_raw_input_is_read_as_training_rows_are(tmp_path: Path) -> None:
    store = prepared(tmp_path)
    layout = store.card.layout
    steps = read_for_prediction([tmp_path / "rows.csv"], layout, store.card.labels, warnings=[])
    np.testing.assert_array_equal(steps.side_SX, store.side_SX)

    def codes(change: Callable[[Rows], None]) -> set[str]:
        changed(tmp_path, change)
        with pytest.raises(DataError) as wrong:
            read_for_prediction([tmp_path / "rows.csv"], layout, store.card.labels, warnings=[])
        assert all(m.rule and m.where and m.got and m.fix for m in wrong.value.mistakes)
        return {m.code for m in wrong.value.mistakes}

    def without(*names: str) -> Callable[[Rows], None]:
        def change(rows: Rows) -> None:
            for row in rows:
                for name in names:
                    del row[name]

        return change

    def put(name: str, value: str) -> Callable[[Rows], None]:
        return lambda rows: rows[0].update({name: value})

    assert codes(without("age", "photo")) == {"data/absent-column"}
    assert codes(put("age", "old")) == {"data/not-a-number"}
    assert codes(put("age", "NaN")) == codes(put("age", "")) == {"data/missing-value"}
    assert codes(put("age", "inf")) == {"data/infinite"}
    assert codes(put("photo", "nowhere.png")) == {"data/missing"}
    assert codes(put("photo", "")) == {"data/missing-picture"}
