"""What one talks to: ask any ledger anything, and the process that writes it does it (R1.10).

A command for a ledger of ours is decided here; one for another's goes into the queue of its part, where whoever owns
the part takes it. Is there no answer within ANSWER_SECONDS, it is asked again under its own id, by now perhaps of
another owner, or of ourselves. Reading goes past the owner: from the journal, where everything that was told stands.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from itertools import count

from shike.errors import Fenced, ShikeError, StoreUnavailable
from shike.outage import Outage
from shike.reserve.clerk import Clerk
from shike.reserve.commands import AnyCommand
from shike.reserve.deciding import Decision
from shike.reserve.journal.base import Journal
from shike.reserve.journal.reading import Read, follow, load
from shike.reserve.spread.bounds import (
    ANSWER_SECONDS,
    OPEN_MAX,
    PATIENCE_SECONDS,
    SEEN_MAX,
    TAKE_SECONDS,
    TAKEN_MAX,
)
from shike.reserve.spread.owners import Owners
from shike.reserve.spread.post import Answer, Ask, Post, heard, told
from shike.reserve.state import State
from shike.store.gather import Gather

log = logging.getLogger("shike.reserve")


class Spread:
    """One of the processes, over one journal. Use as a context manager; owners, clerk, journal and post are open, and
    closed by whoever opened them."""

    def __init__(self, owners: Owners, clerk: Clerk, journal: Journal, post: Post, *, reply: str) -> None:
        """`reply`: a name that no other process has, now or ever."""
        self._owners, self._clerk, self._journal, self._post, self._reply = owners, clerk, journal, post, reply
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Decision]] = {}
        self._mine: dict[int, set[str]] = {}  # part → the ledgers that our clerk may have in memory
        self._seen: OrderedDict[str, tuple[Read, asyncio.Lock]] = OrderedDict()  # ledgers of others
        self._open: set[asyncio.Task[None]] = set()
        self._roles: list[asyncio.Task[None]] = []
        self._asks: Gather[tuple[int, Ask], None] = Gather(self._sent, most=TAKEN_MAX)
        self._answers: Gather[tuple[str, Answer], None] = Gather(self._answered, most=TAKEN_MAX)
        self.passed_on = 0  # commands of others that had come to the wrong one
        self.served = 0  # commands of others that were decided here
        owners.on_lost.append(self._lost)

    async def __aenter__(self) -> Spread:
        for role in (self._serve, self._hear):
            self._roles.append(asyncio.create_task(role(), name=f"ledgers:{role.__name__}"))
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in [*self._roles, *self._open]:
            task.cancel()
        if self._roles:
            await asyncio.wait([*self._roles, *self._open])
        self._roles.clear()

    async def ask(self, ledger: str, command: AnyCommand) -> Decision:
        """The event that a command has led to, once it is committed, or the refusal: whoever writes the ledger.

        Raises `BadCommand`; `StoreUnavailable` where nobody has answered for PATIENCE_SECONDS: the same command may
        then be repeated; `ClerkClosed` where its writer has too much to do; `DamagedJournal`."""
        part, end = self._owners.part_of(ledger), asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while asyncio.get_running_loop().time() < end:
            if self._owners.has(part):
                try:
                    return await self._decide(part, ledger, command)
                except Fenced:
                    self._owners.doubt()
                    continue
            answer = await self._elsewhere(part, ledger, command)
            if answer is not None:
                return answer
        raise StoreUnavailable(f"nobody who writes ledger {ledger!r} has answered: repeat the command")

    async def state(self, ledger: str) -> State:
        """A ledger as it stands, to ask and not to change: everything that was told before is in it."""
        part = self._owners.part_of(ledger)
        if self._owners.has(part):
            self._mine.setdefault(part, set()).add(ledger)
            return (await self._clerk.read(ledger)).state
        seen = self._seen.get(ledger)
        if seen is None:
            seen = self._seen[ledger] = (Read(State()), asyncio.Lock())
            while len(self._seen) > SEEN_MAX:
                self._seen.popitem(last=False)
        read, lock = seen
        async with lock:
            try:
                if read.state.version:
                    await follow(self._journal, ledger, read)
                else:
                    fresh = await load(self._journal, ledger)
                    read.state, read.checksum = fresh.state, fresh.checksum
            except BaseException:
                self._seen.pop(ledger, None)  # it may be in the middle of a frame
                raise
        return read.state

    async def _elsewhere(self, part: int, ledger: str, command: AnyCommand) -> Decision | None:
        """Ask whoever owns the part; None: no answer in time, or the part may be ours by now."""
        number = next(self._numbers)
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._asks.ask((part, Ask(number, self._reply, ledger, command)))
                return await answer
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(number, None)

    async def _decide(self, part: int, ledger: str, command: AnyCommand) -> Decision:
        self._mine.setdefault(part, set()).add(ledger)
        return await self._clerk.do(ledger, command)

    async def _serve(self) -> None:
        """The role: take what waits for our ledgers."""
        outage = Outage(log, "taking commands for ledgers")
        while True:
            parts = self._owners.parts()
            if not parts or len(self._open) >= OPEN_MAX:
                await self._owners.news(TAKE_SECONDS / 5)
                continue
            try:
                asks = await self._post.take(parts, TAKEN_MAX, TAKE_SECONDS)
                outage.over()
            except ShikeError as error:
                await asyncio.sleep(outage.pause(error))
                continue
            for ask in asks:
                task = asyncio.create_task(self._one(ask))
                self._open.add(task)
                task.add_done_callback(self._open.discard)

    async def _one(self, ask: Ask) -> None:
        """Decide it, or pass it on; where neither can be done, its asker asks again."""
        part = self._owners.part_of(ask.ledger)
        try:
            if not self._owners.has(part):
                await self._pass_on(part, ask)
                return
            try:
                outcome: Decision | ShikeError = await self._decide(part, ask.ledger, ask.command)
            except Fenced:
                self._owners.doubt()
                await self._pass_on(part, ask)
                return
            except ShikeError as error:
                outcome = error
            self.served += 1
            await self._answers.ask((ask.reply, told(ask, outcome)))
        except ShikeError as error:
            log.warning("a command for ledger %s waits to be asked again: %s", ask.ledger, error)

    async def _pass_on(self, part: int, ask: Ask) -> None:
        """It is another's by now. Not at once, where it has come around before: nobody may own the part for a while."""
        self.passed_on += 1
        if ask.hops:
            await self._owners.news(TAKE_SECONDS / 5)
        await self._asks.ask((part, Ask(ask.id, ask.reply, ask.ledger, ask.command, ask.hops + 1)))

    async def _hear(self) -> None:
        """The role: hand answers to those who wait."""
        outage = Outage(log, "hearing answers of ledgers")
        while True:
            try:
                answers = await self._post.answers(self._reply, TAKEN_MAX, TAKE_SECONDS)
                outage.over()
            except ShikeError as error:
                await asyncio.sleep(outage.pause(error))
                continue
            for answer in answers:
                waiting = self._waiting.get(answer.id)
                if waiting is None or waiting.done():
                    continue
                outcome = heard(answer)
                if isinstance(outcome, ShikeError):
                    waiting.set_exception(outcome)
                else:
                    waiting.set_result(outcome)

    async def _sent(self, asks: list[tuple[int, Ask]]) -> list[None]:
        await self._post.send(asks)
        return [None] * len(asks)

    async def _answered(self, answers: list[tuple[str, Answer]]) -> list[None]:
        await self._post.answer(answers)
        return [None] * len(answers)

    def _lost(self, parts: frozenset[int]) -> None:
        """What we have in memory of these is out of date from now on; what is being written meets the fence."""
        for part in parts:
            for ledger in self._mine.pop(part, ()):
                self._clerk.forget(ledger)
