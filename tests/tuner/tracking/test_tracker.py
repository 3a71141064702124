"""What a tracker records: each thing once, whatever is repeated, and only what MLflow takes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tuner.errors import CommandError
from tuner.tracking.outbox import RECORDS
from tuner.tracking.records import (
    MAX_PARAM_LENGTH,
    MAX_TAG_LENGTH,
    Artifact,
    Dataset,
    Header,
    Metrics,
    Params,
    Record,
    RunStarted,
    Tags,
    View,
    decode,
)
from tuner.tracking.tracker import OUTBOX, Tracker, Value


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    """One that only records, with one run; a test that reopens it closes it first."""
    return begun(tmp_path)


def begun(folder: Path) -> Tracker:
    tracker = Tracker(None, "an experiment", folder)
    tracker.run("trial", "Trial 1", None, {}, {})
    return tracker


def told(folder: Path) -> list[Record]:
    """All records on file, without the header."""
    lines = (folder / OUTBOX / RECORDS).read_bytes().splitlines(keepends=True)
    records = [decode(line).record for line in lines]
    assert isinstance(records[0], Header)
    return records[1:]


def points(folder: Path) -> list[tuple[int, dict[str, float]]]:
    return [(r.step, r.values) for r in told(folder) if isinstance(r, Metrics)]


def resumed(tracker: Tracker, folder: Path) -> Tracker:
    """The same sweep in a later process."""
    tracker.close(0)
    return Tracker(None, "an experiment", folder)


def test_a_resumed_run_goes_on_without_repeating_a_step(tracker: Tracker, tmp_path: Path) -> None:
    for step in range(3):
        tracker.metrics("trial", step, {"loss": 1.0 / (step + 1), "accuracy": 0.5})
    tracker.metrics("trial", 3, {"loss": 0.25})
    tracker = resumed(tracker, tmp_path)
    assert tracker.open_keys() == ["trial"]
    tracker.run("trial", "Trial 1", None, {}, {})
    for step in range(5):
        tracker.metrics("trial", step, {"loss": 9.0, "accuracy": 0.7})
    tracker.end("trial", "FINISHED")
    tracker.close(0)

    assert [step for step, values in points(tmp_path) if "loss" in values] == [0, 1, 2, 3, 4]
    assert [step for step, values in points(tmp_path) if "accuracy" in values] == [0, 1, 2, 3, 4]
    assert points(tmp_path)[3:] == [
        (3, {"loss": 0.25}),
        (3, {"accuracy": 0.7}),
        (4, {"loss": 9.0, "accuracy": 0.7}),
    ]
    assert [type(record) for record in told(tmp_path)].count(RunStarted) == 1


def test_a_closed_run_is_opened_again_under_its_key(tracker: Tracker, tmp_path: Path) -> None:
    tracker.end("trial", "FAILED")
    tracker.end("trial", "FINISHED")
    tracker = resumed(tracker, tmp_path)
    tracker.run("trial", "Trial 1", None, {}, {})
    tracker.end("trial", "FINISHED")
    tracker.close(0)
    kinds = [(record.kind, getattr(record, "status", None)) for record in told(tmp_path)]
    started = ("run_started", None)
    assert kinds == [started, ("run_ended", "FAILED"), started, ("run_ended", "FINISHED")]


def test_the_sweep_keeps_its_identity(tracker: Tracker, tmp_path: Path) -> None:
    header = (tmp_path / OUTBOX / RECORDS).read_bytes().splitlines()[0]
    resumed(tracker, tmp_path).close(0)
    lines = (tmp_path / OUTBOX / RECORDS).read_bytes().splitlines()
    assert lines[0] == header and sum(b'"header"' in line for line in lines) == 1


@pytest.mark.parametrize(
    ("bad", "said"), [(math.nan, "loss=nan"), (math.inf, "loss=inf"), (-math.inf, "loss=-inf")]
)
def test_what_is_not_finite_is_dropped_and_told_once(
    tracker: Tracker, tmp_path: Path, bad: float, said: str
) -> None:
    tracker.metrics("trial", 4, {"loss": bad, "accuracy": 0.5})
    tracker.metrics("trial", 5, {"loss": math.nan})
    tracker.best("trial", {"best_loss": bad})
    tracker.close(0)
    assert points(tmp_path) == [(4, {"accuracy": 0.5})]
    tags = [record.values for record in told(tmp_path) if isinstance(record, Tags)]
    assert tags == [{"nonfinite": f"{said} at step 4"}]


def test_the_first_value_of_a_param_and_the_last_of_a_tag_stand(
    tracker: Tracker, tmp_path: Path
) -> None:
    tracker.run("trial", "Trial 1", None, {"lr": 0.1}, {"state": "running", "seed": "1"})
    tracker = resumed(tracker, tmp_path)
    tracker.run("trial", "Trial 1", None, {"lr": 0.2, "cell": "gru"}, {"state": "running"})
    tracker.tags("trial", {"state": "complete", "seed": "1"})
    tracker.close(0)
    records = told(tmp_path)
    assert [r.values for r in records if isinstance(r, Params)] == [{"lr": "0.1"}, {"cell": "gru"}]
    assert [r.values for r in records if isinstance(r, Tags)] == [
        {"state": "running", "seed": "1"},
        {"state": "complete"},
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (1, "1"), (1e-3, "0.001"), ("gru", "gru"), ("", "")],
)
def test_params_are_spelt_as_in_a_spec(
    tracker: Tracker, tmp_path: Path, value: Value, text: str
) -> None:
    tracker.run("trial", "Trial 1", None, {"x": value}, {})
    tracker.close(0)
    assert [r.values for r in told(tmp_path) if isinstance(r, Params)] == [{"x": text}]


def test_long_texts_are_cut_and_show_it(tracker: Tracker, tmp_path: Path) -> None:
    tracker.run("trial", "Trial 1", None, {"fits": "a" * MAX_PARAM_LENGTH, "x": "é" * 9000}, {})
    tracker.description("trial", "b" * 9000)
    tracker.close(0)
    params, tags = (r.values for r in told(tmp_path) if isinstance(r, Params | Tags))
    assert params["fits"] == "a" * MAX_PARAM_LENGTH
    assert params["x"] == "é" * (MAX_PARAM_LENGTH - 1) + "…"
    assert tags == {"mlflow.note.content": "b" * (MAX_TAG_LENGTH - 1) + "…"}


def test_best_figures_are_repeated_only_when_they_change(tracker: Tracker, tmp_path: Path) -> None:
    tracker.best("trial", {"best_loss": 0.5, "best_epoch": 3})
    tracker.best("trial", {"best_loss": 0.5, "best_epoch": 3})
    tracker = resumed(tracker, tmp_path)
    tracker.best("trial", {"best_loss": 0.5, "best_epoch": 3})
    tracker.best("trial", {"best_loss": 0.4, "best_epoch": 3})
    tracker.best("trial", {"best_loss": 0.5, "best_epoch": 1, "params": 10})
    tracker.close(0)
    assert points(tmp_path) == [
        (0, {"best_loss": 0.5, "best_epoch": 3.0}),
        (1, {"best_loss": 0.4}),
        (2, {"best_loss": 0.5, "best_epoch": 1.0, "params": 10.0}),
    ]


def test_a_view_is_told_again_only_when_it_shows_something_else(
    tracker: Tracker, tmp_path: Path
) -> None:
    tracker.view("trial", "all", "All", "{}")
    tracker = resumed(tracker, tmp_path)
    for state in ("{}", "[]", "[]"):
        tracker.view("trial", "all", "All", state)
    tracker.close(0)
    views = [record for record in told(tmp_path) if isinstance(record, View)]
    assert [(view.id, view.name, view.state) for view in views] == [
        ("all", "All", "{}"),
        ("all", "All", "[]"),
    ]


def test_orphans_are_the_runs_without_an_end(tracker: Tracker, tmp_path: Path) -> None:
    for key in ("a", "b", "c"):
        tracker.run(key, key, "trial", {}, {"outcome": "PRUNED"})
    tracker.end("b", "FINISHED")
    tracker = resumed(tracker, tmp_path)
    assert tracker.open_keys() == ["trial", "a", "c"]
    tracker.end("unknown", "KILLED")
    tracker.end("a", "KILLED")
    assert tracker.open_keys() == ["trial", "c"]
    over = {(key, value) for key in "abcd" for value in ("PRUNED", "COMPLETE")}
    assert {pair for pair in over if tracker.is_over(pair[0], "outcome", pair[1])} == {
        ("a", "PRUNED"),
        ("b", "PRUNED"),
    }
    tracker.close(0)


def test_artifacts_and_data_are_named_so_that_a_folder_may_move(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, outside = tmp_path / "sweep", tmp_path / "outside.txt"
    outside.write_text("x")
    tracker = begun(sweep)
    (sweep / "model").mkdir()
    monkeypatch.chdir(sweep)
    tracker.artifact("trial", Path("model"), "best/weights")
    tracker.artifact("trial", sweep / "model" / ".." / "model")
    tracker.artifact("trial", outside)
    data = Dataset(key="trial", name="rows", digest="d1", source="rows.csv", schema="", profile="")
    tracker.dataset(data)
    tracker.close(0)
    records = told(sweep)
    paths = [(r.path, r.folder) for r in records if isinstance(r, Artifact)]
    assert paths == [("model", "best/weights"), ("model", ""), (str(outside), "")]
    assert [r for r in records if isinstance(r, Dataset)] == [data]


@pytest.mark.parametrize(
    "name",
    ["", "/abs", "../up", "a/../b", "a//b", "a/", "./a", ".", "..", ".hidden", "a\nb", "a\x00",
     "a'b", 'a"b', "a;b", "a%2e", "a\\b", "<b>", "é" * 251, "a|b"],
)  # fmt: skip
def test_names_that_mlflow_refuses_are_refused_before(tracker: Tracker, name: str) -> None:
    ways = (
        lambda: tracker.metrics("trial", 0, {"fine": 1.0, name: 1.0}),
        lambda: tracker.best("trial", {name: 1.0}),
        lambda: tracker.tags("trial", {name: "x"}),
        lambda: tracker.run("trial", "Trial", None, {name: "x"}, {}),
    )
    pending = tracker.pending()
    for way in ways:
        with pytest.raises(CommandError, match="tracking/bad-name"):
            way()
    assert tracker.pending() == pending, "nothing recorded"


@pytest.mark.parametrize("key", ["", "a/b", "..", ".a", "-a", "a b", "a'", "é", "a\n", "a" * 129])
def test_keys_are_plain(tracker: Tracker, key: str) -> None:
    with pytest.raises(CommandError, match="tracking/bad-key"):
        tracker.run(key, "name", None, {}, {})


@pytest.mark.parametrize("folder", ["/abs", "..", "a/../b", "a//b", "a/", "~", "a\\b", "a\n"])
def test_artifacts_stay_inside(tracker: Tracker, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CommandError, match="tracking/bad-folder"):
        tracker.artifact("trial", tmp_path / "file", folder)


def test_links_are_no_artifacts(tracker: Tracker, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    for name in ("link", "absent"):
        with pytest.raises(CommandError, match="tracking/bad-artifact"):
            tracker.artifact("trial", tmp_path / name)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "x" * 501])
def test_experiments_have_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="tracking/bad-experiment"):
        Tracker(None, name, tmp_path)
    assert not list(tmp_path.iterdir())
