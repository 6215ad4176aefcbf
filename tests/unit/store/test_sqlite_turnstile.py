"""Processes that write to one file take turns."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shike.store.sqlite import turnstile
from shike.store.sqlite.turnstile import Turnstile
from tests import bounded


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a database that is in use."""
    with closing(connect(tmp_path)) as connection:
        connection.execute("create table t (x)")
        connection.execute("pragma busy_timeout = 5000")  # who knocks holds a shared lock for an instant
        yield connection


def connect(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "a.db", isolation_level=None, timeout=0, check_same_thread=False)


def is_taken(folder: Path) -> bool:
    with open(folder / "turn", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def test_whoever_waits_at_the_door_goes_before_whoever_comes_later(
    tmp_path: Path, database: sqlite3.Connection
) -> None:
    order: list[str] = []

    def write(name: str) -> None:
        door = Turnstile(tmp_path, 20)
        with closing(connect(tmp_path)) as connection:
            door.begin(connection)
            order.append(name)
            connection.execute("commit")
        door.close()

    database.execute("begin immediate")
    first = threading.Thread(target=write, args=("first",))
    first.start()
    end = time.monotonic() + bounded.SECONDS
    while not (tmp_path / "turn").exists() or not is_taken(tmp_path):
        assert time.monotonic() < end, "nobody waits at the door"
    second = threading.Thread(target=write, args=("second",))
    second.start()
    database.execute("commit")
    bounded.joined(first, second)
    assert order == ["first", "second"]


def test_a_transaction_under_way_does_not_keep_the_door(tmp_path: Path, database: sqlite3.Connection) -> None:
    door = Turnstile(tmp_path, 0)
    door.begin(database)
    assert not is_taken(tmp_path)
    database.execute("commit")


def test_a_database_that_stays_locked_is_given_up(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.execute("pragma busy_timeout = 0")
    with closing(connect(tmp_path)) as other:
        other.execute("begin immediate")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            Turnstile(tmp_path, 0.01).begin(database)
        assert not is_taken(tmp_path)


def test_a_door_that_somebody_blocks_is_walked_past(
    tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turnstile, "COURTESY_SECONDS", 0.01)
    door = Turnstile(tmp_path, 0)
    with open(tmp_path / "turn") as stuck:
        fcntl.flock(stuck, fcntl.LOCK_EX)
        door.begin(database)
    assert database.in_transaction
