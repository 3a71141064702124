"""From a trial of a sweep to a bundle that gives the leaderboard's value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import CommandError, ExportMismatch, Mistake
from tuner.export import decoder
from tuner.export.about import about_of
from tuner.export.bundle import Bundle
from tuner.export.contents import Exported, Proof, Pruning, Signature
from tuner.export.formats._base import chosen, get
from tuner.export.proof import ROWS, compare, share_lost
from tuner.export.pruning import prune
from tuner.export.streaming import graphed, refusals, streaming
from tuner.export.told import told
from tuner.export.wanted import Wanted
from tuner.export.write import refuse_foreign, write
from tuner.models.network import Network
from tuner.models.shape import Shape
from tuner.models.two_parts import TwoParts
from tuner.results.leaderboard import Leaderboard, Row
from tuner.tasks._base import Split
from tuner.training.finish import finish
from tuner.training.fit import build_module
from tuner.training.rank import Rank

if TYPE_CHECKING:
    from tuner.sweep import Sweep

TOLERANCE = 1e-6
"""Of a metric's value, relative above 1."""
PLAYED = 0.05
"""Of a return, relative: one action that rounding turns can end an episode sooner or later, where
all outputs on the rows of the data are equal."""


def export_model(sweep: Sweep, to: Path, wanted: Wanted) -> str:
    """Writes the best model, or a trial's, as a bundle; gives what to tell the user.

    Every format must give the network's outputs on made and on real batches, on the rows that the
    trial was chosen by and on test data, and the leaderboard's value, before the folder appears.
    One that is not exact, and pruning, may lose a share of the score on the former rows.

    Raises:
        CommandError: no such trial, none that is usable, an unknown format, a folder that is
            something else, a network that cannot stream or that a format cannot hold, or more of
            the score lost than `max_loss`.
        ExportMismatch: a format does not equal the network, or not the leaderboard's value.
    """
    formats = chosen(wanted.formats)
    row = _chosen(sweep.leaderboard(), wanted.trial)
    refuse_foreign(to.absolute())
    store = Store.open(sweep.folder / "data")
    config = TrialConfig.from_values(row.values, sweep.spec.task)
    task = make_task(sweep.spec.task, config, store.card, None)
    refit_epochs = row.best_epoch if store.card.num_folds else None
    job = sweep.context.job(row.number, dict(row.values), refit_epochs)
    module = build_module(config, task).eval()
    # A refit has seen every fold, so no rows are left on which the leaderboard's value stands.
    split: Split = "train" if refit_epochs else "validation"
    batch = task.batch(store, task.rows(store, split, None)[:ROWS])
    real = tuple(map(torch.from_numpy, batch.given))
    signature = signature_of(module, real[0], task.shape)
    mistakes: list[Mistake] = []
    # A language model streams anyway, and what acts has to.
    if (wanted.streaming or task.plays) and not signature.states:
        window, where = bool(task.facts.target_channels), f"trial {row.number}"
        mistakes += refusals(module, config.data, window=window, where=where)
        if not mistakes:
            assert isinstance(module, Network)
            signature = streaming(module, signature)
    runs = graphed(module, signature)
    mistakes += [m for name in formats for m in get(name).refusals(runs, signature)]
    if mistakes:
        raise CommandError(mistakes)

    rank = Rank("cpu", sweep.spec.resources.cpus_per_worker)
    best = finish(rank, job, refit_epochs or row.epochs)
    module.load_state_dict(best.tensors)
    if refit_epochs:
        expected = rank.evaluate("train")[sweep.spec.metric]
    else:
        assert row.value is not None
        expected = row.value
    pruned = None
    if wanted.prune is not None:
        pruned = prune(job, config, task, store, module, wanted.prune)
        _refuse_loss({"pruning": pruned[0].lost}, pruned[0], wanted.max_loss)
        expected = pruned[0].after
        module.eval()

    def prove(bundles: Mapping[str, Bundle]) -> dict[str, Exported]:
        metric, maximize = sweep.spec.metric, sweep.spec.maximize
        splits: list[Split] = [split]
        if store.card.num_sequences.get("test"):
            splits.append("test")
        proofs: dict[str, list[Proof]] = {name: [] for name in bundles}
        for part in splits:
            found = compare(bundles, module, task, store, part, metric)
            _check(found, expected if part == split else None)
            for name, (proof, _) in found.items():
                proofs[name].append(proof)
        lost = {n: share_lost(proofs[n][0], maximize=maximize) for n in bundles if not _exact(n)}
        _refuse_loss(lost, proofs["onnx"][0], wanted.max_loss)
        return {
            name: bundle.contents.formats[name].model_copy(
                update={"proofs": tuple(proofs[name]), "lost": lost.get(name)}
            )
            for name, bundle in bundles.items()
        }

    about = about_of(sweep, row, task, config, store, signature, wanted, pruned)
    limit = wanted.max_loss if pruned or not all(map(_exact, formats)) else None
    return told(write(to, module, about, [real], prove, formats, limit), row.value)


def _exact(name: str) -> bool:
    return name == "onnx" or get(name).EXACT


def _check(found: Mapping[str, tuple[Proof, bool]], expected: float | None) -> None:
    """Raises ExportMismatch for a format that is to be exact, and for another value than known."""
    for name, (proof, equal) in found.items():
        if not _exact(name):
            continue
        rows = f"{proof.rows} {proof.split} rows"
        if not equal:
            raise ExportMismatch(
                f"an export as {name} must equal the trained network; on the {rows} an output "
                f"differs by {proof.difference:g}. Report this with the sweep's folder. "
                "[export/mismatch]"
            )
        value = proof.network if expected is None else expected
        tolerance = PLAYED if proof.metric == "return" else TOLERANCE
        if not abs(proof.export - value) <= tolerance * max(1.0, abs(value)):
            raise ExportMismatch(
                f"an export as {name} must give the network's {proof.metric} within "
                f"{tolerance:g}; on the {rows} {proof.export!r} stands against {value!r}. Report "
                "this with the sweep's folder. [export/mismatch]"
            )


def _refuse_loss(lost: Mapping[str, float], scored: Proof | Pruning, most: float) -> None:
    """Raises CommandError for all that cost more of the score than the user allows."""
    mistakes = [
        Mistake(
            code="export/loss",
            rule=f"{name} must not lose more than {most:g} of the {scored.metric} on the "
            f"{scored.split} rows",
            where="--max-loss",
            got=f"a loss of {share:.3g}",
            fix="Leave it out, ask for less of it, or allow more with --max-loss.",
        )
        for name, share in lost.items()
        # Not `>`: of a NaN nothing is known.
        if not share <= most
    ]
    if mistakes:
        raise CommandError(mistakes)


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


def signature_of(module: nn.Module, x: torch.Tensor, shape: Shape) -> Signature:
    """What the network's graph will take and give, as a real batch shows."""
    if isinstance(module, TwoParts):
        return decoder.signature_of(module, x, shape)
    side = shape.side.size if shape.side else 0
    named = {"side_BX": torch.zeros(1, side)} if side else {}
    with torch.no_grad():
        outputs = module(x[:1], torch.ones(1, dtype=torch.int64), **named)
    rest = outputs[1] if isinstance(outputs, tuple) else []
    transitions = isinstance(rest, torch.Tensor)
    start = module.learned_start() if isinstance(module, Network) and shape.carries else []
    return Signature(
        inputs=x.shape[2],
        outputs=shape.outputs,
        vocabulary=shape.vocabulary,
        characters=shape.characters,
        per_step=shape.per_step,
        stride=shape.stride,
        transitions=transitions,
        fixed=module.fixed_steps if isinstance(module, Network) else 0,
        side=side,
        states=() if transitions else tuple((t.shape[0], t.shape[2]) for t in rest),
        start=tuple(tuple(part.tolist()) for part in start),
    )
