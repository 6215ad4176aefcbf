"""Lengths of time as people write them: `10m`, `1h30m`, `500ms`, `1.5h`."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from shike.bounds import DURATION_SECONDS_MAX
from shike.clock import MICROS
from shike.errors import BadInput, BadTime

UNITS = {
    "us": 1,
    "µs": 1,
    "ms": 1_000,
    "s": MICROS,
    "m": 60 * MICROS,
    "h": 3600 * MICROS,
    "d": 86_400 * MICROS,
    "w": 7 * 86_400 * MICROS,
}
_PART = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*(us|µs|ms|s|m|h|d|w)\s*", re.ASCII | re.IGNORECASE)
_TEXT_CHARS_MAX = 100

Duration = str | timedelta | int | float


def parse_duration(length: Duration) -> int:
    """The microseconds of a text such as `10m`, a timedelta, or a number of seconds.

    Text joins numbers with the units us, ms, s, m (minutes), h, d (24 hours) and w. Raises BadInput where it
    cannot be read and BadTime where it is negative or over a century. Exact for text, to a microsecond for floats.
    """
    if isinstance(length, bool):
        raise BadInput(f"{length!r} is no length of time; write it as '10m' or 1.5 (seconds)")
    if isinstance(length, timedelta):
        micros = length // timedelta(microseconds=1)
    elif isinstance(length, int):
        micros = length * MICROS
    elif isinstance(length, float):
        if not math.isfinite(length):
            raise BadInput(f"{length!r} is no length of time; give a finite number of seconds")
        beyond = 2.0 * DURATION_SECONDS_MAX  # a larger one would be infinite in microseconds
        micros = round(max(-beyond, min(length, beyond)) * MICROS)
    elif isinstance(length, str):
        micros = _parse_text(length)
    else:
        raise BadInput(f"{length!r} is no length of time; write it as '10m', a timedelta or seconds")
    if micros < 0:
        raise BadTime(f"a length of time cannot be negative: {_brief(length)}")
    if micros > DURATION_SECONDS_MAX * MICROS:
        raise BadTime(f"{_brief(length)} is longer than a century; is the unit right?")
    return micros


def _brief(length: Duration) -> str:
    try:
        return repr(length)
    except ValueError:  # a number of more digits than Python writes
        return "the number given"


def _parse_text(text: str) -> int:
    stripped = text.strip()
    if not stripped or len(stripped) > _TEXT_CHARS_MAX:
        raise BadInput(f"{text[:40]!r} is no length of time; write it as '10m', '1h30m' or '500ms'")
    if stripped.startswith("-"):
        raise BadTime(f"a length of time cannot be negative: {text!r}")
    total, at = 0, 0
    for part in _PART.finditer(stripped):
        if part.start() != at:
            break
        total += _exact(part[1], UNITS[part[2].lower()])
        at = part.end()
    if at != len(stripped):
        hint = "add a unit" if stripped[at:].isdigit() else "units are us, ms, s, m, h, d and w"
        raise BadInput(f"cannot read {stripped[at:]!r} in the length of time {text!r}; {hint}, as in '1h30m'")
    return total


def _exact(number: str, unit: int) -> int:
    """Whole arithmetic, so that '0.1s' is 100,000 µs on every machine."""
    whole, _, fraction = number.partition(".")
    parts = int(fraction) * unit // 10 ** len(fraction) if fraction else 0
    return int(whole) * unit + parts


def format_duration(micros: int) -> str:
    """The shortest text that `parse_duration` reads back to the same value; `0s` for none."""
    if micros == 0:
        return "0s"
    text, rest = "", micros
    for name in ("d", "h", "m", "s", "ms", "us"):
        whole, rest = divmod(rest, UNITS[name])
        if whole:
            text += f"{whole}{name}"
    return text
