"""Linux's timerfd: a timer that is a file. It rings to the microsecond where a poll's time-out is rounded to a
millisecond, and it says at once when somebody sets the wall clock. See timerfd_create(2).

Through libc, since Python has `os.timerfd_create` only from 3.13 on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from enum import Enum, auto

_ABSOLUTE, _CANCEL_ON_SET = 1, 2
_READ_BYTES = 8


class Ring(Enum):
    """What became of a timer that was armed."""

    NOT_YET = auto()
    RANG = auto()
    CLOCK_WAS_SET = auto()  # it was armed with `watch`, and is off now


class _Spec(ctypes.Structure):
    """`struct itimerspec`, interval first; with a `long` of 64 bits."""

    _fields_ = (("every_s", ctypes.c_long), ("every_ns", ctypes.c_long), ("s", ctypes.c_long), ("ns", ctypes.c_long))


def available() -> bool:
    """Whether this system has them."""
    return sys.platform == "linux" and ctypes.sizeof(ctypes.c_long) == 8 and hasattr(_libc(), "timerfd_create")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class TimerFd:
    """One timer on one clock, `time.CLOCK_MONOTONIC` or `time.CLOCK_REALTIME`. Readable (`fileno`) once it rang.

    Raises `OSError` where the system gives none.
    """

    def __init__(self, clock_id: int = time.CLOCK_MONOTONIC) -> None:
        self._fd = -1
        self._set = _libc().timerfd_settime
        self._fd = _libc().timerfd_create(clock_id, os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def fileno(self) -> int:
        return self._fd

    def arm_at(self, nanos: int, *, watch: bool = False) -> bool:
        """Ring at an instant of its clock. With `watch` also when that clock is set: then `clear` says so.

        True: the clock was set since it was armed with `watch` the last time, and nobody cleared it meanwhile. The
        kernel tells that as an error, and arms it all the same (timerfd_create(2), NOTES on ECANCELED).
        """
        return self._arm(nanos, _ABSOLUTE | (_CANCEL_ON_SET if watch else 0))

    def arm_in(self, nanos: int) -> None:
        """Ring after so long."""
        self._arm(nanos, 0)

    def _arm(self, nanos: int, flags: int) -> bool:
        seconds, rest = divmod(max(nanos, 1), 1_000_000_000)  # 0 would mean never
        spec = _Spec(0, 0, seconds, rest)
        if not self._set(self._fd, flags, ctypes.byref(spec), None):
            return False
        if ctypes.get_errno() != errno.ECANCELED:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return True

    def clear(self) -> Ring:
        """Make it unreadable again; what happened since it was armed."""
        try:
            os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return Ring.NOT_YET
        except OSError as error:
            if error.errno == errno.ECANCELED:
                return Ring.CLOCK_WAS_SET
            raise
        return Ring.RANG

    def rang(self) -> bool:
        """`clear`, for one whose clock is never set."""
        return self.clear() is Ring.RANG

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()
