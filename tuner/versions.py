"""What a sweep was made with: the libraries and the processor that its bits depend on."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tuner.files import write_text

FILE = "versions.json"
LIBRARIES = ("torch", "numpy", "safetensors", "pyarrow", "ray", "optuna", "mlflow")


def current() -> dict[str, str]:
    """Name → version, of what this process would train with."""
    from tuner import __version__

    found = {"rnn-tuner": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found | {"processor": _processor()}


def keep(folder: Path) -> None:
    """Writes down what is current, in a sweep's folder."""
    write_text(folder / FILE, json.dumps(current(), indent=1) + "\n")


def changes(folder: Path) -> list[str]:
    """What is no longer as it was when a sweep began: `torch 2.12.0 then, 2.13.0 now`.

    Empty for a folder without a record.
    """
    path = folder / FILE
    then: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    now = current()
    return [
        f"{name} {then[name]} then, {now.get(name, 'none')} now"
        for name in then
        if then[name] != now.get(name)
    ]


def _processor() -> str:
    """The model as Linux tells it: kernels are chosen by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
