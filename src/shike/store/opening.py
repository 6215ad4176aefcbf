"""From a URL to a store; drivers load on use."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from shike.clock import Clock
from shike.errors import BadSetting, BadStoreURL
from shike.ids.forks import FORKS
from shike.store.base import Store

KNOWN: Final = (
    "memory://, sqlite:///shike.db, postgresql://user@host/database, mysql://user@host/database or redis://host:6379/0"
)

DEFAULT_NAMESPACE: Final = "shike"
HIDDEN: Final = "***"
_SECRETS: Final = re.compile(r"\b(\w*(?:password|passwd|secret)|history_url(?==[^&]*(?:@|%40)))=[^&]*")
_BUCKETS: Final = re.compile(r"[?&]virtual_buckets=([^&]*)")


class _Loading:
    """A driver is loaded on one thread while another one may fork: a child must not get half of a module."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        FORKS.around(self._hold, self._let_go)
        FORKS.in_child(self._renew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()

    def _hold(self) -> None:
        self._lock.acquire()

    def _let_go(self) -> None:
        self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.RLock()


_LOADING: Final = _Loading()


def open_store(url: str, *, namespace: str, clock: Clock, virtual_buckets: int | None = None) -> Store:
    """The store a URL names, not opened yet.

    Every URL may say `?virtual_buckets=64`, which counts more than the argument: with so many the store is made, or so
    many it must have; neither: as many as it has, or 1.

    `memory://` is gone with its process; `sqlite:///shike.db` is a file in the working directory,
    `sqlite:////var/lib/shike.db` one elsewhere (options: `shike.store.sqlite.options.parse`);
    `postgresql://user@host/database` needs the extra `shike[postgres]` (options: `shike.store.postgres.options.parse`),
    `mysql://user@host/database` (or `mariadb://…`) `shike[mysql]` (options: `shike.store.mysql.options.parse`), and
    `redis://host:6379/0`, `rediss://…` and `redis+cluster://…` need `shike[redis]` (options:
    `shike.store.redis.options.parse`); these take their time from the server's clock. Raises `BadStoreURL` for a URL
    that names no store or one whose driver is missing, `BadSetting` for an option that cannot be used.
    """
    with _LOADING:
        return _open(url, namespace, clock, virtual_buckets)


def _open(url: str, namespace: str, clock: Clock, virtual_buckets: int | None) -> Store:
    url, said = without_buckets(url)
    buckets = virtual_buckets if said is None else said
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise BadStoreURL(f"{unreadable(url)!r} is not a store URL; write {KNOWN}")
    if scheme == "memory":
        return _memory(rest, namespace=namespace, clock=clock, virtual_buckets=buckets)
    if scheme == "sqlite":
        from shike.store.sqlite import SQLiteStore

        return SQLiteStore(url, clock=clock, namespace=namespace, virtual_buckets=buckets)
    kind, _, driver = scheme.partition("+")
    if kind in ("postgresql", "postgres"):
        if driver:
            raise BadStoreURL(f"{scheme}:// names a driver, which Shike chooses itself; write postgresql://…")
        return _postgres(url, namespace=namespace, virtual_buckets=buckets)
    if kind in ("mysql", "mariadb"):
        if driver:
            raise BadStoreURL(f"{scheme}:// names a driver, which Shike chooses itself; write mysql://…")
        return _mysql(url, namespace=namespace, virtual_buckets=buckets)
    if kind in ("redis", "rediss"):
        return _redis(url, namespace=namespace, virtual_buckets=buckets)
    raise BadStoreURL(f"no store serves {scheme!r}; write {KNOWN}")


def without_secrets(url: str) -> str:
    """A URL as people may see it: that of a server without its password and its options."""
    if url.startswith(("sqlite:", "memory:")):
        return url
    parts = urlsplit(url)
    who, at, where = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{who.partition(':')[0]}{at}{where}{parts.path}"


def unreadable(url: str) -> str:
    """What may be shown of a URL that cannot be taken apart: nothing of what may be a password, however it is written,
    and no options."""
    scheme, colon, rest = url.partition(":")
    before, at, where = rest.rpartition("@")
    slashes = before[: len(before) - len(before.lstrip("/"))]
    return f"{scheme}{colon}{slashes}{at and HIDDEN + at}{where.partition('?')[0]}"


def without_buckets(url: str) -> tuple[str, int | None]:
    """The URL without that option, and what it said. Raises `BadSetting` where it said no number."""
    found = _BUCKETS.search(url)
    if found is None:
        return url, None
    if not found[1].isdecimal():
        raise BadSetting(f"virtual_buckets={found[1]}: a store has 1, 64 or 256")
    rest = url[: found.start()], url[found.end() :]
    return (f"{rest[0]}?{rest[1][1:]}" if found[0][0] == "?" and rest[1] else "".join(rest)), int(found[1])


def _memory(rest: str, *, namespace: str, clock: Clock, virtual_buckets: int | None) -> Store:
    from shike.store.memory import MemoryStore

    if rest:
        raise BadStoreURL(f"memory:// has no path and no options, but got {rest!r}; did you mean sqlite:///{rest}?")
    return MemoryStore(clock, namespace=namespace, virtual_buckets=virtual_buckets or 1)


def _postgres(url: str, *, namespace: str, virtual_buckets: int | None) -> Store:
    try:
        from shike.store.postgres import PostgresStore
    except ImportError as error:
        raise driver_missing("postgresql", "postgres", error) from error
    return PostgresStore(url, namespace=namespace, virtual_buckets=virtual_buckets)


def _redis(url: str, *, namespace: str, virtual_buckets: int | None) -> Store:
    try:
        from shike.store.redis import RedisStore
    except ImportError as error:
        raise driver_missing("redis", "redis", error) from error
    return RedisStore(url, namespace=namespace, virtual_buckets=virtual_buckets)


def _mysql(url: str, *, namespace: str, virtual_buckets: int | None) -> Store:
    try:
        from shike.store.mysql import MySQLStore
    except ImportError as error:
        raise driver_missing("mysql", "mysql", error) from error
    return MySQLStore(url, namespace=namespace, virtual_buckets=virtual_buckets)


def driver_missing(scheme: str, extra: str, error: ImportError) -> BadStoreURL:
    """What to say where a store's driver is not installed."""
    return BadStoreURL(f"{scheme}:// needs a driver ({error}): pip install 'shike[{extra}]'")


def address(url: str, namespace: str = DEFAULT_NAMESPACE) -> str:
    """Which store a URL means, to be written down for others: a file with its whole path, HIDDEN in place of a password
    and of options that hold one."""
    plain = without_buckets(url)[0]
    if plain.startswith("sqlite:"):
        path, question, options = plain.removeprefix("sqlite:///").partition("?")
        shown = f"sqlite:///{Path(unquote(path)).absolute()}{question}{options}"
    else:
        parts = urlsplit(plain)
        who, at, where = parts.netloc.rpartition("@")
        user, colon, _ = who.partition(":")
        shown = urlunsplit(parts._replace(netloc=f"{user}{colon and colon + HIDDEN}{at}{where}"))
        shown = _SECRETS.sub(rf"\1={HIDDEN}", shown)
    return shown if namespace == DEFAULT_NAMESPACE else f"{shown} (namespace {namespace})"


def may_be_opened(shown: str) -> bool:
    """Whether what `address` shows is all that is needed to open the store."""
    return HIDDEN not in shown and " " not in shown
