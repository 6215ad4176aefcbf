"""A message becomes a run (R2.11): at least once, and one run for each id."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from shike.bounds import SUBMIT_PART
from shike.call import Call, Task
from shike.connect.aside import Aside, SetAside
from shike.connect.bounds import ID_CHARS_MAX
from shike.connect.conditions import View, Where
from shike.connect.mapping import Map
from shike.connect.names import check_name
from shike.connect.sources.base import Message, Source
from shike.connect.webhook import Webhook
from shike.errors import BadInput, BrokerError, DuplicateName, ShikeError
from shike.outage import Outage
from shike.outbox.accept import entry_of, spread_of
from shike.outbox.rows import Row
from shike.store.gather import Gather
from shike.store.guards import Entry
from shike.store.verbs import Submitted

if TYPE_CHECKING:
    from shike.app import Shike

log = logging.getLogger("shike.connect")

_PLAIN: Final = re.compile(rf"[\x21-\x7e]{{1,{ID_CHARS_MAX}}}")


class Became(StrEnum):
    """What became of a message."""

    RUN = "run"  # it is a run in the store
    REPEAT = "repeat"  # it was one before
    PASSED = "passed"  # the filter does not want it
    ASIDE = "aside"  # it never can be a run, and is set aside with the reason


class Accepted(Struct, frozen=True):
    """The answer to a message, which is in the store now, or need not be."""

    became: Became
    run_id: str = ""  # RUN and REPEAT
    reason: str = ""  # ASIDE


class _Asked(Struct, frozen=True):
    identity: str  # "": a message of its own, whenever it comes
    call: Call[Any]


class Intake:
    """Runs of one task from the messages of one source:

        paid = Intake(app, "paid", from_nats(url, "orders.*"), send_receipt,
                      where={"state": "paid", "total": at_least(100)},
                      map=Map(args={"order": "id", "shop": "$topic.1"}, band=Pick("tier", {"gold": 0}, default=3)))

        async with app.running(), paid.serving():
            ...

    A message is acknowledged when it is a run in the store, or was passed over or set aside there; so it is delivered
    at least once. The store knows its id for RELAY_REMEMBER_SECONDS, so each id becomes one run. Without a store or a
    broker it waits, and goes on by itself. What never can be a run (no JSON, no id, arguments that do not fit) holds
    up nothing: `set_aside()` tells the newest ASIDE_KEPT with their reasons. Broker and store know the intake by its
    name; any number of processes may serve it (of MQTT: one). A `Webhook` in place of a source: the server of the app
    takes what is posted to `/api/v1/hooks/NAME`. Without either, whoever has a message calls `accept`.
    """

    def __init__(
        self,
        app: Shike,
        name: str,
        source: Source | Webhook | None,
        task: Task[..., Any],
        *,
        where: Mapping[str, Any] | None = None,
        map: Map | None = None,
    ) -> None:
        """Raises `BadInput` for a name that is no short word, a task that is none, or a path that is none;
        `DuplicateName` where the app has an intake of that name."""
        self.name = check_name("name of an intake", name)
        if not isinstance(task, Task):
            raise BadInput(f"{task!r:.60} is no task; an intake turns messages into runs of one, @app.task makes it")
        self._app = app
        self.webhook = source if isinstance(source, Webhook) else None
        self._source = None if isinstance(source, Webhook) else source
        self._task = task
        self._where = Where(where or {})
        self._map = map or Map()
        self._map.check()
        self._aside = Aside(name, app.runtime.clock.wall)
        self._line: Gather[_Asked, Submitted] = Gather(self._stored, most=SUBMIT_PART)
        self._broker_outage = Outage(log, f"receiving {name} from its broker")
        self._store_outage = Outage(log, f"storing messages of {name}")
        self.counts = dict.fromkeys(Became, 0)
        """Of this process: how many messages became what."""
        if app.intakes.setdefault(name, self) is not self:
            raise DuplicateName(f"two intakes are called {name!r}: broker and store know them by their names")

    @property
    def reads(self) -> bool:
        """Whether it has a source of its own to read from."""
        return self._source is not None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Intake]:
        """Turn messages into runs for as long as the block lasts; waits out outages."""
        running = self._app.runtime.start(self.run, f"intake {self.name}")
        try:
            yield self
        finally:
            await running.stop()

    async def run(self) -> None:
        """The role, until it is cancelled."""
        if self._source is None:
            raise BadInput(f"intake {self.name} has no source: hand it messages with accept()")
        while True:
            try:
                try:
                    await self._source.open(f"{self._app.namespace}-{self.name}")
                    self._broker_outage.over()
                    await self._source.receive(self._patiently)
                finally:
                    await self._source.close()
            except BrokerError as error:
                await asyncio.sleep(self._broker_outage.pause(error))

    async def _patiently(self, message: Message) -> None:
        while True:
            try:
                await self.accept(message)
            except (ShikeError, OSError, TimeoutError) as error:  # the store's: the message's own were set aside
                await asyncio.sleep(self._store_outage.pause(error))
            else:
                self._store_outage.over()
                return

    async def accept(self, message: Message) -> Accepted:
        """One message, wherever it comes from; may be repeated. Raises what the store raises: then it may or may not
        have been taken, and has to be handed over again."""
        try:
            asked = self._asked(message)
        except Exception as error:  # whatever it is, the messages behind it are not to wait for it
            return await self._put_aside(message, error)
        if asked is None:
            self.counts[Became.PASSED] += 1
            return Accepted(Became.PASSED)
        try:
            stored = await self._app.client.here(self._line.ask(asked))
        except (BadInput, UnicodeError) as error:
            return await self._put_aside(message, error)
        became = Became.RUN if stored.fresh else Became.REPEAT
        self.counts[became] += 1
        return Accepted(became, str(stored.run_id) if stored.run_id else "")

    async def set_aside(self) -> list[SetAside]:
        """Messages that never could be a run, oldest first."""
        client = self._app.client
        return await client.here(self._aside.all(await client.store()))

    async def clear_aside(self) -> int:
        """Forget them; how many."""
        client = self._app.client
        return await client.here(self._aside.clear(await client.store()))

    def _asked(self, message: Message) -> _Asked | None:
        """The run that is asked for; None: the filter does not want the message. Decided from the message alone."""
        view = View(message)
        if not self._where.holds(view):
            return None
        identity = self._map.identity(view)
        if identity:
            identity = f"{self.name}/{_short(identity)}"
        return _Asked(identity, self._map.call(view, self._task))

    async def _put_aside(self, message: Message, error: BaseException) -> Accepted:
        client = self._app.client
        reason = await client.here(self._aside.put(await client.store(), message, error))
        self.counts[Became.ASIDE] += 1
        log.warning("message %r of intake %s is set aside: %s", message.id, self.name, reason)
        return Accepted(Became.ASIDE, reason=reason)

    async def _stored(self, batch: Sequence[_Asked]) -> Sequence[Submitted | BaseException]:
        """One write for all; where the store refuses that, each by itself, so that it is known which one it is."""
        try:
            return await self._app.client.deliver([await self._entry(asked) for asked in batch])
        except (BadInput, UnicodeError) as error:
            if len(batch) == 1:
                return [error]
            return [answer for asked in batch for answer in await self._stored([asked])]

    async def _entry(self, asked: _Asked) -> Entry:
        client, call, now = self._app.client, asked.call, self._app.runtime.clock.wall()
        if not asked.identity:
            return call.entry(await client.take_id(call.how.key), now, client.codec)
        row = Row(0, asked.identity, call.definition.name, "", "", now)
        return entry_of(row, call, await client.take_id(spread_of(row, call)), client.codec)


def _short(identity: str) -> str:
    """The id, or a digest of one that is long or has signs that a store may not hold."""
    if _PLAIN.fullmatch(identity):
        return identity
    return f"sha256:{hashlib.sha256(identity.encode(errors='surrogatepass')).hexdigest()}"
