"""The outbox as its relay and its operators use it. A dialect brings the statements (`sql/`) and a connection."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from shike.errors import BadInput, ForeignStore
from shike.outbox.rows import TEXT_CHARS_MAX, Counts, Refused, Row
from shike.store.relational.options import check_namespace

REASON_CHARS_MAX = 2_000
STEP = 1  # the last of the numbered files in each dialect's `sql/`


class Table(ABC):
    """`{namespace}_outbox` in an application's database. One task uses it at a time.

    Raises `StoreUnavailable` where the database does not answer (the same call may be repeated), `ForeignStore` where
    it has no such table, other `StoreError` where it refuses.
    """

    def __init__(self, where: str, namespace: str) -> None:
        check_namespace(namespace)
        self.where = where
        """For people: the URL without its password."""
        self.name = f"{namespace}_outbox"

    # ---------------------------------------------------------------- of a dialect

    @abstractmethod
    async def create(self) -> None:
        """Make the table, or bring it up to date: the numbered files, each once. May be repeated."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the connection; the next call makes another."""

    @abstractmethod
    async def _rows(self, name: str, *values: object) -> Sequence[Sequence[Any]]:
        """What a statement answers."""

    @abstractmethod
    async def _run(self, name: str, *values: object) -> int:
        """How many rows a statement changed."""

    async def wait(self, seconds: float) -> None:
        """Until there may be news, or for so long."""
        await asyncio.sleep(seconds)

    # ---------------------------------------------------------------- of the relay

    async def check(self) -> None:
        """Raises `ForeignStore` where the table is not there, or not as this program needs it."""
        ((step,),) = await self._rows("step")
        if step < STEP:
            raise self.missing(f"it is at step {step} of {STEP}")

    async def take(self, owner: str, lease_micros: int) -> bool:
        """The right to hand on, for a time: whether it is ours. By the database's clock."""
        return await self._run("take", owner, lease_micros) > 0

    async def give_back(self, owner: str) -> None:
        await self._run("give_back", owner)

    async def read(self, limit: int) -> list[Row]:
        """The first that wait, in the order in which they were written."""
        return [Row(*row) for row in await self._rows("read", limit, TEXT_CHARS_MAX)]

    async def done(self, ids: Sequence[int]) -> None:
        """These were handed on."""
        if ids:
            await self._run("done", list(ids))

    async def refuse(self, row_id: int, reason: str) -> None:
        """Set one aside. The reason is one that every database holds: `as_reason`."""
        await self._run("refuse", row_id, reason)

    # ---------------------------------------------------------------- of operators

    async def refused(self, limit: int) -> list[Refused]:
        """Those that were set aside, in the order in which they were written."""
        return [Refused(str(row[0]), *row[1:]) for row in await self._rows("refused", limit, TEXT_CHARS_MAX)]

    async def retry(self, ids: Iterable[int] | None) -> int:
        """Let these wait again that were set aside, None: all; how many."""
        return await self._chosen("retry", ids)

    async def drop(self, ids: Iterable[int] | None) -> int:
        """Forget these that were set aside, None: all; how many."""
        return await self._chosen("drop", ids)

    async def _chosen(self, name: str, ids: Iterable[int] | None) -> int:
        if ids is None:
            return await self._run(f"{name}_all")
        listed = sorted(set(ids))
        return await self._run(name, listed) if listed else 0

    async def counts(self) -> Counts:
        return Counts(*map(int, (await self._rows("counts"))[0]))

    def missing(self, why: object) -> ForeignStore:
        """What to say where there is no such table."""
        return ForeignStore(
            f"{self.where} has no outbox {self.name} that this program can use ({first_line(why)}); "
            "make it: shike outbox create URL"
        )


def as_reason(error: BaseException) -> str:
    """Why a row was set aside, short and without signs that a database or a log cannot hold."""
    words = str(error) or type(error).__name__
    return words[:REASON_CHARS_MAX].replace("\0", "�").encode(errors="replace").decode()


def first_line(words: object) -> str:
    """Of what a server says: further lines show where in a statement of ours."""
    return str(words).partition("\n")[0]


def row_number(text: str) -> int:
    """An id as it was shown. Raises `BadInput`."""
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 63:
        raise BadInput(f"{text!r} is no id of an outbox row; `shike outbox list` shows them")
    return int(text)
