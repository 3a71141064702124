"""Clips that a manifest names: read frame by frame, in order, in one size, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.config import TrialConfig, make_task
from tuner.data import clips, png
from tuner.data.clips import natural, stepped
from tuner.data.config import DataConfig
from tuner.data.formats.csv import read
from tuner.data.frames import Frames
from tuner.data.pictures import fitted
from tuner.data.predicting import read_for_prediction
from tuner.data.reading import with_enclosed_files
from tuner.data.store import Store
from tuner.errors import DataError, Mistake

SIZE = {"height": 6, "width": 8}


def section(**data: Any) -> dict[str, Any]:
    return {"train": "rows.csv", "frames": SIZE, "target": "label", "duplicates": "warn", **data}


def mistakes(
    folder: Path, task: dict[str, Any] = made.CLASSIFICATION, **data: Any
) -> list[Mistake]:
    with pytest.raises(DataError) as wrong:
        made.prepared(folder, task, section(**data))
    assert all(m.rule and m.where and m.got and m.fix for m in wrong.value.mistakes)
    assert not (folder / "data").exists()
    return list(wrong.value.mistakes)


def told(folder: Path, **data: Any) -> dict[str, str]:
    """Code → where and what."""
    return {m.code: f"{m.where} | {m.got}" for m in mistakes(folder, **data)}


def by_frame(folder: Path) -> list[dict[str, Any]]:
    """The made clips as a manifest with a row for each frame, the last frames first."""
    made.clips_csv(folder / "clips.csv", num=12)
    rows = [
        {
            "frames": str(file.relative_to(folder)),
            "clip": place.name,
            "time": int(file.stem),
            "label": "late" if int(file.stem) > 9 else "early",
        }
        for place in sorted((folder / "clips").iterdir())
        for file in sorted(place.iterdir(), key=lambda file: -int(file.stem))
    ]
    made.write_rows(folder / "rows.csv", rows)
    return rows


def test_a_frame_is_a_step(tmp_path: Path) -> None:
    made.clips_csv(tmp_path / "rows.csv", num=20)
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, section()))
    config = Frames(**SIZE)
    begin = int(store.offset_S[3])
    folder = tmp_path / "clips" / "003"
    files = sorted(folder.iterdir(), key=lambda file: int(file.stem))
    assert store.length_S[3] == len(files) and [file.stem for file in files][:2] == ["8", "9"]
    for step, file in enumerate(files):
        expected = fitted(png.decode(file.read_bytes()), config)
        np.testing.assert_allclose(store.values_NF[begin + step].reshape(6, 8, 3), expected)
    assert store.ids[3] == str(folder)
    assert {Path(f.path).name for f in store.card.files} >= {"rows.csv", "8.png", "9.png"}
    task = make_task(
        made.CLASSIFICATION, TrialConfig.from_values({}, made.CLASSIFICATION), store.card, None
    )
    assert task.shape.frame == (6, 8, 3) and task.shape.inputs == 144
    again = read_for_prediction(
        [tmp_path / "rows.csv"], store.card.layout, store.card.labels, warnings=[]
    )
    np.testing.assert_array_equal(again.values_NF, store.values_NF)


def test_frames_that_rows_name_equal_those_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    made.clips_csv(tmp_path / "one" / "rows.csv", num=12)
    whole = Store.open(made.prepared(tmp_path / "one", made.CLASSIFICATION, section()))
    by_frame(tmp_path)
    data = section(id="clip", time="time", sort=True)
    store = Store.open(made.prepared(tmp_path, {"name": "tagging"}, data))
    np.testing.assert_array_equal(store.values_NF, whole.values_NF)
    np.testing.assert_array_equal(store.length_S, whole.length_S)
    assert store.card.labels == ("early", "late")
    first = store.tag_N[: store.length_S[0]]
    assert first.tolist() == [0, 0, *[1] * (store.length_S[0] - 2)]


def test_frames_that_rows_hold_need_ids_in_files_and_none_in_a_request(tmp_path: Path) -> None:
    made.clips_csv(tmp_path / "rows.csv", num=12)
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, section()))
    layout = store.card.layout
    path = tmp_path / "rows.csv"
    table = read(path, layout)
    table = with_enclosed_files(replace(table, columns=table.columns.slice(0, 1)), path, layout)
    assert len(table.columns) == store.length_S[0] > 1
    held = stepped(table, None, layout)
    assert set(held.columns.column("frames").to_pylist()) == {"clip"} and not held.beside
    values_NF = np.stack([held.columns.column(name) for name in layout.frames.names], axis=1)
    np.testing.assert_array_equal(values_NF, store.values_NF[: len(values_NF)])
    with pytest.raises(DataError, match="must name the column that tells clips apart"):
        stepped(table, path, layout)


def test_names_are_in_natural_order() -> None:
    names = ["f10.png", "f9.png", "f1-2.png", "f1-10.png", "f09.png", "g.png", "2.png"]
    assert sorted(names, key=natural) == [
        "2.png",
        "f1-2.png",
        "f1-10.png",
        "f09.png",
        "f9.png",
        "f10.png",
        "g.png",
    ]


def test_all_that_is_wrong_with_clips_is_told_together(tmp_path: Path) -> None:
    made.clips_csv(tmp_path / "rows.csv", num=12)
    text = (tmp_path / "rows.csv").read_text().splitlines()
    place = tmp_path / "clips"
    (place / "000" / "8.png").write_bytes(b"GIF89a")
    (place / "001" / "9.png").write_bytes((place / "001" / "9.png").read_bytes()[:-20])
    for file in (place / "002").iterdir():
        file.unlink()
    (place / "003" / "notes.txt").write_text("a note")
    (place / "004" / ".hidden").write_text("left alone")
    lines = [*text, f"{place / 'none'},left", f"{place / '000' / '9.png'},left"]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    found = mistakes(tmp_path, time="label")
    said = "\n".join(f"{m.code} | {m.where} | {m.got}" for m in found)
    assert "no PNG signature" in said and "a file that ends too early" in said
    assert "002" in said and "no file" in said
    assert "1 others, notes.txt" in said
    assert "data/missing" in said and "none | no such file" in said
    assert "9.png | a file, where other rows name folders" in said
    assert "data/time | 'label'" in said
    assert "004" not in said


def test_single_frames_need_the_name_of_their_clip(tmp_path: Path) -> None:
    rows = by_frame(tmp_path)
    assert "files in column 'frames'" in told(tmp_path)["data/frames-clip"]
    (tmp_path / rows[3]["frames"]).unlink()
    where = told(tmp_path, id="clip", time="time", sort=True)["data/missing"]
    assert rows[3]["frames"] in where and "no such file" in where
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([*lines[:4], ",000,9,late"]) + "\n")
    assert "line 5" in told(tmp_path, id="clip")["data/missing-frames"]


def test_a_clip_has_an_id_of_its_own(tmp_path: Path) -> None:
    made.clips_csv(tmp_path / "rows.csv", num=12)
    assert "line 4" in told(tmp_path, id="label")["data/frames-id"]
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    data = section(validation={"folds": 2})
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, data))
    assert len(store.ids) == 13 and store.ids[12].endswith("000 (2)")


def test_a_model_reads_one_kind_of_file(tmp_path: Path) -> None:
    made.clips_csv(tmp_path / "rows.csv", num=12)
    assert told(tmp_path, picture={})["data/inputs"] == "data/frames | picture and frames"
    assert "'label'" in told(tmp_path, features=["label"])["data/frames"]
    (only,) = [m for m in mistakes(tmp_path, {"name": "language_modelling"}) if "tag" in m.rule]
    assert only.code == "data/frames"


def test_what_frames_may_fill_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"16,384 numbers each.*got 49,152"):
        DataConfig.model_validate(section(frames={"height": 128, "width": 128}))
    made.clips_csv(tmp_path / "rows.csv", num=12)
    monkeypatch.setattr(clips, "MAX_DECODED", 12_000)
    assert told(tmp_path)["data/frames"].endswith("| more")
