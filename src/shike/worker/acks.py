"""Acknowledgements on their way to the store, in micro-batches (R0.9–R0.11).

Flushed at once when no flush is on its way; otherwise they gather until the flush is back, the batch is full or the
oldest has waited ACK_DELAY_SECONDS. A crash of this process loses them, and with them its leases: the runs repeat,
nothing is lost silently. A flush whose reply was lost is sent again; the store knows what it accepted before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from shike.bounds import ACK_BATCH_MAX, ACK_DELAY_SECONDS, ACK_LEASE_SHARE_MAX
from shike.counted import counted
from shike.errors import BadSetting, StoreError
from shike.model import State
from shike.outage import Outage
from shike.store.base import Store
from shike.store.verbs import Ack, Answer

log = logging.getLogger("shike.worker")

FLUSHES_MAX = 2  # on their way at once: one commits while the next one is filled


class AckBatcher:
    """Takes acknowledgements from the slots and tells, batch by batch, what the store answered."""

    def __init__(
        self,
        store: Store,
        identity: Callable[[], str],
        answered: Callable[[Sequence[Ack], Sequence[Answer]], None],
        *,
        lease_seconds: float,
        delay_seconds: float = ACK_DELAY_SECONDS,
    ) -> None:
        if delay_seconds > lease_seconds * ACK_LEASE_SHARE_MAX:
            raise BadSetting(
                f"acknowledgements may wait {delay_seconds} s, but a lease is {lease_seconds} s: healthy runs would "
                f"look lost. At most {lease_seconds * ACK_LEASE_SHARE_MAX:g} s"
            )
        self._store = store
        self._identity = identity
        self._answered = answered
        self._delay_seconds = delay_seconds
        self._waiting: list[Ack] = []
        self._flushes: dict[asyncio.Task[None], tuple[list[Ack], int]] = {}  # each with its batch, and of which life
        self._wake: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._outage = Outage(log, "acknowledging")
        self._life = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, ack: Ack) -> None:
        """Hand over one acknowledgement. It leaves with whatever else this turn of the event loop brings."""
        self._waiting.append(ack)
        if self._wake is None:
            self._wake = asyncio.get_running_loop().call_soon(self._turn)

    def drop(self) -> None:
        """The session is over: whatever is still here would be refused, and its runs are another's already."""
        self._life += 1
        self._waiting.clear()

    async def drain(self, seconds: float) -> bool:
        """Wait until everything handed over so far was answered or dropped; what is left after so long is dropped."""
        try:
            async with asyncio.timeout(seconds):
                await self._drain()
        except TimeoutError:
            self.drop()
            return False
        return True

    async def _drain(self) -> None:
        while self._waiting or self._flushes:
            while self._waiting and len(self._flushes) < FLUSHES_MAX:
                self._flush()
            await asyncio.wait(list(self._flushes), return_when=asyncio.FIRST_COMPLETED)

    def _turn(self) -> None:
        self._wake = None
        while self._waiting and (
            not self._flushes or (len(self._waiting) >= ACK_BATCH_MAX and len(self._flushes) < FLUSHES_MAX)
        ):
            self._flush()
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay_seconds, self._overdue)

    def _overdue(self) -> None:
        self._timer = None
        if self._waiting and len(self._flushes) < FLUSHES_MAX:
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting[:ACK_BATCH_MAX], self._waiting[ACK_BATCH_MAX:]
        task = asyncio.get_running_loop().create_task(self._send(batch, self._life), name="shike:acks")
        self._flushes[task] = batch, self._life
        task.add_done_callback(self._back)

    def _back(self, task: asyncio.Task[None]) -> None:
        batch, life = self._flushes.pop(task)
        if task.cancelled():  # by whoever ends the event loop: `drain` sends them again
            if life == self._life:
                self._waiting[:0] = batch
        elif self._waiting:
            self._turn()

    async def _send(self, batch: list[Ack], life: int) -> None:
        if life != self._life:
            return
        identity = self._identity()
        while life == self._life:
            try:
                answers = await self._store.settle(identity, batch)
            except StoreError as error:
                await asyncio.sleep(self._outage.pause(error))
                continue
            except Exception:
                log.exception("%s cannot be delivered", counted(len(batch), "acknowledgement"))
                if len(batch) > 1:  # one of them is unfit: the others must not suffer
                    for ack in batch:
                        await self._send([ack], life)
                    return
                if batch[0].state is not State.DEAD or batch[0].trace:
                    batch = [_bare(batch[0])]  # or it would be given back with the next beat, and run again, for ever
                    continue
                answers = [Answer.REFUSED]
            self._outage.over()
            self._answered(batch, answers)
            return


def _bare(ack: Ack) -> Ack:
    """What can be said of an attempt whose report no store can hold."""
    return Ack(ack.run_id, ack.token, State.DEAD, reason="the report of its end could not be stored; see the log")
