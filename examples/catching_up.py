"""One slow run: what becomes of the moments that pass meanwhile, and what do the neighbours notice?

The first run of each of three schedules takes 35 seconds, the others one second. Every ten seconds …

- … with `overlap="queue_all"` it catches up: the moments at 10, 20 and 30 s run one after the other as soon as it can.
  This is `scheduleAtFixedRate` of java.util.Timer.
- … with `overlap="skip"` it does not: they are skipped, each with a row that says so, and 40 s is on time again.
- … as a fixed delay there is nothing to catch up with: the next run is ten seconds after the end. This is
  `scheduleWithFixedDelay`.

`java.util.Timer` has one thread: a slow task makes all others late, and one that throws ends them all. Here the
neighbour runs on time, and what fails fails alone.

    shike up --plain examples/catching_up.py
"""

from __future__ import annotations

import asyncio
import csv
from datetime import datetime
from pathlib import Path

import shike

app = shike.Shike("sqlite:///catching_up.db")
began: dict[str, datetime] = {}


def note(kind: str) -> bool:
    """Write down when it starts; whether it is the first time."""
    first, now = kind not in began, app.now()
    since = (now - began.setdefault(kind, now)).total_seconds()
    print(f"{kind:<16} starts at {since:5.1f} s")
    with Path("starts.csv").open("a", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerow([kind, f"{since:.0f}"])
    return first


@app.task(keep_result=False)
async def stumble(kind: str) -> None:
    """Slow the first time."""
    await asyncio.sleep(35.0 if note(kind) else 1.0)


@app.task(keep_result=False, retry=1)
async def fail() -> None:
    """It never works."""
    note("failing")
    raise RuntimeError("as always")


@app.task(keep_result=False)
async def neighbour() -> None:
    """It has nothing to do with all that."""
    note("neighbour")


app.schedule(stumble.bind("catching up"), every="10s", overlap="queue_all", name="catching-up")
app.schedule(stumble.bind("not catching up"), every="10s", overlap="skip", name="not-catching-up")
app.schedule(stumble.bind("fixed delay"), delay="10s", name="fixed-delay")
app.schedule(fail.bind(), every="10s", name="failing")
app.schedule(neighbour.bind(), every="10s", name="neighbour")
