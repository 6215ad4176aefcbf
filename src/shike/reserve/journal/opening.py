"""From a URL to a journal; drivers load on use."""

from __future__ import annotations

from shike.errors import BadStoreURL
from shike.reserve.journal.base import Journal
from shike.reserve.journal.memory import MemoryJournal
from shike.store.opening import KNOWN, driver_missing


def open_journal(url: str, namespace: str = "reserve") -> Journal:
    """The journal a URL names, not opened yet: the same URLs as those of stores, and it may stand beside one.

    Raises `BadStoreURL` for a URL that names none, or one whose driver is missing; `BadSetting` for a bad option.
    """
    kind = url.partition("://")[0].partition("+")[0]
    if kind == "memory":
        return MemoryJournal()
    if kind == "sqlite":
        from shike.reserve.journal.sqlite import SQLiteJournal

        return SQLiteJournal(url, namespace)
    try:
        if kind in ("postgresql", "postgres"):
            from shike.reserve.journal.postgres import PostgresJournal

            return PostgresJournal(url, namespace)
        if kind in ("mysql", "mariadb"):
            from shike.reserve.journal.mysql import MySQLJournal

            return MySQLJournal(url, namespace)
        if kind in ("redis", "rediss"):
            from shike.reserve.journal.redis import RedisJournal

            return RedisJournal(url, namespace)
    except ImportError as error:
        raise driver_missing(kind, {"postgres": "postgresql"}.get(kind, kind), error) from error
    raise BadStoreURL(f"no journal serves {kind!r}; write {KNOWN}")
