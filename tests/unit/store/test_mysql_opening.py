"""Opening a MySQL store: what is refused, with what advice, and that nothing is left half made (P8, R0.18)."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from urllib.parse import urlsplit

import pytest

from shike.errors import BadSetting, BadStoreURL, ForeignStore, SessionClosed, StoreError, StoreUnavailable, UnsafeStore
from shike.store.base import RunFilter
from shike.store.mysql import MySQLStore
from shike.store.mysql.link import MySQLLink
from shike.store.mysql.opening import Server, check_server, pieces, told
from shike.store.mysql.options import parse
from shike.store.relational.statements import migrations
from shike.store.verbs import Beat
from tests import bounded, servers
from tests.contract.databases import execute, within
from tests.unit.store.redis_world import entry

_serial = count()
SAFE = Server("10.11.6-MariaDB", 1, "ON", False, 0, "MIXED", "0", 1 << 24, "shop")
SHOP = parse("mysql://db/shop")


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a database of its own, dropped at the end."""
    where, name = servers.url("mysql"), f"shike_open_{os.getpid()}_{next(_serial)}"
    bounded.run(execute(where, f"create database {name}"))
    yield within(where, name)
    bounded.run(execute(where, f"drop database {name}"))


@asynccontextmanager
async def opened(url: str, **words: object) -> AsyncIterator[MySQLStore]:
    store = MySQLStore(url, **words)  # type: ignore[arg-type]
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _open_once(url: str, **words: object) -> None:
    async with opened(url, **words):
        pass


# ---------------------------------------------------------------- what a URL says


def test_options_are_read() -> None:
    options = parse("mariadb://ann:s3cret%40@db:3307/shop?connections=3&accept=flush-log&unix_socket=/run/my.sock")
    assert (options.connections, options.accept) == (3, {"flush-log"})
    words = options.words
    assert (words["host"], words["port"], words["user"], words["password"]) == ("db", 3307, "ann", b"s3cret@")
    assert (words["database"], words["unix_socket"]) == ("shop", "/run/my.sock")
    assert "s3cret" not in options.where


@pytest.mark.parametrize("url", ["mysql://db", "mysql://db/", "mysql://db:99999/shop", "postgresql://db/shop"])
def test_a_url_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(BadStoreURL):
        parse(url)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("conections=3", "did you mean connections?"),
        ("connections=0", "not between 1 and 1000"),
        ("ssl=perhaps", "not one of off, required, verify"),
        ("ssl_ca=/no/such/file", "cannot be read"),
        ("accept=everything", "is not one of"),
    ],
)
def test_a_wrong_option_is_refused_with_advice(query: str, words: str) -> None:
    with pytest.raises(BadSetting, match=words.replace("?", r"\?")):
        parse(f"mysql://db/shop?{query}")


# ---------------------------------------------------------------- a server that is not there, or not ours


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="is the server running"):
        bounded.run(_open_once(f"mysql://root@127.0.0.1:{servers.free_port()}/test"))


def test_a_server_that_says_nothing_is_not_waited_for_without_end() -> None:
    """It hangs, or speaks another protocol, in which it is for us to begin; the driver would wait for ever."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        where = f"mysql://root@127.0.0.1:{silent.getsockname()[1]}/test?connect_seconds=0.1"
        with pytest.raises(StoreUnavailable, match=r"nothing within 0\.1 s"):
            bounded.run(_open_once(where))


def test_a_database_that_is_missing_has_to_be_created() -> None:
    with pytest.raises(StoreError, match="create it first"):
        bounded.run(_open_once(within(servers.url("mysql"), "no_such_database")))


def test_a_user_without_rights_makes_nothing(database: str) -> None:
    where, name = servers.url("mysql"), f"shike_user_{os.getpid()}"
    bounded.run(execute(where, f"create user {name}@'127.0.0.1' identified by 'right'"))
    try:
        parts = urlsplit(database)
        for password, words in (("wrong", "look at user and password"), ("right", "grant all privileges")):
            netloc = f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"
            with pytest.raises(StoreError, match=words):
                bounded.run(_open_once(parts._replace(netloc=netloc).geturl()))
    finally:
        bounded.run(execute(where, f"drop user {name}@'127.0.0.1'"))


def test_another_programs_table_is_left_alone(database: str) -> None:
    bounded.run(execute(database, "create table shike_run (kilometres int)"))
    with pytest.raises(ForeignStore, match="another program"):
        bounded.run(_open_once(database))
    bounded.run(_open_once(database, namespace="mine"))


def test_a_newer_format_is_refused(database: str) -> None:
    bounded.run(_open_once(database))
    bounded.run(execute(database, "update shike_meta set value = 99 where `key` = 'format'"))
    with pytest.raises(ForeignStore, match="upgrade shike"):
        bounded.run(_open_once(database))


def test_a_store_keeps_its_virtual_buckets(database: str) -> None:
    bounded.run(_open_once(database, virtual_buckets=64))
    with pytest.raises(BadSetting, match="virtual_buckets=64"):
        bounded.run(_open_once(database, virtual_buckets=1))


# ---------------------------------------------------------------- what may be lost


def test_a_safe_server_has_nothing_to_warn_of() -> None:
    assert check_server(SAFE, SHOP) == []
    assert check_server(replace(SAFE, log_bin=True, sync_binlog=1), SHOP) == []
    assert check_server(replace(SAFE, flush_method="O_DIRECT"), SHOP) == []
    assert check_server(replace(SAFE, flush_method="nosync", version="11.4.2-MariaDB"), SHOP) == [], "as fsync"


def test_a_server_says_how_it_forces_its_files(database: str) -> None:
    async def story() -> Server:
        async with opened(database) as store:
            link = await store._link()
            try:
                return await told(link)
            finally:
                await link.close()

    assert bounded.run(story()).flush_method.lower() in ("o_direct", "fsync", "o_dsync", "o_direct_no_fsync")


@pytest.mark.parametrize(
    ("server", "word"),
    [
        (replace(SAFE, flush_log=0), "flush-log"),
        (replace(SAFE, flush_log=2), "flush-log"),
        (replace(SAFE, log_bin=True, sync_binlog=0), "sync-binlog"),
        (replace(SAFE, doublewrite="OFF"), "doublewrite-off"),
        (replace(SAFE, flush_method="nosync"), "nosync"),
        (replace(SAFE, flush_method="littlesync"), "nosync"),
    ],
)
def test_a_server_that_forgets_commits_is_refused_unless_accepted(server: Server, word: str) -> None:
    with pytest.raises(UnsafeStore, match=f"accept={word}") as caught:
        check_server(server, SHOP)
    assert caught.value.accept == word
    accepting = parse(f"mysql://db/shop?accept={word}")
    assert [warning.partition(":")[0] for warning in check_server(server, accepting)] == [word]


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (replace(SAFE, version="10.5.9-MariaDB"), "needs MariaDB 10.6"),
        (replace(SAFE, version="5.7.44"), "needs MySQL 8.0.19"),
        (replace(SAFE, read_only="1"), "name the primary"),
        (replace(SAFE, log_bin=True, binlog_format="STATEMENT"), "MIXED or ROW"),
        (replace(SAFE, packet_bytes=1000), "max_allowed_packet"),
    ],
)
def test_a_server_that_cannot_serve_is_refused(server: Server, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        check_server(server, SHOP)


def test_a_server_nobody_has_tried_is_warned_of() -> None:
    (warning,) = check_server(replace(SAFE, version="8.0.36"), SHOP)
    assert warning.startswith("unverified")


# ---------------------------------------------------------------- making the layout


def test_many_that_open_at_once_make_one_store(database: str) -> None:
    async def together() -> list[int]:
        async def one() -> int:
            async with opened(database, virtual_buckets=64) as store:
                (bucket,) = await store.buckets()
                return bucket.high

        return await asyncio.gather(*(one() for _ in range(6)))

    assert bounded.run(together()) == [63] * 6


STATEMENTS = sum(len(pieces(script)) for _, script in migrations("shike.store.mysql"))


@pytest.mark.parametrize("after", [*range(0, STATEMENTS, 5), STATEMENTS])
def test_a_layout_that_was_begun_is_completed(database: str, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process leaves it that was killed after so many statements: the server has committed each of them."""
    left = [after]
    execute_one = MySQLLink.execute

    async def killed(link: MySQLLink, script: str) -> None:
        if script.startswith("create"):
            if left[0] == 0:
                link.drop()
                raise KeyboardInterrupt
            left[0] -= 1
        await execute_one(link, script)

    with monkeypatch.context() as patch:
        patch.setattr(MySQLLink, "execute", killed)
        patch.setattr(MySQLLink, "rows", _silent_at_the_end(MySQLLink.rows))
        try:
            bounded.run(_open_once(database))
        except KeyboardInterrupt:
            pass
    bounded.run(_open_once(database))


def _silent_at_the_end(rows):  # type: ignore[no-untyped-def]
    """The dead do not unlock: their connection does."""

    async def asked(link: MySQLLink, name: str, values: list[object]) -> object:
        return await rows(link, name, values) if link.is_usable or name != "opening_unlock" else []

    return asked


# ---------------------------------------------------------------- a server that is another one by now


def test_names_are_looked_up_again_on_every_new_connection(database: str) -> None:
    """After a failover that lost the last commits, the numbers of their names are given to others."""
    by_task, first, second = RunFilter(task="mail"), entry(1), entry(2)

    async def story() -> None:
        async with opened(database) as store:
            await store.submit([first])
            await execute(database, "update shike_name set text = concat('other/', text)")
            store._pools.here().forget_idle()  # as where the server went away
            await store.submit([second])
            assert [one.run.id for one in await store.runs(by_task)] == [second.run.id]

    bounded.run(story())


TABLES = re.findall(
    r"create table (?:if not exists )?\{ns\}_(\w+)", "".join(text for _, text in migrations("shike.store.mysql"))
)


def test_names_are_looked_up_again_where_the_tables_were_made_anew_under_a_live_connection(database: str) -> None:
    """Their numbers are others' then: what is submitted next must not bear another task's name."""
    dropped = ", ".join(f"shike_{table}" for table in dict.fromkeys(["meta", *TABLES]))

    async def story(notice: Callable[[MySQLStore], Awaitable[object]], *, at_once: bool) -> list[int]:
        async with opened(database) as store:
            await store.submit([entry(1)])
            await execute(database, f"drop table if exists {dropped}")
            if at_once:
                with pytest.raises(ForeignStore):
                    await notice(store)
            async with opened(database) as other:
                await other.submit([entry(2, queue="first"), entry(3, queue="other")])
                if not at_once:
                    with pytest.raises(SessionClosed):
                        await notice(store)
                await store.submit([entry(4)])
                return [one.run.id for one in await other.runs(RunFilter(queue="default"))]

    for notice, at_once in ((lambda store: store.beat(BEAT), False), (lambda store: store.counts(), True)):
        assert bounded.run(story(notice, at_once=at_once)) == [entry(4).run.id]
        bounded.run(execute(database, f"drop table if exists {dropped}"))


BEAT = Beat(session="w", number=9, lease_seconds=60.0, received=0, holds=())
