"""Trains a trial again from its record, and compares the two times bit by bit.

Nothing of the sweep is touched: the second time trains in a folder of its own, without Ray.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tuner import versions
from tuner.context import trial_folder
from tuner.errors import CommandError, Mistake, NotReproduced
from tuner.outcome import State
from tuner.refusals import refuse_changed_data
from tuner.results import curve
from tuner.training import checkpoint
from tuner.training.follower import gang
from tuner.training.job import Job
from tuner.training.trial import BEST, Report

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.results.leaderboard import Row
    from tuner.sweep import Sweep

_BROKEN = (State.DIVERGED, State.FAILED)
"""States of trials that an exception ended."""
_MEASURED = {"epoch", "train/rows_per_second"}
"""Columns of a curve that are no result."""


def rerun(sweep: Sweep, number: int) -> str:
    """Trains a trial again on the processor, to the epoch at which it ended.

    Compared are every value of its curve, how it ended, the weights that it kept, and those of
    its final model where one was trained on all rows.

    Returns:
        What was equal, for the user.

    Raises:
        CommandError: no such trial, or one that was never trained, has not ended, or trained on a
            GPU.
        DataError: the data changed since the sweep began.
        NotReproduced: the two times differ; the first difference is told.
    """
    row = _chosen(sweep, number)
    refuse_changed_data(sweep)
    folder = sweep.folder / trial_folder(number)
    with TemporaryDirectory(prefix="rerun-") as name:
        job = replace(sweep.context.job(number, dict(row.values)), folder=name)
        again = _train(sweep, job, row.epochs + (row.state in _BROKEN))
        equal, difference = _compared(folder, row, again)
        if not difference and row.test is not None and row.best_epoch is not None:
            # The final model: of a sweep with folds it was trained on all rows.
            if (folder / "refit" / f"{BEST}.json").exists():
                final = replace(job, folder=f"{name}/refit", refit_epochs=row.best_epoch)
                _train(sweep, final, row.best_epoch)
                weights, difference = _compared_weights(folder / "refit", Path(name) / "refit")
                equal.append(f"its final model's {weights}")
    who = f"trial {number} of {sweep.spec.name!r}"
    if difference:
        raise NotReproduced(f"{who} is not the same again: {difference}. {_cause(sweep)}")
    return f"{who} again: equal to the last bit: {', '.join(equal)}"


@dataclass(frozen=True, kw_only=True)
class _Again:
    """A trial's second time."""

    folder: Path
    points: Mapping[int, Mapping[str, float]]
    """Epoch → column of the curve → value."""
    last: Report | None
    error: str
    """What ended it, if an exception did."""


def _chosen(sweep: Sweep, number: int) -> Row:
    rows = {row.number: row for row in sweep.leaderboard().rows}
    if number not in rows:
        fix = f"There are {min(rows)} to {max(rows)}." if rows else "There are none yet."
        raise _refused("trial", "--trial must be one of the sweep's", sweep, str(number), fix)
    if rows[number].state is State.RUNNING:
        rule = "a trial that is trained again must have ended"
        fix = f"Wait for it, or run `tuner resume {sweep.spec.name}`."
        raise _refused("running", rule, sweep, f"trial {number}, which has not", fix)
    if rows[number].state is State.INFEASIBLE:
        rule, got = "a trial that is trained again must have been trained", rows[number].reason
        raise _refused("untrained", rule, sweep, got, "Take another one.")
    if sweep.spec.resources.gpus_per_worker:
        rule = "a trial that is trained again must have trained on processors alone"
        fix = "What a GPU adds up is not promised to the last bit."
        raise _refused("gpu", rule, sweep, "`resources/gpus_per_worker` above 0", fix)
    return rows[number]


def _refused(code: str, rule: str, sweep: Sweep, got: str, fix: str) -> CommandError:
    where = f"the sweep {sweep.spec.name!r}"
    return CommandError(Mistake(code=f"rerun/{code}", rule=rule, where=where, got=got, fix=fix))


def _train(sweep: Sweep, job: Job, epochs: int) -> _Again:
    resources = sweep.spec.resources
    last: Report | None = None
    error = ""
    size, threads = resources.most, resources.cpus_per_worker
    with gang(job, epochs, size=size, threads=threads) as rank:
        try:
            rank.start(job)
            for _ in range(epochs):
                last = rank.epoch()
            rank.stop()
        except Exception as raised:  # a trial's own mistake may be what its record holds
            error = (str(raised).strip().splitlines() or ["no message"])[0]
        points = {
            epoch: {curve.shown(name): value for name, value in values.items()}
            for epoch, values in rank.curve()
        }
    return _Again(folder=Path(job.folder), points=points, last=last, error=error)


def _compared(folder: Path, row: Row, again: _Again) -> tuple[list[str], str]:
    """What is equal, and the first difference; empty if there is none."""
    columns = curve.read(folder)
    epochs = [int(epoch) for epoch in columns.get("epoch", [])]
    names = [name for name in columns if name not in _MEASURED]
    for place, epoch in enumerate(epochs):
        for name in names:
            then, now = columns[name][place], again.points.get(epoch, {}).get(name)
            if now is None or then.hex() != float(now).hex():
                return [], f"{name} after epoch {epoch} was {then!r} and is {_number(now)}"
    recorded = ""
    if row.state in _BROKEN:
        # Of a mistake of the trial's own its record names the exception, too.
        recorded = row.reason.partition(": ")[2] if row.state is State.FAILED else row.reason
    if recorded != again.error:
        return [], f"it ended with {recorded or 'no error'!r} and ends with {again.error!r}"
    value = again.last.best if again.last else None
    if row.value is not None and (value is None or row.value.hex() != float(value).hex()):
        return [], f"its value was {row.value!r} and is {_number(value)}"
    equal = [f"{len(epochs)} epochs", f"{len(epochs) * len(names)} values of its curve"]
    if row.state in _BROKEN:
        return [*equal, f"{row.state} by {again.error!r}"], ""
    weights, difference = _compared_weights(folder, again.folder)
    return [*equal, weights], difference


def _compared_weights(then: Path, now: Path) -> tuple[str, str]:
    """As `_compared`, of the best weights in two folders."""
    first, second = checkpoint.read(then, BEST), checkpoint.read(now, BEST)
    if first is None:
        return "no weights, since it kept none", ""
    if second is None or first.tensors.keys() != second.tensors.keys():
        return "", "its weights have other names"
    for name, tensor in first.tensors.items():
        if difference := _differs(tensor, second.tensors[name]):
            return "", f"the weight {name} {difference}"
    return f"weights of SHA-256 {first.sha256[:16]}…", ""


def _differs(then: Tensor, now: Tensor) -> str:
    import torch

    if then.shape != now.shape or then.dtype != now.dtype:
        return f"was {list(then.shape)} {then.dtype} and is {list(now.shape)} {now.dtype}"
    if torch.equal(*(tensor.flatten().view(torch.uint8) for tensor in (then, now))):
        return ""
    return f"differs by up to {(then.double() - now.double()).abs().max().item():.3g}"


def _number(value: float | None) -> str:
    return "none" if value is None else repr(float(value))


def _cause(sweep: Sweep) -> str:
    """Why, as far as it can be told."""
    if changed := versions.changes(sweep.folder):
        return f"Likely why: {'; '.join(changed)}. [rerun/differs]"
    if not (sweep.folder / versions.FILE).exists():
        return "The sweep kept no record of its versions; another torch may be why. [rerun/differs]"
    return (
        "Versions and processor are those of the sweep: report this with its folder. "
        "[rerun/differs]"
    )
