"""What a node's look at its store costs where a million schedules are kept and nothing is due."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks.bare import Bare, bare
from benchmarks.brokers import mysql_connection
from benchmarks.measure import Column, Measure, Row, Size, percentile
from benchmarks.measures.verbs import TITLES
from benchmarks.systems.base import broker_url
from shike.clock import MICROS, WALL_MIN
from shike.model import Schedule
from shike.trigger import cron, encode

SCHEDULES = {Size.QUICK: 20_000, Size.STANDARD: 1_000_000, Size.FULL: 1_000_000}
LOOKS = 200
AHEAD_MICROS = 5 * MICROS
FAR_MICROS = 24 * 3600 * MICROS
LIMIT = 100
_COPIES = """
    insert into bare_schedule
        (name, text, version, {cursor}, ordinal, plan_at, paused, reason, resume_at, deleted, body)
    select 1000000 + n.number, {text}, s.version, s.{cursor}, s.ordinal, s.plan_at, s.paused, s.reason, s.resume_at,
        s.deleted, s.body
    from bare_schedule s, {numbers}
"""
_RECURSIVE = """
    (with recursive n(number) as (select 1 union all select number + 1 from n where number < {}) select number from n) n
"""
_ON_REDIS = """
local record = redis.call('HGET', KEYS[1], ARGV[1])
local at = redis.call('ZSCORE', KEYS[2], ARGV[1])
for number = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  local name = ARGV[1] .. '-' .. number
  redis.call('HSET', KEYS[1], name, record)
  redis.call('ZADD', KEYS[2], at, name)
end
"""


async def _copy_sqlite(folder: Path, count: int) -> None:
    import sqlite3

    with sqlite3.connect(folder / "bare.db") as connection:
        numbers = _RECURSIVE.format(count)
        connection.execute(_COPIES.format(cursor="cursor", text="s.text || '-' || n.number", numbers=numbers))


async def _copy_postgres(folder: Path, count: int) -> None:
    import asyncpg

    connection: Any = await asyncpg.connect(broker_url())
    numbers = f"generate_series(1, {count}) n(number)"
    await connection.execute(_COPIES.format(cursor="cursor", text="s.text || '-' || n.number", numbers=numbers))
    await connection.execute("analyze bare_schedule")
    await connection.close()


async def _copy_mysql(folder: Path, count: int) -> None:
    connection = await mysql_connection(broker_url(), database=True)
    async with connection.cursor() as cursor:
        await cursor.execute(f"set max_recursive_iterations = {count + 1}")
        text, numbers = "concat(s.text, '-', n.number)", _RECURSIVE.format(count)
        await cursor.execute(_COPIES.format(cursor="`cursor`", text=text, numbers=numbers))
    await connection.commit()
    connection.close()


async def _copy_redis(folder: Path, count: int) -> None:
    import redis

    with redis.Redis.from_url(broker_url()) as client:
        copy = client.register_script(_ON_REDIS)
        for first in range(1, count + 1, 10_000):
            last = min(first + 9_999, count)
            copy(keys=["{bare:0}:schedules", "{bare:0}:plan_at"], args=[NAME, first, last])


NAME = "default/nightly"
_COPY = {"redis": _copy_redis, "postgres": _copy_postgres, "mysql": _copy_mysql, "sqlite": _copy_sqlite}


async def _look(ours: Bare) -> tuple[float, float]:
    """Milliseconds of what a node asks: which schedules are to be planned, and what is due soon."""
    store = ours.store
    now, last = await store.now(), store.virtual_buckets - 1
    began = time.perf_counter()
    ripe = await store.to_plan(0, last, now, LIMIT)
    planned = time.perf_counter()
    found = await store.due(0, last, WALL_MIN, now + AHEAD_MICROS, LIMIT)
    ended = time.perf_counter()
    if ripe or found:
        raise RuntimeError("something is due")
    return (planned - began) * 1e3, (ended - began) * 1e3


async def _measured(kind: str, folder: Path, count: int) -> dict[str, float]:
    async with bare(kind, folder) as ours:
        now = await ours.store.now()
        schedule = Schedule(name=NAME, task="bare", trigger=encode(cron("0 3 * * *", tz="UTC")))
        await ours.store.put_schedule(schedule, expect=0, plan_at=now + FAR_MICROS)
        await _COPY[kind](folder, count)
        for _ in range(10):
            await _look(ours)
        looks = [await _look(ours) for _ in range(LOOKS)]
        schedules = await ours.store.to_plan(0, ours.store.virtual_buckets - 1, now + 2 * FAR_MICROS, 2)
        if len(schedules) < 2:
            raise RuntimeError("the copies are not seen as schedules")
    plans, both = ([look[place] for look in looks] for place in (0, 1))
    return {"plan_ms": percentile(plans, 0.5), "scan_ms": percentile(both, 0.5), "scan_p99_ms": percentile(both, 0.99)}


def _scan(name: str, folder: Path, size: Size) -> dict[str, float]:
    return asyncio.run(_measured(name, folder, SCHEDULES[size]))


MEASURE = Measure(
    name="scan",
    title="A scan with nothing due, a million schedules",
    about="""A million schedules, all to be planned tomorrow (copies of one, put into the store's own tables). What a
    node asks in one round: which schedules are to be planned, and what is due within five seconds. 200 rounds.""",
    rows=tuple(
        Row(kind, title, kind, ours=True, service=kind if kind != "sqlite" else "") for kind, title in TITLES.items()
    ),
    columns=(
        Column("scan_ms", "a scan, p50 ms", 2),
        Column("scan_p99_ms", "p99 ms", 2),
        Column("plan_ms", "of that for schedules, p50 ms", 2),
    ),
    run=_scan,
    repeats=1,
    row_seconds_max=180.0,
)
