"""R1.3, R1.14: what the source tells of its trains, sold through the ledger."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from shike.rail.carriage import Carriage
from shike.rail.composition import Car, Composition, Trains, known_trains
from shike.rail.journey import Trade
from shike.rail.ladder import known_ladders
from shike.rail.model import Departure
from shike.rail.offers import offers, triangle
from shike.rail.opening import ONLINE, opening
from shike.rail.seats import available
from shike.rail.tariff import known_tariffs
from shike.rail.tickets_possible import sold_out_with, tickets_possible
from shike.rail.timetable import Timetable
from shike.reserve.commands import Hold
from shike.reserve.events import Held
from shike.reserve.model import Binding, Fill, Pool, Refusal, Unit
from tests.unit.rail.shop import MemorySeats, Shop, done
from tests.unit.rail.trains import DAY, G71, abcd, d31, g71

KNOWN = known_trains()
AT = 1_700_000_000_000_000


class Counter:
    """Sells one departure over the counter: no names, no money."""

    def __init__(self, found: tuple[Timetable, Departure], composition: Composition, **rules: object) -> None:
        self.timetable, self.departure = found
        self.seats, self.sold = MemorySeats(), 0
        command = opening(self.timetable, self.departure, composition, at=AT, opens_at=AT, **rules)
        assert not isinstance(self.ask(command), Refusal)

    def ask(self, command: object) -> object:
        return done(self.seats.ask(self.departure.key, command))  # type: ignore[arg-type]

    def sell(self, origin: str, goal: str, count: int = 1, class_: str = "second") -> bool:
        leg = self.timetable.section(self.departure, origin, goal)
        return self.take(leg.board, leg.alight, count, class_)

    def take(self, board: int, alight: int, count: int = 1, class_: str = "second") -> bool:
        command = Hold(f"h{self.sold}", AT, class_, board, alight, count, channel=ONLINE)
        held = isinstance(self.ask(command), Held)
        self.sold += count if held else 0
        return held

    def left(self, origin: str, goal: str, class_: str = "second") -> int:
        leg = self.timetable.section(self.departure, origin, goal)
        state = done(self.seats.state(self.departure.key))
        return available(state, class_, leg.board, leg.alight, at=AT, channel=ONLINE)


def seats(count: int) -> Composition:
    """One class of so many seats: rows of five."""
    cars = [Car(f"{number:02}", Carriage("second", (1, 20), "ABC DF")) for number in range(1, count // 100 + 1)]
    return Composition(f"{count}", tuple(cars))


def three(fill: Fill) -> MemorySeats:
    timetable, departure = abcd()
    command = opening(timetable, departure, seats(100), at=AT, opens_at=AT, binding=Binding.AT_SALE)
    pool = Pool("second", tuple(Unit(name) for name in "123"), fill=fill)
    found = MemorySeats()
    done(found.ask(departure.key, replace(command, pools=(pool,), rules=())))
    return found


@pytest.mark.parametrize(
    ("fill", "whole_ways"),
    [(Fill.BEST, 2), (Fill.FIRST, 2), (Fill.FRESH, 0)],
)
def test_three_ways_to_sell_three_short_rides_on_three_seats_leave_two_whole_ways_or_none(
    fill: Fill, whole_ways: int
) -> None:
    found, key = three(fill), abcd()[1].key
    for start in range(3):
        held = done(found.ask(key, Hold(f"h{start}", AT, "second", start, start + 1, channel=ONLINE)))
        assert isinstance(held, Held)
    assert available(done(found.state(key)), "second", 0, 3, at=AT, channel=ONLINE) == whole_ways


@pytest.mark.parametrize("tickets", [1_000, 1_001, 1_998, 2_500, 2_999, 3_000])
def test_a_thousand_seats_from_a_to_d_are_sold_out_with_1000_to_3000_tickets(tickets: int) -> None:
    counter = Counter(abcd(), seats(1_000))
    plan = sold_out_with(3, 1_000, tickets)
    rides: dict[tuple[int, int], int] = {}
    for seat in plan:
        for ride in seat:
            rides[ride] = rides.get(ride, 0) + 1
    for (board, alight), count in sorted(rides.items(), key=lambda ride: ride[0][0] - ride[0][1]):
        for at in range(0, count, 100):
            assert counter.take(board, alight, min(100, count - at))
    assert counter.sold == tickets and tickets in tickets_possible(3, 1_000)
    assert not any(counter.take(board, alight) for board in range(3) for alight in range(board + 1, 4))


def test_d31_shows_none_at_a_station_whose_seats_are_sold_though_the_train_is_not_full() -> None:
    allotted = {"北京南": 260, "天津西": 80, "济南西": 76}
    counter = Counter(d31(), KNOWN.of("D31"), allotments={"second": allotted})
    assert [counter.left(station, "上海虹桥") for station in allotted] == [260, 80, 76]
    for count in (50, 30):
        assert counter.sell("天津西", "上海虹桥", count)
    assert counter.left("天津西", "上海虹桥") == counter.left("天津西", "济南西") == 0
    assert not counter.sell("天津西", "济南西")
    assert counter.left("北京南", "上海虹桥") == 260 and counter.left("济南西", "上海虹桥") == 76
    assert counter.left("徐州东", "上海虹桥") == 765 - 80  # what nobody has allotted


def test_g71_tells_all_408_products_at_once_and_each_is_what_a_hold_would_get() -> None:
    timetable, departure = g71()
    (tariff,) = known_tariffs("CNY")
    kilometres = tuple(140.0 * position for position in range(17))
    trade = Trade(timetable, KNOWN, (tariff,), known_ladders(), {"G71": kilometres})
    counter = Counter((timetable, departure), KNOWN.of("G71"))
    assert counter.sell("武汉", "长沙南", 7) and counter.sell("北京西", "深圳北", 100, "first")
    rows = {name: done(triangle(trade, counter.seats, departure, name)) for name in KNOWN.of("G71").classes}
    assert [len(found) for found in rows.values()] == [136, 136, 136]
    for name, found in rows.items():
        assert [(origin, goal) for origin, goal, _, _ in found][:2] == [(G71[0], G71[1]), (G71[0], G71[2])]
        assert all(left == counter.left(origin, goal, name) for origin, goal, left, _ in found)
    whole = {name: next(left for origin, goal, left, _ in found if goal == G71[-1]) for name, found in rows.items()}
    assert whole == {"business": 20, "first": 100, "second": 493}


def test_a_search_tells_trains_stops_seats_and_prices_of_each_class() -> None:
    shop = Shop()
    shop.buy("o", "K1 A C")
    found = shop.do(offers(shop.trade, shop.seats, "A", "C", DAY, at=shop.clock.wall()))
    assert [offer.leg.departure.train for offer in found] == ["K1", "K9", "K2"]
    first, closed, _ = found
    assert first.stops == ("A", "B", "C") and first.currency == "CNY"
    assert first.classes == (("second", 2, 10_000), ("first", 2, 20_000))
    assert [offer.left for offer in closed.classes] == [0, 0]
    nothing = replace(shop.trade, trains=Trains({}, {}))
    assert shop.do(offers(nothing, shop.seats, "A", "C", DAY, at=shop.clock.wall()))[0].classes == ()
