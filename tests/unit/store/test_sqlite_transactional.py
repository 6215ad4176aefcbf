"""Enqueue inside the user's own transaction: both or neither."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shike.errors import BadInput, Conflict, ForeignStore
from shike.ids import session_number_of
from shike.model import RECORD_VERSION, Run
from shike.store.guards import Absent, Entry
from shike.store.hints import Hint
from shike.store.sqlite import SQLiteStore
from shike.store.sqlite.transactional import submit_on
from tests.unit.store.sqlite_world import entry, join, opened, run, until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    run(make(tmp_path / "shop.db"))
    return tmp_path / "shop.db"


@pytest.fixture
def shop(file: Path) -> Iterator[sqlite3.Connection]:
    """The user's own connection, with a table of the user's."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table orders (id)")
        yield connection


async def make(file: Path) -> None:
    async with opened(file):
        pass


def mail(**fields: object) -> Entry:
    return Entry(Run(RECORD_VERSION, 0, "mail", **fields))  # type: ignore[arg-type]


def stored(file: Path) -> int:
    async def count() -> int:
        async with opened(file) as store:
            return sum((await store.counts()).by_queue.values())

    return run(count())


def test_a_commit_stores_the_order_and_its_mail(file: Path, shop: sqlite3.Connection) -> None:
    with shop:
        shop.execute("insert into orders values (1)")
        (answer,) = submit_on(shop, [mail(due_at=1)])
        assert answer.fresh
    assert stored(file) == 1


def test_a_rollback_takes_both_back(file: Path, shop: sqlite3.Connection) -> None:
    with pytest.raises(ZeroDivisionError), shop:
        shop.execute("insert into orders values (1)")
        submit_on(shop, [mail(due_at=1)])
        1 / 0
    assert stored(file) == 0
    assert shop.execute("select count(*) from orders").fetchone() == (0,)


def test_ids_are_given_from_a_block_of_their_own(file: Path, shop: sqlite3.Connection) -> None:
    with shop:
        first = submit_on(shop, [mail(), mail()])
    with shop:
        second = submit_on(shop, [mail()])
    ids = [answer.run_id for answer in [*first, *second]]
    assert len(set(ids)) == 3
    assert len({session_number_of(run_id) for run_id in ids}) == 1, "not a session for each transaction"

    async def next_session() -> int:
        async with opened(file) as store:
            await join(store)
            return max(session.number for session in await store.sessions())

    assert run(next_session()) > session_number_of(ids[0])


def test_ids_of_a_step_that_was_rolled_back_are_given_again(shop: sqlite3.Connection) -> None:
    with pytest.raises(ZeroDivisionError), shop:
        (lost,) = submit_on(shop, [mail()])
        1 / 0
    with shop:
        (kept,) = submit_on(shop, [mail()])
    assert kept.run_id == lost.run_id


def test_guards_hold_as_they_do_elsewhere(file: Path, shop: sqlite3.Connection) -> None:
    once = Entry(mail().run, guards=(Absent("order-1", 60.0),))
    with shop:
        (first,) = submit_on(shop, [once])
    with shop:
        (second,) = submit_on(shop, [once])
    assert (second.run_id, second.fresh) == (first.run_id, False)


def test_an_error_leaves_the_callers_transaction_as_it_was(file: Path, shop: sqlite3.Connection) -> None:
    with shop:
        shop.execute("insert into orders values (1)")
        with pytest.raises(Conflict):
            submit_on(shop, [entry(1), entry(1)])
        submit_on(shop, [entry(2)])
        with pytest.raises(Conflict):
            submit_on(shop, [entry(3), entry(2)])
    assert shop.execute("select count(*) from orders").fetchone() == (1,)
    assert stored(file) == 1


def test_the_callers_own_kinds_of_rows_stay(shop: sqlite3.Connection) -> None:
    shop.row_factory = sqlite3.Row
    shop.text_factory = bytes
    with shop:
        submit_on(shop, [mail()])
    assert (shop.row_factory, shop.text_factory) == (sqlite3.Row, bytes)


def test_without_a_transaction_it_is_refused(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        with pytest.raises(BadInput, match="begin"):
            submit_on(connection, [mail()])
        connection.execute("begin")
        submit_on(connection, [mail()])
        connection.execute("commit")
    assert stored(file) == 1


def test_a_file_without_a_store_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, pytest.raises(ForeignStore, match="open"):
        submit_on(connection, [mail()])


def test_a_nudge_tells_the_others_at_once(file: Path, shop: sqlite3.Connection) -> None:
    async def nudged() -> None:
        async with opened(file) as store, opened(file) as other:
            heard: list[Hint] = []
            other.listen(heard.append)
            with shop:
                submit_on(shop, [mail()])
            assert isinstance(store, SQLiteStore)
            store.nudge("default")
            await until(lambda: [hint.queue for hint in heard] == ["default"])

    run(nudged())
