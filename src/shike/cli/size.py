"""Sizes of memory as people write them."""

from __future__ import annotations

import re

from shike.errors import BadSetting

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """Bytes of `500M`, `1.5GiB`, `800000`; units are powers of 1,024; nothing is 0. Raises `BadSetting`."""
    if not text:
        return 0
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadSetting(f"{text!r} is no size; write 500M, 1.5G or a number of bytes")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])
