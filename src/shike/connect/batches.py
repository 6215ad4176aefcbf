"""Submit runs in batches by way of a broker (R2.10): the caller returns at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from shike.bounds import STOP_GRACE_SECONDS
from shike.call import Call
from shike.connect.bounds import (
    BATCH_RUNS,
    BATCH_RUNS_MAX,
    BATCH_SECONDS,
    BATCHED_MAX,
    BATCHES_SENT_AT_ONCE,
    BODY_BYTES_MAX,
)
from shike.connect.bridge import Bridge, asked_of
from shike.errors import BadInput, BrokerError, BrokerUnavailable
from shike.ids import fresh_identity
from shike.outage import Outage
from shike.runtime import woken

if TYPE_CHECKING:
    from shike.app import Shike

log = logging.getLogger("shike.connect")

FRAME_BYTES: Final = 2  # the brackets of an array


class Batches:
    """Many calls in few messages, for whoever cannot wait for a store, or has none at hand:

        async with Batches(app, "amqp://guest:guest@localhost/", "orders") as batches:
            batches.submit(cancel_unpaid.bind(7))      # returns at once; the id of the call

        async with app.running(), Bridge(app, "amqp://guest:guest@localhost/", "orders").serving():
            ...                                        # elsewhere: the calls become runs

    A batch is sent when it has `runs` calls or as many bytes as a message may have, and `seconds` after its first call
    at the latest; BATCHES_SENT_AT_ONCE of them are under way, over one connection. What the broker has confirmed
    becomes one run for each call, as `Bridge` says; what has not been confirmed is in this process's memory and is
    *lost with it*: who cannot bear that submits to the store. Leaving the block sends what is left. `submit` may be
    called on the loop that entered the block; a thread goes by `loop.call_soon_threadsafe`.
    """

    def __init__(
        self,
        app: Shike,
        url: str,
        name: str,
        *,
        runs: int = BATCH_RUNS,
        seconds: float = BATCH_SECONDS,
        **named: Any,
    ) -> None:
        """Raises `BadInput` for a number of runs or seconds that cannot be used; further arguments as for `Bridge`."""
        if isinstance(runs, bool) or not isinstance(runs, int) or not 1 <= runs <= BATCH_RUNS_MAX:
            raise BadInput(f"runs={runs!r}: a batch has 1 … {BATCH_RUNS_MAX:,} calls")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 3_600:
            raise BadInput(f"seconds={seconds!r}: a batch waits for 0 … 3,600 seconds")
        self._app = app
        self._bridge = Bridge(app, url, name, **named)
        self._runs = runs
        self._seconds = seconds
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._first_at = 0.0  # by the loop's clock: when the first of those that wait came
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._leaving = False
        self._sending: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(BATCHES_SENT_AT_ONCE)
        self._outage = Outage(log, f"sending batches of {name} to its broker")
        self._role: asyncio.Task[None] | None = None
        self._in_hand = 0
        self.sent = 0
        """How many calls the broker has confirmed."""

    def submit(self, call: Call[Any]) -> str:
        """Have a call sent with others; its id, which makes it one run. Waits for nothing. Raises `BadInput` for a call
        that has a time of its own or fits in no message, and `BrokerUnavailable` while BATCHED_MAX others wait."""
        if self._role is None or self._leaving:
            raise BadInput("batches are sent inside `async with Batches(…) as batches:` only")
        if self.waiting >= BATCHED_MAX:
            words = f"{BATCHED_MAX:,} calls wait for the broker already; submit to the store, or wait"
            raise BrokerUnavailable(words)
        name = fresh_identity(self._app.runtime.entropy)
        packed = msgspec.json.encode(asked_of(call, self._app.runtime.clock.wall(), name))
        if len(packed) + FRAME_BYTES > BODY_BYTES_MAX:
            raise BadInput(f"this call takes {len(packed):,} bytes, more than a message may have")
        if not self._waiting:
            self._first_at = asyncio.get_running_loop().time()
            self._some.set()
        self._waiting.append(packed)
        self._waiting_bytes += len(packed) + 1
        if self._is_full():
            self._full.set()
        return name

    @property
    def waiting(self) -> int:
        """How many calls no broker has confirmed yet."""
        return len(self._waiting) + self._in_hand

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._runs or self._waiting_bytes + FRAME_BYTES > BODY_BYTES_MAX

    async def __aenter__(self) -> Self:
        self._leaving = False
        self._role = asyncio.ensure_future(self._flush())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is left, for STOP_GRACE_SECONDS; then say in the log how many calls no broker took, and raise
        `BrokerUnavailable`."""
        assert self._role is not None
        self._leaving = True
        self._some.set()
        self._full.set()
        await asyncio.wait([self._role], timeout=STOP_GRACE_SECONDS)
        for task in (self._role, *self._sending):
            task.cancel()
        await asyncio.wait([self._role, *self._sending])
        self._role = None
        await self._bridge.close()
        if lost := self.waiting:
            log.error("%d calls of %s were not taken by their broker and are lost", lost, self._bridge.name)
            if error is None:
                raise BrokerUnavailable(f"{lost:,} calls were not taken by the broker; submit them again")

    async def _flush(self) -> None:
        """The role: a batch whenever one is full or old enough; at the end, all."""
        loop = asyncio.get_running_loop()
        while not self._leaving or self._waiting:
            await self._some.wait()
            await woken(self._full, max(self._first_at + self._seconds - loop.time(), 0.0))
            await self._room.acquire()  # meanwhile the batch may grow
            if batch := self._next():
                task = asyncio.ensure_future(self._send(batch))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            else:
                self._room.release()
        while self._sending:
            await asyncio.wait(list(self._sending))

    def _next(self) -> list[bytes]:
        """As many of those that wait as one message may have, in order."""
        batch: list[bytes] = []
        size = FRAME_BYTES
        while self._waiting and len(batch) < self._runs and size + len(self._waiting[0]) + 1 <= BODY_BYTES_MAX + 1:
            packed = self._waiting.popleft()
            size += len(packed) + 1
            batch.append(packed)
        self._waiting_bytes -= size - FRAME_BYTES
        self._in_hand += len(batch)
        self._first_at = asyncio.get_running_loop().time()
        if not self._leaving:
            if not self._waiting:
                self._some.clear()
            if not self._is_full():
                self._full.clear()
        return batch

    async def _send(self, batch: list[bytes]) -> None:
        """Until the broker has it; under one id, and each call has its own, so a repeat is none."""
        name = fresh_identity(self._app.runtime.entropy)
        body = b"[" + b",".join(batch) + b"]"
        try:
            while True:
                try:
                    await self._bridge.send(body, id=name)
                except BrokerError as error:
                    await asyncio.sleep(self._outage.pause(error))
                else:
                    self._outage.over()
                    self._in_hand -= len(batch)
                    self.sent += len(batch)
                    return
        finally:
            self._room.release()
