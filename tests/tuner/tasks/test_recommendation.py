from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.config import TrialConfig, make_task
from tuner.data.ids import FIRST
from tuner.data.store import Store
from tuner.refused_values import ValuesRefused
from tuner.tasks._base import Batch
from tuner.tasks.recommendation import Recommendation
from tuner.training.rank import Rank
from tuner.training.training_rows import TrainingRows

TASK = {"name": "recommendation"}
HISTORIES = ["u1 a b c d e", "u2 b a b c", "u3 c a d", "u4 e a b f", "u5 a b"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "rows.histories").write_text("\n".join(HISTORIES))
    data = {"train": "rows.histories", "validation": {"last": 1}, "test": {"last": 1}}
    return Store.open(made.prepared(tmp_path, TASK, data))


def task_of(store: Store, options: dict[str, Any] | None = None, **values: Any) -> Recommendation:
    config = TrialConfig.from_values(values, TASK)
    task = make_task(TASK | (options or {}), config, store.card, None)
    assert isinstance(task, Recommendation)
    return task


def spelled(task: Recommendation, ids: np.ndarray) -> str:
    return "".join(["", "?", *task.words()][i] for i in ids.ravel())


def test_every_place_of_a_history_is_learned_from_once(store: Store) -> None:
    for most in (1, 2, 50):
        task = task_of(store, **{"data/history": most})
        rows = task.rows(store, "train", None)
        batch = task.batch(store, rows)
        counted = batch.weights > 0
        pairs = zip(batch.inputs[..., 0][counted], batch.targets[counted], strict=True)
        read = sorted(spelled(task, np.array(pair)) for pair in pairs)
        # Two events of each history are held out.
        assert read == sorted(["ab", "bc", "ba", "ea"])
        assert task.count(store, rows) == 4 and batch.lengths.max() <= most
        assert batch.seen is None


def test_a_held_out_item_is_predicted_from_all_before_it(store: Store) -> None:
    task = task_of(store, **{"data/history": 3})
    for split, expected in (
        ("validation", {"abc": "?", "ba": "b", "c": "a", "ea": "b"}),
        ("test", {"bc?": "e", "bab": "c", "ca": "?", "eab": "?", "a": "b"}),
    ):
        rows = task.rows(store, split, None)  # type: ignore[arg-type]
        batch = task.batch(store, rows)
        found = {}
        for b, length in enumerate(batch.lengths):
            assert batch.weights[b].sum() == batch.weights[b, length - 1] == 1
            target = spelled(task, batch.targets[b, length - 1 : length])
            found[spelled(task, batch.inputs[b, :length])] = target
        assert found == expected
    # What stands before the last three is seen, though it is not read.
    (first,) = [b for b, row in enumerate(rows) if row[0] == 0]
    assert spelled(task, batch.seen[first][batch.seen[first] > 0]) == "abc?"


def scores_of(task: Recommendation, store: Store, seed: int = 0) -> tuple[torch.Tensor, Batch]:
    batch = task.batch(store, task.rows(store, "test", None)).to_torch("cpu")
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(len(batch.lengths), task.num_outputs, generator=chance), batch


@pytest.mark.parametrize("repeats", [False, True])
def test_scores_are_those_of_a_ranking_by_hand(tmp_path: Path, repeats: bool) -> None:
    made.histories_csv(tmp_path / "rows.csv", longest=20)
    data = {"train": "rows.csv", "id": "id", "time": "step", "target": "item"}
    data |= {"validation": {"last": 1}, "test": {"last": 2}}
    store = Store.open(made.prepared(tmp_path, TASK, data))
    task = task_of(store, {"repeats": repeats})
    outputs, batch = scores_of(task, store)
    found = task.metrics(task.statistics(outputs, batch).tolist())
    hits, gains, places, losses = [], [], [], []
    missed = 0
    for row, scores in zip(task.rows(store, "test", None), outputs.numpy(), strict=True):
        history, _, end, _ = row
        words = ["", "?", *task.words()]
        begin = store.offset_S[history]
        assert store.token_N is not None
        *before, true = (store.forms[v] for v in store.token_N[begin : begin + end + 1])
        names = [w for w in words[FIRST:] if repeats or w not in before]
        ranking = sorted(names, key=lambda w: -scores[words.index(w)])
        place = ranking.index(true) + 1 if true in ranking else float("inf")
        missed += place == float("inf")
        hits.append(place <= 10)
        gains.append(1 / np.log2(place + 1) if place <= 5 else 0)
        places.append(1 / place)
        if true in words:
            own = scores.astype(np.float64)
            losses.append(np.log(np.exp(own).sum()) - own[words.index(true)])
    assert (missed > 0) is not repeats
    assert found["hr_10"] == pytest.approx(np.mean(hits))
    assert found["ndcg_5"] == pytest.approx(np.mean(gains))
    assert found["mrr"] == pytest.approx(np.mean(places))
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_ranks_are_counted(store: Store) -> None:
    task = task_of(store)
    outputs, batch = scores_of(task, store)
    table = task.tables(task.statistics(outputs, batch).tolist())["ranks"]
    counted = dict(zip(table.columns, table.rows["items"], strict=True))
    # Of five items three are known, each among fewer than five that were not seen.
    assert counted == {"1 to 5": 3, "6 to 10": 0, "11 to 20": 0, "later": 0, "unknown": 2}


def test_scores_all_alike_are_no_ranking(store: Store) -> None:
    task = task_of(store)
    _, batch = scores_of(task, store)
    sums = task.statistics(torch.zeros(len(batch.lengths), task.num_outputs), batch)
    last = [task.metrics(sums.tolist())["mrr"]]
    # Each true item stands behind the others unseen: e of u1 alone, c of u2 behind e, b of u5
    # behind c and e.
    assert last == pytest.approx([(1 + 1 / 2 + 1 / 3) / 5])


def test_popularity_is_what_training_rows_hold_most(store: Store) -> None:
    task = task_of(store)
    counts = dict(zip(task.words(), store.card.fitted(None).token_counts, strict=True))
    assert counts == {"a": 3, "b": 2, "c": 2, "e": 1}
    scores = task.baselines(store, "test", None)["most popular"]
    # e of u1 and c of u2 come first of what is unseen, b of u5 with c; d and f are in no training
    # row.
    assert scores["mrr"] == pytest.approx((1 + 1 + 1 / 2) / 5)
    assert scores["hr_5"] == pytest.approx(3 / 5)
    outputs, batch = scores_of(task, store)
    by_count = torch.tensor([0.0, 0.0, *(counts[w] for w in task.words())]).expand_as(outputs)
    by_model = task.metrics(task.statistics(by_count, batch).tolist())
    assert {m: by_model[m] for m in ("hr_10", "ndcg_10", "mrr")} == pytest.approx(
        {m: scores[m] for m in ("hr_10", "ndcg_10", "mrr")}
    )


@pytest.mark.parametrize("repeats", [False, True])
def test_what_followed_most_often_is_ranked_as_by_hand(tmp_path: Path, repeats: bool) -> None:
    made.histories_csv(tmp_path / "rows.csv", num=40, longest=24)
    data = {"train": "rows.csv", "id": "id", "time": "step", "target": "item"}
    data |= {"validation": {"last": 1}, "test": {"last": 3}}
    store = Store.open(made.prepared(tmp_path, TASK, data))
    task = task_of(store, {"repeats": repeats})
    assert store.token_N is not None
    words = [store.forms[v] for v in store.token_N]
    followed: Counter[tuple[str, str]] = Counter()
    for offset, end in zip(store.offset_S, store.bounds["train_end"], strict=True):
        followed.update(zip(words[offset : offset + end - 1], words[offset + 1 :], strict=False))
    counts = dict(zip(task.words(), store.card.fitted(None).token_counts, strict=True))
    places = []
    for history, _, end, _ in task.rows(store, "test", None):
        begin = store.offset_S[history]
        *before, true = words[begin : begin + end + 1]

        def score(item: str, last: str = before[-1]) -> tuple[int, int]:
            return followed[last, item], counts[item]

        names = [w for w in counts if repeats or w not in before]
        ahead = [w for w in names if true in names and score(w) >= score(true)]
        places.append(1 / len(ahead) if ahead else 0)
    found = task.baselines(store, "test", None)["most often next"]
    assert found["mrr"] == pytest.approx(np.mean(places))
    assert found["mrr"] > task.baselines(store, "test", None)["most popular"]["mrr"]


def test_predictions_name_items_that_were_not_seen(store: Store) -> None:
    task = task_of(store, {"top": 2})
    rows = task.prediction_rows(store)
    batch = task.batch(store, rows)
    assert not batch.weights.any() and not task.is_labelled(store)
    scores = np.arange(task.num_outputs, dtype=np.float32).repeat(len(rows))
    outputs = scores.reshape(-1, len(rows)).T
    columns = task.decode(store, rows, outputs, batch)
    named = list(zip(columns["id"], columns["rank"], columns["item"], strict=True))
    order = [*task.words()][::-1]
    for user, line in (text.split(maxsplit=1) for text in HISTORIES):
        unseen = [item for item in order if item not in line.split()][:2]
        assert [n for n in named if n[0] == user] == [
            (user, rank, item) for rank, item in enumerate(unseen, 1)
        ]


def test_what_is_drawn_follows_from_seed_epoch_and_row_alone(store: Store, tmp_path: Path) -> None:
    values = {"loss/name": "bce", "loss/negatives": 6}
    task = task_of(store, **values)
    rows = task.rows(store, "train", None)
    config = TrialConfig.from_values(values, TASK)

    def drawn(epoch: int, places: list[int], seed: int = 1) -> torch.Tensor:
        fit = TrainingRows(task, store, rows, "cpu", config, [seed])
        fit.steps(epoch)
        negatives: torch.Tensor = fit.take(np.array(places, dtype=np.int64)).negatives
        return negatives

    whole = drawn(1, [0, 1, 2])
    assert whole.shape == (3, 6) and whole.min() >= FIRST and whole.max() < task.vocabulary
    assert torch.equal(drawn(1, [2, 0]), whole[[2, 0]])
    assert not torch.equal(drawn(2, [0, 1, 2]), whole)
    assert not torch.equal(drawn(1, [0, 1, 2], seed=2), whole)
    assert drawn(1, []).shape == (1, 6), "an idle rank draws, too"


@pytest.mark.parametrize("name", ["softmax", "sampled_softmax", "bce", "bpr", "top1_max"])
@pytest.mark.parametrize("tied", [True, False])
def test_every_loss_learns_what_follows(name: str, tied: bool, tmp_path: Path) -> None:
    made.histories_csv(tmp_path / "rows.csv", num=120)
    data = {"train": "rows.csv", "id": "id", "time": "step", "target": "item"}
    data |= {"validation": {"last": 1}, "test": {"last": 1}}
    folder = made.prepared(tmp_path, TASK, data)
    values = {"loss/name": name, "loss/negatives": 8, "model/tied": tied, "optimizer/lr": 0.02}
    values |= {"model/hidden_size": 24, "model/embedding": 16, "training/epochs": 8}
    job = made.job_of("recommendation", folder, tmp_path / "trial", values)
    rank = Rank("cpu", 1)
    rank.start(job)
    reports = [rank.epoch() for _ in range(8)]
    assert reports[-1].metrics["train_loss"] < reports[0].metrics["train_loss"]
    assert reports[-1].best > 0.6, "popularity reaches a third"


def test_scores_in_training_are_those_of_scoring(tmp_path: Path) -> None:
    data = made.of_task("recommendation", tmp_path)
    for tied in (True, False):
        values = {"model/tied": tied, "model/hidden_size": 9, "model/embedding": 5}
        job = made.job_of("recommendation", data, tmp_path / f"t{tied}", values)
        rank = Rank("cpu", 1)
        rank.start(job)
        assert rank._trial is not None
        (fit,) = rank._trial.fits
        batch = fit.validation.take(np.arange(9))
        with torch.no_grad():
            h_BTJ, items_VJ, bias_V = fit.module.train()(batch.inputs, batch.lengths)
            expected = fit.module.eval()(batch.inputs, batch.lengths)
        last_BJ = h_BTJ[torch.arange(9), batch.lengths - 1]
        torch.testing.assert_close(last_BJ @ items_VJ.T + bias_V, expected)


def test_a_model_of_ones_own_and_reading_backwards_are_refused() -> None:
    for values, part in (
        ({"model/name": "torch.nn:Identity"}, "`model/name` must be a shipped architecture"),
        ({"model/directions": 2}, "`model/directions` must be 1"),
    ):
        with pytest.raises(ValuesRefused, match=part):
            TrialConfig.from_values(values, TASK)


def test_idle_rows_add_nothing_to_a_sampled_loss(store: Store) -> None:
    task = task_of(store, **{"loss/name": "sampled_softmax"})
    batch = task.batch(store, task.rows(store, "train", None)).idle().to_torch("cpu")
    batch = replace(batch, negatives=torch.full((1, 4), FIRST))
    outputs = [torch.randn(*shape, requires_grad=True) for shape in ((1, 2, 5), (6, 5), (6,))]
    loss = task.loss(tuple(outputs), batch)
    assert loss.item() == 0
    for gradient in torch.autograd.grad(loss, outputs):
        assert not gradient.any()
