"""The table of the toolbox names keys that a spec takes, and tests that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import made
import pytest
import yaml

from tuner import registry
from tuner.config import TrialConfig, all_paths
from tuner.data.config import DataConfig
from tuner.refused_values import ValuesRefused

ROOT = Path(__file__).parent.parent
TABLE = (ROOT / "docs" / "toolbox.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| `([^`]+)` \|$", TABLE, re.MULTILINE)


def test_every_line_of_the_table_is_read() -> None:
    lines = [line for line in TABLE.splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(lines) - 1 > 80


def _takes(task: dict[str, Any], path: str, value: Any) -> bool:
    """Whether a trial of a task has this parameter, and with this value."""
    values = {} if value is None else {path: value}
    if path not in all_paths(values, task):
        return False
    try:
        TrialConfig.from_values(values, task)
    except ValuesRefused as refused:
        # What must come together with something else is still known.
        return all("must come with" in r.rule for r in refused.refusals)
    return True


@pytest.mark.parametrize("key", sorted({key for _, key, _ in ROWS}))
def test_every_key_is_something_that_a_spec_takes(key: str) -> None:
    path, _, text = key.partition(": ")
    value = yaml.safe_load(text) if text else None
    section, _, field = path.partition("/")
    if path == "task":
        assert value in registry.names("tasks")
        return
    known = any(_takes(task, path, value) for task in made.TASKS.values())
    if section == "data":
        known |= field in DataConfig.model_fields
    if section == "task":
        tasks = [registry.get("tasks", name).Config for name in registry.names("tasks")]
        known |= any(field in config.model_fields for config in tasks)
    assert known


@pytest.mark.parametrize("test", sorted({test for _, _, test in ROWS}))
def test_every_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
