"""What is wrong is found and told with its remedy; what is right is left in peace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import tuner

from tuner.doctor import CHECKS, Patient, machine, places, services, software
from tuner.doctor.finding import Finding
from tuner.doctor.report import tell
from tuner.home import Home


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(home=Home(tmp_path / "sweeps"))


def code(finding: Finding) -> str | None:
    return finding.mistake and finding.mistake.code


def test_a_sound_machine_has_nothing_wrong(tmp_path: Path) -> None:
    done = tuner("doctor", "--json", cwd=tmp_path)
    found = {line["check"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert len(found) == len(CHECKS)
    assert {f["state"] for f in found.values()} <= {"ok", "warning"}, done.stdout
    assert done.returncode == 0
    assert found["ray"]["found"].endswith("ran a task, stopped")
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_only_what_must_be_is_imported() -> None:
    heavy = "{'torch', 'ray', 'mlflow', 'optuna', 'pyarrow', 'pandas'}"
    text = f"""
import sys
from tuner.doctor import CHECKS, Patient, services
from tuner.home import Home
for check in CHECKS:
    if check is not services.ray:
        check(Patient(home=Home("x")))
print(sorted({heavy} & set(sys.modules)))
"""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_old_package_is_told_with_both_versions(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = software._installed
    monkeypatch.setattr(software, "_installed", lambda n: "0.1" if n == "ray" else installed(n))
    finding = software.packages(patient)
    if code(finding) is None:
        pytest.skip("this package is not installed, so nothing is required")
    assert code(finding) == "doctor/packages"
    assert finding.mistake and finding.mistake.got.startswith("ray 0.1 where")


def test_a_home_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    # Root may write anywhere but here.
    finding = places.storage(Patient(home=Home("/proc/sweeps")))
    assert code(finding) == "doctor/storage" and finding.state == "wrong"
    assert "cannot be made" in str(finding.mistake) and "on proc" in str(finding.mistake)


def test_a_home_that_others_may_write_is_wrong(patient: Patient) -> None:
    patient.home.path.mkdir()
    patient.home.path.chmod(0o777)
    assert code(places.storage(patient)) == "doctor/open-storage"
    patient.home.path.chmod(0o700)
    assert places.storage(patient).state != "wrong"
    assert list(patient.home.path.iterdir()) == [], "nothing stays"


@pytest.mark.parametrize(("free", "state"), [(2**40, "ok"), (3 * 2**30, "warning"), (1, "wrong")])
def test_a_disk_that_is_nearly_full_is_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    usage = SimpleNamespace(free=free, total=2**41)
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: usage)
    assert places.free_disk(patient).state == state


def test_shared_memory_of_a_plain_container_is_too_small(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: SimpleNamespace(free=64 * 2**20))
    assert code(places.shared_memory(patient)) == "doctor/shared-memory"


def test_a_containers_limits_are_seen(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.threads(patient).state == "ok"
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text(f"{700 * 2**20}\n")
    (tmp_path / "memory.current").write_text(f"{600 * 2**20}\n")
    assert code(machine.threads(patient)) == "doctor/cpu-limit"
    finding = machine.memory(patient)
    assert code(finding) == "doctor/memory" and finding.state == "wrong", "not one lane fits"


def test_a_taken_port_is_named(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(machine, "_PORTS", {port: "something"})
            finding = machine.ports(patient)
    assert code(finding) == "doctor/ports" and str(port) in str(finding.mistake)
    assert finding.state == "warning"


def test_few_open_files_are_told_with_the_command_that_raises_them(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (1024, 524288))
    finding = machine.open_files(patient)
    assert finding.mistake and "ulimit -n 4096" in finding.mistake.fix


def test_a_tracking_server_that_is_away_is_wrong(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert code(services.tracking(patient)) == "tracking/unreachable"


def test_a_ray_that_does_not_start_is_told_in_its_own_words(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_START", "raise SystemExit('no room for a raylet')")
    finding = services.ray(patient)
    assert code(finding) == "doctor/ray" and finding.mistake
    assert finding.mistake.got == "no room for a raylet"


def test_a_ray_that_hangs_is_ended(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_START", "import time; time.sleep(600)")
    monkeypatch.setattr(services, "_RAY_SECONDS", 0.5)
    assert "no answer" in str(services.ray(patient).mistake)


def test_the_report_tells_the_remedy_and_fails(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = places.storage(Patient(home=Home("/proc/sweeps")))
    assert tell([wrong], as_json=False) == 1
    told = capsys.readouterr().out
    assert "Name another by --home" in told and "[doctor/storage]" in told and "1 wrong" in told
