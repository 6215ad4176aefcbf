"""From a URL to a shelf; drivers load on use."""

from __future__ import annotations

from shike.errors import BadStoreURL
from shike.reserve.shelf.base import Shelf
from shike.store.opening import driver_missing

KNOWN = "sqlite:///file.db, postgresql://host/database, mysql://host/database or redis://host:6379/0"


def open_shelf(url: str, namespace: str = "reserve") -> Shelf:
    """The shelf a URL names, not opened yet: the same URLs as those of stores, and it may stand beside one, and beside
    a journal.

    Raises `BadStoreURL` for a URL that names none, or one whose driver is missing; `BadSetting` for a bad option.
    """
    kind = url.partition("://")[0].partition("+")[0]
    try:
        if kind == "sqlite":
            from shike.reserve.shelf.sqlite import SQLiteShelf

            return SQLiteShelf(url, namespace)
        if kind in ("postgresql", "postgres"):
            from shike.reserve.shelf.postgres import PostgresShelf

            return PostgresShelf(url, namespace)
        if kind in ("mysql", "mariadb"):
            from shike.reserve.shelf.mysql import MySQLShelf

            return MySQLShelf(url, namespace)
        if kind in ("redis", "rediss"):
            from shike.reserve.shelf.redis import RedisShelf

            return RedisShelf(url, namespace)
    except ImportError as error:
        raise driver_missing(kind, {"postgres": "postgresql"}.get(kind, kind), error) from error
    raise BadStoreURL(f"no shelf stands at {kind!r}; write {KNOWN}")
