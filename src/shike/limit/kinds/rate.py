"""So often: a token bucket, kept as one instant.

The bucket's level is not stored but the instant at which it is full again (the *theoretical arrival time* of the
virtual scheduling algorithm, ITU-T I.371, 1993, which is equivalent). So a key at rest has no memory at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from shike.clock import MICROS
from shike.errors import BadLimit
from shike.limit.bounds import TOKENS_MAX
from shike.limit.kind import Limit, Memory, No, Scalar, check_by, whole
from shike.limit.lengths import in_words, rate_of


class Rate(Limit, frozen=True):
    """Runs with one key begin no faster than `rate` (`100/m`), after at most `burst` at once; each takes `cost` tokens.

    It counts the runs that are admitted: a retry takes no second token. `burst` 0: as many as the rate has in its
    period, but at least one run's cost.
    """

    rate: str
    by: str | tuple[str, ...] = ""
    burst: int = 0
    cost: int = 1

    word: ClassVar[str] = "rate"

    def __post_init__(self) -> None:
        rate_of(self.rate)
        whole(self.word, "cost", self.cost, 1, TOKENS_MAX)
        if self.burst != 0 or isinstance(self.burst, bool):
            whole(self.word, "burst", self.burst, 1, TOKENS_MAX)
            if self.burst < self.cost:
                raise BadLimit(
                    f"rate: burst={self.burst} is less than the cost of one run ({self.cost}): none could ever begin",
                    limit=self.word,
                )
        check_by(self.word, self.by)

    @property
    def each_micros(self) -> int:
        """How long one token takes to come back, rounded up: never faster than was said."""
        count, period = rate_of(self.rate)
        return -(-period // count)

    @property
    def burst_tokens(self) -> int:
        """How many tokens a full bucket holds."""
        return self.burst or max(rate_of(self.rate)[0], self.cost)

    def look(self, memory: Memory, holders: Sequence[int], now: int) -> Memory:
        """No bucket is emptier than empty: else the clock was set back."""
        return None if memory is None else min(memory, now + self.burst_tokens * self.each_micros)

    def room(self, memory: Memory, values: Mapping[str, Scalar], taken: int, now: int) -> No | None:
        at = (memory or 0) - (self.burst_tokens - self.cost) * self.each_micros
        return None if now >= at else No(f"{self.tells()}: the next in {(at - now) / MICROS:.1f} s", at)

    def take(self, memory: Memory, values: Mapping[str, Scalar], run_id: int, now: int) -> Memory:
        return max(memory or 0, now) + self.cost * self.each_micros

    def rests(self, memory: Memory, now: int) -> bool:
        return memory is None or memory <= now

    def tells(self) -> str:
        count, period = rate_of(self.rate)
        return f"{count} in {in_words(period)}"


kind = Rate
