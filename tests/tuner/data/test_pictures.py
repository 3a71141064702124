"""Pictures that a manifest names: read in one size, as rows of pixels, or refused."""

from __future__ import annotations

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

CAPTIONING = {"name": "captioning"}


def section(**data: Any) -> dict[str, Any]:
    return {
        "train": "rows.csv",
        "picture": {"height": 8, "width": 12},
        "target": "caption",
        "duplicates": "warn",
        **data,
    }


def refused(folder: Path, **data: Any) -> dict[str, str]:
    """Code → where and what."""
    with pytest.raises(DataError) as wrong:
        made.prepared(folder, CAPTIONING, section(**data))
    assert all(m.rule and m.where and m.got and m.fix for m in wrong.value.mistakes)
    return {m.code: f"{m.where} | {m.got}" for m in wrong.value.mistakes}


def test_a_picture_is_averaged_where_it_shrinks_and_stretched_where_it_grows() -> None:
    pixels_HWC = np.random.default_rng(0).random((6, 9, 3))
    half = fitted(pixels_HWC, Picture(height=4, width=4))
    whole = fitted(pixels_HWC, Picture(height=6, width=9))
    np.testing.assert_allclose(whole, pixels_HWC, rtol=1e-6)
    assert half.mean() == pytest.approx(pixels_HWC.mean(), rel=1e-5)
    thirds = fitted(pixels_HWC[:, :8], Picture(height=6, width=4))
    np.testing.assert_allclose(thirds, (pixels_HWC[:, :8:2] + pixels_HWC[:, 1:8:2]) / 2, rtol=1e-5)
    twice = fitted(pixels_HWC, Picture(height=12, width=18))
    np.testing.assert_allclose(twice[::2, ::2], pixels_HWC, rtol=1e-6)
    grey = fitted(pixels_HWC, Picture(height=6, width=9, colour=False))
    np.testing.assert_allclose(grey[..., 0], pixels_HWC.mean(axis=2), rtol=1e-5)


def test_rows_of_pixels_are_steps(tmp_path: Path) -> None:
    made.pictures_csv(tmp_path / "rows.csv", num=20)
    store = Store.open(made.prepared(tmp_path, CAPTIONING, section()))
    assert store.values_NF.shape == (20 * 8, 36) and (store.length_S == 8).all()
    file = tmp_path / "png" / "003.png"
    expected = fitted(png.decode(file.read_bytes()), Picture(height=8, width=12))
    row = list(store.ids).index(str(file))
    begin = int(store.offset_S[row])
    found = store.values_NF[begin : begin + 8].reshape(8, 12, 3)
    np.testing.assert_allclose(found, expected)
    assert [Path(file.path).name for file in store.card.files][:2] == ["rows.csv", "000.png"]
    task = make_task(CAPTIONING, TrialConfig.from_values({}, CAPTIONING), store.card, None)
    assert task.shape.picture == (8, 12, 3) and task.shape.inputs == 36
    steps = read_for_prediction(
        [tmp_path / "rows.csv"],
        store.card.layout,
        (),
        target_words=store.card.target_vocabulary,
        warnings=[],
    )
    np.testing.assert_array_equal(steps.values_NF, store.values_NF)


def test_a_picture_may_have_several_texts(tmp_path: Path) -> None:
    made.pictures_csv(tmp_path / "rows.csv", num=12)
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    again = [line.partition(",")[0] + ",another text" for line in lines[1:]]
    (tmp_path / "rows.csv").write_text("\n".join([*lines, *again]) + "\n")
    data = section(group=None, validation={"folds": 2}, test=None)
    store = Store.open(made.prepared(tmp_path, CAPTIONING, data))
    assert len(store.ids) == 24 and store.ids[12].endswith("000.png (2)")
    assert store.target_tokens is not None and store.target_tokens.of(12) == ["another", "text"]


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    made.pictures_csv(tmp_path / "rows.csv", num=12)
    (tmp_path / "png" / "004.png").write_bytes(b"GIF89a")
    assert "004.png | no PNG signature" in refused(tmp_path)["data/picture"]
    (tmp_path / "png" / "004.png").unlink()
    assert "004.png" in refused(tmp_path)["data/missing"]
    absent = refused(tmp_path, picture={"path": "image"})
    assert "no column 'image'" in absent["data/absent-column"]
    assert "max_length" in refused(tmp_path, max_length=3)["data/picture"]
    text = (tmp_path / "rows.csv").read_text().splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([*text[:3], ",nothing"]) + "\n")
    assert "line 4" in refused(tmp_path)["data/missing-picture"]


def test_pictures_are_no_series_and_have_no_tags(tmp_path: Path) -> None:
    made.pictures_csv(tmp_path / "rows.csv", num=12)
    with pytest.raises(DataError) as wrong:
        made.prepared(tmp_path, {"name": "tagging"}, section())
    assert "data/picture" in {m.code for m in wrong.value.mistakes}
