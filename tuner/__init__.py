"""Tune recurrent networks: launch a sweep, compare its runs, export the best model.

    sweep = tuner.Sweep.from_file("spec.yaml")
    board = sweep.run()
    sweep.export("model/")

A part of one's own (an architecture, a task, a format) describes itself by a `tuner.Config`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.export.bundle import Bundle
    from tuner.part import Config
    from tuner.results.leaderboard import Leaderboard
    from tuner.sweep import Sweep

__version__ = "0.1.0"
__all__ = ["Bundle", "Config", "Leaderboard", "Sweep", "__version__"]

_HOMES = {
    "Bundle": "tuner.export.bundle",
    "Config": "tuner.part",
    "Leaderboard": "tuner.results.leaderboard",
    "Sweep": "tuner.sweep",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: `import tuner` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tuner' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
