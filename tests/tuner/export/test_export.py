"""A sweep's trial leaves in every way, proven, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made
import pytest
from command import write_spec

from tuner.create import create
from tuner.errors import CommandError
from tuner.export.bundle import Bundle
from tuner.export.integrity import sha256
from tuner.files import write_text
from tuner.outcome import State
from tuner.results.leaderboard import Leaderboard, Row
from tuner.results.live import Silent
from tuner.sweep import Sweep
from tuner.training.rank import Rank

EXACT = 1e-5


class Trained(Sweep):
    """A sweep of one trial, trained in this process, without Ray and a study."""

    row: Row

    @classmethod
    def of(cls, path: Path) -> Trained:
        """Trains the only trial of a spec."""
        sweep = cls.from_file(path, home=path.parent / "sweeps")
        assert isinstance(sweep, cls)
        create(sweep, Silent())
        values = sweep.spec.space.defaults()
        rank = Rank("cpu", 1)
        rank.start(sweep.context.job(0, values))
        report = rank.epoch()
        while not report.ended:
            report = rank.epoch()
        if not sweep.card().num_folds:
            write_text(sweep.folder / "finals.json", json.dumps({"0": rank.evaluate("test")}))
        sweep.row = Row(
            number=0,
            rank=1,
            state=State.COMPLETE,
            value=report.best,
            test=None,
            epochs=report.epoch,
            best_epoch=report.best_epoch,
            seconds=1.0,
            reason="",
            note="",
            metrics=report.best_metrics,
            values=values,
        )
        return sweep

    def leaderboard(self) -> Leaderboard:
        return Leaderboard(
            name=self.spec.name,
            metric=self.spec.metric,
            maximize=self.spec.maximize,
            rows=(self.row,),
            baselines=(),
            searched=(),
        )


def trained(folder: Path, data: dict[str, Any], **values: Any) -> Trained:
    made.sequences_csv(folder / "rows.csv", num=120)
    small = {"model/hidden_size": 8, "training/epochs": 4, "training/batch_size": 16}
    section = {"train": "rows.csv", "id": "id", "time": "step", "target": "label", **data}
    spec = write_spec(folder / "small.yaml", data=section, override=small | values)
    return Trained.of(spec)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Its default is an LSTM that reads forwards and tells its last step."""
    better = {"training/epochs": 12, "optimizer/lr": 0.02}
    return trained(tmp_path_factory.mktemp("sweep"), {"test": 0.2}, **better)


def test_what_is_pruned_rounded_and_streams_tells_all_of_it(sweep: Trained, tmp_path: Path) -> None:
    told = sweep.export(
        tmp_path / "model",
        formats=["int8"],
        streaming=True,
        prune=0.5,
        max_loss=1.0,
        licence="CC-BY-4.0",
    )
    assert "parameters are 0" in told and "in model.int8.onnx" in told
    bundle = Bundle.open(tmp_path / "model", "int8")
    about, formats = bundle.contents.about, bundle.contents.formats
    assert about.signature.ragged and list(formats) == ["onnx", "int8"]
    assert about.pruning is not None and about.pruning.sparsity > 0.4
    num = {split: about.sequences[split] for split in ("validation", "test")}
    for exported in formats.values():
        assert {proof.split: proof.rows for proof in exported.proofs} == num
        assert exported.compressed < exported.bytes
    exact, rounded = (formats[name].proofs[1] for name in ("onnx", "int8"))
    assert exact.export == exact.network == rounded.network
    assert exact.difference < EXACT < rounded.difference
    assert formats["onnx"].lost is None and formats["int8"].lost is not None
    assert [(used.name, used.split) for used in about.data] == [("rows.csv", "train")]
    assert about.data[0].sha256 == sha256((sweep.spec.root / "rows.csv").read_bytes())
    by_metric = {score.metric: score for score in about.scores}
    assert by_metric["accuracy"].validation == about.pruning.after
    assert by_metric["accuracy"].test == exact.network
    assert str(sweep.spec.root) not in (tmp_path / "model" / "bundle.json").read_text()
    assert "tracking" not in about.spec and about.spec["name"] == "small"
    card = (tmp_path / "model" / "card.md").read_text()
    for known in (about.data[0].sha256, "CC-BY-4.0", "longest sequence", "a, b, c", "--prune 0.5"):
        assert known in card, known


def test_the_graph_is_proven_on_test_data_as_the_sweep_scored_them(
    sweep: Trained, tmp_path: Path
) -> None:
    sweep.export(tmp_path / "model")
    contents = Bundle.open(tmp_path / "model").contents
    validation, test = contents.formats["onnx"].proofs
    scores = {score.metric: score for score in contents.about.scores}
    assert validation.export == pytest.approx(sweep.row.value, abs=1e-6)
    assert test.export == pytest.approx(scores["accuracy"].test, abs=1e-6)
    assert contents.max_loss is None and contents.about.pruning is None


def test_what_loses_too_much_is_refused_and_leaves_nothing(sweep: Trained, tmp_path: Path) -> None:
    for how in ({"formats": ["int8"]}, {"prune": 0.5}):
        with pytest.raises(CommandError) as refused:
            sweep.export(tmp_path / "model", max_loss=-1.0, **how)  # type: ignore[arg-type]
        (mistake,) = refused.value.mistakes
        assert mistake.code == "export/loss" and mistake.where == "--max-loss"
        assert list(tmp_path.iterdir()) == []


def test_without_a_stated_loss_one_per_cent_is_the_limit(sweep: Trained, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"pruning must not lose more than 0\.01"):
        sweep.export(tmp_path / "model", prune=1.0)


def test_all_that_cannot_be_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    ahead = {"model/directions": 2, "model/pooling": "attention"}
    sweep = trained(tmp_path, {"validation": {"folds": 2}}, **ahead)
    with pytest.raises(CommandError) as refused:
        sweep.export(tmp_path / "model", streaming=True)
    rules = [mistake.rule for mistake in refused.value.mistakes]
    assert len(rules) == 2 and "directions" in rules[0] and "pooling" in rules[1]
    with pytest.raises(CommandError, match="`int8`"):
        sweep.export(tmp_path / "model", formats=["int9"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(CommandError, match=r"thesis\.txt"):
        sweep.export(tmp_path / "mine")
    assert not (sweep.folder / "trials" / "0000" / "refit").exists()
    told = sweep.export(tmp_path / "model", formats=["int8"], prune=0.3, max_loss=1.0)
    assert "train rows" in told, "no rows are left that a refit has not seen"
