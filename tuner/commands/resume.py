"""`tuner resume`: the rest of a sweep, or more of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _arguments, _running, _types

ABOUT = "go on after a crash, or extend a finished sweep"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--trials", type=_types.more, metavar="+N", help="so many trials more")
    parser.add_argument("--hours", type=_types.hours, metavar="H", help="time limit from now on")
    parser.add_argument(
        "--confirm", type=_types.none_or_more, metavar="K", help="train the K best on fresh seeds"
    )
    _arguments.cluster_to_run_on(parser)
    _running.add_arguments(parser)


def run(options: Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    with _running.display_for(options) as display:
        sweep = Sweep.open(options.name, home=options.home, cluster=options.cluster)
        goes_on = options.trials or not sweep.finished
        if goes_on and detached.is_meant(sweep, options.detach):
            detached.refuse(sweep.cluster)
            wanted = {f"--{n}": getattr(options, n) for n in ("trials", "hours", "confirm")}
            more = [f"{flag}={value}" for flag, value in wanted.items() if value is not None]
            return _running.detach(sweep, display, options, more)
        sweep.resume(
            display,
            more_trials=options.trials,
            hours=options.hours,
            confirm=options.confirm,
            offline=options.offline,
        )
        return _running.end(sweep, display)
