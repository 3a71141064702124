"""Types of arguments: from what was typed to a value, or what it should have been."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentTypeError


def count(text: str) -> int:
    return _integer(text, 1, 10**9, "a number of trials, 1 or more")


def number(text: str) -> int:
    return _integer(text, 0, 10**9, "a trial's number, 0 or more")


def none_or_more(text: str) -> int:
    return _integer(text, 0, 10**6, "a number of trials, 0 or more")


def more(text: str) -> int:
    return _integer(text.removeprefix("+"), 1, 10**9, "a number of further trials such as +20")


def port(text: str) -> int:
    return _integer(text, 1, 65535, "a port, 1 to 65535")


def width(text: str) -> int:
    return _integer(text, 1, 4096, "a width, 1 to 4096")


def names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ArgumentTypeError(f"{text!r} is not a list of columns such as trial,value")
    return names


def share(text: str) -> float:
    return _within(text, 0, 1, "a share above 0, up to 1")


def loss(text: str) -> float:
    # Just below 0, so that 0 itself is one.
    return _within(text, -1e-300, 1, "a share of the score, 0 to 1")


def temperature(text: str) -> float:
    # Just below 0, so that 0 itself is one.
    return _within(text, -1e-300, 1e6, "a temperature, 0 or more")


def hours(text: str) -> float:
    return _within(text, 0, sys.float_info.max, "a number of hours above 0")


def _integer(text: str, low: int, high: int, what: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _within(text: str, above: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not above < value <= most:
        raise ArgumentTypeError(f"{text!r} is not {what}")
    return value
