"""What stands in a sweep's way, told before anything is made or changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tuner import lock
from tuner.errors import CommandError, InputError, Mistake
from tuner.home import SPEC
from tuner.spec import SweepSpec, differences

if TYPE_CHECKING:
    from tuner.sweep import Sweep


def refuse_other(sweep: Sweep) -> None:
    """A sweep of this name must be this sweep, finished."""
    if sweep.status == "new":
        if sweep.folder.exists():
            raise CommandError(
                Mistake(
                    code="sweep/folder",
                    rule="a sweep's folder must be new",
                    where=str(sweep.folder),
                    got="something that is not a sweep",
                    fix="Move it away, or take another `--name`.",
                )
            )
        return
    # What an older version did not know reads as its default.
    frozen = SweepSpec.from_data(json.loads((sweep.folder / SPEC).read_text(encoding="utf-8")))
    name = sweep.spec.name
    if changed := differences(_plain(frozen), _plain(sweep.spec)):
        raise CommandError(
            Mistake(
                code="sweep/changed",
                rule=f"the sweep {name!r} must be run with the spec it began with",
                where="the spec",
                got="; ".join(changed[:10]),
                fix=f"Take another `--name`; for more trials, `tuner resume {name} --trials +N`.",
            )
        )
    if sweep.status == "running":
        with lock.held(sweep.folder, name):
            return
    if sweep.status == "interrupted":
        raise CommandError(
            Mistake(
                code="sweep/interrupted",
                rule="an interrupted sweep must be resumed",
                where=f"the sweep {name!r}",
                got="the same spec again",
                fix=f"Run `tuner resume {name}`.",
            )
        )


def refuse_silent_servers(sweep: Sweep, *, offline: bool) -> None:
    """Met before anything is made: servers that do not answer."""
    refuse_tracking(sweep, offline=offline)
    _refuse_storage(sweep)


def refuse_tracking(sweep: Sweep, *, offline: bool = False) -> None:
    """Raises `InputError` where the tracking address is wrong, or does not answer."""
    from tuner.tracking.uri import check_uri, reachable

    uri = sweep.home.tracking_uri(sweep.spec.tracking.uri)
    mistakes = check_uri(uri)
    if not mistakes and not offline and not uri.startswith("sqlite"):
        mistakes = [m for m in [reachable(uri)] if m is not None]
    if mistakes:
        raise InputError(mistakes)


def _refuse_storage(sweep: Sweep) -> None:
    """The study cannot be searched without, so no `offline` helps."""
    if (url := sweep.spec.search.storage) is not None:
        from tuner.search.database import trouble

        if (mistake := trouble(url)) is not None:
            raise InputError(mistake)


def refuse_changed_data(sweep: Sweep) -> None:
    """Raises `DataError` where the raw files are not what they were when the sweep began."""
    from tuner.data.prepare import changed_files
    from tuner.errors import DataError

    if mistakes := changed_files(sweep.card(), sweep.spec.root):
        raise DataError(mistakes)


def _plain(spec: SweepSpec) -> Any:
    """As it is read back from a file: lists for tuples."""
    return json.loads(json.dumps(spec.to_data()))
