"""Queues: how much waits in each, and switching one off and on."""

from __future__ import annotations

from msgspec import Struct

from shike.errors import BadInput
from shike.store.base import QUEUE_SWITCH, Control, Store
from shike.task import check_name


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


async def pause(store: Store, name: str, reason: str) -> Control | None:
    """Grant nothing from it any more; what runs goes on. Pausing it again changes the reason."""
    check_name("queue", name)
    if not reason.strip():
        raise BadInput("say why: a paused queue without a reason puzzles whoever finds it")
    return await store.put(f"{QUEUE_SWITCH}{name}", f"paused {reason}".encode(), expect=None)


async def resume(store: Store, name: str) -> bool:
    """Grant from it again; False if it was not paused."""
    check_name("queue", name)
    known = [row for row in await store.controls(f"{QUEUE_SWITCH}{name}") if row.key == f"{QUEUE_SWITCH}{name}"]
    for row in known:
        await store.put(row.key, None, expect=row.version)
    return bool(known)


def _reason(row: Control) -> str:
    return row.value.decode(errors="replace").removeprefix("paused").strip()
