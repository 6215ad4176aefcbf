"""`shike cron`: what an expression says, when it fires next, and what happens on the days the clock is set."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from shike.bounds import BETWEEN_MOMENTS
from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.clock import SystemClock, to_datetime, to_micros
from shike.errors import BadInput, CronError
from shike.operate.clock_changes import changes
from shike.trigger import DST, Cron, Disabled, Lang
from shike.trigger import cron as cron_of
from shike.trigger.cron_parse import Seconds
from shike.trigger.zone import zone


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
