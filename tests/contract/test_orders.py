"""A queue goes out in the order that was chosen for it, and no band starves (R2.5)."""

from __future__ import annotations

from typing import Any

import pytest

from shike.bands import order_of, waits_at_most
from shike.bounds import BAND_DEFAULT
from shike.errors import BadInput
from shike.model import State
from shike.scheduler.marshal import put_in_order
from shike.store.orders import Order, is_ranked
from shike.store.verbs import Want
from shike.waiting import orders
from tests.contract.world import World, ids


async def granted_one_by_one(world: World, **more: Any) -> list[int]:
    found: list[int] = []
    while batch := await world.granted(count=1, **more):
        found += batch
    return found


async def test_the_earliest_deadline_goes_first_whenever_it_came(world: World) -> None:
    await world.session(lease_seconds=1e6)
    late = await world.add(expires_at=world.after(300))
    without = await world.add()
    soon = await world.add(expires_at=world.after(30))
    first = await world.add(expires_at=world.after(10), band=1)
    ahead = await world.add(expires_at=world.after(20), due_at=world.after(5))
    assert await put_in_order(world.store, "default", Order.DEADLINE) == 4
    assert await put_in_order(world.store, "default", Order.DEADLINE) == 0
    world.clock.advance(6)
    assert await put_in_order(world.store, "default", Order.DEADLINE) == 1
    assert is_ranked((await world.live(ahead)).run_at)
    assert await granted_one_by_one(world) == [first, ahead, soon, late, without]


async def test_a_retry_takes_its_place_by_its_deadline_again(world: World) -> None:
    await world.session(lease_seconds=1e6)
    soon = await world.add(expires_at=world.after(30))
    await put_in_order(world.store, "default", Order.DEADLINE)
    claimed = await world.take()
    late = await world.add(expires_at=world.after(300))
    await world.settle(claimed, State.FAILED)
    await put_in_order(world.store, "default", Order.DEADLINE)
    assert await granted_one_by_one(world) == [soon, late]


async def test_first_come_first_served_looks_at_no_band(world: World) -> None:
    await world.session(lease_seconds=1e6)
    low = await world.add(band=6)
    high = await world.add(band=0)
    backlog = await world.add(band=7)
    middle = await world.add(band=BAND_DEFAULT)
    assert await put_in_order(world.store, "default", Order.FIFO) == 2
    assert await granted_one_by_one(world) == [low, high, middle, backlog]


async def test_an_order_is_chosen_and_taken_back(world: World) -> None:
    assert await orders.listing(world.store) == {}
    await orders.choose(world.store, "mail", "deadline")
    assert await orders.listing(world.store) == {"mail": Order.DEADLINE}
    await orders.choose(world.store, "mail", Order.PRIORITY)
    assert await orders.listing(world.store) == {}
    with pytest.raises(BadInput, match="no Order"):
        await orders.choose(world.store, "mail", "alphabetical")


async def test_a_run_knows_about_where_it_stands(world: World) -> None:
    await world.session()
    waiting = [await world.add() for _ in range(3)]
    await world.add(band=0)
    place = await orders.place_of(world.store, await world.live(waiting[1]))
    assert place is not None and (place.queue, place.band, place.place) == ("default", 3, 3)
    assert "about place 3 of the queue default" in str(place)
    ahead = await world.live(await world.add(due_at=world.after(60)))
    assert await orders.place_of(world.store, ahead) is None


# ---------------------------------------------------------------- ageing


@pytest.mark.parametrize("band", [1, 4, 7])
async def test_a_low_band_run_starts_within_the_bound_whatever_stands_above_and_below_it(
    world: World, band: int
) -> None:
    await world.session(lease_seconds=1e6)
    flood = [other for other in range(8) if other != band]
    runs = [world.run(band=other) for other in flood for _ in range(waits_at_most(0, 1) // len(flood) + 1)]
    await world.submit(*runs)
    waiting = await world.add(band=band)
    for number in range(1, waits_at_most(0, 1) + 1):
        batch = await world.claim(wants=(Want("default", 1, 1),), number=number, bands=order_of(number))
        if ids(batch.runs) == [waiting]:
            return
    pytest.fail(f"after {waits_at_most(0, 1)} claims it still waits")


async def test_without_ageing_it_would_wait_for_all_of_them(world: World) -> None:
    """The flood is enough: else the test before could not fail."""
    await world.session(lease_seconds=1e6)
    await world.submit(*[world.run(band=0) for _ in range(waits_at_most(0, 1) + 1)])
    await world.add(band=6)
    assert len(await world.granted(count=waits_at_most(0, 1))) == waits_at_most(0, 1)
    assert (await world.claim(count=1)).runs[0].run.band == 0
