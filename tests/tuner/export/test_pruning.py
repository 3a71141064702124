"""Pruning takes the smallest weights for good, and what is left is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest
import torch

from tuner.export.contents import Pruning
from tuner.export.pruning import EPOCHS, prune
from tuner.training.fit import Fit
from tuner.training.job import Job
from tuner.training.rank import Rank


def trained(folder: Path, name: str, values: dict[str, Any], **changes: Any) -> tuple[Fit, Job]:
    job = made.job_of(name, made.of_task(name, folder), folder / "trial", values, **changes)
    rank = Rank("cpu", 1)
    rank.start(job)
    while not rank.epoch().ended:
        pass
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    return fit, job


def pruned(fit: Fit, job: Job, share: float) -> tuple[Pruning, dict[str, dict[str, float]]]:
    return prune(job, fit.config, fit.task, fit.store, fit.module, share)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fit, Job]:
    values = {"model/crf": True, "data/characters": 3, "training/epochs": 6, "training/ema": 0.5}
    values |= {"optimizer/lr": 0.03}
    return trained(tmp_path_factory.mktemp("tags"), "tagging", values)


def test_the_smallest_of_each_matrix_are_zero_and_the_others_move(tagger: tuple[Fit, Job]) -> None:
    fit, job = tagger
    before = {name: p.detach().clone() for name, p in fit.module.named_parameters()}
    whole = fit.evaluate(fit.validation)[job.metric]
    found, metrics = pruned(fit, job, 0.5)
    for name, after in fit.module.named_parameters():
        zeros = after == 0
        if after.ndim < 2 or name == "transitions":
            assert not zeros.all(), name
            continue
        assert int(zeros.sum()) >= round(0.5 * after.numel()), name
        kept = before[name][~zeros].abs()
        assert before[name][zeros].abs().max() <= kept.min() + 1e-12, name
        assert not torch.equal(after[~zeros], before[name][~zeros]), name
    assert found.before == whole and found.epochs == EPOCHS and found.split == "validation"
    assert found.after == metrics["validation"][job.metric] and "test" in metrics
    assert found.lost == pytest.approx((found.before - found.after) / found.before)
    total = [int((p == 0).sum()) / p.numel() for p in fit.module.parameters()]
    assert min(total) <= found.sparsity <= max(total)


def test_fine_tuning_wins_back_what_pruning_took(tmp_path: Path) -> None:
    fit, job = trained(tmp_path, "regression", {"training/epochs": 12, "optimizer/lr": 0.01})
    torch.set_num_threads(1)
    found, _ = pruned(fit, job, 0.6)
    alone = _without_training(fit, job)
    assert found.after < alone, "of an error, less is better"
    assert found.lost == pytest.approx((found.after - found.before) / found.before)


def _without_training(fit: Fit, job: Job) -> float:
    """The error of the trial's best network with the same weights at 0."""
    from tuner.training import checkpoint

    zeros = {name: p == 0 for name, p in fit.module.named_parameters() if p.ndim > 1}
    best = checkpoint.read(Path(job.folder), "best")
    assert best is not None
    fit.module.load_state_dict(best.tensors)
    with torch.no_grad():
        for name, parameter in fit.module.named_parameters():
            if name in zeros:
                parameter.masked_fill_(zeros[name], 0.0)
    return fit.evaluate(fit.validation)[job.metric]


def test_a_refit_is_tuned_on_all_its_rows(tmp_path: Path) -> None:
    data = made.classification(tmp_path, validation={"folds": 3})
    job = made.job(data, tmp_path / "trial", refit_epochs=2)
    rank = Rank("cpu", 1)
    rank.start(job)
    while not rank.epoch().ended:
        pass
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    found, metrics = pruned(fit, job, 0.25)
    assert found.split == "train" and list(metrics) == ["train"]
