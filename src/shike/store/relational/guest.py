"""A connection of the user's own as a `Link`: what a submit needs of one, inside the user's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shike.errors import StoreUnavailable
from shike.store.relational.link import Again, NoDay, Row

SAVEPOINT = "shike_submit"


class GuestLink:
    """Statements run in the transaction that is open; `begin`, `commit` and `rollback` are a savepoint in it. A dialect
    says how a statement is put (`rows`, `many`) and how a word of the transaction is (`execute`)."""

    is_usable = True

    async def execute(self, text: str) -> None:
        raise NotImplementedError

    async def rows(self, name: str, values: Sequence[object]) -> Sequence[Row]:
        raise NotImplementedError

    async def many(self, name: str, rows: Sequence[Sequence[object]], lead: Sequence[object]) -> Sequence[Row]:
        raise NotImplementedError

    async def begin(self, *, snapshot: bool = False) -> None:
        await self.execute(f"savepoint {SAVEPOINT}")

    async def commit(self) -> None:
        await self.execute(f"release savepoint {SAVEPOINT}")

    async def rollback(self) -> None:
        """Take back what is ours. Says nothing where the whole transaction is gone already."""
        try:
            await self.execute(f"rollback to savepoint {SAVEPOINT}")
            await self.execute(f"release savepoint {SAVEPOINT}")
        except Exception:
            return

    async def run(self, name: str, values: Sequence[object]) -> int:
        raise NotImplementedError("no submit counts changed rows")

    async def columns(self, name: str, values: Sequence[object]) -> Sequence[Sequence[Any]]:
        raise NotImplementedError("no submit reads columns")

    async def day(self, name: str, day: int) -> None:
        raise NotImplementedError("no submit changes the layout")

    async def close(self) -> None:
        """It is the user's."""

    def drop(self) -> None:
        """It is the user's."""


def taken_back(error: Again | NoDay) -> StoreUnavailable:
    """What to say where a verb of ours would repeat its step: the step is the user's."""
    return StoreUnavailable(f"the database took this transaction back ({error}): roll back, and repeat all of it")
