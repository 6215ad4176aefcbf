"""Audit: pick an interval, see the proof of what became of every planned moment in it (P7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from shike.audit import Report, audit
from shike.clock import to_datetime
from shike.errors import BadField, BadInput
from shike.server import reading
from shike.server.ask import Ask, Reply
from shike.server.console.page import Page, shown
from shike.server.console.render import show
from shike.server.routes import Rule

PAGE = Page(name="audit", path="/audit", place=90, letter="a", is_whole=True)
HOURS: Final = (1, 6, 24, 168)
SHARED_SECONDS: Final = 5.0
SPAN_DAYS_MAX: Final = 31
GOOD: Final = ("SUCCESS", "BACKFILLED")
MOODS: Final = {
    "SUCCESS": "good", "BACKFILLED": "good", "DEAD": "bad", "CANCELLED": "calm", "SKIPPED": "calm",
    "RUNNING": "busy", "UNPLANNED": "line", "PENDING": "warn", "SCHEDULED": "line", "FAILED": "warn",
}  # fmt: skip

Text = Annotated[str, Meta(max_length=40)]


class Interval(Struct, frozen=True, forbid_unknown_fields=True):
    """The last `hours`, or from `start` to `end`."""

    hours: Annotated[int, Meta(ge=1, le=24 * SPAN_DAYS_MAX)] = 24
    start: Text = ""
    end: Text = ""


async def page(ask: Ask[None, Interval]) -> Reply:
    """The form; the proof comes by itself, since it may take a while."""
    start, end = await _span(ask)
    return show(
        ask, "audit.html", page="audit", hours=HOURS, chosen=0 if ask.query.start else ask.query.hours,
        start=_typed(start), end=_typed(end),
    )  # fmt: skip


async def proof(ask: Ask[None, Interval]) -> Reply:
    """The proof itself."""
    start, end = await _span(ask)

    async def prove() -> Report:
        return await audit(ask.desk.store, start, end)

    key = ("audit", start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0))
    try:
        report: Report = await ask.desk.live.shared(key, SHARED_SECONDS, prove)
    except BadInput as error:
        raise reading.named(error, "end") from None
    told = [one for one in report.schedules if one.moments or one.holes or one.doubles]
    fates = sorted({fate for one in told for fate in one.fates})
    return show(
        ask, "audit_proof.html", page="audit", report=report, schedules=told, fates=fates, moods=MOODS,
        moments=sum(one.moments for one in told), ran=sum(one.fates[fate] for one in told for fate in GOOD),
        others=sum(sum(one.fates.values()) for one in told) - sum(one.fates[fate] for one in told for fate in GOOD),
    )  # fmt: skip


async def _span(ask: Ask[Any, Interval]) -> tuple[datetime, datetime]:
    wanted, now = ask.query, to_datetime(await ask.desk.store.now())
    if not wanted.start and not wanted.end:
        return now - timedelta(hours=wanted.hours), now
    start = _read(wanted.start, "start")
    end = _read(wanted.end, "end") if wanted.end else now
    if end - start > timedelta(days=SPAN_DAYS_MAX):
        raise BadField(f"at most {SPAN_DAYS_MAX} days at once", field="end")
    if end <= start:
        raise BadField("the end comes after the start", field="end")
    return start, end


def _read(text: str, field: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadField("write a time as 2026-01-31T02:30, in UTC unless it says otherwise", field=field) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _typed(at: datetime) -> str:
    """As an input of a date and a time takes it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}"


ROUTES = (
    shown("/audit", page, query=Interval, rule=Rule.WHOLE, words="The form of an audit."),
    shown("/audit/proof", proof, query=Interval, rule=Rule.WHOLE, words="What became of every planned moment."),
)
