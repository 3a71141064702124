"""Texts as targets: tokens, lengths and a vocabulary of their own, from every kind of row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.data.card import DataCard, TaskData
from tuner.data.config import DataConfig
from tuner.data.predicting import read_for_prediction
from tuner.data.prepare import prepare
from tuner.data.store import Store, TargetTokens
from tuner.errors import DataError
from tuner.tasks._base import Facts
from tuner.tasks._targets import UNKNOWN_WORD, TargetReader

TEXT = TaskData(kind="sequence", target="tokens")
WORDS = "zero one two three four five six seven eight nine".split()
HEAD = "digits,name"


def named(number: int) -> str:
    return " ".join(WORDS[int(digit)] for digit in str(number))


ROWS = [f"{number},{named(number)}" for number in range(60)]


def made(folder: Path, rows: list[str] = ROWS, head: str = HEAD, **data: Any) -> DataCard:
    (folder / "rows.csv").write_text("\n".join([head, *rows]))
    section = {"train": "rows.csv", "text": "digits", "tokens": "character", "target": "name"}
    config = DataConfig.model_validate(section | data)
    return prepare(config, TEXT, folder, folder / "data", 0)


def targets(folder: Path) -> TargetTokens:
    found = Store.open(folder / "data").target_tokens
    assert found is not None
    return found


def refused(folder: Path, rows: list[str] = ROWS, **data: Any) -> dict[str, str]:
    """Code → what was received."""
    with pytest.raises(DataError) as wrong:
        made(folder, rows, **data)
    assert not (folder / "data").exists()
    assert all(m.rule and m.where and m.got and m.fix for m in wrong.value.mistakes)
    return {m.code: m.got for m in wrong.value.mistakes}


def facts(card: DataCard, fold: int | None = None) -> Facts:
    return Facts(
        features=(),
        target_channels=(),
        labels=(),
        vocabulary=card.vocabulary,
        tokens=card.layout.tokens,
        statistics=card.fitted(fold),
        step_seconds=None,
        target_vocabulary=card.target_vocabulary,
        target_tokens=card.layout.target_tokens,
    )


def test_each_row_has_its_text(tmp_path: Path) -> None:
    made(tmp_path, test=0.2)
    found = targets(tmp_path)
    assert [found.of(row) for row in (7, 42)] == [["seven"], ["four", "two"]]
    assert found.length_S.tolist() == [1] * 10 + [2] * 50


def test_a_target_is_cut_in_its_own_way(tmp_path: Path) -> None:
    card = made(tmp_path, target_tokens="character")
    assert targets(tmp_path).of(10) == list("one zero")
    assert set(card.target_vocabulary) <= set("efghinorstuvwxz ") and "1" in card.vocabulary


def test_subwords_of_targets_are_learned_from_training_rows_only(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(
        f"{HEAD}\n" + "".join(f"{n},qqqq\n" for n in range(900, 960))
    )
    card = made(tmp_path, target_tokens="subword", target_vocabulary=300, test="test.csv")
    assert card.layout.target_tokenizer and not card.layout.tokenizer
    assert any(len(word) > 2 for word in card.target_vocabulary)
    assert targets(tmp_path).of(60) == list("qqqq")


def test_the_vocabulary_is_that_of_training_targets(tmp_path: Path) -> None:
    card = made(tmp_path, [*ROWS, *(f"{n},{named(n)} extra{n}" for n in range(100, 140))], test=0.3)
    store, found = Store.open(tmp_path / "data"), targets(tmp_path)
    train = [word for s in np.flatnonzero(store.split_S == 0) for word in found.of(int(s))]
    assert set(card.target_vocabulary) == set(train)
    assert card.target_unseen and not set(card.target_unseen) & set(train)
    counts = card.statistics["all"].target_token_counts
    assert list(counts) == [train.count(word) for word in card.target_vocabulary]
    lengths = found.length_S[store.split_S == 0]
    assert card.statistics["all"].target_lengths == tuple(np.bincount(lengths).tolist())


def test_a_vocabulary_can_be_capped_and_leave_rare_tokens_out(tmp_path: Path) -> None:
    card = made(tmp_path, [*ROWS, "99,twice twice once"], target_min_count=2)
    assert "once" not in card.target_vocabulary
    (tmp_path / "capped").mkdir()
    assert len(made(tmp_path / "capped", target_vocabulary=4).target_vocabulary) == 4


def test_ids_are_padded_and_spelled_again(tmp_path: Path) -> None:
    card = made(tmp_path, [*ROWS, "99,nine seldom"], target_min_count=2)
    store = Store.open(tmp_path / "data")
    reader = TargetReader(facts(card), first=4)
    ids_BU, lengths_B = reader.cut(store, np.array([7, 42, 60]))
    assert lengths_B.tolist() == [1, 2, 2] and ids_BU[0, 1] == 0 and ids_BU[2, 1] == 1
    assert ids_BU[0, 0] >= 4 and ids_BU.max() < reader.vocabulary == 4 + len(reader.words())
    assert reader.spelled(ids_BU[1]) == ["four", "two"]
    assert reader.spelled([0, 2, 3, *ids_BU[2]]) == ["nine", UNKNOWN_WORD]
    assert reader.joined(["four", "two"]) == "four two"
    written_BU, _ = reader.written(store, np.array([42, 60]))
    assert written_BU[0].tolist() == ids_BU[1].tolist() and written_BU[1, 1] >= reader.vocabulary
    assert reader.spelled(written_BU[1]) == ["nine", "seldom"]
    assert reader.longest == 2


def test_a_fold_does_not_know_the_words_of_its_own_targets(tmp_path: Path) -> None:
    rows = [*ROWS, *(f"{n},{named(n)} extra{n}" for n in range(100, 130))]
    card = made(tmp_path, rows, validation={"folds": 3})
    store, found = Store.open(tmp_path / "data"), targets(tmp_path)
    for fold in range(3):
        reader = TargetReader(facts(card, fold))
        mine = np.flatnonzero((store.split_S == 0) & (store.fold_S != fold))
        assert set(reader.words()) == {word for s in mine for word in found.of(int(s))}


def test_sequences_of_numbers_may_stand_for_a_text(tmp_path: Path) -> None:
    rows = [f"s{s},{t},{s + t},say {s}" for s in range(20) for t in range(3)]
    columns = {"text": None, "tokens": None, "id": "id", "time": "t", "target": "said"}
    card = made(tmp_path, rows, "id,t,x,said", **columns)
    assert card.features == ("x",) and targets(tmp_path).of(12) == ["say", "12"]
    (tmp_path / "data").rename(tmp_path / "before")
    rows[4] = rows[4].replace("say", "tell")
    assert set(refused(tmp_path, rows, head="id,t,x,said", **columns)) == {"data/target-varies"}


def test_raw_texts_are_numbered_as_those_of_training(tmp_path: Path) -> None:
    card = made(tmp_path)
    (tmp_path / "new.csv").write_text(f"{HEAD}\n42,four twelve\n43,\n")
    file, layout = [tmp_path / "new.csv"], card.layout
    words = card.target_vocabulary
    steps = read_for_prediction(file, layout, (), card.vocabulary, 0, words, warnings=[])
    assert steps.target_tokens is not None
    assert steps.target_tokens.length_S.tolist() == [2, 0]
    ids_BU, _ = TargetReader(facts(card)).cut(steps, np.arange(2))
    assert ids_BU[0, 0] == 2 + words.index("four") and ids_BU[:, 1].tolist() == [1, 0]
    (tmp_path / "new.csv").write_text("digits\n42\n")
    steps = read_for_prediction(file, layout, (), card.vocabulary, 0, words, warnings=[])
    assert steps.target_tokens is None


def test_what_is_no_target_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, [*ROWS, "60,"]) == {"data/missing-target": "1 without one"}
    too_long = refused(tmp_path, [*ROWS, "9999,nine nine nine"], target_max_length=2)
    assert too_long == {"data/target-too-long": "1 longer, the longest with 3"}
    assert set(refused(tmp_path, target_tokens="words")) == {"data/target-tokens"}
    assert set(refused(tmp_path, target_min_count=1000)) == {"data/target-vocabulary"}
    assert set(refused(tmp_path, target="nam")) == {"data/absent-column"}


def test_keys_of_target_texts_are_refused_where_targets_are_none(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "\n".join(["text,kind", *(f"a{i},{i % 2}" for i in range(9))])
    )
    section = {"train": "rows.csv", "text": "text", "target": "kind", "target_min_count": 2}
    config = DataConfig.model_validate(section | {"target_tokens": "character"})
    with pytest.raises(DataError) as wrong:
        prepare(config, TaskData(kind="sequence"), tmp_path, tmp_path / "data", 0)
    assert [m.code for m in wrong.value.mistakes] == ["data/target-tokens"] * 2
