"""What an outbox has already been told: rebuilt from its records, so that a resume repeats none."""

from __future__ import annotations

from dataclasses import dataclass, field

from tuner.tracking.records import (
    Artifact,
    Dataset,
    Header,
    Metrics,
    Params,
    Record,
    RunEnded,
    RunStarted,
    Tags,
    View,
)


@dataclass(slots=True)
class RunHistory:
    """What was told about one run."""

    params: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    latest: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Metric name → its last step and value."""
    views: dict[str, str] = field(default_factory=dict)
    """Id of a view → what it shows."""
    is_open: bool = False


class History:
    """All runs of one outbox, in the order they were opened."""

    def __init__(self) -> None:
        self.uid: str | None = None
        self._runs: dict[str, RunHistory] = {}

    def observe(self, record: Record) -> None:
        """Take in one record, old or new."""
        if isinstance(record, Header):
            self.uid = record.uid
            return
        run = self._runs.setdefault(record.key, RunHistory())
        match record:
            case RunStarted():
                run.is_open = True
            case Params():
                run.params.update(record.values)
            case Tags():
                run.tags.update(record.values)
            case Metrics():
                for name, value in record.values.items():
                    run.latest[name] = (record.step, value)
            case View():
                run.views[record.id] = record.state
            case RunEnded():
                run.is_open = False
            case Artifact() | Dataset():
                pass

    def __contains__(self, key: str) -> bool:
        return key in self._runs

    def __getitem__(self, key: str) -> RunHistory:
        assert key in self._runs, f"{key!r} is told about before run()"
        return self._runs[key]

    def keys(self) -> list[str]:
        """All runs, open or not."""
        return list(self._runs)

    def is_open(self, key: str) -> bool:
        """Whether the run was opened and not closed since."""
        return key in self._runs and self._runs[key].is_open

    def open_keys(self) -> list[str]:
        """The runs without an end."""
        return [key for key, run in self._runs.items() if run.is_open]
