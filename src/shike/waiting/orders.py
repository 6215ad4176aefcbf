"""What goes out first of a queue, and where a run stands in it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shike.lanes import lane_of_worker, queue_of
from shike.model import IN_LANE, Live, State
from shike.scheduler.marshal import orders as orders_of
from shike.store.base import STANDING_COUNTED, Store
from shike.store.hints import Hint, HintKind
from shike.store.orders import ORDER_ROW, Order
from shike.task import check_queue, member

FAR: Final = STANDING_COUNTED  # behind so many a place is "far back": counting on would cost, and tell nobody more


class Place(Struct, frozen=True, kw_only=True):
    """Where an eligible run stands: `place` counts from 1 over all bands of its lane; 0: behind FAR others and more."""

    queue: str
    band: int
    place: int

    def __str__(self) -> str:
        place = f"about place {self.place}" if self.place else f"behind more than {FAR:,} others"
        return f"stands at {place} of the queue {self.queue}, in band {self.band}"


async def choose(store: Store, queue: str, order: Order | str) -> Order:
    """From here on this queue goes out in that order: what waits already is put into it, too; back to `priority` leaves
    what has a place where it is. Raises `BadInput` for an order that there is none of."""
    check_queue(queue)
    order = member(Order, order)
    value = None if order is Order.PRIORITY else order.encode()
    await store.put(ORDER_ROW + queue, value, expect=None)
    store.tell(Hint(HintKind.QUEUE, queue))
    return order


async def listing(store: Store) -> dict[str, Order]:
    """The queues that have another order than by priority."""
    return await orders_of(store)


async def place_of(store: Store, live: Live) -> Place | None:
    """Roughly, for others come and go while it is counted; None for a run that is not in a lane and eligible."""
    if live.state not in IN_LANE and live.state is not State.ASSIGNED:
        return None
    if live.run_at > await store.now():
        return None
    lane = lane_of_worker(live.run.queue, live.worker) if live.state is State.ASSIGNED else live.run.queue
    ids = [one.run.id for one in await store.standing(lane, FAR)]
    place = ids.index(live.run.id) + 1 if live.run.id in ids else 0
    if not place and len(ids) < FAR:
        return None  # claimed, or moved, just now
    return Place(queue=queue_of(live.run.queue), band=live.band, place=place)
