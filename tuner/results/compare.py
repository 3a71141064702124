"""Two sweeps, or two trials: what differs in their configuration, their data and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import CommandError, Mistake
from tuner.results.interval import differ

if TYPE_CHECKING:
    from tuner.data.card import DataCard
    from tuner.results.leaderboard import Leaderboard, Row
    from tuner.sweep import Sweep

_NAMES = {"name", "root", "version"}
"""Of a spec; they change nothing that is trained."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not the same, as each side has it; None for what a side lacks."""

    what: str
    one: Any
    other: Any


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sides, in three lights."""

    one: str
    other: str
    configuration: tuple[Difference, ...]
    """Of sweeps the spec, of trials all parameters, and the spec too if they are of two sweeps."""
    data: tuple[Difference, ...]
    """Digests of the raw files, and what became of them."""
    scores: tuple[Difference, ...]
    """All scores of both, equal ones too."""
    verdict: str
    """One line: whether one is better, as far as one can tell."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def compare(one: str, other: str, *, home: Path | str | None = None) -> Comparison:
    """Compares two sweeps, `NAME` and `NAME`, or two trials, `NAME:3` and `NAME:7`.

    Raises:
        CommandError: a sweep or trial that there is not, or a sweep beside a trial.
    """
    from tuner.sweep import Sweep

    (name, number), (other_name, other_number) = _parse(one), _parse(other)
    if (number is None) != (other_number is None):
        raise _refused("kind", "both sides must be sweeps, or both trials", f"{one} and {other}")
    sweeps = Sweep.open(name, home=home), Sweep.open(other_name, home=home)
    boards = sweeps[0].leaderboard(), sweeps[1].leaderboard()
    specs = [_without_names(sweep.spec.to_data()) for sweep in sweeps]
    data = _differences(*(_data(sweep.card()) for sweep in sweeps))
    if number is None or other_number is None:
        rows = boards[0].best, boards[1].best
        configuration = _differences(*specs)
        sides = [_sweep_scores(board) for board in boards]
    else:
        rows = _row(boards[0], number), _row(boards[1], other_number)
        outside = [{k: v for k, v in s.items() if not k.startswith("space/")} for s in specs]
        configuration = [
            *_differences(*outside),
            *_differences(*(_parameters(s, r) for s, r in zip(sweeps, rows, strict=True))),
        ]
        sides = [_trial_scores(b, r) for b, r in zip(boards, rows, strict=True)]
    return Comparison(
        one=one,
        other=other,
        configuration=tuple(configuration),
        data=tuple(data),
        scores=tuple(_side_by_side(*sides)),
        verdict=_verdict(one, other, boards, rows, same_data=not data),
    )


def _parse(text: str) -> tuple[str, int | None]:
    name, colon, number = text.partition(":")
    if not colon:
        return name, None
    if not number.isdecimal():
        raise _refused("kind", "a trial must be NAME:NUMBER", repr(text))
    return name, int(number)


def _refused(code: str, rule: str, got: str) -> CommandError:
    fix = "Write such as `tuner compare digits vowels` or `tuner compare digits:3 digits:7`."
    return CommandError(
        Mistake(code=f"compare/{code}", rule=rule, where="the command line", got=got, fix=fix)
    )


def _row(board: Leaderboard, number: int) -> Row:
    for row in board.rows:
        if row.number == number:
            return row
    last = max((row.number for row in board.rows), default=None)
    raise CommandError(
        Mistake(
            code="compare/trial",
            rule="NAME:NUMBER must be a trial of the sweep",
            where=f"the sweep {board.name!r}",
            got=str(number),
            fix="There are none." if last is None else f"There are 0 to {last}.",
        )
    )


def _without_names(spec: dict[str, Any]) -> dict[str, Any]:
    from tuner.spec import flat

    return {k: v for k, v in flat(spec) if k.partition("/")[0] not in _NAMES}


def _data(card: DataCard) -> dict[str, Any]:
    """What is in the files, wherever they lie, and what was made of it."""
    files = sorted(card.files, key=lambda file: Path(file.path).name)
    found: dict[str, Any] = {f"file {Path(f.path).name}": f.sha256[:12] for f in files}
    found |= {f"sequences of {split}": count for split, count in card.num_sequences.items()}
    found |= {f"steps of {split}": count for split, count in card.num_steps.items()}
    return found | {
        "features": ", ".join(card.features),
        "labels": ", ".join(map(str, card.labels)),
    }


def _parameters(sweep: Sweep, row: Row) -> dict[str, Any]:
    from tuner.config import TrialConfig

    return TrialConfig.from_values(row.values, sweep.spec.task).to_values()


def _sweep_scores(board: Leaderboard) -> dict[str, Any]:
    best, default = board.best, board.default
    states = {f"{state} trials": count for state, count in board.counts().items()}
    found = {"metric": board.metric, "trials": len(board.rows), **states}
    found["seconds of training"] = round(sum(row.seconds for row in board.rows), 1)
    if default is not None:
        found |= {"default": default.value, "default, test": default.test}
    if best is not None:
        found |= {"best trial": best.number, **_trial_scores(board, best)}
    return found


def _trial_scores(board: Leaderboard, row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {"state": row.state.value, board.metric: row.value}
    if row.interval is not None:
        for end in ("mean", "low", "high"):
            found[f"{board.metric} over fresh seeds, {end}"] = getattr(row.interval, end)
    found[f"{board.metric}, test"] = row.test
    found |= {name: value for name, value in row.metrics.items() if name != board.metric}
    return found | {"epochs": row.epochs, "seconds": round(row.seconds, 1)} | dict(row.costs)


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    return [d for d in _side_by_side(one, other) if d.one != d.other]


def _side_by_side(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    names = dict.fromkeys([*one, *other])
    return [Difference(what=name, one=one.get(name), other=other.get(name)) for name in names]


def _verdict(
    one: str,
    other: str,
    boards: tuple[Leaderboard, Leaderboard],
    rows: tuple[Row | None, Row | None],
    *,
    same_data: bool,
) -> str:
    first, second = rows
    board = boards[0]
    if not same_data:
        return "the data differ, so their scores do not compare"
    if board.metric != boards[1].metric:
        return f"{board.metric} and {boards[1].metric} do not compare"
    if first is None or second is None or first.value is None or second.value is None:
        return "one of them has no usable model"
    if first.interval is not None and second.interval is not None:
        means = first.interval.mean, second.interval.mean
        if not differ(first.interval, second.interval, 1):
            return f"nothing tells them apart: {means[0]:.5g} and {means[1]:.5g} over fresh seeds"
        better = one if (means[0] > means[1]) == board.maximize else other
        return f"{better} is better over fresh seeds: {means[0]:.5g} and {means[1]:.5g}"
    if first.value == second.value:
        return f"equal in {board.metric}"
    better = one if (first.value > second.value) == board.maximize else other
    return f"{better} has the better {board.metric}, from one seed each, which may be luck"
