"""What both delay queues share: a structure behind a face that can wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from shike.bounds import SLEEP_SECONDS_MAX
from shike.clock import MICROS, SystemClock
from shike.errors import BadInput
from shike.timer.base import T, TimerQueue, TimerStats, Token
from shike.timer.build import calendar_queue

R = TypeVar("R")
_SLEEP_MICROS_MAX = round(SLEEP_SECONDS_MAX * MICROS)


class Waiting(Generic[T]):
    """A `TimerQueue` around another one; `_changing` wraps whatever may change when somebody has to wake."""

    def __init__(self, queue: TimerQueue[T] | None = None, *, now: Callable[[], int] | None = None) -> None:
        """`now` gives the present in the unit of `when`, microseconds; by default UTC."""
        self._queue: TimerQueue[T] = calendar_queue() if queue is None else queue
        self._now = SystemClock().wall if now is None else now

    def _changing(self, change: Callable[[], R]) -> R:
        raise NotImplementedError

    def _seconds_left(self) -> float | None:
        """Until it is worth a look, at most SLEEP_SECONDS_MAX; None: nothing waits."""
        due = self._queue.next_due()
        return None if due is None else min(max(due - self._now(), 0), _SLEEP_MICROS_MAX) / MICROS

    @staticmethod
    def _refuse_nan(timeout: float | None) -> None:
        if timeout is not None and timeout != timeout:
            raise BadInput("the timeout is not a number; give seconds, or None to wait without an end")

    def insert(self, when: int, item: T) -> Token:
        return self._changing(lambda: self._queue.insert(when, item))

    def insert_many(self, whens: Sequence[int], items: Sequence[T], *, ascending: bool = False) -> list[Token]:
        return self._changing(lambda: self._queue.insert_many(whens, items, ascending=ascending))

    def cancel(self, token: Token) -> bool:
        return self._changing(lambda: self._queue.cancel(token))

    def cancel_many(self, tokens: Iterable[Token]) -> int:
        return self._changing(lambda: self._queue.cancel_many(tokens))

    def move(self, token: Token, when: int) -> Token | None:
        return self._changing(lambda: self._queue.move(token, when))

    def pop_due(self, now: int, limit: int | None = None) -> list[T]:
        return self._changing(lambda: self._queue.pop_due(now, limit))

    def next_due(self) -> int | None:
        return self._changing(self._queue.next_due)

    def maintain(self, budget: int) -> bool:
        return self._changing(lambda: self._queue.maintain(budget))

    def drain(self) -> list[tuple[int, T]]:
        return self._changing(self._queue.drain)

    def __len__(self) -> int:
        return len(self._queue)

    def stats(self) -> TimerStats:
        return self._changing(self._queue.stats)
