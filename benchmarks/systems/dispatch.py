"""Shike up to the moment at which a worker holds a run: a node, and a worker's own claim loop with as many free slots.

A run counts as dispatched when the answer to the claim that leased it is here. Nothing is executed and nothing is
acknowledged, as in the other designs; the leases are kept alive by the session's beats.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from benchmarks import body
from benchmarks.systems.shike_app import ShikeSystem
from shike.engine import Engine, Roles
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Batch
from shike.worker.claims import Claimer, QueueShare
from shike.worker.quarantine import Quarantine
from shike.worker.starts import Starts
from shike.worker.worker import EARLY_MICROS

SLOTS = 1_000
QUEUE = "default"


class Arguments(msgspec.Struct):
    """What every body is called with."""

    number: int


class Dispatch(ShikeSystem):
    """Nobody executes."""

    async def _work(self) -> None:
        async with self._app.running(Roles(worker=False, preset=self._preset)) as engine:
            await self._claim_on(engine)

    async def _claim_on(self, engine: Engine) -> None:
        store, member, tokens = await self._app.client.settle_here(), engine.member, set[int]()
        decode = msgspec.json.Decoder(Arguments).decode

        def take(batch: Batch) -> None:
            tokens.update(claimed.token for claimed in batch.runs)
            for claimed in batch.runs:
                body.mark(decode(claimed.run.args).number)

        claimer = Claimer(
            store,
            member,
            slots=SLOTS,
            queues={QUEUE: QueueShare(QUEUE)},
            tasks=lambda: frozenset(self._tasks),
            load=lambda: (0, 0, 0),
            busy_by_queue={},
            quarantine=Quarantine(0, asyncio.get_running_loop().time),
            take=take,
            starts=Starts(self._app.runtime.clock, store.virtual_buckets),
        )

        def hinted(hint: Hint) -> None:
            if hint.kind is HintKind.DUE and hint.at <= member.store_now() + EARLY_MICROS:
                claimer.poke(hint.queue)

        store.listen(hinted)
        member.holdings = lambda: (claimer.received, tuple(tokens), ())
        claimer.poke()
        await claimer.run()


def open_system(folder: Path, *, store: str, preset: str) -> Dispatch:
    return Dispatch(folder, store, threads=False, embedded=False, preset=preset)
