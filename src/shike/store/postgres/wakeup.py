"""Hearing what other processes commit: LISTEN, on a connection of its own.

A notification is sent outside of any hot transaction (`shike.store.relational.wakeup`): PostgreSQL lets one notifying
transaction commit at a time. Each ear holds a shared advisory lock, by which a sender sees whether anybody else
listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from shike.errors import StoreError
from shike.store.loops import at_the_end
from shike.store.postgres.faults import BROKEN
from shike.store.relational.wakeup import CLOSE_SECONDS, RETRY_SECONDS

log = logging.getLogger("shike.store")

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Ear:
    """This process's connection to the channel. It is a task only while it connects: a loop that has nothing else to do
    may end."""

    def __init__(self, connect: Connect, sql: dict[str, str], tag: str, heard: Callable[[str | None], None]) -> None:
        self._connect = connect
        self._sql = sql
        self._tag = tag
        self._heard = heard
        self._pause = RETRY_SECONDS[0]
        self._connection: asyncpg.Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self.pid = 0  # of the server's process at the other end
        self.loop = asyncio.get_running_loop()
        self._end = at_the_end(self.close)
        self._begin()

    def _begin(self) -> None:
        self._task = self.loop.create_task(self._attend(), name="shike:listen")

    async def _attend(self) -> None:
        try:
            connection = await self._connect()
        except (asyncpg.PostgresError, StoreError, *BROKEN) as error:
            log.debug("no notifications from the database: %s", error)
            self._again()
            return
        try:
            await self._open(connection)
        except BaseException as error:
            connection.terminate()
            if not isinstance(error, (asyncpg.PostgresError, *BROKEN)):
                raise
            self._again()

    async def _open(self, connection: asyncpg.Connection) -> None:
        channel, self.pid = await connection.fetchrow(self._sql["wakeup_channel"])
        connection.add_termination_listener(self._lost)
        await connection.add_listener(channel, self._told)
        await connection.execute(self._sql["wakeup_present"])
        await connection.execute(self._sql["wakeup_hello"], self._tag)
        self._connection = connection
        self._pause = RETRY_SECONDS[0]
        self._heard(None)

    def _lost(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
            self._again()

    def _again(self) -> None:
        """Listen again after a while."""
        if not self._is_over:
            self._timer = self.loop.call_later(self._pause, self._begin)
            self._pause = min(2 * self._pause, RETRY_SECONDS[1])

    def _told(self, connection: object, pid: int, channel: str, payload: object) -> None:
        tag, parcel = str(payload)[: len(self._tag)], str(payload)[len(self._tag) :]
        if tag != self._tag:
            self._heard(parcel)

    async def close(self) -> None:
        self._is_over = True
        await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=CLOSE_SECONDS)
            except (asyncpg.PostgresError, *BROKEN):
                connection.terminate()
