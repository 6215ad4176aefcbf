"""Forecasts and what policies would make of them: on copies, the same each time (R1.5)."""

from __future__ import annotations

from datetime import date

import pytest

from shike.errors import BadOrder
from shike.rail.composition import known_trains
from shike.rail.gtfs import read_feed
from shike.rail.journey import Trade
from shike.rail.ladder import known_ladders
from shike.rail.opening import opening
from shike.rail.planning import forecast, plan
from shike.rail.tariff import known_tariffs
from shike.reserve import snapshot
from shike.reserve.ledger import Ledger
from tests.unit.rail.feeds import REAL
from tests.unit.rail.shop import DAY, railway

AT = 1_556_618_400_000_000  # 30 April 2019


def test_the_busiest_segment_is_wanted_as_often_as_the_load_says() -> None:
    trade = railway()
    departure = trade.timetable.departure("K1", DAY)
    demand = forecast(trade, departure, 100, 1.5)
    wanted = [sum(n for (a, b), n in demand.items() if a <= segment < b) for segment in range(3)]
    assert max(wanted) == pytest.approx(150) and len(demand) == 6
    for load in (0.0, 9.0, float("nan")):
        with pytest.raises(BadOrder):
            forecast(trade, departure, 100, load)


@pytest.mark.slow
def test_prices_earn_more_than_first_come_first_served_on_a_real_train() -> None:
    trade = Trade(read_feed(REAL).timetable, known_trains(), known_tariffs("EUR"), known_ladders())
    departure = trade.timetable.departure("ICE 948", date(2019, 5, 3))
    ledger = Ledger(departure.key)
    ledger.do(opening(trade.timetable, departure, trade.trains.of("ICE 948"), at=AT, opens_at=AT))
    before = snapshot.encode(ledger.state)
    found = plan(trade, departure, ledger.state, "second", 1.6, at=AT)
    earned = {one.policy: one.revenue_cents for one in found.outcomes}
    assert earned["as_it_is"] < earned["with_rules"] < earned["with_prices"] <= found.best_cents * 1.02
    assert snapshot.encode(ledger.state) == before, "the ledger itself is not touched"
    assert plan(trade, departure, ledger.state, "second", 1.6, at=AT) == found
