"""Schemas of the machine's PostgreSQL for tests: made once per process, emptied for each test, dropped at its end."""

from __future__ import annotations

import asyncio
import atexit
import os
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg

from shike.clock import Clock
from shike.store.liveness import Liveness
from shike.store.postgres import PostgresStore
from shike.store.relational.tx import DAY_MICROS
from tests import servers
from tests.bounded import SECONDS

RING: Final = 4  # schemas of one kind; no test uses so many at once
LOSSY: Final = "options=-csynchronous_commit%3Doff&accept=synchronous-commit-off"  # no test here is about power
EMPTYING: Final = """
set synchronous_commit = off;
set search_path to {schema};
do $$
declare
    kind text;
    stray int;
    seal record;
begin
    for seal in  -- of a store that was moved
        select t.tgname, c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where starts_with(t.tgname, 'shike_move_') and c.relnamespace = to_regnamespace('{schema}')
    loop
        execute format('drop trigger %I on %I', seal.tgname, seal.relname);
    end loop;
    foreach kind in array string_to_array('{tables}', ' ') loop
        execute format('delete from shike_%s', kind);
    end loop;
    for stray in select day from shike_day where day not between {today} and {today} + 2 loop
        execute format('drop table shike_history_%s', to_char(date '1970-01-01' + stray, 'YYYYMMDD'));
        delete from shike_day where day = stray;
    end loop;
end $$;
select setval(pg_get_serial_sequence('shike_lease', 'token'), 1, false);
select setval(pg_get_serial_sequence('shike_session', 'number'), 1, false);
select setval(pg_get_serial_sequence('shike_holder', 'place'), 1, false);
insert into shike_bucket (low, high, epoch, owner) values (0, {last}, 0, '');
"""
TABLES: Final = (
    "run lane gated gate holder dedupe session lease attempt history dead digest schedule version timetable bucket "
    "control"
)

_made: set[str] = set()
_by_folder: dict[tuple[Path, int], str] = {}
_turn: dict[int, count[int]] = {}


class EmptyPostgres(PostgresStore):
    """A store in the schema of a folder; empty when it is opened for the first time there."""

    def __init__(self, folder: Path, clock: Clock | None, **options: Any) -> None:
        buckets = options.get("virtual_buckets") or 1
        self.where = servers.url("postgres")
        self._is_new = (folder, buckets) not in _by_folder
        if self._is_new:
            _take(folder, buckets)
        self.schema = _by_folder[folder, buckets]
        super().__init__(f"{self.where}?search_path={quote(self.schema)}&{LOSSY}", clock=clock, **options)
        self._liveness = Liveness(folder)  # identities are used again and again, and by many at once

    async def open(self) -> None:
        if self.schema not in _made:
            await execute(self.where, f"create schema {self.schema}")
            _made.add(self.schema)
        elif self._is_new:
            today = 0 if self.clock is None else self.clock.wall() // DAY_MICROS
            words = {"schema": self.schema, "tables": TABLES, "today": today, "last": self.virtual_buckets - 1}
            await execute(self.where, EMPTYING.format(**words))
        self._is_new = False
        await super().open()


def _take(folder: Path, buckets: int) -> None:
    """Give a folder the schema that was used longest ago."""
    place = next(_turn.setdefault(buckets, count())) % RING
    schema = f"shike_test_{os.getpid()}_{buckets}_{place}"
    for key in [key for key, taken in _by_folder.items() if taken == schema]:
        del _by_folder[key]
    _by_folder[folder, buckets] = schema


async def execute(where: str, script: str) -> None:
    """What a failed test left locked is told after a while, not waited for."""
    connection = await asyncpg.connect(where, timeout=SECONDS)
    try:
        await connection.execute(script, timeout=SECONDS)
    finally:
        await connection.close(timeout=SECONDS)


@atexit.register
def _drop() -> None:
    for schema in _made:
        asyncio.run(execute(servers.url("postgres"), f"drop schema {schema} cascade"))
