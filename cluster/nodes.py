"""What each node of a cluster must be like: the same versions, and the same storage.

Every node is asked by one small task, which brings its own code: a node may lack ours.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.refused import Refused
from cluster.storage import ObjectStore
from cluster.uris import joined

ASK_SECONDS = 60.0
"""How long a node may take to start a process and answer."""
DRIVER = "driver"
"""The probe's file that this process writes."""
OURS = ("tuner", "cluster", "search_spaces")

Answer = dict[str, Any]


@dataclass(frozen=True)
class _Probe:
    """A file that this process wrote, beside which every node writes one."""

    place: str
    """Of both: a folder, or the URI of one."""
    secret: str
    """What is in it."""
    sees: Callable[[str], bool]
    """Whether this process sees the file of a node."""


def check_nodes(place: Path | str, addresses: dict[str, str]) -> list[Refused]:
    """Everything in which a node differs from this process; empty if a sweep can run on all.

    Args:
        place: what all nodes must see, with what the others write there: a folder, made if it is
            not there, or the URI of one in an object store.
        addresses: of the nodes, by id.
    """
    try:
        with _in_store(place) if isinstance(place, str) else _in_folder(place) as probe:
            return _differences(probe, addresses, place)
    except Refused as refused:
        return [refused]


@contextmanager
def _in_folder(folder: Path) -> Iterator[_Probe]:
    made = not folder.exists()
    probe = folder / f".probe-{secrets.token_hex(8)}"
    try:
        probe.mkdir(parents=True)
        (probe / DRIVER).write_text(probe.name)
    except OSError as failed:
        raise _unwritable(folder, failed.strerror or type(failed).__name__) from None
    try:
        yield _Probe(str(probe), probe.name, lambda node: (probe / node).exists())
    finally:
        shutil.rmtree(probe, ignore_errors=True)
        if made:
            folder.rmdir()


@contextmanager
def _in_store(uri: str) -> Iterator[_Probe]:
    secret = f".probe-{secrets.token_hex(8)}"
    store = ObjectStore(joined(uri, secret))
    store.write(DRIVER, secret.encode())
    try:
        yield _Probe(store.uri, secret, lambda node: store.stamp(node) is not None)
    finally:
        store.delete(store.stamps())


def _differences(probe: _Probe, addresses: dict[str, str], place: Path | str) -> list[Refused]:
    ask = _asking()
    here = ask(probe.place, DRIVER)
    found = []
    for node, answer in _ask_all(ask, probe.place, addresses).items():
        address = addresses[node]
        if isinstance(answer, str):
            found.append(_silent(address, answer))
            continue
        found += _other_versions(address, answer, here)
        if answer["read"] != probe.secret:
            found.append(_not_shared(place, address, f"there: {answer['read']}"))
        elif not probe.sees(node):
            found.append(_not_shared(place, address, "a file written there and unseen here"))
    return found


def _ask_all(
    ask: Callable[[str, str], Answer], probe: str, addresses: dict[str, str]
) -> dict[str, Answer | str]:
    """Each node's answer, or why there is none."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(ask)
    asked = {
        node: task.options(
            num_cpus=0,
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        ).remote(probe, node)
        for node in addresses
    }
    ray.wait(list(asked.values()), num_returns=len(asked), timeout=ASK_SECONDS)
    answers: dict[str, Answer | str] = {}
    for node, future in asked.items():
        try:
            answers[node] = ray.get(future, timeout=0)
        except ray.exceptions.GetTimeoutError:
            ray.cancel(future, force=True)
            answers[node] = f"no answer within {ASK_SECONDS:g} s"
        except ray.exceptions.RayError as failed:
            answers[node] = " ".join(str(failed).split())[:300]
    return answers


def _asking() -> Callable[[str, str], Answer]:
    """The task. Ray sends by value what is made here, so that it needs none of our modules."""
    packages, written = OURS, DRIVER

    def ask(probe: str, name: str) -> dict[str, Any]:
        import hashlib
        import importlib.metadata
        import importlib.util
        import pathlib
        import platform

        def version(package: str) -> str:
            try:
                return importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                return "none"

        digest = hashlib.sha256()
        for package in packages:
            spec = importlib.util.find_spec(package)
            for place in (spec.submodule_search_locations or []) if spec else []:
                root = pathlib.Path(place)
                for path in sorted([*root.rglob("*.py"), *root.rglob("*.yaml")]):
                    digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
        try:
            if "://" in probe:
                from cluster.storage import ObjectStore

                store = ObjectStore(probe)
                read = (store.read(written) or b"nothing").decode()
                if name != written:
                    store.write(name, b"")
            else:
                folder = pathlib.Path(probe)
                read = (folder / written).read_text()
                if name != written:
                    (folder / name).touch()
        except ImportError as absent:
            read = str(absent)
        except OSError as failed:
            read = failed.strerror or str(failed) or type(failed).__name__
        except ValueError as refused:  # a `Refused`, whose class this task cannot know
            read = str(refused)
        return {
            "versions": {
                "Python": ".".join(platform.python_version_tuple()[:2]),
                "torch": version("torch"),
                "rnn-tuner": f"{version('rnn-tuner')} ({digest.hexdigest()[:8]})",
            },
            "read": read,
        }

    return ask


def _other_versions(address: str, there: Answer, here: Answer) -> list[Refused]:
    return [
        Refused(
            f"all nodes must have the {name} of this machine, {expected}",
            there["versions"][name],
            "Install the same there, or start that node from the same image.",
            code="cluster/version",
            where=f"node {address}",
        )
        for name, expected in here["versions"].items()
        if there["versions"][name] != expected
    ]


def _not_shared(place: Path | str, address: str, got: str) -> Refused:
    if isinstance(place, str):
        return Refused(
            f"all nodes must read and write {place.partition('?')[0]}",
            got,
            "Give that node credentials for it, and a way to its endpoint.",
            code="cluster/storage",
            where=f"node {address}",
        )
    return Refused(
        f"all nodes must share the folder of sweeps, {place}",
        got,
        "Name a folder on a shared disk as the cluster's `storage`, or as `--home`.",
        code="cluster/storage",
        where=f"node {address}",
    )


def _unwritable(folder: Path, why: str) -> Refused:
    return Refused(
        f"the folder of sweeps, {folder}, must be writable",
        why,
        "Make room or give the right to write there, or name another folder.",
        code="cluster/storage",
        where="this machine",
    )


def _silent(address: str, why: str) -> Refused:
    return Refused(
        "every node must run a task",
        why,
        "Look at Ray's logs there, or take the node out of the cluster.",
        code="cluster/node",
        where=f"node {address}",
    )
