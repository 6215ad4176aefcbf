"""A day of the shop's life, made in virtual time: what a console is tried and pictured with.

In that night at 02:00 a backup of thirty tables took all four slots of the one worker; so the report of 02:30 began a
quarter of an hour late. Whoever looks at that run has to find out why: see `tests/browser/test_story.py`.
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from shike.app import Shike
from shike.clock import Clock, SystemClock
from shike.engine import Engine, Roles
from shike.errors import ShikeError
from shike.model import Backoff, Executor, Growth
from shike.runtime import Runtime
from shike.store.base import Store
from shike.store.memory import MemoryStore
from shike.testing.aside import TurnsPool
from shike.testing.harness import LEASE_SECONDS, Harness
from shike.trigger import AnyTrigger, cron, every
from shike.worker.claims import QueueShare
from shike.worker.context import current

SLOTS: Final = 4
TABLES: Final = 30
HOURS: Final = 28.0  # whatever time it is now, there was a night in them that is over
LATE: Final = "report.night"  # the schedule whose run of 02:30 was late
HERD: Final = ("cache.warm", "feeds.pull", "rates.fetch", "search.index", "stock.sync", "sitemap.build")


class PaymentRefused(ShikeError):
    """The bank said no."""


class CarrierDown(ShikeError):
    """The carrier's server does not answer."""


def shop(store: Store | str = "memory://", *, seed: int = 30, lively: bool = False) -> Shike:
    """The app. Its handlers take their time by `asyncio.sleep`: virtual time passes at once. `lively`: with more
    schedules, of every few seconds, for who looks on."""
    app = Shike(store, name="shop")
    dice, orders = random.Random(seed), count(1_000)

    @app.task(name="backup.begin")
    async def backup_begin() -> int:
        """One run for each table."""
        for number in range(TABLES):
            await backup_table.submit(table=f"orders_{number:02d}")
        return TABLES

    @app.task(name="backup.table", timeout="1h")
    async def backup_table(table: str) -> dict[str, object]:
        """Takes a slot for minutes."""
        await asyncio.sleep(dice.uniform(320, 420))
        return {"table": table, "rows": dice.randint(10_000, 900_000)}

    @app.task(name="report.night", owner="finance")
    async def report_night() -> str:
        """What the late run was to make."""
        run = current()
        run.progress({"step": "sum up", "of": 3})
        await asyncio.sleep(41)
        return f"report of {run.moment:%Y-%m-%d}"

    @app.task(name="order.arrive")
    async def order_arrive() -> int:
        """Orders come in; each wants a mail, a payment and a parcel."""
        arrived = dice.randint(1, 3)
        for _ in range(arrived):
            order = next(orders)
            await mail_send.submit(order=order, what="thank you")
            await payment_take.options(key=f"payment/{order}").submit(order=order)
            await parcel_announce.in_("2m").submit(order=order)
        return arrived

    @app.task(name="mail.send", queue="mail")
    async def mail_send(order: int, what: str) -> str:
        """Quick."""
        await asyncio.sleep(dice.uniform(0.1, 0.6))
        return f"{what} for order {order}"

    @app.task(
        name="payment.take",
        retry=Backoff(attempts=3, growth=Growth.EXPONENTIAL, base_seconds=20.0),
        owner="treasury",
    )
    async def payment_take(order: int) -> str:
        """The bank fails now and then; every fortieth order is never paid."""
        await asyncio.sleep(dice.uniform(0.3, 1.5))
        if order % 40 == 0 or dice.random() < 0.08:
            raise PaymentRefused(f"order {order}: the bank did not answer within 5 s")
        return f"order {order} paid"

    @app.task(name="parcel.announce", queue="parcels", retry=2)
    async def parcel_announce(order: int) -> str:
        """Two failures of different kinds."""
        await asyncio.sleep(dice.uniform(0.2, 0.8))
        if order % 61 == 0:
            raise CarrierDown("https://carrier.example answered 503")
        weight = {"order": order, "grams": dice.randint(200, 4_000)}
        return f"{weight['grams'] // weight['parcels'] if order % 97 == 0 else weight['grams']} g"

    @app.task(name="nightly.tidy")
    async def nightly_tidy() -> str:
        """Left out while the one before is not over."""
        await asyncio.sleep(dice.uniform(500, 900))
        return "tidy"

    def herded(name: str, trigger: AnyTrigger) -> None:
        """One of those that everybody has run at the full hour."""

        @app.task(name=name)
        async def task() -> str:
            await asyncio.sleep(dice.uniform(0.2, 2.5))
            return "done"

        app.schedule(task, trigger, name=name)

    for name in HERD:
        herded(name, cron("0 * * * *"))
    if lively:
        herded("rates.tick", every("3s"))
        herded("sensor.read", every("10s"))
        for number in range(5):
            herded(f"shop-{number}.refresh", cron("* * * * *"))
    app.schedule(backup_begin, cron("0 2 * * *"), name="backup")
    app.schedule(report_night, cron("30 2 * * *"), name=LATE)
    app.schedule(order_arrive, every("5m"), name="orders")
    app.schedule(nightly_tidy, cron("*/10 3 * * *"), name="tidy", overlap="skip")
    return app


class _Handed:
    """A clock that can be taken for another one: virtual while the day is made, real from then on."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def wall(self) -> int:
        return self.clock.wall()

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def boot(self) -> float:
        return self.clock.boot()


class _Night(Harness):
    """One worker with few slots, on a store whose clock goes on when the day is over."""

    def __init__(self, app: Shike, start: datetime) -> None:
        super().__init__(app, start)
        self.handed = _Handed(self._clock)
        self.store = MemoryStore(self.handed)

    async def _start(self, runtime: Runtime) -> Engine:
        await self.app.store_schedules()
        pools = {kind: TurnsPool(kind) for kind in (Executor.THREAD, Executor.PROCESS)}
        queues = tuple(map(QueueShare, self.app.queues))
        roles = Roles(lease_seconds=LEASE_SECONDS, queues=queues, slots=SLOTS, name="shop-1")
        engine = Engine(self.store, runtime, self.app.tasks, roles, pools=pools, codec=self.app.client.codec)
        await engine.start()
        return engine


def lived(until: datetime, *, hours: float = HOURS, seed: int = 30) -> MemoryStore:
    """A store that holds the shop's last `hours` before `until`; its clock is the machine's from then on."""
    held = _Night(shop(seed=seed), until - timedelta(hours=hours))
    held.open()
    try:
        held.advance_to(until)
    finally:
        held.close()
    held.handed.clock = SystemClock()
    return held.store
