"""The marshal: puts the eligible runs of a queue into the order that was chosen for it, where that is not by priority.

An idle worker takes what comes; order matters where runs wait, and there the marshal has seen them. What it does are
moves that compare the run's version, so two at once do no harm, and a run that is claimed meanwhile is left alone.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from shike.bounds import BAND_BACKLOG, BAND_DEFAULT, BANDS, SWEEP_SECONDS
from shike.errors import StoreError
from shike.lanes import hall_of, queue_of
from shike.model import State
from shike.outage import Outage
from shike.runtime import woken
from shike.scheduler.buckets import Buckets
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.store.orders import ORDER_ROW, RANKS_END, Order, rank_of
from shike.store.verbs import Move

log = logging.getLogger("shike.scheduler")

RUNS_PER_MOVE: Final = 500
PAUSE_SECONDS: Final = 0.01  # between two looks: what arrived meanwhile shares one


class Marshal:
    """`ordered` counts runs that were given a place."""

    def __init__(self, store: Store, member: Member, buckets: Buckets) -> None:
        self._store = store
        self._member = member
        self._buckets = buckets
        self._orders: dict[str, Order] = {}
        self._wanted: dict[str, None] = {}  # queues to look at
        self._stale = True  # whether the rows have to be read again
        self._wake = asyncio.Event()
        self._outage = Outage(log, "ordering queues")
        self.ordered = 0

    def hinted(self, hint: Hint) -> None:
        """Something became eligible, or an order was chosen."""
        if hint.kind is HintKind.DUE:
            queue = queue_of(hint.queue)
            if queue in self._orders and hint.at <= self._member.store_now():
                self._wanted[queue] = None
                self._wake.set()
        elif hint.kind in (HintKind.QUEUE, HintKind.MISSED):
            self.turn_over()

    def turn_over(self) -> None:
        """Read the orders again: one was chosen, or it may be this node's turn now."""
        self._stale = True
        self._wake.set()

    async def run(self) -> None:
        """The role."""
        while True:
            try:
                await self._look()
                self._outage.over()
                pause = SWEEP_SECONDS
            except StoreError as error:
                pause = self._outage.pause(error)
            if not await _woken(self._wake, pause):
                self._stale = True
            self._wake.clear()

    async def _look(self) -> None:
        if self._buckets.holder_of(0) is None:  # another node's
            self._stale = True
            return
        if self._stale:
            self._stale = False
            self._orders = await orders(self._store)
            self._wanted = dict.fromkeys(self._orders)
        wanted, self._wanted = self._wanted, {}
        for queue in wanted:
            if order := self._orders.get(queue):
                self.ordered += await put_in_order(self._store, queue, order)
                self.ordered += await put_in_order(self._store, hall_of(queue), order)


async def _woken(wake: asyncio.Event, seconds: float) -> bool:
    await woken(wake, seconds)
    if wake.is_set():
        await asyncio.sleep(PAUSE_SECONDS)
        return True
    return False


async def orders(store: Store) -> dict[str, Order]:
    """The queues that have another order than by priority."""
    rows = await store.controls(ORDER_ROW)
    known = {row.key.removeprefix(ORDER_ROW): row.value.decode(errors="replace") for row in rows}
    return {queue: Order(name) for queue, name in known.items() if name in (Order.FIFO, Order.DEADLINE)}


async def put_in_order(store: Store, lane: str, order: Order) -> int:
    """One round over a queue or its hall: give their places to all that have none yet; how many."""
    if order is Order.PRIORITY:
        return 0
    count = 0
    is_fifo = order is Order.FIFO
    for band in range(BANDS):
        if is_fifo and band in (BAND_DEFAULT, BAND_BACKLOG):
            continue
        while moves := await _moves(store, lane, band, is_fifo=is_fifo):
            await store.move(moves)
            count += len(moves)
            if len(moves) < RUNS_PER_MOVE:
                break
    return count


async def _moves(store: Store, lane: str, band: int, *, is_fifo: bool) -> list[Move]:
    """For the first runs of a band that have no place yet."""
    after = -1 if is_fifo else RANKS_END - 1
    found = await store.of_band(lane, band, after, RUNS_PER_MOVE)
    return [
        Move(run_id=live.run.id, version=live.version, to=State.SCHEDULED, band=BAND_DEFAULT)
        if is_fifo
        else Move(run_id=live.run.id, version=live.version, to=State.SCHEDULED, run_at=rank_of(live.run))
        for live in found
    ]
