"""The pool of threads: calls and failures come back whole, stopping has three steps, nothing leaks between runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

from shike.bounds import THREADS_MAX
from shike.errors import BadSetting
from shike.model import Executor
from shike.worker.context import current
from shike.worker.executor import HandlerFailed
from shike.worker.threads import ThreadPool
from tests.unit.worker.calls import call

PATIENCE = 10.0  # seconds after which a test is stuck


def with_pool(size: int, grace: float, body: Callable[[ThreadPool], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        pool = ThreadPool(size, grace_seconds=grace)
        try:
            return await asyncio.wait_for(body(pool), PATIENCE)
        finally:
            await pool.close()

    return asyncio.run(main())


async def started(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0)


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Stubborn:
    """A handler that runs until it is let go, whatever is raised in it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.let_go = threading.Event()
        self.interrupts = 0

    def __call__(self) -> str:
        self.started.set()
        while not self.let_go.is_set():
            try:
                self.let_go.wait(0.005)
            except BaseException:
                self.interrupts += 1
        return "at last"


def test_a_handler_gets_its_arguments_and_its_value_comes_back() -> None:
    def add(a: int, *, b: int) -> int:
        return a + b

    assert with_pool(2, 1, lambda pool: pool.run(call(add, 1, b=2))) == 3


def test_a_handler_sees_its_run() -> None:
    assert with_pool(1, 1, lambda pool: pool.run(call(lambda: current().id))) == "77"


def test_nothing_set_in_one_run_is_seen_by_the_next_or_comes_from_the_worker() -> None:
    leak: ContextVar[str] = ContextVar("leak", default="clean")

    def look_and_spoil() -> str:
        seen = leak.get()
        leak.set("spoilt")
        return seen

    async def body(pool: ThreadPool) -> list[str]:
        leak.set("the worker's own")
        return [await pool.run(call(look_and_spoil)) for _ in range(3)]

    assert with_pool(1, 1, body) == ["clean"] * 3


def test_an_async_handler_gets_a_loop_of_its_own() -> None:
    async def handler() -> tuple[str, bool]:
        await asyncio.sleep(0)
        return current().id, threading.current_thread() is threading.main_thread()

    assert with_pool(1, 1, lambda pool: pool.run(call(handler, executor=Executor.THREAD))) == ("77", False)


def test_an_error_comes_back_as_itself_with_the_handlers_line_in_its_traceback() -> None:
    def handler() -> None:
        raise LookupError("no such customer")

    with pytest.raises(LookupError, match="no such customer") as caught:
        with_pool(1, 1, lambda pool: pool.run(call(handler)))
    assert "handler" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), StopIteration(1)]
)
def test_what_would_end_the_worker_fails_the_run_only(error: BaseException) -> None:
    def handler() -> None:
        raise error

    async def body(pool: ThreadPool) -> Any:
        with pytest.raises(HandlerFailed) as caught:
            await pool.run(call(handler))
        return caught.value, await pool.run(call(lambda: "goes on"))

    failure, after = with_pool(1, 1, body)
    assert type(error).__name__ in failure.error
    assert "raise error" in failure.traceback
    assert after == "goes on"


def test_threads_are_started_when_needed_and_never_more_than_asked_for() -> None:
    peak, now, lock = 0, 0, threading.Lock()

    def handler() -> None:
        nonlocal peak, now
        with lock:
            now += 1
            peak = max(peak, now)
        time.sleep(0.001)
        with lock:
            now -= 1

    async def body(pool: ThreadPool) -> tuple[int, int, int]:
        before = pool.threads
        await pool.run(call(handler))
        one = pool.threads
        await asyncio.gather(*(pool.run(call(handler)) for _ in range(60)))
        return before, one, pool.threads

    assert with_pool(4, 1, body) == (0, 1, 4)
    assert 1 < peak <= 4


def test_a_burst_of_ends_wakes_the_event_loop_far_less_often_than_once_each() -> None:
    async def body(pool: ThreadPool) -> int:
        loop = asyncio.get_running_loop()
        wakes, wake = 0, loop.call_soon_threadsafe

        def counted(*args: Any) -> Any:
            nonlocal wakes
            wakes += 1
            return wake(*args)

        loop.call_soon_threadsafe = counted  # type: ignore[assignment,method-assign]
        tasks = [asyncio.ensure_future(pool.run(call(lambda: None))) for _ in range(400)]
        await asyncio.sleep(0)
        time.sleep(0.1)  # the loop is busy with something else, the handlers end meanwhile
        await asyncio.gather(*tasks)
        return wakes

    assert 1 <= with_pool(2, 1, body) <= 40


def test_every_one_of_many_interleaved_calls_gets_its_own_value() -> None:
    async def body(pool: ThreadPool) -> list[int]:
        return list(await asyncio.gather(*(pool.run(call(lambda n: n * n, n)) for n in range(2000))))

    assert with_pool(8, 1, body) == [n * n for n in range(2000)]


def test_a_cancelled_handler_that_looks_at_its_context_ends_by_itself() -> None:
    begun, reasons = threading.Event(), []

    def polite() -> None:
        begun.set()
        while not current().cancelled:
            time.sleep(0.001)
        reasons.append(current().cancelled)

    async def body(pool: ThreadPool) -> int:
        task = asyncio.ensure_future(pool.run(call(polite)))
        await started(begun)
        await cancelled(task)
        return pool.abandoned

    assert with_pool(1, 5, body) == 0
    assert reasons == ["stopped by the worker"]


def test_a_reason_to_stop_that_was_given_before_is_kept() -> None:
    begun = threading.Event()

    def short() -> None:
        begun.set()
        time.sleep(0.02)

    work = call(short)

    async def body(pool: ThreadPool) -> str:
        task = asyncio.ensure_future(pool.run(work))
        await started(begun)
        work.context.cancelled = "the operator said so"
        await cancelled(task)
        return work.context.cancelled

    assert with_pool(1, 5, body) == "the operator said so"


def test_a_handler_that_does_not_look_is_interrupted_and_runs_its_finally() -> None:
    begun, cleaned, interrupted = threading.Event(), threading.Event(), []

    def deaf() -> None:
        interrupted.append(threading.current_thread())
        try:
            begun.set()
            while True:
                with suppress(Exception):
                    time.sleep(0.001)
        finally:
            cleaned.set()

    async def body(pool: ThreadPool) -> tuple[int, bool, int]:
        task = asyncio.ensure_future(pool.run(call(deaf)))
        await started(begun)
        await cancelled(task)
        assert cleaned.is_set()
        used_again = await pool.run(call(threading.current_thread)) in interrupted
        return pool.abandoned, used_again, pool.threads

    assert with_pool(1, 0.5, body) == (0, False, 1)


def test_a_handler_that_cannot_be_stopped_is_given_up_and_its_thread_replaced() -> None:
    stubborn = Stubborn()

    async def body(pool: ThreadPool) -> tuple[int, str, int]:
        task = asyncio.ensure_future(pool.run(call(stubborn)))
        await started(stubborn.started)
        await cancelled(task)
        return pool.abandoned, await pool.run(call(lambda: "next")), pool.threads

    try:
        assert with_pool(1, 0.1, body) == (1, "next", 1)
        assert stubborn.interrupts == 1
    finally:
        stubborn.let_go.set()


def test_calls_that_wait_for_a_thread_go_on_when_one_is_given_up() -> None:
    stubborn = Stubborn()

    async def body(pool: ThreadPool) -> Any:
        task = asyncio.ensure_future(pool.run(call(stubborn)))
        await started(stubborn.started)
        waiting = asyncio.ensure_future(pool.run(call(lambda: "served")))
        await asyncio.sleep(0)
        await cancelled(task)
        return await waiting

    try:
        assert with_pool(1, 0.1, body) == "served"
    finally:
        stubborn.let_go.set()


def test_what_a_given_up_handler_returns_later_disturbs_nobody() -> None:
    stubborn = Stubborn()

    async def body(pool: ThreadPool) -> list[int]:
        task = asyncio.ensure_future(pool.run(call(stubborn)))
        await started(stubborn.started)
        await cancelled(task)
        stubborn.let_go.set()
        return [await pool.run(call(lambda n: n, n)) for n in range(50)]

    assert with_pool(1, 0.1, body) == list(range(50))


def test_a_call_cancelled_before_a_thread_took_it_never_runs() -> None:
    stubborn, ran = Stubborn(), []

    async def body(pool: ThreadPool) -> None:
        busy = asyncio.ensure_future(pool.run(call(stubborn)))
        await started(stubborn.started)
        waiting = asyncio.ensure_future(pool.run(call(lambda: ran.append(1))))
        await asyncio.sleep(0)
        await cancelled(waiting)
        stubborn.let_go.set()
        assert await busy == "at last"
        await pool.run(call(lambda: None))

    with_pool(1, 1, body)
    assert ran == []


def test_an_interrupt_that_comes_too_late_does_not_reach_the_next_call() -> None:
    stubborn = Stubborn()

    async def body(pool: ThreadPool) -> tuple[bool, int]:
        over = asyncio.ensure_future(pool.run(call(lambda: None)))
        await asyncio.sleep(0)
        (work,) = pool._open
        await over
        following = asyncio.ensure_future(pool.run(call(stubborn)))
        await started(stubborn.started)
        reached = pool._interrupt(work)
        await asyncio.sleep(0.02)
        stubborn.let_go.set()
        await following
        return reached, stubborn.interrupts

    assert with_pool(1, 1, body) == (False, 0)


def test_closing_stops_what_runs_and_ends_the_threads() -> None:
    begun = threading.Event()

    def deaf() -> None:
        begun.set()
        while True:
            time.sleep(0.001)

    async def main() -> tuple[asyncio.Task[Any], int]:
        pool = ThreadPool(2, grace_seconds=0.2)
        task = asyncio.ensure_future(pool.run(call(deaf)))
        await started(begun)
        await asyncio.wait_for(pool.close(), PATIENCE)
        await pool.close()
        with pytest.raises(RuntimeError, match="closed"):
            await pool.run(call(lambda: None))
        return task, pool.threads

    task, threads = asyncio.run(main())
    assert task.cancelled()
    assert threads == 0


@pytest.mark.parametrize("size", [0, -1, THREADS_MAX + 1])
def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(BadSetting):
        ThreadPool(size)
