"""Hearing what other processes commit, on a server that notifies nobody.

An ear sleeps in a statement of its own, which ends at once where there is news that it has not heard. Who has some puts
it into a small table in memory, looks which connections sleep so, and ends their statements (KILL QUERY, which a user
may do to his own): so news takes two round trips and no polling. An ear that is awake just then looks once more before
it sleeps; that there is one is seen by a named lock that it holds. Where processes come as different users of the
database, they cannot wake each other: the beat finds the work within a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from asyncmy.errors import MySQLError

from shike.errors import StoreError
from shike.store.loops import at_the_end
from shike.store.mysql.faults import INTERRUPTED, code_of
from shike.store.mysql.link import MySQLLink
from shike.store.relational.wakeup import CLOSE_SECONDS, RETRY_SECONDS

log = logging.getLogger("shike.store")

PLACES = 4  # for ears to show themselves: who finds none needs none, for others are seen, and woken all the same
SLEEP_SECONDS = 10.0  # at most in one statement, and less than half of what an answer may take

Connect = Callable[[], Awaitable[MySQLLink]]


class Ear:
    """This process's connection that sleeps until there is news."""

    def __init__(self, connect: Connect, tag: str, heard: Callable[[str | None], None], call_seconds: float) -> None:
        self._connect = connect
        self._tag = tag
        self._heard = heard
        self._nap_seconds = min(SLEEP_SECONDS, call_seconds / 2)
        self.pid = 0
        self.loop = asyncio.get_running_loop()
        self._end = at_the_end(self.close)
        self._task = self.loop.create_task(self._attend(), name="shike:listen")

    async def _attend(self) -> None:
        pause = RETRY_SECONDS[0]
        while True:
            try:
                link = await self._connect()
                try:
                    self.pid = int(link.connection.thread_id())
                    last = int((await link.rows("wakeup_open", []))[0][0])
                    await _show(link)
                    self._heard(None)
                    pause = RETRY_SECONDS[0]
                    while True:
                        last = await self._listen(link, last)
                finally:
                    link.drop()
            except StoreError as error:
                log.debug("no news from the database: %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS[1])

    async def _listen(self, link: MySQLLink, last: int) -> int:
        """Sleep, and hand on what was told meanwhile; the number of the last news."""
        await _undisturbed(link.rows("wakeup_wait", [last, self._nap_seconds]))
        for number, teller, body in await _undisturbed(link.rows("wakeup_news", [last])) or ():
            last = number
            if teller != self._tag:
                self._heard(bytes(body).decode())
        return last

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task], timeout=CLOSE_SECONDS)


async def _show(link: MySQLLink) -> None:
    """Be seen by who has news also while this connection is not asleep."""
    for place in range(PLACES):
        if (await link.rows("wakeup_present", [place]))[0][0]:
            return


async def _undisturbed(asking: Awaitable[object]) -> list[tuple[int, str, bytes]]:
    """What was asked for; nothing, where somebody ended the statement."""
    try:
        return await asking  # type: ignore[return-value]
    except StoreError as error:
        if isinstance(error.__cause__, MySQLError) and code_of(error.__cause__) in INTERRUPTED:
            return []
        raise
