"""What is kept of a final model beside its metrics: counts from its scores, and other exhibits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tuner import markdown
from tuner.plots.exhibits import Exhibit, Heat, from_json
from tuner.plots.markup import Markup
from tuner.plots.style import alone

_MOST_COLUMNS = 50
"""Of a table to be read; JSON has them all."""

_SPLITS, _REFIT = ("test", "validation"), "refit"


@dataclass(frozen=True, kw_only=True)
class Table(Exhibit):
    """Counts under names."""

    KIND = "table"
    about: str
    """What its rows and columns are, in a sentence."""
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[int, ...]]

    def to_markdown(self) -> str:
        """The table under its sentence."""
        head = ["", *map(markdown.plain, self.columns)]
        body = ([name, *map(str, counts)] for name, counts in self.rows.items())
        return f"{self.about}\n\n{markdown.table(head, body)}\n"

    def draw(self) -> Markup:
        """Each row as shares of its sum, the counts written into them."""
        rows, marks = [], []
        for name, counts in self.rows.items():
            total = sum(counts) or 1
            rows.append((name, tuple(count / total for count in counts)))
            marks.append(tuple(str(count) if count else "" for count in counts))
        heat = Heat(about=self.about, columns=self.columns, rows=tuple(rows), marks=tuple(marks))
        return heat.draw()

    def files(self) -> dict[str, str]:
        """Without a picture: every trial keeps its counts, and only the winner's are looked at."""
        found = {"json": json.dumps(asdict(self), indent=1)}
        if len(self.columns) <= _MOST_COLUMNS:
            found["md"] = self.to_markdown()
        return found


def write(exhibits: Mapping[str, Exhibit], folder: Path, split: str) -> None:
    """Files for people and for programs, such as `test-confusion.md` and `test-confusion.json`.

    They do not wait for the disk, as what a trial goes on from does: it would cost a short trial
    more than its training.
    """
    for name, exhibit in exhibits.items():
        folder.mkdir(parents=True, exist_ok=True)
        # Every kind is a dataclass.
        shown: Exhibit = replace(exhibit, about=_of_split(exhibit.about, split))  # type: ignore[type-var]
        for extension, text in shown.files().items():
            (folder / f"{split}-{name}.{extension}").write_text(text, encoding="utf-8")


def _of_split(about: str, split: str) -> str:
    return f"{about.removesuffix('.')}, {split} data."


def draw(folder: Path) -> None:
    """Draws the tables that are small enough to be looked at."""
    for path in kept(folder):
        exhibit = read(path)
        if isinstance(exhibit, Table) and len(exhibit.columns) <= _MOST_COLUMNS:
            path.with_suffix(".svg").write_text(alone(exhibit.draw()), encoding="utf-8")


def kept(folder: Path) -> list[Path]:
    """The exhibits of a final model as JSON, of test data first; after folds it is trained anew."""
    places = [(split, place) for split in _SPLITS for place in (folder / _REFIT, folder)]
    return [path for split, place in places for path in sorted(place.glob(f"{split}-*.json"))]


def read(path: Path) -> Exhibit:
    """One that was kept as JSON."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if "kind" in data:
        return from_json(data)
    rows = {name: tuple(counts) for name, counts in data["rows"].items()}
    return Table(about=data["about"], columns=tuple(data["columns"]), rows=rows)


def written(folder: Path) -> list[Path]:
    """The files of all exhibits."""
    return [file for path in kept(folder) for file in sorted(path.parent.glob(f"{path.stem}.*"))]
