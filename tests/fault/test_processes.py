"""Real child processes that die, hang and misbehave: each harms its own call and nobody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shike.bounds import PROCESSES_MAX
from shike.errors import BadArguments, BadSetting, ChildDied, ImportFailed, TooLarge
from shike.task import Definition
from shike.worker.executor import Call, HandlerFailed
from shike.worker.outcome import Cancel, Retry, Snooze
from shike.worker.processes import ProcessPool
from shike.worker.recycle import Limits
from tests import bounded
from tests.fault.child_app import app
from tests.fault.processes import PATIENCE, Brood, gone, importing, is_alive, written
from tests.unit.worker.calls import context

APP = "tests.fault.child_app:app"


def call(name: str, *args: Any, **kwargs: Any) -> Call:
    return Call(app.tasks[name], context(), args, kwargs)


def with_pool(
    body: Callable[[ProcessPool], Awaitable[Any]], *, size: int = 1, grace: float = 5.0, limits: Limits | None = None
) -> Any:
    async def main() -> Any:
        pool = ProcessPool(APP, size, grace_seconds=grace, limits=limits)
        try:
            return await asyncio.wait_for(body(pool), PATIENCE)
        finally:
            await pool.close()

    return bounded.run(main())


async def cancel_once_begun(pool: ProcessPool, work: Call, note: Path) -> int:
    task = asyncio.ensure_future(pool.run(work))
    pid = await written(note)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return pid


def test_one_warm_child_runs_handlers_of_every_kind_with_their_own_context() -> None:
    async def body(pool: ProcessPool) -> list[Any]:
        await pool.warm()
        return [
            await pool.run(call("add", 1, b=2)),
            await pool.run(call("add_async", 3)),
            await pool.run(call("who")),
            await pool.run(call("who")),
            await pool.run(call("same_loop")),
        ]

    added, added_async, first, second, pid = with_pool(body)
    assert (added, added_async) == (3, 3)
    assert first.items() >= {"id": "77", "token": 5, "attempt": 2, "key": "ops/nightly@1767225600000000"}.items()
    assert first["moment"] == "2026-01-01T00:00:00+00:00"
    assert (first["leak"], second["leak"]) == ("clean", "clean")
    assert first["pid"] == second["pid"] == pid != os.getpid()


def test_progress_and_steps_come_back_to_the_calls_context() -> None:
    async def body(pool: ProcessPool) -> tuple[Any, Any]:
        told, looked = call("tell_progress"), call("who")
        seen: list[Any] = []
        told.context.__class__ = type("Listening", (type(told.context),), {"__slots__": (), "progress": keep(seen)})
        assert await pool.run(told) == "told"
        await pool.run(looked)
        notes = looked.context.noted()
        assert notes is not None
        words = [step.name for step in notes.steps(0)], [line.text for line in notes.tail().lines]
        return seen, words

    def keep(seen: list[Any]) -> Callable[[Any, Any], None]:
        return lambda self, value: seen.append(value)

    assert with_pool(body) == ([{"share": 0.25}, {"share": 0.5}, {"share": 1.0}], (["looked"], ["somebody looks"]))


def test_outcomes_as_values_cross_over() -> None:
    async def body(pool: ProcessPool) -> list[Any]:
        return [await pool.run(call("outcome", kind)) for kind in ("snooze", "cancel", "retry")]

    assert with_pool(body) == [Snooze(90.0), Cancel("not needed"), Retry(7.0, reason="busy")]


def test_failures_come_back_as_text_and_the_child_goes_on() -> None:
    async def body(pool: ProcessPool) -> list[Any]:
        failures: list[Any] = []
        before = await pool.run(call("same_loop"))
        for work, wanted in (
            (call("fail"), HandlerFailed),
            (call("leave", 3), HandlerFailed),
            (call("unkeepable"), BadArguments),
            (call("huge"), TooLarge),
            (Call(Definition("nobody", lambda: None), context(), (), {}), HandlerFailed),
        ):
            with pytest.raises(wanted) as caught:
                await pool.run(work)
            failures.append(caught.value)
        assert await pool.run(call("unlimited")) is None
        assert await pool.run(call("same_loop")) == before
        return failures

    failed, left, unkeepable, huge, unknown = with_pool(body)
    assert failed.error == "LookupError: no such customer"
    assert 'raise LookupError("no such customer")' in failed.traceback
    assert left.error == "SystemExit: 3"
    assert "result of task 'unkeepable'" in str(unkeepable)
    assert (huge.size, huge.limit) == (100_002, 64 * 1024)
    assert "nobody" in unknown.error


@pytest.mark.parametrize(
    ("name", "args", "status", "words"),
    [
        ("vanish", (3,), 3, "exit status 3"),
        ("vanish", (0,), 0, "exit status 0"),
        ("kill_me", (), -signal.SIGKILL, "SIGKILL"),
        ("crash", (), -signal.SIGSEGV, "SIGSEGV"),
    ],
)
def test_a_child_that_dies_fails_its_own_call_and_a_fresh_one_takes_its_place(
    name: str, args: tuple[Any, ...], status: int, words: str
) -> None:
    async def body(pool: ProcessPool) -> tuple[ChildDied, int, int]:
        bystander = asyncio.ensure_future(pool.run(call("add", 20, 1)))
        with pytest.raises(ChildDied, match=words) as caught:
            await pool.run(call(name, *args))
        return caught.value, await bystander, await pool.run(call("add", 20, 2))

    died, beside, after = with_pool(body, size=2)
    assert (died.status, beside, after) == (status, 21, 22)


def test_a_daemon_that_holds_the_socket_open_does_not_hide_that_its_child_died(tmp_path: Path) -> None:
    note = tmp_path / "note"
    try:
        with pytest.raises(ChildDied, match="exit status 3"):
            with_pool(lambda pool: pool.run(call("vanish_behind_a_daemon", str(note))))
    finally:
        os.kill(int(note.read_text()), signal.SIGKILL)


def test_a_child_killed_while_it_waits_is_replaced_without_a_failure() -> None:
    async def body(pool: ProcessPool) -> tuple[int, int]:
        pid = await pool.run(call("same_loop"))
        os.kill(pid, signal.SIGKILL)
        await gone(pid)
        await asyncio.sleep(0.05)
        return await pool.run(call("same_loop")) != pid, pool.died

    assert with_pool(body) == (True, 0)


@pytest.mark.parametrize("name", ["linger", "linger_async"])
def test_a_cancelled_handler_is_told_and_cleans_up(name: str, tmp_path: Path) -> None:
    note = tmp_path / "note"

    async def body(pool: ProcessPool) -> None:
        pid = await cancel_once_begun(pool, call(name, str(note)), note)
        assert not is_alive(pid)
        assert await pool.run(call("add", 1, 1)) == 2

    with_pool(body)
    assert (tmp_path / "note.cleaned").read_text() == "stopped by the worker"


def test_a_second_signal_does_not_interrupt_the_cleaning_up(tmp_path: Path) -> None:
    note = tmp_path / "note"

    async def body(pool: ProcessPool) -> None:
        task = asyncio.ensure_future(pool.run(call("clean_up_slowly", str(note))))
        await written(note)
        task.cancel()
        os.kill(await written(tmp_path / "note.cleaning"), signal.SIGTERM)
        (tmp_path / "note.enough").touch()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_pool(body)
    assert (tmp_path / "note.cleaned").exists()


def test_a_handler_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    async def body(pool: ProcessPool) -> None:
        pid = await cancel_once_begun(pool, call("ignore_everything", str(tmp_path / "note")), tmp_path / "note")
        assert not is_alive(pid)
        assert await pool.run(call("add", 1, 1)) == 2

    with_pool(body, grace=0.2)


def test_what_a_cancelled_handler_started_ends_with_it(tmp_path: Path) -> None:
    async def body(pool: ProcessPool) -> None:
        await gone(await cancel_once_begun(pool, call("with_offspring", str(tmp_path / "note")), tmp_path / "note"))

    with_pool(body)


def test_what_a_child_leaves_running_ends_when_the_pool_closes() -> None:
    pid = with_pool(lambda pool: pool.run(call("leave_offspring")))
    bounded.run(gone(pid), PATIENCE)


def test_a_sigterm_that_is_not_the_workers_lets_the_handler_finish(tmp_path: Path) -> None:
    """A service manager sends it to every process of the service while the worker still waits for its handlers."""
    note = tmp_path / "note"

    async def body(pool: ProcessPool) -> Any:
        task = asyncio.ensure_future(pool.run(call("short", str(note))))
        os.kill(await written(note), signal.SIGTERM)
        return await task

    assert with_pool(body) == "finished"


def test_a_call_cancelled_while_its_child_starts_leaves_no_process() -> None:
    brood = Brood()

    async def body(pool: ProcessPool) -> list[str]:
        task = asyncio.ensure_future(pool.run(call("add", 1)))
        while not brood.pids():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return brood.pids()

    assert with_pool(body) == []


def test_calls_beyond_the_size_wait_for_their_turn() -> None:
    async def body(pool: ProcessPool) -> tuple[list[int], int]:
        pids = await asyncio.gather(*(pool.run(call("same_loop")) for _ in range(20)))
        waiting = [asyncio.ensure_future(pool.run(call("same_loop"))) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[-1].cancel()
        await asyncio.gather(*waiting[:-1])
        return pids, len(set(pids))

    pids, different = with_pool(body, size=2)
    assert (len(pids), different) == (20, 2)


@pytest.mark.parametrize(
    ("limits", "children"), [(Limits(), 1), (Limits(max_runs=2), 2), (Limits(max_rss_bytes=60 << 20), 4)]
)
def test_children_are_replaced_at_their_limits(limits: Limits, children: int) -> None:
    async def body(pool: ProcessPool) -> list[int]:
        return [await pool.run(call("hoard")) for _ in range(4)]

    assert len(set(with_pool(body, limits=limits))) == children


def test_closing_stops_what_runs_and_leaves_no_process(tmp_path: Path) -> None:
    brood, note = Brood(), tmp_path / "note"

    async def main() -> tuple[bool, list[str]]:
        pool = ProcessPool(APP, 2, grace_seconds=0.3)
        await pool.warm(2)
        task = asyncio.ensure_future(pool.run(call("ignore_everything", str(note))))
        await written(note)
        await asyncio.wait_for(pool.close(), PATIENCE)
        await pool.close()
        with pytest.raises(RuntimeError, match="closed"):
            await pool.run(call("add", 1))
        await asyncio.wait([task])
        return task.cancelled(), brood.pids()

    assert bounded.run(main()) == (True, [])


@pytest.mark.parametrize("name", ["ignore_everything", "with_offspring"])
def test_no_orphans_when_the_worker_is_killed(name: str, tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = (
        "import asyncio, sys\n"
        "from tests.fault.test_processes import APP, ProcessPool, call\n"
        f"async def main(): await ProcessPool(APP, 1).run(call({name!r}, {str(note)!r}))\n"
        "asyncio.run(main())\n"
    )

    async def main() -> None:
        worker = subprocess.Popen([sys.executable, "-c", program], env=importing())
        try:
            pid = await written(note)
        finally:
            bounded.killed(worker)
        await gone(pid)

    bounded.run(main(), PATIENCE)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("app = 3", "not a Shike app"),
    ],
)
def test_an_app_that_does_not_import_says_so(source: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(source)

    async def main() -> None:
        pool = ProcessPool(f"{tmp_path}/broken.py", 1)
        with pytest.raises(ImportFailed, match=words):
            await pool.run(call("add", 1))
        await pool.close()

    bounded.run(main())


@pytest.mark.parametrize("size", [0, PROCESSES_MAX + 1])
def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(BadSetting):
        ProcessPool(APP, size)
