"""The journal that is gone with its process: the reference for the others, and the fastest."""

from __future__ import annotations

from collections.abc import Sequence

from shike.errors import Fenced
from shike.reserve.journal.base import Frame, Kept


class MemoryJournal:
    """Keeps the promises of `Journal` within one process. Several writers may share it."""

    def __init__(self) -> None:
        self._frames: dict[str, list[Frame]] = {}
        self._kept: dict[str, Kept] = {}

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def append(self, frames: Sequence[Frame]) -> None:
        ends = {name: known[-1].end for name, known in self._frames.items()}
        for frame in frames:
            if frame.version != ends.get(frame.ledger, 0):
                raise fenced(frame.ledger, frame.version)
            ends[frame.ledger] = frame.end
        for frame in frames:
            self._frames.setdefault(frame.ledger, []).append(frame)

    async def frames(self, ledger: str, after: int = 0, most: int = 1_000) -> list[Frame]:
        return [frame for frame in self._frames.get(ledger, []) if frame.version >= after][:most]

    async def keep(self, kept: Kept) -> None:
        known = self._kept.get(kept.ledger)
        if known is None or known.version <= kept.version:
            self._kept[kept.ledger] = kept

    async def kept(self, ledger: str) -> Kept | None:
        return self._kept.get(ledger)

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        return sorted(name for name in self._frames if name > after)[:most]


def fenced(ledger: str, version: int) -> Fenced:
    """What to say to a writer that another one has overtaken."""
    return Fenced(
        f"ledger {ledger!r} has gone on after event {version}: another writer has it. Read it again",
        ledger=ledger,
        version=version,
    )
