"""Schedules are made, edited, paused, resumed and deleted; what was planned ahead is withdrawn (P7; R0.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from shike.errors import Conflict, NotFound
from shike.model import Fate, Schedule, ScheduleVersion, State
from shike.store.guards import Below
from shike.store.hints import HintKind
from tests.contract.world import World

NAME = "daily/report"
PLANNED, WITHDRAWN = Fate.PLANNED, Fate.WITHDRAWN
FOR_EVER = 1 << 60


async def fates(world: World) -> list[Fate]:
    return [row.fate for row in await world.store.timetable(NAME, 0, FOR_EVER)]


async def test_a_schedule_is_made(world: World) -> None:
    schedule = Schedule(name=NAME, task="mail", trigger=b"t", args=b"a", queue="gpu", band=2, owner="ann")
    planned = await world.store.put_schedule(schedule, expect=0, plan_at=world.after(5))
    assert (planned.schedule.version, planned.schedule.created_at) == (1, world.now)
    assert (planned.schedule.args, planned.schedule.queue, planned.schedule.owner) == (b"a", "gpu", "ann")
    assert (planned.plan_at, planned.ordinal, planned.paused, planned.deleted) == (world.after(5), 0, False, False)
    assert await world.store.schedule(NAME) == planned
    assert await world.store.schedules() == [planned]


async def test_a_new_schedule_begins_where_its_line_begins(world: World) -> None:
    await world.schedule()
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert planned.cursor == 0


async def test_no_schedule_is_no_answer(world: World) -> None:
    assert await world.store.schedule("nobody/knows") is None
    assert await world.store.schedules() == []


async def test_the_same_definition_again_changes_nothing(world: World) -> None:
    first = await world.schedule()
    run_id = await world.planned_run(first, 60)
    before = await world.store.schedule(NAME)
    world.clock.advance(5)
    for expect in (None, 0, 1):
        assert await world.schedule(expect=expect) == first
    assert await world.store.schedule(NAME) == before
    assert (await world.live(run_id)).state is State.SCHEDULED


async def test_an_edit_is_a_new_version_that_goes_on_from_now(world: World) -> None:
    first = await world.schedule()
    await world.planned_run(first, 60, ordinal=4)
    world.clock.advance(5)
    second = await world.schedule(args=b"new")
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (second.version, second.created_at) == (2, first.created_at)
    assert (planned.cursor, planned.ordinal, planned.plan_at) == (world.now, 3, world.now)  # number 4 is free again


async def test_an_edit_does_not_jump_over_what_was_not_planned_yet(world: World) -> None:
    first = await world.schedule()
    await world.planned_run(first, 5, ordinal=4)
    cursor = world.after(5)
    world.clock.advance(60)
    await world.schedule(args=b"new")
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.cursor, planned.ordinal) == (cursor, 4)


async def test_an_edit_withdraws_what_is_ahead(world: World) -> None:
    await world.session()
    first = await world.schedule()
    past, future = world.moment(first, -5), world.moment(first, 60, ordinal=2)
    await world.plan(first, past, future)
    await world.schedule(args=b"new")
    assert await world.store.find(future.entry.run.id) is None
    rows = await world.store.timetable(NAME, 0, FOR_EVER)
    assert [(row.fate, row.run_id) for row in rows] == [
        (Fate.PLANNED, past.entry.run.id),
        (Fate.WITHDRAWN, future.entry.run.id),
    ]
    world.clock.advance(5)
    assert await world.granted() == [past.entry.run.id]


async def planned_ahead(world: World, count: int = 5) -> tuple[Schedule, list[int]]:
    """A schedule of so many moments, a minute apart and all ahead; the ids of their runs."""
    schedule = await world.schedule(count=count)
    moments = [world.moment(schedule, 60.0 * number, ordinal=number) for number in range(1, count + 1)]
    assert await world.plan(schedule, *moments)
    return schedule, [one.entry.run.id for one in moments]


async def promote(world: World, run_id: int) -> None:
    """It runs ahead of its moment."""
    await world.session()
    await world.move(run_id, State.SCHEDULED, run_at=world.now)
    await world.settle(await world.take(), State.SUCCESS)


async def cancel(world: World, run_id: int) -> None:
    await world.move(run_id, State.CANCELLED, reason="not this one")


async def edit(world: World) -> None:
    await world.schedule(count=5, args=b"new")


async def pause(world: World) -> None:
    await world.store.control_schedule(NAME, paused=True)


async def pause_and_edit(world: World) -> None:
    await pause(world)
    world.clock.advance(1)
    await edit(world)
    await pause(world)


@pytest.mark.parametrize("change", [edit, pause, pause_and_edit])
@pytest.mark.parametrize("before", [promote, cancel])
async def test_a_run_that_went_ahead_of_its_moment_gives_its_number_back_with_the_others(
    world: World, change: Callable[[World], Awaitable[None]], before: Callable[[World, int], Awaitable[None]]
) -> None:
    """Else a schedule with a count would lose a moment: planning meets that moment again, and passes over it."""
    _, run_ids = await planned_ahead(world)
    await before(world, run_ids[2])
    await change(world)
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.cursor <= world.now, planned.ordinal) == (True, 0)
    assert await fates(world) == [WITHDRAWN, WITHDRAWN, PLANNED, WITHDRAWN, WITHDRAWN]


async def test_what_was_done_before_its_moment_keeps_its_number_when_that_has_passed(world: World) -> None:
    _, run_ids = await planned_ahead(world)
    await promote(world, run_ids[1])
    world.clock.advance(150)
    await edit(world)
    planned = await world.store.schedule(NAME)
    assert planned is not None and planned.ordinal == 2


@pytest.mark.parametrize("change", [edit, pause])
async def test_a_moment_that_has_come_is_not_withdrawn_though_its_jitter_lies_ahead(
    world: World, change: Callable[[World], Awaitable[None]]
) -> None:
    """Planning goes on from now: nobody would plan it again."""
    schedule = await world.schedule(count=5, jitter_seconds=30.0)
    run_id = await world.planned_run(schedule, 5, ordinal=1, due_at=world.after(35))
    later = await world.planned_run(schedule, 65, ordinal=2, due_at=world.after(66))
    world.clock.advance(10)
    await change(world)
    planned = await world.store.schedule(NAME)
    assert planned is not None and planned.ordinal == 1
    assert await fates(world) == [PLANNED, WITHDRAWN]
    assert await world.store.live(later) is None
    world.clock.advance(25)
    await world.session()
    assert await world.granted() == [run_id]


async def test_a_waiting_run_is_withdrawn_and_a_permit_given_back(world: World) -> None:
    first = await world.schedule()
    moments = [world.moment(first, seconds, ordinal=seconds, gate="one") for seconds in (60, 61)]
    await world.plan(first, *moments)
    await world.move(moments[0].entry.run.id, State.SCHEDULED, guards=(Below("one", 1),))
    await world.schedule(args=b"new")
    assert await world.store.holders("one") == []
    assert await world.store.gate_waiters("one", 10) == []
    assert await fates(world) == [Fate.WITHDRAWN, Fate.WITHDRAWN]


async def test_a_running_run_is_not_withdrawn(world: World) -> None:
    await world.session()
    first = await world.schedule()
    moment = world.moment(first, 60)
    await world.plan(first, moment)
    await world.move(moment.entry.run.id, State.SCHEDULED, run_at=world.now)
    claimed = await world.take()
    await world.schedule(args=b"new")
    assert (await world.live(claimed.run.id)).state is State.RUNNING
    assert await fates(world) == [Fate.PLANNED]


async def test_other_schedules_are_left_alone(world: World) -> None:
    await world.schedule()
    other = await world.schedule("other/one")
    run_id = await world.planned_run(other, 60)
    await world.schedule(args=b"new")
    assert (await world.live(run_id)).state is State.SCHEDULED


async def test_a_moment_that_was_withdrawn_can_be_planned_again(world: World) -> None:
    first = await world.schedule()
    old = world.moment(first, 60)
    await world.plan(first, old)
    second = await world.schedule(args=b"new")
    new = world.moment(second, 60)
    assert await world.plan(second, new)
    assert (await world.live(new.entry.run.id)).run.moment == old.moment
    (row,) = await world.store.timetable(NAME, 0, FOR_EVER)
    assert (row.fate, row.run_id, row.version) == (Fate.PLANNED, new.entry.run.id, 2)


@pytest.mark.parametrize("expect", [0, 2])
async def test_an_edit_of_a_version_nobody_saw_is_refused(world: World, expect: int) -> None:
    first = await world.schedule()
    run_id = await world.planned_run(first, 60)
    with pytest.raises(Conflict):
        await world.schedule(expect=expect, args=b"new")
    assert (await world.live(run_id)).state is State.SCHEDULED


async def test_a_version_that_is_expected_must_exist(world: World) -> None:
    with pytest.raises(Conflict):
        await world.schedule(expect=1)


async def test_a_seen_version_is_edited(world: World) -> None:
    await world.schedule(expect=0)
    assert (await world.schedule(expect=1, args=b"new")).version == 2


async def test_listeners_hear_of_every_change(world: World) -> None:
    world.listen()
    await world.schedule()
    assert (await world.hint(HintKind.SCHEDULE)).name == NAME
    await world.store.control_schedule(NAME, paused=True)
    assert (await world.hint(HintKind.SCHEDULE)).name == NAME


# ---------------------------------------------------------------- versions


async def test_every_version_is_kept_with_the_moments_it_answers_for(world: World) -> None:
    first = await world.schedule(trigger=b"one")
    await world.planned_run(first, 5, ordinal=1)
    await world.planned_run(first, 60, ordinal=2)
    made_at = world.now
    world.clock.advance(20)
    second = await world.schedule(trigger=b"two")
    edited_at = world.now
    await world.planned_run(second, 30, ordinal=2)
    assert await world.store.versions(NAME) == [
        ScheduleVersion(schedule=first, edited_at=made_at, since=0, until=edited_at, ordinal=0, stands=False),
        ScheduleVersion(schedule=second, edited_at=edited_at, since=edited_at, until=world.after(30), ordinal=1),
    ]


async def test_of_what_was_never_planned_there_is_nothing_to_answer_for(world: World) -> None:
    await world.schedule()
    world.clock.advance(20)
    await world.schedule(args=b"new")
    assert [(one.since, one.until) for one in await world.store.versions(NAME)] == [(0, 0), (0, 0)]


async def test_another_edition_of_the_tz_database_is_no_edit(world: World) -> None:
    schedule = await world.schedule(tz_version="2025a")
    again = await world.store.put_schedule(replace(schedule, tz_version="2025b"), expect=None, plan_at=0)
    assert again.schedule.version == schedule.version


async def test_the_same_definition_again_is_no_further_version(world: World) -> None:
    await world.schedule()
    await world.schedule()
    with pytest.raises(Conflict):
        await world.schedule(expect=7, args=b"new")
    assert len(await world.store.versions(NAME)) == 1


async def test_a_pause_is_no_new_version(world: World) -> None:
    schedule = await world.schedule()
    await world.planned_run(schedule, 60)
    await world.store.control_schedule(NAME, paused=True)
    await world.store.control_schedule(NAME, paused=False)
    (version,) = await world.store.versions(NAME)
    assert (version.until, version.stands) == (world.now, True)


async def test_a_deletion_ends_the_last_version_where_it_happened(world: World) -> None:
    first = await world.schedule()
    await world.planned_run(first, 60)
    world.clock.advance(20)
    deleted_at = world.now
    for _ in range(2):
        await world.store.control_schedule(NAME, delete=True)
        world.clock.advance(20)
    again = await world.schedule()
    assert [(one.schedule, one.since, one.until, one.stands) for one in await world.store.versions(NAME)] == [
        (first, 0, deleted_at, False),
        (again, 0, 0, True),
    ]


async def test_each_schedule_has_versions_of_its_own(world: World) -> None:
    await world.schedule()
    await world.schedule("other/one", args=b"other")
    assert [one.schedule.args for one in await world.store.versions("other/one")] == [b"other"]
    assert await world.store.versions("nobody/knows") == []


async def test_versions_are_kept_as_long_as_the_rows_that_tell_of_them(world: World) -> None:
    for args in (b"1", b"2", b"3"):
        await world.schedule(args=args)
        world.clock.advance(100)
    await world.purge(dead_seconds=150)
    assert [one.schedule.args for one in await world.store.versions(NAME)] == [b"2", b"3"]
    world.clock.advance(1e6)
    await world.purge(dead_seconds=150)
    assert [one.schedule.args for one in await world.store.versions(NAME)] == [b"3"]


async def test_versions_are_dropped_no_faster_than_wanted(world: World) -> None:
    for args in (b"1", b"2", b"3"):
        await world.schedule(args=args)
    world.clock.advance(100)
    assert [await world.purge(dead_seconds=10, rows_max=1) for _ in range(3)] == [1, 1, 0]
    assert [one.schedule.version for one in await world.store.versions(NAME)] == [3]


# ---------------------------------------------------------------- pause, resume, delete


async def test_a_pause_withdraws_what_is_ahead_and_says_why(world: World) -> None:
    first = await world.schedule()
    run_id = await world.planned_run(first, 60)
    planned = await world.store.control_schedule(NAME, paused=True, reason="holiday", resume_at=world.after(99))
    assert (planned.paused, planned.reason, planned.resume_at) == (True, "holiday", world.after(99))
    assert planned.schedule == first
    assert await world.store.schedule(NAME) == planned
    assert await world.store.find(run_id) is None
    assert await fates(world) == [Fate.WITHDRAWN]


async def test_a_paused_schedule_is_planned_at_once_from_where_it_was_paused(world: World) -> None:
    first = await world.schedule()
    await world.plan(first, world.moment(first, 60), world.moment(first, 120, ordinal=2), plan_at=world.after(100))
    world.clock.advance(90)
    planned = await world.store.control_schedule(NAME, paused=True)
    assert (planned.cursor, planned.ordinal, planned.plan_at) == (world.now, 1, world.now)


async def test_a_resumed_schedule_says_when_its_pause_ended(world: World) -> None:
    first = await world.schedule()
    old = world.moment(first, 3600)
    await world.plan(first, old)
    await world.store.control_schedule(NAME, paused=True, reason="holiday")
    paused_at = world.now
    world.clock.advance(500)
    planned = await world.store.control_schedule(NAME, paused=False)
    assert (planned.paused, planned.reason, planned.resume_at) == (False, "", world.now)
    assert (planned.cursor, planned.plan_at, planned.ordinal) == (paused_at, world.now, 0)
    again = world.moment(first, 3100)
    assert again.moment == old.moment
    assert await world.plan(first, again)
    assert (await world.live(again.entry.run.id)).state is State.SCHEDULED


async def test_resuming_what_runs_changes_nothing(world: World) -> None:
    await world.schedule()
    before = await world.store.schedule(NAME)
    world.clock.advance(5)
    assert await world.store.control_schedule(NAME, paused=False) == before


async def test_an_edit_leaves_a_paused_schedule_paused(world: World) -> None:
    await world.schedule()
    await world.store.control_schedule(NAME, paused=True, reason="holiday")
    await world.schedule(args=b"new")
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.paused, planned.reason, planned.schedule.version) == (True, "holiday", 2)


async def test_a_deleted_schedule_is_withdrawn_and_remembered(world: World) -> None:
    first = await world.schedule()
    run_id = await world.planned_run(first, 60)
    assert (await world.store.control_schedule(NAME, delete=True)).deleted
    assert await world.store.find(run_id) is None
    assert await fates(world) == [Fate.WITHDRAWN]
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert planned.deleted


async def test_deleting_twice_does_no_harm(world: World) -> None:
    await world.schedule()
    for _ in range(2):
        assert (await world.store.control_schedule(NAME, delete=True)).deleted


async def test_a_deleted_schedule_can_be_made_anew_under_a_higher_version(world: World) -> None:
    await world.schedule(expect=0)
    await world.store.control_schedule(NAME, delete=True)
    assert (await world.schedule(expect=0)).version == 2
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.deleted, planned.ordinal, planned.cursor) == (False, 0, 0)


async def test_what_is_not_there_cannot_be_controlled(world: World) -> None:
    with pytest.raises(NotFound):
        await world.store.control_schedule("nobody/knows", paused=True)
    await world.schedule()
    await world.store.control_schedule(NAME, delete=True)
    with pytest.raises(NotFound):
        await world.store.control_schedule(NAME, paused=True)
