"""A store of ours called by its own verbs: no client, no node, no worker around it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.systems.base import broker_url
from shike.clock import SystemClock
from shike.ids import RunIds
from shike.model import PROTOCOL_VERSION, RECORD_VERSION, Run, State
from shike.store.base import Store
from shike.store.guards import Entry
from shike.store.opening import open_store
from shike.store.verbs import Ack, Answer, Claim, Claimed, NewSession, Want

LEASE_SECONDS = 600.0  # longer than any measure: nobody beats here
TASK = "bare"


class Bare:
    """One session on an open store."""

    def __init__(self, store: Store, session: str, ids: RunIds) -> None:
        self.store = store
        self._session = session
        self._ids = ids
        self._claims = 0

    def entries(self, count: int, due_at: int = 0) -> list[Entry]:
        """So many runs of one number, due at once or at an instant (UTC µs)."""
        ids = self._ids.spread(count, self.store.virtual_buckets)
        args = [b'{"number":%d}' % number for number in range(count)]
        runs = [
            Run(RECORD_VERSION, run_id, TASK, words, due_at=due_at) for run_id, words in zip(ids, args, strict=True)
        ]
        return [Entry(run, due_at) for run in runs]

    async def submit(self, entries: Sequence[Entry], batch: int) -> None:
        for first in range(0, len(entries), batch):
            await self.store.submit(entries[first : first + batch])

    async def claim(self, count: int) -> list[Claimed]:
        self._claims += 1
        wants, tasks = (Want("default", count, count),), frozenset((TASK,))
        claim = Claim(session=self._session, number=self._claims, wants=wants, tasks=tasks)
        return (await self.store.claim(claim)).runs

    async def settle(self, runs: Sequence[Claimed]) -> None:
        answers = await self.store.settle(self._session, [Ack(one.run.id, one.token, State.SUCCESS) for one in runs])
        if any(answer is not Answer.ACCEPTED for answer in answers):
            raise RuntimeError("the store refused what it had granted")


@asynccontextmanager
async def bare(kind: str, folder: Path, *, namespace: str = "bare") -> AsyncIterator[Bare]:
    """Open the store of that kind."""
    own = {"sqlite": f"sqlite:///{folder / 'bare.db'}", "memory": "memory://"}
    url = own.get(kind) or broker_url()
    store = open_store(url, namespace=namespace, clock=SystemClock())
    await store.open()
    try:
        session = await store.open_session(
            NewSession(
                identity=secrets.token_hex(16),
                name="bare",
                kind="worker",
                host="here",
                pid=1,
                lease_seconds=LEASE_SECONDS,
                protocol=PROTOCOL_VERSION,
            )
        )
        yield Bare(store, session.id, RunIds(session.number))
    finally:
        await store.close()
