"""A delayed message becomes a run: submit by way of a broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from shike.call import Call, Duration
from shike.connect.bounds import BATCH_RUNS_MAX, NAME_CHARS_MAX
from shike.connect.delays.base import Delayed, Delays
from shike.connect.delays.opening import open_delays
from shike.errors import BadInput, BrokerError, StoreMoved
from shike.outage import Outage
from shike.outbox.accept import call_of, entry_of, spread_of, written
from shike.outbox.rows import Row

if TYPE_CHECKING:
    from shike.app import Shike

log = logging.getLogger("shike.connect")

REFUSED: Final = "-refused"  # behind a bridge's name: where messages lie that never can be a run


class Asked(Struct, frozen=True):
    """What a message says, as JSON: the task's name, its arguments as a JSON object, options as an outbox has them. In
    an array each has an `id` of its own, else the message's and its place."""

    task: str
    args: str = "{}"
    options: str = "{}"
    id: str = ""


_asked = msgspec.json.Decoder(Asked)


def asked_of(call: Call[Any], now: int, id: str = "") -> Asked:
    """Raises `BadInput` for a call that has a time of its own: who delays it is the broker."""
    if call.how.at or call.how.delay_seconds >= 0:
        raise BadInput("this call has a time of its own; give the delay to bridge.submit(…, delay) instead")
    task, args, options = written(call, now)
    return Asked(task, args, options, id)


class Bridge:
    """Runs of an app by way of a broker that keeps them until they are due:

        bridge = Bridge(app, "amqp://guest:guest@localhost/", "orders")
        await bridge.submit(cancel_unpaid.bind(7), "30m", id="order/7")  # needs the broker, and no store

        async with app.running(), bridge.serving():
            ...

    A message may hold several calls, as a JSON array (`Batches` sends such); what is wrong with one of them is none of
    the others' fault. It is acknowledged when its runs are in the store, so it is delivered at least once; the store
    knows the message's id for RELAY_REMEMBER_SECONDS, so each id becomes one run. What the broker may lose on the way,
    how late it is and how long a delay may be says its technique (`open_delays`): a run that is submitted to the store
    itself is safer. A message that never can be a run (an unknown task, arguments that do not fit, no id) is logged,
    counted, and set aside in the broker under the bridge's name and REFUSED, where it lies until somebody receives it.
    """

    def __init__(self, app: Shike, url: str, name: str, **named: Any) -> None:
        if len(name) > NAME_CHARS_MAX - len(REFUSED):
            raise BadInput(f"a bridge's name may have {NAME_CHARS_MAX - len(REFUSED)} characters")
        self._app = app
        self._named = {"namespace": app.namespace, **named}
        self._url = url
        self.name = name
        self._out: Delays | None = None
        self._opening = asyncio.Lock()
        self._outage = Outage(log, f"receiving {name} from its broker")
        self._delays(name)
        self.handed_on = 0
        self.refused = 0

    def _delays(self, name: str) -> Delays:
        return open_delays(self._url, name, **self._named)

    async def submit(self, call: Call[Any], delay: Duration | datetime = 0, *, id: str = "") -> str:
        """Hand a call to the broker; the id of its message. Raises what `Delays.send` raises; and `BadInput` for a call
        that has a time of its own: who delays it is the broker."""
        return await self.send(msgspec.json.encode(asked_of(call, self._app.runtime.clock.wall())), delay, id=id)

    async def send(self, body: bytes, delay: Duration | datetime = 0, *, id: str = "") -> str:
        """Hand a message to the broker that says what calls it stands for. Raises what `Delays.send` raises."""
        async with self._opening:
            if self._out is None:
                out = self._delays(self.name)
                await out.open()
                self._out = out
        try:
            return await self._out.send(body, delay, id=id)
        except BrokerError:
            await self.close()  # the next one opens it anew
            raise

    async def close(self) -> None:
        """Let go of the connection that `submit` opened. Idempotent."""
        out, self._out = self._out, None
        if out is not None:
            await out.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Bridge]:
        """Turn messages into runs for as long as the block lasts. Any number of processes may; waits out outages."""
        running = self._app.runtime.start(self.run, f"bridge {self.name}")
        try:
            yield self
        finally:
            await running.stop()
            await self.close()

    async def run(self) -> None:
        """The role: until it is cancelled, or the store was moved to another one, which is logged."""
        while True:
            try:
                async with AsyncExitStack() as stack:
                    delays = await stack.enter_async_context(self._delays(self.name))
                    aside = await stack.enter_async_context(self._delays(self.name + REFUSED))
                    self._outage.over()
                    await delays.receive(partial(self._take, aside))
            except BrokerError as error:
                await asyncio.sleep(self._outage.pause(error))

    async def _take(self, aside: Delays, message: Delayed) -> None:
        try:
            if not message.id:
                raise BadInput("the message has no id, by which a repeat would be known; give it one")
            parts = _parts(message.body)
        except BadInput as error:
            await self._refuse(aside, message.body, message.id, error)
            return
        pairs = []
        for number, part in enumerate(parts):
            try:
                row = self._row(message, part, f"{message.id}/{number}" if len(parts) > 1 else message.id)
                pairs.append((row, call_of(row, self._app.find_task), part))
            except (BadInput, UnicodeError) as error:
                await self._refuse(aside, part, message.id, error)
        try:
            await self._hand_on(aside, pairs)
        except StoreMoved as error:
            log.error("message %s of %s waits: %s", message.id, self.name, error)
            raise

    def _row(self, message: Delayed, part: bytes, name: str) -> Row:
        try:
            asked = _asked.decode(part)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadInput(f"the message is no JSON object with a task ({error})") from None
        due_at = message.due_at or self._app.runtime.clock.wall()
        return Row(0, f"{self.name}/{asked.id or name}", asked.task, asked.args, asked.options, due_at)

    async def _hand_on(self, aside: Delays, pairs: list[tuple[Row, Call[Any], bytes]]) -> None:
        """One write for all; where the store refuses that, each by itself, so that it is known which one it is."""
        try:
            await self._app.client.here(self._submit([(row, call) for row, call, _ in pairs]))
        except (BadInput, UnicodeError) as error:
            if len(pairs) == 1:
                ((row, _, part),) = pairs
                await self._refuse(aside, part, row.identity, error)
                return
            for pair in pairs:
                await self._hand_on(aside, [pair])
        else:
            self.handed_on += len(pairs)

    async def _submit(self, pairs: list[tuple[Row, Call[Any]]]) -> None:
        client = self._app.client
        entries = [entry_of(row, call, await client.take_id(spread_of(row, call)), client.codec) for row, call in pairs]
        if entries:
            await client.deliver(entries)

    async def _refuse(self, aside: Delays, body: bytes, name: str, error: Exception) -> None:
        await aside.send(body, 0)
        self.refused += 1
        log.warning("message %s is set aside under %s%s: %s", name, self.name, REFUSED, error)


def _parts(body: bytes) -> list[bytes]:
    """The calls of a message, each as its own JSON. Raises `BadInput` for no JSON, or too many."""
    if not body.lstrip().startswith(b"["):
        return [body]
    try:
        parts = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"the message is no JSON array of calls ({error})") from None
    if not 0 < len(parts) <= BATCH_RUNS_MAX:
        raise BadInput(f"a message holds 1 … {BATCH_RUNS_MAX:,} calls, not {len(parts):,}")
    return [bytes(part) for part in parts]
