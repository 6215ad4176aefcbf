"""How late each bucket is: the worst of the last few seconds, as its readers and planners notice it."""

from __future__ import annotations

from shike.bounds import START_RANGES_MAX
from shike.clock import MICROS, Clock

MEMORY_SECONDS = 4.0  # a lateness counts for so long: several beats tell of it, one decision follows


def width(virtual_buckets: int) -> int:
    """Of how many virtual buckets a worker tells together how late their runs start."""
    return max(virtual_buckets // START_RANGES_MAX, 1)


class Lateness:
    """Written by the roles of one node; read by the decider, and by the beat, which may be another thread's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._worst: dict[int, tuple[tuple[float, int], ...]] = {}  # lowest virtual bucket → (when, ms), ms falling

    def note(self, low: int, late_micros: int) -> None:
        """Something of this bucket was read or planned so long after its time."""
        late_ms = late_micros * 1000 // MICROS
        if late_ms > 0:
            now = self._clock.monotonic()
            kept = [(when, ms) for when, ms in self._worst.get(low, ()) if ms > late_ms and when > now - MEMORY_SECONDS]
            self._worst[low] = (*kept, (now, late_ms))

    def told(self) -> dict[int, int]:
        """The late buckets: ms by their lowest virtual bucket."""
        since = self._clock.monotonic() - MEMORY_SECONDS
        late = {low: [ms for when, ms in worst if when > since] for low, worst in self._worst.copy().items()}
        return {low: found[0] for low, found in late.items() if found}

    def keep(self, lows: set[int]) -> None:
        """Only these buckets are in hand."""
        self._worst = {low: worst for low, worst in self._worst.items() if low in lows}
