"""What a ledger of reservations, or its journal, cannot go on with."""

from __future__ import annotations

from shike.errors.root import ShikeError


class LedgerError(ShikeError):
    """A ledger could not be read or written."""


class Fenced(LedgerError):
    """Another writer has written to this ledger since it was read here. What was decided on the old state is void and
    nobody was told of it; read the ledger again and decide anew."""

    def __init__(self, message: str, *, ledger: str = "", version: int = 0) -> None:
        super().__init__(message)
        self.ledger = ledger
        self.version = version


class DamagedJournal(LedgerError):
    """A frame of a ledger is torn, changed or missing; `version` is the last event before it. Restore the journal, or
    the frames from there on, from a copy; nothing after them can be trusted."""

    def __init__(self, message: str, *, ledger: str = "", version: int = 0) -> None:
        super().__init__(message)
        self.ledger = ledger
        self.version = version


class ClerkClosed(LedgerError):
    """The writer of these ledgers has been closed, or has too much to do (`BATCH_MAX`, `QUEUE_MAX`). Ask again."""
