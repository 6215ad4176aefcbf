"""The relay: moves what waits in an outbox into the store, each row as exactly one run, in the order of the rows.

A step is: take the lease, read the first rows, submit them, delete them. Whatever is killed in between, the next step
begins with the same rows; the store knows a row that comes again by its identity (a key that it remembers for
RELAY_REMEMBER_SECONDS) and stores nothing. The lease keeps two relays from working at once, which keeps the order; it
is not what keeps a row from running twice, so a relay that slept past it does no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from shike.bounds import RELAY_LEASE_SECONDS, RELAY_POLL_SECONDS, RELAY_ROWS
from shike.call import Call
from shike.client import Client
from shike.clock import MICROS
from shike.errors import BadInput, ShikeError, StoreError, StoreMoved
from shike.ids import fresh_identity
from shike.outage import Outage
from shike.outbox.accept import Find, call_of, entry_of, spread_of
from shike.outbox.rows import Row
from shike.outbox.table import Table, as_reason

log = logging.getLogger("shike.outbox")

LEAVE_SECONDS = 2.0
REFUSED = (BadInput, UnicodeError)  # by the store: one of the rows is such that it never will be stored


class Step(NamedTuple):
    """What one step did."""

    holds: bool  # whether the lease was ours
    rows: int = 0  # handed on, or set aside


class Relay:
    """One relay of one outbox. `find` gives the task of a name, or raises `BadInput`."""

    def __init__(
        self,
        table: Table,
        client: Client,
        find: Find,
        *,
        rows_max: int = RELAY_ROWS,
        lease_seconds: float = RELAY_LEASE_SECONDS,
        poll_seconds: float = RELAY_POLL_SECONDS,
    ) -> None:
        self._table = table
        self._client = client
        self._find = find
        self._rows_max = rows_max
        self._lease_micros = round(lease_seconds * MICROS)
        self._poll_seconds = poll_seconds
        self._owner = fresh_identity(client.runtime.entropy)
        self._outage = Outage(log, f"handing on from {table.where}")
        self.handed_on = 0
        self.refused = 0

    async def run(self) -> None:
        """Until it is cancelled; then another relay may go on at once. Waits out both databases' outages.

        Raises `StoreMoved` where the store was moved to another one: start it again with that.
        """
        try:
            while True:
                step = await self._patient_step()
                if step is not None and step.rows < self._rows_max:
                    await self._rest()
        finally:
            await self._leave()

    async def drain(self) -> None:
        """Until nothing waits, whoever hands it on. Raises what `step` raises."""
        try:
            while True:
                step = await self.step()
                if step.holds and not step.rows:
                    return
                if not step.holds:
                    if not (await self._table.counts()).waiting:
                        return
                    await asyncio.sleep(self._poll_seconds)
        finally:
            await self._leave()

    async def step(self) -> Step:
        """Hand on the first rows. Raises `StoreError` and time-outs where one of the databases does not do its part;
        nothing is lost by that, and the step may be repeated."""
        if not await self._table.take(self._owner, self._lease_micros):
            return Step(holds=False)
        rows = await self._table.read(self._rows_max)
        if rows:
            await self._client.store()  # what is wrong with the store is none of the rows' fault
            await self._hand_on([pair for row in rows if (pair := await self._judged(row)) is not None])
        return Step(True, len(rows))

    async def _patient_step(self) -> Step | None:
        try:
            step = await self.step()
        except StoreMoved:
            raise
        except (ShikeError, OSError, TimeoutError) as error:
            await asyncio.sleep(self._outage.pause(error))
            return None
        self._outage.over()
        return step

    async def _rest(self) -> None:
        try:
            await self._table.wait(self._poll_seconds)
        except (StoreError, OSError) as error:
            await asyncio.sleep(self._outage.pause(error))

    async def _judged(self, row: Row) -> tuple[Row, Call[Any]] | None:
        """The call it stands for; None: it was set aside."""
        try:
            return row, call_of(row, self._find)
        except Exception as error:  # whatever it is, the rows behind it are not to wait for it
            await self._set_aside(row, error)
            return None

    async def _hand_on(self, pairs: Sequence[tuple[Row, Call[Any]]]) -> None:
        """One submit for all. Where the store refuses that, by halves, in order, until it is known which row it is."""
        if not pairs:
            return
        try:
            await self._client.here(self._submitted(pairs))
        except REFUSED as error:
            if len(pairs) == 1:
                await self._set_aside(pairs[0][0], error)
                return
            half = len(pairs) // 2
            await self._hand_on(pairs[:half])
            await self._hand_on(pairs[half:])
            return
        await self._table.done([row.id for row, _ in pairs])
        self.handed_on += len(pairs)

    async def _submitted(self, pairs: Sequence[tuple[Row, Call[Any]]]) -> None:
        client = self._client
        entries = [entry_of(row, call, await client.take_id(spread_of(row, call)), client.codec) for row, call in pairs]
        await client.deliver(entries)

    async def _set_aside(self, row: Row, error: Exception) -> None:
        reason = as_reason(error)
        await self._table.refuse(row.id, reason)
        self.refused += 1
        log.warning("row %s of %s is set aside (%s): `shike outbox list` shows it", row.id, self._table.name, reason)

    async def _leave(self) -> None:
        """Give the lease back, if the database still answers."""
        try:
            with suppress(ShikeError, OSError, TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._table.give_back(self._owner)
        finally:
            await self._table.close()
