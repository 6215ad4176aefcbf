"""From frames to a ledger: loaded from the last snapshot, replayed to any version, verified from the beginning."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

from shike.errors import DamagedJournal
from shike.reserve import snapshot
from shike.reserve.applying import apply
from shike.reserve.events import AnyEvent
from shike.reserve.journal import frames
from shike.reserve.journal.base import Frame, Journal, Kept
from shike.reserve.model import NEVER
from shike.reserve.state import State
from shike.reserve.verify import violations

PAGE: Final = 500  # frames read at a time
LATEST: Final = 1 << 62


class Read(Struct):
    """A ledger as it was read: `checksum` is that of its last frame."""

    state: State
    checksum: int = 0


class Verdict(Struct, frozen=True):
    """What a verification found; `problems` are sentences, none where all is well."""

    ledger: str
    version: int
    frames: int
    problems: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not self.problems


async def load(journal: Journal, ledger: str) -> Read:
    """The ledger as it is now: the last snapshot and the frames after it. One that was never opened is at version 0.

    A snapshot that cannot be read is passed over: the frames are the truth. Raises `DamagedJournal`.
    """
    read = _of(await journal.kept(ledger), ledger)
    await follow(journal, ledger, read)
    return read


async def follow(journal: Journal, ledger: str, read: Read) -> int:
    """Bring what was read before up to date; how many frames have come. Raises `DamagedJournal`."""
    count = 0
    async for frame in _frames(journal, ledger, read.state.version):
        _take(read, frame)
        count += 1
    return count


def _of(kept: Kept | None, ledger: str) -> Read:
    if kept is not None and zlib.crc32(kept.data) == kept.check:
        try:
            return Read(snapshot.decode(kept.data, ledger), kept.checksum)
        except DamagedJournal:
            pass
    return Read(State())


async def _frames(journal: Journal, ledger: str, after: int = 0) -> AsyncIterator[Frame]:
    while page := await journal.frames(ledger, after, PAGE):
        for frame in page:
            yield frame
        after = page[-1].end


def _take(read: Read, frame: Frame) -> list[AnyEvent]:
    events = frames.decode(frame, read.state.version, read.checksum)
    for event in events:
        apply(read.state, event)
    read.checksum = frame.checksum
    return events


async def replay(journal: Journal, ledger: str, *, version: int = LATEST, until: int = NEVER) -> State:
    """Time travel: the ledger as it was after event `version`, or before the first event later than `until`.

    From the frames alone. Raises `DamagedJournal` where they end early.
    """
    read = Read(State())
    async for frame in _frames(journal, ledger):
        for event in frames.decode(frame, read.state.version, read.checksum):
            if read.state.version >= version or (until != NEVER and event.at > until):
                return read.state
            apply(read.state, event)
        read.checksum = frame.checksum
    return read.state


async def events_of(journal: Journal, ledger: str) -> AsyncIterator[tuple[int, AnyEvent]]:
    """Each event with its version, from the first on. Raises `DamagedJournal`."""
    version = checksum = 0
    async for frame in _frames(journal, ledger):
        for event in frames.decode(frame, version, checksum):
            version += 1
            yield version, event
        checksum = frame.checksum


async def verify(journal: Journal, ledger: str) -> Verdict:
    """Replay everything, and recount after each frame; then compare with the snapshot, and with what loading gives."""
    read, count, problems = Read(State()), 0, []
    kept = await journal.kept(ledger)
    try:
        async for frame in _frames(journal, ledger):
            _take(read, frame)
            count += 1
            problems += [f"after event {read.state.version}: {what}" for what in violations(read.state)]
            if kept is not None and kept.version == read.state.version and kept.data != snapshot.encode(read.state):
                problems.append(f"the snapshot at event {kept.version} is not what the frames tell")
    except DamagedJournal as error:
        problems.append(str(error))
    if kept is not None and zlib.crc32(kept.data) != kept.check:
        problems.append(f"the snapshot at event {kept.version} is damaged; it is passed over")
    elif kept is not None and kept.version > read.state.version:
        problems.append(f"the snapshot is of event {kept.version}, the frames end at event {read.state.version}")
    return Verdict(ledger, read.state.version, count, tuple(problems))
