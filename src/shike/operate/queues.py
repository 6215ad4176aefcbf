"""Queues: how much waits in each, and switching one off and on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from shike.clock import to_micros
from shike.errors import NotFound
from shike.lanes import queue_of
from shike.model import NEVER
from shike.operate.facts import instant
from shike.store.base import QUEUE_SWITCH, Store
from shike.store.orders import Order
from shike.store.pauses import unpack_note
from shike.task import DEFAULT_QUEUE, check_queue
from shike.waiting import orders, pauses
from shike.worker.serving import unpack


class QueueFacts(Struct, frozen=True, kw_only=True):
    """One queue."""

    name: str
    live: int  # runs that are not over
    paused: bool
    reason: str = ""
    until: datetime | None = None  # paused: when it goes on by itself
    order: str = "priority"


async def listing(store: Store) -> list[QueueFacts]:
    """Every queue that has live runs or is paused, by name."""
    counts = await store.counts()
    paused = {row.key.removeprefix(QUEUE_SWITCH): unpack_note(row.value) for row in await store.controls(QUEUE_SWITCH)}
    ordered = await orders.listing(store)
    return [
        QueueFacts(
            name=name,
            live=counts.by_queue.get(name, 0),
            paused=name in paused,
            reason=paused[name].reason if name in paused else "",
            until=instant(paused[name].until) if name in paused else None,
            order=ordered.get(name, Order.PRIORITY),
        )
        for name in sorted(counts.by_queue.keys() | paused.keys() | ordered.keys())
    ]


async def known(store: Store) -> set[str]:
    """Every queue that something tells of: runs, schedules, pauses, live workers; and the default one."""
    paused = {row.key.removeprefix(QUEUE_SWITCH) for row in await store.controls(QUEUE_SWITCH)}
    planned = {queue_of(one.schedule.queue) for one in await store.schedules() if not one.deleted}
    served = {name for session in await store.sessions() for name in unpack(session.load).queues or ()}
    return {DEFAULT_QUEUE, *(await store.counts()).by_queue, *paused, *planned, *served}


async def check_known(store: Store, name: str, more: Iterable[str] = ()) -> None:
    """Raises `NotFound`, naming near ones, for a queue that neither the store nor `more` (an app, say) tells of."""
    names = sorted({*await known(store), *more})
    if name in names:
        return
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=3)
    told = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names[:8])}"
    raise NotFound(f"there is no queue {name!r}; {told}")


async def pause(store: Store, name: str, reason: str, until: datetime | None = None) -> pauses.Pause:
    """Grant nothing from it any more; what runs goes on. Pausing it again changes the reason and the end."""
    return await pauses.pause(store, _queue(name), reason, NEVER if until is None else to_micros(until))


async def resume(store: Store, name: str) -> bool:
    """Grant from it again; False if it was not paused."""
    return await pauses.resume(store, _queue(name))


def _queue(name: str) -> pauses.What:
    check_queue(name)
    return pauses.what_of(queue=name)
