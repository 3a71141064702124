"""From a trial of a sweep to a bundle that gives the leaderboard's value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import CommandError, ExportMismatch, Mistake
from tuner.export.bundle import Bundle
from tuner.export.contents import About, Score, Signature, TaskUsed
from tuner.export.formats._base import chosen
from tuner.export.write import write
from tuner.models.network import Network
from tuner.models.shape import Shape
from tuner.results.leaderboard import Leaderboard, Row
from tuner.tasks._base import Batch, Outputs, Split, Task
from tuner.training.finish import finish
from tuner.training.fit import build_module
from tuner.training.rank import Rank

if TYPE_CHECKING:
    from tuner.sweep import Sweep

TOLERANCE = 1e-6
"""Of a metric's value, relative above 1."""

_ROWS = 512


def export_model(sweep: Sweep, to: Path, number: int | None, formats: Sequence[str] = ()) -> str:
    """Writes the best model, or a trial's, as a bundle; gives what to tell the user.

    The graph must give the network's outputs on made and on real batches, and on the validation
    rows the leaderboard's value, before the folder appears.

    Raises:
        CommandError: no such trial, none that is usable, an unknown format, or a folder that is
            something else.
        InputError: a format that cannot hold this network.
        ExportMismatch: the graph does not equal the network, or not the leaderboard's value.
    """
    wanted = chosen(formats)
    row = _chosen(sweep.leaderboard(), number)
    store = Store.open(sweep.folder / "data")
    config = TrialConfig.from_values(row.values, sweep.spec.task)
    task = make_task(sweep.spec.task, config, store.card, None)
    refit_epochs = row.best_epoch if store.card.num_folds else None
    job = sweep.context.job(row.number, dict(row.values), refit_epochs)
    rank = Rank("cpu", sweep.spec.resources.cpus_per_worker)
    best = finish(rank, job, refit_epochs or row.epochs)
    module = build_module(config, task).eval()
    module.load_state_dict(best.tensors)

    # A refit has seen every fold, so no rows are left on which the leaderboard's value stands.
    split: Split = "train" if refit_epochs else "validation"
    if refit_epochs:
        expected = rank.evaluate("train")[sweep.spec.metric]
    else:
        assert row.value is not None
        expected = row.value

    def prove(bundle: Bundle) -> None:
        value = _score(bundle, task, store, split)[sweep.spec.metric]
        if not abs(value - expected) <= TOLERANCE * max(1.0, abs(expected)):
            raise ExportMismatch(
                f"an exported model must give the network's {sweep.spec.metric} on the {split} "
                f"rows within {TOLERANCE:g}; {value!r} stands against {expected!r}. Report this "
                "with the sweep's folder. [export/mismatch]"
            )

    batch = task.batch(store, task.rows(store, split, None)[:_ROWS])
    real = (torch.from_numpy(batch.inputs), torch.from_numpy(batch.lengths))
    about = _about(sweep, row, task, config, store, signature_of(module, real[0], task.shape))
    bundle = write(to, module, about, [real], prove, wanted)
    return (
        f"{bundle.folder}: trial {row.number}, {sweep.spec.metric} {row.value:.6g} on validation "
        f"data; the graph equals the network within {bundle.contents.difference:.1e} on "
        f"{bundle.contents.batches} batches and gives {sweep.spec.metric} {expected:.6g} on the "
        f"{len(task.rows(store, split, None))} {split} rows"
        + "".join(
            f"\n{bundle.folder / exported.file}: {name}{''.join(f'; {n}' for n in exported.notes)}"
            for name, exported in bundle.contents.formats.items()
        )
    )


def _chosen(board: Leaderboard, number: int | None) -> Row:
    if number is None:
        if board.best is not None:
            return board.best
        states = ", ".join(f"{n} {state}" for state, n in board.counts().items()) or "none"
        raise _refused(
            "none",
            "a sweep must have a usable trial",
            board,
            states,
            "See its `tuner leaderboard`.",
        )
    row = next((row for row in board.rows if row.number == number), None)
    if row is None:
        numbers = f"0 to {max(row.number for row in board.rows)}" if board.rows else "none"
        raise _refused(
            "trial",
            "--trial must be one of the sweep's",
            board,
            str(number),
            f"There are {numbers}.",
        )
    if row.rank is None:
        got = f"trial {number}: {row.state} {row.reason}".strip()
        fix = "Take one that has a rank on the leaderboard."
        raise _refused("unusable", "a trial must have a usable model", board, got, fix)
    return row


def _refused(code: str, rule: str, board: Leaderboard, got: str, fix: str) -> CommandError:
    where = f"the sweep {board.name!r}"
    return CommandError(Mistake(code=f"export/{code}", rule=rule, where=where, got=got, fix=fix))


def _about(
    sweep: Sweep,
    row: Row,
    task: Task,
    config: TrialConfig,
    store: Store,
    signature: Signature,
) -> About:
    options = {k: v for k, v in sweep.spec.task.items() if k != "name"}
    naive = _json(sweep.folder / "baselines.json").get("validation", {})
    baseline: dict[str, float] = next(iter(naive.values()), {})
    test = _json(sweep.folder / "finals.json").get(str(row.number), {})
    return About(
        name=sweep.spec.name,
        trial=row.number,
        task=TaskUsed(name=sweep.spec.task["name"], options=options),
        parameters=config.to_values(),
        signature=signature,
        preprocessing=_as_json(
            {
                "layout": store.card.layout.to_json(),
                "facts": task.facts.to_json(),
                "inputs": config.data.model_dump(),
            }
        ),
        scores=tuple(
            Score(
                metric=name,
                validation=value,
                test=test.get(name),
                baseline=baseline.get(name),
            )
            for name, value in row.metrics.items()
            if name in baseline
        ),
    )


def _as_json(data: dict[str, Any]) -> dict[str, Any]:
    """Lists for tuples, as they will be read back."""
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def signature_of(module: nn.Module, x: torch.Tensor, shape: Shape) -> Signature:
    """What the network's graph will take and give, as a real batch shows."""
    with torch.no_grad():
        outputs = module(x[:1], torch.ones(1, dtype=torch.int64))
    rest = outputs[1] if isinstance(outputs, tuple) else []
    transitions = isinstance(rest, torch.Tensor)
    start = module.learned_start() if isinstance(module, Network) and shape.carries else []
    return Signature(
        inputs=x.shape[2],
        outputs=shape.outputs,
        vocabulary=shape.vocabulary,
        characters=shape.characters,
        per_step=shape.per_step,
        transitions=transitions,
        states=() if transitions else tuple((t.shape[0], t.shape[2]) for t in rest),
        start=tuple(tuple(part.tolist()) for part in start),
    )


def _score(bundle: Bundle, task: Task, store: Store, split: Split) -> dict[str, float]:
    """The task's metrics of what the graph says."""
    total: torch.Tensor | None = None
    for batch, outputs in _runs(bundle, task, store, split):
        tensors = (
            tuple(map(torch.from_numpy, outputs))
            if isinstance(outputs, tuple)
            else torch.from_numpy(outputs)
        )
        sums = task.statistics(tensors, batch.to_torch("cpu"))
        total = sums if total is None else total + sums
    assert total is not None
    return task.metrics(total.tolist())


def _runs(
    bundle: Bundle, task: Task, store: Store, split: Split
) -> Iterator[tuple[Batch, Outputs]]:
    """All rows of a split, as the graph answers them; a stream piece by piece."""
    if task.window:
        streams = task.num_streams(store, split)
        states = bundle.start(streams)
        for rows in task.streams(store, split, None, streams):
            batch = task.batch(store, rows)
            outputs, states = bundle.carry(batch.inputs, batch.lengths, states)
            yield batch, outputs
        return
    rows = task.rows(store, split, None)
    for start in range(0, len(rows), _ROWS):
        batch = task.batch(store, rows[start : start + _ROWS])
        yield batch, bundle.run(batch.inputs, batch.lengths)
