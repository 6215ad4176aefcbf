"""Close a shop that has no goods ten days after it opened.

Shows that ten days are as good as ten seconds: the run waits as a row in the store, costs nothing while it waits, and
starts on time after any number of restarts. The owner is warned on the seventh day: two runs, submitted at once.

    shike up examples/empty_shop.py
    OPEN_DAYS=0.0002 python examples/empty_shop.py "Ada's Books"  # in another terminal: ten days in 17 seconds
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta

import shike

DAY = timedelta(days=float(os.environ.get("OPEN_DAYS", "10")) / 10)

app = shike.Shike("sqlite:///empty_shop.db")


def mall() -> sqlite3.Connection:
    db = sqlite3.connect("mall.db", timeout=10)
    db.execute("create table if not exists shops (name text primary key, state text not null, note text default '')")
    db.execute("create table if not exists goods (shop text not null, name text not null)")
    return db


def open_shop(name: str) -> None:
    """A new shop, which has ten days to fill its shelves."""
    with closing(mall()) as db, db:
        db.execute("insert into shops (name, state) values (?, 'open')", (name,))
    warn_owner.in_(7 * DAY).submit(name)
    close_if_empty.in_(10 * DAY).submit(name)


def add_goods(shop: str, name: str) -> None:
    with closing(mall()) as db, db:
        db.execute("insert into goods values (?, ?)", (shop, name))


EMPTY = "name = ? and state = 'open' and not exists (select 1 from goods where shop = shops.name)"


@app.task(retry=5)
def warn_owner(shop: str) -> None:
    """On the seventh day: a note for the owner of a shop without goods."""
    with closing(mall()) as db, db:
        db.execute(f"update shops set note = 'three days left' where {EMPTY}", (shop,))  # noqa: S608 - a constant


@app.task(retry=5)
def close_if_empty(shop: str) -> bool:
    """On the tenth day: close a shop without goods; gives whether it was."""
    with closing(mall()) as db, db:
        closed = db.execute(f"update shops set state = 'closed' where {EMPTY}", (shop,))  # noqa: S608 - a constant
    return closed.rowcount == 1


if __name__ == "__main__":
    open_shop(sys.argv[1] if len(sys.argv) > 1 else "Ada's Books")
    print(f"the shop is open; without goods it closes in {10 * DAY}")
