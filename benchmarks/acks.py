"""What the waiting time of acknowledgements buys and costs (R0.10): `python -m benchmarks.acks`.

Runs of 5 ms on 100 slots, SQLite FULL. A longer wait makes fewer, larger batches; a run that is not acknowledged yet
when its process dies is repeated, so the wait also bounds what a crash repeats.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from shike.app import Shike
from shike.engine import Roles
from shike.store.base import Store
from shike.store.verbs import Ack, Answer

DELAYS_SECONDS = (0.0, 0.001, 0.005, 0.02, 0.1, 1.0)
RUNS = 6_000
REPEATS = 3


class Watch:
    """Counts the batches and how long the acknowledgements of a store's `settle` took to be accepted."""

    def __init__(self, store: Store) -> None:
        self._settle = store.settle
        self.ended_at: dict[int, float] = {}
        self.batches: list[int] = []
        self.waits: list[float] = []
        store.settle = self.settle  # type: ignore[method-assign]

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        answers = await self._settle(session, acks)
        now = time.perf_counter()
        self.batches.append(len(acks))
        self.waits += [now - self.ended_at[ack.run_id] for ack in acks]
        return answers


async def once(delay_seconds: float, folder: Path) -> tuple[float, float, float]:
    """Runs a second, acknowledgements a batch, and milliseconds from a handler's end to its acceptance (median)."""
    import shike

    app = Shike(f"sqlite:///{folder / 'acks.db'}")
    watch: list[Watch] = []

    @app.task(name="work")
    async def work() -> None:
        await asyncio.sleep(0.005)
        watch[0].ended_at[shike.current().run.id] = time.perf_counter()

    store = await app.client.settle_here()
    watch.append(Watch(store))
    await app.submit_many([work.bind() for _ in range(RUNS)])
    began = time.perf_counter()
    async with app.running(Roles(ack_delay_seconds=delay_seconds, lease_seconds=60.0)) as engine:
        await engine.until_idle()
        rate = RUNS / (time.perf_counter() - began)
    await app.client.close()
    return rate, statistics.mean(watch[0].batches), statistics.median(watch[0].waits) * 1_000


def main() -> None:
    """Print the table."""
    print("| acknowledgements wait | runs/s | a batch | ms until accepted |\n| ---: | ---: | ---: | ---: |")
    for delay in DELAYS_SECONDS:
        rows = []
        for _ in range(REPEATS):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(asyncio.run(once(delay, Path(folder))))
        rate, batch, wait = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"| {delay * 1_000:g} ms | {rate:,.0f} | {batch:.0f} | {wait:.1f} |", flush=True)


if __name__ == "__main__":
    main()
