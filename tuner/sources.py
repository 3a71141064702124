"""The models that a sweep's trials start from: checked, and copied into the sweep beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.context import trial_folder
from tuner.errors import CommandError, Mistake
from tuner.export.bundle import Bundle
from tuner.export.contents import WEIGHTS
from tuner.export.integrity import read_plain, sha256
from tuner.files import write_bytes
from tuner.training.transfer import place

if TYPE_CHECKING:
    from tuner.home import Home
    from tuner.spec import SweepSpec

_SWEEP = "sweep:"


def keep(spec: SweepSpec, home: Home, data: Path) -> None:
    """Copies the weights of every source that a trial may name beside the prepared data.

    Raises:
        BundleError: a bundle that is missing, altered or of another version.
        CommandError: a sweep or a trial that is not there, or has no weights.
    """
    parameter = spec.space.parameters.get("transfer/source")
    named = [] if parameter is None else parameter.domain.ends()
    for source in filter(None, map(str, named)):
        if source.startswith(_SWEEP):
            weights = _of_trial(source.removeprefix(_SWEEP), home)
        else:
            weights = _of_bundle(spec.root / source)
        target = place(data, source)
        target.parent.mkdir(exist_ok=True)
        write_bytes(target, weights)


def _of_bundle(folder: Path) -> bytes:
    Bundle.open(folder)
    return read_plain(folder, WEIGHTS)


def _of_trial(name: str, home: Home) -> bytes:
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
    return weights


def _refused(code: str, rule: str, got: str, fix: str) -> CommandError:
    where = "the spec's `transfer/source`"
    return CommandError(Mistake(code=f"transfer/{code}", rule=rule, where=where, got=got, fix=fix))
