"""Histories: grouped by user, sorted by time, their ends held out, and what is refused of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.data.predicting import read_for_prediction
from tuner.data.store import Store
from tuner.errors import DataError

TASK = {"name": "recommendation"}
DATA = {"train": "rows.csv", "id": "user", "time": "at", "target": "film"}
LAST = {"validation": {"last": 1}, "test": {"last": 1}}
ROWS = [
    "user,film,at,rating",
    *("b,x,3,1", "a,p,5,2", "b,y,1,5", "a,q,5,3", "a,o,2,4", "b,z,3,1", "a,r,9,2", "b,w,8,3"),
]


def prepared(folder: Path, lines: list[str] = ROWS, **data: Any) -> Store:
    (folder / "rows.csv").write_text("\n".join([*lines, ""]))
    return Store.open(made.prepared(folder, TASK, {**DATA, **LAST, "sort": True, **data}))


def items(store: Store, history: int) -> str:
    assert store.token_N is not None
    begin = store.offset_S[history]
    return "".join(store.forms[v] for v in store.token_N[begin : begin + store.length_S[history]])


def refused(folder: Path, lines: list[str] = ROWS, **data: Any) -> dict[str, str]:
    with pytest.raises(DataError) as raised:
        prepared(folder, lines, **data)
    for mistake in raised.value.mistakes:
        assert all([mistake.rule, mistake.where, mistake.got, mistake.fix])
    assert not (folder / "data").exists()
    return {mistake.code: str(mistake) for mistake in raised.value.mistakes}


def test_events_are_sorted_by_time_and_ties_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    store = prepared(tmp_path)
    assert dict(zip(store.ids, map(items, [store] * 2, range(2)), strict=True)) == {
        "b": "yxzw",
        "a": "opqr",
    }
    assert not [w for w in store.card.warnings if "irregular" in w]


def test_the_last_events_are_held_out_of_each_history(tmp_path: Path) -> None:
    store = prepared(tmp_path)
    assert {name: bound.tolist() for name, bound in store.bounds.items()} == {
        "train_end": [2, 2],
        "validation_start": [2, 2],
        "validation_end": [3, 3],
        "test_start": [3, 3],
        "test_end": [4, 4],
    }


def test_items_are_known_from_training_rows_only(tmp_path: Path) -> None:
    store = prepared(tmp_path)
    assert set(store.card.vocabulary) == {"x", "y", "o", "p"}
    assert store.card.fitted(None).token_counts == (1, 1, 1, 1)
    (warning,) = [w for w in store.card.warnings if "data/unseen-item" in w and "test" in w]
    assert warning.startswith("2 of 2 items to predict in the test split are in no training row")


def test_a_share_or_a_moment_holds_out_the_end_too(tmp_path: Path) -> None:
    store = prepared(tmp_path, validation=0.25, test=0.25)
    assert store.bounds["train_end"].tolist() == [2, 2]
    (tmp_path / "later").mkdir()
    store = prepared(tmp_path / "later", validation={"after": 5}, test={"after": 8})
    assert store.bounds["train_end"].tolist() == [3, 1]
    assert store.bounds["test_start"].tolist() == [3, 3]


def test_lines_of_histories_are_read(tmp_path: Path) -> None:
    (tmp_path / "Shop.txt").write_text("7 3 1 2\n9 1 3 2 4 4\n")
    data = {"train": "Shop.txt", "format": "histories", **LAST}
    store = Store.open(made.prepared(tmp_path, TASK, data))
    assert list(store.ids) == ["7", "9"] and items(store, 1) == "13244"
    assert [w for w in store.card.warnings if "data/repeats" in w and "1 of 2" in w]


def test_users_without_an_item_are_told_by_their_line(tmp_path: Path) -> None:
    (tmp_path / "rows.histories").write_text("7 3 1 2\n9\n")
    with pytest.raises(DataError, match="line 2"):
        made.prepared(tmp_path, TASK, {"train": "rows.histories", **LAST})


def test_new_rows_of_known_users_are_read_alike(tmp_path: Path) -> None:
    store = prepared(tmp_path)
    (tmp_path / "new.csv").write_text("user,film,at\na,x,3\na,never,1\n")
    paths, layout = [tmp_path / "new.csv"], store.card.layout
    steps = read_for_prediction(paths, layout, (), store.card.vocabulary, warnings=[])
    assert steps.token_N is not None
    assert [steps.forms[v] for v in steps.token_N] == ["never", "x"]


def test_what_histories_cannot_take_is_told_at_once(tmp_path: Path) -> None:
    found = refused(
        tmp_path,
        features=["rating"],
        validation={"folds": 3},
        tokens="word",
        target=["film"],
    )
    assert found.keys() == {"data/history", "data/folds", "data/tokens"}
    assert "item" in found["data/tokens"]


@pytest.mark.parametrize(
    ("data", "code", "part"),
    [
        ({"sort": False}, "data/unsorted", "sort: true"),
        ({"target": None}, "data/absent-column", "`data/target`"),
        ({"target": "title"}, "data/absent-column", "'title'"),
        ({"target": ["film", "rating"]}, "data/target", "one column"),
        ({"id": None}, "data/absent-column", "`data/id`"),
        ({"validation": {"last": 4}}, "data/too-short", "train split"),
        ({"test": {"last": 4}}, "data/too-short", "validation split"),
        ({"group": "rating"}, "data/group", "whole sequences"),
    ],
)
def test_mistakes(data: dict[str, Any], code: str, part: str, tmp_path: Path) -> None:
    found = refused(tmp_path, **data)
    assert part in found[code], found


def test_the_last_rows_of_whole_sequences_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="last rows"):
        made.classification(tmp_path, validation={"last": 1})


def test_a_series_can_be_cut_by_its_last_rows(tmp_path: Path) -> None:
    made.series_csv(tmp_path / "rows.csv")
    data = {"train": "rows.csv", "id": "name", "time": "time"}
    data |= {"validation": {"last": 10}, "test": {"last": 20}}
    store = Store.open(made.prepared(tmp_path, made.TASKS["forecasting"], data))
    assert (store.length_S - store.bounds["test_start"] == 20).all()
    assert (store.bounds["validation_start"] == store.length_S - 30).all()
    assert np.array_equal(store.bounds["train_end"], store.bounds["validation_start"])
