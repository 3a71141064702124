"""The dry run: a plan of what would happen, or every reason why it cannot; nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest
from command import write_spec

from tuner import Sweep
from tuner.check import check
from tuner.errors import DataError, PlanError, SpecError
from tuner.memory import COPIES

OWN = """
import torch

class Blind(torch.nn.Module):
    def __init__(self, config, shape):
        super().__init__()
        self.linear = torch.nn.Linear(shape.inputs, shape.outputs)

    def forward(self, x_BTF, lengths_B):
        return self.linear(x_BTF.mean(1))
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    made.sequences_csv(tmp_path / "rows.csv")
    return write_spec(tmp_path / "small.yaml")


def lines(spec: Path, *settings: str) -> dict[str, str]:
    """The plan by its first words."""
    found = [line.partition(" ") for line in check(spec, settings=settings).splitlines()]
    return {head: rest.strip() for head, _, rest in found}


def test_tells_the_plan_and_leaves_nothing(spec: Path) -> None:
    told = lines(spec)
    assert told["small:"] == "classification, by highest accuracy"
    assert told["data"] == "37 train, 12 validation, 12 test; 2 features, 1 to 9 steps"
    assert told["search"] == "tpe, asha, 6 trials, seed 3"
    assert "1 worker, 1 CPU each" in told["lanes"]
    assert "for 4 epochs" in told["time"]
    assert sorted(path.name for path in spec.parent.iterdir()) == ["rows.csv", "small.yaml"]


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        (["search/sampler=gp"], "gp draws at random, whatever it learned: optimizer/weight_decay"),
        (["search/sampler=nsga2"], "nsga2 learns from completed trials only"),
        (["schedule/name=cosine"], "anytime"),
        (["model/hidden_size={int: [8, 8]}"], "Write 8 to fix it"),
    ],
)
def test_notes_what_one_might_not_expect(spec: Path, settings: list[str], note: str) -> None:
    text = check(spec, settings=settings)
    assert any(line.startswith("note ") and note in line for line in text.splitlines()), text
    quiet = ["search/sampler=random", "regularization/dropout=0"]
    assert "note " not in check(spec, settings=quiet)


EXCLUSIVE = [
    (
        ["optimizer/name=[adam, asgd]", "training/ema=[0, 0.9]"],
        "`training/ema` must be 0 with an optimizer that averages",
    ),
    (
        ["augmentation/jitter=0.1", "augmentation/token_dropout=[0, 0.1]"],
        "`augmentation/token_dropout` must be 0 unless the inputs are tokens",
    ),
    (
        ["training/accumulate={int: [1, 64], power_of_2: true, default: 1}"]
        + ["training/batch_size={int: [16, 64], power_of_2: true, default: 64}"],
        "`training/accumulate` must be at most `training/batch_size`",
    ),
]


@pytest.mark.parametrize(("settings", "rule"), EXCLUSIVE)
def test_notes_values_that_are_refused_together(spec: Path, settings: list[str], rule: str) -> None:
    (note,) = [line for line in check(spec, settings=settings).splitlines() if rule in line]
    assert note.startswith("note ") and "[spec/combination]" in note
    draws = int(note.partition(" of 100 draws")[0].split()[-1])
    assert 0 < draws < 100


def test_refuses_a_space_of_which_no_draw_would_run(tmp_path: Path) -> None:
    (tmp_path / "blind_to_ages.py").write_text(OWN)
    rows = [f"{i},{step},{i % 3 + step},{i},{'ab'[i % 2]}" for i in range(40) for step in (0, 1)]
    (tmp_path / "rows.csv").write_text("\n".join(["id,step,x,age,label", *rows]))
    path = write_spec(
        tmp_path / "small.yaml",
        space={"parameters": {"model/name": "blind_to_ages:Blind", "optimizer/lr": 0.01}},
        override={},
    )
    settings = ["data/features=[x]", "data/static=[age]"]
    with pytest.raises(SpecError, match=r"must take `side_BX`.*forward\(self, x_BTF, lengths_B\)"):
        check(path, settings=settings)
    with pytest.raises(SpecError, match="side_BX"):
        Sweep.from_file(path, home=tmp_path / "home", settings=settings).run()
    assert not (tmp_path / "home").exists()


def test_notes_draws_that_are_all_refused_where_the_default_would_run(spec: Path) -> None:
    settings = ["augmentation/token_dropout={float: [0, 0.1], default: 0}"]
    assert "100 of 100 draws" in check(spec, settings=settings)


def test_refuses_a_default_configuration_that_would_not_run(spec: Path) -> None:
    settings = ["augmentation/token_dropout={choice: [0, 0.1], default: 0.1}"]
    with pytest.raises(SpecError, match="token_dropout.* the default configuration, a sweep's"):
        check(spec, settings=settings)


def test_a_condition_keeps_them_apart(spec: Path) -> None:
    settings = ["optimizer/name=[adam, asgd]"]
    settings += ["training/ema={choice: [0, 0.9], default: 0, when: {optimizer/name: adam}}"]
    assert "[spec/combination]" not in check(spec, settings=settings)


@pytest.mark.parametrize(
    ("kind", "settings", "parts"),
    [
        (SpecError, ["search/metric=f1"], ["'f1'"]),
        (DataError, ["data/target=klass"], ["'klass'"]),
        (PlanError, ["resources/workers=16"], ["16 where"]),
        (PlanError, ["resources/gpus_per_worker=1"], ["no node has a GPU"]),
        (PlanError, ["model/hidden_size=[64, 900000]"], ["`model/hidden_size` = 900000", "GiB"]),
        (
            PlanError,
            ["model/initial_state=conditioned"],
            ["must come with a second input", "data/static", "[model/settings]"],
        ),
        (
            PlanError,
            ["model/hidden_size=128", "model/parameters=50"],
            ["`model/parameters` must be within 2%", "gave 50.", "[model/settings]"],
        ),
    ],
)  # fmt: skip
def test_refuses(
    spec: Path, kind: type[Exception], settings: list[str], parts: list[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(kind) as refused:
        check(spec, settings=settings)
    assert all(part in str(refused.value) for part in parts), refused.value
    assert len(list(spec.parent.iterdir())) == 2


def test_the_estimate_counts_a_solved_width(spec: Path) -> None:
    """Some 10¹⁰ parameters; the width that is replaced has some 10⁵."""
    settings = ["model/hidden_size=128", "model/cell=lstm", "model/layers=1"]
    with pytest.raises(PlanError, match=r"(9,[89]|10,[01])\d\d,\d{3},\d{3} parameters"):
        check(spec, settings=[*settings, "model/parameters=10000000000"])


def test_the_estimate_counts_an_lstm(spec: Path) -> None:
    size = 900_000
    with pytest.raises(PlanError) as refused:
        settings = ["model/cell=lstm", "model/directions=1", "model/pooling=last"]
        settings += ["model/norm=none"]
        check(spec, settings=[*settings, f"model/hidden_size={size}"])
    # Four gates over inputs, state and two biases; three classes.
    parameters = 4 * size * (2 + size + 2) + 3 * (size + 1)
    assert f"{parameters:,} parameters" in str(refused.value)
    assert f"{4 * COPIES * parameters / 2**30:.1f} GiB" in str(refused.value)
