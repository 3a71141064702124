"""Section `data:` of a spec: which files, which columns, which splits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from tuner.data.audio import Audio
from tuner.data.frames import Frames
from tuner.data.picture import Picture
from tuner.part import Config

PIECES = ("year", "month", "day", "hour", "minute")
"""What several columns of `time` hold, in their order; later ones may be left out."""

Moment = str | int | float
"""A time as a spec spells it: an ISO 8601 text or a number, like the time column."""


class Span(Config):
    """Rows by their time."""

    after: Moment
    """First moment that belongs to the span."""
    until: Moment | None = None
    """First moment that no longer does; by default the span goes on to the next split."""


class Folds(Config):
    """Cross-validation over the training sequences."""

    folds: int = Field(ge=2, le=20)
    """Number of folds, stratified by label."""


class Origins(Config):
    """Rolling-origin cross-validation of series."""

    origins: int = Field(ge=2, le=20)
    """Number of successive validation spans of equal length; each is forecast by a model of all
    that lies a horizon or more before it."""


class Last(Config):
    """The end of each series or history."""

    last: int = Field(ge=1)
    """So many of its rows, or of those that the next split leaves."""


class Clip(Config):
    """Where inputs are cut off, by what training rows hold; targets never are."""

    sigma: Annotated[float, Field(gt=0)] | None = None
    """So many deviations from the mean."""
    quantile: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    """At this quantile from below and from above."""

    @model_validator(mode="after")
    def _says_one(self) -> Clip:
        if (self.sigma is None) == (self.quantile is None):
            raise ValueError("`data/clip` must be {sigma: 4} or {quantile: 0.001}, one of them")
        return self


Window = Annotated[int, Field(ge=2)]


class Rolling(Config):
    """Statistics of the last steps as further channels."""

    windows: Annotated[list[Window], Field(min_length=1)]
    """Steps that a statistic is of, the row's own the last."""
    statistics: Annotated[list[Literal["mean", "std", "min", "max"]], Field(min_length=1)]
    """Of every feature that is neither known ahead nor static."""


def _kind(value: Any) -> str | None:
    """Which way of choosing rows a value spells; decided first, so that errors name one way."""
    match value:
        case bool():
            return None
        case str() | list():
            return "files"
        case int() | float():
            return "share"
        case {"last": _} | Last():
            return "last"
        case {"folds": _} | Folds():
            return "folds"
        case {"origins": _} | Origins():
            return "origins"
        case dict() | Span():
            return "span"
    return None


def _number(value: Any) -> str | None:
    """Whether a value spells one name or several; decided first, so that errors come once."""
    match value:
        case str():
            return "one"
        case list():
            return "several"
    return None


_Path = Annotated[str, Field(min_length=1)]
Files = Annotated[
    Annotated[_Path, Tag("one")] | Annotated[list[_Path], Field(min_length=1), Tag("several")],
    Discriminator(
        _number,
        custom_error_type="files",
        custom_error_message="must be a file or a list of files",
    ),
]
Columns = Annotated[
    Annotated[str, Tag("one")] | Annotated[list[str], Field(min_length=1), Tag("several")],
    Discriminator(
        _number,
        custom_error_type="columns",
        custom_error_message="must be a column or a list of columns",
    ),
]
Share = Annotated[float, Field(gt=0, lt=1)]
_rule = Discriminator(
    _kind,
    custom_error_type="split",
    custom_error_message="must be files, a share like 0.2, or a span like {after: 2018-01-01}",
)
Split = Annotated[
    Annotated[Files, Tag("files")]
    | Annotated[Share, Tag("share")]
    | Annotated[Span, Tag("span")]
    | Annotated[Last, Tag("last")],
    _rule,
]
SplitOrFolds = Annotated[
    Annotated[Files, Tag("files")]
    | Annotated[Share, Tag("share")]
    | Annotated[Span, Tag("span")]
    | Annotated[Last, Tag("last")]
    | Annotated[Folds, Tag("folds")]
    | Annotated[Origins, Tag("origins")],
    _rule,
]


class DataConfig(Config):
    """Where the rows are and how they are split; the same for every trial of a sweep."""

    train: Files
    """Files to learn from, relative to the spec's folder; or a folder of pictures."""
    test: Split | None = None
    """Rows scored once, for the winner: files, a share of the training files, a span of time, or
    the last rows of each series or history, such as {last: 1}."""
    validation: SplitOrFolds = 0.2
    """Rows that rank trials: files, a share of the training files, a span of time, the last rows of
    each series or history, folds, or origins (of forecasts)."""
    format: str | None = None
    """Name of a format; by default the one that a file's extension stands for."""
    id: str | None = None
    """Column that tells sequences apart; without it all rows are one series (forecasting)."""
    time: Columns | None = None
    """Column that orders the rows of a sequence, numbers or ISO 8601; or several, read as year,
    month, day, hour and minute in this order; by default the file orders them."""
    target: Columns | None = None
    """Label column of classification and tagging, number columns of regression, the text that a
    sequence stands for, the items of recommendation, or channels to forecast, by default all
    features."""
    target_tokens: str | None = None
    """How a target text becomes tokens: `word`, `whitespace`, `character` or `subword`; by default
    what the task is usually scored in."""
    target_vocabulary: Annotated[int, Field(ge=2)] | None = None
    """Most tokens of target texts to know, as `vocabulary`."""
    target_min_count: Annotated[int, Field(ge=1)] = 1
    """How often a token must stand in the training targets to be known; the same for all trials,
    whose losses would not compare otherwise."""
    target_max_length: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of a target text; a longer one is an error."""
    picture: Picture | None = None
    """Pictures, which rows name and whose pixels are read instead of features; or beside each
    sequence, where `text` or `features` name one."""
    frames: Frames | None = None
    """Clips, whose frames rows name and which are read instead of features, a step each."""
    text: str | None = None
    """Column of text, which is read instead of features."""
    audio: Audio | None = None
    """Recordings, which rows name and whose frames are read instead of features."""
    tokens: str | None = None
    """How a text becomes tokens: `word`, `whitespace`, `character`, `subword`, or `given`, where
    each row is one token; by default `given` for tagging, else `word`."""
    lowercase: bool = False
    """Turn texts into lower-case letters."""
    vocabulary: Annotated[int, Field(ge=10)] | None = None
    """Most tokens to know, the frequent ones; by default all, and 4,000 for subwords."""
    vectors: str | None = None
    """File of word vectors (GloVe, fastText's .vec) that embeddings start from, relative to the
    spec's folder; `model/embedding` must have their units."""
    group: str | None = None
    """Column that holds one name for each sequence, such as its speaker: all sequences of a group
    stay in one split and fold."""
    stratify: bool = True
    """Whether shares and folds hold the labels (of numbers, their deciles) as the whole does;
    without it they are random."""
    features: Annotated[list[str], Field(min_length=1)] | None = None
    """Input columns; by default every other numeric one."""
    categories: list[str] | None = None
    """Text columns with few values, each of which becomes an input of 0 and 1."""
    calendar: list[Literal["minute", "hour", "weekday", "monthday", "yearday", "month"]] | None = (
        None
    )
    """Fields of the time column that become inputs, a sine and a cosine each; known ahead."""
    known: list[str] | None = None
    """Features or categories that are known for the horizon, too (forecasting)."""
    static: list[str] | None = None
    """Features or categories that are constant within each series (forecasting); or number columns
    that are constant within each sequence and read beside it."""
    rolling: Rolling | None = None
    """Statistics of the last steps that become inputs."""
    clip: Clip | None = None
    """Where outliers among inputs are cut off."""
    missing: Literal["error", "forward", "interpolate", "mean", "zero", "drop"] = "error"
    """What stands in for a missing value: nothing, the last one seen in its sequence, the line
    between its neighbours (not of forecasts, which must not look ahead), the mean of the training
    rows, or 0; or its row is dropped (not of series)."""
    duplicates: Literal["error", "warn"] = "error"
    """What more than 1 % of sequences to predict that equal sequences to learn from are: published
    splits sometimes hold such copies."""
    sort: bool = False
    """Sort the rows of a sequence by time instead of refusing unsorted ones."""
    max_length: Annotated[int, Field(ge=1)] | None = None
    """Most steps of a sequence (classification)."""
    truncate: Literal["start", "end"] | None = None
    """Side from which a longer sequence loses steps; without it a longer sequence is an error.
    Padding always stands at the end, where no cell reads it: on which side it stood would change
    nothing but the time that it takes."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """What separates the columns of a CSV file."""
    encoding: str = "utf-8"
    """Encoding of text files."""

    @property
    def has_side(self) -> bool:
        """Whether something stands beside each sequence, where a task reads sequences so."""
        has_sequence = self.text is not None or self.features is not None
        return bool(self.static) or (self.picture is not None and has_sequence)

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> DataConfig:
        shares = [s for s in (self.test, self.validation) if isinstance(s, float | int)]
        if sum(shares) >= 1:
            raise ValueError(
                "`data/validation` and `data/test` must leave rows to train on: together less than "
                f"1, not {sum(shares):g}"
            )
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> DataConfig:
        for key in ("time", "features", "target", "categories", "calendar", "known", "static"):
            names = getattr(self, key)
            if isinstance(names, list) and len(set(names)) < len(names):
                raise ValueError(f"`data/{key}` must name every column once")
        return self

    @model_validator(mode="after")
    def _times_are_told_by_few(self) -> DataConfig:
        if isinstance(self.time, list) and len(self.time) > len(PIECES):
            raise ValueError(
                f"`data/time` must be at most {len(PIECES)} columns: {', '.join(PIECES)}"
            )
        return self

    @model_validator(mode="after")
    def _truncates_to_something(self) -> DataConfig:
        if self.truncate and self.max_length is None:
            raise ValueError("`data/truncate` must come with `data/max_length`")
        return self
