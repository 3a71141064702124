"""What the README tells users to type is something that the commands take."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import readme
import yaml

from tuner import cli, spec_reader


def test_its_spec_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vowels.yaml"
    path.write_text(readme.block("yaml", "name: vowels"))
    spec = spec_reader.load(path)
    assert (spec.name, spec.metric, spec.maximize) == ("vowels", "accuracy", True)
    assert spec.space.defaults()["training/epochs"] == 30


def test_its_space_for_a_model_of_ones_own_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(readme.block("python", "class Mine"))
    space = yaml.safe_load(readme.block("yaml", "mine:Mine"))
    path = tmp_path / "own.yaml"
    section = {"name": "own", "task": "classification", "data": {"train": "x.csv"}}
    path.write_text(yaml.safe_dump(section | space))
    monkeypatch.setattr("sys.path", list(sys.path))
    assert spec_reader.load(path).space.defaults()["model/name"] == "mine:Mine"


COMMANDS = re.findall(r"`(tuner [^`]+)`", readme.README.read_text(encoding="utf-8"))
WORDS = {
    "SPEC": "s.yaml",
    "N": "3",
    "+N": "+3",
    "H": "1",
    "DIR": "d",
    "INPUT": "i.csv",
    "FILE": "f.csv",
    "COLUMN": "label",
    "KIND": "ssh",
}


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_its_commands_are_taken(command: str) -> None:
    text = command.replace("\\|", "|").replace("table|json|csv|parquet", "json")
    words = text.replace("[", "").replace("]", "").split()[1:]
    options = cli._parser().parse_args([WORDS.get(word, word) for word in words])
    assert callable(options.run)
