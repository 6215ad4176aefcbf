"""A shop with one quick task, driven through virtual time, and what its audit says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shike.app import Shike
from shike.audit import Audited, Report, audit
from shike.call import Task
from shike.model import Fate
from shike.store.verbs import Retention
from shike.testing import Harness
from shike.trigger.combine import AnyTrigger

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Shop:
    """An app with one quick task, driven through virtual time."""

    def __init__(self) -> None:
        self.app = Shike("memory://")
        self.broken = False
        self.task: Task[[], None] = self.app.task(self.tick, name="tick")

    async def tick(self) -> None:
        if self.broken:
            raise ValueError("broken")

    def audit(self, time: Harness, *only: str) -> Report:
        return time.run(audit(time.store, START - DAY, time.now, only=only))


def the_one(report: Report) -> Audited:
    (found,) = report.schedules
    return found


def fates(found: Audited) -> dict[str, int]:
    return {fate: count for fate, count in found.fates.items() if count}


def edit(time: Harness, shop: Shop, trigger: AnyTrigger, **fields: Any) -> None:
    """The schedule gets another trigger."""
    edited = Shike("memory://")
    edited.schedule(edited.task(shop.tick, name="tick"), trigger, **fields)
    (schedule,) = edited.schedules
    time.run(time.store.put_schedule(schedule, expect=None, plan_at=time.store._tables.now()))


def retention(**fields: float) -> Retention:
    forever: dict[str, Any] = {"dead_seconds": 1e9, "receipt_seconds": 1e9, "session_seconds": 1e9, "rows_max": 1000}
    return Retention(**forever | fields)


def forget(time: Harness, moment: int) -> None:
    """Planted: a moment's row is gone."""
    del time.store._tables.timetable.rows["default/tick"][moment]


def planned(time: Harness, version: int) -> list[int]:
    """The past moments of one version that have a run."""
    rows = time.store._tables.timetable.rows["default/tick"].values()
    now = time.store._tables.now()
    return sorted(
        row.moment for row in rows if row.version == version and row.fate is Fate.PLANNED and row.moment <= now
    )
