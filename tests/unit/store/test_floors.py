"""Floors: a claim does not walk over what was claimed before it, and still nothing below a floor is forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shike.clock import MICROS
from shike.store.orders import RANKS_END
from shike.store.relational import floors
from shike.store.relational.floors import CLAIMED_MIN, LOOK_SECONDS, VACUUM_SECONDS, Floors, ranges
from tests.contract.stores import postgres
from tests.contract.world import World, ids

NOW = (1 << 50) + 1_000 * MICROS
FIRST = NOW - 900 * MICROS
LANE = 0x13
QUEUE = 0x10


class Time:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def known(time: Time) -> Floors:
    """A look from the front was just made."""
    found = Floors(time)
    found.looked(0.0)
    return found


def test_a_lane_of_which_little_was_claimed_is_read_from_its_front(known: Floors) -> None:
    known.took(LANE, (FIRST, 2), CLAIMED_MIN - 1, NOW)
    assert known.of([QUEUE]) == {}


def test_a_floor_is_the_last_place_that_was_claimed(known: Floors) -> None:
    known.took(LANE, (FIRST, 2), CLAIMED_MIN, NOW)
    assert known.of([QUEUE]) == {LANE: (FIRST, 2)}
    assert known.of([QUEUE + 0x10]) == {}


def test_what_is_ranked_leaves_no_floor_for_others_may_come_in_before_it(known: Floors) -> None:
    known.took(LANE, (RANKS_END - 1, 2), CLAIMED_MIN, NOW)
    assert known.of([QUEUE]) == {}


def test_a_floor_stays_a_second_behind_the_clock(known: Floors) -> None:
    known.took(LANE, (NOW - MICROS // 2, 2), CLAIMED_MIN, NOW)
    assert known.of([QUEUE]) == {LANE: (NOW - MICROS, 0)}


@pytest.mark.parametrize(("took", "until"), [(0.0, LOOK_SECONDS[0]), (0.1, 2.0), (60.0, LOOK_SECONDS[1])])
def test_the_next_look_from_the_front_comes_the_later_the_longer_it_took(
    known: Floors, time: Time, took: float, until: float
) -> None:
    known.took(LANE, (FIRST, 2), CLAIMED_MIN, NOW)
    known.looked(took)
    time.seconds += until - 0.001
    assert known.of([QUEUE])
    time.seconds += 0.002
    assert not known.of([QUEUE])


def test_what_was_claimed_before_a_vacuum_counts_no_more(known: Floors, time: Time) -> None:
    known.took(LANE, (FIRST, 2), CLAIMED_MIN, NOW)
    time.seconds += VACUUM_SECONDS + 1
    known.looked(0.0)
    known.took(LANE, (FIRST + 2, 4), 1, NOW)
    assert known.of([QUEUE]) == {}


def test_the_lanes_beside_those_with_a_floor_are_looked_at_in_stretches() -> None:
    assert ranges([0x10, 0x20], []) == [(0x10, 0x1F), (0x20, 0x2F)]
    assert ranges([0x10], [0x10, 0x13, 0x14, 0x1F]) == [(0x11, 0x12), (0x15, 0x1E)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Floors after the second run that was claimed, and no look from the front for a long time."""
    monkeypatch.setattr(floors, "CLAIMED_MIN", 2)
    monkeypatch.setattr(floors, "LOOK_SECONDS", (1_000.0, 1_000.0))
    return World(postgres, tmp_path)


async def _with_a_floor(world: World, *, above: int) -> list[int]:
    """Two of some runs were claimed; the ids of those above them."""
    await world.open()
    await world.session()
    first = world.now
    waiting = [await world.add(due_at=first + number) for number in range(10, 12 + above)]
    world.clock.advance(5)
    assert await world.granted(count=2) == waiting[:2]
    return waiting[2:]


def test_a_claim_begins_at_the_floor(world: World) -> None:
    async def scene() -> None:
        above = await _with_a_floor(world, above=2)
        await world.add(due_at=world.now - 60 * MICROS)
        assert await world.granted(count=1) == above[:1]
        await world.close()

    asyncio.run(scene())


def test_who_finds_nothing_above_the_floor_looks_below_it(world: World) -> None:
    async def scene() -> None:
        await _with_a_floor(world, above=0)
        below = await world.add(due_at=world.now - 60 * MICROS)
        assert await world.granted(count=1) == [below]
        await world.close()

    asyncio.run(scene())


def test_who_finds_only_what_it_may_not_have_is_told_to_ask_again_and_then_looks_below(world: World) -> None:
    async def scene() -> None:
        await _with_a_floor(world, above=0)
        below = await world.add(due_at=world.now - 60 * MICROS)
        for band in (3, 4):  # two lanes, so that the claim looks into each
            await world.add(due_at=world.now - MICROS // 4, task="of-others", band=band)
        batch = await world.claim(count=1)
        if not batch.runs:
            assert batch.more
            batch = await world.claim(count=1, number=1 + 1)
        assert ids(batch.runs) == [below]
        await world.close()

    asyncio.run(scene())


def test_a_reconnection_forgets_the_floors(world: World) -> None:
    async def scene() -> None:
        above = await _with_a_floor(world, above=1)
        below = await world.add(due_at=world.now - 60 * MICROS)
        world.store._run.forget_names()  # type: ignore[attr-defined]  # as a new connection does
        assert await world.granted(count=2) == [below, *above]
        await world.close()

    asyncio.run(scene())
