"""`shike workers`: who works, and how loaded each is; with `--map` as a picture that lives."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.operate.load_map import LoadMap, LoadMapper

LOOK_SECONDS = 1.0  # a beat
HEADINGS = (
    "worker",
    "session",
    "host",
    "CPU",
    "memory",
    "I/O",
    "busy",
    "slots",
    "lane",
    "index",
    "runs/s",
    "a run",
    "",
)


def workers(
    *,
    map: Annotated[bool, Parameter(help="Draw it, again each second, until Ctrl-C.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Live workers with their load: CPU, memory and I/O of the machine, slots, lane, and the index that levelling
    goes by."""
    if map and not where.json and sys.stdout.isatty():
        return at_desk(where, _live)
    found = at_desk(where, lambda desk: LoadMapper(desk.store, desk.client.runtime.clock).look())
    if where.json:
        output.as_json({"map": found})
    else:
        _table(found)
    return FINE if found.workers else FOUND


def _table(found: LoadMap) -> None:
    rows = [
        (
            one.name, one.session, one.host, _share(one.cpu), _share(one.memory), _share(one.io), one.busy, one.slots,
            one.lane, f"{one.index:.2f}", f"{one.runs_per_second:.1f}", output.seconds(one.latency_ms / 1000),
            ", ".join(one.tags),
        )
        for one in found.workers
    ]  # fmt: skip
    output.table(HEADINGS, rows, empty="no worker is there; start one with `shike up` or `shike worker`")
    if len(found.workers) > 1:
        print(f"\nspread {found.spread:.2f} (above 0.20 waiting runs are moved)")
    for queue, runs in sorted(found.halls.items()):
        print(f"{queue}: {runs:,} wait for a worker that may have them")


async def _live(desk: Desk) -> int:
    from rich.live import Live

    from shike.cli.load_picture import draw

    mapper = LoadMapper(desk.store, desk.client.runtime.clock)
    with Live(auto_refresh=False, screen=False) as live:
        while True:
            live.update(draw(await mapper.look(), width=live.console.size.width), refresh=True)
            await asyncio.sleep(LOOK_SECONDS)


def _share(share: float) -> str:
    return f"{share:.0%}"
