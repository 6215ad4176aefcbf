"""What became of every planned moment (P7), and who did what."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from shike.audit import Report, audit
from shike.clock import to_datetime
from shike.errors import BadInput
from shike.server import reading
from shike.server.ask import Ask, Nothing
from shike.server.log import Checked, Dropped, Entry
from shike.server.paging import place_of
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import Interval, Keeping, Page


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


async def purge_log(ask: Ask[Keeping, Nothing]) -> Dropped:
    """Drop what was kept long enough; the chain stays sound."""
    before = to_datetime(await ask.desk.store.now()) - timedelta(days=ask.body.keep_days)
    ask.before = ask.body
    ask.after = await ask.desk.log.purge(ask.who, ask.address, before)
    return ask.after  # type: ignore[no-any-return]


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
    Route(
        verb="POST", path=f"{API}/log/purge", role=Role.ADMIN, rule=Rule.WHOLE, handler=purge_log, body=Keeping,
        answer=Dropped, words="Drop entries older than so many days; the chain tells of it and stays sound.",
        logged=Logged.EACH, example={"keep_days": 400},
    ),
)  # fmt: skip
