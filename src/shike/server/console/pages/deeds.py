"""The log of deeds: who did what, when, from where; whether the chain is whole; and how much of it is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from shike.clock import to_datetime
from shike.errors import BadField
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.page import Page, done, shown
from shike.server.console.render import show, told, words_of
from shike.server.paging import place_of
from shike.server.roles import Role
from shike.server.routes import Rule

PAGE = Page(name="deeds", path="/log", place=120, letter="l", role=Role.ADMIN, is_whole=True)
ROWS = 50
LOOKED_AT_MAX = 1_000  # entries that a search looks through at once
DAYS_MAX = 36_500


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Entries that hold a word, and where to go on."""

    q: Annotated[str, Meta(max_length=200)] = ""
    before: Annotated[str, Meta(max_length=20)] = ""


class Keeping(Struct, frozen=True, forbid_unknown_fields=True):
    """How much stays."""

    keep_days: Annotated[str, Meta(max_length=20)] = ""


async def page(ask: Ask[None, Wanted]) -> Reply:
    """Entries, newest first."""
    await ask.desk.log.write_sums()
    word, before = ask.query.q.lower(), place_of(ask.query.before)
    entries = await ask.desk.log.page(before, LOOKED_AT_MAX if word else ROWS)
    last = entries[-1].number if entries else 0
    found = [one for one in entries if not word or word in _text(one)][:ROWS]
    following = found[-1].number if len(found) == ROWS else last
    is_more = following > 1 and (len(found) == ROWS or (bool(word) and len(entries) == LOOKED_AT_MAX))
    template = "deeds_table.html" if ask.visit.is_part else "deeds.html"
    return show(
        ask, template, page="deeds", entries=found, q=ask.query.q, more=str(following) if is_more else "",
        dropped=(await ask.desk.log.dropped()).until,
    )  # fmt: skip


def _text(entry: Any) -> str:
    return msgspec.json.encode(entry).decode().lower()


async def check(ask: Ask[None, Nothing]) -> Reply:
    """Whether the chain is whole."""
    return show(ask, "deeds_check.html", page="deeds", checked=await ask.desk.log.check())


async def ask_purge(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    return show(ask, "deeds_purge.html", page="deeds")


async def purge(ask: Ask[Keeping, Nothing]) -> Reply:
    """Drop what was kept long enough; the chain tells of it, and stays sound."""
    text = ask.body.keep_days
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= DAYS_MAX:
        raise BadField(f"a whole number of days, from 1 to {DAYS_MAX:,}", field="keep_days")
    before = to_datetime(await ask.desk.store.now()) - timedelta(days=int(text))
    gone = await ask.desk.log.purge(ask.who, ask.address, before)
    ask.after = gone
    return told(ask, words_of(ask, "deeds.purged", count=gone.count), to="/log")


ROUTES = (
    shown("/log", page, query=Wanted, rule=Rule.WHOLE, role=Role.ADMIN, words="Who did what, when, from where."),
    shown("/log/check", check, rule=Rule.WHOLE, role=Role.ADMIN, words="Whether the chain of the log is whole."),
    shown("/log/purge", ask_purge, rule=Rule.WHOLE, role=Role.ADMIN, words="How much of the log is to stay."),
    done("/log/purge", purge, body=Keeping, rule=Rule.WHOLE, role=Role.ADMIN, words="Drop the beginning of the log."),
)
