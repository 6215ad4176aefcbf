"""Clocks of simulated machines: one true time, and what each machine believes of it."""

from __future__ import annotations

from collections.abc import Callable

EPOCH_WALL = 1_767_225_600_000_000  # the wall clock at virtual second 0: 2026-01-01T00:00:00Z
MICROS = 1_000_000


class SkewedClock:
    """A `shike.clock.Clock` over the loop's virtual time. `skew_seconds` shifts the wall; `boot` and `monotonic` start
    anywhere but run true, as a machine's do."""

    def __init__(self, time: Callable[[], float], *, started: float = 0.0) -> None:
        self.skew_seconds = 0.0
        self._time = time
        self._started = started

    def wall(self) -> int:
        return EPOCH_WALL + round((self._time() + self.skew_seconds) * MICROS)

    def monotonic(self) -> float:
        return self._time() + self._started

    def boot(self) -> float:
        return self._time() + self._started

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back by so much."""
        self.skew_seconds += seconds
