"""What everything of the ledger on SQL servers shares: one connection, made on use, one piece of work at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from shike.errors import StoreUnavailable
from shike.store.relational.link import Again

T = TypeVar("T")

CALL_SECONDS: Final = 10.0  # as a call of a store: then the connection is given up, and what it did is unknown
TRIES_MAX: Final = 3  # of what the server takes back whole


class RelationalLink:
    """Over `_connect`, `_make`, `_query`, `_transaction`; how parameters are written is the dialect's."""

    marks: tuple[str, ...]  # of parameters, in order
    where: str

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._connection: Any = None
        self._lock = asyncio.Lock()
        self._is_made = False

    async def open(self) -> None:
        await self._do(lambda: self._query("select 1"))

    async def close(self) -> None:
        async with self._lock:
            if self._connection is not None:
                await self._leave()
                self._give_up()

    async def _connect(self) -> Any:
        raise NotImplementedError

    async def _make(self) -> None:
        """Check the server, and make the tables."""
        raise NotImplementedError

    async def _query(self, sql: str, *words: Any) -> Sequence[Any]:
        raise NotImplementedError

    async def _transaction(self, work: Callable[[], Awaitable[T]]) -> T:
        """All of the work or nothing of it; where it raises, the connection is given up, too."""
        raise NotImplementedError

    async def _leave(self) -> None:
        """Say good-bye, where the driver has to be told."""

    def _give_up(self) -> None:
        raise NotImplementedError

    async def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        """On the one connection; whatever goes wrong with it, or takes too long, ends it."""
        async with self._lock:
            is_well = False
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    if self._connection is None:
                        self._connection = await self._connect()
                    if not self._is_made:
                        await self._make()
                        self._is_made = True
                    found = await work()
                    is_well = True
                    return found
            except TimeoutError as error:
                raise StoreUnavailable(f"{self.where} has not answered for {CALL_SECONDS:.0f} s") from error
            finally:
                if not is_well:
                    self._give_up()

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Work that the server may take back, whole, because of somebody else's."""
        for _ in range(TRIES_MAX - 1):
            try:
                return await self._do(work)
            except Again:
                continue
        try:
            return await self._do(work)
        except Again as error:
            raise StoreUnavailable(f"{self.where} is too busy to write; repeat what you asked") from error

    def _sql(self, text: str) -> str:
        return text.format(*self.marks, ns=self._namespace)
