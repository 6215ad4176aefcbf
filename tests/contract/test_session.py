"""Processes come, beat and die once; what they held goes back (P3, P4; R0.7)."""

from __future__ import annotations

import msgspec
import pytest

from shike.errors import Conflict, NotFound, SessionClosed
from shike.model import Manner, OnUnknown, Options, SessionState, State
from shike.store.guards import Below
from shike.store.hints import HintKind
from shike.store.verbs import Answer
from tests.contract.world import LEASE_SECONDS, World, ids


async def test_a_session_is_numbered_and_says_who_it_is(world: World) -> None:
    first, second = await world.session("a"), await world.session("b")
    assert 0 < first.number < second.number
    assert (first.id, first.name, first.kind, first.host, first.pid) == ("a", "the a", "worker", "here", 1)
    assert (first.started_at, first.expires_at) == (world.now, world.after(LEASE_SECONDS))
    assert (first.beat, first.claimed, first.state) == (0, 0, SessionState.OPEN)
    assert await world.store.sessions() == [first, second]


async def test_opening_the_same_session_again_gives_the_same_one(world: World) -> None:
    first = await world.session()
    assert await world.session() == first
    assert (await world.session("other")).number > first.number


async def test_a_closed_identity_cannot_be_opened_again(world: World) -> None:
    await world.session()
    await world.store.close_session("worker", seen_beat=None, reason="stopped")
    with pytest.raises(SessionClosed):
        await world.session()


async def test_who_does_not_beat_is_listed_only_among_all(world: World) -> None:
    client = await world.session("client", lease_seconds=0)
    assert client.expires_at == 0
    assert await world.store.sessions() == []
    assert await world.store.sessions(all=True) == [client]


async def test_of_all_sessions_the_newest_are_listed(world: World) -> None:
    opened = [await world.session(str(number), lease_seconds=number % 2) for number in range(6)]
    assert await world.store.sessions(all=True, limit=4) == opened[2:]
    assert await world.store.sessions(all=True, limit=9) == opened
    assert await world.store.sessions() == opened[1::2]


async def test_left_over_is_who_was_closed_and_still_holds_something(world: World) -> None:
    for identity in ("holder", "owner", "idle", "alive"):
        await world.session(identity)
    await world.add()
    assert await world.granted("holder")
    await world.own("owner")
    assert await world.store.left_over() == []
    for identity in ("owner", "idle", "holder"):
        await world.store.close_session(identity, seen_beat=None, reason="stopped")
    assert [session.id for session in await world.store.left_over()] == ["holder", "owner"]
    for identity in ("holder", "owner"):
        await world.store.free(identity, 10)
    assert await world.store.left_over() == []


# ---------------------------------------------------------------- beats


async def test_a_beat_renews(world: World) -> None:
    await world.session()
    world.clock.advance(4)
    reply = await world.beat(number=3, load=b"busy")
    assert (reply.now, reply.expires_at) == (world.now, world.after(LEASE_SECONDS))
    (session,) = await world.store.sessions()
    assert (session.beat, session.expires_at, session.load) == (3, reply.expires_at, b"busy")


async def test_an_older_beat_that_comes_late_changes_nothing(world: World) -> None:
    await world.session()
    claimed = await world.started()
    before = await world.beat(number=3, received=1, holds=(claimed.token,))
    world.clock.advance(4)
    for number in (2, 3):
        reply = await world.beat(number=number, received=1, holds=())
        assert (reply.now, reply.expires_at) == (world.now, before.expires_at)
    assert (await world.live(claimed.run.id)).state is State.RUNNING


async def test_a_beat_revives_a_session_that_is_late_but_not_closed(world: World) -> None:
    await world.session()
    world.clock.advance(100)
    assert (await world.beat()).expires_at == world.after(LEASE_SECONDS)


async def test_a_closed_session_cannot_beat(world: World) -> None:
    await world.session()
    await world.store.close_session("worker", seen_beat=None, reason="stopped")
    with pytest.raises(SessionClosed) as caught:
        await world.beat()
    assert (caught.value.session, caught.value.reason) == ("worker", "stopped")


async def test_a_stranger_cannot_beat(world: World) -> None:
    with pytest.raises(SessionClosed):
        await world.beat("stranger")


async def test_a_lease_whose_reply_was_lost_is_released_by_the_next_beat(world: World) -> None:
    await world.session()
    await world.session("other")
    held, lost = await world.started(), await world.started()
    reply = await world.beat(received=2, holds=(held.token,))
    assert reply.eligible == ("default",), "what it released is told, as whatever else is eligible"
    live = await world.live(lost.run.id)
    assert (live.state, live.suspect, live.attempts, live.token) == (State.SCHEDULED, False, 0, 0)
    assert live.run_at == lost.run_at
    assert (await world.live(held.run.id)).state is State.RUNNING
    batch = await world.claim("other")
    assert (ids(batch.runs), batch.manner) == ([lost.run.id], Manner.ORDINARY)
    assert await world.settle(lost, State.SUCCESS) is Answer.REFUSED
    assert await world.store.attempts(lost.run.id) == []


async def test_a_claim_on_its_way_is_not_released(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.beat(received=0, holds=())
    assert (await world.live(claimed.run.id)).state is State.RUNNING
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED


async def test_a_released_lease_stays_released_and_its_claim_is_empty(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.beat(received=1, holds=())
    assert (await world.claim(number=1)).runs == []
    assert await world.granted() == [claimed.run.id]


async def test_what_was_settled_of_a_released_lease_stays_settled(world: World) -> None:
    await world.session()
    await world.submit(world.run(), world.run())
    done, lost = (await world.claim()).runs
    await world.settle(done, State.SUCCESS)
    await world.beat(received=1, holds=())
    assert await world.settle(done, State.SUCCESS) is Answer.ALREADY
    assert await world.settle(lost, State.SUCCESS) is Answer.REFUSED


async def test_what_was_asked_to_stop_ends_when_its_lease_is_released(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.move(claimed.run.id, State.CANCELLED, reason="not needed")
    await world.beat(received=1, holds=())
    assert (await world.ended(claimed.run.id)).state is State.CANCELLED


async def test_a_beat_is_told_what_should_stop_until_it_has(world: World) -> None:
    await world.session()
    await world.session("other")
    claimed, other = await world.started(), await world.started("other")
    for run_id in (claimed.run.id, other.run.id):
        await world.move(run_id, State.CANCELLED)
    expected = ((claimed.run.id, claimed.token),)
    holds = (claimed.token,)
    assert (await world.beat(number=1, received=1, holds=holds)).cancels == expected
    assert (await world.beat(number=2, received=1, holds=holds)).cancels == expected
    await world.settle(claimed, State.CANCELLED)
    assert (await world.beat(number=3, received=1)).cancels == ()


async def test_a_beat_is_told_which_queues_have_work(world: World) -> None:
    await world.session()
    for queue, seconds in (("mail", 0), ("gpu", 5), ("still", 0), ("mail", 0)):
        await world.add(queue=queue, due_at=world.after(seconds))
    await world.store.put("queue/still", b"paused", expect=None)
    assert (await world.beat(number=1)).eligible == ("mail",)
    world.clock.advance(5)
    assert (await world.beat(number=2)).eligible == ("gpu", "mail")
    await world.granted(wants=(), queue="mail")
    assert (await world.beat(number=3)).eligible == ("gpu",)


async def test_progress_is_kept_if_the_lease_stands(world: World) -> None:
    await world.session()
    await world.session("other")
    claimed = await world.started()
    await world.beat(progress=((claimed.run.id, claimed.token, b"50 %"),), holds=(claimed.token,))
    assert (await world.live(claimed.run.id)).progress == b"50 %"
    await world.beat(number=2, progress=((claimed.run.id, claimed.token + 1, b"wrong token"),))
    await world.beat("other", progress=((claimed.run.id, claimed.token, b"not yours"), (77 << 8, 1, b"?")))
    assert (await world.live(claimed.run.id)).progress == b"50 %"


# ---------------------------------------------------------------- closing


async def test_a_good_bye_closes_for_ever(world: World) -> None:
    await world.session()
    for _ in range(2):
        assert await world.store.close_session("worker", seen_beat=None, reason="stopped")
    assert await world.store.sessions() == []
    (session,) = await world.store.sessions(all=True)
    assert (session.state, session.reason, session.closed_at) == (SessionState.CLOSED, "stopped", world.now)


async def test_a_rescuer_closes_only_what_is_over(world: World) -> None:
    await world.session()
    world.clock.advance(LEASE_SECONDS)
    assert not await world.store.close_session("worker", seen_beat=0, reason="silent")
    world.clock.advance(0.000001)
    assert await world.store.close_session("worker", seen_beat=0, reason="silent")
    assert await world.store.close_session("worker", seen_beat=0, reason="silent")


async def test_a_beat_that_came_in_between_saves_the_session(world: World) -> None:
    await world.session()
    world.clock.advance(100)
    await world.beat(number=1)
    world.clock.advance(100)
    assert not await world.store.close_session("worker", seen_beat=0, reason="silent")
    assert await world.store.close_session("worker", seen_beat=1, reason="silent")


async def test_a_lease_does_not_last_as_long_as_a_jump_of_the_clock(world: World) -> None:
    """The clock jumps ahead, a session beats, the clock is put right, and the session dies."""
    await world.session()
    world.clock.step(3600)
    await world.beat(number=1)
    world.clock.step(-3600)
    assert await world.store.close_session("worker", seen_beat=1, reason="silent")


async def test_a_clock_that_was_set_back_makes_nobody_late_who_has_beaten_since(world: World) -> None:
    await world.session()
    world.clock.step(-3600)
    assert not await world.store.close_session("worker", seen_beat=1, reason="silent"), "it beats, as far as we know"
    await world.beat(number=1)
    assert not await world.store.close_session("worker", seen_beat=1, reason="silent")
    world.clock.advance(LEASE_SECONDS)
    assert not await world.store.close_session("worker", seen_beat=1, reason="silent")
    world.clock.advance(0.000001)
    assert await world.store.close_session("worker", seen_beat=1, reason="silent")


async def test_a_beat_may_change_how_long_the_lease_is(world: World) -> None:
    await world.session()
    await world.beat(number=1, lease_seconds=60.0)
    (session,) = await world.store.sessions()
    assert (session.lease_seconds, session.expires_at) == (60.0, world.after(60))
    assert not await world.store.close_session("worker", seen_beat=1, reason="silent")


async def test_who_does_not_beat_is_never_late(world: World) -> None:
    await world.session("client", lease_seconds=0)
    world.clock.advance(1e6)
    assert not await world.store.close_session("client", seen_beat=0, reason="silent")
    assert await world.store.close_session("client", seen_beat=None, reason="done")


async def test_a_session_that_never_was_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.store.close_session("stranger", seen_beat=None, reason="?")
    with pytest.raises(NotFound):
        await world.store.free("stranger", 10)


# ---------------------------------------------------------------- rescue


async def test_an_open_session_keeps_what_it_holds(world: World) -> None:
    await world.session()
    claimed = await world.started()
    world.clock.advance(1000)
    with pytest.raises(Conflict):
        await world.store.free("worker", 10)
    assert (await world.live(claimed.run.id)).state is State.RUNNING


async def test_what_a_dead_session_held_is_eligible_as_a_suspect(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.bury()
    freed = await world.store.free("worker", 10)
    assert (freed.requeued, freed.dead, freed.left) == ((claimed.run.id,), (), False)
    live = await world.live(claimed.run.id)
    assert (live.state, live.suspect, live.attempts, live.crashes) == (State.SCHEDULED, True, 0, 0)
    assert (live.run_at, live.token) == (claimed.run_at, 0)
    assert await world.store.held("worker") == 0


async def test_the_lost_attempt_is_written_down_but_does_not_count(world: World) -> None:
    await world.session()
    claimed = await world.started()
    granted_at = world.now
    await world.crash()
    (attempt,) = await world.store.attempts(claimed.run.id)
    assert (attempt.number, attempt.state, attempt.token) == (1, State.FAILED, claimed.token)
    assert (attempt.claimed_at, attempt.ended_at) == (granted_at, world.now)
    assert (attempt.session, attempt.error) == ("worker", "lost: killed")
    await world.session("next")
    assert (await world.take("next")).attempt == 1


async def test_a_rescue_goes_lease_by_lease(world: World) -> None:
    await world.session()
    claimed = [await world.started() for _ in range(3)]
    await world.bury()
    freed = await world.store.free("worker", 2)
    assert (freed.requeued, freed.left) == (tuple(ids(claimed[:2])), True)
    freed = await world.store.free("worker", 2)
    assert (freed.requeued, freed.left) == (tuple(ids(claimed[2:])), False)
    freed = await world.store.free("worker", 2)
    assert (freed.requeued, freed.dead, freed.left) == ((), (), False)


async def test_what_was_settled_is_not_rescued(world: World) -> None:
    await world.session()
    await world.submit(world.run(), world.run())
    done, open_ = (await world.claim()).runs
    await world.settle(done, State.SUCCESS)
    await world.bury()
    assert (await world.store.free("worker", 10)).requeued == (open_.run.id,)
    assert (await world.ended(done.run.id)).state is State.SUCCESS


async def test_only_who_dies_with_a_run_alone_in_hand_counts_against_it(world: World) -> None:
    await world.session("w0")
    run_id = (await world.started("w0")).run.id
    await world.crash("w0")
    assert (await world.live(run_id)).crashes == 0
    for crashes in (1, 2):
        session = f"w{crashes}"
        await world.session(session)
        assert (await world.claim(session)).manner is Manner.TOGETHER
        await world.crash(session)
        live = await world.live(run_id)
        assert (live.crashes, live.suspect) == (crashes, True)
    await world.session("w3")
    assert (await world.take("w3")).crashes == 2
    await world.bury("w3")
    freed = await world.store.free("w3", 10)
    assert (freed.requeued, freed.dead) == ((), (run_id,))
    (letter,) = await world.store.dead(10)
    assert (letter.run.id, letter.state, letter.reason) == (run_id, State.DEAD, "poison: killed 3 processes")
    assert (letter.attempts, letter.token) == (0, 0)
    assert len(await world.store.attempts(run_id)) == 4


async def test_nobody_is_blamed_who_was_not_alone_in_the_process(world: World) -> None:
    """A suspect beside an ordinary run: either may have done it."""
    await world.session("w0")
    run_id = (await world.started("w0")).run.id
    await world.crash("w0")
    for number in range(1, 6):
        session = f"w{number}"
        await world.session(session)
        assert await world.granted(session) == [run_id]
        other = await world.started(session)
        await world.crash(session)
        live = await world.live(run_id)
        assert (live.crashes, live.suspect, live.together) == (0, True, 1)
        await world.session(f"v{number}")
        assert await world.granted(f"v{number}") == [run_id], "it goes on alone"
        await world.settle(await world.take(f"v{number}"), State.SUCCESS, f"v{number}")
        assert (await world.ended(other.run.id)).state is State.SUCCESS
        await world.store.close_session(f"v{number}", seen_beat=None, reason="stopped")
        await world.rescue(f"v{number}")


async def test_the_last_of_a_party_is_not_blamed_while_another_is_not_settled(world: World) -> None:
    await world.session("first")
    await world.submit(*(world.run() for _ in range(3)))
    await world.claim("first")
    await world.crash("first")
    await world.session()
    one, other = (await world.claim()).runs
    await world.crash()
    assert (await world.live(one.run.id)).crashes == (await world.live(other.run.id)).crashes == 0


async def test_who_is_left_alone_of_a_party_is_blamed(world: World) -> None:
    await world.session("first")
    await world.submit(*(world.run() for _ in range(3)))
    await world.claim("first")
    await world.crash("first")
    await world.session()
    one, other = (await world.claim()).runs
    await world.settle(one, State.SUCCESS)
    await world.bury()
    assert (await world.store.free("worker", 1)).requeued == (other.run.id,)
    assert (await world.live(other.run.id)).crashes == 1


async def test_a_rescue_in_steps_blames_nobody_for_being_the_last(world: World) -> None:
    await world.session("first")
    for _ in range(2):
        await world.started("first")
    await world.crash("first")
    await world.session()
    suspect, other = await world.take(), await world.take()
    assert suspect.together == other.together == 2
    await world.bury()
    while (await world.store.free("worker", 1)).left:
        pass
    assert (await world.live(suspect.run.id)).crashes == (await world.live(other.run.id)).crashes == 0


async def test_a_missed_lease_makes_no_suspects_while_the_process_lives(world: World) -> None:
    """It slept, was stopped or cut off: nothing says that any of its runs did it."""
    await world.session("sleeper")
    run_id = (await world.started("sleeper")).run.id
    await world.lapse("sleeper")
    live = await world.live(run_id)
    assert (live.state, live.suspect, live.crashes) == (State.SCHEDULED, False, 0)
    await world.session()
    batch = await world.claim()
    assert (ids(batch.runs), batch.manner) == ([run_id], Manner.ORDINARY)
    assert batch.runs[0].together > 0, "it has started once, whatever its misfire policy says"


async def test_a_good_bye_makes_no_suspects(world: World) -> None:
    await world.session()
    run_id = (await world.started()).run.id
    await world.store.close_session("worker", seen_beat=None, reason="its process went on as another session")
    await world.rescue("worker")
    assert not (await world.live(run_id)).suspect


async def test_what_is_lost_again_and_again_is_halved_and_never_blamed(world: World) -> None:
    """It may hold its interpreter for longer than a lease: it gets a process to itself, or few neighbours."""
    run_ids = [await world.add() for _ in range(4)]
    for number in range(7):
        await world.session(f"w{number}")
        assert run_ids[0] in await world.granted(f"w{number}")
        await world.lapse(f"w{number}")
    live = await world.live(run_ids[0])
    assert (live.suspect, live.together, live.crashes) == (True, 1, 0)


async def test_a_death_in_a_process_of_its_own_is_a_crash_and_no_attempt(world: World) -> None:
    await world.session("first")
    run_id = (await world.started("first")).run.id
    await world.crash("first")
    await world.session()
    for crashes in (1, 2, 3):
        (claimed,) = (await world.claim(suspects=Manner.APART)).runs
        assert (claimed.attempt, claimed.crashes) == (1, crashes - 1)
        assert await world.settle(claimed, State.FAILED, died=True) is Answer.ACCEPTED
        assert await world.settle(claimed, State.FAILED, died=True) is Answer.ALREADY
        if crashes < 3:
            live = await world.live(run_id)
            assert (live.state, live.suspect, live.crashes, live.attempts) == (State.SCHEDULED, True, crashes, 0)
    ended = await world.ended(run_id)
    assert (ended.state, ended.reason) == (State.DEAD, "poison: killed 3 processes")
    assert len(await world.store.attempts(run_id)) == 4


async def test_who_has_a_process_to_itself_is_not_blamed_for_the_death_of_another(world: World) -> None:
    await world.session("first")
    run_id = (await world.started("first")).run.id
    await world.crash("first")
    for number in range(5):
        await world.session(f"w{number}")
        assert (await world.claim(f"w{number}", suspects=Manner.APART)).manner is Manner.APART
        await world.crash(f"w{number}")
        live = await world.live(run_id)
        assert (live.suspect, live.crashes, live.together) == (True, 0, 2)


async def test_a_closed_session_says_how_it_ended_and_what_it_held(world: World) -> None:
    await world.session("a")
    await world.started("a")
    await world.bury("a")
    await world.session("b")
    await world.miss("b")
    dead, missed = await world.store.sessions(all=True)
    assert (dead.died, dead.held, missed.died, missed.held) == (True, 1, False, 0)


async def test_how_often_a_run_may_kill_is_a_setting(world: World) -> None:
    await world.reopen("strict", crashes_max=1)
    await world.session("a")
    run_id = (await world.started("a")).run.id
    await world.crash("a")
    await world.session("b")
    await world.take("b")
    await world.crash("b")
    assert (await world.ended(run_id)).reason == "poison: killed 1 processes"


async def test_options_that_cannot_be_read_stop_nobodys_rescue(world: World) -> None:
    await world.session()
    newer = await world.started(options=b'{"on_unknown":"a word of a later version"}')
    other = await world.started()
    await world.bury()
    freed = await world.store.free("worker", 10)
    assert freed.requeued == (newer.run.id, other.run.id), "whoever gets the first next refuses it before it begins"


@pytest.mark.parametrize(
    ("on_unknown", "reason"),
    [(OnUnknown.FAIL, "unknown outcome"), (OnUnknown.ASK, "unknown outcome: ask"), (OnUnknown.REPEAT, None)],
)
async def test_a_run_says_what_an_unknown_outcome_means(
    world: World, on_unknown: OnUnknown, reason: str | None
) -> None:
    await world.session()
    options = msgspec.json.encode(Options(on_unknown=on_unknown))
    run_id = (await world.started(options=options)).run.id
    await world.bury()
    freed = await world.store.free("worker", 10)
    if reason is None:
        assert freed.requeued == (run_id,)
    else:
        assert freed.dead == (run_id,)
        assert (await world.ended(run_id)).reason == reason


async def test_what_was_asked_to_stop_does_not_survive_its_process(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.move(claimed.run.id, State.CANCELLED, reason="not needed")
    await world.bury()
    freed = await world.store.free("worker", 10)
    assert (freed.requeued, freed.dead) == ((), ())
    ended = await world.ended(claimed.run.id)
    assert (ended.state, ended.reason) == (State.CANCELLED, "not needed")


async def test_the_dead_cannot_settle_what_was_taken_from_them(world: World) -> None:
    await world.session()
    options = msgspec.json.encode(Options(on_unknown=OnUnknown.FAIL))
    requeued, dead = await world.started(), await world.started(options=options)
    await world.crash()
    assert await world.settle(requeued, State.SUCCESS) is Answer.REFUSED
    assert await world.settle(dead, State.SUCCESS) is Answer.REFUSED
    world.clock.advance(100)
    await world.purge(receipt_seconds=10.0)
    assert await world.settle(requeued, State.SUCCESS) is Answer.REFUSED
    assert await world.settle(dead, State.SUCCESS) is Answer.REFUSED


async def test_a_suspect_that_fails_by_itself_is_none_any_more(world: World) -> None:
    await world.session("first")
    run_id = (await world.started("first")).run.id
    await world.crash("first")
    await world.session()
    await world.settle(await world.take(), State.FAILED)
    live = await world.live(run_id)
    assert (live.suspect, live.together) == (False, 0)
    assert not (await world.claim()).manner


async def test_a_suspect_that_is_given_back_stays_one(world: World) -> None:
    await world.session("first")
    run_id = (await world.started("first")).run.id
    await world.crash("first")
    await world.session()
    await world.settle(await world.take(), State.SCHEDULED, trace=b"")
    assert (await world.live(run_id)).suspect
    assert (await world.claim()).manner is Manner.TOGETHER


async def test_a_rescued_run_keeps_its_permit(world: World) -> None:
    await world.session()
    run_id = await world.add(gate="api")
    await world.move(run_id, State.SCHEDULED, guards=(Below("api", 1),))
    await world.take()
    await world.crash()
    assert await world.store.holders("api") == [run_id]


async def test_listeners_hear_of_what_was_rescued(world: World) -> None:
    await world.session()
    await world.started(queue="gpu")
    await world.bury()
    world.listen()
    await world.store.free("worker", 10)
    hint = await world.hint(HintKind.DUE)
    assert (hint.queue, hint.at) == ("gpu", world.now)
