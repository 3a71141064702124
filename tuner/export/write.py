"""Writes a bundle, whole and proven, or not at all."""

from __future__ import annotations

import copy
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
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
    DECODER,
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

Prove = Callable[[Mapping[str, Bundle]], Mapping[str, Exported]]
"""From the export, opened in each of its formats, to what its card tells of them."""


def write(
    folder: str | os.PathLike[str],
    module: nn.Module,
    about: About,
    batches: Sequence[Batch] = (),
    prove: Prove | None = None,
    formats: Sequence[str] = (),
    max_loss: float | None = None,
) -> Bundle:
    """Exports a trained network and compares it with the graph before anything is visible.

    A former bundle at the same place is replaced. The network itself is left as it was.

    Args:
        batches: Real batches to compare on, besides made ones of untraced sizes and lengths.
        prove: Raises if a format is not what its maker expects.
        formats: what the bundle is to hold besides the graph.
        max_loss: what its maker allows to be lost, for the card.

    Raises:
        CommandError: `export/exists`, something else lies there; `export/not-writable`.
        InputError: `export/unsupported`, an operation that ONNX does not have; a format that
            cannot hold this network.
        ExportMismatch: the graph, or a format that is exact, differs from the network.
    """
    target = Path(folder).absolute()
    refuse_foreign(target)
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
        contents = _fill(made, module, about, batches, formats)
        if prove is not None:
            decodes = about.signature.decoder is not None
            decoder = read_plain(made, DECODER) if decodes else b""
            opened = {
                name: Bundle(made, contents, name, read_plain(made, exported.file), decoder)
                for name, exported in contents.formats.items()
            }
            contents = contents.model_copy(update={"formats": dict(prove(opened))})
        contents = contents.model_copy(update={"max_loss": max_loss})
        _seal(made, contents)
        bundle = Bundle.open(made)
        if target.exists():
            target.rename(Path(name) / "former")
        made.rename(target)
        _to_disk(target.parent)
    return replace(bundle, folder=target)


def refuse_foreign(target: Path) -> None:
    """Raises CommandError, `export/exists`, where something lies that is no bundle."""
    if not os.path.lexists(target):
        return
    ours = {*FILES, DECODER, *files(), MANIFEST}
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
) -> Contents:
    """Writes the weights, the graph and all other formats, each compared with the network."""
    from safetensors.torch import save_model

    from tuner.export.decoder import verify_decoder, write_decoder
    from tuner.export.onnx import least_steps, to_onnx
    from tuner.export.streaming import graphed
    from tuner.export.verify import untraced_batches, verify
    from tuner.models.two_parts import TwoParts

    network = copy.deepcopy(module).cpu().float().eval()
    save_model(network, str(made / WEIGHTS))
    module = graphed(network, about.signature)
    if refused := [m for name in formats for m in get(name).refusals(module, about.signature)]:
        raise InputError(refused)
    suspects = to_onnx(module, about.signature, made / GRAPH)
    compared = [*untraced_batches(about.signature, least_steps(module)), *batches]
    graph = run_graph((made / GRAPH).read_bytes(), 1)
    difference = verify(module, about.signature, graph, compared, suspects)
    if about.signature.decoder is not None:
        assert isinstance(network, TwoParts)
        write_decoder(network, about.signature, made / DECODER)
        run = run_graph(read_plain(made, DECODER), 1)
        worst = verify_decoder(network, about.signature, run, compared)
        difference = max(difference, worst)
    trained = Trained(module=module, signature=about.signature, graph=made / GRAPH)
    return Contents(
        about=about,
        weights=read_weights(made / WEIGHTS, read_plain(made, WEIGHTS)),
        difference=difference,
        batches=len(compared),
        formats={
            "onnx": _exported(made, GRAPH),
            **{name: _add(made, name, trained, compared) for name in formats},
        },
        made_with={library: version(library) for library in LIBRARIES},
    )


def _add(made: Path, name: str, trained: Trained, batches: Sequence[Batch]) -> Exported:
    """Writes one more format; one that is exact is compared as the graph was."""
    from tuner.export.verify import verify

    format = get(name)
    notes = format.write(made / format.FILE, trained)
    if format.EXACT:
        content = read_plain(made, format.FILE)
        run = format.runner(content, trained.signature, 1)
        verify(trained.module, trained.signature, run, batches, what=f"an export as {name}")
    return _exported(made, format.FILE, notes)


def _exported(made: Path, file: str, notes: Sequence[str] = ()) -> Exported:
    content = read_plain(made, file)
    compressed = len(zlib.compress(content, 9))
    return Exported(file=file, bytes=len(content), compressed=compressed, notes=tuple(notes))


def _seal(made: Path, contents: Contents) -> None:
    """Writes what describes the other files, and the manifest that vouches for all."""
    (made / CONTENTS).write_text(to_json(contents), encoding="utf-8")
    (made / CARD).write_text(card(contents), encoding="utf-8")
    sealed = {
        name: Sealed(sha256=sha256(content), bytes=len(content))
        for name in {*_fixed(contents), *(e.file for e in contents.formats.values())}
        for content in [read_plain(made, name)]
    }
    manifest = Manifest(files=dict(sorted(sealed.items())))
    (made / MANIFEST).write_text(to_json(manifest), encoding="utf-8")
    for path in (*made.iterdir(), made):
        _to_disk(path)


def _fixed(contents: Contents) -> list[str]:
    """The files that a bundle holds whatever its formats."""
    return [*FILES, *([DECODER] if contents.about.signature.decoder else [])]


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
