"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

STEERING: Final = (
    *(code for code in range(0x20) if chr(code) not in "\t\n"),
    *range(0x7F, 0xA0),
    *(0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),  # which way to write
)
_WRITTEN_OUT: Final = {code: ascii(chr(code))[1:-1] for code in STEERING}


def as_json(answer: Any) -> None:
    """One document, times in UTC, ids as texts."""
    text = msgspec.json.encode(answer).decode()
    print(msgspec.json.format(text, indent=2) if sys.stdout.isatty() else text)


def plain(text: str) -> str:
    """The text with the signs written out that would steer a terminal (colours, cursor, the way of writing): what a
    run was given, and what it said, may be anybody's."""
    return text.translate(_WRITTEN_OUT)


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "nothing") -> None:
    """Columns side by side; nothing is cut off, so that what is copied is whole."""
    if not rows:
        print(empty)
        return
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(headings, *cells, strict=True)]
    _line([_bold(heading) for heading in headings], [width(heading) for heading in headings], widths)
    for row in cells:
        _line(row, [width(cell) for cell in row], widths)


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """One fact a line; what is empty is left out."""
    shown = [(name, _text(value)) for name, value in pairs if value not in (None, "", (), [])]
    widest = max((width(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{_bold(name)}{' ' * (widest - width(name))}  {value}")


def local(at: datetime | None, *, parts: bool = False) -> str:
    """A time on this machine's wall clock; with `parts` down to the millisecond."""
    if at is None:
        return ""
    text = at.astimezone().isoformat(" ", "milliseconds" if parts else "seconds")
    return text[:23] if parts else text[:19]


def seconds(length: float | None) -> str:
    """A length as people read it: `3 ms`, `1.50 s`, `2.1 h`."""
    if length is None:
        return ""
    size = abs(length)
    if size < 1:
        return f"{length * 1000:.0f} ms"
    for unit, factor in (("s", 60.0), ("min", 60.0), ("h", 24.0)):
        if size < factor * (1.5 if unit != "s" else 2):
            return f"{length:.2f} {unit}" if unit == "s" else f"{length:.1f} {unit}"
        size, length = size / factor, length / factor
    return f"{length:.1f} d"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return local(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(" ".join(str(value).splitlines()))


def _line(cells: Sequence[str], seen: Sequence[int], widths: Sequence[int]) -> None:
    padded = [cell + " " * (width - size) for cell, size, width in zip(cells, seen, widths, strict=True)]
    print("  ".join(padded).rstrip())


def width(text: str) -> int:
    """Columns on the screen: Chinese signs take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text
