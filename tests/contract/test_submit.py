"""Runs come in: all or none, each once, by the store's clock (R0.4, R0.13)."""

from __future__ import annotations

import pytest

from shike.bounds import ARGS_BYTES_MAX, BANDS, SUBMIT_BATCH_MAX
from shike.clock import WALL_MAX
from shike.errors import BadInput, BadTime, Conflict, TooLarge
from shike.model import State
from shike.store.guards import Absent, Below, Entry, Insert, Replayed
from shike.store.hints import HintKind
from tests.contract.world import World


async def test_a_run_without_a_time_is_due_now(world: World) -> None:
    run = world.run()
    (answer,) = await world.submit(run)
    assert (answer.run_id, answer.fresh, answer.due_at, answer.refused) == (run.id, True, world.now, "")
    live = await world.live(run.id)
    assert (live.state, live.run_at, live.version, live.attempts) == (State.SCHEDULED, world.now, 1, 0)
    assert (live.run.due_at, live.run.created_at) == (world.now, world.now)


async def test_due_at_is_when_it_is_eligible_unless_run_at_says_otherwise(world: World) -> None:
    due, later = world.after(60), world.after(90)
    promised, moved = world.run(due_at=due), world.run(due_at=due)
    await world.submit(promised, Entry(moved, run_at=later))
    assert (await world.live(promised.id)).run_at == due
    live = await world.live(moved.id)
    assert (live.run.due_at, live.run_at) == (due, later)


async def test_a_delay_counts_from_the_stores_now(world: World) -> None:
    run = world.run(due_at=5, created_at=7)
    (answer,) = await world.submit(Entry(run, delay_seconds=1.5))
    live = await world.live(run.id)
    assert answer.due_at == live.run.due_at == live.run_at == world.after(1.5)
    assert live.run.created_at == 7  # given, so kept


async def test_what_was_submitted_is_what_is_stored(world: World) -> None:
    run = world.run(
        args=b'[["\xe6\x97\xb6"],{}]', queue="gpu", band=0, due_at=5, created_at=7, key="k", options=b"{}", owner="ann"
    )
    await world.submit(run)
    live = await world.live(run.id)
    assert live.run == run
    assert (live.band, live.token, live.suspect, live.cancel, live.progress) == (0, 0, False, "", b"")


async def test_nothing_submitted_is_nothing_stored(world: World) -> None:
    assert await world.submit() == []


async def test_a_known_id_is_refused_and_so_is_all_that_came_with_it(world: World) -> None:
    known, fresh = world.run(), world.run()
    await world.submit(known)
    with pytest.raises(Conflict):
        await world.submit(fresh, known)
    assert await world.store.find(fresh.id) is None


async def test_the_id_of_a_run_that_is_over_is_refused_too(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.SUCCESS)
    with pytest.raises(Conflict):
        await world.submit(claimed.run)


async def test_one_id_twice_in_one_submission_is_refused(world: World) -> None:
    run = world.run()
    with pytest.raises(Conflict):
        await world.submit(run, run)
    assert await world.store.find(run.id) is None


@pytest.mark.parametrize("end", [State.SUCCESS, State.DEAD, None])
async def test_a_repeat_finds_what_the_first_call_stored(world: World, end: State | None) -> None:
    await world.session()
    claimed = await world.started()
    if end is not None:
        await world.settle(claimed, end)
    fresh = world.run()
    known, new = await world.submit(claimed.run, fresh, repeat=True)
    assert (known.run_id, known.fresh, known.due_at) == (claimed.run.id, True, claimed.run.due_at)
    assert (new.run_id, new.fresh) == (fresh.id, True)
    assert (await world.live(fresh.id)).run.id == fresh.id
    assert await world.granted() == [fresh.id]


async def test_a_repeat_is_not_refused_for_the_key_it_took_itself(world: World) -> None:
    entry = Entry(world.run(), guards=(Absent("invoice-7", 60.0),))
    await world.submit(entry)
    (answer,) = await world.submit(entry, repeat=True)
    assert (answer.run_id, answer.fresh, answer.refused) == (entry.run.id, True, "")


# ---------------------------------------------------------------- bounds


async def test_arguments_up_to_the_bound_are_taken(world: World) -> None:
    run_id = await world.add(args=b"x" * ARGS_BYTES_MAX)
    assert len((await world.live(run_id)).run.args) == ARGS_BYTES_MAX


async def test_arguments_over_the_bound_are_refused_with_the_facts(world: World) -> None:
    small, large = world.run(), world.run(args=b"x" * (ARGS_BYTES_MAX + 1))
    with pytest.raises(TooLarge) as caught:
        await world.submit(small, large)
    assert (caught.value.size, caught.value.limit) == (ARGS_BYTES_MAX + 1, ARGS_BYTES_MAX)
    assert await world.store.find(small.id) is None


async def test_a_batch_over_the_bound_is_refused(world: World) -> None:
    run = world.run()
    with pytest.raises(TooLarge):
        await world.submit(*[run] * (SUBMIT_BATCH_MAX + 1))
    assert await world.store.find(run.id) is None


@pytest.mark.parametrize("band", [-1, BANDS])
async def test_there_are_only_so_many_bands(world: World, band: int) -> None:
    with pytest.raises(BadInput):
        await world.add(band=band)


@pytest.mark.parametrize("run_id", [0, -256, 1 << 63])
async def test_a_run_id_is_a_positive_63_bit_number(world: World, run_id: int) -> None:
    with pytest.raises(BadInput):
        await world.add(id=run_id)


@pytest.mark.parametrize("due_at", [-1, WALL_MAX + 1])
async def test_an_instant_out_of_range_is_refused(world: World, due_at: int) -> None:
    with pytest.raises(BadTime):
        await world.add(due_at=due_at)


async def test_an_effect_that_cannot_be_stored_refuses_the_submission(world: World) -> None:
    entry = Entry(world.run(), effects=(Insert(Entry(world.run(band=BANDS))),))
    with pytest.raises(BadInput):
        await world.submit(entry)
    assert await world.store.find(entry.run.id) is None


# ---------------------------------------------------------------- keys


async def test_a_key_is_taken_once_and_the_second_is_told_by_whom(world: World) -> None:
    first, second = world.run(due_at=world.after(5)), world.run()
    await world.submit(Entry(first, guards=(Absent("invoice-7", 60.0),)))
    (answer,) = await world.submit(Entry(second, guards=(Absent("invoice-7", 60.0),)))
    assert (answer.run_id, answer.fresh, answer.due_at) == (first.id, False, first.due_at)
    assert answer.refused == "Absent"
    assert await world.store.find(second.id) is None


async def test_two_with_one_key_in_one_submission_are_one(world: World) -> None:
    first, second, other = (world.run() for _ in range(3))
    guards = (Absent("invoice-7", 60.0),)
    answers = await world.submit(Entry(first, guards=guards), Entry(second, guards=guards), Entry(other))
    assert [(answer.run_id, answer.fresh) for answer in answers] == [
        (first.id, True),
        (first.id, False),
        (other.id, True),
    ]


async def test_a_key_is_forgotten_when_its_time_is_over_and_not_before(world: World) -> None:
    guards = (Absent("invoice-7", 60.0),)
    await world.submit(Entry(world.run(), guards=guards))
    world.clock.advance(59.999999)
    (early,) = await world.submit(Entry(world.run(), guards=guards))
    world.clock.advance(0.000001)
    (late,) = await world.submit(Entry(world.run(), guards=guards))
    assert (early.fresh, late.fresh) == (False, True)


async def test_a_key_outlives_its_run(world: World) -> None:
    await world.session()
    await world.submit(Entry(world.run(), guards=(Absent("invoice-7", 60.0),)))
    claimed = await world.take()
    await world.settle(claimed, State.SUCCESS)
    (answer,) = await world.submit(Entry(world.run(), guards=(Absent("invoice-7", 60.0),)))
    assert (answer.run_id, answer.fresh, answer.due_at) == (claimed.run.id, False, claimed.run.due_at)


async def test_a_refused_entry_takes_no_key(world: World) -> None:
    await world.submit(Entry(world.run(), guards=(Absent("a", 60.0),)))
    await world.submit(Entry(world.run(), guards=(Absent("b", 60.0), Absent("a", 60.0))))
    (answer,) = await world.submit(Entry(world.run(), guards=(Absent("b", 60.0),)))
    assert answer.fresh


# ---------------------------------------------------------------- permits


async def test_only_so_many_hold_a_permit(world: World) -> None:
    entries = [Entry(world.run(), guards=(Below("api", 2),)) for _ in range(3)]
    answers = await world.submit(*entries)
    assert [answer.fresh for answer in answers] == [True, True, False]
    assert answers[2].refused == "Below"
    assert await world.store.holders("api") == [entry.run.id for entry in entries[:2]]
    assert await world.store.find(entries[2].run.id) is None


async def test_a_run_with_a_gate_waits_before_it(world: World) -> None:
    await world.session()
    run_id = await world.add(gate="api")
    assert (await world.live(run_id)).state is State.WAITING
    assert await world.granted() == []
    assert [gated.run_id for gated in await world.store.gate_waiters("api", 10)] == [run_id]
    assert await world.store.holders("api") == []


# ---------------------------------------------------------------- effects


async def test_an_inserted_run_comes_in_the_same_step(world: World) -> None:
    second = world.run(task="other")
    await world.submit(Entry(world.run(), effects=(Insert(Entry(second, delay_seconds=5)),)))
    assert (await world.live(second.id)).run_at == world.after(5)


async def test_a_dead_letter_is_replayed_once(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.DEAD)
    effects = (Replayed(claimed.run.id),)
    first, second = world.run(replay_of=claimed.run.id), world.run(replay_of=claimed.run.id)
    answers = await world.submit(Entry(first, effects=effects), Entry(second, effects=effects))
    assert [(answer.run_id, answer.fresh) for answer in answers] == [(first.id, True), (first.id, False)]
    assert answers[1].refused == "Replayed"
    assert (await world.ended(claimed.run.id)).replayed_as == first.id
    assert await world.store.find(second.id) is None


async def test_what_is_not_a_dead_letter_cannot_be_replayed(world: World) -> None:
    run = world.run()
    (answer,) = await world.submit(Entry(run, effects=(Replayed(12345),)))
    assert (answer.run_id, answer.fresh, answer.refused) == (run.id, False, "Replayed")


# ---------------------------------------------------------------- hints


async def test_listeners_hear_when_a_run_is_due(world: World) -> None:
    world.listen()
    await world.add(queue="gpu", due_at=world.after(3))
    hint = await world.hint(HintKind.DUE)
    assert (hint.queue, hint.at) == ("gpu", world.after(3))


async def test_each_instant_of_a_batch_is_told(world: World) -> None:
    world.listen()
    await world.submit(*[world.run(due_at=world.after(seconds)) for seconds in (1, 2, 2, 3)])
    told = {(await world.hint(HintKind.DUE)).at for _ in range(3)}
    assert told == {world.after(seconds) for seconds in (1, 2, 3)}


async def test_listeners_hear_of_a_run_at_a_gate(world: World) -> None:
    world.listen()
    await world.add(gate="api", due_at=world.after(3))
    hint = await world.hint(HintKind.GATED)
    assert (hint.name, hint.at) == ("api", world.after(3))


async def test_who_stops_listening_hears_no_more(world: World) -> None:
    heard: list[object] = []
    stop = world.store.listen(heard.append)
    world.listen()
    stop()
    stop()  # twice does no harm
    await world.add()
    await world.hint(HintKind.DUE)
    assert heard == []
