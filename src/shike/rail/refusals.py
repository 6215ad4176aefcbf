"""How often people were refused, on which train, why and for which section: over all processes that sell from the same
books, and over their restarts.

A refusal writes nothing by itself, however many there are in a second: they are counted in memory, and what has
gathered is added to the books now and then. With a killed process goes what it had not added yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple, Protocol

from shike.rail.bounds import REFUSALS_GATHERED_MAX


class Refused(NamedTuple):
    """What people were refused; `reason` as in `TradeRefused`, the stations by name."""

    departure: str
    reason: str
    origin: str
    goal: str


class RefusalBook(Protocol):
    """Where they are kept."""

    async def add_refusals(self, counts: Mapping[Refused, int]) -> None:
        """So many more of each; all of them, or none."""

    async def refusals_on(self, departure: str) -> dict[Refused, int]:
        """All of one departure."""

    async def refusals_of_day(self, day: date) -> dict[str, int]:
        """How many there were on each departure of a service day."""


class MemoryRefusals:
    """Gone when the process ends. For tests, and for trying things."""

    def __init__(self) -> None:
        self._refusals: Counter[Refused] = Counter()

    async def add_refusals(self, counts: Mapping[Refused, int]) -> None:
        self._refusals.update(counts)

    async def refusals_on(self, departure: str) -> dict[Refused, int]:
        return {kind: times for kind, times in self._refusals.items() if kind.departure == departure}

    async def refusals_of_day(self, day: date) -> dict[str, int]:
        found: Counter[str] = Counter()
        for kind, times in self._refusals.items():
            if f"/{day}/" in kind.departure:
                found[kind.departure] += times
        return found


class Refusals:
    """Of one process, over a book that all of them share."""

    def __init__(self, book: RefusalBook) -> None:
        self._book = book
        self._gathered: Counter[Refused] = Counter()

    def note(self, departure: str, reason: str, origin: str, goal: str) -> None:
        """One more. Of more kinds than a process can gather between two looks the newest are not counted."""
        kind = Refused(departure, reason, origin, goal)
        if kind in self._gathered or len(self._gathered) < REFUSALS_GATHERED_MAX:
            self._gathered[kind] += 1

    async def keep(self) -> None:
        """Add to the book what has gathered. What cannot be written is tried again with the next call."""
        gathered, self._gathered = self._gathered, Counter()
        if gathered:
            try:
                await self._book.add_refusals(gathered)
            except BaseException:
                self._gathered += gathered
                raise

    async def on(self, departure: str) -> dict[Refused, int]:
        """Those on one departure, this process's last ones too."""
        await self.keep()
        return await self._book.refusals_on(departure)

    async def of_day(self, day: date) -> dict[str, int]:
        """How many there were on each departure of a service day."""
        await self.keep()
        return await self._book.refusals_of_day(day)
