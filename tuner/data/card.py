"""What everybody must know of prepared data without opening it: small, JSON, without any path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tuner.data.layout import Layout, Target

SPLITS = ("train", "validation", "test")
"""A split's number is its place in here."""


Kind = Literal["sequence", "series", "history"]


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """What preparation must know of a task."""

    kind: Kind
    """Sequences that belong to a split as a whole, series that are cut by time and forecast, or
    histories of events, cut by time, too."""
    target: Target = "class"
    """What each sequence stands for: a class, a number or some, a tag or numbers at every step, a
    text of its own tokens, a text that it is to be given for as frames, nothing, or at every step
    the one after it. What stands for nothing is
    read as one stream, split by position."""
    target_tokens: str = "word"
    """The tokenizer of target texts, unless the spec names one."""
    aligned: bool = False
    """Whether the tokens of a text come in the order of the steps, each at one or some of its own,
    with one more between equal ones."""
    sided: bool = False
    """Whether a second input may stand beside each sequence: constant numbers, or a picture."""
    horizon: int = 0
    """Steps to forecast; 0 for sequences."""
    season: int | None = None
    """Steps of a season of a series; None follows from the time from row to row."""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Facts of training rows; one entry per feature, missing values left out."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Population deviation; 1 for a constant feature, so that it can always divide."""
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    median: tuple[float, ...]
    spread: tuple[float, ...]
    """Upper less lower quartile; 1 where they are equal, so that it can always divide."""
    missing: tuple[int, ...] = ()
    """Values that were not in the files; empty where none is missing anywhere."""
    low: tuple[float, ...] = ()
    """Where `data/clip` cuts inputs off; empty without it."""
    high: tuple[float, ...] = ()
    naive: tuple[float, ...] = ()
    """Of series: mean absolute difference to the value of one season before; 0 where unknown."""
    class_counts: tuple[int, ...] = ()
    """Training sequences (with tags: steps) per label; empty without labels."""
    token_counts: tuple[int, ...] = ()
    """How often each token of the vocabulary stands in training rows; empty without text."""
    target_mean: tuple[float, ...] = ()
    """Of the numbers that each training sequence or step stands for; empty where there are none."""
    target_std: tuple[float, ...] = ()
    """Population deviation; 1 for a number that is always the same."""
    target_token_counts: tuple[int, ...] = ()
    """How often each token of the target vocabulary stands in training targets; empty where
    sequences stand for no text."""
    target_lengths: tuple[int, ...] = ()
    """How many training targets have 0, 1, 2, … tokens."""
    side: Statistics | None = None
    """Of the numbers that stand beside the training sequences, each counted once; None without."""
    target_steps: tuple[int, ...] = ()
    """Steps of all training sequences that stand for texts, and of the longest of them."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Statistics:
        """The reverse of `to_json`."""
        side = data.get("side")
        facts = {name: tuple(values) for name, values in data.items() if name != "side"}
        return cls(**facts, side=None if side is None else cls.from_json(side))


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Steps per sequence, over all splits."""

    minimum: int
    median: float
    maximum: int


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One raw file as it was read."""

    path: str
    """As the spec spells it."""
    split: str
    """What the file was named for: `train`, `validation` or `test`."""
    sha256: str
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class DataCard:
    """The facts of one preparation."""

    kind: Kind
    features: tuple[str, ...]
    target_channels: tuple[int, ...]
    """Places in `features` of the channels to forecast; empty for labelled sequences."""
    labels: tuple[str, ...]
    """Classes or tags in the order of their numbers; empty without labels."""
    vocabulary: tuple[str, ...]
    """Tokens of the training rows, frequent ones first; empty without text."""
    unseen: tuple[str, ...]
    """Tokens of other rows only, numbered after the vocabulary."""
    target_vocabulary: tuple[str, ...]
    """Tokens of the training targets, frequent ones first; empty where no text is a target."""
    target_unseen: tuple[str, ...]
    """Other tokens of targets, numbered after that vocabulary."""
    num_folds: int
    """0 without cross-validation."""
    num_sequences: Mapping[str, int]
    """Per split: sequences, or series or histories with rows in it."""
    num_steps: Mapping[str, int]
    """Per split: steps."""
    num_missing: int
    """Values that were absent, over all splits."""
    lengths: Lengths
    step_seconds: float | None
    """Seconds from row to row where times are dates and regular, else None."""
    layout: Layout
    """How the files were read, with every column named."""
    files: tuple[DataFile, ...]
    warnings: tuple[str, ...]
    statistics: Mapping[str, Statistics]
    """`all`: fitted on all training rows; `0`, `1`, …: without the rows of that fold."""

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of the channels to forecast."""
        return tuple(self.features[channel] for channel in self.target_channels)

    def fitted(self, fold: int | None) -> Statistics:
        """What may be known when this fold is the validation split."""
        return self.statistics["all" if fold is None else str(fold)]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "layout": self.layout.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DataCard:
        """The reverse of `to_json`.

        Raises:
            KeyError, TypeError: the data was not written by `to_json`.
        """
        return cls(
            kind=data["kind"],
            features=tuple(data["features"]),
            target_channels=tuple(data["target_channels"]),
            labels=tuple(data["labels"]),
            vocabulary=tuple(data["vocabulary"]),
            unseen=tuple(data["unseen"]),
            target_vocabulary=tuple(data.get("target_vocabulary", ())),
            target_unseen=tuple(data.get("target_unseen", ())),
            num_folds=data["num_folds"],
            num_sequences=dict(data["num_sequences"]),
            num_steps=dict(data["num_steps"]),
            num_missing=data["num_missing"],
            lengths=Lengths(**data["lengths"]),
            step_seconds=data["step_seconds"],
            layout=Layout.from_json(data["layout"]),
            files=tuple(DataFile(**file) for file in data["files"]),
            warnings=tuple(data["warnings"]),
            statistics={k: Statistics.from_json(v) for k, v in data["statistics"].items()},
        )

    def dumps(self) -> str:
        """JSON text, with a final newline."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def loads(cls, text: str) -> DataCard:
        """The reverse of `dumps`.

        Raises:
            ValueError, KeyError, TypeError: the text was not written by `dumps`.
        """
        return cls.from_json(json.loads(text))
