"""Which buckets a node takes for its own, and when it stops to believe so (two clocks, one verb)."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock

import pytest

from shike.bounds import BUCKET_LEASE_SECONDS
from shike.errors import Conflict, StoreUnavailable
from shike.scheduler.buckets import HAND_OVER_SECONDS, Buckets
from shike.scheduler.decision import DECISIONS, Decision, packed
from shike.session import Member
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Division
from tests.unit.worker.world import WatchedStore, World, run

COUNT = 64
LOWS = (0, 16, 32, 48)


class Node:
    """A member and its buckets, nothing else of a node."""

    def __init__(self, world: World, name: str) -> None:
        self.member = Member(world.store, world.runtime, kind="node", name=name)
        self.changes = 0
        self.buckets = Buckets(world.store, self.member, world.clock, self._changed)
        world.store.listen(self.buckets.hinted)

    def _changed(self) -> None:
        self.changes += 1

    async def start(self) -> None:
        await self.member.join()
        self.role = asyncio.create_task(self.buckets.run())

    @property
    def share(self) -> set[int]:
        return {at for one in self.buckets.in_hand() for at in range(one.low, one.high + 1)}


async def nodes(world: World, *names: str) -> list[Node]:
    """That many on one store, after they have shared."""
    world.store = WatchedStore(world.clock, virtual_buckets=COUNT)
    decision = Decision(number=1, at=0, lows=LOWS, reason="as many as two nodes need", nodes=2)
    await world.store.put(f"{DECISIONS}{1:09}", packed(decision), expect=0)
    made = [Node(world, name) for name in names]
    for one in made:
        await one.start()
    await asyncio.sleep(15)
    return made


def test_alone_a_node_has_everything_and_two_have_halves_that_do_not_overlap() -> None:
    async def story(world: World) -> None:
        (first,) = await nodes(world, "a")
        assert first.share == set(range(COUNT)) and len(first.buckets.owned) == len(LOWS)
        second = Node(world, "b")
        await second.start()
        await asyncio.sleep(15)
        assert not first.share & second.share
        assert first.share | second.share == set(range(COUNT))
        assert len(first.share) == len(second.share) == COUNT // 2

    run(story)


def test_a_node_that_hears_nothing_of_its_beats_takes_nothing_for_its_own() -> None:
    async def story(world: World) -> None:
        (one,) = await nodes(world, "a")
        world.store.down = True
        await asyncio.sleep(2 * BUCKET_LEASE_SECONDS + 2)
        assert one.buckets.in_hand() == [] and one.buckets.holder_of(0) is None
        assert one.buckets.is_unsure_of(0), "it may be ours again: no word of it is to be lost"
        world.store.down = False
        await asyncio.sleep(5)
        assert one.share == set(range(COUNT)) and not one.buckets.is_unsure_of(0)

    run(story)


def test_a_refused_epoch_is_looked_up_at_once() -> None:
    async def story(world: World) -> None:
        (one,) = await nodes(world, "a")
        bucket, me = one.buckets.holder_of(0), one.member.identity
        assert bucket is not None
        old, new = (bucket.low, bucket.epoch), (bucket.low, bucket.high)
        await world.store.divide(Division(session=me, owner=me, old=(old,), new=(new,)))
        one.buckets.doubt()
        assert one.buckets.in_hand() == []
        await asyncio.sleep(0.1)
        found = one.buckets.holder_of(0)
        assert found is not None and found.epoch > bucket.epoch

    run(story)


def test_a_node_that_stops_leaves_its_share_to_the_others_before_it_is_gone() -> None:
    async def story(world: World) -> None:
        first, second = await nodes(world, "a", "b")
        first.role.cancel()
        await first.buckets.hand_over()
        owners = {bucket.owner for bucket in await world.store.buckets()}
        assert first.share == set() and owners == {second.member.identity}
        await first.member.leave()
        await asyncio.sleep(1)
        assert second.share == set(range(COUNT))

    run(story)


def test_a_node_that_cannot_hand_over_stops_all_the_same() -> None:
    async def story(world: World) -> None:
        first, _ = await nodes(world, "a", "b")
        began = world.clock.monotonic()
        first.role.cancel()
        world.store.buckets = asyncio.Event().wait  # type: ignore[method-assign,assignment]
        await first.buckets.hand_over()
        assert world.clock.monotonic() - began <= HAND_OVER_SECONDS
        assert first.share == set()

    run(story)


def test_a_session_that_was_lost_owns_nothing_from_that_instant() -> None:
    async def story(world: World) -> None:
        (one,) = await nodes(world, "a")
        before = one.changes
        for lost in one.member.on_lost:
            lost("closed by another")
        assert one.buckets.in_hand() == [] and one.changes == before + 1

    run(story)


def test_who_joins_is_noticed_by_its_hint_and_our_own_is_no_news() -> None:
    async def story(world: World) -> None:
        (one,) = await nodes(world, "a")
        one.buckets._look.clear()
        one.buckets.hinted(Hint(HintKind.SESSION, name=one.member.identity))
        assert not one.buckets._look.is_set()
        one.buckets.hinted(Hint(HintKind.SESSION, name="another"))
        assert one.buckets._look.is_set()

    run(story)


def test_what_is_read_is_believed_in_the_same_instant() -> None:
    """Else a node that slept past its lease would believe again in what others took, until it had given its gifts."""

    async def story(world: World) -> None:
        first, second = await nodes(world, "a", "b")
        first.role.cancel()
        lost = first.buckets.in_hand()[0]
        old, new = (lost.low, lost.epoch), (lost.low, lost.high)
        me, other = first.member.identity, second.member.identity
        await world.store.divide(Division(session=me, owner=other, old=(old,), new=(new,)))
        await first.buckets._read_buckets()
        assert lost.low not in first.share and first.share

    run(story)


def test_a_gift_that_nobody_answered_does_nothing_when_it_arrives_late() -> None:
    """P6: the bucket reads as ours, and the gift is still on its way: it is ours again by a new epoch only."""

    async def story(world: World) -> None:
        first, second = await nodes(world, "a", "b")
        for one in (first, second):
            one.role.cancel()
        given = first.buckets.in_hand()[0]
        gift = Division(
            session=first.member.identity, owner=second.member.identity,
            old=((given.low, given.epoch),), new=((given.low, given.high),),
        )  # fmt: skip
        divide, lost = world.store.divide, StoreUnavailable("no answer")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(world.store, "divide", AsyncMock(side_effect=lost))
            with pytest.raises(StoreUnavailable):
                await first.buckets._divide(gift)
            await first.buckets._read_buckets()
            assert given.low not in first.share, "it may be another's by the next instant"
        await first.buckets._round()
        assert given.low in first.share
        with pytest.raises(Conflict):
            await divide(gift)
        assert given.low in first.share and not first.share & second.share

    run(story)
