"""Data files in an object store: fetched once, named by their URIs, and missed in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import object_store
import pytest
from object_store import Store

from cluster.storage import ObjectStore
from tuner.data import files
from tuner.data.card import DataCard
from tuner.data.store import CARD
from tuner.errors import DataError

pytestmark = pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing() or "")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with object_store.store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    for name, value in object_store.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def put(store: Store, folder: Path, text: str | None = None) -> None:
    path = folder / "rows.csv"
    path.write_text(text) if text else made.sequences_csv(path)
    ObjectStore(store.uri("raw")).store(path, "rows.csv")
    path.unlink()


def prepared(folder: Path, **data: Any) -> DataCard:
    section = {"id": "id", "time": "step", "target": "label", **data}
    where = made.prepared(folder, made.CLASSIFICATION, section)
    return DataCard.loads((where / CARD).read_text())


def test_a_file_is_fetched_once_and_seen_to_change(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, tmp_path)
    card = prepared(tmp_path, train="s3://lab/raw/rows.csv")
    assert card.files[0].path == "s3://lab/raw/rows.csv"
    assert files.changed_files(card, tmp_path) == []
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "fetch", lambda *_: pytest.fail("fetched again"))
        assert files.changed_files(card, tmp_path) == []
    put(store, tmp_path, "id,step,x,label\n")
    (changed,) = files.changed_files(card, tmp_path)
    assert changed.code == "data/changed" and changed.where == "s3://lab/raw/rows.csv"
    ObjectStore(store.uri("raw")).delete(["rows.csv"])
    (gone,) = files.changed_files(card, tmp_path)
    assert gone.code == "data/missing"


def test_a_mistake_in_it_names_the_uri(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "id,step,x,label\na,0,1,p\na,1,oops,p\n")
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, train="s3://lab/raw/rows.csv")
    assert "s3://lab/raw/rows.csv" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepared(
            tmp_path,
            train=["s3://lab/raw/none.csv", "absent.csv"],
            test="s3://none/rows.csv",
            validation="ftp://lab/rows.csv",
        )
    codes = {mistake.code for mistake in caught.value.mistakes}
    assert codes == {"data/missing", "storage/uri"}
    assert len([m for m in caught.value.mistakes if m.code == "data/missing"]) == 3
    assert not (tmp_path / "data").exists()
