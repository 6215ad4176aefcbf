"""The raw ceiling of each store: the same server or file and durability, with no scheduler around it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.measure import Column, Measure, Row, Size
from benchmarks.raw import RAW, RawStore

BATCHES = (1, 10, 100, 1_000)
SECONDS = {Size.QUICK: 0.1, Size.STANDARD: 0.3, Size.FULL: 1.0}  # of inserts; claims and acks of it take their time
TITLES = {
    "redis": "Redis",
    "postgres": "PostgreSQL",
    "mysql": "MariaDB",
    "sqlite-full": "SQLite FULL",
    "sqlite-normal": "SQLite NORMAL",
}


def _ceiling(name: str, folder: Path, size: Size) -> dict[str, float]:
    kind, _, batch = name.rpartition("-")
    return asyncio.run(_measured(RAW[kind](folder), int(batch), SECONDS[size]))


async def _measured(store: RawStore, batch: int, seconds: float) -> dict[str, float]:
    await store.open()
    inserted, began = 0, time.perf_counter()
    while (insert_seconds := time.perf_counter() - began) < seconds:
        await store.insert(inserted, batch)
        inserted += batch
    claimed, tokens, began = 0, 0, time.perf_counter()
    while (claim_seconds := time.perf_counter() - began) < 2 * seconds and claimed < inserted:
        claimed += await store.claim(tokens, batch)
        tokens += 1
    began = time.perf_counter()
    for token in range(tokens):
        await store.ack(token)
    ack_seconds = time.perf_counter() - began
    await store.close()
    whole = insert_seconds / inserted + (claim_seconds + ack_seconds) / claimed
    return {
        "insert_per_second": inserted / insert_seconds,
        "claim_per_second": claimed / claim_seconds,
        "ack_per_second": claimed / ack_seconds,
        "whole_per_second": 1 / whole,
    }


MEASURE = Measure(
    name="ceiling",
    title="The raw ceiling of each store",
    about="""120-byte rows inserted in batches, then claimed into a lease, then acknowledged, from one connection, each
    step durable as the server is set: Redis with its log flushed every second, the others at each commit. No scheduler
    on this store can be faster; how near one comes is its own merit.""",
    rows=tuple(
        Row(f"{kind}-{batch}", f"{title}, batch {batch:,}", kind, service=kind if "sqlite" not in kind else "")
        for kind, title in TITLES.items()
        for batch in BATCHES
    ),
    columns=(
        Column("insert_per_second", "insert, rows/s"),
        Column("claim_per_second", "claim, rows/s"),
        Column("ack_per_second", "ack, rows/s"),
        Column("whole_per_second", "all three, rows/s"),
    ),
    run=_ceiling,
    repeats=1,
)
