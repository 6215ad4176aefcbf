"""A failure as text: what is kept with an attempt, and what travels from a child process."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from shike.bounds import ERROR_CHARS_MAX
from shike.errors import CommandFailed
from shike.track.failures import failure_of, failure_of_text
from shike.worker.executor import HandlerFailed

OURS = (Path(__file__).parent, Path(__file__).parents[1] / "testing")


def describe(error: BaseException) -> HandlerFailed:
    """Type and message, and the end of the traceback, or of what a command printed; each at most ERROR_CHARS_MAX
    characters. Never raises."""
    try:
        head = "".join(traceback.format_exception_only(error)).strip().removeprefix("shike.errors.")
        trace = _output(error) if isinstance(error, CommandFailed) else _trace(error)
    except Exception as broken:  # a user's exception class can break its own printing
        head = trace = f"{type(error).__qualname__} (which cannot be printed: {type(broken).__qualname__})"
    failure = failure_of_text(head) if isinstance(error, CommandFailed) else failure_of(error)
    return HandlerFailed(printable(head[:ERROR_CHARS_MAX]), printable(trace[-ERROR_CHARS_MAX:]), failure)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, _below_us(error.__traceback__)))


def _output(error: CommandFailed) -> str:
    """What a program said before it failed: it has no frames, and ours tell nobody anything. The errors stand last:
    the beginning is what may be cut off."""
    return "\n".join(part.rstrip() for part in (error.stdout, error.stderr, str(error)) if part.strip())


def _below_us(trace: TracebackType | None) -> TracebackType | None:
    """Without the frames by which we got to the handler; all of them where it was never reached."""
    below = trace
    while below is not None and Path(below.tb_frame.f_code.co_filename).parent in OURS:
        below = below.tb_next
    return below or trace


def as_exception(error: BaseException) -> Exception:
    """An error that may be raised on an event loop: what would end the loop, look like a cancellation or be taken
    for the end of an iterator (`SystemExit`, `KeyboardInterrupt`, `CancelledError`, `StopIteration`) becomes a
    `HandlerFailed`."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return describe(error)


def printable(text: str) -> str:
    """The same text with lone surrogates and NUL written out: no JSON holds the ones, and PostgreSQL not the other."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
