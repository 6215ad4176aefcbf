"""Buckets have one owner at a time, under an epoch that only grows (P6); splitting and merging loses none."""

from __future__ import annotations

import pytest

from shike.errors import BadInput, BadSetting, Conflict, SessionClosed, StaleEpoch
from shike.model import Bucket
from tests.contract.world import World

LAST = 63


async def wide(world: World) -> World:
    """A store of 64 virtual buckets, all of them a's, and b beside it."""
    await world.reopen("wide", virtual_buckets=LAST + 1)
    await world.session("a")
    await world.session("b")
    await world.own("a")
    return world


async def test_a_new_store_has_one_bucket_that_nobody_owns(world: World) -> None:
    assert await world.store.buckets() == [Bucket(low=0, high=0, owner="", epoch=0)]
    await world.reopen("wide", virtual_buckets=64)
    assert await world.store.buckets() == [Bucket(low=0, high=63, owner="", epoch=0)]
    assert world.store.virtual_buckets == 64


async def test_a_store_has_as_many_virtual_buckets_as_stores_have(world: World) -> None:
    with pytest.raises(BadSetting):
        await world.reopen("odd", virtual_buckets=7)
    await world.reopen("even")


# ---------------------------------------------------------------- taking


async def test_who_takes_a_bucket_begins_an_epoch(world: World) -> None:
    await world.session("a")
    buckets = await world.own("a")
    assert buckets == [Bucket(low=0, high=0, owner="a", epoch=1)]
    assert await world.store.buckets() == buckets


async def test_a_repeat_is_told_what_became_of_the_first(world: World) -> None:
    await world.session("a")
    seen = await world.store.buckets()
    first = await world.divide("a", seen, [(0, 0)])
    assert await world.divide("a", seen, [(0, 0)]) == first
    assert await world.store.buckets() == first


async def test_what_an_open_session_owns_is_not_anothers(world: World) -> None:
    await world.session("a")
    await world.session("b")
    owned = await world.own("a")
    with pytest.raises(Conflict):
        await world.own("b")
    assert await world.store.buckets() == owned


async def test_a_stale_epoch_takes_nothing(world: World) -> None:
    await world.session("a")
    before = await world.store.buckets()
    await world.own("a")
    await world.store.close_session("a", seen_beat=None, reason="stopped")
    await world.session("b")
    with pytest.raises(Conflict):
        await world.divide("b", before, [(0, 0)])


async def test_the_bucket_of_a_closed_session_is_free_under_a_higher_epoch(world: World) -> None:
    await world.session("a")
    await world.own("a")
    await world.store.close_session("a", seen_beat=None, reason="stopped")
    await world.session("b")
    assert await world.own("b") == [Bucket(low=0, high=0, owner="b", epoch=2)]


async def test_a_rescue_takes_the_owner_away_and_leaves_the_epoch(world: World) -> None:
    await world.session("a")
    await world.own("a")
    await world.crash("a")
    assert await world.store.buckets() == [Bucket(low=0, high=0, owner="", epoch=1)]


async def test_a_closed_session_owns_nothing_new(world: World) -> None:
    await world.session("a")
    await world.store.close_session("a", seen_beat=None, reason="stopped")
    with pytest.raises(SessionClosed):
        await world.own("a")
    with pytest.raises(SessionClosed):
        await world.own("a stranger")


async def test_the_bucket_of_a_silent_session_is_free_as_long_as_it_is_silent(world: World) -> None:
    """No clock of the store says so: whoever takes it has listened for a bucket's lease on its own."""
    await world.session("a")
    await world.session("b")
    owned = await world.own("a")
    await world.beat("a", number=1)
    with pytest.raises(Conflict):
        await world.divide("b", owned, [(0, 0)], silent=(("a", 0),))  # it has beaten since
    with pytest.raises(Conflict):
        await world.divide("b", owned, [(0, 0)], silent=(("b", 0),))  # of another it says nothing
    assert await world.divide("b", owned, [(0, 0)], silent=(("a", 1),)) == [Bucket(low=0, high=0, owner="b", epoch=2)]
    assert (await world.beat("a", number=2)).now  # its session, and its leases, live on


# ---------------------------------------------------------------- giving


async def test_an_owner_gives_a_bucket_to_another(world: World) -> None:
    await wide(world)
    given = await world.divide("a", await world.store.buckets(), [(0, LAST)], owner="b")
    assert given == [Bucket(low=0, high=LAST, owner="b", epoch=2)] == await world.store.buckets()


async def test_an_owner_gives_a_bucket_back_to_nobody(world: World) -> None:
    await wide(world)
    await world.divide("a", await world.store.buckets(), [(0, LAST)], owner="")
    assert await world.own("b") == [Bucket(low=0, high=LAST, owner="b", epoch=3)]


async def test_nothing_is_given_to_a_closed_session(world: World) -> None:
    await wide(world)
    seen = await world.store.buckets()
    await world.store.close_session("b", seen_beat=None, reason="stopped")
    for gone in ("b", "a stranger"):
        with pytest.raises(Conflict):
            await world.divide("a", seen, [(0, LAST)], owner=gone)
    assert await world.store.buckets() == seen


# ---------------------------------------------------------------- splitting and merging


async def test_a_split_covers_the_same_virtual_buckets_under_a_higher_epoch(world: World) -> None:
    await wide(world)
    parts = await world.divide("a", await world.store.buckets(), [(0, 31), (32, 40), (41, LAST)])
    assert parts == [Bucket(low=low, high=high, owner="a", epoch=2) for low, high in [(0, 31), (32, 40), (41, LAST)]]
    assert await world.store.buckets() == parts


async def test_a_merge_is_above_all_epochs_that_go_into_it(world: World) -> None:
    await wide(world)
    left, right = await world.divide("a", await world.store.buckets(), [(0, 31), (32, LAST)])
    (right,) = await world.divide("a", [right], [(32, LAST)])
    assert (left.epoch, right.epoch) == (2, 3)
    merged = await world.divide("a", [left, right], [(0, LAST)])
    assert merged == [Bucket(low=0, high=LAST, owner="a", epoch=4)] == await world.store.buckets()


async def test_a_split_and_a_merge_may_be_repeated(world: World) -> None:
    await wide(world)
    whole = await world.store.buckets()
    halves = await world.divide("a", whole, [(0, 31), (32, LAST)])
    assert await world.divide("a", whole, [(0, 31), (32, LAST)]) == halves
    merged = await world.divide("a", halves, [(0, LAST)])
    assert await world.divide("a", halves, [(0, LAST)]) == merged


async def test_all_64_come_apart_and_together_again(world: World) -> None:
    await wide(world)
    singles = await world.divide("a", await world.store.buckets(), [(at, at) for at in range(LAST + 1)])
    assert len(singles) == LAST + 1
    assert await world.store.buckets() == singles
    assert await world.divide("a", singles, [(0, LAST)]) == [Bucket(low=0, high=LAST, owner="a", epoch=3)]


async def test_what_is_anothers_cannot_be_merged_away(world: World) -> None:
    await wide(world)
    left, right = await world.divide("a", await world.store.buckets(), [(0, 31), (32, LAST)])
    await world.divide("a", [right], [(32, LAST)], owner="b")
    seen = await world.store.buckets()
    with pytest.raises(Conflict):
        await world.divide("a", seen, [(0, LAST)])
    assert await world.store.buckets() == seen
    assert left in seen


async def test_a_range_that_is_no_bucket_cannot_be_divided(world: World) -> None:
    await wide(world)
    whole = await world.store.buckets()
    for part in [(0, 5)], [(0, 5), (6, 40)]:
        with pytest.raises(Conflict):
            await world.divide("a", whole, part)
    await world.divide("a", whole, [(0, 31), (32, LAST)])
    with pytest.raises(Conflict):
        await world.divide("a", [Bucket(low=0, high=LAST, epoch=2)], [(0, LAST)])  # it is two by now


@pytest.mark.parametrize(
    "new",
    [
        [],
        [(0, 31)],
        [(0, 30), (32, LAST)],
        [(0, 32), (32, LAST)],
        [(32, LAST), (0, 31)],
        [(0, LAST + 1)],
        [(-1, LAST)],
        [(1, LAST)],
        [(0, 40), (41, 31), (32, LAST)],
    ],
    ids=str,
)
async def test_ranges_that_lose_or_double_a_virtual_bucket_are_refused(
    world: World, new: list[tuple[int, int]]
) -> None:
    await wide(world)
    whole = await world.store.buckets()
    with pytest.raises((BadInput, Conflict)):
        await world.divide("a", whole, new)
    assert await world.store.buckets() == whole


async def test_who_was_split_away_plans_no_more_under_the_old_epoch(world: World) -> None:
    await wide(world)
    schedule = await world.schedule()
    (whole,) = await world.store.buckets()
    await world.divide("a", [whole], [(0, 31), (32, LAST)])
    for virtual_bucket in (0, 31, 32, LAST):
        with pytest.raises(StaleEpoch):
            await world.plan(schedule, world.moment(schedule, 60), bucket=virtual_bucket, epoch=whole.epoch)
    for virtual_bucket in (31, LAST):
        moment = world.moment(schedule, 60 + virtual_bucket, ordinal=virtual_bucket)
        assert await world.plan(schedule, moment, bucket=virtual_bucket, epoch=whole.epoch + 1)


async def test_a_split_moves_no_run(world: World) -> None:
    await wide(world)
    instants = {at: world.after(10 + at) for at in (0, 31, 32, LAST)}
    for at, due_at in instants.items():
        await world.add(bucket=at, due_at=due_at)
    await world.divide("a", await world.store.buckets(), [(0, 31), (32, LAST)])
    for low, high in [(0, 31), (32, LAST)]:
        due = await world.store.due(low, high, 0, world.after(100), 10)
        assert [at for at, _ in due] == [instants[low], instants[high]]
