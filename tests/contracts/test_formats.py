"""What every format promises: the same rows give the same preparation, and bad files a mistake."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuner import registry
from tuner.data import png, wav
from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.extensions import FOLDER, format_of
from tuner.data.formats.picture_folder import read as read_folder
from tuner.data.layout import Layout
from tuner.data.prepare import prepare
from tuner.data.reading import read_all
from tuner.data.store import Store
from tuner.errors import DataError, Mistake

TEXTS = [
    n
    for n in registry.names("formats")
    if "text" in getattr(registry.get("formats", n), "COLUMNS", {})
]
AUDIO = [
    n
    for n in registry.names("formats")
    if "audio" in getattr(registry.get("formats", n), "COLUMNS", {})
]
every = pytest.mark.parametrize("name", registry.names("formats"))
of_numbers = pytest.mark.parametrize(
    "name", sorted(set(registry.names("formats")) - {*TEXTS, *AUDIO, FOLDER})
)
of_texts = pytest.mark.parametrize("name", TEXTS)

LENGTHS = [2 + i % 3 for i in range(12)]
VALUES = [[[i + t / 4, -i * t / 2] for t in range(length)] for i, length in enumerate(LENGTHS)]
LABELS = ["ab"[i % 2] for i in range(12)]
ROWS = [
    {"id": f"s{i:02d}", "1": x, "2": y, "label": LABELS[i]}
    for i, steps in enumerate(VALUES)
    for x, y in steps
]


def write_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def write_ts(path: Path) -> None:
    lines = ["@classLabel true a b", "@data"]
    for steps, label in zip(VALUES, LABELS, strict=True):
        channels = (",".join(map(str, channel)) for channel in zip(*steps, strict=True))
        lines.append(":".join([*channels, label]))
    path.write_text("\n".join([*lines, ""]))


def write_trajectories(path: Path) -> None:
    starts = [t == 0 for length in LENGTHS for t in range(length)]
    columns = {name: np.array([row[name] for row in ROWS]) for name in ("1", "2", "label")}
    np.savez(path, episode_starts=np.array(starts), lengths=np.array(LENGTHS), **columns)


SENTENCES = [["Rain", "fell"], ["#", "don't", "stop"], ["Rain"]]
TAGS = [["N", "V"], ["X", "V", "V"], ["N"]]


def write_histories(path: Path) -> None:
    lines = enumerate(SENTENCES)
    path.write_text("\n".join(f"s{i} {' '.join(words)}" for i, words in lines) + "\n\n")


def write_text(path: Path) -> None:
    path.write_text("".join(" ".join(words) + "\n" for words in SENTENCES))


def write_labelled_text(path: Path) -> None:
    lines = zip(("__label__b", "a:x", "a:y"), SENTENCES, strict=True)
    path.write_text("".join(f"{label} {' '.join(words)}\n" for label, words in lines))


def tagged(row: Callable[[int, str, str], str]) -> str:
    blocks = [
        "\n".join(row(i, *pair) for i, pair in enumerate(zip(words, tags, strict=True), 1))
        for words, tags in zip(SENTENCES, TAGS, strict=True)
    ]
    return "\n\n".join(blocks) + "\n"


def write_conll(path: Path) -> None:
    # A line of one tab ends a sentence, too.
    path.write_text(tagged(lambda i, word, tag: f"{word}\t{tag}").replace("\n\n", "\n\t\n", 1))


def write_conllu(path: Path) -> None:
    rest = "\t_\t_\t0\t_\t_\t_"
    text = tagged(lambda i, word, tag: f"{i}\t{word}\t_\t{tag}{rest}")
    path.write_text("# text = Rain fell\n1-2\tRainfell\t_\t_" + rest + "\n" + text)


def write_parallel(path: Path) -> None:
    path.write_text("".join(f"{' '.join(sentence)}\n" for sentence in SENTENCES))
    path.with_suffix(".tgt").write_text("".join(f"{' '.join(tags)}\n" for tags in TAGS))


def write_wav(path: Path) -> None:
    path.write_bytes(wav.encode(np.sin(np.arange(800) / 9), 8_000))


def write_picture_folder(path: Path) -> None:
    for label in LABELS[:2]:
        (path / label).mkdir(parents=True)
        (path / label / "1.png").write_bytes(png.encode(np.zeros((4, 5, 3), np.uint8)))


WRITERS: dict[str, Callable[[Path], None]] = {
    "conll": write_conll,
    "conllu": write_conllu,
    "histories": write_histories,
    "labelled_text": write_labelled_text,
    "parallel": write_parallel,
    "text": write_text,
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
    "picture_folder": write_picture_folder,
    "trajectories": write_trajectories,
    "ts": write_ts,
    "wav": write_wav,
}
LAYOUT = Layout(id="id", label="label")


@pytest.fixture
def path(name: str, tmp_path: Path) -> Path:
    file = tmp_path / "".join(["rows", *registry.get("formats", name).EXTENSIONS[:1]])
    WRITERS[name](file)
    return file


@every
def test_extensions_belong_to_one_format(name: str) -> None:
    mine = registry.get("formats", name).EXTENSIONS
    assert (mine or name == FOLDER) and all(e.startswith(".") and e == e.lower() for e in mine)
    for other in set(registry.names("formats")) - {name}:
        assert not set(mine) & set(registry.get("formats", other).EXTENSIONS)


@of_numbers
def test_rows_can_be_found_again(name: str, path: Path) -> None:
    table = registry.get("formats", name).read(path, LAYOUT)
    assert len(table.columns) == sum(LENGTHS)
    id = {"trajectories": "episode"}.get(name, "id")
    assert {id, "1", "2", "label"} == set(table.columns.column_names)
    places = [table.place(row) for row in range(len(table.columns))]
    assert all(place.split()[-1].isdigit() for place in places)
    assert table.name.endswith(path.name) and table.where(0).startswith(table.name)


@of_numbers
def test_the_same_rows_give_the_same_preparation(name: str, path: Path) -> None:
    data = {"train": path.name, "validation": {"folds": 2}}
    if name != "ts":
        data |= {"target": "label"} | ({} if name == "trajectories" else {"id": "id"})
    config = DataConfig.model_validate(data)
    prepare(config, TaskData(kind="sequence"), path.parent, path.parent / "data", seed=0)
    store = Store.open(path.parent / "data")
    assert store.length_S.tolist() == LENGTHS
    np.testing.assert_array_equal(store.values_NF, np.concatenate(VALUES).astype(np.float32))
    assert [store.card.labels[i] for i in store.label_S] == LABELS
    assert store.card.features == ("1", "2")


@every
def test_a_format_named_reads_a_file_of_any_extension(name: str, path: Path) -> None:
    if name == FOLDER:
        assert format_of(path.rename(path.with_suffix(".rows")), None).read is read_folder
        return
    usual = registry.get("formats", name).read(path, LAYOUT).columns
    other = path.rename(path.with_suffix(".rows"))
    mistakes: list[Mistake] = []
    assert read_all([other], LAYOUT, mistakes) == [None]
    assert [mistake.code for mistake in mistakes] == ["data/extension"]

    (table,) = read_all([other], replace(LAYOUT, format=name), mistakes)

    assert table is not None and len(mistakes) == 1
    # Some formats name their sequences after the file.
    names = [n for n in usual.column_names if n not in ("id", "sentence", "path")]
    assert table.columns.select(names).equals(usual.select(names))


@every
@pytest.mark.parametrize(
    ("content", "code"), [(None, "data/missing"), (b"", "data/empty"), (b"\x00\xff\xfe", "")]
)
def test_bad_files_are_mistakes(name: str, path: Path, content: bytes | None, code: str) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    if content is not None:
        path.write_bytes(content)
    elif path.exists():
        path.unlink()
    with pytest.raises(DataError) as refused:
        registry.get("formats", name).read(path, LAYOUT)
    assert refused.value.mistakes[0].code.startswith(code)
    assert path.name in refused.value.mistakes[0].where


@every
def test_every_command_can_import_it_cheaply(name: str) -> None:
    code = f"import sys, tuner.data.formats.{name}; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@of_texts
def test_texts_and_their_labels_are_read_as_they_are(name: str, path: Path) -> None:
    part = registry.get("formats", name)
    table = part.read(path, LAYOUT)
    columns = table.columns.to_pydict()
    words = columns[part.COLUMNS["text"]]
    if "id" in part.COLUMNS:
        assert words == sum(SENTENCES, [])
        if "label" in part.COLUMNS:
            assert columns[part.COLUMNS["label"]] == sum(TAGS, [])
        ids = columns[part.COLUMNS["id"]]
        assert [ids.count(i) for i in dict.fromkeys(ids)] == [2, 3, 1]
    else:
        assert words == [" ".join(sentence) for sentence in SENTENCES]
    lines = path.read_text().split("\n")
    for row, word in enumerate(words):
        number = int(table.place(row).removeprefix("line "))
        assert word in lines[number - 1]
