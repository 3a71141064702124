"""The spec as it ran, and how to run it again."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import yaml

from tuner import __version__
from tuner.plots.markup import Markup, joined, tag
from tuner.results.report.findings import Findings

_LIBRARIES = ("torch", "ray", "optuna", "mlflow", "numpy", "pyarrow")


def spec(found: Findings) -> Markup:
    """The frozen spec as YAML."""
    data = found.spec.to_data()
    for name in ("version", "root"):
        # Of the folder it lies in, not of what was asked.
        del data[name]
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    return tag("details", tag("summary", f"{found.spec.name} as it ran"), tag("pre", text))


def section(found: Findings) -> Markup:
    """Commands, versions, seed and the digests of the data."""
    name = found.spec.name
    best = found.board.best
    commands = [f"tuner sweep {name}.yaml"]
    if best is not None:
        commands.append(f"tuner export {name} --trial {best.number} --to DIR")
    files = [
        tag(
            "tr",
            tag("td", file.path, class_="text"),
            tag("td", file.split, class_="text"),
            tag("td", f"{file.num_bytes:,}"),
            tag("td", tag("code", file.sha256), class_="text"),
        )
        for file in found.card.files
    ]
    heads = [tag("th", h, class_="text") for h in ("file", "for", "bytes", "SHA-256")]
    made = [f"rnn-tuner {__version__}", f"Python {platform.python_version()}"]
    made += [f"{library} {found_in}" for library in _LIBRARIES if (found_in := _version(library))]
    return joined(
        [
            tag("pre", "\n".join(commands)),
            tag(
                "p",
                f"Seed {found.spec.search.seed}. With one lane on CPUs the same spec, data, "
                "versions and seed give the same suggestions and the same weights, bit by bit; "
                "with several lanes the order in which trials end decides what is suggested next.",
            ),
            tag(
                "div",
                tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *files)),
                class_="wide",
            ),
            tag("p", f"Versions where this page was written: {', '.join(made)}.", class_="note"),
        ]
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
