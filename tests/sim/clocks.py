"""Clocks of simulated machines: one true time, and what each machine believes of it."""

from __future__ import annotations

from collections.abc import Callable

MICROS = 1_000_000
EPOCHS = (  # the wall clock at virtual second 0
    1_767_225_600_000_000,  # 2026-01-01T00:00:00Z
    1_774_745_760_000_000,  # 2026-03-29T00:56:00Z: Berlin loses an hour four minutes later
    1_792_889_760_000_000,  # 2026-10-25T00:56:00Z: Berlin gains one
)


class SkewedClock:
    """A `shike.clock.Clock` over the loop's virtual time. `skew_seconds` shifts the wall; `boot` and `monotonic` start
    anywhere but run true, as a machine's do."""

    def __init__(self, time: Callable[[], float], epoch: int, *, started: float = 0.0) -> None:
        self.epoch = epoch
        self.skew_seconds = 0.0
        self._time = time
        self._started = started

    def wall(self) -> int:
        return self.epoch + round((self._time() + self.skew_seconds) * MICROS)

    def monotonic(self) -> float:
        return self._time() + self._started

    def boot(self) -> float:
        return self._time() + self._started

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back by so much."""
        self.skew_seconds += seconds
