"""What a sweep tells MLflow: a facade that writes to the outbox and returns at once."""

from __future__ import annotations

import math
import os
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from tuner.tracking import names
from tuner.tracking.delivery import Delivery
from tuner.tracking.history import History
from tuner.tracking.outbox import Outbox
from tuner.tracking.records import (
    MAX_PARAM_LENGTH,
    MAX_TAG_LENGTH,
    Artifact,
    Dataset,
    Header,
    Metrics,
    Params,
    Record,
    RunEnded,
    RunStarted,
    Status,
    Tags,
    View,
)
from tuner.tracking.run_ids import RunIds
from tuner.tracking.uri import redact
from tuner.tracking.views import NOTE
from tuner.tracking.writer import Writer

OUTBOX = "outbox"
"""The outbox's folder inside the sweep's folder."""

Value = str | int | float | bool


class Tracker:
    """Records runs durably and delivers them to MLflow from a thread of its own.

    Every method may be called from any thread, costs microseconds, and needs no server: a record
    survives the death of the process as soon as the method returns, and that of the machine after
    0.2 s or `flush`. Runs are named by keys such as "sweep" and "trial-0007".

    Args:
        uri: the tracking server or database; None records only, for `tuner sync` to deliver.
        experiment: MLflow's experiment, made if it does not exist.
        folder: the sweep's folder; the outbox lies in `outbox/` within it.
        artifact_root: where a new experiment keeps artifacts. None leaves it to a server; beside a
            SQLite database it is `artifacts/`.

    Raises:
        CommandError: another process holds this outbox, or the experiment's name is not allowed.
        OSError: the folder cannot be written; so do all recording methods on a full disk.
    """

    def __init__(
        self,
        uri: str | None,
        experiment: str,
        folder: Path,
        *,
        artifact_root: str | None = None,
    ) -> None:
        names.require_experiment(experiment)
        self._folder = folder.resolve()
        self._lock = threading.RLock()
        destination = redact(uri) if uri else ""
        self._outbox = Outbox(self._folder / OUTBOX, destination)
        self._history = History()
        for entry in self._outbox.entries():
            self._history.observe(entry.record)
        self._run_ids = RunIds(self._folder / OUTBOX, destination)
        uid = self._history.uid or self._run_ids.uid or uuid.uuid4().hex
        if self._history.uid is None:
            self._put(Header(uid=uid, experiment=experiment))
        self._run_ids.uid = uid
        delivery = uri and Delivery(
            uri=uri,
            experiment=experiment,
            folder=self._folder,
            artifact_root=artifact_root,
            run_ids=self._run_ids,
            known=self._history.keys(),
            refuse=self._outbox.refuse,
        )
        self._writer = Writer(self._outbox, delivery or None)

    def start(self) -> None:
        """Start delivering, if not yet done; mlflow is imported in the writer's thread."""
        self._writer.start()

    def run(
        self,
        key: str,
        name: str,
        parent: str | None,
        params: Mapping[str, Value],
        tags: Mapping[str, str],
    ) -> None:
        """Open a run, or open it again: on resume the same key continues the same MLflow run.

        Args:
            key: unique within the sweep; letters, digits, `.`, `_`, `-`.
            name: what the UI shows.
            parent: the key of the run above, opened before; None for the sweep's own run.
            params: under their paths. MLflow's params are immutable, so the first value of each
                stands: what a resume may change belongs into `tags`.
            tags: the last value of each stands.

        Raises:
            CommandError: a key or a name that MLflow does not allow.
        """
        names.require_key(key)
        texts = {path: _cut(_text(value), MAX_PARAM_LENGTH) for path, value in params.items()}
        names.require_names(texts)
        with self._lock:
            assert parent is None or parent in self._history, f"{parent!r} is not open yet"
            if not self._history.is_open(key):
                self._put(RunStarted(key=key, name=name, parent=parent, time_ms=_now_ms()))
            unknown = {path: text for path, text in texts.items() if path not in self._params(key)}
            if unknown:
                self._put(Params(key=key, values=unknown))
            self.tags(key, tags)

    def metrics(self, key: str, step: int, values: Mapping[str, float]) -> None:
        """Record one point of each curve.

        A step at or below a name's last one is dropped, so epochs repeated after a resume appear
        once. A value that is not finite is dropped too, and the tag `nonfinite` tells the first.
        """
        names.require_names(values)
        with self._lock:
            latest = self._history[key].latest
            finite = self._finite(key, values, f"step {step}")
            fresh = {n: v for n, v in finite.items() if n not in latest or latest[n][0] < step}
            if fresh:
                self._put(Metrics(key=key, step=step, time_ms=_now_ms(), values=fresh))

    def best(self, key: str, values: Mapping[str, float]) -> None:
        """Set the figures that MLflow's tables show, under names that no curve uses.

        Said again with another value, a figure takes the next step: tables show the last.
        """
        names.require_names(values)
        with self._lock:
            latest = self._history[key].latest
            finite = self._finite(key, values, "best")
            fresh = {n: v for n, v in finite.items() if n not in latest or latest[n][1] != v}
            if fresh:
                step = max((latest[n][0] + 1 for n in fresh if n in latest), default=0)
                self._put(Metrics(key=key, step=step, time_ms=_now_ms(), values=fresh))

    def tags(self, key: str, values: Mapping[str, str]) -> None:
        """Set tags; those that already have the value are not sent again."""
        names.require_names(values)
        with self._lock:
            known = self._history[key].tags
            cut = {name: _cut(text, MAX_TAG_LENGTH) for name, text in values.items()}
            changed = {name: text for name, text in cut.items() if known.get(name) != text}
            if changed:
                self._put(Tags(key=key, values=changed))

    def description(self, key: str, markdown: str) -> None:
        """Set the run's description, shown at its top; its links may lead to `EXPERIMENT`."""
        self.tags(key, {NOTE: markdown})

    def view(self, key: str, id: str, name: str, state: str) -> None:
        """Have the UI offer a view of the experiment's runs; see `views`.

        Args:
            key: the run that tells of it.
            id: of the view; another of the same id replaces it.
            name: what the UI lists it as.
            state: what it shows.
        """
        with self._lock:
            if self._history[key].views.get(id) != state:
                self._put(View(key=key, id=id, name=name, state=state, time_ms=_now_ms()))

    def artifact(self, key: str, path: Path, folder: str = "") -> None:
        """Attach a file or a folder's files, read when they are delivered; links are not followed.

        Args:
            key: the run.
            path: must stay until delivered, best within the sweep's folder, which may be moved.
            folder: place among the run's artifacts, such as `model/weights`.

        Raises:
            CommandError: a link, something that is not there, or a folder outside the artifacts.
        """
        names.require_artifact(path, folder)
        absolute = Path(os.path.abspath(path))
        inside = absolute.is_relative_to(self._folder)
        place = absolute.relative_to(self._folder) if inside else absolute
        with self._lock:
            assert key in self._history, f"artifact before run({key!r})"
            self._put(Artifact(key=key, path=str(place), folder=folder))

    def dataset(self, data: Dataset) -> None:
        """Name the data that a run trained on."""
        with self._lock:
            assert data.key in self._history, f"dataset before run({data.key!r})"
            self._put(data)

    def end(self, key: str, status: Status) -> None:
        """Close a run; one that is closed already keeps its first status."""
        with self._lock:
            if self._history.is_open(key):
                self._put(RunEnded(key=key, status=status, time_ms=_now_ms()))

    def is_over(self, key: str, tag: str, value: str) -> bool:
        """Whether a run was closed, by this process or an earlier one, with a tag at this value."""
        with self._lock:
            known = key in self._history and not self._history.is_open(key)
            return known and self._history[key].tags.get(tag) == value

    def open_keys(self) -> list[str]:
        """Runs without an end, in the order they were opened: after a crash, the orphans."""
        with self._lock:
            return self._history.open_keys()

    def flush(self, timeout: float) -> bool:
        """Make all records durable and wait until they are delivered.

        Returns:
            Whether everything recorded so far arrived within `timeout` seconds.
        """
        return self._writer.flush(timeout)

    def close(self, timeout: float) -> bool:
        """Deliver what can be delivered in `timeout` seconds, then stop; the outbox keeps the rest.

        Returns:
            Whether nothing is left for `tuner sync`.
        """
        return self._writer.close(timeout)

    def pending(self) -> int:
        """Records not yet delivered."""
        return self._outbox.pending()

    def run_id(self, key: str) -> str | None:
        """MLflow's id of a run, once the server has made it."""
        return self._run_ids.get(key)

    @property
    def problem(self) -> str | None:
        """Why delivery stands still, or what the server refused, in one line without secrets."""
        return self._writer.problem

    def _params(self, key: str) -> set[str]:
        return self._history[key].params

    def _put(self, record: Record) -> None:
        self._outbox.put(record)
        self._history.observe(record)

    def _finite(self, key: str, values: Mapping[str, float], place: str) -> dict[str, float]:
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        if len(finite) < len(values) and "nonfinite" not in self._history[key].tags:
            lost = ", ".join(f"{n}={values[n]}" for n in values if n not in finite)
            self.tags(key, {"nonfinite": f"{lost} at {place}"})
        return finite


def _text(value: Value) -> str:
    """A value as it is spelt in a spec, so that a param can be copied back into one."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
