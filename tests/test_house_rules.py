"""Rules of the house, each one small test."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tuner", "search_spaces", "cluster")
FORBIDDEN = {
    "search_spaces": {"tuner", "cluster", "ray", "torch", "optuna", "mlflow"},
    "cluster": {"tuner", "search_spaces", "torch", "optuna", "mlflow"},
}
ONLY_HOME = {"mlflow": "tuner/tracking/", "optuna": "tuner/search/"}


def modules() -> list[Path]:
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_between_packages(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    roots = {name.partition(".")[0] for name in imports(path)}
    assert not roots & FORBIDDEN.get(place.partition("/")[0], set())
    for library, home in ONLY_HOME.items():
        assert library not in roots or place.startswith(home), f"{place} imports {library}"
    if place.startswith("tuner/training/") or place.startswith("tuner/models/"):
        assert "ray" not in roots, f"{place} must run without Ray"
    assert not roots & {"pickle", "cloudpickle", "dill", "joblib"}, f"{place} must not pickle"
    assert "ray.data" not in set(imports(path))


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_is_small_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 700
    assert ast.get_docstring(ast.parse(text)), "a module says in one sentence what it is"


def test_torch_load_is_nowhere() -> None:
    assert not [p for p in modules() if re.search(r"torch\.load\(|yaml\.load\(", p.read_text())]


def test_all_packages_are_found() -> None:
    found = {p.parent for package in PACKAGES for p in (ROOT / package).rglob("*.py")}
    assert [p for p in found if not (p / "__init__.py").is_file()] == []


@pytest.mark.parametrize(
    "command",
    ["import tuner.cli; tuner.cli.main(['spaces'])", "import tuner.spec", "import tuner"],
)
def test_quick_commands_import_nothing_heavy(command: str) -> None:
    heavy = "{'torch', 'ray', 'mlflow', 'optuna', 'pyarrow', 'pandas', 'scipy', 'onnx'}"
    code = f"import sys; {command}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_driver_of_a_sweep_does_without_torch() -> None:
    """It costs seconds and half a gigabyte where nothing is trained."""
    names = "tuner.sweep, tuner.record, tuner.trainable, tuner.final, tuner.memory, tuner.baselines"
    names += ", tuner.search.tune, tuner.search.study, tuner.tracking.tracker, tuner.data.prepare"
    code = f"import sys, {names}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_public_names_exist() -> None:
    import tuner

    for name in tuner.__all__:
        assert getattr(tuner, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        tuner.nothing_such  # noqa: B018
