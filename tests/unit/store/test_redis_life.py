"""A server that came back without the store is noticed at the next step, by whoever takes it; nothing of the lost store
goes into the new one. By the same word a store that is being moved refuses what its phase does not allow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shike.errors import StoreLost, StoreUnavailable
from shike.model import State
from shike.store.redis import RedisStore
from shike.store.redis.scripts import READS, scripts
from shike.store.verbs import Ack, Beat, Move
from tests import servers
from tests.contract.namespaces import Line, cluster_url, drop_cluster
from tests.unit.store.redis_world import LOSSY, claim, entry, line_to, namespace, private, server, session, store_at

__all__ = ["namespace", "server"]

STEPS: dict[str, Callable[[RedisStore], Awaitable[object]]] = {
    "beat": lambda store: store.beat(Beat(session="w", number=9, lease_seconds=60.0, received=0, holds=())),
    "open_session": lambda store: store.open_session(session("other")),
    "close_session": lambda store: store.close_session("w", seen_beat=None, reason="bye"),
    "submit": lambda store: store.submit([entry(7)]),
    "claim": lambda store: store.claim(claim(2)),
    "settle": lambda store: store.settle("w", [Ack(run_id=entry(1).run.id, token=1, state=State.SUCCESS)]),
    "move": lambda store: store.move([Move(run_id=entry(1).run.id, version=0, to=State.CANCELLED)]),
    "put": lambda store: store.put("queue/a", b"paused", expect=None),
    "find": lambda store: store.find(entry(1).run.id),
    "counts": lambda store: store.counts(),
}


async def at_work(url: str) -> RedisStore:
    store = store_at(url)
    await store.open()
    await store.open_session(session())
    await store.submit([entry(1), entry(2)])
    await store.claim(claim(1, 1))
    return store


@pytest.mark.parametrize("verb", STEPS)
def test_after_all_was_dropped_no_step_goes_on_as_if_nothing_were(server: servers.PrivateRedis, verb: str) -> None:
    async def main() -> None:
        store = await at_work(server.url)
        line = line_to(server)
        line.ask("FLUSHALL")
        with pytest.raises(StoreLost, match="came back without what this store held"):
            await STEPS[verb](store)
        assert line.ask("DBSIZE") == 0, "nothing is half made"
        line.close()
        await store.close()

    asyncio.run(main())


def test_a_store_that_was_made_in_its_place_is_another_one(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = await at_work(server.url)
        line = line_to(server)
        line.ask("FLUSHALL")
        line.close()
        new = store_at(server.url)
        await new.open()
        for step in STEPS.values():
            with pytest.raises(StoreLost):
                await step(store)
        assert await new.sessions(all=True) == [] and (await new.counts()).by_queue == {}
        await store.close()
        await new.close()

    asyncio.run(main())


def test_a_server_that_restarts_without_its_files_is_noticed(tmp_path: Path) -> None:
    async def main(server: servers.PrivateRedis) -> None:
        store = await at_work(server.url)
        server.kill()
        server.start()
        with pytest.raises(StoreLost):
            while True:
                try:
                    await STEPS["beat"](store)
                except StoreUnavailable:  # on connections to the old server
                    continue
        await store.close()

    for one in private(tmp_path / "a", "--appendonly", "no"):
        asyncio.run(asyncio.wait_for(main(one), 30))


def test_a_cluster_whose_node_lost_its_part_is_noticed_there_and_by_whoever_opens_it() -> None:
    async def main() -> None:
        drop_cluster()
        store = RedisStore(f"{cluster_url()}?{LOSSY}")
        await store.open()
        await store.submit([entry(number, bucket=number) for number in range(64)])
        _, home = (await store._near())[0]
        hosts = cluster_url().removeprefix("redis+cluster://").strip("/").split(",")
        line = Line(f"redis://{next(host for host in hosts if not host.endswith(str(home)))}/0")
        line.ask("FLUSHALL")
        line.close()
        lost = 0
        for number in range(64):
            try:
                await store.submit([entry(100 + number, bucket=number)])
            except StoreLost:
                lost += 1
        assert 0 < lost < 64
        with pytest.raises(StoreLost, match=f"{lost} of 64 buckets of this store are gone"):
            await RedisStore(f"{cluster_url()}?{LOSSY}").open()
        await store.close()
        drop_cluster()

    asyncio.run(main())


def test_what_an_opener_left_half_made_the_next_one_completes(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, virtual_buckets=64)
        await store.open()
        line = line_to(server)
        line.ask("HDEL", "{shike:0}:format", "is_made")
        line.ask("DEL", *[f"{{shike:{bucket}}}:life" for bucket in range(9, 64)])
        line.close()
        other = store_at(server.url)
        await other.open()
        for one in (store, other):
            assert (await one.submit([entry(one is store, bucket=40)]))[0].fresh
            await one.close()

    asyncio.run(main())


UNREFUSED = frozenset(
    {"close_books", "copy", "enliven", "load_over", "load_permits", "load_runs", "prepare", "restrict"}  # make stores
    | {"counts", "due", "now", "routed", "schedules"}  # put what is near into lanes on the way, or read
    | {"note_held", "purge_sessions", "settle"}  # have nothing to do where nothing is leased, or come behind others
)


@pytest.mark.parametrize("name", sorted(set(scripts()) - READS - UNREFUSED))
def test_each_script_that_changes_something_asks_which_phase_a_move_is_in(name: str) -> None:
    assert re.search(r"^if .*\brefuses\(", scripts()[name].text.decode(), re.MULTILINE)
