"""Cancel an order that nobody pays within half an hour.

Shows a delayed run: a row in the store, not a timer in memory, so it outlives every restart. When its time comes the
handler looks again, in one statement: whoever comes first, the payment or the end of the half hour, wins.

    shike up examples/unpaid_order.py
    PAY_WITHIN=10s python examples/unpaid_order.py place 7       # in another terminal
    python examples/unpaid_order.py pay 7
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing

import shike

PAY_WITHIN = os.environ.get("PAY_WITHIN", "30m")

app = shike.Shike("sqlite:///unpaid_order.db")


def shop() -> sqlite3.Connection:
    """The shop's own database; Shike's is another file."""
    db = sqlite3.connect("shop.db", timeout=10)
    db.execute("create table if not exists orders (number integer primary key, state text not null)")
    return db


def place(number: int) -> None:
    """A customer orders, and has half an hour to pay."""
    with closing(shop()) as db, db:
        db.execute("insert into orders values (?, 'open')", (number,))
    cancel_unpaid.in_(PAY_WITHIN).submit(number)


def pay(number: int) -> bool:
    """A customer pays. False: too late."""
    with closing(shop()) as db, db:
        paid = db.execute("update orders set state = 'paid' where number = ? and state = 'open'", (number,))
    return paid.rowcount == 1


@app.task(retry=5)
def cancel_unpaid(number: int) -> str:
    """Give the goods back to the shelf, unless the order was paid; says which it was."""
    with closing(shop()) as db, db:
        cancelled = db.execute("update orders set state = 'cancelled' where number = ? and state = 'open'", (number,))
    return "cancelled" if cancelled.rowcount else "was paid"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["place", number]:
            place(int(number))
            print(f"order {number} has to be paid within {PAY_WITHIN}")
        case ["pay", number]:
            print("thank you" if pay(int(number)) else "too late, the order was cancelled")
        case _:
            print(__doc__)
