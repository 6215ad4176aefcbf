"""How late delays by message queue are, beside Shike's own timer: `python -m benchmarks.delays`.

Two tables in one run, one contestant after the other. *Messages*: so many a second, each with a delay of its own, the
same for everybody, drawn from 0.5 to 3 s; late is what the receiver's clock shows after the delay. *Wake-ups*: runs on
a store in memory, whose scheduler is woken by a broker or by its own timer. `--write` puts both into docs/delays.md.
The Redis of the expiring keys is a private one, with and without a hundred thousand other keys that expire too.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid1

from tests.servers import url

from benchmarks.brokers import server_cpu_seconds, start_redis
from benchmarks.conditions import Watch, machine
from benchmarks.measure import percentile
from benchmarks.process import cpu_seconds
from benchmarks.report import between
from shike import Shike
from shike.connect import BrokerWaker, Delayed, open_delays
from shike.engine import Roles

PAGE = Path(__file__).parents[1] / "docs/delays.md"
NAMESPACE = "shikebench"
DELAY_SECONDS = (0.5, 3.0)
OTHER_KEYS = 100_000
TITLES = {
    "": "its own timer",
    "amqp": "RabbitMQ, levels of queues",
    "nats": "NATS JetStream, gathered naks",
    "redis": "Redis, sorted set",
    "redis+expiry": "Redis, keys that expire",
}
PATIENCE_SECONDS = 20.0  # after the last delay; what has not come by then counts as late by at least so much

Send = Callable[[float], Awaitable[Any]]  # … and whoever receives notes the lateness


class Late:
    """The lateness of each message, in ms."""

    def __init__(self) -> None:
        self.millis: list[float] = []

    def note(self, due: float) -> None:
        self.millis.append((time.time() - due) * 1_000)

    def cells(self, count: int, cpu_seconds: float) -> list[str]:
        if not self.millis:
            return ["–", "–", "–", f"{count}", "–"]
        parts = [percentile(self.millis, part) for part in (0.5, 0.99)]
        missing = count - len(self.millis)
        cpu = cpu_seconds / count * 1e6
        return [*(f"{part:,.1f} ms" for part in parts), f"{max(self.millis):,.0f} ms", f"{missing}", f"{cpu:,.0f} µs"]


async def driven(send: Send, late: Late, rate: float, seconds: float) -> list[str]:
    """Send at a steady pace, wait until all has come, and say how late."""
    draw, count = random.Random(7), round(rate * seconds)
    begun, cpu = time.monotonic(), time.process_time()
    sent: list[asyncio.Task[Any]] = []
    for number in range(count):
        await asyncio.sleep(max(begun + number / rate - time.monotonic(), 0.0))
        sent.append(asyncio.ensure_future(send(draw.uniform(*DELAY_SECONDS))))
    await asyncio.gather(*sent)
    end = time.monotonic() + DELAY_SECONDS[1] + PATIENCE_SECONDS
    while len(late.millis) < count and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return late.cells(count, time.process_time() - cpu)


@asynccontextmanager
async def by_broker(where: str, *, late: Late) -> AsyncIterator[Send]:
    """Messages of one technique."""

    async def take(message: Delayed) -> None:
        late.note(float(message.body))

    async with open_delays(where, f"bench-{uuid1().hex}", namespace=NAMESPACE) as delays:

        async def send(seconds: float) -> None:
            await delays.send(repr(time.time() + seconds).encode(), seconds)

        receiver = asyncio.ensure_future(delays.receive(take))
        try:
            yield send
        finally:
            receiver.cancel()
            await asyncio.wait([receiver])
            if not receiver.cancelled():
                receiver.result()  # who lost its broker measured nothing
            await delays.drop()


@asynccontextmanager
async def by_shike(store: str, *, late: Late, waker: str = "") -> AsyncIterator[Send]:
    """Runs, woken by the scheduler's own timer or by a broker."""
    app = Shike(store)

    @app.task(keep_result=False)
    async def due(at: float) -> None:
        late.note(at)

    async def send(seconds: float) -> None:
        await due.in_(seconds).submit(time.time() + seconds)

    broker = BrokerWaker(waker, namespace=NAMESPACE) if waker else None
    async with app.running(Roles(waker=broker)):
        while broker is not None and not broker.answers:
            await asyncio.sleep(0.01)
        yield send
    await app.client.close()


async def crowded(where: str) -> None:
    """Put keys beside ours that expire, too, in an hour."""
    from redis.asyncio import Redis

    async with Redis.from_url(where) as redis:
        for first in range(0, OTHER_KEYS, 10_000):
            pipe = redis.pipeline(transaction=False)
            for number in range(first, first + 10_000):
                pipe.set(f"session:{number}", "", px=3_600_000)
            await pipe.execute()


def table(first: str, rows: dict[str, list[str]]) -> str:
    head = [first, "p50", "p99", "most", "not within 20 s", "CPU here, each", "CPU of the broker"]
    lines = [head, ["---", *["---:"] * 6], *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Contest:
    """One run: contestants one after the other, in two tables."""

    def __init__(self, rate: float, seconds: float, folder: Path) -> None:
        self._rate, self._seconds, self._folder = rate, seconds, folder
        self._redis, self._server = start_redis(folder, "--notify-keyspace-events", "Ex")
        self._brokers = {"amqp": url("rabbitmq"), "nats": url("nats"), "redis": self._redis}
        self._brokers["redis+expiry"] = self._redis.replace("redis://", "redis+expiry://")
        self.messages: dict[str, list[str]] = {}
        self.wakes: dict[str, list[str]] = {}

    async def run(self) -> None:
        """All of it; some four minutes."""
        try:
            for name, store in {
                "Shike, in memory": "memory://",
                "Shike on SQLite": f"sqlite:///{self._folder}/s.db",
            }.items():
                await self._one(self.messages, name, "", partial(by_shike, store))
            await self._one(self.messages, "Shike on Redis", "redis", partial(by_shike, self._redis))
            for scheme, where in self._brokers.items():
                await self._one(self.messages, TITLES[scheme], scheme, partial(by_broker, where))
            for scheme, where in {"": "", **self._brokers}.items():
                name = f"woken by {TITLES[scheme]}"
                await self._one(self.wakes, name, scheme, partial(by_shike, "memory://", waker=where))
            await crowded(self._redis)
            crowd = partial(by_broker, self._brokers["redis+expiry"])
            await self._one(self.messages, "… beside 100,000 others", "redis", crowd)
        finally:
            self._server.kill()
            self._server.wait()

    async def _one(self, rows: dict[str, list[str]], name: str, scheme: str, contestant: Callable[..., Any]) -> None:
        late, before = Late(), self._broker_cpu(scheme)
        async with contestant(late=late) as send:
            rows[name] = await driven(send, late, self._rate, self._seconds)
            broker = (self._broker_cpu(scheme) - before) / (self._rate * self._seconds) * 1e6
        rows[name].append(f"{broker:,.0f} µs" if scheme else "–")
        print(name, *rows[name], sep=" | ", flush=True)

    def _broker_cpu(self, scheme: str) -> float:
        if not scheme:
            return 0.0
        if scheme.startswith("redis"):
            return cpu_seconds(self._server.pid)
        return server_cpu_seconds({"amqp": "rabbitmq"}.get(scheme, scheme))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delays", description=__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="messages a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--note", default="", help="added to the conditions")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/delays.md")
    options = parser.parse_args()
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(options.rate, options.seconds, Path(folder))
        asyncio.run(contest.run())
    paced = f"{options.rate:g}/s for {options.seconds:g} s, one contestant after the other"
    note = "; ".join(part for part in (paced, options.note) if part)
    tables = f"{table('messages', contest.messages)}\n\n{table('runs', contest.wakes)}"
    text = f"{tables}\n\n{machine()}. {watch.line(repeats=1, note=note)}"
    print(text)
    if options.write:
        PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), "delays", text), encoding="utf-8")


if __name__ == "__main__":
    main()
