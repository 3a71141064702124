"""The study on disk: one SQLite file that plain Optuna opens too, and its previous generation.
Or a study in the team's PostgreSQL, beside those of others.

Optuna samples from a copy in memory; the file is written once per suggestion and once per end, so
that a crash leaves each of them whole or not at all. Optuna's storage makes and reads the file, and
its tables are filled here: through its objects a trial cost 17 ms, a query for every parameter.
SQLite's rollback journal stays, since a write-ahead log does not work in a network folder, where
clusters keep their sweeps.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    URL,
    Connection,
    StaticPool,
    Table,
    create_engine,
    delete,
    func,
    insert,
    select,
    update,
)

from tuner.search import database

NAME = "sweep"
FILE = "study.db"
PREVIOUS = "study.previous.db"
_BACKUP_SHARE = 0.01
_LOCK = 0x74756E6572
"""Any number that no other program takes for its lock."""

_TRIALS, _PARAMS = models.TrialModel.__table__, models.TrialParamModel.__table__
_USER_ATTRS = models.TrialUserAttributeModel.__table__
_SYSTEM_ATTRS = models.TrialSystemAttributeModel.__table__
_VALUE, _MARK = models.TrialValueModel, models.TrialIntermediateValueModel
_VALUES, _MARKS = _VALUE.__table__, _MARK.__table__

_logger = logging.getLogger(__name__)

# A line for every study and trial says nothing that the sweep's own display does not.
optuna.logging.set_verbosity(optuna.logging.ERROR)


class Storage:
    """The one writer of a sweep's study."""

    def __init__(
        self, folder: Path, directions: Sequence[StudyDirection], url: str | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file, self._previous = folder / FILE, folder / PREVIOUS
        self._database = database.of(folder, url)
        if self._database is None:
            self._mend()
            file = URL.create("sqlite", database=str(self._file)).render_as_string()
            # Optuna fills a schema version into the address as `str.format` does.
            self._rdb = RDBStorage(file.replace("{", "{{").replace("}", "}}"))
            self._study = _study(self._rdb, NAME, directions)
        else:
            with database.answering(), _alone(self._database):
                self._rdb = _opened(self._database)
                self._study = _study(self._rdb, self._database.name, directions)
        self._ids = [t._trial_id for t in self.trials()]
        self._attrs = self.attrs()
        self._next_backup = 0.0

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return sorted(self._rdb.get_all_trials(self._study), key=lambda t: t.number)

    def attrs(self) -> dict[str, Any]:
        """What a sampler has noted for the whole study."""
        return self._rdb.get_study_system_attrs(self._study)

    def keep_attrs(self, attrs: Mapping[str, Any]) -> None:
        """Writes those notes of the sampler that are new."""
        for key, value in attrs.items():
            if self._attrs.get(key) != value:
                with database.answering():
                    self._rdb.set_study_system_attr(self._study, key, value)
                self._attrs[key] = value

    def add(self, trial: FrozenTrial) -> None:
        """Writes a whole trial; it must have the next number."""
        assert trial.number == len(self._ids)
        with database.answering(), self._rdb.engine.begin() as connection:
            row = {
                "number": trial.number,
                "study_id": self._study,
                "state": trial.state,
                "datetime_start": _utc(trial.datetime_start),
                "datetime_complete": _utc(trial.datetime_complete),
            }
            done = connection.execute(insert(_TRIALS), row)
            assert done.inserted_primary_key is not None, "an insert without a key"
            (trial_id,) = done.inserted_primary_key
            _fill(connection, _USER_ATTRS, trial_id, trial.user_attrs)
            _fill(connection, _SYSTEM_ATTRS, trial_id, trial.system_attrs)
            params = [
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": distribution.to_internal_repr(trial.params[name]),
                    "distribution_json": distribution_to_json(distribution),
                }
                for name, distribution in trial.distributions.items()
            ]
            if params:
                connection.execute(insert(_PARAMS), params)
        self._ids.append(trial_id)

    def mark(self, number: int, step: int, value: float) -> None:
        """Writes a trial's best value at one epoch; a second one replaces the first."""
        with database.answering(), self._rdb.engine.begin() as connection:
            self._mark(connection, number, step, value)

    def finish(
        self,
        number: int,
        state: TrialState,
        values: Sequence[float],
        outcome: str,
        mark: tuple[int, float] | None = None,
        notes: Mapping[str, float] | None = None,
    ) -> None:
        """Writes a trial's end, its outcome and Optuna's own notes, and a last mark if any."""
        trial_id = self._ids[number]
        with database.answering(), self._rdb.engine.begin() as connection:
            if mark is not None:
                self._mark(connection, number, *mark)
            _fill(connection, _USER_ATTRS, trial_id, {"outcome": outcome})
            _fill(connection, _SYSTEM_ATTRS, trial_id, notes or {})
            for objective, value in enumerate(values):
                kind = _VALUE.value_to_stored_repr(value)[1]
                row: dict[str, Any] = {"trial_id": trial_id, "objective": objective}
                row |= {"value": value, "value_type": kind}
                connection.execute(insert(_VALUES), row)
            end = {"state": state, "datetime_complete": _utc(datetime.now())}
            connection.execute(update(_TRIALS).where(_TRIALS.c.trial_id == trial_id).values(**end))
        self._back_up()

    def _mark(self, connection: Connection, number: int, step: int, value: float) -> None:
        mine = (_MARKS.c.trial_id == self._ids[number]) & (_MARKS.c.step == step)
        connection.execute(delete(_MARKS).where(mine))
        stored, kind = _MARK.intermediate_value_to_stored_repr(value)
        row = {
            "trial_id": self._ids[number],
            "step": step,
            "intermediate_value": stored,
            "intermediate_value_type": kind,
        }
        connection.execute(insert(_MARKS), row)

    def close(self) -> None:
        """Releases the file."""
        self._rdb.remove_session()
        self._rdb.engine.dispose()

    def _mend(self) -> None:
        """Falls back to the previous generation when the file was cut or overwritten."""
        if not self._file.exists() or is_sound(self._file):
            return
        broken = self._file.with_name(FILE + ".broken")
        os.replace(self._file, broken)
        self._file.with_name(FILE + "-journal").unlink(missing_ok=True)
        if self._previous.exists():
            self._previous.replace(self._file)
            _logger.warning(
                "%s was damaged and is kept as %s; went back to its previous generation. Trials "
                "that ended since then run again.",
                self._file,
                broken.name,
            )
        else:
            _logger.warning(
                "%s was damaged and is kept as %s; the sweep begins anew.", self._file, broken.name
            )

    def _back_up(self) -> None:
        """Copies the file, as often as costs at most a hundredth of the time."""
        if self._database is not None:
            return  # a server's data are its keeper's to copy
        start = time.monotonic()
        if start < self._next_backup:
            return
        fresh = self._previous.with_suffix(".tmp")
        fresh.unlink(missing_ok=True)
        with closing(sqlite3.connect(self._file)) as ours, closing(sqlite3.connect(fresh)) as copy:
            ours.backup(copy)
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(self._previous)
        done = time.monotonic()
        self._next_backup = done + (done - start) / _BACKUP_SHARE


def read(folder: Path) -> list[FrozenTrial]:
    """The trials by number, from a copy; another process may be writing the study meanwhile.

    A study that has not begun has none. One in a database is read there; a damaged file is read
    from its previous generation, and left for the next writer to mend.
    """
    if (place := database.in_folder(folder)) is not None:
        with database.answering():
            return _trials_of(_opened(place), place.name)
    for file in (folder / FILE, folder / PREVIOUS):
        if file.exists() and is_sound(file):
            copy = sqlite3.connect(":memory:", check_same_thread=False)
            with closing(sqlite3.connect(file)) as source:
                source.backup(copy)
            engine: dict[str, Any] = {"poolclass": StaticPool, "creator": lambda copy=copy: copy}
            return _trials_of(RDBStorage("sqlite://", engine_kwargs=engine), NAME)
    return []


def _trials_of(storage: RDBStorage, name: str) -> list[FrozenTrial]:
    """A study's trials by number, none if it has not begun; releases the storage."""
    try:
        study = storage.get_study_id_from_name(name)
        return sorted(storage.get_all_trials(study), key=lambda t: t.number)
    except KeyError:
        return []
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _study(storage: RDBStorage, name: str, directions: Sequence[StudyDirection]) -> int:
    """The identifier of a study, made if it is not there."""
    known = {study.study_name: study for study in storage.get_all_studies()}
    if name not in known:
        return storage.create_new_study(directions, name)
    study: int = known[name]._study_id
    assert storage.get_study_directions(study) == list(directions)
    return study


def _opened(place: database.Database) -> RDBStorage:
    url = place.driver_url.replace("{", "{{").replace("}", "}}")
    # Servers and proxies drop connections that were idle for the length of a trial.
    return RDBStorage(url, engine_kwargs={"pool_pre_ping": True, "pool_size": 1})


@contextmanager
def _alone(place: database.Database) -> Iterator[None]:
    """Keeps others out while tables are made: two sweeps that both find none break each other."""
    engine = create_engine(place.driver_url)
    try:
        with engine.connect() as connection:
            # Goes with the connection, whatever becomes of this process.
            connection.execute(select(func.pg_advisory_lock(_LOCK)))
            yield
    finally:
        engine.dispose()


def _fill(connection: Connection, table: Table, trial_id: int, notes: Mapping[str, Any]) -> None:
    """Writes a trial's attributes."""
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for key, value in notes.items()
    ]
    if rows:
        connection.execute(insert(table), rows)


def _utc(local: datetime | None) -> datetime | None:
    """As Optuna keeps its times: without a zone, in UTC."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def is_sound(file: Path) -> bool:
    """Whether a study's file is a whole SQLite database with a study in it."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            whole = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            query = "SELECT 1 FROM studies WHERE study_name = ?"
            return whole and connection.execute(query, (NAME,)).fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def decode(trial: FrozenTrial, key: str) -> Any:
    """An attribute that was written as JSON text; None when there is none."""
    text = trial.user_attrs.get(key)
    return None if text is None else json.loads(text)
