"""What a letter says, in words: one title, a line an alarm; plain text, from which each channel makes its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shike.clock import MICROS, to_datetime
from shike.connect.alarms.base import Letter, Told
from shike.connect.alarms.bounds import GROUP_SHOWN
from shike.track.alarm import Notice

MARKS: Final = {Notice.RAISED: "▲", Notice.AGAIN: "▲▲", Notice.OVER: "✓"}


def title(letter: Letter) -> str:
    """How many of what, and the first one's name."""
    over = sum(told.notice is Notice.OVER for told in letter.told)
    raised = len(letter.told) - over
    parts = ([_many(raised, "alarm")] if raised else []) + ([f"{over} over"] if over else [])
    first = letter.told[0].alarm
    return f"[{letter.source}] {', '.join(parts)}: {first.rule.partition('>')[0]} {first.subject}"


def lines(letter: Letter) -> Iterator[str]:
    """What is raised, then what is over; at most GROUP_SHOWN of them."""
    ordered = sorted(letter.told, key=lambda told: told.notice is Notice.OVER)
    yield from (_line(told, letter.at) for told in ordered[:GROUP_SHOWN])
    if len(ordered) > GROUP_SHOWN:
        yield f"… and {len(ordered) - GROUP_SHOWN} more: `shike alarms list`"


def text(letter: Letter) -> str:
    """All of it."""
    return "\n".join([title(letter), "", *lines(letter)])


def _line(told: Told, now: int) -> str:
    alarm = told.alarm
    since = to_datetime(alarm.since)
    if told.notice is Notice.OVER:
        return f"{MARKS[told.notice]} over after {_length(now - alarm.raised_at)}: {alarm.words} [{alarm.id}]"
    of = f" (of {alarm.owner})" if alarm.owner else ""
    went_on = f" for {_length(now - alarm.since)}" if told.notice is Notice.AGAIN else ""
    return f"{MARKS[told.notice]} {alarm.words}{of}, since {since:%Y-%m-%d %H:%M:%S} UTC{went_on} [{alarm.id}]"


def _length(micros: int) -> str:
    seconds = max(micros, 0) // MICROS
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
