"""Many wait, one leads: an earlier insertion takes the lead away, and nobody waits in vain."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from shike.errors import BadInput, TimersClosed, WaitTimeout
from shike.timer.async_delay_queue import AsyncDelayQueue
from shike.timer.delay_queue import DelayQueue
from shike.timer.heap import BinaryHeap

BOUND = 60.0  # seconds; a test that is right needs none of them
HOUR = 3_600_000_000
TRIES = 20_000


class Now:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.micros = 0

    def __call__(self) -> int:
        return self.micros


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def until(what: Callable[[], bool]) -> None:
    """Wait for other threads to get so far."""
    tick = threading.Event()
    for _ in range(TRIES):
        if what():
            return
        tick.wait(0.003)
    raise AssertionError("it never came to that")


class TestThreads:
    @pytest.fixture
    def queue(self, now: Now, pool: ThreadPoolExecutor) -> Iterator[DelayQueue[str]]:  # closed before the pool is
        queue: DelayQueue[str] = DelayQueue(BinaryHeap(), now=now)
        yield queue
        queue.close()

    def test_what_is_due_is_taken_at_once(self, queue: DelayQueue[str]) -> None:
        queue.insert_many([-2, -3, 5], "bac")
        assert [queue.take(), queue.take()] == ["a", "b"]
        with pytest.raises(WaitTimeout, match="nothing was due"):
            queue.take(timeout=0)

    def test_of_many_waiting_threads_one_leads(self, queue: DelayQueue[str], pool: ThreadPoolExecutor) -> None:
        queue.insert(HOUR, "late")
        takers = [pool.submit(queue.take) for _ in range(4)]
        until(lambda: queue.waiting() == (4, True))
        assert not any(taker.done() for taker in takers)
        queue.close()
        for taker in takers:
            with pytest.raises(TimersClosed):
                taker.result(BOUND)
        assert queue.drain() == [(HOUR, "late")]

    def test_any_int_is_a_time_and_any_number_of_seconds_a_time_out(
        self, queue: DelayQueue[str], pool: ThreadPoolExecutor
    ) -> None:
        with pytest.raises(BadInput, match="not a number"):
            queue.take(float("nan"))
        queue.insert(10**400, "never")
        takers = [pool.submit(queue.take, seconds) for seconds in (1e12, float("inf"), None)]
        until(lambda: queue.waiting() == (3, True))
        queue.insert_many([0, 0, 0], "abc")
        assert sorted(taker.result(BOUND) for taker in takers) == ["a", "b", "c"]

    def test_nobody_leads_while_nothing_waits(self, queue: DelayQueue[str], pool: ThreadPoolExecutor) -> None:
        taker = pool.submit(queue.take)
        until(lambda: queue.waiting() == (1, False))
        queue.insert(0, "first")
        assert taker.result(BOUND) == "first"

    def test_an_earlier_insertion_wakes_a_follower_who_takes_it(
        self, queue: DelayQueue[str], pool: ThreadPoolExecutor
    ) -> None:
        queue.insert(HOUR, "late")
        takers = [pool.submit(queue.take) for _ in range(3)]
        until(lambda: queue.waiting() == (3, True))
        queue.insert(0, "early")
        until(lambda: sum(taker.done() for taker in takers) == 1)
        until(lambda: queue.waiting() == (2, True))  # the lead was passed on
        assert [taker.result(0) for taker in takers if taker.done()] == ["early"]

    def test_moving_a_timer_nearer_counts_as_an_earlier_insertion(
        self, queue: DelayQueue[str], pool: ThreadPoolExecutor
    ) -> None:
        token = queue.insert(HOUR, "moved")
        taker = pool.submit(queue.take)
        until(lambda: queue.waiting() == (1, True))
        assert queue.move(token, 0) is not None
        assert taker.result(BOUND) == "moved"

    def test_a_clock_that_is_set_is_seen_at_once_after_a_look(
        self, now: Now, queue: DelayQueue[str], pool: ThreadPoolExecutor
    ) -> None:
        queue.insert_many([HOUR, 2 * HOUR], ["one", "two"])
        takers = [pool.submit(queue.take) for _ in range(2)]
        until(lambda: queue.waiting() == (2, True))
        now.micros = 2 * HOUR
        queue.look()
        assert sorted(taker.result(BOUND) for taker in takers) == ["one", "two"]

    def test_each_of_many_timers_is_taken_once_by_many_threads(self, pool: ThreadPoolExecutor) -> None:
        queue: DelayQueue[int] = DelayQueue(now=lambda: HOUR)
        takers: list[Future[list[int]]] = [
            pool.submit(lambda: [queue.take(timeout=BOUND) for _ in range(500)]) for _ in range(4)
        ]
        for start in range(0, 2_000, 100):
            queue.insert_many(range(start, start + 100), range(start, start + 100), ascending=True)
        assert sorted(item for taker in takers for item in taker.result(BOUND)) == list(range(2_000))
        assert queue.waiting() == (0, False)

    def test_the_real_clock_wakes_the_leader(self) -> None:
        queue: DelayQueue[str] = DelayQueue()
        due = queue._now() + 20_000
        queue.insert(due, "x")
        assert queue.take(timeout=BOUND) == "x"
        assert queue._now() >= due


class TestAsyncio:
    def test_of_many_waiting_coroutines_one_leads_and_an_earlier_insertion_wakes_another(self, now: Now) -> None:
        async def scene() -> None:
            queue: AsyncDelayQueue[str] = AsyncDelayQueue(BinaryHeap(), now=now)
            queue.insert(HOUR, "late")
            takers = [asyncio.create_task(queue.take()) for _ in range(3)]
            await asyncio.sleep(0)
            assert queue.waiting() == (3, True)
            queue.insert(0, "early")
            done, rest = await asyncio.wait(takers, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in done] == ["early"]
            assert takers[0] in rest, "a follower was woken, not the leader"
            await asyncio.sleep(0)
            assert queue.waiting() == (2, True)
            now.micros = HOUR
            queue.look()
            done, rest = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in done] == ["late"]
            queue.close()
            with pytest.raises(TimersClosed):
                await rest.pop()

        asyncio.run(asyncio.wait_for(scene(), BOUND))

    def test_any_int_is_a_time_and_any_number_of_seconds_a_time_out(self, now: Now) -> None:
        async def scene() -> None:
            queue: AsyncDelayQueue[str] = AsyncDelayQueue(BinaryHeap(), now=now)
            with pytest.raises(BadInput, match="not a number"):
                await queue.take(float("nan"))
            queue.insert(10**400, "never")
            takers = [asyncio.create_task(queue.take(seconds)) for seconds in (1e12, float("inf"), None)]
            await asyncio.sleep(0)
            assert queue.waiting() == (3, True)
            queue.insert_many([0, 0, 0], "abc")
            assert sorted(await asyncio.gather(*takers)) == ["a", "b", "c"]

        asyncio.run(asyncio.wait_for(scene(), BOUND))

    def test_a_leader_that_is_cancelled_passes_the_lead_on(self, now: Now) -> None:
        async def scene() -> None:
            queue: AsyncDelayQueue[str] = AsyncDelayQueue(BinaryHeap(), now=now)
            queue.insert(HOUR, "late")
            leader, follower = [asyncio.create_task(queue.take()) for _ in range(2)]
            await asyncio.sleep(0)
            leader.cancel()
            await asyncio.wait([leader])
            await asyncio.sleep(0)
            assert queue.waiting() == (1, True)
            queue.insert(0, "early")
            assert await follower == "early"
            assert queue.drain() == [(HOUR, "late")]

        asyncio.run(asyncio.wait_for(scene(), BOUND))

    def test_a_follower_cancelled_just_as_it_was_told_tells_the_next(self, now: Now) -> None:
        async def scene() -> None:
            queue: AsyncDelayQueue[str] = AsyncDelayQueue(BinaryHeap(), now=now)
            first, second = [asyncio.create_task(queue.take()) for _ in range(2)]
            await asyncio.sleep(0)
            queue.insert(0, "due")
            first.cancel()
            assert await second == "due"

        asyncio.run(asyncio.wait_for(scene(), BOUND))

    def test_who_waited_on_a_loop_that_was_closed_is_passed_over(self, now: Now) -> None:
        queue: AsyncDelayQueue[str] = AsyncDelayQueue(BinaryHeap(), now=now)
        loop = asyncio.new_event_loop()
        left_behind = [loop.create_task(queue.take()) for _ in range(2)]
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        queue.insert(0, "due")
        queue.look()
        assert asyncio.run(asyncio.wait_for(queue.take(), BOUND)) == "due"
        for task in left_behind:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # that they are is what is tested
            task.get_coro().close()  # type: ignore[union-attr]

    def test_the_real_clock_wakes_the_leader_and_a_time_out_ends_a_wait(self) -> None:
        async def scene() -> None:
            queue: AsyncDelayQueue[str] = AsyncDelayQueue()
            with pytest.raises(WaitTimeout):
                await queue.take(timeout=0.001)
            due = queue._now() + 20_000
            queue.insert(due, "x")
            assert await queue.take(timeout=BOUND) == "x"
            assert queue._now() >= due

        asyncio.run(asyncio.wait_for(scene(), BOUND))
