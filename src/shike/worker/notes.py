"""What is noted while a handler runs: its steps and the end of its log. Bounded, and written once, with the attempt."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from shike.attempts import OUTSIDE, LogLine, Tail, UserStep
from shike.bounds import LOG_LINE_CHARS_MAX, LOG_TAIL_BYTES, LOG_TAIL_LINES, STEP_NAME_CHARS_MAX, STEPS_MAX

OPEN = -1  # the length of a step that is not over


class Notes:
    """Of one attempt. A handler may take steps and log on threads of its own, so all is behind one lock."""

    __slots__ = ("_bytes", "_ended", "_lines", "_lock", "_now", "_steps", "lines_count", "lost")

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._steps: list[tuple[str, int, int]] = []  # name, start, inside
        self._ended: dict[int, tuple[int, str]] = {}  # by place: when, and the type of what was raised
        self._lines: deque[LogLine] = deque()
        self._bytes = 0
        self.lines_count = 0
        self.lost = 0  # steps and lines that are not kept

    def begin(self, name: str, inside: int) -> int:
        """A step begins; its place. OUTSIDE where there is no room for it."""
        at = self._now()
        with self._lock:
            if len(self._steps) >= STEPS_MAX:
                self.lost += 1
                return OUTSIDE
            self._steps.append((name[:STEP_NAME_CHARS_MAX], at, inside))
            return len(self._steps) - 1

    def end(self, place: int, error: str = "") -> None:
        """The step at that place is over."""
        if place != OUTSIDE:
            self._ended[place] = (self._now(), error)

    def log(self, record: logging.LogRecord) -> None:
        """Keep a line; the oldest make room."""
        try:
            text = record.getMessage()
        except Exception:  # logging itself tells of it
            text = str(record.msg)
        line = LogLine(self._now(), record.levelname, text.encode("utf-8", "replace").decode()[:LOG_LINE_CHARS_MAX])
        with self._lock:
            self.lines_count += 1
            self._lines.append(line)
            self._bytes += len(line.text)
            while len(self._lines) > LOG_TAIL_LINES or self._bytes > LOG_TAIL_BYTES:
                self._bytes -= len(self._lines.popleft().text)
                self.lost += 1

    def steps(self, until: int) -> tuple[UserStep, ...]:
        """All steps, in the order in which they began; one that is not over lasts until then."""
        with self._lock:
            begun = list(self._steps)
        found = []
        for place, (name, at, inside) in enumerate(begun):
            end, error = self._ended.get(place, (until, ""))
            found.append(UserStep(name, at, max(end - at, 0), inside, error))
        return tuple(found)

    def tail(self, bytes_max: int = LOG_TAIL_BYTES) -> Tail:
        """The last lines, of at most so many characters together."""
        with self._lock:
            lines, left = [], bytes_max
            for line in reversed(self._lines):
                left -= len(line.text)
                if left < 0:
                    break
                lines.append(line)
            return Tail(self.lines_count, tuple(reversed(lines)))


class Told(Notes):
    """What another process noted, as it told it."""

    __slots__ = ("_tail", "_told")

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self._told: tuple[UserStep, ...] = ()
        self._tail = Tail()

    def take(self, tail: Tail, steps: tuple[UserStep, ...] | None = None, lost: int = 0) -> None:
        """News of it: the tail as it goes on, the steps when it is over."""
        self._tail, self.lines_count, self.lost = tail, tail.count, lost
        if steps is not None:
            self._told = steps

    def steps(self, until: int) -> tuple[UserStep, ...]:
        return self._told

    def tail(self, bytes_max: int = LOG_TAIL_BYTES) -> Tail:
        lines, left = [], bytes_max
        for line in reversed(self._tail.lines):
            left -= len(line.text)
            if left < 0:
                break
            lines.append(line)
        return Tail(self._tail.count, tuple(reversed(lines)))
