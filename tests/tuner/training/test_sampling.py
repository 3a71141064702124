"""Classes come as often as each other, and synthetic rows lie between two of their class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.data.augmentations import mixup, shift
from tuner.data.augmentations._chance import Chance, keys
from tuner.tasks._balance import Balance
from tuner.tasks._base import Batch
from tuner.training.rank import Rank
from tuner.training.sampling import between, nearest


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    made.sequences_csv(folder / "rows.csv", rare=True)
    section = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
    return made.prepared(folder, made.CLASSIFICATION, section)


def fit(data: Path, folder: Path, sampling: str, **values: Any) -> Any:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, folder, {"data/sampling": sampling, **values}))
    assert rank._trial is not None
    return rank._trial.fits[0]


def epoch(found: Any, number: int) -> np.ndarray:
    """All places of an epoch in their order."""
    return np.concatenate(found.train.steps(number))


def counts(found: Any, places: np.ndarray) -> list[int]:
    return np.bincount(found.train.take(places).targets.numpy(), minlength=3).tolist()


def test_without_sampling_each_row_comes_once(data: Path, tmp_path: Path) -> None:
    found = fit(data, tmp_path, "none")
    assert sorted(epoch(found, 1)) == list(range(len(found.train.rows)))
    assert len(set(counts(found, epoch(found, 1)))) == 3


@pytest.mark.parametrize("sampling", ["over", "under", "synthetic"])
def test_an_epoch_holds_each_class_as_often(data: Path, tmp_path: Path, sampling: str) -> None:
    found = fit(data, tmp_path, sampling)
    places = epoch(found, 1)
    given = counts(fit(data, tmp_path / "none", "none"), np.arange(len(found.train.rows)))
    wanted = min(given) if sampling == "under" else max(given)
    assert len(places) == len(found.train) == 3 * wanted
    assert counts(found, places) == [wanted] * 3
    assert found.train.count(places) == len(places)
    assert found.num_steps == -(-len(places) // 16)


@pytest.mark.parametrize("sampling", ["over", "under", "synthetic"])
def test_an_epoch_follows_from_its_number(data: Path, tmp_path: Path, sampling: str) -> None:
    one, other = fit(data, tmp_path / "1", sampling), fit(data, tmp_path / "2", sampling)
    everything = np.arange(len(one.train))
    epoch(other, 1)
    two = epoch(other, 2)
    assert (epoch(one, 2) == two).all()
    second = one.train.take(everything).inputs
    assert torch.equal(second, other.train.take(everything).inputs)
    epoch(one, 1)
    assert not torch.equal(second, one.train.take(everything).inputs)
    # A rank's share is what the rank alone would have made.
    epoch(one, 2)
    for start in range(0, len(everything), 7):
        part = one.train.take(everything[start : start + 7])
        assert torch.equal(part.inputs, second[start : start + 7, : part.inputs.shape[1]])


def test_every_row_of_a_rare_class_comes_about_as_often(data: Path, tmp_path: Path) -> None:
    found = fit(data, tmp_path, "over")
    epoch(found, 1)
    place_V = found.train._visits.place_V
    classes = found.train._balance.class_R
    for number in range(3):
        times = np.bincount(place_V[classes[place_V] == number])
        times = times[times > 0]
        assert times.max() - times.min() <= 1 and len(times) == (classes == number).sum()


def test_synthetic_rows_lie_between_neighbours_of_one_class(data: Path, tmp_path: Path) -> None:
    found = fit(data, tmp_path, "synthetic")
    train = found.train
    train.steps(1)
    num, visits = len(train.rows), train._visits
    assert (visits.partner_V[:num] == -1).all() and (visits.partner_V[num:] >= 0).all()
    classes = train._balance.class_R
    assert (classes[visits.place_V[num:]] == classes[visits.partner_V[num:]]).all()
    plain = fit(data, tmp_path / "none", "none").train.take(np.arange(num))
    made_rows = train.take(np.arange(len(train)))
    assert torch.equal(made_rows.inputs[:num], plain.inputs)
    copies = {row.numpy().tobytes() for row in plain.inputs}
    assert not any(row.numpy().tobytes() in copies for row in made_rows.inputs[num:])


def test_between_two_rows_time_and_value_go_evenly() -> None:
    def row(values: list[float], padded: int) -> Batch:
        inputs = torch.zeros(1, padded, 1)
        inputs[0, : len(values), 0] = torch.tensor(values)
        return Batch(
            inputs=inputs,
            lengths=torch.tensor([len(values)]),
            targets=torch.tensor([1]),
            weights=torch.ones(1),
        )

    one, other = row([0, 1, 2], 3), row([10, 11, 12, 13, 14], 6)
    half = between(one, other, torch.tensor([0.5]))
    assert half.lengths.tolist() == [4]
    expected = [5, 6, 7, 8]
    np.testing.assert_allclose(half.inputs[0, :4, 0], expected, rtol=1e-5)
    assert not half.inputs[0, 4:].any()
    same = between(one, other, torch.tensor([0.0]))
    assert torch.equal(same.inputs[:, :3], one.inputs) and same.lengths.tolist() == [3]


def test_what_stands_beside_two_rows_is_mixed_as_they_are() -> None:
    def row(value: float, side: list[float]) -> Batch:
        return Batch(
            inputs=torch.full((1, 2, 1), value),
            lengths=torch.tensor([2]),
            side=torch.tensor([side]),
            targets=torch.tensor([1]),
            weights=torch.ones(1),
        )

    one, other = row(0, [1.0, 10.0]), row(4, [3.0, 30.0])
    quarter = between(one, other, torch.tensor([0.25]))
    assert quarter.inputs[0, 0, 0] == 1 and quarter.side.tolist() == [[1.5, 15.0]]
    chance = Chance(keys(0, torch.arange(1)), "mixup")
    mixed = mixup.apply(one, 1.0, chance, lambda: other)
    kept = float(mixed.share[0])
    assert 0.5 <= kept < 1
    expected = kept * one.side + (1 - kept) * other.side
    torch.testing.assert_close(mixed.side, expected)
    moved = shift.apply(one, 1.0, Chance(keys(0, torch.arange(1)), "shift"), lambda: other)
    assert moved.side is one.side


def test_neighbours_are_near_beside_them_too() -> None:
    side = torch.tensor([[0.0], [5.0], [0.1], [5.1], [0.0], [0.0], [0.0], [0.0], [0.0]])
    classes = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    everything = Batch(
        inputs=torch.zeros(9, 1, 1),
        lengths=torch.ones(9).long(),
        side=side,
        targets=None,
        weights=torch.ones(9),
    )

    def rows(places: np.ndarray) -> Batch:
        some = {n: None if v is None else v[places] for n, v in vars(everything).items()}
        return Batch(**some)

    near = nearest(rows, None, Balance(how="synthetic", class_R=classes, neighbors=1))
    assert near[:4, 0].tolist() == [2, 3, 0, 1]


def test_neighbours_are_the_nearest_of_the_class() -> None:
    x = torch.tensor([0.0, 1.0, 2.5, 9.0, 0.1, 0.2, 0.3, 0.4, 0.5, 50.0]).view(-1, 1, 1)
    classes = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 2])
    everything = Batch(
        inputs=x, lengths=torch.ones(10).long(), targets=None, weights=torch.ones(10)
    )

    def rows(places: np.ndarray) -> Batch:
        return Batch(
            inputs=everything.inputs[places],
            lengths=everything.lengths[places],
            targets=None,
            weights=None,
        )

    found = nearest(rows, None, Balance(how="synthetic", class_R=classes, neighbors=2))
    assert [sorted(row) for row in found[:4].tolist()] == [[1, 2], [0, 2], [0, 1], [1, 2]]
    assert found[9].tolist() == [9, 9], "a class of one row has no neighbour"
    assert (found[4:9] == np.arange(4, 9)[:, None]).all(), "the commonest class needs none"


def test_sampling_reaches_a_class_that_plain_training_misses(data: Path, tmp_path: Path) -> None:
    values = {"optimizer/lr": 0.003, "training/epochs": 6}
    recall = {}
    for sampling in ("none", "over", "synthetic"):
        found = fit(data, tmp_path / sampling, sampling, **values)
        for number in range(1, 7):
            found.epoch(number, [])
        recall[sampling] = found.evaluate(found.validation)["balanced_accuracy"]
    assert min(recall["over"], recall["synthetic"]) > recall["none"]
