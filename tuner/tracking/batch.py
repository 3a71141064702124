"""What one call of MLflow's log_batch carries for one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple, TypeVar

from tuner.tracking.records import Metrics, Params, Tags

MAX_METRICS = 900
MAX_PARAMS = 50
MAX_TAGS = 50
"""MLflow takes 1,000 entities in a call, of which at most 100 params and 100 tags; the texts of
50 and 50 at their longest stay below its megabyte."""


_Item = TypeVar("_Item")


class Point(NamedTuple):
    """One value of one curve."""

    name: str
    step: int
    time_ms: int
    value: float


@dataclass
class Batch:
    """Points, params and tags of one run, in the order recorded."""

    metrics: list[Point] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def take(self, record: Metrics | Params | Tags) -> None:
        """Add one record."""
        match record:
            case Metrics():
                self.metrics.extend(
                    Point(name, record.step, record.time_ms, value)
                    for name, value in record.values.items()
                )
            case Params():
                self.params.update(record.values)
            case Tags():
                self.tags.update(record.values)

    def parts(self) -> Iterator[Batch]:
        """The same in pieces small enough for one call; none if there is nothing."""
        for metrics, params, tags in zip_longest(
            _cut(self.metrics, MAX_METRICS),
            _cut(list(self.params.items()), MAX_PARAMS),
            _cut(list(self.tags.items()), MAX_TAGS),
            fillvalue=(),
        ):
            yield Batch(list(metrics), dict(params), dict(tags))

    def kinds(self) -> list[Batch]:
        """One batch for each kind that is there."""
        alone = [Batch(params=self.params), Batch(tags=self.tags), Batch(metrics=self.metrics)]
        return [batch for batch in alone if batch != Batch()]

    def halves(self) -> list[Batch]:
        """The same in two parts, fewer if there is only one item: to find what is refused."""
        metrics, params, tags = self.metrics, list(self.params.items()), list(self.tags.items())
        cuts = (len(metrics) // 2, len(params) // 2, len(tags) // 2)
        first, second = (
            Batch(metrics[m], dict(params[p]), dict(tags[t]))
            for m, p, t in ([slice(c) for c in cuts], [slice(c, None) for c in cuts])
        )
        return [half for half in (first, second) if half != Batch()]

    def names(self) -> str:
        """What is in it, for a message."""
        points = {point.name for point in self.metrics}
        return ", ".join(sorted({*points, *self.params, *self.tags}))


def _cut(items: list[_Item], size: int) -> list[list[_Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
