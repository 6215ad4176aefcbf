"""Queues: what waits in each, and switching one off and on."""

from __future__ import annotations

from msgspec import Struct

from shike.errors import BadInput
from shike.operate import queues
from shike.operate.queues import QueueFacts
from shike.server import reading
from shike.server.ask import Ask, Nothing
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import Why

HOME = f"{API}/queues"


class QueuesList(Struct, frozen=True, kw_only=True):
    """Queues by name."""

    queues: list[QueueFacts]


class Switched(Struct, frozen=True, kw_only=True):
    """A queue that was switched. `changed`: whether that changed anything."""

    queue: str
    paused: bool
    changed: bool = True


async def listing(ask: Ask[None, Nothing]) -> QueuesList:
    """All that have live runs or are paused."""
    return QueuesList(queues=[one for one in await queues.listing(ask.desk.store) if ask.who.covers(one.name)])


async def pause(ask: Ask[Why, Nothing]) -> Switched:
    """Grant nothing from it any more."""
    name = await _known(ask, ask.path["queue"])
    ask.after = ask.body
    try:
        await queues.pause(ask.desk.store, name, ask.body.reason)
    except BadInput as error:
        raise reading.named(error, "reason") from None
    return Switched(queue=name, paused=True)


async def resume(ask: Ask[None, Nothing]) -> Switched:
    """Grant from it again."""
    name = await _known(ask, ask.path["queue"])
    return Switched(queue=name, paused=False, changed=await queues.resume(ask.desk.store, name))


async def _known(ask: Ask[Why, Nothing] | Ask[None, Nothing], name: str) -> str:
    ask.who.may_see(name, f"queue {name!r}")
    more = ask.desk.app.queues if ask.desk.app is not None else ()
    await queues.check_known(ask.desk.store, name, more)
    return name


ROUTES = (
    Route(
        verb="GET", path=HOME, role=Role.VIEWER, rule=Rule.QUEUE, handler=listing, answer=QueuesList,
        words="Every queue that has live runs or is paused.",
    ),
    Route(
        verb="POST", path=f"{HOME}/{{queue}}/pause", role=Role.OPERATOR, rule=Rule.QUEUE, handler=pause, body=Why,
        answer=Switched, words="Grant nothing from it; what runs goes on.", logged=Logged.EACH,
        example={"reason": "the mail server is down"},
    ),
    Route(
        verb="POST", path=f"{HOME}/{{queue}}/resume", role=Role.OPERATOR, rule=Rule.QUEUE, handler=resume,
        answer=Switched, words="Grant from it again.", logged=Logged.EACH,
    ),
)  # fmt: skip
