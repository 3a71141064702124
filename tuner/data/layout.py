"""Which column of a raw table means what; goes into every exported bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Missing = Literal["error", "forward", "mean", "zero"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How to read a file the way the training files were read."""

    format: str | None = None
    """Name of a format; None lets each file's extension choose."""
    id: str | None = None
    time: str | None = None
    label: str | None = None
    """Column with the label of a sequence; None where channels are forecast."""
    features: tuple[str, ...] | None = None
    """Input columns in order; None means every numeric column without another meaning."""
    channels: tuple[str, ...] | None = None
    """Features to forecast; None means all of them."""
    missing: Missing = "error"
    sort: bool = False
    max_length: int | None = None
    truncate: Literal["start", "end"] | None = None
    delimiter: str = ","
    encoding: str = "utf-8"

    def to_json(self) -> dict[str, Any]:
        """Plain data for a card or a bundle."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Layout:
        """The reverse of `to_json`."""
        lists = {k: tuple(data[k]) for k in ("features", "channels") if data[k] is not None}
        return cls(**{**data, **lists})
