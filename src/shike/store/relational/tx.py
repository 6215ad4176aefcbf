"""What a verb works with: one connection, the transaction it begins, and the hints it leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shike.errors import BadInput
from shike.store.hints import Hint
from shike.store.relational.floors import Floors
from shike.store.relational.grants import Grants
from shike.store.relational.link import Link, Row
from shike.store.relational.names import Names

DAY_MICROS = 86_400_000_000
GIVING_TRIES = 3  # a name that is not there after that never will be


@dataclass(frozen=True, slots=True)
class Facts:
    """What was fixed when the store was opened."""

    virtual_buckets: int
    crashes_max: int
    at_once: bool = False  # whether the dialect has `lane_grant` and `leases_end`: whole steps in one statement
    moves_at_once: bool = False  # whether it has `lane_move`: one run moved in one round trip
    leaves_dead: bool = False  # whether what is gone slows down who reads where it was, until it is cleared away


@dataclass(slots=True)
class Tx:
    """The hands of a verb. A verb is a coroutine function of a `Tx` and its words; it never commits.

    The first statement begins the transaction; `look` and `learn` come before it and are transactions of their own.
    `given` is what the store's clock shows, where a test says so; None: the server's own clock, read by the statement
    that decides, which takes `given` as its first value.
    """

    link: Link
    facts: Facts
    names: Names
    grants: Grants
    given: int | None = None
    floors: Floors = field(default_factory=Floors)
    hints: list[Hint] = field(default_factory=list)
    has_begun: bool = False
    _now: int | None = None

    # ---------------------------------------------------------------- before the transaction

    async def look(self, name: str, *values: object) -> Sequence[Row]:
        """A statement that is a transaction by itself."""
        assert not self.has_begun, f"{name} would be part of a transaction"
        return await self.link.rows(name, values)

    async def look_many(self, name: str, rows: Sequence[Sequence[object]], *lead: object) -> Sequence[Row]:
        """As `look`, over many rows."""
        assert not self.has_begun, f"{name} would be part of a transaction"
        return await self.link.many(name, rows, lead)

    async def look_columns(self, name: str, *values: object) -> Sequence[Sequence[Any]]:
        """As `look`, column by column."""
        assert not self.has_begun, f"{name} would be part of a transaction"
        return await self.link.columns(name, values)

    async def learn(self, texts: Iterable[str]) -> None:
        """Have these names' numbers ready; a new one is given one."""
        unknown = self.names.unknown(texts)
        if unknown:
            self.names.keep(await self.look("names_seen", unknown))
        for _ in range(GIVING_TRIES):  # another process may give one at the same moment
            unknown = self.names.unknown(unknown)
            if not unknown:
                return
            self.names.keep(await self.look("names_give", unknown))
            self.names.keep(await self.look("names_seen", unknown))
        if self.names.unknown(unknown):
            raise BadInput(f"the database does not keep the name {unknown[0]!r} as it is written")

    async def seen(self, *texts: str) -> list[int] | None:
        """The numbers of names, where the store has ever heard them all; else None."""
        unknown = self.names.unknown(texts)
        if unknown:
            self.names.keep(
                await self.rows("names_seen", unknown) if self.has_begun else await self.look("names_seen", unknown)
            )
        return None if self.names.unknown(unknown) else [self.names.number(text) for text in texts]

    async def snapshot(self) -> None:
        """Begin to read one state of the database."""
        await self.link.begin(snapshot=True)
        self.has_begun = True

    # ---------------------------------------------------------------- in the transaction

    async def begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            await self.link.begin()

    @property
    def instant(self) -> int | None:
        """For statements that read the clock: what this verb has seen it show, or was given; None: look."""
        return self._now if self._now is not None else self.given

    async def now(self) -> int:
        """The store's clock, UTC µs: one instant for the whole verb."""
        if self._now is None:
            self._now = self.given if self.given is not None else int((await self.rows("clock"))[0][0])
        return self._now

    async def rows(self, name: str, *values: object) -> Sequence[Row]:
        await self.begin()
        return await self.link.rows(name, values)

    async def row(self, name: str, *values: object) -> Row | None:
        rows = await self.rows(name, *values)
        return rows[0] if rows else None

    async def run(self, name: str, *values: object) -> int:
        """How many rows a statement changed."""
        await self.begin()
        return await self.link.run(name, values)

    async def many(self, name: str, rows: Sequence[Sequence[object]], *lead: object) -> Sequence[Row]:
        """A statement over many rows; nothing happens where there are none."""
        if not rows:
            return []
        await self.begin()
        return await self.link.many(name, rows, lead)

    async def columns(self, name: str, *values: object) -> Sequence[Sequence[Any]]:
        await self.begin()
        return await self.link.columns(name, values)

    async def day(self, name: str, day: int) -> None:
        await self.begin()
        await self.link.day(name, day)

    async def call_by_name(self, numbers: Iterable[int]) -> None:
        """Have the names of these numbers ready."""
        nameless = self.names.nameless(numbers)
        if nameless:
            await self.begin()
            self.names.keep(await self.link.rows("names_of", [nameless]))

    def hint(self, hint: Hint) -> None:
        self.hints.append(hint)
