"""Queues: how much waits in each, and switching one off and on."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from shike.errors import BadInput, NotFound
from shike.lanes import queue_of
from shike.store.base import QUEUE_SWITCH, Control, Store
from shike.task import DEFAULT_QUEUE, check_queue
from shike.worker.serving import unpack


class QueueFacts(Struct, frozen=True, kw_only=True):
    """One queue."""

    name: str
    live: int  # runs that are not over
    paused: bool
    reason: str = ""


async def listing(store: Store) -> list[QueueFacts]:
    """Every queue that has live runs or is paused, by name."""
    counts = await store.counts()
    paused = {row.key.removeprefix(QUEUE_SWITCH): _reason(row) for row in await store.controls(QUEUE_SWITCH)}
    return [
        QueueFacts(name=name, live=counts.by_queue.get(name, 0), paused=name in paused, reason=paused.get(name, ""))
        for name in sorted(counts.by_queue.keys() | paused.keys())
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


async def pause(store: Store, name: str, reason: str) -> Control | None:
    """Grant nothing from it any more; what runs goes on. Pausing it again changes the reason."""
    check_queue(name)
    if not reason.strip():
        raise BadInput("say why: a paused queue without a reason puzzles whoever finds it")
    return await store.put(f"{QUEUE_SWITCH}{name}", f"paused {reason}".encode(), expect=None)


async def resume(store: Store, name: str) -> bool:
    """Grant from it again; False if it was not paused."""
    check_queue(name)
    rows = [row for row in await store.controls(f"{QUEUE_SWITCH}{name}") if row.key == f"{QUEUE_SWITCH}{name}"]
    for row in rows:
        await store.put(row.key, None, expect=row.version)
    return bool(rows)


def _reason(row: Control) -> str:
    return row.value.decode(errors="replace").removeprefix("paused").strip()
