from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import DataError
from tuner.refused_values import ValuesRefused
from tuner.tasks.language_modelling import LanguageModelling
from tuner.training.batches import Batches

TASK = {"name": "language_modelling"}
DATA = {"train": "stream.txt", "tokens": "character", "validation": 0.1, "test": 0.1}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("stream")
    made.stream_txt(folder / "stream.txt", num=900)
    return Store.open(made.prepared(folder, TASK, DATA))


def task_of(store: Store, **values: Any) -> LanguageModelling:
    task = make_task(TASK, TrialConfig.from_values(values, TASK), store.card, None)
    assert isinstance(task, LanguageModelling)
    return task


def text_of(store: Store, split: int) -> str:
    chosen_N = np.repeat(store.split_S == split, store.length_S)
    assert store.token_N is not None
    return "".join(store.forms[v] for v in store.token_N[chosen_N])


def test_the_stream_is_the_file(store: Store, tmp_path: Path) -> None:
    text = made.stream_txt(tmp_path / "stream.txt", num=900).read_text()
    parts = [text_of(store, split) for split in range(3)]
    assert "".join(parts) == text
    assert [len(part) / len(text) for part in parts] == pytest.approx([0.8, 0.1, 0.1], abs=0.01)


@pytest.mark.parametrize("window", [1, 7, 64])
@pytest.mark.parametrize(("split", "num"), [("train", 5), ("validation", 3), ("test", 1)])
def test_each_token_but_the_first_is_predicted_once(
    store: Store, window: int, split: Any, num: int
) -> None:
    task = task_of(store, **{"data/window": window})
    rows_TB3 = task.streams(store, split, None, num)
    batch = task.batch(store, rows_TB3.reshape(-1, 3))
    assert batch.inputs.shape[1] <= window
    text = text_of(store, ("train", "validation", "test").index(split))
    words = ["", "?", *task.reader.words()]
    # Part by part, window by window, the counted targets spell the text.
    counted = batch.weights.reshape(len(rows_TB3), num, -1) > 0
    targets = batch.targets.reshape(counted.shape)
    spelled = [words[i] for b in range(num) for i in targets[:, b][counted[:, b]]]
    assert "".join(spelled) == text[1:]
    assert task.count(store, rows_TB3.reshape(-1, 3)) == len(text) - 1


def test_a_part_goes_on_where_its_window_ended(store: Store) -> None:
    task = task_of(store, **{"data/window": 9})
    rows_TB3 = task.streams(store, "train", None, 4)
    for before, after in zip(rows_TB3[:-1], rows_TB3[1:], strict=True):
        going = after[:, 1] > 0
        assert (before[:, 0] + before[:, 1])[going].tolist() == after[:, 0][going].tolist()


def test_scored_parts_read_something_before_their_own(store: Store) -> None:
    task = task_of(store, **{"data/window": 16})
    rows_TB3 = task.streams(store, "validation", None, 3)
    assert rows_TB3[..., 2].sum(axis=0).tolist() == [0, 128, 128]
    assert not task.streams(store, "train", None, 3)[..., 2].any()


def test_metrics_follow_from_total_loss_and_total_characters(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "validation", None)
    batch = task.batch(store, rows).to_torch("cpu")
    outputs = torch.zeros(*batch.targets.shape, task.num_outputs)
    found = task.metrics(task.statistics(outputs, batch).tolist())
    assert found["loss"] == pytest.approx(math.log(task.vocabulary))
    assert found["perplexity"] == pytest.approx(task.vocabulary, rel=1e-5)
    assert found["nats_per_character"] == pytest.approx(found["loss"])
    assert found["bits_per_character"] == pytest.approx(math.log2(task.vocabulary))


def test_words_are_compared_by_their_characters(tmp_path: Path) -> None:
    (tmp_path / "stream.txt").write_text("aa bbbb\n" * 40)
    data = DATA | {"tokens": "word"}
    store = Store.open(made.prepared(tmp_path, TASK, data))
    task = task_of(store)
    batch = task.batch(store, task.rows(store, "test", None)).to_torch("cpu")
    outputs = torch.zeros(*batch.targets.shape, task.num_outputs)
    found = task.metrics(task.statistics(outputs, batch).tolist())
    # "aa ", "bbbb " and the line break are 9 characters in 3 tokens, the first token is not scored.
    letters = (4 * 9 - 3) / (4 * 3 - 1)
    assert found["nats_per_character"] == pytest.approx(found["loss"] / letters)


def test_baselines_know_single_tokens_and_pairs(store: Store) -> None:
    task = task_of(store)
    found = task.baselines(store, "test", None)
    text, train = text_of(store, 2), text_of(store, 0)
    single = [-math.log((train.count(c) + 1) / (len(train) + task.vocabulary)) for c in text[1:]]
    assert found["single tokens"]["loss"] == pytest.approx(np.mean(single))
    assert found["pairs of tokens"]["loss"] < 0.8 * found["single tokens"]["loss"]
    assert found["pairs of tokens"]["accuracy"] > found["single tokens"]["accuracy"]


def test_reading_backwards_is_refused(store: Store) -> None:
    with pytest.raises(ValuesRefused, match="must be 1 where language_modelling predicts"):
        TrialConfig.from_values({"model/directions": 2}, TASK)


@pytest.mark.parametrize("validation", [{"folds": 3}, {"after": "2020-01-01"}])
def test_a_stream_is_split_by_position_only(tmp_path: Path, validation: Any) -> None:
    made.stream_txt(tmp_path / "stream.txt")
    with pytest.raises(DataError, match="of a stream must be files or a share"):
        made.prepared(tmp_path, TASK, DATA | {"validation": validation})


def test_each_text_is_told_how_likely_it_is(store: Store) -> None:
    task = task_of(store)
    rows = task.prediction_rows(store)[5:9]
    batch = task.batch(store, rows)
    outputs = np.zeros((*batch.targets.shape, task.num_outputs), np.float32)
    columns = task.decode(store, rows, outputs, batch)
    assert columns["id"] == [f"line {i}" for i in range(6, 10)]
    assert columns["nats_per_token"] == pytest.approx(
        [math.log(task.vocabulary) * (n > 0) for n in columns["tokens"]]
    )


def test_parts_of_unequal_length_are_kept_alike(store: Store) -> None:
    """Short streams: no window is full, and some are one token shorter than others."""
    task = task_of(store, **{"data/window": 4096})
    batches = Batches(task, store, np.concatenate(task.streams(store, "test", None, 7)), "cpu", 7)
    taken = batches.take(np.arange(7))
    assert torch.equal(taken.inputs, torch.from_numpy(task.batch(store, batches.rows).inputs))
