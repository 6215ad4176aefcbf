"""Text users who have not logged in for three days: once per absence, at a decent hour of their day.

Shows a daily sweep that hands out work: one query finds who is absent, `submit_many` stores all their messages in
one step, and the key of each message holds the last login, so that tomorrow's sweep finds the same users and
texts nobody twice.

    shike up examples/absent_user.py
    python examples/absent_user.py             # in another terminal: do not wait for ten o'clock
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import shike

AWAY = timedelta(days=3)

app = shike.Shike("sqlite:///absent_user.db")


def site() -> sqlite3.Connection:
    db = sqlite3.connect("site.db", timeout=10)
    db.execute("create table if not exists users (phone text primary key, login_at text not null)")
    db.execute("create table if not exists sms (run text primary key, phone text, words text)")  # your gateway's outbox
    return db


def log_in(phone: str, at: datetime | None = None) -> None:
    with closing(site()) as db, db:
        db.execute("insert or replace into users values (?, ?)", (phone, (at or app.now()).isoformat()))


@app.task
def find_absent() -> int:
    """One message for each absence of three days; gives how many are absent now."""
    with closing(site()) as db:
        limit = (app.now() - AWAY).isoformat()
        absent = db.execute("select phone, login_at from users where login_at <= ?", (limit,)).fetchall()
    app.submit_many(
        [text_user.options(key=f"miss:{phone}:{login_at}", key_ttl="60d").bind(phone) for phone, login_at in absent]
    )
    return len(absent)


@app.task(retry=5, expires="8h", keep_result=False)
def text_user(phone: str) -> None:
    """We miss you. Not after six in the evening."""
    with closing(site()) as db, db:
        db.execute("insert or ignore into sms values (?, ?, 'We miss you!')", (shike.current().id, phone))


app.schedule(find_absent, cron="0 10 * * *", tz="Asia/Shanghai")


if __name__ == "__main__":
    log_in("+861380000001", app.now() - timedelta(days=4))
    log_in("+861380000002")
    print(f"{find_absent.submit().result('1m')} absent; see the table sms in site.db")
