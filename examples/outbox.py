"""Store rows of your own and the work they cause in one commit, though Shike's store is another database.

A shop keeps its orders in a database of its own; Shike's store is elsewhere (here two files, as well PostgreSQL and
Redis). Order and mail are written together into the shop's database: the mail as a row of its outbox. A relay moves
such rows into the store, each exactly once, whatever is killed in between.

    shike outbox create sqlite:///shop.db
    shike up examples/outbox.py
    shike outbox relay sqlite:///shop.db --app examples/outbox.py        # in another terminal
    python examples/outbox.py 7                                         # in a third one; again, and it is refused
    shike outbox list sqlite:///shop.db                                 # what could not be relayed, and why
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import shike
from shike.outbox import Outbox

app = shike.Shike("sqlite:///shike.db")
outbox = Outbox(app, "sqlite:///shop.db")


class Known(Exception):
    """There is an order of this number."""


def shop() -> sqlite3.Connection:
    db = sqlite3.connect("shop.db", timeout=10)
    db.execute("create table if not exists orders (number integer primary key)")
    db.execute("create table if not exists mails (number integer primary key, words text not null)")
    return db


def place(number: int) -> None:
    """Store an order and promise a mail: one commit. Raises `Known`, and then nothing has happened."""
    with closing(shop()) as db, db:
        outbox.submit_on(db, send_mail.options(key=f"mail/{number}").bind(number))
        try:
            db.execute("insert into orders values (?)", (number,))
        except sqlite3.IntegrityError:
            raise Known(f"order {number} was placed before") from None


@app.task(name="send_mail", retry=10)
def send_mail(number: int) -> None:
    with closing(shop()) as db, db:
        db.execute("insert or ignore into mails values (?, ?)", (number, f"Thank you for order {number}!"))


if __name__ == "__main__":
    outbox.create()
    place(int(sys.argv[1]))
