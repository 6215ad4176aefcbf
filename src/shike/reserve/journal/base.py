"""What a journal has to do: append all or nothing, refuse a second writer, read back in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Frame(Struct, frozen=True, array_like=True):
    """`count` events of one ledger that were committed together; `version` is that of the ledger before them."""

    ledger: str
    version: int
    count: int
    checksum: int  # of this frame and, through it, of all before
    body: bytes

    @property
    def end(self) -> int:
        """The version of the ledger after it."""
        return self.version + self.count


class Kept(Struct, frozen=True, array_like=True):
    """A snapshot of a ledger at `version`; `checksum` is that of the last frame before, `check` of the data."""

    ledger: str
    version: int
    checksum: int
    check: int
    data: bytes


class Journal(Protocol):
    """Of one event loop. (ledger, version) is unique, and that is the whole fence: who has read a ledger and appends
    to it after somebody else did, appends at a version that is taken.

    Every method raises `StoreUnavailable` where the server does not answer in time; after that nobody knows whether an
    `append` was done, and the ledgers have to be read again.
    """

    async def open(self) -> None:
        """Make what is needed, once; several may do so at once."""
        ...

    async def close(self) -> None: ...

    async def append(self, frames: Sequence[Frame]) -> None:
        """All of them or none, and when it returns they are as durable as the journal makes anything.

        Raises `Fenced` if one of the versions is taken, or does not follow the frame before it where that can be seen.
        """
        ...

    async def frames(self, ledger: str, after: int = 0, most: int = 1_000) -> list[Frame]:
        """The frames from version `after` on, in order, at most so many."""
        ...

    async def keep(self, kept: Kept) -> None:
        """Keep a snapshot in place of the last one, unless that is of a later version."""
        ...

    async def kept(self, ledger: str) -> Kept | None:
        """The last snapshot."""
        ...

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        """The names of all ledgers in their order, in pages: those after a name."""
        ...
