"""The history of a Redis store goes to its archive, and whoever reads finds all of it, wherever it is by now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from shike.errors import BadInput, BadSetting, StoreError, StoreFrozen, StoreMoved
from shike.model import State
from shike.operate.doctor import Level, _archive
from shike.store.base import RunFilter
from shike.store.portable import Marker, Phase
from shike.store.redis import RedisStore, keeping
from shike.store.redis.archive import begin_or_end
from shike.store.sqlite import SQLiteStore
from shike.store.verbs import Retention
from shike.transfer.archive import Archive
from shike.transfer.files import export_store, import_store
from tests import servers
from tests.contract import databases
from tests.contract.namespaces import EmptyCluster, EmptyRedis
from tests.contract.stores import BESIDE, Maker
from tests.contract.test_machine import PHASES, WIDE, Words, shrink_for_seconds
from tests.contract.test_portable import late, the_move
from tests.contract.world import World
from tests.unit.store.redis_world import private

__all__ = ["shrink_for_seconds"]

AT_ONCE = Retention(success_seconds=0.0, dead_seconds=1e9, receipt_seconds=1e9, session_seconds=1e9, rows_max=1_000_000)


async def carried(store: RedisStore, limit: int = 100) -> int:
    count = 0
    while more := await store.carry(0, store.virtual_buckets - 1, limit):
        count += more
    return count


async def forgotten(store: RedisStore) -> None:
    """Drop what may be dropped in Redis, as it is after a day."""
    await keeping.purge(await store._ready(), AT_ONCE)


class Carriers(Words):
    """Random verbs; the history is carried, and dropped in Redis, at random instants."""

    kinds = ("memory", "redis-archive")

    @rule(limit=st.integers(1, 5))
    def carry(self, limit: int) -> None:
        self.twins._loop.run_until_complete(self.store.carry(0, WIDE - 1, limit))

    @rule()
    def forget(self) -> None:
        self.twins.clock.advance(0.001)
        self.twins._loop.run_until_complete(forgotten(self.store))

    @property
    def store(self) -> RedisStore:
        store = self.twins.stores[1]
        assert isinstance(store, RedisStore)
        return store


def test_with_an_archive_everything_is_found_as_if_it_had_stayed() -> None:
    run_state_machine_as_test(
        Carriers,
        settings=settings(
            stateful_step_count=40, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck)
        ),
    )


# -------------------------------------------------------------------- step by step


@pytest.fixture
def make_store() -> Maker:
    return BESIDE["redis-archive"]


def redis_of(world: World) -> RedisStore:
    assert isinstance(world.store, RedisStore)
    return world.store


async def end_some(world: World, count: int) -> list[int]:
    """So many runs that succeeded, each after an attempt that failed."""
    if "worker" not in world.numbers:
        await world.session()
    ended = []
    for _ in range(count):
        claimed = await world.started()
        await world.settle(claimed, State.FAILED)
        await world.settle(await world.take(), State.SUCCESS, result=b"42")
        ended.append(claimed.run.id)
    return ended


async def seen(world: World, run_ids: list[int]) -> list[Any]:
    store = world.store
    found: list[Any] = [await store.find(run_id) for run_id in run_ids]
    found += [await store.attempts(run_id) for run_id in run_ids]
    return [*found, await store.runs(RunFilter(limit=100)), await store.runs(RunFilter(states=(State.SUCCESS,)))]


async def in_redis(store: RedisStore) -> int:
    base = await store._ready()
    return sum([await base.server.command(base.tag(at), b"HLEN", base.tag(at) + b":over") for at in base.every])


async def test_what_was_carried_is_dropped_and_still_found(world: World) -> None:
    store = redis_of(world)
    run_ids = await end_some(world, 5)
    live = await world.add()
    before = await seen(world, [*run_ids, live])
    assert await carried(store, 2) == 5
    world.clock.advance(1)
    await forgotten(store)
    assert await in_redis(store) == 0
    assert await seen(world, [*run_ids, live]) == before
    assert [row.run.id for row in await store.runs(RunFilter(limit=2, before=run_ids[4]))] == run_ids[3:1:-1]


async def test_what_was_not_carried_is_not_dropped(world: World) -> None:
    store = redis_of(world)
    await end_some(world, 3)
    world.clock.advance(1)
    await forgotten(store)
    assert await in_redis(store) == 3
    assert await store.carry(0, 0, 2) == 2
    await forgotten(store)
    assert await in_redis(store) == 1
    state = await store.carried()
    assert (state.left, state.lost, state.wrong) == (1, 0, "")


async def test_carriers_that_are_cut_off_or_two_at_once_carry_each_record_once(world: World) -> None:
    store = redis_of(world)
    other = BESIDE["redis-archive"](world.folder, world.clock)
    await other.open()
    assert isinstance(other, RedisStore)
    run_ids = await end_some(world, 12)
    base, at = await store._ready(), (await store._ready()).at

    async def cut_off(bucket: int, name: str, *words: Any) -> Any:
        if name == "carry" and words[0] == "done":
            raise StoreError("the process is dead")
        return await at(bucket, name, *words)

    class Dying:
        every = base.every
        at = staticmethod(cut_off)

    assert store._archive is not None
    with pytest.raises(StoreError, match="is dead"):
        await store._archive.carry(Dying(), [0], 7)  # type: ignore[arg-type]
    assert (await store.carried()).left == 12
    assert sum(await asyncio.gather(carried(store, 5), carried(other, 4))) == 12
    archive = await store._archive.store()
    assert sorted(row.run.id for row in await archive.runs(RunFilter(limit=100))) == run_ids
    assert [len(await archive.attempts(run_id)) for run_id in run_ids] == [
        len(await store.attempts(run_id)) for run_id in run_ids
    ]
    await other.close()


async def test_retention_holds_in_the_archive(world: World) -> None:
    store = redis_of(world)
    run_ids = await end_some(world, 3)
    await carried(store)
    world.clock.advance(9 * 24 * 3600)
    await world.purge(success_seconds=7 * 24 * 3600.0)
    assert [await store.find(run_id) for run_id in run_ids] == [None] * 3


async def test_over_the_bound_history_waits_for_its_archive_and_at_last_is_lost_and_told(world: World) -> None:
    where = quote(f"sqlite:///{world.folder / 'none' / 'archive.db'}", safe="")
    await world.close()
    world.store = EmptyRedis(world.folder, world.clock, words=f"&history_runs=10&history_url={where}")
    world.numbers.clear()
    await world.store.open()
    store = redis_of(world)
    run_ids = await end_some(world, 20)
    assert await in_redis(store) == 20, "twice as much as there would be without an archive"
    state = await store.carried()
    assert (state.left, state.lost) == (20, 0) and "none" in state.wrong
    assert {one.level for one in await _archive(store, world.now)} == {Level.BAD}
    run_ids += await end_some(world, 5)
    state = await store.carried()
    assert state.lost > 0 and state.left + state.lost == 25
    assert "never got there" in " ".join(one.words for one in await _archive(store, world.now))
    with pytest.raises(StoreError):
        await store.find(run_ids[0])
    assert len(await store.runs(RunFilter(limit=100))) == state.left, "what there is is listed all the same"
    (world.folder / "none").mkdir()
    assert await carried(store) == state.left
    assert (await store.carried()).left == 0


async def test_a_store_in_use_and_that_of_another_are_no_archives(world: World) -> None:
    await end_some(world, 1)
    await carried(redis_of(world))
    assert redis_of(world)._archive is not None
    namespace = redis_of(world)._archive._namespace
    used = SQLiteStore(f"sqlite:///{world.folder / 'used.db'}", clock=world.clock, namespace=namespace)
    await used.open()
    await used.open_session(late())
    await used.close()
    for server in private(world.folder / "server"):
        for file, said in (("archive.db", "keeps the history of another store"), ("used.db", "is a store in use")):
            plain = RedisStore(server.url, clock=world.clock, namespace=namespace)
            await plain.open()  # it is made before it has an archive: a new one takes over what there is
            await plain.close()
            where = quote(f"sqlite:///{world.folder / file}", safe="")
            store = RedisStore(f"{server.url}?history_url={where}", clock=world.clock, namespace=namespace)
            await store.open()
            with pytest.raises(BadSetting, match=said):
                await store.carry(0, 0, 1)
            assert said in (await store.carried()).wrong
            await store.close()


async def test_a_new_store_elsewhere_takes_no_archive_away_from_one_that_lives(world: World) -> None:
    """Two servers, one namespace, one history_url: the newer waits for a word, the older goes on (P1)."""
    (run_id,) = await end_some(world, 1)
    await carried(redis_of(world))
    archive = redis_of(world)._archive
    assert archive is not None
    where = quote(archive._url, safe="")
    for server in private(world.folder / "server"):

        def newer(words: str = "", url: str = server.url) -> RedisStore:
            return RedisStore(f"{url}?history_url={where}{words}", clock=world.clock, namespace=archive._namespace)

        for _ in range(2):  # the half that was made is no way around
            with pytest.raises(BadSetting, match=r"keeps the history of a store \(on .*accept=archive in the URL"):
                await newer().open()
        again = BESIDE["redis-archive"](world.folder, world.clock)
        assert isinstance(again, RedisStore)
        await again.open()
        assert ((await again.carried()).wrong, await carried(again)) == ("", 0)
        await again.close()
        resolute = newer("&accept=archive")
        await resolute.open()
        assert await resolute.find(run_id) is not None
        await resolute.close()
        modest = newer()  # accepted once: it is this one's now
        await modest.open()
        assert (await modest.carried()).wrong == ""
        await modest.close()


async def test_a_store_is_known_by_each_name_of_its_server(world: World) -> None:
    """Made anew under another name of the same place, it is no stranger."""
    store = redis_of(world)
    await end_some(world, 1)
    archive = store._archive
    assert archive is not None
    archive._here = frozenset({"redis.internal:6379/0"})
    await carried(store)
    for here, adopted in (("redis.internal:6379/0", True), ("10.0.0.7:6379/0", False)):
        archive._here = frozenset({here})
        if adopted:
            await archive.adopt("another life")
        else:
            with pytest.raises(BadSetting, match="which this new one is not"):
                await archive.adopt("a third life")


async def test_a_store_that_has_an_archive_takes_no_second_one_until_it_is_given_up(world: World) -> None:
    """Half of the history in each would be none: what is dropped here is looked for in one of them."""
    (run_id,) = await end_some(world, 1)
    await carried(redis_of(world))
    again = BESIDE["redis-archive"](world.folder, world.clock)
    other = BESIDE["redis-archive"](world.folder, world.clock)
    assert isinstance(again, RedisStore) and isinstance(other, RedisStore) and other._archive is not None
    other._archive._url = f"sqlite:///{world.folder / 'other.db'}"
    for store in (again, other):
        await store.open()
    assert (await again.carried()).wrong == ""
    with pytest.raises(BadSetting, match="carried to another archive"):
        await other.carry(0, 0, 1)
    assert "carried to another archive" in (await other.carried()).wrong
    await begin_or_end(await other._ready(), begins=False)
    await begin_or_end(await other._ready(), begins=True)
    assert await carried(other) == 1
    assert await other.find(run_id) is not None
    for store in (again, other):
        await store.close()


@pytest.mark.parametrize("url", ["memory://", "redis://other/0", "history.db"])
def test_what_cannot_be_an_archive_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadSetting, match="is no archive: name a SQLite file, PostgreSQL or MariaDB"):
        RedisStore(f"redis://127.0.0.1/0?history_url={quote(url, safe='')}")


async def test_a_store_made_anew_takes_its_archive_over_and_gives_no_id_twice(world: World) -> None:
    store = redis_of(world)
    await world.session("first")
    number = (await world.session()).number
    world.last_id = number << 28  # ids as a session of that number makes them
    (run_id,) = await end_some(world, 1)
    await carried(store)
    base = await store._ready()
    for key in await base.server.command(base.tag(0), b"KEYS", base.tag(0) + b"*"):
        await base.server.command(base.tag(0), b"DEL", key)
    again = BESIDE["redis-archive"](world.folder, world.clock)
    await again.open()
    assert (await again.open_session(late())).number > number
    assert await again.find(run_id) is not None
    await again.close()


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
async def test_a_server_keeps_an_archive_as_well(world: World, kind: str, archive_url: str) -> None:
    await world.close()
    cluster = EmptyCluster(world.folder, world.clock, words=f"&history_url={quote(archive_url, safe='')}")
    world.store = cluster
    await cluster.open()
    run_ids = await end_some(world, 5)
    before = await seen(world, run_ids)
    assert await carried(cluster, 2) == 5
    world.clock.advance(1)
    await forgotten(cluster)
    assert await in_redis(cluster) == 0
    assert await seen(world, run_ids) == before


@pytest.fixture
def archive_url(kind: str) -> Iterator[str]:
    where, name = servers.url(kind), f"shike_archive_{os.getpid()}"
    if kind == "mysql":
        asyncio.run(databases.execute(where, f"create database {name}"))
        yield databases.within(where, name)
        asyncio.run(databases.execute(where, f"drop database {name}"))
        return

    async def execute(script: str) -> None:
        connection = await asyncpg.connect(where)
        await connection.execute(script)
        await connection.close()

    asyncio.run(execute(f"create schema {name}"))
    yield f"{where}?search_path={name}"
    asyncio.run(execute(f"drop schema {name} cascade"))


async def half_carried(world: World) -> list[Any]:
    """Some of the history is in the archive alone, some in both, some in Redis alone."""
    store = redis_of(world)
    run_ids = await end_some(world, 3)
    await carried(store)
    world.clock.advance(1)
    await forgotten(store)
    run_ids += await end_some(world, 3)
    await carried(store)
    run_ids += [*await end_some(world, 3), await world.add()]
    world.clock.advance(3600)
    await store.close_session("worker", seen_beat=None, reason="over")
    return run_ids


async def test_a_store_is_moved_with_what_is_in_its_archive(world: World) -> None:
    run_ids = await half_carried(world)
    before = await seen(world, run_ids)
    target = SQLiteStore(f"sqlite:///{world.folder / 'new.db'}", clock=world.clock)
    await target.open()
    await the_move(redis_of(world), target).run()  # type: ignore[arg-type]
    with pytest.raises(StoreMoved):
        await world.add()
    await world.store.close()
    world.store = target
    assert await seen(world, run_ids) == before


async def test_an_export_has_what_is_in_the_archive(world: World) -> None:
    run_ids = await half_carried(world)
    before, file = await seen(world, run_ids), world.folder / "all.shike"
    await export_store(redis_of(world), file, identity="7")
    target = SQLiteStore(f"sqlite:///{world.folder / 'new.db'}", clock=world.clock)
    await target.open()
    await import_store(Archive(file), target)
    await world.store.close()
    world.store = target
    assert await seen(world, run_ids) == before


async def test_while_a_move_is_under_way_nothing_is_carried(world: World) -> None:
    store = redis_of(world)
    await end_some(world, 1)
    await store.restrict(Marker(phase=Phase.COPYING, id="1", peer="sqlite:///new.db"))
    with pytest.raises(StoreFrozen):
        await carried(store)
    await store.restrict(None)
    assert await carried(store) == 1


async def test_whoever_carries_everything_away_has_to_name_the_archive(world: World) -> None:
    await half_carried(world)
    namespace = redis_of(world)._archive._namespace  # type: ignore[union-attr]
    where = f"{servers.url('redis')}?accept=no-aof,eviction"
    careless = RedisStore(where, clock=world.clock, namespace=namespace)
    await careless.open()
    with pytest.raises(BadInput, match="name it"):
        await export_store(careless, world.folder / "half.shike", identity="7")
    await careless.close()
    resolute = RedisStore(f"{where}&history_url=", clock=world.clock, namespace=namespace)
    await resolute.open()
    await export_store(resolute, world.folder / "half.shike", identity="7")
    await forgotten(resolute)
    assert await in_redis(resolute) == 0, "nothing waits for an archive that was given up"
    await resolute.close()
