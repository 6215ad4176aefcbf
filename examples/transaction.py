"""Store rows of your own and the work they cause in one transaction: both, or neither.

A transfer and the receipt that has to follow it. If the program dies before the commit there is neither; after it,
there are both, and the receipt is sent though nobody is left to ask for it. For that, your tables and Shike's live in
one SQLite file (`?shared=yes`).

    shike up examples/transaction.py
    python examples/transaction.py ada bob 500         # in another terminal; 5000 is more than ada has
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import shike

app = shike.Shike("sqlite:///bank.db?shared=yes")


class NotEnough(Exception):
    """The account holds less than is to be taken."""


def bank() -> sqlite3.Connection:
    db = sqlite3.connect("bank.db", timeout=10)
    db.execute("create table if not exists accounts (name text primary key, cents integer not null check (cents >= 0))")
    db.execute("create table if not exists receipts (run text primary key, words text not null)")
    return db


def transfer(giver: str, taker: str, cents: int) -> shike.Handle[str]:
    """Move money and promise a receipt: one commit. Raises `NotEnough`, and then nothing has happened."""
    with closing(bank()) as db, db:
        db.execute("begin immediate")
        (receipt,) = app.submit_on(db, [send_receipt.bind(giver, taker, cents)])
        db.execute("update accounts set cents = cents + ? where name = ?", (cents, taker))
        try:
            db.execute("update accounts set cents = cents - ? where name = ?", (cents, giver))
        except sqlite3.IntegrityError:
            raise NotEnough(f"{giver} has less than {cents}") from None
    return receipt


@app.task(retry=10)
def send_receipt(giver: str, taker: str, cents: int) -> str:
    words = f"{giver} gave {cents} to {taker}"
    with closing(bank()) as db, db:
        db.execute("insert or ignore into receipts values (?, ?)", (shike.current().id, words))
    return words


def open_bank() -> None:
    """Make both sets of tables, and two accounts to play with."""
    app.open()
    with closing(bank()) as db, db:
        db.execute("insert or ignore into accounts values ('ada', 2000), ('bob', 0)")


if __name__ == "__main__":
    giver, taker, cents = sys.argv[1:] or ("ada", "bob", "500")
    open_bank()
    print(transfer(giver, taker, int(cents)).result("1m"))
