"""Databases of the machine's MariaDB for tests: made once per process, emptied for each test, dropped at its end."""

from __future__ import annotations

import asyncio
import atexit
import os
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncmy

from shike.clock import Clock
from shike.store.liveness import Liveness
from shike.store.mysql import MySQLStore
from shike.store.mysql.options import parse
from shike.store.portable import Marker
from shike.store.relational.tx import DAY_MICROS
from tests import servers
from tests.bounded import SECONDS

RING: Final = 4  # databases of one kind; no test uses so many at once
TABLES: Final = (
    "run asked lane laid gated gate dedupe attempt history dead digest schedule version timetable bucket control news"
)
COUNTED: Final = "lease session holder"  # their numbers begin at 1 again, as those of the reference model do

_made: set[str] = set()
_sealed: set[str] = set()  # those that may have triggers of a move
_by_folder: dict[tuple[Path, int], str] = {}
_turn: dict[int, count[int]] = {}


class EmptyMySQL(MySQLStore):
    """A store in the database of a folder; empty when it is opened for the first time there."""

    def __init__(self, folder: Path, clock: Clock | None, **options: Any) -> None:
        buckets = options.get("virtual_buckets") or 1
        self.where = servers.url("mysql")
        self._is_new = (folder, buckets) not in _by_folder
        if self._is_new:
            _take(folder, buckets)
        self.database = _by_folder[folder, buckets]
        super().__init__(within(self.where, self.database), clock=clock, **options)
        self._liveness = Liveness(folder)  # identities are used again and again, and by many at once

    async def open(self) -> None:
        if self.database not in _made:
            await execute(self.where, f"create database {self.database}")
            _made.add(self.database)
        elif self._is_new:
            if self.database in _sealed:
                await self.restrict(None)
                _sealed.discard(self.database)
            await execute(within(self.where, self.database), self._emptying())
        self._is_new = False
        await super().open()

    async def restrict(self, marker: Marker | None) -> None:
        _sealed.add(self.database)
        await super().restrict(marker)

    def _emptying(self) -> str:
        """Deleting is much quicker than truncating, which makes a table anew."""
        today = 0 if self.clock is None else self.clock.wall() // DAY_MICROS
        return ";\n".join(
            [
                *(f"truncate table shike_{table}" for table in COUNTED.split()),
                "begin",
                *(f"delete from shike_{table}" for table in TABLES.split()),
                f"delete from shike_day where day not between {today} and {today} + 2",
                f"insert into shike_bucket (low, high, epoch, owner) values (0, {self.virtual_buckets - 1}, 0, '')",
                "commit",
                *(f"alter table shike_{table} auto_increment = 1" for table in ("session", "lease")),
            ]
        )


def within(where: str, database: str) -> str:
    return urlsplit(where)._replace(path=f"/{database}").geturl()


def _take(folder: Path, buckets: int) -> None:
    """Give a folder the database that was used longest ago."""
    place = next(_turn.setdefault(buckets, count())) % RING
    database = f"shike_test_{os.getpid()}_{buckets}_{place}"
    for key in [key for key, taken in _by_folder.items() if taken == database]:
        del _by_folder[key]
    _by_folder[folder, buckets] = database


async def execute(where: str, script: str) -> None:
    """What a failed test left locked is told after a while, not waited for: the server itself would wait for a day."""
    connection = asyncmy.Connection(**parse(where).words, autocommit=True)
    async with asyncio.timeout(SECONDS):
        await connection.connect()
        try:
            await connection.query(f"set session lock_wait_timeout = {SECONDS:.0f}")
            await connection.query(script)
            while connection._result.has_next:
                await connection.next_result()
        finally:
            connection.close()


@atexit.register
def _drop() -> None:
    for database in _made:
        asyncio.run(execute(servers.url("mysql"), f"drop database {database}"))
