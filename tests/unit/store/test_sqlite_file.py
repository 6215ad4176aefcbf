"""Whose file is it, can this program read it, and what happens when it cannot."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shike.errors import BadSetting, ForeignStore, StoreFull, StoreUnavailable
from shike.store.sqlite import database
from shike.store.sqlite.statements import migrations
from tests.unit.store.sqlite_world import entry, opened, run


async def add(where: str | Path, number: int = 1, **options: object) -> None:
    async with opened(where, **options) as store:
        await store.submit([entry(number)])


async def has(where: str | Path, number: int = 1, **options: object) -> bool:
    async with opened(where, **options) as store:
        return await store.live(number << 8) is not None


def sql(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file))
    assert run(has(file))
    assert database.check(file) == []


def test_opening_twice_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    async def twice() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await store.open()
            await store.submit([entry(1)])
            await store.close()
            with pytest.raises(StoreUnavailable):
                await store.submit([entry(2)])

    run(twice())


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be taken for one" * 50, b"x"])
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(ForeignStore, match=r"notes\.txt"):
        run(add(file))
    assert file.read_bytes() == content


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file))
    content = bytearray(file.read_bytes())
    content[100:8192] = b"\xa5" * 8092
    file.write_bytes(content)
    with pytest.raises(ForeignStore):
        run(add(file))


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    sql(file, "create table orders (id)")
    with pytest.raises(ForeignStore, match="orders"):
        run(add(file))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("orders",)]


def test_a_database_may_be_shared_if_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    sql(file, "create table orders (id)", "pragma user_version = 7")
    run(add(f"sqlite:///{file}?shared=yes"))
    assert run(has(file)), "from then on it is ours, too"
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("pragma user_version").fetchone() == (7,)


def test_namespaces_share_a_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file, 1, namespace="one"))
    run(add(file, 2, namespace="two"))
    assert run(has(file, 1, namespace="one"))
    assert not run(has(file, 1, namespace="two"))


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file))
    assert database.FORMAT < 99
    sql(file, "update shike_meta set value = 99 where key = 'format'")
    with pytest.raises(ForeignStore, match="upgrade"):
        run(add(file, 2))


def test_a_mere_addition_by_a_newer_program_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file))
    sql(file, "update shike_meta set value = 999 where key = 'step'", "create table shike_news (id)")
    assert run(has(file))


def test_a_layout_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    """A process that is killed between two steps of the layout leaves work for the next one."""
    file = tmp_path / "shike.db"
    run(add(file))
    with closing(sqlite3.connect(file)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    ours = [f"drop table {name}" for name in tables if name.startswith("shike_") and name != "shike_meta"]
    sql(file, *ours, "update shike_meta set value = 0 where key = 'step'")
    run(add(file))
    assert run(has(file))


def test_steps_of_the_layout_are_numbered_without_gaps() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_virtual_buckets_are_fixed_when_the_store_is_made(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file, virtual_buckets=64))
    with pytest.raises(BadSetting, match="64"):
        run(add(file, 2, virtual_buckets=256))

    async def taken() -> int:
        async with opened(file) as store:
            return store.virtual_buckets

    assert run(taken()) == 64, "who does not say takes what is there"


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="directory"):
        run(add(tmp_path / "nowhere" / "shike.db"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file))
    file.chmod(0o400)
    with pytest.raises(StoreUnavailable, match="owner"):
        run(add(file, 2))


def test_a_database_that_somebody_locks_is_said_to_be_busy(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file))

    async def locked() -> None:
        async with opened(f"sqlite:///{file}?busy_seconds=0") as store:
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute("begin immediate")
                with pytest.raises(StoreUnavailable, match="locked"):
                    await store.submit([entry(2)])
                connection.execute("rollback")
            await store.submit([entry(2)])

    run(locked())


def test_a_full_disk_refuses_a_call_as_a_whole_and_harms_nothing(tmp_path: Path) -> None:
    async def fill() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await store.submit([entry(1)])
            limit_pages(store, 3)
            with pytest.raises(StoreFull, match="room"):
                await store.submit([entry(number, args=b"x" * 4000) for number in range(2, 100)])
            assert (await store.counts()).eligible == 1
            limit_pages(store, 10_000)
            await store.submit([entry(2)])
            assert (await store.counts()).eligible == 2

    run(fill())
    assert database.check(tmp_path / "shike.db") == []


def limit_pages(store: object, more: int) -> None:
    """So much and no more may the file grow: how a full disk looks to SQLite."""
    connection = store._writer._tx.connection  # type: ignore[attr-defined]
    (pages,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count = {pages + more}")


@pytest.mark.parametrize(
    "harm",
    [
        "drop table shike_meta",
        "delete from shike_meta where key = 'step'",
        "delete from shike_meta where key = 'format'",
        "drop table shike_run",
        "alter table shike_run rename column task to chore",
    ],
)
def test_tables_that_are_not_what_this_program_made_are_said_so(tmp_path: Path, harm: str) -> None:
    file = tmp_path / "shike.db"
    run(add(file))
    sql(file, "pragma legacy_alter_table = on", harm)
    with pytest.raises(ForeignStore):
        run(add(file, 2))


def test_a_file_that_was_deleted_or_replaced_under_an_open_store_takes_nothing_any_more(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"

    async def overtaken() -> None:
        async with opened(file) as store:
            await store.submit([entry(1)])
            file.rename(tmp_path / "old.db")
            with pytest.raises(ForeignStore, match="replaced"):
                await store.submit([entry(2)])
            file.write_bytes(b"")
            with pytest.raises(ForeignStore, match="replaced"):
                await store.submit([entry(3)])
            file.unlink()
            (tmp_path / "old.db").rename(file)
            await store.submit([entry(4)])

    run(overtaken())
    assert run(has(file, 4))


def test_a_row_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"
    run(add(file))
    sql(file, "update shike_run set body = x'c1'")
    with pytest.raises(ForeignStore):
        run(has(file))
