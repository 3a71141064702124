"""Which names MLflow takes, said before anything is recorded: a refusal later would lose data."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from tuner.errors import CommandError, Mistake

MAX_NAME_LENGTH = 250
MAX_EXPERIMENT_LENGTH = 500

_NAME = re.compile(r"[/\w.\- :]+")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(name: str) -> Mistake | None:
    """What MLflow holds against the name of a param, metric or tag."""
    plain = _NAME.fullmatch(name) and len(name) <= MAX_NAME_LENGTH
    # MLflow refuses what would be another path once normalised.
    if plain and posixpath.normpath(name) == name and not name.startswith((".", "/")):
        return None
    return Mistake(
        code="tracking/bad-name",
        rule=f"a param, metric or tag is a path of at most {MAX_NAME_LENGTH} letters, digits, "
        "`_`, `-`, `.`, `:`, spaces and inner slashes",
        where="the run's records",
        got=repr(name[:80]),
        fix="Rename it.",
    )


def require_names(names: Iterable[str]) -> None:
    """Refuse names that MLflow does not take, all at once.

    Raises:
        CommandError: at least one name.
    """
    mistakes = [mistake for name in names if (mistake := check_name(name))]
    if mistakes:
        raise CommandError(mistakes)


def require_key(key: str) -> None:
    """Refuse a run's key that is not plain.

    Raises:
        CommandError: it holds anything but letters, digits, `.`, `_` and `-`.
    """
    if not _SEGMENT.fullmatch(key):
        raise CommandError(
            Mistake(
                code="tracking/bad-key",
                rule="a run's key is made of letters, digits, `.`, `_` and `-`",
                where="the run's records",
                got=repr(key[:80]),
                fix="Use a key such as `trial-0007`.",
            )
        )


def require_experiment(name: str) -> None:
    """Refuse an experiment that MLflow could not make.

    Raises:
        CommandError: it is empty, too long, or has control characters.
    """
    if not name.strip() or len(name) > MAX_EXPERIMENT_LENGTH or not name.isprintable():
        raise CommandError(
            Mistake(
                code="tracking/bad-experiment",
                rule=f"an experiment's name has 1 to {MAX_EXPERIMENT_LENGTH} printable characters",
                where="tracking/experiment",
                got=repr(name[:80]),
                fix="Rename it.",
            )
        )


def require_artifact(path: Path, folder: str) -> None:
    """Refuse an artifact that is a link or not there, or a place outside a run's artifacts.

    Raises:
        CommandError: either of them.
    """
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise CommandError(
            Mistake(
                code="tracking/bad-artifact",
                rule="an artifact is a file or a folder, not a link",
                where="the run's artifacts",
                got=str(path),
                fix="Name the file itself.",
            )
        )
    if folder and not all(_SEGMENT.fullmatch(part) for part in folder.split("/")):
        raise CommandError(
            Mistake(
                code="tracking/bad-folder",
                rule="an artifact's folder is a relative path of letters, digits, `.`, `_`, `-`",
                where="the run's artifacts",
                got=repr(folder[:80]),
                fix="Use a folder such as `model/weights`.",
            )
        )
