"""A bundle: a folder with weights, graph, preprocessing and card, sealed by a manifest.

Opening one needs neither torch nor the code of the model, and reads nothing that can hold code.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from tuner.errors import BundleError, DataError, Mistake
from tuner.export.contents import (
    CONTENTS,
    FILES,
    GRAPH,
    MANIFEST,
    VERSION,
    WEIGHTS,
    Contents,
    Manifest,
)
from tuner.export.integrity import altered, check_graph, read_plain, read_weights, sha256
from tuner.export.session import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Read = TypeVar("Read", Contents, Manifest)


@dataclass(frozen=True)
class Bundle:
    """An exported model whose files have been checked."""

    folder: Path
    contents: Contents
    _graph: bytes

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Bundle:
        """Reads and checks a bundle.

        Raises:
            BundleError: missing, linked, altered, inconsistent or of another version.
        """
        folder = Path(folder)
        manifest = _parse(Manifest, folder / MANIFEST, read_plain(folder, MANIFEST))
        if sorted(manifest.files) != sorted(FILES):
            rule = f"the manifest must list {', '.join(FILES)}"
            raise BundleError(altered(folder / MANIFEST, rule, ", ".join(sorted(manifest.files))))
        content = {name: read_plain(folder, name) for name in FILES}
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
        wrong = check_graph(folder / GRAPH, content[GRAPH], about.inputs, about.outputs)
        if read_weights(folder / WEIGHTS, content[WEIGHTS]) != contents.weights:
            rule = f"the weights must have the names, shapes and types in {CONTENTS}"
            wrong.append(altered(folder / WEIGHTS, rule, "others"))
        if wrong:
            raise BundleError(wrong)
        return cls(folder, contents, content[GRAPH])

    def session(self, threads: int = 1) -> InferenceSession:
        """A new onnxruntime session: x [B, T, F] float32, lengths [B] int64 → y [B, O]."""
        return open_session(self._graph, threads)

    def run(self, x_BTF: np.ndarray, lengths_B: np.ndarray) -> np.ndarray:
        """The network's outputs y_BO; what stands at padded steps does not matter.

        Raises:
            DataError: `bundle/inputs`, arrays of another shape, or lengths outside 1 … T.
        """
        inputs = self.contents.about.inputs
        shape = f"x{list(x_BTF.shape)}, lengths{list(lengths_B.shape)}"
        if x_BTF.ndim != 3 or x_BTF.shape[2] != inputs or lengths_B.shape != x_BTF.shape[:1]:
            raise DataError(_wrong_inputs(f"x must be [B, T, {inputs}] and lengths [B]", shape))
        if len(lengths_B) == 0:
            return np.empty((0, self.contents.about.outputs), dtype=np.float32)
        shortest, longest = int(lengths_B.min()), int(lengths_B.max())
        if shortest < 1 or longest > x_BTF.shape[1]:
            rule = f"lengths must be in 1 … {x_BTF.shape[1]}"
            raise DataError(_wrong_inputs(rule, f"{shortest} … {longest}"))
        arrays = {"x": x_BTF.astype(np.float32), "lengths": lengths_B.astype(np.int64)}
        (y_BO,) = self._single_threaded.run(None, arrays)
        outputs_BO: np.ndarray = y_BO
        return outputs_BO

    @cached_property
    def _single_threaded(self) -> InferenceSession:
        return self.session()


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
