"""A handler stops the event loop that its app is embedded in: no innocent run pays for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from shike import Shike
from shike.engine import Roles
from shike.model import Ended, Live, SessionState, State
from shike.store.base import RunFilter
from shike.store.sqlite import SQLiteStore
from tests import bounded
from tests.fault.processes import PATIENCE, importing

APP = """
import asyncio, sys, time
from shike import Shike

app = Shike(sys.argv[1])

@app.task(name="stop")
async def stop(waits: bool) -> None:
    asyncio.get_running_loop().stop()
    if waits:
        await asyncio.sleep(30)

@app.task(name="wait", on_unknown="fail")
async def wait(n: int) -> int:
    await asyncio.sleep(30)
    return n

@app.task(name="thread")
def thread(n: int) -> int:
    time.sleep(0.5)
    return n

@app.task(name="quick")
async def quick(n: int) -> int:
    return n

async def main():
    async with app.running(grace=2):
        names = ["wait"] * 4 + ["thread"] * 4 + ["quick"] * 100
        await app.submit_many([app.find_task(name).bind(n) for n, name in enumerate(names)])
        await app.find_task("stop").submit(sys.argv[2] == "waits")
        await asyncio.sleep(60)

if sys.argv[3] == "run":
    asyncio.run(main())
else:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    except RuntimeError as error:
        print(error, flush=True)
    loop.close()
    time.sleep(60)
"""


def looked(store: Path) -> tuple[Sequence[Live | Ended], list[SessionState]]:
    async def look() -> tuple[Sequence[Live | Ended], list[SessionState]]:
        reader = SQLiteStore(store)
        await reader.open()
        try:
            sessions = await reader.sessions(all=True)
            return await reader.runs(RunFilter(limit=1_000)), [one.state for one in sessions if one.kind == "all"]
        finally:
            await reader.close()

    return bounded.run(look())


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    script = folder / "stopping.py"
    script.write_text(APP)
    argv = [sys.executable, str(script), f"sqlite:///{folder / 'shike.db'}", *words]
    return subprocess.Popen(argv, env=importing(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("waits", ["waits", "returns"])
def test_asyncio_run_ends_and_what_was_under_way_is_given_back(waits: str, tmp_path: Path) -> None:
    process = started(tmp_path, waits, "run")
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        bounded.killed(process)
    assert "Event loop stopped before Future completed" in errors
    assert "never retrieved" not in errors
    runs, sessions = looked(tmp_path / "shike.db")
    assert sessions == [SessionState.CLOSED]
    waiting = [run for run in runs if run.run.task == "wait"]
    assert len(waiting) == 4 and all(run.state is State.SCHEDULED and run.attempts == 0 for run in waiting)
    assert {run.state for run in runs} <= {State.SUCCESS, State.SCHEDULED}, "nothing is dead, failed or held"
    finish(tmp_path)


def finish(folder: Path) -> None:
    """Another process does what was given back, each as its first attempt."""
    app = Shike(f"sqlite:///{folder / 'shike.db'}")

    async def any_kind(n: int = 0, waits: bool = False) -> int:
        return n

    for name in ("stop", "wait", "thread", "quick"):
        app.task(name=name)(any_kind)

    async def drain() -> None:
        async with app.running(Roles(slots=50)) as engine, asyncio.timeout(PATIENCE):
            await engine.until_idle()

    bounded.run(drain())
    runs, _ = looked(folder / "shike.db")
    assert len(runs) == 109
    assert all(run.state is State.SUCCESS and run.attempts == 1 for run in runs)
    app.client.close_sync()


def test_a_loop_that_is_closed_over_its_app_ends_the_session_though_the_process_lives(tmp_path: Path) -> None:
    process = started(tmp_path, "returns", "close")
    try:
        assert "stopped" in bounded.line(process)
        end, sessions = time.monotonic() + PATIENCE, list[SessionState]()
        while sessions != [SessionState.CLOSED] and time.monotonic() < end:
            _, sessions = looked(tmp_path / "shike.db")
        assert sessions == [SessionState.CLOSED] and process.poll() is None
    finally:
        bounded.killed(process)
