"""First contact: looks at a user's data, tells what it found, and writes a spec for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["first_contact"]


def first_contact(
    data: Path, *, targets: Sequence[str] = (), to: Path | None = None, tell: Callable[[str], None]
) -> Path:
    """Writes a spec that `tuner sweep` runs as it is; gives its path.

    Args:
        data: a file, or a folder that holds some.
        targets: columns to predict; by default the data tell.
        to: the file to write; by default the data's name in the current folder.
        tell: called with each line of what was found.

    Raises:
        InputError: the data cannot be read, do not tell what is to be learned, or a sweep would
            refuse them; nothing was written.
    """
    from tuner.first_contact import finding, look, show, writing
    from tuner.first_contact.infer import infer

    name = writing.name_of(data)
    to = to or Path(f"{name}.yaml")
    finding.refuse_existing(to)
    found = finding.find(data)
    seen = look.read(found)
    draft = infer(seen, targets)
    for line in show.findings(seen, draft):
        tell(line)
    text, warnings = writing.tried(draft, found, name, to.parent)
    for warning in warnings:
        tell(show.line("note", warning))
    for key, (value, why) in draft.data.items():
        if key in ("validation", "test", "missing", "sort", "duplicates") and why:
            tell(show.line(key, f"{value}: {why}"))
    path = writing.write(text, to)
    tell(show.line("wrote", f"{path}; `tuner sweep {path}` runs it"))
    return to
