"""From a URL to a store; drivers load on use."""

from __future__ import annotations

from typing import Final

from shike.clock import Clock
from shike.errors import BadStoreURL
from shike.store.base import Store

KNOWN: Final = "memory:// or sqlite:///shike.db"
TO_COME: Final = {  # scheme -> the extra that will serve it
    "redis": "redis",
    "rediss": "redis",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}


def open_store(url: str, *, namespace: str, clock: Clock) -> Store:
    """The store a URL names, not opened yet.

    `memory://` is gone with its process; `sqlite:///shike.db` is a file in the working directory,
    `sqlite:////var/lib/shike.db` one elsewhere (options: `shike.store.sqlite.options.parse`). Raises `BadStoreURL` for
    a URL that names no store, `BadSetting` for an option that cannot be used.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise BadStoreURL(f"{url!r} is not a store URL; write {KNOWN}")
    if scheme == "memory":
        return _memory(rest, namespace=namespace, clock=clock)
    if scheme == "sqlite":
        from shike.store.sqlite import SQLiteStore

        return SQLiteStore(url, clock=clock, namespace=namespace)
    extra = TO_COME.get(scheme.partition("+")[0])
    if extra is not None:
        raise BadStoreURL(f"{scheme} will be served by shike[{extra}], which this version does not have; use {KNOWN}")
    raise BadStoreURL(f"no store serves {scheme!r}; write {KNOWN}")


def _memory(rest: str, *, namespace: str, clock: Clock) -> Store:
    from shike.store.memory import MemoryStore

    if rest:
        raise BadStoreURL(f"memory:// has no path and no options, but got {rest!r}; did you mean sqlite:///{rest}?")
    return MemoryStore(clock, namespace=namespace)
