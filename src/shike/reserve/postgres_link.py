"""The connection to PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

import asyncpg

from shike.reserve.relational_link import RelationalLink
from shike.store.postgres.faults import translated
from shike.store.postgres.link import statements
from shike.store.postgres.opening import check_server
from shike.store.postgres.options import parse
from shike.store.sqlite.options import check_namespace

T = TypeVar("T")
TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class PostgresLink(RelationalLink):
    """A server that is set to lose data is refused, unless the URL accepts it (P8)."""

    marks = ("$1", "$2", "$3", "$4", "$5")
    tables: ClassVar[str]  # statements, `{ns}` stands for the namespace

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        check_namespace(namespace)
        super().__init__(namespace)
        self._options = parse(url)
        self.where = self._options.where

    async def _connect(self) -> Any:
        try:
            connection = await asyncpg.connect(self._options.dsn, timeout=self._options.connect_seconds)
        except TROUBLE as error:
            raise translated(error, self.where) from error
        try:
            await check_server(connection, statements(self._namespace), self._options)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _make(self) -> None:
        try:
            async with self._connection.transaction():
                await self._connection.execute(self.tables.replace("{ns}", self._namespace))
        except asyncpg.PostgresError as error:
            raise translated(error, self.where) from error

    async def _query(self, sql: str, *words: Any) -> Sequence[Any]:
        try:
            found: Sequence[Any] = await self._connection.fetch(sql, *words)
        except TROUBLE as error:
            raise translated(error, self.where) from error
        return found

    async def _transaction(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            async with self._connection.transaction():
                return await work()
        except TROUBLE as error:
            raise translated(error, self.where) from error

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
