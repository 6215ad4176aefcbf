"""What is new in the journal: for whoever has to know what a ledger did by itself — whom it served."""

from __future__ import annotations

from shike.reserve.events import AnyEvent
from shike.reserve.journal import frames
from shike.reserve.journal.base import Journal


class Tail:
    """Follows ledgers in a journal, which another process may write. Each event comes once, in order; what comes is
    committed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._read: dict[str, tuple[int, int]] = {}  # ledger → (version, checksum)

    async def new(self, ledger: str) -> list[AnyEvent]:
        """The events since the last call; the first one gives all. Raises `DamagedJournal`."""
        found: list[AnyEvent] = []
        version, checksum = self._read.get(ledger, (0, 0))
        while page := await self._journal.frames(ledger, version):
            for frame in page:
                found += frames.decode(frame, version, checksum)
                version, checksum = frame.end, frame.checksum
        self._read[ledger] = (version, checksum)
        return found

    def again(self, ledger: str) -> None:
        """The next call gives all that there is."""
        self._read.pop(ledger, None)
