"""One client for sync and async code, several event loops, threads and forks; on both stores, with a worker beside."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shike import Shike
from shike.bounds import SUBMIT_BATCH_MAX
from shike.errors import BadInput, BadTime, NotFound, RunFailed, StoreUnavailable, WaitTimeout
from shike.model import State
from shike.store.guards import Entry
from shike.store.memory import MemoryStore
from shike.store.verbs import Submitted
from tests import bounded

PATIENCE = 20.0  # seconds after which a test is stuck


@pytest.fixture(params=["memory", "sqlite"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shike]:
    made = Shike("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'shike.db'}")

    @made.task(name="double")
    async def double(n: int) -> int:
        return 2 * n

    @made.task(name="fail")
    async def fail() -> None:
        raise ValueError("no luck")

    @made.task(name="four_times")
    async def four_times(n: int) -> int:
        first = await task(made, "double").submit(n)
        second = await task(made, "double").submit(await first.wait(PATIENCE))
        return int(await second.wait(PATIENCE))

    @made.task(name="six_times")
    def six_times(n: int) -> int:
        return 3 * int(task(made, "double").submit(n).result(PATIENCE))

    yield made
    made.client.close_sync()


@pytest.fixture(autouse=True)
def pushed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told: with a look so seldom, a lost hint is a failed test."""
    monkeypatch.setattr("shike.client.SLEEP_SECONDS_MAX", 3 * PATIENCE)


def task(app: Shike, name: str) -> Any:
    return app.find_task(name)


@contextmanager
def served(app: Shike) -> Iterator[None]:
    """A worker on another thread's event loop for as long as the block lasts."""
    ready, enough = threading.Event(), threading.Event()

    async def serve() -> None:
        async with app.running():
            ready.set()
            await asyncio.to_thread(enough.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="worker", daemon=True)
    thread.start()
    try:
        assert ready.wait(PATIENCE), "the worker does not start"
        yield
    finally:
        enough.set()
        bounded.joined(thread)


# ---------------------------------------------------------------- sync and async


def test_sync_code_submits_and_is_told_the_result(app: Shike) -> None:
    with served(app):
        assert task(app, "double").submit(21).result(PATIENCE) == 42
        many = app.submit_many([task(app, "double").bind(n) for n in range(5)])
        assert [handle.result(PATIENCE) for handle in many] == [0, 2, 4, 6, 8]


def test_async_code_does_the_same_with_await(app: Shike) -> None:
    async def main() -> tuple[int, list[int]]:
        async with app.running():
            one = await task(app, "double").submit(21)
            many = await app.submit_many([task(app, "double").bind(n) for n in range(5)])
            return await one.wait(PATIENCE), [await handle.wait(PATIENCE) for handle in many]

    assert bounded.run(main()) == (42, [0, 2, 4, 6, 8])


def test_several_event_loops_one_after_the_other_and_sync_code_in_between(app: Shike) -> None:
    """R0: a loop that is over takes nothing with it: neither the store, nor the hints."""

    async def work(n: int) -> int:
        async with app.running():
            return int(await (await task(app, "double").submit(n)).wait(PATIENCE))

    async def only_submit(n: int) -> str:
        return str((await task(app, "double").submit(n)).id)

    assert bounded.run(work(1)) == 2
    waiting = task(app, "double").handle(bounded.run(only_submit(2)))
    early = task(app, "double").submit(3)
    assert bounded.run(work(4)) == 8
    assert [waiting.result(PATIENCE), early.result(PATIENCE)] == [4, 6]
    with served(app):
        assert task(app, "double").submit(5).result(PATIENCE) == 10
    assert bounded.run(work(6)) == 12


def test_who_waits_while_the_client_moves_to_another_loop_is_still_told(app: Shike) -> None:
    handle = task(app, "double").submit(4)
    values: list[int] = []
    thread = threading.Thread(target=lambda: values.append(handle.result(PATIENCE)))
    thread.start()
    end = time.monotonic() + PATIENCE
    while not app.client._waits:
        assert time.monotonic() < end, "nobody waits"
    with served(app):
        thread.join(PATIENCE)
    assert values == [8]


def test_two_event_loops_at_the_same_time(app: Shike) -> None:
    async def submit(n: int) -> int:
        return int(await (await task(app, "double").submit(n)).wait(PATIENCE))

    values: list[int] = []
    with served(app):
        threads = [threading.Thread(target=lambda n=n: values.append(bounded.run(submit(n)))) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert sorted(values) == [0, 2, 4, 6]


def test_many_threads_submit_at_once_and_no_run_is_named_twice(app: Shike) -> None:
    ids: list[str] = []

    def some(first: int) -> None:
        ids.extend([task(app, "double").submit(n).id for n in range(first, first + 25)])

    threads = [threading.Thread(target=some, args=(100 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(set(ids)) == 200
    with served(app):
        assert all(task(app, "double").handle(one).result(PATIENCE) >= 0 for one in ids[::20])


def test_sync_code_submits_also_while_the_loop_of_the_store_is_busy(app: Shike) -> None:
    async def home() -> str:
        async with app.running():
            submitted: list[Any] = []
            thread = threading.Thread(target=lambda: submitted.append(task(app, "double").submit(4)))
            thread.start()
            thread.join(PATIENCE)  # blocks this loop
            (handle,) = submitted
            assert await handle.wait(PATIENCE) == 8
            return "done"

    assert bounded.run(home()) == "done"


def test_a_program_that_only_submits_is_not_woken_by_its_commits(app: Shike) -> None:
    app.open()
    told: list[object] = []
    app.client._hinted = told.append  # type: ignore[method-assign]
    for n in range(3):
        task(app, "double").submit(n)
    app.submit_many([task(app, "double").bind(5)])
    app.client.sync(asyncio.sleep(0))
    assert told == []


def test_handlers_submit_and_wait_themselves(app: Shike) -> None:
    with served(app):
        assert task(app, "four_times").submit(3).result(PATIENCE) == 12
        assert task(app, "six_times").submit(3).result(PATIENCE) == 18


def test_waiting_with_a_blocked_loop_is_refused_not_endless(app: Shike) -> None:
    async def main() -> None:
        async with app.running():
            handle = await task(app, "double").submit(1)
            with pytest.raises(BadInput, match="await"):
                handle.result()

    bounded.run(main())


def test_a_closed_client_opens_again_on_the_next_call(app: Shike) -> None:
    before = threading.enumerate()
    task(app, "double").submit(1)
    app.client.close_sync()
    app.client.close_sync()
    again = task(app, "double").submit(2)
    with served(app):
        assert again.result(PATIENCE) == 4
    task(app, "double").submit(3)
    ours = [thread for thread in threading.enumerate() if thread.name == "shike:client" and thread not in before]
    assert len(ours) <= 1, "the old one's thread has ended"


# ---------------------------------------------------------------- what comes back


def test_a_failed_run_tells_who_waits_how_it_ended(app: Shike) -> None:
    with served(app):
        handle = task(app, "fail").submit()
        with pytest.raises(RunFailed, match="no luck") as told:
            handle.result(PATIENCE)
    assert (told.value.run_id, told.value.state, told.value.reason) == (handle.id, "DEAD", "ValueError: no luck")


def test_who_waits_too_long_is_told_and_the_run_goes_on(app: Shike) -> None:
    handle = task(app, "double").submit(1)
    with pytest.raises(WaitTimeout, match=r"was due and no worker had taken it after .*; it goes on"):
        handle.result(0.05)
    with pytest.raises(WaitTimeout, match="was SCHEDULED after"):
        task(app, "double").in_("1h").submit(1).result(0.05)
    with served(app):
        assert handle.result(PATIENCE) == 2


def test_a_run_that_nobody_knows_is_not_waited_for(app: Shike) -> None:
    with pytest.raises(NotFound):
        task(app, "double").handle("99840").result(PATIENCE)


def test_a_cancelled_run_is_told_as_such(app: Shike) -> None:
    handle = task(app, "double").in_("1h").submit(1)
    assert handle.cancel() is True
    with pytest.raises(RunFailed) as told:
        handle.result(PATIENCE)
    assert told.value.state == "CANCELLED"


def test_the_same_key_again_gives_the_first_run(app: Shike) -> None:
    keyed = task(app, "double").options(key="order-7")
    first, second = keyed.submit(1), keyed.submit(2)
    assert (first.fresh, second.fresh) == (True, False) and first.id == second.id
    with served(app):
        assert second.result(PATIENCE) == 2


def test_a_handle_that_was_not_awaited_has_no_id_yet(app: Shike) -> None:
    async def main() -> str:
        handle = task(app, "double").submit(1)
        with pytest.raises(BadInput, match="await"):
            handle.id
        return str((await handle).id)

    assert bounded.run(main()).isdigit()


def test_concurrent_callers_share_a_step_and_who_asks_for_nonsense_spoils_it_for_nobody() -> None:
    app, store, double = shaky_app()

    async def main() -> list[Any]:
        once = double.options(key="once")
        asked = [task.submit(n) for n, task in enumerate((once, once, double, double))]
        past = double.at(datetime(2001, 1, 1, tzinfo=UTC)).submit(4)
        return await asyncio.gather(*[await_it(one) for one in (*asked, past)], return_exceptions=True)

    async def await_it(handle: Any) -> Any:
        return await handle

    first, second, third, fourth, past = asyncio.run(main())
    assert isinstance(past, BadTime)
    assert (first.fresh, second.fresh, first.id == second.id) == (True, False, True)
    assert len({first.id, third.id, fourth.id}) == 3
    assert len(store._tables.runs) == 3

    async def again() -> None:
        store.sizes.clear()
        await asyncio.gather(*[await_it(double.submit(n)) for n in range(50)])

    asyncio.run(again())
    assert store.sizes == [(50, False)]
    app.client.close_sync()


# ---------------------------------------------------------------- a store that fails


class Shaky(MemoryStore):
    """Loses answers after doing what it was asked."""

    def __init__(self) -> None:
        from shike.clock import SystemClock

        super().__init__(SystemClock())
        self.lost_answers = 0
        self.sizes: list[tuple[int, bool]] = []

    async def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
        answers = await super().submit(entries, repeat=repeat)
        self.sizes.append((len(entries), repeat))
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("the answer was lost")
        return answers


def shaky_app() -> tuple[Shike, Shaky, Any]:
    store = Shaky()
    app = Shike(store)

    @app.task(name="double")
    async def double(n: int) -> int:
        return 2 * n

    return app, store, double


def test_a_submit_whose_answer_was_lost_is_repeated_and_stored_once() -> None:
    app, store, double = shaky_app()
    store.lost_answers = 2
    handle = double.submit(1)
    assert store.sizes == [(1, False), (1, True), (1, True)]
    live = list(store._tables.runs.values())
    assert [str(one.run.id) for one in live] == [handle.id] and live[0].state is State.SCHEDULED
    app.client.close_sync()


def test_a_store_that_never_answers_is_given_up_in_the_end() -> None:
    app, store, double = shaky_app()
    store.lost_answers = 1_000
    with pytest.raises(StoreUnavailable):
        double.submit(1)
    app.client.close_sync()


def test_a_very_large_bulk_is_cut_into_steps_and_keeps_its_order() -> None:
    app, store, double = shaky_app()
    handles = app.submit_many([double.bind(n) for n in range(SUBMIT_BATCH_MAX + 5)])
    assert [size for size, _ in store.sizes] == [SUBMIT_BATCH_MAX, 5]
    assert len({handle.id for handle in handles}) == SUBMIT_BATCH_MAX + 5
    assert store._tables.runs[int(handles[-1].id)].run.args == b'{"n":%d}' % (SUBMIT_BATCH_MAX + 4)
    app.client.close_sync()


# ---------------------------------------------------------------- forks

FORKS = """
import asyncio, os, sys
from shike import Shike

app = Shike(sys.argv[1])

@app.task(name="double")
async def double(n: int) -> int:
    return 2 * n

before = double.submit(1)                      # opens the store, with its threads, in the parent
child = os.fork()
mine = [double.submit(n).id for n in range(20)]
os.write(1, (" ".join(mine) + "\\n").encode())  # in one piece: the other one writes, too
if child:
    assert os.waitpid(child, 0)[1] == 0

    async def drain():
        async with app.running() as engine:
            await engine.until_idle()

    asyncio.run(drain())
    assert before.result(20) == 2
    print("drained", app.client.sync(app.client.store()) is not None, flush=True)
os._exit(0) if not child else app.client.close_sync()
"""


def test_parent_and_child_go_on_after_a_fork_each_with_a_session_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "forks.py"
    script.write_text(FORKS)
    store = f"sqlite:///{tmp_path / 'shike.db'}"
    done = subprocess.run([sys.executable, str(script), store], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    ids = [one for line in lines for one in line.split()]
    assert len(ids) == len(set(ids)) == 40 and last == "drained True"


def test_sync_code_submits_to_a_store_that_needs_an_event_loop() -> None:
    class Remote(MemoryStore):
        """As a server: there is nobody to answer where no loop runs."""

        blocks = False

        async def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
            await asyncio.sleep(0)
            return await super().submit(entries, repeat=repeat)

    app = Shike(Remote())

    @app.task(name="double")
    async def double(n: int) -> int:
        return 2 * n

    assert len({double.submit(n).id for n in range(3)}) == 3
    app.client.close_sync()
