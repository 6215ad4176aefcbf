"""`Outbox`: the face of the package."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from shike.bounds import REFUSED_LISTED, SUBMIT_BATCH_MAX
from shike.call import Call, checked
from shike.errors import StoreMoved, TooLarge
from shike.lazy import Lazy
from shike.outbox.accept import written
from shike.outbox.opening import open_table
from shike.outbox.relay import Relay
from shike.outbox.rows import Counts, Refused
from shike.outbox.writing import post
from shike.runtime import driven
from shike.store.guests import dialect_of, is_async

if TYPE_CHECKING:
    from shike.app import Shike

log = logging.getLogger("shike.outbox")


class Outbox:
    """An outbox of an app, in an application's database that is not the app's store:

        outbox = Outbox(app, "postgresql://shop@db/shop")

        with psycopg.connect(…) as connection:
            connection.execute("insert into orders …")
            outbox.submit_on(connection, send_mail.bind(order=7))

    The run waits in the table `{namespace}_outbox` until a relay moves it into the store: `relaying`, in this process,
    or `shike outbox relay`. Each row becomes exactly one run, however often either is killed in between, as long as it
    is back within RELAY_REMEMBER_SECONDS; a row that never can be one is set aside with the reason (`refused`). Rows
    are handed on in the order of their ids, which for transactions one after the other is the order of these.

    `url`: sqlite, postgresql or mysql, with the options of a store's URL. Creating an `Outbox` opens nothing. Raises
    `BadStoreURL`, `BadSetting`.
    """

    def __init__(self, app: Shike, url: str, *, namespace: str = "") -> None:
        self._app = app
        self._url = url
        self._namespace = namespace or app.namespace
        table = open_table(url, self._namespace)
        self.name = table.name
        """Of the table."""
        self.where = table.where
        """For people: the URL without its password."""

    def create(self) -> Any:
        """Make the table, or bring it up to date: what `shike outbox create` does. In async code, await it."""

        async def work() -> None:
            table = open_table(self._url, self._namespace)
            try:
                await table.create()
            finally:
                await table.close()

        return self._app.client.both("Outbox.create", work)

    def submit_on(self, connection: Any, calls: Call[Any] | Sequence[Call[Any]]) -> Any:
        """Write a run, or several, into the outbox, in the transaction that is open on your own connection.

        The connection is one of those that `Shike.submit_on` takes; with an async one, await the answer, which is None.
        A key, a delay and all other options hold; a delay counts from now. At most SUBMIT_BATCH_MAX at a time. Raises
        `BadInput` where no transaction is open, `ForeignStore` where the database has no outbox, `TooLarge`.
        """
        listed = [calls] if isinstance(calls, Call) else checked(calls)
        if len(listed) > SUBMIT_BATCH_MAX:
            words = f"submit_on takes {SUBMIT_BATCH_MAX} runs at a time; call it more than once in the transaction"
            raise TooLarge(words, size=len(listed), limit=SUBMIT_BATCH_MAX)
        if is_async(connection):
            return Lazy("Outbox.submit_on", lambda: self._post(connection, listed))
        driven(self._post(connection, listed))
        return None

    async def _post(self, connection: Any, calls: Sequence[Call[Any]]) -> None:
        now = self._app.client.runtime.clock.wall()
        rows = [written(call, now) for call in calls]
        if rows:
            await post(connection, rows, dialect=dialect_of(self._url), name=self.name, where=self.where)

    def relay(self, **bounds: Any) -> Relay:
        """A relay of this outbox, to be run: `await outbox.relay().run()`. Bounds: `rows_max`, `lease_seconds`,
        `poll_seconds`."""
        return Relay(open_table(self._url, self._namespace), self._app.client, self._app.find_task, **bounds)

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[Relay]:
        """Relay in this process for as long as the block lasts; any number of processes may:

        async with app.running(), outbox.relaying():
            ...

        Ends by itself, with a line in the log, where the store was moved to another one.
        """
        relay = self.relay()

        async def role() -> None:
            try:
                await relay.run()
            except StoreMoved as error:
                log.error("the outbox in %s is not relayed any more: %s", self.where, error)

        running = self._app.runtime.start(role, "outbox")
        try:
            yield relay
        finally:
            await running.stop()

    async def refused(self, limit: int = REFUSED_LISTED) -> list[Refused]:
        """The rows that were set aside, oldest first."""
        table = open_table(self._url, self._namespace)
        try:
            return await table.refused(limit)
        finally:
            await table.close()

    async def counts(self) -> Counts:
        """How many wait, and how many were refused."""
        table = open_table(self._url, self._namespace)
        try:
            return await table.counts()
        finally:
            await table.close()
