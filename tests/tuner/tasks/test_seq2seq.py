"""Texts that are decoded: what they are learned by, how they are scored, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from sacrebleu.metrics import BLEU
from torch.nn.functional import cross_entropy

from tuner.config import TrialConfig, make_task
from tuner.data.ids import END, UNKNOWN
from tuner.data.store import Store
from tuner.errors import DataError
from tuner.refused_values import ValuesRefused
from tuner.tasks._base import Batch, Task
from tuner.training.rank import Rank

SEQ2SEQ = {"name": "seq2seq"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.of_task("seq2seq", tmp_path_factory.mktemp("digits"), num=200)


@pytest.fixture(scope="module")
def store(data: Path) -> Store:
    return Store.open(data)


def task_of(store: Store, values: dict[str, Any] | None = None, **options: Any) -> Any:
    config = TrialConfig.from_values(values or {}, SEQ2SEQ | options)
    return make_task(SEQ2SEQ | options, config, store.card, None)


def scores(task: Task, store: Store, rows: np.ndarray, decoded: list[str]) -> dict[str, float]:
    """The metrics of some texts, of words that are known, in batches."""
    ids = {word: i + 4 for i, word in enumerate(task.target.words())}  # type: ignore[attr-defined]
    sums: Any = 0
    for part in np.array_split(np.arange(len(rows)), 3):
        batch = task.batch(store, rows[part]).to_torch("cpu")
        spelled = [[ids[word] for word in decoded[p].split()] for p in part]
        width = max([1, *map(len, spelled)])
        padded = torch.tensor([row + [0] * (width - len(row)) for row in spelled])
        sums = sums + task.statistics((torch.full(batch.targets.shape, -2.0), padded), batch)
    return task.metrics(sums.tolist())


def references(store: Store, rows: np.ndarray) -> list[str]:
    assert store.target_tokens is not None
    return [" ".join(store.target_tokens.of(int(row))) for row in rows]


def test_targets_end_and_are_weighed_to_their_end(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "train", None)[:9]
    batch = task.batch(store, rows)
    for row, target_U, weight_U, length in zip(
        rows, batch.targets, batch.weights, batch.target_lengths, strict=True
    ):
        assert task.text(target_U) == references(store, np.array([row]))[0]
        assert target_U[length - 1] == END and not target_U[length:].any()
        assert weight_U.tolist() == [1.0] * length + [0.0] * (len(weight_U) - length)


def test_bleu_is_sacrebleus_over_all_texts_whatever_the_batches(store: Store) -> None:
    task, chance = task_of(store), np.random.default_rng(0)
    rows = task.rows(store, "train", None)
    truth = references(store, rows)
    decoded = [" ".join(chance.choice(made.DIGITS[1:], len(text.split()))) for text in truth]
    decoded[::3] = truth[::3]
    decoded[4] = ""
    found = scores(task, store, rows, decoded)
    assert found["bleu"] == pytest.approx(BLEU().corpus_score(decoded, [truth]).score, rel=1e-9)
    assert 0 < found["bleu"] < 100
    assert found["exact_match"] == np.mean([a == b for a, b in zip(decoded, truth, strict=True)])
    assert scores(task, store, rows, truth)["bleu"] == pytest.approx(100)


def test_bleu_can_be_cut_otherwise(store: Store) -> None:
    rows = task_of(store).rows(store, "train", None)
    truth = references(store, rows)
    decoded = [text.replace("one", "two") for text in truth]
    found = scores(task_of(store, bleu="char"), store, rows, decoded)["bleu"]
    assert found == pytest.approx(BLEU(tokenize="char").corpus_score(decoded, [truth]).score)
    assert found != scores(task_of(store), store, rows, decoded)["bleu"]


def test_errors_are_edits_by_what_was_to_be_said(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "train", None)
    truth = references(store, rows)
    decoded = list(truth)
    decoded[0] = f"{truth[0]} one two"
    decoded[1] = ""
    found = scores(task, store, rows, decoded)
    words, letters = (sum(map(len, x)) for x in ([t.split() for t in truth], truth))
    assert found["wer"] == pytest.approx((2 + len(truth[1].split())) / words)
    assert found["cer"] == pytest.approx((8 + len(truth[1])) / letters)


def test_the_loss_is_of_all_tokens_and_ends(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "train", None)[:9]
    batch = task.batch(store, rows).to_torch("cpu")
    logits_BUV = torch.randn(*batch.targets.shape, task.num_outputs)
    plain = cross_entropy(logits_BUV.mT, batch.targets, reduction="none")
    expected = (plain * batch.weights).sum()
    torch.testing.assert_close(task.loss(logits_BUV, batch), expected)
    smooth = task_of(store, {"loss/label_smoothing": 0.2})
    assert not torch.isclose(smooth.loss(logits_BUV, batch), expected)
    logp_BU = -plain
    found = task.metrics(task.statistics((logp_BU, batch.targets), batch).tolist())
    assert found["loss"] == pytest.approx(float(expected) / task.count(store, rows), rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))
    assert found["exact_match"] == 1


def test_unknown_tokens_are_learned_as_one_and_never_right(tmp_path: Path) -> None:
    made.named_digits_csv(tmp_path / "rows.csv", num=200)
    made.write_rows(tmp_path / "test.csv", [{"digits": "no 10000", "name": "one and nothing"}])
    section = {"train": "rows.csv", "test": "test.csv", "text": "digits", "target": "name"}
    store = Store.open(made.prepared(tmp_path, SEQ2SEQ, section | {"tokens": "character"}))
    task = task_of(store)
    batch = task.batch(store, task.rows(store, "test", None)).to_torch("cpu")
    assert (batch.targets[0, 1:3] >= task.num_outputs).all()
    assert task.text(batch.targets[0].numpy()) == "one and nothing"
    logits = torch.randn(*batch.targets.shape, task.num_outputs)
    as_unknown = batch.targets.where(batch.targets < task.num_outputs, UNKNOWN)
    same = Batch(**vars(batch) | {"targets": as_unknown})
    torch.testing.assert_close(task.loss(logits, batch), task.loss(logits, same))
    decoded = as_unknown.clone()
    found = task.metrics(task.statistics((logits[..., 0], decoded), batch).tolist())
    assert found["exact_match"] == 0 and found["wer"] == pytest.approx(2 / 3)


def test_baselines_say_the_usual_text_and_the_text_itself(tmp_path: Path) -> None:
    rows = [{"text": f"same {i}", "target": "same" if i % 3 else f"same {i}"} for i in range(60)]
    made.write_rows(tmp_path / "rows.csv", rows)
    section = {"train": "rows.csv", "text": "text", "target": "target", "tokens": "whitespace"}
    store = Store.open(made.prepared(tmp_path, SEQ2SEQ, section))
    found = task_of(store).baselines(store, "validation", None)
    truth = references(store, task_of(store).rows(store, "validation", None))
    usual, itself = found["most frequent text"], found["the text that is read"]
    assert usual["exact_match"] == np.mean([text == "same" for text in truth])
    assert itself["exact_match"] == np.mean([text != "same" for text in truth])
    assert usual["loss"] == itself["loss"] > 0


@pytest.mark.parametrize("beam", [1, 3])
def test_it_learns_to_say_what_it_reads(data: Path, tmp_path: Path, beam: int) -> None:
    values = {"model/hidden_size": 32, "model/cell": "gru", "optimizer/lr": 0.01}
    values |= {"training/epochs": 60, "training/batch_size": 16}
    rank = Rank("cpu", 1)
    task = SEQ2SEQ | {"beam": beam}
    rank.start(made.job_of("seq2seq", data, tmp_path / "trial", values, task=task))
    first = rank.epoch()
    for _ in range(59):
        report = rank.epoch()
    assert first.metrics["exact_match"] < 0.2
    assert report.metrics["loss"] < first.metrics["loss"] / 4
    assert report.best > 60 and report.metrics["exact_match"] > 0.4


def test_a_beam_looks_for_texts_when_they_are_scored(store: Store, data: Path) -> None:
    task = task_of(store, beam=4, length_power=0.5, longest=7)
    assert (task.search.width, task.search.length_power, task.search.longest) == (4, 0.5, 8)
    assert task_of(store).search.longest == 1 + 4


def test_scheduled_sampling_follows_the_steps_of_the_trial(data: Path, tmp_path: Path) -> None:
    values = {"regularization/scheduled_sampling": 0.6, "training/epochs": 4}
    fit = made.fit(data, tmp_path / "t", values, task=SEQ2SEQ, metric="bleu")
    seen: list[float] = []
    decoder = fit.module.decoder
    forward = decoder.forced
    decoder.forced = lambda *given: (seen.append(decoder.progress), forward(*given))[1]  # type: ignore[method-assign]
    fit.epoch(2, [0.0])
    steps = fit.num_steps
    assert seen == pytest.approx([(1 + step / steps) / 4 for step in range(steps)])


@pytest.mark.parametrize(
    ("values", "task", "path"),
    [
        ({"model/name": "mine:Mine"}, "seq2seq", "model/name"),
        ({"model/attention": "bahdanau"}, "seq2seq", "model/attention"),
        ({"regularization/scheduled_sampling": 1.5}, "seq2seq", "scheduled_sampling"),
        ({"regularization/scheduled_sampling": 0.5}, "classification", "scheduled_sampling"),
        ({"model/crf": True}, "seq2seq", "model/crf"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, Any], task: str, path: str) -> None:
    with pytest.raises(ValuesRefused) as refused:
        TrialConfig.from_values(values, made.TASKS[task])
    assert all(r.rule and r.got and r.fix for r in refused.value.refusals)
    assert path in {r.path for r in refused.value.refusals} | {
        r.path.rpartition("/")[2] for r in refused.value.refusals
    }


def test_parallel_text_is_read_line_by_line(tmp_path: Path) -> None:
    numbers = list(range(100, 160))
    words = [" ".join(made.DIGITS[int(d)] for d in str(n)) for n in numbers]
    (tmp_path / "rows.en").write_text("".join(f"{text}\n" for text in words))
    (tmp_path / "rows.digits").write_text("".join(f"{n}\n" for n in numbers))
    section = {"train": "rows.en", "format": "parallel", "text": "en", "target": "digits"}
    section |= {"target_tokens": "character"}
    store = Store.open(made.prepared(tmp_path, SEQ2SEQ, section))
    assert store.target_tokens is not None and store.target_tokens.of(7) == list("107")
    assert [file.path for file in store.card.files] == ["rows.en", "rows.digits"]

    def refused(english: str, digits: str | None) -> dict[str, str]:
        (tmp_path / "rows.en").write_text(english)
        (tmp_path / "rows.digits").unlink(missing_ok=True)
        if digits is not None:
            (tmp_path / "rows.digits").write_text(digits)
        with pytest.raises(DataError) as wrong:
            made.prepared(tmp_path / "again", SEQ2SEQ, {**section, "train": "../rows.en"})
        return {m.code: f"{m.where} | {m.got}" for m in wrong.value.mistakes}

    (tmp_path / "again").mkdir()
    assert refused("one\ntwo\n", "1\n")["data/parallel-lines"].endswith("2 and 1")
    assert "line 2" in refused("one\n\nthree\n", "1\n2\n3\n")["data/empty-text"]
    assert "line 3" in refused("one\ntwo\nthree\n", "1\n2\n\n")["data/missing-target"]
    assert "without rows.digits" in refused("one\ntwo\n", None)["data/absent-column"]
