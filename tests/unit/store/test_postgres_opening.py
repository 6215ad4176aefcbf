"""Opening a PostgreSQL store: what is refused, with what advice, and that nothing is left half made (P8, R0.18)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from shike.errors import BadSetting, BadStoreURL, ForeignStore, StoreError, StoreUnavailable, UnsafeStore
from shike.store.opening import without_secrets
from shike.store.postgres import PostgresStore
from shike.store.postgres.options import parse
from tests import bounded, servers

_serial = count()


@pytest.fixture
def schema() -> Iterator[str]:
    """The URL of a schema of its own, dropped at the end."""
    where, name = servers.url("postgres"), f"shike_open_{os.getpid()}_{next(_serial)}"
    bounded.run(_execute(where, f"create schema {name}"))
    yield f"{where}?search_path={name}"
    bounded.run(_execute(where, f"drop schema {name} cascade"))


async def _execute(where: str, script: str) -> None:
    connection = await asyncpg.connect(where)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


@asynccontextmanager
async def opened(url: str, **words: object) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url, **words)  # type: ignore[arg-type]
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _open_once(url: str, **words: object) -> None:
    async with opened(url, **words):
        pass


# ---------------------------------------------------------------- what a URL says


def test_options_are_read_and_the_others_handed_on() -> None:
    url = "postgres://ann:s3cret@db:5433/shop?sslmode=require&pooled=yes&connections=3&accept=fsync-off"
    options = parse(f"{url}&listen_url={quote('postgresql://direct/shop', safe='')}")
    assert options.dsn == "postgresql://ann:s3cret@db:5433/shop?sslmode=require"
    assert (options.pooled, options.connections, options.accept) == (True, 3, {"fsync-off"})
    assert options.listen_dsn == "postgresql://direct/shop"


def test_several_servers_may_be_named_of_which_one_is_written_to() -> None:
    url = "postgresql://ann:s3cret@one:5432,two:5433/shop?target_session_attrs=primary"
    assert (parse(url).dsn, parse(url).where) == (url, "postgresql://ann@one:5432,two:5433/shop")


def test_a_unix_socket_is_a_host() -> None:
    assert parse("postgresql:///shop?host=/run/postgresql").dsn == "postgresql:///shop?host=%2Frun%2Fpostgresql"


@pytest.mark.parametrize(
    "url", ["postgresql://db", "postgresql://db/", "postgresql://db:99999/shop", "mysql://db/shop"]
)
def test_a_url_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(BadStoreURL):
        parse(url)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("conections=3", "did you mean connections?"),
        ("connections=0", "not between 1 and 1000"),
        ("connections=few", "not a number"),
        ("pooled=perhaps", "neither yes nor no"),
        ("accept=everything", "is not one of"),
    ],
)
def test_a_wrong_option_is_refused_with_advice(query: str, words: str) -> None:
    with pytest.raises(BadSetting, match=words.replace("?", r"\?")):
        parse(f"postgresql://db/shop?{query}")


@pytest.mark.parametrize("namespace", ["", "Shop", "a-b", "x" * 32, "1a"])
def test_a_namespace_is_a_short_word(namespace: str) -> None:
    with pytest.raises(BadSetting):
        PostgresStore("postgresql://db/shop", namespace=namespace)


def test_no_password_is_shown() -> None:
    assert without_secrets("postgresql://ann:s3cret@db:5433/shop?password=s3cret") == "postgresql://ann@db:5433/shop"
    assert "s3cret" not in parse("postgresql://ann:s3cret@db:5433/shop?password=s3cret").where


# ---------------------------------------------------------------- a server that is not there, or not ours


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="is the server running"):
        bounded.run(_open_once(f"postgresql://postgres@127.0.0.1:{servers.free_port()}/test"))


def test_a_database_that_is_missing_has_to_be_created() -> None:
    where = urlsplit(servers.url("postgres"))._replace(path="/no_such_database").geturl()
    with pytest.raises(StoreError, match="create it first"):
        bounded.run(_open_once(where))


def test_a_user_without_rights_makes_nothing(schema: str) -> None:
    where, name = schema.partition("?")[0], f"shike_user_{os.getpid()}"
    bounded.run(_execute(where, f"create role {name} login"))
    try:
        parts = urlsplit(schema)
        theirs = parts._replace(netloc=f"{name}@{parts.netloc.rpartition('@')[2]}").geturl()
        with pytest.raises(StoreError, match="grant"):
            bounded.run(_open_once(theirs))
    finally:
        bounded.run(_execute(where, f"drop role {name}"))


def test_another_programs_table_is_left_alone(schema: str) -> None:
    name = schema.partition("search_path=")[2]
    bounded.run(_execute(schema.partition("?")[0], f"create table {name}.shike_run (kilometres int)"))
    with pytest.raises(ForeignStore, match="another program"):
        bounded.run(_open_once(schema))
    bounded.run(_open_once(schema, namespace="mine"))


def test_a_newer_format_is_refused(schema: str) -> None:
    bounded.run(_open_once(schema))
    name = schema.partition("search_path=")[2]
    bounded.run(_execute(schema.partition("?")[0], f"update {name}.shike_meta set value = 99 where key = 'format'"))
    with pytest.raises(ForeignStore, match="upgrade shike"):
        bounded.run(_open_once(schema))


def test_a_store_keeps_its_virtual_buckets(schema: str) -> None:
    bounded.run(_open_once(schema, virtual_buckets=64))
    with pytest.raises(BadSetting, match="virtual_buckets=64"):
        bounded.run(_open_once(schema, virtual_buckets=1))

    async def look() -> int:
        async with opened(schema) as store:
            return store.virtual_buckets

    assert bounded.run(look()) == 64


# ---------------------------------------------------------------- what may be lost


def test_a_server_that_forgets_commits_is_refused_unless_accepted(schema: str) -> None:
    lossy = f"{schema}&options={quote('-csynchronous_commit=off')}"
    with pytest.raises(UnsafeStore, match="accept=synchronous-commit-off") as caught:
        bounded.run(_open_once(lossy))
    assert caught.value.accept == "synchronous-commit-off"

    async def look() -> list[str]:
        async with opened(f"{lossy}&accept=synchronous-commit-off") as store:
            return store.warnings()

    assert [warning.partition(":")[0] for warning in bounded.run(look())] == ["synchronous-commit-off"]


# ---------------------------------------------------------------- making the layout


def test_many_that_open_at_once_make_one_store(schema: str) -> None:
    async def together() -> list[int]:
        async def one() -> int:
            async with opened(schema, virtual_buckets=64) as store:
                (bucket,) = await store.buckets()
                return bucket.high

        return await asyncio.gather(*(one() for _ in range(6)))

    assert bounded.run(together()) == [63] * 6


def test_a_layout_that_was_begun_is_completed(schema: str) -> None:
    """As a process leaves it that was killed between two steps: each step is one transaction."""
    name = schema.partition("search_path=")[2]
    script = f"""
        create table {name}.shike_meta (key text primary key, value bigint not null);
        insert into {name}.shike_meta values ('format', 1), ('step', 0), ('virtual_buckets', 1);
    """
    bounded.run(_execute(schema.partition("?")[0], script))
    bounded.run(_open_once(schema))


def test_a_connection_that_is_lost_while_it_is_made_is_an_outage(schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it none of the store's errors, a worker would take it for a report that no store can hold."""

    async def lost(*_: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    async def story() -> None:
        async with opened(schema) as store:
            store._pools.here().forget_idle()
            monkeypatch.setattr(asyncpg.Connection, "prepare", lost)
            with pytest.raises(StoreUnavailable):
                await store.now()

    bounded.run(story())


# ---------------------------------------------------------------- namespaces


def test_namespaces_that_look_like_tables_of_each_other_live_side_by_side(schema: str) -> None:
    async def scene() -> None:
        names = ["x", "x_run", "x_gated", "x_holder", "x_history", "x_run_schedule"]
        for name in [*names, *reversed(names)]:
            async with opened(schema, namespace=name) as store:
                assert await store.schedules() == []

    bounded.run(scene())


def test_no_index_can_have_the_name_of_a_table_of_any_namespace(schema: str) -> None:
    async def scene() -> None:
        await _open_once(schema, namespace="x")
        connection = await asyncpg.connect(schema)
        try:
            found = await connection.fetch(
                "select relname, relkind in ('r', 'p') from pg_class "
                "where relnamespace = current_schema()::regnamespace"
            )
        finally:
            await connection.close()
        tables = {name.removeprefix("x_") for name, is_table in found if is_table}
        others = {name.rpartition("_")[2] for name, is_table in found if not is_table}
        assert "run" in tables
        assert not tables & others
        assert not [name for name in tables if "_" in name and not name.startswith("history_")]

    bounded.run(scene())


def test_a_name_that_something_else_has_is_told_and_nothing_is_made(schema: str) -> None:
    async def scene() -> None:
        connection = await asyncpg.connect(schema)
        try:
            await connection.execute("create table shike_lane (a int)")
            with pytest.raises(ForeignStore, match=r"shike_lane.*another namespace"):
                await _open_once(schema)
            assert await connection.fetchval("select to_regclass('shike_run')") is None
        finally:
            await connection.close()

    bounded.run(scene())
