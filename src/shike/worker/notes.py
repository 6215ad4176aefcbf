"""What is noted while a handler runs: its steps and the end of its log. Bounded, and written once, with the attempt."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from shike.attempts import OUTSIDE, LogLine, Tail, UserStep
from shike.bounds import LOG_LINE_CHARS_MAX, LOG_TAIL_BYTES, LOG_TAIL_LINES, STEP_NAME_CHARS_MAX, STEPS_MAX

Begun = list[Any]  # of a step: its name, when it began, the one around it or None, when it ended (0: not yet), an error


class Notes:
    """Of one attempt. A handler may take steps and log on threads of its own: a step is one list, and appending it to
    the others is one deed; lines are behind a lock."""

    __slots__ = ("_bytes", "_lines", "_lock", "_now", "_steps", "lines_count", "lost")

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._steps: list[Begun] = []
        self._lines: deque[LogLine] = deque()
        self._bytes = 0
        self.lines_count = 0
        self.lost = 0  # steps and lines that are not kept

    def begin(self, name: str, around: Begun | None) -> Begun | None:
        """A step begins. None where there is no room for it."""
        if len(self._steps) >= STEPS_MAX:
            self.lost += 1
            return None
        begun = [name, self._now(), around, 0, ""]
        self._steps.append(begun)
        return begun

    def end(self, begun: Begun, error: str = "") -> None:
        """That step is over."""
        begun[3], begun[4] = self._now(), error

    def log(self, record: logging.LogRecord) -> None:
        """Keep a line; the oldest make room."""
        try:
            text = record.getMessage()
        except Exception:  # logging itself tells of it
            text = str(record.msg)
        line = LogLine(self._now(), clean(record.levelname), clean(text[:LOG_LINE_CHARS_MAX]))
        with self._lock:
            self.lines_count += 1
            self._lines.append(line)
            self._bytes += len(line.text)
            while len(self._lines) > LOG_TAIL_LINES or self._bytes > LOG_TAIL_BYTES:
                self._bytes -= len(self._lines.popleft().text)
                self.lost += 1

    def steps(self, until: int) -> tuple[UserStep, ...]:
        """All steps, in the order in which they began; one that is not over lasts until then."""
        found, places = [], dict[int, int]()
        for place, begun in enumerate(self._steps[:STEPS_MAX]):
            name, at, around, end, error = begun
            places[id(begun)] = place
            inside = OUTSIDE if around is None else places.get(id(around), OUTSIDE)
            if len(name) > STEP_NAME_CHARS_MAX or not name.isascii():
                name = clean(name[:STEP_NAME_CHARS_MAX])
            length = (end or until) - at
            found.append(UserStep(name, at, length if length > 0 else 0, inside, clean(error) if error else ""))
        return tuple(found)

    def tail(self, bytes_max: int = LOG_TAIL_BYTES) -> Tail:
        """The last lines, of at most so many characters together."""
        with self._lock:
            lines = tuple(self._lines)
        return Tail(self.lines_count, lines if self._bytes <= bytes_max else last(lines, bytes_max))


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
        return Tail(self._tail.count, last(self._tail.lines, bytes_max))


def clean(text: str) -> str:
    """What can be stored: half a sign is told as a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def last(lines: tuple[LogLine, ...], bytes_max: int) -> tuple[LogLine, ...]:
    """The last lines that are at most so long together."""
    kept, left = len(lines), bytes_max
    while kept and (left := left - len(lines[kept - 1].text)) >= 0:
        kept -= 1
    return lines[kept:]
