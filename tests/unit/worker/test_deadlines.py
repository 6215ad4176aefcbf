"""One table for all time-outs: each fires once, in order, unless it was taken out."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from shike.testing import VirtualLoop
from shike.worker.deadlines import Deadlines


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 5), st.none() | st.floats(0, 5)), max_size=100))
def test_each_entry_fires_once_at_its_time_unless_it_was_removed_before(
    plan: list[tuple[float, float, float | None]],
) -> None:
    loop = VirtualLoop()
    fired: list[tuple[int, float]] = []

    async def one(table: Deadlines, number: int, start: float, seconds: float, removed: float | None) -> None:
        await asyncio.sleep(start)
        ticket = table.add(seconds, lambda: fired.append((number, loop.time())))
        if removed is not None:
            await asyncio.sleep(removed)
            table.remove(ticket)

    async def all_of_it() -> None:
        table = Deadlines()
        await asyncio.gather(*(one(table, number, *entry) for number, entry in enumerate(plan)))
        await asyncio.sleep(20)
        table.close()

    loop.run_until_complete(all_of_it())
    loop.close()
    expected = {
        number: start + seconds
        for number, (start, seconds, removed) in enumerate(plan)
        if removed is None or removed > seconds + 1e-6
    }
    ties = {n for n, (_, seconds, removed) in enumerate(plan) if removed is not None and abs(removed - seconds) <= 1e-6}
    heard = {number: when for number, when in fired if number not in ties}
    assert len(fired) == len(dict(fired))
    assert heard.keys() == expected.keys() - ties
    assert all(abs(when - expected[number]) < 1e-6 for number, when in heard.items())
    assert [when for _, when in fired] == sorted(when for _, when in fired)


def test_a_callback_may_set_the_next_one() -> None:
    loop = VirtualLoop()
    fired: list[float] = []

    async def story() -> None:
        table = Deadlines()

        def again() -> None:
            fired.append(loop.time())
            if len(fired) < 5:
                table.add(1.0, again)

        table.add(1.0, again)
        await asyncio.sleep(10)

    loop.run_until_complete(story())
    loop.close()
    assert fired == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_what_was_taken_out_does_not_pile_up() -> None:
    loop = VirtualLoop()

    async def story() -> None:
        table = Deadlines()
        for _ in range(10_000):
            table.remove(table.add(3_600.0, lambda: None))
        assert len(table._heap) < 200
        table.remove(12345678)
        table.close()

    loop.run_until_complete(story())
    loop.close()
