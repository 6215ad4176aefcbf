"""The doctor names work that waits for nobody: by what live workers tell with their beats."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from shike.app import Shike
from shike.bounds import LOAD_BYTES_MAX
from shike.model import Route, Session
from shike.operate.doctor import Level, examine
from shike.operate.queues import pause
from shike.operate.unserved import unserved
from shike.settings import load
from shike.testing import Harness, harness
from shike.worker.serving import Serving, pack, unpack

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def app() -> Shike:
    made = Shike("memory://")

    @made.task(name="pay")
    async def pay() -> None: ...

    return made


def told(time: Harness) -> list[str]:
    findings = time.run(examine(time.store, load()))
    return [one.words for one in findings if one.level is Level.WARN and one.what in ("queue", "task", "work")]


def test_due_runs_of_a_queue_that_no_worker_serves_are_named(app: Shike) -> None:
    with harness(app, start=START) as time:
        pay = app.find_task("pay")
        pay.options(queue="night").submit()
        pay.options(queue="later").in_("1h").submit()
        pay.options(queue="off").submit()
        time.run(pause(time.store, "off", "on purpose"))
        time.advance("2s")
        assert told(time) == [
            "night: 1 run is due and no worker serves it; start one with --queues night, or name it in the app"
        ]


def test_a_task_that_no_worker_has_is_named_with_who_wants_it(app: Shike) -> None:
    other = Shike("memory://")
    old = other.task(name="old")(app.tasks["pay"].handler)  # type: ignore[type-var]
    with harness(app, start=START) as time:
        app.client.submit(old.bind())
        app.client.submit(old.bind())
        schedule = other.schedule(old, every="1h")
        time.run(time.store.put_schedule(schedule, expect=None, plan_at=0))
        time.advance("2s")
        (words,) = told(time)
        assert words.startswith("old: 3 runs are due, default/old plans it, and no worker has such a task")


def test_nothing_is_said_where_all_is_served_or_a_worker_did_not_tell_yet(app: Shike) -> None:
    with harness(app, start=START) as time:
        app.find_task("pay").options(queue="night").submit()
        assert told(time) == []  # the first beat comes after a second
        time.advance("2s")
        (session,) = time.run(time.store.sessions())
        silent = replace(session, load=b"\xff of a newer version")
        found = time.run(unserved(time.store, [session, silent], []))
        assert found.queues == {} and found.tasks == {}


def test_where_no_worker_is_at_all_the_queues_are_not_listed_too(app: Shike) -> None:
    with harness(app, start=START) as time:
        app.find_task("pay").options(queue="night").submit()
        found = time.run(unserved(time.store, [], []))
        assert found.queues == {} and found.tasks == {}


def test_what_is_too_much_for_a_beat_is_left_out() -> None:
    assert unpack(pack(["b", "a"], ["t"])) == Serving(queues=("a", "b"), tasks=("t",))
    many = [f"shop.tasks.{number}" for number in range(LOAD_BYTES_MAX)]
    assert unpack(pack(["a"], many)) == Serving(queues=("a",))
    assert unpack(pack(many, many)) == Serving() == unpack(b"")
    assert len(pack(["a"], many)) <= LOAD_BYTES_MAX


def test_a_worker_tells_what_it_serves_in_any_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    app = Shike(f"sqlite:///{tmp_path_factory.mktemp('told') / 'shike.db'}?synchronous=normal")

    @app.task(name="mail", queue="mail")
    async def mail() -> None: ...

    async def serving() -> list[Session]:
        async with app.running() as engine:
            store = await app.client.store()
            async with asyncio.timeout(20):
                while not (sessions := [one for one in await store.sessions() if one.load]):
                    await asyncio.sleep(0.05)
            assert engine.member.session is not None
            return sessions

    (session,) = asyncio.run(serving())
    assert unpack(session.load) == Serving(queues=("default", "mail"), tasks=("mail",))


def test_routed_runs_that_no_worker_may_have_are_named_with_what_they_need(app: Shike) -> None:
    with harness(app, start=START) as time:
        time.advance("2s")
        handle = app.find_task("pay").options(route=Route(required=("gpu",))).submit()
        time.advance("2s")
        findings = time.run(examine(time.store, load()))
        (words,) = [one.words for one in findings if one.what == "route"]
        assert "pay: 1 run of queue default wait for a worker that has gpu" in words
        assert f"shike explain {handle.id}" in words


def test_a_container_engine_that_is_not_there_is_said(tmp_path: Path) -> None:
    with harness(Shike()) as time:
        bad, some = [load(tmp_path, {"SHIKE_CONTAINERS": word}) for word in ("no-such-engine", sys.executable)]
        found = [one for one in time.run(examine(time.store, bad)) if one.what == "containers"]
        assert [one.level for one in found] == [Level.BAD] and "no such program: install it" in found[0].words
        found = [one for one in time.run(examine(time.store, some)) if one.what == "containers"]
        assert [one.level for one in found] == [Level.NOTE]
