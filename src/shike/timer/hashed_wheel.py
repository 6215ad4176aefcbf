"""A hashed wheel of the kind that Netty made popular: cheap, ticking, and late by up to one tick."""

from __future__ import annotations

from shike.timer.base import T, Token
from shike.timer.rounds_wheel import Rider, RoundsWheel
from shike.timer.table import Entry
from shike.timer.wheel import TICK_MICROS, WHEEL_SLOTS, Slot, shape_of


class HashedWheel(RoundsWheel[T]):
    """A `TimerQueue` of limited precision: every time is rounded **up** to a tick, and equal ticks are first in,
    first out. So an item is popped, and `next_due` told, up to one tick late; never early.

    Insert is an append to an inbox, whatever the time: it is the next tick that files it, as Netty's worker does.
    The rest is a wheel with rounds.
    """

    def __init__(self, tick: int = TICK_MICROS, slots: int = WHEEL_SLOTS) -> None:
        super().__init__(tick, slots)
        self._inbox: Slot = {}

    def _make(self, when: int, token: Token, item: T) -> Rider:
        return Rider(when, (-(-when // self.tick) * self.tick, token), item)

    def _file(self, mark: int, entry: Entry) -> None:
        self._inbox[entry.key[1]] = entry
        entry.home = self._inbox

    def _turn(self, mark: int) -> None:
        inbox, self._inbox = self._inbox, {}
        for entry in inbox.values():  # the hand has not moved since they came
            super()._file(entry.key[0] // self.tick, entry)
        super()._turn(mark)

    def _clear(self) -> None:
        super()._clear()
        self._inbox = {}

    def _shape(self) -> tuple[int, int, int]:
        return shape_of([*self._slots, self._inbox], self._passed)
