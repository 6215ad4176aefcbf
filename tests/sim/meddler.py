"""Somebody who moves, reroutes, pauses and reorders what waits, all day long, in a cluster that has faults enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from shike.clock import MICROS
from shike.errors import ShikeError, StoreError
from shike.runtime import Runtime
from shike.store.orders import Order, is_ranked
from shike.store.pauses import KEY, PAUSE, TASK
from shike.store.verbs import Batch, Claim, Move
from shike.waiting import moves, orders, pauses
from tests.sim.cluster import Cluster
from tests.sim.faults import FaultyStore
from tests.sim.loop import Process
from tests.sim.machines import Machine
from tests.sim.workload import QUEUES

REST_SECONDS = 1.0  # between two deeds, on average
PAUSED_SECONDS = 4.0  # at most; then a node has to end it
QUIET_SECONDS = 20.0  # before the faults are over: what is due after them is to be on time


class Meddled(Cluster):
    """A cluster with a meddler. `paused_grants` counts what was granted though it was paused: each is a violation."""

    def __init__(self, seed: int, **named: Any) -> None:
        super().__init__(seed, **named)
        self._draw = Random(f"shike/meddler/{seed}")
        self._paused: set[str] = set()
        self.deeds = 0
        self.guests.append(self._machine("meddler", self._meddle, Random(f"shike/meddler/door/{seed}")))

    def _door(self, process: Process, dice: Random) -> FaultyStore:
        return FaultyStore(
            self.store, self.loop, self.store_process, process, self.weather, self.rumours, dice, self._seen
        )

    # ------------------------------------------------------------ what is done

    async def _meddle(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        while self.loop.time() < self.chaos_seconds - QUIET_SECONDS:
            await asyncio.sleep(self._draw.expovariate(1 / REST_SECONDS))
            try:
                await self._deed(store)
                self.deeds += 1
            except ShikeError:  # it began, ended or changed meanwhile; or the store did not answer
                pass
        for queue in QUEUES:
            await _insist(lambda queue=queue: orders.choose(store, queue, Order.PRIORITY))  # type: ignore[misc]

    async def _deed(self, store: Any) -> None:
        draw, now = self._draw, self.store_clock.wall()
        run_id = draw.choice([*self.clients.accepted, 1 << 8])
        match draw.randrange(7):
            case 0 | 1:
                await moves.change(store, run_id, band=draw.randrange(8))
            case 2:
                await moves.change(store, run_id, run_at=now + round(draw.uniform(-1.0, 5.0) * MICROS))
            case 3:
                await moves.reroute(store, run_id, queue=draw.choice(QUEUES))
            case 4 | 5:
                what = draw.choice((pauses.What("task", "quick"), pauses.What("key", f"order-{draw.randrange(20)}")))
                what = draw.choice((what, pauses.What("queue", draw.choice(QUEUES))))
                until = await store.now() + round(draw.uniform(0.5, PAUSED_SECONDS) * MICROS)
                await pauses.pause(store, what, "for a while", until)
            case _:
                await orders.choose(store, draw.choice(QUEUES), draw.choice(list(Order)))

    # ------------------------------------------------------------ what is looked at

    def _seen(
        self, process: str, verb: str, args: tuple[Any, ...], named: dict[str, Any], reply: Any, failed: bool
    ) -> None:
        """As the watch sees it, but that a rank is no time; and what is paused is granted to nobody."""
        ranked = self._ranked(args[0]) if verb == "move" and not failed else {}
        fresh = self._fresh(args[0], reply) if verb == "claim" and not failed else None
        self.watch.seen(process, verb, args, named, reply, failed)
        for page, eligible_at in ranked.items():
            self.watch.pages[page].eligible_at = eligible_at
        if fresh is not None:
            self._look_at(fresh)
        if verb == "put" and not failed and args[0].startswith(PAUSE):
            (self._paused.add if args[1] is not None else self._paused.discard)(args[0])

    def _ranked(self, wanted: list[Move]) -> dict[int, int]:
        pages = self.watch.pages
        return {
            move.run_id: pages[move.run_id].eligible_at
            for move in wanted
            if move.run_at is not None and is_ranked(move.run_at) and move.run_id in pages
        }

    def _fresh(self, claim: Claim, reply: Batch) -> Batch | None:
        return None if (claim.session, claim.number) in self.watch.batches else reply

    def _look_at(self, batch: Batch) -> None:
        for claimed in batch.runs:
            for row in (f"{PAUSE}{TASK}{claimed.run.task}", f"{PAUSE}{KEY}{claimed.run.key}"):
                if row in self._paused:
                    self.watch.object("P6", f"run {claimed.run.id} was granted while {row} was there")


async def _insist(work: Callable[[], Any]) -> None:
    while True:
        try:
            await work()
            return
        except StoreError:
            await asyncio.sleep(0.3)
