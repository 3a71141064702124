"""Averages of the weights: what they hold, when they begin, and that they are what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tuner.config import TrialConfig
from tuner.refused_values import ValuesRefused
from tuner.training import checkpoint
from tuner.training.averages import Exponential
from tuner.training.optimizers import asgd
from tuner.training.rank import Rank
from tuner.training.trial import BEST


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"), test=0.2)


def walked(data: Path, folder: Path, values: dict[str, Any]) -> tuple[list[Tensor], Tensor]:
    """The head's weights after each step of two epochs, and what is scored in the end."""
    fit = made.fit(data, folder, values)
    steps: list[Tensor] = []
    fit.optimizer.register_step_post_hook(
        lambda *_: steps.append(fit.module.head.weight.detach().clone())  # type: ignore[func-returns-value]
    )
    fit.epoch(1, []), fit.epoch(2, [0.5])
    with fit.scored():
        scored = fit.module.head.weight.detach().clone()
    torch.testing.assert_close(fit.module.head.weight.detach(), steps[-1], rtol=0, atol=0)
    return steps, scored


def test_an_exponential_mean_weighs_all_steps_and_no_initial_weights(
    data: Path, tmp_path: Path
) -> None:
    steps, scored = walked(data, tmp_path, {"training/ema": 0.8})
    shares = torch.tensor([0.8**age for age in range(len(steps))]).flip(0)
    expected = (torch.stack(steps) * (shares / shares.sum()).view(-1, 1, 1)).sum(0)
    torch.testing.assert_close(scored, expected)
    plain, unaveraged = walked(data, tmp_path / "off", {})
    torch.testing.assert_close(torch.stack(plain), torch.stack(steps), rtol=0, atol=0)
    assert torch.equal(unaveraged, plain[-1]) and not torch.allclose(unaveraged, scored)


def test_asgd_averages_plain_steps_from_its_start(data: Path, tmp_path: Path) -> None:
    values = {"optimizer/lr": 0.5, "training/epochs": 2}
    late = {"optimizer/name": "asgd", "optimizer/start": 0.5}
    steps, scored = walked(data, tmp_path / "asgd", values | late)
    second_epoch = steps[len(steps) // 2 :]
    torch.testing.assert_close(scored, torch.stack(second_epoch).mean(0))
    plain, last = walked(data, tmp_path / "sgd", values | {"optimizer/name": "sgd"})
    torch.testing.assert_close(torch.stack(plain), torch.stack(steps), rtol=0, atol=0)
    assert not torch.allclose(last, scored)


def test_asgd_begins_once_values_stand_still_and_never_stops() -> None:
    config = asgd.Config(start=1.0, patience=2)
    begun = [asgd.averages(config, 0.1, v) for v in ([], [1, 2, 2], [1, 2, 2, 2], [1, 2, 1, 2, 9])]
    assert begun == [False, False, True, True]
    assert asgd.averages(asgd.Config(start=0.5), 0.5, [])
    assert not asgd.averages(asgd.Config(start=0.5), 0.4, [])


def test_running_statistics_are_averaged_with_the_weights() -> None:
    module = nn.BatchNorm1d(2)
    average = Exponential(module, 0.5)
    for value in (1.0, 4.0):
        assert module.running_mean is not None
        module.running_mean.fill_(value)
        average.add()
    with average.scored():
        assert module.running_mean is not None
        assert module.running_mean.tolist() == [3.0, 3.0]
    assert module.running_mean.tolist() == [4.0, 4.0]


@pytest.mark.parametrize(
    "values",
    [
        {"training/ema": 0.95},
        {"optimizer/name": "asgd", "optimizer/lr": 2.0, "optimizer/start": 0.2},
    ],
    ids=["ema", "asgd"],
)
def test_the_averages_are_what_is_validated_and_kept(
    data: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path, values | {"model/norm": "batch"}, metric="loss"))
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    report = rank.epoch()
    while not report.ended:
        report = rank.epoch()
    trained = fit.evaluate(fit.validation)
    with fit.scored():
        assert fit.evaluate(fit.validation) == {n: report.metrics[n] for n in trained}
        state = {name: tensor.clone() for name, tensor in fit.module.state_dict().items()}
    assert trained["loss"] != report.metrics["loss"]
    best = checkpoint.read(tmp_path, BEST)
    assert best is not None
    if report.best_epoch == report.epoch:
        assert all(torch.equal(tensor, best.tensors[name]) for name, tensor in state.items())
    # Whatever is trained by now, the kept weights give the best value again.
    assert rank.evaluate("validation")["loss"] == report.best


def test_two_averages_at_once_are_refused() -> None:
    values = {"training/ema": 0.9, "optimizer/name": "asgd"}
    with pytest.raises(ValuesRefused, match="averages the weights itself"):
        TrialConfig.from_values(values, made.CLASSIFICATION)


def test_averages_tame_steps_that_are_too_long(data: Path, tmp_path: Path) -> None:
    """What they are for: at a rate that only jumps about a minimum, they lie nearer to it."""
    values = {"optimizer/name": "momentum", "optimizer/lr": 1.0, "training/ema": 0.95}
    fit = made.fit(data, tmp_path, values)
    losses: list[tuple[float, float]] = []
    for number in range(1, 16):
        fit.epoch(number, [])
        trained = fit.evaluate(fit.validation)["loss"]
        with fit.scored():
            losses.append((trained, fit.evaluate(fit.validation)["loss"]))
    trained_mean, averaged_mean = np.mean(losses[5:], axis=0)
    assert averaged_mean < 0.8 * trained_mean
