"""Two folders made equal, in one direction at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import object_store
import pytest

from cluster.storage import ObjectStore
from tuner.mirror import Mirror, digest

pytestmark = pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing() or "")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with object_store.store(tmp_path_factory.mktemp("store")) as running:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in object_store.CREDENTIALS.items():
                patch.setenv(name, value)
            yield running.uri("mirrored")


@pytest.fixture
def store(uri: str) -> Iterator[ObjectStore]:
    found = ObjectStore(uri)
    yield found
    found.delete(found.stamps())


class Watched(ObjectStore):
    """Notes what crosses the network."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.seen: list[str] = []

    def store(self, path: Path, name: str) -> None:
        self.seen.append(f"+{name}")
        super().store(path, name)

    def delete(self, names: object) -> None:
        told = list(names)  # type: ignore[call-overload]
        self.seen += [f"-{name}" for name in told]
        super().delete(told)

    def fetch(self, name: str, to: Path) -> None:
        self.seen.append(f"<{name}")
        super().fetch(name, to)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_only_what_changed_crosses_and_manifests_come_last(
    store: ObjectStore, tmp_path: Path
) -> None:
    watched = Watched(store.uri)
    write(tmp_path, a__json="{}", b__bin="1", _hidden="x")
    (tmp_path / "_hidden").rename(tmp_path / ".hidden")
    mirror = Mirror(watched, tmp_path)
    mirror.push()
    assert watched.seen == ["+b.bin", "+a.json"]
    mirror.push(), mirror.pull()
    assert len(watched.seen) == 2, "nothing has changed"
    write(tmp_path, b__bin="another")
    mirror.push()
    (tmp_path / "a.json").unlink(), (tmp_path / "b.bin").unlink()
    mirror.push()
    assert watched.seen[2:] == ["+b.bin", "-a.json", "-b.bin"]
    assert store.stamps() == {}


def test_a_no_before_the_manifests_keeps_them_away(store: ObjectStore, tmp_path: Path) -> None:
    write(tmp_path, a__json="{}", b__bin="1")

    def no() -> None:
        raise RuntimeError("fenced")

    with pytest.raises(RuntimeError, match="fenced"):
        Mirror(store, tmp_path).push(before_manifests=no)
    assert list(store.stamps()) == ["b.bin"]


def test_what_others_wrote_is_fetched_and_never_deleted(store: ObjectStore, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    write(ours, own__txt="ours"), write(theirs / "trials", best__bin="weights", curve__csv="old")
    driver, lane = Mirror(store, ours), Mirror(store, theirs)
    driver.push(), lane.push()
    write(ours / "trials", curve__csv="newer")
    driver.pull("trials", keep=("curve.csv",))
    assert (ours / "trials" / "best.bin").read_text() == "weights"
    assert (ours / "trials" / "curve.csv").read_text() == "newer"
    driver.push()
    assert store.read("trials/curve.csv") == b"newer"
    assert set(store.stamps()) == {"own.txt", "trials/best.bin", "trials/curve.csv"}


def test_what_is_written_once_is_not_stored_twice(store: ObjectStore, tmp_path: Path) -> None:
    write(tmp_path / "data", steps__arrow="rows")
    Mirror(store, tmp_path).push()
    watched = Watched(store.uri)
    again = Mirror(watched, tmp_path)
    again.know("data")
    again.push(skip=["lock"])
    assert watched.seen == []


def test_a_digest_stands_for_content_alone(tmp_path: Path) -> None:
    write(tmp_path / "one", a__bin="1", b__bin="2"), write(tmp_path / "two", b__bin="2", a__bin="1")
    write(tmp_path / "two" / "__pycache__", mine__pyc="x")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    write(tmp_path / "two", a__bin="3")
    assert digest(tmp_path / "one") != digest(tmp_path / "two")
