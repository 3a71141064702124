"""One sweep the whole way: from a file to the leaderboard, the UI's runs and an exported model."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import browser
import made
import pyarrow.parquet as pq
import pytest
import yaml
from command import ENVIRONMENT, tuner, write_spec

from cluster.network import free_port
from tuner.data.store import Store
from tuner.errors import CommandError
from tuner.home import Home
from tuner.sources import keep
from tuner.spec_reader import load
from tuner.tracking.client import connect
from tuner.tracking.reader import history, runs
from tuner.tracking.uri import local_uri
from tuner.training.transfer import place as source_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a sweep has run."""
    folder = tmp_path_factory.mktemp("sweep")
    made.sequences_csv(folder / "rows.csv", num=120)
    write_spec(folder / "small.yaml")
    done = tuner("sweep", "small.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "majority class" in done.stdout and "0 (default)" in done.stdout
    assert "[6/6]" in done.stderr, "a line per trial where there is no terminal"
    return folder


def board(place: Path) -> dict[str, object]:
    done = tuner("leaderboard", "small", "--format", "json", cwd=place)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_leaderboard_in_every_format(place: Path) -> None:
    found = board(place)
    trials = found["trials"]
    assert isinstance(trials, list) and len(trials) == 6
    values = [t["value"] for t in trials if t["rank"]]
    assert values == sorted(values, reverse=True)
    assert [t["test"] is not None for t in trials if t["trial"] == 0] == [True]
    assert trials[0]["test"] is not None, "the winner is scored on the test split"
    assert 1 <= sum(t["test"] is not None for t in trials) <= 2, "and only the final models are"
    table = tuner("leaderboard", "small", "--format", "csv", cwd=place).stdout
    assert len(list(csv.DictReader(io.StringIO(table)))) == 6
    target = place / "board.parquet"
    assert not tuner(
        "leaderboard", "small", "--format", "parquet", "--output", str(target), cwd=place
    ).returncode
    assert pq.read_table(target)["trial"].to_pylist() == [t["trial"] for t in trials]


def test_every_run_is_in_mlflow_once_and_closed(place: Path) -> None:
    found = runs(local_uri(place / "sweeps"), "small")
    parents = [run for run in found if run.parent is None]
    children = [run for run in found if run.parent is not None]
    assert [run.name for run in parents] == ["small"]
    assert sorted(run.key or "" for run in children) == [f"trial-{n:04d}" for n in range(6)]
    assert {run.parent for run in children} == {parents[0].run_id}
    assert {run.status for run in found} == {"FINISHED"}
    trials = board(place)["trials"]
    assert isinstance(trials, list)
    by_key = {run.key: run for run in children}
    for trial in trials:
        run = by_key[f"trial-{trial['trial']:04d}"]
        assert run.metrics["best/accuracy"] == trial["value"]
        assert run.tags["state"] == trial["state"]
        norms = {name for name in run.metrics if "grad_norm" in name}
        layers = ("encoder.layers.0", "head", "total", "largest", "first_over_last_step")
        assert norms >= {f"train/grad_norm/{name}" for name in layers}
        assert not any(name.startswith("best/") for name in norms)
        assert run.params["model/hidden_size"] == str(trial["model/hidden_size"])
        points = history(local_uri(place / "sweeps"), run.run_id, "validation/accuracy")
        assert [point.step for point in points] == list(range(1, trial["epochs"] + 1))
        assert max(point.value for point in points) == trial["value"]


def test_the_winners_confusions_are_kept_and_in_mlflow(place: Path) -> None:
    best = board(place)["trials"][0]  # type: ignore[index]
    folder = place / "sweeps" / "small" / "trials" / f"{best['trial']:04d}"
    for split, score in (("validation", best["value"]), ("test", best["test"])):
        confusion = json.loads((folder / f"{split}-confusion.json").read_text())
        counts = [confusion["rows"][name] for name in "abc"]
        assert confusion["columns"] == ["a", "b", "c"]
        hits = sum(counts[c][c] for c in range(3))
        assert hits / sum(map(sum, counts)) == pytest.approx(score)
    assert "| a | " in (folder / "test-confusion.md").read_text()
    kept = {path.name for path in (place / "sweeps").rglob("artifacts/best/*")}
    names = {f"{split}-confusion" for split in ("validation", "test")}
    assert kept >= {f"{name}.{kind}" for name in names for kind in ("json", "md", "svg")}
    assert kept >= {"curve.svg", "gradients.svg"}


def test_the_answer_is_the_runs_description_and_on_one_page(place: Path) -> None:
    best = board(place)["trials"][0]  # type: ignore[index]
    done = tuner("report", "small", "--output", "page.html", cwd=place)
    assert (done.returncode, done.stdout.strip()) == (0, "page.html")
    page = (place / "page.html").read_text()
    (kept,) = (place / "sweeps").rglob("artifacts/report.html")
    parent = next(r for r in runs(local_uri(place / "sweeps"), "small") if r.parent is None)
    told = parent.tags["mlflow.note.content"]
    for text in (page, kept.read_text(), told):
        assert f"Trial {best['trial']}, validation accuracy" in text
        assert "majority class" in text
    assert 'id="errors-of-the-winner"' in page and "confusion, test data" in page
    done = tuner("report", "small", "--output", "missing/page.html", cwd=place)
    assert done.returncode == 2 and "--output must be a file that can be written" in done.stderr


@browser.needed
def test_the_ui_opens_the_runs_the_answer_and_the_page(place: Path) -> None:
    found = runs(local_uri(place / "sweeps"), "small")
    parent = next(run for run in found if run.parent is None)
    port = free_port("127.0.0.1")
    line = [sys.executable, "-m", "tuner", "ui", "--port", str(port)]
    server = subprocess.Popen(line, cwd=place, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address)
        known = connect(local_uri(place / "sweeps")).get_experiment_by_name("small")
        assert known is not None
        experiment = f"{address}/#/experiments/{known.experiment_id}/runs"
        listed = browser.dom(experiment, place, wait_ms=20_000)
        assert parent.name in listed and "matching runs" in listed
        told = browser.dom(f"{experiment}/{parent.run_id}", place, wait_ms=20_000)
        assert "Naive baseline: majority class" in told
        view = f"/experiments/{known.experiment_id}/runs?viewStateShareKey=trials"
        assert f'href="#{view}"' in told
        shown = browser.dom(f"{address}/#{view}", place, wait_ms=20_000)
        # Columns further to the right are not in the document until they are looked at.
        assert "Trials, best first" in shown and "Sort: best/accuracy" in shown
        assert "does not exist" not in shown and "trial-0000" in shown
    finally:
        server.terminate()
        server.wait()


def _wait_for(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"nothing answers at {address}")


def test_a_later_sweep_may_start_from_its_trials(place: Path) -> None:
    trials = board(place)["trials"]
    assert isinstance(trials, list)
    winner, folder = trials[0]["trial"], place / "sweeps" / "small" / "trials"
    kept = [t["trial"] for t in trials[1:] if (folder / f"{t['trial']:04d}/best.json").exists()]
    other = kept[0]
    choices = ["sweep:small", f"sweep:small#{other}"]
    write_spec(place / "after.yaml", name="after", override={"transfer/source": choices})
    data = place / "after"
    data.mkdir()
    keep(load(place / "after.yaml"), Home(place / "sweeps"), data)
    for source, trial in zip(choices, (winner, other), strict=True):
        best = folder / f"{trial:04d}" / "best.safetensors"
        assert source_place(data, source).read_bytes() == best.read_bytes()
    write_spec(place / "after.yaml", name="after", override={"transfer/source": "sweep:small#99"})
    with pytest.raises(CommandError, match="must name a trial with a usable model"):
        keep(load(place / "after.yaml"), Home(place / "sweeps"), data)


def test_the_same_spec_again_shows_the_leaderboard(place: Path) -> None:
    done = tuner("sweep", "small.yaml", cwd=place)
    assert done.returncode == 0
    assert "majority class" in done.stdout
    assert "trial" not in done.stderr, "nothing is trained"


def test_a_changed_spec_is_refused_with_the_difference(place: Path) -> None:
    write_spec(place / "small.yaml", search={"trials": 6, "seed": 4})
    try:
        done = tuner("sweep", "small.yaml", cwd=place)
    finally:
        write_spec(place / "small.yaml")
    assert done.returncode == 2
    assert "search/seed: 3 → 4" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_names_the_sweep(place: Path) -> None:
    done = tuner("status", cwd=place)
    assert "small" in done.stdout and "finished" in done.stdout and "6/6" in done.stdout


def test_export_and_predict_give_the_leaderboards_value(place: Path) -> None:
    flags = ["--format", "int8", "--max-loss", "1", "--licence", "MIT"]
    done = tuner("export", "small", "--to", "model", *flags, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "onnx: accuracy" in done.stdout and "test rows" in done.stdout
    assert "int8: accuracy" in done.stdout and "in model.int8.onnx" in done.stdout
    assert "MIT" in (place / "model" / "card.md").read_text()
    trials = board(place)["trials"]
    assert isinstance(trials, list)
    store = Store.open(place / "sweeps" / "small" / "data")
    validation = {store.ids[i] for i in range(len(store.ids)) if store.split_S[i] == 1}
    with (place / "rows.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["id"] in validation]
    truth = {row["id"]: row["label"] for row in rows}
    with (place / "raw.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    answer = tuner("predict", "model", "raw.csv", "--output", "answer.csv", cwd=place)
    assert answer.returncode == 0, answer.stderr
    with (place / "answer.csv").open() as file:
        guesses = {row["id"]: row["label"] for row in csv.DictReader(file)}
    assert guesses.keys() == truth.keys()
    accuracy = sum(guesses[i] == truth[i] for i in truth) / len(truth)
    assert accuracy == pytest.approx(trials[0]["value"], abs=1e-6)


def test_a_trial_that_ray_ran_is_the_same_again_without_it(place: Path) -> None:
    trials = board(place)["trials"]
    assert isinstance(trials, list)
    # The first of the leaderboard has kept its weights; which trial that is, two lanes decide.
    first = str(trials[0]["trial"])
    done = tuner("rerun", "small", "--trial", first, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "equal to the last bit" in done.stdout and "SHA-256" in done.stdout
    refused = tuner("rerun", "small", "--trial", "99", cwd=place)
    assert refused.returncode == 2 and "rerun/trial" in refused.stderr


def test_a_finished_sweep_can_be_extended(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "copy")
    before = board(place)["trials"]
    done = tuner("resume", "small", "--trials", "+2", cwd=tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    after = board(tmp_path / "copy")["trials"]
    assert isinstance(before, list) and isinstance(after, list)
    assert len(after) == 8
    old = {t["trial"]: (t["value"], t["seconds"]) for t in before}
    assert {t["trial"]: (t["value"], t["seconds"]) for t in after if t["trial"] in old} == old
    found = runs(local_uri(tmp_path / "copy" / "sweeps"), "small")
    assert sorted(run.key or "" for run in found) == [
        "sweep",
        *sorted(f"trial-{t['trial']:04d}" for t in after),
    ]
    assert {run.status for run in found} == {"FINISHED"}


def test_the_frozen_spec_can_be_read_by_people(place: Path) -> None:
    frozen = yaml.safe_load((place / "sweeps" / "small" / "spec.json").read_text())
    assert frozen["space"]["parameters"]["training/epochs"]
