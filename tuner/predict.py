"""`tuner predict`: raw files or standard input through a model to a table, or to WAV files."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeGuard

from tuner import registry, speaking
from tuner.data.files import shown
from tuner.errors import CommandError, DataError, Mistake
from tuner.files import write_bytes
from tuner.predictor import Answers, Predictor

STANDARD = "-"
"""Standard input among the inputs, or standard output."""
_FORMATS = (".csv", ".jsonl", ".parquet")
_STDIN = "standard input"
_DEFAULT = "csv"
"""Format of standard input, where training names none."""


def predict(
    model: Path,
    inputs: Sequence[str],
    output: str | None = None,
    format: str | None = None,
    *,
    model_format: str = "onnx",
) -> Answers:
    """Answers raw files laid out as the training files were, and writes the answers.

    All is answered before anything is written; a file appears whole or not at all.

    Args:
        model: folder of a bundle.
        inputs: the files; `-` is standard input.
        output: a `.csv`, `.jsonl` or `.parquet`; without an extension a new folder for WAV files,
            of a model that gives frames of recordings; without an output, or for `-`, standard
            output, as JSON Lines where `format` is `jsonl`, else as CSV.
        format: of the inputs; None: as in training, or by their extensions, and CSV for standard
            input.
        model_format: the form of the model that answers, of those that the bundle holds.

    Raises:
        BundleError: the model's files are not whole, or it does not hold this form.
        DataError: the input files, every mistake.
        CommandError: no such format, an output that cannot be written, or answers that cannot be
            heard.
    """
    target = None if output in (None, STANDARD) else Path(str(output))
    _refuse(inputs, target, format)
    predictor = Predictor.open(model, model_format)
    if _is_folder(target) and (mistakes := speaking.refusals(predictor, str(target))):
        raise CommandError(mistakes)
    with _standard_input(inputs, format or predictor.layout.format or _DEFAULT) as copy:
        paths = [copy if name == STANDARD else Path(name) for name in inputs]
        here = shown(copy)
        try:
            answers = predictor.read(paths, format)
        except DataError as wrong:
            told = [replace(m, where=m.where.replace(here, _STDIN)) for m in wrong.mistakes]
            raise DataError(told) from None
        answers = replace(answers, notes=[n.replace(here, _STDIN) for n in answers.notes])
    if target is None:
        content = _encoded(answers.columns, ".jsonl" if format == "jsonl" else ".csv")
        sys.stdout.write(content.decode())
    elif _is_folder(target):
        _write_folder(target, predictor, answers)
    else:
        _write(target, _encoded(answers.columns, target.suffix))
    return answers


def _is_folder(target: Path | None) -> TypeGuard[Path]:
    return target is not None and not target.suffix


def _refuse(inputs: Sequence[str], target: Path | None, format: str | None) -> None:
    """All that is wrong with the command line, before anything is opened."""
    mistakes = []
    if _is_folder(target) and os.path.lexists(target):
        rule, got = "--output must be a new folder where it has no extension", "one that is there"
        fix = "Name another folder, or remove this one."
        mistakes.append(_mistake("exists", rule, str(target), got, fix))
    elif target is not None and target.suffix not in ("", *_FORMATS):
        rule = f"--output must end in one of {', '.join(_FORMATS)}, or be a folder of WAV files"
        mistakes.append(
            _mistake("not-writable", rule, str(target), "another", "Name another file.")
        )
    if target is not None and not os.access(target.absolute().parent, os.W_OK):
        rule, got = "--output must lie in a folder that can be written", "one that cannot"
        mistakes.append(_mistake("not-writable", rule, str(target), got, "Name another file."))
    if list(inputs).count(STANDARD) > 1:
        rule, got = "standard input can be read once", f"{inputs.count(STANDARD)} times `-`"
        mistakes.append(_mistake("usage", rule, "the command line", got, "Name it once."))
    if format is not None and format not in registry.names("formats"):
        unknown = registry.UnknownPart("formats", format, registry.names("formats"))
        near = f"Did you mean {unknown.nearest!r}? " if unknown.nearest else ""
        fix = f"{near}Known: {', '.join(unknown.known)}."
        rule = "--format must be a known format"
        mistakes.append(_mistake("format", rule, "the command line", repr(format), fix))
    if mistakes:
        raise CommandError(mistakes)


def _mistake(code: str, rule: str, where: str, got: str, fix: str) -> Mistake:
    return Mistake(code=f"command/{code}", rule=rule, where=where, got=got, fix=fix)


@contextmanager
def _standard_input(inputs: Sequence[str], format: str) -> Iterator[Path]:
    """A copy of standard input if it is asked for: readers look at a file more than once."""
    with TemporaryDirectory(prefix="predict-") as folder:
        copy = Path(folder) / "".join(["stdin", *registry.get("formats", format).EXTENSIONS[:1]])
        if STANDARD in inputs:
            with copy.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        yield copy


def _encoded(columns: Mapping[str, list[Any]], suffix: str) -> bytes:
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = io.BytesIO()
        pq.write_table(pa.table(dict(columns)), sink)
        return sink.getvalue()
    rows = zip(*columns.values(), strict=True)
    if suffix == ".jsonl":
        lines = (json.dumps(dict(zip(columns, row, strict=True))) for row in rows)
        return "".join(f"{line}\n" for line in lines).encode()
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(columns), *rows])
    return text.getvalue().encode()


def _write_folder(target: Path, predictor: Predictor, answers: Answers) -> None:
    """All files appear at once, or none."""
    try:
        with TemporaryDirectory(dir=target.absolute().parent, prefix=f".{target.name}.") as place:
            made = Path(place) / "made"
            made.mkdir()
            speaking.write(made, predictor, answers)
            made.rename(target)
    except OSError as error:
        got = error.strerror or str(error)
        raise CommandError(
            _mistake("not-writable", "--output must be writable", str(target), got, "Name another.")
        ) from None


def _write(target: Path, content: bytes) -> None:
    try:
        if target.exists() and not target.is_file():
            # A device or a pipe is written to, not replaced.
            target.write_bytes(content)
        else:
            write_bytes(target.resolve(), content)
    except OSError as error:
        got = error.strerror or str(error)
        rule = "--output must be writable"
        wrong = _mistake("not-writable", rule, str(target), got, "Name another file.")
        raise CommandError(wrong) from None
