"""Texts of pictures: how they are scored, and that they are learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from sacrebleu.metrics import BLEU

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.tasks._decoded import _misplaced
from tuner.training.rank import Rank

CAPTIONING = {"name": "captioning"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.of_task("captioning", tmp_path_factory.mktemp("squares"), num=120)


def test_scores_are_sacrebleus_of_each_order(data: Path) -> None:
    store = Store.open(data)
    task: Any = make_task(CAPTIONING, TrialConfig.from_values({}, CAPTIONING), store.card, None)
    rows = task.rows(store, "train", None)
    batch = task.batch(store, rows).to_torch("cpu")
    decoded = batch.targets.clone()
    decoded[::2, 0] = 4
    truth, texts = ([task.text(row.numpy()) for row in ids] for ids in (batch.targets, decoded))
    logp = torch.full(batch.targets.shape, -1.0)
    found = task.metrics(task.statistics((logp, decoded), batch).tolist())
    for order in (1, 2, 3, 4):
        expected = BLEU(max_ngram_order=order).corpus_score(texts, [truth]).score
        assert found[f"bleu_{order}"] == pytest.approx(expected, rel=1e-9)
    assert found["exact_match"] == np.mean([a == b for a, b in zip(texts, truth, strict=True)])
    pairs = zip(truth, texts, strict=True)
    errors = [_misplaced(a.split(), b.split()) for a, b in pairs]
    assert found["token_error"] == pytest.approx(np.mean(errors))
    assert found["loss"] == pytest.approx(1.0)


def test_a_token_that_stands_elsewhere_is_an_error() -> None:
    assert _misplaced(["a", "b", "c"], ["a", "b", "c"]) == 0
    assert _misplaced(["a", "b", "c"], ["b", "c"]) == 1
    assert _misplaced(["a", "b"], ["a", "b", "c", "d"]) == 0.5
    assert _misplaced([], []) == 0 and _misplaced(["a"], []) == 1


def test_it_learns_to_say_what_it_sees(data: Path, tmp_path: Path) -> None:
    values = {"model/hidden_size": 24, "model/cell": "gru", "optimizer/lr": 0.01}
    values |= {"model/picture_layers": 2, "model/convolution_filters": 12}
    values |= {"training/epochs": 30, "training/batch_size": 16}
    rank = Rank("cpu", 1)
    rank.start(made.job_of("captioning", data, tmp_path / "trial", values))
    reports = [rank.epoch() for _ in range(30)]
    assert reports[0].metrics["exact_match"] < 0.3
    assert reports[-1].metrics["exact_match"] > 0.7 and reports[-1].metrics["token_error"] < 0.2
