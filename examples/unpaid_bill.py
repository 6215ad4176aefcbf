"""Settle a bill from the customer's balance when it was not paid for a week.

Money moves, so this one is careful: a key makes one settlement of a bill issued twice; the balance and the bill
change in one transaction that holds only while the bill is open; and if the process dies in the middle, `on_unknown`
asks a person instead of trying again (`shike dead list`).

    shike up examples/unpaid_bill.py
    WEEK=15s python examples/unpaid_bill.py                # in another terminal
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import shike

WEEK = os.environ.get("WEEK", "7d")

app = shike.Shike("sqlite:///unpaid_bill.db")


def books() -> sqlite3.Connection:
    db = sqlite3.connect("books.db", timeout=10)
    db.execute("create table if not exists balances (customer text primary key, cents integer not null)")
    db.execute(
        "create table if not exists bills (number integer primary key, customer text, cents integer, state text)"
    )
    return db


def issue(number: int, customer: str, cents: int) -> shike.Handle[str]:
    """Send a bill. Issuing it again changes nothing."""
    with closing(books()) as db, db:
        db.execute("insert or ignore into bills values (?, ?, ?, 'open')", (number, customer, cents))
    return settle.options(key=f"settle:{number}", key_ttl="30d").in_(WEEK).submit(number)


def pay(number: int) -> None:
    """The customer pays by other means."""
    with closing(books()) as db, db:
        db.execute("update bills set state = 'paid' where number = ? and state = 'open'", (number,))


@app.task(on_unknown="ask", owner="accounting")
def settle(number: int) -> str:
    """Take what is owed from the balance; gives what became of the bill."""
    with closing(books()) as db, db:
        customer, cents = db.execute("select customer, cents from bills where number = ?", (number,)).fetchone()
        closed = db.execute("update bills set state = 'settled' where number = ? and state = 'open'", (number,))
        if not closed.rowcount:
            return "was paid"
        paid = db.execute(
            "update balances set cents = cents - ? where customer = ? and cents >= ?", (cents, customer, cents)
        )
        if not paid.rowcount:
            db.execute("update bills set state = 'overdue' where number = ?", (number,))
            return "overdue"
    return "settled"


if __name__ == "__main__":
    with closing(books()) as db, db:
        db.execute("insert or replace into balances values ('ada', 5000)")
    bill = issue(1, "ada", 1200)
    print(f"the bill is settled in {WEEK} by run {bill.id}" if bill.fresh else "this bill was issued before")
