"""What `sweep` and `resume` share: how a sweep is shown while it runs, let go, and ended."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.results.events import Events
    from tuner.results.live import Live
    from tuner.sweep import Sweep


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="tell events on stdout, a JSON object per line"
    )
    parser.add_argument("--detach", action="store_true", help="let it run on by itself, and return")
    parser.add_argument(
        "--offline", action="store_true", help="send nothing now; `tuner sync` delivers later"
    )


def display_for(options: Namespace) -> Live | Events:
    if options.json:
        from tuner.results.events import Events

        return Events()
    from tuner.results.live import Live

    return Live()


def detach(sweep: Sweep, display: Live | Events, options: Namespace, more: list[str]) -> int:
    """Lets a sweep run on by itself; where nobody asked for that, follows it to its end."""
    from tuner import detached

    if options.offline:
        more.append("--offline")
    print(detached.start(sweep, more), file=sys.stderr if options.json else sys.stdout)
    if options.detach:
        return 0
    for text in detached.log(sweep, follow=True):
        print(text, end="", file=sys.stderr, flush=True)
    return end(sweep, display) if sweep.finished else 1


def end(sweep: Sweep, display: Live | Events) -> int:
    """Tells the result: an event to a machine, a table to people."""
    from tuner.results.live import Live
    from tuner.results.show import show

    if isinstance(display, Live):
        display.close()
        show(sweep)
    else:
        display.finished(sweep.leaderboard())
    return 0
