"""The roles of a node, each on its own job, together on one store in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shike.bounds import PURGE_ROWS, SWEEP_SECONDS
from shike.model import Bucket, Fate, Misfire, Overlap, Schedule, SessionState, State
from shike.scheduler.janitor import ROUND_SECONDS, Janitor, retention
from shike.scheduler.node import Node
from shike.session import Member
from shike.store.base import Gated
from shike.store.hints import Hint, HintKind
from shike.store.memory import MemoryStore
from shike.trigger import AnyTrigger, cron, encode, every
from shike.worker.context import current
from tests.unit.worker.world import World, run

SECOND = 1_000_000


async def node(world: World, name: str = "n") -> tuple[Node, Member]:
    member = Member(world.store, world.runtime, kind="node", name=name)
    await member.join()
    made = Node(world.store, world.runtime, member)
    await made.start()
    await asyncio.sleep(0.01)
    return made, member


async def put(world: World, name: str, trigger: AnyTrigger, **words: object) -> None:
    schedule = Schedule(name=name, task="tick", args=b"{}", trigger=encode(trigger), **words)  # type: ignore[arg-type]
    await world.store.put_schedule(schedule, expect=None, plan_at=world.clock.wall())


def hear(world: World) -> list[tuple[int, Hint]]:
    """Everything told from here on, with the time."""
    heard: list[tuple[int, Hint]] = []
    world.store.listen(lambda hint: heard.append((world.clock.wall(), hint)))
    return heard


# ---------------------------------------------------------------- scanner


def test_workers_are_woken_at_the_instant_and_once_however_many_runs_are_due() -> None:
    async def story(world: World) -> None:
        await node(world)
        at = world.clock.wall() + 90 * SECOND
        await world.submit("t", 500, due_at=at)
        await asyncio.sleep(60)
        heard = hear(world)
        await asyncio.sleep(29.9)
        assert [hint for _, hint in heard if hint.kind is HintKind.DUE] == [], "P2: not before"
        await asyncio.sleep(0.2)
        told = [(when, hint) for when, hint in heard if hint.kind is HintKind.DUE]
        assert len(told) == 1 and 0 <= told[0][0] - at < 2_000

    run(story)


def test_a_commit_that_becomes_visible_behind_the_floor_is_found_by_the_sweep() -> None:
    async def story(world: World) -> None:
        await node(world)
        await world.submit("t", due_at=world.clock.wall() + 3_600 * SECOND)
        await asyncio.sleep(SWEEP_SECONDS + 3)
        at = world.clock.wall() + 2 * SECOND
        listeners, world.store._listeners = world.store._listeners, type(world.store._listeners)()
        await world.submit("t", due_at=at, queue="late")
        world.store._listeners = listeners
        heard = hear(world)
        await asyncio.sleep(SWEEP_SECONDS)
        assert [hint.queue for _, hint in heard if hint.kind is HintKind.DUE] == ["late"]

    run(story)


def test_of_several_buckets_each_is_read_as_far_as_it_is_said_to_be() -> None:
    """An empty one must not make the others look read."""

    async def story(world: World) -> None:
        world.store = type(world.store)(world.clock, virtual_buckets=64)
        world.store._tables.buckets = {0: Bucket(low=0, high=31), 32: Bucket(low=32, high=63)}
        begin = world.clock.wall()
        for seconds in (3, 12, 20):
            await world.submit("t", due_at=begin + seconds * SECOND, bucket=40)
        made, _ = await node(world)
        heard = hear(world)
        await asyncio.sleep(25)
        assert sorted(made.buckets.owned) == [0, 32]
        told = [(when - begin) / SECOND for when, hint in heard if hint.kind is HintKind.DUE]
        assert told == pytest.approx([3, 12, 20], abs=0.01)

    run(story)


def test_a_node_that_does_nothing_asks_next_to_nothing() -> None:
    """ARCHITECTURE 5.7: an idle process costs its beat and little else."""

    async def story(world: World) -> None:
        await node(world)
        asked: list[str] = []
        for verb in ("now", "due", "gated", "to_plan", "buckets", "sessions"):
            _count(world.store, verb, asked)
        await asyncio.sleep(60)
        assert len(asked) <= 30

    run(story)


def _count(store: MemoryStore, verb: str, asked: list[str]) -> None:
    real: Callable[..., object] = getattr(store, verb)

    def counted(*args: object, **named: object) -> object:
        asked.append(verb)
        return real(*args, **named)

    setattr(store, verb, counted)


# ---------------------------------------------------------------- buckets


def test_two_nodes_make_one_timetable_and_the_second_takes_over() -> None:
    """P1: no moment without a row, none with two, whoever is there."""

    async def story(world: World) -> None:
        (_, first), (_, second) = await node(world, "a"), await node(world, "b")
        await put(world, "g/n", every("10s"))
        await asyncio.sleep(100)
        owner = (await world.store.buckets())[0].owner
        assert owner == first.identity
        epoch = (await world.store.buckets())[0].epoch
        await first.leave("killed")
        await asyncio.sleep(1_000)
        (bucket,) = await world.store.buckets()
        assert bucket.owner == second.identity and bucket.epoch > epoch, "P6"
        rows = await world.store.timetable("g/n", 0, 1 << 62)
        moments = [row.moment for row in rows]
        assert moments == [moments[0] + n * 10 * SECOND for n in range(len(moments))] and len(moments) > 110

    run(story)


def test_a_node_that_lost_its_bucket_does_no_harm_and_looks_again() -> None:
    async def story(world: World) -> None:
        made, member = await node(world, "a")
        (bucket,) = await world.store.buckets()
        world.store._tables.buckets[bucket.low] = replace(bucket, epoch=bucket.epoch + 5)
        await put(world, "g/n", every("10s"))
        await asyncio.sleep(5)
        (again,) = await world.store.buckets()
        assert again.owner == member.identity and made.buckets.owned[0].epoch == again.epoch
        assert await world.store.timetable("g/n", 0, 1 << 62)

    run(story)


# ---------------------------------------------------------------- planner


def test_one_broken_schedule_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def story(world: World) -> None:
        made, _ = await node(world)
        real = made.planner._line

        def cursed(planned: object) -> object:
            line = real(planned)  # type: ignore[arg-type]
            if planned.schedule.name == "g/bad":  # type: ignore[attr-defined]
                raise ZeroDivisionError("a fault in a trigger")
            return line

        made.planner._line = cursed  # type: ignore[method-assign,assignment]
        await put(world, "g/bad", every("10s"))
        await put(world, "g/good", every("10s"))
        await put(world, "g/unreadable", every("10s"))
        broken = world.store._tables.schedules["g/unreadable"]
        world.store._tables.schedules["g/unreadable"] = replace(
            broken, schedule=replace(broken.schedule, trigger=b'{"kind":"cron","expression":"61 * * * *"}')
        )
        await asyncio.sleep(2_000)
        assert len(await world.store.timetable("g/good", 0, 1 << 62)) > 200

    with caplog.at_level(logging.CRITICAL):
        run(story)


def test_a_planner_whose_numbers_are_used_up_goes_on_under_others() -> None:
    async def story(world: World) -> None:
        made, member = await node(world)
        assert member.ids is not None
        member.ids._next = member.ids._end - 3 * 256
        await put(world, "g/n", every("10s"))
        await asyncio.sleep(60)
        rows = await world.store.timetable("g/n", 0, 1 << 62)
        assert len(rows) > 90 and len({row.run_id for row in rows}) == len(rows)
        assert made.buckets.owned

    run(story)


def test_a_pause_with_an_end_ends_by_itself() -> None:
    async def story(world: World) -> None:
        ran: list[int] = []

        async def tick() -> None:
            ran.append(current().run.moment)

        world.task(tick)
        await node(world)
        await world.worker(slots=1)
        begin = world.clock.wall()
        await put(world, "g/n", every("10s"))
        await asyncio.sleep(95)
        until = begin + 300 * SECOND
        await world.store.control_schedule("g/n", paused=True, reason="a fair", resume_at=until)
        await asyncio.sleep(500)
        quiet = [moment for moment in ran if begin + 95 * SECOND < moment <= until]
        assert quiet == [] and len(ran) == 10 + 29
        (pause,) = [row for row in await world.store.timetable("g/n", 0, 1 << 62) if row.fate is Fate.PAUSED]
        assert pause.count == 21, "P7: what did not run is told in one row"

    run(story)


def test_a_jump_of_the_clock_is_noticed_within_seconds() -> None:
    async def story(world: World) -> None:
        ran: list[int] = []

        async def tick() -> None:
            ran.append(world.clock.wall() - current().run.due_at)

        world.task(tick)
        await node(world)
        await world.worker(slots=1)
        await put(world, "g/n", cron("0 * * * *"), misfire=Misfire.ALL)
        await asyncio.sleep(60)
        ran.clear()
        world.clock.leap(3 * 3_600 * SECOND)
        await asyncio.sleep(5)
        assert len(ran) == 3 and min(ran) < 130 * SECOND

    run(story)


# ---------------------------------------------------------------- gatekeeper


@pytest.mark.parametrize("overlap", [Overlap.QUEUE_ALL, Overlap.QUEUE_ONE, Overlap.SKIP, Overlap.REPLACE])
def test_over_two_nodes_and_two_workers_no_run_overlaps_the_one_before(overlap: Overlap) -> None:
    async def story(world: World) -> None:
        at_once, most, ran = 0, 0, 0

        async def tick() -> None:
            nonlocal at_once, most, ran
            at_once += 1
            ran += 1
            most = max(most, at_once)
            await asyncio.sleep(25)
            at_once -= 1

        world.task(tick)
        for name in "ab":
            await node(world, name)
            await world.worker(slots=4)
        await put(world, "g/n", every("10s"), overlap=overlap, misfire=Misfire.ALL)
        await asyncio.sleep(600)
        assert most == 1
        assert ran >= (600 // 30 if overlap is Overlap.SKIP else 600 // 25) - 2, "and the next one follows at once"

    run(story)


def test_a_newcomer_may_cancel_its_predecessor() -> None:
    async def story(world: World) -> None:
        ended: list[str] = []

        async def tick() -> None:
            try:
                await asyncio.sleep(3_600)
            finally:
                ended.append(current().cancelled)

        world.task(tick)
        await node(world)
        await world.worker(slots=4)
        await put(world, "g/n", every("60s"), overlap=Overlap.CANCEL_PREVIOUS)
        await asyncio.sleep(330)
        counts = await world.store.counts()
        assert counts.ended == {"CANCELLED": 5} and counts.running == 1
        assert all(ended)

    run(story)


@pytest.mark.parametrize("overlap", [Overlap.QUEUE_ALL, Overlap.QUEUE_ONE, Overlap.SKIP, Overlap.REPLACE])
def test_a_long_queue_before_a_gate_costs_each_run_in_it_a_few_looks(overlap: Overlap) -> None:
    async def story(world: World) -> None:
        looked_at = 0
        answer = world.store.gate_waiters

        async def counted(gate: str, limit: int) -> list[Gated]:
            nonlocal looked_at
            found = await answer(gate, limit)
            looked_at += len(found)
            return found

        world.store.gate_waiters = counted  # type: ignore[method-assign]

        async def tick() -> None:
            await asyncio.sleep(1)

        world.task(tick)
        await put(world, "g/n", every("10s"), overlap=overlap)
        await world.store.control_schedule("g/n", paused=True)
        due_at = world.clock.wall() - 1
        await world.submit("tick", 2_000, gate="overlap/g/n", due_at=due_at)
        await node(world)
        await world.worker(slots=4)
        await asyncio.sleep(2_100)
        counts = await world.store.counts()
        assert counts.waiting == 0 and sum(counts.ended.values()) == 2_000
        assert counts.ended.get("SKIPPED", 0) == {Overlap.QUEUE_ALL: 0, Overlap.SKIP: 1_999}.get(overlap, 1_998)
        assert looked_at < 4 * 2_000

    run(story)


# ---------------------------------------------------------------- rescuer


def test_a_session_is_dead_when_its_lease_is_over_and_no_beat_was_seen_for_a_whole_lease() -> None:
    async def story(world: World) -> None:
        await node(world)
        silent = Member(world.store, world.runtime, kind="worker", name="w")
        session = await silent.join()
        assert silent._role is not None
        await silent._role.stop()
        await asyncio.sleep(9.9)
        assert (await world.store.sessions(all=True))[-1].state is SessionState.OPEN
        await asyncio.sleep(12)
        states = {one.id: one.state for one in await world.store.sessions(all=True)}
        assert states[session.id] is SessionState.CLOSED

    run(story)


def test_a_process_that_is_provably_gone_is_buried_at_once() -> None:
    async def story(world: World) -> None:
        await node(world)
        await asyncio.sleep(25)  # alone for long: looks are rare
        dead: dict[str, None] = {}
        world.store.is_gone = dead.__contains__  # type: ignore[method-assign,assignment]
        member = Member(world.store, world.runtime, kind="worker", name="w")
        session = await member.join()
        await asyncio.sleep(2)
        assert member._role is not None
        await member._role.stop()
        dead[session.id] = None
        await asyncio.sleep(1.1)
        states = {one.id: one.state for one in await world.store.sessions(all=True)}
        assert states[session.id] is SessionState.CLOSED, "healed within seconds, not leases"

    run(story)


def test_the_living_are_left_alone_for_ever() -> None:
    async def story(world: World) -> None:
        made, first = await node(world, "a")
        _, second = await node(world, "b")
        identities = first.identity, second.identity
        await asyncio.sleep(3_600)
        assert (first.identity, second.identity) == identities and made.rescuer.rescued == 0

    run(story)


def test_what_a_closed_session_left_is_freed_even_if_another_closed_it_and_died_over_it() -> None:
    async def story(world: World) -> None:
        async def tick() -> None:
            await asyncio.sleep(3_600)

        world.task(tick)
        (run_id,) = await world.submit("tick")
        _, member = await world.worker(slots=1)
        await asyncio.sleep(1)
        session = member.identity
        await member.leave("closed, and nobody freed it")
        assert (await world.live(run_id)).state is State.RUNNING
        made, _ = await node(world)
        await asyncio.sleep(1)
        assert made.rescuer.rescued == 1 and await world.store.held(session) == 0
        assert (await world.live(run_id)).state is State.SCHEDULED

    run(story)


# ---------------------------------------------------------------- janitor


def test_the_janitor_comes_in_rounds_and_goes_on_while_there_is_much_to_do() -> None:
    async def story(world: World) -> None:
        rounds: list[float] = []
        left = [PURGE_ROWS, PURGE_ROWS, 17, 0, 0, 0, 0]

        async def purge(keep: object) -> int:
            rounds.append(world.loop.time())
            return left.pop(0)

        world.store.purge = purge  # type: ignore[method-assign]
        world.runtime.start(Janitor(world.store, retention(), lambda: 0.5).run, "janitor")
        await asyncio.sleep(2 * ROUND_SECONDS + 10)
        assert [round(when) for when in rounds] == [600, 600, 600, 1_200]

    run(story)
