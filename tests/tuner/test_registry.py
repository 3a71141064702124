"""Parts by name: those shipped, one's own by import path, and the nearest of a misspelt one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import tuner
from tuner import registry
from tuner.registry import UnknownPart

SHIPPED = [(kind, name) for kind in registry.FOLDERS for name in registry.names(kind)]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that import paths lead into, for one test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    registry.search_in(tmp_path)
    registry.search_in(str(tmp_path))
    assert sys.path.count(str(tmp_path)) == 1
    return tmp_path


@pytest.mark.parametrize("kind", registry.FOLDERS)
def test_every_public_file_is_a_part(kind: str) -> None:
    folder = Path(tuner.__file__).parent.parent / Path(*registry.FOLDERS[kind].split("."))
    files = {path.stem for path in folder.glob("*.py") if not path.name.startswith("_")}
    assert files and files <= set(registry.names(kind))
    assert registry.names(kind) == sorted(registry.names(kind))
    assert not [name for name in registry.names(kind) if name.startswith("_")]


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_a_part_is_its_module(kind: str, name: str) -> None:
    module = registry.get(kind, name)
    assert module.__name__ == f"{registry.FOLDERS[kind]}.{name}" and module.__doc__
    assert registry.get(kind, name) is module


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("cells", "lstn", "lstm"),
        ("cells", "LSTM", None),
        ("cells", "", None),
        ("cells", "_base", None),
        ("tasks", "clasification", "classification"),
        ("formats", "parket", "parquet"),
        ("cells", "transformer", None),
        ("cells", "no_such_package.cell", None),
        ("cells", "json.no_such_module", None),
        ("cells", "no_such_package:Cell", None),
    ],
)
def test_unknown_parts_name_the_nearest(kind: str, name: str, nearest: str | None) -> None:
    with pytest.raises(UnknownPart) as unknown:
        registry.get(kind, name)
    assert unknown.value.nearest == nearest
    assert unknown.value.known == registry.names(kind)
    assert repr(name) in str(unknown.value) and unknown.value.known[0] in str(unknown.value)


@pytest.mark.parametrize("name", ["./mine.py", "../mine", ".", "..", ".mine", ":Mine", "./mine:M"])
def test_a_path_is_not_an_import_path(name: str) -> None:
    """But what a user types who has a file, so that it must be refused like any other name."""
    with pytest.raises(UnknownPart):
        registry.get("cells", name)


def test_an_own_part_is_found_by_its_import_path(own: Path) -> None:
    (own / "registry_own").mkdir()
    (own / "registry_own" / "cell.py").write_text("GATES = ('one',)\n")
    module = registry.get("cells", "registry_own.cell")
    assert module.GATES == ("one",)
    assert registry.get("cells", "registry_own.cell:Cell") is module
    assert "registry_own.cell" not in registry.names("cells")


def test_what_an_own_part_lacks_is_not_taken_for_the_part(own: Path) -> None:
    (own / "registry_lacking").mkdir()
    (own / "registry_lacking" / "cell.py").write_text("import no_such_package\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        registry.get("cells", "registry_lacking.cell")


def test_what_is_installed_goes_before_an_own_folder(own: Path) -> None:
    (own / "json").mkdir()
    (own / "json" / "decoder.py").write_text("raise RuntimeError\n")
    assert registry.get("cells", "json.decoder").__name__ == "json.decoder"


def test_an_installed_package_adds_parts(own: Path) -> None:
    """By an entry point, as its metadata tell it."""
    (own / "registry_added.py").write_text("GATES = ('two',)\n")
    info = own / "registry_added-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: registry-added\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rnn_tuner.cells]\nadded = registry_added\n")
    registry.names.cache_clear()
    try:
        assert "added" in registry.names("cells") and "lstm" in registry.names("cells")
        assert registry.get("cells", "added").GATES == ("two",)
    finally:
        registry.names.cache_clear()
        registry.get.cache_clear()
