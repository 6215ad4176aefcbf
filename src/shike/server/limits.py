"""Limits and strikes: what holds over the cluster, changing it, and keeping runs from beginning (R0.9)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from shike.bounds import NAME_CHARS_MAX
from shike.errors import BadInput, BadPredicate, BadTime, Conflict, PreconditionFailed
from shike.limit import shown as limits
from shike.limit import striking as strikes
from shike.limit.bounds import PREDICATE_CHARS_MAX
from shike.limit.shown import KeyFacts, LimitFacts
from shike.limit.strikes import Deed, Strike
from shike.operate.facts import instant
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply, etag_of
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import Reason, Sent

HOME = f"{API}/limits"
ONE = f"{HOME}/{{task}}/{{limit}}"
STRIKES = f"{API}/strikes"
NUMBERS_MAX = 8  # that one limit has
Number: TypeAlias = int | float | str | dict[str, float]


class OfTask(Sent, frozen=True):
    """Whose limits."""

    task: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""


class NewNumbers(Sent, frozen=True):
    """What is to hold instead of what the code says; what is not named stays."""

    numbers: Annotated[dict[str, Number], Meta(min_length=1, max_length=NUMBERS_MAX, examples=[{"cap": 8}])]


class NewStrike(Sent, frozen=True):
    """What is not to begin, why, what becomes of it, and until when."""

    predicate: Annotated[str, Meta(max_length=PREDICATE_CHARS_MAX)]
    reason: Reason
    deed: Deed = Deed.HOLD
    until: Annotated[datetime, Meta(tz=True)] | None = None


class LimitsList(Struct, frozen=True, kw_only=True):
    """Limits, by task."""

    limits: list[LimitFacts]


class LimitPage(Struct, frozen=True, kw_only=True):
    """A limit, and its keys that are in use or waited for."""

    limit: LimitFacts
    keys: list[KeyFacts]


class StrikeFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A strike. `until`: when it is over by itself."""

    id: str
    predicate: str
    reason: str
    deed: str
    who: str = ""
    at: datetime | None = None
    until: datetime | None = None


class StrikesList(Struct, frozen=True, kw_only=True):
    """Strikes that are not over, oldest first."""

    strikes: list[StrikeFacts]


# ---------------------------------------------------------------- limits


async def listing(ask: Ask[None, OfTask]) -> LimitsList:
    """All, or those of one task."""
    return LimitsList(limits=await limits.listing(ask.desk.store, ask.query.task))


async def show(ask: Ask[None, Nothing]) -> Reply:
    """One, with the keys in use."""
    known = await _found(ask)
    keys = [one for one in await limits.keys(ask.desk.store, known.task) if one.name == known.name]
    return _page(known, keys)


async def change(ask: Ask[NewNumbers, Nothing]) -> Reply:
    """Other numbers, for the whole cluster, until it is reset."""
    known = await _noted(ask)
    ask.after = ask.body
    store, expect = ask.desk.store, _expected(ask, known)
    try:
        new = await limits.set_limit(store, known.task, known.name, ask.body.numbers, ask.who.name, expect=expect)
    except BadInput as error:
        raise reading.named(error, "numbers") from None
    except Conflict as error:
        raise PreconditionFailed(str(error)) from None
    return _page(new, [])


async def reset(ask: Ask[None, Nothing]) -> Reply:
    """What the code says holds again."""
    known = await _noted(ask)
    try:
        new = await limits.reset(ask.desk.store, known.task, known.name, expect=_expected(ask, known))
    except Conflict as error:
        raise PreconditionFailed(str(error)) from None
    ask.after = new
    return _page(new, [])


async def _found(ask: Ask[Any, Any]) -> LimitFacts:
    return await limits.find(ask.desk.store, ask.path["task"], ask.path["limit"])


async def _noted(ask: Ask[Any, Any]) -> LimitFacts:
    ask.before = known = await _found(ask)
    ask.must_match(etag_of(known.version))
    return known


def _expected(ask: Ask[Any, Any], known: LimitFacts) -> int | None:
    """The version to compare in the step that changes it; None where the caller asked for none."""
    return known.version if ask.headers.get("if-match", "").strip() not in ("", "*") else None


def _page(known: LimitFacts, keys: list[KeyFacts]) -> Reply:
    return Reply(value=LimitPage(limit=known, keys=keys), headers={"etag": etag_of(known.version)})


# ---------------------------------------------------------------- strikes


async def struck(ask: Ask[None, Nothing]) -> StrikesList:
    """All that are not over."""
    return StrikesList(strikes=[_facts(one) for one in await strikes.listing(ask.desk.store)])


async def strike(ask: Ask[NewStrike, Nothing]) -> Reply:
    """Keep runs from beginning."""
    ask.after = made = await add(ask, ask.body.predicate, ask.body.reason, ask.body.deed, ask.body.until)
    return Reply(value=_facts(made), status=201, headers={"location": f"{STRIKES}/{made.id}"})


async def add(ask: Ask[Any, Any], predicate: str, reason: str, deed: Deed, until: datetime | None) -> Strike:
    """A new strike, by whoever asks; raises `BadField`."""
    try:
        return await strikes.add(ask.desk.store, predicate, reason, deed=deed, who=ask.who.name, until=until)
    except BadPredicate as error:
        raise reading.named(error, "predicate") from None
    except BadTime as error:
        raise reading.named(error, "until") from None
    except BadInput as error:
        raise reading.named(error, "reason") from None


async def lift(ask: Ask[None, Nothing]) -> Reply:
    """Let these runs begin again."""
    ask.before = await strikes.remove(ask.desk.store, ask.path["strike"])
    return Reply(status=204, raw=b"")


def _facts(one: Strike) -> StrikeFacts:
    return StrikeFacts(
        id=one.id, predicate=one.predicate, reason=one.reason, deed=str(one.deed), who=one.who, at=instant(one.at),
        until=instant(one.until),
    )  # fmt: skip


ROUTES = (
    Route(
        verb="GET", path=HOME, role=Role.VIEWER, rule=Rule.WHOLE, handler=listing, query=OfTask, answer=LimitsList,
        words="The limits that tasks have, as they hold now.",
    ),
    Route(
        verb="GET", path=ONE, role=Role.VIEWER, rule=Rule.WHOLE, handler=show, answer=LimitPage,
        words="One limit; its keys in use: how much is taken, by which runs, who waits and why.",
    ),
    Route(
        verb="PATCH", path=ONE, role=Role.OPERATOR, rule=Rule.WHOLE, handler=change, body=NewNumbers, answer=LimitPage,
        words="Change its numbers for the whole cluster until it is reset; `If-Match` compares the version.",
        logged=Logged.EACH, example={"numbers": {"cap": 8}},
    ),
    Route(
        verb="POST", path=f"{ONE}/reset", role=Role.OPERATOR, rule=Rule.WHOLE, handler=reset, answer=LimitPage,
        words="What the code says holds again.", logged=Logged.EACH,
    ),
    Route(
        verb="GET", path=STRIKES, role=Role.VIEWER, rule=Rule.WHOLE, handler=struck, answer=StrikesList,
        words="Strikes that are not over: which runs do not begin, and why.",
    ),
    Route(
        verb="POST", path=STRIKES, role=Role.OPERATOR, rule=Rule.WHOLE, handler=strike, body=NewStrike,
        answer=StrikeFacts, status=201, words="Keep runs from beginning; what runs goes on.", logged=Logged.EACH,
        example={"predicate": "task=mail.send and tenant=acme", "reason": "their relay bounces"},
    ),
    Route(
        verb="DELETE", path=f"{STRIKES}/{{strike}}", role=Role.OPERATOR, rule=Rule.WHOLE, handler=lift, status=204,
        words="Let these runs begin again.", logged=Logged.EACH,
    ),
)  # fmt: skip
