"""A URL chooses the store (R0.5), and one that names none says what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shike.clock import ManualClock
from shike.errors import BadSetting, BadStoreURL
from shike.store.base import Store
from shike.store.memory import MemoryStore
from shike.store.opening import open_store, without_buckets
from shike.store.sqlite import SQLiteStore
from shike.store.sqlite.options import Synchronous, parse


def opening(url: str) -> Store:
    return open_store(url, namespace="shike", clock=ManualClock())


def test_memory_is_a_store() -> None:
    assert isinstance(opening("memory://"), MemoryStore)


def test_a_file_is_a_store() -> None:
    store = opening("sqlite:///shike.db")
    assert isinstance(store, SQLiteStore)
    assert store.url == "sqlite:///shike.db"


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_mysql_and_mariadb_are_one_kind_of_store(scheme: str) -> None:
    assert type(opening(f"{scheme}://db/shop")).__name__ == "MySQLStore"
    with pytest.raises(BadStoreURL, match="chooses itself"):
        opening(f"{scheme}+pymysql://db/shop")


@pytest.mark.parametrize(
    "url", ["", "shike.db", "oracle://x", "memory://x", "sqlite://", "sqlite://host/x.db", "sqlite:///"]
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(BadStoreURL):
        opening(url)


def test_paths_are_relative_with_three_slashes_and_absolute_with_four() -> None:
    assert parse("sqlite:///a/b.db").path == Path("a/b.db")
    assert parse("sqlite:////a/b%20c.db").path == Path("/a/b c.db")


def test_a_commit_is_on_the_disk_unless_told_otherwise() -> None:
    assert parse("sqlite:///a.db").synchronous is Synchronous.FULL
    assert parse("sqlite:///a.db?synchronous=normal").synchronous is Synchronous.NORMAL


def test_losing_everything_must_be_asked_for_by_name() -> None:
    """P8: what can be lost is refused unless it is accepted."""
    with pytest.raises(BadSetting, match="accept_loss"):
        parse("sqlite:///a.db?synchronous=off")
    assert parse("sqlite:///a.db?synchronous=off&accept_loss=yes").synchronous is Synchronous.OFF


@pytest.mark.parametrize(
    "option", ["synchronous=maybe", "shared=perhaps", "busy_seconds=soon", "busy_seconds=-1", "x=1"]
)
def test_an_option_that_cannot_be_used_is_refused(option: str) -> None:
    with pytest.raises(BadSetting):
        parse(f"sqlite:///a.db?{option}")


@pytest.mark.parametrize("namespace", ["", "Shike", "a b", "a;drop", "1a", "a" * 32])
def test_a_namespace_that_cannot_name_a_table_is_refused(namespace: str) -> None:
    with pytest.raises(BadSetting):
        SQLiteStore("sqlite:///a.db", namespace=namespace)


def test_only_known_numbers_of_virtual_buckets_are_taken() -> None:
    with pytest.raises(BadSetting):
        SQLiteStore("sqlite:///a.db", virtual_buckets=3)


def test_a_url_of_another_library_is_told_what_to_write() -> None:
    with pytest.raises(BadStoreURL, match="write postgresql://"):
        open_store("postgresql+asyncpg://me@db/shop", namespace="shike", clock=ManualClock())


def test_a_postgres_store_is_opened_by_either_scheme() -> None:
    for scheme in ("postgres", "postgresql"):
        store = open_store(f"{scheme}://me:secret@db:5433/shop?sslmode=require", namespace="mine", clock=ManualClock())
        assert (store.namespace, store.any_thread) == ("mine", True)


@pytest.mark.parametrize(
    ("url", "rest", "said"),
    [
        ("sqlite:///a.db", "sqlite:///a.db", None),
        ("sqlite:///a.db?virtual_buckets=64", "sqlite:///a.db", 64),
        ("sqlite:///a.db?virtual_buckets=64&shared=yes", "sqlite:///a.db?shared=yes", 64),
        ("sqlite:///a.db?shared=yes&virtual_buckets=256", "sqlite:///a.db?shared=yes", 256),
        ("a://b?x=1&virtual_buckets=1&y=2", "a://b?x=1&y=2", 1),
    ],
)
def test_how_many_virtual_buckets_is_said_in_any_stores_url(url: str, rest: str, said: int | None) -> None:
    assert without_buckets(url) == (rest, said)


def test_what_the_url_says_of_virtual_buckets_counts_more_than_a_preset() -> None:
    words: dict[str, Any] = {"namespace": "shike", "clock": ManualClock(), "virtual_buckets": 64}
    assert open_store("memory://", **words).virtual_buckets == 64
    assert open_store("memory://?virtual_buckets=256", **words).virtual_buckets == 256
    for wrong in ("memory://?virtual_buckets=7", "memory://?virtual_buckets=many"):
        with pytest.raises(BadSetting):
            open_store(wrong, **words)
