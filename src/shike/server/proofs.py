"""What became of every planned moment (P7), and who did what."""

from __future__ import annotations

from msgspec import Struct

from shike.audit import Report, audit
from shike.errors import BadInput
from shike.server import reading
from shike.server.ask import Ask, Nothing
from shike.server.log import Checked, Entry
from shike.server.paging import place_of
from shike.server.roles import Role
from shike.server.routes import API, Route, Rule
from shike.server.shapes import Interval, Page


class Proof(Struct, frozen=True, kw_only=True):
    """An audit, and its verdict: sound, or with holes or doubles."""

    sound: bool
    holes: int
    doubles: int
    report: Report


class LogPage(Struct, frozen=True, kw_only=True):
    """Entries, newest first."""

    entries: list[Entry]
    next: str = ""


async def prove(ask: Ask[None, Interval]) -> Proof:
    """Compute the moments of an interval anew, and lay them beside what the store holds."""
    wanted = ask.query
    for at, field in ((wanted.start, "start"), (wanted.end, "end")):
        reading.instant(at, field)
    only = tuple(name if "/" in name else f"default/{name}" for name in wanted.only)
    try:
        report = await audit(ask.desk.store, wanted.start, wanted.end, only=only)
    except BadInput as error:
        raise reading.named(error, "end") from None
    return Proof(sound=report.sound, holes=report.holes, doubles=report.doubles, report=report)


async def log(ask: Ask[None, Page]) -> LogPage:
    """What was done over HTTP, by whom, from where."""
    await ask.desk.log.write_sums()
    entries = await ask.desk.log.page(place_of(ask.query.cursor), ask.query.limit)
    last = entries[-1].number if entries else 0
    return LogPage(entries=entries, next=str(last) if len(entries) == ask.query.limit and last > 1 else "")


async def check_log(ask: Ask[None, Nothing]) -> Checked:
    """Whether the chain of the log is whole."""
    return await ask.desk.log.check()


ROUTES = (
    Route(
        verb="GET", path=f"{API}/audit", role=Role.VIEWER, rule=Rule.WHOLE, handler=prove, query=Interval, answer=Proof,
        words="Prove what became of every planned moment of an interval.",
    ),
    Route(
        verb="GET", path=f"{API}/log", role=Role.ADMIN, rule=Rule.WHOLE, handler=log, query=Page, answer=LogPage,
        words="Who did what, when, from where; newest first.",
    ),
    Route(
        verb="GET", path=f"{API}/log/check", role=Role.ADMIN, rule=Rule.WHOLE, handler=check_log, answer=Checked,
        words="Check that nobody changed, removed or inserted an entry; note `head` elsewhere.",
    ),
)  # fmt: skip
