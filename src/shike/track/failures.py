"""A failure taken apart, so that people, consoles and programs can read and group it: pure, bounded, and never raises.

The fingerprint is made of the type of what was raised last and of the innermost OWN_FRAMES_MAX calls of the user's own
program, each as file name and function: neither a message nor a line number changes it, so an edit above the place or
another customer's number makes no new group. Where no call was the user's, the message stands in, without its numbers.
"""

from __future__ import annotations

import hashlib
import linecache
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path, PurePath
from types import TracebackType
from typing import Final

from shike.attempts import Failure, Fault, Frame
from shike.bounds import FAULT_CHARS_MAX, FAULTS_MAX, FRAMES_MAX, SOURCE_CHARS_MAX

OWN_FRAMES_MAX: Final = 3
FINGERPRINT_CHARS: Final = 16
_SHIKE: Final = str(Path(__file__).parents[1])
_DEMO: Final = str(Path(_SHIKE, "demo"))  # a user's program that comes with Shike
_LIBRARIES: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_VARIES: Final = re.compile(r"0x[0-9a-fA-F]+|\d+|'[^']*'|\"[^\"]*\"")


def failure_of(error: BaseException) -> Failure:
    """The chain of what was raised, the last one first, with its frames."""
    try:
        chain = tuple(_fault(one, link) for one, link in _chain(error))
    except Exception as broken:  # a user's exception class can break its own printing
        chain = (
            Fault(_text(kind_of(error), SOURCE_CHARS_MAX), f"(which cannot be printed: {type(broken).__qualname__})"),
        )
    return Failure(_fingerprint(chain[0]), chain)


def failure_of_text(error: str) -> Failure:
    """Of what is known by its text alone: another language's, a lost process's."""
    kind, _, message = error.partition(": ")
    named = bool(message) and " " not in kind
    fault = Fault(kind if named else "", _text(message if named else error, FAULT_CHARS_MAX))
    return Failure(_fingerprint(fault), (fault,))


def kind_of(error: BaseException) -> str:
    """The name of its type, as a traceback writes it."""
    kind = type(error)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """As Python prints it: `raise … from` before what was being handled, and no exception twice."""
    seen: set[int] = set()
    one: BaseException | None = error
    link = ""
    while one is not None and id(one) not in seen and len(seen) < FAULTS_MAX:
        yield one, link
        seen.add(id(one))
        if one.__cause__ is not None:
            one, link = one.__cause__, "cause"
        else:
            one, link = (None if one.__suppress_context__ else one.__context__), "context"


def _fault(error: BaseException, link: str) -> Fault:
    return Fault(
        _text(kind_of(error), SOURCE_CHARS_MAX),
        _text(str(error), FAULT_CHARS_MAX),
        tuple(_frames(error.__traceback__)),
        link,
    )


def _frames(trace: TracebackType | None) -> list[Frame]:
    """The innermost FRAMES_MAX, without the ones by which Shike got to the handler."""
    places: list[tuple[str, int, str]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append((code.co_filename, trace.tb_lineno, code.co_qualname))
        trace = trace.tb_next
    below = next((place for place, (file, *_) in enumerate(places) if not _is_shike(file)), 0)
    return [
        Frame(_text(file, FAULT_CHARS_MAX), line, _text(function, SOURCE_CHARS_MAX), _source(file, line), is_own(file))
        for file, line, function in places[below:][-FRAMES_MAX:]
    ]


def _source(file: str, line: int) -> str:
    return _text(linecache.getline(file, line).strip(), SOURCE_CHARS_MAX)


def is_own(file: str) -> bool:
    """Whether a file is the user's program: no library's, not Python's, not Shike's."""
    if file.startswith(_DEMO):
        return True
    if file.startswith("<") or "site-packages" in file or "dist-packages" in file:
        return False
    return not file.startswith((_SHIKE, *_LIBRARIES))


def _is_shike(file: str) -> bool:
    return file.startswith(_SHIKE) and not file.startswith(_DEMO)


def _fingerprint(fault: Fault) -> str:
    own = [frame for frame in fault.frames if frame.own][-OWN_FRAMES_MAX:]
    places = [f"{PurePath(frame.file).name}:{frame.function}" for frame in own]
    words = "\n".join([fault.kind, *(places or [_VARIES.sub("#", fault.message)])])
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:FINGERPRINT_CHARS]


def _text(value: str, chars: int) -> str:
    """What any store can hold, at most so much of it."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")[:chars]
