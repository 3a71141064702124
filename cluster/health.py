"""How soon a Ray head takes a node for dead that says nothing any more."""

from __future__ import annotations

HEAD_ENVIRONMENT = {
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "4000",
    "RAY_health_check_failure_threshold": "4",
}
"""For whoever starts a head: some 25 s instead of Ray's own 65, in which a trial stands still. Four
checks in a row must fail, so a node that is only busy keeps its place."""
