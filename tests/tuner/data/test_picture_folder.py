"""Folders of pictures without a manifest: classes by subfolder, texts by stem, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import yaml

from tuner.data import png
from tuner.data.card import DataCard
from tuner.data.files import changed_files
from tuner.data.predicting import read_for_prediction
from tuner.data.store import Store
from tuner.errors import DataError
from tuner.first_contact import first_contact

CAPTIONING = {"name": "captioning"}
SIZE = {"height": 8, "width": 8}


def picture(path: Path, seed: int, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)
    path.write_bytes(png.encode(pixels))


def classes(folder: Path, num: int = 10, start: int = 0) -> Path:
    for i in range(num):
        for place, name in enumerate(("cat", "dog")):
            picture(folder / name / f"{i}.png", start + 2 * i + place)
    return folder


def pairs(folder: Path, num: int = 12, suffix: str = ".txt") -> Path:
    for i in range(num):
        picture(folder / f"{i:02d}.png", i)
        (folder / f"{i:02d}{suffix}").write_text(f"a picture number {i % 3}\n")
    return folder


def prepared(
    folder: Path, task: dict[str, Any] = made.CLASSIFICATION, **data: Any
) -> tuple[Store, DataCard]:
    made.prepared(folder, task, {"train": "photos", "duplicates": "warn", **data})
    store = Store.open(folder / "data")
    return store, store.card


def told(folder: Path, task: dict[str, Any] = made.CLASSIFICATION, **data: Any) -> str:
    with pytest.raises(DataError) as wrong:
        prepared(folder, task, **data)
    assert all(m.rule and m.where and m.got and m.fix for m in wrong.value.mistakes)
    assert not (folder / "data").exists()
    return "\n".join(f"{m.code} | {m.where} | {m.got}" for m in wrong.value.mistakes)


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    classes(tmp_path / "photos")
    (tmp_path / "photos" / ".cache").mkdir()
    store, card = prepared(tmp_path, picture=SIZE, test=0.2)
    assert card.labels == ("cat", "dog") and card.features[:2] == ("1r", "1g")
    assert list(store.label_S) == [0] * 10 + [1] * 10
    assert (store.length_S == 8).all() and store.ids[10] == "photos/dog/0.png"
    pixels_HWC = png.decode((tmp_path / "photos" / "dog" / "0.png").read_bytes())
    begin = int(store.offset_S[10])
    np.testing.assert_allclose(store.values_NF[begin : begin + 8].reshape(8, 8, 3), pixels_HWC)
    assert [f.path for f in card.files][:2] == ["photos", "photos/cat/0.png"]


def test_splits_are_folders_too_and_the_size_has_a_default(tmp_path: Path) -> None:
    for number, name in enumerate(("photos", "val")):
        classes(tmp_path / name, start=100 * number)
    store, card = prepared(tmp_path, validation="val")
    assert card.num_sequences == {"train": 20, "validation": 20, "test": 0}
    assert (store.length_S == 64).all()


@pytest.mark.parametrize("suffix", [".txt", ".gui"])
def test_a_text_beside_each_picture(tmp_path: Path, suffix: str) -> None:
    pairs(tmp_path / "photos", suffix=suffix)
    data = {"picture": SIZE, "validation": {"folds": 2}}
    store, card = prepared(tmp_path, CAPTIONING, **data)
    assert store.target_tokens is not None
    assert store.target_tokens.of(4) == ["a", "picture", "number", "1"]
    assert f"photos/04{suffix}" in [file.path for file in card.files]


def test_pictures_to_be_answered_have_neither(tmp_path: Path) -> None:
    classes(tmp_path / "photos")
    _, card = prepared(tmp_path, picture=SIZE)
    picture(tmp_path / "new" / "7.png", 70)
    steps = read_for_prediction([tmp_path / "new"], card.layout, card.labels, warnings=[])
    assert list(steps.ids) == ["new/7.png"] and list(steps.label_S) == [-1]
    again = read_for_prediction([tmp_path / "photos"], card.layout, card.labels, warnings=[])
    assert list(again.label_S) == [0] * 10 + [1] * 10
    (tmp_path / "photos").rename(tmp_path / "old")
    (tmp_path / "new").rename(tmp_path / "photos")
    (tmp_path / "data").rename(tmp_path / "data of before")
    assert "data/absent-column" in told(tmp_path, picture=SIZE)


def test_what_is_wrong_in_folders_of_classes_is_told_together(tmp_path: Path) -> None:
    photos = classes(tmp_path / "photos")
    picture(photos / "loose.png", 90)
    (photos / "empty").mkdir()
    (photos / "dog" / "9.jpg").write_bytes(b"\xff\xd8")
    (photos / "dog" / "more").mkdir()
    said = told(tmp_path, test="nowhere.csv")
    assert "3 folders and 1 files" in said
    assert "no picture" in said and "photos/empty" in said
    assert "2 others: 9.jpg, more" in said
    assert "nowhere.csv | no such file" in said
    for each in (photos / "cat" / "0.png", photos / "cat" / "1.png"):
        each.write_bytes(b"GIF89a")
    for each in (photos / "loose.png", photos / "dog" / "9.jpg"):
        each.unlink()
    (photos / "empty").rmdir()
    (photos / "dog" / "more").rmdir()
    said = told(tmp_path)
    assert "cat/0.png" in said and "cat/1.png | no PNG signature" in said


def test_what_is_wrong_with_pairs_is_told_together(tmp_path: Path) -> None:
    photos = pairs(tmp_path / "photos")
    (photos / "03.txt").unlink()
    (photos / "04.gui").write_text("a second text")
    (photos / "05.txt").write_bytes(b"caf\xe9")
    (photos / "alone.txt").write_text("no picture")
    (photos / "notes.md").write_text("a note")
    said = told(tmp_path, CAPTIONING)
    assert "1 pictures without a text: 03.png" in said
    assert "1 texts without a picture: alone.txt" in said
    assert "2 texts that share a picture: 04.gui, 04.txt" in said
    assert "1 others: notes.md" in said
    assert "05.txt | byte 0xe9 at offset 3" in said


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert "data/picture-folder" in told(tmp_path) and "no picture" in told(tmp_path)
    (tmp_path / "photos" / "rows.csv").write_text("a,b\n1,2\n")
    assert "1 others: rows.csv" in told(tmp_path)
    assert "photos/rows.csv | a file" in told(
        tmp_path, train="photos/rows.csv", format="picture_folder"
    )


def test_a_picture_more_is_a_change(tmp_path: Path) -> None:
    photos = classes(tmp_path / "photos")
    _, card = prepared(tmp_path, picture=SIZE)
    assert changed_files(card, tmp_path) == []
    (photos / ".cache").write_text("passed over")
    assert changed_files(card, tmp_path) == []
    picture(photos / "cat" / "more.png", 91)
    (mistake,) = changed_files(card, tmp_path)
    assert (mistake.where, mistake.got) == ("photos", "other files in it")


@pytest.mark.parametrize("split", [False, True])
def test_init_finds_the_classes(tmp_path: Path, split: bool) -> None:
    if split:
        classes(tmp_path / "photos" / "train")
        classes(tmp_path / "photos" / "val", num=4, start=200)
    else:
        classes(tmp_path / "photos")
    lines: list[str] = []
    first_contact(tmp_path / "photos", to=tmp_path / "spec.yaml", tell=lines.append)
    spec = yaml.safe_load((tmp_path / "spec.yaml").read_text())
    assert spec["task"] == "classification"
    assert spec["data"]["train"] == ("photos/train" if split else "photos")
    assert spec["data"]["picture"] == {"height": 64, "width": 64}
    assert ("photos/val" == spec["data"]["validation"]) == split
    said = "\n".join(lines)
    assert "2 of label: cat 10, dog 10" in said and "20 sequences" in said
    assert "duplicates" not in said
