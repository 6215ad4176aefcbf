"""A worker stops without spending an attempt, and dies without a word about what it held."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from shike.model import Backoff, Options, Schedule, State
from shike.scheduler.node import Node
from shike.session import Member
from shike.store.verbs import Answer
from shike.trigger import encode, every
from shike.worker.context import current
from tests.unit.worker.world import World, run

# ---------------------------------------------------------------- stopping


def test_who_stops_gives_back_what_has_not_begun_and_no_attempt_is_spent() -> None:
    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(1)

        world.task(work)
        worker, member = await world.worker(slots=2)
        worker.claims.runs_per_second = 1_000.0
        ids = await world.submit("work", 10)
        await asyncio.sleep(0.5)
        assert len(worker.slots.queued) == 8
        await worker.stop(5.0)
        await member.leave()
        states = [(await world.store.find(one)) for one in ids]
        assert [one.state for one in states if one].count(State.SUCCESS) == 2
        waiting = [await world.live(one) for one in ids[2:]]
        assert [(one.state, one.attempts, one.suspect) for one in waiting] == [(State.SCHEDULED, 0, False)] * 8
        assert await world.store.attempts(ids[-1]) == []

    run(story)


def test_what_does_not_end_within_the_grace_is_stopped_and_given_back() -> None:
    async def story(world: World) -> None:
        stopped = []

        async def long() -> None:
            try:
                await asyncio.sleep(3_600)
            finally:
                stopped.append(current().cancelled)

        world.task(long, retry=Backoff(attempts=1))
        worker, member = await world.worker(slots=2)
        (run_id,) = await world.submit("long")
        await asyncio.sleep(0.5)
        began = world.loop.time()
        await worker.stop(3.0)
        await member.leave()
        assert world.loop.time() - began == pytest.approx(3.0, abs=0.1)
        live = await world.live(run_id)
        assert (live.state, live.attempts, live.suspect) == (State.SCHEDULED, 0, False)
        assert stopped == ["stopping"]

    run(story)


def test_an_answer_that_arrives_while_the_worker_stops_is_given_back() -> None:
    """Else nobody would: the runs would count as lost with their session, and run alone next."""

    async def story(world: World) -> None:
        async def work() -> None: ...

        world.task(work)
        worker, member = await world.worker(slots=5)
        await asyncio.sleep(0.5)
        world.store.slow_seconds = 0.3
        ids = await world.submit("work", 3)
        await asyncio.sleep(0.35)  # the hint came, the claim is on its way, its answer is not back
        world.store.slow_seconds = 0.0
        await worker.stop(1.0)
        await member.leave()
        for one in ids:
            found = await world.store.find(one)
            assert found is not None
            assert found.state is State.SUCCESS or (found.state is State.SCHEDULED and not found.suspect)  # type: ignore[union-attr]
        assert await world.store.held(member.name) == 0

    run(story)


def test_stopping_ends_though_the_store_does_not_answer() -> None:
    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(0.5)

        world.task(work)
        worker, member = await world.worker(slots=1)
        await world.submit("work")
        await asyncio.sleep(0.2)
        world.store.down = True
        await worker.stop(1.0)
        await member.leave()
        assert world.loop.time() < 30

    run(story)


def test_a_stopped_worker_claims_nothing_more() -> None:
    async def story(world: World) -> None:
        async def work() -> None: ...

        world.task(work)
        worker, _ = await world.worker(slots=1)
        await worker.stop(1.0)
        asked = len(world.store.claims)
        await world.submit("work", 3)
        await asyncio.sleep(10)
        assert len(world.store.claims) == asked

    run(story)


def test_a_worker_that_has_done_enough_says_so_and_takes_no_more() -> None:
    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(0.01)

        world.task(work)
        worker, _ = await world.worker(slots=1, runs_max=5)
        await world.submit("work", 20)
        await asyncio.sleep(5)
        assert worker.exhausted.is_set()
        assert (await world.store.counts()).ended == {"SUCCESS": 5}

    run(story)


# ---------------------------------------------------------------- losing the lease


def test_a_lost_lease_stops_everything_and_nothing_is_said_about_it() -> None:
    async def story(world: World) -> None:
        seen: list[tuple[int, bool, str]] = []

        async def work() -> None:
            token = current().token
            try:
                await asyncio.sleep(30 if not seen else 0.1)
            finally:
                seen.append((token, current().lost, current().cancelled))

        world.task(work, timeout_seconds=3_600)
        worker, member = await world.worker(slots=1)
        worker.claims.runs_per_second = 1_000.0
        first, second = await world.submit("work", 2)
        await asyncio.sleep(0.5)
        old = member.identity
        assert len(worker.slots.queued) == 1
        await world.store.close_session(old, seen_beat=None, reason="thought dead")
        await world.store.free(old, 10)
        before = len(world.store.settled)
        await asyncio.sleep(1)
        assert seen[0][1:] == (True, "lost")
        assert not [ack for batch in world.store.settled[before:] for ack in batch if ack.token == seen[0][0]]
        assert member.identity != old
        await asyncio.sleep(5)
        for run_id in (first, second):
            ended = await world.ended(run_id)
            assert (ended.state, ended.session) == (State.SUCCESS, member.identity)
            assert ended.token > seen[0][0], "P6"
        assert worker.stale == 0 and not worker._holds

    run(story)


def test_a_time_out_that_was_under_way_says_nothing_either_once_the_lease_is_lost() -> None:
    async def story(world: World) -> None:
        async def slow_to_stop() -> None:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                await asyncio.sleep(3)

        world.task(slow_to_stop, timeout_seconds=1.0)
        worker, member = await world.worker(slots=1)
        (run_id,) = await world.submit("slow_to_stop")
        await asyncio.sleep(1.5)
        await world.store.close_session(member.identity, seen_beat=None, reason="thought dead")
        await asyncio.sleep(4)
        assert worker.stale == 0
        assert (await world.live(run_id)).state is State.RUNNING, "until somebody frees the dead session's leases"

    run(story)


def test_a_worker_that_slept_past_its_lease_begins_nothing_until_a_beat_says_it_may() -> None:
    """P4. What it had queued may be another's by now."""

    async def story(world: World) -> None:
        begun: list[float] = []

        async def work() -> None:
            begun.append(world.loop.time())
            if len(begun) == 1:
                world.loop.pass_(60.0)  # the process is stopped in the middle of a handler

        world.task(work)
        worker, _ = await world.worker(slots=1)
        worker.claims.runs_per_second = 1_000.0
        ids = await world.submit("work", 3)
        await asyncio.sleep(0.05)
        assert len(begun) == 1
        await asyncio.sleep(3)
        given_back = [ack.run_id for batch in world.store.settled for ack in batch if ack.state is State.SCHEDULED]
        assert given_back == ids[1:] and len(begun) == 3, "nobody had missed it: what it gave back it runs itself"
        assert worker.stale == 0

    run(story)


def test_a_late_report_is_refused_and_counted() -> None:
    """P3. The lease was taken while the report was on its way."""

    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(0.3)

        world.task(work)
        answers: list[Answer] = []
        worker, member = await world.worker(slots=1, settled=lambda acks, told: answers.extend(told))
        (run_id,) = await world.submit("work")
        await asyncio.sleep(0.2)
        await world.store.close_session(member.identity, seen_beat=None, reason="thought dead")
        await asyncio.sleep(0.2)
        assert (worker.stale, answers) == (1, [Answer.REFUSED])
        assert (await world.live(run_id)).state is State.RUNNING

    run(story)


def test_what_a_dead_worker_held_is_taken_over_by_another() -> None:
    async def story(world: World) -> None:
        tokens: list[int] = []

        async def work() -> None:
            tokens.append(current().token)
            await asyncio.sleep(3_600 if len(tokens) == 1 else 1)

        world.task(work)
        (run_id,) = await world.submit("work")
        worker, member = await world.worker(slots=1)
        await asyncio.sleep(0.5)
        worker.claims.paused = True
        node = await _node(world)
        assert member._role is not None
        await member._role.stop()  # it beats no more
        await world.worker(slots=1)
        await asyncio.sleep(30)
        assert node.rescuer.rescued == 1
        ended = await world.ended(run_id)
        assert ended.session != member.identity and ended.token == tokens[1] > tokens[0]

    run(story)


async def _node(world: World) -> Node:
    member = Member(world.store, world.runtime, kind="node", name="n")
    await member.join()
    node = Node(world.store, world.runtime, member)
    await node.start()
    return node


# ---------------------------------------------------------------- chains


def test_the_end_of_a_fixed_delay_run_plans_the_next_moment_in_the_same_step() -> None:
    async def story(world: World) -> None:
        async def poll() -> None: ...

        world.task(poll)
        packed = msgspec.json.encode(Options(repeat_seconds=10.0))
        trigger = encode(every("10s", delay=True))
        schedule = Schedule(name="g/poll", task="poll", trigger=trigger, args=b"{}", options=packed, after_end=True)
        await world.store.put_schedule(schedule, expect=None, plan_at=0)
        await _node(world)
        await world.worker(slots=1)
        await asyncio.sleep(95)
        rows = await world.store.timetable("g/poll", 0, 1 << 62)
        gaps = [later.due_at - earlier.due_at for earlier, later in pairwise(rows)]
        assert len(rows) in (10, 11) and all(10_000_000 <= gap < 10_010_000 for gap in gaps)
        assert (await world.store.counts()).ended == {"SUCCESS": len(rows) - 1}

    run(story)


def test_an_attempt_keeps_what_its_worker_knew_when_it_asked() -> None:
    """Since when it had room, how many slots it has, how long the store took: for why it was late (R0.9)."""

    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(5)

        world.task(work)
        world.store.slow_seconds = 0.5
        worker, member = await world.worker(slots=1)
        first, second = await world.submit("work", 2)
        await asyncio.sleep(30)
        (one,), (two,) = [await world.store.attempts(run_id) for run_id in (first, second)]
        assert (one.slots, one.room_at) == (1, 0) and one.asked_micros == pytest.approx(500_000, abs=2_000)
        assert two.eligible_at < two.room_at <= two.claimed_at
        await worker.stop(1.0)
        await member.leave()

    run(story)
