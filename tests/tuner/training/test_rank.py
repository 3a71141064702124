"""What one rank promises: exactness, independence of what was before, ends that are named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import made
import pytest
import torch
from torch import Tensor

from cluster.network import free_port
from tuner import registry
from tuner.errors import Diverged, Infeasible
from tuner.training import checkpoint
from tuner.training.finish import finish
from tuner.training.rank import OutOfMemory, Rank, halved
from tuner.training.trial import BEST, Report


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"), test=0.2)


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("folds"), validation={"folds": 3})


VALUES: dict[str, Any] = {
    "regularization/dropout": 0.3,
    "regularization/input_dropout": 0.1,
    "model/layers": 2,
    "optimizer/name": "adamw",
}


def train(rank: Rank, job: made.Job) -> tuple[list[Report], dict[str, Tensor]]:
    rank.start(job)
    reports = [rank.epoch()]
    while not reports[-1].ended:
        reports.append(rank.epoch())
    best = checkpoint.read(Path(job.folder), BEST)
    assert best is not None
    return reports, best.tensors


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


def test_weights_are_bitwise_the_same_on_a_fresh_and_on_a_used_rank(
    data: Path, tmp_path: Path
) -> None:
    _, expected = train(Rank("cpu", 1), made.job(data, tmp_path / "fresh", VALUES))
    used = Rank("cpu", 1)
    train(used, made.job(data, tmp_path / "other", {"model/cell": "gru", "training/seed": 5}))
    broken = {"optimizer/lr": 1e30, "optimizer/name": "sgd"}
    used.start(made.job(data, tmp_path / "broken", broken))
    with pytest.raises(Diverged):
        for _ in range(3):
            used.epoch()
    torch.manual_seed(99)
    _, found = train(used, made.job(data, tmp_path / "again", VALUES))
    assert same(expected, found)


def test_another_seed_gives_other_weights(data: Path, tmp_path: Path) -> None:
    _, one = train(Rank("cpu", 1), made.job(data, tmp_path / "1", {"training/seed": 1}))
    _, two = train(Rank("cpu", 1), made.job(data, tmp_path / "2", {"training/seed": 2}))
    assert not same(one, two)


MADE_ROWS = {"data/sampling": "synthetic", "augmentation/jitter": 0.1, "augmentation/mixup": 0.4}
MADE_ROWS |= {"training/batch_tokens": 60}
STEPS: dict[str, Any] = {
    "schedule/name": "stable_decay",
    "optimizer/lr_scaling": "sqrt",
    "regularization/activation": 1.0,
    "regularization/temporal_activation": 1.0,
    "training/accumulate": 2,
    "training/bptt": 4,
    "training/precision": "bfloat16",
    "training/ema": 0.9,
}
"""Whatever shapes a step, not in its default."""


@pytest.mark.parametrize(
    "changes",
    [
        *({"optimizer/name": name} for name in registry.names("optimizers")),
        # One epoch is averaged before the cut.
        {"optimizer/name": "asgd", "optimizer/start": 0.2},
        STEPS,
        MADE_ROWS,
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_a_resumed_trial_ends_with_the_weights_of_an_undisturbed_one(
    data: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    values = VALUES | {"schedule/name": "plateau"} | changes
    values["training/epochs"] = 5
    if values["schedule/name"] == "plateau":
        values["schedule/patience"] = 1
    undisturbed, expected = train(Rank("cpu", 1), made.job(data, tmp_path / "whole", values))
    job = made.job(data, tmp_path / "cut", values)
    first = Rank("cpu", 1)
    first.start(job)
    first.epoch(), first.epoch()
    first.save()
    second = Rank("cpu", 1)
    assert second.start(job) == 2
    reports = [second.epoch() for _ in range(3)]
    best = checkpoint.read(tmp_path / "cut", BEST)
    assert best is not None and same(expected, best.tensors)
    for ours, theirs in zip(undisturbed[2:], reports, strict=True):
        drop = {"rows_per_second"}
        assert {k: v for k, v in ours.metrics.items() if k not in drop} == {
            k: v for k, v in theirs.metrics.items() if k not in drop
        }
        assert (ours.best, ours.best_epoch, ours.ended) == (
            theirs.best,
            theirs.best_epoch,
            theirs.ended,
        )


def test_a_checkpoint_of_other_values_is_not_taken_up(data: Path, tmp_path: Path) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path / "t", {"training/epochs": 4}))
    rank.epoch()
    rank.save()
    assert rank.start(made.job(data, tmp_path / "t", {"training/epochs": 5})) == 0


def test_a_broken_newest_checkpoint_costs_epochs_not_the_trial(data: Path, tmp_path: Path) -> None:
    job = made.job(data, tmp_path / "t", {"training/epochs": 5})
    rank = Rank("cpu", 1)
    rank.start(job)
    for _ in range(3):
        rank.epoch()
        rank.save()
    newest = tmp_path / "t" / "epoch-00003.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    assert rank.start(job) == 2
    for path in (tmp_path / "t").glob("epoch-*.safetensors"):
        path.write_bytes(b"\0" * 64)
    assert rank.start(job) == 0


def test_the_kept_weights_are_those_of_the_best_epoch(data: Path, tmp_path: Path) -> None:
    job = made.job(data, tmp_path / "t", {"training/epochs": 12, "optimizer/lr": 0.1})
    rank = Rank("cpu", 1)
    reports, _ = train(rank, job)
    values = [report.metrics["accuracy"] for report in reports]
    last = reports[-1]
    assert last.best == max(values)
    losses = [report.metrics["loss"] for report in reports]
    order = [(value, -loss) for value, loss in zip(values, losses, strict=True)]
    assert last.best_epoch == 1 + order.index(max(order))
    metrics = reports[last.best_epoch - 1].metrics
    assert last.best_metrics.items() <= metrics.items()
    assert last.best_metrics.keys() == {n for n in metrics if not n.startswith("grad_norm/")}
    assert rank.evaluate("validation")["accuracy"] == last.best
    assert [report.best for report in reports] == [max(values[: i + 1]) for i in range(12)]


def test_a_stopped_trial_keeps_its_best_weights_and_no_checkpoint(
    data: Path, tmp_path: Path
) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path / "t"))
    rank.epoch()
    rank.save()
    rank.stop()
    names = sorted(p.name for p in (tmp_path / "t").iterdir() if "confusion" not in p.name)
    assert names == ["best.json", "best.safetensors"]


def hits(folder: Path) -> tuple[int, int]:
    """Right and all answers of a kept confusion matrix."""
    rows = json.loads((folder / "validation-confusion.json").read_text())["rows"]
    counts = list(rows.values())
    return sum(row[c] for c, row in enumerate(counts)), sum(map(sum, counts))


def test_the_confusions_of_the_best_epoch_are_kept_though_a_trial_resumes(
    data: Path, tmp_path: Path
) -> None:
    values = {"training/epochs": 8, "training/patience": 2, "optimizer/lr": 0.3}
    job = made.job(data, tmp_path / "t", values)
    first = Rank("cpu", 1)
    first.start(job)
    report = first.epoch()
    while not report.ended:
        first.save()
        second = Rank("cpu", 1)
        second.start(job)
        report, first = second.epoch(), second
    right, everything = hits(tmp_path / "t")
    assert right / everything == pytest.approx(report.best)
    assert report.metrics["accuracy"] < report.best, "the last epoch was the best"


def test_the_confusions_of_folds_are_those_of_all_rows(folds: Path, tmp_path: Path) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(folds, tmp_path / "t"))
    while not rank.epoch().ended:
        pass
    assert hits(tmp_path / "t")[1] == 61


def test_lost_weights_are_trained_again_exactly(data: Path, tmp_path: Path) -> None:
    job = made.job(data, tmp_path / "t", VALUES)
    _, expected = train(Rank("cpu", 1), job)
    (tmp_path / "t" / "best.safetensors").unlink()
    rank = Rank("cpu", 1)
    found = finish(rank, job, 3)
    assert same(expected, found.tensors)
    assert rank.evaluate("test").keys() >= {"accuracy", "loss"}


def test_early_stopping_ends_a_trial_that_stands_still(data: Path, tmp_path: Path) -> None:
    values = {"training/epochs": 50, "training/patience": 2, "optimizer/lr": 1e-12}
    reports, _ = train(Rank("cpu", 1), made.job(data, tmp_path / "t", values))
    assert len(reports) == 3
    assert reports[-1].ended == "no better value in 2 epochs"


def test_a_budget_of_steps_takes_the_place_of_a_number_of_rows(data: Path, tmp_path: Path) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path / "t", {"training/batch_tokens": 40}))
    rank.epoch()
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    shapes = [fit.train.take(places).inputs.shape for places in fit.train.steps(1)]
    assert all(rows * steps <= 40 for rows, steps, _ in shapes)
    assert len({rows for rows, _, _ in shapes}) > 2 and fit.num_steps == len(shapes)


def test_folds_advance_together_and_report_their_mean(folds: Path, tmp_path: Path) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(folds, tmp_path / "t", {"training/epochs": 4}))
    report = rank.epoch()
    assert rank._trial is not None and len(rank._trial.fits) == 3
    singles = [fit.evaluate(fit.validation)["accuracy"] for fit in rank._trial.fits]
    assert report.metrics["accuracy"] == pytest.approx(sum(singles) / 3, abs=1e-12)
    held_out = [set(fit.validation.rows.tolist()) for fit in rank._trial.fits]
    trained = [set(fit.train.rows.tolist()) for fit in rank._trial.fits]
    assert set.union(*held_out) == held_out[0] | trained[0]
    assert all(not (t & v) for t, v in zip(trained, held_out, strict=True))
    means = {fit.task.facts.statistics.mean for fit in rank._trial.fits}
    assert len(means) == 3, "what is fitted is fitted for each fold"


def test_a_refit_trains_all_rows_for_the_given_epochs(folds: Path, tmp_path: Path) -> None:
    job = dataclasses.replace(made.job(folds, tmp_path / "t"), refit_epochs=2)
    rank = Rank("cpu", 1)
    reports, _ = train(rank, job)
    assert [report.epoch for report in reports] == [1, 2]
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    assert len(fit.train) == 61


def test_of_equally_good_epochs_the_one_of_the_lowest_loss_counts(
    folds: Path, tmp_path: Path
) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(folds, tmp_path / "t", {"training/epochs": 4}))
    rank.epoch()
    trial = rank._trial
    assert trial is not None
    # Of three folds: best once, in epoch 2; in 2 and 3; and always.
    trial.values = [[0.1, 0.0, 1.0], [0.9, 1.0, 1.0], [0.2, 1.0, 1.0], [0.8, 0.9, 1.0]]
    trial.losses = [[0.3, 0.9, 0.8], [0.4, 0.4, 0.3], [0.1, 0.3, 0.2], [0.2, 0.1, 0.1]]
    assert trial.refit_epochs == 3 == round((2 + 3 + 4) / 3)


def test_weights_of_an_equal_value_and_a_lower_loss_are_kept_but_end_no_patience(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path / "t", {"training/epochs": 9, "training/patience": 4}))
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    told = iter([(0.5, 0.9), (0.8, 0.7), (0.8, 0.8), (0.8, 0.4), (0.8, 0.5), (0.7, 0.1)])
    monkeypatch.setattr(
        fit.task, "metrics", lambda sums: dict(zip(("accuracy", "loss"), next(told), strict=True))
    )
    reports = [rank.epoch() for _ in range(6)]
    assert [report.best_epoch for report in reports] == [1, 2, 2, 4, 4, 4]
    assert reports[-1].best_metrics["loss"] == 0.4
    assert reports[-1].ended == "no better value in 4 epochs"


def test_a_rate_that_explodes_is_divergence(data: Path, tmp_path: Path) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path / "t", {"optimizer/lr": 1e30, "optimizer/name": "sgd"}))
    with pytest.raises(Diverged, match=r"(loss|epoch)"):
        for _ in range(3):
            rank.epoch()


def test_memory_that_runs_out_is_told_apart(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path / "t"))

    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    assert rank._trial is not None
    monkeypatch.setattr(rank._trial.fits[0], "step", full)
    with pytest.raises(OutOfMemory):
        rank.epoch()
    assert [halved(None, 16), halved(16, 16), halved(3, 16), halved(2, 16)] == [8, 8, 2, 1]
    with pytest.raises(Infeasible):
        halved(1, 16)


def test_a_trial_that_makes_no_model_is_infeasible(data: Path, tmp_path: Path) -> None:
    job = made.job(data, tmp_path / "t", {"model/hidden_size": 128, "model/parameters": 10})
    with pytest.raises(Infeasible, match="`model/parameters` must be .* got 10"):
        Rank("cpu", 1).start(job)


def test_ranks_that_do_not_meet_say_so_in_time() -> None:
    address = f"tcp://127.0.0.1:{free_port('127.0.0.1')}"
    with pytest.raises(RuntimeError, match="1/2 clients joined"):
        Rank("cpu", 1).join(0, 2, address, timeout=1)
