"""Our arm, in a process of its own as the peers are, with their arguments and their line."""

import argparse
import json
import uuid
from pathlib import Path

import work

from cluster.connect import connected


def main() -> None:
    """Tunes the learning rate, and prints seconds, trials and their mean accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    spec = work.write_spec(
        options.folder / f"sweep-{uuid.uuid4().hex[:6]}.yaml",
        options.data.resolve(),
        trials=options.trials,
        epochs=options.epochs,
        workers=options.workers,
    )
    with connected():
        found = work.sweep(spec, options.folder / "home")
    told = {"seconds": found.cost, "trials": options.trials, "accuracy": found.quality}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
