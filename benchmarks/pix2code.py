"""pix2code's screenshots as PNG files with manifests, which `benchmarks/sets/pix2code.yaml` reads.

    python benchmarks/pix2code.py FOLDER --to FOLDER

The first holds NAME.npz, `features` of 256 x 256 x 3 in [0, 1], and NAME.gui, a layout; sorted by
name, 1,125 train, 125 rank trials and 250 are scored on once.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import numpy as np

from tuner.data.png import encode

SPLITS = {"train": (0, 1125), "validation": (1125, 1250), "test": (1250, 1500)}


def main() -> None:
    """Writes pictures and manifests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", type=Path, help="where the samples lie")
    parser.add_argument("--to", type=Path, required=True, help="a folder to be made")
    options = parser.parse_args()
    found = sorted(options.samples.glob("*.gui"))
    folder = options.to / "pix2code"
    (folder / "png").mkdir(parents=True, exist_ok=True)
    for split, (begin, end) in SPLITS.items():
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["picture", "layout"])
            for gui in found[begin:end]:
                with np.load(gui.with_suffix(".npz"), allow_pickle=False) as stored:
                    pixels = np.rint(stored["features"] * 255).astype(np.uint8)
                (folder / "png" / f"{gui.stem}.png").write_bytes(encode(pixels))
                tokens = re.findall(r"[{},]|[^\s{},]+", gui.read_text(encoding="utf-8"))
                writer.writerow([f"png/{gui.stem}.png", " ".join(tokens)])
    print(f"{folder}: {len(found)} pictures")


if __name__ == "__main__":
    main()
