"""What the REST API costs: `python -m benchmarks.rest [--store URL]`. One server process, clients in this one.

Ratios are taken within one run, rounds of the two in turn; nothing here is compared with another day. An *empty POST*
is the same door, key and all, around a handler that does nothing: what is left over is what storing a run costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.conditions import Watch, machine
from benchmarks.process import cpu_seconds

ROUNDS = 7
ONE_RUNS = 400  # in one round
BULK_RUNS = 500
BULKS = 20
ACKS = 100
BATCHES = 30
SYNCS = 50
PAGE_BYTES = 8 * 1024  # what one run adds to SQLite's log
CALLERS = 16  # with a keep-alive connection each

WORDS = {
    "alone_empty": "empty POST, one connection, per second",
    "alone_run": "POST /runs, one connection, per second",
    "alone_ratio": "… of an empty POST",
    "disk": "fdatasync of two pages in the store's folder, per second",
    "alone_possible": "POST /runs, one connection, of an empty POST and one fdatasync",
    "many_empty": f"empty POST, {CALLERS} connections, per second",
    "many_run": f"POST /runs, {CALLERS} connections, one by one each, per second",
    "many_ratio": "… of an empty POST",
    "bulk": f"runs per second in bulks of {BULK_RUNS}",
    "worked": f"runs per second through the worker protocol, {ACKS} a batch",
    "many_empty_cpu": f"CPU of the server, µs per empty POST, {CALLERS} connections",
    "alone_empty_cpu": "CPU of the server, µs per empty POST, one connection",
    "alone_run_cpu": "… per POST /runs, one connection",
    "many_run_cpu": f"… per POST /runs, {CALLERS} connections",
    "bulk_cpu": "… per run of a bulk",
    "worked_cpu": "… per run through the worker protocol",
}


def serve(url: str, pipe: Connection) -> None:
    """The server process: says where it listens, and its key."""
    asyncio.run(_serve(url, pipe))


async def _serve(url: str, pipe: Connection) -> None:
    from shike.app import Shike
    from shike.server.ask import Ask, Nothing
    from shike.server.opening import Opening
    from shike.server.roles import Role
    from shike.server.routes import API, Logged, Route, Rule
    from shike.server.serving import Front, bound
    from shike.server.shapes import NewRun
    from shike.server.table import TABLE
    from shike.server.web import build

    async def nothing(ask: Ask[NewRun, Nothing]) -> Nothing:
        return Nothing()

    empty = Route(
        verb="POST", path=f"{API}/empty", role=Role.OPERATOR, rule=Rule.QUEUE, handler=nothing, body=Nothing,
        words="Nothing.", logged=Logged.SUMMED,
    )  # fmt: skip
    app = Shike(url)
    opening = Opening(app.client, app)
    await app.client.settle_here()
    keys = (await opening.desk()).keys
    made = [await keys.make(role, role, per_second=1e9) for role in (Role.ADMIN, Role.WORKER)]
    front = Front(build(opening, (*TABLE, empty)), bound("127.0.0.1", 0), opening.close)
    front.start()
    pipe.send((front.url.rpartition(":")[2], [one.key for one in made]))
    await asyncio.to_thread(pipe.recv)
    await front.stop()
    await app.client.close()


class Caller:
    """One keep-alive connection, spoken by hand: the client is not what is measured."""

    def __init__(self, port: str, key: str) -> None:
        self._port = port
        self._head = f"host: shike\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"

    async def __aenter__(self) -> Caller:
        self._in, self._out = await asyncio.open_connection("127.0.0.1", int(self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._out.close()

    async def post(self, path: str, body: bytes) -> Any:
        self._out.write(
            f"POST /api/v1{path} HTTP/1.1\r\n{self._head}content-length: {len(body)}\r\n\r\n".encode() + body
        )
        head = await self._in.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await self._in.readexactly(length)
        assert 200 <= status < 300, answer
        return answer


async def per_second(count: int, work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return count / (time.perf_counter() - began)


async def _one(callers: list[Caller], path: str, body: bytes) -> float:
    """Each caller sends one after the other."""
    each = ONE_RUNS // len(callers)

    async def work(caller: Caller) -> None:
        for _ in range(each):
            await caller.post(path, body)

    return await per_second(each * len(callers), lambda: asyncio.gather(*map(work, callers)))


async def _bulk(caller: Caller) -> float:
    runs = [{"task": "resize", "arguments": {"file": f"{number}.png", "width": 320}} for number in range(BULK_RUNS)]
    body = json.dumps({"runs": runs}).encode()

    async def work() -> None:
        for _ in range(BULKS):
            await caller.post("/runs/bulk", body)

    return await per_second(BULK_RUNS * BULKS, work)


async def _worked(caller: Caller) -> float:
    session = json.loads(await caller.post("/worker/sessions", b'{"name": "bench", "lease_seconds": 600}'))["session"]
    home, done = f"/worker/sessions/{session}", 0
    began = time.perf_counter()
    for number in range(1, BATCHES + 1):
        wanted = {"number": number, "tasks": ["resize"], "queues": [{"queue": "default", "count": ACKS}]}
        batch = json.loads(await caller.post(f"{home}/claims", json.dumps(wanted).encode()))
        acks = [
            {"run": run["run"], "token": run["token"], "outcome": "ok", "result": {"ok": True}} for run in batch["runs"]
        ]
        answers = json.loads(await caller.post(f"{home}/acks", json.dumps({"acks": acks}).encode()))["answers"]
        assert answers == ["accepted"] * ACKS, answers
        done += len(acks)
    return done / (time.perf_counter() - began)


def _syncs(folder: Path) -> float:
    """How often a second this disk says that two more pages are safe: one POST at a time waits for one such word."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(bytes(PAGE_BYTES))
        os.fsync(file.fileno())
        began = time.perf_counter()
        for _ in range(SYNCS):
            file.write(bytes(PAGE_BYTES))
            os.fdatasync(file.fileno())
        return SYNCS / (time.perf_counter() - began)


async def _measure(port: str, keys: list[str], pid: int, folder: Path) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in WORDS}
    run = b'{"task":"resize","arguments":{"file":"a.png","width":320}}'
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(port, keys[0])) for _ in range(CALLERS)]
        worker = await stack.enter_async_context(Caller(port, keys[1]))
        await _one(callers, "/runs", run)

        async def take(name: str, count: int, work: Awaitable[float]) -> None:
            before = cpu_seconds(pid)
            figures[name].append(await work)
            if f"{name}_cpu" in figures:
                figures[f"{name}_cpu"].append((cpu_seconds(pid) - before) / count * 1e6)

        for _ in range(ROUNDS):
            for name, some in (("alone", callers[:1]), ("many", callers)):
                await take(f"{name}_empty", ONE_RUNS, _one(some, "/empty", b"{}"))
                await take(f"{name}_run", ONE_RUNS, _one(some, "/runs", run))
                figures[f"{name}_ratio"].append(figures[f"{name}_run"][-1] / figures[f"{name}_empty"][-1])
            figures["disk"].append(_syncs(folder))
            possible = 1 / (1 / figures["alone_empty"][-1] + 1 / figures["disk"][-1])
            figures["alone_possible"].append(figures["alone_run"][-1] / possible)
            await take("bulk", BULK_RUNS * BULKS, _bulk(callers[0]))
            await take("worked", ACKS * BATCHES, _worked(worker))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--store", default="", help="URL of the store; else a new SQLite file")
    parser.add_argument("--synchronous", default="full", choices=("full", "normal"), help="of that file")
    parser.add_argument("--folder", default=None, help="where it is made, and the disk is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        url = options.store or f"sqlite:///{Path(folder) / 'shike.db'}?synchronous={options.synchronous}"
        here, there = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(url, there), daemon=True)
        server.start()
        watch = Watch()
        port, keys = here.recv()
        figures = asyncio.run(_measure(port, keys, server.pid or 0, Path(folder)))
        here.send(None)
        server.join(10)
    print(machine(), file=sys.stderr)
    for name, values in figures.items():
        digits = 2 if name.endswith(("ratio", "possible")) else 0
        best = min(values) if name.endswith("cpu") else max(values)
        print(f"{WORDS[name]}: {median(values):,.{digits}f} (best {best:,.{digits}f})")
    print(watch.line(repeats=ROUNDS, note=options.store.partition(":")[0] or f"sqlite, {options.synchronous}"))


if __name__ == "__main__":
    main()
