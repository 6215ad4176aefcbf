"""A process in the store: it beats, it notices its own death, it joins again as somebody else."""

from __future__ import annotations

import asyncio

import pytest

from shike.errors import SessionClosed
from shike.model import SessionState
from shike.scheduler.peers import load_of
from shike.session import Holdings, Member, bucket_lease
from shike.store.hints import Hint, HintKind
from shike.store.verbs import BeatReply, Retention
from shike.testing.harness import START, LoopClock
from tests.unit.worker.world import WatchedStore, World, run

LEASE_SECONDS = 10.0


def member_of(world: World, lease_seconds: float = LEASE_SECONDS) -> Member:
    return Member(world.store, world.runtime, kind="worker", name="m", lease_seconds=lease_seconds)


class Told:
    """What a member told its roles."""

    def __init__(self, member: Member) -> None:
        self.lost: list[str] = []
        self.joined: list[str] = []
        self.replies: list[BeatReply] = []
        member.on_lost.append(self.lost.append)
        member.on_joined.append(lambda: self.joined.append(member.identity))
        member.on_reply.append(self.replies.append)


def test_a_member_beats_once_a_second_and_its_lease_is_renewed() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)
        session = await member.join()
        await asyncio.sleep(60.5)
        assert len(told.replies) == 60
        (known,) = await world.store.sessions()
        assert (known.id, known.beat) == (session.id, 60)
        assert member.valid() and member.identity == session.id

    run(story)


def test_a_lease_shorter_than_a_few_beats_is_renewed_in_time() -> None:
    async def story(world: World) -> None:
        member = member_of(world, 0.6)
        told = Told(member)
        await member.join()
        await asyncio.sleep(30)
        assert told.lost == [] and member.valid()

    run(story)


def test_what_is_held_and_reported_goes_with_each_beat() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        holdings: Holdings = (0, (), ())
        asked = []
        member.holdings = lambda: (asked.append(world.loop.time()), holdings)[1]  # type: ignore[func-returns-value]
        await member.join()
        await asyncio.sleep(3.5)
        assert asked == [1.0, 2.0, 3.0]

    run(story)


def test_a_lease_counts_from_before_the_beat_was_sent() -> None:
    """ARCHITECTURE 5.3: a slow answer must not lengthen it, or two would hold it at once."""

    async def story(world: World) -> None:
        member = member_of(world)
        await member.join()
        world.store.slow_seconds = 3.0
        await asyncio.sleep(4.5)  # the beat of second 1 came back at second 4
        world.store.down = True
        await asyncio.sleep(6.4)
        assert member.valid(), "second 10.9"
        await asyncio.sleep(0.2)
        assert not member.valid(), "second 11.1"

    run(story)


def test_no_beat_tells_of_less_time_than_the_member_counts_on_already() -> None:
    """P6: the store was slow, so that a beat told of a long time; the next one is quick, and its answer may be lost. By
    what it told, others take the buckets; by the one before, the member would still believe that they are its own."""

    async def story(world: World) -> None:
        member = member_of(world)
        await member.join()
        world.store.slow_seconds = 1.5
        await asyncio.sleep(
            5.5
        )  # the beat of second 3.5 came back at 5.0, and told of as much as so slow a store takes
        world.store.slow_seconds = 0.0
        await asyncio.sleep(1.0)  # that of second 6 told the same, and came back at once
        looked_at = world.runtime.clock.boot()
        assert member.owning(looked_at)
        world.store.deaf = True
        await asyncio.sleep(0.6)  # that of second 7 was heard, and nobody heard the answer
        (known,) = await world.store.sessions()
        told = max(load_of(known).bucket_lease_seconds, bucket_lease(LEASE_SECONDS))
        world.store.down = True
        await asyncio.sleep(told - 0.09)
        assert not member.owning(looked_at)

    run(story)


def test_a_join_that_was_slow_counts_from_before_it_was_asked() -> None:
    async def story(world: World) -> None:
        member = member_of(world)

        begin = world.loop.time()
        world.store.slow_seconds = 9.5
        await member.join()
        assert member.valid()
        await asyncio.sleep(0.6)
        assert not member.valid() and world.loop.time() - begin < 10.2

    run(story)


def test_who_cannot_renew_in_time_drops_everything_and_joins_as_somebody_else() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)
        first = await member.join()
        world.store.down = True
        await asyncio.sleep(10.9)
        assert len(told.lost) == 1 and not member.valid()
        world.store.down = False
        await asyncio.sleep(2)
        assert told.joined == [member.identity] and member.identity != first.id
        states = {known.id: known.state for known in await world.store.sessions(all=True)}
        assert states == {first.id: SessionState.CLOSED, member.identity: SessionState.OPEN}
        await asyncio.sleep(30)
        assert len(told.lost) == 1 and member.valid()

    run(story)


def test_a_session_that_was_closed_by_a_rescuer_is_over_with_the_next_beat() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)
        first = await member.join()
        await world.store.close_session(first.id, seen_beat=None, reason="somebody thought it dead")
        await asyncio.sleep(1.1)
        assert len(told.lost) == 1 and "somebody thought it dead" in told.lost[0]
        assert member.identity != first.id
        ids = member.ids
        assert ids is not None and ids.next(0) >> 36 > first.number

    run(story)


def test_between_two_lives_there_is_no_identity() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        seen = []

        def look(reason: str) -> None:
            with pytest.raises(SessionClosed):
                member.identity
            seen.append(member.valid())

        member.on_lost.append(look)
        first = await member.join()
        await world.store.close_session(first.id, seen_beat=None, reason="dead")
        await asyncio.sleep(1.1)
        assert seen == [False]

    run(story)


def test_who_slept_past_its_lease_is_not_valid_until_a_beat_says_so() -> None:
    """The beat, not the clock, says whether anybody missed it."""

    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)
        first = await member.join()
        await asyncio.sleep(0.5)
        world.loop.pass_(60.0)  # as SIGSTOP, or a lid that was closed
        assert not member.valid()
        await asyncio.sleep(1.1)
        assert member.valid() and member.identity == first.id and told.lost == []

    run(story)


def test_who_slept_until_it_was_forgotten_joins_again() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        first = await member.join()
        await asyncio.sleep(0.5)
        await world.store.close_session(first.id, seen_beat=None, reason="dead")
        await world.store.free(first.id, 10)
        nothing = Retention(success_seconds=0, dead_seconds=0, receipt_seconds=0, session_seconds=0, rows_max=100)
        world.loop.pass_(3 * 24 * 3600.0)
        while await world.store.purge(nothing):
            pass
        assert await world.store.sessions(all=True) == []
        await asyncio.sleep(5)
        assert member.valid() and member.identity != first.id

    run(story)


def test_a_beat_that_hangs_does_not_outlast_the_lease() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)
        await member.join()
        await asyncio.sleep(5.5)
        world.store.slow_seconds = 3_600.0
        await asyncio.sleep(9.6)
        assert len(told.lost) == 1, "the lease of the beat of second 5 is over in second 15"

    run(story)


def test_a_fault_of_what_is_reported_does_not_end_the_beats() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)

        def broken() -> Holdings:
            raise ArithmeticError("a fault of the worker's")

        await member.join()
        member.holdings, sound = broken, member.holdings
        await asyncio.sleep(3.5)
        member.holdings = sound
        await asyncio.sleep(30)
        assert told.lost == [] and member.valid()

    run(story)


def test_who_leaves_is_closed_and_beats_no_more() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)
        session = await member.join()
        await member.leave("enough")
        await asyncio.sleep(60)
        (known,) = await world.store.sessions(all=True)
        assert (known.id, known.state, known.reason) == (session.id, SessionState.CLOSED, "enough")
        assert told.replies == [] and told.lost == []

    run(story)


def test_who_leaves_while_it_joins_again_does_not_come_back() -> None:
    async def story(world: World) -> None:
        member = member_of(world)
        told = Told(member)
        await member.join()
        world.store.down = True
        await asyncio.sleep(11)
        assert told.lost

        world.store.down = False
        world.store.slow_seconds = 3.0
        await member.leave()
        await asyncio.sleep(30)
        assert told.joined == [] and member.session is None

    run(story)


def test_others_hear_that_somebody_joined() -> None:
    async def story(world: World) -> None:
        heard: list[Hint] = []
        world.store.listen(heard.append)
        session = await member_of(world).join()
        await asyncio.sleep(0)
        assert Hint(HintKind.SESSION, name=session.id) in heard

    run(story)


@pytest.mark.parametrize("minutes_ahead", [-90, 0, 90])
def test_the_stores_clock_is_known_whatever_our_own_shows(minutes_ahead: int) -> None:
    async def story(world: World) -> None:
        theirs = LoopClock(world.loop, START + minutes_ahead * 60_000_000)
        world.store = WatchedStore(theirs)
        member = member_of(world)
        await member.join()
        for _ in range(3):
            await asyncio.sleep(7.3)
            assert abs(member.store_now() - theirs.wall()) < 1_000
        theirs.leap(3_600_000_000)
        await asyncio.sleep(1.1)
        assert abs(member.store_now() - theirs.wall()) < 1_000, "and what is set there is known with the next beat"

    run(story)
