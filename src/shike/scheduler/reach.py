"""How far one bucket has been read, how far the next read goes, and when it begins: arithmetic, and no store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from shike.bounds import SWEEP_SECONDS
from shike.clock import MICROS, WALL_MAX, WALL_MIN
from shike.scheduler.preset import Preset

SLICE_MICROS = 60 * MICROS
REST_SECONDS_MIN = 0.05  # between two reads of one bucket, also when it is far behind
READ_SECONDS_MAX = 30.0  # a slower store is down: to read further ahead for its sake helps nobody


@dataclass(slots=True)
class Reach:
    """The state of one bucket's reader.

    Windows overlap: a read begins `lead_seconds` before the floor and goes as far beyond it, and the lead is twice as
    long as the last read took. So what a slow read brings is in the timer before it is due.
    """

    preset: Preset
    floor: int = WALL_MIN  # all that was visible up to here has been read
    swept_at: float = float("-inf")  # on the monotonic clock
    read_seconds: float = 0.0  # how long the last read took
    refused: int = WALL_MAX  # the earliest that was told or read and found no place since the present read began
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lead_seconds(self) -> float:
        """So long before the floor the next read begins."""
        return self.preset.read_ahead_seconds / 2 + 2 * self.read_seconds

    def until(self, now: int) -> int:
        """How far a read that begins now goes; to the end of a minute, where the timetable is read in slices."""
        until = now + round((self.preset.read_ahead_seconds + 4 * self.read_seconds) * MICROS)
        return -(-until // SLICE_MICROS) * SLICE_MICROS if self.preset.slices else until

    def begin(self, monotonic: float) -> int:
        """A read begins; after which instant it looks. WALL_MIN − 1: from the very beginning, a sweep is due."""
        self.refused = WALL_MAX
        if monotonic - self.swept_at < SWEEP_SECONDS:
            return self.floor
        self.swept_at = monotonic
        return WALL_MIN - 1

    def end(self, reached: int, seconds: float) -> None:
        """A read has ended."""
        self.floor = min(reached, self.refused - 1)
        self.read_seconds = min(seconds, READ_SECONDS_MAX)

    def start_over(self) -> None:
        """Read all of it again, at once."""
        self.floor = WALL_MIN
        self.wake.set()

    def rest_seconds(self, now: int, monotonic: float) -> float:
        """How long until the next read."""
        ahead = (self.floor - now) / MICROS - self.lead_seconds
        sweep = self.swept_at + SWEEP_SECONDS - monotonic
        return max(min(ahead, sweep, SWEEP_SECONDS), REST_SECONDS_MIN)
