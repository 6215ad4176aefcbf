"""Schedules: when each runs, in words and on a calendar; what became of its moments; pause, backfill, a day ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from shike.clock import to_datetime
from shike.errors import BadField, BadInput
from shike.model import Planned
from shike.operate import backfill as backfilling
from shike.operate import schedules
from shike.operate.outlook import outlook
from shike.operate.schedules import schedule_facts
from shike.operate.simulate import Simulation, simulate
from shike.operate.strip import strip
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.page import Page, done, shown
from shike.server.console.render import number, show, told, words_of
from shike.server.roles import Role
from shike.trigger.line import Line
from shike.trigger.zone import zone

PAGE = Page(name="schedules", path="/schedules", place=30, letter="s")
ONE: Final = "/schedules/{group}/{name}"
SHARED_SECONDS: Final = 2.0
DAY_PERIOD: Final = 60.0  # a day ahead is computed for a second or two: not for each who looks
HERDS: Final = 8
Text = Annotated[str, Meta(max_length=200)]


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose name, task or words hold this."""

    q: Text = ""


class DayWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A day, on the clock of a zone; empty: today, UTC."""

    day: Text = ""
    tz: Text = "UTC"


class Pausing(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and until when; empty: until somebody resumes it."""

    reason: Annotated[str, Meta(max_length=1_000)] = ""
    until: Text = ""


class Stretch(Struct, frozen=True, forbid_unknown_fields=True):
    """Which past moments, in UTC."""

    start: Text = ""
    end: Text = ""


# ---------------------------------------------------------------- all of them


async def page(ask: Ask[None, Wanted]) -> Reply:
    """All, or those that hold a word."""
    lang: Any = ask.visit.lang

    async def look() -> list[Any]:
        return await schedules.listing(ask.desk.store, lang)

    found = await ask.desk.live.shared(("schedules", lang), SHARED_SECONDS, look)
    word = ask.query.q.lower()
    rows = [
        one for one in found
        if ask.who.covers(one.queue) and (not word or word in f"{one.name} {one.task} {one.words}".lower())
    ]  # fmt: skip
    template = "schedules_table.html" if ask.visit.is_part else "schedules.html"
    return show(ask, template, page="schedules", rows=rows, q=ask.query.q, link=link)


def link(name: str) -> str:
    """Where a schedule has its page, under the console."""
    return f"/schedules/{quote(name)}"


async def day(ask: Ask[None, DayWanted]) -> Reply:
    """A day before it happens."""
    start, end = await _day(ask)
    found: Simulation = await ask.desk.live.shared(
        ("schedules.day", start, end, ask.who.queues), DAY_PERIOD, lambda: _simulated(ask, start, end)
    )
    low = start.timestamp()
    plot = {
        "x": [low + 60 * minute for minute in range(len(found.per_minute))], "time": True, "least": 4,
        "series": [{"name": words_of(ask, "schedules.runs"), "y": found.per_minute, "color": "accent", "kind": "bars"}],
    }  # fmt: skip
    return show(
        ask, "schedules_day.html", page="schedules", day=ask.query.day or start.strftime("%Y-%m-%d"), tz=ask.query.tz,
        found=found, plot=plot, busiest=list(found.busiest.items())[:HERDS], link=link,
        share=number(100 * found.at_full_hour / found.runs) if found.runs else "0",
        top=max(found.per_minute, default=0),
    )  # fmt: skip


async def _simulated(ask: Ask[Any, Any], start: datetime, end: datetime) -> Simulation:
    known = [one for one in await ask.desk.store.schedules() if not one.deleted]
    return simulate([one for one in known if ask.who.covers(one.schedule.queue)], start, end)


async def _day(ask: Ask[None, DayWanted]) -> tuple[datetime, datetime]:
    try:
        there = ZoneInfo(zone(ask.query.tz or "UTC").name)
    except BadInput as error:
        raise BadField(str(error), field="tz") from None
    now = to_datetime(await ask.desk.store.now()).astimezone(there)
    try:
        begin = datetime.fromisoformat(ask.query.day) if ask.query.day else now
        start = begin.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=there)
        return start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadField("a day, such as 2026-11-30", field="day") from None


# ---------------------------------------------------------------- one


async def one(ask: Ask[None, Nothing]) -> Reply:
    """One schedule: what it says, what it did, what it will do."""
    planned = await found(ask)
    now, lang = await ask.desk.store.now(), ask.visit.lang
    schedule = planned.schedule
    cells = await ask.desk.live.shared(
        ("schedules.strip", schedule.name), SHARED_SECONDS, lambda: strip(ask.desk.store, schedule.name)
    )
    app = ask.desk.app
    return show(
        ask, "schedules_one.html", page="schedules", facts=schedule_facts(planned, now, lang),  # type: ignore[arg-type]
        cells=cells, ahead=outlook(Line.of(schedule), now, cursor=0), schedule=schedule, here=link(schedule.name),
        is_declared=app is not None and any(other.name == schedule.name for other in app.schedules),
    )  # fmt: skip


async def found(ask: Ask[Any, Any]) -> Planned:
    """The schedule of the path; raises `NotFound` also for one that is none of the caller's."""
    planned = await schedules.find(ask.desk.store, f"{ask.path['group']}/{ask.path['name']}")
    ask.who.may_see(planned.schedule.queue, f"schedule {planned.schedule.name}")
    return planned


async def ask_pause(ask: Ask[None, Nothing]) -> Reply:
    """The dialog: why, and until when."""
    planned = await found(ask)
    return show(ask, "schedules_pause.html", page="schedules", name=planned.schedule.name, here=_here(ask))


async def pause(ask: Ask[Pausing, Nothing]) -> Reply:
    """Run none of its moments until then."""
    planned = await found(ask)
    ask.after = ask.body
    until = utc(ask.body.until, "until") if ask.body.until else None
    try:
        await schedules.pause(ask.desk.store, planned.schedule.name, ask.body.reason, until)
    except BadInput as error:
        raise reading.named(error, "until" if ask.body.reason.strip() else "reason") from None
    return told(ask, words_of(ask, "schedules.paused", name=planned.schedule.name), to=_here(ask))


async def resume(ask: Ask[Nothing, Nothing]) -> Reply:
    """Go on from now."""
    planned = await found(ask)
    ask.before = {"paused": planned.paused, "reason": planned.reason}
    await schedules.resume(ask.desk.store, planned.schedule.name)
    return told(ask, words_of(ask, "schedules.resumed", name=planned.schedule.name), to=_here(ask))


async def ask_delete(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    planned = await found(ask)
    return show(ask, "schedules_delete.html", page="schedules", name=planned.schedule.name, here=_here(ask))


async def delete(ask: Ask[Nothing, Nothing]) -> Reply:
    """Plan nothing more."""
    planned = await found(ask)
    ask.before = planned.schedule
    await schedules.delete(ask.desk.store, planned.schedule.name)
    return told(ask, words_of(ask, "schedules.deleted", name=planned.schedule.name), to="/schedules")


# ---------------------------------------------------------------- backfill


async def ask_backfill(ask: Ask[None, Nothing]) -> Reply:
    """The dialog, with yesterday in it."""
    planned = await found(ask)
    now = to_datetime(await ask.desk.store.now())
    start, end = ((now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M") for days in (1, 0))
    return show(
        ask, "schedules_backfill.html", page="schedules", name=planned.schedule.name, here=_here(ask), start=start,
        end=end,
    )  # fmt: skip


async def preview_backfill(ask: Ask[None, Stretch]) -> Reply:
    """How many runs it would be."""
    planned = await found(ask)
    try:
        start, end = utc(ask.query.start, "start"), utc(ask.query.end, "end")
        would = await backfilling.preview(ask.desk.store, planned.schedule.name, start, end)
    except BadInput as error:
        return show(ask, "schedules_count.html", page="schedules", would=None, wrong=str(error))
    return show(ask, "schedules_count.html", page="schedules", would=would, wrong="")


async def backfill(ask: Ask[Stretch, Nothing]) -> Reply:
    """Run past moments that have no run, each once."""
    planned = await found(ask)
    start, end = utc(ask.body.start, "start"), utc(ask.body.end, "end")
    try:
        did = await backfilling.backfill(ask.desk.client, planned.schedule.name, start, end)
    except BadInput as error:
        raise reading.named(error, "end") from None
    ask.after = did
    return told(ask, words_of(ask, "schedules.backfilled", count=did.to_run), to=_here(ask))


def utc(text: str, field: str) -> datetime:
    """A time of a form, in UTC unless it says another zone. Raises `BadField`."""
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except ValueError:
        raise BadField("a date and a time, such as 2026-11-30T09:00", field=field) from None
    reading.instant(at, field)
    return at


def _here(ask: Ask[Any, Any]) -> str:
    return link(f"{ask.path['group']}/{ask.path['name']}")


ROUTES = (
    shown("/schedules", page, query=Wanted, words="Schedules: when each runs, in words, and whether it is paused."),
    shown("/schedules/day", day, query=DayWanted, words="A day of the timetable before it happens."),
    shown(ONE, one, words="One schedule: its moments behind and ahead, and what can be done."),
    shown(f"{ONE}/pause", ask_pause, words="Why, and until when it is to pause."),
    done(f"{ONE}/pause", pause, body=Pausing, words="Pause a schedule."),
    done(f"{ONE}/resume", resume, words="Go on from now."),
    shown(f"{ONE}/delete", ask_delete, words="Whether it is to be deleted."),
    done(f"{ONE}/delete", delete, role=Role.EDITOR, words="Delete a schedule."),
    shown(f"{ONE}/backfill", ask_backfill, words="Which past moments are to run."),
    shown(f"{ONE}/backfill/count", preview_backfill, query=Stretch, words="How many runs a backfill would be."),
    done(f"{ONE}/backfill", backfill, body=Stretch, words="Run past moments that have no run."),
)
