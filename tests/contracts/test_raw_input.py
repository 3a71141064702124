"""Raw input of every task: what is wrong with it is told in four parts, and nothing is written."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuner import cli
from tuner.data import wav
from tuner.data.extensions import format_of
from tuner.data.reading import read_all, with_enclosed_files
from tuner.errors import CommandError, DataError, Mistake
from tuner.export.bundle import Bundle
from tuner.export.register import example_of, takes_of
from tuner.predict import predict
from tuner.predictor import Predictor


@pytest.fixture(scope="module")
def raw(folder: Path, bundle: Bundle) -> Path:
    (found,) = folder.glob("rows.*")
    return found


def emptied(text: str) -> str:
    return ""


def without_rows(text: str) -> str:
    return text.partition("\n")[0] + "\n" if "," in text else "\n\n"


def with_other_columns(text: str) -> str:
    header, _, rest = text.partition("\n")
    kept = ("id", "name", "label")
    names = [name if name in kept else f"other {name}" for name in header.split(",")]
    return f"{','.join(names)}\n{rest}"


def with_words_for_numbers(text: str) -> str:
    lines = text.splitlines()
    cells = lines[3].split(",")
    cells[2] = "warm"
    return "\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n"


def ragged(text: str) -> str:
    line, mark = text.splitlines()[1], "," if "," in text else "\t"
    return f"{text.rstrip()}\n{line}{mark}one{mark}more\n"


def undecodable(text: str) -> str:
    return text + "\udcff"


SPOILED: dict[str, tuple[Callable[[str], str], set[str], tuple[str, ...]]] = {
    "empty": (emptied, {"data/empty"}, (".csv", ".conll", ".txt")),
    "no rows": (without_rows, {"data/no-rows"}, (".csv", ".conll", ".txt")),
    "other columns": (with_other_columns, {"data/absent-column"}, (".csv",)),
    "other types": (with_words_for_numbers, {"data/not-a-number", "data/time"}, (".csv",)),
    "ragged": (ragged, {"data/ragged-row"}, (".csv", ".conll")),
    "other encoding": (undecodable, {"data/encoding"}, (".csv", ".conll", ".txt")),
}
"""What is done to a file, what is then told, and in which formats it can be done."""


def has_numbers(raw: Path) -> bool:
    """Whether its third column holds some; others have a text and what is said of it."""
    return raw.suffix == ".csv" and raw.read_text().partition("\n")[0].count(",") >= 2


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_wrong_is_told_and_nothing_is_written(
    bundle: Bundle, raw: Path, tmp_path: Path, case: str
) -> None:
    spoil, codes, suffixes = SPOILED[case]
    is_other = case == "other types" and raw.suffix == ".csv" and not has_numbers(raw)
    if raw.suffix not in suffixes or is_other:
        pytest.skip(f"{case} cannot be said in {raw.name} of {bundle.contents.about.task.name}")
    path = tmp_path / raw.name
    path.write_text(spoil(raw.read_text()), errors="surrogateescape")
    with pytest.raises(DataError) as raised:
        predict(bundle.folder, [str(path)], str(tmp_path / "answers.csv"))
    mistakes = raised.value.mistakes
    found = {mistake.code for mistake in mistakes}
    assert found and found <= codes
    for mistake in mistakes:
        assert all([mistake.rule, mistake.got, mistake.fix]) and raw.name in mistake.where
    assert [found.name for found in tmp_path.iterdir()] == [raw.name]


def test_standard_input_gives_what_the_file_gives(
    bundle: Bundle, raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    format = {".txt": "text"}.get(raw.suffix, raw.suffix[1:])
    # Answers are written as JSON Lines where that is what is asked for.
    predict(bundle.folder, [str(raw)], format=format if format == "jsonl" else None)
    expected = capsys.readouterr().out.replace(f"{raw.stem} ", "stdin ")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw.read_bytes())))
    predict(bundle.folder, ["-"], "-", format)
    assert capsys.readouterr().out == expected
    assert expected.count("\n") > 2


def test_a_mistake_in_standard_input_is_told_by_its_line(
    bundle: Bundle, raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not has_numbers(raw):
        pytest.skip("no row of its input holds a number")
    spoiled = with_words_for_numbers(raw.read_text()).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(spoiled)))
    assert cli.main(["predict", str(bundle.folder), "-"]) == 2
    said = capsys.readouterr()
    assert "standard input line 4 gave 1 others, first 'warm'" in said.err and said.out == ""


def test_a_table_gives_what_the_file_gives(bundle: Bundle, raw: Path) -> None:
    predictor = Predictor.open(bundle.folder)
    layout = predictor.layout.asked
    table = format_of(raw, layout.format).read(raw, layout)
    if layout.naming:
        with pytest.raises(DataError, match="hold files themselves, not their names"):
            predictor.answer(table)
    is_clip = layout.frames is not None and layout.id == layout.frames.path
    if is_clip:
        # Without ids, all frames that rows hold are one.
        table = replace(table, columns=table.columns.slice(0, 1))
    answers = predictor.answer(with_enclosed_files(table, raw, layout)).columns
    for name, values in predictor.read([raw]).columns.items():
        given = answers[name]
        if not (name == "id" and layout.id in layout.naming):
            assert values[: len(given)] == given
        assert len(given) == (1 if is_clip else len(values))


def test_the_example_of_a_registered_model_is_answered(bundle: Bundle, raw: Path) -> None:
    predictor = Predictor.open(bundle.folder)
    asked = predictor.layout.asked
    example = example_of(raw, asked)
    assert predictor.answer(example).columns
    takes = takes_of(example, asked)
    assert set(example.columns.column_names) <= takes.keys()
    for name in asked.naming:
        assert takes[name] == "string"
        assert all(uri.startswith("data:") for uri in example.columns.column(name).to_pylist())


def test_a_table_whose_named_files_are_read_is_answered_as_it_is(bundle: Bundle, raw: Path) -> None:
    predictor = Predictor.open(bundle.folder)
    layout = predictor.layout.asked
    mistakes: list[Mistake] = []
    if layout.features is None or layout.derived.columns:
        pytest.skip("its columns are not those that the network reads")
    (table,) = read_all([raw], layout, mistakes)
    assert table is not None and not mistakes
    assert predictor.answer(table).columns == predictor.read([raw]).columns


def test_what_is_longer_than_ever_seen_is_answered_and_noted(
    bundle: Bundle, raw: Path, tmp_path: Path
) -> None:
    about = bundle.contents.about
    if about.task.name in ("forecasting", "synthesis") or about.signature.fixed:
        pytest.skip("of a series the end alone is read, and far longer texts cannot be said")
    path = tmp_path / raw.name
    if raw.suffix == ".csv":
        with raw.open(newline="") as file:
            rows = list(csv.DictReader(file))
        first = rows[0]
        longer = [first | {"id": "long", "step": str(step)} for step in range(3000)]
        if "digits" in first:
            longer = [first | {"digits": "1" * 3000}]
        if "frames" in first:
            longer = [first | {"frames": "long"}]
            (tmp_path / "long").mkdir()
            frame = next(Path(first["frames"]).iterdir()).read_bytes()
            for step in range(3000):
                (tmp_path / "long" / f"{step}.png").write_bytes(frame)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(first))
            writer.writeheader()
            writer.writerows([*rows[:40], *longer])
    elif raw.suffix == ".jsonl":
        audio = Predictor.open(bundle.folder).layout.audio
        assert audio is not None
        samples = np.zeros(audio.window_samples + 2_999 * audio.hop_samples)
        (tmp_path / "long.wav").write_bytes(wav.encode(samples, audio.rate))
        path.write_text('{"path": "long.wav"}')
    elif raw.suffix == ".conll":
        path.write_text("mr\tO\n" * 3000)
    else:
        path.write_text("ba" * 3000)
    answers = Predictor.open(bundle.folder).read([path])
    (note,) = [note for note in answers.notes if "predict/longer" in note]
    assert re.search("of [36],00[01]", note), note
    assert all(value is not None for values in answers.columns.values() for value in values)


def test_labels_and_words_never_seen_are_answered_without_a_score(
    bundle: Bundle, raw: Path, tmp_path: Path
) -> None:
    path = tmp_path / raw.name
    text = raw.read_text()
    task = bundle.contents.about.task.name
    if task == "classification":
        path.write_text(re.sub(",(?:c|right)$", ",unheard", text, flags=re.MULTILINE))
    elif task == "tagging":
        path.write_text(text.replace("\tO", "\tB-unheard", 1) + "\n\nžluťoučký\tO\n")
    else:
        pytest.skip("it has neither labels nor words")
    answers = Predictor.open(bundle.folder).read([path])
    assert answers.scores == {}
    (note,) = [note for note in answers.notes if "data/unknown-label" in note]
    assert "unheard" in note
    assert len(answers.columns["id"]) == len(set(answers.columns["id"])) or task == "tagging"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["-", "-"], "standard input can be read once"),
        (["x.csv", "--format", "cvs"], "Did you mean 'csv'?"),
        (["x.csv", "--output", "nowhere/x.csv"], "--output must lie in a folder"),
        (["x.csv", "--output", "x.doc"], "--output must end in"),
    ],
)
def test_mistakes_of_the_command_line(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict", "nowhere", *arguments]) == 2
    assert part in capsys.readouterr().err


def test_a_file_is_replaced_whole_and_a_device_is_written_to(
    bundle: Bundle, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text("before")
    before = answers.stat().st_ino
    predict(bundle.folder, [str(raw)], str(answers))
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert lines and all(line.keys() >= {"id"} for line in lines)
    assert answers.stat().st_ino != before

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tuner.predict.write_bytes", full)
    with pytest.raises(CommandError, match="No space left"):
        predict(bundle.folder, [str(raw)], str(answers))
    assert len(answers.read_text().splitlines()) == len(lines)
    assert [path.name for path in tmp_path.iterdir()] == ["answers.jsonl"]
