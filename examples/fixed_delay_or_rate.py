"""Fixed rate or fixed delay? The same four seconds of work, every ten seconds, both ways.

A fixed rate (`every=`) counts from the schedule: starts at 0, 10, 20 … whatever the work takes. A fixed delay
(`delay=`) counts from the end of one run to the start of the next: 0, 14, 28 …; it can never overtake itself.

What becomes of moments that passed while the machine slept is another question, and `misfire` answers it: a fixed rate
may catch up with `all` of them, with `once`, or `skip` them. A fixed delay has missed at most one.

    shike up --plain examples/fixed_delay_or_rate.py
"""

from __future__ import annotations

import asyncio
import csv
from datetime import datetime
from pathlib import Path

import shike

WORK_SECONDS = 4.0

app = shike.Shike("sqlite:///fixed_delay_or_rate.db")
began: dict[str, datetime] = {}


@app.task(keep_result=False)
async def work(kind: str) -> None:
    """Say when it starts, then be busy for a while."""
    now = app.now()
    since = (now - began.setdefault(kind, now)).total_seconds()
    print(f"{kind:<12} starts at {since:5.1f} s")
    with Path("starts.csv").open("a", encoding="utf-8", newline="") as lines:  # noqa: ASYNC230 - one short line
        csv.writer(lines).writerow([kind, f"{since:.0f}"])
    await asyncio.sleep(WORK_SECONDS)


app.schedule(work.bind("fixed rate"), every="10s", misfire="skip", name="rate")
app.schedule(work.bind("fixed delay"), delay="10s", name="delay")
