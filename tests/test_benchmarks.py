"""What is told of measurements is what was measured."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    return importlib.import_module("table")


def test_the_page_and_the_readme_quote_the_results(table: ModuleType) -> None:
    found = table.results()
    assert found, "no results are on file"
    assert table.TABLE.read_text(encoding="utf-8") == table.page(found)
    assert table.README.read_text(encoding="utf-8") == table.quoted(found)


def test_the_page_on_exports_quotes_their_rows(table: ModuleType) -> None:
    export = importlib.import_module("export")
    assert export.PAGE.read_text(encoding="utf-8") == export.page(export.kept())


def test_every_benchmark_in_the_table_is_a_script(table: ModuleType) -> None:
    assert [name for name in table.NAMES if not (HERE / f"{name}.py").is_file()] == []


def test_an_aim_missed_or_met_by_unequal_arms_is_not_met(table: ModuleType) -> None:
    measure = importlib.import_module("measure")
    fast, slow = [measure.Run(1.0, 0.5)] * 5, [measure.Run(2.0, 0.5)] * 5
    worse = [measure.Run(1.0, 0.3)] * 5

    def line(arm: list[object], aim: str) -> object:
        return measure.ratio("x", (arm, slow), aim=aim, names=("a", "b"), tolerance=0.1)

    assert line(fast, "≤ 0.5").met and not line(fast, "≤ 0.49").met
    assert line(fast, "≤ 0.5").value == 0.5
    assert not line(worse, "≤ 0.5").met


def test_intervals_hold_the_median_and_grow_with_the_spread(table: ModuleType) -> None:
    measure = importlib.import_module("measure")
    calm = measure.figure("x", [1.0, 1.01, 0.99, 1.0, 1.0], unit="s", aim="≤ 2")
    wild = measure.figure("x", [1.0, 2.0, 0.5, 1.5, 0.7], unit="s", aim="≤ 2")
    assert calm.low <= calm.value <= calm.high and wild.low <= wild.value <= wild.high
    assert wild.high - wild.low > 10 * (calm.high - calm.low)


def test_arms_alternate(table: ModuleType) -> None:
    measure = importlib.import_module("measure")
    order: list[str] = []

    def arm(name: str) -> object:
        return lambda: order.append(name) or measure.Run(1.0)

    measure.interleave(arm("A"), arm("B"), 4)
    assert "".join(order) == "ABBAABBA"
