"""Locks on PostgreSQL: leases in rows (`FOR UPDATE SKIP LOCKED`), and row locks for a transaction (`FOR UPDATE`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shike.bounds import LOCK_ANSWER_SECONDS, LOCK_CONNECTIONS_MAX
from shike.clock import Clock
from shike.errors import BadStoreURL, LockBusy, StoreUnavailable
from shike.ids import Entropy
from shike.locks.base import LEASE, TIMEOUT, Grant, Locks
from shike.locks.files import statements
from shike.locks.rows import Known, Row, row_name, whole_milliseconds
from shike.trigger.duration import Duration


class PostgresLocks(Locks):
    """Locks of one database, in the table `{namespace}_locks`: one round trip each to take, renew and release.

    A row per name stays for ever (its token must go on growing): name locks after things that are few, and delete no
    row while programs run. As durable as the server's `synchronous_commit`; a lock taken just before a failover to an
    asynchronous replica may be granted again there, with a higher token.
    """

    def __init__(
        self, url: str, *, namespace: str = "shike", clock: Clock | None = None, entropy: Entropy | None = None
    ) -> None:
        super().__init__(namespace=namespace, clock=clock, entropy=entropy)
        self._url = url
        self._sql = statements("postgres", self.namespace)
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
            import asyncpg
        except ImportError:
            raise BadStoreURL("locks on PostgreSQL need its driver: pip install 'shike[postgres]'") from None
        async with _told():
            pool = await asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=LOCK_CONNECTIONS_MAX,
                timeout=LOCK_ANSWER_SECONDS,
                command_timeout=LOCK_ANSWER_SECONDS,
            )
            try:
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute("select pg_advisory_xact_lock(hashtext($1))", self.namespace)
                    await connection.execute(self._sql["table"])
            except BaseException:
                pool.terminate()
                raise
        return pool

    async def _disconnect(self) -> None:
        pool, self._pool, self._known = self._pool, None, Known()
        if pool is not None:
            await pool.close()

    @asynccontextmanager
    async def row(self, name: str, *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> AsyncIterator[Row[Any]]:
        """Lock a row for a block that is one transaction: what is written through `row.connection` is protected
        without any token, since it is committed with the lock or not at all.

        `lease` bounds how long the transaction may stand still: after that the server ends it, undoes it, and gives the
        row to the next (`idle_in_transaction_session_timeout`). Raises `LockBusy` after `timeout`, and
        `StoreUnavailable` from the block's end where the server ended it. For effects outside of this
        database there is `row.token`. It holds one of the LOCK_CONNECTIONS_MAX connections.
        """
        await self.ask(self._made, (row_name(name),))
        async with _ended_by_server(), self._seats, self._pool.acquire() as connection, connection.transaction():
            token = await self._locked_row(connection, row_name(name), lease, timeout)
            yield Row(connection, token)

    async def _locked_row(self, connection: Any, name: str, lease: Duration, timeout: Duration) -> int:
        wait_ms = whole_milliseconds(timeout)
        async with _told():
            await connection.execute(self._sql["limits"], str(wait_ms), str(whole_milliseconds(lease)))
            patience_seconds = wait_ms / 1_000 + LOCK_ANSWER_SECONDS
            token: int = await connection.fetchval(self._sql["row"], name, timeout=patience_seconds)
        return token

    async def _take(self, names: tuple[str, ...], owner: str, lease_us: int) -> Grant | None:
        await self._made(names)
        async with _told():
            row = await self._pool.fetchrow(self._sql["take"], names, owner, lease_us)
        return None if row is None else Grant(row[0], row[1])

    async def _extend(self, name: str, owner: str, lease_us: int) -> bool:
        return await self._changed("extend", name, owner, lease_us)

    async def _free(self, name: str, owner: str) -> bool:
        return await self._changed("free", name, owner)

    async def _changed(self, statement: str, *args: str | int) -> bool:
        await self.open()
        async with _told():
            status: str = await self._pool.execute(self._sql[statement], *args)
        return status == "UPDATE 1"

    async def _made(self, names: tuple[str, ...]) -> None:
        await self.open()
        if missing := self._known.missing(names):
            async with _told():
                await self._pool.execute(self._sql["make"], missing)
            self._known.add(missing)


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Say what the driver says in words of ours."""
    import asyncpg

    try:
        yield
    except asyncpg.LockNotAvailableError:
        raise LockBusy("the row did not come free in time: wait longer, or do without") from None
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        raise StoreUnavailable(f"PostgreSQL could not do what a lock asked: {error}") from error


@asynccontextmanager
async def _ended_by_server() -> AsyncIterator[None]:
    """Tell that the server ended the transaction; what else the block raises is the block's own."""
    import asyncpg

    try:
        yield
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError) as error:
        raise StoreUnavailable(f"PostgreSQL ended the transaction that held the row: {error}") from error
    except asyncpg.IdleInTransactionSessionTimeoutError as error:
        raise StoreUnavailable("the row was held longer than its lease, so its transaction was undone") from error
