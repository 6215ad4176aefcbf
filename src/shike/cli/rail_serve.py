"""`shike rail serve`: the railway for people, in a browser."""

from __future__ import annotations

import asyncio
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from shike.cli.http import INSTALL, is_installed
from shike.cli.rail_desk import FILE, File, Now
from shike.cli.root import FINE
from shike.cli.times import when
from shike.clock import ShiftedClock, SystemClock
from shike.errors import BadSetting, BadTime


def serve(
    feed: Annotated[
        str, Parameter(name="FEED", help="A timetable in GTFS, the first time that this file is sold from.")
    ] = "",
    /,
    *,
    file: File = FILE,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0: any that is free.")] = 8040,
    public: Annotated[
        bool, Parameter(help="Let strangers look and buy, also beyond this machine.", negative="")
    ] = False,
    sell: Annotated[str, Parameter(help="Put all trains of this service day on sale: 2019-05-03.")] = "",
    spread: Annotated[
        str, Parameter(help="A Redis through which several such processes share the trains: redis://localhost:6379/0.")
    ] = "",
    currency: Annotated[str, Parameter(help="Of the tariff.")] = "EUR",
    now: Now = "now",
) -> int:
    """Serve passengers and staff under /rail, until SIGTERM or Ctrl-C.

    On this machine whoever comes may look and buy. Beyond it nobody may without an access key, unless --public is
    given. Staff always need one, and the first start shows it.
    """
    if not is_installed():
        raise BadSetting(INSTALL)
    try:
        day = date.fromisoformat(sell) if sell else None
    except ValueError:
        raise BadTime(f"{sell!r} is no day: write YYYY-MM-DD") from None
    clock = SystemClock() if now == "now" else ShiftedClock(when(now))
    if feed:
        from shike.rail.counter import set_up

        set_up(file, Path(feed), currency)
    asyncio.run(_serve(file, clock, host, port, public, day, spread))
    return FINE


async def _serve(
    file: Path, clock: SystemClock, host: str, port: int, public: bool, day: date | None, spread: str
) -> None:
    from shike.cli.logs import start_logging
    from shike.ending import stop_on_signals
    from shike.rail.web.building import application
    from shike.rail.web.serving import open_house
    from shike.server.serving import Front, bound, first_key

    start_logging("info", as_json=False)
    stopped = asyncio.Event()
    stop_on_signals(stopped)
    async with open_house(file, clock, host=host, is_public=public, sell=day, spread=spread) as house:
        key = await first_key((await house.opening.desk()).keys, host)
        front = Front(application(house), bound(host, port), house.opening.close)
        front.start()
        print(f"the railway is open: {front.url}/rail", flush=True)
        if day is not None:
            print(f"a search on the day that is sold: {front.url}/rail?date={day}", flush=True)
        if key is not None:
            print(f"access key of staff, shown this once: {key.key}", file=sys.stderr, flush=True)
        try:
            await stopped.wait()
        finally:
            await front.stop()
