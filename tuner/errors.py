"""Every way this package says no.

TunerError                 what we raise on purpose; anything else is a bug
├── InputError             the user's to mend: all mistakes at once, exit 2
│   ├── SpecError          the spec file, its space and its overrides
│   ├── DataError          the data files
│   ├── PlanError          what the machines cannot hold
│   ├── ClusterError       a cluster file, and a cluster that cannot be joined
│   ├── CommandError       the command line, names, folders
│   └── BundleError        an exported model that cannot be read
├── LaneBroken             a rank is gone; never leaves a lane but to have Tune start another
├── TrialEnded             how one trial ends other than well; never leaves a lane
│   ├── Diverged           a loss, gradient, weight or prediction that is not finite
│   └── Infeasible         out of memory at the smallest micro-batch, or no such model
├── SweepFailed            a sweep without a single usable trial, exit 1
├── NotStarted             a detached sweep that ended before it began, exit 1
├── NoRoom                a cluster without room for one lane for too long, exit 1
├── StudyUnreachable       a team's database of studies that does not answer, exit 1
├── NotDelivered           runs that the tracking server has not got yet, exit 1
├── Interrupted            stopped by a signal; `tuner resume` goes on, exit 130 or 143
├── NotReproduced          a trial that is not the same again, exit 1
└── ExportMismatch         an exported model that does not equal the trained one, exit 1
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One thing a user has to mend, in four parts and under a stable code."""

    code: str
    """Stable and greppable, such as `spec/unknown-key`."""
    rule: str
    """What must hold, as a clause: "`model/dropout` must be in [0, 1)"."""
    where: str
    """The place: "spec.yaml line 12", "rows.csv line 7", "--trials"."""
    got: str
    """The value received, as the user wrote it."""
    fix: str
    """The way out, as a sentence with its full stop: "Lower it or leave it out." """

    def __str__(self) -> str:
        return f"{self.rule}; {self.where} gave {self.got}. {self.fix} [{self.code}]"


class TunerError(Exception):
    """Base of everything raised on purpose; `exit_code` is the command's."""

    exit_code = 1


class InputError(TunerError):
    """The user's to mend. Carries every mistake that could be found in one go."""

    exit_code = 2

    def __init__(self, mistakes: Mistake | Iterable[Mistake]) -> None:
        self.mistakes = [mistakes] if isinstance(mistakes, Mistake) else list(mistakes)
        assert self.mistakes, "an InputError without a mistake"
        super().__init__("\n".join(map(str, self.mistakes)))

    def __reduce__(self) -> tuple[type[InputError], tuple[list[Mistake]]]:
        return type(self), (self.mistakes,)


class SpecError(InputError):
    """The spec file, its space or its overrides."""


class DataError(InputError):
    """The data files."""


class PlanError(InputError):
    """What the machines can never hold."""


class ClusterError(InputError):
    """A cluster file with mistakes, or a cluster that cannot be joined as it is."""


class CommandError(InputError):
    """The command line, names and folders."""


class BundleError(InputError):
    """An exported model that is incomplete, altered or of another version."""


class TrialEnded(TunerError):
    """How one trial ends other than well."""


class Diverged(TrialEnded):
    """A loss, gradient, weight or prediction that is not finite."""


class Infeasible(TrialEnded):
    """Out of memory at the smallest micro-batch, or settings that make no model."""


class LaneBroken(TunerError):
    """A rank is gone; the trial can go on from its checkpoint on a fresh lane."""


class SweepFailed(TunerError):
    """A sweep without a single usable trial."""


class NotStarted(TunerError):
    """A detached sweep that ended before it began."""


class NoRoom(TunerError):
    """A cluster that for too long had no room for a single lane; `tuner resume` goes on."""


class StudyUnreachable(TunerError):
    """The team's database of studies does not answer; `tuner resume` goes on when it does."""


class NotDelivered(TunerError):
    """Runs that the tracking server has not got yet."""


class Interrupted(TunerError):
    """Stopped by a signal; what was reached is kept."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class NotReproduced(TunerError):
    """A trial that, trained again from its record, is not the same."""


class ExportMismatch(TunerError):
    """An exported model that does not equal the trained one."""
