"""Frames for texts: their scores, what of a raw text is refused, and that they can be learned."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.config import TrialConfig, make_task
from tuner.data import griffin_lim
from tuner.data.store import Store, TargetTokens
from tuner.errors import DataError
from tuner.refused_values import ValuesRefused
from tuner.tasks._warping import warped
from tuner.tasks.synthesis import Synthesis
from tuner.training.rank import Rank

OPTIONS = {"name": "synthesis"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(made.of_task("synthesis", tmp_path_factory.mktemp("synthesis")))


def task_of(store: Store, **values: Any) -> Synthesis:
    task = make_task(OPTIONS, TrialConfig.from_values(values, OPTIONS), store.card, None)
    assert isinstance(task, Synthesis)
    return task


def paths(n: int, m: int) -> list[list[tuple[int, int]]]:
    """All ways from the first pair of steps to the last."""
    if (n, m) == (0, 0):
        return [[(0, 0)]]
    before = [(n - 1, m), (n, m - 1), (n - 1, m - 1)]
    found = itertools.chain(*(paths(a, b) for a, b in before if a >= 0 and b >= 0))
    return [[*path, (n, m)] for path in found]


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (3, 1), (4, 5), (5, 5)])
def test_warping_finds_the_best_of_all_paths(n: int, m: int) -> None:
    chance = np.random.default_rng(n + m)
    one_NF, other_MF = chance.normal(0, 1, (n, 3)), chance.normal(0, 1, (m, 3))

    def cost(path: list[tuple[int, int]]) -> float:
        total, before = 0.0, (-1, -1)
        for place in path:
            both = place[0] > before[0] and place[1] > before[1]
            apart = float(np.abs(one_NF[place[0]] - other_MF[place[1]]).mean())
            total, before = total + (2 if both else 1) * apart, place
        return total

    assert warped(one_NF, other_MF) == pytest.approx(min(map(cost, paths(n - 1, m - 1))))
    assert warped(other_MF, one_NF) == pytest.approx(warped(one_NF, other_MF))


def test_what_is_slower_alone_is_no_error() -> None:
    frames_UM = np.random.default_rng(0).normal(0, 1, (6, 4))
    assert warped(frames_UM, np.repeat(frames_UM, [1, 3, 1, 2, 1, 1], axis=0)) == 0


def test_texts_are_inputs_and_frames_in_deviations_are_targets(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "train", None)
    batch = task.batch(store, rows)
    assert batch.inputs.shape[2] == 1 and batch.inputs.max() < task.vocabulary
    assert store.target_tokens is not None
    words = ["", "", *task.words()]
    for b, row in enumerate(rows[:3]):
        said = [words[i] for i in batch.inputs[b, : batch.lengths[b], 0]]
        assert said == store.target_tokens.of(int(row))
    frames_NM = batch.targets[batch.weights > 0]
    np.testing.assert_allclose(frames_NM.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames_NM.std(axis=0), 1, atol=1e-4)
    begin = int(store.offset_S[rows[0]])
    units_UM = task.in_units(batch.targets[0, :3])
    np.testing.assert_allclose(units_UM, store.values_NF[begin : begin + 3], atol=1e-4)


def test_scores_are_their_formulas(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "validation", None)[:3]
    batch = task.batch(store, rows).to_torch("cpu")
    chance = torch.Generator().manual_seed(0)
    y_BUO = torch.randn(*batch.targets.shape[:2], task.num_outputs, generator=chance)
    given_BLM = torch.randn(3, task.most_frames, task.num_outputs - 1, generator=chance)
    given_B = torch.tensor([7, 12, task.most_frames])
    found = task.metrics(task.statistics((y_BUO, given_BLM, given_B), batch).tolist())
    counted_BU = batch.weights > 0
    apart = (y_BUO[..., :-1] - batch.targets).abs().mean(-1)[counted_BU].mean()
    assert found["mae"] == pytest.approx(float(apart), rel=1e-5)
    ends, warp, weight = 0.0, 0.0, 0
    lengths = batch.target_lengths.tolist()
    for b, num in enumerate(lengths):
        odds_U = y_BUO[b, :num, -1].double()
        ends -= float(odds_U[-1].sigmoid().log() + (1 - odds_U[:-1].sigmoid()).log().sum())
        given_LM = given_BLM[b, : given_B[b]].numpy()
        warp += warped(batch.targets[b, :num].numpy(), given_LM)
        weight += num + len(given_LM)
    assert found["stop_loss"] == pytest.approx(ends / 3, rel=1e-5)
    assert found["dtw"] == pytest.approx(warp / weight)
    longer = sum(abs(n - g) for n, g in zip(lengths, given_B.tolist(), strict=True))
    assert found["length_error"] == pytest.approx(longer / sum(lengths))
    assert found["unended"] == pytest.approx(1 / 3)
    given_BLM[1, 3, 2] = float("nan")
    broken = task.metrics(task.statistics((y_BUO, given_BLM, given_B), batch).tolist())
    assert all(map(math.isnan, broken.values()))


def test_each_loss_is_its_definition_and_moves_no_score(store: Store) -> None:
    rows = task_of(store).rows(store, "validation", None)[:3]
    scores = []
    for name, power in (("l1", 1), ("mse", 2)):
        task = task_of(store, **{"loss/name": name})
        batch = task.batch(store, rows).to_torch("cpu")
        y_BUO = torch.randn(*batch.targets.shape[:2], 9, generator=torch.Generator().manual_seed(0))
        apart_BUM = (y_BUO[..., :-1] - batch.targets).abs() ** power
        outputs = y_BUO, y_BUO[:, :4, :-1], torch.full((3,), 4)
        scores.append(task.metrics(task.statistics(outputs, batch).tolist()))
        ends = scores[-1]["stop_loss"] * 3
        expected = apart_BUM.mean(-1)[batch.weights > 0].sum() + ends
        assert float(task.loss(y_BUO, batch)) == pytest.approx(float(expected), rel=1e-5)
    assert scores[0] == scores[1]


def test_the_mean_frame_is_what_is_to_be_beaten(store: Store) -> None:
    task = task_of(store)
    (scores,) = task.baselines(store, "validation", None).values()
    rows = task.rows(store, "validation", None)
    batch = task.batch(store, rows)
    counted_BU = batch.weights > 0
    assert scores["mae"] == pytest.approx(np.abs(batch.targets[counted_BU]).mean(), rel=1e-5)
    # Of frames that are all one, no warping helps.
    assert 0.5 < scores["dtw"] <= scores["mae"]
    assert 0 < scores["length_error"] < 0.5 and scores["unended"] == 0


def raw(store: Store, *texts: str) -> Any:
    """Steps of raw texts, letter by letter."""
    assert store.target_tokens is not None
    letters = [*dict.fromkeys("".join((*store.card.target_vocabulary, *texts)))]
    lengths = np.array([len(text) for text in texts])
    tokens = TargetTokens(
        token_M=np.array([letters.index(letter) for letter in "".join(texts)]),
        offset_S=np.cumsum(lengths) - lengths,
        length_S=lengths,
        forms=letters,
    )
    ids = [f"text {s}" for s in range(len(texts))]
    return replace(store, ids=ids, target_tokens=tokens)


def test_unknown_tokens_and_texts_too_long_are_refused_together(store: Store) -> None:
    task = task_of(store)
    assert task.refused(raw(store, "abc", "a" * 12)) == []
    odd, long = task.refused(raw(store, "abc", "axb", "a" * 13, "yx"))
    assert odd.code == "predict/unknown-token" and odd.got == "'x', 'y'"
    assert odd.where == "text 1, text 3" and "'a', 'b', 'c'" in odd.rule
    assert long.code == "predict/too-long" and long.where == "text 2" and "12" in long.rule
    assert all([odd.fix, long.fix, long.got == "up to 13"])


def test_a_text_that_came_to_no_end_is_told(store: Store) -> None:
    task, rows = task_of(store), np.array([0, 1, 2])
    given_B = np.array([3, task.most_frames, 5])
    (note,) = task.notes(store, rows, (None, None, given_B))
    assert store.ids[1] in note and store.ids[0] not in note and str(task.most_frames) in note
    assert task.notes(store, rows, (None, None, given_B - 1)) == []


def test_texts_as_inputs_of_the_data_are_refused(tmp_path: Path) -> None:
    made.questions_csv(tmp_path / "rows.csv")
    with pytest.raises(DataError, match="data/frames"):
        made.prepared(tmp_path, OPTIONS, {"train": "rows.csv", "text": "text", "target": "kind"})


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"model/name": "mine:Mine"}, "model/name"),
        ({"regularization/scheduled_sampling": 0.5}, "scheduled_sampling"),
        ({"model/frames_per_step": 0}, "model/frames_per_step"),
        ({"model/crf": True}, "model/crf"),
        ({"data/scaling": "none"}, "data/scaling"),
    ],
)
def test_what_does_not_go_with_frames_is_refused(values: dict[str, Any], key: str) -> None:
    with pytest.raises(ValuesRefused, match=key):
        TrialConfig.from_values(values, OPTIONS)


def test_tones_are_learned_and_heard(tmp_path: Path) -> None:
    """Far better than the mean frame, with about the right end, and loud at the right pitches."""
    data = made.of_task("synthesis", tmp_path, num=60)
    values = {"model/hidden_size": 32, "training/epochs": 40, "optimizer/lr": 0.01}
    values |= {"model/cell": "gru", "model/frames_per_step": 3, "training/batch_size": 8}
    rank = Rank("cpu", 1)
    rank.start(made.job_of("synthesis", data, tmp_path / "trial", values))
    while not rank.epoch().ended:
        pass
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    task, store = fit.task, fit.store
    assert isinstance(task, Synthesis)
    scores = fit.evaluate(fit.batches("test"))
    naive = task.baselines(store, "test", None)["mean frame"]
    assert scores["dtw"] < 0.6 * naive["dtw"] and scores["length_error"] < 0.25
    batch = task.batch(store, task.rows(store, "test", None)[:1]).to_torch("cpu")
    with torch.no_grad():
        _, given_BLM, given_B = fit.module.eval()(batch.inputs, batch.lengths, batch.targets)
    audio = store.card.layout.audio
    assert audio is not None
    samples_N = griffin_lim.samples(task.in_units(given_BLM[0, : given_B[0]].numpy()), audio)
    power_K = np.abs(np.fft.rfft(samples_N)) ** 2
    loudest = np.fft.rfftfreq(len(samples_N), 1 / made.RATE)[power_K.argmax()]
    assert min(abs(loudest - pitch) for pitch in (120, 300, 700)) < 60
