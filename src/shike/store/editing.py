"""What an edit makes of a schedule: pure decisions, the same for every store."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shike.errors import Conflict
from shike.model import Planned, Run, Schedule


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
    known: Planned | None, old: Planned | None, schedule: Schedule, now: int, ahead: int, plan_at: int
) -> Planned:
    """The next version. A new schedule begins where its line begins, also if that has passed."""
    version = 1 if known is None else known.schedule.version + 1
    created_at = schedule.created_at or (now if old is None else old.schedule.created_at)
    schedule = replace(schedule, version=version, created_at=created_at)
    if old is None:
        return Planned(schedule=schedule, plan_at=plan_at)
    return replace(stepped_back(old, now, ahead), schedule=schedule, plan_at=plan_at)


def stepped_back(planned: Planned, now: int, ahead: int) -> Planned:
    """Planning goes on from now, with the number of the last moment up to there. `ahead`: how many moments have a row
    between the new cursor (`edge`) and the old one, other than as withdrawn before.

    All of them give their numbers back, also a run that was promoted or cancelled ahead of its moment, or that is
    running: planning meets that moment again, and passes over it with its number.
    """
    return replace(planned, cursor=edge(planned, now), ordinal=planned.ordinal - ahead)


def edge(planned: Planned, now: int) -> int:
    """Where planning goes on after a step back: what lies beyond is ahead."""
    return min(planned.cursor, now)


def is_ahead(run: Run, now: int) -> bool:
    """Whether an edit or a pause takes a planned run back. What counts is its moment: one that has come is not planned
    again, so its run stays, though jitter may put it off until later."""
    return run.moment > now


def _same(one: Schedule, other: Schedule) -> bool:
    blank: dict[str, Any] = {"version": 0, "created_at": 0, "tz_version": ""}
    return replace(one, **blank) == replace(other, **blank)
