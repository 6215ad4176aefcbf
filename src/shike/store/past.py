"""When queues and tasks were paused: a short list beside each switch, so that a late run's story can tell of it.

Tags and business keys are not listed: a run does not know the tags of its task, and there are keys without end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from shike.errors import Conflict
from shike.model import NEVER
from shike.store.base import QUEUE_SWITCH, Control, Store
from shike.store.pauses import PAUSE, TASK

PAST: Final = "pauses/"  # PAST + the key of the switch: a control row
LISTED: Final = (QUEUE_SWITCH, PAUSE + TASK)
KEPT: Final = 20  # of one switch, the newest
REASON_CHARS_MAX: Final = 200
TRIES: Final = 3  # two operators at one switch: the second reads again


class Pause(Struct, frozen=True, kw_only=True):
    """A time in which a queue or a task was paused; `until` NEVER: it still is."""

    since: int
    until: int
    reason: str = ""


async def listed(store: Store, key: str) -> tuple[Pause, ...]:
    """The last pauses by that switch, oldest first."""
    return _unpack(await _row(store, key))


async def began(store: Store, key: str, reason: str) -> None:
    """The switch was thrown; where it was already, the reason changes."""
    now, reason = await store.now(), reason[:REASON_CHARS_MAX]

    def change(known: list[Pause]) -> list[Pause]:
        if known and known[-1].until == NEVER:
            return [*known[:-1], Pause(since=known[-1].since, until=NEVER, reason=reason)]
        return [*known, Pause(since=now, until=NEVER, reason=reason)]

    await _change(store, key, change)


async def ended(store: Store, key: str) -> None:
    """What the switch held back goes on from now."""
    now = await store.now()

    def change(known: list[Pause]) -> list[Pause]:
        return [one if one.until else Pause(since=one.since, until=now, reason=one.reason) for one in known]

    await _change(store, key, change)


async def _change(store: Store, key: str, change: Callable[[list[Pause]], list[Pause]]) -> None:
    """A story is not worth failing for: who comes third to a switch that is thrown by all leaves it."""
    if not key.startswith(LISTED):
        return
    for _ in range(TRIES):
        row = await _row(store, key)
        value = msgspec.json.encode(change(list(_unpack(row)))[-KEPT:])
        try:
            await store.put(f"{PAST}{key}", value, expect=row.version if row is not None else 0)
            return
        except Conflict:
            continue


async def _row(store: Store, key: str) -> Control | None:
    return next((row for row in await store.controls(f"{PAST}{key}") if row.key == f"{PAST}{key}"), None)


def _unpack(row: Control | None) -> tuple[Pause, ...]:
    if row is None:
        return ()
    try:
        return msgspec.json.decode(row.value, type=tuple[Pause, ...])
    except msgspec.MsgspecError:  # a newer program's
        return ()
