"""A bundle: a folder with weights, graph, preprocessing and card, sealed by a manifest.

Opening one needs neither torch nor the code of the model, and reads nothing that can hold code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from tuner import registry
from tuner.errors import BundleError, DataError, Mistake
from tuner.export.contents import (
    CONTENTS,
    DECODER,
    FILES,
    GRAPH,
    MANIFEST,
    VERSION,
    WEIGHTS,
    Contents,
    Manifest,
)
from tuner.export.formats._base import KIND, Runner, files, get, names
from tuner.export.integrity import altered, check_graph, read_plain, read_weights, sha256
from tuner.export.session import run_graph
from tuner.tasks._base import Outputs

Read = TypeVar("Read", Contents, Manifest)


@dataclass(frozen=True)
class Bundle:
    """An exported model whose files have been checked."""

    folder: Path
    contents: Contents
    format: str
    """The one that it runs."""
    _content: bytes
    """Its file."""
    _decoder: bytes = b""
    """The graph of a decoder, where there is one."""

    @classmethod
    def open(cls, folder: str | os.PathLike[str], format: str = "onnx") -> Bundle:
        """Reads and checks a bundle, to run one of the formats that it holds.

        Raises:
            BundleError: missing, linked, altered, inconsistent, of another version, or without
                this format.
        """
        folder = Path(folder)
        manifest = _parse(Manifest, folder / MANIFEST, read_plain(folder, MANIFEST))
        listed, known = set(manifest.files), {*FILES, DECODER, *files()}
        if not set(FILES) <= listed <= known:
            rule = f"the manifest must list {', '.join(FILES)}, and files of formats"
            raise BundleError(altered(folder / MANIFEST, rule, ", ".join(sorted(listed))))
        content = {name: read_plain(folder, name) for name in manifest.files}
        broken = [
            altered(folder / name, "a file must be as its manifest says", f"{len(found)} bytes")
            for name, found in content.items()
            if (len(found), sha256(found))
            != (manifest.files[name].bytes, manifest.files[name].sha256)
        ]
        if broken:
            raise BundleError(broken)
        contents = _parse(Contents, folder / CONTENTS, content[CONTENTS])
        about = contents.about
        wrong = check_graph(folder / GRAPH, content[GRAPH], about.signature)
        if (DECODER in listed) != (about.signature.decoder is not None):
            rule = f"a bundle must hold {DECODER} where its signature has a decoder, and only there"
            wrong.append(altered(folder / MANIFEST, rule, ", ".join(sorted(listed))))
        elif DECODER in listed:
            path, graph = folder / DECODER, content[DECODER]
            wrong += check_graph(path, graph, about.signature, decodes=True)
        held = {name: get(name).FILE for name in names() if get(name).FILE in listed}
        if set(held) != set(contents.formats) - {"onnx"}:
            rule = f"the formats in {CONTENTS} must be those that the manifest lists"
            wrong.append(altered(folder / CONTENTS, rule, ", ".join(contents.formats) or "none"))
        for name, file in held.items():
            wrong += get(name).check(folder / file, content[file], about.signature)
        if read_weights(folder / WEIGHTS, content[WEIGHTS]) != contents.weights:
            rule = f"the weights must have the names, shapes and types in {CONTENTS}"
            wrong.append(altered(folder / WEIGHTS, rule, "others"))
        if wrong:
            raise BundleError(wrong)
        if format != "onnx" and format not in held:
            raise BundleError(_no_format(folder, format, list(held)))
        graphs = content[held.get(format, GRAPH)], content.get(DECODER, b"")
        return cls(folder, contents, format, *graphs)

    def runner(self, threads: int = 1) -> Runner:
        """A new one, on so many threads; what it takes and gives, the signature says."""
        if self.format == "onnx":
            return run_graph(self._content, threads)
        return get(self.format).runner(self._content, self.contents.about.signature, threads)

    def run(
        self, x: np.ndarray, lengths_B: np.ndarray, side_BX: np.ndarray | None = None
    ) -> Outputs:
        """The network's outputs y, with the transitions where there are any.

        What stands at padded steps does not matter. A stream starts afresh.

        Args:
            side_BX: the second input, where the signature tells of a `side`.

        Raises:
            DataError: `bundle/inputs`, arrays of another shape, or lengths outside 1 … T.
        """
        y, *rest = self._run(x, lengths_B, self.start(len(x)), side_BX)
        return (y, rest[0]) if self.contents.about.signature.transitions else y

    def carry(
        self, x: np.ndarray, lengths_B: np.ndarray, states: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """The outputs of a piece of each stream, and the states that the next piece goes on from.

        Where the signature is `ragged`, a row that has nothing new takes part with a length of 0.

        Raises:
            DataError: as for `run`.
        """
        y, *states = self._run(x, lengths_B, states)
        return y, list(states)

    def encode(self, x: np.ndarray, lengths_B: np.ndarray) -> list[np.ndarray]:
        """What a decoder keeps of some sequences, and the states that it starts from.

        Raises:
            DataError: as for `run`.
        """
        wants = self.contents.about.signature.decoder
        assert wants is not None, "a bundle with a decoder"
        return self._run(x, lengths_B, [])

    def step(
        self,
        last_N: np.ndarray,
        lengths_N: np.ndarray,
        kept: Sequence[np.ndarray],
        states: Sequence[np.ndarray],
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """logits_NV of the token that follows these, or y_NSO of frames, and the states after it.

        Args:
            last_N: the last token of each row, or its last frame.
            lengths_N: steps of each row's sequence.
            kept: of each row's sequence, by `encode`.
            states: of each row.
        """
        wants = self.contents.about.signature.decoder
        assert wants is not None, "a bundle with a decoder"
        lengths = [lengths_N.astype(np.int64)] if kept else []
        kind = np.float32 if wants.frames_per_step else np.int64
        given = [last_N.astype(kind), *states, *kept, *lengths]
        arrays = dict(zip(wants.names()[0], given, strict=True))
        found, *rest = self._answered(DECODER, arrays)
        return found, rest[: len(states)]

    def start(self, num: int) -> list[np.ndarray]:
        """The states of so many streams before their first step."""
        wants = self.contents.about.signature
        found = [np.zeros((levels, num, units), np.float32) for levels, units in wants.states]
        for state, start in zip(found[len(found) - len(wants.start) :], wants.start, strict=True):
            state[...] = np.array(start, np.float32)
        return found

    def _run(
        self,
        x: np.ndarray,
        lengths_B: np.ndarray,
        states: Sequence[np.ndarray],
        side_BX: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        wants = self.contents.about.signature
        shape = f"x{list(x.shape)}, lengths{list(lengths_B.shape)}"
        if x.ndim != 3 or x.shape[2] != wants.inputs or lengths_B.shape != x.shape[:1]:
            rule = f"x must be [B, T, {wants.inputs}] and lengths [B]"
            raise DataError(_wrong_inputs(rule, shape))
        given = (len(x), 0) if side_BX is None else side_BX.shape
        if given != (len(x), wants.side):
            rule = f"side must be [B, {wants.side}], the second input beside each sequence"
            raise DataError(_wrong_inputs(rule, f"{shape}, side{list(given)}"))
        if len(lengths_B) == 0:
            steps = (-(-x.shape[1] // wants.stride),) if wants.per_step else ()
            empty = (0, *steps, wants.outputs)
            return [np.empty(empty, dtype=np.float32)]
        shortest, longest = int(lengths_B.min()), int(lengths_B.max())
        least = 0 if wants.ragged else 1
        if shortest < least or not 1 <= x.shape[1] >= longest:
            rule = f"lengths must be in {least} … {x.shape[1]}, and steps at least 1"
            raise DataError(_wrong_inputs(rule, f"{shortest} … {longest}"))
        if wants.fixed and not shortest == x.shape[1] == wants.fixed:
            rule = f"x must have the {wants.fixed} steps of a picture"
            raise DataError(_wrong_inputs(rule, f"{shortest} … {x.shape[1]}"))
        kind = np.int64 if wants.vocabulary else np.float32
        most = np.array([wants.vocabulary, *[wants.characters] * (wants.inputs - 1)])
        if wants.vocabulary and not ((x >= 0) & (x < most)).all():
            rule = f"ids must be below {wants.vocabulary}, of characters {wants.characters}"
            raise DataError(_wrong_inputs(rule, f"{x.min()} … {x.max()}"))
        arrays = {"x": x.astype(kind), "lengths": lengths_B.astype(np.int64)}
        if side_BX is not None:
            arrays["side"] = side_BX.astype(np.float32)
        arrays |= {f"state_{i}": state for i, state in enumerate(states)}
        return self._answered(GRAPH, arrays)

    def _answered(self, graph: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        try:
            # A graph is looked at when it is first opened.
            run = self._decoding if graph == DECODER else self._single_threaded
            found: list[np.ndarray] = run(arrays)
        except Exception as error:  # onnxruntime has no exception of its own to catch
            got = str(error).strip().partition("\n")[0]
            rule = "the graph must run on what its signature says"
            raise BundleError(altered(self.folder / graph, rule, got)) from error
        return found

    @cached_property
    def _single_threaded(self) -> Runner:
        return self.runner()

    @cached_property
    def _decoding(self) -> Runner:
        return run_graph(self._decoder, 1)


def _no_format(folder: Path, format: str, held: Sequence[str]) -> Mistake:
    if format in names():
        fix = f"Export the model again with `--format {format}`."
    else:
        nearest = registry.UnknownPart(KIND, format, ["onnx", *held]).nearest
        fix = f"Did you mean `{nearest}`?" if nearest else "Take one of these."
    return Mistake(
        code="bundle/format",
        rule=f"the format must be one that the bundle holds: {', '.join(['onnx', *held])}",
        where=str(folder),
        got=repr(format),
        fix=fix,
    )


def _wrong_inputs(rule: str, got: str) -> Mistake:
    return Mistake(
        code="bundle/inputs",
        rule=rule,
        where="Bundle.run",
        got=got,
        fix="Prepare the inputs as `preprocessing` in bundle.json says.",
    )


class _Version(BaseModel):
    version: int = VERSION


def _parse(kind: type[Read], path: Path, content: bytes) -> Read:
    try:
        version = _Version.model_validate_json(content).version
        if version != VERSION:
            raise BundleError(
                Mistake(
                    code="bundle/version",
                    rule=f"a bundle's version must be {VERSION}",
                    where=str(path),
                    got=str(version),
                    fix="Read it with the rnn-tuner that wrote it, or export the model again.",
                )
            )
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(map(str, first["loc"])) or "the whole file"
        rule = "a bundle's JSON must be what the exporter writes"
        raise BundleError(altered(path, rule, f"{place}: {first['msg']}")) from error
