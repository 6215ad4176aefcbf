"""The one writer of some ledgers: decides at once in memory, commits what gathered, and answers after the commit.

While one batch is on its way to the journal, commands go on being decided; all that was decided meanwhile is the next
batch, a frame per ledger. So a lone command waits for one commit, and a thousand share it. An acceptance is told only
once it is in the journal. A refusal may be told at once: that it was decided on what is not committed yet does no harm.

Where an append fails, what was decided since the last one that did not is thrown away, and the ledgers are read again
when somebody asks. Commands are repeated under their ids, and are answered as they were done.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from shike.errors import BadCommand, ClerkClosed
from shike.reserve import commands, snapshot
from shike.reserve.bounds import BATCH_MAX, KEY_CHARS_MAX, LEDGERS_MAX, LOOK_SECONDS, QUEUE_MAX, SNAPSHOT_EVENTS
from shike.reserve.deciding import Decision
from shike.reserve.journal import frames
from shike.reserve.journal.base import Frame, Journal, Kept
from shike.reserve.journal.reading import load
from shike.reserve.ledger import Ledger
from shike.reserve.model import Refusal

WISHES: Final = frozenset({commands.Hold, commands.Join})

log: Final = logging.getLogger("shike.reserve")


class Desk(Struct, eq=False):
    """A ledger in memory, and how much of it is in the journal."""

    ledger: Ledger
    checksum: int
    written: int  # the version that the journal has
    kept: int  # that of the last snapshot
    seen: float = 0.0  # when the journal had nothing that is not here, by the loop's time
    lost: bool = False  # thrown away: who still has it must not use it


class Batch:
    """What was decided since the last commit began, and who waits for its being committed."""

    __slots__ = ("desks", "waiting")

    def __init__(self) -> None:
        self.desks: dict[str, Desk] = {}
        self.waiting: list[asyncio.Future[None]] = []


class Clerk:
    """Writes the ledgers it is asked about; that no other clerk has them is made likely by whoever shares them out, and
    made harmless by the journal's fence. Of one event loop."""

    def __init__(
        self, journal: Journal, *, snapshot_events: int = SNAPSHOT_EVENTS, ledgers_max: int = LEDGERS_MAX
    ) -> None:
        self._journal = journal
        self._snapshot_events = snapshot_events
        self._ledgers_max = ledgers_max
        self._desks: dict[str, Desk] = {}  # the one read first stands first
        self._loading: dict[str, asyncio.Task[Desk]] = {}
        self._next = Batch()
        self._under_way: Batch | None = None
        self._writer: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def journal(self) -> Journal:
        """Where it commits: what stands there is true, what the clerk has in memory may be ahead of it."""
        return self._journal

    async def __aenter__(self) -> Clerk:
        await self._journal.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Commit what was decided; commands that come after it raise `ClerkClosed`. The journal stays open."""
        self._is_closed = True
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def do(self, ledger: str, command: commands.AnyCommand) -> Decision:
        """The event that the command has led to, once it is committed; or the refusal.

        Raises `BadCommand`; `Fenced`, where another writer has the ledger; `StoreUnavailable`, where nobody knows
        whether it was committed; `DamagedJournal`; `ClerkClosed`. After any of them, the same command may be repeated.
        """
        while True:
            desk = self._desks.get(ledger)
            while desk is None or desk.lost:
                desk = await self._desk(ledger)
            if self._is_closed or len(self._next.waiting) >= QUEUE_MAX:
                why = "this clerk is closed" if self._is_closed else "this clerk has too much to do; ask later"
                raise ClerkClosed(why)
            try:
                answer = desk.ledger.do(command)
            except BadCommand:
                raise
            except Exception as error:  # a fault of this program: what it has left in memory is not to be trusted
                self._throw_away(Batch(), error, desk)
                raise
            if type(answer) is Refusal:
                if await self._stands(ledger, desk, command):
                    return answer
            else:
                if self._is_open(ledger, desk):
                    await self._committed(ledger, desk)
                return answer

    async def _stands(self, ledger: str, desk: Desk, command: commands.AnyCommand) -> bool:
        """Whether a refusal was decided on what the journal has, and not on what another writer has left behind.

        Whoever wants something new and is refused may ask again, so for them it is enough that this was so a moment
        ago. Whoever speaks of what is there — this hold is over, that ticket comes back — takes "there is no such
        thing" for an end of the matter, so it is looked up.
        """
        now = asyncio.get_running_loop().time()
        if type(command) in WISHES and now - desk.seen < LOOK_SECONDS:
            return True
        if self._is_open(ledger, desk):
            await self._committed(ledger, desk)  # nobody else can have written what this is written on
            return True
        written = desk.written
        newer = await self._journal.frames(ledger, written, 1)
        if newer and desk.written == written:
            self.forget(ledger)
            return False
        desk.seen = now
        return True

    def _is_open(self, ledger: str, desk: Desk) -> bool:
        """Whether something of it is decided and not committed."""
        return bool(desk.ledger.fresh) or (self._under_way is not None and ledger in self._under_way.desks)

    async def read(self, ledger: str) -> Ledger:
        """The ledger in memory, to ask and not to change; it may be ahead of the journal by a commit."""
        return (self._desks.get(ledger) or await self._desk(ledger)).ledger

    def forget(self, ledger: str) -> None:
        """Read the ledger again when somebody asks. Does nothing while something of it is to be written."""
        desk = self._desks.get(ledger)
        if desk is not None and not desk.ledger.fresh and desk.written == desk.ledger.state.version:
            del self._desks[ledger]
            desk.lost = True

    async def _desk(self, ledger: str) -> Desk:
        """Read a ledger once, however many ask for it."""
        if not (0 < len(ledger) <= KEY_CHARS_MAX and ledger.isprintable()):
            raise BadCommand(f"a ledger is named by 1 … {KEY_CHARS_MAX} printable characters")
        task = self._loading.get(ledger)
        if task is None:
            task = self._loading[ledger] = asyncio.create_task(self._load(ledger))
            task.add_done_callback(lambda _task: self._loading.pop(ledger, None))
        return await asyncio.shield(task)

    async def _load(self, ledger: str) -> Desk:
        began = asyncio.get_running_loop().time()
        read = await load(self._journal, ledger)
        version = read.state.version
        desk = self._desks[ledger] = Desk(Ledger(ledger, read.state), read.checksum, version, version, began)
        self._make_room()
        return desk

    def _make_room(self) -> None:
        """Forget those that nothing is under way of, first what was read first."""
        for name in list(self._desks)[: max(0, len(self._desks) - self._ledgers_max)]:
            self.forget(name)

    def _committed(self, ledger: str, desk: Desk) -> asyncio.Future[None]:
        """Is done when all that was decided of the ledger is in the journal."""
        if desk.ledger.fresh:
            batch = self._next
            batch.desks[ledger] = desk
        else:
            batch = self._under_way or self._next
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        batch.waiting.append(done)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return done

    async def _write(self) -> None:
        """One commit after the other, as long as there is something to commit."""
        try:
            while self._next.desks:
                batch, self._next = self._next, Batch()
                self._under_way = batch
                taken = await self._commit(batch)
                self._under_way = None
                await self._keep(taken)
        finally:
            self._under_way = None
            self._writer = None

    async def _commit(self, batch: Batch) -> list[Kept]:
        """Answer who waits for the batch; the snapshots that are due after it."""
        began = asyncio.get_running_loop().time()
        try:
            written = [frame for desk in batch.desks.values() for frame in _frames(desk)]
            taken = self._snapshots(batch, written)
            await self._journal.append(written)
        except BaseException as error:
            self._throw_away(batch, error)
            if not isinstance(error, Exception):
                raise
            return []
        for frame in written:
            desk = batch.desks[frame.ledger]
            desk.checksum, desk.written, desk.seen = frame.checksum, frame.end, began
        for done in batch.waiting:
            if not done.done():
                done.set_result(None)
        return taken

    def _throw_away(self, batch: Batch, error: BaseException, *more: Desk) -> None:
        """Nothing of the batch is true, nor of what was decided on top of it."""
        after, self._next = self._next, Batch()
        for name in (*batch.desks, *after.desks, *(desk.ledger.name for desk in more)):
            desk = self._desks.pop(name, None)
            if desk is not None:
                desk.lost = True
        for done in (*batch.waiting, *after.waiting):
            if not done.done():
                done.set_exception(error if isinstance(error, Exception) else ClerkClosed("the clerk was stopped"))

    def _snapshots(self, batch: Batch, written: list[Frame]) -> list[Kept]:
        """Of what has grown enough: taken now, while the ledger is just what the frames make of it, and kept once they
        are written. Under load there is no better moment."""
        last = {frame.ledger: frame.checksum for frame in written}
        taken = []
        for name, desk in batch.desks.items():
            state = desk.ledger.state
            if state.version - desk.kept >= self._snapshot_events:
                data = snapshot.encode(state)
                taken.append(Kept(name, state.version, last[name], zlib.crc32(data), data))
                desk.kept = state.version
        return taken

    async def _keep(self, taken: list[Kept]) -> None:
        """Snapshots only save time: one that fails is made up for by the next."""
        for kept in taken:
            try:
                await self._journal.keep(kept)
            except Exception as error:
                log.warning("no snapshot of ledger %s was kept: %s", kept.ledger, error)


def _frames(desk: Desk) -> Iterator[Frame]:
    """What is new of a ledger: one frame, or several where it is very much."""
    ledger, checksum = desk.ledger, desk.checksum
    events, ledger.fresh = ledger.fresh, []
    version = ledger.state.version - len(events)
    for first in range(0, len(events), BATCH_MAX):
        frame = frames.encode(ledger.name, version + first, checksum, events[first : first + BATCH_MAX])
        checksum = frame.checksum
        yield frame
