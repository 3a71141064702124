"""A cluster over real ssh: two nodes of this machine, started, joined, used and ended."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import made
import pytest
import yaml
from command import ENVIRONMENT, tuner, write_spec
from heads import ROOT, free_ports, job_server_missing

from cluster.jobs import Job, ray
from cluster.refused import Refused
from cluster.token import make_token

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(SSHD is None or os.getuid() != 0, reason="needs openssh-server and root"),
    pytest.mark.skipif(bool(job_server_missing()), reason=job_server_missing() or ""),
]
HOSTS = ["127.0.0.1", "127.0.0.2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Holds `lab.yaml`; an sshd of our own and a key of our own are up."""
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "mine"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    port, head, jobs = free_ports(3)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nListenAddress 127.0.0.2\n"
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/mine.pub\nStrictModes no\n"
        f"PidFile {folder}/sshd.pid\nUsePAM no\nPermitRootLogin yes\n"
        f"SetEnv PYTHONPATH={ROOT} HOME={folder}\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n Port {port}\n IdentityFile {folder}/mine\n User {getpass.getuser()}\n"
        " StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n"
    )
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(
        f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n'
    )
    (folder / "bin" / "ssh").chmod(0o755)
    (folder / "shared").mkdir()
    spec = {
        "kind": "ssh",
        "hosts": HOSTS,
        "port": head,
        "jobs_port": jobs,
        "python": sys.executable,
        "storage": str(folder / "shared"),
        "token_file": str(folder / "token"),
    }
    (folder / "lab.yaml").write_text(yaml.safe_dump(spec))
    Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD
    daemon = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")])
    time.sleep(1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENVIRONMENT, "PATH", f"{folder}/bin:{os.environ['PATH']}")
        try:
            yield folder
        finally:
            tuner("cluster", "down", "lab.yaml", cwd=folder)
            daemon.terminate()
            daemon.wait()


def rays(folder: Path) -> list[str]:
    """Processes of ours: those with this folder's token in their environment."""
    mark = f"RAY_AUTH_TOKEN_PATH={folder}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_up_check_a_sweep_and_down(folder: Path) -> None:
    done = tuner("cluster", "up", "lab.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{host}: started" for host in HOSTS]
    again = tuner("cluster", "up", "lab.yaml", cwd=folder)
    assert again.stdout.splitlines() == [f"{host}: runs already" for host in HOSTS]
    checked = tuner("cluster", "check", "lab.yaml", cwd=folder)
    assert checked.returncode == 0, checked.stdout
    assert "host 127.0.0.2" in checked.stdout and "job server" in checked.stdout
    secret = (folder / "token").read_text()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert secret.encode() not in path.read_bytes()
        except OSError:
            continue
    assert rays(folder)
    made.sequences_csv(folder / "rows.csv", num=120)
    write_spec(folder / "small.yaml")
    begun = tuner("sweep", "small.yaml", "--cluster", "lab.yaml", "--detach", cwd=folder)
    assert begun.returncode == 0, begun.stderr
    said = tuner("logs", "small", "--cluster", "lab.yaml", "--follow", cwd=folder).stdout
    assert "[6/6]" in said and "best model:" in said, said
    assert (folder / "shared" / "small" / "finished.json").exists(), "it is in the storage"
    down = tuner("cluster", "down", "lab.yaml", cwd=folder)
    assert sorted(down.stdout.splitlines()) == [f"{host}: stopped" for host in HOSTS]
    time.sleep(1.0)
    assert rays(folder) == [], "a process is left behind"
    assert tuner("cluster", "down", "lab.yaml", cwd=folder).stdout.count("did not run") == 2


def test_a_job_server_on_another_hosts_loopback_is_reached(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    token = folder / "other-token"
    make_token(token)
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"ray_version": "2.60.0"}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        job = Job(kind="ray", id="", place=place, via="127.0.0.2", token_file=str(token))
        assert ray.version(job) == "2.60.0"
        server.shutdown()
    assert asked == [f"Bearer {token.read_text()}"]
    with pytest.raises(Refused, match="reached over ssh"):
        ray.version(replace(job, via="127.0.0.9"))


def test_a_host_that_is_away_is_named(folder: Path) -> None:
    spec = yaml.safe_load((folder / "lab.yaml").read_text()) | {"hosts": ["127.0.0.9"]}
    (folder / "away.yaml").write_text(yaml.safe_dump(spec))
    done = tuner("cluster", "up", "away.yaml", cwd=folder)
    assert done.returncode == 2 and "[cluster/ssh]" in done.stderr and "127.0.0.9" in done.stderr


def test_a_cluster_that_does_not_come_up_whole_is_ended_again(folder: Path) -> None:
    spec = yaml.safe_load((folder / "lab.yaml").read_text()) | {"hosts": ["127.0.0.1", "127.0.0.9"]}
    (folder / "half.yaml").write_text(yaml.safe_dump(spec))
    done = tuner("cluster", "up", "half.yaml", cwd=folder)
    assert done.returncode == 2 and "127.0.0.9" in done.stderr
    assert "127.0.0.1: started" in done.stdout
    time.sleep(1.0)
    assert rays(folder) == []


def test_a_python_without_us_is_told(folder: Path) -> None:
    spec = yaml.safe_load((folder / "lab.yaml").read_text()) | {"python": "/usr/bin/false"}
    (folder / "bare.yaml").write_text(yaml.safe_dump(spec))
    done = tuner("cluster", "check", "bare.yaml", cwd=folder)
    assert done.returncode == 1 and "[cluster/host-failed]" in done.stdout
