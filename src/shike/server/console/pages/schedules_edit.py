"""A schedule in a form: made, edited, or a single moment; what it will do is shown while it is being typed (R0.1)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.errors import BadField, BadInput, Conflict
from shike.model import Misfire, Options, Overlap, Schedule
from shike.operate.outlook import Outlook, outlook
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.page import done, shown
from shike.server.console.pages.schedules import ONE, found, link
from shike.server.console.render import show, told, words_of
from shike.server.console.schedule_form import KINDS, Form, filled, sent
from shike.server.roles import Role
from shike.server.schedules import schedule_of_sent, trigger_of
from shike.trigger.line import Line
from shike.trigger.zone import zone

PAGE = None  # it has no place in the menu
NAME: Final = "preview"  # of a schedule that has no name yet
ZONES: Final = (
    "UTC", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata", "Europe/London",
    "Europe/Berlin", "Europe/Paris", "America/New_York", "America/Chicago", "America/Los_Angeles", "America/Sao_Paulo",
    "Australia/Sydney",
)  # fmt: skip


class Seen(Struct, frozen=True, kw_only=True):
    """What a form says so far: in words, and what follows; or what is wrong with it, and where."""

    words: str = ""
    ahead: Outlook | None = None
    wrong: str = ""
    field: str = ""


async def new(ask: Ask[None, Nothing]) -> Reply:
    """An empty form."""
    return await _form(ask, Form(task=""), None)


async def edit(ask: Ask[None, Nothing]) -> Reply:
    """The form of one that is there."""
    planned = await found(ask)
    form = filled(planned.schedule, ask.desk.codec)
    if form is None:
        raise Conflict(words_of(ask, "schedules.not_by_form"))
    return await _form(ask, form, planned.schedule)


async def _form(ask: Ask[Any, Any], form: Form, schedule: Schedule | None) -> Reply:
    app = ask.desk.app
    known = {one.schedule.task for one in await ask.desk.store.schedules() if not one.deleted}
    tasks = sorted(known | set(app.tasks if app is not None else ()))
    return show(
        ask, "schedules_form.html", page="schedules", form=form, kinds=KINDS, tasks=tasks, zones=ZONES,
        misfires=list(Misfire), overlaps=list(Overlap), here=link(schedule.name) if schedule else "",
        seen=await _seen(ask, form) if form.version else Seen(),
        is_declared=app is not None and schedule is not None and any(o.name == schedule.name for o in app.schedules),
    )  # fmt: skip


async def preview(ask: Ask[None, Form]) -> Reply:
    """What the form says so far."""
    return show(ask, "schedules_seen.html", page="schedules", seen=await _seen(ask, ask.query))


async def _seen(ask: Ask[Any, Any], form: Form) -> Seen:
    now = await ask.desk.store.now()
    try:
        zone(form.tz or "UTC")
        trigger = trigger_of(sent(replace(form, task=form.task or NAME)))
        line = Line(trigger=trigger, spread=f"{form.group}/{form.name}" if form.name else form.cron, start_at=now)
        return Seen(words=trigger.describe(ask.visit.lang), ahead=outlook(line, now))  # type: ignore[arg-type]
    except BadInput as error:
        return Seen(wrong=str(error), field=getattr(error, "field", ""))


async def save(ask: Ask[Form, Nothing]) -> Reply:
    """Store it: a new one only where there is none, an edited one only if it is still the version that was seen."""
    form, store = ask.body, ask.desk.store
    wanted = schedule_of_sent(ask.desk, form.group, form.name, sent(form))
    ask.who.may_use(wanted.queue)
    known = await store.schedule(wanted.name)
    there = known.schedule if known is not None and not known.deleted else None
    if there is not None:
        ask.who.may_use(there.queue)
        ask.before = there
    if there is not None and not form.version:
        raise BadField(words_of(ask, "schedules.is_there", name=wanted.name), field="name")
    if form.version and (there is None or str(there.version) != form.version):
        raise Conflict(words_of(ask, "schedules.changed"))
    if there is not None:
        wanted = _with_what_no_form_tells(wanted, there)
    planned = await store.put_schedule(wanted, expect=there.version if there else 0, plan_at=await store.now())
    ask.after = planned.schedule
    return told(ask, words_of(ask, "schedules.saved", name=wanted.name), to=link(wanted.name))


def _with_what_no_form_tells(wanted: Schedule, there: Schedule) -> Schedule:
    """Retries, time-outs, routes and the grace stay as they were."""
    if there.task != wanted.task:
        return wanted
    fresh = _options(wanted.options)
    packed = msgspec.json.encode(replace(_options(there.options), repeat_seconds=fresh.repeat_seconds))
    return replace(
        wanted,
        options=b"" if packed == b"{}" else packed,
        misfire_grace_seconds=there.misfire_grace_seconds,
        spread=there.spread,
    )


def _options(packed: bytes) -> Options:
    return msgspec.json.decode(packed, type=Options) if packed else Options()


ROUTES = (
    shown("/schedules/new", new, role=Role.EDITOR, words="A form for a new schedule."),
    shown("/schedules/preview", preview, query=Form, words="What a form says so far: in words, and its moments."),
    shown(f"{ONE}/edit", edit, role=Role.EDITOR, words="A form for a schedule that is there."),
    done("/schedules/save", save, body=Form, role=Role.EDITOR, words="Make or edit a schedule."),
)
