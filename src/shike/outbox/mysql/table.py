"""The outbox in MariaDB or MySQL, which notify nobody: the relay looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from shike.errors import ForeignStore, StoreUnavailable
from shike.outbox.table import STEP, Table
from shike.store.mysql.connecting import PACKET_BYTES, connected, set_up
from shike.store.mysql.link import MySQLLink
from shike.store.mysql.opening import LOCK_SECONDS, flavour_of, pieces
from shike.store.mysql.options import parse
from shike.store.mysql.texts import CLOCK, Flavour, Text
from shike.store.relational.link import Again
from shike.store.relational.statements import filled, migrations, texts


@cache
def statements(box: str, flavour: Flavour) -> dict[str, Text]:
    """All statements by name, for one table."""
    words = {"box": box, "clock": CLOCK} | flavour.words
    return {name: Text(filled(text, words), flavour) for name, text in texts(__package__).items()}


def steps(box: str, flavour: Flavour) -> list[tuple[int, str]]:
    """The numbered files: (number, script)."""
    words = {"box": box, "clock": CLOCK} | flavour.words
    return [(number, filled(script, words)) for number, script in migrations(__package__)]


class MySQLTable(Table):
    """Options of the URL: `shike.store.mysql.options.parse`."""

    def __init__(self, url: str, namespace: str) -> None:
        self._options = parse(url)
        super().__init__(self._options.where, namespace)
        self._link: MySQLLink | None = None

    async def create(self) -> None:
        """The server commits every statement of layout at once: each may be repeated, under one lock."""
        async with self._guarded() as link:
            if not (await link.rows("lock", []))[0][0]:
                raise StoreUnavailable(f"another process is making {self.name} for {LOCK_SECONDS} s already; try again")
            try:
                await self._make(link)
            finally:
                await link.rows("unlock", [])

    async def _make(self, link: MySQLLink) -> None:
        done = 0
        try:
            ((done,),) = await link.rows("step", [])
        except ForeignStore:
            pass
        for number, script in steps(self.name, flavour_of(link.connection.get_server_info())):
            if number > done:
                for statement in pieces(script):
                    await link.execute(statement)
        await link.run("step_done", [max(STEP, done)])

    async def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.drop()

    async def _rows(self, name: str, *values: object) -> Sequence[Sequence[Any]]:
        async with self._guarded() as link:
            return await link.rows(name, values)

    async def _run(self, name: str, *values: object) -> int:
        async with self._guarded() as link:
            return await link.run(name, values)

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[MySQLLink]:
        """The link; where it fails, the next call makes another."""
        if self._link is None or not self._link.is_usable:
            self._link = await self._connected()
        try:
            yield self._link
        except ForeignStore as error:
            raise self.missing(error.__cause__ or error) from error
        except Again as error:
            raise StoreUnavailable(f"{self.where} took this statement back ({error}); repeat it") from error

    async def _connected(self) -> MySQLLink:
        connection = await connected(self._options)
        flavour = flavour_of(connection.get_server_info())
        return await set_up(connection, statements(self.name, flavour), flavour, self._options, PACKET_BYTES)
