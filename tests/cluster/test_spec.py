"""What a cluster file may say, and what is refused: all at once, with line, value and way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cluster.spec import ClusterSpec, Embedded, ExistingRay, SlurmJob, SshHosts
from tuner import cluster_file
from tuner.errors import ClusterError
from tuner.home import Home


def load(folder: Path, text: str) -> ClusterSpec:
    (folder / "lab.yaml").write_text(text)
    return cluster_file.load(folder / "lab.yaml")


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(ClusterError) as refused:
        load(folder, text)
    return [str(mistake) for mistake in refused.value.mistakes]


def test_a_running_ray(tmp_path: Path) -> None:
    spec = load(
        tmp_path,
        "kind: ray\naddress: head.lab:6380\ntoken_file: lab.token\nstorage: /srv/sweeps\n",
    )
    assert isinstance(spec, ExistingRay)
    assert (spec.entry, spec.home) == ("head.lab:6380", Path("/srv/sweeps"))
    assert spec.token == tmp_path / "lab.token", "a relative path starts from the file's folder"


def test_machines_of_ones_own(tmp_path: Path) -> None:
    spec = load(tmp_path, "kind: ssh\nhosts: [10.0.0.1, lab-2]\nuser: lab\n")
    assert isinstance(spec, SshHosts)
    assert (spec.entry, spec.token, spec.home) == ("10.0.0.1:6379", None, None)
    spec = load(tmp_path, "kind: ssh\nhosts: [10.0.0.1, lab-2]\nhead: lab-2\nport: 7000\n")
    assert spec.entry == "lab-2:7000"


@pytest.mark.parametrize("time", ["90", "4:00:00", "2-12:00:00", "1-12"])
def test_a_slurm_job(tmp_path: Path, time: str) -> None:
    spec = load(tmp_path, f"kind: slurm\nnodes: 2\ntime: '{time}'\npartition: short\n")
    assert isinstance(spec, SlurmJob)
    assert (spec.nodes, spec.time, spec.entry) == (2, time, "auto")


def test_this_machine_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(tmp_path, "kind: embedded\n").entry is None
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert cluster_file.from_environment() == Embedded()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert cluster_file.from_environment().entry == "10.0.0.1:6379"
    monkeypatch.setenv("RAY_ADDRESS", "ray://10.0.0.1:10001")
    with pytest.raises(ClusterError, match="RAY_ADDRESS gave 'ray://10.0.0.1:10001'"):
        cluster_file.from_environment()


def test_sweeps_live_in_the_storage_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNER_HOME", raising=False)
    spec = load(tmp_path, "kind: ray\naddress: auto\nstorage: shared\n")
    assert Home(None, spec).path == tmp_path / "shared"
    assert Home(tmp_path / "here", spec).path == tmp_path / "here"
    assert spec.objects is None
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "there"))
    assert Home(None, spec).path == tmp_path / "there"


def test_an_object_store_keeps_copies_and_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    spec = load(tmp_path, "kind: ray\naddress: auto\nstorage: s3://lab/sweeps\n")
    assert spec.objects == "s3://lab/sweeps"
    assert Home(None, spec).path == tmp_path / "sweeps", "SQLite and locks need a disk"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["must name its `kind`", "nothing", "embedded, ray, ssh, slurm"]),
        ("- ray\n", ["a cluster file must be a mapping with `kind`", "line 1"]),
        ("address: a:1\n", ["`kind` must be given", "cluster/missing-key"]),
        ("kind: rya\n", ["`kind` must be one of embedded, ray, ssh, slurm", "line 1", "'rya'"]),
        ("kind: ray\n", ["`address` must be given", "line 1"]),
        ("kind: ray\naddress: head\n", ["`host:port`", "line 2 gave 'head'"]),
        ("kind: ray\naddress: ray://head:10001\n", ["without `ray://`", "line 2"]),
        ("kind: ray\naddress: head:70000\n", ["`host:port`", "line 2"]),
        ("kind: ray\naddress: a:1\ntoken: x\n", ["line 3", "Did you mean `token_file`?"]),
        ("kind: ray\naddress: a:1\nstorage: 3\n", ["`storage` must be a path", "line 3 gave 3"]),
        ("kind: ssh\nhosts: []\n", ["`hosts` must be valid", "at least 1 item", "line 2"]),
        ("kind: ssh\nhosts: [a, -oProxy]\n", ["names or IPv4 addresses", "'-oProxy'"]),
        ("kind: ssh\nhosts: [a, a]\n", ["each host once", "line 2"]),
        ("kind: ssh\nhosts: [a]\nhead: b\n", ["one of `hosts`: a", "line 3 gave 'b'"]),
        ("kind: ssh\nhosts: [a]\nuser: -x\n", ["name of a user", "line 3"]),
        ("kind: slurm\n", ["`time` must be given"]),
        ("kind: slurm\ntime: soon\n", ["time limit", "line 2 gave 'soon'"]),
        ("kind: slurm\ntime: '90'\nnodes: 0\n", ["greater than or equal to 1", "line 3"]),
        ("kind: slurm\ntime: '90'\nsetup: ['a\n\n  b']\n", ["single lines", "line 3"]),
        ("kind: slurm\ntime: '90'\npartition: a b\n", ["`partition`", "line 3 gave 'a b'"]),
        ("kind: ray\naddress: [\n", ["valid YAML"]),
    ],
)
def test_a_mistake_has_a_rule_a_place_a_value_and_a_way_out(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    (mistake,) = mistakes(tmp_path, text)
    assert all(part in mistake for part in [*parts, "lab.yaml", "[cluster/"]), mistake


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "kind: ssh\nhosts: [a, a]\nuser: -x\nport: 0\npasword: x\n")
    assert len(found) == 4


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"a cluster file must be .*no such file"):
        cluster_file.load(tmp_path / "none.yaml")


DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "clusters.md"


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(kind:.*?)```", DOCUMENT.read_text(), re.S))
def test_the_documented_files_are_read(tmp_path: Path, text: str) -> None:
    spec = load(tmp_path, text)
    assert spec.kind == text.split()[1]
