"""Names that every broker can hold."""

from __future__ import annotations

import re
from typing import Any

from shike.connect.bounds import NAME_CHARS_MAX
from shike.errors import BadInput

_NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{NAME_CHARS_MAX - 1}}}")


def check_name(what: str, text: Any) -> str:
    """Raises `BadInput` for what is no short word."""
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise BadInput(f"the {what} {text!r:.80} is no short word of a-z, 0-9, - and _")
    return text
