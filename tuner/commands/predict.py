"""`tuner predict`: from a bundle and raw files to answers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

ABOUT = "apply an exported model to raw files"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="DIR", help="an exported model")
    parser.add_argument(
        "input", metavar="INPUT", nargs="+", help="files as in training; - reads stdin"
    )
    parser.add_argument("--format", metavar="NAME", help="of the input: csv, jsonl, text, …")
    parser.add_argument(
        "--model-format", metavar="NAME", default="onnx", help="that answers: onnx, int8, keras"
    )
    written = "a .csv, .jsonl or .parquet, a new folder for WAV files, or -"
    parser.add_argument("--output", metavar="FILE", help=written)


def run(options: Namespace) -> int:
    from tuner.predict import predict

    answers = predict(
        Path(options.model),
        options.input,
        options.output,
        options.format,
        model_format=options.model_format,
    )
    for note in answers.notes:
        print(f"note: {note}", file=sys.stderr)
    for name, value in answers.scores.items():
        print(f"{name} {value:.6g} on the labels of the input", file=sys.stderr)
    return 0
