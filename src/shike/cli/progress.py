"""How far a long command has come: one line that is written over on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from shike.store.records import Kind

STEP_SECONDS = 0.1


class Progress:
    """Called with each page of records."""

    def __init__(self, *, quiet: bool) -> None:
        self._silent = quiet
        self._quiet = quiet or not sys.stderr.isatty()
        self._shown = 0.0
        self._width = 0

    def __call__(self, kind: Kind, count: int) -> None:
        if not self._quiet and time.monotonic() - self._shown >= STEP_SECONDS:
            self._shown = time.monotonic()
            self._write(f"{kind} {count:,}")

    def say(self, words: str) -> None:
        """A line that stays."""
        self._write("")
        if not self._silent:
            print(words, file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._write("")

    def _write(self, words: str) -> None:
        if not self._quiet and (words or self._width):
            sys.stderr.write(f"\r{words.ljust(self._width)}\r{words}")
            sys.stderr.flush()
            self._width = len(words)
