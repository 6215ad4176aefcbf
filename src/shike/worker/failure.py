"""A failure as text: what is kept with an attempt, and what travels from a child process."""

from __future__ import annotations

import traceback

from shike.bounds import ERROR_CHARS_MAX
from shike.worker.executor import HandlerFailed


def describe(error: BaseException) -> HandlerFailed:
    """Type and message, and the end of the traceback; each at most ERROR_CHARS_MAX characters. Never raises."""
    try:
        head = "".join(traceback.format_exception_only(error)).strip().removeprefix("shike.errors.")
        trace = "".join(traceback.format_exception(error))
    except Exception as broken:  # a user's exception class can break its own printing
        head = trace = f"{type(error).__qualname__} (which cannot be printed: {type(broken).__qualname__})"
    return HandlerFailed(printable(head[:ERROR_CHARS_MAX]), printable(trace[-ERROR_CHARS_MAX:]))


def as_exception(error: BaseException) -> Exception:
    """An error that may be raised on an event loop: what would end the loop, look like a cancellation or be taken
    for the end of an iterator (`SystemExit`, `KeyboardInterrupt`, `CancelledError`, `StopIteration`) becomes a
    `HandlerFailed`."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return describe(error)


def printable(text: str) -> str:
    """The same text with lone surrogates written out: no store and no JSON can hold them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
