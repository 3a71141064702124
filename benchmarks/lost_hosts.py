"""Hosts that are lost while a trial of two ranks trains across them: what it costs (as root).

    python benchmarks/lost_hosts.py [--seeds 5] [--fault raylet|link|both]

Three hosts of one CPU each, so that a gang of two goes on where one of them is lost. The fault
comes in the middle of an epoch, at a moment drawn from the seed. Reported are the seconds until a
new gang has made its first step, the epochs that were trained twice, and how the runs ended.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# The root first: `tests/tuner` must not be taken for the package.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]

import audit  # noqa: E402
import hosts  # noqa: E402
import made  # noqa: E402
import test_hosts as rig  # noqa: E402

from tuner.results import curve  # noqa: E402
from tuner.tracking.uri import local_uri  # noqa: E402

EPOCHS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--fault", choices=["raylet", "link", "both"], default="both")
    options = parser.parse_args()
    faults = ["raylet", "link"] if options.fault == "both" else [options.fault]
    for fault in faults:
        for seed in range(options.seeds):
            print(json.dumps({"fault": fault, "seed": seed} | measure(fault, seed)), flush=True)


def measure(fault: str, seed: int) -> dict[str, Any]:
    """One sweep of one trial, disturbed once."""
    with hosts.Lab((1, 1, 1)) as lab:
        specs, storage, notes = (lab.folder / name for name in ("specs", "storage", "notes"))
        for folder in (specs, storage, notes):
            folder.mkdir()
        for host in lab.hosts:
            host.environment["NOTES"] = str(notes)
        made.sequences_csv(specs / "rows.csv", num=60)
        (specs / "mine.py").write_text(rig.MODEL)
        lab.start_all()
        file = rig.spec(lab, "lost", resources={"workers": 2}, seconds=0.7, epochs=EPOCHS)
        place = lab.cluster_file(storage)
        output = lab.folder / "output"
        command = ["-m", "tuner", "sweep", str(file), "--cluster", str(place)]
        process = lab.begin(lab.head, sys.executable, *command, cwd=specs, output=output)
        trial = storage / "lost" / "trials" / "0000"

        def reached() -> int:
            return len(curve.read(trial).get("epoch", []))

        try:
            rig.wait_for(lambda: reached() >= 3, 120)
            time.sleep(random.Random(seed).uniform(0.0, 2.0))
            trained = {path.name.partition("-")[0] for path in notes.iterdir()}
            lost = next(h for h in reversed(lab.hosts) if h.address in trained)
            gang = len(list(notes.iterdir()))
            lab.cut(lost) if fault == "link" else lab.kill_raylet(lost)
            seconds = rig.wait_for(lambda: len(list(notes.iterdir())) >= gang + 2, 240)
            status = process.wait(240)
        finally:
            process.kill()
            process.wait()
        card = json.loads((storage / "lost" / "data" / "card.json").read_text())
        steps = -(-card["num_sequences"]["train"] // rig.BATCH)
        trained = sum(path.stat().st_size for path in notes.iterdir()) / (2 * steps)
        left_over = audit.of(storage / "lost", local_uri(storage))
        return {
            "seconds": round(seconds, 1),
            "status": status,
            "epochs": reached(),
            "epochs_repeated": round(trained - EPOCHS, 2),
            **asdict(left_over),
            "left_behind": left(lab),
        }


def left(lab: hosts.Lab) -> int:
    """Processes of the sweep that outlived it: Ray's idle workers end by themselves."""
    return sum("-m tuner" in hosts.command_of(p) for h in lab.hosts for p in lab.processes(h))


if __name__ == "__main__":
    main()
