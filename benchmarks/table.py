"""The results as one Markdown table and one picture: RESULTS.md and results/ratios.svg.

The README quotes them between two marks, which are written too.

    python benchmarks/table.py [--names]

`--names` prints the benchmarks instead, in the order in which `make bench` runs them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import measure

HERE = Path(__file__).parent
NAMES = (
    "bare_loops",
    "no_ops",
    "peers",
    "tracking",
    "drain",
    "gangs",
    "preparation",
    "epoch",
    "lengths",
    "start",
    "export",
)
"""By the number of the ratio that they measure first."""
README = HERE.parent / "README.md"
MARKS = ("<!-- ratios: made by benchmarks/table.py -->\n", "<!-- end of ratios -->\n")
_ABOUT_SCORES = (
    "By `benchmarks/scores.py`, one sweep each on two cores: trials are ranked on validation data,",
    "the test data are looked at once. Specs and protocols lie in `benchmarks/sets`.",
)
TABLE, PICTURE = HERE / "RESULTS.md", measure.RESULTS / "ratios.svg"


def results() -> list[dict[str, Any]]:
    """What is on file, in order."""
    paths = [
        path
        for name in NAMES
        for path in sorted(measure.RESULTS.glob("*.json"))
        if path.stem.partition("-")[0] == name
    ]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def lines(found: list[dict[str, Any]]) -> list[measure.Line]:
    """All lines of all benchmarks."""
    return [measure.Line(**line) for result in found for line in result["lines"]]


def rows(found: list[dict[str, Any]]) -> list[str]:
    """The table."""
    text = [
        "| what | measured | 95 % interval | aim | | A/A | equal quality |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines(found):
        unit = "" if line.unit == "×" else f" {line.unit}".rstrip()
        a_a = "" if line.a_a is None else f"{line.a_a:.3f}"
        text.append(
            f"| {line.what} | {_number(line.value)}{unit} | {_number(line.low)} … "
            f"{_number(line.high)} | {line.aim} | {'met' if line.met else 'missed'} | {a_a} | "
            f"{line.quality} |"
        )
    return text


def quoted(found: list[dict[str, Any]]) -> str:
    """The README's text with its rows between the marks."""
    text = ["| what | measured | aim |", "|---|---|---|"]
    for line in lines(found):
        unit = "" if line.unit == "×" else f" {line.unit}".rstrip()
        missed = "" if line.met else ", missed"
        text.append(
            f"| {line.what} | {_number(line.value)}{unit} ({_number(line.low)} … "
            f"{_number(line.high)}) | {line.aim}{missed} |"
        )
    before, _, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return before + MARKS[0] + "\n".join(text) + "\n" + MARKS[1] + after


def scores() -> list[str]:
    """What `scores.py` has reached on each set; naive baselines by the best of them."""
    text = [
        "| set | metric | test, three seeds | untuned default | naive | trials | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in sorted((measure.RESULTS / "scores").glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        if "test_seeds" not in found:
            continue
        default = found["default"]["test"]
        naive = [each for each in found["baselines"] if each["test"] is not None]
        best = (max if found["maximize"] else min)(naive, key=lambda each: each["test"])
        text.append(
            f"| {found['set']} | {found['metric']} | {_number(found['test_mean'])} ± "
            f"{_number(found['test_std'])} | {_number(default)} | {_number(best['test'])} "
            f"({best['name']}) | {sum(found['trials'].values())} | {found['minutes']} |"
        )
    return text


def page(found: list[dict[str, Any]]) -> str:
    """The whole page: picture, table, what each result was measured with, and scores."""
    text = [
        "# Ratios, as measured",
        "",
        "Made by `make bench` or, in full, by the scripts themselves; do not edit. A ratio is the",
        "median of interleaved runs of two arms on one machine, A/A the baseline's odd runs over",
        "its even ones (0.97 to 1.03 where the machine kept still).",
        "",
        f"![each value over its aim]({PICTURE.relative_to(HERE)})",
        "",
        *rows(found),
        "",
        "| benchmark | settings | commit | day | machine |",
        "|---|---|---|---|---|",
    ]
    for result in found:
        settings = ", ".join(f"{key} {value}" for key, value in result["settings"].items())
        machine = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
        text.append(
            f"| {result['benchmark']} | {settings} | {result['commit']} | {result['when']} | "
            f"{machine} |"
        )
    text += ["", "## Scores on real sets", "", *_ABOUT_SCORES, "", *scores()]
    return "\n".join(text) + "\n"


def draw(found: list[dict[str, Any]]) -> None:
    """Each value over its aim, so that everything left of 1 is reached."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ratios"
    from matplotlib import pyplot

    shown = lines(found)
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.36 * len(shown)), layout="constrained")
    for place, line in enumerate(shown):
        operator, number = line.aim.split()
        aim = float(number)
        low, value, high = (x / aim for x in (line.low, line.value, line.high))
        if operator == "≥":
            low, value, high = 1 / high, 1 / value, 1 / low
        colour = "tab:green" if line.met else "tab:red"
        axes.plot([low, high], [place, place], color=colour, linewidth=3, alpha=0.4)
        axes.plot([value], [place], "o", color=colour)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("measured ÷ aim: left of 1 is reached")
    axes.set_yticks(range(len(shown)), [line.what for line in shown], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", alpha=0.2)
    figure.savefig(PICTURE, metadata={"Date": None})


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def main() -> None:
    """Writes both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", action="store_true", help="print the benchmarks' names")
    if parser.parse_args().names:
        print(*NAMES)
        return
    found = results()
    TABLE.write_text(page(found), encoding="utf-8")
    README.write_text(quoted(found), encoding="utf-8")
    draw(found)
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
