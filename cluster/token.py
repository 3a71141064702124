"""The token that a cluster asks for: from a file that only its owner reads, to Ray's environment.

What reaches Ray is the file's path, so the token itself stands in no environment and no argument.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cluster.refused import Refused
from cluster.spec import DEFAULT_TOKEN

MIN_CHARACTERS = 32
"""Ray takes no shorter one."""


def use_token(file: Path | None) -> None:
    """Has Ray, which reads its environment once, show this token, or the one that it finds itself.

    Raises:
        Refused: the file is not there, others may read it, or it holds no token.
    """
    if file is not None:
        check_token(file)
        os.environ.pop("RAY_AUTH_TOKEN", None)
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(file)
        os.environ["RAY_AUTH_MODE"] = "token"
    elif {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    elif DEFAULT_TOKEN.expanduser().exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def place_of(file: Path | None) -> Path:
    """Where a token lies: in the file named, else where Ray itself looks."""
    return file or Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or DEFAULT_TOKEN.expanduser())


def read_token(file: Path | None) -> str:
    """The token that a cluster is asked with, found as Ray finds it.

    Raises:
        Refused: as `check_token`.
    """
    if file is None and (text := os.environ.get("RAY_AUTH_TOKEN")):
        return text
    path = place_of(file)
    check_token(path)
    return path.read_text(encoding="ascii").strip()


def make_token(file: Path) -> bool:
    """Writes a new token unless there is one; gives whether it did."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_hex(MIN_CHARACTERS))
        opened.flush()
        os.fsync(opened.fileno())
    return True


def check_token(file: Path) -> None:
    """Reads a token's file.

    Raises:
        Refused: it is not there, others may read it, or it holds no token.
    """
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise _refused("must be a file", "nothing there", "Copy it from the head.", file) from None
    except (OSError, UnicodeDecodeError) as unread:
        got = unread.strerror if isinstance(unread, OSError) else "bytes that are no text"
        raise _refused("must be readable", str(got), "Copy it from the head.", file) from None
    if mode & 0o077:
        raise _refused(
            "must be readable by its owner alone",
            f"mode {mode & 0o777:04o}",
            f"Run `chmod 600 {file}`.",
            file,
        )
    if len(text) < MIN_CHARACTERS or not text.isprintable() or " " in text:
        raise _refused(
            f"must hold a token of {MIN_CHARACTERS} characters or more",
            f"{len(text)} characters",
            "Copy it from the head; `ray get-auth-token --generate` makes one.",
            file,
        )


def _refused(rule: str, got: str, fix: str, file: Path) -> Refused:
    return Refused(f"`token_file` {rule}", got, fix, code="cluster/token", where=str(file))
