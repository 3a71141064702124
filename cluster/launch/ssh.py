"""A cluster on machines of one's own: Ray's head and workers started and ended over ssh.

Each node's Ray runs in a session of its own, whose process is written down, and only that session
is ended: `ray stop` would end every other Ray of the same user too.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from cluster.launch import ray_start
from cluster.refused import Refused
from cluster.spec import SshHosts
from cluster.token import read_token

_SECONDS = 120
_OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10")

_STARTED = "started"
_START = """\
set -euo pipefail
folder={folder}
umask 077
mkdir -p "$folder"
if [ -e "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2>/dev/null; then
    echo "runs already"
    exit
fi
cat > "$folder/token" <<'END_OF_TOKEN'
{token}
END_OF_TOKEN
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$folder/token"
setsid nohup {command} > "$folder/ray.log" 2>&1 < /dev/null &
pid=$!
echo "$pid" > "$folder/pid"
for _ in $(seq {seconds}); do
    if ! kill -0 "$pid" 2>/dev/null; then
        tail -n 5 "$folder/ray.log" >&2
        exit 1
    fi
    if grep -q "Ray runtime started" "$folder/ray.log"; then
        echo "{started}"
        exit
    fi
    sleep 1
done
echo "not started within {seconds} s; see $folder/ray.log" >&2
exit 1
"""
_STOP = """\
set -euo pipefail
folder={folder}
if [ ! -e "$folder/pid" ] || ! kill -0 "$(cat "$folder/pid")" 2>/dev/null; then
    echo "did not run"
    exit
fi
pid=$(cat "$folder/pid")
kill -TERM "$pid"
for _ in $(seq 20); do
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 1
done
pkill -KILL --session "$pid" || true
rm -rf "$folder"
echo "stopped"
"""


def start_script(spec: SshHosts, host: str, address: str, head: str, secret: str) -> str:
    """What a host's shell reads from ssh: the token comes that way too, never in a command line.

    Args:
        spec: the cluster.
        host: as the cluster file names it.
        address: under which the other hosts reach it.
        head: the head's address.
        secret: the token.
    """
    line = (
        ray_start.head(spec.python, address, port=spec.port, jobs=spec.jobs_port)
        if host == spec.first
        else ray_start.worker(spec.python, f"{head}:{spec.port}", address)
    )
    return _START.format(
        folder=_folder(spec, host),
        token=secret,
        command=shlex.join(line),
        started=_STARTED,
        seconds=60,
    )


def stop_script(spec: SshHosts, host: str) -> str:
    """Ends what `start_script` started, and nothing else."""
    return _STOP.format(folder=_folder(spec, host))


def up(spec: SshHosts) -> Iterator[tuple[str, str]]:
    """Starts the head, then the workers; gives each host and what became of it.

    Raises:
        Refused: a host is not reached, or Ray does not start on it; what was started here has been
            ended again.
    """
    secret = read_token(spec.token_file)
    addresses = {host: _address(host, spec) for host in spec.hosts}
    head = addresses[spec.first]
    started = []

    def start(host: str) -> str:
        said = _shell(spec, host, start_script(spec, host, addresses[host], head, secret))
        if said == _STARTED:
            started.append(host)
        return said

    try:
        yield spec.first, start(spec.first)
        yield from _together([host for host in spec.hosts if host != spec.first], start)
    except Refused:
        for host in started:
            _shell(spec, host, stop_script(spec, host))
        raise


def down(spec: SshHosts) -> Iterator[tuple[str, str]]:
    """Ends the Ray of each host; gives each and what became of it.

    Raises:
        Refused: a host is not reached; the others have been asked all the same.
    """

    def stop(host: str) -> str:
        return _shell(spec, host, stop_script(spec, host))

    yield from _together(spec.hosts, stop)


def look(spec: SshHosts, host: str, python: str) -> str:
    """What a line of Python says on a host, in the environment that trials will have.

    Raises:
        Refused: the host is not reached, or the line fails there.
    """
    return _shell(spec, host, f"{shlex.quote(spec.python)} - <<'END'\n{python}\nEND\n")


@contextmanager
def tunnel(who: str, port: int) -> Iterator[str]:
    """A way to a port on a host's loopback; gives the address of its near end.

    Raises:
        Refused: the host is not reached.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        near: int = probe.getsockname()[1]
    forward = f"127.0.0.1:{near}:127.0.0.1:{port}"
    line = ["ssh", *_OPTIONS, "-o", "ExitOnForwardFailure=yes", "-L", forward, who]
    # The far side says when the way is open, and ends with its input.
    process = subprocess.Popen(
        [*line, "echo open; cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        if process.stdout.readline().strip() != "open":
            raise _unreached(who, process.stderr.read())
        yield f"http://127.0.0.1:{near}"
    finally:
        process.stdin.close()
        process.terminate()
        process.wait()


def login(spec: SshHosts, host: str) -> str:
    """Whom ssh is to reach."""
    return f"{spec.user}@{host}" if spec.user else host


def is_here(host: str) -> bool:
    """Whether a host is this machine: its address can be bound."""
    try:
        with socket.create_server((socket.gethostbyname(host), 0)):
            return True
    except OSError:
        return False


def _folder(spec: SshHosts, host: str) -> str:
    return f'"$HOME/.cache/rnn-tuner/ray-{host}-{spec.port}"'


def _address(host: str, spec: SshHosts) -> str:
    try:
        address = socket.gethostbyname(host)
    except OSError as error:
        raise Refused(
            "each host must have an address",
            str(error),
            "Mend its name, or write its address.",
            code="cluster/host",
            where=host,
        ) from None
    others = any(not _is_loopback(other) for other in spec.hosts)
    if address.startswith("127.") and len(spec.hosts) > 1 and others:
        raise Refused(
            "each host must have an address that the others reach",
            address,
            "Write its address in the network that they share.",
            code="cluster/host",
            where=host,
        )
    return address


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.")


def _together(hosts: Sequence[str], work: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Works on all hosts at once; the first one's trouble is raised when all are through."""
    if hosts:
        with ThreadPoolExecutor(len(hosts)) as pool:
            asked = [pool.submit(work, host) for host in hosts]
        yield from ((host, done.result()) for host, done in zip(hosts, asked, strict=True))


def _shell(spec: SshHosts, host: str, script: str) -> str:
    who = login(spec, host)
    try:
        done = subprocess.run(
            ["ssh", *_OPTIONS, who, "bash", "-s"],
            input=script,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise _unreached(who, "there is no `ssh` here") from None
    except subprocess.TimeoutExpired:
        raise _unreached(who, f"no answer in {_SECONDS} s") from None
    if done.returncode == 255:
        raise _unreached(who, done.stderr)
    if done.returncode:
        raise Refused(
            "each host must do what it is told",
            _last(done.stderr) or f"exit status {done.returncode}",
            "Log in there and try; `python` of the cluster file must have rnn-tuner[cluster].",
            code="cluster/host-failed",
            where=who,
        )
    return done.stdout.strip()


def _unreached(who: str, said: str) -> Refused:
    return Refused(
        "each host must be reached over ssh without a password",
        _last(said) or "no answer",
        f"Make `ssh {who} true` work: a key, an agent, an entry in ~/.ssh/config.",
        code="cluster/ssh",
        where=who,
    )


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
