"""Remind people ten minutes before a meeting, also when the meeting moves.

Shows a run at an instant (`at`, aware of time zones), and the simplest answer to "it moved": the reminder carries
the start it was made for, and does nothing if the meeting has another one by then. A reminder that could not be
sent before the meeting began is dropped (`expires`).

    shike up examples/meeting_reminder.py
    python examples/meeting_reminder.py        # in another terminal: a meeting in ten minutes and ten seconds
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import shike

BEFORE = timedelta(minutes=10)

app = shike.Shike("sqlite:///meeting_reminder.db")


def diary() -> sqlite3.Connection:
    db = sqlite3.connect("diary.db", timeout=10)
    db.execute("create table if not exists meetings (title text primary key, starts_at text not null)")
    db.execute("create table if not exists reminders (run text primary key, words text not null)")
    return db


def plan(title: str, starts_at: datetime) -> None:
    """Put a meeting into the diary, or move it."""
    with closing(diary()) as db, db:
        db.execute("insert or replace into meetings values (?, ?)", (title, starts_at.isoformat()))
    remind.at(starts_at - BEFORE).submit(title, starts_at)


@app.task(retry=3, expires=BEFORE)
def remind(title: str, starts_at: datetime) -> str | shike.Cancel:
    """Remind everybody; gives the words."""
    with closing(diary()) as db, db:
        row = db.execute("select starts_at from meetings where title = ?", (title,)).fetchone()
        if row is None or datetime.fromisoformat(row[0]) != starts_at:
            return shike.Cancel("the meeting was moved")
        words = f"{title} starts at {starts_at:%H:%M}"
        db.execute("insert or ignore into reminders values (?, ?)", (shike.current().id, words))
    return words


if __name__ == "__main__":
    plan("Tea", app.now() + BEFORE + timedelta(seconds=10))
    print("you will be reminded in ten seconds; see the table reminders in diary.db")
