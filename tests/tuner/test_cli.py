"""The command line: help, mistakes in four parts, exit statuses; nothing heavy is started."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuner import cli, commands


def run(*arguments: str) -> int:
    return cli.main(list(arguments))


def test_no_arguments_give_help_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "sweep" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["swep", "x.yaml"], ["'swep'", "Did you mean `tuner sweep`?"]),
        (["sweep", "x.yaml", "--trails", "3"], ["--trails", "Did you mean `--trials`?"]),
        (["sweep", "x.yaml", "--trials", "-1"], ["--trials", "'-1'"]),
        (["sweep", "x.yaml", "--hours", "0"], ["--hours", "'0'"]),
        (["sweep", "none.yaml"], ["none.yaml", "spec/"]),
        (["check", "."], ["folder"]),
        (["resume", "nothing"], ["'nothing'", "sweep/unknown"]),
        (["leaderboard", "nothing"], ["'nothing'"]),
        (["export", "nothing", "--to", "x"], ["'nothing'"]),
        (["export", "nothing"], ["--to"]),
        (["report", "nothing", "--to", "x"], ["--to x", "See `tuner report --help`."]),
        (["predict", "nowhere", "x.csv"], ["nowhere"]),
        (["predict", "nowhere", "x.csv", "--output", "x.doc"], ["x.doc", ".csv"]),
        (["spaces", "clasification"], ["Did you mean 'classification'?"]),
        (["ui", "--port", "99999"], ["--port", "'99999'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_exit_2_without_a_traceback_and_create_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    parts: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert all(part in said.err for part in parts), said.err
    assert said.out == "" and "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        run("--version")
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith("rnn-tuner ")


def test_spaces_print_yaml_that_a_spec_may_hold(capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    assert run("spaces") == 0
    assert "classification" in capsys.readouterr().out
    assert run("spaces", "classification") == 0
    data = yaml.safe_load(capsys.readouterr().out)
    assert "model/cell" in data["parameters"]


def test_status_of_an_empty_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--home", str(tmp_path / "none")) == 0
    assert "no sweeps" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_a_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} -m tuner schema | head -c 10"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, env=os.environ
    )
    assert done.stderr == "" and len(done.stdout) == 10


def test_every_command_has_help() -> None:
    for command in cli._parser()._subparsers._group_actions[0].choices:  # type: ignore[union-attr]
        with pytest.raises(SystemExit) as done:
            run(str(command), "--help")
        assert done.value.code == 0


def test_every_command_is_a_file_of_its_name() -> None:
    files = {m.name for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")}
    assert files == set(commands.COMMANDS)
    for name, command in commands.COMMANDS.items():
        assert command.__name__ == f"tuner.commands.{name}"  # type: ignore[attr-defined]
