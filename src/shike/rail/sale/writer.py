"""The one writer of a sale, in a process of its own: commands come in by lines, answers go out by lines.

`python -m shike.rail.sale.writer sqlite:///FILE`. It ends when its input does, and may be killed at any time: what it
has answered is in the journal, and what it has not may be asked again.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import msgspec
from msgspec import Struct

from shike.errors import ShikeError
from shike.rail.sale.bounds import LINE_BYTES_MAX
from shike.reserve.clerk import Clerk
from shike.reserve.commands import AnyCommand
from shike.reserve.events import AnyEvent
from shike.reserve.journal import open_journal
from shike.reserve.model import Refusal


class Ask(Struct, frozen=True, array_like=True):
    """A line to the writer. `number` comes back with the answer."""

    number: int
    ledger: str
    command: AnyCommand


class Answer(Struct, frozen=True, array_like=True):
    """A line from the writer: one of the three."""

    number: int
    event: AnyEvent | None = None
    refusal: Refusal | None = None
    error: str = ""


ASKS: Final = msgspec.json.Decoder(Ask)
ANSWERS: Final = msgspec.json.Decoder(Answer)


async def answer(clerk: Clerk, ask: Ask) -> Answer:
    """What the clerk says, or why it says nothing."""
    try:
        decided = await clerk.do(ask.ledger, ask.command)
    except ShikeError as error:
        return Answer(ask.number, error=f"{type(error).__name__}: {error}")
    return Answer(ask.number, refusal=decided) if isinstance(decided, Refusal) else Answer(ask.number, event=decided)


async def serve(url: str) -> None:
    """Answer until the input ends."""
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    journal = open_journal(url)

    async def one(line: bytes) -> None:
        told = msgspec.json.encode(await answer(clerk, ASKS.decode(line)))
        sys.stdout.buffer.write(told + b"\n")
        sys.stdout.buffer.flush()

    async with Clerk(journal) as clerk, asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(one(line))
    await journal.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
