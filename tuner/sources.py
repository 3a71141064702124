"""The models that a sweep's trials start from: checked, and copied into the sweep beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.config import TrialConfig, make_task
from tuner.context import trial_folder
from tuner.data import vectors
from tuner.data.card import DataCard
from tuner.data.files import local
from tuner.data.store import CARD
from tuner.errors import CommandError, Mistake
from tuner.export.bundle import Bundle
from tuner.export.contents import WEIGHTS
from tuner.export.integrity import read_plain, sha256
from tuner.files import write_bytes
from tuner.predictor import task_of
from tuner.training.transfer import VECTORS, place, words_of
from tuner.training.words import EMBEDDING, write_words

if TYPE_CHECKING:
    from tuner.home import Home
    from tuner.spec import SweepSpec

_SWEEP = "sweep:"


def keep(spec: SweepSpec, home: Home, data: Path) -> None:
    """Copies the weights of every source that a trial may name beside the prepared data, and with
    them whose word each of their vectors is; word vectors of the spec's own as well.

    Raises:
        BundleError: a bundle that is missing, altered or of another version.
        CommandError: a sweep or a trial that is not there, or has no weights.
        DataError: a file of word vectors that cannot be read.
    """
    if spec.data.vectors is not None:
        _keep_vectors(local(spec.root, spec.data.vectors), data)
    parameter = spec.space.parameters.get("transfer/source")
    named = [] if parameter is None else parameter.domain.ends()
    for source in filter(None, map(str, named)):
        if source.startswith(_SWEEP):
            weights, words = _of_trial(source.removeprefix(_SWEEP), home)
        else:
            weights, words = _of_bundle(spec.root / source)
        _write(data, source, weights, words)


def _write(data: Path, source: str, weights: bytes, words: Sequence[str]) -> None:
    target = place(data, source)
    target.parent.mkdir(exist_ok=True)
    write_bytes(target, weights)
    write_words(words_of(data, source), words)


def _keep_vectors(path: Path, data: Path) -> None:
    """Of a file of word vectors those of words that training rows hold."""
    from safetensors.numpy import save

    card = DataCard.loads((data / CARD).read_text(encoding="utf-8"))
    words, found = vectors.read(path, card.vocabulary)
    _write(data, VECTORS, save({EMBEDDING: found}), words)


def _of_bundle(folder: Path) -> tuple[bytes, Sequence[str]]:
    bundle = Bundle.open(folder)
    reads_words = bundle.contents.about.signature.vocabulary
    return read_plain(folder, WEIGHTS), task_of(bundle).words() if reads_words else ()


def _of_trial(name: str, home: Home) -> tuple[bytes, Sequence[str]]:
    """The best weights of a sweep's best trial, or of the one after `#`."""
    from tuner.sweep import Sweep

    name, _, wanted = name.partition("#")
    sweep = Sweep.open(name, home=home.path)
    board = sweep.leaderboard()
    rows = [row for row in board.rows if row.rank and wanted in ("", str(row.number))]
    if not rows:
        raise _refused(
            "trial",
            "`transfer/source` must name a trial with a usable model",
            f"{name}#{wanted}" if wanted else f"{name}, which has none",
            f"See `tuner leaderboard {name}`.",
        )
    folder = sweep.folder / trial_folder(rows[0].number)
    try:
        manifest = json.loads((folder / "best.json").read_bytes())
        weights = (folder / "best.safetensors").read_bytes()
    except FileNotFoundError:
        manifest, weights = {}, b""
    if sha256(weights) != manifest.get("sha256"):
        raise _refused(
            "weights",
            "the trial in `transfer/source` must have kept its best weights",
            f"trial {rows[0].number} of {name}, without them: folds leave none, and a trial that "
            "was stopped may not",
            f"Run `tuner export {name} --to DIR` and name the folder.",
        )
    config = TrialConfig.from_values(rows[0].values, sweep.spec.task)
    card = DataCard.loads((sweep.folder / "data" / CARD).read_text(encoding="utf-8"))
    return weights, make_task(sweep.spec.task, config, card, None).words()


def _refused(code: str, rule: str, got: str, fix: str) -> CommandError:
    where = "the spec's `transfer/source`"
    return CommandError(Mistake(code=f"transfer/{code}", rule=rule, where=where, got=got, fix=fix))
