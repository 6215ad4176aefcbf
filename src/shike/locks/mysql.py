"""Locks on MySQL and MariaDB: leases in rows (`FOR UPDATE SKIP LOCKED`), and row locks for a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

from shike.bounds import LOCK_ANSWER_SECONDS, LOCK_CONNECTIONS_MAX
from shike.clock import Clock
from shike.errors import BadStoreURL, LockBusy, StoreUnavailable
from shike.ids import Entropy
from shike.locks.base import LEASE, TIMEOUT, Grant, Locks
from shike.locks.files import statements
from shike.locks.rows import Known, Row, row_name, whole_seconds
from shike.locks.waiting import pauses
from shike.trigger.duration import Duration

P = ParamSpec("P")
T = TypeVar("T")
DEADLOCK_TRIES = 5  # each time somebody else got through
_LOCK_WAIT_TIMEOUT, _DEADLOCK = 1205, 1213
_GONE = (2006, 2013, 4031)  # the server closed the connection


class _TakenBack(LockBusy):
    """The server chose this transaction to end a deadlock: nothing was done."""


class MySQLLocks(Locks):
    """Locks of one database, in the table `{namespace}_locks`: four round trips to take, one to renew or release.

    A row per name stays for ever (its token must go on growing): name locks after things that are few, and delete no
    row while programs run. As durable as `innodb_flush_log_at_trx_commit`; a lock taken just before a failover to an
    asynchronous replica may be granted again there, with a higher token.
    """

    def __init__(
        self, url: str, *, namespace: str = "shike", clock: Clock | None = None, entropy: Entropy | None = None
    ) -> None:
        super().__init__(namespace=namespace, clock=clock, entropy=entropy)
        self._connect = _connect_words(url)
        self._sql = statements("mysql", self.namespace)
        self._known = Known()
        self._pool: Any = None

    async def open(self) -> None:
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await self._ready()

    async def _ready(self) -> Any:
        """A pool of connections to a database that has the table."""
        try:
            import asyncmy
        except ImportError:
            raise BadStoreURL("locks on MySQL need its driver: pip install 'shike[mysql]'") from None
        async with _told():
            pool = await asyncmy.create_pool(
                **self._connect, minsize=0, maxsize=LOCK_CONNECTIONS_MAX, connect_timeout=LOCK_ANSWER_SECONDS,
                autocommit=True, init_command=self._sql["session"],
            )  # fmt: skip
            try:
                async with _cursor_of(pool) as cursor:
                    await cursor.execute("set session sql_notes = 0")  # "the table exists" is no news
                    await cursor.execute(self._sql["table"])
            except BaseException:
                pool.terminate()
                raise
        return pool

    async def ask(self, question: Callable[P, Awaitable[T]], *args: P.args, **words: P.kwargs) -> T:
        return await self._repeated(lambda: super(MySQLLocks, self).ask(question, *args, **words))

    async def _repeated(self, step: Callable[[], Awaitable[T]]) -> T:
        """Again after a deadlock: it says nothing about who has the lock."""
        for _, pause_seconds in zip(range(DEADLOCK_TRIES - 1), pauses(self._entropy), strict=False):
            try:
                return await step()
            except _TakenBack:
                await asyncio.sleep(pause_seconds)
        return await step()

    async def _disconnect(self) -> None:
        pool, self._pool, self._known = self._pool, None, Known()
        if pool is not None:
            pool.close()
            await pool.wait_closed()

    @asynccontextmanager
    async def row(self, name: str, *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> AsyncIterator[Row[Any]]:
        """Lock a row for a block that is one transaction: what is written through `row.connection` is protected
        without any token, since it is committed with the lock or not at all.

        `lease` (rounded up to whole seconds) bounds how long the transaction may stand still: after that the server
        closes the connection, undoes what it did, and gives the row to the next (`wait_timeout`). Raises
        `LockBusy` after `timeout` (also rounded up), and `StoreUnavailable` where the server closed it. For effects
        outside of this database there is `row.token`. It holds one of the LOCK_CONNECTIONS_MAX connections.
        """
        await self.ask(self._made, (row_name(name),))
        limits = whole_seconds(timeout), whole_seconds(lease)
        async with _ended_by_server(), self._seats, self._cursor() as cursor:
            token = await self._repeated(lambda: self._locked_row(cursor, row_name(name), limits))
            yield Row(cursor.connection, token)
            await cursor.execute("commit")
            await cursor.execute(self._sql["impatience"])

    async def _locked_row(self, cursor: Any, name: str, limits: tuple[int, int]) -> int:
        async with _told(), asyncio.timeout(limits[0] + LOCK_ANSWER_SECONDS):
            await cursor.execute(self._sql["patience"], limits)
            await cursor.execute("begin")
            await cursor.execute(self._sql["find_row"], (name,))
            await cursor.execute(self._sql["row"], (name,))
        token: int = cursor.lastrowid
        return token

    async def _take(self, names: tuple[str, ...], owner: str, lease_us: int) -> Grant | None:
        await self._made(names)
        async with _told(), self._cursor() as cursor:
            for name in await self._free_names(cursor, names, owner):
                await cursor.execute("begin")
                await cursor.execute(self._sql["find"], (name, owner))
                found = await cursor.fetchone()
                if found is not None:
                    await cursor.execute(self._sql["take"], (owner, lease_us, name))
                    token = cursor.lastrowid
                await cursor.execute("commit")
                if found is not None:
                    return Grant(name, token)
        return None

    async def _free_names(self, cursor: Any, names: tuple[str, ...], owner: str) -> Sequence[str]:
        """Those that look free. They are then locked one by one: a sorted SELECT … FOR UPDATE would lock them all."""
        if len(names) == 1:
            return names
        query = self._sql["free_names"].replace("{names}", ", ".join(["%s"] * len(names)))
        await cursor.execute(query, (*names, owner, *names))
        return [row[0].decode() for row in await cursor.fetchall()]

    async def _extend(self, name: str, owner: str, lease_us: int) -> bool:
        return await self._changed("extend", lease_us, name, owner)

    async def _free(self, name: str, owner: str) -> bool:
        return await self._changed("free", name, owner)

    async def _changed(self, statement: str, *args: str | int) -> bool:
        await self.open()
        async with _told(), self._cursor() as cursor:
            changed: int = await cursor.execute(self._sql[statement], args)
        return changed == 1

    async def _made(self, names: tuple[str, ...]) -> None:
        await self.open()
        if missing := self._known.missing(names):
            async with _told(), self._cursor() as cursor:
                await cursor.executemany(self._sql["make"], [(name, name) for name in missing])
            self._known.add(missing)

    def _cursor(self) -> AbstractAsyncContextManager[Any]:
        return _cursor_of(self._pool)


@asynccontextmanager
async def _cursor_of(pool: Any) -> AsyncIterator[Any]:
    """A connection of the pool. One that was interrupted in mid-answer is thrown away: it may hold a row."""
    async with pool.acquire() as connection:
        try:
            async with connection.cursor() as cursor:
                yield cursor
        except BaseException:
            connection.close()
            raise


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Say what the driver says in words of ours."""
    from asyncmy.errors import MySQLError

    try:
        yield
    except (OSError, TimeoutError, MySQLError) as error:
        code = error.args[0] if error.args else 0
        if code in (_LOCK_WAIT_TIMEOUT, _DEADLOCK):
            busy = _TakenBack if code == _DEADLOCK else LockBusy
            raise busy("the row did not come free in time: wait longer, or do without") from None
        raise StoreUnavailable(f"MySQL could not do what a lock asked: {error}") from error


@asynccontextmanager
async def _ended_by_server() -> AsyncIterator[None]:
    """Tell that the server ended the transaction; what else the block raises is the block's own."""
    from asyncmy.errors import MySQLError

    try:
        yield
    except MySQLError as error:
        if error.args and error.args[0] in _GONE:
            raise StoreUnavailable("the row was held longer than its lease, or MySQL went away: undone") from error
        raise


def _connect_words(url: str) -> dict[str, Any]:
    """The driver's words of `mysql://user:password@host:port/database`."""
    parts = urlsplit(url)
    if parts.scheme not in ("mysql", "mariadb") or not parts.path.strip("/"):
        raise BadStoreURL(f"{parts.scheme}://… names no MySQL database; write mysql://user:password@host:3306/database")
    return {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or 3306,
        "user": unquote(parts.username or "root"),
        "password": unquote(parts.password or ""),
        "db": parts.path.strip("/"),
    }
