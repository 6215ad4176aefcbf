"""Code without an event loop submits on its own thread: many at once, over lost connections, each told in our words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from shike import Shike
from shike.errors import Conflict, StoreUnavailable
from shike.runtime import driven
from shike.store.redis import RedisStore, blocking
from tests import servers
from tests.unit.store.redis_world import LOSSY, entry, line_to, namespace, private, server, store_at

__all__ = ["namespace", "server"]

THREADS = 3 * blocking.CONNECTIONS_MAX


@contextmanager
def opened(url: str, namespace: str = "shike", words: str = LOSSY) -> Iterator[RedisStore]:
    """A store that an event loop of the past has opened."""
    store = store_at(url, namespace, words)
    asyncio.run(store.open())
    yield store
    asyncio.run(store.close())


def eligible(store: RedisStore) -> int:
    return asyncio.run(store.counts()).eligible


def test_more_threads_than_connections_all_submit(namespace: str) -> None:
    with opened(servers.url("redis"), namespace) as store, ThreadPoolExecutor(THREADS) as threads:
        together = threading.Barrier(THREADS, timeout=20)

        def submit(number: int) -> bool:
            together.wait()
            return driven(store.submit([entry(number)]))[0].fresh

        assert all(threads.map(submit, range(THREADS)))
        assert eligible(store) == THREADS


def test_what_is_known_already_is_a_conflict_and_the_same_words_again_a_repeat(namespace: str) -> None:
    with opened(servers.url("redis"), namespace) as store:
        driven(store.submit([entry(1)]))
        with pytest.raises(Conflict):
            driven(store.submit([entry(1)]))
        assert driven(store.submit([entry(1), entry(2)], repeat=True))[1].fresh
        assert eligible(store) == 2


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(server: servers.PrivateRedis) -> None:
    with opened(server.url) as store:
        driven(store.submit([entry(1)]))
        line_to(server).ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        driven(store.submit([entry(2)]))
        assert eligible(store) == 2


def test_a_server_that_is_silent_or_gone_is_unavailable_and_one_that_speaks_again_is_used(
    server: servers.PrivateRedis,
) -> None:
    with opened(server.url, words=f"{LOSSY}&timeout_seconds=1") as store:
        driven(store.submit([entry(1)]))
        server.pause()
        with pytest.raises(StoreUnavailable, match="did not answer"):
            driven(store.submit([entry(2)]))
        server.resume()
        assert len(driven(store.submit([entry(2)], repeat=True))) == 1
        server.kill()
        with pytest.raises(StoreUnavailable, match=r"cannot be reached|did not answer"):
            driven(store.submit([entry(3)]))


def test_a_password_and_a_database_are_given(tmp_path: Path) -> None:
    for one in private(tmp_path / "a", "--requirepass", "secret"):
        url = one.url.replace("redis://", "redis://:secret@").removesuffix("/0") + "/3"
        with opened(url) as store:
            assert driven(store.submit([entry(1)]))[0].fresh
            assert eligible(store) == 1


def test_sync_code_submits_while_the_event_loop_of_its_app_is_busy(namespace: str) -> None:
    app = Shike(f"{servers.url('redis')}?{LOSSY}", namespace=namespace)

    @app.task(name="noop")
    async def noop(n: int) -> None: ...

    async def main() -> None:
        await noop.submit(1)
        done = threading.Event()

        def work() -> None:
            noop.submit(2)
            done.set()

        threading.Thread(target=work).start()
        assert done.wait(20)  # on the loop itself: nothing else runs there meanwhile
        await app.client.close()

    asyncio.run(main())
