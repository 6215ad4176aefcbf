"""A long run that shows how far it is, and that can be called off.

Shows progress (any JSON value; others see it within a second), cancellation (an async handler is cancelled where it
waits; a sync one looks at `shike.current().cancelled`), a time-out, and picking up where the last attempt stopped.

    shike up examples/long_run.py
    python examples/long_run.py                # in another terminal; then, with the id that it prints:
    shike runs follow ID --app examples/long_run.py
    shike runs cancel ID --app examples/long_run.py
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import shike

BATCH = 1_000

app = shike.Shike("sqlite:///long_run.db")


def library() -> sqlite3.Connection:
    db = sqlite3.connect("library.db", timeout=10)
    db.execute("create table if not exists books (id integer primary key, title text, slug text)")
    return db


def fill(count: int) -> None:
    """A library without slugs."""
    with closing(library()) as db, db:
        db.executemany("insert into books (title) values (?)", [(f"Volume {n} of Many",) for n in range(count)])


def do_batch() -> int:
    """Give the next books their slugs; gives how many are left."""
    with closing(library()) as db, db:
        db.execute(
            "update books set slug = lower(replace(title, ' ', '-')) "
            "where id in (select id from books where slug is null limit ?)",
            (BATCH,),
        )
        left: int = db.execute("select count(*) from books where slug is null").fetchone()[0]
    return left


@app.task(timeout="1h", retry=3)
async def give_slugs(pause_seconds: float = 1.0) -> int:
    """One batch a second, so that the library stays open; what is done stays done. Gives the number of batches."""
    run, batches = shike.current(), 0
    while True:
        left = do_batch()
        batches += 1
        run.progress({"batches": batches, "left": left})
        if not left:
            return batches
        await asyncio.sleep(pause_seconds)


if __name__ == "__main__":
    fill(60 * BATCH)
    print(f"run {give_slugs.submit().id} takes a minute")
