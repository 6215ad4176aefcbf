"""SIGKILL at a ticket desk over one file, again and again: what was told is true, the orders and the ledger agree, and
whatever was left half done is done by the next (P9, R1.15)."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from shike.clock import ManualClock
from shike.rail.accounts import differences
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.counter import all_orders, open_counter, set_up
from shike.rail.opening import opening
from shike.rail.order import Order, OrderState, TicketState
from shike.reserve.journal.reading import load, verify
from tests import bounded
from tests.fault.desk_child import NOW, TRAIN
from tests.unit.rail.feeds import written

CHILD = Path(__file__).with_name("desk_child.py")
LIVES = 8
ONLINE = {"second": 60}  # thousandths: few enough to be sold out


def live_and_die(file: Path, life: int, lines: int) -> bytes:
    """Start a desk, kill it once it has told so much; all that it told."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.fault.desk_child", str(file), str(life)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    first = [bounded.line(child) for _ in range(lines)]
    child.kill()
    rest, _ = child.communicate(timeout=bounded.SECONDS)
    return b"".join(first) + rest


async def put_on_sale(file: Path, folder: Path) -> None:
    set_up(file, written(folder), "EUR")
    async with open_counter(file, ManualClock(NOW)) as counter:
        timetable, now = counter.trade.timetable, counter.clock.wall()
        train = timetable.departure("IC 9", date(2019, 5, 1))
        words = opening(
            timetable, train, counter.trade.trains.of(train.train), at=now, opens_at=now, online_permille=ONLINE
        )
        assert await counter.seats.ask(train.key, words)


async def heal_and_compare(file: Path, told: dict[str, set[str]]) -> None:
    clock = ManualClock(NOW)
    async with open_counter(file, clock) as counter:
        await counter.ring_due()
        clock.advance(HOLD_SECONDS)  # of those who never pay; and once more of those who are served then
        await counter.ring_due()
        orders: dict[str, Order] = {order.id: order async for order in all_orders(counter.books)}
        assert (await verify(counter.journal, TRAIN)).problems == ()
        state = (await load(counter.journal, TRAIN)).state
        assert await differences(all_orders(counter.books), {TRAIN: state}) == []
    assert not [order.id for order in orders.values() if order.to_do]
    assert told["+"] | told["w"] <= orders.keys(), "nothing that was told is lost"
    assert {orders[id].state for id in told["="]} <= {OrderState.TICKETED, OrderState.CLOSED}, "a ticket stands"
    assert {orders[id].parts[0].tickets[0].state for id in told["-"]} == {TicketState.REFUNDED}
    kept = sum(payment.kept_cents for order in orders.values() for payment in order.payments)
    issued = [order for order in orders.values() if order.state is OrderState.TICKETED]
    assert all(sum(payment.kept_cents for payment in order.payments) >= order.due_cents for order in issued)
    assert kept >= sum(order.due_cents for order in issued), "money for each ticket"
    paid = sum(one.count for one in state.orders.values() if one.state.value == "confirmed")
    assert paid == sum(ticket.state is TicketState.ISSUED for order in issued for ticket in order.parts[0].tickets)


@pytest.mark.slow
def test_a_desk_that_is_killed_again_and_again_keeps_its_word(tmp_path: Path) -> None:
    chance, told = random.Random(7), defaultdict[str, set[str]](set)
    file = tmp_path / "rail.db"
    bounded.run(put_on_sale(file, tmp_path))
    for life in range(LIVES):
        for line in live_and_die(file, life, chance.randint(10, 60)).split(b"\n")[:-1]:
            mark, order = line.decode().split()
            told[mark].add(order)
    assert all(told[mark] for mark in "+=-w"), "something of everything was told"
    bounded.run(heal_and_compare(file, told))
