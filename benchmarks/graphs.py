"""Graphs of work on one store: `python -m benchmarks.graphs URL [RUNS [STEPS]]`.

One run, then RUNS beside each other, then one; and a chain of STEPS. From the submission until the last result is
there, with one worker of 200 slots in the same process; each three times. The namespace is this program's own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from shike import Roles, Shike
from shike.graph import Graph, Node

RUNS, STEPS, TIMES, SLOTS = 10_000, 1_000, 3, 200


async def work(number: int = 0) -> int:
    return number


async def measure(url: str, runs: int, steps: int) -> None:
    app = Shike(url, namespace="bench_graphs")
    task = app.task(work)

    def fan(graph: Graph) -> Node[int]:
        first = graph.add(task.bind())
        beside = [graph.add(task.bind(number)).after(first) for number in range(runs)]
        return graph.add(task.bind()).after(*beside)

    def chain(graph: Graph) -> Node[int]:
        last = graph.add(task.bind())
        for number in range(1, steps):
            last = graph.add(task.bind(number)).after(last)
        return last

    async with app.running(Roles(slots=SLOTS)):
        for _ in range(TIMES):
            took, cpu = await _timed(app.graph(), fan)
            print(f"1 -> {runs:,} -> 1: {took:.2f} s, {cpu:.2f} s of CPU here", flush=True)
        for _ in range(TIMES):
            took, cpu = await _timed(app.graph(), chain)
            each = f"{took / steps * 1000:.2f} ms a step, {cpu / steps * 1000:.2f} ms of CPU here"
            print(f"chain of {steps:,}: {each}", flush=True)
    await app.client.close()


async def _timed(graph: Graph, build: Callable[[Graph], Node[int]]) -> tuple[float, float]:
    last = build(graph)
    began, cpu = time.perf_counter(), time.process_time()
    await graph.submit()
    await last.handle.wait()
    return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    url, *counts = sys.argv[1:] or ["memory://"]
    sizes = [*map(int, counts), *(RUNS, STEPS)[len(counts) :]]
    asyncio.run(measure(url, sizes[0], sizes[1]))
