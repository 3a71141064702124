"""Cluster files that `tuner cluster init` writes are read, and misuse is told."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tuner import cluster_file, clusters
from tuner.errors import ClusterError, CommandError


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))


@pytest.mark.parametrize("kind", clusters.KINDS)
def test_each_kinds_first_file_is_read_as_it_is(kind: str, tmp_path: Path) -> None:
    told = clusters.init(kind, tmp_path / "lab.yaml")
    assert cluster_file.load(tmp_path / "lab.yaml").kind == kind
    token = tmp_path / "me" / ".ray" / "auth_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600 and str(token) in told
    assert token.read_text() not in told
    with pytest.raises(CommandError, match="must name a new file"):
        clusters.init(kind, tmp_path / "lab.yaml")


def test_all_fields_of_a_first_file_may_be_uncommented(tmp_path: Path) -> None:
    for kind in clusters.KINDS:
        clusters.init(kind, tmp_path / f"{kind}.yaml")
        lines = (tmp_path / f"{kind}.yaml").read_text().splitlines()
        whole = [
            line.removeprefix("# ") if ": " in line and n else line for n, line in enumerate(lines)
        ]
        (tmp_path / f"{kind}.yaml").write_text("\n".join(whole))
        assert cluster_file.load(tmp_path / f"{kind}.yaml").kind == kind


@pytest.mark.parametrize("kind", ["ray", "slurm"])
def test_only_own_machines_are_started(kind: str, tmp_path: Path) -> None:
    clusters.init(kind, tmp_path / "lab.yaml")
    for action in (clusters.up, clusters.down):
        with pytest.raises(ClusterError, match="kind: ssh"):
            list(action(tmp_path / "lab.yaml"))
