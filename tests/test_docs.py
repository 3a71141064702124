"""What the pages under docs/ tell users to type is something that the commands take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from command import write_spec

from tuner import cli
from tuner.data.audio import Audio
from tuner.data.frames import MOST, Frames
from tuner.data.picture import Picture
from tuner.spec_reader import load
from tuner.tasks import ctc, synthesis

DOCS = Path(__file__).parent.parent / "docs"
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


def test_the_page_on_recordings_tells_of_every_setting(tmp_path: Path) -> None:
    page = (DOCS / "speech.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    specs = [load(write_spec(tmp_path / "s.yaml", **yaml.safe_load(block))) for block in blocks]
    assert [spec.metric for spec in specs] == ["wer", "dtw"]
    assert all(spec.data.audio is not None for spec in specs)
    told = set(re.findall(r"`(\w+)(?:: [^`]*)?`", page))
    assert told >= set(Audio.model_fields) - {"path"} | set(ctc.METRICS) | set(synthesis.METRICS)


def test_the_page_on_clips_tells_of_every_setting(tmp_path: Path) -> None:
    page = (DOCS / "video.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "s.yaml").write_text(block)
    spec = load(tmp_path / "s.yaml")
    assert spec.data.frames is not None and "model/picture_layers" in spec.space.parameters
    assert set(re.findall(r"`(\w+)(?:: [^`]*)?`", page)) >= set(Frames.model_fields) - {"path"}
    assert f"at most {MOST:,} numbers" in page


def test_the_spec_of_a_folder_of_pictures_is_read(tmp_path: Path) -> None:
    page = (DOCS / "texts.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "photos" in b]
    (tmp_path / "s.yaml").write_text(block)
    assert load(tmp_path / "s.yaml").data.picture == Picture(height=32, width=32)


def test_the_spec_of_a_recommender_is_read(tmp_path: Path) -> None:
    page = (DOCS / "recommendation.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "s.yaml").write_text(block)
    spec = load(tmp_path / "s.yaml")
    assert (spec.metric, spec.maximize, spec.task["top"]) == ("hr_10", True, 10)


def test_the_spec_with_a_second_input_is_read(tmp_path: Path) -> None:
    page = (DOCS / "fusion.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "s.yaml").write_text(block)
    spec = load(tmp_path / "s.yaml")
    assert spec.data.has_side and not spec.warnings
    assert spec.space.parameters["model/fusion"].domain.size == 3


def test_the_spec_of_a_policy_is_read(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    page = (DOCS / "control.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "s.yaml").write_text(block)
    spec = load(tmp_path / "s.yaml")
    assert (spec.metric, spec.maximize, spec.task["observed"]) == ("return", True, [0, 2])
