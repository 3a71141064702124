"""One rank of a gang, run as a script: trains the jobs it is given and writes what it saw."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tuner.training.job import Job
from tuner.training.rank import Rank


def main(rank: int, size: int, address: str, folder: str) -> None:
    torch.set_num_interop_threads(1)
    lane = Rank("cpu", 1)
    if size > 1:
        lane.join(rank, size, address, timeout=60)
    jobs = json.loads((Path(folder) / "jobs.json").read_text())
    results = [train(lane, given) for given in jobs]
    lane.leave()
    (Path(folder) / f"{rank}of{size}.json").write_text(json.dumps(results))


def train(lane: Rank, given: dict[str, Any]) -> dict[str, Any]:
    micro_batch = given.pop("micro_batch")
    lane.start(Job(**given), micro_batch)
    splits = ("train", "validation")
    untrained = {split: lane.evaluate(split) for split in splits}
    reports = []
    while True:
        report = lane.epoch()
        reports.append(report.metrics | {"best": report.best})
        if report.ended:
            break
    if torch.distributed.is_initialized():
        # As in a lane: nobody is asked for scores before the first rank has written the best.
        torch.distributed.barrier()
    assert lane._trial is not None
    scores = {split: lane.evaluate(split) for split in splits}
    state = lane._trial.fits[0].module.state_dict()
    sums = {name: float(tensor.double().sum()) for name, tensor in state.items()}
    return {"untrained": untrained, "reports": reports, "scores": scores, "sums": sums}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
