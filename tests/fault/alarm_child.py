"""A program with one alarm, which watches for it often and tells it again soon: to be killed in the middle of it."""

from __future__ import annotations

import asyncio
import os

from shike import Shike
from shike.connect.alarms import Dead, Slack, telling
from shike.connect.alarms.watch import watch_of

telling.SEND_PAUSE_SECONDS = 0.5  # type: ignore[misc]

app = Shike(f"sqlite:///{os.environ['ALARM_STORE']}?synchronous=normal")


@app.task(name="pay")
async def pay() -> None:
    raise ValueError("the bank said no")


app.alarm(Dead(), Slack(os.environ["ALARM_HOOK"], allow=[os.environ["ALARM_PLACE"]]))
watch_of(app).look_seconds = 0.1


async def main() -> None:
    async with app.running():
        await pay.options(key="the-one").submit()
        await asyncio.Event().wait()


asyncio.run(main())
