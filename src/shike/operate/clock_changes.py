"""What the days on which the clock is set do to a cron expression. Pure; reads no clock."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from shike.clock import MICROS, to_datetime
from shike.trigger import DST, Cron
from shike.trigger.zone import zone

YEAR_SECONDS = 366 * 86_400


class Change(Struct, frozen=True, kw_only=True):
    """A day on which the clock is set, and what that does to an expression. Of a gap `runs` says whether what it skips
    runs once, when it ends; of a repeat whether what comes twice runs both times."""

    at: datetime
    kind: Literal["gap", "repeat"]
    seconds: int  # jumped over, or shown twice
    words: str
    touched: int = 0  # times of the expression
    runs: bool = False


def changes(trigger: Cron, start: int) -> list[Change]:
    """The changes of the clock within a year that this expression feels: compared with the same expression read
    without any rule, where a time in the gap is dropped and one shown twice counts twice."""
    follows_real_time = trigger.parsed.wild and trigger.dst in (DST.VIXIE, DST.TWICE)
    if trigger.dst is DST.UTC or follows_real_time:
        return []
    found = []
    second, end = start // MICROS, start // MICROS + YEAR_SECONDS
    before = zone(trigger.tz).span(second)
    while (span := zone(trigger.tz).span(before.end)).start < end:
        if span.offset != before.offset:
            change = _change(trigger, span.start, span.offset - before.offset)
            if change is not None:
                found.append(change)
        before = span
        if span.end >= end:
            break
    return found


def _change(trigger: Cron, at: int, shift: int) -> Change | None:
    """What the policy makes of one change; None where no named time is touched."""
    name = {"tz": trigger.tz, "seconds": trigger.seconds, "seed": trigger.seed}
    kind: Literal["gap", "repeat"] = "gap" if shift > 0 else "repeat"
    stretch = (at * MICROS, (at + abs(shift)) * MICROS)
    if shift > 0:
        skipped = Cron(trigger.expression, dst=DST.UTC, **{**name, "tz": "UTC"})  # type: ignore[arg-type]
        offset = zone(trigger.tz).span(at).offset - shift
        touched = skipped.count((at + offset) * MICROS, (at + offset + shift) * MICROS).moments
        runs = trigger.matches(at * MICROS) and not Cron(trigger.expression, dst=DST.SKIP, **name).matches(at * MICROS)  # type: ignore[arg-type]
        rule = "what it skips runs once, when it ends" if runs else "what it skips is left out"
        words = f"the clock jumps {shift // 60} minutes ahead over {touched} of its times; {rule}"
    else:
        touched = Cron(trigger.expression, dst=DST.TWICE, **name).count(*stretch).moments  # type: ignore[arg-type]
        runs = bool(trigger.count(*stretch).moments)
        rule = "what comes twice runs both times" if runs else "what comes twice runs the first time only"
        words = f"the clock goes {-shift // 60} minutes back and shows {touched} of its times again; {rule}"
    if not touched:
        return None
    return Change(
        at=to_datetime(at * MICROS),
        kind=kind,
        seconds=abs(shift),
        words=f"{words} (--dst {trigger.dst})",
        touched=touched,
        runs=runs,
    )
