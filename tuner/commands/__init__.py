"""The commands: `tuner NAME` is the file NAME.py beside this one and a place in `COMMANDS`.

Each imports what it needs when it runs, so that help and mistakes are quick.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Protocol

from tuner.commands import (
    check,
    cluster,
    compare,
    doctor,
    export,
    generate,
    init,
    leaderboard,
    logs,
    predict,
    report,
    rerun,
    resume,
    schema,
    spaces,
    status,
    stop,
    sweep,
    sync,
    ui,
)

__all__ = ["COMMANDS", "Command"]


class Command(Protocol):
    """What the file of a command holds."""

    ABOUT: str
    """One line of help."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Gives the command's parser its arguments, in the order of its help."""

    def run(self, options: Namespace) -> int:
        """Does what was asked for; gives the exit status."""


COMMANDS: dict[str, Command] = {
    "init": init,
    "check": check,
    "sweep": sweep,
    "resume": resume,
    "status": status,
    "logs": logs,
    "stop": stop,
    "leaderboard": leaderboard,
    "compare": compare,
    "report": report,
    "ui": ui,
    "export": export,
    "rerun": rerun,
    "predict": predict,
    "generate": generate,
    "spaces": spaces,
    "schema": schema,
    "doctor": doctor,
    "cluster": cluster,
    "sync": sync,
}
"""In the order in which help lists them."""
