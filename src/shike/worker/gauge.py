"""What a worker tells of its load with each beat (R2.8).

Nothing is measured run by run: a run's mean latency is how many are under way, on average, over how many end a second
(J. D. C. Little, "A proof for the queuing formula L = λW", 1961).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from shike.model import Load
from shike.usage import SAMPLE_SECONDS, WINDOW_SAMPLES, Counters, Window

DIGITS = 3  # a per mille more or less moves no run


class Gauge:
    """Written by the worker, read by the beat, which may be another thread's. `failed` counts attempts."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        read: Callable[[], Counters | None],
        *,
        slots: int,
        tags: tuple[str, ...],
        weight: float,
        busy: Callable[[], int],
        done: Callable[[], int],
        answer_seconds: Callable[[], float],
    ) -> None:
        self._monotonic = monotonic
        self._machine = Window(read)
        self._slots = slots
        self._tags = tags
        self._weight = weight
        self._busy = busy
        self._done = done
        self._answer_seconds = answer_seconds
        self._marks: deque[tuple[float, int, int]] = deque(maxlen=WINDOW_SAMPLES + 1)  # (monotonic, done, failed)
        self._busy_seen = (0, 0)  # how much, in how many looks, since the last mark
        self._busy_means: deque[float] = deque(maxlen=WINDOW_SAMPLES)
        self._busy_mean = 0.0
        self.failed = 0

    def load(self) -> bytes:
        """For the beat."""
        now, busy = self._monotonic(), self._busy()
        self._machine.look(now)
        self._mark(now, busy)
        rate, failures = self._rates(now)
        usage = self._machine.usage
        told = Load(
            slots=self._slots,
            busy=busy,
            cpu=round(usage.cpu, DIGITS),
            memory=round(usage.memory, DIGITS),
            io=round(usage.io, DIGITS),
            failures=round(failures, DIGITS),
            latency_ms=round(1000 * self._busy_mean / rate, DIGITS) if rate else 0.0,
            answer_ms=round(1000 * self._answer_seconds(), DIGITS),
            runs_per_second=round(rate, DIGITS),
            weight=self._weight,
            tags=self._tags,
        )
        return msgspec.json.encode(told)

    def _mark(self, now: float, busy: int) -> None:
        seen, looks = self._busy_seen
        self._busy_seen = seen + busy, looks + 1
        if not self._marks or now - self._marks[-1][0] >= SAMPLE_SECONDS:
            self._marks.append((now, self._done(), self.failed))
            self._busy_means.append((seen + busy) / (looks + 1))
            self._busy_seen = 0, 0
            self._busy_mean = sum(self._busy_means) / len(self._busy_means)

    def _rates(self, now: float) -> tuple[float, float]:
        """Runs that ended, a second, and the share of them that failed, over the window."""
        since, done, failed = self._marks[0]
        ended = self._done() - done
        if now <= since or ended <= 0:
            return 0.0, 0.0
        return ended / (now - since), min((self.failed - failed) / ended, 1.0)
