"""Runs of a gang that were granted here: each keeps a slot and waits for the go, or gives the slot back.

Nothing is decided here that the gang's row does not say: a worker that dies, sleeps or hears nothing holds its own
slots and nobody else's. While any slot is kept, this worker claims nothing ahead (`Claimer.exact`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from msgspec import Struct

from shike.errors import Conflict, ShikeError, StoreError
from shike.model import Gang, State
from shike.outage import Outage
from shike.store.base import Store
from shike.store.verbs import Ack, Claimed
from shike.track import gang as rules
from shike.track import settle
from shike.track.gang import Muster

log = logging.getLogger("shike.worker")

LOOK_SECONDS = 0.05  # between two looks at a gang's row, at first …
LOOK_SECONDS_MAX = 0.5  # … and later


class Kept(Struct, frozen=True):
    """A run that has a slot and waits."""

    claimed: Claimed
    granted_at: int
    apart: bool


class Gangs:
    """`room` tells how many slots are free. `ready` gets the runs that may begin, `back` those that give their slots
    back, with how."""

    def __init__(
        self,
        store: Store,
        session: Callable[[], str],
        now: Callable[[], int],
        room: Callable[[], int],
        ready: Callable[[list[Claimed], int, bool], None],
        back: Callable[[Claimed, Ack], None],
    ) -> None:
        self._store = store
        self._session = session
        self._now = now
        self._room = room
        self._ready = ready
        self._back = back
        self._kept: dict[str, dict[int, Kept]] = {}  # by gang, then by run
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._outage = Outage(log, "looking at a gang")

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def keep_back(self, runs: Iterable[Claimed], granted_at: int, apart: bool) -> list[Claimed]:
        """Those that may begin at once; the others follow, or are given back."""
        free = []
        for claimed in runs:
            gang = None if claimed.run.ties is None else _gang_of(claimed)
            if gang is None:
                free.append(claimed)
                continue
            if self._room() <= 0:  # claimed ahead: a slot is to be kept for it, and there is none
                self._back(claimed, settle.given_back(claimed))
                continue
            self._kept.setdefault(gang.id, {})[claimed.run.id] = Kept(claimed, granted_at, apart)
            if gang.id not in self._tasks:
                self._tasks[gang.id] = asyncio.get_running_loop().create_task(self._wait(gang), name="shike:gang")
        return free

    def drop(self, run_id: int) -> Claimed | None:
        """Take one out, if it is here."""
        for kept in self._kept.values():
            if run_id in kept:
                return kept.pop(run_id).claimed
        return None

    def take_back(self) -> list[Claimed]:
        """All that are here, to be given back."""
        taken = [one.claimed for kept in self._kept.values() for one in kept.values()]
        self._kept.clear()
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        return taken

    async def _wait(self, gang: Gang) -> None:
        """Until nobody of the gang waits here any more."""
        pause, mine = LOOK_SECONDS, self._kept[gang.id]
        noted = False  # whether the row may tell of a slot here
        while mine or noted:
            try:
                noted = True
                await self._look(gang, mine)
                noted = bool(mine)
                self._outage.over()
            except Conflict:  # another worker wrote in between
                continue
            except StoreError as error:
                await asyncio.sleep(self._outage.pause(error))
                continue
            except Exception:
                log.exception("gang %s cannot be looked at; it is tried again", gang.id)
            if mine:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LOOK_SECONDS_MAX)
        if self._kept.get(gang.id) is mine:
            del self._kept[gang.id], self._tasks[gang.id]

    async def _look(self, gang: Gang, mine: dict[int, Kept]) -> None:
        """One look at the row, and what follows from it."""
        version, seen = await self._read(gang)
        now = self._now()
        if rules.is_late(seen, gang, now):
            seen = rules.emptied(seen, gang, now)
            version = await self._write(gang, seen, version)
        rest = rules.put_off_seconds(seen, now)
        for run_id, kept in list(mine.items()):
            if _is_expired(kept.claimed, now) and not seen.go:
                self._part_with(mine, run_id, settle.skipped(kept.claimed, "expired: its gang was not whole in time"))
            elif rest:
                self._part_with(mine, run_id, _put_off(kept.claimed, rest))
        await self._note(gang, mine, seen, version, now)

    async def _note(self, gang: Gang, mine: dict[int, Kept], seen: Muster, version: int, now: int) -> None:
        """Note what has a slot here; with the last one that is needed, the go."""
        then = seen
        if not seen.go:
            tokens = {str(run_id): kept.claimed.token for run_id, kept in mine.items()}
            then = rules.noted(seen, self._session(), tokens, now)
            if len(then.places) >= gang.least:
                then = rules.with_go(then, gang, {one.id for one in await self._store.sessions()})
            if then is not seen:
                await self._write(gang, then, version)
        if then.go:
            for run_id in list(mine):
                kept = mine.pop(run_id)
                self._ready([kept.claimed], kept.granted_at, kept.apart)

    def _part_with(self, mine: dict[int, Kept], run_id: int, ack: Ack) -> None:
        self._back(mine.pop(run_id).claimed, ack)

    async def _read(self, gang: Gang) -> tuple[int, Muster]:
        key = rules.key_of(gang)
        rows = [row for row in await self._store.controls(key) if row.key == key]
        return (rows[0].version, rules.decoded(rows[0].value)) if rows else (0, Muster())

    async def _write(self, gang: Gang, muster: Muster, version: int) -> int:
        written = await self._store.put(rules.key_of(gang), rules.encoded(muster), expect=version)
        return written.version if written is not None else 0


def _gang_of(claimed: Claimed) -> Gang | None:
    try:
        return settle.options_of(claimed.run.options).gang
    except ShikeError:
        return None  # whoever begins it says what is wrong


def _is_expired(claimed: Claimed, now: int) -> bool:
    """Not begun in time. One that began once, and was rescued, is not too late."""
    return bool(claimed.run.expires_at) and now >= claimed.run.expires_at and claimed.attempt == 1


def _put_off(claimed: Claimed, seconds: float) -> Ack:
    """The slot is given back, and no attempt was made."""
    reason = "its gang was not whole in time"
    return Ack(claimed.run.id, claimed.token, State.SCHEDULED, seconds, 0, reason)
