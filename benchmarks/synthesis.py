"""Speech that one model gives, read by another: the word error rate of what is heard.

    python benchmarks/synthesis.py --data FOLDER --models FOLDER [--home FOLDER]
                                   [--speaker SPEC] [--reader SPEC]

The specs are of `task: synthesis` and of `task: ctc`, by default those of yesno in
`benchmarks/sets`, whose files lie under FOLDER. Each is swept, or its sweep opened where there is
one, and its best model exported to `--models` unless it lies there. The speaker says the text of
each of its test recordings; what the reader hears in that is compared with the texts, and with what
it hears in the recordings themselves.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
import yaml
from scores import HERE, settings

from tuner import Bundle, Sweep, registry
from tuner.data.card import SPLITS
from tuner.data.store import Store
from tuner.home import Home
from tuner.predict import predict
from tuner.predictor import Predictor
from tuner.results.live import Live


def swept(path: Path, data: Path, home: Path | None) -> Sweep:
    """The sweep of a spec, run to its end."""
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    if spec["name"] in Home(home).sweeps():
        return Sweep.open(spec["name"], home=home)
    sweep = Sweep.from_file(path, home=home, settings=settings(spec, data))
    with Live() as live:
        sweep.run(live)
    return sweep


def model(sweep: Sweep, models: Path) -> Path:
    """Where its best model lies."""
    folder = models / sweep.spec.name
    if not folder.exists():
        sweep.export(folder)
    return folder


def texts(sweep: Sweep) -> list[str]:
    """Of all test recordings."""
    store = Store.open(sweep.folder / "data")
    assert store.target_tokens is not None
    join = registry.get("tokenizers", store.card.layout.target_tokens).join
    rows = np.flatnonzero(store.split_S == SPLITS.index("test"))
    return [join(store.target_tokens.of(int(row))) for row in rows]


def heard(speaker: Path, reader: Path, said: list[str], folder: Path) -> dict[str, float]:
    """The reader's scores on what the speaker says.

    Args:
        speaker: folder of a bundle, as `reader`.
        said: the texts.
        folder: for what is written in between.
    """
    layout = Predictor.open(speaker).layout
    asked = folder / "texts.csv"
    with asked.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([(layout.target_text,), *((text,) for text in said)])
    predict(speaker, [str(asked)], str(folder / "said"))
    layout, manifest = Predictor.open(reader).layout, folder / "said" / "manifest.csv"
    assert layout.audio is not None
    with (folder / "said" / "answers.csv").open(encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    with manifest.open("w", newline="", encoding="utf-8") as file:
        head = dict.fromkeys([layout.id or layout.audio.path, layout.audio.path])
        rows = ([path] * len(head) + [text] for path, text in zip(paths, said, strict=True))
        csv.writer(file).writerows([[*head, layout.target_text], *rows])
    return predict(reader, [str(manifest)], str(folder / "heard.csv")).scores


def main() -> None:
    """Prints word error rates of what is said and of what was recorded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="where the specs' files lie")
    parser.add_argument("--models", type=Path, required=True, help="where the bundles lie")
    parser.add_argument("--home", type=Path, help="where the sweeps lie")
    sets = HERE / "sets"
    parser.add_argument("--speaker", type=Path, default=sets / "yesno_synthesis.yaml")
    parser.add_argument("--reader", type=Path, default=sets / "yesno.yaml")
    options = parser.parse_args()

    sweeps = [swept(s, options.data, options.home) for s in (options.speaker, options.reader)]
    speaker, reader = (model(sweep, options.models) for sweep in sweeps)
    said = texts(sweeps[0])
    with tempfile.TemporaryDirectory() as folder:
        scores = heard(speaker, reader, said, Path(folder))
    own = {score.metric: score.test for score in Bundle.open(reader).contents.about.scores}
    words = sum(len(text.split()) for text in said)
    found = {"texts": len(said), "words": words, "wer": scores["wer"], "wer_recorded": own["wer"]}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
