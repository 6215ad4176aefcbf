"""R1.13: workers over time, by the slot: `pool.reserve("gpu", 4, start, end)`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from shike.clock import ManualClock, to_micros
from shike.errors import BadCommand, StoreUnavailable
from shike.limit.slots import Reservation, told
from shike.reserve.clerk import Clerk
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.journal.reading import verify
from shike.reserve.model import Measure, Reason, Refusal, Rule, RuleKind
from shike.reserve.time_pool import TimePool
from shike.store.memory import MemoryStore

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SLOT = timedelta(minutes=15)
FIRST = int(NOON.timestamp()) // 900


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def work(play: Callable[[TimePool, ManualClock], Awaitable[None]], *rules: Rule) -> None:
    async def go() -> None:
        clock, journal = ManualClock(NOON), MemoryJournal()
        async with Clerk(journal) as clerk:
            pool = TimePool(clerk, "workers", clock, ahead=timedelta(hours=8))
            await pool.open({"gpu": 10, "cpu": 100}, rules=rules)
            await play(pool, clock)
        assert (await verify(journal, "workers")).clean

    asyncio.run(go())


def test_what_is_reserved_is_gone_for_its_time_and_free_before_and_after() -> None:
    async def play(pool: TimePool, _clock: ManualClock) -> None:
        four = await pool.reserve("gpu", 4, at(60), at(120), id="a")
        assert isinstance(four, int) and four == await pool.reserve("gpu", 4, at(60), at(120), id="a")
        assert await pool.free("gpu", at(0), at(180)) == 6
        assert await pool.free("gpu", at(0), at(60)) == await pool.free("gpu", at(120), at(180)) == 10
        refused = await pool.reserve("gpu", 7, at(100), at(130), id="b")
        assert isinstance(refused, Refusal) and (refused.reason, refused.available) == (Reason.FULL, 6)
        assert await pool.earliest("gpu", 7, timedelta(minutes=30), after=at(40)) == at(120)
        assert await pool.give_back(four) and not await pool.give_back(four + 1)
        assert isinstance(await pool.reserve("gpu", 7, at(100), at(130), id="b"), int)

    work(play)


def test_a_part_of_a_slot_is_all_of_it() -> None:
    async def play(pool: TimePool, _clock: ManualClock) -> None:
        await pool.reserve("gpu", 10, at(20), at(31), id="a")
        assert [await pool.free("gpu", at(15 * n), at(15 * n + 15)) for n in range(4)] == [10, 0, 0, 10]

    work(play)


def test_a_tenant_has_a_cap_and_another_a_guarantee() -> None:
    async def play(pool: TimePool, _clock: ManualClock) -> None:
        assert isinstance(await pool.reserve("gpu", 3, at(0), at(60), id="s", tenant="small"), int)
        refused = await pool.reserve("gpu", 1, at(30), at(90), id="t", tenant="small")
        assert isinstance(refused, Refusal) and refused.rule == "cap of small"
        assert await pool.free("gpu", at(0), at(60), tenant="big") == 7

    cap = Rule("cap of small", RuleKind.MAX, 3, FIRST, FIRST + 32, Measure.THICKNESS, ("gpu",), ("small",))
    work(play, cap)


def test_time_goes_on_and_what_has_passed_is_forgotten() -> None:
    async def play(pool: TimePool, clock: ManualClock) -> None:
        running = await pool.reserve("gpu", 10, at(30), at(90), id="a")
        assert isinstance(running, int)
        with pytest.raises(BadCommand, match="a section must go forward within"):
            await pool.reserve("gpu", 1, at(480), at(540), id="far")
        clock.advance(3600)
        await pool.advance()
        await pool.advance()
        assert isinstance(await pool.reserve("gpu", 1, at(480), at(540), id="far"), int)
        assert await pool.free("gpu", at(60), at(90)) == 0  # it is still under way
        passed = await pool.reserve("gpu", 1, at(45), at(100), id="past")
        assert isinstance(passed, Refusal) and passed.reason in (Reason.PASSED, Reason.NOT_ON_SALE)

    work(play)


@pytest.mark.parametrize(
    ("slot", "ahead"), [(timedelta(0), timedelta(days=1)), (SLOT, timedelta(0)), (SLOT, timedelta(days=999))]
)
def test_a_pool_that_cannot_be_is_refused(slot: timedelta, ahead: timedelta) -> None:
    with pytest.raises(BadCommand, match="slots ahead"):
        TimePool(Clerk(MemoryJournal()), "workers", ManualClock(NOON), slot=slot, ahead=ahead)


def test_bad_reservations_are_told() -> None:
    async def play(pool: TimePool, _clock: ManualClock) -> None:
        with pytest.raises(BadCommand, match="there is no pool 'tpu'"):
            await pool.reserve("tpu", 1, at(0), at(15), id="a")
        with pytest.raises(BadCommand, match="ends after it begins"):
            await pool.reserve("gpu", 1, at(15), at(15), id="a")

    work(play)


def test_what_was_committed_and_could_not_be_told_is_told_by_whoever_repeats_it() -> None:
    async def go() -> None:
        clock, store = ManualClock(NOON), MemoryStore()
        async with Clerk(MemoryJournal()) as clerk:
            pool = TimePool(clerk, "workers", clock, ahead=timedelta(hours=8), store=store)
            await pool.open({"gpu": 10})
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(store, "put", _down)
                with pytest.raises(StoreUnavailable):
                    await pool.reserve("gpu", 4, at(60), at(120), id="a", tenant="acme")
            assert (await told(store))["workers"].kinds["gpu"].reservations == ()
            assert await pool.reserve("gpu", 4, at(60), at(120), id="a", tenant="acme") == 1
            page = (await told(store))["workers"]
            first, last = to_micros(at(60)), to_micros(at(120))
            assert page.kinds["gpu"].reservations == (Reservation("acme", 4, first, last),)
            clock.advance(3 * 3600)
            await pool.advance()
            assert (await told(store))["workers"].kinds["gpu"].reservations == ()

    asyncio.run(go())


async def _down(*_: object, **__: object) -> None:
    raise StoreUnavailable("no")


def test_a_reservation_that_is_decided_and_not_committed_is_not_told() -> None:
    """Else it would stand there for good, if the commit failed."""

    async def go() -> None:
        clock, store, journal = ManualClock(NOON), MemoryStore(), MemoryJournal()
        async with Clerk(journal) as clerk:
            pool = TimePool(clerk, "workers", clock, ahead=timedelta(hours=8), store=store)
            await pool.open({"gpu": 10})
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(journal, "append", _down)
                asking = asyncio.create_task(pool.reserve("gpu", 4, at(60), at(120), id="a"))
                while not (await clerk.read("workers")).state.orders and not asking.done():
                    await asyncio.sleep(0)
                await pool.tell()
                with pytest.raises(StoreUnavailable):
                    await asking
            page = (await told(store))["workers"]
            assert page.version == 1 and page.kinds["gpu"].reservations == ()

    asyncio.run(go())
