"""The builds of the default structure that are here: what holds for one holds for the other."""

from __future__ import annotations

from typing import Any

from shike.timer import build
from shike.timer.calendar import CalendarQueue

COMPILED, WHY_NOT = build.compiled()
BUILDS: dict[str, type[Any]] = {"pure": CalendarQueue} | ({} if COMPILED is None else {"compiled": COMPILED})
