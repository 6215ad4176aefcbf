"""Two label printers, many labels: each run takes whichever printer is free, and a late one is refused.

Shows a lock on one of many (`acquire_any`), and the token that the printer checks: a worker that was paused past
its lease may still believe that the printer is its own, and the printer knows better. Needs a Redis server; REDIS_URL
names it.

    shike up examples/printers.py
    python examples/printers.py              # in another terminal: twenty labels
"""

from __future__ import annotations

import asyncio
import csv
import os
from pathlib import Path

import shike
from shike.locks import Fence, RedisLocks

PRINTERS = ("printer-1", "printer-2")

app = shike.Shike("sqlite:///printers.db")


def locks() -> RedisLocks:
    """The locks that all workers share, on whatever machine they are."""
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    return RedisLocks(url, namespace=os.environ.get("LOCKS", "labels"))


class Printer:
    """The thing itself, somewhere in the hall. It prints for the newest token and refuses older ones."""

    fence = Fence()

    def __init__(self, name: str) -> None:
        self.name = name

    async def print(self, label: str, token: int) -> None:
        """Print a label in two steps. Raises `StaleToken` for somebody who held this printer before."""
        self.fence.admit(self.name, token)
        self._note("begin", label, token)
        await asyncio.sleep(0.02)
        self.fence.admit(self.name, token)
        self._note("end", label, token)

    def _note(self, step: str, label: str, token: int) -> None:
        with Path(f"{self.name}.csv").open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([step, label, token])


@app.task(retry=3, timeout="1m")
async def label(parcel: str) -> str:
    """Print a parcel's label on whichever printer is free."""
    async with locks() as server:
        held = await server.acquire_any(PRINTERS, lease="10s", timeout="30s")
        try:
            await Printer(held.name).print(parcel, held.token)
        finally:
            await held.release()
    return held.name


if __name__ == "__main__":
    app.submit_many([label.bind(f"parcel {number}") for number in range(20)])
    print("twenty labels are on their way: see printer-1.csv and printer-2.csv")
