"""Alarms: what is raised, and taking one over."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from shike.operate import alarms
from shike.operate.alarms import AlarmFacts
from shike.server.ask import Ask, Nothing
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import Sent

HOME = f"{API}/alarms"


class AlarmsWanted(Sent, frozen=True):
    """Which alarms are listed."""

    everything: Annotated[bool, Meta(description="Also those that are not raised yet, or over.")] = False


class AlarmsList(Struct, frozen=True, kw_only=True):
    """Alarms, the newest first."""

    alarms: list[AlarmFacts]


async def listing(ask: Ask[None, AlarmsWanted]) -> AlarmsList:
    """What is raised now."""
    return AlarmsList(alarms=await alarms.listing(ask.desk.store, everything=ask.query.everything))


async def ack(ask: Ask[Nothing, Nothing]) -> AlarmFacts:
    """Whoever asks looks after it, by the name of their key."""
    ask.after = taken = await alarms.ack(ask.desk.store, ask.path["alarm"], by=ask.who.name)
    return taken


ROUTES = (
    Route(
        verb="GET", path=HOME, role=Role.VIEWER, rule=Rule.WHOLE, handler=listing, query=AlarmsWanted,
        answer=AlarmsList, words="Alarms that are raised, the newest first: what, since when, who looks after it.",
    ),
    Route(
        verb="POST", path=f"{HOME}/{{alarm}}/ack", role=Role.OPERATOR, rule=Rule.WHOLE, handler=ack, body=Nothing,
        answer=AlarmFacts, words="Look after an alarm: no reminders until it is over.", logged=Logged.EACH,
    ),
)  # fmt: skip
