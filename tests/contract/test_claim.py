"""Runs go out: in order, never early, each to one session (P2, P3; R0.9)."""

from __future__ import annotations

import pytest

from shike.bounds import BAND_BACKLOG, CLAIM_RUNS_MAX
from shike.errors import BadInput, SessionClosed
from shike.model import Manner, State
from shike.store.verbs import Want
from tests.contract.stores import STORES
from tests.contract.world import LEASE_SECONDS, World, ids


async def test_nothing_is_granted_before_its_time(world: World) -> None:
    await world.session()
    run_id = await world.add(due_at=world.after(5))
    world.clock.advance(4.999999)
    assert await world.granted() == []
    world.clock.advance(0.000001)
    assert await world.granted() == [run_id]


async def test_a_clock_set_back_grants_nothing_early(world: World) -> None:
    await world.session(lease_seconds=1e6)
    await world.add()
    world.clock.step(-1)
    assert await world.granted() == []


async def test_a_granted_run_is_running_and_nobody_elses(world: World) -> None:
    await world.session()
    await world.session("other")
    run_id = await world.add()
    batch = await world.claim()
    (claimed,) = batch.runs
    assert (batch.number, batch.now, batch.manner, batch.more) == (1, world.now, Manner.ORDINARY, False)
    live = await world.live(run_id)
    assert (live.state, live.token, live.version) == (State.RUNNING, claimed.token, 1)
    assert (claimed.run, claimed.attempt, claimed.run_at, claimed.crashes) == (live.run, 1, live.run_at, 0)
    assert await world.granted("other") == []
    assert await world.store.held("worker") == 1


async def test_order_is_run_at_then_id(world: World) -> None:
    await world.session()
    late, early, same = (world.run(due_at=world.after(seconds)) for seconds in (3, 1, 1))
    await world.submit(late, same, early)
    world.clock.advance(5)
    past = await world.add(due_at=world.after(-4.5))
    assert await world.granted() == [past, early.id, same.id, late.id]


async def test_order_holds_over_claims_and_arrivals(world: World) -> None:
    await world.session()
    first = [await world.add() for _ in range(6)]
    assert await world.granted(count=2) == first[:2]
    older = await world.add(due_at=world.after(-60))
    assert await world.granted(count=3) == [older, *first[2:4]]
    assert await world.granted() == first[4:]


async def test_bands_are_served_in_the_order_asked_for(world: World) -> None:
    await world.session()
    low = await world.add(band=6, due_at=world.after(-60))
    high = await world.add(band=0)
    middle = await world.add(band=3)
    assert await world.granted(count=1) == [high]
    assert await world.granted(bands=(6, 3, 0)) == [low, middle]


async def test_bands_not_asked_for_are_not_served(world: World) -> None:
    await world.session()
    await world.add(band=1)
    second = await world.add(band=2)
    assert await world.granted(bands=(2,)) == [second]


async def test_each_want_is_filled_on_its_own(world: World) -> None:
    await world.session()
    mail = [await world.add(queue="mail") for _ in range(3)]
    gpu = [await world.add(queue="gpu") for _ in range(3)]
    await world.add(queue="other")
    batch = await world.claim(wants=(Want("gpu", 1, 1), Want("none", 5, 5), Want("mail", 2, 2)))
    assert ids(batch.runs) == [gpu[0], *mail[:2]]
    assert len({claimed.token for claimed in batch.runs}) == 1


async def test_who_wants_nothing_gets_nothing(world: World) -> None:
    await world.session()
    await world.add()
    assert (await world.claim(wants=(Want("default", 0, 0),))).runs == []


async def test_a_want_says_how_much_backlog_it_takes(world: World) -> None:
    await world.session()
    backlog = [await world.add(band=BAND_BACKLOG, due_at=world.after(-60)) for _ in range(4)]
    fresh = await world.add()
    assert ids((await world.claim(wants=(Want("default", 5, 2),))).runs) == [fresh, *backlog[:2]]
    assert (await world.claim(wants=(Want("default", 5, 0),))).runs == []
    assert ids((await world.claim(wants=(Want("default", 1, 5),))).runs) == backlog[2:3]


async def test_a_lease_is_bounded(world: World) -> None:
    await world.session()
    await world.submit(*[world.run() for _ in range(CLAIM_RUNS_MAX + 1)])
    batch = await world.claim(count=2 * CLAIM_RUNS_MAX)
    assert len(batch.runs) == CLAIM_RUNS_MAX
    assert batch.more


async def test_only_tasks_asked_for_are_granted_and_the_others_keep_their_place(world: World) -> None:
    await world.session()
    wanted, foreign, wanted_too = world.run(), world.run(task="video"), world.run()
    await world.submit(wanted, foreign, wanted_too)
    assert await world.granted() == [wanted.id, wanted_too.id]
    later = await world.add(task="video")
    assert await world.granted(tasks=("video", "mail")) == [foreign.id, later]


async def test_foreign_tasks_in_front_do_not_hide_what_lies_behind(world: World) -> None:
    await world.session()
    await world.submit(*[world.run(task="video", due_at=world.after(-9 + number)) for number in range(5)])
    run_id = await world.add()
    assert await world.granted(count=1) == [run_id]


async def test_a_paused_queue_gives_nothing_until_it_is_resumed(world: World) -> None:
    await world.session()
    run_id = await world.add(queue="gpu")
    other = await world.add(queue="mail")
    await world.store.put("queue/gpu", b"paused for repair", expect=None)
    wants = (Want("gpu", 5, 5), Want("mail", 5, 5))
    batch = await world.claim(wants=wants)
    assert ids(batch.runs) == [other]
    assert not batch.more
    await world.store.put("queue/gpu", None, expect=None)
    assert ids((await world.claim(wants=wants)).runs) == [run_id]


async def test_an_expired_run_is_granted_because_its_worker_decides(world: World) -> None:
    await world.session()
    run_id = await world.add(expires_at=world.after(1))
    world.clock.advance(2)
    assert await world.granted() == [run_id]


async def test_the_batch_says_whether_there_is_more(world: World) -> None:
    await world.session()
    for _ in range(3):
        await world.add()
    assert (await world.claim(count=2)).more
    assert not (await world.claim(count=1)).more


async def test_what_is_ahead_or_another_tasks_is_not_more(world: World) -> None:
    await world.session()
    await world.submit(world.run(), world.run(task="video"), world.run(due_at=world.after(1)))
    assert not (await world.claim(count=1)).more


async def test_the_batch_names_the_next_instant(world: World) -> None:
    if world.make is STORES["redis-slices"]:
        pytest.skip("what stands in slices is too far ahead to be named")
    await world.session()
    assert (await world.claim()).next_at == 0
    await world.submit(world.run(due_at=world.after(9)), world.run(band=0, due_at=world.after(7)))
    await world.add(queue="other", due_at=world.after(1))
    assert (await world.claim()).next_at == world.after(7)


async def test_the_next_instant_is_seen_behind_what_is_not_ours(world: World) -> None:
    if world.make is STORES["redis-slices"]:
        pytest.skip("what stands in slices is too far ahead to be named")
    await world.session()
    await world.submit(world.run(task="video"), world.run(due_at=world.after(7)))
    assert (await world.claim()).next_at == world.after(7)


# ---------------------------------------------------------------- tokens and repeats


async def test_tokens_grow_with_every_claim(world: World) -> None:
    await world.session()
    await world.session("other")
    tokens = []
    for session in ("worker", "other", "worker"):
        await world.add()
        tokens.append((await world.take(session)).token)
    assert tokens[0] > 0
    assert tokens == sorted(set(tokens))


async def test_a_repeat_returns_the_same_batch(world: World) -> None:
    await world.session()
    for _ in range(3):
        await world.add()
    first = await world.claim(count=2)
    again = await world.claim(count=2, number=first.number)
    assert again.runs == first.runs
    assert await world.store.held("worker") == 1
    assert len((await world.claim()).runs) == 1


async def test_a_repeat_returns_what_is_still_open(world: World) -> None:
    await world.session()
    for _ in range(3):
        await world.add()
    first = await world.claim()
    await world.settle(first.runs[1], State.SUCCESS)
    await world.settle(first.runs[2], State.FAILED)
    again = await world.claim(number=first.number)
    assert again.runs == first.runs[:1]
    await world.settle(first.runs[0], State.SUCCESS)
    assert (await world.claim(number=first.number)).runs == []


async def test_a_repeat_is_not_mixed_up_with_another_sessions_claim(world: World) -> None:
    await world.session()
    await world.session("other")
    mine = await world.started()
    await world.started("other")
    assert (await world.claim(number=1)).runs == [mine]


async def test_an_empty_grant_costs_no_number(world: World) -> None:
    await world.session()
    assert (await world.claim(number=1)).runs == []
    run_id = await world.add()
    assert ids((await world.claim(number=1)).runs) == [run_id]


async def test_a_number_below_the_last_that_was_never_granted_gives_nothing(world: World) -> None:
    await world.session()
    await world.add()
    await world.claim(count=1, number=5)
    await world.add()
    assert (await world.claim(number=3)).runs == []


async def test_claims_count_from_one(world: World) -> None:
    await world.session()
    with pytest.raises(BadInput):
        await world.claim(number=0)


# ---------------------------------------------------------------- sessions


async def test_a_closed_session_gets_nothing(world: World) -> None:
    await world.session()
    await world.add()
    await world.store.close_session("worker", seen_beat=None, reason="stopped")
    with pytest.raises(SessionClosed) as caught:
        await world.claim()
    assert (caught.value.session, caught.value.reason) == ("worker", "stopped")


async def test_a_session_whose_lease_is_over_must_beat_first(world: World) -> None:
    await world.session()
    run_id = await world.add()
    world.clock.advance(LEASE_SECONDS + 0.000001)
    with pytest.raises(SessionClosed):
        await world.claim()
    await world.beat()
    assert await world.granted() == [run_id]


async def test_a_session_may_claim_to_the_end_of_its_lease(world: World) -> None:
    await world.session()
    run_id = await world.add()
    world.clock.advance(LEASE_SECONDS)
    assert await world.granted() == [run_id]


async def test_who_does_not_beat_or_is_unknown_gets_nothing(world: World) -> None:
    await world.session("client", lease_seconds=0)
    for session in ("client", "stranger"):
        with pytest.raises(SessionClosed):
            await world.claim(session)


# ---------------------------------------------------------------- suspects


async def test_suspects_are_granted_first_and_among_themselves(world: World) -> None:
    await world.session("first")
    suspect = (await world.started("first", band=5)).run.id
    await world.crash("first")
    await world.session()
    fresh = await world.add(band=0)
    batch = await world.claim()
    assert (ids(batch.runs), batch.manner, batch.more) == ([suspect], Manner.TOGETHER, True)
    batch = await world.claim()
    assert (ids(batch.runs), batch.manner) == ([fresh], Manner.ORDINARY)


async def test_the_repeat_of_a_batch_of_suspects_says_that_it_is_one(world: World) -> None:
    await world.session("first")
    await world.started("first")
    await world.crash("first")
    await world.session()
    batch = await world.claim(suspects=Manner.APART)
    again = await world.claim(number=batch.number)
    assert (again.manner, again.runs) == (Manner.APART, batch.runs)


async def test_who_wants_no_suspects_is_given_none(world: World) -> None:
    await world.session("first")
    suspect = await world.started("first")
    await world.crash("first")
    await world.session()
    fresh = await world.add()
    batch = await world.claim(suspects=Manner.ORDINARY)
    assert (ids(batch.runs), batch.manner, batch.more) == ([fresh], Manner.ORDINARY, False)
    assert (await world.live(suspect.run.id)).suspect


async def lost_together(world: World, count: int, session: str = "first") -> list[int]:
    """So many runs that were under way in one process when it died."""
    run_ids = [await world.add() for _ in range(count)]
    await world.session(session)
    assert await world.granted(session, count, suspects=Manner.ORDINARY) == run_ids
    await world.crash(session)
    return run_ids


async def test_suspects_go_out_together_by_halves(world: World) -> None:
    run_ids = await lost_together(world, 15)
    await world.session()
    first, second = await world.claim(count=100), await world.claim(count=100)
    assert (ids(first.runs), first.manner, first.more) == (run_ids[:8], Manner.TOGETHER, True)
    assert (ids(second.runs), second.manner, second.more) == (run_ids[8:], Manner.TOGETHER, False)
    assert {one.together for one in first.runs} == {8}


async def test_a_party_is_halved_again_when_its_process_dies_too(world: World) -> None:
    run_ids = await lost_together(world, 9)
    sizes = []
    for number in range(4):
        await world.session(f"w{number}")
        sizes.append(await world.granted(f"w{number}"))
        await world.crash(f"w{number}")
    assert [len(party) for party in sizes] == [5, 3, 2, 1], "those that were not in it wait their turn"
    assert sizes[-1] == run_ids[:1]
    bounds = [(await world.live(run_id)).together for run_id in run_ids]
    assert bounds == [1, 1, 2, 3, 3, 5, 5, 5, 5]


async def test_nobody_goes_out_with_more_company_than_it_may_have(world: World) -> None:
    """The lane's order stands: a party ends where somebody wants less company."""
    many = await lost_together(world, 6)
    (one,) = await lost_together(world, 1, "second")
    await world.session("third")
    assert await world.granted("third", suspects_max=2) == many[:2]
    await world.crash("third")  # two of them may have no company at all
    await world.session()
    parties = [await world.granted() for _ in range(4)]
    assert parties == [many[:1], many[1:2], many[2:5], [many[5], one]]


async def test_who_has_processes_for_them_is_given_as_many_suspects(world: World) -> None:
    run_ids = await lost_together(world, 5)
    await world.session()
    batch = await world.claim(count=100, suspects=Manner.APART, suspects_max=4)
    assert (ids(batch.runs), batch.manner, batch.more) == (run_ids[:4], Manner.APART, True)
    assert await world.granted(count=100, suspects=Manner.APART, suspects_max=4) == run_ids[4:]


async def test_suspects_are_no_more_than_were_wanted(world: World) -> None:
    run_ids = await lost_together(world, 6)
    await world.session()
    assert await world.granted(count=2) == run_ids[:2]


async def test_suspects_of_other_tasks_queues_and_paused_queues_stay(world: World) -> None:
    await world.session("first")
    for fields in ({"task": "video"}, {"queue": "gpu"}, {"queue": "still"}):
        await world.add(**fields)
    wants = tuple(Want(queue, 5, 5) for queue in ("default", "gpu", "still"))
    assert len((await world.claim("first", wants=wants, tasks=("mail", "video"))).runs) == 3
    await world.crash("first")
    await world.session()
    await world.store.put("queue/still", b"paused", expect=None)
    assert (await world.claim(wants=(wants[0], wants[2]))).runs == []


async def test_a_suspect_of_the_backlog_counts_as_backlog(world: World) -> None:
    await world.session("first")
    suspect = await world.started("first", band=BAND_BACKLOG)
    await world.crash("first")
    await world.session()
    assert (await world.claim(wants=(Want("default", 5, 0),))).runs == []
    assert ids((await world.claim(wants=(Want("default", 5, 1),))).runs) == [suspect.run.id]
