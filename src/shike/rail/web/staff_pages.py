"""What staff see: the trains of a day, and one train with its grid of seats, its refusals, its quotas and what it could
earn; and what they do when it does not run."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, field, to_builtins

from shike.errors import Forbidden
from shike.rail.bounds import NAME_CHARS_MAX
from shike.rail.web import seat_plan, sent, shapes
from shike.rail.web.ask import Ask
from shike.rail.web.bounds import LOADS, PAGES_MAX, TRAINS_A_PAGE
from shike.rail.web.door import STAFF_COOKIE
from shike.rail.web.operating import advised, departures_of, heat_of, refusals_of, rules_of
from shike.rail.web.pages import Spoken, train_path
from shike.rail.web.rendering import page
from shike.rail.web.routes import API, ROOT, TRAIN, Logged, Route, Rule
from shike.rail.web.searching import train_facts
from shike.server.ask import Nothing, Reply
from shike.server.roles import Role, may

CELL_WIDTH: Final = 44  # of a segment in the grid, in its own units
CELL_HEIGHT: Final = 5  # of a seat
REFRESH_SECONDS: Final = 15

Order = Literal["leaves", "refused"]


class SignIn(sent.Sent, frozen=True):
    """An access key; from then on the browser has it in a cookie that no script can read."""

    key: str


class OfDay(Spoken, frozen=True):
    day: date | None = field(name="date", default=None)
    text: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    order: Order = "leaves"
    page: Annotated[int, Meta(ge=1, le=PAGES_MAX)] = 1


class Control(Spoken, frozen=True):
    class_: str = field(name="class", default="")
    load: float = 1.4


async def sign_in(ask: Ask[SignIn, Nothing]) -> Reply:
    """Take an access key of staff. Raises `NotAuthenticated`, `Forbidden`."""
    desk = await ask.house.opening.desk()
    access = await desk.keys.who(ask.body.key)
    if not may(access.role, Role.VIEWER, ()):
        raise Forbidden(f"this is for staff; the key {access.name!r} is a {access.role}'s", needed=str(Role.VIEWER))
    return Reply(
        value=shapes.Ok(),
        headers={"set-cookie": f"{STAFF_COOKIE}={ask.body.key}; Path=/rail; HttpOnly; SameSite=Strict"},
    )


async def sign_out(ask: Ask[None, Nothing]) -> Reply:
    """Forget it."""
    return Reply(
        value=shapes.Ok(), headers={"set-cookie": f"{STAFF_COOKIE}=; Path=/rail; HttpOnly; SameSite=Strict; Max-Age=0"}
    )


async def entrance(ask: Ask[None, Spoken]) -> Reply:
    """Where staff sign in."""
    return _page(ask, "signin.html")


async def day(ask: Ask[None, OfDay]) -> Reply:
    """The trains of a day, a page of them."""
    asked = ask.query
    found = await departures_of(
        ask.house,
        asked.day,
        text=asked.text.strip(),
        by_refusals=asked.order == "refused",
        first=(asked.page - 1) * TRAINS_A_PAGE,
        most=TRAINS_A_PAGE,
    )
    pages = -(-found.count // TRAINS_A_PAGE)
    return _page(ask, "day.html", found=found, asked=asked, pages=pages)


async def control(ask: Ask[None, Control]) -> Reply:
    """One train."""
    house, asked = ask.house, ask.query
    facts = await train_facts(house, ask.departure)
    heat = await heat_of(house, ask.departure, asked.class_)
    size = len(heat.seats)
    pools = {pool.class_: pool.seats for pool in facts.classes}
    advice = await advised(house, ask.departure, heat.class_, asked.load)
    return _page(
        ask,
        "control.html",
        train=facts,
        heat=heat,
        bars=seat_plan.bars(heat.takes),
        cell=(CELL_WIDTH, CELL_HEIGHT),
        grid=(CELL_WIDTH * len(heat.taken), CELL_HEIGHT * size),
        size=pools[heat.class_],
        refusals=await refusals_of(house, heat.train),
        rules=await rules_of(house, ask.departure),
        advice=advice,
        rules_to_set=[_to_set(one, heat.class_) for one in advice.rules],
        loads=LOADS,
        compositions=sorted(house.trade.trains.compositions),
        currency=house.trade.tariff(house.clock.wall()).currency,
        refresh_seconds=REFRESH_SECONDS,
    )


def _to_set(rule: shapes.RuleFacts, class_: str) -> dict[str, Any]:
    """An advised rule as it is sent."""
    asked = sent.NewRule(
        kind=rule.kind, count=rule.count, class_=class_, origin=rule.origin, goal=rule.goal, measure=rule.measure
    )
    return {"name": rule.name, "body": to_builtins(asked)}


def _page(ask: Ask[Any, Any], template: str, **facts: Any) -> Reply:
    access = ask.who.access
    may_act = access is not None and may(access.role, Role.OPERATOR, ())
    return page(
        ask.house, ask.headers, template, lang=ask.query.lang, path_of=train_path, root=ROOT, may_act=may_act, **facts
    )


def _shown(path: str, handler: Any, words: str, query: Any) -> Route:
    return Route(
        verb="GET", path=path, rule=Rule.ROLE, role=Role.VIEWER, handler=handler, words=words, query=query, is_page=True
    )


ROUTES = (
    Route(
        verb="POST", path=f"{API}/staff/session", rule=Rule.STEP, handler=sign_in, body=SignIn, answer=shapes.Ok,
        words="Sign in as staff: the access key goes into a cookie.", logged=Logged.EACH,
    ),
    Route(
        verb="POST", path=f"{API}/staff/end", rule=Rule.ROLE, role=Role.VIEWER, handler=sign_out, answer=shapes.Ok,
        words="Sign out.", logged=Logged.EACH,
    ),
    Route(
        verb="GET", path=f"{ROOT}/staff", rule=Rule.STEP, handler=entrance, words="Where staff sign in.", query=Spoken,
        is_page=True,
    ),
    _shown(f"{ROOT}/staff/day", day, "The trains of a day, for staff.", OfDay),
    _shown(f"{ROOT}/staff/{TRAIN}", control, "A train, for staff.", Control),
)  # fmt: skip
