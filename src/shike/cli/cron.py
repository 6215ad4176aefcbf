"""`shike cron`: what an expression says, when it fires next, and what happens on the days the clock is set."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from msgspec import Struct

from shike.bounds import BETWEEN_MOMENTS
from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.clock import MICROS, SystemClock, to_datetime, to_micros
from shike.errors import BadInput, CronError
from shike.trigger import DST, Cron, Disabled, Lang
from shike.trigger import cron as cron_of
from shike.trigger.cron_parse import Seconds
from shike.trigger.zone import zone

YEAR_SECONDS = 366 * 86_400
DAY_SECONDS = 86_400


class Change(Struct, frozen=True, kw_only=True):
    """A day on which the clock is set, and what that does to this expression."""

    at: datetime
    kind: Literal["gap", "repeat"]
    seconds: int  # jumped over, or shown twice
    words: str


def cron(
    expression: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    tz: Annotated[str, Parameter(help="Time zone, such as Asia/Shanghai.")] = "UTC",
    next_: Annotated[int, Parameter(name="--next", help="How many moments to list.")] = 5,
    seconds: Annotated[Seconds, Parameter(help="Where the seconds stand.")] = "none",
    dst: Annotated[DST, Parameter(help="Policy for the days when the clock is set.")] = DST.VIXIE,
    lang: Annotated[Lang, Parameter(help="Of the plain words.")] = "en",
    after: Annotated[str, Parameter(help="List from this time on.")] = "now",
    json: Annotated[bool, Parameter(help="Answer in JSON.", negative="")] = False,
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.", negative="")] = False,
) -> int:
    """Explain a cron expression. Exit code 1 if a change of the clock within a year touches its times."""
    if not 0 <= next_ <= BETWEEN_MOMENTS:
        raise BadInput(f"--next {next_}: between 0 and {BETWEEN_MOMENTS:,}")
    trigger = _read(expression, tz=tz, seconds=seconds, dst=dst)
    start = SystemClock().wall() if after == "now" else to_micros(when(after))
    moments = _following(trigger, start, next_)
    found = changes(trigger, start) if isinstance(trigger, Cron) else []
    if json:
        output.as_json({"expression": expression, "words": trigger.describe(lang), "next": moments, "changes": found})
        return FOUND if found else FINE
    print(trigger.describe(lang))
    shown = ZoneInfo(zone(tz).name)
    for at in moments:
        print(f"  {at.astimezone(shown).isoformat(' ')}  {at.astimezone(shown):%a}")
    for change in found:
        print(f"{change.at.astimezone(shown).isoformat(' ')}: {change.words}")
    return FOUND if found else FINE


def _read(expression: str, *, tz: str, seconds: Seconds, dst: DST) -> Cron | Disabled:
    """The trigger; what an error advises to Python callers is an option here."""
    try:
        return cron_of(expression, tz=tz, seconds=seconds, dst=dst, seed=expression)
    except CronError as error:
        words = re.sub(r"seconds='(\w+)'", r"--seconds \1", str(error))
        raise CronError(words, expression=error.expression, field=error.field) from error


def _following(trigger: Cron | Disabled, start: int, count: int) -> list[datetime]:
    found: list[datetime] = []
    moment: int | None = start
    while len(found) < count and moment is not None:
        moment = trigger.next(moment)
        if moment is not None:
            found.append(to_datetime(moment))
    return found


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
        twice = trigger.count(*stretch).moments
        rule = "what comes twice runs both times" if twice else "what comes twice runs the first time only"
        words = f"the clock goes {-shift // 60} minutes back and shows {touched} of its times again; {rule}"
    if not touched:
        return None
    return Change(at=to_datetime(at * MICROS), kind=kind, seconds=abs(shift), words=f"{words} (--dst {trigger.dst})")
