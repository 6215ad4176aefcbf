"""Which build of the default structure runs: the compiled one where there is one, else pure Python.

`SHIKE_TIMER` in the environment decides otherwise: `pure`, or `compiled`, which raises where there is none. Not a
setting of `shike.toml`: it is chosen when the first queue is made, before any file is read.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from zlib import crc32

from shike.errors import BadSetting
from shike.timer.base import TimerQueue
from shike.timer.calendar import BUCKET_TICKS_MICROS, CalendarQueue

VARIABLE: Final = "SHIKE_TIMER"
CHOICES: Final = ("auto", "pure", "compiled")
NATIVE: Final = Path(__file__).with_name("native")
SOURCES: Final = ("calendar.h", "column.c", "bucket.c", "serve.c", "face.c", "module.c")
HOW_TO_COMPILE: Final = "python -m shike.timer.native.compile"


class Build(NamedTuple):
    """The class that makes default queues, and how it came to be chosen."""

    make: type[Any]
    name: str
    """`compiled` or `pure Python`."""
    why: str
    """In a few words; empty: it is the compiled one."""

    def about(self) -> str:
        """A line for people: which one runs, and why not the other."""
        return f"calendar queue, {self.name}" + (f" ({self.why})" if self.why else "")


def checksum() -> int:
    """Of the sources: a build of other ones, left over from another version, is no build."""
    return crc32(b"".join((NATIVE / name).read_bytes() for name in SOURCES))


@cache
def compiled() -> tuple[type[Any] | None, str]:
    """The compiled class, or None and why there is none."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None, "the compiled one needs an interpreter with a GIL"
    try:
        from shike.timer.compiled import CompiledCalendarQueue
        from shike.timer.native import _calendar
    except ImportError:
        return None, f"nothing is compiled; `{HOW_TO_COMPILE}` does it"
    if checksum() != _calendar.SOURCES:
        return None, f"what is compiled is of other sources; `{HOW_TO_COMPILE}` renews it"
    return CompiledCalendarQueue, ""


@cache
def build() -> Build:
    """The one that runs in this process. Raises `BadSetting` for a choice that there is not."""
    choice = os.environ.get(VARIABLE) or CHOICES[0]
    if choice not in CHOICES:
        raise BadSetting(f"{VARIABLE} is {choice!r}; choose one of: {', '.join(CHOICES)}")
    if choice == "pure":
        return Build(CalendarQueue, "pure Python", f"{VARIABLE}=pure says so")
    make, why = compiled()
    if make is None and choice == "compiled":
        raise BadSetting(f"{VARIABLE}=compiled, but {why}")
    return Build(CalendarQueue, "pure Python", why) if make is None else Build(make, "compiled", "")


def calendar_queue(bucket_ticks: int = BUCKET_TICKS_MICROS) -> TimerQueue[Any]:
    """A new, empty queue of that build; times are microseconds, or what you like with buckets of another width."""
    queue: TimerQueue[Any] = build().make(bucket_ticks)
    return queue
