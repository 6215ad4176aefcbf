"""One of the processes that share ledgers, until it is killed: it serves what it owns and buys from all. It writes a
line for each thing that it told somebody (`ledger command event-as-json`), and how much it owns (`= parts`)."""

from __future__ import annotations

import asyncio
import os
import random
import sys

import msgspec

from shike.clock import SystemClock
from shike.errors import ClerkClosed, StoreUnavailable
from shike.ids import SystemEntropy
from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.events import Held
from shike.reserve.journal import open_journal
from shike.reserve.model import Refusal
from shike.reserve.spread.bounds import PARTS
from shike.reserve.spread.owners import Owners
from shike.reserve.spread.redis_post import RedisPost
from shike.reserve.spread.spread import Spread
from shike.runtime import Runtime
from shike.store.opening import open_store

LEDGERS = tuple(f"G{number}/2026-11-22/1" for number in range(24))
NAMESPACE = "owners"
AT = 1_800_000_000_000_000
SEGMENTS = 4
LANES = 4


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def buy(spread: Spread, name: str) -> None:
    """One purchase after the other, of any ledger; half of them are given up again."""
    dice, number = random.Random(name), 0
    while True:
        number += 1
        ledger, start = dice.choice(LEDGERS), dice.randrange(SEGMENTS)
        words = f"{name}/{number}", AT, "seat", start, dice.randint(start + 1, SEGMENTS)
        held = await told(spread, ledger, commands.Hold(*words, ttl_seconds=9e5))
        if isinstance(held, Held) and dice.random() < 0.5:
            await told(spread, ledger, commands.Release(f"{name}/{number}/free", AT, held.order))
        await asyncio.sleep(dice.uniform(0, 0.02))


async def told(spread: Spread, ledger: str, command: commands.AnyCommand) -> object:
    """Asked until somebody answers."""
    while True:
        try:
            answer = await spread.ask(ledger, command)
        except (StoreUnavailable, ClerkClosed):
            continue
        if not isinstance(answer, Refusal):
            say(f"{ledger} {command.id} {msgspec.json.encode(answer).decode()}")
        return answer


async def main(redis: str, journal_url: str, name: str) -> None:
    url = f"{redis}?accept=no-aof,eviction"
    runtime = Runtime(SystemClock(), SystemEntropy())
    store = open_store(f"{url}&virtual_buckets={PARTS}", namespace=NAMESPACE, clock=runtime.clock)
    await store.open()
    journal, post = open_journal(journal_url), RedisPost(redis)
    owners = Owners(store, runtime, name=name)
    await post.open()
    await owners.start()
    async with (
        Clerk(journal) as clerk,
        Spread(owners, clerk, journal, post, reply=owners.identity) as spread,
        asyncio.TaskGroup() as group,
    ):
        for lane in range(LANES):
            group.create_task(buy(spread, f"{name}.{lane}"))
        while True:
            say(f"= {len(owners.parts())}")
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
