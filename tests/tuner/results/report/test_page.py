"""The page of a sweep: whole, harmless, small, whatever the sweep was like."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import studied

from tuner.context import trial_folder
from tuner.outcome import Outcome, State
from tuner.results.interval import Interval
from tuner.results.report.findings import Findings
from tuner.results.report.page import page
from tuner.search.records import TrialRecord

VOID = {"meta", "line", "path", "circle", "rect", "polyline", "polygon"}
HOSTILE = "<script>alert(1)</script>\"'&<b>"


class Whole(HTMLParser):
    """Every element closed, every address within the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self._take(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self._take(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data

    def _take(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        assert not any(name.startswith("on") for name in found)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def sections(whole: Whole) -> list[str]:
    return [link.removeprefix("#") for link in whole.links if link.startswith("#")]


def test_a_page_of_two_hundred_trials_is_whole_and_small(tmp_path: Path) -> None:
    text = page(studied.findings(tmp_path, 200, epochs=120))
    whole = Whole(text)
    assert sections(whole) == [
        "leaderboard",
        "learning-curves",
        "what-mattered",
        "slices",
        "parallel-coordinates",
        "errors-of-the-winner",
        "cost",
        "spec",
        "how-to-repeat-it",
    ]
    assert set(sections(whole)) <= set(whole.ids) and len(set(whole.ids)) == len(whole.ids)
    assert len(text) < 2_000_000
    assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]", text.split("<script")[0])
    assert all(link.startswith(("#", "data:")) for link in whole.links)
    assert whole.tags.count("title") == 1 + whole.tags.count("svg") - _keys(text)


def _keys(text: str) -> int:
    """Pictures that only repeat a colour, which are not read out."""
    return text.count('aria-hidden="true"')


def test_the_answer_comes_first(tmp_path: Path) -> None:
    found = studied.findings(tmp_path, 40)
    best = found.board.best
    assert best is not None and best.value is not None
    text = Whole(page(found)).text
    answer = text[: text.index("rank")]
    for fact in (
        f"Trial {best.number}, validation accuracy",
        f"{best.value:.4g}",
        "majority class",
        "0.35 on test data",
        "the search gained",
        "optimizer/lr",
        "40 trials (",
    ):
        assert fact in answer


def test_pruned_trials_are_cut_where_they_were_pruned(tmp_path: Path) -> None:
    found = studied.findings(tmp_path, 30)
    text = page(found)
    curves = text[text.index('id="learning-curves"') : text.index('id="what-mattered"')]
    lengths = {
        int(number): path.count("L") + 1
        for number, path in re.findall(r'<g data-trial="(\d+)"><path d="([^"]*)"', curves)
    }
    for row in found.board.rows:
        if row.state in (State.PRUNED, State.COMPLETE) and row.epochs > 1:
            assert lengths[row.number] == row.epochs
    pruned = [r for r in found.board.rows if r.state is State.PRUNED and found.kind(r) == "pruned"]
    assert curves.count('class="trial pruned"') >= 2 * len(pruned) > 0


@pytest.mark.parametrize("num", [0, 1, 2])
def test_few_trials(tmp_path: Path, num: int) -> None:
    text = page(studied.findings(tmp_path, num))
    Whole(text)
    assert "nan" not in text.split("<script")[0]


def test_a_sweep_in_which_all_failed(tmp_path: Path) -> None:
    spec = studied.spec()
    lost = Outcome(state=State.FAILED, reason="the user's model has no forward")
    trials = [
        TrialRecord(number=n, values=spec.space.defaults(), outcome=lost, rungs={})
        for n in range(3)
    ]
    board = studied.board(spec, trials)
    found = Findings.of(spec, board, trials, studied.card(), tmp_path)
    text = Whole(page(found)).text
    assert "No trial has a usable model; failed: the user's model has no forward" in text
    assert "3 × failed" in text


def test_what_users_name_is_never_markup(tmp_path: Path) -> None:
    parameters: dict[str, Any] = studied.PARAMETERS | {
        "model/cell": {"choice": ["lstm", HOSTILE], "default": HOSTILE}
    }
    found = studied.findings(tmp_path, 30, parameters=parameters, name=HOSTILE)
    assert found.board.best is not None
    studied.confusion(tmp_path / trial_folder(found.board.best.number), ("a", HOSTILE))
    bad = replace(found.board.rows[-1], reason=HOSTILE)
    board = replace(found.board, rows=(*found.board.rows[:-1], bad))
    file = replace(found.card.files[0], path=HOSTILE)
    text = page(replace(found, board=board, card=replace(found.card, files=(file,))))
    whole = Whole(text)
    assert whole.tags.count("script") == 2 and "b" not in whole.tags
    assert "alert(1)</script>" not in text


def test_conditional_parameters_and_those_beside_a_range_are_drawn(tmp_path: Path) -> None:
    found = studied.findings(tmp_path, 60)
    text = page(found)
    joins = sum("model/join" in row.values and row.value is not None for row in found.board.rows)
    assert 0 < joins < 60
    assert f"accuracy against model/join in {joins} trials" in text
    scored = sum(row.value is not None for row in found.board.rows)
    assert f"accuracy against training/clip_norm in {scored} trials" in text
    ranked = sum(row.rank is not None for row in found.board.rows)
    assert text.count("<polyline") == ranked, "a line of the parallel coordinates for each"


def test_a_space_without_choice_and_a_lone_value_are_shown(tmp_path: Path) -> None:
    found = studied.findings(tmp_path, 1, parameters={"training/epochs": 9})
    text = Whole(page(found)).text
    assert "the only configuration of its space" in text


SEEDS = (0, 1, 2)


def confirmed(tmp_path: Path, spread: float) -> Findings:
    """Three candidates on fresh seeds, whose scores differ so much."""
    found = studied.findings(tmp_path, 30)
    rows = list(found.board.rows)
    for place in range(3):
        values = [0.9 - 0.02 * place + spread * offset for offset in (-1, 0, 1)]
        rows[place] = replace(
            rows[place],
            seeds=SEEDS,
            interval=Interval.of(values),
            test_interval=Interval.of(values),
            tie=place == 0 or spread > 0.02,
        )
    rows[0] = replace(rows[0], tie=spread > 0.02)
    return replace(found, board=replace(found.board, rows=tuple(rows), confirmed=True))


def test_fresh_seeds_are_shown_with_intervals_and_ties(tmp_path: Path) -> None:
    found = confirmed(tmp_path, 0.03)
    whole = Whole(page(found))
    first, *others = found.board.rows[:3]
    assert "fresh-seeds" in sections(whole)
    assert "mean of 3 fresh seeds, 95 % interval" in whole.text
    names = ", ".join(str(row.number) for row in others)
    assert f"A tie: nothing tells trial {first.number} from {names}." in whole.text
    sure = replace(found.board, rows=tuple(replace(r, tie=False) for r in found.board.rows))
    assert "is better than the other candidates" in page(replace(found, board=sure))


def test_a_pareto_front_is_shown_with_several_objectives(tmp_path: Path) -> None:
    found = studied.findings(tmp_path, 30)
    rows = [
        replace(row, costs={"latency_ms": 1.0 + row.number}, pareto=row.rank in (1, 4))
        for row in found.board.rows
    ]
    rows[-1] = replace(rows[-1], violated=("latency_ms <= 5",))
    board = replace(found.board, rows=tuple(rows), objectives=("accuracy", "latency_ms"))
    whole = Whole(page(replace(found, board=board)))
    assert "pareto-front" in sections(whole)
    assert "accuracy against latency_ms, the front in a line" in whole.text
    assert "2 trials are beaten in no objective" in whole.text
    assert "latency_ms <= 5" in whole.text
