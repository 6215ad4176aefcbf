"""A shelf: per ledger and pool what is left on each segment, at a version; the newest version stays, whoever writes."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Row(Struct, frozen=True, array_like=True):
    """One segment of one pool: from a position to the next."""

    pool: str
    segment: int  # the position that it begins with
    label: str
    size: int
    left: int


class Page(Struct, frozen=True):
    """A ledger at a version."""

    ledger: str
    version: int
    rows: tuple[Row, ...]


class Left(Struct, frozen=True):
    """At most so many could be had, at that version."""

    count: int
    version: int


class Shelf(Protocol):
    """Every method raises `StoreUnavailable` where its place does not answer."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def versions(self) -> dict[str, int]:
        """What lies there: each ledger's version."""

    async def put(self, page: Page) -> bool:
        """Put a ledger's page in place of an older one, all of it at once; whether it was newer."""

    async def left(self, ledger: str, pool: str, start: int, end: int) -> Left | None:
        """Of one section; None where there is no such ledger, pool or section on the shelf."""

    async def looked(self, at: int) -> None:
        """Everything was as of that instant, UTC microseconds."""

    async def as_of(self) -> int:
        """The last such instant; 0: none."""

    async def clear(self) -> None:
        """Take everything away."""
