"""Tables of others in a SQLite file, beside whatever else is in it: a thread that owns a connection."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from shike.errors import StoreUnavailable
from shike.store.sqlite.faults import translated
from shike.store.sqlite.options import check_namespace, parse

T = TypeVar("T")


class Aside:
    """Opens the file, makes the tables that are missing, and runs work on its thread, one after the other. In each
    statement `{ns}` stands for the namespace. Durable with each transaction (`?synchronous=FULL`, the default)."""

    def __init__(self, what: str, url: str, namespace: str, tables: str) -> None:
        """`what` names it in errors; raises `BadSetting` for a URL or a namespace that cannot be used."""
        check_namespace(namespace)
        self._what = what
        self._options = parse(url)
        self._namespace = namespace
        self._tables = tables
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Idempotent."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, f"shike-{self._what}")
            try:
                await self.do(self._connect)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Idempotent."""
        if self._thread is not None:
            await self.do(self._disconnect)
            self._thread.shutdown()
            self._thread = None

    async def do(self, work: Callable[..., T], *words: Any) -> T:
        """Call it on the thread; what SQLite says is raised as an error of ours."""
        if self._thread is None:
            raise StoreUnavailable(f"{self._options.path} is not open; open its {self._what} first")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *words)
        except sqlite3.Error as error:
            raise self.told(error) from error

    async def ask(self, sql: str, *words: Any) -> list[Any]:
        """The rows of one statement, on the thread."""
        return await self.do(self.rows, sql, *words)

    def told(self, error: Exception) -> Exception:
        """An error of the driver, or of reading what it gave, in our words."""
        return translated(error, self._options.path)

    # On the thread.

    def rows(self, sql: str, *words: Any) -> list[Any]:
        return self._execute(sql, words).fetchall()

    def changed(self, sql: str, *words: Any) -> int:
        """How many rows the statement has written."""
        return self._execute(sql, words).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within is written, or nothing; from its beginning nobody else writes."""
        connection = self._open
        connection.execute("begin immediate")
        try:
            yield
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise

    def _execute(self, sql: str, words: tuple[Any, ...]) -> sqlite3.Cursor:
        return self._open.execute(self._sql(sql), words)

    def _connect(self) -> None:
        options = self._options
        connection = sqlite3.connect(
            options.path, timeout=options.busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("pragma journal_mode = wal")
        connection.execute(f"pragma synchronous = {options.synchronous.value}")
        connection.executescript(self._sql(self._tables))
        self._connection = connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def _sql(self, text: str) -> str:
        return text.replace("{ns}", self._namespace)
