"""`tuner export`: from a trial to a bundle."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tuner.commands import _types
from tuner.export.wanted import MAX_LOSS

ABOUT = "write the best model, proven equal to the trained one"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--trial", type=_types.number, metavar="N", help="this trial instead of the best"
    )
    parser.add_argument("--to", required=True, metavar="DIR")
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT",
        help="beside the ONNX graph, such as int8; may be repeated",
    )
    parser.add_argument(
        "--streaming", action="store_true", help="states in and out, so that pieces equal the whole"
    )
    parser.add_argument(
        "--prune",
        type=_types.share,
        metavar="SHARE",
        help="set this share of the weights to 0; train on",
    )
    parser.add_argument(
        "--max-loss",
        type=_types.loss,
        default=MAX_LOSS,
        metavar="SHARE",
        help="of the validation score, for int8 and --prune to lose (default: %(default)s)",
    )
    parser.add_argument("--licence", default="", metavar="NAME", help="for the model card")
    parser.add_argument("--register", metavar="MODEL", help="add it to MLflow's registry, too")
    parser.add_argument("--alias", default="best", help="what points to it there (default: best)")


def run(options: Namespace) -> int:
    from tuner.sweep import Sweep

    sweep = Sweep.open(options.name, home=options.home)
    if options.register is not None:
        from tuner.export.register import check

        check(sweep, options.register, options.alias)
    done = sweep.export(
        Path(options.to),
        trial=options.trial,
        formats=options.format,
        streaming=options.streaming,
        prune=options.prune,
        max_loss=options.max_loss,
        licence=options.licence,
    )
    print(done)
    if options.register is not None:
        print(sweep.register(Path(options.to), options.register, options.alias))
    return 0
