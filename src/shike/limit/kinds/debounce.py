"""Only the last of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec.structs import force_setattr

from shike.clock import MICROS
from shike.errors import BadLimit
from shike.limit.kind import Limit, Memory, No, Scalar, Thinned, check_by
from shike.limit.lengths import in_words, micros_of
from shike.store.base import Gated
from shike.trigger.duration import Duration

FORGET_MICROS = 60 * MICROS  # after its time: who was cancelled in the meantime leaves a key behind


class Debounce(Limit, frozen=True):
    """Of runs with one key that come within `window` of each other, the last one runs and the others are skipped.

    It runs once nothing came for `window`, and no later than `max_wait` (0: for ever) after the first of them. Counted
    from when each is due.
    """

    window: Duration
    by: str | tuple[str, ...] = ""
    max_wait: Duration = 0

    word: ClassVar[str] = "debounce"
    thins: ClassVar[bool] = True

    def __post_init__(self) -> None:
        window = micros_of(self.word, "window", self.window)
        force_setattr(self, "window", window / MICROS)
        if self.max_wait:
            longest = micros_of(self.word, "max_wait", self.max_wait)
            if longest < window:
                raise BadLimit(
                    f"debounce: max_wait={self.max_wait!r} is shorter than the window {in_words(window)}",
                    limit=self.word,
                )
            force_setattr(self, "max_wait", longest / MICROS)
        check_by(self.word, self.by)

    @property
    def window_micros(self) -> int:
        return micros_of(self.word, "window", self.window)

    def thin(self, waiters: Sequence[Gated], memory: Memory, now: int) -> Thinned:
        if not waiters:
            return Thinned((), (), None)
        last = waiters[-1]
        since = min(memory or waiters[0].run_at, waiters[0].run_at)
        at = last.run_at + self.window_micros
        if self.max_wait:
            at = min(at, since + micros_of(self.word, "max_wait", self.max_wait))
        since = since if self.max_wait else None
        no = None if now >= at else No(f"debounced: it runs in {(at - now) / MICROS:.1f} s if no other one comes", at)
        return Thinned((last,) if no is None else (), waiters[:-1], since, no)

    def take(self, memory: Memory, values: Mapping[str, Scalar], run_id: int, now: int) -> Memory:
        return None

    def rests(self, memory: Memory, now: int) -> bool:
        return memory is None or now > memory + micros_of(self.word, "max_wait", self.max_wait) + FORGET_MICROS

    def tells(self) -> str:
        return f"the last within {in_words(self.window_micros)}"


kind = Debounce
