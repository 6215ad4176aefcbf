"""R1.6, R1.11: the railway's moments are Shike's: a hold that is over, a sale that opens, reminders, half-done work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest

from shike.app import Shike
from shike.clock import to_micros
from shike.errors import BadOrder, TradeRefused
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.keeping import MemoryOrders, MemoryRides
from shike.rail.opening import OFFLINE, ONLINE
from shike.rail.order import OrderState
from shike.rail.seats import available
from shike.rail.selling import LEAD, REMIND, Openings, Selling
from shike.rail.waiting import WaitingList
from shike.testing import Harness, harness
from tests.unit.rail.shop import DAY, KEY, SECRET, ToldSeats, person, railway, wish

FIRST_SALE = datetime(2026, 11, 7, 0, tzinfo=UTC)  # 8:00 in Shanghai, 15 days before DAY
BEFORE = FIRST_SALE - timedelta(hours=1)


class Clock:
    """The app's own time."""

    def __init__(self, app: Shike) -> None:
        self._app = app

    def wall(self) -> int:
        return to_micros(self._app.now())

    def monotonic(self) -> float:
        return self.wall() / 1e6

    boot = monotonic


class Railway:
    """An app that sells, driven through virtual time."""

    def __init__(self) -> None:
        self.app = Shike("memory://")
        self.seats, self.gateway, self.reminded = ToldSeats(), FakeGateway(SECRET), list[tuple[str, str]]()
        openings = Openings(staggered={"K3": time(9, 30)}, online_permille={"": {"second": 400}})
        trade, orders = railway(), MemoryOrders()
        self.selling = Selling(self.app, trade, self.seats, openings, remind=self._remind, finish_every="6h")
        self.desk = Desk(
            trade,
            seats=self.seats,
            orders=orders,
            rides=MemoryRides(),
            gateway=self.gateway,
            clock=Clock(self.app),
            key=KEY,
            secret=SECRET,
            later=self.selling.later,
        )
        self.selling.serve(self.desk, WaitingList(self.desk, orders, self.seats))

    async def _remind(self, order: str, departure: str) -> None:
        self.reminded.append((order, departure))


@pytest.fixture
def rail() -> Railway:
    return Railway()


@pytest.fixture
def h(rail: Railway) -> Iterator[Harness]:
    with harness(rail.app, start=BEFORE) as held:
        yield held


def test_a_sale_opens_at_its_moment_and_not_before(rail: Railway, h: Harness) -> None:
    with pytest.raises(TradeRefused, match="not on sale"):
        h.run(rail.desk.hold("early", [wish("K1 A D")], [person("a")]))
    h.advance_to(FIRST_SALE - LEAD + timedelta(seconds=5))
    assert len(rail.seats.ledgers) == 5  # they are there, and closed
    h.advance_to(FIRST_SALE - timedelta(microseconds=1000))
    with pytest.raises(TradeRefused) as refused:
        h.run(rail.desk.hold("o1", [wish("K1 A D")], [person("a")]))
    assert (refused.value.reason, refused.value.opens_at) == ("not_on_sale", to_micros(FIRST_SALE))
    h.advance_to(FIRST_SALE)
    assert h.run(rail.desk.hold("o2", [wish("K1 A D")], [person("a")])).state is OrderState.HELD
    with pytest.raises(TradeRefused) as refused:  # its own hour is later
        h.run(rail.desk.hold("o3", [wish("K3 D G")], [person("a")]))
    assert refused.value.opens_at == to_micros(FIRST_SALE + timedelta(minutes=90))
    h.advance_to(FIRST_SALE + timedelta(minutes=90))
    h.run(rail.desk.hold("o4", [wish("K3 D G")], [person("a")]))


def test_what_staff_leave_for_offline_sale_is_not_sold_online(rail: Railway, h: Harness) -> None:
    h.advance_to(FIRST_SALE)
    h.run(rail.desk.hold("o1", [wish("K1 A D")], [person("a")]))  # 40 % of three seats is one
    with pytest.raises(TradeRefused) as refused:
        h.run(rail.desk.hold("o2", [wish("K1 B C")], [person("b")]))
    assert refused.value.reason == "quota"
    for name in "cd":
        h.run(rail.desk.hold(f"counter-{name}", [wish("K1 A D")], [person(name)], channel=OFFLINE))
    assert available(h.run(rail.seats.state(f"K1/{DAY}/1")), "first", 0, 3, at=to_micros(h.now), channel=ONLINE) == 2


def test_unpaid_seats_come_back_after_a_quarter_of_an_hour_by_a_delayed_run(rail: Railway, h: Harness) -> None:
    h.advance_to(FIRST_SALE)
    h.run(rail.desk.hold("o", [wish("K1 A D")], [person("a")]))
    h.run(rail.desk.hold("paid", [wish("K2 A D")], [person("b")]))
    rail.gateway.pay(h.run(rail.desk.pay("paid")).rpartition("/")[2])
    h.run(rail.gateway.deliver(rail.selling.callback, times=3))
    h.run_due()
    h.advance(HOLD_SECONDS - 1)
    assert h.run(rail.desk.finish("o")).state is OrderState.HELD
    h.advance(2)
    assert h.run(rail.desk.finish("o")).state is OrderState.EXPIRED
    assert h.run(rail.desk.finish("paid")).state is OrderState.TICKETED
    rings = h.runs(task="rail.ring")
    assert len(rings) == 2 and len(h.runs(task="rail.hear")) == 1  # a callback is taken once


def test_who_waits_gets_the_seat_of_who_does_not_pay_and_a_timer_of_their_own(rail: Railway, h: Harness) -> None:
    h.advance_to(FIRST_SALE)
    h.run(rail.desk.hold("o", [wish("K1 A D")], [person("a")]))  # the one seat that is sold online
    until = to_micros(FIRST_SALE + timedelta(days=1))
    h.run(rail.desk.wait("w", wish("K1 A D"), [person("b")], until=until))
    h.advance(HOLD_SECONDS + 1)
    h.run(rail.app.find_task("rail.finish").submit())
    h.run_due()
    assert h.run(rail.desk.finish("w")).state is OrderState.HELD
    h.advance(HOLD_SECONDS + 1)
    assert h.run(rail.desk.finish("w")).state is OrderState.EXPIRED
    h.advance_to(FIRST_SALE + timedelta(days=1, seconds=1))  # the timer of the wait: of what is over


def test_a_timer_is_set_once_however_often_it_is_asked_for(rail: Railway, h: Harness) -> None:
    for _ in range(3):
        h.run(rail.selling.later("o", to_micros(FIRST_SALE)))
    assert len(h.runs(task="rail.ring")) == 1
    h.advance_to(FIRST_SALE + timedelta(seconds=5))  # of an order that never came to be
    assert [run.state.name for run in h.runs(task="rail.ring")] == ["SUCCESS"]


def test_a_gateway_that_is_away_is_asked_again_until_the_money_is_back(rail: Railway, h: Harness) -> None:
    h.advance_to(FIRST_SALE)
    h.run(rail.desk.hold("o", [wish("K1 A D")], [person("a")]))
    page = h.run(rail.desk.pay("o")).rpartition("/")[2]
    rail.gateway.pay(page)
    h.advance(HOLD_SECONDS + 1)
    real, away = rail.gateway.refund, [True, True]

    async def refund(payment: str, key: str, amount_cents: int) -> None:
        if away and away.pop():
            raise ConnectionError("the gateway is away")
        await real(payment, key, amount_cents)

    rail.gateway.refund = refund  # type: ignore[method-assign]
    h.run(rail.gateway.deliver(rail.selling.callback))
    h.advance("10m")
    assert rail.gateway.balance_cents(page) == 0 and not away


def test_a_reminder_comes_two_hours_before_to_those_who_still_have_a_ticket(rail: Railway, h: Harness) -> None:
    h.advance_to(FIRST_SALE + timedelta(seconds=1))
    departs_at = rail.desk.trade.timetable.departure("K1", DAY).departs_at(0)
    for name in ("good", "back"):
        h.run(rail.desk.hold(name, [wish("K1 A D", "first")], [person(name)]))
        rail.gateway.pay(h.run(rail.desk.pay(name)).rpartition("/")[2])
        h.run(rail.gateway.deliver(rail.selling.callback))
        h.run_due()
        h.run(rail.selling.remind(name, f"K1/{DAY}/1", departs_at))
    h.run(rail.desk.refund("back", 0, [0]))
    leaves = datetime.fromtimestamp(departs_at / 1e6, UTC)
    h.advance_to(leaves - REMIND - timedelta(seconds=1))
    assert rail.reminded == []
    h.advance_to(leaves - REMIND + timedelta(seconds=5))
    assert rail.reminded == [("good", f"K1/{DAY}/1")]


def test_a_day_that_was_slept_through_is_opened_when_somebody_wakes(rail: Railway) -> None:
    with harness(rail.app, start=BEFORE) as h:
        assert not rail.seats.ledgers
        h.advance_to(FIRST_SALE + timedelta(days=1, hours=3))  # DAY and the day after it
        assert len(rail.seats.ledgers) == 10


def test_without_a_desk_nothing_is_rung(rail: Railway) -> None:
    app = Shike("memory://")
    selling = Selling(app, railway(), ToldSeats(), Openings())
    with pytest.raises(BadOrder, match=r"call Selling\.serve"):
        selling._served()
