"""Who writes next, among the processes on one file: those who wait go before those who come back.

SQLite lets whoever asks at the right moment write; a process that commits in a loop asks sooner than one that sleeps
between its attempts, which then waits for hundreds of milliseconds. Here a writer takes a second lock first, keeps it
only until its transaction has begun, and so stands at the door alone: it begins as soon as the present writer is done.
The second lock is a courtesy. Nothing depends on it, and nobody waits long for it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from shike.ids.forks import FORKS

PAUSE_SECONDS_MIN = 0.0002  # of a transaction that takes a millisecond
PAUSE_SECONDS_MAX = 0.002
COURTESY_SECONDS = 1.0  # longer than that, whoever holds the second lock is stopped or stuck


class Turnstile:
    """The door to the database's write lock, for one writer thread."""

    def __init__(self, folder: Path, busy_seconds: float) -> None:
        self._busy_seconds = busy_seconds
        self._file: int | None = os.open(folder / "turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        FORKS.in_child(self.close)

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begin a write transaction. Raises `sqlite3.OperationalError` if the database stays locked for too long.

        The connection's own busy timeout must be 0.
        """
        self._enter()
        try:
            self._begin(connection)
        finally:
            self._leave()

    def _begin(self, connection: sqlite3.Connection) -> None:
        pauses = _pauses(self._busy_seconds)
        while True:
            try:
                connection.execute("begin immediate")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                pause = next(pauses, None)
                if pause is None:
                    raise
            time.sleep(pause)

    def _enter(self) -> None:
        if self._file is None:
            return
        for pause in _pauses(COURTESY_SECONDS):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                time.sleep(pause)

    def _leave(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _pauses(seconds: float) -> Iterator[float]:
    """Pauses, longer and longer, that come to so much together."""
    pause = PAUSE_SECONDS_MIN
    while seconds > 0:
        yield pause
        seconds -= pause
        pause = min(2 * pause, PAUSE_SECONDS_MAX)
