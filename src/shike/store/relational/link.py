"""What a dialect gives to the verbs: one connection that runs statements by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = Sequence[Any]


class Taken(Exception):
    """A row of that key is there already; the transaction has to be taken back."""


class Again(Exception):
    """A deadlock or a serialization failure: the server took the transaction back, and it may be tried again."""


class NoDay(Exception):
    """There is no partition of the history for this day yet."""


class Link(Protocol):
    """One connection. It belongs to the event loop that made it.

    A statement's text is the dialect's own; its name, its values and what it answers are the same in all of them. A
    list among the values stands for a set of numbers or texts (`= any`, `in`). Errors come as errors of
    `shike.errors`, or as one of the three above.
    """

    async def begin(self, *, snapshot: bool = False) -> None:
        """READ COMMITTED; or, to read only, one state of the database for all statements (`snapshot`)."""
        ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def rows(self, name: str, values: Sequence[object]) -> Sequence[Row]:
        """What a statement answers."""
        ...

    async def run(self, name: str, values: Sequence[object]) -> int:
        """How many rows a statement changed."""
        ...

    async def many(self, name: str, rows: Sequence[Sequence[object]], lead: Sequence[object]) -> Sequence[Row]:
        """A statement over many rows of values at once, all of them or none; `lead` are the values before the rows'."""
        ...

    async def columns(self, name: str, values: Sequence[object]) -> Sequence[Sequence[Any]]:
        """What a statement answers, column by column: cheaper to take apart where rows are many. Nothing: []."""
        ...

    async def day(self, name: str, day: int) -> None:
        """A statement of layout about the history's partition for one day since 1970."""
        ...

    @property
    def is_usable(self) -> bool:
        """Whether it may be used once more: connected, and outside of any transaction."""
        ...

    async def close(self) -> None:
        """Say good-bye. Never raises."""
        ...

    def drop(self) -> None:
        """Let go at once, whatever is under way and whether the loop lives or not. Never raises."""
        ...
