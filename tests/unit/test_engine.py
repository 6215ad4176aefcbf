"""One process at work: its roles start and stop in order, and it tells what it does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shike.engine import Engine, Roles
from shike.errors import BadSetting, ForeignStore
from shike.events import Emitter, Event
from shike.model import Backoff, Schedule, SessionState, State
from shike.trigger import encode, every
from shike.worker.claims import QueueShare
from shike.worker.outcome import Snooze
from tests.unit.worker.world import World, run


def engine_of(world: World, roles: Roles | None = None) -> tuple[Engine, list[Event]]:
    events, heard = Emitter(), list[Event]()
    events.on("*", heard.append)
    return Engine(world.store, world.runtime, world.tasks, roles or Roles(name="e"), pools={}, events=events), heard


def test_the_kind_of_a_process_says_what_it_does() -> None:
    assert [Roles(scheduler=s, worker=w).kind for s, w in ((True, True), (True, False), (False, True))] == [
        "all",
        "node",
        "worker",
    ]


def test_a_whole_process_plans_runs_and_leaves() -> None:
    async def story(world: World) -> None:
        ran: list[float] = []

        async def tick() -> None:
            ran.append(world.loop.time())

        world.task(tick)
        engine, heard = engine_of(world)
        await engine.start()
        schedule = Schedule(name="g/n", task="tick", args=b"{}", trigger=encode(every("10s")))
        await world.store.put_schedule(schedule, expect=None, plan_at=0)
        await asyncio.sleep(35)
        await engine.stop(1.0)
        await asyncio.sleep(60)
        assert ran == pytest.approx([0, 10, 20, 30], abs=0.01)
        assert [one.state for one in await world.store.sessions(all=True)] == [SessionState.CLOSED]
        told = [event.event for event in heard if not event.event.startswith(("run.", "schedule."))]
        assert told == ["scheduler.started", "worker.started", "buckets.changed", "worker.stopped", "scheduler.stopped"]

    run(story)


@pytest.mark.parametrize(("scheduler", "worker"), [(True, False), (False, True)])
def test_a_process_does_only_what_it_was_told_to(scheduler: bool, worker: bool) -> None:
    async def story(world: World) -> None:
        engine, _ = engine_of(world, Roles(scheduler=scheduler, worker=worker))
        await engine.start()
        await asyncio.sleep(5)
        owner = (await world.store.buckets())[0].owner
        assert bool(owner) == scheduler
        assert bool(world.store.claims) == worker
        await engine.stop(0.0)

    run(story)


def test_what_cannot_start_leaves_nothing_running() -> None:
    async def story(world: World) -> None:
        engine, _ = engine_of(world)
        assert engine.worker is not None

        async def broken() -> None:
            raise ForeignStore("not ours")

        engine.worker.start = broken  # type: ignore[method-assign]
        with pytest.raises(ForeignStore):
            await engine.start()
        await asyncio.sleep(1)
        assert [one.state for one in await world.store.sessions(all=True)] == [SessionState.CLOSED]
        assert len(asyncio.all_tasks()) == 1

    run(story)


def test_listeners_hear_of_each_attempt_that_ended_and_of_nothing_that_did_not() -> None:
    async def story(world: World) -> None:
        tries: list[int] = []

        async def flaky() -> Snooze | None:
            tries.append(1)
            if len(tries) == 1:
                return Snooze(5.0)
            if len(tries) == 2:
                raise ValueError("no")
            return None

        async def long() -> None:
            await asyncio.sleep(3_600)

        world.task(flaky, retry=Backoff(attempts=3, base_seconds=1, jitter=0.0))
        world.task(long)
        engine, heard = engine_of(world)
        await engine.start()
        await world.submit("flaky")
        (long_id,) = await world.submit("long")
        await asyncio.sleep(20)
        await engine.stop(1.0)
        told = [(event.task, event.state, event.reason) for event in heard if event.event == "run.ended"]
        assert told == [("flaky", "FAILED", "ValueError: no"), ("flaky", "SUCCESS", "")]
        assert (await world.live(long_id)).state is State.SCHEDULED, "given back"

    run(story)


def test_listeners_hear_that_the_session_was_lost_and_a_late_report_refused() -> None:
    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(0.3)

        world.task(work)
        engine, heard = engine_of(world, Roles(scheduler=False))
        await engine.start()
        await world.submit("work")
        await asyncio.sleep(0.1)
        await world.store.close_session(engine.member.identity, seen_beat=None, reason="thought dead")
        await asyncio.sleep(2)
        told = [(event.event, event.task) for event in heard if event.event in ("run.refused", "session.lost")]
        assert told == [("run.refused", "work"), ("session.lost", "")]
        await engine.stop(0.0)

    run(story)


def test_listeners_hear_what_was_planned_and_which_buckets_are_this_nodes() -> None:
    async def story(world: World) -> None:
        engine, heard = engine_of(world)
        await engine.start()
        schedule = Schedule(name="g/n", task="t", trigger=encode(every("1h")))
        await world.store.put_schedule(schedule, expect=None, plan_at=0)
        await asyncio.sleep(10)
        await engine.stop(0.0)
        told = [(one.event, one.name, one.reason) for one in heard]
        assert ("schedule.planned", "g/n", "1 moment") in told
        assert [one for one in told if one[0] == "buckets.changed"] == [("buckets.changed", "e", "0-0")]

    run(story)


def test_listeners_hear_of_schedules_that_anybody_changed() -> None:
    async def story(world: World) -> None:
        engine, heard = engine_of(world)
        await engine.start()
        schedule = Schedule(name="g/n", task="t", trigger=encode(every("1h")))
        await world.store.put_schedule(schedule, expect=None, plan_at=0)
        await asyncio.sleep(0.1)
        assert ("schedule.changed", "g/n") in [(event.event, event.name) for event in heard]
        await engine.stop(0.0)

    run(story)


def test_a_drain_ends_when_nothing_is_left_to_do() -> None:
    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(2)

        world.task(work)
        await world.submit("work", 7)
        engine, _ = engine_of(world, Roles(slots=2))
        await engine.start()
        await engine.until_idle()
        assert (await world.store.counts()).ended == {"SUCCESS": 7}
        assert world.loop.time() == pytest.approx(8.0, abs=0.1)
        await engine.stop(0.0)

    run(story)


def test_roles_take_queues_as_they_are_written_in_the_settings() -> None:
    async def story(world: World) -> None:
        engine, _ = engine_of(world, Roles(queues=["mail:10*3", QueueShare("bulk")]))
        assert engine.worker is not None
        assert engine.worker.claims.queues == {"mail": QueueShare("mail", 10, 3.0), "bulk": QueueShare("bulk")}

    run(story)


@pytest.mark.parametrize("roles", [{"slots": 0}, {"slots": -1}, {"queues": "mail"}])
def test_roles_that_make_no_sense_are_refused(roles: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match=next(iter(roles))):
        Roles(**roles)


def test_a_process_leaves_the_store_though_one_of_its_roles_cannot_stop() -> None:
    async def story(world: World) -> None:
        engine, heard = engine_of(world)
        await engine.start()
        assert engine.worker is not None

        async def broken(grace_seconds: float) -> None:
            raise OSError("a pool that cannot be closed")

        stop, engine.worker.stop = engine.worker.stop, broken  # type: ignore[assignment, method-assign]
        with pytest.raises(OSError, match="cannot be closed"):
            await engine.stop()
        (session,) = await world.store.sessions(all=True)
        assert session.state is SessionState.CLOSED
        assert "scheduler.stopped" in [event.event for event in heard]
        await stop(0.0)

    run(story)
