"""The workers of examples/workers against a real server, over a real socket (R3.14)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shike.model import State
from shike.server.roles import Role
from shike.server.serving import Front, bound
from shike.server.web import build
from tests import bounded
from tests.api.house import House, visit

WORKERS = Path(__file__).parents[2] / "examples" / "workers"
HANDLER = """
import json, sys
run = json.load(sys.stdin)
if run["arguments"]["width"] < 0:
    sys.exit('a picture has no "width" below 0')
print(json.dumps({"file": run["arguments"]["file"], "attempt": run["attempt"]}))
"""


async def beside(house: House, story: Callable[[dict[str, str]], Awaitable[None]]) -> None:
    """With the house's server on a socket."""

    async def leave() -> None: ...

    front = Front(build(house.opening), bound("127.0.0.1", 0), leave)
    front.start()
    try:
        key = await house.key(Role.WORKER)
        await story({**os.environ, "SHIKE_URL": front.url, "SHIKE_KEY": key})
    finally:
        await front.stop()


async def worked(words: list[str], environ: dict[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *words, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(bounded.SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def ended(house: House, run: str) -> tuple[State, str, Any]:
    known = await house.store.ended(int(run))
    assert known is not None
    return known.state, known.reason, known.result


def shell(handler: Path) -> list[str]:
    return ["sh", str(WORKERS / "worker.sh"), "resize", "python3", str(handler)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_a_worker_in_shell_and_curl(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        handler = tmp_path / "resize.py"
        handler.write_text(HANDLER)
        good = [await house.submit(task="resize", arguments={"file": f'{n} "x".png', "width": 5}) for n in range(2)]
        bad = await house.submit(
            task="resize", arguments={"file": "b", "width": -1, "runs": [{"run": "1", "token": 1}]}
        )

        async def work(environ: dict[str, str]) -> None:
            code, out = await worked(shell(handler), environ | {"RUNS_MAX": "3"})
            assert code == 0, out
            assert [await ended(house, run) for run in good] == [
                (State.SUCCESS, "", f'{{"file": "{n} \\"x\\".png", "attempt": 1}}'.encode()) for n in range(2)
            ]
            assert (await ended(house, bad))[:2] == (State.DEAD, "a picture has no width below 0")
            assert await house.store.sessions() == [], "it said good-bye"

        await beside(house, work)

    visit(story)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_a_shell_worker_that_is_told_to_stop_leaves_nothing_held(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        handler = tmp_path / "slow.py"
        handler.write_text("import time; time.sleep(0.3)")

        async def work(environ: dict[str, str]) -> None:
            words = shell(handler)
            process = await asyncio.create_subprocess_exec(*words, env=environ, stdout=asyncio.subprocess.DEVNULL)
            run = await house.submit(task="resize", arguments={"file": "a", "width": 1})
            async with asyncio.timeout(bounded.SECONDS):
                while not await house.store.sessions() or (await house.store.counts()).running == 0:
                    await asyncio.sleep(0.01)
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 143
            assert await house.store.sessions() == []
            known = await house.store.find(int(run))
            assert known is not None and known.state in (State.RUNNING, State.SUCCESS)

        await beside(house, work)

    visit(story)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_worker_in_javascript() -> None:
    async def story(house: House) -> None:
        good = [await house.submit(task="resize", arguments={"file": f"{n}.png", "width": 5}) for n in range(20)]
        bad = await house.submit(task="resize", arguments={"width": 5})

        async def work(environ: dict[str, str]) -> None:
            code, out = await worked(["node", str(WORKERS / "worker.mjs")], environ | {"RUNS_MAX": "21"})
            assert code == 0, out
            assert {(await ended(house, run))[0] for run in good} == {State.SUCCESS}
            assert (await ended(house, good[3]))[2] == b'{"file":"3-5.png"}'
            state, reason, _ = await ended(house, bad)
            assert state is State.DEAD and reason.startswith("TypeError")

        await beside(house, work)

    visit(story)


def test_each_of_them_fits_on_a_page() -> None:
    for file in WORKERS.iterdir():
        lines = [line for line in file.read_text().splitlines() if line and not line.lstrip().startswith(("#", "//"))]
        assert len(lines) <= 60, file.name
