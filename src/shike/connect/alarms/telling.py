"""Telling what is owed: at least once, and at most once more for each time that whoever tells is killed.

A notice is owed in the row of its alarm. Whoever tells it first moves its `next_at` ahead, by compare-and-set: so no
two nodes tell it at once. Then it is sent, then struck off. Killed before the sending, it is told when its time has
come again; killed after it, it is told once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS
from shike.connect.alarms.base import Channel, Letter, Told
from shike.connect.alarms.bounds import SEND_PAUSE_SECONDS, SEND_SECONDS, SEND_TRIES, UNTOLD_KEPT
from shike.connect.alarms.sayings import ENGLISH
from shike.errors import BadInput, CallFailed, CallRefused, Conflict
from shike.store.base import Control, Store
from shike.track.alarm import Alarm, Owed, decoded, encoded

log = logging.getLogger("shike.alarms")

NOTE_TRIES: Final = 10  # of striking off, while others write the row
WHOLE_SECONDS: Final = 2 * SEND_SECONDS  # for a channel that does not keep to its time


class Row(Struct, frozen=True):
    """An alarm and the version of its row."""

    key: str
    version: int
    alarm: Alarm


class Taken(Struct, frozen=True):
    """A notice that is ours to tell now."""

    key: str
    alarm: Alarm
    owed: Owed


def row_of(control: Control) -> Row | None:
    """None where this version cannot read it."""
    alarm = decoded(control.value)
    return Row(control.key, control.version, alarm) if alarm is not None else None


class Teller:
    """Tells by these channels. `told` counts letters that were taken."""

    def __init__(
        self, store: Store, channels: Mapping[str, Channel], draw: Callable[[], float], language: str = ENGLISH
    ) -> None:
        self._store = store
        self._channels = channels
        self._draw = draw
        self._language = language
        self.told = 0

    async def tell(self, rows: Sequence[Row], now: int) -> None:
        """One round: every channel gets one letter with all that it is owed. A channel that hangs holds up no other."""
        by_channel: dict[str, list[Taken]] = {}
        for row in rows:
            for taken in await self._take(row, now):
                by_channel.setdefault(taken.owed.channel, []).append(taken)
        work = [self._deliver(name, taken, now) for name, taken in by_channel.items()]
        for failure in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(failure, BaseException):
                raise failure

    async def _take(self, row: Row, now: int) -> list[Taken]:
        """What of it is due, moved ahead first; nothing where somebody else writes the row: it is looked at again."""
        alarm = row.alarm
        latest = now + self._pause(SEND_TRIES)  # what lies farther ahead is of before the clock was set back
        due = [one for one in alarm.owed if not now < one.next_at <= latest]
        if not due:
            return []
        moved = {one: replace(one, tries=one.tries + 1, next_at=now + self._pause(one.tries)) for one in due}
        owed = tuple(moved.get(one, one) for one in alarm.owed)
        try:
            await self._store.put(row.key, encoded(replace(alarm, owed=owed)), expect=row.version)
        except Conflict:
            return []
        return [Taken(row.key, alarm, one) for one in moved.values()]

    def _pause(self, tries: int) -> int:
        """Until it is tried again; twice as long each time, and spread."""
        return round(SEND_PAUSE_SECONDS * float(1 << tries) * (1 + 0.1 * self._draw()) * MICROS)

    async def _deliver(self, name: str, taken: Sequence[Taken], now: int) -> None:
        channel = self._channels.get(name)
        over = "no such channel is declared here" if channel is None else ""
        if channel is not None:
            letter = Letter(
                identity=f"alarm-{now}-{int(self._draw() * 2**32):08x}",
                at=now,
                source=self._store.namespace,
                told=tuple(Told(one.alarm, one.owed.notice) for one in taken),
                language=self._language,
            )
            try:
                async with asyncio.timeout(WHOLE_SECONDS):
                    await channel.send(letter)
            except (CallRefused, BadInput) as error:
                over = str(error)
            except (CallFailed, TimeoutError) as error:
                await self._failed(name, taken, str(error) or "no answer in time")
                return
            except Exception as error:  # a channel of somebody's own
                log.exception("alarms could not be told by %s", name)
                await self._failed(name, taken, type(error).__name__)
                return
            self.told += not over
        if over:
            log.error("alarms are not told by %s: %s", name, over)
        for one in taken:
            await self._strike(one, given_up=bool(over))

    async def _failed(self, name: str, taken: Sequence[Taken], words: str) -> None:
        """It is owed still; what was tried too often is given up, and says so in its row."""
        log.warning("alarms could not be told by %s, and will be tried again: %s", name, words)
        for one in taken:
            if one.owed.tries >= SEND_TRIES:
                log.error("alarm %s was never told by %s: it was tried %d times", one.alarm.id, name, SEND_TRIES)
                await self._strike(one, given_up=True)

    async def _strike(self, taken: Taken, *, given_up: bool) -> None:
        """It is owed no more."""
        for _ in range(NOTE_TRIES):
            rows = [row for row in await self._store.controls(taken.key) if row.key == taken.key]
            alarm = decoded(rows[0].value) if rows else None
            if alarm is None or taken.owed not in alarm.owed:
                return
            left = tuple(one for one in alarm.owed if one != taken.owed)
            untold = (*alarm.untold, taken.owed.channel)[-UNTOLD_KEPT:] if given_up else alarm.untold
            try:
                await self._store.put(
                    taken.key, encoded(replace(alarm, owed=left, untold=untold)), expect=rows[0].version
                )
                return
            except Conflict:
                continue
        log.warning("alarm %s is written by many at once: it may be told again", taken.alarm.id)
