"""A process that submits, claims and settles on one SQLite file until it is killed.

It writes a line for each answer it heard: `+ ids` accepted runs, `= ids` settled as succeeded.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from shike.ids import RunIds
from shike.model import RECORD_VERSION, Run, State
from shike.store.guards import Entry
from shike.store.sqlite import SQLiteStore
from shike.store.verbs import Ack, Answer, Claim, NewSession, Want

BATCH = 40


def say(mark: str, ids: list[int]) -> None:
    os.write(1, f"{mark} {' '.join(map(str, ids))}\n".encode())


async def produce(store: SQLiteStore, ids: RunIds) -> None:
    while True:
        now = store.clock.wall()
        entries = [Entry(Run(RECORD_VERSION, run_id, "mail", due_at=now)) for run_id in ids.take([0] * BATCH)]
        say("+", [answer.run_id for answer in await store.submit(entries)])


async def consume(store: SQLiteStore, session: str) -> None:
    number = 0
    while True:
        number += 1
        words = Claim(session=session, number=number, wants=(Want("default", BATCH, BATCH),), tasks=frozenset({"mail"}))
        batch = await store.claim(words)
        if not batch.runs:
            number -= 1
            await asyncio.sleep(0)
            continue
        acks = [
            Ack(one.run.id, one.token, State.FAILED if place % 10 == 9 else State.SUCCESS, trace=b"")
            for place, one in enumerate(batch.runs)
        ]
        answers = await store.settle(session, acks)
        heard = zip(acks, answers, strict=True)
        say("=", [ack.run_id for ack, answer in heard if answer is Answer.ACCEPTED and ack.state is State.SUCCESS])


async def main(path: str, identity: str) -> None:
    store = SQLiteStore(Path(path))
    await store.open()
    session = await store.open_session(
        NewSession(
            identity=identity, name="child", kind="worker", host="", pid=os.getpid(), lease_seconds=60, protocol=1
        )
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(produce(store, RunIds(session.number)))
        group.create_task(consume(store, identity))


asyncio.run(main(*sys.argv[1:]))
