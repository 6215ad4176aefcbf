"""What a store adds to the protocol that keeps its older history in another store, its archive."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from msgspec import Struct

from shike.store.base import Store


class Carried(Struct, frozen=True, kw_only=True):
    """How far the history has been carried to the archive."""

    where: str  # the archive, without its password
    left: int  # records that are not there yet
    since: int  # when the first of them ended; 0: there are none
    lost: int  # records that had to be dropped before they got there
    wrong: str = ""  # why the archive cannot be used; "": it can


@runtime_checkable
class Archiving(Store, Protocol):
    """A store that may have an archive."""

    archives: bool  # whether it has one

    async def carry(self, low: int, high: int, limit: int) -> int:
        """Take the oldest records of virtual buckets low…high that are not in the archive there, at most so many of
        each; how many. Repeating is harmless, and so is another process that does the same."""
        ...

    async def carried(self) -> Carried:
        """How far it is. Answers also where the archive does not."""
        ...
