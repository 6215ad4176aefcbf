"""Runs end or come back: one accepted end for each, whoever repeats or sleeps (P3, P6; R0.10, R0.11)."""

from __future__ import annotations

import pytest

from shike.errors import BadInput
from shike.model import State
from shike.store.guards import Below, Entry, Insert
from shike.store.hints import HintKind
from shike.store.verbs import Ack, Answer
from tests.contract.world import World, ack, ids, packed


async def test_success_is_written_down_and_the_run_is_over(world: World) -> None:
    await world.session()
    claimed = await world.started()
    world.clock.advance(2)
    assert await world.settle(claimed, State.SUCCESS, result=b"42") is Answer.ACCEPTED
    assert await world.store.live(claimed.run.id) is None
    ended = await world.ended(claimed.run.id)
    assert (ended.run, ended.state, ended.ended_at, ended.attempts) == (claimed.run, State.SUCCESS, world.now, 1)
    assert (ended.token, ended.session, ended.result) == (claimed.token, "worker", b"42")
    assert ended.trace == packed(claimed, State.SUCCESS)
    assert await world.store.held("worker") == 0


async def test_an_end_without_an_attempt_counts_none(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.SKIPPED, trace=b"", reason="expired")
    ended = await world.ended(claimed.run.id)
    assert (ended.state, ended.attempts, ended.reason) == (State.SKIPPED, 0, "expired")


@pytest.mark.parametrize("state", [State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED])
async def test_every_end_is_final(world: World, state: State) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, state)
    found = await world.store.find(claimed.run.id)
    assert found is not None
    assert found.state is state
    world.clock.advance(1e6)
    await world.session("other", lease_seconds=1e9)
    assert await world.granted("other") == []


async def test_a_dead_run_is_a_dead_letter(world: World) -> None:
    await world.session()
    claimed = await world.started(owner="ann")
    await world.settle(claimed, State.DEAD, reason="ValueError: 7")
    (letter,) = await world.store.dead(10)
    assert (letter.run.owner, letter.state, letter.reason) == ("ann", State.DEAD, "ValueError: 7")
    assert letter == await world.ended(claimed.run.id)


async def test_a_failed_run_is_eligible_again_after_its_delay(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.FAILED, delay_seconds=5.0, reason="boom")
    live = await world.live(claimed.run.id)
    assert (live.state, live.attempts, live.run_at) == (State.FAILED, 1, world.after(5))
    assert (live.token, live.run.due_at) == (0, claimed.run.due_at)
    assert live.version > 1
    assert await world.granted() == []
    world.clock.advance(5)
    again = await world.take()
    assert (again.attempt, again.run.id) == (2, claimed.run.id)
    assert again.token > claimed.token


async def test_a_failed_run_may_name_its_instant(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.FAILED, delay_seconds=5.0, run_at=world.after(60))
    assert (await world.live(claimed.run.id)).run_at == world.after(60)


async def test_every_attempt_is_written_down(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.FAILED)
    again = await world.take()
    await world.settle(again, State.SUCCESS)
    attempts = await world.store.attempts(claimed.run.id)
    assert [(attempt.number, attempt.state, attempt.token) for attempt in attempts] == [
        (1, State.FAILED, claimed.token),
        (2, State.SUCCESS, again.token),
    ]
    assert (await world.ended(claimed.run.id)).attempts == 2


async def test_a_failed_attempt_without_a_trace_is_written_down_too(world: World) -> None:
    await world.session()
    claimed = await world.started()
    world.clock.advance(3)
    await world.settle(claimed, State.FAILED, trace=b"", reason="could not start")
    (attempt,) = await world.store.attempts(claimed.run.id)
    assert (attempt.number, attempt.state, attempt.error) == (1, State.FAILED, "could not start")
    assert (attempt.token, attempt.session, attempt.ended_at) == (claimed.token, "worker", world.now)


async def test_a_snoozed_attempt_does_not_count(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.SCHEDULED, delay_seconds=60.0)
    live = await world.live(claimed.run.id)
    assert (live.state, live.attempts, live.run_at) == (State.SCHEDULED, 0, world.after(60))
    assert len(await world.store.attempts(claimed.run.id)) == 1


async def test_what_is_given_back_keeps_its_place(world: World) -> None:
    await world.session()
    first, second = await world.add(), await world.add()
    claimed = await world.take()
    world.clock.advance(1)
    await world.settle(claimed, State.SCHEDULED, trace=b"", run_at=claimed.run_at)
    assert await world.store.attempts(first) == []
    batch = await world.claim()
    assert ids(batch.runs) == [first, second]
    assert batch.runs[0].attempt == 1


async def test_a_lease_is_settled_part_by_part(world: World) -> None:
    await world.session()
    await world.submit(*[world.run() for _ in range(3)])
    runs = (await world.claim()).runs
    assert await world.settle(runs[1], State.SUCCESS) is Answer.ACCEPTED
    assert await world.store.held("worker") == 1
    assert (await world.live(runs[0].run.id)).state is State.RUNNING
    assert await world.settle(runs[0], State.FAILED) is Answer.ACCEPTED
    assert await world.settle(runs[2], State.DEAD) is Answer.ACCEPTED
    assert await world.store.held("worker") == 0


async def test_one_batch_of_acks_may_span_leases(world: World) -> None:
    await world.session()
    runs = [await world.started() for _ in range(3)]
    answers = await world.store.settle("worker", [ack(claimed, State.SUCCESS) for claimed in reversed(runs)])
    assert answers == [Answer.ACCEPTED] * 3


# ---------------------------------------------------------------- repeats and strangers


async def test_a_repeated_ack_was_accepted_already(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.SUCCESS)
    assert await world.settle(claimed, State.SUCCESS) is Answer.ALREADY
    twice = [ack(await world.started(), State.SUCCESS)] * 2
    assert await world.store.settle("worker", twice) == [Answer.ACCEPTED, Answer.ALREADY]


async def test_a_repeated_failure_is_recognised_while_the_run_goes_on(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.FAILED)
    assert await world.settle(claimed, State.FAILED) is Answer.ALREADY
    again = await world.take()
    assert await world.settle(claimed, State.FAILED) is Answer.ALREADY
    assert await world.settle(again, State.SUCCESS) is Answer.ACCEPTED
    assert (await world.ended(claimed.run.id)).attempts == 2


async def test_an_older_token_is_refused_after_a_rescue(world: World) -> None:
    await world.session("first")
    claimed = await world.started("first")
    await world.crash("first")
    await world.session()
    again = await world.take()
    assert await world.settle(claimed, State.SUCCESS, "first") is Answer.REFUSED
    assert await world.settle(again, State.SUCCESS) is Answer.ACCEPTED
    assert await world.settle(claimed, State.SUCCESS, "first") is Answer.REFUSED


async def test_another_session_cannot_settle(world: World) -> None:
    await world.session()
    await world.session("other")
    claimed = await world.started()
    assert await world.settle(claimed, State.SUCCESS, "other") is Answer.REFUSED
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED
    assert await world.settle(claimed, State.SUCCESS, "other") is Answer.REFUSED


async def test_a_closed_session_is_refused_what_it_did_not_settle_in_time(world: World) -> None:
    await world.session()
    done, open_ = await world.started(), await world.started()
    await world.settle(done, State.SUCCESS)
    await world.bury()
    assert await world.settle(open_, State.SUCCESS) is Answer.REFUSED
    assert await world.settle(done, State.SUCCESS) is Answer.ALREADY
    assert (await world.live(open_.run.id)).state is State.RUNNING


async def test_a_session_that_is_late_but_not_closed_may_settle(world: World) -> None:
    await world.session()
    claimed = await world.started()
    world.clock.advance(1000)
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED


async def test_a_session_nobody_knows_is_answered(world: World) -> None:
    await world.session()
    claimed = await world.started()
    assert await world.settle(claimed, State.SUCCESS, "stranger") is Answer.REFUSED


async def test_a_run_nobody_knows_is_unknown(world: World) -> None:
    await world.session()
    claimed = await world.started()
    (answer,) = await world.store.settle("worker", [Ack(99 << 8, claimed.token, State.SUCCESS)])
    assert answer is Answer.UNKNOWN


async def test_a_run_that_is_not_leased_cannot_be_settled(world: World) -> None:
    await world.session()
    run_id = await world.add()
    assert await world.store.settle("worker", [Ack(run_id, 0, State.SUCCESS)]) == [Answer.REFUSED]
    assert (await world.live(run_id)).state is State.SCHEDULED


async def test_after_the_receipt_the_history_answers(world: World) -> None:
    await world.session()
    done, failed = await world.started(), await world.started(due_at=world.after(-1))
    await world.settle(done, State.SUCCESS)
    await world.settle(failed, State.FAILED, delay_seconds=1e6)
    world.clock.advance(200)
    await world.purge(receipt_seconds=100.0)
    assert await world.settle(done, State.SUCCESS) is Answer.ALREADY
    wrong = Ack(done.run.id, done.token + 7, State.SUCCESS)
    assert await world.store.settle("worker", [wrong]) == [Answer.REFUSED]
    assert await world.settle(failed, State.FAILED) is Answer.REFUSED


@pytest.mark.parametrize("state", [State.WAITING, State.PENDING, State.ASSIGNED, State.RUNNING])
async def test_a_move_the_table_does_not_have_is_refused_before_anything_is_written(world: World, state: State) -> None:
    await world.session()
    good, bad = await world.started(), await world.started()
    with pytest.raises(BadInput):
        await world.store.settle("worker", [ack(good, State.SUCCESS), ack(bad, state)])
    assert (await world.live(good.run.id)).state is State.RUNNING


async def test_a_negative_delay_is_refused(world: World) -> None:
    await world.session()
    claimed = await world.started()
    with pytest.raises(BadInput):
        await world.settle(claimed, State.FAILED, delay_seconds=-1.0)


# ---------------------------------------------------------------- cancel


@pytest.mark.parametrize("state", [State.FAILED, State.SCHEDULED])
async def test_what_was_asked_to_stop_does_not_come_back(world: World, state: State) -> None:
    await world.session()
    claimed = await world.started()
    await world.move(claimed.run.id, State.CANCELLED, reason="not needed")
    assert await world.settle(claimed, state, delay_seconds=1.0) is Answer.ACCEPTED
    ended = await world.ended(claimed.run.id)
    assert (ended.state, ended.reason, ended.token) == (State.CANCELLED, "not needed", claimed.token)


async def test_what_succeeds_though_asked_to_stop_has_succeeded(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.move(claimed.run.id, State.CANCELLED)
    await world.settle(claimed, State.SUCCESS)
    assert (await world.ended(claimed.run.id)).state is State.SUCCESS


# ---------------------------------------------------------------- permits, effects, hints


async def test_a_permit_is_kept_while_the_run_is_tried_and_given_back_at_its_end(world: World) -> None:
    await world.session()
    world.listen()
    entry = Entry(world.run(), guards=(Below("api", 1),))
    await world.submit(entry)
    await world.settle(await world.take(), State.FAILED)
    assert await world.store.holders("api") == [entry.run.id]
    await world.settle(await world.take(), State.SUCCESS)
    assert await world.store.holders("api") == []
    assert (await world.hint(HintKind.FREED)).name == "api"


async def test_an_effect_is_done_with_an_accepted_ack_only_once(world: World) -> None:
    await world.session()
    claimed = await world.started()
    following = world.run()
    effects = (Insert(Entry(following, delay_seconds=30)),)
    assert await world.settle(claimed, State.SUCCESS, "stranger", effects=effects) is Answer.REFUSED
    assert await world.store.find(following.id) is None
    assert await world.settle(claimed, State.SUCCESS, effects=effects) is Answer.ACCEPTED
    assert (await world.live(following.id)).run_at == world.after(30)
    assert await world.settle(claimed, State.SUCCESS, effects=effects) is Answer.ALREADY


async def test_a_bad_effect_is_refused_before_anything_is_written(world: World) -> None:
    await world.session()
    claimed = await world.started()
    with pytest.raises(BadInput):
        await world.settle(claimed, State.SUCCESS, effects=(Insert(Entry(world.run(band=99))),))
    assert (await world.live(claimed.run.id)).state is State.RUNNING


async def test_listeners_hear_what_ended_and_what_is_due_again(world: World) -> None:
    await world.session()
    done, failed = await world.started(), await world.started()
    world.listen()
    await world.store.settle("worker", [ack(done, State.SUCCESS), ack(failed, State.FAILED, delay_seconds=4.0)])
    due = await world.hint(HintKind.DUE)
    assert (due.queue, due.at) == ("default", world.after(4))
    assert (await world.hint(HintKind.ENDED)).run_ids == (done.run.id,)
