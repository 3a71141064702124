"""CTC: its losses and decoders against all paths, its scores against jiwer, targets too long."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import jiwer
import made
import numpy as np
import pytest
import torch

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import DataError
from tuner.models.shape import SettingsRefused
from tuner.refused_values import ValuesRefused
from tuner.tasks import _ctc
from tuner.tasks._edits import Edits, edits
from tuner.tasks.ctc import Ctc
from tuner.training.fit import build_module
from tuner.training.rank import Rank

OPTIONS = {"name": "ctc"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(made.of_task("ctc", tmp_path_factory.mktemp("ctc")))


def task_of(store: Store, options: dict[str, Any] = OPTIONS, **values: Any) -> Ctc:
    task = make_task(options, TrialConfig.from_values(values, options), store.card, None)
    assert isinstance(task, Ctc)
    return task


def decoded(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != _ctc.BLANK)


def all_texts(scores_TO: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every text, from every path."""
    share_TO = np.exp(scores_TO) / np.exp(scores_TO).sum(axis=1, keepdims=True)
    found: dict[tuple[int, ...], float] = {}
    num_steps, num_outputs = scores_TO.shape
    for path in itertools.product(range(num_outputs), repeat=num_steps):
        share = float(np.prod(share_TO[np.arange(num_steps), list(path)]))
        found[decoded(path)] = found.get(decoded(path), 0.0) + share
    return found


SHAPES = [(1, 2), (2, 3), (4, 3), (5, 3), (5, 4), (6, 3)]


@pytest.mark.parametrize(("steps", "outputs"), SHAPES)
def test_a_wide_prefix_beam_finds_the_likeliest_text(steps: int, outputs: int) -> None:
    differs = 0
    for seed in range(20):
        scores_TO = np.random.default_rng(seed).normal(0, 1, (steps, outputs))
        texts = all_texts(scores_TO)
        best = max(texts, key=lambda text: texts[text])
        assert tuple(_ctc.prefix_beam(scores_TO, 4_000)) == best
        greedy = tuple(_ctc.best_path(scores_TO))
        assert texts[greedy] <= texts[best]
        differs += greedy != best
    assert differs or steps < 4, "the likeliest path would do"


def test_the_best_path_is_joined_and_loses_its_blanks() -> None:
    path = [1, 1, 0, 1, 2, 2, 0, 0]
    assert _ctc.best_path(np.eye(3)[path]) == [1, 1, 2]


def test_a_target_needs_a_step_for_each_token_and_between_equal_ones() -> None:
    texts = [text for n in (1, 2, 3) for text in itertools.product((1, 2), repeat=n)]
    target_BU = np.array([(*text, 0, 0, 0)[:4] for text in texts])
    needed_B = _ctc.frames_needed(target_BU, np.array([len(text) for text in texts]))
    for text, needed in zip(texts, needed_B, strict=True):
        least = next(
            steps
            for steps in itertools.count(1)
            if any(decoded(path) == text for path in itertools.product((0, 1, 2), repeat=steps))
        )
        assert needed == least, text


def test_the_loss_is_that_of_all_paths(store: Store) -> None:
    task = task_of(store, **{"data/subsampling": 16})
    few = [int(r) for r in task.rows(store, "train", None) if store.target_tokens.length_S[r] < 4]  # type: ignore[union-attr]
    batch = task.batch(store, np.array(few[:2])).to_torch("cpu")
    steps_B = task.output_steps(batch.lengths)
    torch.manual_seed(0)
    y_BTO = torch.randn(len(steps_B), int(steps_B.max()), task.num_outputs)
    expected = 0.0
    for y_TO, steps, target_U, weights_U in zip(
        y_BTO, steps_B, batch.targets, batch.weights, strict=True
    ):
        texts = all_texts(y_TO[:steps].double().numpy())
        expected -= math.log(texts[tuple(target_U[weights_U > 0].tolist())])
    assert len(few) >= 2 and task.loss(y_BTO, batch).item() == pytest.approx(expected, rel=1e-5)


def test_it_is_added_up_in_single_precision(store: Store) -> None:
    task = task_of(store)
    batch = task.batch(store, task.rows(store, "train", None)[:4]).to_torch("cpu")
    torch.manual_seed(0)
    y_BTO = 5 * torch.randn(4, int(batch.lengths.max()), task.num_outputs).bfloat16()
    loss = task.loss(y_BTO, batch)
    assert loss.dtype == torch.float32 and loss == task.loss(y_BTO.float(), batch)


def by_hand(reference: str, answer: str) -> int:
    if not reference or not answer:
        return len(reference) + len(answer)
    return min(
        by_hand(reference[1:], answer) + 1,
        by_hand(reference, answer[1:]) + 1,
        by_hand(reference[1:], answer[1:]) + (reference[0] != answer[0]),
    )


def test_edits_are_the_fewest() -> None:
    texts = ["", "a", "ab", "ba", "abca", "bcab", "aaaa", "cabbac"]
    for reference, answer in itertools.product(texts, texts):
        found = edits(reference, answer)
        assert found.distance == by_hand(reference, answer), (reference, answer)
        assert found.insertions - found.deletions == len(answer) - len(reference)
    assert edits(["yes", "no", "no"], ["no", "no", "yes"]) == Edits(2, 0, 0)
    assert edits("abc", "ac") == Edits(0, 1, 0) and edits("ac", "abc") == Edits(0, 0, 1)


def test_error_rates_are_those_of_jiwer(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "train", None)
    batch = task.batch(store, rows).to_torch("cpu")
    torch.manual_seed(1)
    y_BTO = 3 * torch.randn(len(rows), int(batch.lengths.max()), task.num_outputs)
    # Blanks for most of it, so that words have about as many letters as there are.
    y_BTO[..., 0] += 6
    found = task.metrics(task.statistics(y_BTO, batch).tolist())
    answers = task.decode(store, rows, y_BTO.numpy(), task.batch(store, rows))["text"]
    assert store.target_tokens is not None
    texts = ["".join(store.target_tokens.of(int(row))) for row in rows]
    assert found["wer"] == pytest.approx(jiwer.wer(texts, answers), abs=1e-12)
    assert found["cer"] == pytest.approx(jiwer.cer(texts, answers), abs=1e-12)
    exact = np.mean([text == answer for text, answer in zip(texts, answers, strict=True)])
    assert found["exact_match"] == pytest.approx(exact)
    words = task.tables(task.statistics(y_BTO, batch).tolist())["words"].rows["words"]
    assert sum(words[:3]) == sum(len(text.split()) for text in texts)
    assert sum(words[1:]) / sum(words[:3]) == pytest.approx(found["wer"])


def test_a_beam_is_what_is_scored_and_answered(store: Store) -> None:
    greedy, wide = task_of(store), task_of(store, {**OPTIONS, "beam": 8})
    rows = greedy.rows(store, "train", None)[:8]
    batch = greedy.batch(store, rows)
    torch.manual_seed(2)
    y_BTO = torch.randn(len(rows), int(batch.lengths.max()), greedy.num_outputs)
    texts = [task.decode(store, rows, y_BTO.numpy(), batch)["text"] for task in (greedy, wide)]
    assert texts[0] != texts[1]
    scores = [
        task.metrics(task.statistics(y_BTO, batch.to_torch("cpu")).tolist())
        for task in (greedy, wide)
    ]
    assert scores[0]["loss"] == scores[1]["loss"] and scores[0]["cer"] != scores[1]["cer"]


def test_steps_side_by_side_are_one(store: Store) -> None:
    plain, stacked = task_of(store), task_of(store, **{"data/stack": 3})
    rows = plain.rows(store, "train", None)[:5]
    one, three = plain.batch(store, rows), stacked.batch(store, rows)
    assert stacked.num_inputs == 3 * plain.num_inputs
    assert three.lengths.tolist() == [-(-length // 3) for length in one.lengths.tolist()]
    width = plain.num_inputs
    for t in range(int(one.lengths[0])):
        part = three.inputs[0, t // 3, t % 3 * width : (t % 3 + 1) * width]
        np.testing.assert_array_equal(part, one.inputs[0, t])


@pytest.mark.parametrize("values", [{}, {"data/stack": 2}, {"data/subsampling": 2}])
def test_a_network_starts_with_the_blank_of_a_path_that_gives_tokens_one_step(
    store: Store, values: dict[str, int]
) -> None:
    config = TrialConfig.from_values(values, OPTIONS)
    task = task_of(store, **values)
    rows = task.rows(store, "train", None)
    head = build_module(config, task).head
    assert isinstance(head, torch.nn.Linear)
    share = head.bias.softmax(dim=0)[_ctc.BLANK].item()
    num_steps = store.length_S[rows].sum() / math.prod(values.values())
    assert share == pytest.approx(1 - task.target_lengths(store, rows).sum() / num_steps)
    assert not head.bias[1:].any()


def test_targets_as_long_as_their_steps_begin_without_a_blank(crowded: Path) -> None:
    store = Store.open(crowded)
    config = TrialConfig.from_values({"data/subsampling": 16}, OPTIONS)
    task = task_of(store, **{"data/subsampling": 16})
    assert not build_module(config, task).head.bias.any()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared recordings, two of which are far too short for their texts."""
    folder = tmp_path_factory.mktemp("crowded")
    path = made.recordings_jsonl(folder / "rows.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in (rows[3], rows[35]):
        row["text"] = "abc" * 30
    for name, some in (("rows.jsonl", rows[:30]), ("rest.jsonl", rows[30:])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in some))
    data = {"train": "rows.jsonl", "validation": "rest.jsonl", "audio": made.AUDIO}
    return made.prepared(folder, OPTIONS, {**data, "target": "text"})


def test_a_target_longer_than_its_steps_is_left_out_and_counted(
    crowded: Path, tmp_path: Path
) -> None:
    store = Store.open(crowded)
    assert [w for w in store.card.warnings if "2 of 40" in w and "data/target-longer" in w]
    rows = task_of(store).rows(store, "train", None)
    assert 3 not in rows and len(rows) == 29
    rank = Rank("cpu", 1)
    rank.start(made.job_of("ctc", crowded, tmp_path / "trial", {}))
    metrics = rank.epoch().metrics
    assert metrics["left_out"] == 1 and metrics["too_long"] == 1
    assert math.isfinite(metrics["train_loss"]) and math.isfinite(metrics["loss"])


def test_what_is_scored_stays_but_for_a_loss_that_is_infinite(crowded: Path) -> None:
    store = Store.open(crowded)
    task = task_of(store)
    rows = task.rows(store, "validation", None)
    assert rows.tolist() == list(range(30, 40))
    batch = task.batch(store, rows).to_torch("cpu")
    torch.manual_seed(0)
    y_BTO = torch.randn(10, int(batch.lengths.max()), task.num_outputs)
    assert task.loss(y_BTO, batch) == math.inf
    found = task.metrics(task.statistics(y_BTO, batch).tolist())
    alone = task.batch(store, np.delete(rows, 5)).to_torch("cpu")
    y_BTO = torch.cat([y_BTO[:5], y_BTO[6:]])[:, : int(alone.lengths.max())]
    without = task.metrics(task.statistics(y_BTO, alone).tolist())
    assert (found["too_long"], without["too_long"]) == (1, 0)
    assert found["loss"] == pytest.approx(without["loss"]) and found["wer"] != without["wer"]


def test_what_no_training_text_had_is_an_error_as_it_is_written(tmp_path: Path) -> None:
    path = made.recordings_jsonl(tmp_path / "rows.jsonl", num=20)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[15]["text"] = "abXY"
    for name, some in (("rows.jsonl", rows[:15]), ("rest.jsonl", rows[15:])):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in some))
    data = {"train": "rows.jsonl", "validation": "rest.jsonl", "audio": made.AUDIO}
    store = Store.open(made.prepared(tmp_path, OPTIONS, {**data, "target": "text"}))
    task = task_of(store)
    batch = task.batch(store, np.array([15]))
    known = [task.target.first + task.target.words().index(letter) for letter in "ab"]
    path_T = np.zeros(batch.inputs.shape[1], dtype=np.int64)
    path_T[[1, 3]] = known
    y_BTO = torch.from_numpy(50 * np.eye(task.num_outputs, dtype=np.float32)[path_T])[None]
    found = task.metrics(task.statistics(y_BTO, batch.to_torch("cpu")).tolist())
    assert (found["cer"], found["wer"]) == (0.5, 1.0) and math.isfinite(found["loss"])


def test_a_target_that_nothing_fits_is_a_mistake(tmp_path: Path) -> None:
    path = made.recordings_jsonl(tmp_path / "rows.jsonl", num=12)
    rows = [json.loads(line) | {"text": "abc" * 40} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError) as refused:
        made.prepared(
            tmp_path, OPTIONS, {"train": path.name, "audio": made.AUDIO, "target": "text"}
        )
    assert [mistake.code for mistake in refused.value.mistakes] == ["data/target-longer"]


def test_a_stride_that_leaves_nothing_to_learn_is_refused(store: Store) -> None:
    task = task_of(store, **{"data/subsampling": 16, "data/stack": 16})
    with pytest.raises(SettingsRefused, match="must have steps enough"):
        task.rows(store, "train", None)


def test_a_bag_of_words_has_no_order() -> None:
    with pytest.raises(ValuesRefused, match="gives a token"):
        TrialConfig.from_values({"data/encoding": "bag_of_words"}, OPTIONS)


def test_it_learns_which_tone_is_which_letter(tmp_path: Path) -> None:
    data = made.of_task("ctc", tmp_path, num=60)
    values = {"model/hidden_size": 24, "model/directions": 2, "optimizer/lr": 0.02}
    values |= {"training/epochs": 25, "training/batch_size": 4, "data/subsampling": 2}
    rank = Rank("cpu", 1)
    rank.start(made.job_of("ctc", data, tmp_path / "trial", values))
    best = min(rank.epoch().metrics["cer"] for _ in range(25))
    store = Store.open(data)
    naive = task_of(store).baselines(store, "validation", None)["most frequent token"]
    assert best < 0.1 < naive["cer"]
