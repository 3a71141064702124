"""`tuner sweep`: from a spec to a leaderboard."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _arguments, _running, _types

ABOUT = "run a sweep and show its leaderboard"


def add_arguments(parser: ArgumentParser) -> None:
    _arguments.spec(parser)
    parser.add_argument("--trials", type=_types.count, metavar="N", help="trials to start")
    parser.add_argument(
        "--hours", type=_types.hours, metavar="H", help="time after which no trial starts"
    )
    parser.add_argument("--name", metavar="NAME", help="name of the sweep")
    _arguments.cluster_to_run_on(parser)
    _running.add_arguments(parser)


def run(options: Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    with _running.display_for(options) as display:
        sweep = Sweep.from_file(
            options.spec,
            home=options.home,
            settings=options.set,
            name=options.name,
            trials=options.trials,
            hours=options.hours,
            cluster=options.cluster,
        )
        if not sweep.finished and detached.is_meant(sweep, options.detach):
            detached.refuse(sweep.cluster)
            sweep.prepare(display, offline=options.offline)
            return _running.detach(sweep, display, options, [])
        if not sweep.finished:
            sweep.run(display, offline=options.offline)
        return _running.end(sweep, display)
