"""Snowflake ids for users: sortable by time, made without asking anyone."""

from __future__ import annotations

import threading
from typing import Final

from shike.bounds import SNOWFLAKE_AHEAD_SECONDS
from shike.clock import Clock
from shike.errors import ClockError, DuplicateMachine
from shike.ids.forks import FORKS
from shike.ids.machine import MACHINE_BITS, MACHINES, check_machine

SNOWFLAKE_EPOCH: Final = 1_735_689_600_000  # 2025-01-01, in milliseconds; 41 bits last until 2094
_TICK_BITS: Final = 12
_TICKS_END = 1 << (41 + _TICK_BITS)


class Snowflake:
    """Ids that sort by time across machines: 41 bits of milliseconds, 10 of machine, 12 of sequence.

    Strictly increasing on one machine, whatever the clock does: set back, or asked faster than 4,096 a
    millisecond, ids run ahead of it by at most `SNOWFLAKE_AHEAD_SECONDS`, then `ClockError`. Unique over
    machines only if no two share a number: hold a `MachineLock`. Thread-safe; raises `DuplicateMachine`
    in a forked child. What was given out is not remembered over a restart, so a clock set back while the
    process is down can repeat ids; where that must not be, use run ids. After Twitter's Snowflake (2010).
    """

    def __init__(self, machine: int, clock: Clock, *, epoch: int = SNOWFLAKE_EPOCH) -> None:
        check_machine(machine)
        self._machine = machine
        self._clock = clock
        self._epoch = epoch
        self._last = -1  # milliseconds and sequence in one number: what the next id must exceed
        self._lock = threading.Lock()
        self._born = FORKS.count

    def next(self) -> int:
        """A new id. Raises `ClockError` when the clock was set back too far, or is out of the 41 bits."""
        if self._born != FORKS.count:
            raise DuplicateMachine(f"machine {self._machine} is the parent process's; a fork needs a number of its own")
        with self._lock:
            now = (self._clock.wall() // 1_000 - self._epoch) << _TICK_BITS
            if not 0 <= now < _TICKS_END:
                raise ClockError(f"the clock is outside the 69 years that begin at the epoch, {self._epoch} ms")
            tick = max(now, self._last + 1)
            ahead_seconds = ((tick - now) >> _TICK_BITS) / 1_000
            if ahead_seconds > SNOWFLAKE_AHEAD_SECONDS:
                raise ClockError(
                    f"the clock is {ahead_seconds:.3f} s behind ids already given out; wait, or set it right"
                )
            self._last = tick
        return self._compose(tick)

    def _compose(self, tick: int) -> int:
        millis, sequence = tick >> _TICK_BITS, tick & ((1 << _TICK_BITS) - 1)
        return (millis << MACHINE_BITS | self._machine) << _TICK_BITS | sequence


def machine_of(snowflake: int) -> int:
    """The machine that made a snowflake id."""
    return snowflake >> _TICK_BITS & (MACHINES - 1)
