"""Take each message once, though it is delivered at least once.

A worker that dies, or an answer that gets lost, makes a delivery repeat: no scheduler can know whether the other side
heard it. The receiver can: `SeenToday` keeps one bit per message and day (a million messages are 128 KiB). The
sender numbers its messages from 0 each day. Here the network loses the answer to every third message.

    shike up examples/receive_once.py
    python examples/receive_once.py            # in another terminal: a hundred payments
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import shike
from shike.clock import to_micros
from shike.ids import SeenToday, day_of

app = shike.Shike("sqlite:///receive_once.db")


def ledger() -> sqlite3.Connection:
    """The receiver's own database."""
    db = sqlite3.connect("ledger.db", timeout=10)
    db.execute("create table if not exists payments (day integer, number integer, cents integer)")
    db.execute("create table if not exists seen (id integer primary key, bits blob)")
    return db


def take(number: int, day: int, cents: int) -> bool:
    """The other side: book a payment; False if it was booked before. The mark and the booking are one commit."""
    with closing(ledger()) as db, db:
        db.execute("begin immediate")
        saved = db.execute("select bits from seen").fetchone()
        seen = SeenToday.load(saved[0]) if saved else SeenToday()
        if not seen.first_time(number, day):
            return False
        db.execute("insert into payments values (?, ?, ?)", (day, number, cents))
        db.execute("insert or replace into seen values (1, ?)", (seen.save(),))
    return True


@app.task(retry=shike.Backoff(attempts=5, growth=shike.Growth.FIXED, base_seconds=1), keep_result=False)
def deliver(number: int, day: int, cents: int) -> None:
    """Deliver one payment until the receiver's answer is heard."""
    take(number, day, cents)
    if number % 3 == 0 and shike.current().attempt == 1:
        raise ConnectionError("the receiver has it, but its answer got lost")


def pay(count: int) -> None:
    """The sender: numbers of today, from 0."""
    day = day_of(to_micros(app.now()))
    app.submit_many([deliver.bind(number, day, 100 + number) for number in range(count)])


if __name__ == "__main__":
    pay(100)
    print("a hundred payments are on their way; each is once in ledger.db")
