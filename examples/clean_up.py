"""Clean up expired data every night, a little at a time.

Shows a schedule with manners: it starts at its own minute of the quiet hours and not with everybody else (`jitter`),
a night that was missed is made up for once, not once per night (`misfire`), a long clean-up is never joined by the
next one (`overlap`), and one that hangs is stopped (`timeout`).

    shike up examples/clean_up.py
    python examples/clean_up.py                # in another terminal: fill the table and clean up now
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import shike

KEEP = timedelta(days=30)
BATCH = 500  # rows per transaction, so that the shop never waits for the cleaner

app = shike.Shike("sqlite:///clean_up.db")


def shop() -> sqlite3.Connection:
    db = sqlite3.connect("shop.db", timeout=10)
    db.execute("create table if not exists carts (id integer primary key, touched_at text not null)")
    return db


def touch_cart(at: datetime) -> None:
    """Somebody looks into a new cart."""
    with closing(shop()) as db, db:
        db.execute("insert into carts (touched_at) values (?)", (at.isoformat(),))


@app.task(timeout="30m")
def drop_old_carts() -> int:
    """Drop the carts that nobody has touched for thirty days; gives how many there were."""
    limit, dropped = (app.now() - KEEP).isoformat(), 0
    with closing(shop()) as db:
        while True:
            with db:
                gone = db.execute(
                    "delete from carts where id in (select id from carts where touched_at < ? limit ?)", (limit, BATCH)
                ).rowcount
            dropped += gone
            if gone < BATCH:
                return dropped


app.schedule(drop_old_carts, cron="30 3 * * *", tz="Europe/Berlin", jitter="20m", misfire="once", overlap="skip")


if __name__ == "__main__":
    for days in range(60):
        touch_cart(app.now() - timedelta(days=days))
    print(f"{drop_old_carts.submit().result('1m')} carts were too old")
