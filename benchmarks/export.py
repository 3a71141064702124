"""Exports beside the trained network: how equal, how large, how fast, for every task and cell.

    python benchmarks/export.py [--epochs 8] [--calls 40] [--repeats 8]

One process, one thread for torch and for onnxruntime, made data. A latency is that of one call on
rows of the longest sequence; torch runs eagerly, without gradients. Writes, besides its lines, the
table of docs/export.md.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch

HERE = Path(__file__).parent
# The root first: `tests/tuner` must not be taken for the package.
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

import made  # noqa: E402

from tuner import registry  # noqa: E402
from tuner.export.bundle import Bundle  # noqa: E402
from tuner.export.contents import About, TaskUsed  # noqa: E402
from tuner.export.formats._base import get, names  # noqa: E402
from tuner.export.model import signature_of  # noqa: E402
from tuner.export.proof import compare  # noqa: E402
from tuner.export.pruning import prune  # noqa: E402
from tuner.export.streaming import streaming  # noqa: E402
from tuner.export.write import write  # noqa: E402
from tuner.training.rank import Rank  # noqa: E402

SIZES: dict[str, dict[str, int]] = {
    "classification": {"num": 600, "longest": 60},
    "regression": {"num": 600, "longest": 60},
    "tagging": {"num": 500},
    "language_modelling": {"num": 3000},
    "forecasting": {"length": 900},
}
VALUES = {"model/hidden_size": 64, "optimizer/lr": 3e-3, "training/batch_size": 32}
SETTINGS: dict[str, dict[str, Any]] = {
    "tagging": {"data/characters": 8, "model/crf": True, "model/directions": 2},
    "forecasting": {"data/look_back": 72},
}
SHARE = 0.5
BATCHES = (1, 64)
ROWS = measure.RESULTS / "export_rows.json"
PAGE = HERE.parent / "docs" / "export.md"
MARKS = ("<!-- rows: made by benchmarks/export.py -->\n", "<!-- end of rows -->\n")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One format of one model."""

    task: str
    cell: str
    format: str
    """`torch` is the trained network itself."""
    metric: str
    network: float
    """The trained network's score on the test split, pruned or not."""
    export: float
    """The format's."""
    difference: float | None
    """Worst absolute difference on the test split."""
    bytes: int
    compressed: int
    steps: int
    """Of the rows that the latency is of."""
    milliseconds: dict[str, list[float]]
    """Batch size → p50 and p99."""


Call = Callable[[], Any]


@dataclass
class Model:
    """A trained network and its bundles."""

    task: str
    cell: str
    bundles: dict[str, Bundle]
    """By what the table calls them."""
    proofs: dict[str, Any]
    calls: dict[str, dict[int, Call]]
    """Name → batch size → one answer; the trained network's as `torch`."""
    steps: int


def trained(task: str, cell: str, folder: Path, epochs: int) -> Model:
    """Trains a network on made data and exports it in every way that it can leave."""
    folder.mkdir()
    data = made.of_task(task, folder, **SIZES[task])
    values = VALUES | SETTINGS.get(task, {}) | {"model/cell": cell, "training/epochs": epochs}
    job = made.job_of(task, data, folder / "trial", values)
    rank = Rank("cpu", 1)
    rank.start(job)
    while not rank.epoch().ended:
        pass
    rank.evaluate("test")
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    network = fit.module.eval()
    batch = fit.task.batch(fit.store, fit.task.rows(fit.store, "test", None)[: max(BATCHES)])
    x, lengths = torch.from_numpy(batch.inputs), torch.from_numpy(batch.lengths)
    signature = signature_of(network, x, fit.task.shape)

    def export(name: str, module: torch.nn.Module, **changes: Any) -> dict[str, Bundle]:
        about = About(
            name=name,
            trial=0,
            task=TaskUsed(name=task),
            parameters={},
            signature=signature.model_copy(update=changes),
            preprocessing={},
        )
        formats = [n for n in names() if not get(n).refusals(module, about.signature)]
        place = folder / name
        write(place, module, about, [(x, lengths)], formats=formats)
        return {n: Bundle.open(place, n) for n in ("onnx", *formats)}

    found = export("whole", network)
    proofs = {
        name: proof
        for name, (proof, _) in compare(
            found, network, fit.task, fit.store, "test", job.metric
        ).items()
    }
    if task == "classification":
        stream = streaming(network, signature)  # type: ignore[arg-type]
        update = {name: getattr(stream, name) for name in ("states", "start", "ragged")}
        pieces = {"streaming": export("stream", network, **update)["onnx"]}
        proofs |= {
            name: proof
            for name, (proof, _) in compare(
                pieces, network, fit.task, fit.store, "test", job.metric
            ).items()
        }
        found |= pieces
    if task in ("classification", "language_modelling"):
        _, metrics = prune(job, fit.config, fit.task, fit.store, network, SHARE)
        pruned = {
            f"pruned {name}": bundle
            for name, bundle in export("pruned", network.eval()).items()
            if name in ("onnx", "int8")
        }
        before = proofs["onnx"].network
        proofs |= {
            name: proof.model_copy(update={"network": before})
            for name, (proof, _) in compare(
                pruned, network, fit.task, fit.store, "test", job.metric
            ).items()
        }
        found |= pruned
    steps = int(batch.inputs.shape[1])
    calls = {"torch": {num: torch_call(network, steps, num, signature) for num in BATCHES}}
    for name, bundle in found.items():
        calls[name] = {num: bundle_call(bundle, steps, num) for num in BATCHES}
    return Model(task, cell, found, proofs, calls, steps)


def inputs(signature: Any, steps: int, num: int) -> np.ndarray:
    """Any rows of this many steps; what stands in them does not change how long they take."""
    shape = (num, steps, signature.inputs)
    if signature.vocabulary:
        return np.ones(shape, np.int64)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def torch_call(network: torch.nn.Module, steps: int, num: int, signature: Any) -> Call:
    """The network on one batch, as it is called in evaluation."""
    x = torch.from_numpy(inputs(signature, steps, num))
    lengths = torch.full((num,), steps)

    def call() -> None:
        with torch.no_grad():
            network(x, lengths)

    return call


def bundle_call(bundle: Bundle, steps: int, num: int) -> Call:
    """The same through a runtime with one thread."""
    signature, run = bundle.contents.about.signature, bundle.runner(threads=1)
    arrays = {"x": inputs(signature, steps, num), "lengths": np.full(num, steps)}
    arrays |= {f"state_{i}": state for i, state in enumerate(bundle.start(num))}
    return lambda: run(arrays)


def seconds(call: Call, calls: int) -> list[float]:
    """Wall seconds of each of so many calls."""
    found = []
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return found


def timed(model: Model, calls: int, repeats: int) -> Iterator[tuple[str, int, list[float]]]:
    """All calls of each arm: block by block in turn, so that a slower minute harms all alike."""
    arms = [(name, num) for name, by_size in model.calls.items() for num in by_size]
    found: dict[tuple[str, int], list[float]] = {arm: [] for arm in arms}
    for name, num in arms:
        seconds(model.calls[name][num], 3)
    for turn in range(repeats):
        for name, num in arms if turn % 2 == 0 else reversed(arms):
            found[name, num] += seconds(model.calls[name][num], calls)
    for (name, num), times in found.items():
        yield name, num, times


def rows_of(model: Model, times: Mapping[tuple[str, int], list[float]]) -> list[Row]:
    """What the table tells of one model, the trained network first."""

    def latency(name: str) -> dict[str, list[float]]:
        cuts = {num: statistics.quantiles(times[name, num], n=100) for num in BATCHES}
        return {str(num): [1e3 * cut[49], 1e3 * cut[98]] for num, cut in cuts.items()}

    first = model.proofs["onnx"]
    weights = model.bundles["onnx"].folder / "model.safetensors"
    shared = {"task": model.task, "cell": model.cell, "metric": first.metric, "steps": model.steps}
    found = [
        Row(
            **shared,
            format="torch",
            network=first.network,
            export=first.network,
            difference=None,
            bytes=weights.stat().st_size,
            compressed=weights.stat().st_size,
            milliseconds=latency("torch"),
        )
    ]
    for name, bundle in model.bundles.items():
        proof = model.proofs[name]
        exported = bundle.contents.formats[bundle.format]
        found.append(
            Row(
                **shared,
                format=name,
                network=proof.network,
                export=proof.export,
                difference=proof.difference,
                bytes=exported.bytes,
                compressed=exported.compressed,
                milliseconds=latency(name),
            )
        )
    return found


def page(rows: list[Row]) -> str:
    """docs/export.md with the table between its marks."""
    text = [
        "| task | cell | format | worst difference | score (torch's) | KiB | compressed | "
        "batch 1: p50, p99 | batch 64: p50, p99 | p50 ÷ torch's |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for model, some in itertools.groupby(rows, key=lambda row: (row.task, row.cell)):
        torch_p50 = 0.0
        for row in some:
            (p50, p99), (many, most) = (row.milliseconds[str(num)] for num in BATCHES)
            torch_p50 = p50 if row.format == "torch" else torch_p50
            apart = "–" if row.difference is None else f"{row.difference:.1e}"
            text.append(
                f"| {model[0]} | {model[1]} | {row.format} | {apart} | {row.metric} "
                f"{row.export:.4g} ({row.network:.4g}) | {row.bytes / 1024:.0f} | "
                f"{row.compressed / 1024:.0f} | {p50:.3g}, {p99:.3g} ms | {many:.3g}, {most:.3g} "
                f"ms | {p50 / torch_p50:.2f} |"
            )
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return before + MARKS[0] + "\n".join(text) + "\n" + MARKS[1] + after


def kept() -> list[Row]:
    """The rows that were measured last."""
    return [Row(**row) for row in json.loads(ROWS.read_text(encoding="utf-8"))]


def main() -> None:
    """Measures and prints."""
    options = measure.options(__doc__, epochs=(8, 4), calls=(40, 10), repeats=(8, 4))
    torch.set_num_threads(1)
    lines: list[measure.Line] = []
    rows: list[Row] = []
    models = [(task, "lstm") for task in SIZES]
    models += [("classification", cell) for cell in registry.names("cells") if cell != "lstm"]
    with tempfile.TemporaryDirectory() as scratch:
        for task, cell in models:
            model = trained(task, cell, Path(scratch) / f"{task}-{cell}", options.epochs)
            times = {
                (n, num): found for n, num, found in timed(model, options.calls, options.repeats)
            }
            rows += rows_of(model, times)
            print(*(f"{row.format} {row.milliseconds}" for row in rows[-3:]), sep="\n")
            blocks = [
                [
                    measure.Run(statistics.median(times[name, 1][begin : begin + options.calls]))
                    for begin in range(0, len(times[name, 1]), options.calls)
                ]
                for name in ("onnx", "torch")
            ]
            lines.append(
                measure.ratio(
                    f"an answer by onnxruntime ÷ by torch, {task}, {cell}",
                    (blocks[0], blocks[1]),
                    aim="≤ 0.5",
                    names=("onnxruntime", "torch"),
                )
            )
    measure.write("export", lines, options)
    ROWS.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
