"""Where a study in PostgreSQL is, and what is wrong with that."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import write_spec

from tuner import spec_reader
from tuner.errors import SpecError
from tuner.search import database


def test_a_study_keeps_the_name_it_was_given(tmp_path: Path) -> None:
    folder = tmp_path / "vowels"
    assert database.of(folder, None) is None and not folder.exists()
    first = database.of(folder, "postgresql://host/studies")
    assert first is not None and first.name.startswith("vowels-")
    assert database.of(folder, "postgresql://host/studies") == first == database.in_folder(folder)
    assert database.of(tmp_path / "x" / "vowels", "postgresql://host/studies") != first


def test_the_driver_is_the_one_of_the_extra() -> None:
    for url in ("postgresql://host/a", "postgresql+psycopg://host/a"):
        place = database.Database(url=url, name="x")
        assert place.driver_url == "postgresql+psycopg://host/a"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sqlite:///studies.db", "search/storage-scheme"),
        ("redis://host", "search/storage-scheme"),
        ("postgresql:///studies", "tracking/uri-host"),
        ("postgresql://me:hunter2@host/studies", "tracking/uri-secret"),
    ],
)
def test_a_wrong_address_is_a_mistake_of_the_spec(url: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,label\n")
    path = write_spec(tmp_path / "small.yaml", search={"storage": url})
    with pytest.raises(SpecError) as wrong:
        spec_reader.load(path)
    assert [mistake.code for mistake in wrong.value.mistakes] == [code]
    assert "small.yaml line" in wrong.value.mistakes[0].where
    assert "hunter2" not in str(wrong.value)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.importlib.util, "find_spec", lambda _: None)
    mistake = database.trouble("postgresql://127.0.0.1/studies")
    assert mistake and "rnn-tuner[postgresql]" in mistake.fix
