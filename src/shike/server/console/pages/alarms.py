"""Alarms: what is raised, since when, who looks after it; and taking one over."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from shike.connect.alarms.sayings import words_of as words_in
from shike.operate import alarms
from shike.operate.alarms import AlarmFacts
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.live import Topic
from shike.server.console.page import Page, done, shown
from shike.server.console.render import show, told, words_of
from shike.server.desk import Desk
from shike.server.routes import Rule

PAGE = Page(name="alarms", path="/alarms", place=85, letter="e", is_whole=True)
SHARED_SECONDS: Final = 2.0
OPEN: Final = ("raised", "eased")


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Which alarms. `all`: also those that are not raised yet, and those that are over."""

    all: bool = False


async def page(ask: Ask[None, Wanted]) -> Reply:
    """What is raised, the newest first."""
    found = await _read(ask.desk)
    raised = [one for one in found if one.phase in OPEN]
    shown_ones = [_said(one, ask.visit.lang) for one in (found if ask.query.all else raised)]
    return show(
        ask, "alarms_table.html" if ask.visit.is_part else "alarms.html", page="alarms",
        alarms=shown_ones, everything=ask.query.all, raised=len(raised), others=len(found),
        untended=sum(not one.acked_by for one in raised),
    )  # fmt: skip


async def ack(ask: Ask[Nothing, Nothing]) -> Reply:
    """Whoever asks looks after it, by the name of their key."""
    ask.after = taken = await alarms.ack(ask.desk.store, ask.path["alarm"], by=ask.who.name)
    ask.desk.live.forget()
    return told(ask, words_of(ask, "alarms.taken", by=taken.acked_by))


def _said(one: AlarmFacts, language: str) -> AlarmFacts:
    """In the language of whoever looks."""
    return replace(one, words=words_in(one.words, one.saying, one.about, language))


async def _read(desk: Desk) -> list[AlarmFacts]:
    found: list[AlarmFacts] = await desk.live.shared(
        "alarms", SHARED_SECONDS, lambda: alarms.listing(desk.store, everything=True)
    )
    return found


async def _changes(desk: Desk) -> Any:
    return [(one.id, one.phase, one.words, one.acked_by) for one in await _read(desk)]


TOPICS = (Topic(name="alarms", seconds=SHARED_SECONDS, read=_changes),)
ROUTES = (
    shown("/alarms", page, query=Wanted, rule=Rule.WHOLE, words="Alarms: what is raised, and who looks after it."),
    done("/alarms/{alarm}/ack", ack, rule=Rule.WHOLE, words="Look after an alarm: no reminders until it is over."),
)
