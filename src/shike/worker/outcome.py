"""What a handler may return instead of a value: outcomes as values, not as exceptions."""

from __future__ import annotations

from datetime import datetime, timedelta

from shike.clock import MICROS, to_micros
from shike.errors import BadTime
from shike.task import Outcome
from shike.trigger.duration import parse_duration


class Snooze(Outcome, frozen=True):
    """Run me again later; this attempt does not count. For work that is not ready, not for failures."""

    seconds: float

    @classmethod
    def for_(cls, duration: str | float | timedelta) -> Snooze:
        """As `Snooze(seconds)`, from a text such as `10m` or a timedelta."""
        return cls(parse_duration(duration) / MICROS)


class Cancel(Outcome, frozen=True):
    """I am not needed any more: the run ends CANCELLED, with this reason."""

    reason: str = ""


class Retry(Outcome, frozen=True):
    """I failed and know when to try again; counts as a failed attempt. `at` wins over `seconds`."""

    seconds: float = 0.0
    at: datetime | None = None
    reason: str = ""

    def at_micros(self) -> int:
        """UTC µs of `at`, or 0 where only `seconds` is given; raises `BadTime` for a naive time or a negative pause."""
        if self.seconds < 0:
            raise BadTime(f"a retry cannot be {self.seconds} s ago")
        return to_micros(self.at) if self.at is not None else 0
