"""Commands that go on when nobody watches: as a process, by Ray Jobs, or by Slurm.

Each kind is a module with `submit`, `phase` and `stop`.
"""

from cluster.jobs.job import Job, Phase

__all__ = ["Job", "Phase"]
