"""The interpreter and the packages: what is installed, and whether it is what we ask for."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, version

from tuner.doctor.finding import Finding, Patient
from tuner.errors import Mistake

PACKAGE = "rnn-tuner"
_TOLD = ("ray", "torch", "optuna", "mlflow", "pyarrow")
"""Packages whose versions are shown though nothing is wrong with them."""


def python(patient: Patient) -> Finding:
    """The interpreter and the system it runs on."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "linux":
        return Finding(check="python", found=found)
    mistake = Mistake(
        code="doctor/system",
        rule="a sweep must run on Linux",
        where="this machine",
        got=platform.system(),
        fix="Use a Linux machine, a container or WSL.",
    )
    return Finding(check="python", found=found, mistake=mistake)


def packages(patient: Patient) -> Finding:
    """Whether each package that we need is there in a version that we work with."""
    wrong = [
        f"{name} {installed or 'absent'} where {wanted or 'any'} is needed"
        for name, wanted, installed, extra in _required()
        if not extra and not _suits(installed, wanted)
    ]
    found = ", ".join(f"{name} {_installed(name) or 'absent'}" for name in _TOLD)
    if not wrong:
        return Finding(check="packages", found=found)
    mistake = Mistake(
        code="doctor/packages",
        rule="the packages must be of versions that this one works with",
        where="this environment",
        got="; ".join(wrong),
        fix=f"Install it anew: `pip install --upgrade {PACKAGE}` in a fresh environment.",
    )
    return Finding(check="packages", found=found, mistake=mistake)


def extras(patient: Patient) -> Finding:
    """Which optional parts are installed; none is needed until a spec asks for it."""
    complete: dict[str, bool] = {}
    for _, wanted, installed, extra in _required():
        if extra and extra != "dev":
            complete[extra] = complete.get(extra, True) and _suits(installed, wanted)
    there = [name for name, whole in complete.items() if whole]
    absent = [name for name, whole in complete.items() if not whole]
    found = ", ".join(there) or "none"
    if absent:
        found += f"; not installed: {', '.join(absent)} (`pip install '{PACKAGE}[{absent[0]}]'`)"
    return Finding(check="extras", found=found)


def _required() -> Iterator[tuple[str, str, str | None, str]]:
    """Name, wanted versions, installed version and extra of each requirement of ours."""
    from packaging.requirements import Requirement

    try:
        about = metadata(PACKAGE)
    except PackageNotFoundError:
        return  # run from a folder of sources, without having been installed
    for text in about.get_all("Requires-Dist") or []:
        need = Requirement(text)
        if need.name == PACKAGE:
            continue
        for extra in ["", *(about.get_all("Provides-Extra") or [])]:
            if need.marker is None and extra:
                continue
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                yield need.name, str(need.specifier), _installed(need.name), extra
                break


def _suits(installed: str | None, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return installed is not None and SpecifierSet(wanted).contains(installed, prereleases=True)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
