"""What stands in a bundle's JSON files."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field, JsonValue

from tuner.part import Config

VERSION: Literal[1] = 1
"""Of the folder's layout. A reader refuses any other."""

WEIGHTS = "model.safetensors"
GRAPH = "model.onnx"
DECODER = "decoder.onnx"
"""Of models that decode texts or frames: the graph that gives what comes next."""
CONTENTS = "bundle.json"
CARD = "card.md"
MANIFEST = "MANIFEST.json"
FILES = (WEIGHTS, GRAPH, CONTENTS, CARD)
"""What every bundle holds and its manifest vouches for; further formats add a file each."""


class TaskUsed(Config):
    """The task that the network was trained for."""

    name: str
    options: dict[str, JsonValue] = Field(default_factory=dict)


class Score(Config):
    """What the model reached by one metric, in the metric's own unit."""

    metric: str
    validation: float
    test: float | None = None
    """None where the sweep had no test data."""
    baseline: float | None = None
    """The naive model's score on the validation data."""
    interval: tuple[float, float] | None = None
    """Ends of the 95 % interval of the mean over fresh seeds on validation data, if known."""
    seeds: int = Field(default=0, ge=0)
    """How many fresh seeds."""


class DecoderSignature(Config):
    """What the graph of a decoder takes and gives beside the one that reads; N rows, T steps.

    `model.onnx` gives `kept_0` [N, T, units] and so on, and `state_0` [L, N, H] and so on. With
    `ids` [N] int64, the last token of each row, and `lengths` [N] of what was read, `decoder.onnx`
    makes them into `logits` [N, outputs], `next_0` and so on, and `weights` [N, T], how much each
    step was looked at. Ids are 0 padding, 1 unknown, 2 the start and 3 the end of a text, then the
    tokens of `target_vocabulary`. Without attention nothing is kept, and lengths are not taken.

    Of a decoder of frames `frame` [N, outputs - 1] stands for `ids`, the last frame or at first
    zeros, and `frames` [N, frames_per_step, outputs] for `logits`: bands, and the log-odds that a
    frame is the last one.
    """

    kept: tuple[int, ...]
    """Units of what is kept of each step."""
    states: tuple[tuple[int, int], ...]
    """Levels L and units H of each state."""
    frames_per_step: int = Field(default=0, ge=0)
    """Of a decoder of frames; 0 of one of tokens."""

    def encoded(self) -> list[str]:
        """The names of what the first graph gives."""
        kept = [f"kept_{i}" for i in range(len(self.kept))]
        return kept + [f"state_{i}" for i in range(len(self.states))]

    def names(self) -> tuple[list[str], list[str]]:
        """The names of what the second graph takes and gives."""
        lengths, weights = (["lengths"], ["weights"]) if self.kept else ([], [])
        encoded, num = self.encoded(), len(self.kept)
        after = [f"next_{i}" for i in range(len(self.states))]
        last, given = ("frame", "frames") if self.frames_per_step else ("ids", "logits")
        takes = [last, *encoded[num:], *encoded[:num], *lengths]
        return takes, [given, *after, *weights]


class Signature(Config):
    """What the graph takes and gives; B sequences, T steps.

    `x` is [B, T, inputs], `lengths` [B] int64, and `y` [B, outputs] or [B, ⌈T / stride⌉, outputs].
    """

    inputs: int = Field(ge=1)
    """Features per step, float32; or ids per step, int64: the token's, then its characters'."""
    outputs: int = Field(ge=1)
    """Numbers per sequence, or per step."""
    vocabulary: int = Field(default=0, ge=0)
    """Ids of tokens; 0 where features are read."""
    characters: int = Field(default=0, ge=0)
    """Ids of characters; 0 where none are read."""
    per_step: bool = False
    """Whether each step has an output."""
    stride: int = Field(default=1, ge=1)
    """Input steps for each step that has an output, of which there are ⌈T / stride⌉."""
    transitions: bool = False
    """Whether a second output, `transitions` [outputs + 2, outputs], scores tags that follow one
    another: from tag to tag, from the start, to the end."""
    states: tuple[tuple[int, int], ...] = ()
    """Of each state that a stream hands on, its levels L and units H: inputs `state_0` [L, B, H]
    and so on, zeros at the start, and outputs `next_0` and so on."""
    start: tuple[tuple[float, ...], ...] = ()
    """What the last of these states start from, unit by unit; all others from zeros."""
    ragged: bool = False
    """Whether a row's piece may be shorter than others, or empty with a length of 0: its states
    are those after its own last step. Otherwise what goes on must not be padded."""
    fixed: int = Field(default=0, ge=0)
    """Steps of every input: the rows of a picture; 0 where any number is read."""
    side: int = Field(default=0, ge=0)
    """Of a second input beside each sequence: `side` [B, side], float32, its numbers, scaled, then
    the pixels of its picture; 0 without one."""
    decoder: DecoderSignature | None = None
    """Of a model that decodes texts of `outputs` ids, or frames of as many numbers less the last,
    in a graph beside the one that reads."""


class DataUsed(Config):
    """One raw file as it was read."""

    name: str
    """As the spec spells it."""
    split: str
    sha256: str
    bytes: int


class Pruning(Config):
    """What magnitude pruning took, and what it cost (Han et al., 2015)."""

    share: float
    """Of each weight matrix, as asked for."""
    sparsity: float
    """Share of all parameters that are 0."""
    epochs: int
    """Of fine-tuning, after which the network is as here."""
    split: str
    """The rows that both scores are of."""
    metric: str
    before: float
    after: float
    lost: float
    """Share of the score."""


class About(Config):
    """All that is known of an exported model, as its maker hands it over."""

    name: str
    """The sweep's."""
    trial: int = Field(ge=0)
    """The trial's number in the sweep."""
    task: TaskUsed
    parameters: dict[str, JsonValue]
    """The trial's configuration: `model/hidden_size` and so on."""
    signature: Signature
    preprocessing: dict[str, JsonValue]
    """From a raw file to x_BTF and from y_BO to an answer: layout, features, scaling, labels …"""
    scores: tuple[Score, ...] = ()
    data: tuple[DataUsed, ...] = ()
    sequences: dict[str, int] = Field(default_factory=dict)
    """Of each split."""
    limits: tuple[str, ...] = ()
    """What the model cannot be expected to do, a sentence each."""
    licence: str = ""
    """Empty: not stated."""
    spec: dict[str, JsonValue] = Field(default_factory=dict)
    """The sweep's, all of it but where it lay and ran."""
    repeat: tuple[str, ...] = ()
    """Commands that make this bundle again."""
    pruning: Pruning | None = None


class Weight(Config):
    """One tensor of the weights file."""

    shape: tuple[int, ...]
    dtype: str
    """As safetensors writes it: F32."""


class Proof(Config):
    """A format and the trained network, over all rows of one split."""

    split: str
    rows: int
    metric: str
    network: float
    """The trained network's score, in torch."""
    export: float
    """The format's."""
    difference: float
    """Worst absolute difference of an output that counts."""


class Exported(Config):
    """One format."""

    file: str
    """Its file in the bundle."""
    bytes: int
    compressed: int
    """Bytes that zlib makes of them, as an archive would."""
    notes: tuple[str, ...] = ()
    """What must be known of it."""
    proofs: tuple[Proof, ...] = ()
    """On what it was chosen by, and on test data where there is any."""
    lost: float | None = None
    """Share of the score lost on validation data, of a format that is not exact."""


class Contents(Config):
    """`bundle.json`."""

    version: Literal[1] = VERSION
    about: About
    weights: dict[str, Weight]
    difference: float = Field(ge=0)
    """Largest difference between the graph and the trained network, absolute or relative."""
    batches: int = Field(ge=1)
    """How many batches the two were compared on."""
    formats: dict[str, Exported] = Field(default_factory=dict)
    """What the bundle holds, the graph as `onnx`, by the names that `--format` takes."""
    max_loss: float | None = None
    """Share of the score that a format may have lost; None where all are exact."""
    made_with: dict[str, str]
    """Versions of the libraries."""


class Sealed(Config):
    """One file as the manifest vouches for it."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(Config):
    """`MANIFEST.json`."""

    version: Literal[1] = VERSION
    files: dict[str, Sealed]


def to_json(part: Config) -> str:
    """Readable JSON with its end of line; refuses numbers that JSON cannot write."""
    return json.dumps(part.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
