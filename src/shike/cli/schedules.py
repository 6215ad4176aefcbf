"""`shike schedules`: list, next, pause, resume, backfill, simulate, delete."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.counted import counted
from shike.model import Planned
from shike.operate import backfill as backfilling
from shike.operate import schedules
from shike.operate.simulate import day_of, picture
from shike.operate.simulate import simulate as simulating
from shike.trigger import Lang

app = App(name="schedules", help="List, pause, resume, backfill, simulate and delete schedules.")


@app.command(name="list")
def list_(*, lang: Annotated[Lang, Parameter(help="Of the plain words.")] = "en", where: Where = ANYWHERE) -> int:
    """All schedules: when each runs, in words, and its next moment."""
    found = at_desk(where, lambda desk: schedules.listing(desk.store, lang))
    if where.json:
        output.as_json({"schedules": found})
        return FINE
    rows = [(one.name, one.task, one.next, one.words, f"paused: {one.reason}" if one.paused else "") for one in found]
    output.table(("name", "task", "next", "when", ""), rows, empty="no schedules; apps store theirs when they start")
    return FINE


@app.command(name="next")
def next_(name: str, /, *, count: Annotated[int, Parameter(help="How many.")] = 10, where: Where = ANYWHERE) -> int:
    """The next moments of one schedule; `planned` ones are in the timetable already."""
    found = at_desk(where, lambda desk: schedules.following(desk.store, name, count))
    if where.json:
        output.as_json({"schedule": name, "moments": found})
        return FINE
    rows = [(one.ordinal, one.moment, one.due_at, "planned" if one.planned else "") for one in found]
    output.table(("#", "moment", "due", ""), rows, empty="no further moments: it is over, switched off or paused")
    return FINE


@app.command
def pause(
    name: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why: whoever finds it paused will ask.")],
    until: Annotated[str, Parameter(help="Go on by itself then, such as 'in 2h' or 'tomorrow'.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Run none of its moments until it is resumed; what has not begun is withdrawn."""
    end = when(until) if until else None
    planned = at_desk(where, lambda desk: schedules.pause(desk.store, name, reason, end))
    return _say(where, planned, f"is paused until {output.local(end)}" if end else "is paused")


@app.command
def resume(name: str, /, *, where: Where = ANYWHERE) -> int:
    """Go on from now. What was passed in between can be run with `backfill`."""
    return _say(where, at_desk(where, lambda desk: schedules.resume(desk.store, name)), "goes on")


@app.command
def delete(name: str, /, *, where: Where = ANYWHERE) -> int:
    """Withdraw what has not begun and plan nothing more. An app that declares it makes it again when it starts."""
    return _say(where, at_desk(where, lambda desk: schedules.delete(desk.store, name)), "is deleted")


@app.command
def backfill(
    name: str,
    /,
    *,
    start: Annotated[str, Parameter(name="--from", help="The first moment, such as 2026-11-01.")],
    end: Annotated[str, Parameter(name="--to", help="Up to, not including.")],
    limit: Annotated[int, Parameter(help="At most so many runs; the oldest first.")] = backfilling.BACKFILL_MAX,
    dry_run: Annotated[bool, Parameter(help="Only count.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Run past moments that have no run: before the schedule began, missed, or passed by in a pause.

    They run in the last priority band, on a limited share of the slots; each moment at most once.
    """

    span = (when(start), when(end))

    async def work(desk: Desk) -> backfilling.Backfill:
        if dry_run:
            return await backfilling.preview(desk.store, name, *span, limit=limit)
        return await backfilling.backfill(desk.client, name, *span, limit=limit)

    done = at_desk(where, work)
    if where.json:
        output.as_json(done)
        return FINE
    verb = "would run" if dry_run else "run now, after all other work"
    verb = f"{verb}, {done.left_out:,} had a run already" if done.left_out else verb
    print(f"{done.schedule}: {counted(done.moments, 'moment')}: {done.to_run:,} {verb}")
    if done.over_limit:
        print(f"{done.over_limit:,} more are left for the next backfill (--limit {limit:,})")
    return FINE


@app.command
def simulate(
    *,
    day: Annotated[str, Parameter(help="Which day.")] = "today",
    names: Annotated[tuple[str, ...], Parameter(name="--only", help="Only these schedules.")] = (),
    where: Where = ANYWHERE,
) -> int:
    """How many runs start in each minute of a day, as a picture, and where they come in herds. Runs nothing."""
    start, end = day_of(when(day))

    async def work(desk: Desk) -> list[Planned]:
        if names:
            return [await schedules.find(desk.store, name) for name in names]
        return [one for one in await desk.store.schedules() if not one.deleted]

    found = simulating(at_desk(where, work), start, end)
    if where.json:
        output.as_json(found)
    else:
        print(picture(found))
    return FOUND if found.herds else FINE


def _say(where: Where, planned: Planned, words: str) -> int:
    if where.json:
        output.as_json(schedules.schedule_facts(planned, planned.cursor))
    else:
        print(f"{planned.schedule.name} {words}")
    return FINE
