"""The only file that reads clocks. Everything else is handed a `Clock`.

Two domains never mix: *wall* time (UTC microseconds) says when work is due, *monotonic* time (seconds)
measures waits and leases. `boot` goes on while the machine sleeps, so a holder that was suspended
notices that its lease is over.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shike.errors import BadTime

MICROS = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux has it
WALL_MIN = 0
WALL_MAX = int((datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) / timedelta(microseconds=1))


class Clock(Protocol):
    """Reads time; never sleeps (waiting belongs to the event loop, which the simulator replaces)."""

    def wall(self) -> int:
        """UTC, in microseconds since 1970. May jump either way."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back; may stand still while the machine sleeps."""

    def boot(self) -> float:
        """As `monotonic`, but goes on while the machine sleeps."""


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def boot(self) -> float:
        return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


class ShiftedClock(SystemClock):
    """The machine's clocks, with a wall clock that goes on from another instant: to try things in another year."""

    def __init__(self, start: datetime | int) -> None:
        self.shift = (start if isinstance(start, int) else to_micros(start)) - SystemClock.wall(self)  # microseconds

    def wall(self) -> int:
        return super().wall() + self.shift


class ManualClock:
    """A clock that stands still until it is told to move: for tests and time travel."""

    def __init__(self, start: datetime | int = 1_767_225_600_000_000) -> None:
        self._wall = start if isinstance(start, int) else to_micros(start)
        self._monotonic = 0.0

    def wall(self) -> int:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def boot(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass: both domains move forward."""
        if seconds < 0:
            raise BadTime(f"time cannot pass by {seconds} s; use step() to set the wall clock back")
        self._wall += round(seconds * MICROS)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back; the monotonic clock does not notice."""
        self._wall += round(seconds * MICROS)


def to_micros(moment: datetime) -> int:
    """UTC microseconds of an aware datetime. A naive one is refused: it does not say which instant it means."""
    if not isinstance(moment, datetime):
        raise BadTime(f"{moment!r} is no datetime; give an aware one, e.g. datetime.now(UTC)")
    try:
        if moment.tzinfo is not None and moment.utcoffset() is not None:
            return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
    except (OverflowError, ValueError) as error:
        raise BadTime(f"{moment.replace(tzinfo=None)} in its zone lies outside of the years 1 to 9999 UTC") from error
    raise BadTime(f"{moment.isoformat()} has no time zone; give an aware datetime, e.g. datetime.now(UTC)")


def to_datetime(micros: int) -> datetime:
    """The aware UTC datetime of UTC microseconds."""
    return EPOCH + timedelta(microseconds=micros)
