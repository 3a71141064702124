"""`tuner generate`: text from an exported language model, drawn or looked for."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from tuner.commands import _types
from tuner.errors import CommandError, Mistake

ABOUT = "let an exported language model go on with a text"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="DIR", help="an exported model")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what to go on from")
    parser.add_argument(
        "--tokens", type=_types.count, default=200, metavar="N", help="tokens that follow"
    )
    parser.add_argument(
        "--temperature",
        type=_types.temperature,
        metavar="T",
        help="1: as the model says; 0: the likeliest always",
    )
    parser.add_argument(
        "--top-k",
        type=_types.number,
        metavar="K",
        help="draw from the K likeliest; 0: all",
    )
    parser.add_argument(
        "--top-p",
        type=_types.share,
        metavar="P",
        help="draw from those that reach share P",
    )
    parser.add_argument("--seed", type=_types.number, default=0)
    parser.add_argument(
        "--beam",
        type=_types.width,
        metavar="WIDTH",
        help="look for the likeliest text by a beam search so wide, instead of drawing one",
    )


def run(options: Namespace) -> int:
    from tuner.generate import generate
    from tuner.likeliest import Beam
    from tuner.sampling import Sampling

    names = ("temperature", "top_k", "top_p")
    given = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    how: Sampling | Beam = Sampling(**given)
    if options.beam is not None:
        if given:
            raise CommandError(_both(options.beam, given))
        how = Beam(width=options.beam)
    print(generate(Path(options.model), options.prompt, options.tokens, how, options.seed))
    return 0


def _both(beam: int, given: dict[str, Any]) -> Mistake:
    flags = [f"--{name.replace('_', '-')} {value:g}" for name, value in given.items()]
    return Mistake(
        code="generate/beam",
        rule="`--beam` looks for a text and must come without what says how one is drawn",
        where="the command line",
        got=f"--beam {beam} with {' and '.join(flags)}",
        fix="Leave out the one or the other.",
    )
