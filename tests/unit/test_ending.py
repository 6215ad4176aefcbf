"""A program that worked ends, also where a handler will not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shike.ending import until_done

SECONDS_MAX = 60.0  # nothing here takes so long; it only keeps a broken test from hanging
SLOW = """
import time
from shike import Shike

app = Shike("memory://")

@app.task
def slow() -> None:
    print("begun", flush=True)
    time.sleep(600)

async def go() -> None:
    await slow.submit()

asyncio_run = __import__("asyncio").run
asyncio_run(go())
app.run()
"""


async def ignores_its_cancellation(until: asyncio.Event) -> None:
    while not until.is_set():
        try:
            await until.wait()
        except asyncio.CancelledError:
            pass


def test_a_handler_that_never_stops_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    left: list[asyncio.Task[None]] = []

    async def main() -> None:
        left.append(asyncio.create_task(ignores_its_cancellation(asyncio.Event())))
        await asyncio.sleep(0)

    until_done(main(), grace=0.05)
    assert not left[0].done()
    assert left[0].get_loop().is_closed()
    assert "leaving it behind" in caplog.text


def test_an_error_of_the_program_itself_is_raised() -> None:
    async def main() -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        until_done(main())


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    with subprocess.Popen([sys.executable, "slow.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "begun\n"
            while process.poll() is None:  # the first asks; what comes within a second counts as its echo
                os.kill(process.pid, signal.SIGTERM)
                try:
                    process.wait(0.3)
                except subprocess.TimeoutExpired:
                    pass
            assert process.returncode == -signal.SIGTERM
        finally:
            process.kill()
