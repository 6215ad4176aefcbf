"""A handler forks, and its child forgets to end: it must not go on as a second worker."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shike.model import Ended, State
from shike.store.base import RunFilter
from shike.store.sqlite import SQLiteStore
from tests import bounded
from tests.fault.processes import PATIENCE, importing, is_alive

APP = """
import asyncio, os, sys
from shike import Shike

app = Shike(sys.argv[1] if len(sys.argv) > 1 else "memory://")
notes = os.environ["NOTES"]

def note(word):
    with open(notes, "a") as file:
        file.write(f"{word} {os.getpid()}\\n")

def fork(ending):
    note("begin")
    child = os.fork()
    if not child:
        note("child")
    if not child and ending == "raise":
        raise ValueError("from the child")
    if not child and ending == "exit":
        sys.exit(3)
    return child > 0

@app.task(name="thread")
def thread(ending: str) -> bool:
    return fork(ending)

@app.task(name="async")
async def asynchronous(ending: str) -> bool:
    return fork(ending)

@app.task(name="async_waits")
async def waits(ending: str) -> bool:
    parent = fork(ending)
    await asyncio.sleep(0.01)
    return parent

@app.task(name="process", executor="process")
def process(ending: str) -> bool:
    return fork(ending)

@app.task(name="plain")
async def plain(n: int) -> None:
    note(f"plain-{n}")

async def main():
    from shike.engine import Roles
    from shike.worker.pools import pools_for
    tasks = [app.find_task(name) for name in os.environ["TASKS"].split()]
    async with app.running(Roles(slots=4), pools=pools_for(4, app_path="forking:app", processes=1)) as engine:
        for task in tasks:
            many = [task.bind(ending) for ending in ("return", "raise", "exit")]
            handles = await app.submit_many([*many, *[app.find_task("plain").bind(n) for n in range(20)]])
            for handle in handles:
                assert await handle.wait("20s") in (True, None), handle
        assert await (await app.find_task("plain").submit(99)).wait("20s") is None
        note("done")
        await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["thread", "async", "async_waits", "process"])
def test_a_child_that_comes_back_from_its_handler_ends_and_harms_nobody(kind: str, tmp_path: Path) -> None:
    (tmp_path / "forking.py").write_text(APP)
    notes, store = tmp_path / "notes", tmp_path / "shike.db"
    notes.touch()
    environment = {**importing(), "NOTES": str(notes), "TASKS": kind}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    with (tmp_path / "errors").open("w") as errors:  # no pipe: a stray child would hold it open
        argv = [sys.executable, str(tmp_path / "forking.py"), f"sqlite:///{store}"]
        worker = subprocess.Popen(argv, env=environment, stderr=errors)

    async def told() -> list[tuple[str, int]]:
        """What was written, once the worker is done and the children are gone."""
        async with asyncio.timeout(PATIENCE):
            while True:
                lines = [line.split() for line in notes.read_text().splitlines()]
                words = [(word, int(pid)) for word, pid in lines]
                strays = [pid for word, pid in words if word == "child" and is_alive(pid)]
                if worker.poll() is not None or (("done", worker.pid) in words and not strays):
                    return words
                await asyncio.sleep(0.02)

    async def ended() -> list[Ended]:
        reader = SQLiteStore(store)
        await reader.open()
        try:
            return [one for one in await reader.runs(RunFilter(limit=100)) if isinstance(one, Ended)]
        finally:
            await reader.close()

    try:
        words = bounded.run(told())
        assert worker.poll() is None
        names = [word for word, _ in words]
        assert names.count("begin") == names.count("child") == 3, "each handler ran once"
        assert all(names.count(f"plain-{n}") == 1 for n in range(20)), "no child ran the others' runs"
        runs = bounded.run(ended())
        assert len(runs) == 24 and all(run.state is State.SUCCESS and run.attempts == 1 for run in runs)
    finally:
        for pid in {worker.pid, *[int(line.split()[1]) for line in notes.read_text().splitlines()]}:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        bounded.killed(worker)
    told_errors = (tmp_path / "errors").read_text()
    assert "came back from" in told_errors
    assert "Traceback" not in told_errors and "fails" not in told_errors
