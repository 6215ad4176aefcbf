"""Access keys over HTTP: who am I; and for admins list, make, rotate, revoke."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from shike.errors import BadInput
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.keys import KeyFacts, NewKey
from shike.server.roles import Access, Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import NewAccess, Rotation

HOME = f"{API}/keys"


class KeysList(Struct, frozen=True, kw_only=True):
    """All keys, without their secrets."""

    keys: list[KeyFacts]


async def me(ask: Ask[None, Nothing]) -> Access:
    """Whose key it is that was sent."""
    return ask.who


async def listing(ask: Ask[None, Nothing]) -> KeysList:
    """All, revoked ones too."""
    return KeysList(keys=await ask.desk.keys.listing())


async def make(ask: Ask[NewAccess, Nothing]) -> Reply:
    """A new one, shown this once."""
    wanted = ask.body
    try:
        new = await ask.desk.keys.make(
            wanted.name,
            wanted.role,
            queues=wanted.queues,
            days=wanted.days,
            per_second=wanted.per_second,
            by=ask.who.id,
        )
    except BadInput as error:
        raise reading.named(error, "queues" if "queue" in str(error) else "name") from None
    ask.after = new.facts
    return _shown_once(new, 201)


async def rotate(ask: Ask[Rotation, Nothing]) -> Reply:
    """A new secret; the old one works for a while beside it."""
    new = await ask.desk.keys.rotate(ask.path["key"], grace_seconds=ask.body.grace_seconds)
    ask.after = new.facts
    return _shown_once(new, 200)


async def revoke(ask: Ask[None, Nothing]) -> KeyFacts:
    """It lets nobody in any more."""
    facts = await ask.desk.keys.revoke(ask.path["key"])
    ask.after = facts
    return facts


def _shown_once(new: NewKey, status: int) -> Reply:
    return Reply(value=new, status=status, headers={"cache-control": "no-store"})


EXAMPLE: dict[str, Any] = {"name": "ci", "role": "operator", "queues": ["default"], "days": 90}

ROUTES = (
    Route(
        verb="GET", path=f"{API}/me", role=Role.VIEWER, also=(Role.WORKER, Role.SCHEDULER), rule=Rule.ROLE, handler=me,
        answer=Access, words="Whose key was sent, and what it may.",
    ),
    Route(
        verb="GET", path=HOME, role=Role.ADMIN, rule=Rule.WHOLE, handler=listing, answer=KeysList,
        words="All access keys, without their secrets.",
    ),
    Route(
        verb="POST", path=HOME, role=Role.ADMIN, rule=Rule.WHOLE, handler=make, body=NewAccess, answer=NewKey,
        status=201, words="Make an access key; it is shown this once.", logged=Logged.EACH, example=EXAMPLE,
    ),
    Route(
        verb="POST", path=f"{HOME}/{{key}}/rotate", role=Role.ADMIN, rule=Rule.WHOLE, handler=rotate, body=Rotation,
        answer=NewKey, words="Give a key a new secret; the old one works beside it for a while.", logged=Logged.EACH,
        example={"grace_seconds": 3600},
    ),
    Route(
        verb="DELETE", path=f"{HOME}/{{key}}", role=Role.ADMIN, rule=Rule.WHOLE, handler=revoke, answer=KeyFacts,
        words="Revoke a key.", logged=Logged.EACH,
    ),
)  # fmt: skip
