"""A small shop. Read from the top: each task is one thing Shike can do."""

from __future__ import annotations

import asyncio
import random

from shike import Concurrency
from shike.app import Shike
from shike.errors import ShikeError
from shike.model import Backoff, Growth
from shike.trigger import cron, every
from shike.worker.context import current

app = Shike("sqlite:///shike-demo.db", name="demo")
dice = random.Random(2026)

quick_retry = Backoff(attempts=4, growth=Growth.EXPONENTIAL, base_seconds=0.5, max_seconds=5.0)


class PaymentRefused(ShikeError):
    """The bank said no."""


@app.task(name="orders.arrive")
async def orders_arrive() -> int:
    """A few orders come in; each wants a mail now and, if nobody pays, a cancellation a little later."""
    count = dice.randint(1, 4)
    for _ in range(count):
        order = dice.randint(1_000, 9_999)
        await send_mail.submit(order=order, what="thank you")
        await take_payment.submit(order=order)
        await cancel_unpaid.in_("8s").options(key=f"unpaid/{order}").submit(order=order)
    return count


@app.task(name="mail.send", queue="mail", limits=[Concurrency(3, by="*")])
async def send_mail(order: int, what: str) -> str:
    """Async work: it waits for the network, not for a thread. The relay takes three mails at once."""
    await asyncio.sleep(dice.uniform(0.005, 0.05))
    return f"{what} for order {order}"


@app.task(name="payment.take", queue="payment", retry=quick_retry, timeout="5s", owner="treasury")
def take_payment(order: int) -> str:
    """The bank fails one time in four; what fails four times in a row is a dead letter with an owner."""
    if dice.random() < 0.25 or order % 50 == 0:
        raise PaymentRefused(f"order {order}: the bank did not answer")
    return f"order {order} paid"


@app.task(name="orders.cancel-unpaid")
async def cancel_unpaid(order: int) -> str:
    """Submitted with a delay and a key, so that one order is cancelled once."""
    return f"order {order} looked at"


@app.task(name="stock.count", timeout="10s")
async def count_stock() -> dict[str, int]:
    """Longer than its interval: with overlap=skip the next one is left out, and a row says why."""
    run = current()
    for shelf in range(1, 6):
        await asyncio.sleep(0.7)
        run.progress({"shelf": shelf, "of": 5})
    return {"shelves": 5}


@app.task(name="prices.fetch")
async def fetch_prices() -> int:
    """With a fixed delay: each begins so long after the end of the one before."""
    await asyncio.sleep(dice.uniform(0.1, 0.6))
    return dice.randint(90, 110)


@app.task(name="parcel.pick", queue="parcels")
async def pick(shelf: int) -> str:
    """The first two of a graph: side by side."""
    await asyncio.sleep(dice.uniform(0.5, 2.0))
    return f"box {dice.randint(100, 999)} from shelf {shelf}"


@app.task(name="parcel.pack", queue="parcels")
async def pack(boxes: list[str]) -> str:
    """Waits for all that is picked, and gets it."""
    await asyncio.sleep(1.0)
    return f"a parcel of {' and '.join(boxes)}"


@app.task(name="parcel.ship", queue="parcels")
async def ship(parcel: str) -> str:
    """Begins once a person has approved it: in the console, Graphs."""
    return f"shipped {parcel}"


@app.task(name="parcels.leave")
async def parcels_leave() -> None:
    """Makes a graph, which waits for a person at its end; who says nothing for ten minutes has it skipped."""
    graph = app.graph()
    picked = [graph.add(pick.bind(shelf)) for shelf in (1, 2)]
    packed = graph.add(pack.bind([one.result for one in picked]))
    graph.add(ship.bind(packed.result), approval="10m")
    await graph.submit()


@app.task(name="report.sales")
def report_sales() -> str:
    """A sync handler runs on a thread."""
    return f"report for {current().moment:%H:%M:%S}"


app.schedule(orders_arrive, every("2s"))
app.schedule(report_sales, cron("*/5 * * * * *", seconds="first"))
app.schedule(count_stock, every("3s"), overlap="skip")
app.schedule(parcels_leave, every("1m"))
app.schedule(fetch_prices, every("1s", delay=True))
app.schedule(report_sales, cron("0 18 * * mon-fri", tz="Asia/Shanghai"), name="report.evening", jitter="10m")
