"""The queue in which commands wait for the one writer of their ledger, a part for each virtual bucket; and answers.

A command may be lost with the process that took it, and may come twice: it is asked again, and done once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from shike.errors import BadCommand, ClerkClosed, DamagedJournal, ShikeError, StoreUnavailable
from shike.reserve.commands import AnyCommand
from shike.reserve.deciding import Decision
from shike.reserve.events import AnyEvent
from shike.reserve.model import Refusal
from shike.reserve.spread.bounds import WAITING_MAX

T = TypeVar("T")


class Ask(Struct, frozen=True, array_like=True):
    """A command on its way. `id` comes back with the answer, which goes to `reply`."""

    id: int
    reply: str
    ledger: str
    command: AnyCommand
    hops: int = 0  # how often it was passed on


class Answer(Struct, frozen=True, array_like=True):
    """One of the three."""

    id: int
    event: AnyEvent | None = None
    refusal: Refusal | None = None
    error: str = ""
    words: str = ""


class Post(Protocol):
    """Raises `StoreUnavailable` where the queue does not answer, `ClerkClosed` where too much waits in it."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, asks: Sequence[tuple[int, Ask]]) -> None:
        """Put each into the queue of its part."""

    async def take(self, parts: Collection[int], most: int, seconds: float) -> list[Ask]:
        """What waits in these parts, at most so many; waits for the first at most so long."""

    async def answer(self, answers: Sequence[tuple[str, Answer]]) -> None:
        """Send each answer to whoever waits for it."""

    async def answers(self, reply: str, most: int, seconds: float) -> list[Answer]:
        """What was answered to `reply`; as `take`."""


class MemoryPost:
    """For the processes that are one: all share this one."""

    def __init__(self) -> None:
        self._asks: dict[int, deque[Ask]] = {}
        self._answers: dict[str, deque[Answer]] = {}
        self._came = asyncio.Event()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, asks: Sequence[tuple[int, Ask]]) -> None:
        for part, ask in asks:
            queue = self._asks.setdefault(part, deque())
            if len(queue) >= WAITING_MAX:
                raise full(part)
            queue.append(ask)
        self._came.set()

    async def take(self, parts: Collection[int], most: int, seconds: float) -> list[Ask]:
        return await self._wait([self._asks.setdefault(part, deque()) for part in parts], most, seconds)

    async def answer(self, answers: Sequence[tuple[str, Answer]]) -> None:
        for reply, answer in answers:
            self._answers.setdefault(reply, deque()).append(answer)
        self._came.set()

    async def answers(self, reply: str, most: int, seconds: float) -> list[Answer]:
        return await self._wait([self._answers.setdefault(reply, deque())], most, seconds)

    async def _wait(self, queues: list[deque[T]], most: int, seconds: float) -> list[T]:
        try:
            async with asyncio.timeout(seconds):
                while not any(queues):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return []
        found: list[T] = []
        for queue in queues:
            while queue and len(found) < most:
                found.append(queue.popleft())
        return found


def full(part: int) -> ClerkClosed:
    """For who sends to a queue with too much in it."""
    return ClerkClosed(f"{WAITING_MAX:,} commands wait for the ledgers of part {part}; ask later")


def told(ask: Ask, outcome: Decision | ShikeError) -> Answer:
    """The answer to a command."""
    if isinstance(outcome, ShikeError):
        return Answer(ask.id, error=type(outcome).__name__, words=str(outcome))
    return Answer(ask.id, refusal=outcome) if isinstance(outcome, Refusal) else Answer(ask.id, event=outcome)


def heard(answer: Answer) -> Decision | ShikeError:
    """What an answer tells. Errors keep their kind as far as an asker can do something about it."""
    if answer.event is not None:
        return answer.event
    if answer.refusal is not None:
        return answer.refusal
    kinds = (BadCommand, ClerkClosed, DamagedJournal)
    kind = next((one for one in kinds if one.__name__ == answer.error), StoreUnavailable)
    return kind(answer.words)


ASKS: Final = msgspec.msgpack.Decoder(Ask)
ANSWERS: Final = msgspec.msgpack.Decoder(Answer)
encode: Final = msgspec.msgpack.Encoder().encode
