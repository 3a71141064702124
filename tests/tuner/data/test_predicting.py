"""Raw input for an exported model is read as the training files were."""

from __future__ import annotations

from pathlib import Path

import made
import numpy as np
import pytest

from tuner.data.layout import Layout
from tuner.data.predicting import read_for_prediction
from tuner.data.store import Store
from tuner.errors import DataError

TASK = {"name": "forecasting", "horizon": 6}


def test_the_training_files_again(tmp_path: Path) -> None:
    store = Store.open(made.classification(tmp_path))
    layout = Layout.from_json(store.card.layout.to_json())
    steps = read_for_prediction([tmp_path / "rows.csv"], layout, store.card.labels, warnings=[])
    np.testing.assert_array_equal(steps.values_NF, store.values_NF)
    assert steps.label_S.tolist() == store.label_S.tolist()
    assert list(steps.ids) == list(store.ids)
    assert steps.offset_S.dtype == store.offset_S.dtype


@pytest.mark.parametrize("label", ["", "unheard of", None])
def test_labels_are_optional(tmp_path: Path, label: str | None) -> None:
    store = Store.open(made.classification(tmp_path))
    header, row = ("id,step,x,y", "n,0,1,2") if label is None else ("id,step,x,y,label", "n,0,1,2,")
    (tmp_path / "new.csv").write_text(f"{header}\n{row}{label or ''}\n")
    steps = read_for_prediction(
        [tmp_path / "new.csv"], store.card.layout, store.card.labels, warnings=[]
    )
    assert steps.label_S.tolist() == [-1] and list(steps.ids) == ["n"]


def test_series_go_to_the_last_row(tmp_path: Path) -> None:
    made.series_csv(tmp_path / "rows.csv", missing=0.1)
    data = {"train": "rows.csv", "id": "name", "time": "time", "missing": "forward"}
    store = Store.open(made.prepared(tmp_path, TASK, data))
    steps = read_for_prediction([tmp_path / "rows.csv"], store.card.layout, (), warnings=[])
    np.testing.assert_array_equal(steps.values_NF, store.values_NF)
    assert store.observed_NF is not None and steps.observed_NF is not None
    assert steps.observed_NF.tolist() == store.observed_NF.tolist()


def test_mistakes_come_together(tmp_path: Path) -> None:
    store = Store.open(made.classification(tmp_path))
    (tmp_path / "new.csv").write_text("id,step,x\nn,0,1\n")
    files = [tmp_path / "absent.csv", tmp_path / "new.csv"]
    with pytest.raises(DataError) as refused:
        read_for_prediction(files, store.card.layout, store.card.labels, warnings=[])
    assert [m.code for m in refused.value.mistakes] == ["data/missing", "data/absent-column"]
