"""What the pages under docs/ tell users to type is something that the commands take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from command import write_spec

from tuner import cli
from tuner.spec_reader import load

SEARCH = (Path(__file__).parent.parent / "docs" / "search.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?:^ {4}|`)(tuner [^`\n]+)", SEARCH, re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_commands_are_taken(command: str) -> None:
    options = cli._parser().parse_args(shlex.split(command)[1:])
    assert callable(options.run)


def test_the_section_is_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", SEARCH, re.DOTALL)
    spec = load(write_spec(tmp_path / "s.yaml", **yaml.safe_load(block)))
    assert [o.name for o in spec.objectives] == ["accuracy", "latency_ms", "parameters"]
    assert [str(c) for c in spec.constraints] == ["latency_ms <= 5", "parameters <= 1000000"]


def test_every_event_is_told_of() -> None:
    source = (Path(cli.__file__).parent / "results" / "events.py").read_text(encoding="utf-8")
    kinds = re.findall(r'_tell\(\s*"(\w+)"', source)
    assert len(kinds) == 7
    for kind in kinds:
        assert f"\n| `{kind}` |" in SEARCH
