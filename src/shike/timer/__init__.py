"""WAIT: the structures that hold what was read ahead until its moment, behind one protocol."""

from __future__ import annotations

from typing import Any

from shike.errors import BadSetting
from shike.timer.base import TimerQueue, TimerStats, Token
from shike.timer.calendar import BUCKET_TICKS_MICROS, CalendarQueue
from shike.timer.heap import HeapQueue

__all__ = ["CalendarQueue", "HeapQueue", "TimerQueue", "TimerStats", "Token", "timer_queue"]

TIMER_NAMES = ("calendar", "heap")


def timer_queue(name: str = "calendar", *, bucket_ticks: int = BUCKET_TICKS_MICROS) -> TimerQueue[Any]:
    """A new, empty structure of that name; `bucket_ticks` is the calendar's base bucket, by default for microseconds.

    Raises `BadSetting` for a name that is not in `TIMER_NAMES`.
    """
    match name:
        case "calendar":
            return CalendarQueue(bucket_ticks)
        case "heap":
            return HeapQueue()
        case _:
            raise BadSetting(f"no timer structure is called {name!r}; choose one of: {', '.join(TIMER_NAMES)}")
