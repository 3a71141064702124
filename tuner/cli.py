"""The door of the command line: parses, runs one of `commands`, says mistakes."""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tuner import __version__
from tuner.commands import COMMANDS
from tuner.errors import CommandError, InputError, Mistake, TunerError

ABOUT = "Tune recurrent networks: launch a sweep, compare its runs, export the best model."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; gives its exit status."""
    os.umask(0o077)
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not given:
        parser.print_help(sys.stderr)
        return 2
    try:
        options, unknown = parser.parse_known_args(given)
        if unknown:
            raise CommandError(_unknown(options.command, unknown))
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except InputError as wrong:
        _print_mistakes(wrong)
        return wrong.exit_code
    except TunerError as failed:
        print(f"tuner: {failed}", file=sys.stderr)
        return failed.exit_code
    except BrokenPipeError:
        # The reader went away; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("tuner: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


class _Parser(argparse.ArgumentParser):
    """Says a mistake the way the rest of the package does."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(_mistake(self, message))


def _mistake(parser: argparse.ArgumentParser, message: str) -> Mistake:
    fix = f"See `{parser.prog} --help`."
    if "invalid choice" in message:
        wrong = message.split("invalid choice: ")[1].split(" ")[0].strip("'")
        if message.startswith("argument COMMAND:"):
            message = f"no command but {wrong!r}"
            if close := difflib.get_close_matches(wrong, COMMANDS, n=1):
                fix = f"Did you mean `{parser.prog} {close[0]}`?"
    return _usage(parser.prog, message, fix)


def _unknown(command: str, arguments: Sequence[str]) -> Mistake:
    """Told of the command's own flags: those of another would be as unknown."""
    fix = f"See `tuner {command} --help`."
    flag = arguments[0].partition("=")[0]
    if close := difflib.get_close_matches(flag, _FLAGS[command], n=1, cutoff=0.7):
        fix = f"Did you mean `{close[0]}`?"
    return _usage(f"tuner {command}", f"unknown arguments: {' '.join(arguments)}", fix)


def _usage(called: str, got: str, fix: str) -> Mistake:
    return Mistake(
        code="command/usage",
        rule=f"`{called}` must be called as its help says",
        where="the command line",
        got=got,
        fix=fix,
    )


_FLAGS: dict[str, list[str]] = {}
"""Of each command."""


def _parser() -> _Parser:
    parser = _Parser(prog="tuner", description=ABOUT)
    parser.add_argument("--version", action="version", version=f"rnn-tuner {__version__}")
    # On the subcommands too, so that it may stand at either end; SUPPRESS keeps the first one said.
    home_help = "folder of all state (default: $TUNER_HOME or ./sweeps)"
    parser.add_argument("--home", type=Path, help=home_help)
    parsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    for name, command in COMMANDS.items():
        sub = parsers.add_parser(name, help=command.ABOUT, description=command.ABOUT)
        sub.add_argument("--home", type=Path, default=argparse.SUPPRESS, help=home_help)
        sub.set_defaults(run=command.run)
        command.add_arguments(sub)
        _FLAGS[name] = [flag for action in sub._actions for flag in action.option_strings]
    return parser


def _print_mistakes(wrong: InputError) -> None:
    count = len(wrong.mistakes)
    if count > 1:
        print(f"tuner: {count} mistakes", file=sys.stderr)
    for mistake in wrong.mistakes:
        print(f"{'- ' if count > 1 else 'tuner: '}{mistake}", file=sys.stderr)
