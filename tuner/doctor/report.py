"""Prints what the doctor found, check by check."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tuner.doctor.finding import Finding


def tell(findings: Iterable[Finding], *, as_json: bool) -> int:
    """Prints each finding as it comes; gives the exit status: 1 if a sweep would fail."""
    states = []
    for finding in findings:
        states.append(finding.state)
        print(json.dumps(finding.to_data()) if as_json else _line(finding), flush=True)
    wrong = states.count("wrong")
    if not as_json:
        print(f"\n{wrong or 'nothing'} wrong, {states.count('warning')} warnings")
    return 1 if wrong else 0


def _line(finding: Finding) -> str:
    line = f"{finding.state:8} {finding.check:14} {finding.found}"
    if (mistake := finding.mistake) is not None:
        indent = " " * 24
        line += f"\n{indent}{mistake.rule}; {mistake.where} gave {mistake.got}."
        line += f"\n{indent}{mistake.fix} [{mistake.code}]"
    return line
