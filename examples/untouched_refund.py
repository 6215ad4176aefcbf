"""Hand refunds that nobody touched for three days to the operators, on working days only.

Shows calendars: nine o'clock on weekdays, except on public holidays. A trigger is a value, so it can be looked at
before it is used: `python examples/untouched_refund.py` prints the next moments.

    shike up examples/untouched_refund.py
"""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import shike
from shike.clock import to_datetime, to_micros

UNTOUCHED = timedelta(days=3)
WORKING_DAYS = shike.calendar(keep="mon-fri", exclude=["01-01", "05-01", "10-03", "12-25", "12-26"], tz="Europe/Berlin")
MORNINGS = shike.during(shike.cron("0 9 * * *", tz="Europe/Berlin"), WORKING_DAYS)

app = shike.Shike("sqlite:///untouched_refund.db")


def desk() -> sqlite3.Connection:
    db = sqlite3.connect("desk.db", timeout=10)
    db.execute("create table if not exists refunds (number integer primary key, asked_at text, state text)")
    return db


def ask_refund(number: int, at: datetime | None = None) -> None:
    with closing(desk()) as db, db:
        db.execute("insert into refunds values (?, ?, 'new')", (number, (at or app.now()).isoformat()))


@app.task(retry=3, owner="operators")
def escalate() -> list[int]:
    """Write one line per forgotten refund into the operators' list; gives their numbers."""
    limit = (app.now() - UNTOUCHED).isoformat()
    with closing(desk()) as db, db:
        rows = db.execute(
            "update refunds set state = 'escalated' where state = 'new' and asked_at <= ? returning number, asked_at",
            (limit,),
        ).fetchall()
        with Path("operators.csv").open("a", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows(rows)
    return [number for number, _ in rows]


app.schedule(escalate, MORNINGS, misfire="once")


if __name__ == "__main__":
    print(MORNINGS.describe())
    for moment in MORNINGS.between(to_micros(app.now()), to_micros(app.now() + timedelta(days=14))):
        print(to_datetime(moment).astimezone().strftime("  %A, %d %B %Y %H:%M %Z"))
