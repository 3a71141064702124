"""An object store on this machine: moto's server, which speaks S3 on loopback."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from heads import free_ports

BUCKET = "lab"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def missing() -> str | None:
    """Why no store can be started here."""
    return None if importlib.util.find_spec("moto") else "needs moto[s3]"


@dataclass(frozen=True)
class Store:
    """One server and its bucket."""

    host: str
    """`host:port`."""

    @property
    def endpoint(self) -> str:
        """Address, as AWS_ENDPOINT_URL takes it."""
        return f"http://{self.host}"

    def uri(self, folder: str, bucket: str = BUCKET) -> str:
        """A folder's URI, which names the endpoint itself."""
        return f"s3://{bucket}/{folder}?endpoint_override={self.host}&scheme=http"

    def demand_credentials(self) -> None:
        """From now on only users that it knows are served: nobody."""
        self._post("/moto-api/reset-auth", b"0")

    def ask_nobody(self) -> None:
        """From now on everybody is served."""
        self._post("/moto-api/reset-auth", b"inf")

    def _post(self, path: str, body: bytes) -> None:
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.endpoint}{path}", body, headers)
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def store(folder: Path, host: str = "127.0.0.1", prefix: tuple[str, ...] = ()) -> Iterator[Store]:
    """Starts a server with an empty bucket.

    Args:
        host: address under which it is reached.
        prefix: of its command, such as one that enters a network namespace.
    """
    (port,) = free_ports(1)
    log = folder / "store.log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [*prefix, sys.executable, "-m", "moto.server", "-H", "0.0.0.0", "-p", str(port)],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | CREDENTIALS,
        )
    made = Store(f"{host}:{port}")
    try:
        _make_bucket(made, prefix, log)
        yield made
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _make_bucket(store: Store, prefix: tuple[str, ...], log: Path) -> None:
    code = (
        "import sys, urllib.request as u; "
        "u.urlopen(u.Request(sys.argv[1], method='PUT'), timeout=10).close()"
    )
    command = [*prefix, sys.executable, "-c", code, f"{store.endpoint}/{BUCKET}"]
    deadline = time.monotonic() + 60
    while subprocess.run(command, capture_output=True).returncode != 0:
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.3)
