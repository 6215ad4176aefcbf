"""Listen to what happens: ring an alarm for dead letters, and count everything else.

Shows `app.on`. Listeners hear what this process does, after the store has accepted it; one that raises, or is slow,
harms nobody. What must not be missed belongs into a task, for a listener dies with its process.

    shike up examples/listeners.py
    python examples/listeners.py               # in another terminal: ten parcels, three of them broken
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import shike
from shike.events import RUN_ENDED, Event

app = shike.Shike("sqlite:///listeners.db")
counts: Counter[str] = Counter()


@app.task(retry=shike.Backoff(attempts=2, growth=shike.Growth.FIXED, base_seconds=1), owner="warehouse")
async def ship(parcel: int) -> None:
    if parcel % 4 == 1:
        raise ValueError(f"parcel {parcel} is broken")


@app.on("*")
def count(event: Event) -> None:
    """Every event, by its name; of runs also the state in which they ended."""
    counts[f"{event.event} {event.state}".strip()] += 1


@app.on(RUN_ENDED)
async def ring(event: Event) -> None:
    """One line for each run that failed for good. Listeners may be async, too."""
    if event.state == shike.State.DEAD.name:
        with Path("alarms.csv").open("a", encoding="utf-8", newline="") as lines:  # noqa: ASYNC230 - one short line
            csv.writer(lines).writerow([event.task, event.run_id, event.reason])


if __name__ == "__main__":
    app.submit_many([ship.bind(parcel) for parcel in range(10)])
    print("ten parcels; the alarms are in alarms.csv")
