"""The copy that an export reads: of one instant where it is small, a bucket after the other where it is not, and gone
when it is not needed any more."""

from __future__ import annotations

import asyncio

import pytest

from shike.errors import BadInput, StoreError
from shike.store.records import Kind
from shike.store.redis import copied
from tests import servers
from tests.unit.store.redis_world import entry, line_to, server, store_at

__all__ = ["server"]


def copies_on(server: servers.PrivateRedis) -> int:
    line = line_to(server)
    try:
        return len(line.ask("KEYS", "*copy~*"))
    finally:
        line.close()


def test_a_copy_is_made_in_one_step_and_dropped(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, virtual_buckets=64)
        await store.open()
        await store.submit([entry(number, bucket=number % 64) for number in range(200)])
        async with store.snapshot() as reader:
            assert reader.words == "one instant of the store"
            assert copies_on(server) > 64
            await store.submit([entry(1000)])
            assert len(await reader.read(Kind.RUNS, (), 1000)) == 200
        assert copies_on(server) == 0
        await store.close()

    asyncio.run(main())


def test_a_large_store_is_copied_a_bucket_at_a_time_and_the_file_says_so(
    server: servers.PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        store = store_at(server.url, virtual_buckets=64)
        await store.open()
        await store.submit([entry(number, bucket=number % 64) for number in range(200)])
        monkeypatch.setattr(copied, "STEP_BYTES_MAX", 4_000)
        async with store.snapshot() as reader:
            assert reader.words == "one instant of each virtual bucket"
            assert len(await reader.read(Kind.RUNS, (), 1000)) == 200
        await store.submit([entry(1000 + number) for number in range(100)])
        with pytest.raises(BadInput, match="would hold the server"):
            async with store.snapshot():
                pass
        assert copies_on(server) == 0, "also of what was copied before the bucket that is too large"
        await store.close()

    asyncio.run(main())


def test_a_server_without_room_for_a_copy_is_told_apart(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url)
        await store.open()
        await store.submit([entry(number, args=b"x" * 10_000) for number in range(300)])
        line = line_to(server)
        used = dict(row.split(":", 1) for row in line.ask("INFO", "memory").decode().split() if ":" in row)
        line.ask("CONFIG", "SET", "maxmemory", int(used["used_memory"]) + 1_000_000)
        with pytest.raises(BadInput, match="left of its maxmemory"):
            async with store.snapshot():
                pass
        assert (await store.submit([entry(1000)]))[0].fresh, "and work goes on"
        line.close()
        await store.close()

    asyncio.run(main())


def test_a_copy_that_is_gone_is_no_short_store(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url)
        await store.open()
        await store.submit([entry(number) for number in range(20)])
        line = line_to(server)
        with pytest.raises(StoreError, match="the copy that was read is gone"):
            async with store.snapshot() as reader:
                line.ask("DEL", *line.ask("KEYS", "*copy~*"))
                await reader.read(Kind.RUNS, (), 1000)
        line.close()
        await store.close()

    asyncio.run(main())


def test_a_copy_whose_reader_died_is_dropped_by_the_server(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url)
        await store.open()
        await store.submit([entry(1)])
        line = line_to(server)
        async with store.snapshot():
            lives = [line.ask("PTTL", key) for key in line.ask("KEYS", "*copy~*")]
            assert lives and all(0 < left <= copied.COPY_MILLIS for left in lives)
        line.close()
        await store.close()

    asyncio.run(main())
