"""`shike rail verify|replay`: what the journal says, all of it, or as it was at some time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from shike.cli import output
from shike.cli.rail import AsJson
from shike.cli.rail_desk import FILE, Departure, File
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.clock import to_datetime, to_micros
from shike.counted import counted
from shike.errors import NotFound

if TYPE_CHECKING:
    from shike.reserve.journal.base import Journal
    from shike.reserve.state import State


def verify(*, file: File = FILE, json: AsJson = False) -> int:
    """Replay every train from its first event, recount after each frame, and compare with the orders that were sold
    (exit code 1 where something is wrong)."""
    from shike.reserve.journal.reading import load
    from shike.reserve.journal.reading import verify as verify_one

    async def work(journal: Journal, url: str) -> dict[str, Any]:
        verdicts, states = [], {}
        for ledger in await _ledgers(journal):
            verdicts.append(await verify_one(journal, ledger))
            if verdicts[-1].clean:
                states[ledger] = (await load(journal, ledger)).state
        problems = [f"{one.ledger}: {words}" for one in verdicts for words in one.problems]
        if len(states) == len(verdicts):
            problems += await _books(url, states)
        events, frames = sum(one.version for one in verdicts), sum(one.frames for one in verdicts)
        return {"trains": len(verdicts), "events": events, "frames": frames, "problems": problems}

    told = _read(file, work)
    if json:
        output.as_json(told)
    else:
        for words in told["problems"]:
            print(f"PROBLEM {words}")
        verdict = counted(len(told["problems"]), "problem") if told["problems"] else "clean: no seat is sold twice"
        trains, frames = counted(told["trains"], "train"), counted(told["frames"], "frame")
        print(f"{trains}, {counted(told['events'], 'event')} in {frames}: {verdict}")
    return FOUND if told["problems"] else FINE


def replay(
    departure: Departure,
    /,
    *,
    at: Annotated[str, Parameter(help="After so many events, or at a time; the latest if left out.")] = "",
    file: File = FILE,
    json: AsJson = False,
) -> int:
    """Show a train as it was at an event or a time: what was left of each class, from call to call."""
    from shike.reserve.journal.reading import LATEST
    from shike.reserve.journal.reading import replay as replay_one

    version = int(at) if at.isdecimal() else LATEST
    until = to_micros(when(at)) if at and not at.isdecimal() else 0

    async def work(journal: Journal, _url: str) -> State:
        state = await replay_one(journal, departure, version=version, until=until)
        if not state.version:
            known = await _ledgers(journal)
            words = "not yet opened then" if departure in known else f"not on sale here; {', '.join(known[:5])} are"
            raise NotFound(f"{departure[:60]} was {words}")
        return state

    state = _read(file, work)
    told = _left(state)
    orders: dict[str, int] = {}
    for order in state.orders.values():
        orders[str(order.state)] = orders.get(str(order.state), 0) + 1
    if json:
        output.as_json({"departure": departure, "version": state.version, "orders": orders, "segments": told})
        return FINE
    words = ", ".join(f"{count} {name}" for name, count in orders.items()) or "none"
    output.facts([("departure", departure), ("version", state.version), ("opened", to_datetime(state.opened_at))])
    print(f"orders: {words}")
    output.table(("from", "to", *state.pools), [tuple(row.values()) for row in told])
    return FINE


def _left(state: State) -> list[dict[str, Any]]:
    from shike.reserve.query import table

    left = {name: [row[0] for row in table(state, name)] for name in state.pools}
    return [
        {
            "from": state.labels[at],
            "to": state.labels[at + 1],
            **{name: f"{left[name][at]}/{state.pools[name].size}" for name in left},
        }
        for at in range(state.segments)
    ]


def _read(file: Path, work: Any) -> Any:
    from shike.rail.counter import url_of
    from shike.reserve.journal import open_journal

    if not file.exists():
        raise NotFound(f"there is no file {file}: name what was sold from with --file")

    url = url_of(file)

    async def go() -> Any:
        journal = open_journal(url)
        await journal.open()
        try:
            return await work(journal, url)
        finally:
            await journal.close()

    return asyncio.run(go())


async def _ledgers(journal: Journal) -> list[str]:
    found: list[str] = []
    while page := await journal.ledgers(found[-1] if found else ""):
        found += page
    return found


async def _books(url: str, states: dict[str, State]) -> list[str]:
    from shike.rail.accounts import differences
    from shike.rail.counter import all_orders
    from shike.rail.sqlite_books import SQLiteBooks

    async with SQLiteBooks(url) as books:
        if not await books.orders(most=1):  # a sale that was played has a journal alone
            return []
        return await differences(all_orders(books), states)
