"""Control rows, and what retention lets go of (P7; R0.6)."""

from __future__ import annotations

from typing import Any

import pytest

from shike.errors import Conflict
from shike.model import State
from shike.store.base import TIMETABLE_FROM, Control
from shike.store.guards import Absent, Entry
from shike.store.hints import HintKind
from tests.contract.world import World

DAY = 86_400.0
NAME = "daily/report"


async def test_a_row_is_written_read_and_deleted(world: World) -> None:
    row = await world.store.put("limit/api", b"5", expect=0)
    assert row == Control(key="limit/api", value=b"5", version=1)
    assert await world.store.controls("limit/") == [row]
    assert await world.store.put("limit/api", None, expect=1) is None
    assert await world.store.controls("") == []


async def test_versions_grow_with_each_write(world: World) -> None:
    for version in (1, 2, 3):
        row = await world.store.put("k", b"%d" % version, expect=None)
        assert row is not None
        assert row.version == version


@pytest.mark.parametrize("expect", [0, 2, 7])
async def test_a_version_nobody_saw_is_refused(world: World, expect: int) -> None:
    await world.store.put("k", b"1", expect=None)
    with pytest.raises(Conflict):
        await world.store.put("k", b"2", expect=expect)
    with pytest.raises(Conflict):
        await world.store.put("k", None, expect=expect)
    (row,) = await world.store.controls("k")
    assert row.value == b"1"


async def test_a_row_that_is_expected_must_exist(world: World) -> None:
    with pytest.raises(Conflict):
        await world.store.put("k", b"1", expect=1)


async def test_a_repeat_is_recognised(world: World) -> None:
    first = await world.store.put("k", b"1", expect=0)
    assert await world.store.put("k", b"1", expect=0) == first
    await world.store.put("k", None, expect=1)
    assert await world.store.put("k", None, expect=1) is None
    assert await world.store.put("k", None, expect=None) is None


async def test_rows_are_listed_by_prefix_and_key(world: World) -> None:
    for key in ("b/2", "a/1", "b/1", "b%x"):
        await world.store.put(key, b"", expect=None)
    assert [row.key for row in await world.store.controls("b/")] == ["b/1", "b/2"]
    assert [row.key for row in await world.store.controls("b%")] == ["b%x"]
    assert len(await world.store.controls("")) == 4


async def test_listeners_hear_of_a_paused_queue(world: World) -> None:
    world.listen()
    await world.store.put("queue/gpu", b"paused", expect=None)
    assert (await world.hint(HintKind.QUEUE)).queue == "gpu"
    await world.store.put("queue/gpu", None, expect=None)
    assert (await world.hint(HintKind.QUEUE)).queue == "gpu"


# ---------------------------------------------------------------- retention


async def ended_run(world: World, state: State, **fields: Any) -> int:
    claimed = await world.started(**fields)
    await world.settle(claimed, state)
    return claimed.run.id


async def test_nothing_young_is_dropped(world: World) -> None:
    await world.session()
    run_ids = [await ended_run(world, state) for state in (State.SUCCESS, State.DEAD, State.SKIPPED)]
    world.clock.advance(5)
    assert await world.purge(success_seconds=DAY, dead_seconds=DAY, receipt_seconds=DAY, session_seconds=DAY) == 0
    for run_id in run_ids:
        assert await world.store.ended(run_id) is not None


async def test_old_history_is_dropped_with_its_attempts(world: World) -> None:
    await world.session(lease_seconds=1e9)
    claimed = await world.started()
    await world.settle(claimed, State.FAILED)
    await world.settle(await world.take(), State.SUCCESS)
    world.clock.advance(3 * DAY)
    young = await ended_run(world, State.SUCCESS)
    assert await world.purge(success_seconds=DAY) > 0
    assert await world.store.find(claimed.run.id) is None
    assert await world.store.attempts(claimed.run.id) == []
    assert await world.store.ended(young) is not None


async def test_dead_letters_are_kept_on_their_own_terms(world: World) -> None:
    await world.session()
    run_id = await ended_run(world, State.DEAD)
    world.clock.advance(3 * DAY)
    await world.purge(success_seconds=DAY)
    assert len(await world.store.dead(10)) == 1
    await world.purge(dead_seconds=DAY)
    assert await world.store.dead(10) == []
    assert await world.store.find(run_id) is None


async def test_a_step_drops_no_more_than_it_may(world: World) -> None:
    await world.session(lease_seconds=1e9)
    for _ in range(5):
        await ended_run(world, State.DEAD)
    world.clock.advance(3 * DAY)
    left = []
    while await world.purge(dead_seconds=DAY, rows_max=2):
        left.append(len(await world.store.dead(10)))
    assert left[0] == 3
    assert left[-1] == 0


async def test_the_timetable_remembers_how_a_dropped_run_ended(world: World) -> None:
    await world.session()
    schedule = await world.schedule()
    await world.planned_run(schedule, 0)
    await world.settle(await world.take(), State.SUCCESS)
    world.clock.advance(3 * DAY)
    await world.purge(success_seconds=DAY)
    (row,) = await world.store.timetable(NAME, 0, 1 << 60)
    assert State(row.state) is State.SUCCESS


async def test_the_timetable_is_dropped_last(world: World) -> None:
    schedule = await world.schedule()
    await world.plan(schedule, to=world.now)
    old = world.moment(schedule, 1)
    await world.plan(schedule, old)
    await world.move(old.entry.run.id, State.CANCELLED)
    world.clock.advance(9 * DAY)
    young = world.moment(schedule, 1, ordinal=2)
    await world.plan(schedule, young)
    await world.purge(dead_seconds=5 * DAY, success_seconds=DAY)
    rows = await world.store.timetable(NAME, 0, 1 << 60)
    assert [row.moment for row in rows] == [young.moment]
    (since,) = await world.store.controls(TIMETABLE_FROM)
    assert old.moment < int(since.value) == world.after(-5 * DAY)


async def test_a_timetable_of_which_nothing_was_dropped_is_whole(world: World) -> None:
    await world.planned_run(await world.schedule(), 1)
    await world.purge(dead_seconds=5 * DAY)
    assert await world.store.controls(TIMETABLE_FROM) == []


async def test_from_when_the_timetable_is_whole_is_never_set_back(world: World) -> None:
    schedule = await world.schedule()
    for keep in (1, 5):
        await world.planned_run(schedule, -9 * DAY)
        assert await world.purge(dead_seconds=keep * DAY)
        (since,) = await world.store.controls(TIMETABLE_FROM)
        assert int(since.value) == world.after(-1 * DAY)


async def test_a_live_run_is_never_dropped(world: World) -> None:
    run_id = await world.add()
    world.clock.advance(999 * DAY)
    await world.purge(success_seconds=DAY, dead_seconds=DAY)
    assert (await world.live(run_id)).state is State.SCHEDULED


async def test_forgotten_keys_are_dropped_and_live_ones_stand(world: World) -> None:
    await world.submit(
        Entry(world.run(), guards=(Absent("old", 5.0),)), Entry(world.run(), guards=(Absent("new", 60.0),))
    )
    world.clock.advance(6)
    assert await world.purge() == 1
    (answer,) = await world.submit(Entry(world.run(), guards=(Absent("new", 5.0),)))
    assert not answer.fresh


async def test_a_key_that_was_taken_anew_is_not_dropped_for_its_first_time(world: World) -> None:
    for seconds in (5.0, 60.0):
        (answer,) = await world.submit(Entry(world.run(), guards=(Absent("k", seconds),)))
        assert answer.fresh
        world.clock.advance(6)
    await world.purge()
    (answer,) = await world.submit(Entry(world.run(), guards=(Absent("k", 5.0),)))
    assert not answer.fresh


async def test_closed_sessions_are_forgotten_and_open_ones_are_not(world: World) -> None:
    await world.session("old")
    await world.session("open")
    await world.store.close_session("old", seen_beat=None, reason="stopped")
    world.clock.advance(DAY / 2)
    await world.purge(session_seconds=DAY)
    assert len(await world.store.sessions(all=True)) == 2
    world.clock.advance(DAY)
    await world.purge(session_seconds=DAY)
    assert [session.id for session in await world.store.sessions(all=True)] == ["open"]


async def test_who_only_submits_is_forgotten_by_age(world: World) -> None:
    for identity in ("script", "another"):
        await world.session(identity, lease_seconds=0)
        world.clock.advance(DAY)
    await world.session("worker")
    assert await world.purge(session_seconds=1.5 * DAY) == 1
    assert [session.id for session in await world.store.sessions(all=True)] == ["another", "worker"]


async def test_a_closed_session_that_still_holds_something_is_not_forgotten(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.bury()
    world.clock.advance(3 * DAY)
    await world.purge(session_seconds=DAY, receipt_seconds=DAY)
    assert (await world.store.free("worker", 10)).requeued == (claimed.run.id,)


async def test_a_number_is_not_given_twice_after_a_session_is_forgotten(world: World) -> None:
    first = await world.session("old")
    await world.store.close_session("old", seen_beat=None, reason="stopped")
    world.clock.advance(3 * DAY)
    await world.purge(session_seconds=DAY)
    assert (await world.session("new")).number > first.number


async def test_a_token_is_not_given_twice_after_its_receipt_is_forgotten(world: World) -> None:
    await world.session(lease_seconds=1e9)
    claimed = await world.started()
    await world.settle(claimed, State.SUCCESS)
    world.clock.advance(3 * DAY)
    await world.purge(receipt_seconds=DAY)
    assert (await world.started()).token > claimed.token


async def test_a_claim_is_answered_empty_after_its_receipt_is_forgotten(world: World) -> None:
    await world.session(lease_seconds=1e9)
    claimed = await world.started()
    await world.settle(claimed, State.SUCCESS)
    world.clock.advance(3 * DAY)
    await world.purge(receipt_seconds=DAY)
    await world.add()
    assert (await world.claim(number=1)).runs == []


async def test_a_dead_letter_that_was_dealt_with_is_dropped(world: World) -> None:
    await world.session()
    schedule = await world.schedule()
    run_id = await world.planned_run(schedule, 0)
    await world.settle(await world.take(), State.DEAD)
    kept = await ended_run(world, State.DEAD)
    other = await ended_run(world, State.SUCCESS)
    assert await world.store.drop_dead([run_id, other, 99 << 8]) == 1
    assert await world.store.drop_dead([run_id]) == 0
    assert [letter.run.id for letter in await world.store.dead(10)] == [kept]
    assert await world.store.find(run_id) is None
    (row,) = await world.store.timetable(NAME, 0, 1 << 60)
    assert State(row.state) is State.DEAD
