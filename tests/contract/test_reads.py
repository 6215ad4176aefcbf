"""The read side changes nothing and hides nothing."""

from __future__ import annotations

import pytest

from shike.ids import virtual_bucket
from shike.model import Ended, Live, State
from shike.store.base import RunFilter
from shike.store.guards import Entry
from shike.store.verbs import Move
from tests.contract.world import World

AHEAD = 1 << 60


async def test_now_is_the_stores_clock(world: World) -> None:
    assert await world.store.now() == world.now
    world.clock.advance(1)
    assert await world.store.now() == world.now


async def test_a_store_says_what_it_is(world: World) -> None:
    assert world.store.namespace == "shike"
    assert world.store.virtual_buckets == 1
    assert "://" in world.store.url
    assert isinstance(world.store.any_thread, bool)
    assert not world.store.is_gone("worker") or await world.store.sessions() == []


async def test_closing_twice_does_no_harm(world: World) -> None:
    await world.store.close()
    await world.store.close()


async def test_what_is_not_there_is_none(world: World) -> None:
    run_id = 5 << 8
    assert await world.store.live(run_id) is None
    assert await world.store.ended(run_id) is None
    assert await world.store.find(run_id) is None
    assert await world.store.attempts(run_id) == []
    assert await world.store.held("nobody") == 0
    assert await world.store.holders("nothing") == []
    assert await world.store.gate_waiters("nothing", 10) == []


async def test_a_run_is_found_wherever_it_is(world: World) -> None:
    await world.session()
    claimed = await world.started()
    found = await world.store.find(claimed.run.id)
    assert isinstance(found, Live)
    assert found == await world.store.live(claimed.run.id)
    await world.settle(claimed, State.SUCCESS)
    found = await world.store.find(claimed.run.id)
    assert isinstance(found, Ended)
    assert found == await world.store.ended(claimed.run.id)


async def test_what_was_read_is_a_copy(world: World) -> None:
    run_id = await world.add()
    (await world.live(run_id)).state = State.DEAD
    assert (await world.live(run_id)).state is State.SCHEDULED


# ---------------------------------------------------------------- lists of runs


async def test_runs_are_listed_newest_first_page_by_page(world: World) -> None:
    await world.session()
    run_ids = [await world.add() for _ in range(5)]
    await world.settle(await world.take(), State.SUCCESS)
    await world.settle(await world.take(), State.DEAD)
    newest_first = run_ids[::-1]
    page = await world.store.runs(RunFilter(limit=3))
    assert [row.run.id for row in page] == newest_first[:3]
    page = await world.store.runs(RunFilter(limit=3, before=page[-1].run.id))
    assert [row.run.id for row in page] == newest_first[3:]
    assert [row.state for row in page] == [State.DEAD, State.SUCCESS]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"task": "video"}, [1]),
        ({"queue": "gpu"}, [2]),
        ({"schedule": "a/b"}, [3]),
        ({"key": "k"}, [4]),
        ({"task": "video", "queue": "gpu"}, []),
        ({"states": (State.SCHEDULED,)}, [4, 3, 2, 1]),
        ({"states": (State.RUNNING,)}, [0]),
        ({"states": (State.RUNNING, State.SCHEDULED), "limit": 2}, [4, 3]),
        ({"states": (State.SUCCESS,)}, []),
        ({"states": (State.PENDING,)}, [3, 2, 1]),
        ({}, [4, 3, 2, 1, 0]),
    ],
)
async def test_a_list_shows_what_was_asked_for(world: World, wanted: dict[str, object], expected: list[int]) -> None:
    await world.session()
    run_ids = [(await world.started()).run.id]
    for fields in ({"task": "video"}, {"queue": "gpu"}, {"schedule": "a/b"}, {"key": "k", "due_at": world.after(9)}):
        run_ids.append(await world.add(**fields))
    rows = await world.store.runs(RunFilter(**wanted))  # type: ignore[arg-type]
    assert [run_ids.index(row.run.id) for row in rows] == expected


async def test_ended_runs_are_listed_by_state(world: World) -> None:
    await world.session()
    done = [await world.started() for _ in range(3)]
    for claimed, state in zip(done, (State.SUCCESS, State.DEAD, State.CANCELLED), strict=True):
        await world.settle(claimed, state)
        (row,) = await world.store.runs(RunFilter(states=(state,)))
        assert (row.run.id, row.state) == (claimed.run.id, state)


async def test_dead_letters_are_listed_newest_first(world: World) -> None:
    await world.session()
    run_ids = []
    for task in ("mail", "video", "mail"):
        await world.add(task=task)
        claimed = await world.take(tasks=("mail", "video"))
        await world.settle(claimed, State.DEAD)
        run_ids.append(claimed.run.id)
    assert [letter.run.id for letter in await world.store.dead(2)] == run_ids[:0:-1]
    assert [letter.run.id for letter in await world.store.dead(9, before=run_ids[1])] == run_ids[:1]
    assert [letter.run.id for letter in await world.store.dead(9, task="video")] == [run_ids[1]]


# ---------------------------------------------------------------- what is ahead


async def test_due_shows_each_instant_of_each_queue_once(world: World) -> None:
    await world.submit(
        *[world.run(queue="b", due_at=world.after(seconds)) for seconds in (2, 2, 1)],
        world.run(queue="a", band=0, due_at=world.after(2)),
        world.run(gate="api", due_at=world.after(2)),
    )
    due = await world.store.due(0, 0, world.now, AHEAD, 10)
    assert due == [(world.after(1), "b"), (world.after(2), "a"), (world.after(2), "b")]


async def test_due_shows_the_half_open_window(world: World) -> None:
    for seconds in (1, 2, 3):
        await world.add(due_at=world.after(seconds))
    due = await world.store.due(0, 0, world.after(1), world.after(2), 10)
    assert due == [(world.after(2), "default")]
    assert len(await world.store.due(0, 0, -1, AHEAD, 10)) == 3
    assert await world.store.due(0, 0, -1, AHEAD, 1) == [(world.after(1), "default")]


async def test_due_shows_what_is_behind_now_too(world: World) -> None:
    await world.add(due_at=world.after(-3600))
    assert await world.store.due(0, 0, -1, world.now, 10) == [(world.after(-3600), "default")]


async def test_of_a_backlog_due_and_gated_show_only_what_stands_first(world: World) -> None:
    await world.submit(
        *[world.run(queue=queue, band=band, due_at=world.after(-3600 + step))
          for queue in "ab" for band in (1, 3) for step in range(50)],
        *[world.run(gate=gate, due_at=world.after(-60 + step)) for gate in ("x", "y") for step in range(50)],
        world.run(queue="a", due_at=world.after(5)),
        world.run(gate="x", due_at=world.after(5)),
    )  # fmt: skip
    first, ahead = world.after(-3600), world.after(5)
    assert await world.store.due(0, 0, -1, AHEAD, 10) == [(first, "a"), (first, "b"), (ahead, "a")]
    gated = await world.store.gated(0, 0, -1, AHEAD, 10)
    assert [(one.gate, one.run_at) for one in gated] == [
        ("x", world.after(-60)), ("y", world.after(-60)), ("x", ahead),
    ]  # fmt: skip
    after = world.after(-30)
    gated = await world.store.gated(0, 0, after, world.now, 10)
    assert [one.run_at for one in gated] == [world.after(-29)] * 2
    after = world.after(-3581)
    assert await world.store.due(0, 0, after, world.now, 10) == [(world.after(-3580), queue) for queue in "ab"]


async def test_due_shows_suspects_and_nothing_that_runs(world: World) -> None:
    await world.session()
    claimed = await world.started()
    assert await world.store.due(0, 0, -1, AHEAD, 10) == []
    await world.crash()
    assert await world.store.due(0, 0, -1, AHEAD, 10) == [(claimed.run_at, "default")]


async def test_due_and_gated_show_the_virtual_buckets_asked_for(world: World) -> None:
    await world.reopen("wide", virtual_buckets=64)
    for bucket in (3, 40, 63):
        await world.add(bucket=bucket, due_at=world.after(bucket))
        await world.add(bucket=bucket, gate="api", due_at=world.after(bucket))

    async def shown(low: int, high: int) -> tuple[list[int], list[int]]:
        due = await world.store.due(low, high, -1, AHEAD, 10)
        gated = await world.store.gated(low, high, -1, AHEAD, 10)
        return [at for at, _ in due], [waiting.run_at for waiting in gated]

    instants = [world.after(seconds) for seconds in (3, 40, 63)]
    assert await shown(0, 63) == (instants, instants)
    assert await shown(3, 40) == (instants[:2], instants[:2])
    assert await shown(41, 62) == ([], [])


async def test_gated_shows_who_waits_by_run_at(world: World) -> None:
    late, early = world.run(gate="a", due_at=world.after(9)), world.run(gate="b", due_at=world.after(2))
    past = world.run(gate="a", due_at=world.after(-1))
    await world.submit(late, early, past)
    gated = await world.store.gated(0, 0, -1, AHEAD, 10)
    assert [(one.run_id, one.gate, one.version) for one in gated] == [
        (past.id, "a", 1),
        (early.id, "b", 1),
        (late.id, "a", 1),
    ]
    assert [one.run_id for one in await world.store.gated(0, 0, world.now, world.after(8), 10)] == [early.id]
    assert [one.run_id for one in await world.store.gated(0, 0, -1, AHEAD, 2)] == [past.id, early.id]
    waiters = await world.store.gate_waiters("a", 10)
    assert [(one.run_id, one.run_at) for one in waiters] == [(past.id, world.after(-1)), (late.id, world.after(9))]


async def test_the_first_who_wait_are_read_and_no_more(world: World) -> None:
    waiting = [world.run(gate="a", due_at=world.after(seconds)) for seconds in (5, 1, 3, 3)]
    await world.submit(*waiting)
    _, first, second, third = waiting
    for count, expected in ((0, []), (1, [first]), (3, [first, second, third])):
        assert [one.run_id for one in await world.store.gate_waiters("a", count)] == [run.id for run in expected]


async def test_ends_but_successes_are_read_in_the_order_in_which_they_came(world: World) -> None:
    """Whoever brought them about; page by page, from an instant on, also those of one instant."""
    await world.session()
    begun = world.now
    assert await world.store.unsuccessful(0, 0, 10) == []
    taken = [await world.started() for _ in range(4)]
    last_first = [await world.add(due_at=world.after(600)) for _ in range(3)][::-1]
    for run_id in last_first:
        world.clock.advance(1)
        await world.move(run_id, State.CANCELLED, reason="not wanted")
    together = [await world.add() for _ in range(3)]
    world.clock.advance(1)
    await world.store.move([Move(run_id=one, version=0, to=State.SKIPPED) for one in together])
    for claimed, state in zip(taken, (State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED), strict=True):
        world.clock.advance(1)
        await world.settle(claimed, state, reason=state.name)
    expected = [*last_first, *together, *[claimed.run.id for claimed in taken[1:]]]
    for size in (1, 2, 4, 100):
        found, at, behind = list[int](), begun, 0
        while page := await world.store.unsuccessful(at, behind, size):
            assert len(page) <= size
            at, behind = page[-1].ended_at, page[-1].run.id
            found += [ended.run.id for ended in page]
        assert found == expected
    (first, *_) = await world.store.unsuccessful(world.after(-3), 0, 100)
    assert first == await world.ended(taken[1].run.id) and first.reason == "DEAD"
    assert await world.store.unsuccessful(world.after(1), 0, 100) == []


async def test_ends_that_retention_dropped_are_read_no_more(world: World) -> None:
    first, second = await world.add(), await world.add()
    await world.move(first, State.CANCELLED)
    world.clock.advance(3600)
    await world.move(second, State.CANCELLED)
    await world.purge(success_seconds=60)
    assert [ended.run.id for ended in await world.store.unsuccessful(0, 0, 10)] == [second]


async def test_ends_of_several_days_and_virtual_buckets_are_one_list(world: World) -> None:
    await world.reopen("wide", virtual_buckets=64)
    expected = []
    for bucket in (7, 63, 0, 7):
        expected.append(await world.add(bucket=bucket))
        await world.move(expected[-1], State.DEAD if bucket == 63 else State.CANCELLED)
        world.clock.advance(40_000)
        await world.purge()
    found = await world.store.unsuccessful(0, 0, 3)
    assert [ended.run.id for ended in found] == expected[:3]
    found = await world.store.unsuccessful(found[-1].ended_at, found[-1].run.id, 3)
    assert [ended.run.id for ended in found] == expected[3:]


# ---------------------------------------------------------------- schedules


async def test_schedules_are_listed_by_name(world: World) -> None:
    for name in ("b/2", "a/1", "b/1"):
        await world.schedule(name)
    assert [planned.schedule.name for planned in await world.store.schedules()] == ["a/1", "b/1", "b/2"]


async def test_what_is_to_be_planned_comes_earliest_first(world: World) -> None:
    for name in ("c/0", "a/1", "b/2", "d/3"):
        await world.schedule(name)
        world.clock.advance(1)
    await world.store.control_schedule("a/1", paused=True)
    await world.store.control_schedule("c/0", delete=True)
    found = await world.store.to_plan(0, 0, world.now, 10)
    assert [planned.schedule.name for planned in found] == ["b/2", "d/3", "a/1"]
    found = await world.store.to_plan(0, 0, world.after(-1), 10)
    assert [planned.schedule.name for planned in found] == ["b/2", "d/3"]
    assert len(await world.store.to_plan(0, 0, AHEAD, 2)) == 2


async def test_schedules_live_in_virtual_buckets(world: World) -> None:
    await world.reopen("wide", virtual_buckets=64)
    names = [f"group/{number}" for number in range(20)]
    for name in names:
        await world.schedule(name)
    found = await world.store.to_plan(0, 31, AHEAD, 100)
    assert {planned.schedule.name for planned in found} == {name for name in names if virtual_bucket(name, 64) < 32}
    assert 0 < len(found) < 20


# ---------------------------------------------------------------- counts


async def test_an_empty_store_counts_nothing(world: World) -> None:
    counts = await world.store.counts()
    assert (counts.waiting, counts.scheduled, counts.eligible, counts.running, counts.failed) == (0, 0, 0, 0, 0)
    assert (counts.ended, counts.dead, counts.by_queue) == ({}, 0, {})


async def test_every_run_is_counted_in_one_place(world: World) -> None:
    await world.session()
    runs = [await world.started(queue="gpu") for _ in range(5)]
    for claimed, state in zip(runs, (State.SUCCESS, State.SUCCESS, State.DEAD), strict=False):
        await world.settle(claimed, state)
    await world.settle(runs[3], State.FAILED, delay_seconds=60.0)
    await world.submit(
        world.run(gate="api"), world.run(due_at=world.after(9)), Entry(world.run(), delay_seconds=9), world.run()
    )
    counts = await world.store.counts()
    assert (counts.waiting, counts.scheduled, counts.eligible, counts.running, counts.failed) == (1, 2, 1, 1, 1)
    assert (counts.ended, counts.dead) == ({"SUCCESS": 2, "DEAD": 1}, 1)
    assert counts.by_queue == {"default": 4, "gpu": 2}
    world.clock.advance(60)
    counts = await world.store.counts()
    assert (counts.scheduled, counts.eligible, counts.failed) == (0, 4, 0)


async def test_many_outcomes_are_one_look(world: World) -> None:
    await world.session()
    first, second, third = [await world.started() for _ in range(3)]
    waiting = await world.add()
    await world.settle(first, State.SUCCESS, result=b"1")
    await world.settle(second, State.DEAD)
    asked = [waiting, second.run.id, first.run.id, 77 << 8, third.run.id]
    found = await world.store.outcomes(asked)
    assert found == {one: await world.store.ended(one) for one in (first.run.id, second.run.id)}
    assert found[first.run.id].result == b"1"
    assert await world.store.outcomes([]) == {}


async def test_control_rows_are_told_by_how_their_keys_begin_whatever_signs_they_hold(world: World) -> None:
    keys = ["a", "a*b", "a/1", "a/10", "a[1]", "a\\b", "a%", "aXb", "a_b", "b"]
    for key in keys:
        await world.store.put(key, key.encode(), expect=0)

    async def told(prefix: str) -> list[str]:
        return [row.key for row in await world.store.controls(prefix) if row.key in keys]

    for prefix in ("", *keys, "a/", "a?", "ab", "a\\"):
        assert await told(prefix) == sorted(key for key in keys if key.startswith(prefix)), prefix
    (row,) = [row for row in await world.store.controls("a*") if row.key == "a*b"]
    assert (row.value, row.version) == (b"a*b", 1)
