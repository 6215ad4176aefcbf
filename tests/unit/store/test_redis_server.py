"""Servers that are slow, killed, unsafe, or not ours: each is said in an error of ours, and nothing is half made."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from shike.errors import (
    AccessDenied,
    BadSetting,
    BadStoreURL,
    Conflict,
    ForeignStore,
    StoreError,
    StoreUnavailable,
    UnsafeStore,
)
from shike.model import Ended, State
from shike.store.hints import Hint, HintKind
from shike.store.redis import RedisStore
from shike.store.verbs import Ack, Answer
from tests import bounded, servers
from tests.news import commits
from tests.unit.store.redis_world import (
    LOSSY,
    claim,
    entry,
    line_to,
    namespace,
    private,
    server,
    session,
    store_at,
)

__all__ = ["namespace", "server"]


# ---------------------------------------------------------------- what a server may lose (P8)


def test_a_server_without_an_append_only_file_is_refused_unless_that_is_accepted(tmp_path: Path) -> None:
    async def main(where: str) -> None:
        with pytest.raises(UnsafeStore, match="appendonly yes") as caught:
            await store_at(where, words="").open()
        assert caught.value.accept == "no-aof"
        assert "?accept=no-aof" in str(caught.value)
        store = store_at(where, words="accept=no-aof")
        await store.open()
        (warning,) = store.warnings()
        assert "crash" in warning
        await store.close()

    for one in private(tmp_path / "a", "--appendonly", "no"):
        bounded.run(main(one.url))


def test_a_server_that_evicts_is_refused_unless_that_is_accepted(tmp_path: Path) -> None:
    async def main(where: str) -> None:
        with pytest.raises(UnsafeStore, match="allkeys-lru"):
            await store_at(where, words="").open()
        store = store_at(where, words="accept=eviction")
        await store.open()
        await store.close()

    for one in private(tmp_path / "a", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"):
        bounded.run(main(one.url))


def test_a_server_that_never_forces_its_file_is_refused_unless_that_is_accepted(tmp_path: Path) -> None:
    async def main(where: str) -> None:
        with pytest.raises(UnsafeStore, match="no-fsync"):
            await store_at(where, words="").open()

    for one in private(tmp_path / "a", "--appendfsync", "no"):
        bounded.run(main(one.url))


def test_a_server_that_does_not_force_its_file_while_it_rewrites_it_is_refused_unless_accepted(tmp_path: Path) -> None:
    async def main(where: str) -> None:
        with pytest.raises(UnsafeStore, match="no-appendfsync-on-rewrite no"):
            await store_at(where, words="").open()
        store = store_at(where, words="accept=no-fsync")
        await store.open()
        await store.close()

    for one in private(tmp_path / "a", "--no-appendfsync-on-rewrite", "yes"):
        bounded.run(main(one.url))


def test_a_safe_server_is_taken_without_a_word(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, words="")
        await store.open()
        assert store.warnings() == []
        await store.close()

    bounded.run(main())


# ---------------------------------------------------------------- who is not ours, or does not let us in


def test_nobody_answers() -> None:
    async def main() -> None:
        with pytest.raises(StoreUnavailable, match="is it running"):
            await store_at(f"redis://127.0.0.1:{servers.free_port()}/").open()

    bounded.run(main())


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    async def main(where: str) -> None:
        for url in (where, where.replace("redis://", "redis://:wrong@")):
            with pytest.raises(AccessDenied, match="password"):
                await store_at(url).open()
        store = store_at(where.replace("redis://", "redis://:secret@"))
        await store.open()
        await store.close()

    for one in private(tmp_path / "a", "--requirepass", "secret"):
        bounded.run(main(one.url))


def test_a_user_who_may_not_is_told(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        line_to(server).ask("ACL", "SETUSER", "ann", "on", ">pw", "~*", "&*", "+@read", "+info", "+select")
        with pytest.raises(AccessDenied, match="does not allow"):
            await store_at(server.url.replace("redis://", "redis://ann:pw@")).open()

    bounded.run(main())


def test_a_replica_is_refused_with_its_primarys_name(tmp_path: Path, server: servers.PrivateRedis) -> None:
    async def main(where: str) -> None:
        with pytest.raises(BadStoreURL, match=f"name its primary, 127.0.0.1:{server.port}"):
            await store_at(where).open()

    for one in private(tmp_path / "a", "--replicaof", "127.0.0.1", str(server.port)):
        bounded.run(main(one.url))


def test_a_key_of_another_program_is_left_alone(namespace: str) -> None:
    async def main() -> None:
        from tests.contract.namespaces import Line

        line = Line(servers.url("redis"))
        line.ask("SET", f"{{{namespace}:0}}:format", "theirs")
        with pytest.raises(ForeignStore, match="another namespace"):
            await store_at(servers.url("redis"), namespace).open()
        assert line.ask("GET", f"{{{namespace}:0}}:format") == b"theirs"
        line.ask("DEL", f"{{{namespace}:0}}:format")
        line.ask("HSET", f"{{{namespace}:0}}:format", "colour", "red")
        with pytest.raises(ForeignStore):
            await store_at(servers.url("redis"), namespace).open()
        line.close()

    bounded.run(main())


def test_a_store_of_a_later_format_is_refused(namespace: str) -> None:
    async def main() -> None:
        from tests.contract.namespaces import Line

        store = store_at(servers.url("redis"), namespace)
        await store.open()
        await store.close()
        line = Line(servers.url("redis"))
        line.ask("HSET", f"{{{namespace}:0}}:format", "format", 99)
        with pytest.raises(ForeignStore, match="upgrade shike"):
            await store_at(servers.url("redis"), namespace).open()
        line.close()

    bounded.run(main())


def test_what_a_store_was_made_with_stands(namespace: str) -> None:
    async def main() -> None:
        first = store_at(servers.url("redis"), namespace, virtual_buckets=64)
        await first.open()
        with pytest.raises(BadSetting, match="virtual_buckets=64"):
            await store_at(servers.url("redis"), namespace, virtual_buckets=1).open()
        second = store_at(servers.url("redis"), namespace)
        await second.open()
        assert second.virtual_buckets == 64
        await first.close()
        await second.close()

    bounded.run(main())


def test_a_store_that_is_not_open_says_so() -> None:
    with pytest.raises(StoreError, match="open"):
        bounded.run(store_at("redis://127.0.0.1/").now())


# ---------------------------------------------------------------- servers that fail


def test_an_answer_that_is_lost_is_found_by_the_same_words_again(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, words="timeout_seconds=0.5")
        await store.open()
        await store.submit([entry(1)])
        server.pause()
        lost = asyncio.ensure_future(store.submit([entry(2)]))
        with pytest.raises(StoreUnavailable, match="repeat"):
            await lost
        server.resume()
        (answer,) = await store.submit([entry(2)], repeat=True)
        assert answer.fresh
        with pytest.raises(Conflict):
            await store.submit([entry(2)])
        assert (await store.counts()).eligible == 2
        await store.close()

    bounded.run(main())


def test_a_server_that_was_killed_comes_back_with_what_it_flushed(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, words="")
        await store.open()
        first = await store.open_session(session())
        await store.submit([entry(number) for number in range(10)])
        (claimed, *rest) = (await store.claim(claim(1))).runs
        await store.settle("w", [Ack(claimed.run.id, claimed.token, State.SUCCESS, result=b"1")])
        await asyncio.sleep(1.2)  # flushed every second
        server.kill()
        with pytest.raises(StoreUnavailable):
            await store.now()
        server.start()
        await answers(store)
        assert isinstance(await store.find(claimed.run.id), Ended)
        assert await store.settle("w", [Ack(one.run.id, one.token, State.SUCCESS) for one in rest]) == [
            Answer.ACCEPTED
        ] * len(rest)
        later = await store.open_session(session("later"))
        assert later.number > first.number + 100, "numbers that were given in lost seconds are not given again"
        await store.close()

    bounded.run(main())


async def answers(store: RedisStore) -> None:
    """The server has read its file again."""
    async with asyncio.timeout(servers.START_SECONDS):
        while True:
            with suppress(StoreUnavailable):
                await store.now()
                return
            await asyncio.sleep(servers.LOOK_SECONDS)


def test_scripts_that_the_server_forgot_are_sent_again(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, words="")
        await store.open()
        await store.submit([entry(1)])
        line_to(server).ask("SCRIPT", "FLUSH")
        await store.submit([entry(2)])
        assert (await store.counts()).eligible == 2
        await store.close()

    bounded.run(main())


def test_a_write_that_too_few_replicas_have_is_not_called_done(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, words="wait=1&wait_ms=20")
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.open()

    bounded.run(main())


def test_a_write_that_a_replica_has_is_done(tmp_path: Path) -> None:
    async def main(where: str) -> None:
        store = store_at(where, words="wait=1&wait_ms=5000")
        await store.open()
        await store.submit([entry(1)])
        assert (await store.counts()).eligible == 1
        await store.close()

    for primary in private(tmp_path / "a", "--repl-diskless-sync-delay", "0"):
        for _ in private(tmp_path / "b", "--replicaof", "127.0.0.1", str(primary.port)):
            bounded.run(main(primary.url))


def test_a_full_server_says_so_and_has_written_nothing(tmp_path: Path) -> None:
    from shike.errors import StoreFull

    async def main(where: str) -> None:
        store = store_at(where, words="")
        await store.open()
        stored = 0
        with pytest.raises(StoreFull, match="room"):
            for number in range(10_000):
                await store.submit([entry(number, args=b"x" * 60_000)])
                stored += 1
        assert (await store.counts()).eligible == stored
        await store.close()

    for one in private(tmp_path / "a", "--maxmemory", "20mb"):
        bounded.run(main(one.url))


# ---------------------------------------------------------------- loops, threads, forks


def test_one_store_serves_one_event_loop_after_the_other_and_several_at_once(namespace: str) -> None:
    store = store_at(servers.url("redis"), namespace)
    bounded.run(store.open())
    for number in range(3):
        bounded.run(store.submit([entry(number)]))
    threads = [
        threading.Thread(target=lambda number=number: bounded.run(store.submit([entry(number)])))
        for number in range(10, 14)
    ]
    for thread in threads:
        thread.start()
    bounded.joined(*threads)
    assert bounded.run(store.counts()).eligible == 7
    bounded.run(store.close())


def test_concurrent_submits_share_a_call(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, words="")
        await store.open()
        await store.submit([entry(0)])
        line = line_to(server)
        before = _calls(line.ask("INFO", "commandstats"))
        await asyncio.gather(*[store.submit([entry(number)]) for number in range(1, 201)])
        assert _calls(line.ask("INFO", "commandstats")) - before <= 3
        assert (await store.counts()).eligible == 201
        await store.close()

    bounded.run(main())


def _calls(info: bytes) -> int:
    lines = [line for line in info.decode().splitlines() if line.startswith("cmdstat_evalsha:")]
    return int(lines[0].split("calls=")[1].split(",")[0])


def test_hints_reach_other_stores_and_not_those_who_told_them_twice(namespace: str) -> None:
    async def main() -> None:
        one, other = (store_at(servers.url("redis"), namespace) for _ in range(2))
        await one.open()
        await other.open()
        heard: dict[str, asyncio.Queue[Hint]] = {"one": asyncio.Queue(), "other": asyncio.Queue()}
        one.listen(commits(heard["one"].put_nowait))
        other.listen(commits(heard["other"].put_nowait))
        await other.now()  # listens by now
        hint = Hint(HintKind.DUE, "mail", 5)
        one.tell(hint)
        assert await asyncio.wait_for(heard["other"].get(), 5) == hint
        assert await asyncio.wait_for(heard["one"].get(), 5) == hint
        await other.submit([entry(1)])
        assert (await asyncio.wait_for(heard["one"].get(), 5)).queue == "default"
        assert heard["one"].empty()
        await one.close()
        await other.close()

    bounded.run(main())


def test_who_listens_hears_again_after_the_server_was_away(server: servers.PrivateRedis) -> None:
    async def main() -> None:
        store = store_at(server.url, words="")
        await store.open()
        heard: asyncio.Queue[Hint] = asyncio.Queue()
        store.listen(commits(heard.put_nowait))
        await store.submit([entry(1)])
        assert (await asyncio.wait_for(heard.get(), 5)).kind is HintKind.DUE
        server.kill()
        server.start()
        for number in range(2, 200):
            with suppress(StoreUnavailable):
                await store.submit([entry(number)])
            if not heard.empty():
                break
            await asyncio.sleep(0.05)
        assert not heard.empty()
        await store.close()

    bounded.run(main())


def test_an_idle_beat_is_one_command(server: servers.PrivateRedis) -> None:
    from shike.store.verbs import Beat

    async def main() -> None:
        store = store_at(server.url, words="", virtual_buckets=64)
        await store.open()
        await store.open_session(session())
        beat = {"session": "w", "lease_seconds": 10.0, "received": 0, "holds": ()}
        await store.beat(Beat(number=1, **beat))  # type: ignore[arg-type]
        line = line_to(server)
        line.ask("CONFIG", "RESETSTAT")
        for number in range(2, 12):
            await store.beat(Beat(number=number, **beat))  # type: ignore[arg-type]
        assert _calls(line.ask("INFO", "commandstats")) == 10
        await store.close()

    bounded.run(main())


@pytest.mark.parametrize(
    ("words", "buckets", "bytes_max"), [("slices=off", 1, 380), ("slices=on", 1, 200), ("", 64, 200)]
)
def test_a_run_that_waits_costs_few_bytes(
    server: servers.PrivateRedis, words: str, buckets: int, bytes_max: int
) -> None:
    async def main() -> None:
        store = store_at(server.url, words=words, virtual_buckets=buckets)
        await store.open()
        line, count = line_to(server), 20_000
        before = _used(line.ask("INFO", "memory"))
        for first in range(0, count, 1_000):
            await store.submit(
                [
                    entry(number, bucket=number % buckets, args=b'{"n":%d}' % number, delay=3600 + number / 1000)
                    for number in range(first, first + 1_000)
                ]
            )
        assert (_used(line.ask("INFO", "memory")) - before) / count <= bytes_max
        await store.close()

    bounded.run(main())


def _used(info: bytes) -> int:
    return int(info.decode().split("used_memory:")[1].split()[0])


def test_the_history_is_bounded(namespace: str) -> None:
    async def main() -> None:
        store = store_at(servers.url("redis"), namespace, words=f"{LOSSY}&history_runs=20")
        await store.open()
        await store.open_session(session())
        for number in range(1, 11):
            await store.submit([entry(100 * number + step) for step in range(10)])
            runs = (await store.claim(claim(number))).runs
            await store.settle("w", [Ack(one.run.id, one.token, State.SUCCESS) for one in runs])
        counts = await store.counts()
        assert 20 <= counts.ended["SUCCESS"] <= 30
        assert isinstance(await store.find(entry(1009).run.id), Ended)
        assert await store.find(entry(100).run.id) is None
        await store.close()

    bounded.run(main())
