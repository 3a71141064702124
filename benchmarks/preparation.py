"""Ratio 8: from raw rows to the batches of an epoch, and the memory of lanes that share them.

    python benchmarks/preparation.py [--rows 1000000] [--memory-mib 256] [--repeats 5]

1. Rows of sequences of 25 to 75 steps in a file to learn from and one to validate on, from reading
   them to having seen every batch of one epoch (no model), against the plain way: pandas, a table
   per id from `groupby`, a standard scaler, a Dataset and a DataLoader in this process that pads.
   Ours also checks, digests and writes the preparation to disk. Both arms must show the same
   values, lengths and labels: quality is the mean of a sum over all of them per sequence. Another
   baseline is what a careful hand writes: one array of all rows, cut by `groupby(…).indices`. A
   later epoch leaves out all that is done once; its baseline is that careful DataLoader.
2. Lanes that open one preparation and see all training batches: the proportional set size (PSS)
   that the lanes gain, over the size of the data, and what each lane keeps of small sets.
"""

from __future__ import annotations

import itertools
import multiprocessing
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import measure
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import work

NAMES = [f"x{f}" for f in range(work.FEATURES)]
EVALUATION = 512
LANES = (1, 4)
MIB = 2**20
SMALL_MIB = 32
"""Of training rows: below what a lane keeps as tensors of its own, even when it is padded."""

Triples = Iterator[tuple[Any, Any, Any]]
"""inputs x_BTF, lengths_B and targets_B of each batch, as tensors."""
Arm = Callable[[], measure.Run]


def write_rows(path: Path, rows: int, first: int) -> int:
    """Sequences of 25 to 75 steps, with ids from `first`; gives the id after the last."""
    rng = np.random.default_rng(first)
    lengths = rng.integers(25, 76, rows // 50)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    columns: dict[str, Any] = {"id": first + owners, "label": owners % work.CLASSES}
    columns |= {name: rng.normal(size=len(owners)).astype(np.float32) for name in NAMES}
    table = pa.table(columns)
    (pa.csv.write_csv if path.suffix == ".csv" else pq.write_table)(table, path)
    return first + len(lengths)


def opened(target: Path, splits: tuple[Any, ...] = ("train", "validation")) -> dict[str, Any]:
    """Our rows of each split, as a trial opens them."""
    from tuner import registry
    from tuner.config import TrialConfig, make_task
    from tuner.data.store import Store
    from tuner.training.batches import Batches

    options = registry.get("tasks", work.TASK["name"]).Config().model_dump()
    store = Store.open(target)
    task = make_task(options, TrialConfig.from_values({}, options), store.card, None)
    return {split: Batches(task, store, task.rows(store, split, None), "cpu") for split in splits}


def batches(opened: dict[str, Any]) -> Triples:
    """All of our batches of one epoch, in the order in which training and validation take them."""
    from tuner.training.config import TrainingConfig
    from tuner.training.order import order

    for split, rows in opened.items():
        size, places = EVALUATION, rows.by_length
        if split == "train":
            size, bucket = work.BATCH, TrainingConfig().bucket
            places = order(np.random.default_rng(0), rows.lengths_R, len(rows), size, bucket)
        for start in range(0, len(places), size):
            batch = rows.take(places[start : start + size])
            yield batch.inputs, batch.lengths, batch.targets


def ours(folder: Path, files: dict[str, str]) -> Triples:
    """Prepares into a fresh folder, then one epoch."""
    target = folder / "ours"
    shutil.rmtree(target, ignore_errors=True)
    work.prepare(folder, target, files)
    yield from batches(opened(target))


def plain(folder: Path, files: dict[str, str], *, careful: bool = False) -> Triples:
    """The same by pandas and a DataLoader."""
    yield from itertools.chain.from_iterable(loaders(folder, files, careful=careful))


def loaders(folder: Path, files: dict[str, str], *, careful: bool) -> Iterator[Any]:
    """A DataLoader for each split, whose rows pandas has read and scaled."""
    import pandas
    import torch
    from torch.nn.utils.rnn import pad_sequence
    from torch.utils.data import DataLoader, Dataset

    def read(name: str) -> pandas.DataFrame:
        reader = pandas.read_csv if name.endswith(".csv") else pandas.read_parquet
        return reader(folder / name)

    class Rows(Dataset[tuple[torch.Tensor, int]]):
        def __init__(self, frame: pandas.DataFrame) -> None:
            groups = frame.groupby("id")
            if careful:
                x_NF, label_N = frame[NAMES].to_numpy(np.float32), frame["label"].to_numpy()
                self.rows = [(x_NF[at], label_N[at[0]]) for at in groups.indices.values()]
            else:
                self.rows = [
                    (group[NAMES].to_numpy(np.float32), group["label"].iloc[0])
                    for _, group in groups
                ]

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
            x_TF, label = self.rows[place]
            return torch.from_numpy(x_TF), int(label)

    def padded(rows: list[tuple[torch.Tensor, int]]) -> tuple[torch.Tensor, ...]:
        xs, labels = zip(*rows, strict=True)
        lengths = torch.tensor([len(x) for x in xs])
        return pad_sequence(list(xs), batch_first=True), lengths, torch.tensor(labels)

    frames = {split: read(name) for split, name in files.items()}
    mean, std = frames["train"][NAMES].mean(), frames["train"][NAMES].std(ddof=0)
    for split, frame in frames.items():
        frame[NAMES] = (frame[NAMES] - mean) / std
        train = split == "train"
        size = work.BATCH if train else EVALUATION
        yield DataLoader(Rows(frame), size, shuffle=train, collate_fn=padded)


def seen(epoch: Triples) -> float:
    """Mean over sequences of what tells whether values, lengths and labels are all there."""
    total, count = 0.0, 0
    for x_BTF, lengths_B, targets_B in epoch:
        sum_B = x_BTF.double().abs().sum((1, 2)) + lengths_B
        total += float((sum_B * (1 + targets_B)).sum())
        count += len(targets_B)
    return total / count


def timed(start: Callable[[], Triples]) -> Arm:
    """An arm: its seconds, and once, outside of them, what it shows."""
    quality = seen(start())

    def run() -> measure.Run:
        begin = time.perf_counter()
        for _ in start():
            pass
        return measure.Run(time.perf_counter() - begin, quality)

    return run


def speed(folder: Path, rows: int, repeats: int) -> list[measure.Line]:
    """Rows per second over those of the baselines: from files, and of a later epoch alone."""
    lines = []

    def line(what: str, arms: tuple[Arm, Arm], name: str, aim: str) -> None:
        lines.append(
            measure.ratio(
                f"rows per second of {rows:,} {what} ÷ {name}'s",
                measure.interleave(*arms, repeats),
                aim=aim,
                names=("ours", name),
                # A sequence that is lost, or one with another's label, moves it by more.
                tolerance=0.001,
                inverse=True,
            )
        )

    for kind, suffix in (("CSV", "csv"), ("Parquet", "parquet")):
        files = {split: f"{split}.{suffix}" for split in ("train", "validation")}
        after = write_rows(folder / files["train"], rows * 4 // 5, 0)
        write_rows(folder / files["validation"], rows // 5, after)
        tuned = timed(partial(ours, folder, files))
        what = f"from {kind} to the end of an epoch"
        line(what, (tuned, timed(partial(plain, folder, files))), "the plain loop", "≥ 5")
    careful = timed(partial(plain, folder, files, careful=True))
    line(what, (tuned, careful), "a careful hand", "≥ 1")
    kept = opened(folder / "ours")
    loaded = list(loaders(folder, files, careful=True))
    again = timed(partial(batches, kept)), timed(partial(itertools.chain.from_iterable, loaded))
    line("in a later epoch", again, "a DataLoader", "≥ 5")
    return lines


def _pss() -> int:
    """Bytes of this process; a page that k processes share counts 1/k in each."""
    text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return 1024 * int(found[1])


def _lane(small: Path, large: Path, meet: Any, told: Any) -> None:
    """One process: an epoch over small data, so that all code is loaded, then one over large."""
    import torch

    torch.set_num_threads(1)

    def epoch(target: Path) -> dict[str, Any]:
        rows = opened(target, ("train",))
        for _ in batches(rows):
            pass
        return rows

    kept = [epoch(small)]
    meet.wait()
    before = _pss()
    meet.wait()
    kept.append(epoch(large))
    meet.wait()
    told.put(_pss() - before)
    # Nobody leaves before all have counted: a page with one sharer less counts more.
    meet.wait()


def gained(small: Path, large: Path, lanes: int) -> float:
    """MiB that so many lanes together gain by opening a preparation and an epoch over it."""
    context = multiprocessing.get_context("spawn")
    meet, told = context.Barrier(lanes), context.Queue()
    processes = [
        context.Process(target=_lane, args=(small, large, meet, told)) for _ in range(lanes)
    ]
    for process in processes:
        process.start()
    total = sum(told.get() for _ in processes)
    for process in processes:
        process.join()
    return float(total) / MIB


def memory(folder: Path, mib: int, repeats: int) -> list[measure.Line]:
    """Copies of data that lanes map, and what a lane keeps of a set that is small."""
    from tuner.data.store import STEPS

    targets = []
    for name, size in (("warm", 1), ("small", SMALL_MIB), ("large", mib)):
        rows = size * MIB // (4 * work.FEATURES)
        after = write_rows(folder / f"{name}.parquet", rows, 0)
        write_rows(folder / f"{name}-validation.parquet", 1000, after)
        files = {"train": f"{name}.parquet", "validation": f"{name}-validation.parquet"}
        targets.append(folder / name)
        work.prepare(folder, targets[-1], files)
    warm, small, large = targets
    prepared = (large / STEPS).stat().st_size / MIB
    lines = []
    for lanes in LANES:
        copies = [gained(warm, large, lanes) / prepared for _ in range(repeats)]
        many = f"{lanes} lane" + "s" * (lanes > 1)
        what = f"copies in memory of {prepared:.0f} MiB of prepared training rows, {many}"
        lines.append(measure.figure(what, copies, unit="copies", aim="≤ 1.1"))
    own = [gained(warm, small, LANES[-1]) / LANES[-1] for _ in range(repeats)]
    what = f"memory of each of {LANES[-1]} lanes over {SMALL_MIB} MiB of rows, which each keeps"
    return [*lines, measure.figure(what, own, unit="MiB", aim="≤ 64")]


def main() -> None:
    """Measures and prints."""
    options = measure.options(
        __doc__,
        only=("speed", "memory"),
        rows=(1_000_000, 200_000),
        repeats=(5, 3),
        memory_mib=(256, 128),
        memory_repeats=(3, 2),
    )
    lines: list[measure.Line] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if "speed" in options.only:
            lines += speed(folder, options.rows, options.repeats)
        if "memory" in options.only:
            lines += memory(folder, options.memory_mib, options.memory_repeats)
    measure.write("preparation", lines, options)


if __name__ == "__main__":
    main()
