"""What an edit makes of a schedule: pure decisions, the same for every store."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shike.errors import Conflict
from shike.model import Planned, Schedule


def standing(known: Planned | None, schedule: Schedule, expect: int | None) -> tuple[Planned | None, bool]:
    """The schedule that is there (None: none, or a deleted one), and whether it says the same already.

    Raises `Conflict` if something would change and `expect` is not the version that stands (0: none).
    """
    old = None if known is None or known.deleted else known
    if old is not None and _same(old.schedule, schedule):
        return old, True
    version = 0 if old is None else old.schedule.version
    if expect is not None and expect != version:
        raise Conflict(f"schedule {schedule.name} is at version {version}, not {expect}")
    return old, False


def edited(
    known: Planned | None, old: Planned | None, schedule: Schedule, now: int, withdrawn: int, plan_at: int
) -> Planned:
    """The next version. A new schedule begins where its line begins, also if that has passed."""
    version = 1 if known is None else known.schedule.version + 1
    created_at = schedule.created_at or (now if old is None else old.schedule.created_at)
    schedule = replace(schedule, version=version, created_at=created_at)
    if old is None:
        return Planned(schedule=schedule, plan_at=plan_at)
    return replace(stepped_back(old, now, withdrawn), schedule=schedule, plan_at=plan_at)


def stepped_back(planned: Planned, now: int, withdrawn: int) -> Planned:
    """Planning goes on from now, with the numbers that the withdrawn moments gave back."""
    return replace(planned, cursor=min(planned.cursor, now), ordinal=planned.ordinal - withdrawn)


def _same(one: Schedule, other: Schedule) -> bool:
    blank: dict[str, Any] = {"version": 0, "created_at": 0, "tz_version": ""}
    return replace(one, **blank) == replace(other, **blank)
