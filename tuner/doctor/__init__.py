"""`tuner doctor`: what is wrong with this machine or a cluster, and how to mend it.

A check is a function in a file beside this one and a place in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tuner.doctor import machine, places, services, software
from tuner.doctor.finding import Finding, Patient

__all__ = ["CHECKS", "Finding", "Patient", "examine"]

CHECKS: tuple[Callable[[Patient], Finding], ...] = (
    software.python,
    software.packages,
    software.extras,
    machine.threads,
    machine.memory,
    machine.devices,
    machine.open_files,
    machine.ports,
    places.free_disk,
    places.storage,
    places.shared_memory,
    places.scratch,
    services.tracking,
    services.ray,
)
"""In the order in which they are told; the slow ones last."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Findings one by one, as they come; nothing stays started or written."""
    for check in CHECKS:
        yield check(patient)
