"""Real processes move a real store, are killed over it, and work on it meanwhile: nothing is lost or runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shike import Shike
from shike.audit import audit
from shike.clock import ManualClock, SystemClock, to_datetime
from shike.errors import StoreMoved
from shike.ids import virtual_bucket
from shike.model import State
from shike.store.opening import open_store
from shike.store.records import Kind
from shike.store.sqlite import SQLiteStore
from shike.transfer.copying import Tallies, differences, portable, tallied
from shike.trigger import encode, every
from tests import bounded, servers
from tests.contract import databases
from tests.contract.namespaces import cluster_url, drop_cluster
from tests.contract.stores import Maker
from tests.contract.world import World
from tests.fault.processes import importing
from tests.unit.store.redis_world import private

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]
STEPS = (
    *("marked", "claimed", "page:1", "history", "draining", "drained", "sealed", "page:4", "copied", "compared"),
    *("moved", "opened"),
)
OFTEN = ("history", "page:4", "moved")  # the others when there is time


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=ROOT, env=importing() | environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty schema."""
    where, schema = servers.url("postgres"), f"shike_move_{os.getpid()}"

    async def execute(script: str) -> None:
        connection = await asyncpg.connect(where)
        await connection.execute(script)
        await connection.close()

    bounded.run(execute(f"create schema {schema}"))
    yield f"{where}?search_path={schema}"
    bounded.run(execute(f"drop schema {schema} cascade"))


async def _fill(folder: Path, virtual_buckets: int = 1) -> None:
    """A store with something of most kinds; some of it is over since yesterday."""
    maker: Maker = lambda folder, clock, **_: SQLiteStore(  # noqa: E731
        folder / "old.db", clock=clock, virtual_buckets=virtual_buckets
    )
    world = World(maker, folder)
    world.clock = ManualClock(SystemClock().wall() - 24 * 3600 * 1_000_000)
    await world.open()
    await world.session()
    for state in (State.SUCCESS, State.SUCCESS, State.DEAD, State.FAILED):
        await world.settle(await world.started(), state)
    schedule = await world.schedule(trigger=encode(every("1h")))
    await world.planned_run(schedule, 5, bucket=virtual_bucket(schedule.name, virtual_buckets))
    await world.store.put("queue/other", b"paused", expect=None)
    await world.submit(*[world.run(queue="other", bucket=number % virtual_buckets) for number in range(20)])
    assert await world.store.close_session("worker", seen_beat=None, reason="over")
    await world.close()


def all_of(url: str) -> Tallies:
    async def counted() -> Tallies:
        store = open_store(url, namespace="shike", clock=SystemClock())
        await store.open()
        try:
            return await tallied(portable(store), [kind for kind in Kind if kind is not Kind.MARKS])
        finally:
            await store.close()

    return bounded.run(counted())


def killed_and_repeated(source: str, target: str, step: str) -> None:
    before = all_of(source)
    assert before[Kind.ENDED].count == 2
    first = run("tests.fault.move_child", source, target, step)
    assert first.returncode == -signal.SIGKILL, first.stderr
    assert not differences(before, all_of(source)), "FROM is the truth until the end, and stays as it was"
    again = run("tests.fault.move_child", source, target, "end")
    assert again.returncode == 0, again.stderr
    assert not differences(before, all_of(target))
    third = run("tests.fault.move_child", source, target, "end")
    assert third.returncode == 0, third.stderr


@pytest.mark.parametrize(
    "step", [step if step in OFTEN else pytest.param(step, marks=pytest.mark.slow) for step in STEPS]
)
def test_a_move_that_is_killed_goes_on_when_it_is_repeated(tmp_path: Path, step: str) -> None:
    bounded.run(_fill(tmp_path))
    killed_and_repeated(f"sqlite:///{tmp_path / 'old.db'}", f"sqlite:///{tmp_path / 'new.db'}", step)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["page:1", "sealed", "page:4", "moved"])
def test_a_move_to_postgres_that_is_killed_goes_on_when_it_is_repeated(
    tmp_path: Path, postgres: str, step: str
) -> None:
    bounded.run(_fill(tmp_path))
    killed_and_repeated(f"sqlite:///{tmp_path / 'old.db'}", postgres, step)


@pytest.fixture
def mysql() -> Iterator[str]:
    """The URL of an empty database."""
    where, name = servers.url("mysql"), f"shike_move_{os.getpid()}"
    bounded.run(databases.execute(where, f"create database {name}"))
    yield databases.within(where, name)
    bounded.run(databases.execute(where, f"drop database {name}"))


@pytest.mark.slow
@pytest.mark.parametrize("step", ["page:1", "sealed", "page:4", "moved"])
def test_a_move_to_mariadb_that_is_killed_goes_on_when_it_is_repeated(tmp_path: Path, mysql: str, step: str) -> None:
    bounded.run(_fill(tmp_path))
    killed_and_repeated(f"sqlite:///{tmp_path / 'old.db'}", mysql, step)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a server of the test's own."""
    for server in private(tmp_path / "server"):
        yield server.url


@pytest.mark.parametrize(
    "step",
    [step if step == "page:4" else pytest.param(step, marks=pytest.mark.slow) for step in ("page:1", *STEPS[4:])],
)
def test_a_move_to_redis_and_back_that_is_killed_goes_on_when_it_is_repeated(
    tmp_path: Path, redis: str, step: str
) -> None:
    bounded.run(_fill(tmp_path))
    killed_and_repeated(f"sqlite:///{tmp_path / 'old.db'}", redis, step)
    killed_and_repeated(redis, f"sqlite:///{tmp_path / 'new.db'}", step)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["page:1", "sealed", "page:9", "moved"])
def test_a_move_to_a_cluster_and_back_that_is_killed_goes_on_when_it_is_repeated(tmp_path: Path, step: str) -> None:
    drop_cluster()
    cluster = f"{cluster_url()}?accept=no-aof"
    bounded.run(_fill(tmp_path, virtual_buckets=64))
    killed_and_repeated(f"sqlite:///{tmp_path / 'old.db'}", cluster, step)
    killed_and_repeated(cluster, f"sqlite:///{tmp_path / 'new.db'}", step)


# -------------------------------------------------------------------- while everybody works


class Submitter(threading.Thread):
    """Submits without a break, and goes where the store went. Notes what was accepted."""

    def __init__(self, old: str, first: int) -> None:
        super().__init__(daemon=True)
        self.store = old
        self.first = first
        self.accepted: list[int] = []
        self.enough = threading.Event()
        self.error: BaseException | None = None
        self.waited = 0.0

    def run(self) -> None:
        try:
            self._submit()
        except BaseException as error:
            self.error = error

    def _app(self) -> tuple[Shike, Any]:
        app = Shike(self.store)

        @app.task(name="work")
        async def work(n: int) -> None:
            raise AssertionError("others work")

        return app, work

    def _submit(self) -> None:
        app, work = self._app()
        number = self.first
        while not self.enough.is_set():
            begun = time.monotonic()
            try:
                work.submit(n=number)
            except StoreMoved as error:
                app.client.close_sync()
                self.store = error.to
                app, work = self._app()
                continue
            self.waited = max(self.waited, time.monotonic() - begun)
            self.accepted.append(number)
            number += 1
            time.sleep(0.005)
        app.client.close_sync()


def moved_while_all_work(folder: Path, target: str, source: str = "") -> None:
    source = source or f"sqlite:///{folder / 'old.db'}"
    notes = folder / "notes"
    words = {"NOTES": str(notes), "SHIKE_STORE": source}
    command = [sys.executable, "-m", "shike.cli", "up", "tests.fault.move_app:app", "--plain", "--slots", "5"]
    with (folder / "log").open("ab") as log:
        workers = [
            subprocess.Popen(command, cwd=ROOT, env=importing() | words, stdout=log, stderr=log) for _ in range(2)
        ]
    submitters = [Submitter(source, first) for first in (0, 1_000_000)]
    try:
        until(lambda: notes.exists() and notes.read_text().count("tick") >= 2, folder)
        for one in submitters:
            one.start()
        until(lambda: notes.read_text().count("work") >= 50, folder)
        move = run("shike.cli", "move", source, target)
        assert move.returncode == 0, move.stderr
        done = notes.read_text().count("work")
        until(lambda: notes.read_text().count("work") >= done + 50, folder)
        for one in submitters:
            one.enough.set()
            one.join(PATIENCE)
            assert one.error is None and one.store != source, one.error
        accepted = [number for one in submitters for number in one.accepted]
        until(lambda: notes.read_text().count("work") >= len(accepted), folder)
        time.sleep(0.5)  # for whatever would run twice
    finally:
        for worker in workers:
            worker.terminate()
        assert [worker.wait(PATIENCE) for worker in workers] == [0, 0], (folder / "log").read_text()[-3_000:]
    told = [line.split()[:2] for line in notes.read_text().splitlines()]
    assert Counter(int(n) for word, n in told if word == "work") == Counter(accepted), "each ran once"
    assert set(Counter(n for word, n in told if word == "tick").values()) == {1}
    bounded.run(_sound(target))


def until(what: Any, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, (folder / "log").read_text()[-3_000:]
        time.sleep(0.05)


async def _sound(url: str) -> None:
    """Nothing failed, and each moment is accounted for."""
    store = open_store(url, namespace="shike", clock=SystemClock())
    await store.open()
    now = await store.now()
    report = await audit(store, to_datetime(now - 3600 * 1_000_000), to_datetime(now))
    assert report.sound and report.schedules[0].moments > 4, report
    counts = await store.counts()
    assert set(counts.ended) <= {"SUCCESS", "SKIPPED"} and not counts.dead and not counts.running
    await store.close()


@pytest.mark.slow
def test_a_store_is_moved_while_all_work(tmp_path: Path) -> None:
    moved_while_all_work(tmp_path, f"sqlite:///{tmp_path / 'new.db'}")


def test_a_store_is_moved_to_postgres_while_all_work(tmp_path: Path, postgres: str) -> None:
    moved_while_all_work(tmp_path, postgres)


@pytest.mark.slow
def test_a_store_is_moved_to_mariadb_while_all_work(tmp_path: Path, mysql: str) -> None:
    moved_while_all_work(tmp_path, mysql)


def test_a_store_is_moved_to_redis_while_all_work(tmp_path: Path, redis: str) -> None:
    moved_while_all_work(tmp_path, redis)


def test_a_redis_store_is_moved_away_while_all_work(tmp_path: Path, redis: str) -> None:
    moved_while_all_work(tmp_path, f"sqlite:///{tmp_path / 'new.db'}", redis)
