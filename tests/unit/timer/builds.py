"""The builds of the default structure that are here: what holds for one holds for the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from shike.timer import TimerQueue, build
from shike.timer.calendar import CalendarQueue

COMPILED, WHY_NOT = build.compiled()
BUILDS: dict[str, type[Any]] = {"pure": CalendarQueue} | ({} if COMPILED is None else {"compiled": COMPILED})
Make = Callable[[], TimerQueue[Any]]
CALENDARS: dict[str, Make] = {
    f"{name}-{build}": partial(calendar, **sizes)
    for build, calendar in BUILDS.items()
    for name, sizes in {
        "microsecond-calendar": {},
        "narrow-calendar": {"bucket_ticks": 8, "crowd": 4},
        "one-tick-calendar": {"bucket_ticks": 1, "crowd": 2},
    }.items()
}
