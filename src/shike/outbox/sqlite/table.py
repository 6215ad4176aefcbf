"""The outbox in a file: each statement on a thread, so that nobody waits for a locked file with us."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote

from shike.errors import StoreUnavailable
from shike.outbox.table import STEP, Table
from shike.store.relational.statements import filled, migrations, texts
from shike.store.sqlite.faults import explain
from shike.store.sqlite.options import parse

T = TypeVar("T")

CLOCK = "cast(round((julianday('now') - 2440587.5) * 86400000) as integer) * 1000"  # as fine as it is true
_MISSING = "no such table"


@cache
def statements(box: str) -> dict[str, str]:
    """All statements by name, for one table."""
    words = {"box": box, "clock": CLOCK}
    return {name: filled(text, words) for name, text in texts(__package__).items()}


def steps(box: str) -> list[tuple[int, str]]:
    """The numbered files: (number, script)."""
    words = {"box": box, "clock": CLOCK}
    return [(number, filled(script, words)) for number, script in migrations(__package__)]


class SQLiteTable(Table):
    """Options of the URL: `shike.store.sqlite.options.parse`."""

    def __init__(self, url: str, namespace: str) -> None:
        self._options = parse(url)
        super().__init__(f"sqlite:///{self._options.path}", namespace)
        self._sql = statements(self.name)
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()  # a call that was cancelled may still be under way

    async def create(self) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("begin immediate")
            with connection:
                done = 0
                with suppress(sqlite3.OperationalError):
                    ((done,),) = connection.execute(self._sql["step"]).fetchall()
                for number, script in steps(self.name):
                    if number > done:
                        _each(connection, script)
                connection.execute(self._sql["step_done"], [max(STEP, done)])

        await self._on_thread(work, makes=True)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    async def _rows(self, name: str, *values: object) -> Sequence[Sequence[Any]]:
        return await self._on_thread(lambda connection: connection.execute(self._sql[name], _plain(values)).fetchall())

    async def _run(self, name: str, *values: object) -> int:
        return await self._on_thread(lambda connection: connection.execute(self._sql[name], _plain(values)).rowcount)

    async def _on_thread(self, work: Callable[[sqlite3.Connection], T], *, makes: bool = False) -> T:
        return await asyncio.to_thread(self._work, work, makes)

    def _work(self, work: Callable[[sqlite3.Connection], T], makes: bool) -> T:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._connected(makes)
                return work(self._connection)
            except sqlite3.Error as error:
                if _MISSING in str(error):
                    raise self.missing(error) from error
                raise explain(error, self._options.path) from error

    def _connected(self, makes: bool) -> sqlite3.Connection:
        path = self._options.path
        if not makes and not path.exists():
            raise StoreUnavailable(f"there is no file {path}; name the application's own database")
        mode = "rwc" if makes else "rw"
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=self._options.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = lambda text: text.decode(errors="replace")
        connection.execute(f"pragma synchronous = {self._options.synchronous.value}")
        return connection


def _each(connection: sqlite3.Connection, script: str) -> None:
    """`executescript` would commit what came before."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def _plain(values: Sequence[object]) -> list[Any]:
    return [json.dumps(value) if isinstance(value, list) else value for value in values]
