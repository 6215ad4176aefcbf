"""Schedules: make, look, edit, pause, resume, delete, list their next moments, fill up what was missed (R0.1, R0.2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from shike.bounds import MISFIRE_GRACE_SECONDS
from shike.declare import Policies, one_trigger, schedule_of
from shike.errors import BadArguments, BadField, BadInput, Conflict, PreconditionFailed, TriggerError
from shike.model import Planned, Schedule
from shike.operate import backfill as backfilling
from shike.operate import schedules
from shike.operate.accept import EMPTY, Wish, call_of
from shike.operate.facts import readable
from shike.operate.schedules import MomentFacts, ScheduleFacts, schedule_facts
from shike.secret import redacted
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply, etag_of
from shike.server.desk import Desk
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import NONE, Fill, HowMany, Language, NewSchedule, Pause
from shike.trigger import AnyTrigger, parse_duration

HOME = f"{API}/schedules"
ONE = f"{HOME}/{{group}}/{{name}}"
REFERENCE = "${"  # what a declaration in a program fills from its environment; nobody else may read that


class SchedulesList(Struct, frozen=True, kw_only=True):
    """All schedules, by name."""

    schedules: list[ScheduleFacts]


class SchedulePage(Struct, frozen=True, kw_only=True):
    """One schedule."""

    schedule: ScheduleFacts
    arguments: Any = None
    trigger: Any = None


class Moments(Struct, frozen=True, kw_only=True):
    """The next moments of one schedule."""

    schedule: str
    moments: list[MomentFacts]


async def listing(ask: Ask[None, Language]) -> SchedulesList:
    """All, or those of the key's queues."""
    found = await schedules.listing(ask.desk.store, ask.query.lang)
    return SchedulesList(schedules=[one for one in found if ask.who.covers(one.queue)])


async def show(ask: Ask[None, Language]) -> Reply:
    """One."""
    planned = await _find(ask)
    etag = etag_of_schedule(planned)
    if ask.headers.get("if-none-match", "").strip() == etag:
        return Reply(status=304, headers={"etag": etag}, raw=b"")
    return await _page(ask, planned, ask.query.lang)


async def put(ask: Ask[NewSchedule, Nothing]) -> Reply:
    """Make or edit it. `If-Match`: only the version that was seen; `If-None-Match: *`: only if there is none yet."""
    store, name = ask.desk.store, _name(ask)
    wanted = schedule_of_sent(ask.desk, ask.path["group"], ask.path["name"], ask.body)
    ask.who.may_use(wanted.queue)
    known = await store.schedule(name)
    there = known if known is not None and not known.deleted else None
    if there is not None:
        ask.who.may_use(there.schedule.queue)
        ask.before = there.schedule
    if ask.headers.get("if-match") and there is None:
        raise PreconditionFailed(f"there is no schedule {name}")
    if ask.only_new() and there is not None:
        raise PreconditionFailed(f"there is a schedule {name} already", etag=etag_of_schedule(there))
    if there is not None:
        ask.must_match(etag_of_schedule(there))
    expect = (
        there.schedule.version if there is not None else 0
    )  # whatever was said: what was looked at is what is edited
    try:
        planned = await store.put_schedule(wanted, expect=expect, plan_at=await store.now())
    except Conflict as error:
        if ask.headers.get("if-match") or ask.only_new():
            raise PreconditionFailed(str(error)) from None
        raise
    ask.after = planned.schedule
    page = await _page(ask, planned, "en")
    page.status = 200 if there is not None else 201
    page.headers["location"] = f"{HOME}/{quote(name)}"
    return page


async def delete(ask: Ask[None, Nothing]) -> Reply:
    """Plan nothing more, withdraw what has not begun."""
    planned = await _find(ask)
    ask.must_match(etag_of_schedule(planned))
    ask.before = planned.schedule
    await schedules.delete(ask.desk.store, planned.schedule.name)
    return Reply(status=204, raw=b"")


async def pause(ask: Ask[Pause, Nothing]) -> Reply:
    """Run nothing until it is resumed, or until then."""
    planned = await _find(ask)
    ask.must_match(etag_of_schedule(planned))
    ask.after = ask.body
    until = reading.instant(ask.body.until, "until")
    try:
        paused = await schedules.pause(ask.desk.store, planned.schedule.name, ask.body.reason, until)
    except BadInput as error:
        raise reading.named(error, "until" if until else "reason") from None
    return await _page(ask, paused, "en")


async def resume(ask: Ask[None, Nothing]) -> Reply:
    """Go on from now."""
    planned = await _find(ask)
    ask.must_match(etag_of_schedule(planned))
    ask.before = {"paused": planned.paused, "reason": planned.reason}
    return await _page(ask, await schedules.resume(ask.desk.store, planned.schedule.name), "en")


async def following(ask: Ask[None, HowMany]) -> Moments:
    """Its next moments."""
    planned = await _find(ask)
    found = await schedules.following(ask.desk.store, planned.schedule.name, ask.query.limit)
    return Moments(schedule=planned.schedule.name, moments=found)


async def backfill(ask: Ask[Fill, Nothing]) -> backfilling.Backfill:
    """Run past moments that have no run; each at most once."""
    planned, wanted = await _find(ask), ask.body
    name, span = planned.schedule.name, (wanted.start, wanted.end)
    ask.after = wanted
    for at, field in zip(span, ("start", "end"), strict=True):
        reading.instant(at, field)
    try:
        if wanted.dry_run:
            return await backfilling.preview(ask.desk.store, name, *span, limit=wanted.limit)
        return await backfilling.backfill(ask.desk.client, name, *span, limit=wanted.limit)
    except BadInput as error:
        raise reading.named(error, "end") from None


# ---------------------------------------------------------------- what is between


def _name(ask: Ask[Any, Any]) -> str:
    return f"{ask.path['group']}/{ask.path['name']}"


async def _find(ask: Ask[Any, Any]) -> Planned:
    planned = await schedules.find(ask.desk.store, _name(ask))
    ask.who.may_see(planned.schedule.queue, f"schedule {planned.schedule.name}")
    return planned


def etag_of_schedule(planned: Planned) -> str:
    """Of the definition and of whether it is paused: either may have changed in between."""
    return etag_of(f"{planned.schedule.version}{'-paused' if planned.paused else ''}")


async def _page(ask: Ask[Any, Any], planned: Planned, lang: Any) -> Reply:
    now = await ask.desk.store.now()
    page = SchedulePage(
        schedule=schedule_facts(planned, now, lang),
        arguments=redacted(readable(planned.schedule.args, ask.desk.codec)),
        trigger=msgspec.json.decode(planned.schedule.trigger),
    )
    return Reply(value=page, headers={"etag": etag_of_schedule(planned)})


def schedule_of_sent(desk: Desk, group: str, name: str, wanted: NewSchedule) -> Schedule:
    """What was sent as a schedule; raises `BadField`."""
    trigger = trigger_of(wanted)
    task = desk.tasks.find(wanted.task)
    wish = Wish(
        queue=wanted.queue,
        band=wanted.priority,
        retry=wanted.retry,
        timeout=wanted.timeout_seconds,
        on_unknown=wanted.on_unknown,
        owner=wanted.owner,
    )
    arguments = EMPTY if wanted.arguments is NONE else reading.json_object(wanted.arguments, "arguments")
    try:
        call = call_of(task, arguments, wish)
        policies = _policies(wanted)
        return schedule_of(name, group, call, trigger, policies, desk.client.codec)
    except BadArguments as error:
        raise reading.named(error, "arguments") from None
    except BadInput as error:
        raise reading.named(error, _field_of(str(error))) from None


def trigger_of(wanted: NewSchedule) -> AnyTrigger:
    """When it runs; raises `BadField`."""
    for field, text in (("cron", wanted.cron), ("every", wanted.every), ("delay", wanted.delay)):
        if isinstance(text, str) and REFERENCE in text:
            raise BadField(f"{REFERENCE}…}} is filled in programs only, not over HTTP", field=field)
    try:
        return one_trigger(
            None,
            cron_text=wanted.cron,
            every_text=wanted.every,
            delay=wanted.delay,
            at=reading.instant(wanted.at, "at"),
            initial_delay=wanted.initial_delay,
            tz=wanted.tz,
            values={},
        )
    except TriggerError as error:
        given = [name for name in ("cron", "every", "delay", "at") if getattr(wanted, name) is not None]
        raise reading.named(error, "tz" if "zone" in str(error) and wanted.tz else given[0] if given else "") from None
    except BadInput as error:
        raise reading.named(error, "every" if wanted.every is not None else "delay") from None


def _policies(wanted: NewSchedule) -> Policies:
    for field in ("misfire_grace", "misfire_window", "jitter", "expires"):
        try:
            parse_duration(getattr(wanted, field) or 0)
        except BadInput as error:
            raise reading.named(error, field) from None
    grace = MISFIRE_GRACE_SECONDS if wanted.misfire_grace is None else wanted.misfire_grace
    return Policies(
        misfire=wanted.misfire,
        misfire_grace=grace,
        misfire_window=wanted.misfire_window,
        overlap=wanted.overlap,
        overlap_max=wanted.overlap_max,
        jitter=wanted.jitter,
        start=wanted.start,
        end=wanted.end,
        count=wanted.count,
        expires=wanted.expires,
    )


def _field_of(words: str) -> str:
    names = ("misfire_window", "misfire_grace", "overlap_max", "jitter", "expires", "queue", "owner", "arguments")
    return next((name for name in names if name in words), "")


EXAMPLE = {"task": "report.send", "cron": "0 9 * * mon-fri", "tz": "Asia/Shanghai", "overlap": "skip"}

ROUTES = (
    Route(
        verb="GET", path=HOME, role=Role.VIEWER, rule=Rule.QUEUE, handler=listing,
        words="All schedules: when each runs, in words, and its next moment.", query=Language, answer=SchedulesList,
    ),
    Route(
        verb="GET", path=ONE, role=Role.VIEWER, rule=Rule.QUEUE, handler=show, query=Language, answer=SchedulePage,
        words="One schedule; its ETag is its version.",
    ),
    Route(
        verb="PUT", path=ONE, role=Role.EDITOR, rule=Rule.QUEUE, handler=put, body=NewSchedule, answer=SchedulePage,
        words="Make or edit a schedule; `If-Match` and `If-None-Match: *` compare.", logged=Logged.EACH,
        example=EXAMPLE,
    ),
    Route(
        verb="DELETE", path=ONE, role=Role.EDITOR, rule=Rule.QUEUE, handler=delete, status=204, logged=Logged.EACH,
        words="Plan nothing more and withdraw what has not begun.",
    ),
    Route(
        verb="POST", path=f"{ONE}/pause", role=Role.OPERATOR, rule=Rule.QUEUE, handler=pause, body=Pause,
        answer=SchedulePage, words="Run none of its moments until it is resumed.", logged=Logged.EACH,
        example={"reason": "the bank is down"},
    ),
    Route(
        verb="POST", path=f"{ONE}/resume", role=Role.OPERATOR, rule=Rule.QUEUE, handler=resume, answer=SchedulePage,
        words="Go on from now.", logged=Logged.EACH,
    ),
    Route(
        verb="GET", path=f"{ONE}/next", role=Role.VIEWER, rule=Rule.QUEUE, handler=following, query=HowMany,
        answer=Moments, words="Its next moments, and which of them are planned already.",
    ),
    Route(
        verb="POST", path=f"{ONE}/backfill", role=Role.OPERATOR, rule=Rule.QUEUE, handler=backfill, body=Fill,
        answer=backfilling.Backfill, words="Run past moments that have no run; `dry_run` only counts.",
        logged=Logged.EACH, example={"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z", "dry_run": True},
    ),
)  # fmt: skip
