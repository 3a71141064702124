"""A folder in an object store, against a real server of S3's protocol; every no in seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import object_store
import pytest
from heads import free_ports
from object_store import Store

from cluster.refused import Refused
from cluster.storage import ObjectStore
from cluster.uris import joined, resolved

pytestmark = pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing() or "")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with object_store.store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the tests alone."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in object_store.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def refused(uri: str, within: float = 15) -> Refused:
    """What a check of a folder says no by."""
    begin = time.monotonic()
    with pytest.raises(Refused) as caught:
        ObjectStore(uri).check()
    seconds = time.monotonic() - begin
    assert seconds < within, f"told after {seconds:.1f} s: {caught.value}"
    return caught.value


def test_objects_are_written_found_fetched_and_deleted(store: Store, tmp_path: Path) -> None:
    folder = ObjectStore(store.uri("sweeps/one"))
    assert folder.stamps() == {} and folder.read("a/b.txt") is None
    folder.write("a/b.txt", b"first")
    (tmp_path / "large").write_bytes(bytes(3 << 20))
    folder.store(tmp_path / "large", "c.bin")
    assert {name: size for name, (size, _) in folder.stamps().items()} == {
        "a/b.txt": 5,
        "c.bin": 3 << 20,
    }
    assert list(folder.stamps("a")) == ["a/b.txt"]
    assert folder.stamp("c.bin") == folder.stamps()["c.bin"] and folder.stamp("c") is None
    folder.fetch("c.bin", tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == bytes(3 << 20)
    with pytest.raises(FileNotFoundError):
        folder.fetch("none", tmp_path / "deep" / "none")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy"]
    folder.delete(["c.bin", "never.bin"])
    assert folder.read("a/b.txt") == b"first" and list(folder.stamps()) == ["a/b.txt"]
    ObjectStore(store.uri("sweeps/one")).check()
    assert list(folder.stamps()) == ["a/b.txt"], "a check leaves nothing"


def test_the_endpoint_may_come_from_the_environment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    found = resolved("s3://lab/sweeps/")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    ObjectStore(joined(found, "here")).write("x", b"1")
    assert ObjectStore(store.uri("sweeps/here")).read("x") == b"1", "a node needs no such variable"


def test_no_bucket(store: Store) -> None:
    said = refused(store.uri("sweeps", bucket="none"))
    assert said.code == "storage/no-bucket" and said.where == "s3://none/sweeps"


def test_nobody_answers() -> None:
    (port,) = free_ports(1)
    uri = f"s3://lab/sweeps?endpoint_override=127.0.0.1:{port}&scheme=http"
    assert refused(uri).code == "storage/unreachable"


def test_a_host_that_is_none() -> None:
    uri = "s3://lab/sweeps?endpoint_override=nobody.invalid&scheme=http"
    assert refused(uri).code == "storage/unreachable"


def test_no_credentials_and_credentials_without_a_right(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.demand_credentials()
    try:
        said = refused(store.uri("sweeps"))
        assert said.code == "storage/no-right" and "test" not in said.where
        for name in object_store.CREDENTIALS:
            monkeypatch.delenv(name)
        said = refused(store.uri("sweeps"))
        assert said.code == "storage/no-credentials" and "AWS_ACCESS_KEY_ID" in said.fix
    finally:
        store.ask_nobody()


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("ftp://host/folder", "must be the URI of an object store, s3, gs"),
        ("s3:///folder", "must be the URI of an object store"),
        ("s3://me:hidden@lab/folder", "must hold no credentials"),
        ("s3://lab/folder?access_key=hidden", "must hold no credentials"),
        ("s3://lab/folder?endpoint_override=169.254.169.254", "not link-local"),
    ],
)
def test_what_is_no_place(uri: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as caught:
        ObjectStore(uri)
    assert caught.value.code == "storage/uri"
    assert "hidden" not in f"{caught.value} {caught.value.where}"
