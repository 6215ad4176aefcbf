"""The ledger: a clerk over its journal. `python -m benchmarks.journals.ours WHERE SINGLE TOGETHER`."""

from __future__ import annotations

import asyncio

from benchmarks.journals.asked import EVENTS_PER_STREAM, SEGMENTS, TOGETHER, UNITS, Clock, main, now, sections
from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from shike.reserve.journal.reading import load
from shike.reserve.model import Line, Pool, Sale, Unit

AT = 1_800_000_000_000_000
NEVER_SNAPSHOT = 1 << 60  # all of it is replayed
POOL = Pool("seat", tuple(Unit(str(number)) for number in range(UNITS)))


async def _play(where: str, single: int, together: int) -> dict[str, float]:
    clock, journal = Clock(), open_journal(where)
    async with Clerk(journal, snapshot_events=NEVER_SNAPSHOT) as clerk:
        for kind, count in (("single", single), ("together", together)):
            streams = [f"{kind}/{number}" for number in range(-(-count // EVENTS_PER_STREAM))]
            await asyncio.gather(*[_open(clerk, stream) for stream in streams])
            asked = [
                (streams[number // EVENTS_PER_STREAM], commands.Hold(f"h{number}", AT, "seat", *section))
                for number, section in enumerate(sections(count))
            ]
            size = 1 if kind == "single" else TOGETHER
            began = now()
            for first in range(0, count, size):
                answers = await asyncio.gather(*[clerk.do(*one) for one in asked[first : first + size]])
                assert all(answers)
            clock.tell(kind, count, began)
    began, read = now(), 0
    for stream in streams:
        read += (await load(journal, stream)).state.version
    clock.tell("replay", read, began)
    assert read == together + len(streams)
    await journal.close()
    return clock.figures


async def _open(clerk: Clerk, stream: str) -> None:
    line = Line(tuple(str(place) for place in range(SEGMENTS + 1)))
    await clerk.do(stream, commands.Open("open", AT, line, (POOL,), sales=(Sale(opens_at=1),)))


def play(where: str, single: int, together: int) -> dict[str, float]:
    return asyncio.run(_play(where, single, together))


if __name__ == "__main__":
    main(play)
