"""Texts: cut into tokens, numbered by what training rows hold, read again for prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner import registry
from tuner.config import TrialConfig, make_task
from tuner.data.predicting import read_for_prediction
from tuner.data.store import Store
from tuner.errors import DataError

STREAM = {"name": "language_modelling"}


def questions(folder: Path, **data: Any) -> Store:
    made.questions_csv(folder / "rows.csv")
    section = {"train": "rows.csv", "text": "text", "target": "kind", "test": 0.2, **data}
    return Store.open(made.prepared(folder, made.CLASSIFICATION, section))


def tokens(store: Store, row: int) -> list[str]:
    assert store.token_N is not None
    start = store.offset_S[row]
    return [store.forms[v] for v in store.token_N[start : start + store.length_S[row]]]


@pytest.mark.parametrize("name", registry.names("tokenizers"))
def test_every_tokenizer_gives_its_text_back(name: str) -> None:
    part = registry.get("tokenizers", name)
    text = "where is the old town, King's?"
    learned = part.learn([text] * 3, 300) if hasattr(part, "learn") else ""
    assert part.join(part.split(text, learned)) == text
    assert "" not in part.split(text, learned)


def test_each_row_is_one_text(tmp_path: Path) -> None:
    store = questions(tmp_path, lowercase=True)
    assert len(store.ids) == 60 and store.values_NF.shape[1] == 0
    assert store.ids[0] == "line 2"
    told = {"who", "where", "when"}
    for row in range(60):
        (word,) = told & set(tokens(store, row))
        assert store.card.labels[store.label_S[row]] in {"place", "person", "time"}
        assert tokens(store, row)[-1] == "?"
        assert word == word.lower()


def test_the_vocabulary_is_that_of_training_rows_frequent_ones_first(tmp_path: Path) -> None:
    store = questions(tmp_path, lowercase=True)
    card = store.card
    train = [token for row in np.flatnonzero(store.split_S == 0) for token in tokens(store, row)]
    assert set(card.vocabulary) == set(train) and not set(card.unseen) & set(train)
    assert card.unseen and store.forms == (*card.vocabulary, *card.unseen)
    counts = card.statistics["all"].token_counts
    assert list(counts) == [train.count(word) for word in card.vocabulary]
    assert list(counts) == sorted(counts, reverse=True)


def test_a_vocabulary_can_be_capped(tmp_path: Path) -> None:
    store = questions(tmp_path, vocabulary=10)
    assert len(store.card.vocabulary) == 10 == len(store.card.statistics["all"].token_counts)


def test_a_fold_does_not_know_the_words_of_its_own_rows(tmp_path: Path) -> None:
    store = questions(tmp_path, validation={"folds": 3}, test=None)
    config = TrialConfig.from_values({}, made.CLASSIFICATION)
    for fold in range(3):
        task = make_task(made.CLASSIFICATION, config, store.card, fold)
        words = task.reader.words()  # type: ignore[attr-defined]
        train = {t for row in task.rows(store, "train", fold) for t in tokens(store, row)}
        assert set(words) == train
        row = task.rows(store, "validation", fold)[:1]
        ids = task.batch(store, row).inputs[0, :, 0]
        assert [i > 1 for i in ids] == [token in train for token in tokens(store, int(row[0]))]


def test_rare_tokens_can_be_left_unknown(tmp_path: Path) -> None:
    store = questions(tmp_path)
    sizes = []
    for least in (1, 2):
        config = TrialConfig.from_values({"data/min_count": least}, made.CLASSIFICATION)
        sizes.append(make_task(made.CLASSIFICATION, config, store.card, None).vocabulary)
    counts = np.array(store.card.statistics["all"].token_counts)
    assert sizes == [2 + len(counts), 2 + (counts >= 2).sum()] and sizes[1] < sizes[0]


def test_characters_come_beside_their_token(tmp_path: Path) -> None:
    store = questions(tmp_path)
    config = TrialConfig.from_values({"data/characters": 4}, made.CLASSIFICATION)
    task = make_task(made.CLASSIFICATION, config, store.card, None)
    inputs = task.batch(store, np.arange(60)).inputs
    assert inputs.shape[2] == 5 and inputs.dtype == np.int64
    letters = sorted({letter for word in store.card.vocabulary for letter in word})
    first = tokens(store, 0)[0]
    assert [letters[i - 2] for i in inputs[0, 0, 1:] if i > 1] == list(first[:4])
    assert inputs.max() < max(task.vocabulary, task.characters)


def test_subwords_are_learned_from_training_rows_only(tmp_path: Path) -> None:
    rows = ["text,kind"] + [f"lowest newest {'a' if i % 2 else 'b'}{i},{i % 2}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    (tmp_path / "test.csv").write_text("text,kind\n" + "zyxzyxzyx,0\n" * 20 + "lowest,1\n")
    section = {"train": "rows.csv", "test": "test.csv", "text": "text", "target": "kind"}
    section |= {"tokens": "subword", "vocabulary": 300}
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, section))
    assert "lowest" in store.card.vocabulary
    last = len(store.ids) - 1
    assert tokens(store, last) == ["lowest"]
    assert all(len(token) <= 2 for token in tokens(store, last - 1))


def test_raw_texts_are_read_like_those_of_training(tmp_path: Path) -> None:
    store = questions(tmp_path, lowercase=True)
    (tmp_path / "new.csv").write_text("text\nWho is zaphod?\n")
    steps = read_for_prediction(
        [tmp_path / "new.csv"],
        store.card.layout,
        store.card.labels,
        store.card.vocabulary,
        warnings=[],
    )
    task = make_task(
        made.CLASSIFICATION, TrialConfig.from_values({}, made.CLASSIFICATION), store.card, None
    )
    words = ["", "unknown", *task.reader.words()]  # type: ignore[attr-defined]
    read = [words[i] for i in task.batch(steps, np.arange(1)).inputs[0, :, 0]]
    assert read == ["who", "is", "unknown", "?"]
    assert steps.label_S.tolist() == [-1]


def test_sequences_of_given_tokens_are_grouped_by_id(tmp_path: Path) -> None:
    rows = ["song,note,kind"]
    rows += [f"s{s},C{n}: {s}.0,{s % 2}" for s in range(12) for n in range(2)]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    section = {"train": "rows.csv", "id": "song", "text": "note", "target": "kind"}
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, section | {"tokens": "given"}))
    assert tokens(store, 0) == ["C0: 0.0", "C1: 0.0"]


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("text,kind\na b,0\n,1\n", {}, r"text column 'text' must be complete.*line 3"),
        ("text,kind\na b,0\n   ,1\n", {}, r"a text must hold a token.*line 3"),
        ("text,kind\na,0\nb,1\n", {"tokens": "words"}, "must be a known tokenizer"),
        ("text,kind\na,0\nb,1\n", {"text": "txt"}, "no column 'txt'"),
        ("text,x,kind\na,1,0\nb,2,1\n", {"features": ["x"]}, "not both"),
        ("text,kind\n" + "a b,0\nc d,1\n" * 9, {}, "may equal sequences to learn from"),
    ],
)
def test_bad_texts_are_told_with_their_place(
    tmp_path: Path, text: str, changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "rows.csv").write_text(text)
    section = {"train": "rows.csv", "text": "text", "target": "kind", **changes}
    with pytest.raises(DataError, match=f"(?s){message}"):
        made.prepared(tmp_path, made.CLASSIFICATION, section)


def test_a_word_may_be_null(tmp_path: Path) -> None:
    rows = "".join(f"null w{i},{i % 2}\n" for i in range(20))
    (tmp_path / "rows.csv").write_text("text,kind\nnull,0\nNA,1\n" + rows)
    section = {"train": "rows.csv", "text": "text", "target": "kind"}
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, section))
    assert tokens(store, 0) == ["null"] and tokens(store, 1) == ["NA"]


def test_a_stream_needs_its_text(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x\n1\n2\n")
    with pytest.raises(DataError, match="the column `data/text` must be there"):
        made.prepared(tmp_path, STREAM, {"train": "rows.csv"})


def test_notes_are_a_stream_too(tmp_path: Path) -> None:
    rows = ["song,note"] + [f"s{s},{n}" for s in range(30) for n in ("C", "E", "G")]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    data = {"train": "rows.csv", "id": "song", "text": "note", "tokens": "given"}
    store = Store.open(made.prepared(tmp_path, STREAM, data))
    assert store.card.vocabulary[:3] == ("C", "E", "G")


def test_copies_in_a_published_split_may_stay(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,kind\n" + "a b,0\nc d,1\n" * 9)
    section = {"train": "rows.csv", "text": "text", "target": "kind", "duplicates": "warn"}
    store = Store.open(made.prepared(tmp_path, made.CLASSIFICATION, section))
    (told,) = [w for w in store.card.warnings if "data/shared-rows" in w]
    assert "the validation split shares sequences" in told


def test_tokens_can_be_read_one_hot_or_as_a_bag(tmp_path: Path) -> None:
    store = questions(tmp_path)
    rows = np.arange(60)

    def read(encoding: str) -> tuple[Any, Any]:
        config = TrialConfig.from_values({"data/encoding": encoding}, made.CLASSIFICATION)
        task = make_task(made.CLASSIFICATION, config, store.card, None)
        return task, task.batch(store, rows)

    plain, ids = read("ids")
    task, one_hot = read("one_hot")
    assert (task.num_inputs, task.vocabulary) == (plain.vocabulary, 0)
    valid_BT = np.arange(ids.inputs.shape[1]) < ids.lengths[:, None]
    assert (one_hot.inputs.argmax(axis=2) == ids.inputs[..., 0])[valid_BT].all()
    assert (one_hot.inputs.sum(axis=2) == valid_BT).all()
    _, bag = read("bag_of_words")
    assert bag.inputs.shape[1] == 1 and (bag.lengths == 1).all()
    share = one_hot.inputs.sum(axis=1) / ids.lengths[:, None]
    np.testing.assert_allclose(bag.inputs[:, 0], share, rtol=1e-6)


def test_absent_vectors_are_told_with_all_else(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,kind\na b,0\n,1\n")
    section = {"train": "rows.csv", "text": "text", "target": "kind", "vectors": "none.vec"}
    with pytest.raises(DataError) as wrong:
        made.prepared(tmp_path, made.CLASSIFICATION, section)
    codes = {mistake.code for mistake in wrong.value.mistakes}
    assert codes == {"data/missing", "data/missing-text"}
