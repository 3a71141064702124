"""What a format has, and how formats are found by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from tuner import registry
from tuner.errors import CommandError, Mistake

if TYPE_CHECKING:
    from torch import nn

    from tuner.export.contents import Signature

KIND = "exports"

Runner = Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]
"""From arrays to arrays, by the names and in the order that the signature gives them."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What is to leave."""

    module: nn.Module
    """The network, on the CPU, in evaluation mode."""
    signature: Signature
    graph: Path
    """Its ONNX graph, proven equal."""


class Format(Protocol):
    """A module in this folder, or behind an entry point `rnn_tuner.exports`.

    Importing it imports nothing heavy: a bundle is opened through it where only numpy is there.
    """

    FILE: str
    """The name of its file in a bundle."""
    EXACT: bool
    """Whether it must equal the network within 1e-5; otherwise it may lose some of the score."""

    def refusals(self, module: nn.Module, signature: Signature) -> list[Mistake]:
        """Why it cannot hold this network, a missing extra among them; nothing is written yet."""

    def write(self, path: Path, trained: Trained) -> list[str]:
        """Writes its file; gives what the user and the card must be told of it.

        Raises:
            InputError: what only writing can find out.
        """

    def check(self, path: Path, content: bytes, signature: Signature) -> list[Mistake]:
        """What is wrong with a file that nobody vouches for."""

    def runner(self, content: bytes, signature: Signature, threads: int) -> Runner:
        """Loads a checked file, to run on so many threads."""


def names() -> list[str]:
    """Those that may stand beside the graph."""
    return registry.names(KIND)


def files() -> list[str]:
    """Their files."""
    return [get(name).FILE for name in names()]


def get(name: str) -> Format:
    """A format by its name; never by an import path, since a bundle's author may name it."""
    assert name in names(), f"no format {name!r}"
    return cast(Format, registry.get(KIND, name))


def chosen(wanted: Sequence[str]) -> list[str]:
    """What `--format` asks for beside the graph, each once; `onnx` is the graph itself.

    Raises:
        CommandError: `export/format`, every name that is none.
    """
    known = ["onnx", *names()]
    mistakes = []
    for name in dict.fromkeys(wanted):
        if name not in known:
            nearest = registry.UnknownPart(KIND, name, known).nearest
            mistakes.append(
                Mistake(
                    code="export/format",
                    rule=f"--format must be one of {', '.join(known)}",
                    where="the command line",
                    got=repr(name),
                    fix=f"Did you mean `{nearest}`?" if nearest else "Take one of these.",
                )
            )
    if mistakes:
        raise CommandError(mistakes)
    return [name for name in known[1:] if name in wanted]
