"""Writes a bundle, whole and proven, or not at all."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tuner.errors import CommandError, InputError, Mistake
from tuner.export.bundle import Bundle
from tuner.export.card import card
from tuner.export.contents import (
    CARD,
    CONTENTS,
    FILES,
    GRAPH,
    MANIFEST,
    WEIGHTS,
    About,
    Contents,
    Exported,
    Manifest,
    Sealed,
    to_json,
)
from tuner.export.formats._base import Trained, files, get
from tuner.export.integrity import read_plain, read_weights, sha256
from tuner.export.session import run_graph

if TYPE_CHECKING:
    from torch import nn

    from tuner.export.verify import Batch

LIBRARIES = ("rnn-tuner", "torch", "onnx", "onnxruntime", "safetensors")


def write(
    folder: str | os.PathLike[str],
    module: nn.Module,
    about: About,
    batches: Sequence[Batch] = (),
    prove: Callable[[Bundle], None] = lambda bundle: None,
    formats: Sequence[str] = (),
) -> Bundle:
    """Exports a trained network and compares it with the graph before anything is visible.

    A former bundle at the same place is replaced. The network itself is left as it was.

    Args:
        batches: Real batches to compare on, besides made ones of untraced sizes and lengths.
        prove: Raises if the finished bundle is not what its maker expects.
        formats: what the bundle is to hold besides the graph.

    Raises:
        CommandError: `export/exists`, something else lies there; `export/not-writable`.
        InputError: `export/unsupported`, an operation that ONNX does not have; a format that
            cannot hold this network.
        ExportMismatch: the graph differs from the network.
    """
    target = Path(folder).absolute()
    _refuse_foreign(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        workshop = TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise CommandError(
            Mistake(
                code="export/not-writable",
                rule="a bundle's parent folder must be writable",
                where=str(target.parent),
                got=error.strerror or str(error),
                fix="Name another folder.",
            )
        ) from error
    with workshop as name:
        made = Path(name) / "bundle"
        made.mkdir()
        _fill(made, module, about, batches, formats)
        bundle = Bundle.open(made)
        prove(bundle)
        if target.exists():
            target.rename(Path(name) / "former")
        made.rename(target)
        _to_disk(target.parent)
    return replace(bundle, folder=target)


def _refuse_foreign(target: Path) -> None:
    if not os.path.lexists(target):
        return
    ours = {*FILES, *files(), MANIFEST}
    if target.is_symlink() or not target.is_dir():
        found = "something that is no folder"
    elif foreign := sorted(path.name for path in target.iterdir() if path.name not in ours):
        found = f"a folder with {', '.join(foreign[:3])}"
    else:
        return
    raise CommandError(
        Mistake(
            code="export/exists",
            rule="a bundle's folder must be new, empty or a former bundle",
            where=str(target),
            got=found,
            fix="Name another folder, or move this one away.",
        )
    )


def _fill(
    made: Path, module: nn.Module, about: About, batches: Sequence[Batch], formats: Sequence[str]
) -> None:
    from safetensors.torch import save_model

    from tuner.export.onnx import least_steps, to_onnx
    from tuner.export.verify import untraced_batches, verify

    module = copy.deepcopy(module).cpu().float().eval()
    refused = [m for name in formats for m in get(name).refusals(module, about.signature)]
    if refused:
        raise InputError(refused)
    save_model(module, str(made / WEIGHTS))
    suspects = to_onnx(module, about.signature, made / GRAPH)
    compared = [*untraced_batches(about.signature, least_steps(module)), *batches]
    graph = run_graph((made / GRAPH).read_bytes(), 1)
    difference = verify(module, about.signature, graph, compared, suspects)
    trained = Trained(module=module, signature=about.signature, graph=made / GRAPH)
    contents = Contents(
        about=about,
        weights=read_weights(made / WEIGHTS, read_plain(made, WEIGHTS)),
        difference=difference,
        batches=len(compared),
        formats={name: _add(made, name, trained, compared) for name in formats},
        made_with={library: version(library) for library in LIBRARIES},
    )
    (made / CONTENTS).write_text(to_json(contents), encoding="utf-8")
    (made / CARD).write_text(card(contents), encoding="utf-8")
    sealed = {
        name: Sealed(sha256=sha256(content), bytes=len(content))
        for name in [*FILES, *(exported.file for exported in contents.formats.values())]
        for content in [read_plain(made, name)]
    }
    (made / MANIFEST).write_text(to_json(Manifest(files=sealed)), encoding="utf-8")
    for path in (*made.iterdir(), made):
        _to_disk(path)


def _add(made: Path, name: str, trained: Trained, batches: Sequence[Batch]) -> Exported:
    """Writes one more format; one that is exact is compared as the graph was."""
    from tuner.export.verify import verify

    format = get(name)
    notes = format.write(made / format.FILE, trained)
    if format.EXACT:
        content = read_plain(made, format.FILE)
        run = format.runner(content, trained.signature, 1)
        verify(trained.module, trained.signature, run, batches, what=f"an export as {name}")
    return Exported(file=format.FILE, notes=tuple(notes))


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
