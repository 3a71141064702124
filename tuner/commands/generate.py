"""`tuner generate`: text from an exported language model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tuner.commands import _types

ABOUT = "let an exported language model go on with a text"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="DIR", help="an exported model")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what to go on from")
    parser.add_argument(
        "--tokens", type=_types.count, default=200, metavar="N", help="tokens to draw"
    )
    parser.add_argument(
        "--temperature",
        type=_types.temperature,
        default=1.0,
        metavar="T",
        help="0: the likeliest always",
    )
    parser.add_argument(
        "--top-k",
        type=_types.number,
        default=0,
        metavar="K",
        help="draw from the K likeliest; 0: all",
    )
    parser.add_argument(
        "--top-p",
        type=_types.share,
        default=1.0,
        metavar="P",
        help="draw from those that reach share P",
    )
    parser.add_argument("--seed", type=_types.number, default=0)


def run(options: Namespace) -> int:
    from tuner.generate import generate
    from tuner.sampling import Sampling

    sampling = Sampling(temperature=options.temperature, top_k=options.top_k, top_p=options.top_p)
    print(generate(Path(options.model), options.prompt, options.tokens, sampling, options.seed))
    return 0
