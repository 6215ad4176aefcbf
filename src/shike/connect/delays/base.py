"""What every technique does: take a message, and deliver it once its delay is over."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import TracebackType
from typing import ClassVar, Self, TypeAlias

from msgspec import Struct

from shike.bounds import DURATION_SECONDS_MAX
from shike.clock import MICROS, Clock, SystemClock, to_micros
from shike.connect.bounds import BODY_BYTES_MAX, HAND_SECONDS, ID_CHARS_MAX
from shike.connect.names import check_name
from shike.errors import BadInput, BadTime, TooLarge
from shike.ids import Entropy, SystemEntropy, fresh_identity
from shike.trigger.duration import Duration, parse_duration

log = logging.getLogger("shike.connect")

_ID = re.compile(rf"[A-Za-z0-9_.:/-]{{1,{ID_CHARS_MAX}}}")


class Delayed(Struct, frozen=True):
    """A message. `due_at` is its sender's reckoning (UTC µs, by the sender's clock), for measuring: when it comes is
    the broker's business."""

    id: str
    body: bytes
    due_at: int = 0


Take: TypeAlias = Callable[[Delayed], Awaitable[None]]


class Delays(ABC):
    """A named stream of delayed messages in a broker.

        async with open_delays("amqp://guest:guest@localhost/", "reminders") as delays:
            await delays.send(b"call Lin", "10m")
            await delays.receive(remind)  # goes on until it is cancelled

    Promised by all: never before its delay, counted by the broker's clock from when the message reached it; at least
    once while broker and receiver live, so a receiver must bear repeats (`Delayed.id` tells them); no cancelling; no
    order, not even of equal delays. What is lost when, how late they come and how long a delay may be differs: see each
    class, and docs/delays.md for what was measured.

    `transient`: for as long as this object lives; its messages may be kept in memory alone and are dropped with it.
    Several receivers of one name share its messages; one that has a message in hand for longer than `hand_seconds` may
    see it given to another (by RabbitMQ: when its connection ends). A connection that is lost ends `receive` with
    `BrokerUnavailable`; open it anew.
    """

    delay_seconds_max: ClassVar[float] = DURATION_SECONDS_MAX

    def __init__(
        self,
        url: str,
        name: str,
        *,
        namespace: str = "shike",
        transient: bool = False,
        hand_seconds: float = HAND_SECONDS,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self.url = url
        self.name = check_name("name", name)
        self.namespace = check_name("namespace", namespace)
        self.transient = transient
        self.hand_seconds = hand_seconds
        self._clock = clock or SystemClock()
        self._entropy = entropy or SystemEntropy()

    @abstractmethod
    async def open(self) -> None:
        """Connect, and make in the broker what is needed. Raises `BadBrokerURL` where the driver cannot read the URL,
        `BrokerLacks` where the broker has not what this takes, `BrokerUnavailable` where it does not answer."""

    @abstractmethod
    async def close(self) -> None:
        """Let go. What was in hand comes again, to others. Idempotent."""

    @abstractmethod
    async def drop(self) -> None:
        """Have the broker forget this name and all that waits under it. For good; nobody may be receiving."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, body: bytes, delay: Duration | datetime, *, id: str = "") -> str:
        """Have a message delivered after `delay` (`"10m"`, seconds, a timedelta), or at an aware datetime by this
        machine's clock; one that is past is delivered at once. Returns its id, a random one where none is given.

        The broker has it when this returns. Raises `BadTime` for a delay this technique cannot keep, `TooLarge`,
        `BadInput` for an id with strange characters, and `BrokerUnavailable`: then it may have arrived all the same.
        """
        if not isinstance(body, bytes):
            raise BadInput(f"the body of a message is bytes, not {type(body).__name__}; encode it first")
        if len(body) > BODY_BYTES_MAX:
            words = f"a body may have {BODY_BYTES_MAX:,} bytes; store the data elsewhere and send a reference"
            raise TooLarge(words, size=len(body), limit=BODY_BYTES_MAX)
        if not isinstance(id, str) or (id and not _ID.fullmatch(id)):
            raise BadInput(f"the id {id!r:.60} is not of letters, digits and _.:/-, at most {ID_CHARS_MAX} of them")
        now = self._clock.wall()
        micros = max(to_micros(delay) - now, 0) if isinstance(delay, datetime) else parse_duration(delay)
        if micros < 0:
            raise BadTime(f"a delay of {micros / MICROS:g} s lies in the past")
        if micros > self.delay_seconds_max * MICROS:
            days = self.delay_seconds_max / 86_400
            raise BadTime(f"{type(self).__name__} keeps no delay longer than {days:,.1f} days; submit a run instead")
        message = Delayed(id or fresh_identity(self._entropy), body, now + micros)
        await self._send(message, -(-micros // 1_000))
        return message.id

    @abstractmethod
    async def _send(self, message: Delayed, millis: int) -> None: ...

    @abstractmethod
    async def receive(self, take: Take) -> None:
        """Hand each message to `take` when its delay is over, several at a time, until this is cancelled. When `take`
        returns the message is done with; where it raises, that is logged, and the message comes again a little later.
        """

    async def _taken(self, take: Take, message: Delayed) -> bool:
        """Whether it was taken. An error is the receiver's own, and no reason to stop."""
        try:
            await take(message)
        except Exception:
            log.exception("message %s of %s was not taken; it comes again", message.id, self.name)
            return False
        return True
