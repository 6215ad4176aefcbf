"""Questions that anybody may ask: stations, journeys, what is left from where to where, which seats, why not."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from shike.clock import MICROS, to_datetime
from shike.errors import BadField, UnknownTrain
from shike.rail.asking import Other
from shike.rail.asking import ask as ask_ledger
from shike.rail.bounds import SALE_ENDS_SECONDS
from shike.rail.composition import class_of
from shike.rail.journey import Wish
from shike.rail.model import Departure, Leg
from shike.rail.offers import ClassOffer, Offer, offers, offers_of
from shike.rail.opening import ONLINE
from shike.rail.planning import fares_of
from shike.rail.seats import available
from shike.rail.transfers import transfers
from shike.rail.web import sent, shapes
from shike.rail.web.ask import Ask
from shike.rail.web.bounds import CHANGES_SHOWN, INSTEAD_SHOWN, JOURNEYS_SHOWN, STATIONS_SHOWN
from shike.rail.web.house import House
from shike.rail.web.routes import API, TRAIN, Route, Rule
from shike.reserve.bounds import PLENTY
from shike.reserve.model import NEVER
from shike.reserve.pools import PoolState
from shike.reserve.state import State
from shike.server.ask import Nothing, Reply

ON_SALE, NOT_ON_SALE, CANCELLED, OVER = "on_sale", "not_on_sale", "cancelled", "over"


async def stations(ask: Ask[None, sent.Typed]) -> shapes.StationList:
    """Those that a text may mean."""
    known = ask.house.trade.timetable.stations
    found = (known[number] for number in known.find(ask.query.text, STATIONS_SHOWN))
    return shapes.StationList(stations=[shapes.StationFacts(id=one.id, name=one.name) for one in found])


async def search(ask: Ask[None, sent.Wanted]) -> shapes.Journeys:
    """A day's journeys."""
    return await journeys(ask.house, ask.query)


async def journeys(house: House, wanted: sent.Wanted) -> shapes.Journeys:
    """Direct ones; with `change` those with one change of trains too, and also where none is direct."""
    trade, now = house.trade, house.clock.wall()
    direct = await offers(trade, house.seats, wanted.origin, wanted.goal, wanted.day, at=now)
    told = [shapes.Journey(rides=[await _ride(house, offer)]) for offer in direct[:JOURNEYS_SHOWN]]
    if wanted.change or not direct:
        found = transfers(trade.timetable, wanted.origin, wanted.goal, wanted.day, most=CHANGES_SHOWN)
        for one in found:
            both = await offers_of(trade, house.seats, [one.first, one.second], at=now)
            told.append(
                shapes.Journey(rides=[await _ride(house, ride) for ride in both], change_seconds=one.wait_seconds)
            )
    return shapes.Journeys(currency=trade.tariff(now).currency, zone=trade.timetable.zone_name, journeys=told)


async def train(ask: Ask[None, Nothing]) -> shapes.TrainFacts:
    """Where a train calls, and what it has."""
    return await train_facts(ask.house, ask.departure)


async def train_facts(house: House, key: str) -> shapes.TrainFacts:
    """Of one departure. Raises `UnknownTrain`."""
    departure = house.departure(key)
    state, last = await house.seats.state(departure.key), departure.trip.segments
    calls = [
        shapes.CallFacts(
            station=house.station(departure, position),
            arrives_at=to_datetime(departure.arrives_at(position)) if position else None,
            departs_at=to_datetime(departure.departs_at(position)) if position < last else None,
        )
        for position in range(last + 1)
    ]
    classes = [shapes.PoolFacts(class_=name, seats=pool.size) for name, pool in state.pools.items()]
    opens, now = house.sale_opens_at(departure, state), house.clock.wall()
    return shapes.TrainFacts(
        train=departure.key,
        state=state_of(state, now),
        calls=calls,
        classes=classes,
        opens_at=to_datetime(opens) if opens > now else None,
        version=state.version,
    )


async def availability(ask: Ask[None, sent.OfClass]) -> Reply:
    """All pairs at once: 136 of 17 calls."""
    told = await pairs(ask.house, ask.departure, ask.query.class_)
    return _tagged(ask, told, (told.version, [pair.left for pair in told.pairs]))


async def pairs(house: House, key: str, class_: str) -> shapes.Availability:
    """What is left of every pair of calls, never more than a hold would get. Raises `UnknownTrain`."""
    departure, state, name = await opened(house, key, class_)
    now = house.clock.wall()
    fares = fares_of(house.trade, departure, name, now)
    told = []
    for (board, alight), price in sorted(fares.items()):
        left = available(state, name, board, alight, at=now, channel=ONLINE)
        told.append(
            shapes.PairFacts(origin=board, goal=alight, left=min(left, PLENTY), plenty=left > PLENTY, price_cents=price)
        )
    return shapes.Availability(
        train=departure.key,
        class_=name,
        version=state.version,
        as_of=to_datetime(now),
        currency=house.trade.tariff(now).currency,
        calls=list(state.labels),
        pairs=told,
    )


async def seats(ask: Ask[None, sent.OfClass]) -> Reply:
    """Which seat is taken from where to where; by whom is nobody's business."""
    told = await seat_map(ask.house, ask.departure, ask.query.class_)
    return _tagged(ask, told, (told.version,))


async def seat_map(house: House, key: str, class_: str) -> shapes.SeatMap:
    """Every seat of a class. Raises `UnknownTrain`."""
    departure, state, name = await opened(house, key, class_)
    pool = state.pools[name]
    free = [] if pool.counted else pool.free
    units = [
        shapes.SeatFacts(
            name=unit.name,
            car=unit.area,
            row=unit.row,
            attributes=unit.attributes,
            taken="".join("0" if mask >> number & 1 else "1" for mask in free),
        )
        for number, unit in enumerate(pool.pool.units)
    ]
    return shapes.SeatMap(
        train=departure.key, class_=name, version=state.version, calls=list(state.labels), seats=units
    )


async def why(ask: Ask[None, sent.OfSection]) -> shapes.Why:
    """What a hold would come to, and what else there is."""
    wanted = ask.query
    if not wanted.origin or not wanted.goal:
        raise BadField("say from where to where", field="from")
    departure, _, name = await opened(ask.house, ask.departure, wanted.class_, sold=False)
    wish = Wish(departure.key, name, wanted.origin, wanted.goal)
    asked = await ask_ledger(ask.house.trade, ask.house.seats, wish, wanted.count, at=ask.house.clock.wall())
    return shapes.Why(
        train=departure.key,
        class_=name,
        left=asked.left,
        refused=str(asked.error) if asked.error else "",
        reason=asked.error.reason if asked.error else "",
        rule=asked.refusal.rule if asked.refusal else "",
        instead=instead(asked.instead),
    )


def instead(others: Iterable[Other]) -> tuple[shapes.Instead, ...]:
    """What else there is, as it is answered."""
    return tuple(
        shapes.Instead(class_=one.class_, origin=one.origin, goal=one.goal, count=one.number, changes=one.changes)
        for one in list(others)[:INSTEAD_SHOWN]
    )


async def opened(house: House, key: str, class_: str, *, sold: bool = True) -> tuple[Departure, State, str]:
    """A departure with its ledger, and the class that is meant: its largest where none is named. Raises `UnknownTrain`
    for one that was never put on sale, if `sold`."""
    departure = house.departure(key)
    state = await house.seats.state(departure.key)
    if not state.version:
        if sold:
            raise UnknownTrain(f"{departure.key} is not on sale")
        composition = house.trade.trains.of(departure.train)
        return departure, state, class_of(composition, class_) if class_ else composition.classes[0]
    if class_ and class_ not in state.pools:
        have = tuple(state.pools)
        raise UnknownTrain(
            f"there is no class {class_[:40]!r} on this train; there are {', '.join(have)}", suggestions=have
        )
    return departure, state, class_ or max(state.pools, key=lambda name: state.pools[name].size)


def state_of(state: State, now: int) -> str:
    """Whether a train is sold."""
    if state.cancelled:
        return CANCELLED
    opens = state.sale(ONLINE).opens_at
    return ON_SALE if state.version and opens != NEVER and opens <= now else NOT_ON_SALE


def sold_percent(pools: Iterable[PoolState], segments: int) -> int:
    """How much of all seats is taken, over the whole way."""
    taken, all_ = 0, 0
    for pool in pools:
        taken, all_ = taken + pool.taken, all_ + pool.size * segments
    return round(100 * taken / all_) if all_ else 0


async def _ride(house: House, offer: Offer) -> shapes.RideFacts:
    leg, now = offer.leg, house.clock.wall()
    state = await house.seats.state(leg.departure.key)
    opens = house.sale_opens_at(leg.departure, state)
    return shapes.RideFacts(
        train=leg.departure.key,
        name=leg.departure.train,
        origin=_name(house, leg, leg.board),
        goal=_name(house, leg, leg.alight),
        departs_at=to_datetime(leg.departs_at),
        arrives_at=to_datetime(leg.arrives_at),
        stops=list(offer.stops),
        classes=[_class(one) for one in offer.classes],
        state=OVER if now >= leg.departs_at - SALE_ENDS_SECONDS * MICROS else state_of(state, now),
        opens_at=to_datetime(opens) if opens > now else None,
    )


def _name(house: House, leg: Leg, position: int) -> str:
    return house.station(leg.departure, position)


def _class(offer: ClassOffer) -> shapes.ClassFacts:
    left = min(offer.left, PLENTY)
    return shapes.ClassFacts(class_=offer.class_, left=left, plenty=offer.left > PLENTY, price_cents=offer.price_cents)


def _tagged(ask: Ask[Any, Any], told: Any, of: Any) -> Reply:
    """The answer with a tag of what it depends on; 304 where the caller has it already."""
    tag = f'"{zlib.crc32(msgspec.json.encode(of)):08x}"'
    if tag in ask.headers.get("if-none-match", ""):
        return Reply(status=304, headers={"etag": tag, "cache-control": "no-cache"}, raw=b"")
    return Reply(value=told, headers={"etag": tag, "cache-control": "no-cache"})


ROUTES = (
    Route(
        verb="GET", path=f"{API}/stations", rule=Rule.OPEN, handler=stations, query=sent.Typed,
        answer=shapes.StationList, words="Stations that a text may mean: a name, its beginning, pinyin, a code.",
    ),
    Route(
        verb="GET", path=f"{API}/search", rule=Rule.OPEN, handler=search, query=sent.Wanted, answer=shapes.Journeys,
        words="A day's journeys between two places, with what is left of each class and its price.",
    ),
    Route(
        verb="GET", path=f"{API}/{TRAIN}", rule=Rule.OPEN, handler=train, answer=shapes.TrainFacts,
        words="Where a train calls and when, its classes, and whether it is on sale.",
    ),
    Route(
        verb="GET", path=f"{API}/{TRAIN}/availability", rule=Rule.OPEN, handler=availability, query=sent.OfClass,
        answer=shapes.Availability, words="What is left of one class between all pairs of calls, within all quotas.",
    ),
    Route(
        verb="GET", path=f"{API}/{TRAIN}/seats", rule=Rule.OPEN, handler=seats, query=sent.OfClass,
        answer=shapes.SeatMap, words="Each seat of a class, and on which segments it is taken.",
    ),
    Route(
        verb="GET", path=f"{API}/{TRAIN}/why", rule=Rule.OPEN, handler=why, query=sent.OfSection, answer=shapes.Why,
        words="Why so many seats cannot be held, and what can be had instead.",
    ),
)  # fmt: skip
