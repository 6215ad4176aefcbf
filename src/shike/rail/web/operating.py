"""What staff do: put trains on sale, see how full they are and why people were refused, set quotas and prices, and see
to trains that do not run, or run with other carriages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from shike.clock import to_datetime, to_micros
from shike.errors import BadField, BadTrip, NotFound, TradeRefused, UnknownTrain
from shike.rail.journey import refused
from shike.rail.model import Departure
from shike.rail.opening import ONLINE, WHOLE_PERMILLE, opening
from shike.rail.order import Part
from shike.rail.planning import plan
from shike.rail.web import sent, shapes
from shike.rail.web.ask import Ask
from shike.rail.web.bounds import DEPARTURES_SHOWN
from shike.rail.web.house import House
from shike.rail.web.routes import API, TRAIN, Logged, Route, Rule
from shike.rail.web.searching import opened, sold_percent, state_of
from shike.reserve import commands
from shike.reserve.events import AnyEvent
from shike.reserve.model import NOWHERE, Measure, Reason, Refusal, RuleKind
from shike.reserve.model import Rule as Quota
from shike.reserve.pools import bits
from shike.reserve.state import State
from shike.server.ask import Nothing
from shike.server.roles import Role

BLOCKED = "blocked"


async def departures(ask: Ask[None, sent.OfDay]) -> shapes.Departures:
    """The trains of a day that have a ledger."""
    return await departures_of(ask.house, ask.query.day)


async def departures_of(
    house: House,
    day: date | None,
    *,
    text: str = "",
    by_refusals: bool = False,
    first: int = 0,
    most: int = DEPARTURES_SHOWN,
) -> shapes.Departures:
    """Of a service day; None: of the first that has any. Those with `text` in their names or their stations', in the
    order in which they leave, or those with most refusals first; from number `first` on, at most so many."""
    keys, after = [], ""
    while page := await house.ledgers.ledgers(after):
        keys += page
        after = page[-1]
    by_day: dict[date, list[Departure]] = {}
    for key in keys:
        try:
            departure = house.departure(key)
        except UnknownTrain:
            continue  # a ledger of something else, in the same journal
        by_day.setdefault(departure.day, []).append(departure)
    chosen = day or min(by_day, default=house.trade.timetable.local_day(house.clock.wall()))
    refused = await house.refusals.of_day(chosen)
    found = [one for one in by_day.get(chosen, ()) if _is_meant(house, one, text.casefold())]
    found.sort(key=lambda one: (-refused.get(one.key, 0) if by_refusals else 0, one.departs_at(0)))
    departures = [await _departure(house, one, refused.get(one.key, 0)) for one in found[first : first + most]]
    return shapes.Departures(day=chosen, departures=departures, count=len(found))


def _is_meant(house: House, departure: Departure, text: str) -> bool:
    stations = (house.station(departure, position) for position in range(departure.trip.segments + 1))
    return not text or any(text in name.casefold() for name in (departure.train, *stations))


async def _departure(house: House, departure: Departure, refused: int) -> shapes.DepartureFacts:
    state = await house.seats.state(departure.key)
    return shapes.DepartureFacts(
        train=departure.key,
        origin=house.station(departure, 0),
        goal=house.station(departure, departure.trip.segments),
        departs_at=to_datetime(departure.departs_at(0)),
        state=state_of(state, house.clock.wall()),
        sold_percent=sold_percent(state.pools.values(), state.segments),
        refused=refused,
    )


async def put(ask: Ask[sent.Putting, Nothing]) -> shapes.Ok:
    """Put a train on sale; again it changes nothing."""
    house, wanted = ask.house, ask.body
    departure, now = house.departure(ask.departure), house.clock.wall()
    composition = house.trade.trains.of(departure.train)
    if not 0 <= wanted.online_permille <= WHOLE_PERMILLE:
        raise BadField(
            f"{wanted.online_permille} thousandths cannot be sold online: give 0 to 1000", field="online_permille"
        )
    if (await house.seats.state(departure.key)).version:
        return shapes.Ok(done=False)
    shares = (
        {} if wanted.online_permille == WHOLE_PERMILLE else dict.fromkeys(composition.classes, wanted.online_permille)
    )
    opens = now if wanted.opens_at is None else to_micros(wanted.opens_at)
    command = opening(house.trade.timetable, departure, composition, at=now, opens_at=opens, online_permille=shares)
    _done(departure, await house.seats.ask(departure.key, command))
    ask.after = {"train": departure.key, "opens_at": to_datetime(opens).isoformat()}
    return shapes.Ok()


async def heat(ask: Ask[None, sent.OfClass]) -> shapes.Heat:
    """Seat by segment: what is taken, held, blocked."""
    return await heat_of(ask.house, ask.departure, ask.query.class_)


async def heat_of(house: House, key: str, class_: str) -> shapes.Heat:
    """Of one class of a departure. Raises `UnknownTrain`."""
    departure, state, name = await opened(house, key, class_)
    pool, origin = state.pools[name], state.origin
    takes = [
        shapes.TakeFacts(seat=take.unit, start=take.start - origin, end=take.end - origin, state=str(order.state))
        for order in state.live_orders(name)
        for take in state.takes(order)
        if take.unit != NOWHERE
    ]
    for segment, mask in enumerate(pool.blocked):
        takes += [shapes.TakeFacts(seat=unit, start=segment, end=segment + 1, state=BLOCKED) for unit in bits(mask)]
    taken = [0] * state.segments
    for order in state.live_orders(name):
        for take in state.takes(order):
            for segment in range(take.start - origin, take.end - origin):
                taken[segment] += 1
    return shapes.Heat(
        train=departure.key,
        class_=name,
        version=state.version,
        calls=list(state.labels),
        seats=[unit.name for unit in pool.pool.units],
        taken=taken,
        takes=takes,
    )


async def refusals(ask: Ask[None, Nothing]) -> shapes.RefusalFacts:
    """Why people were refused here."""
    return await refusals_of(ask.house, ask.house.departure(ask.departure).key)


async def refusals_of(house: House, key: str) -> shapes.RefusalFacts:
    """By cause, and by cause and section, the most frequent first."""
    known, reasons = await house.refusals.on(key), Counter[str]()
    for kind, count in known.items():
        reasons[kind.reason] += count
    sections = [
        {"reason": kind.reason, "from": kind.origin, "to": kind.goal, "count": count}
        for kind, count in sorted(known.items(), key=lambda one: -one[1])
    ]
    return shapes.RefusalFacts(train=key, by_reason=dict(reasons.most_common()), by_section=sections)


async def rules(ask: Ask[None, Nothing]) -> shapes.Rules:
    """The quotas and bid prices of a train."""
    return await rules_of(ask.house, ask.departure)


async def rules_of(house: House, key: str) -> shapes.Rules:
    """Of one departure. Raises `UnknownTrain`."""
    departure, state, _ = await opened(house, key, "")
    found = [rule_facts(state, known.rule) for known in state.rules.values()]
    prices = {name: pool.prices for name, pool in state.pools.items() if pool.prices}
    return shapes.Rules(train=departure.key, rules=found, prices=prices)


def rule_facts(state: State, quota: Quota) -> shapes.RuleFacts:
    """A rule with the names of stations."""
    goal = "" if quota.end == NOWHERE else state.labels[quota.end - state.origin]
    return shapes.RuleFacts(
        name=quota.name,
        kind=str(quota.kind),
        count=quota.count,
        origin=state.labels[quota.start - state.origin],
        goal=goal,
        measure=str(quota.measure),
        classes=quota.pools,
        channels=quota.channels,
    )


async def set_rule(ask: Ask[sent.NewRule, Nothing]) -> shapes.Rules:
    """A quota, in place of the one of that name; what was sold stays sold."""
    house, wanted = ask.house, ask.body
    departure, state, name = await opened(house, ask.departure, wanted.class_)
    try:
        kind, measure = RuleKind(wanted.kind), Measure(wanted.measure)
    except ValueError as error:
        raise BadField(
            f"{error}: a kind is max, min, board or alight, a measure thickness or tickets", field="kind"
        ) from None
    start = _position(state, wanted.origin)
    end = _position(state, wanted.goal) if kind in (RuleKind.MAX, RuleKind.MIN) else NOWHERE
    quota = Quota(ask.path["rule"], kind, wanted.count, start, end, measure, (name,))
    now = house.clock.wall()
    _done(departure, await house.seats.ask(departure.key, commands.SetRule(house.deed("rule"), now, quota)))
    ask.after = {"train": departure.key, "rule": quota.name, "count": quota.count}
    return await rules_of(house, departure.key)


async def drop_rule(ask: Ask[None, Nothing]) -> shapes.Rules:
    """The quota is gone."""
    house, now = ask.house, ask.house.clock.wall()
    departure, _, _ = await opened(house, ask.departure, "")
    name = ask.path["rule"]
    _done(departure, await house.seats.ask(departure.key, commands.DropRule(house.deed("drop"), now, name)))
    ask.after = {"train": departure.key, "dropped": name}
    await house.settle()
    return await rules_of(house, departure.key)


async def set_prices(ask: Ask[sent.Prices, Nothing]) -> shapes.Rules:
    """Bid prices: who offers less than their sum is refused."""
    house, now = ask.house, ask.house.clock.wall()
    departure, _, name = await opened(house, ask.departure, ask.body.class_)
    command = commands.SetPrices(house.deed("prices"), now, name, ask.body.prices)
    _done(departure, await house.seats.ask(departure.key, command))
    ask.after = {"train": departure.key, "class": name, "prices": list(ask.body.prices)}
    await house.settle()
    return await rules_of(house, departure.key)


async def advice(ask: Ask[None, sent.Forecasting]) -> shapes.Advised:
    """Prices and quotas for a forecast, with before and after; nothing is changed by asking."""
    return await advised(ask.house, ask.departure, ask.query.class_, ask.query.load)


async def advised(house: House, key: str, class_: str, load: float) -> shapes.Advised:
    """The same crowd at a copy of the ledger: as it is, with the advised rules, with the advised prices."""
    departure, state, name = await opened(house, key, class_)
    at = max(house.clock.wall(), state.sale(ONLINE).opens_at)
    found = plan(house.trade, departure, state, name, load, at=at)
    played = [
        shapes.PlayedFacts(
            policy=one.policy,
            revenue_cents=one.revenue_cents,
            percent=round(100 * one.revenue_cents / found.best_cents, 1) if found.best_cents else 100.0,
            tickets=one.tickets,
            refused=one.refused,
        )
        for one in found.outcomes
    ]
    return shapes.Advised(
        train=departure.key,
        class_=name,
        load=load,
        best_cents=found.best_cents,
        played=played,
        prices=found.advice.prices,
        rules=[rule_facts(state, rule) for rule in found.advice.rules],
    )


async def cancel_run(ask: Ask[sent.Note, Nothing]) -> shapes.Lost:
    """The train does not run: everybody gets all their money back."""
    departure, _, _ = await opened(ask.house, ask.departure, "")
    orders = await ask.house.disruption.cancel_run(departure.key, note=ask.body.note)
    return await _disrupted(ask, departure, orders)


async def recompose(ask: Ask[sent.Recomposing, Nothing]) -> shapes.Lost:
    """The train has other carriages: people are seated anew, and who finds no seat gets all their money back."""
    house = ask.house
    departure, _, _ = await opened(house, ask.departure, "")
    known = house.trade.trains.compositions
    if ask.body.composition not in known:
        words = f"no composition is called {ask.body.composition[:40]!r}; there are {', '.join(sorted(known))}"
        raise BadField(words, field="composition")
    orders = await house.disruption.recompose(departure.key, known[ask.body.composition])
    return await _disrupted(ask, departure, orders)


async def _disrupted(ask: Ask[Any, Nothing], departure: Departure, orders: Iterable[str]) -> shapes.Lost:
    lost = shapes.Lost(orders=sorted(set(orders)))
    ask.after = {"train": departure.key, "orders": len(lost.orders)}
    await ask.house.settle()
    return lost


def _position(state: State, name: str) -> int:
    """Where a train calls at a station, by its name on the line."""
    try:
        return state.labels.index(name) + state.origin
    except ValueError:
        words = f"this train does not call at {name[:60]!r}; its calls are {', '.join(state.labels)}"
        raise BadTrip(words) from None


def _done(departure: Departure, answer: AnyEvent | Refusal) -> None:
    """Raises `NotFound` for what is not there, `TradeRefused` for what the ledger did not do."""
    if isinstance(answer, Refusal) and answer.reason is Reason.UNKNOWN:
        raise NotFound(f"{departure.key} has nothing of that name")
    if isinstance(answer, Refusal):
        part = Part(departure.key, 0, "", 0, 0, 0, 0, departure.day, ())
        error = refused(part, answer)
        raise TradeRefused(str(error), reason=error.reason)


def _staff(verb: str, path: str, handler: Any, words: str, role: Role = Role.OPERATOR, **more: Any) -> Route:
    logged = Logged.NO if verb == "GET" else Logged.EACH
    return Route(
        verb=verb, path=f"{API}/{path}", rule=Rule.ROLE, role=role, handler=handler, words=words, logged=logged, **more
    )


ROUTES = (
    _staff(
        "GET", "departures", departures, "The trains of a day that are sold, how full they are, how many were refused.",
        Role.VIEWER, query=sent.OfDay, answer=shapes.Departures,
    ),
    _staff(
        "POST", f"{TRAIN}/open", put, "Put a train on sale, from an instant on, with a share for the online sale.",
        body=sent.Putting, answer=shapes.Ok,
    ),
    _staff(
        "GET", f"{TRAIN}/heat", heat, "Seat by segment: what is sold, held, blocked.", Role.VIEWER,
        query=sent.OfClass, answer=shapes.Heat,
    ),
    _staff(
        "GET", f"{TRAIN}/refusals", refusals, "Why people were refused on a train, and on which sections.", Role.VIEWER,
        answer=shapes.RefusalFacts,
    ),
    _staff("GET", f"{TRAIN}/rules", rules, "Quotas and bid prices.", Role.VIEWER, answer=shapes.Rules),
    _staff(
        "PUT", f"{TRAIN}/rules/{{rule}}", set_rule, "Set a quota.", body=sent.NewRule, answer=shapes.Rules,
        example={"kind": "min", "class": "second", "from": "Berlin Hbf", "to": "Köln Hbf", "count": 80},
    ),
    _staff("DELETE", f"{TRAIN}/rules/{{rule}}", drop_rule, "Drop a quota.", answer=shapes.Rules),
    _staff(
        "POST", f"{TRAIN}/prices", set_prices, "Set the bid prices of a class; none: no longer.", body=sent.Prices,
        answer=shapes.Rules,
    ),
    _staff(
        "GET", f"{TRAIN}/advice", advice, "Quotas and prices for a forecast, and what they would earn.", Role.VIEWER,
        query=sent.Forecasting, answer=shapes.Advised,
    ),
    _staff(
        "POST", f"{TRAIN}/cancel", cancel_run, "The train does not run: all is given back.", body=sent.Note,
        answer=shapes.Lost,
    ),
    _staff(
        "POST", f"{TRAIN}/composition", recompose, "The train has other carriages.", body=sent.Recomposing,
        answer=shapes.Lost, example={"composition": "de-ice"},
    ),
)  # fmt: skip
