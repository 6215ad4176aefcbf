"""Buckets have one owner at a time, under an epoch that only grows (P6)."""

from __future__ import annotations

import pytest

from shike.errors import BadSetting, Conflict, SessionClosed
from shike.model import Bucket
from tests.contract.world import World


async def test_a_new_store_has_one_bucket_that_nobody_owns(world: World) -> None:
    assert await world.store.buckets() == [Bucket(low=0, high=0, owner="", epoch=0)]
    await world.reopen("wide", virtual_buckets=64)
    assert await world.store.buckets() == [Bucket(low=0, high=63, owner="", epoch=0)]
    assert world.store.virtual_buckets == 64


async def test_a_store_has_as_many_virtual_buckets_as_stores_have(world: World) -> None:
    with pytest.raises(BadSetting):
        await world.reopen("odd", virtual_buckets=7)
    await world.reopen("even")


async def test_who_takes_a_bucket_begins_an_epoch(world: World) -> None:
    await world.session("a")
    bucket = await world.store.own("a", 0, 0, 0)
    assert bucket == Bucket(low=0, high=0, owner="a", epoch=1)
    assert await world.store.buckets() == [bucket]


async def test_the_owner_keeps_its_epoch(world: World) -> None:
    await world.session("a")
    first = await world.store.own("a", 0, 0, 0)
    assert await world.store.own("a", 0, 0, 1) == first
    assert await world.store.own("a", 0, 0, 0) == first  # a repeat of what it said before


async def test_what_an_open_session_owns_is_not_anothers(world: World) -> None:
    await world.session("a")
    await world.session("b")
    await world.store.own("a", 0, 0, 0)
    with pytest.raises(Conflict):
        await world.store.own("b", 0, 0, 1)


async def test_a_stale_epoch_takes_nothing(world: World) -> None:
    await world.session("a")
    await world.store.own("a", 0, 0, 0)
    await world.store.close_session("a", seen_beat=None, reason="stopped")
    await world.session("b")
    with pytest.raises(Conflict):
        await world.store.own("b", 0, 0, 0)


async def test_the_bucket_of_a_closed_session_is_free_under_a_higher_epoch(world: World) -> None:
    await world.session("a")
    await world.store.own("a", 0, 0, 0)
    await world.store.close_session("a", seen_beat=None, reason="stopped")
    await world.session("b")
    assert await world.store.own("b", 0, 0, 1) == Bucket(low=0, high=0, owner="b", epoch=2)


async def test_a_rescue_takes_the_owner_away_and_leaves_the_epoch(world: World) -> None:
    await world.session("a")
    await world.store.own("a", 0, 0, 0)
    await world.crash("a")
    assert await world.store.buckets() == [Bucket(low=0, high=0, owner="", epoch=1)]


async def test_a_range_that_is_no_bucket_cannot_be_owned(world: World) -> None:
    await world.session("a")
    with pytest.raises(Conflict):
        await world.store.own("a", 0, 5, 0)


async def test_a_closed_session_owns_nothing_new(world: World) -> None:
    await world.session("a")
    await world.store.close_session("a", seen_beat=None, reason="stopped")
    with pytest.raises(SessionClosed):
        await world.store.own("a", 0, 0, 0)
