"""The default structure in C: the hot calls are in `native`, and here is what is not worth being written there.

Importing this fails where nothing was compiled; `shike.timer.build` finds out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any, Generic, NoReturn

from shike.timer.base import Gone, T, TimerStats, Token
from shike.timer.calendar import BUCKET_TICKS_MICROS, CalendarQueue, refuse_lengths, refuse_sizes
from shike.timer.column import COLUMN_MAX
from shike.timer.native._calendar import Calendar

NEAR_FIRST, NEAR_LAST = -(2**62), 2**62 - 1  # times that C counts with


class CompiledCalendarQueue(Calendar, Generic[T]):
    """A `CalendarQueue` of the same promises, bounds and arguments.

    Beyond its item a place costs 10 to 16 bytes and a share of its bucket. Times of more than 62 bits are kept by a
    `CalendarQueue`; its tokens are handed out as negative numbers.
    """

    __slots__ = ("_beyond",)
    _beyond: CalendarQueue[T]

    def __new__(cls, bucket_ticks: int = BUCKET_TICKS_MICROS, *, crowd: int = COLUMN_MAX) -> CompiledCalendarQueue[T]:
        """Raises `BadInput` as `CalendarQueue` does."""
        refuse_sizes(bucket_ticks, crowd)
        self: Any = super().__new__(cls, (bucket_ticks - 1).bit_length(), crowd)
        self._beyond = CalendarQueue(bucket_ticks, crowd=crowd)
        made: CompiledCalendarQueue[T] = self
        return made

    # Called from C, for what does not fit there.

    def _insert_beyond(self, when: int, item: T) -> Token:
        self._has_beyond = True
        return ~self._beyond.insert(when, item)

    def _insert_each(self, whens: Sequence[int], items: Sequence[T]) -> list[Token]:
        return list(map(self.insert, list(map(index, whens)), items))  # all are numbers, or nothing is inserted

    def _refuse(self, whens: int, items: int) -> NoReturn:
        refuse_lengths(whens, items)

    def _cancel_beyond(self, token: Token) -> bool:
        return self._beyond.cancel(~token)

    def _cancel_many_beyond(self, tokens: Iterable[Token], taken: int) -> int:
        return taken + self._beyond.cancel_many(~token for token in tokens if token < 0)

    def _move_beyond(self, token: Token, when: int) -> Token | None:
        if token < 0:
            item = self._beyond.take(~token)
            return None if isinstance(item, Gone) else self.insert(when, item)
        for near in self._item_near(token):
            moved = self.insert(when, near)
            self.cancel(token)
            return moved
        return None

    def _pop_beyond(self, now: int, limit: int) -> list[T]:
        due = self._beyond.pop_due(min(now, NEAR_FIRST - 1), limit)
        due += self._pop_near(now, limit - len(due))
        due += self._beyond.pop_due(now, limit - len(due)) if now > NEAR_LAST else []
        self._has_beyond = len(self._beyond) > 0
        return due

    def _next_beyond(self) -> int | None:
        near, far = self._next_near(), self._beyond.next_due()
        return near if far is None else far if near is None else min(near, far)

    # All of it.

    def drain(self) -> list[tuple[int, T]]:
        far = self._beyond.drain()
        self._has_beyond = False
        earlier = [pair for pair in far if pair[0] < NEAR_FIRST]
        return earlier + self._drain_near() + far[len(earlier) :]

    def stats(self) -> TimerStats:
        live, dead, buckets, worst, size = self._shape()
        far = self._beyond.stats()
        return TimerStats(
            live=live + far.live,
            dead=dead + far.dead,
            buckets=buckets + far.buckets,
            worst_bucket=max(worst, far.worst_bucket),
            bytes_estimate=size + far.bytes_estimate,
        )
