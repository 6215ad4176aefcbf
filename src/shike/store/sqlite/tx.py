"""What a verb works with: one connection inside one transaction, and the hints it leaves behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from shike.clock import Clock, to_datetime
from shike.store.hints import Hint
from shike.store.sqlite.names import Names
from shike.store.sqlite.statements import ROWS_PER_STEP, Statements

DAY_MICROS = 86_400_000_000

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What was fixed when the store was opened."""

    virtual_buckets: int
    crashes_max: int


@dataclass(slots=True)
class Tx:
    """The hands of a verb. A verb is a function of a `Tx` and its words; it neither begins nor commits.

    What it keeps between transactions (names, days, places in leases) never changes in the file as long as the
    transactions that wrote it stand: `forget` is called when one was taken back, `begin` when a new one begins.
    """

    connection: sqlite3.Connection
    sql: Statements
    clock: Clock
    facts: Facts
    names: Names = field(init=False)
    hints: list[Hint] = field(default_factory=list)
    days: set[int] = field(default_factory=set)
    places: dict[int, dict[int, int]] = field(default_factory=dict)  # lease token -> run id -> its place in the lease
    last_ended: int | None = None  # the highest id among runs that are over, once this transaction has looked

    def __post_init__(self) -> None:
        self.names = Names(self.connection, self.sql)

    def use(self, connection: sqlite3.Connection) -> None:
        """Go on with another connection to the same file."""
        self.connection = connection
        self.names = Names(connection, self.sql)

    @property
    def now(self) -> int:
        """The store's clock: UTC µs."""
        return self.clock.wall()

    def run(self, name: str, *values: object) -> sqlite3.Cursor:
        return self.connection.execute(self.sql.plain(name), values)

    def one(self, name: str, *values: object) -> Row | None:
        row: Row | None = self.connection.execute(self.sql.plain(name), values).fetchone()
        return row

    def all(self, name: str, *values: object) -> list[Row]:
        return self.connection.execute(self.sql.plain(name), values).fetchall()

    def dated(self, name: str, day: int, *values: object) -> sqlite3.Cursor:
        """A statement on the history table of `day`."""
        return self.connection.execute(self.sql.dated(name, day_name(day)), values)

    def many(self, name: str, rows: Sequence[Sequence[object]], *, lead: Sequence[object] = (), day: int = -1) -> None:
        """A statement over many rows, in as few steps as may be; `lead` are the values before the rows'."""
        start, left = 0, len(rows)
        dated = day_name(day) if day >= 0 else ""
        for size in ROWS_PER_STEP:
            while left >= size:
                values = [*lead, *chain.from_iterable(rows[start : start + size])]
                self.connection.execute(self.sql.many(name, size, dated), values)
                start += size
                left -= size

    def today(self, now: int) -> int:
        """The day of `now`, with its history table made if it is the first of the day."""
        day = now // DAY_MICROS
        if day not in self.days:
            for statement in ("history_make", "history_index", "history_note"):
                self.dated(statement, day, *([day] if statement == "history_note" else []))
            self.days.add(day)
        return day

    def hint(self, hint: Hint) -> None:
        self.hints.append(hint)

    def begin(self) -> None:
        """A transaction begins: others may have written since the last one."""
        self.last_ended = None

    def forget(self) -> None:
        """The transaction was taken back: trust nothing that was learnt in it."""
        self.names.forget()
        self.days.clear()
        self.places.clear()


def day_name(day: int) -> str:
    """As it stands in the name of a history table."""
    return f"{to_datetime(day * DAY_MICROS):%Y%m%d}"
