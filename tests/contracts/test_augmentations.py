"""Every augmentation: off it is not there, on it changes valid steps of training rows only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner import registry
from tuner.config import TrialConfig
from tuner.data.augmentations._chance import Chance, keys
from tuner.errors import InputError
from tuner.refused_values import ValuesRefused
from tuner.tasks._base import Batch
from tuner.training.augmentation import augmentations, unreadable
from tuner.training.rank import Rank

ROWS, STEPS = 12, 9
LENGTHS = torch.tensor([9, 1, 4, 7, 9, 2, 3, 8, 5, 6, 9, 1])
STRENGTH = 0.4


@pytest.fixture(params=registry.names("augmentations"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def batch(tokens: bool, seed: int = 0) -> Batch:
    chance = torch.Generator().manual_seed(seed)
    inputs = torch.randn(ROWS, STEPS, 3, generator=chance)
    if tokens:
        inputs = torch.randint(2, 50, (ROWS, STEPS, 3), generator=chance)
    inputs *= (torch.arange(STEPS) < LENGTHS[:, None])[:, :, None]
    targets = torch.arange(ROWS) % 2
    return Batch(inputs=inputs, lengths=LENGTHS, targets=targets, weights=torch.ones(ROWS))


def kinds(name: str) -> list[bool]:
    return sorted(registry.get("augmentations", name).TOKENS)


def applied(name: str, given: Batch, numbers: torch.Tensor, seed: int = 0) -> Batch:
    """What a part makes of rows with these numbers; the other rows are those of another seed."""
    part = registry.get("augmentations", name)
    tokens = not given.inputs.is_floating_point()
    others = batch(tokens, seed=7)
    order = torch.argsort(Chance(keys(1, numbers), "others").uniform(1)[:, 0])
    mixed = Batch(**{n: None if v is None else v[order] for n, v in vars(others).items()})
    found: Batch = part.apply(given, STRENGTH, Chance(keys(seed, numbers), name), lambda: mixed)
    return found


def test_changes_valid_steps_and_leaves_padding_alone(name: str) -> None:
    for tokens in kinds(name):
        given = batch(tokens)
        before = {n: v.clone() for n, v in vars(given).items() if v is not None}
        found = applied(name, given, torch.arange(ROWS))
        assert all(torch.equal(getattr(given, n), v) for n, v in before.items()), "in place"
        assert found.inputs.dtype == given.inputs.dtype and found.inputs.isfinite().all()
        assert (found.inputs.shape, found.lengths.dtype) == (given.inputs.shape, torch.int64)
        assert not torch.equal(found.inputs, given.inputs)
        assert (found.lengths >= 1).all() and (found.lengths <= given.lengths).all()
        padding = torch.arange(STEPS) >= found.lengths[:, None]
        assert not found.inputs[padding].any()


def test_the_same_seed_makes_the_same_rows(name: str) -> None:
    numbers = torch.arange(ROWS)
    for tokens in kinds(name):
        once, again = (applied(name, batch(tokens), numbers).inputs for _ in range(2))
        assert torch.equal(once, again)
        assert not torch.equal(once, applied(name, batch(tokens), numbers, seed=1).inputs)
        assert not torch.equal(once, applied(name, batch(tokens), numbers + ROWS).inputs)


def test_a_weak_one_changes_little_and_a_strong_one_more(name: str) -> None:
    (tokens, *_), numbers = kinds(name), torch.arange(ROWS)
    part, given = registry.get("augmentations", name), batch(kinds(name)[0])
    changed = []
    for strength in (0.02, 0.5):
        chance = Chance(keys(0, numbers), name)
        found = part.apply(given, strength, chance, lambda: batch(tokens, seed=7))
        changed.append(float((found.inputs - given.inputs).abs().double().mean()))
    assert changed[0] < changed[1]


def test_is_a_parameter_that_is_off_by_default(name: str) -> None:
    task = made.CLASSIFICATION
    assert TrialConfig.from_values({}, task).to_values()[f"augmentation/{name}"] == 0
    config = TrialConfig.from_values({f"augmentation/{name}": 0.2}, task)
    assert [n for n, _, _ in augmentations(config.augmentation)] == [name]
    assert augmentations(TrialConfig.from_values({}, task).augmentation) == []
    with pytest.raises(ValuesRefused, match=f"augmentation/{name}"):
        TrialConfig.from_values({f"augmentation/{name}": -0.1}, task)
    forecasting = {"name": "forecasting", "horizon": 3}
    with pytest.raises(ValuesRefused, match=f"augmentation/{name}"):
        TrialConfig.from_values({f"augmentation/{name}": 0.1}, forecasting)


def test_inputs_that_it_cannot_read_are_refused(name: str) -> None:
    config = TrialConfig.from_values({f"augmentation/{name}": 0.2}, made.CLASSIFICATION)
    for tokens in (False, True):
        found = unreadable(config, tokens)
        assert bool(found) == (tokens not in kinds(name))
        for mistake in found:
            assert mistake.code == "data/input-kind" and f"augmentation/{name}" in mistake.rule
            assert mistake.where and mistake.got and mistake.fix


def test_tokens_have_no_synthetic_rows() -> None:
    config = TrialConfig.from_values({"data/sampling": "synthetic"}, made.CLASSIFICATION)
    assert unreadable(config, tokens=False) == []
    (mistake,) = unreadable(config, tokens=True)
    assert "data/sampling" in mistake.rule and "inputs of tokens" in mistake.got


def test_a_trial_that_cannot_read_its_rows_says_so(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="augmentation/token_dropout"):
        fit(data, tmp_path, {"augmentation/token_dropout": 0.1})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


def fit(data: Path, folder: Path, values: dict[str, Any]) -> Any:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, folder, values))
    assert rank._trial is not None
    return rank._trial.fits[0]


def test_training_rows_change_and_scored_rows_never(name: str, data: Path, tmp_path: Path) -> None:
    if False not in kinds(name):
        pytest.skip("made rows are numbers")
    plain = fit(data, tmp_path / "off", {f"augmentation/{name}": 0.0})
    fitted = fit(data, tmp_path / "on", {f"augmentation/{name}": STRENGTH})
    places = np.arange(len(fitted.train))
    for ours, theirs in zip(plain.train.steps(1), fitted.train.steps(1), strict=True):
        assert (ours == theirs).all()
    first, original = (each.train.take(places).inputs for each in (fitted, plain))
    assert not torch.equal(first, original)
    parts = [fitted.train.take(places[start : start + 5]) for start in range(0, len(places), 5)]
    for start, part in zip(range(0, len(places), 5), parts, strict=True):
        length = part.inputs.shape[1]
        assert torch.equal(part.inputs, first[start : start + 5, :length]), "ranks' shares differ"
    fitted.train.steps(2)
    assert not torch.equal(first, fitted.train.take(places).inputs), "epochs repeat each other"
    fitted.train.steps(1)
    assert torch.equal(first, fitted.train.take(places).inputs), "a resumed trial differs"
    scored = np.arange(len(fitted.validation))
    for each, same in zip(
        vars(fitted.validation.take(scored)).values(),
        vars(plain.validation.take(scored)).values(),
        strict=True,
    ):
        assert (each is None and same is None) or torch.equal(each, same)


def test_chance_is_even_and_normal_and_knows_no_neighbours() -> None:
    numbers = torch.arange(2000)
    uniform = Chance(keys(3, numbers), "x").uniform(50)
    assert 0 < float(uniform.min()) and float(uniform.max()) < 1
    assert abs(float(uniform.mean()) - 0.5) < 0.005
    assert abs(float(uniform.var()) - 1 / 12) < 0.002
    normal = Chance(keys(3, numbers), "x").normal(50)
    assert abs(float(normal.mean())) < 0.02 and abs(float(normal.std()) - 1) < 0.02
    columns = torch.corrcoef(normal.T).fill_diagonal_(0)
    assert float(columns.abs().max()) < 0.12
    longer = Chance(keys(3, numbers[5:9]), "x").uniform(70)
    assert torch.equal(longer[:, :50], uniform[5:9])
