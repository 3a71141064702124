"""Training losses over classes against their definitions; scores know nothing of them."""

from __future__ import annotations

from typing import Any

import made
import numpy as np
import pytest
import torch
from torch.nn import functional

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.tasks._base import Batch, Task
from tuner.tasks._losses import ClassLossConfig, class_losses, class_weights, mixed

LOGITS = 3 * torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.randint(0, 4, (5, 7), generator=torch.Generator().manual_seed(1))


def losses(**options: float) -> torch.Tensor:
    return class_losses(LOGITS, TARGETS, ClassLossConfig(**options))


def test_without_options_it_is_cross_entropy() -> None:
    expected = functional.cross_entropy(LOGITS.flatten(0, 1), TARGETS.flatten(), reduction="none")
    assert torch.equal(losses(), expected.view(5, 7))


def test_smoothing_is_torchs() -> None:
    expected = functional.cross_entropy(
        LOGITS.flatten(0, 1), TARGETS.flatten(), reduction="none", label_smoothing=0.2
    )
    torch.testing.assert_close(losses(label_smoothing=0.2), expected.view(5, 7))


def test_focal_passes_over_what_is_learned() -> None:
    share = LOGITS.softmax(-1).gather(-1, TARGETS[..., None])[..., 0]
    torch.testing.assert_close(losses(focal=2.0), (1 - share) ** 2 * -share.log())


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_has_a_gradient_where_all_is_learned(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    config = ClassLossConfig(focal=gamma, label_smoothing=0.1)
    class_losses(logits, torch.tensor([0, 0]), config).sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_class_weights_are_one_in_the_mean_over_the_rows() -> None:
    counts = [90, 9, 1]
    balanced, rooted = (class_weights(how, counts) for how in ("balanced", "sqrt"))
    assert class_weights("none", counts) is None
    assert balanced is not None and rooted is not None
    np.testing.assert_allclose(balanced * counts, [100 / 3] * 3, rtol=1e-6)
    for weights in (balanced, rooted):
        assert weights @ counts == pytest.approx(100, rel=1e-6)
    assert rooted[2] / rooted[0] == pytest.approx(np.sqrt(90), rel=1e-6)
    assert class_weights("balanced", [4, 0])[1] == 0  # type: ignore[index]


def test_mixed_rows_answer_for_both_targets() -> None:
    batch = Batch(
        inputs=None,
        lengths=None,
        targets=TARGETS,
        weights=None,
        others=TARGETS.roll(1, 0),
        share=torch.tensor([1.0, 0.0, 0.5, 0.25, 0.75]),
    )
    found = mixed(lambda y: class_losses(LOGITS, y, ClassLossConfig()), batch)
    own = losses()
    other = class_losses(LOGITS, TARGETS.roll(1, 0), ClassLossConfig())
    torch.testing.assert_close(found[0], own[0])
    torch.testing.assert_close(found[1], other[1])
    torch.testing.assert_close(found[3], 0.25 * own[3] + 0.75 * other[3])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("rows")
    made.sequences_csv(folder / "rows.csv", rare=True)
    section = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
    return Store.open(made.prepared(folder, made.CLASSIFICATION, section))


def task_of(store: Store, values: dict[str, Any]) -> Task:
    config = TrialConfig.from_values(values, made.CLASSIFICATION)
    return make_task(made.CLASSIFICATION, config, store.card, None)


@pytest.mark.parametrize(
    "values",
    [
        {"loss/label_smoothing": 0.1},
        {"loss/focal": 2.0},
        {"data/class_weights": "balanced"},
        {"data/class_weights": "sqrt"},
    ],
)
def test_each_changes_the_training_loss_and_no_score(store: Store, values: dict[str, Any]) -> None:
    plain, other = task_of(store, {}), task_of(store, values)
    rows = plain.rows(store, "train", None)
    batch = plain.batch(store, rows).to_torch("cpu")
    outputs = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(0))
    assert not torch.isclose(plain.loss(outputs, batch), other.loss(outputs, batch))
    assert torch.equal(plain.statistics(outputs, batch), other.statistics(outputs, batch))
    assert plain.baselines(store, "validation", None) == other.baselines(store, "validation", None)
