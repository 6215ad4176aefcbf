"""Waiting out a store that fails: ever longer pauses, and a line in the log when it begins and when it is over."""

from __future__ import annotations

import logging

from shike.bounds import REPEAT_SECONDS_MIN, SLEEP_SECONDS_MAX
from shike.counted import counted


class Outage:
    """Of one kind of work, which goes on as soon as the store does: pauses double up to SLEEP_SECONDS_MAX.

    Logged is what changes: that it began, that it fails in another way, that it is over.
    """

    def __init__(self, log: logging.Logger, work: str) -> None:
        self._log = log
        self._work = work
        self._failing: type[BaseException] | None = None
        self._tries = 0

    def pause(self, error: BaseException) -> float:
        """It failed (again): how many seconds to wait before the next try."""
        if type(error) is not self._failing:
            self._failing = type(error)
            told = str(error) or "no answer in time"
            self._log.warning("%s fails and is tried again until it succeeds: %s", self._work, told)
        self._tries += 1
        doublings = min(self._tries - 1, 10)
        return min(REPEAT_SECONDS_MIN * 2.0**doublings, SLEEP_SECONDS_MAX)

    def over(self) -> None:
        """It worked. To be called each time; costs nothing where nothing was wrong."""
        if self._failing is not None:
            failed = counted(self._tries, "try", "tries")
            self._log.warning("%s works again, after %s that failed", self._work, failed)
            self._failing, self._tries = None, 0
