"""No split or fold tears a group apart, and strata are as even as groups allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.prepare import prepare
from tuner.data.store import Store
from tuner.errors import DataError

NUM, GROUPS = 240, 24
SPEAKER = np.arange(NUM) * 7 % NUM // 10
"""Ten sequences each; a third of the speakers say `b` only, the others `a`."""


def rows(folder: Path, name: str = "rows.csv", chosen: np.ndarray | None = None) -> None:
    lines = ["id,x,speaker,label"]
    for i in range(NUM) if chosen is None else chosen:
        lines.append(f"s{i:03d},{i * 1.5},{SPEAKER[i]},{'baa'[SPEAKER[i] % 3]}")
    (folder / name).write_text("\n".join(lines))


def split(folder: Path, seed: int = 0, **data: Any) -> Store:
    section = {"train": "rows.csv", "id": "id", "target": "label", "group": "speaker", **data}
    into = folder / f"data-{len(list(folder.iterdir()))}"
    prepare(DataConfig.model_validate(section), TaskData(kind="sequence"), folder, into, seed)
    return Store.open(into)


def speakers(store: Store, chosen_S: np.ndarray) -> set[int]:
    return {int(SPEAKER[int(store.ids[s][1:])]) for s in np.flatnonzero(chosen_S)}


def test_shares_keep_groups_together_and_classes_even(tmp_path: Path) -> None:
    rows(tmp_path)
    store = split(tmp_path, validation=0.25, test=0.25)
    each = [speakers(store, store.split_S == k) for k in range(3)]
    assert sum(map(len, each)) == len(set.union(*each)) == GROUPS
    for k, size in enumerate((120, 60, 60)):
        labels = store.label_S[store.split_S == k]
        assert np.bincount(labels).tolist() == [size * 2 // 3, size // 3]
    assert store.card.features == ("x",), "a group is no input"


def test_without_a_group_they_are_torn_apart(tmp_path: Path) -> None:
    rows(tmp_path)
    store = split(tmp_path, validation=0.25, group=None, features=["x"])
    assert speakers(store, store.split_S == 0) & speakers(store, store.split_S == 1)


def test_folds_keep_groups_together_and_classes_even(tmp_path: Path) -> None:
    rows(tmp_path)
    store = split(tmp_path, validation={"folds": 4}, test=0.25)
    each = [speakers(store, store.fold_S == fold) for fold in range(4)]
    assert sum(map(len, each)) == len(set.union(*each))
    for fold in range(4):
        labels = store.label_S[store.fold_S == fold]
        assert len(labels) in (40, 50) and np.bincount(labels, minlength=2).min() >= 10


def test_other_seeds_choose_other_groups(tmp_path: Path) -> None:
    rows(tmp_path)
    chosen = [split(tmp_path, seed, validation=0.25) for seed in (0, 0, 1)]
    found = [speakers(store, store.split_S == 1) for store in chosen]
    assert found[0] == found[1] != found[2]


def refused(folder: Path, **data: Any) -> list[str]:
    with pytest.raises(DataError) as error:
        split(folder, **data)
    assert all(m.rule and m.where and m.got and m.fix for m in error.value.mistakes)
    return [m.code for m in error.value.mistakes]


def test_files_that_share_a_group_are_refused(tmp_path: Path) -> None:
    rows(tmp_path, chosen=np.arange(0, 200))
    rows(tmp_path, "later.csv", np.arange(200, NUM))
    assert refused(tmp_path, validation="later.csv") == ["data/shared-group"]


def test_a_group_must_be_known_and_one_per_sequence(tmp_path: Path) -> None:
    lines = ["id,x,speaker,label"]
    lines += [f"s{i // 2},{i},{i // 2 % 5},{'ab'[i // 2 % 2]}" for i in range(40)]
    for bad, code in (("s0,0,,a", "data/missing-group"), ("s0,0,9,a", "data/group-varies")):
        (tmp_path / "rows.csv").write_text("\n".join([lines[0], bad, *lines[2:]]))
        assert refused(tmp_path) == [code]
    assert refused(tmp_path, group="nobody") == ["data/absent-column"]


def test_more_folds_than_groups_are_refused(tmp_path: Path) -> None:
    rows(tmp_path, chosen=np.flatnonzero(SPEAKER < 4))
    assert "data/empty-split" in refused(tmp_path, validation={"folds": 5})


def test_series_have_no_groups(tmp_path: Path) -> None:
    rows(tmp_path)
    config = DataConfig(train="rows.csv", group="speaker", features=["x"])
    with pytest.raises(DataError, match="data/group"):
        prepare(config, TaskData(kind="series", horizon=2), tmp_path, tmp_path / "data", 0)


def test_without_stratification_shares_are_random(tmp_path: Path) -> None:
    lines = ["id,x,label", *(f"s{i:03d},{i},{'ab'[i % 2]}" for i in range(200))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    counts = {}
    for stratify in (True, False):
        stores = [
            split(tmp_path, seed, group=None, validation=0.2, stratify=stratify)
            for seed in range(4)
        ]
        counts[stratify] = [int((s.label_S[s.split_S == 1] == 0).sum()) for s in stores]
    assert counts[True] == [20] * 4
    assert counts[False] != [20] * 4
