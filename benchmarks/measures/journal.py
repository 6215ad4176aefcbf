"""The ledger's journal and its replay beside the library `eventsourcing`: the same holds, durable on the same store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Column, Measure, Row, Size
from benchmarks.systems.base import URL_VARIABLE
from benchmarks.systems.spec import OUT

EVENTS = {Size.QUICK: (50, 1_000), Size.STANDARD: (500, 10_000), Size.FULL: (2_000, 50_000)}  # one by one, together
PEER = OUT / "peers-events" / "bin" / "python"
CHILD_SECONDS = 85.0
ROWS = (
    Row("clerk-sqlite", "`Clerk` on SQLite FULL", "sqlite", ours=True),
    Row("eventsourcing-sqlite", "eventsourcing on SQLite FULL", "sqlite"),
    Row("clerk-postgres", "`Clerk` on PostgreSQL", "postgres", ours=True, service="postgres"),
    Row("eventsourcing-postgres", "eventsourcing on PostgreSQL", "postgres", service="postgres"),
)


def _journal(name: str, folder: Path, size: Size) -> dict[str, float]:
    who, _, store = name.partition("-")
    where = f"sqlite:///{folder}/journal.db" if store == "sqlite" else os.environ[URL_VARIABLE]
    python, module = (sys.executable, "ours") if who == "clerk" else (str(PEER), "peer")
    words = [python, "-m", f"benchmarks.journals.{module}", where, *map(str, EVENTS[size])]
    child = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=CHILD_SECONDS, cwd=Path(__file__).parents[2]
    )
    if child.returncode:
        raise RuntimeError((child.stderr.strip().splitlines() or ["the child said nothing"])[-1])
    figures: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return figures


MEASURE = Measure(
    name="journal",
    title="The journal of the ledger, beside eventsourcing",
    about="""Holds of seats on lines of 16 segments and 1,200 units, 1,000 a line: each told after its own commit, one
    after another; and 100 at a time: ours, a hundred who ask at once, whose events share a frame; eventsourcing, a
    hundred events of an aggregate in one `save`, for of a hundred who ask it each waits for a commit of its own. CPU is
    the client's, of the 100 at a time. Ours decides by best fit, keeps orders, expiry and repeated commands, and chains
    checksums; the peer takes the lowest unit that is free.""",
    rows=ROWS,
    columns=(
        Column("together_cpu_micros", "CPU per event, µs", 1, first=True),
        Column("together_per_second", "100 at a time, events/s"),
        Column("single_per_second", "one by one, events/s"),
    ),
    run=_journal,
    repeats=3,
    key="together_per_second",
)
REPLAY = Measure(
    name="journal-replay",
    title="Replay of a ledger, beside eventsourcing",
    about="""All events of those lines read from the store and applied, without snapshots.""",
    rows=ROWS,
    columns=(
        Column("replay_cpu_micros", "CPU per event, µs", 1, first=True),
        Column("replay_per_second", "events/s"),
    ),
    run=_journal,
    repeats=3,
    key="replay_per_second",
)
