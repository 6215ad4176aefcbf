"""Lists in pages: `next` of one page is the `cursor` of the following one."""

from __future__ import annotations

from shike.errors import BadField
from shike.operate.facts import RUN_ID_MAX


def place_of(cursor: str) -> int:
    """Where a page begins, below which number; 0: at the first. Raises `BadField`."""
    if not cursor:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 19 or not 0 < int(cursor) <= RUN_ID_MAX:
        raise BadField("a cursor is `next` of the page before, as it was", field="cursor")
    return int(cursor)


def number_of(text: str) -> int:
    """A run id in a path or a body; raises `BadField`."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not 0 < int(text) <= RUN_ID_MAX:
        raise BadField(f"{text:.40} is no run id", field="run")
    return int(text)
