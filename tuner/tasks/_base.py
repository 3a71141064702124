"""The contract of a task, and the batch it cuts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuner.beam import Search
from tuner.data.card import Statistics
from tuner.data.roles import Roles
from tuner.errors import Mistake
from tuner.models.shape import Shape, Side

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.data.augmentations._chance import Chance
    from tuner.data.store import Steps, Store
    from tuner.plots.exhibits import Exhibit
    from tuner.tasks._balance import Balance
    from tuner.tasks._tables import Table

Split = Literal["train", "validation", "test"]

Run = Callable[["Batch", Any], tuple[Any, Any]]
"""A final model: a batch of arrays, and the state that it goes on from or None, to its outputs as
arrays and the state after it."""

Policy = Callable[[np.ndarray, np.ndarray, Any], tuple[np.ndarray, Any]]
"""Steps some episodes on: x_B1I, lengths_B of 1 or, where one has ended, 0, and the state that it
goes on from or None, to y_B1O and the state after it."""

Outputs = Any
"""Of a network: y_BO or y_BTO; with a CRF the pair of y_BTO and its transitions; in training, where
it scores what follows, what `Shape.following` says. Tensors, or arrays where a graph has
answered."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Padded inputs and their targets; arrays of one kind, numpy's or torch's."""

    inputs: Any
    """x_BTF, float32."""
    lengths: Any
    """lengths_B, int64; 0 for a row that only keeps a rank in step."""
    targets: Any
    """y, of the task's own shape, rows first."""
    weights: Any
    """1 where a target counts, 0 where it is missing; of the loss elements' shape, rows first."""
    target_lengths: Any = None
    """Steps of each target, int64, where targets are sequences of their own; else None."""
    side: Any = None
    """side_BX, float32: the second input, where one stands beside each sequence; else None."""
    shift: Any = None
    """What the window's normalisation took away, rows first; None where there is none."""
    scale: Any = None
    """What the window's normalisation divided by, rows first."""
    others: Any = None
    """Like `targets`: those of the row that each row was mixed with; None where none was."""
    share: Any = None
    """share_B: what is left of the row itself where rows were mixed."""
    seen: Any = None
    """seen_BS: ids that no answer may be, 0 for none; None where any may."""
    negatives: Any = None
    """negatives_BK: ids that a training loss sets against the targets; None where it draws none."""

    @property
    def given(self) -> list[Any]:
        """What a graph is given, in its order: inputs, lengths, and a second input if there is
        one."""
        return [self.inputs, self.lengths, *([] if self.side is None else [self.side])]

    @property
    def named(self) -> dict[str, Any]:
        """What a network is given by name beside inputs and lengths."""
        return {} if self.side is None else {"side_BX": self.side}

    def to_torch(self, device: str) -> Batch:
        """The same batch as tensors on a device."""
        import torch

        def move(array: Any) -> Any:
            return None if array is None else torch.from_numpy(array).to(device, non_blocking=True)

        return Batch(**{name: move(value) for name, value in vars(self).items()})

    def idle(self) -> Batch:
        """One row without length or weight: a rank that has no rows still takes part."""
        first = Batch(**{n: None if a is None else a[:1].copy() for n, a in vars(self).items()})
        first.inputs[...] = 0
        first.lengths[...] = 0
        first.weights[...] = 0
        if first.target_lengths is not None:
            first.target_lengths[...] = 0
        return first


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a task must know of its data, fitted on training rows only; goes into the bundle."""

    features: tuple[str, ...]
    target_channels: tuple[int, ...]
    labels: tuple[str, ...]
    vocabulary: tuple[str, ...]
    """Tokens of the training rows, frequent ones first; empty where features are read."""
    tokens: str
    """How texts were cut into tokens."""
    statistics: Statistics
    step_seconds: float | None
    targets: tuple[str, ...] = ()
    """Names of the numbers that a sequence stands for."""
    roles: Roles = Roles()
    target_vocabulary: tuple[str, ...] = ()
    """Tokens of the texts that training sequences stand for, frequent ones first."""
    target_tokens: str = ""
    """How those texts were cut into tokens; empty where sequences stand for none."""
    picture: tuple[int, int, int] | None = None
    """Height, width and channels where sequences are the rows of pictures."""
    frame: tuple[int, int, int] | None = None
    """Height, width and channels where steps are frames."""
    static: tuple[str, ...] = ()
    """Names of the numbers that stand beside each sequence."""
    side_picture: tuple[int, int, int] | None = None
    """Height, width and channels of the picture that stands beside each sequence."""

    @property
    def side(self) -> Side | None:
        """The second input; None without one."""
        if not (self.static or self.side_picture):
            return None
        return Side(numbers=len(self.static), picture=self.side_picture)

    def to_json(self) -> dict[str, Any]:
        """Plain data for a bundle."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """The reverse of `to_json`."""
        return cls(
            features=tuple(data["features"]),
            target_channels=tuple(data["target_channels"]),
            labels=tuple(data["labels"]),
            vocabulary=tuple(data["vocabulary"]),
            tokens=data["tokens"],
            statistics=Statistics.from_json(data["statistics"]),
            step_seconds=data["step_seconds"],
            targets=tuple(data["targets"]),
            roles=Roles.from_json(data["roles"]),
            target_vocabulary=tuple(data["target_vocabulary"]),
            target_tokens=data["target_tokens"],
            picture=None if data["picture"] is None else tuple(data["picture"]),
            frame=None if data.get("frame") is None else tuple(data["frame"]),
            static=tuple(data.get("static", ())),
            side_picture=tuple(data["side_picture"]) if data.get("side_picture") else None,
        )


class Task(ABC):
    """One problem on one data set, with one way of turning rows into inputs.

    `rows` are int64 numbers that only the task understands. Everything up to `batch` is numpy, so
    that prediction from a bundle takes the same path as training without importing torch.
    """

    TIMED: frozenset[str] = frozenset({"inputs"})
    """Arrays of a batch whose second dimension is time."""
    TARGET_TIMED: frozenset[str] = frozenset()
    """Arrays of a batch whose second dimension is that of targets of their own lengths."""

    facts: Facts
    num_inputs: int
    """Features per input step of the model; 0 where it reads tokens."""
    num_outputs: int
    """Numbers per output row, or output step, of the model."""
    vocabulary: int = 0
    """Ids of tokens that the model reads; 0 where it reads features."""
    characters: int = 0
    """Ids of characters that it reads of each token; 0 where it reads none."""
    per_step: bool = False
    """Whether each step has an output, or each sequence one."""
    search: Search | None = None
    """How the model's answers are looked for, where they are texts that it says token by token."""
    most_frames: int = 0
    """Frames after which an answer ends in any case, where the model gives frames; else 0."""
    stride: int = 1
    """Input steps for each step that has an output."""
    draws: bool = False
    """Whether training rows draw something anew in each epoch; see `drawn`."""
    plays: bool = False
    """Whether a model is also scored by what it does in an environment; see `played`."""
    window: int = 0
    """Steps that a batch of a stream advances, where each row of a batch goes on with what that
    row of the batch before ended with, and the model hands its state on; 0 for rows that stand by
    themselves."""

    @property
    def shape(self) -> Shape:
        """What the model is to read and to give."""
        return Shape(
            inputs=self.num_inputs,
            outputs=self.num_outputs,
            per_step=self.per_step,
            stride=self.stride,
            vocabulary=self.vocabulary,
            characters=self.characters,
            picture=self.facts.picture,
            frame=self.facts.frame,
            side=self.facts.side,
            carries=self.window > 0,
        )

    def output_steps(self, lengths_B: Any) -> Any:
        """Steps that have an output, of each row of an array or a tensor of input steps."""
        return -(-lengths_B // self.stride)

    def shapes(self) -> list[Shape]:
        """The networks that the task's model is made of; most are one network."""
        return [self.shape]

    def network(self, networks: list[nn.Module]) -> nn.Module:
        """The model, which reads and gives what `shape` says, made of these networks."""
        (network,) = networks
        return network

    @property
    def reads_targets(self) -> bool:
        """Whether the model is given a batch's targets as well: what it says next follows from what
        was to be said before. In training it gives outputs of these alone; scored, it gives of
        them and of what it says freely."""
        return self.search is not None or self.most_frames > 0

    def words(self) -> Sequence[str]:
        """The tokens that the model knows, from its first known id on; none where it reads
        features."""
        return ()

    @abstractmethod
    def rows(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        """The rows of a split, always in the same order; a fold counts as validation if named."""

    @abstractmethod
    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        """Cuts the inputs and targets of some rows, as numpy arrays."""

    @abstractmethod
    def count(self, steps: Steps, rows: np.ndarray) -> int:
        """Valid elements of the loss in some rows, without cutting their inputs."""

    def streams(self, store: Store, split: Split, fold: int | None, num: int) -> np.ndarray:
        """The rows of a split as `num` streams, rows_TB…: each batch of B rows goes on with the
        batch before. For tasks with a `window` only."""
        raise NotImplementedError

    def num_streams(self, store: Store, split: Split) -> int:
        """In how many streams a split is scored, whatever the trial; with a `window` only."""
        raise NotImplementedError

    def lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray | None:
        """Input steps of each row, by which rows of like length are batched together; None where
        all rows are as long."""
        return None

    def target_lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        """Steps of each row's target; for tasks with arrays that are `TARGET_TIMED` only."""
        raise NotImplementedError

    def left_out(self, store: Store, fold: int | None) -> int | None:
        """Training sequences that `rows` leaves out, since nothing can be learned from them; None
        where there are none such."""
        return None

    def drawn(self, batch: Batch, chance: Chance) -> Batch:
        """A torch batch of training rows with what its loss draws for them; where `draws` only."""
        raise NotImplementedError

    def balance(self, steps: Steps, rows: np.ndarray) -> Balance | None:
        """How an epoch over some training rows evens out their classes; None: each comes once."""
        return None

    @abstractmethod
    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """The sum of the training loss over the valid elements of a torch batch.

        Smoothing, class weights and the like belong in here and nowhere else.
        """

    @abstractmethod
    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Sums from which `metrics` are computed, float64, one dimension; added over batches.

        The same for every trial: what a trial's training loss adds stays out of them.
        """

    def played(self, policy: Policy, split: Split) -> np.ndarray:
        """Sums of what a policy earns in a split's episodes, which are added to `statistics`; where
        `plays` only."""
        raise NotImplementedError

    @abstractmethod
    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        """All metrics of the task, from added statistics; NaN if any output was not finite."""

    def tables(self, statistics: Sequence[float]) -> dict[str, Table]:
        """What is kept of a final model's scores beside its metrics, by name."""
        return {}

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """What a final model does on some rows of a split, to be looked at, by name."""
        return {}

    def step_names(self, steps: Steps, row: int) -> list[str]:
        """What the input steps of a row are called; empty where they only have numbers."""
        return []

    @abstractmethod
    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """What one gets without learning, by name, in the same metrics on the same targets."""

    @abstractmethod
    def prediction_rows(self, steps: Steps) -> np.ndarray:
        """The rows that `tuner predict` answers on raw input."""

    def refused(self, steps: Steps) -> list[Mistake]:
        """What raw input holds, though sound, that the model cannot answer."""
        return []

    def notes(self, steps: Steps, rows: np.ndarray, outputs: Outputs) -> list[str]:
        """What a user should know of the answers to some rows."""
        return []

    def is_labelled(self, steps: Steps) -> bool:
        """Whether raw input holds what its predictions can be compared with."""
        return False

    @abstractmethod
    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """Columns of predictions in the user's own units and names."""


def scaled(values: np.ndarray, statistics: Statistics, how: str) -> np.ndarray:
    """Scales the features (last axis) by what was fitted on training rows."""
    if how == "none":
        return values
    if how == "standard":
        low, width = np.asarray(statistics.mean), np.asarray(statistics.std)
    elif how == "robust":
        low, width = np.asarray(statistics.median), np.asarray(statistics.spread)
    else:
        low = np.asarray(statistics.minimum)
        width = np.asarray(statistics.maximum) - low
    width = np.where(width > 0, width, 1)
    result: np.ndarray = (values - low.astype(np.float32)) / width.astype(np.float32)
    return result
