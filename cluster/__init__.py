"""Where a sweep runs: what the machines hold, what they cannot, and how to reach them.

Knows no models and no tuner.
"""

from cluster.plan import Capacity, Plan, Resources, plan
from cluster.refused import Refused

__all__ = ["Capacity", "Plan", "Refused", "Resources", "plan"]
