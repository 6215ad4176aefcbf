"""The connection to MySQL or MariaDB."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

import asyncmy
from asyncmy.errors import MySQLError

from shike.reserve.relational_link import RelationalLink
from shike.store.mysql.faults import BROKEN, translated
from shike.store.mysql.opening import Server, check_server
from shike.store.mysql.options import parse
from shike.store.relational.statements import texts
from shike.store.sqlite.options import check_namespace

T = TypeVar("T")


class MySQLLink(RelationalLink):
    """A server that is set to lose data is refused, unless the URL accepts it (P8)."""

    marks = ("%s",) * 5
    tables: ClassVar[
        tuple[str, ...]
    ]  # a statement each, over `{ns}`, the namespace, and `{exact}`, a collation that knows a blank

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        check_namespace(namespace)
        super().__init__(namespace)
        self._options = parse(url)
        self.where = self._options.where

    async def _connect(self) -> Any:
        try:
            connection = asyncmy.Connection(**self._options.words, autocommit=True)  # type: ignore[no-untyped-call]
            await connection.connect()
        except (MySQLError, *BROKEN) as error:
            raise translated(error, self.where) from error
        return connection

    async def _make(self) -> None:
        facts = await self._query(texts("shike.store.mysql")["settings"])
        server = Server(*facts[0])
        check_server(server, self._options)
        for table in self.tables:
            await self._query(table.format(ns=self._namespace, exact=server.flavour.collation))

    async def _query(self, sql: str, *words: Any) -> Sequence[Any]:
        try:
            async with self._connection.cursor() as cursor:
                await cursor.execute(sql, words or None)
                return list(await cursor.fetchall())
        except (MySQLError, *BROKEN) as error:
            raise translated(error, self.where) from error

    async def _transaction(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            await self._connection.begin()
            done = await work()
            await self._connection.commit()
        except (MySQLError, *BROKEN) as error:
            raise translated(error, self.where) from error
        return done

    async def _leave(self) -> None:
        with suppress(MySQLError, *BROKEN):
            await self._connection.ensure_closed()

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
