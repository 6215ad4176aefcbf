"""Real processes carry the history of a Redis store to its archive, are killed over it, and carry each record once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from shike import Shike
from shike.clock import SystemClock
from shike.errors import StoreUnavailable
from shike.store.base import RunFilter
from shike.store.opening import open_store
from shike.store.redis import RedisStore
from tests import servers
from tests.fault.processes import importing
from tests.unit.store.redis_world import private

PATIENCE = 90.0
ROOT = Path(__file__).parents[2]
KILLS = 4
RUNS = 400


def until(what: Callable[[], object], log: Path) -> None:
    """Wait for it. A server that was just started may still turn callers away."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(StoreUnavailable):
            if what():
                return
        assert time.monotonic() < deadline, log.read_text()[-3_000:]
        time.sleep(0.1)


@pytest.mark.slow
def test_a_carrier_that_is_killed_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    for server in private(tmp_path / "server"):
        killed_and_begun_again(tmp_path, server)


def killed_and_begun_again(folder: Path, server: servers.PrivateRedis) -> None:
    archive, log = f"sqlite:///{folder / 'archive.db'}", folder / "log"
    environ = importing() | {"SHIKE_STORE": server.url, "SHIKE_HISTORY_URL": archive, "NOTES": str(folder / "notes")}
    command = [sys.executable, "-m", "tests.fault.carry_child", "up", "tests.fault.move_app:app", "--plain"]
    run_ids = submitted(server.url)
    for kill in range(KILLS + 1):
        with log.open("ab") as file:
            words = {"DIES_AFTER": str(kill + 1)} if kill < KILLS else {}
            process = subprocess.Popen(command, cwd=ROOT, env=environ | words, stdout=file, stderr=file)
        if words:
            assert process.wait(PATIENCE) == -9, log.read_text()[-3_000:]
    try:
        until(lambda: log.read_text().count("shike up") == KILLS + 1, log)
        until(lambda: run_ids <= set(asyncio.run(of(archive))), log)
        assert asyncio.run(lost(server.url, archive)) == 0
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()[-3_000:]
    found = asyncio.run(of(archive))
    assert sorted(run_id for run_id in found if run_id in run_ids) == sorted(run_ids), "each is there, once"


def submitted(url: str) -> set[int]:
    app = Shike(url)

    @app.task(name="work")
    async def work(n: int) -> None: ...

    found = {int(work.submit(n=number).id) for number in range(RUNS)}
    app.client.close_sync()
    return found


async def lost(url: str, archive: str) -> int:
    store = RedisStore(f"{url}?history_url={archive}")
    await store.open()
    state = await store.carried()
    await store.close()
    assert not state.wrong, state
    return state.lost


async def of(archive: str) -> list[int]:
    store = open_store(archive, namespace="shike", clock=SystemClock())
    await store.open()
    rows = await store.runs(RunFilter(limit=100_000))
    await store.close()
    return [row.run.id for row in rows]


@pytest.mark.slow
def test_while_the_archive_is_down_work_goes_on_and_the_history_waits(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    archive = servers.PrivatePostgres(tmp_path / "archive")
    for server in private(tmp_path / "server"):
        try:
            waits_for(tmp_path, server, archive)
        finally:
            archive.kill()


def waits_for(folder: Path, server: servers.PrivateRedis, archive: servers.PrivatePostgres) -> None:
    log, notes = folder / "log", folder / "notes"
    environ = importing() | {"SHIKE_STORE": server.url, "SHIKE_HISTORY_URL": archive.url, "NOTES": str(notes)}
    command = [sys.executable, "-m", "tests.fault.carry_child", "up", "tests.fault.move_app:app", "--plain"]
    archive.start()
    run_ids = submitted(server.url)
    with log.open("ab") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=file, stderr=file)
    try:
        until(lambda: run_ids <= set(asyncio.run(of(archive.url))), log)
        archive.kill()
        until(lambda: "archiving fails and is tried again" in log.read_text(), log)
        more = submitted(server.url)
        until(lambda: notes.read_text().count("work") == 2 * RUNS, log)
        doctor = [sys.executable, "-m", "shike.cli", "doctor"]
        found = subprocess.run(doctor, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert "records of the history, the oldest from" in found.stdout, found
        archive.start()
        until(lambda: "archiving works again" in log.read_text(), log)
        until(lambda: more <= set(asyncio.run(of(archive.url))), log)
        assert asyncio.run(lost(server.url, archive.url)) == 0
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()[-3_000:]
