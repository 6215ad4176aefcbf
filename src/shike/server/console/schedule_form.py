"""The form in which a schedule is made or edited: from its texts to what the API takes, and back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Raw, Struct

from shike.clock import MICROS, to_datetime
from shike.errors import BadField, BadInput
from shike.lanes import queue_of
from shike.model import Misfire, Overlap, Schedule
from shike.operate.facts import readable
from shike.server.shapes import NONE, NewSchedule
from shike.store.codec import Codec
from shike.trigger import Cron, Every, decode
from shike.trigger.once import Once
from shike.trigger.zone import zone

KINDS: Final = ("cron", "every", "delay", "at")
Text = Annotated[str, Meta(max_length=1_000)]


class Form(Struct, frozen=True, forbid_unknown_fields=True):
    """As a browser sends it: texts, empty where nothing was written. `version`: of what is edited; empty: a new one."""

    group: Text = "default"
    name: Text = ""
    version: Text = ""
    task: Text = ""
    arguments: Annotated[str, Meta(max_length=65_536)] = ""
    kind: Literal["cron", "every", "delay", "at"] = "cron"
    cron: Text = ""
    every: Text = ""
    delay: Text = ""
    at: Text = ""
    tz: Text = "UTC"
    queue: Text = ""
    priority: Text = ""
    misfire: Text = "once"
    misfire_window: Text = ""
    overlap: Text = "allow"
    overlap_max: Text = ""
    jitter: Text = ""
    start: Text = ""
    end: Text = ""
    count: Text = ""
    expires: Text = ""
    owner: Text = ""


def sent(form: Form) -> NewSchedule:
    """What the API would have been sent. Raises `BadField` with the field of the form."""
    return NewSchedule(
        task=form.task or _missing("task"),
        arguments=Raw(form.arguments.encode()) if form.arguments.strip() else NONE,
        cron=(form.cron or _missing("cron")) if form.kind == "cron" else None,
        every=(form.every or _missing("every")) if form.kind == "every" else None,
        delay=(form.delay or _missing("delay")) if form.kind == "delay" else None,
        at=_instant(form.at or _missing("at"), form.tz, "at") if form.kind == "at" else None,
        tz=(form.tz or "UTC") if form.kind == "cron" else None,
        queue=form.queue,
        priority=_number(form.priority, "priority", 7) if form.priority else None,
        owner=form.owner,
        misfire=_member(Misfire, form.misfire, "misfire"),
        misfire_window=form.misfire_window or 0.0,
        overlap=_member(Overlap, form.overlap, "overlap"),
        overlap_max=_number(form.overlap_max, "overlap_max", 1_000_000_000),
        jitter=form.jitter or 0.0,
        start=_instant(form.start, form.tz, "start") if form.start else None,
        end=_instant(form.end, form.tz, "end") if form.end else None,
        count=_number(form.count, "count", 1_000_000_000),
        expires=form.expires or 0.0,
    )


def _missing(field: str) -> str:
    raise BadField("write something here", field=field)


def _number(text: str, field: str, most: int) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > most:
        raise BadField(f"a whole number from 0 to {most:,}", field=field)
    return int(text)


def _member(kind: Any, word: str, field: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        raise BadField(f"one of {', '.join(kind)}", field=field) from None


def _instant(text: str, tz: str, field: str) -> datetime:
    """A time as a browser's field gives it, on the clock of the form's zone. Raises `BadField`."""
    try:
        there = ZoneInfo(zone(tz or "UTC").name)
    except BadInput as error:
        raise BadField(str(error), field="tz") from None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadField("a date and a time, such as 2026-11-30T09:00", field=field) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=there)


def filled(schedule: Schedule, codec: Codec) -> Form | None:
    """A stored schedule as a form; None for a trigger that a form cannot tell: such are written in programs."""
    trigger = decode(schedule.trigger)
    words: dict[str, Any] = {}
    match trigger:
        case Cron(expression=text, tz=tz, seconds="none"):
            words = {"kind": "cron", "cron": text, "tz": tz}
        case Every(delay=True):
            words = {"kind": "delay", "delay": _duration(trigger.interval_micros / MICROS)}
        case Every():
            words = {"kind": "every", "every": _duration(trigger.interval_micros / MICROS)}
        case Once(at=at):
            words = {"kind": "at", "at": _local(at, "UTC"), "tz": "UTC"}
        case _:
            return None
    tz = words.get("tz", "UTC")
    group, _, name = schedule.name.partition("/")
    arguments = readable(schedule.args, codec)
    return Form(
        group=group,
        name=name,
        version=str(schedule.version),
        task=schedule.task,
        arguments="" if not arguments else msgspec.json.format(msgspec.json.encode(arguments), indent=2).decode(),
        queue=queue_of(schedule.queue),
        priority=str(schedule.band),
        misfire=schedule.misfire,
        misfire_window=_duration(schedule.misfire_window_seconds),
        overlap=schedule.overlap,
        overlap_max=str(schedule.overlap_max or ""),
        jitter=_duration(schedule.jitter_seconds),
        start=_local(schedule.start_at, tz),
        end=_local(schedule.end_at, tz),
        count=str(schedule.count or ""),
        expires=_duration(schedule.expires_seconds),
        owner=schedule.owner,
        **words,
    )


def _duration(seconds: float) -> str:
    return f"{seconds:g}s" if seconds else ""


def _local(at: int, tz: str) -> str:
    return to_datetime(at).astimezone(ZoneInfo(zone(tz).name)).strftime("%Y-%m-%dT%H:%M:%S") if at else ""
