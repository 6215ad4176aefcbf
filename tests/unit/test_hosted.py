"""Scheduler and worker beside a program without an event loop: `Shike.start` and `Shike.stop`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shike import Shike
from shike.errors import BadInput, ShikeError
from shike.events import WORKER_STARTED, WORKER_STOPPED
from shike.model import Session

PATIENCE = 30.0


def shop(folder: Path) -> Shike:
    app = Shike(f"sqlite:///{folder / 'shop.db'}")

    @app.task(name="double")
    def double(number: int) -> int:
        return 2 * number

    return app


def answer(app: Shike, number: int) -> object:
    return app.find_task("double").submit(number).result(timeout=PATIENCE)


def ended(app: Shike) -> list[Session]:
    """The workers that have come to an end, as the store knows them."""

    async def asked() -> list[Session]:
        store = await app.client.store()
        return [one for one in await store.sessions(all=True) if one.kind == "all" and one.reason]

    return list(app.client.sync(asked()))


def test_a_sync_program_works_on_what_it_submits(tmp_path: Path) -> None:
    app = shop(tmp_path)
    app.start()
    try:
        assert answer(app, 21) == 42
    finally:
        app.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "shike:hosted"]
    assert [one.died for one in ended(app)] == [False]
    app.client.close_sync()


def test_it_starts_once_and_can_be_started_again_after_it_stopped(tmp_path: Path) -> None:
    app, heard = shop(tmp_path), list[str]()
    app.on(WORKER_STARTED, lambda event: heard.append(event.event))
    app.on(WORKER_STOPPED, lambda event: heard.append(event.event))
    app.start()
    app.start()
    app.stop()
    app.stop()
    app.start()
    assert answer(app, 1) == 2
    app.stop()
    assert heard == [WORKER_STARTED, WORKER_STOPPED] * 2
    app.client.close_sync()


def test_what_was_never_started_is_stopped_without_a_word(tmp_path: Path) -> None:
    shop(tmp_path).stop()


def test_async_code_is_told_what_to_use(tmp_path: Path) -> None:
    app = shop(tmp_path)

    async def main() -> None:
        with pytest.raises(BadInput, match=r"async with app.running\(\)"):
            app.start()

    asyncio.run(main())


def test_what_keeps_it_from_beginning_is_raised_and_nothing_runs(tmp_path: Path) -> None:
    app = Shike(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'shop.db'}")
    with pytest.raises(ShikeError):
        app.start()
    assert not [thread for thread in threading.enumerate() if thread.name == "shike:hosted"]


PROGRAM = """
import os, sys
from pathlib import Path
from tests.unit.test_hosted import answer, shop

app = shop(Path(sys.argv[1]))
app.start()
assert answer(app, 3) == 6
{then}
"""


def run(folder: Path, then: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    command = [sys.executable, "-c", PROGRAM.format(then=then), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_ends_politely_with_the_program(tmp_path: Path) -> None:
    run(tmp_path, "")
    app = shop(tmp_path)
    assert [one.died for one in ended(app)] == [False]
    app.client.close_sync()


def test_a_forked_child_has_none_of_it_and_may_start_its_own(tmp_path: Path) -> None:
    then = (
        "child = os.fork()\n"
        "if child:\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "    app.stop()\n"
        "    sys.exit()\n"
        "app.stop()\n"
        "app.start()\n"
        "assert answer(app, 4) == 8\n"
        "app.stop()\n"
        "print('the child worked', flush=True)\n"
        "os._exit(0)\n"
    )
    assert run(tmp_path, then) == "the child worked\n"
    app = shop(tmp_path)
    assert len(ended(app)) == 2
    app.client.close_sync()
