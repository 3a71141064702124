"""Embeddings that start from what is known of their words: another model's, or a file's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tuner import sources
from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.data.vectors import read
from tuner.errors import DataError, SpecError
from tuner.home import Home
from tuner.spec_reader import load
from tuner.training.fit import Fit
from tuner.training.ranks import Ranks
from tuner.training.transfer import place, words_of
from tuner.training.words import EMBEDDING, write_words

STREAM = {"name": "language_modelling"}
SMALL = {"model/hidden_size": 8, "model/embedding": 6}


def fit_of(data: Path, task: dict[str, Any], **values: Any) -> Fit:
    store = Store.open(data)
    config = TrialConfig.from_values(
        SMALL | {path.replace("__", "/"): value for path, value in values.items()}, task
    )
    return Fit(config, make_task(task, config, store.card, None), store, Ranks(), data=data)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Labelled questions; beside them a language model of other texts with some of their words."""
    made.questions_csv(tmp_path / "rows.csv")
    section = {"train": "rows.csv", "text": "text", "target": "kind", "lowercase": True}
    data = made.prepared(tmp_path, made.CLASSIFICATION, section)
    other = tmp_path / "other"
    other.mkdir()
    (other / "stream.txt").write_text("the king of the old town is unheard of\n" * 20)
    stream = fit_of(made.prepared(other, STREAM, {"train": "stream.txt"}), STREAM)
    place(data, "lm").parent.mkdir()
    save_file(stream.module.state_dict(), place(data, "lm"))
    write_words(words_of(data, "lm"), stream.task.words())
    return data


def vectors(fit: Fit) -> dict[str, list[float]]:
    embedding = fit.module.state_dict()[EMBEDDING]
    return {word: embedding[i].tolist() for i, word in enumerate(fit.task.words(), 2)}


def test_words_that_both_know_take_their_vectors_with_them(data: Path, tmp_path: Path) -> None:
    stream = fit_of(tmp_path / "other" / "data", STREAM)
    scratch = vectors(fit_of(data, made.CLASSIFICATION))
    taken = vectors(fit_of(data, made.CLASSIFICATION, transfer__source="lm"))
    known = vectors(stream)
    shared = {"the", "king", "old", "town", "is"}
    assert shared == taken.keys() & known.keys()
    for word, vector in taken.items():
        assert vector == (known[word] if word in shared else scratch[word])


def test_a_whole_model_must_know_the_same_words(data: Path) -> None:
    with pytest.raises(SpecError, match="must know the very words"):
        fit_of(data, made.CLASSIFICATION, transfer__source="lm", transfer__part="whole")


@pytest.mark.parametrize("header", ["", "3 6\n"])
def test_vectors_of_a_file_start_an_embedding(data: Path, tmp_path: Path, header: str) -> None:
    rows = {w: [float(i + j) for j in range(6)] for i, w in enumerate(["king", "of gold", "town"])}
    lines = [" ".join([word, *map(str, row)]) for word, row in rows.items()]
    (tmp_path / "glove.txt").write_text(header + "\n".join(lines) + "\n")
    (tmp_path / "spec.yaml").write_text(
        "name: s\ntask: classification\n"
        "data: {train: rows.csv, text: text, target: kind, lowercase: true, vectors: glove.txt}\n"
    )
    sources.keep(load(tmp_path / "spec.yaml"), Home(tmp_path), data)
    scratch = vectors(fit_of(data, made.CLASSIFICATION, transfer__vectors=False))
    started = vectors(fit_of(data, made.CLASSIFICATION))
    for word, vector in started.items():
        assert vector == rows.get(word, scratch[word])
    assert started["king"] != scratch["king"]
    with pytest.raises(SpecError, match="`model/embedding` must be 6, as in `data/vectors`"):
        fit_of(data, made.CLASSIFICATION, model__embedding=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("king 1 2\ntown 1 x\n", r"line 2 gave 'town 1 x'"),
        ("gold 1 2\n", "none of the words"),
        ("king\n", "line 1 gave 'king'"),
    ],
)
def test_files_that_hold_no_vectors_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "v.txt", ["king", "town"])
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "absent.txt", ["king"])


def test_of_a_word_that_comes_twice_the_first_counts(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("king 1 2\nking 3 4\n")
    words, found = read(tmp_path / "v.txt", ["king"])
    assert words == ["king"] and np.array_equal(found, [[1, 2]])
    assert found.dtype == np.float32 and torch.from_numpy(found).shape == (1, 2)
