"""Business keys: where they live, and keys that stand for one second."""

from __future__ import annotations

import zlib

from shike.bounds import KEY_CHARS_MAX, VIRTUAL_BUCKETS_MAX
from shike.clock import MICROS
from shike.errors import BadInput, TooLarge


def check_bucket_count(count: int) -> None:
    """Raises `BadInput` for a number of virtual buckets that no store can have."""
    if not 1 <= count <= VIRTUAL_BUCKETS_MAX:
        raise BadInput(f"a store cannot have {count} virtual buckets; 1 to {VIRTUAL_BUCKETS_MAX}")


def virtual_bucket(key: str, count: int) -> int:
    """Where everything with this key lives, of `count` virtual buckets: CRC-32 of its UTF-8 bytes, modulo.

    The same in every process and for ever: stores are laid out by it.
    """
    check_bucket_count(count)
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % count


def key_second(key: str, at: int) -> str:
    """The business key of what may happen once per `key` and second: `at` is UTC microseconds.

    Raises `BadInput` for an empty key, `TooLarge` when the result is over `KEY_CHARS_MAX`.
    """
    if not key:
        raise BadInput("a business key cannot be empty; without a key every call is a new run")
    joined = f"{key}@{at // MICROS}"
    if len(joined) > KEY_CHARS_MAX:
        raise TooLarge(
            f"the key {key[:40]!r}… and its second have {len(joined)} characters; {KEY_CHARS_MAX} is the limit",
            size=len(joined),
            limit=KEY_CHARS_MAX,
        )
    return joined
