"""The raw ceiling of the store: the same file format and durability, with no scheduler around it.

The leanest durable layout that research found: pending rows by (due, id); a claim moves a batch into one lease row;
an acknowledgement turns the lease into one history row. Two commits per batch, as at-least-once needs.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from benchmarks.measure import Column, Measure, Row, Size

PAYLOAD = b"x" * 120
BATCHES = (1, 10, 100, 1_000)
SECONDS = {Size.QUICK: 0.15, Size.STANDARD: 0.5, Size.FULL: 1.0}
_TABLES = """
    create table pending (due integer, id integer, body blob, primary key (due, id)) without rowid;
    create table lease (token integer primary key, expires integer, body blob);
    create table history (token integer primary key, ended integer, body blob);
"""


def _open(folder: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "ceiling.db", isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute(f"pragma synchronous = {synchronous}")
    connection.executescript(_TABLES)
    return connection


def _insert(connection: sqlite3.Connection, first: int, batch: int) -> None:
    connection.execute("begin immediate")
    connection.executemany(
        "insert into pending values (?, ?, ?)", [(number, number, PAYLOAD) for number in range(first, first + batch)]
    )
    connection.execute("commit")


def _claim_and_ack(connection: sqlite3.Connection, token: int, batch: int) -> int:
    connection.execute("begin immediate")
    rows = connection.execute("select due, id, body from pending order by due, id limit ?", (batch,)).fetchall()
    if rows:
        connection.execute("delete from pending where (due, id) <= (?, ?)", rows[-1][:2])
        connection.execute("insert into lease values (?, ?, ?)", (token, 0, b"".join(row[2] for row in rows)))
    connection.execute("commit")
    connection.execute("begin immediate")
    connection.execute("delete from lease where token = ?", (token,))
    connection.execute("insert into history values (?, ?, ?)", (token, 0, PAYLOAD))
    connection.execute("commit")
    return len(rows)


def _ceiling(name: str, folder: Path, size: Size) -> dict[str, float]:
    synchronous, batch = name.split("-")[0], int(name.split("-")[1])
    connection = _open(folder, synchronous)
    inserted, claimed, began = 0, 0, time.perf_counter()
    while (insert_seconds := time.perf_counter() - began) < SECONDS[size]:
        _insert(connection, inserted, batch)
        inserted += batch
    began = time.perf_counter()
    for token in range(inserted // batch):
        claimed += _claim_and_ack(connection, token, batch)
        if time.perf_counter() - began > SECONDS[size]:
            break
    claim_seconds = time.perf_counter() - began
    connection.close()
    return {"insert_per_second": inserted / insert_seconds, "claim_per_second": claimed / claim_seconds}


MEASURE = Measure(
    name="ceiling",
    title="The raw ceiling of SQLite",
    about="""120-byte rows inserted in batches, then claimed with a lease and acknowledged, from one connection. No
    scheduler on this file can be faster; how near one comes is its own merit.""",
    rows=tuple(
        Row(f"{synchronous}-{batch}", f"{synchronous.upper()}, batch {batch:,}", synchronous)
        for synchronous in ("full", "normal")
        for batch in BATCHES
    ),
    columns=(
        Column("insert_per_second", "insert, rows/s"),
        Column("claim_per_second", "claim with lease and ack, rows/s"),
    ),
    run=_ceiling,
    repeats=3,
)
