"""Times and lengths as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from shike.clock import SystemClock, to_datetime
from shike.errors import BadTime
from shike.trigger.duration import parse_duration

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def when(text: str, now: datetime | None = None) -> datetime:
    """The instant a person means, on this machine's wall clock unless an offset is given.

    `now`, `today`, `yesterday`, `tomorrow`, `09:30` (today), `2026-11-23`, `2026-11-23 09:30`, ISO 8601 with an
    offset, `in 2h`, `2h ago`. Raises `BadTime`.
    """
    now = (now or to_datetime(SystemClock().wall())).astimezone()
    word = text.strip().lower()
    if word == "now":
        return now
    if word in _DAYS:
        return _midnight(now + timedelta(days=_DAYS[word]))
    if word.endswith(" ago"):
        return now - _length(word.removesuffix(" ago"))
    if word.startswith(("in ", "+")):
        return now + _length(word.removeprefix("in ").removeprefix("+"))
    if _CLOCK.fullmatch(word):
        word = f"{now.date().isoformat()} {word if word[1].isdigit() else f'0{word}'}"
    try:
        return datetime.fromisoformat(word.upper()).astimezone()
    except ValueError:
        raise BadTime(
            f"{text!r} is no time; write 'now', 'today', '09:30', '2026-11-23 09:30', 'in 2h' or '2h ago'"
        ) from None


def _length(text: str) -> timedelta:
    return timedelta(microseconds=parse_duration(text.strip()))


def _midnight(at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day).astimezone()
