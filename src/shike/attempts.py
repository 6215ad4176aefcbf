"""What an attempt tells of itself, beside how it ended: steps, log lines, a failure taken apart.

They travel in the one record that an attempt writes with its acknowledgement, as arrays: fields are only ever appended,
each with a default.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

OUTSIDE: Final = -1  # of no other step


class UserStep(Struct, frozen=True, array_like=True, gc=False):
    """A stretch of a handler's work that its author gave a name: `shike.step`, `shike.traced`."""

    name: str
    started_at: int  # UTC µs on the store's clock, as the two instants of the attempt
    micros: int
    inside: int = OUTSIDE  # the place, in the attempt's list, of the step that it lies in
    error: str = ""  # the type of what it raised


class LogLine(Struct, frozen=True, array_like=True, gc=False):
    """One line that was logged while a handler ran."""

    at: int
    level: str
    text: str


class Frame(Struct, frozen=True, array_like=True, gc=False):
    """Where a failure passed: one call."""

    file: str
    line: int
    function: str
    source: str = ""  # the line itself, as it was then
    own: bool = False  # of the user's program: no library's, not Python's, not Shike's


class Fault(Struct, frozen=True, array_like=True, gc=False):
    """One exception of a chain."""

    kind: str  # its type, with the module where that is no builtin
    message: str
    frames: tuple[Frame, ...] = ()  # the outermost call first
    link: str = (
        ""  # how the one before it in the chain came of it: `cause` (raised from), `context` (while handling it)
    )


class Failure(Struct, frozen=True, array_like=True, gc=False):
    """Why an attempt failed. `chain`: what was raised last, then what that came from."""

    fingerprint: str  # the same for failures of one kind in one place, whatever their message or line number
    chain: tuple[Fault, ...] = ()


class Tail(Struct, frozen=True, array_like=True, gc=False):
    """The last lines that a run under way has logged; `count` of all, so that a reader knows what is new."""

    count: int = 0
    lines: tuple[LogLine, ...] = ()


NO_TAIL: Final = Tail()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Tail).decode


def pack_report(progress: bytes, tail: Tail) -> bytes:
    """What a beat carries of a run under way: its progress (one line of JSON, or nothing), and behind a line end the
    tail of its log, where there is one."""
    return progress + b"\n" + _encode(tail) if tail.count else progress


def split_report(report: bytes) -> tuple[bytes, Tail]:
    """The two again; what a newer program says of the log is left out."""
    progress, _, packed = report.partition(b"\n")
    if not packed:
        return progress, NO_TAIL
    try:
        return progress, _decode(packed)
    except msgspec.MsgspecError:
        return progress, NO_TAIL
