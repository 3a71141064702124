"""Every format is run beside the trained network, and what differs is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.errors import ExportMismatch
from tuner.export.bundle import Bundle
from tuner.export.contents import About, Proof, TaskUsed
from tuner.export.model import _check, signature_of
from tuner.export.proof import compare, share_lost
from tuner.export.streaming import streaming
from tuner.export.write import write
from tuner.models.network import Network
from tuner.models.streaming import looks_ahead
from tuner.training.fit import Fit
from tuner.training.rank import Rank

SETTINGS: dict[str, dict[str, Any]] = {
    "tagging": {"model/crf": True, "model/directions": 2},
    "language_modelling": {"data/window": 24},
    "regression": {"model/pooling": "mean"},
}


@pytest.fixture(scope="module", params=list(made.TASKS))
def fit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    values = {"training/epochs": 1} | SETTINGS.get(name, {})
    rank = Rank("cpu", 1)
    rank.start(made.job_of(name, made.of_task(name, folder), folder / "trial", values))
    rank.epoch()
    assert rank._trial is not None
    (found,) = rank._trial.fits
    found.module.eval()
    return found


def bundle_of(fit: Fit, folder: Path, **changes: Any) -> Bundle:
    batch = fit.task.batch(fit.store, fit.task.rows(fit.store, "validation", None)[:8])
    x = torch.from_numpy(batch.inputs)
    signature = signature_of(fit.module, x, fit.task.shape)
    if changes.pop("ragged", False):
        assert isinstance(fit.module, Network)
        signature = streaming(fit.module, signature)
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="classification"),
        parameters={},
        signature=signature,
        preprocessing={},
    )
    return write(folder / "model", fit.module, about)


def proven(fit: Fit, bundle: Bundle, split: Any = "test") -> tuple[Proof, bool]:
    metric = next(iter(fit.task.metrics(fit.statistics(fit.validation))))
    return compare({"it": bundle}, fit.module, fit.task, fit.store, split, metric)["it"]


def test_a_graph_gives_the_networks_scores_on_every_row(fit: Fit, tmp_path: Path) -> None:
    bundle = bundle_of(fit, tmp_path)
    for split in ("validation", "test"):
        proof, equal = proven(fit, bundle, split)
        expected = fit.evaluate(fit.batches(split))[proof.metric]  # type: ignore[arg-type]
        assert equal and 0 <= proof.difference < 1e-4
        assert proof.network == pytest.approx(expected, rel=1e-5)
        assert proof.export == pytest.approx(expected, rel=1e-5)
        assert proof.rows >= len(fit.task.rows(fit.store, split, None)) > 0  # type: ignore[arg-type]


def test_a_stream_is_fed_in_pieces(fit: Fit, tmp_path: Path) -> None:
    if looks_ahead(fit.module) or fit.task.window or fit.task.facts.target_channels:
        pytest.skip("it does not stream in pieces")
    bundle = bundle_of(fit, tmp_path, ragged=True)
    seen: list[int] = []

    class Watched(Bundle):
        def carry(self, x: np.ndarray, *rest: Any) -> Any:
            seen.append(x.shape[1])
            return super().carry(x, *rest)

    watched = Watched(**{name: getattr(bundle, name) for name in Bundle.__dataclass_fields__})
    proof, equal = proven(fit, watched)
    assert equal and max(seen) <= 7 and len(seen) > 1
    assert proof.export == pytest.approx(proof.network, rel=1e-5)


def head(fit: Fit) -> torch.nn.Parameter:
    return next(p for name, p in fit.module.named_parameters() if "head" in name)


@pytest.fixture
def altered(fit: Fit) -> Iterator[Fit]:
    """A network that a test may make another one than was exported."""
    kept = head(fit).detach().clone()
    yield fit
    with torch.no_grad():
        head(fit).copy_(kept)


def test_another_network_is_no_proof(altered: Fit, tmp_path: Path) -> None:
    bundle = bundle_of(altered, tmp_path)
    with torch.no_grad():
        # Not by the same everywhere, which no share of a text's tokens would tell.
        head(altered).add_(torch.linspace(0, 0.05, head(altered).numel()).view_as(head(altered)))
    proof, equal = proven(altered, bundle)
    assert not equal and proof.difference > 1e-3
    with torch.no_grad():
        head(altered).add_(float("nan"))
    with pytest.raises(ExportMismatch, match="finite"):
        proven(altered, bundle)


def test_what_differs_is_a_mismatch_and_so_is_another_value() -> None:
    proof = Proof(split="test", rows=9, metric="loss", network=0.5, export=0.5, difference=0.1)
    _check({"onnx": (proof, True)}, None)
    _check({"int8": (proof, False)}, 0.4)
    with pytest.raises(ExportMismatch, match=r"9 test rows an output differs by 0\.1"):
        _check({"onnx": (proof, False)}, None)
    with pytest.raises(ExportMismatch, match=r"0\.5 stands against 0\.4"):
        _check({"onnx": (proof, True)}, 0.4)


def test_a_share_is_lost_for_better_or_worse() -> None:
    proof = Proof(split="test", rows=1, metric="m", network=0.8, export=0.6, difference=0.0)
    assert share_lost(proof, maximize=True) == pytest.approx(0.25)
    assert share_lost(proof, maximize=False) == pytest.approx(-0.25)
    none = proof.model_copy(update={"network": 0.0, "export": 0.2})
    assert share_lost(none, maximize=False) == 0.2
