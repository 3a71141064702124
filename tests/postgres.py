"""A real PostgreSQL of our own, from Debian's packages: on loopback, in a folder that goes."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heads import free_ports

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_USER = "postgres"


def missing() -> str | None:
    """Why there can be no PostgreSQL here."""
    if not _PROGRAMS or not (_PROGRAMS[0] / "initdb").exists():
        return "needs Debian's postgresql"
    if importlib.util.find_spec("psycopg") is None:
        return "needs rnn-tuner[postgresql]: psycopg absent"
    return None if os.getuid() == 0 else "needs root, to become the user postgres"


class Server:
    """One that can be ended and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"postgresql://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        line = [str(_PROGRAMS[0] / "postgres"), "-D", str(self.folder / "data"), "-h", "127.0.0.1"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*line, "-p", str(self.port), "-k", str(self.folder), "-c", "fsync=off"],
                stdout=log,
                stderr=subprocess.STDOUT,
                user=_USER,
                group=_USER,
                cwd=self.folder,
                extra_groups=[],
            )
        deadline = time.monotonic() + 30
        ready = [str(_PROGRAMS[0] / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.2)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                # It waits for its clients unless asked like this.
                self._process.send_signal(2)
                self._process.wait(timeout=20)
            self._process = None

    def query(self, database: str, text: str) -> list[tuple[object, ...]]:
        """What a statement gives."""
        import psycopg

        connection = psycopg.connect(f"{self.url}/{database}", user=_USER)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(text)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()


@contextmanager
def postgres() -> Iterator[Server]:
    """Starts one; whoever sets PGUSER to `postgres` gets in."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    who = pwd.getpwnam(_USER)
    os.chown(folder, who.pw_uid, who.pw_gid)
    try:
        subprocess.run(
            [str(_PROGRAMS[0] / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-E", "UTF8"],
            user=_USER,
            group=_USER,
            extra_groups=[],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        server = Server(folder, free_ports(1)[0])
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
