"""What every schedule's settings share."""

from __future__ import annotations

from pydantic import Field

from tuner.part import Config


class ScheduleConfig(Config):
    """A schedule multiplies `optimizer/lr`."""

    warmup: float = Field(default=0.0, ge=0, le=0.5)
    """Share of the full budget over which the rate rises linearly from zero."""
