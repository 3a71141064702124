"""One rank of a gang, run as a script: trains the job it is given and prints what it saw."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from tuner.training.job import Job
from tuner.training.rank import Rank


def main(rank: int, size: int, address: str, folder: str) -> None:
    torch.set_num_interop_threads(1)
    given = json.loads((Path(folder) / "job.json").read_text())
    micro_batch = given.pop("micro_batch")
    lane = Rank("cpu", 1)
    if size > 1:
        lane.join(rank, size, address, timeout=60)
    lane.start(Job(**given), micro_batch)
    reports = []
    while True:
        report = lane.epoch()
        reports.append(report.metrics | {"best": report.best})
        if report.ended:
            break
    if size > 1:
        # As in a lane: nobody is asked for scores before the first rank has written the best.
        torch.distributed.barrier()
    scores = {split: lane.evaluate(split) for split in ("train", "validation")}
    assert lane._trial is not None
    state = lane._trial.fits[0].module.state_dict()
    sums = {name: float(tensor.double().sum()) for name, tensor in state.items()}
    lane.leave()
    result = {"reports": reports, "scores": scores, "sums": sums}
    (Path(folder) / f"{rank}of{size}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
