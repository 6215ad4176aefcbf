"""Submit runs by way of a broker that keeps them until they are due; nobody but the receiver needs Shike's store.

A till at the counter reaches the company's RabbitMQ and nothing else. It sends "look after this order in half an hour"
there; the broker delivers it then, at least once; the bridge makes it a run, once for each id. Where the store can be
reached, submit to it: `cancel_unpaid.in_("30m").submit(7)` waits in a row, as safe as the store, and can be cancelled.

    pip install 'shike[redis]'                               # or [rabbitmq], [nats], and BROKER_URL=amqp://…, nats://…
    python examples/by_broker.py receive                     # in the place of: shike up examples/by_broker.py
    PAY_WITHIN=10s python examples/by_broker.py place 7      # in another terminal; again, and it is the same run
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from contextlib import closing

import shike
from shike.connect import Bridge

BROKER_URL = os.environ.get("BROKER_URL", "redis://localhost:6379/0")
PAY_WITHIN = os.environ.get("PAY_WITHIN", "30m")

app = shike.Shike("sqlite:///shike.db")
bridge = Bridge(app, BROKER_URL, os.environ.get("BRIDGE", "orders"))


def shop() -> sqlite3.Connection:
    db = sqlite3.connect("shop.db", timeout=10)
    db.execute("create table if not exists cancelled (number integer not null)")
    return db


@app.task(retry=5)
def cancel_unpaid(number: int) -> None:
    """Cancel an order, unless it was paid; here it never is."""
    with closing(shop()) as db, db:
        db.execute("insert into cancelled values (?)", (number,))


async def place(number: int) -> str:
    """At the counter: needs the broker alone. The id is the order's, so that a repeat is known."""
    try:
        return await bridge.submit(cancel_unpaid.bind(number), PAY_WITHIN, id=f"order/{number}")
    finally:
        await bridge.close()


async def receive(stopped: asyncio.Event) -> None:
    """In the back office: what the broker delivers becomes runs, which are scheduled and run here."""
    async with app.running(), bridge.serving():
        await stopped.wait()
    await app.client.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["place", number]:
            print(f"{asyncio.run(place(int(number)))} has to be paid within {PAY_WITHIN}")
        case ["receive"]:
            asyncio.run(receive(asyncio.Event()))
        case _:
            print(__doc__)
