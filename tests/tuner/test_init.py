"""First contact: data are looked at, told of, and get a spec that loads and can be prepared."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import yaml

from tuner import cli
from tuner.check import check
from tuner.errors import CommandError, DataError, InputError
from tuner.first_contact import first_contact


def look(data: Path, *targets: str) -> tuple[dict[str, Any], str]:
    """The spec written for some data, and what was told."""
    told: list[str] = []
    to = data.parent / "spec.yaml"
    first_contact(data, targets=targets, to=to, tell=told.append)
    text = "\n".join(told)
    assert all(len(line) <= 80 for line in text.splitlines() if " " in line.strip()), text
    return yaml.safe_load(to.read_text(encoding="utf-8")), text


def write(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def texts(path: Path, num: int = 60) -> Path:
    words = ["good", "fine", "poor", "bad"]
    rows = [
        (f"it was a {words[i % 4]} film number {i}", "up" if i % 4 < 2 else "down")
        for i in range(num)
    ]
    return write(path, ["review", "mood"], rows)


def hours(num: int = 400, start: str = "2024-01-01T00") -> list[str]:
    return [str(np.datetime64(start) + np.timedelta64(i, "h")) for i in range(num)]


def wave(i: int) -> str:
    return f"{np.sin(i / 4) + np.cos(i * 1.7) / 5:.4f}"


def test_classes_of_numbers(tmp_path: Path) -> None:
    spec, told = look(made.sequences_csv(tmp_path / "rows.csv"))
    assert spec["task"] == "classification"
    assert spec["data"]["id"] == "id"
    assert (spec["data"]["time"], spec["data"]["target"]) == ("step", "label")
    assert spec["data"]["validation"] == {"folds": 5}
    assert spec["data"]["test"] == 0.1
    assert "3 of label: a 21, b 20, c 20" in told
    assert "1 shortest, 5 median, 9 longest" in told


def test_numbers_of_sequences_need_a_target_where_several_could_be_one(tmp_path: Path) -> None:
    path = made.numbers_csv(tmp_path / "rows.csv")
    with pytest.raises(DataError, match=r"'price', 'weight'.*--target COLUMN.*init/undecided"):
        look(path)
    assert not (tmp_path / "spec.yaml").exists()
    spec, _ = look(path, "price")
    assert (spec["task"], spec["data"]["target"]) == ("regression", "price")


def test_two_targets_are_two_numbers(tmp_path: Path) -> None:
    spec, _ = look(made.numbers_csv(tmp_path / "rows.csv"), "price", "weight")
    assert (spec["task"], spec["data"]["target"]) == ("regression", ["price", "weight"])


def test_tags_of_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        for t in range(6):
            up = int(rng.integers(2))
            rows.append((f"s{i}", t, f"{up + rng.normal(0, 0.1):.3f}", ["low", "high"][up]))
    spec, _ = look(write(tmp_path / "frames.csv", ["id", "step", "x", "state"], rows))
    assert (spec["task"], spec["data"]["target"]) == ("tagging", "state")


def test_sentences(tmp_path: Path) -> None:
    spec, told = look(made.tagged_conll(tmp_path / "names.conll"))
    assert spec["task"] == "tagging"
    assert "of tag: O " in told


def test_sentences_without_an_extension_that_says_so(tmp_path: Path) -> None:
    spec, told = look(made.tagged_conll(tmp_path / "names.train"))
    assert (spec["task"], spec["data"]["format"]) == ("tagging", "conll")
    assert "the extension does not say so" in told


@pytest.mark.parametrize("mark", ["__label__{}", "{}:fine"])
def test_labelled_text_by_its_content_in_latin_1(tmp_path: Path, mark: str) -> None:
    lines = [
        f"{mark.format(['UP', 'DOWN'][i % 2])} the caf\xe9 {i} {i % 2} is open" for i in range(60)
    ]
    path = tmp_path / "questions.data"
    path.write_bytes("\n".join(lines).encode("latin-1"))
    spec, told = look(path)
    assert spec["task"] == "classification"
    assert spec["data"]["format"] == "labelled_text"
    assert spec["data"]["encoding"] == "latin-1"
    assert "byte 0xe9 in line 1" in " ".join(told.split())


def test_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "play.txt"
    path.write_text("\n".join(f"ROMEO: line {i} of the play" for i in range(300)))
    spec, _ = look(path)
    assert (spec["task"], spec["data"]["tokens"]) == ("language_modelling", "character")


def test_long_plain_text_is_read_by_words(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("\n".join(f"so {i % 97} many words are in this text" for i in range(80_000)))
    spec, _ = look(path)
    assert spec["data"]["tokens"] == "word"


def test_texts_of_a_table(tmp_path: Path) -> None:
    spec, _ = look(texts(tmp_path / "films.csv"))
    assert spec["task"] == "classification"
    assert (spec["data"]["text"], spec["data"]["target"]) == ("review", "mood")


def test_texts_with_nothing_to_predict(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(json.dumps({"body": f"these are words {i}"}) for i in range(200)))
    spec, _ = look(path)
    assert (spec["task"], spec["data"]["text"]) == ("language_modelling", "body")


def test_classes_and_numbers_of_ts_files_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "Waves"
    folder.mkdir()
    for part, start in (("TRAIN", 0), ("TEST", 40)):
        lines = ["@classLabel true a b", "@data"]
        lines += [f"{wave(i)},{wave(i + 1)}:1,{i}:{'ab'[i % 2]}" for i in range(start, start + 40)]
        (folder / f"Waves_{part}.ts").write_text("\n".join(lines))
    (folder / "README.md").write_text("About these waves.")
    spec, told = look(folder)
    assert spec["name"] == "Waves"
    assert spec["data"]["train"] == "Waves/Waves_TRAIN.ts"
    assert spec["data"]["test"] == "Waves/Waves_TEST.ts"
    assert "left aside  README.md" in told
    for part in ("TRAIN", "TEST"):
        path = folder / f"Waves_{part}.ts"
        text = path.read_text().replace("@classLabel true a b", "@targetLabel true")
        path.write_text(text.replace(":a", ":1.5").replace(":b", ":2.25"))
    (tmp_path / "spec.yaml").unlink()
    assert look(folder)[0]["task"] == "regression"


def test_series_with_gaps_disorder_and_columns_to_leave_out(tmp_path: Path) -> None:
    rows = [
        (i, time, "" if 50 <= i < 57 else wave(i), wave(i + 9), wave(i + 9), 3, "")
        for i, time in enumerate(hours())
    ]
    rows[100], rows[101] = rows[101], rows[100]
    names = ["No", "when", "load", "heat", "copy", "fixed", "void"]
    rows = [(i, *row[1:]) for i, row in enumerate(rows)]
    spec, told = look(write(tmp_path / "load.csv", names, rows), "heat")
    assert spec["task"] == {"name": "forecasting", "horizon": 24}
    assert (spec["data"]["time"], spec["data"]["target"]) == ("when", "heat")
    assert (spec["data"]["missing"], spec["data"]["sort"]) == ("forward", True)
    assert spec["data"]["features"] == ["load", "heat"]
    assert "load: 7 of 400, at most 7 rows on end" in told
    assert "1 rows go back" in told
    for what in ("No: counts the rows", "copy: equal to heat", "fixed: constant", "void: all miss"):
        assert what in told
    text = (tmp_path / "spec.yaml").read_text()
    assert "7 of load are missing" in text


def test_a_complete_series_needs_no_mending(tmp_path: Path) -> None:
    rows = [(time, wave(i)) for i, time in enumerate(hours())]
    spec, told = look(write(tmp_path / "load.csv", ["time", "load"], rows))
    assert not {"missing", "sort", "features"} & spec["data"].keys()
    assert spec["data"]["target"] == ["load"]
    assert "hourly, regular" in told
    assert "suspicious" not in told


def test_several_series(tmp_path: Path) -> None:
    spec, _ = look(made.series_csv(tmp_path / "towns.csv"))
    assert spec["task"]["name"] == "forecasting"
    assert (spec["data"]["id"], spec["data"]["target"]) == ("name", ["load", "heat"])
    assert spec["data"]["calendar"] == ["hour", "weekday"]


def in_pieces(num: int = 1000) -> list[tuple[Any, ...]]:
    """Year, month, day and hour, a number and a text."""
    return [
        (*map(int, (time[:4], time[5:7], time[8:10], time[11:13])), wave(i), "NS"[i // 30 % 2])
        for i, time in enumerate(hours(num))
    ]


PIECES = ["year", "month", "day", "hour"]


def test_a_date_in_pieces_is_the_time(tmp_path: Path) -> None:
    spec, told = look(write(tmp_path / "load.csv", [*PIECES, "load", "wind"], in_pieces()))
    assert spec["task"]["name"] == "forecasting"
    assert spec["data"]["time"] == PIECES
    assert spec["data"]["target"] == ["load"]
    assert spec["data"]["calendar"] == ["hour", "weekday"]
    assert spec["data"]["categories"] == ["wind"]
    assert not {"known", "features"} & spec["data"].keys()
    assert "year-month-day-hour: hourly, regular" in told


def test_dates_in_pieces_of_several_series(tmp_path: Path) -> None:
    rows = [(town, *row) for town in ("oslo", "rome") for row in in_pieces(300)]
    names = ["town", *PIECES, "load", "wind"]
    spec, _ = look(write(tmp_path / "load.csv", names, rows))
    assert (spec["data"]["id"], spec["data"]["time"]) == ("town", PIECES)


def test_a_date_without_its_day_is_none(tmp_path: Path) -> None:
    rows = [(i, *row[:2], *row[3:]) for i, row in enumerate(in_pieces())]
    names = ["step", "year", "month", "hour", "load", "wind"]
    spec, _ = look(write(tmp_path / "load.csv", names, rows))
    assert spec["data"]["time"] == "step"


def test_columns_that_tell_the_target_and_rare_classes(tmp_path: Path) -> None:
    rows = [(f"s{i}", t, wave(7 * i + t), i % 2, 10 + i % 2) for i in range(40) for t in range(5)]
    spec, told = look(write(tmp_path / "rows.csv", ["id", "step", "x", "y", "code"], rows), "y")
    assert spec["data"]["features"] == ["x"]
    assert "code: equal to y" in told
    assert "rare" not in told
    rare = [(f"s{i}", t, wave(7 * i + t), int(i > 35)) for i in range(40) for t in range(5)]
    (tmp_path / "spec.yaml").unlink()
    _, told = look(write(tmp_path / "rare.csv", ["id", "step", "x", "y"], rare))
    assert "rare, fewer than 10: 1" in told


def test_copies_across_splits_are_told_and_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    texts(folder / "train.csv")
    texts(folder / "test.csv", num=20)
    to = tmp_path / "spec.yaml"
    assert cli.main(["init", "--data", str(folder), "--to", str(to)]) == 2
    said = capsys.readouterr()
    assert "20 of 20 test sequences equal training ones" in said.out
    assert "data/shared-rows" in said.err
    assert not to.exists()


def test_a_few_copies_are_told_and_stay(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    texts(folder / "train.csv", num=400)
    other = [(f"a film called {i} to see", ["up", "down"][i % 2]) for i in range(48)]
    seen = [(f"a play called {i} to see", ["up", "down"][i % 2]) for i in range(40)]
    write(folder / "dev.csv", ["review", "mood"], seen)
    copies = [("it was a good film number 0", "up"), ("it was a fine film number 1", "up")]
    write(folder / "test.csv", ["review", "mood"], [*other, *copies])
    spec, _ = look(folder)
    assert spec["data"]["validation"] == "films/dev.csv"
    assert spec["data"]["duplicates"] == "warn"
    text = (tmp_path / "spec.yaml").read_text()
    assert "of the test split, 2 of 50 equal sequences to learn from" in text, text


@pytest.mark.parametrize(
    ("names", "targets", "kind", "parts"),
    [
        (["README.md", "notes.bin"], [], DataError, ["'notes.bin'", "init/no-data"]),
        (["a.csv", "b.csv"], [], DataError, ["'a.csv', 'b.csv'", "init/train-file"]),
        (["train.csv"], ["mod"], CommandError, ["'mod'", "'review', 'mood'", "init/target"]),
        (["train.csv"], ["mood", "review"], DataError, ["init/no-id"]),
    ],
)
def test_refuses(
    tmp_path: Path, names: list[str], targets: list[str], kind: type[Exception], parts: list[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in names:
        if name.endswith(".csv"):
            texts(folder / name)
        else:
            (folder / name).write_bytes(b"\x00\x01")
    with pytest.raises(kind) as refused:
        look(folder, *targets)
    assert all(part in str(refused.value) for part in parts), refused.value
    assert not (tmp_path / "spec.yaml").exists()


def test_a_class_is_one_column(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="must be one column.*'label', 'x'"):
        look(made.sequences_csv(tmp_path / "rows.csv"), "label", "x")


def test_refuses_numbers_without_an_order(tmp_path: Path) -> None:
    rows = [(wave(i), wave(i + 3)) for i in range(50)]
    with pytest.raises(DataError, match=r"'a', 'b'.*init/undecided"):
        look(write(tmp_path / "rows.csv", ["a", "b"], rows))


def test_never_overwrites(tmp_path: Path) -> None:
    to = tmp_path / "spec.yaml"
    to.write_text("mine")
    with pytest.raises(InputError, match="init/exists"):
        look(texts(tmp_path / "films.csv"))
    assert to.read_text() == "mine"
    with pytest.raises(InputError, match="init/no-folder"):
        first_contact(tmp_path / "films.csv", to=tmp_path / "no" / "x.yaml", tell=print)


def test_the_command_writes_beside_and_check_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    made.sequences_csv(tmp_path / "data" / "rows.csv")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "--data", "data/rows.csv"]) == 0
    assert "tuner sweep rows.yaml" in capsys.readouterr().out
    assert yaml.safe_load(Path("rows.yaml").read_text())["data"]["train"] == "data/rows.csv"
    assert "classification, by highest accuracy" in check(Path("rows.yaml"))


def test_histories_are_recommended_from(tmp_path: Path) -> None:
    lines = [
        f"u{i} {' '.join(str((i + step) % 9) for step in range(4 + i % 3))}" for i in range(30)
    ]
    (tmp_path / "shop.histories").write_text("\n".join(lines))
    spec, _ = look(tmp_path / "shop.histories")
    assert spec["task"] == "recommendation"
    assert spec["data"]["validation"] == spec["data"]["test"] == {"last": 1}
