"""When queues were paused: a short list beside the switch, so that a late run's story can tell of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from shike.errors import Conflict
from shike.model import NEVER
from shike.operate.waterfall import Pause
from shike.store.base import Control, Store

PAUSES: Final = "pauses/"  # PAUSES + name: a control row
KEPT: Final = 20  # of one queue, the newest
REASON_CHARS_MAX: Final = 200
TRIES: Final = 3  # two operators at one switch: the second reads again


async def listed(store: Store, queue: str) -> tuple[Pause, ...]:
    """The last pauses of a queue, oldest first."""
    return _unpack(await _row(store, queue))


async def began(store: Store, queue: str, reason: str) -> None:
    """It is paused from now on; where it was already, the reason changes."""
    now = await store.now()
    reason = reason[:REASON_CHARS_MAX]

    def change(known: list[Pause]) -> list[Pause]:
        if known and known[-1].until == NEVER:
            return [*known[:-1], Pause(since=known[-1].since, until=NEVER, reason=reason)]
        return [*known, Pause(since=now, until=NEVER, reason=reason)]

    await _change(store, queue, change)


async def ended(store: Store, queue: str) -> None:
    """It goes on from now."""
    now = await store.now()

    def change(known: list[Pause]) -> list[Pause]:
        return [one if one.until else Pause(since=one.since, until=now, reason=one.reason) for one in known]

    await _change(store, queue, change)


async def _change(store: Store, queue: str, change: Callable[[list[Pause]], list[Pause]]) -> None:
    for attempt in range(TRIES):
        row = await _row(store, queue)
        value = msgspec.json.encode(change(list(_unpack(row)))[-KEPT:])
        try:
            await store.put(f"{PAUSES}{queue}", value, expect=row.version if row is not None else 0)
            return
        except Conflict:
            if attempt == TRIES - 1:
                raise


async def _row(store: Store, queue: str) -> Control | None:
    key = f"{PAUSES}{queue}"
    return next((row for row in await store.controls(key) if row.key == key), None)


def _unpack(row: Control | None) -> tuple[Pause, ...]:
    if row is None:
        return ()
    try:
        return msgspec.json.decode(row.value, type=tuple[Pause, ...])
    except msgspec.MsgspecError:  # a newer program's
        return ()
