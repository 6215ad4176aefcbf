"""What a train could earn: a forecast, the best that could be sold of it, and what policies make of the same crowd.

The forecast is a gravity model: a station draws as many people as trains call there in a week, and they ride rather not
too far. It is scaled so that the busiest segment is wanted `load` times its seats. Each policy is played on a copy of
the ledger; the ledger itself is not touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

from shike.errors import BadOrder
from shike.rail.journey import Trade
from shike.rail.model import Departure
from shike.rail.opening import ONLINE
from shike.rail.tariff import fare_cents
from shike.rail.timetable import Timetable, sections
from shike.reserve import commands, snapshot
from shike.reserve.advice import Advice, advise
from shike.reserve.events import Held
from shike.reserve.ledger import Ledger
from shike.reserve.model import Refusal
from shike.reserve.state import State

LOAD_MIN: Final = 0.1
LOAD_MAX: Final = 5.0
FAR_KM: Final = 400.0  # the ride that is wanted most; a longer one is rarer
BUYERS_MAX: Final = 6_000  # played at most: a long train twice over
SEED: Final = 1
WEEK: Final = 7

Section = tuple[int, int]


class Outcome(NamedTuple):
    """What one policy sold. `refused` by cause."""

    policy: str
    revenue_cents: int
    tickets: int
    refused: dict[str, int]


class Plan(NamedTuple):
    """An advice, the best possible for its forecast, and what each policy made of one crowd."""

    advice: Advice
    best_cents: int
    outcomes: tuple[Outcome, ...]


def fares_of(trade: Trade, departure: Departure, class_: str, at: int) -> dict[Section, int]:
    """What each ride of a departure costs in a class, in cents."""
    along, tariff = trade.kilometres_of(departure.trip), trade.tariff(at)
    return {
        (board, alight): fare_cents(tariff, class_, along[alight] - along[board])
        for board, alight in sections(departure.trip)
    }


def forecast(trade: Trade, departure: Departure, units: int, load: float) -> dict[Section, float]:
    """How many will want each ride. Raises `BadOrder` for a load that none is."""
    if not LOAD_MIN <= load <= LOAD_MAX:
        raise BadOrder(f"a load is {LOAD_MIN} to {LOAD_MAX} times the seats, not {load}")
    pull, along = _pull(trade.timetable), trade.kilometres_of(departure.trip)
    stations = departure.trip.stations
    wanted = {}
    for board, alight in sections(departure.trip):
        far = max(1.0, along[alight] - along[board]) / FAR_KM
        wanted[board, alight] = pull[stations[board]] * pull[stations[alight]] * far / (1.0 + far**3)
    busiest = max(
        sum(count for (board, alight), count in wanted.items() if board <= segment < alight)
        for segment in range(departure.trip.segments)
    )
    scale = load * units / busiest if busiest else 0.0
    return {section: count * scale for section, count in wanted.items()}


def plan(trade: Trade, departure: Departure, state: State, class_: str, load: float, *, at: int) -> Plan:
    """Advice for what is left of a class at an instant of its sale, and what would come of it."""
    fares = fares_of(trade, departure, class_, at)
    demand = forecast(trade, departure, state.pools[class_].size, load)
    advice = advise(state, class_, demand, fares)
    kept, crowd = snapshot.encode(state), _crowd(demand)
    prices = commands.SetPrices("prices", at, class_, advice.prices)
    policies: list[tuple[str, list[commands.AnyCommand]]] = [
        ("as_it_is", []),
        ("with_rules", [commands.SetRule(f"rule {rule.name}", at, rule) for rule in advice.rules]),
        ("with_prices", [prices]),
    ]
    outcomes = [_play(kept, name, first, class_, crowd, fares, at) for name, first in policies]
    return Plan(advice, round(advice.value), tuple(outcomes))


def _play(
    kept: bytes,
    name: str,
    first: list[commands.AnyCommand],
    class_: str,
    crowd: list[Section],
    fares: Mapping[Section, int],
    at: int,
) -> Outcome:
    """One crowd at a copy of the ledger, one by one."""
    ledger = Ledger("played", snapshot.decode(kept))
    for command in first:
        ledger.do(command)
    earned, tickets, refused = 0, 0, Counter[str]()
    for number, (board, alight) in enumerate(crowd):
        fare = fares[board, alight]
        hold = commands.Hold(f"played/{number}", at, class_, board, alight, channel=ONLINE, price=fare)
        answer = ledger.do(hold)
        if isinstance(answer, Held):
            earned, tickets = earned + fare, tickets + 1
        elif isinstance(answer, Refusal):
            refused[str(answer.reason)] += 1
        ledger.fresh.clear()
    return Outcome(name, earned, tickets, dict(refused))


def _crowd(demand: Mapping[Section, float]) -> list[Section]:
    """Everybody of a forecast, in an order that is the same each time."""
    rng = Random(SEED)
    people = [section for section, count in demand.items() for _ in range(int(count) + (rng.random() < count % 1))]
    rng.shuffle(people)
    return people[:BUYERS_MAX]


@lru_cache(maxsize=4)
def _pull(timetable: Timetable) -> list[int]:
    """How many calls each station has on the days of the first week of each month: how many people it draws."""
    calls = [1] * len(timetable.stations)
    for trip in timetable.trips:
        runs = (trip.days & ((1 << WEEK) - 1)).bit_count() or 1
        for station in trip.stations:
            calls[station] += runs
    return calls
