"""The commands. Each imports what it needs when it runs, so that help and mistakes are quick."""

from __future__ import annotations

import argparse
import difflib
import math
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tuner import __version__
from tuner.errors import CommandError, InputError, Mistake, TunerError
from tuner.export.wanted import MAX_LOSS

if TYPE_CHECKING:
    from tuner.results.events import Events
    from tuner.results.live import Live
    from tuner.sweep import Sweep

ABOUT = "Tune recurrent networks: launch a sweep, compare its runs, export the best model."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; gives its exit status."""
    os.umask(0o077)
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not given:
        parser.print_help(sys.stderr)
        return 2
    try:
        options = parser.parse_args(given)
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except InputError as wrong:
        _print_mistakes(wrong)
        return wrong.exit_code
    except TunerError as failed:
        print(f"tuner: {failed}", file=sys.stderr)
        return failed.exit_code
    except BrokenPipeError:
        # The reader went away; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("tuner: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def _init(options: argparse.Namespace) -> int:
    from tuner.first_contact import first_contact

    first_contact(options.data, targets=options.target, to=options.to, tell=print)
    return 0


def _check(options: argparse.Namespace) -> int:
    from tuner.check import check

    print(check(options.spec, settings=options.set, cluster=options.cluster))
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    with _display(options) as display:
        sweep = Sweep.from_file(
            options.spec,
            home=options.home,
            settings=options.set,
            name=options.name,
            trials=options.trials,
            hours=options.hours,
            cluster=options.cluster,
        )
        if not sweep.finished and detached.is_meant(sweep, options.detach):
            detached.refuse(sweep.cluster)
            sweep.prepare(display, offline=options.offline)
            return _detach(sweep, display, options, [])
        if not sweep.finished:
            sweep.run(display, offline=options.offline)
        return _end(sweep, display)


def _detach(
    sweep: Sweep, display: Live | Events, options: argparse.Namespace, more: list[str]
) -> int:
    """Lets a sweep run on by itself; where nobody asked for that, follows it to its end."""
    from tuner import detached

    if options.offline:
        more.append("--offline")
    print(detached.start(sweep, more), file=sys.stderr if options.json else sys.stdout)
    if options.detach:
        return 0
    for text in detached.log(sweep, follow=True):
        print(text, end="", file=sys.stderr, flush=True)
    return _end(sweep, display) if sweep.finished else 1


def _resume(options: argparse.Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    with _display(options) as display:
        sweep = Sweep.open(options.name, home=options.home, cluster=options.cluster)
        goes_on = options.trials or not sweep.finished
        if goes_on and detached.is_meant(sweep, options.detach):
            detached.refuse(sweep.cluster)
            wanted = {f"--{n}": getattr(options, n) for n in ("trials", "hours", "confirm")}
            more = [f"{flag}={value}" for flag, value in wanted.items() if value is not None]
            return _detach(sweep, display, options, more)
        sweep.resume(
            display,
            more_trials=options.trials,
            hours=options.hours,
            confirm=options.confirm,
            offline=options.offline,
        )
        return _end(sweep, display)


def _display(options: argparse.Namespace) -> Live | Events:
    if options.json:
        from tuner.results.events import Events

        return Events()
    from tuner.results.live import Live

    return Live()


def _end(sweep: Sweep, display: Live | Events) -> int:
    """Tells the result: an event to a machine, a table to people."""
    from tuner.results.live import Live

    if isinstance(display, Live):
        display.close()
        _show(sweep)
    else:
        display.finished(sweep.leaderboard())
    return 0


def _show(sweep: Sweep) -> None:
    from tuner.results.show import show

    show(sweep)


def _status(options: argparse.Namespace) -> int:
    from tuner import cluster_file
    from tuner.home import Home
    from tuner.results.show import show_status
    from tuner.sweep import Sweep

    home = Home(options.home, cluster_file.load(options.cluster) if options.cluster else None)
    names = [options.name] if options.name else home.sweeps()
    show_status([Sweep.open(name, home=home.path) for name in names], home)
    return 0


def _logs(options: argparse.Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    sweep = Sweep.open(options.name, home=options.home, cluster=options.cluster)
    for text in detached.log(sweep, follow=options.follow):
        print(text, end="", flush=True)
    return 0


def _stop(options: argparse.Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    print(detached.stop(Sweep.open(options.name, home=options.home, cluster=options.cluster)))
    return 0


def _leaderboard(options: argparse.Namespace) -> int:
    from tuner.results.select import Selection, select
    from tuner.results.show import write_leaderboard
    from tuner.sweep import Sweep

    board = Sweep.open(options.name, home=options.home).leaderboard()
    wanted = Selection(
        columns=options.columns, where=options.where, sort=options.sort, top=options.top
    )
    write_leaderboard(select(board, wanted), options.format, options.output, options.columns)
    return 0


def _compare(options: argparse.Namespace) -> int:
    import json

    from tuner.results.compare import compare
    from tuner.results.show import show_comparison

    found = compare(options.one, options.other, home=options.home)
    if options.format == "json":
        print(json.dumps(found.to_json(), indent=2, allow_nan=False))
    else:
        show_comparison(found)
    return 0


def _report(options: argparse.Namespace) -> int:
    from tuner.sweep import Sweep

    sweep = Sweep.open(options.name, home=options.home)
    to = options.output or Path(f"{options.name}.html")
    sweep.report(to)
    print(to)
    return 0


def _ui(options: argparse.Namespace) -> int:
    from tuner.home import Home
    from tuner.tracking import ui

    ui.serve(Home(options.home).path, options.port)
    return 0


def _export(options: argparse.Namespace) -> int:
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


def _rerun(options: argparse.Namespace) -> int:
    from tuner.sweep import Sweep

    print(Sweep.open(options.name, home=options.home).rerun(options.trial))
    return 0


def _predict(options: argparse.Namespace) -> int:
    from tuner.predict import predict

    answers = predict(Path(options.model), options.input, options.output, options.format)
    for note in answers.notes:
        print(f"note: {note}", file=sys.stderr)
    for name, value in answers.scores.items():
        print(f"{name} {value:.6g} on the labels of the input", file=sys.stderr)
    return 0


def _generate(options: argparse.Namespace) -> int:
    from tuner.generate import generate
    from tuner.sampling import Sampling

    sampling = Sampling(temperature=options.temperature, top_k=options.top_k, top_p=options.top_p)
    print(generate(Path(options.model), options.prompt, options.tokens, sampling, options.seed))
    return 0


def _spaces(options: argparse.Namespace) -> int:
    from tuner.results.spaces import describe_all, describe_one

    print(describe_one(options.name) if options.name else describe_all())
    return 0


def _schema(options: argparse.Namespace) -> int:
    import json

    from tuner.spec_file import schema

    print(json.dumps(schema(), indent=2))
    return 0


def _sync(options: argparse.Namespace) -> int:
    from tuner.sweep import Sweep

    print(Sweep.open(options.name, home=options.home).sync())
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from itertools import chain

    from tuner import cluster_file
    from tuner.doctor import Patient, clusters, examine
    from tuner.doctor.report import tell
    from tuner.home import Home

    cluster = cluster_file.load(options.cluster) if options.cluster else None
    found = examine(Patient(home=Home(options.home, cluster)))
    there = clusters.examine(cluster) if cluster else ()
    return tell(chain(found, there), as_json=options.json)


def _cluster(options: argparse.Namespace) -> int:
    from tuner import cluster_file, clusters
    from tuner.doctor import clusters as checks
    from tuner.doctor.report import tell

    if options.action == "check":
        return tell(checks.examine(cluster_file.load(options.file)), as_json=options.json)
    if options.action == "init":
        print(clusters.init(options.kind, options.to))
        return 0
    for line in (clusters.up if options.action == "up" else clusters.down)(options.file):
        print(line, flush=True)
    return 0


class _Parser(argparse.ArgumentParser):
    """Says a mistake the way the rest of the package does."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(_mistake(self, message))


def _mistake(parser: argparse.ArgumentParser, message: str) -> Mistake:
    fix = f"See `{parser.prog} --help`."
    if "invalid choice" in message:
        wrong = message.split("invalid choice: ")[1].split(" ")[0].strip("'")
        if message.startswith("argument COMMAND:"):
            message = f"no command but {wrong!r}"
            if close := difflib.get_close_matches(wrong, _COMMANDS, n=1):
                fix = f"Did you mean `{parser.prog} {close[0]}`?"
    elif message.startswith("unrecognized arguments: "):
        wrong = message.removeprefix("unrecognized arguments: ").split(" ")[0]
        flags = [f for c in _COMMANDS for f in _FLAGS.get(c, [])]
        if close := difflib.get_close_matches(wrong.partition("=")[0], flags, n=1):
            fix = f"Did you mean `{close[0]}`?"
    return Mistake(
        code="command/usage",
        rule=f"`{parser.prog}` must be called as its help says",
        where="the command line",
        got=message,
        fix=fix,
    )


_COMMANDS: list[str] = []
_FLAGS: dict[str, list[str]] = {}


def _parser() -> _Parser:
    parser = _Parser(prog="tuner", description=ABOUT)
    parser.add_argument("--version", action="version", version=f"rnn-tuner {__version__}")
    # On the subcommands too, so that it may stand at either end; SUPPRESS keeps the first one said.
    home_help = "folder of all state (default: $TUNER_HOME or ./sweeps)"
    parser.add_argument("--home", type=Path, help=home_help)
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--home", type=Path, default=argparse.SUPPRESS, help=home_help)
        sub.set_defaults(run=run)
        return sub

    def spec_command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = command(name, run, text)
        sub.add_argument("spec", type=Path, metavar="SPEC", help="a sweep's YAML file")
        sub.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="PATH=VALUE",
            help="replace a value of the spec or fix a parameter of its space; may be repeated",
        )
        return sub

    init = command("init", _init, "look at data, tell what was found, and write a spec for it")
    init.add_argument("--data", type=Path, required=True, metavar="FILE", help="or a folder")
    init.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="COLUMN",
        help="what to predict; may be repeated; by default the data tell",
    )
    init.add_argument("--to", type=Path, metavar="SPEC", help="write there (default: ./NAME.yaml)")
    checked = spec_command(
        "check", _check, "show all mistakes of a spec at once, or its plan; start nothing"
    )
    sweep = spec_command("sweep", _sweep, "run a sweep and show its leaderboard")
    sweep.add_argument("--trials", type=_count, metavar="N", help="trials to start")
    sweep.add_argument("--hours", type=_hours, metavar="H", help="time after which no trial starts")
    sweep.add_argument("--name", metavar="NAME", help="name of the sweep")
    resume = command("resume", _resume, "go on after a crash, or extend a finished sweep")
    resume.add_argument("name", metavar="NAME")
    resume.add_argument("--trials", type=_more, metavar="+N", help="so many trials more")
    resume.add_argument("--hours", type=_hours, metavar="H", help="time limit from now on")
    resume.add_argument(
        "--confirm", type=_none_or_more, metavar="K", help="train the K best on fresh seeds"
    )
    for placed in (checked, sweep, resume):
        placed.add_argument(
            "--cluster", type=Path, metavar="FILE", help="where it runs (default: this machine)"
        )
    for running in (sweep, resume):
        running.add_argument(
            "--json", action="store_true", help="tell events on stdout, a JSON object per line"
        )
        running.add_argument(
            "--detach", action="store_true", help="let it run on by itself, and return"
        )
        running.add_argument(
            "--offline", action="store_true", help="send nothing now; `tuner sync` delivers later"
        )
    status = command("status", _status, "what became of each sweep, or of one")
    status.add_argument("name", metavar="NAME", nargs="?")
    logs = command("logs", _logs, "what a detached sweep says")
    logs.add_argument("name", metavar="NAME")
    logs.add_argument("--follow", action="store_true", help="go on until it ends")
    stop = command("stop", _stop, "stop a running sweep in order; `tuner resume` goes on")
    stop.add_argument("name", metavar="NAME")
    for detached in (status, logs, stop):
        detached.add_argument(
            "--cluster", type=Path, metavar="FILE", help="look in its storage for the sweep"
        )
    board = command("leaderboard", _leaderboard, "the ranked trials of a sweep")
    board.add_argument("name", metavar="NAME")
    board.add_argument(
        "--columns", type=_names, default=[], metavar="A,B", help="only these, in this order"
    )
    board.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="only trials for which it holds, such as 'model/cell=lstm'; may be repeated",
    )
    board.add_argument(
        "--sort", default="", metavar="COLUMN", help="by this column; --sort=-COLUMN: highest first"
    )
    board.add_argument("--top", type=_count, metavar="N", help="the first N only")
    board.add_argument("--format", choices=["table", "json", "csv", "parquet"], default="table")
    board.add_argument("--output", type=Path, metavar="FILE", help="write there (parquet: needed)")
    both = command("compare", _compare, "what differs between two sweeps or two trials")
    both.add_argument("one", metavar="A", help="a sweep, or NAME:NUMBER for one of its trials")
    both.add_argument("other", metavar="B", help="another of the same kind")
    both.add_argument("--format", choices=["table", "json"], default="table")
    report = command("report", _report, "one page to send: what was found, and how to repeat it")
    report.add_argument("name", metavar="NAME")
    report.add_argument(
        "--output", type=Path, metavar="FILE", help="write there (default: NAME.html)"
    )
    ui = command("ui", _ui, "the MLflow UI on this home's runs, on 127.0.0.1")
    ui.add_argument("--port", type=_port, default=5000)
    export = command("export", _export, "write the best model, proven equal to the trained one")
    export.add_argument("name", metavar="NAME")
    export.add_argument("--trial", type=_number, metavar="N", help="this trial instead of the best")
    export.add_argument("--to", required=True, metavar="DIR")
    export.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT",
        help="beside the ONNX graph, such as int8; may be repeated",
    )
    export.add_argument(
        "--streaming", action="store_true", help="states in and out, so that pieces equal the whole"
    )
    export.add_argument(
        "--prune", type=_share, metavar="SHARE", help="set this share of the weights to 0; train on"
    )
    export.add_argument(
        "--max-loss",
        type=_loss,
        default=MAX_LOSS,
        metavar="SHARE",
        help="of the validation score, for int8 and --prune to lose (default: %(default)s)",
    )
    export.add_argument("--licence", default="", metavar="NAME", help="for the model card")
    export.add_argument("--register", metavar="MODEL", help="add it to MLflow's registry, too")
    export.add_argument("--alias", default="best", help="what points to it there (default: best)")
    rerun = command("rerun", _rerun, "train a trial again and compare it with the first time")
    rerun.add_argument("name", metavar="NAME")
    rerun.add_argument("--trial", type=_number, metavar="N", required=True)
    predict = command("predict", _predict, "apply an exported model to raw files")
    predict.add_argument("model", metavar="DIR", help="an exported model")
    predict.add_argument(
        "input", metavar="INPUT", nargs="+", help="files as in training; - reads stdin"
    )
    predict.add_argument("--format", metavar="NAME", help="of the input: csv, jsonl, text, …")
    predict.add_argument("--output", metavar="FILE", help="a .csv, .jsonl or .parquet, or -")
    text = command("generate", _generate, "let an exported language model go on with a text")
    text.add_argument("model", metavar="DIR", help="an exported model")
    text.add_argument("--prompt", default="", metavar="TEXT", help="what to go on from")
    text.add_argument("--tokens", type=_count, default=200, metavar="N", help="tokens to draw")
    text.add_argument(
        "--temperature", type=_temperature, default=1.0, metavar="T", help="0: the likeliest always"
    )
    text.add_argument(
        "--top-k", type=_number, default=0, metavar="K", help="draw from the K likeliest; 0: all"
    )
    text.add_argument(
        "--top-p", type=_share, default=1.0, metavar="P", help="draw from those that reach share P"
    )
    text.add_argument("--seed", type=_number, default=0)
    spaces = command("spaces", _spaces, "the ready-made search spaces, or one in full")
    spaces.add_argument("name", metavar="NAME", nargs="?")
    command("schema", _schema, "the JSON Schema of a spec, for editors")
    doctor = command("doctor", _doctor, "what is wrong with this machine, and how to mend it")
    doctor.add_argument("--cluster", type=Path, metavar="FILE", help="and with this cluster")
    own = command("cluster", _cluster, "a cluster file, and machines of one's own")
    actions = own.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    begin = actions.add_parser("init", help="write a commented cluster file, and a token")
    begin.add_argument("kind", choices=["ray", "ssh", "slurm"])
    begin.add_argument("--to", type=Path, default=Path("cluster.yaml"), metavar="FILE")
    for action, about in (
        ("up", "start Ray on the hosts of a cluster file"),
        ("down", "end what `up` started"),
        ("check", "what is wrong with a cluster, and how to mend it"),
    ):
        actions.add_parser(action, help=about).add_argument("file", type=Path, metavar="FILE")
    for findings in (doctor, actions.choices["check"]):
        findings.add_argument("--json", action="store_true", help="a line of JSON for each check")
    sync = command("sync", _sync, "deliver runs that the tracking server has not got yet")
    sync.add_argument("name", metavar="NAME")
    _COMMANDS[:] = list(commands.choices)
    for name, sub in commands.choices.items():
        _FLAGS[name] = [f for action in sub._actions for f in action.option_strings]
    return parser


def _integer(text: str, low: int, high: int, what: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _count(text: str) -> int:
    return _integer(text, 1, 10**9, "a number of trials, 1 or more")


def _number(text: str) -> int:
    return _integer(text, 0, 10**9, "a trial's number, 0 or more")


def _none_or_more(text: str) -> int:
    return _integer(text, 0, 10**6, "a number of trials, 0 or more")


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of columns such as trial,value")
    return names


def _port(text: str) -> int:
    return _integer(text, 1, 65535, "a port, 1 to 65535")


def _more(text: str) -> int:
    return _integer(text.removeprefix("+"), 1, 10**9, "a number of further trials such as +20")


def _within(text: str, above: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not above < value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _share(text: str) -> float:
    return _within(text, 0, 1, "a share above 0, up to 1")


def _loss(text: str) -> float:
    # Just below 0, so that 0 itself is one.
    return _within(text, -1e-300, 1, "a share of the score, 0 to 1")


def _temperature(text: str) -> float:
    # Just below 0, so that 0 itself is one.
    return _within(text, -1e-300, 1e6, "a temperature, 0 or more")


def _hours(text: str) -> float:
    return _within(text, 0, sys.float_info.max, "a number of hours above 0")


def _print_mistakes(wrong: InputError) -> None:
    count = len(wrong.mistakes)
    if count > 1:
        print(f"tuner: {count} mistakes", file=sys.stderr)
    for mistake in wrong.mistakes:
        print(f"{'- ' if count > 1 else 'tuner: '}{mistake}", file=sys.stderr)
