"""Which rows train, which rank trials, which are scored once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.prepare import prepare
from tuner.data.store import Store

NUM = 60


def labelled(folder: Path, order: np.ndarray | None = None, seed: int = 0, **data: Any) -> Store:
    """Sequences of 1 to 4 steps: half `a`, a third `b`, the rest `c`; step i of s_i begins at i."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(NUM, 4))
    lines = ["id,time,x,label"]
    for i in range(NUM) if order is None else order:
        for t in range(1 + i % 4):
            lines.append(f"s{i:02d},{i + t / 10},{values[i, t]},{'ababac'[i % 6]}")
    (folder / "rows.csv").write_text("\n".join(lines))
    section = {"train": "rows.csv", "id": "id", "time": "time", "target": "label", **data}
    into = folder / f"data-{len(list(folder.iterdir()))}"
    config = DataConfig.model_validate(section)
    prepare(config, TaskData(kind="sequence"), folder, into, seed)
    return Store.open(into)


def members(store: Store, split: int) -> set[str]:
    return {store.ids[i] for i in np.flatnonzero(store.split_S == split)}


def shares(store: Store, chosen_S: np.ndarray) -> dict[str, int]:
    return dict(Counter(store.card.labels[i] for i in store.label_S[chosen_S]))


def test_shares_are_stratified_and_of_the_whole(tmp_path: Path) -> None:
    store = labelled(tmp_path, validation=0.2, test=0.2)
    assert store.card.num_sequences == {"train": 36, "validation": 12, "test": 12}
    for split in (1, 2):
        assert shares(store, store.split_S == split) == {"a": 6, "b": 4, "c": 2}


def test_shares_depend_on_ids_and_seed_only(tmp_path: Path) -> None:
    store = labelled(tmp_path, test=0.2)
    shuffled = labelled(tmp_path, np.random.default_rng(5).permutation(NUM), test=0.2)
    reseeded = labelled(tmp_path, test=0.2, seed=1)
    assert [members(store, k) for k in range(3)] == [members(shuffled, k) for k in range(3)]
    assert members(store, 2) != members(reseeded, 2)


def test_a_rare_class_stays_where_it_can_be_learned(tmp_path: Path) -> None:
    rare = {7: "rare"}
    lines = ["id,x,label", *(f"s{i},{i},{rare.get(i, 'ab'[i % 2])}" for i in range(20))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    config = DataConfig(train="rows.csv", id="id", target="label", validation=0.4, test=0.4)
    for seed in range(5):
        folder = tmp_path / str(seed)
        card = prepare(config, TaskData(kind="sequence"), tmp_path, folder, seed)
        assert card.statistics["all"].class_counts[card.labels.index("rare")] == 1


def test_folds_are_stratified_and_leave_the_test_split_alone(tmp_path: Path) -> None:
    store = labelled(tmp_path, validation={"folds": 4}, test=0.2)
    assert store.card.num_folds == 4
    assert set(store.fold_S[store.split_S == 2]) == {-1}
    for fold in range(4):
        found = shares(store, store.fold_S == fold)
        assert sum(found.values()) == 12
        assert found["a"] == 6 and found["b"] == 4 and found["c"] == 2
        left = store.card.statistics[str(fold)].class_counts
        assert left == tuple(24 * n // 24 * 3 for n in (6, 4, 2))


def test_spans_leave_later_sequences_out(tmp_path: Path) -> None:
    spans = {"validation": {"after": 30}, "test": {"after": 40, "until": 50}}
    store = labelled(tmp_path, **spans)
    first_S = np.array([int(name[1:]) for name in store.ids])
    expected = np.select([first_S < 30, first_S < 40, first_S < 50], [0, 1, 2], -1)
    assert store.split_S.tolist() == expected.tolist()
    assert store.card.num_sequences == {"train": 30, "validation": 10, "test": 10}


def days(folder: Path, name: str, start: str, num: int, series: str = "s") -> None:
    times = np.datetime64(start) + np.arange(num)
    lines = ["id,day,x,y", *(f"{series},{t},{i},{i % 7}" for i, t in enumerate(times))]
    (folder / name).write_text("\n".join(lines))


def bounds(folder: Path, **data: Any) -> dict[str, list[int]]:
    config = DataConfig.model_validate({"train": "rows.csv", "id": "id", "time": "day", **data})
    prepare(config, TaskData(kind="series", horizon=2), folder, folder / "data", 0)
    store = Store.open(folder / "data")
    return {name: store.bounds[name].tolist() for name in store.bounds}


@pytest.mark.parametrize(
    ("splits", "train_end", "validation", "test"),
    [
        ({"validation": 0.2}, 80, (80, 100), (100, 100)),
        ({"validation": 0.2, "test": 0.1}, 70, (70, 90), (90, 100)),
        (
            {
                "validation": {"after": "2024-01-31", "until": "2024-02-10"},
                "test": {"after": "2024-02-10", "until": "2024-02-20"},
            },
            30,
            (30, 40),
            (40, 50),
        ),
        ({"validation": {"after": "2024-01-31"}, "test": {"after": "2024-02-10"}}, 30, (30, 40),
         (40, 100)),
        ({"validation": {"after": "2024-02"}}, 31, (31, 100), (100, 100)),
        ({"validation": 0.1, "test": {"after": "2024-02-10"}}, 30, (30, 40), (40, 100)),
    ],
)  # fmt: skip
def test_series_are_cut_by_time(
    tmp_path: Path, splits: Any, train_end: int, validation: Any, test: Any
) -> None:
    days(tmp_path, "rows.csv", "2024-01-01", 100)
    found = bounds(tmp_path, **splits)
    assert found["train_end"] == [train_end]
    assert (found["validation_start"], found["validation_end"]) == (
        [validation[0]],
        [validation[1]],
    )
    assert (found["test_start"], found["test_end"]) == ([test[0]], [test[1]])


def test_files_of_a_series_go_on_where_the_last_ended(tmp_path: Path) -> None:
    days(tmp_path, "rows.csv", "2024-01-01", 50)
    days(tmp_path, "later.csv", "2024-02-20", 20)
    days(tmp_path, "last.csv", "2024-03-11", 10)
    found = bounds(tmp_path, validation="later.csv", test="last.csv")
    assert found == {
        "train_end": [50],
        "validation_start": [50],
        "validation_end": [70],
        "test_start": [70],
        "test_end": [80],
    }


def test_statistics_know_training_rows_only(tmp_path: Path) -> None:
    days(tmp_path, "rows.csv", "2024-01-01", 100)
    bounds(tmp_path, validation=0.2, test=0.2)
    fitted = Store.open(tmp_path / "data").card.fitted(None)
    x = np.arange(60)
    assert fitted.mean[0] == pytest.approx(x.mean()) and fitted.std[0] == pytest.approx(x.std())
    assert (fitted.minimum[0], fitted.maximum[0]) == (0, 59)


def test_statistics_of_a_fold_leave_it_out(tmp_path: Path) -> None:
    store = labelled(tmp_path, validation={"folds": 3})
    fold_N = np.repeat(store.fold_S, store.length_S)
    for fold in range(3):
        kept = store.values_NF[fold_N != fold, 0].astype(np.float64)
        fitted = store.card.fitted(fold)
        assert fitted.mean[0] == pytest.approx(kept.mean())
        assert fitted.std[0] == pytest.approx(kept.std())
