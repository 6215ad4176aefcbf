"""64 virtual buckets, on one server and on a cluster of three, where what one does in a step takes several (R0.17)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from shike.errors import BadStoreURL, Conflict, SessionClosed, StoreUnavailable, UnsafeStore
from shike.ids import virtual_bucket
from shike.model import RECORD_VERSION, Ended, Manner, Run, Schedule, State
from shike.store.guards import Absent, Entry
from shike.store.redis import RedisStore
from shike.store.redis.cluster import slot_of
from shike.store.verbs import Ack, Beat, Plan, PlannedMoment, Retention
from tests import bounded, servers
from tests.contract.namespaces import Line, cluster_url, drop
from tests.contract.slots import Mover
from tests.unit.store.redis_world import LOSSY, claim, entry, session

BUCKETS = 64
_names = iter(range(10_000))


@pytest.fixture(params=["cluster", "one server"])
def where(request: pytest.FixtureRequest) -> str:
    return cluster_url() if request.param == "cluster" else servers.url("redis")


@asynccontextmanager
async def many(where: str) -> AsyncIterator[RedisStore]:
    """A store of many buckets, under a name of its own."""
    name = f"many_{os.getpid()}_{next(_names)}"
    store = RedisStore(f"{where}?{LOSSY}", namespace=name, virtual_buckets=BUCKETS)
    await store.open()
    assert store.virtual_buckets == BUCKETS
    try:
        yield store
    finally:
        await store.close()
        if not where.startswith("redis+cluster"):
            drop(where, name + ":")


def spread(count: int) -> list[Entry]:
    return [entry(number, bucket=number % BUCKETS) for number in range(count)]


async def drain(store: RedisStore, first: int = 1) -> list[int]:
    """Claim and settle all there is; the ids."""
    done: list[int] = []
    for number in range(first, 10_000):
        batch = await store.claim(claim(number, 50))
        if not batch.runs:
            return done
        answers = await store.settle("w", [Ack(one.run.id, one.token, State.SUCCESS) for one in batch.runs])
        assert {answer.name for answer in answers} == {"ACCEPTED"}
        done += [one.run.id for one in batch.runs]
    raise AssertionError("there is no end of it")


def test_slots_are_those_of_the_server() -> None:
    line = Line(cluster_url().replace("redis+cluster", "redis").split(",")[0])
    for tag in (b"{shike:0}", b"{shike:63}", b"{a:7}"):
        assert slot_of(tag) == line.ask("CLUSTER", "KEYSLOT", tag + b":run")


def test_a_submission_over_all_buckets_is_stored_and_drained_once(where: str) -> None:
    async def main() -> None:
        async with many(where) as store:
            entries = spread(200)
            assert [one.fresh for one in await store.submit(entries)] == [True] * 200
            with pytest.raises(Conflict):
                await store.submit(entries[:3])
            assert all(one.fresh for one in await store.submit(entries, repeat=True))
            assert (await store.counts()).eligible == 200
            await store.open_session(session())
            assert sorted(await drain(store)) == [one.run.id for one in entries]
            assert (await store.counts()).ended == {"SUCCESS": 200}

    bounded.run(main())


def test_a_repeated_claim_finds_its_batch_where_it_was_granted(where: str) -> None:
    async def main() -> None:
        async with many(where) as store:
            await store.submit(spread(64))
            await store.open_session(session())
            first = await store.claim(claim(1, 5))
            again = await store.claim(claim(1, 5))
            assert first.runs
            assert again.runs == first.runs
            assert await store.held("w") == len({one.token for one in first.runs})

    bounded.run(main())


def test_a_closed_session_is_closed_in_each_bucket_and_gives_all_back(where: str) -> None:
    async def main() -> None:
        async with many(where) as store:
            await store.submit(spread(30))
            await store.open_session(session())
            granted = [one for number in range(1, 6) for one in (await store.claim(claim(number, 1))).runs]
            assert len(granted) == 5
            assert await store.close_session("w", seen_beat=None, reason="stopped")
            with pytest.raises(SessionClosed):
                await store.claim(claim(9))
            (answer,) = await store.settle("w", [Ack(granted[0].run.id, granted[0].token, State.SUCCESS)])
            assert answer.name == "REFUSED"
            (left,) = await store.left_over()
            assert (left.held, left.died) == (5, False)
            freed = await store.free("w", 3)
            assert freed.left
            freed = await store.free("w", 3)
            assert not freed.left
            assert (await store.counts()).eligible == 30
            assert await store.left_over() == []

    bounded.run(main())


def test_a_beat_reaches_the_buckets_where_something_is_held(where: str) -> None:
    async def main() -> None:
        async with many(where) as store:
            await store.submit(spread(2))
            await store.open_session(session())
            kept, lost = [(await store.claim(claim(number, 1))).runs[0] for number in (1, 2)]
            reply = await store.beat(
                Beat(session="w", number=1, lease_seconds=60.0, received=2, holds=(kept.token,),
                     progress=((kept.run.id, kept.token, b"half"),))
            )  # fmt: skip
            assert reply.eligible == ("default",)
            found = await store.live(kept.run.id)
            assert found is not None
            assert (found.state, found.progress) == (State.RUNNING, b"half")
            found = await store.live(lost.run.id)
            assert found is not None
            assert found.state is State.SCHEDULED

    bounded.run(main())


def test_a_paused_queue_is_paused_in_every_bucket(where: str) -> None:
    async def main() -> None:
        async with many(where) as store:
            await store.submit(spread(64))
            await store.open_session(session())
            await store.put("queue/default", b"paused", expect=None)
            assert (await store.claim(claim(1, 5))).runs == []
            await store.put("queue/default", None, expect=None)
            assert (await store.claim(claim(1, 5))).runs

    bounded.run(main())


def test_a_schedule_and_its_runs_live_in_one_bucket(where: str) -> None:
    async def main() -> None:
        async with many(where) as store:
            name = "daily/report"
            planned = await store.put_schedule(Schedule(name=name, task="mail", trigger=b"t"), expect=0, plan_at=1)
            now = await store.now()
            (bucket,) = await store.buckets()
            home = virtual_bucket(name, BUCKETS)
            run = Run(RECORD_VERSION, (9 << 40) | home, "mail", schedule=name, moment=now, due_at=now, ordinal=1)
            step = {"version": 1, "to": now, "ordinal": 1, "plan_at": now + 1, "bucket": bucket.low, "epoch": 0}
            step |= {"cursor": planned.cursor, "plan_at_seen": planned.plan_at}
            plan = Plan(schedule=name, moments=(PlannedMoment(now, 1, now, Entry(run)),), **step)  # type: ignore[arg-type]
            assert await store.plan(plan)
            assert not await store.plan(plan)
            await store.open_session(session())
            assert await drain(store) == [run.id]
            assert isinstance(await store.find(run.id), Ended)
            (row,) = await store.timetable(name, 0, now + 1)
            assert row.run_id == run.id
            assert (await store.control_schedule(name, delete=True)).deleted

    bounded.run(main())


def test_keys_and_suspects_work_in_their_bucket(where: str) -> None:
    async def main() -> None:
        async with many(where) as store:
            home = virtual_bucket("invoice", BUCKETS)
            first, second = (
                Entry(
                    Run(RECORD_VERSION, (number << 40) | home, "mail", key="invoice"), guards=(Absent("invoice", 60),)
                )
                for number in (1, 2)
            )
            (stored,), (refused,) = await store.submit([first]), await store.submit([second])
            assert (stored.fresh, refused.fresh, refused.run_id) == (True, False, first.run.id)
            await store.open_session(session("dead"))
            assert (await store.claim(claim(1, 1, "dead"))).runs
            await store.close_session("dead", seen_beat=None, reason="gone")
            while (await store.free("dead", 10)).left:
                pass
            await store.open_session(session())
            assert (await store.claim(claim(1, 1))).manner is Manner.ORDINARY
            keep = Retention(success_seconds=0, dead_seconds=0, receipt_seconds=0, session_seconds=0, rows_max=1000)
            await store.purge(keep)

    bounded.run(main())


def test_a_cluster_is_found_by_any_one_of_its_nodes_and_nobody_else() -> None:
    async def main() -> None:
        hosts = cluster_url().removeprefix("redis+cluster://").rstrip("/").split(",")
        for host in hosts:
            store = RedisStore(f"redis+cluster://127.0.0.1:1,{host}/?{LOSSY}", namespace=f"c{next(_names)}")
            await store.open()
            await store.submit(spread(10))
            await store.close()
        with pytest.raises(StoreUnavailable, match="no node"):
            await RedisStore("redis+cluster://127.0.0.1:1/").open()

    bounded.run(main())


def test_who_names_a_node_as_a_single_server_is_told_how_to_name_the_cluster() -> None:
    async def main() -> None:
        host = cluster_url().removeprefix("redis+cluster://").split(",")[0]
        with pytest.raises(BadStoreURL, match=r"redis\+cluster://"):
            await RedisStore(f"redis://{host}/0?{LOSSY}").open()

    bounded.run(main())


def test_who_names_a_single_server_as_a_cluster_is_told_how_to_name_it() -> None:
    host = urlsplit(servers.url("redis")).netloc
    with pytest.raises(BadStoreURL, match=rf"write redis://{host}/0"):
        bounded.run(RedisStore(f"redis+cluster://{host}/").open())


def test_every_node_that_has_buckets_is_asked_what_it_may_lose() -> None:
    """Not only the one with the home bucket (P8)."""
    *_, last = cluster_url().removeprefix("redis+cluster://").rstrip("/").split(",")
    line = Line(f"redis://{last}/0")

    async def main() -> None:
        with pytest.raises(UnsafeStore, match=rf"on {last} it drops keys .*accept=eviction,no-aof"):
            await RedisStore(f"{cluster_url()}?accept=no-aof", namespace=f"c{next(_names)}").open()
        store = RedisStore(f"{cluster_url()}?accept=no-aof,eviction", namespace=f"c{next(_names)}")
        await store.open()
        assert any(last in warning for warning in store.warnings())
        assert any("and 2 more" in warning for warning in store.warnings())
        await store.close()

    line.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        bounded.run(main())
    finally:
        line.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        line.close()


def test_a_bucket_whose_slot_is_moving_waits_and_is_never_seen_by_halves() -> None:
    """A script that was sent after its keys would find none, and begin again at one."""

    async def main() -> None:
        hosts = cluster_url().removeprefix("redis+cluster://").rstrip("/").split(",")
        async with many(cluster_url()) as store:
            await store.submit(spread(BUCKETS))
            await store.open_session(session())
            mover = Mover([f"redis://{host}" for host in hosts])
            mover.begin(slot_of(f"{{{store.namespace}:3}}".encode()))
            late = [entry(500, bucket=3)]
            with pytest.raises(StoreUnavailable, match="handing this bucket over"):
                await store.submit(late)
            await store.submit([entry(501, bucket=4)])
            assert mover.at_target() == []
            mover.end()
            assert [one.fresh for one in await store.submit(late)] == [True]
            assert len(await drain(store)) == BUCKETS + 2

    bounded.run(main())
