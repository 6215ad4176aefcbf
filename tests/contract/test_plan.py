"""The timetable: each moment once, with its run, in one step with the cursor (P1, P7; R0.5, R3.7)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from shike.bounds import ARGS_BYTES_MAX
from shike.errors import BadInput, StaleEpoch, TooLarge
from shike.model import Fate, Schedule, State, TimetableRow
from shike.store.guards import Entry, PlanNext
from shike.store.hints import HintKind
from shike.store.verbs import PlannedMoment
from tests.contract.world import World

NAME = "daily/report"
FOR_EVER = 1 << 60


async def test_a_moment_becomes_a_row_and_a_run(world: World) -> None:
    schedule = await world.schedule()
    moment = world.moment(schedule, 60, ordinal=7, due_at=world.after(61))
    assert await world.plan(schedule, moment, plan_at=world.after(30))
    run = moment.entry.run
    (row,) = await world.store.timetable(NAME, 0, FOR_EVER)
    assert (row.schedule, row.version, row.moment, row.until, row.count) == (NAME, 1, moment.moment, moment.moment, 1)
    assert (row.fate, row.run_id, row.due_at, row.state) == (Fate.PLANNED, run.id, world.after(61), -1)
    live = await world.live(run.id)
    assert (live.state, live.run_at, live.run.created_at) == (State.SCHEDULED, world.after(61), world.now)
    assert (live.run.schedule, live.run.moment, live.run.ordinal) == (NAME, moment.moment, 7)
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.cursor, planned.ordinal, planned.plan_at) == (moment.moment, 7, world.after(30))


async def test_a_run_with_a_gate_waits(world: World) -> None:
    schedule = await world.schedule()
    world.listen()
    run_id = await world.planned_run(schedule, 3, gate="one")
    assert (await world.live(run_id)).state is State.WAITING
    hint = await world.hint(HintKind.GATED)
    assert (hint.name, hint.at) == ("one", world.after(3))


async def test_listeners_hear_of_planned_runs(world: World) -> None:
    schedule = await world.schedule()
    world.listen()
    await world.planned_run(schedule, 3, queue="gpu")
    hint = await world.hint(HintKind.DUE)
    assert (hint.queue, hint.at) == ("gpu", world.after(3))


async def test_a_repeated_step_finds_the_cursor_moved(world: World) -> None:
    schedule = await world.schedule()
    moment = world.moment(schedule, 60)
    assert await world.plan(schedule, moment, cursor=0)
    assert not await world.plan(schedule, moment, cursor=0)
    other = world.moment(schedule, 61)
    assert not await world.plan(schedule, other, cursor=0)
    assert await world.store.find(other.entry.run.id) is None


async def test_a_step_for_another_version_is_refused(world: World) -> None:
    first = await world.schedule()
    await world.schedule(args=b"new")
    moment = world.moment(first, 60)
    assert not await world.plan(first, moment)
    assert await world.store.timetable(NAME, 0, FOR_EVER) == []


async def test_a_step_for_a_schedule_that_is_gone_is_refused(world: World) -> None:
    schedule = await world.schedule()
    await world.store.control_schedule(NAME, delete=True)
    assert not await world.plan(schedule, world.moment(schedule, 60))


async def test_a_step_under_an_old_epoch_is_refused(world: World) -> None:
    schedule = await world.schedule()
    await world.session()
    bucket = (await world.store.buckets())[0]
    await world.own("worker")
    moment = world.moment(schedule, 60)
    with pytest.raises(StaleEpoch):
        await world.plan(schedule, moment, epoch=bucket.epoch)
    assert await world.store.find(moment.entry.run.id) is None
    assert await world.plan(schedule, moment, epoch=bucket.epoch + 1)


async def test_a_bucket_that_does_not_exist_is_refused(world: World) -> None:
    schedule = await world.schedule()
    with pytest.raises(BadInput):
        await world.plan(schedule, bucket=999)


async def test_a_moment_that_has_a_row_is_left_as_it_is(world: World) -> None:
    schedule = await world.schedule()
    first = world.moment(schedule, 60)
    await world.plan(schedule, first)
    again, new = world.moment(schedule, 60), world.moment(schedule, 120, ordinal=2)
    assert await world.plan(schedule, again, new)
    assert await world.store.find(again.entry.run.id) is None
    rows = await world.store.timetable(NAME, 0, FOR_EVER)
    assert [row.run_id for row in rows] == [first.entry.run.id, new.entry.run.id]


async def test_one_moment_of_two_schedules_is_two(world: World) -> None:
    first, second = await world.schedule("a/a"), await world.schedule("b/b")
    assert await world.plan(first, world.moment(first, 60))
    assert await world.plan(second, world.moment(second, 60))
    assert (await world.store.counts()).scheduled == 2


async def test_a_moment_whose_run_is_over_is_not_planned_again(world: World) -> None:
    await world.session()
    schedule = await world.schedule()
    await world.planned_run(schedule, 0)
    await world.settle(await world.take(), State.SUCCESS)
    assert await world.plan(schedule, world.moment(schedule, 0))
    assert await world.granted() == []


async def test_a_long_stretch_is_one_row(world: World) -> None:
    schedule = await world.schedule()
    start, end = world.after(-3600), world.after(-60)
    row = TimetableRow(NAME, 1, start, end, 60, Fate.MISSED)
    assert await world.plan(schedule, to=end, ordinal=60, ranges=(row,))
    assert await world.store.timetable(NAME, 0, FOR_EVER) == [row]
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.cursor, planned.ordinal) == (end, 60)


async def test_a_range_row_replaces_the_withdrawn_moment_that_it_begins_with(world: World) -> None:
    schedule = await world.schedule()
    await world.plan(schedule, world.moment(schedule, 60))
    await world.store.control_schedule(NAME, paused=True)
    row = TimetableRow(NAME, 1, world.after(60), world.after(110), 2, Fate.PAUSED)
    assert await world.plan(schedule, to=row.until, ranges=(row,))
    assert await world.store.timetable(NAME, 0, FOR_EVER) == [row]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_range_row_tells_of_what_follows_a_moment_that_has_a_run(world: World, count: int) -> None:
    schedule = await world.schedule()
    kept = world.moment(schedule, 60)
    await world.plan(schedule, kept)
    await world.move(kept.entry.run.id, State.CANCELLED)
    await world.store.control_schedule(NAME, paused=True)
    row = TimetableRow(NAME, 1, kept.moment, kept.moment + count - 1, count, Fate.PAUSED)
    assert await world.plan(schedule, to=row.until, ranges=(row,))
    first, *rest = await world.store.timetable(NAME, 0, FOR_EVER)
    assert (first.fate, first.run_id) == (Fate.PLANNED, kept.entry.run.id)
    assert rest == ([] if count == 1 else [replace(row, moment=kept.moment + 1, count=count - 1)])


async def test_the_cursor_may_move_without_a_moment(world: World) -> None:
    schedule = await world.schedule()
    assert await world.plan(schedule, to=world.now, plan_at=world.after(60))
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.cursor, planned.plan_at) == (world.now, world.after(60))


async def test_a_paused_schedule_is_planned_with_rows_that_say_so(world: World) -> None:
    schedule = await world.schedule()
    await world.store.control_schedule(NAME, paused=True)
    row = TimetableRow(NAME, 1, world.after(1), world.after(2), 2, Fate.PAUSED)
    assert await world.plan(schedule, to=row.until, ranges=(row,))
    assert await world.store.timetable(NAME, 0, FOR_EVER) == [row]


async def test_a_step_that_was_decided_before_a_pause_is_refused(world: World) -> None:
    schedule = await world.schedule()
    await world.store.control_schedule(NAME, paused=True)
    assert not await world.plan(schedule, world.moment(schedule, 60))
    assert await world.store.timetable(NAME, 0, FOR_EVER) == []


async def test_a_run_over_its_bound_refuses_the_whole_step(world: World) -> None:
    schedule = await world.schedule()
    good = world.moment(schedule, 60)
    bad = world.moment(schedule, 120, args=b"x" * (ARGS_BYTES_MAX + 1))
    with pytest.raises(TooLarge):
        await world.plan(schedule, good, bad)
    assert await world.store.timetable(NAME, 0, FOR_EVER) == []
    assert await world.store.find(good.entry.run.id) is None


async def test_the_timetable_shows_what_touches_the_interval(world: World) -> None:
    schedule = await world.schedule()
    stretch = TimetableRow(NAME, 1, world.after(0), world.after(50), 6, Fate.MISSED)
    moments = [world.moment(schedule, seconds, ordinal=seconds) for seconds in (60, 70, 80)]
    await world.plan(schedule, *moments, ranges=(stretch,))

    async def shown(start: float, end: float) -> list[int]:
        rows = await world.store.timetable(NAME, world.after(start), world.after(end))
        return [(row.moment - world.now) // 1_000_000 for row in rows]

    assert await shown(-9, 99) == [0, 60, 70, 80]
    assert await shown(60, 80) == [60, 70]
    assert await shown(50, 60) == [0]
    assert await shown(20, 30) == [0]
    assert await shown(51, 60) == []
    assert await world.store.timetable("other/one", 0, FOR_EVER) == []


# ---------------------------------------------------------------- fixed delay


def following(world: World, schedule: Schedule, seconds: float) -> PlanNext:
    run = world.run(schedule=schedule.name, ordinal=2, schedule_version=schedule.version, due_at=1, moment=1)
    return PlanNext(schedule.name, schedule.version, seconds, Entry(run))


async def start(world: World) -> tuple[Schedule, PlannedMoment]:
    """A fixed-delay schedule whose first run is due now."""
    await world.session()
    schedule = await world.schedule(after_end=True)
    moment = world.moment(schedule, 0)
    await world.plan(schedule, moment)
    return schedule, moment


async def test_the_next_moment_is_planned_with_the_end_of_the_run_before(world: World) -> None:
    schedule, _ = await start(world)
    claimed = await world.take()
    world.clock.advance(5)
    effect = following(world, schedule, 30)
    await world.settle(claimed, State.SUCCESS, effects=(effect,))
    at = world.after(30)
    live = await world.live(effect.entry.run.id)
    assert (live.run.moment, live.run.due_at, live.run_at, live.run.created_at) == (at, at, at, world.now)
    row = (await world.store.timetable(NAME, 0, FOR_EVER))[-1]
    assert (row.moment, row.fate, row.run_id, row.due_at) == (at, Fate.PLANNED, live.run.id, at)
    planned = await world.store.schedule(NAME)
    assert planned is not None
    assert (planned.cursor, planned.ordinal) == (at, 2)


async def test_the_end_of_an_old_version_plans_nothing(world: World) -> None:
    schedule, _ = await start(world)
    claimed = await world.take()
    await world.schedule(args=b"new", after_end=True)
    effect = following(world, schedule, 30)
    assert (await world.settle(claimed, State.SUCCESS, effects=(effect,))).name == "ACCEPTED"
    assert await world.store.find(effect.entry.run.id) is None


@pytest.mark.parametrize("change", [{"paused": True}, {"delete": True}])
async def test_the_end_of_a_run_of_a_paused_or_deleted_schedule_plans_nothing(
    world: World, change: dict[str, bool]
) -> None:
    schedule, _ = await start(world)
    claimed = await world.take()
    await world.store.control_schedule(NAME, **change)  # type: ignore[arg-type]
    effect = following(world, schedule, 30)
    await world.settle(claimed, State.SUCCESS, effects=(effect,))
    assert await world.store.find(effect.entry.run.id) is None


async def test_a_next_moment_that_has_a_row_is_not_planned_twice(world: World) -> None:
    schedule, _ = await start(world)
    claimed = await world.take()
    there = await world.planned_run(schedule, 30, ordinal=2)
    effect = following(world, schedule, 30)
    await world.settle(claimed, State.SUCCESS, effects=(effect,))
    assert await world.store.find(effect.entry.run.id) is None
    assert (await world.live(there)).state is State.SCHEDULED


async def test_the_next_moment_may_wait_at_a_gate(world: World) -> None:
    schedule, _ = await start(world)
    claimed = await world.take()
    effect = following(world, schedule, 30)
    effect = replace(effect, entry=Entry(replace(effect.entry.run, gate="one")))
    await world.settle(claimed, State.SUCCESS, effects=(effect,))
    assert [gated.run_id for gated in await world.store.gate_waiters("one", 10)] == [effect.entry.run.id]


async def test_a_report_of_an_older_run_starts_no_second_chain(world: World) -> None:
    schedule, _ = await start(world)
    claimed = await world.take()
    effect = following(world, schedule, 30)
    effect = replace(effect, entry=Entry(replace(effect.entry.run, ordinal=7)))
    assert (await world.settle(claimed, State.SUCCESS, effects=(effect,))).name == "ACCEPTED"
    assert await world.store.find(effect.entry.run.id) is None


async def test_the_next_run_expires_as_long_after_its_moment_as_the_one_before(world: World) -> None:
    schedule, _ = await start(world)
    claimed = await world.take()
    effect = following(world, schedule, 30)
    expiring = replace(effect.entry.run, due_at=world.now, expires_at=world.after(5))
    await world.settle(claimed, State.SUCCESS, effects=(replace(effect, entry=Entry(expiring)),))
    live = await world.live(effect.entry.run.id)
    assert live.run.expires_at == world.after(35)
